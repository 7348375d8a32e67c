"""Credit, Rights and Share as a wallet that knows only ERC-20 uses them, and what they sign."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boa
import pytest
from boa.contracts.abi.abi_contract import ABIContractFactory
from eth_account import Account
from eth_hash.auto import keccak
from vault_rig import Market, Person, deploy, refused

ADMIN, ANNA, BEN, MALLORY = (Person(name) for name in ("admin", "anna", "ben", "mallory"))
MAX = 2**256 - 1
ISSUE = 10**12
YEAR = 31_536_000
OPEN = 2
"""A mode of core.identity.FEATURES: members transfer to each other."""


def entry(name: str, takes: str, gives: str, how: str = "view") -> dict[str, Any]:
    return {
        "type": "function",
        "name": name,
        "stateMutability": how,
        "inputs": [{"name": f"a{i}", "type": kind} for i, kind in enumerate(takes.split())],
        "outputs": [{"name": "", "type": gives}],
    }


WALLET = [
    entry("name", "", "string"),
    entry("symbol", "", "string"),
    entry("decimals", "", "uint8"),
    entry("totalSupply", "", "uint256"),
    entry("balanceOf", "address", "uint256"),
    entry("allowance", "address address", "uint256"),
    entry("transfer", "address uint256", "bool", "nonpayable"),
    entry("approve", "address uint256", "bool", "nonpayable"),
    entry("transferFrom", "address address uint256", "bool", "nonpayable"),
]
"""EIP-20, word for word, and nothing of ours."""


def make(name: str) -> Any:
    """The contract with a million base units at Anna's."""
    if name == "Credit":
        made = deploy("Credit", "Credit", "CRED", by=ADMIN.address)
        made.mint(ANNA.address, 10**6, sender=ADMIN.address)
    elif name == "Share":
        made = deploy("Share", OPEN, 10**6, by=ADMIN.address)
        made.grantRole(keccak(b"MINTER"), ADMIN.address, sender=ADMIN.address)
        made.mint(ANNA.address, 10**6, sender=ADMIN.address)
    else:
        end = boa.env.evm.patch.timestamp + YEAR
        made = deploy("Rights", "Day lots", "DAY1", keccak(b"i"), end, ISSUE, by=ADMIN.address)
        made.mint(ANNA.address, 10**6, keccak(b"first"), sender=ADMIN.address)
    return made


@pytest.fixture(params=["Credit", "Rights", "Share"])
def token(request: pytest.FixtureRequest) -> Iterator[Any]:
    with boa.env.anchor():
        yield make(request.param)


@pytest.fixture
def wallet(token: Any) -> Any:
    return ABIContractFactory("ERC20", WALLET).at(token.address)


@pytest.fixture
def credit() -> Iterator[Any]:
    with boa.env.anchor():
        yield make("Credit")


@pytest.fixture
def rights() -> Iterator[Any]:
    with boa.env.anchor():
        yield make("Rights")


# A plain wallet ---------------------------------------------------------------------------


def test_a_wallet_sees_what_it_shows(wallet: Any) -> None:
    assert wallet.symbol() in ("CRED", "DAY1", "SHARE")
    assert wallet.name() in ("Credit", "Day lots", "Allmende Share")
    assert wallet.decimals() in (12, 8, 18)
    assert wallet.totalSupply() == wallet.balanceOf(ANNA.address) == 10**6


def test_a_wallet_sends_approves_and_lets_send(wallet: Any) -> None:
    assert wallet.transfer(BEN.address, 10, sender=ANNA.address) is True
    assert wallet.approve(BEN.address, 30, sender=ANNA.address) is True
    assert wallet.transferFrom(ANNA.address, BEN.address, 20, sender=BEN.address) is True
    assert wallet.allowance(ANNA.address, BEN.address) == 10
    assert wallet.balanceOf(BEN.address) == 30
    assert wallet.totalSupply() == 10**6


def test_transfers_and_approvals_are_logged_as_the_standard_says(wallet: Any, token: Any) -> None:
    wallet.transfer(BEN.address, 10, sender=ANNA.address)
    _, topics, data = wallet._computation.get_log_entries()[0]
    assert topics[0] == int.from_bytes(keccak(b"Transfer(address,address,uint256)"), "big")
    assert topics[1:] == (int(ANNA.address, 16), int(BEN.address, 16))
    assert int.from_bytes(data, "big") == 10
    wallet.approve(BEN.address, 7, sender=ANNA.address)
    _, topics, data = wallet._computation.get_log_entries()[0]
    assert topics[0] == int.from_bytes(keccak(b"Approval(address,address,uint256)"), "big")
    assert int.from_bytes(data, "big") == 7


def test_nothing_to_send_is_sent_and_a_self_transfer_changes_nothing(wallet: Any) -> None:
    assert wallet.transfer(BEN.address, 0, sender=ANNA.address) is True
    assert wallet.transfer(ANNA.address, 10**6, sender=ANNA.address) is True
    assert wallet.balanceOf(ANNA.address) == 10**6


def test_an_unlimited_approval_is_not_used_up(wallet: Any) -> None:
    wallet.approve(BEN.address, MAX, sender=ANNA.address)
    wallet.transferFrom(ANNA.address, BEN.address, 10**6, sender=BEN.address)
    assert wallet.allowance(ANNA.address, BEN.address) == MAX


def test_more_than_there_is_or_is_allowed_is_refused(wallet: Any) -> None:
    with refused("erc20: transfer amount exceeds balance"):
        wallet.transfer(BEN.address, 10**6 + 1, sender=ANNA.address)
    wallet.approve(BEN.address, 5, sender=ANNA.address)
    with refused("erc20: insufficient allowance"):
        wallet.transferFrom(ANNA.address, BEN.address, 6, sender=BEN.address)
    with refused("erc20: transfer to the zero address"):
        wallet.transfer("0x" + "00" * 20, 1, sender=ANNA.address)


# Signed -----------------------------------------------------------------------------------


def sign(token: Any, who: Person, name: str, type_: str, message: dict[str, Any]) -> Any:
    """As any wallet's eth_signTypedData_v4 would: with a library that is not ours."""
    kinds = [field.split() for field in type_.split(",")]
    _, title, version, chain, at, *_ = token.eip712Domain()
    full = {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            name: [{"name": field, "type": kind} for kind, field in kinds],
        },
        "primaryType": name,
        "domain": {
            "name": title,
            "version": version,
            "chainId": chain,
            "verifyingContract": str(at),
        },
        "message": message,
    }
    made = Account.sign_typed_data(keccak(who.name.encode()), full_message=full)
    return made.v, made.r.to_bytes(32, "big"), made.s.to_bytes(32, "big")


PERMIT = "address owner,address spender,uint256 value,uint256 nonce,uint256 deadline"
MOVE = "address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce"


def test_a_permit_approves_once(token: Any) -> None:
    said = {"owner": ANNA.address, "spender": BEN.address, "value": 9, "nonce": 0, "deadline": MAX}
    signed = sign(token, ANNA, "Permit", PERMIT, said)
    token.permit(ANNA.address, BEN.address, 9, MAX, *signed)
    assert token.allowance(ANNA.address, BEN.address) == 9
    with refused("erc20: invalid signature"):
        token.permit(ANNA.address, BEN.address, 9, MAX, *signed)


def test_a_permit_for_another_deployment_or_chain_is_refused(token: Any) -> None:
    said = {"owner": ANNA.address, "spender": BEN.address, "value": 9, "nonce": 0, "deadline": MAX}
    others = sign(deploy("Credit", "Credit", "CRED"), ANNA, "Permit", PERMIT, said)
    with refused("erc20: invalid signature"):
        token.permit(ANNA.address, BEN.address, 9, MAX, *others)
    signed = sign(token, ANNA, "Permit", PERMIT, said)
    world = boa.env.evm.patch
    before, world.chain_id = world.chain_id, 8453
    try:
        with refused("erc20: invalid signature"):
            token.permit(ANNA.address, BEN.address, 9, MAX, *signed)
    finally:
        world.chain_id = before
    assert token.allowance(ANNA.address, BEN.address) == 0


def authorise(token: Any, kind: str, to: Person, amount: int, nonce: bytes, **window: int) -> Any:
    after, before = window.get("after", 0), window.get("before", MAX)
    said = {
        "from": ANNA.address,
        "to": to.address,
        "value": amount,
        "validAfter": after,
        "validBefore": before,
        "nonce": nonce,
    }
    signed = sign(token, ANNA, kind, MOVE, said)
    return (ANNA.address, to.address, amount, after, before, nonce, *signed)


SEND, TAKE = "TransferWithAuthorization", "ReceiveWithAuthorization"


def test_an_authorisation_moves_once_and_nonces_are_independent(credit: Any) -> None:
    second = authorise(credit, SEND, BEN, 7, keccak(b"2"))
    first = authorise(credit, SEND, BEN, 5, keccak(b"1"))
    credit.transferWithAuthorization(*second, sender=MALLORY.address)
    credit.transferWithAuthorization(*first, sender=MALLORY.address)
    assert credit.balanceOf(BEN.address) == 12
    with refused("credit: nonce is used"):
        credit.transferWithAuthorization(*first, sender=MALLORY.address)


def test_only_the_payee_takes_and_a_transfer_is_no_receipt(credit: Any) -> None:
    taken = authorise(credit, TAKE, BEN, 5, keccak(b"1"))
    with refused("credit: only the payee"):
        credit.receiveWithAuthorization(*taken, sender=MALLORY.address)
    with refused("credit: not the holder's signature"):
        credit.transferWithAuthorization(*taken, sender=MALLORY.address)
    credit.receiveWithAuthorization(*taken, sender=BEN.address)
    assert credit.balanceOf(BEN.address) == 5


def test_an_authorisation_holds_within_its_window_only(credit: Any) -> None:
    now = boa.env.evm.patch.timestamp
    for window, why in (({"after": now}, "not valid yet"), ({"before": now}, "no longer valid")):
        with refused(f"credit: {why}"):
            credit.transferWithAuthorization(
                *authorise(credit, SEND, BEN, 5, keccak(b"1"), **window)
            )


def test_a_changed_amount_or_payee_is_refused(credit: Any) -> None:
    said = authorise(credit, SEND, BEN, 5, keccak(b"1"))
    for place, value in ((1, MALLORY.address), (2, 6), (5, keccak(b"2"))):
        with refused("credit: not the holder's signature"):
            credit.transferWithAuthorization(*(*said[:place], value, *said[place + 1 :]))


def test_a_cancelled_nonce_is_used(credit: Any) -> None:
    nonce = keccak(b"1")
    cancel = sign(
        credit,
        ANNA,
        "CancelAuthorization",
        "address authorizer,bytes32 nonce",
        {"authorizer": ANNA.address, "nonce": nonce},
    )
    with refused("credit: not the holder's signature"):
        credit.cancelAuthorization(MALLORY.address, nonce, *cancel)
    credit.cancelAuthorization(ANNA.address, nonce, *cancel)
    with refused("credit: nonce is used"):
        credit.transferWithAuthorization(*authorise(credit, SEND, BEN, 5, nonce))
    with refused("credit: nonce is used"):
        credit.cancelAuthorization(ANNA.address, nonce, *cancel)


def test_an_authorisation_for_another_deployment_or_chain_is_refused(credit: Any) -> None:
    other = deploy("Credit", "Credit", "CRED", by=ADMIN.address)
    said = authorise(other, SEND, BEN, 5, keccak(b"1"))
    with refused("credit: not the holder's signature"):
        credit.transferWithAuthorization(*said)
    said = authorise(credit, SEND, BEN, 5, keccak(b"1"))
    chain = boa.env.evm.patch
    before, chain.chain_id = chain.chain_id, 8453
    try:
        with refused("credit: not the holder's signature"):
            credit.transferWithAuthorization(*said)
    finally:
        chain.chain_id = before


def test_only_minters_mint_and_the_owner_moves_in_two_steps(credit: Any) -> None:
    with refused("erc20: access is denied"):
        credit.mint(MALLORY.address, 1, sender=MALLORY.address)
    credit.transfer_ownership(BEN.address, sender=ADMIN.address)
    assert credit.owner() == ADMIN.address
    with refused("ownable_2step"):
        credit.accept_ownership(sender=MALLORY.address)
    credit.accept_ownership(sender=BEN.address)
    assert credit.owner() == BEN.address


# Rights -----------------------------------------------------------------------------------


def test_a_mint_happens_once_per_reference_and_within_the_issue(rights: Any) -> None:
    with refused("rights: minted already"):
        rights.mint(ANNA.address, 5, keccak(b"first"), sender=ADMIN.address)
    with refused("rights: over the issue"):
        rights.mint(ANNA.address, ISSUE - 10**6 + 1, keccak(b"2"), sender=ADMIN.address)
    with refused("rights: not the desk"):
        rights.mint(MALLORY.address, 5, keccak(b"2"), sender=MALLORY.address)
    rights.mint(BEN.address, ISSUE - 10**6, keccak(b"2"), sender=ADMIN.address)
    assert rights.totalSupply() == ISSUE


def test_what_is_redeemed_is_burnt_and_says_for_whom(rights: Any) -> None:
    rights.transfer(BEN.address, 100, sender=ANNA.address)
    rights.redeem(60, keccak(b"ben at the desk"), sender=BEN.address)
    logged = [log for log in rights.get_logs() if type(log).__name__ == "Redeemed"]
    assert [(log.account, log.grains) for log in logged] == [(keccak(b"ben at the desk"), 60)]
    assert rights.balanceOf(BEN.address) == 40
    assert rights.totalSupply() == 10**6 - 60
    with refused("erc20: burn amount exceeds balance"):
        rights.redeem(41, keccak(b"ben at the desk"), sender=BEN.address)


def test_rights_end(rights: Any) -> None:
    rights.approve(BEN.address, 5, sender=ANNA.address)
    with refused("rights: not ended"):
        rights.sweep(ANNA.address)
    boa.env.time_travel(seconds=YEAR)
    for call in (
        lambda: rights.transfer(BEN.address, 1, sender=ANNA.address),
        lambda: rights.transferFrom(ANNA.address, BEN.address, 1, sender=BEN.address),
        lambda: rights.redeem(1, keccak(b"a"), sender=ANNA.address),
        lambda: rights.mint(ANNA.address, 1, keccak(b"2"), sender=ADMIN.address),
    ):
        with refused("rights: ended"):
            call()
    rights.sweep(ANNA.address, sender=MALLORY.address)
    assert rights.totalSupply() == 0


def test_credit_is_the_vaults_token_to_the_unit() -> None:
    with boa.env.anchor():
        market = Market().open()
        market.deposit(ANNA, 1)
        assert market.vault.backed() == 1
        assert market.token.balanceOf(market.vault.address) == 1 + 1  # and the listing's one
