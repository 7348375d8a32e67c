"""Accounts that are contracts: they permit by EIP-1271, deposit, ask and leave as anybody does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boa
import pytest
from eth_hash.auto import keccak
from vault_rig import CREDIT, UNLIMITED, Market, Person, deploy, refused

from allmende.wire import voucher as v

OWNER, KEY, HOST, MALLORY = (Person(name) for name in ("owner", "session", "host", "mallory"))
TOKENS = Path(__file__).parent / "tokens"
LATER = 2**40


class Wallet(Person):
    """A contract with an account: its owner signs, and calls through it."""

    def __init__(self, owner: Person) -> None:
        super().__init__("wallet")
        self.owner = owner
        self.at = deploy("Wallet", owner.address, sources=TOKENS)
        self.address, self.bytes = str(self.at.address), self.at.address.canonical_address

    def act(self, method: Any, *args: Any, by: Person | None = None) -> None:
        data = method.prepare_calldata(*args)
        self.at.act(method.contract.address, data, sender=(by or self.owner).address)


@pytest.fixture
def market() -> Iterator[Market]:
    with boa.env.anchor():
        yield Market().open()


@pytest.fixture
def wallet(market: Market) -> Wallet:
    """Its ten credits are in a final batch."""
    made = Wallet(OWNER)
    market.token.mint(made.address, 10 * CREDIT, sender=market.admin.address)
    made.act(market.token.approve, market.vault.address, 2**256 - 1)
    made.act(market.vault.deposit, made.address, 10 * CREDIT)
    market.know(made)
    market.settle()
    return made


def show(market: Market, wallet: Wallet, amount: int, signer: Person, limit: int = 9) -> None:
    """A voucher of a session key that `signer` permits in the wallet's name."""
    permit = v.Permit(wallet.bytes, KEY.bytes, 0, limit, bytes(32), LATER)
    allowed = signer.sign(v.permit_digest(market.domain, permit, keccak))
    id_ = v.channel(wallet.bytes, 0, keccak)
    signed = KEY.sign(v.voucher_digest(market.domain, id_, amount, keccak))
    market.vault.acknowledge(
        (wallet.address, KEY.address, *permit[2:]), allowed, amount, signed, sender=HOST.address
    )


def test_a_wallet_permits_a_session_key(market: Market, wallet: Wallet) -> None:
    show(market, wallet, 5, OWNER)
    assert market.vault.signed(wallet.address) == 5
    with refused("voucher: over the limit"):
        show(market, wallet, 10, OWNER)


def test_what_the_wallet_does_not_confirm_is_no_permit(market: Market, wallet: Wallet) -> None:
    with refused("voucher: no permit"):
        show(market, wallet, 5, MALLORY)
    assert market.vault.signed(wallet.address) == 0


def test_who_was_the_owner_permits_nothing_new(market: Market, wallet: Wallet) -> None:
    wallet.at.hand_on(HOST.address, sender=OWNER.address)
    with refused("voucher: no permit"):
        show(market, wallet, 6, OWNER)
    show(market, wallet, 6, HOST)
    assert market.vault.signed(wallet.address) == 6


def test_a_permit_of_one_wallet_is_none_of_its_owners_other_wallet(
    market: Market, wallet: Wallet
) -> None:
    other = Wallet(OWNER)
    permit = v.Permit(other.bytes, KEY.bytes, 0, 9, bytes(32), LATER)
    allowed = OWNER.sign(v.permit_digest(market.domain, permit, keccak))
    signed = KEY.sign(
        v.voucher_digest(market.domain, v.channel(wallet.bytes, 0, keccak), 5, keccak)
    )
    with refused("voucher: no permit"):
        market.vault.acknowledge(
            (wallet.address, KEY.address, *permit[2:]), allowed, 5, signed, sender=HOST.address
        )


def test_a_wallet_has_no_key_of_its_own_to_sign_with(market: Market, wallet: Wallet) -> None:
    id_ = v.channel(wallet.bytes, 0, keccak)
    signed = OWNER.sign(v.voucher_digest(market.domain, id_, 5, keccak))
    said = (wallet.address, wallet.address, 0, UNLIMITED, bytes(32), LATER)
    with refused("voucher: not the key's"):
        market.vault.acknowledge(said, b"", 5, signed, sender=HOST.address)


def test_a_debit_that_the_wallet_did_not_permit_voids_the_batch(
    market: Market, wallet: Wallet
) -> None:
    show(market, wallet, 9, OWNER)
    (leaf,) = market.leaves()
    market.submit([leaf._replace(balance=leaf.balance - 10, spent=10)])
    id_ = market.challenge(wallet, by=MALLORY)
    with refused("vault: not signed"):
        market.vault.answer(id_, *market.sent.show(wallet))
    market.later(market.terms["response"] + 1)
    market.vault.void(id_)
    assert market.vault.pending()[0] == 0


def test_a_wallet_asks_is_paid_and_leaves(market: Market, wallet: Wallet) -> None:
    vault = market.vault
    with refused("wallet: not the owner"):
        wallet.act(vault.ask, *market.final.show(wallet), 4 * CREDIT, by=MALLORY)
    wallet.act(vault.ask, *market.final.show(wallet), 4 * CREDIT)
    market.settle()
    market.later(market.terms["delay"])
    vault.pay(1)
    assert market.token.balanceOf(wallet.address) == 4 * CREDIT
    market.close()
    wallet.act(vault.exit, *market.final.show(wallet))
    assert market.token.balanceOf(wallet.address) == 10 * CREDIT
    with refused("vault: nothing left"):
        wallet.act(vault.exit, *market.final.show(wallet))


def test_a_permit_that_was_shown_once_is_not_taken_back(market: Market, wallet: Wallet) -> None:
    """Else a wallet spends, changes its mind, challenges, and the operator's bond pays it."""
    show(market, wallet, 5, OWNER)
    wallet.at.hand_on(MALLORY.address, sender=OWNER.address)
    show(market, wallet, 6, OWNER)
    assert market.vault.signed(wallet.address) == 6


def test_an_accounts_own_permit_holds_when_it_becomes_a_contract(market: Market) -> None:
    """EIP-7702: an account takes on code that denies every signature, after it has spent."""
    market.deposit(MALLORY, 10)
    boa.env.set_code(MALLORY.address, boa.env.get_code(deploy_denier()))
    market.acknowledge(MALLORY, 5, key=KEY)
    assert market.vault.signed(MALLORY.address) == 5


def deploy_denier() -> Any:
    """A wallet of nobody: it says no to everything."""
    return deploy("Wallet", Person("nobody").address, sources=TOKENS).address


def test_a_permit_for_all_eternity_is_shown_like_any_other(market: Market) -> None:
    """Its end plus the grace is more than a number can hold; that must not hide the voucher."""
    market.deposit(MALLORY, 10)
    forever = 2**256 - 1 - boa.env.evm.patch.timestamp
    market.acknowledge(MALLORY, 5, key=KEY, life=forever)
    assert market.vault.signed(MALLORY.address) == 5
