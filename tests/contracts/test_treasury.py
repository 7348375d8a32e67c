"""The treasury: Safe's own contracts under our signatures, on the EVM and nothing between."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boa
import pytest
from boa.contracts.abi.abi_contract import ABIContractFactory
from eth_hash.auto import keccak
from vault_rig import Person, deploy, refused

from allmende.adapters.chain import safe

ARTIFACTS = safe.artifacts()
OWNERS = tuple(sorted((Person(n) for n in ("olga", "otto", "omar")), key=lambda one: one.bytes))
ANNA, MALLORY = Person("anna"), Person("mallory")
PAID = ""


class Treasury:
    """A Safe of 2 of 3, made by Safe's factory, with 100 tokens."""

    def __init__(self) -> None:
        made = {}
        for name in ("Safe", "Factory"):
            at, done = boa.env.deploy(bytecode=ARTIFACTS[name].creation)
            assert not done.is_error
            made[name] = str(at).lower()
        self.singleton, self.factory = made["Safe"], made["Factory"]
        setup = safe.Setup(tuple(one.address.lower() for one in OWNERS), 2)
        places = (ARTIFACTS, self.factory, self.singleton, setup)
        call = safe.creation(*places)
        done = boa.env.execute_code(to_address=call.to, data=call.data, is_modifying=True)
        assert not done.is_error
        self.address = safe.address_of(*places)
        self.safe = ABIContractFactory("Safe", ARTIFACTS["Safe"].abi).at(self.address)
        self.token = deploy("Credit", "Credit", "CRED", by=ANNA.address)
        self.token.mint(self.address, 100, sender=ANNA.address)

    def payment(self, to: str, data: bytes, **other: Any) -> safe.Payment:
        chain_id = other.get("chain_id", boa.env.evm.patch.chain_id)
        nonce = other.get("nonce", self.safe.nonce())
        fields = {"to": to.lower(), "value": 0, "data": "0x" + data.hex()}
        return safe.Payment(chain_id=chain_id, safe=self.address, nonce=nonce, **fields)

    def transfer(self, amount: int, **other: Any) -> safe.Payment:
        data = self.token.transfer.prepare_calldata(ANNA.address, amount)
        return self.payment(self.token.address, data, **other)

    def execute(self, payment: safe.Payment, *signers: Person) -> str:
        digest = safe.digest(payment)
        signed = {one.address.lower(): one.sign(digest) for one in signers}
        return self.send(safe.execution(ARTIFACTS, payment, signed))

    def send(self, data: bytes) -> str:
        """PAID, or why not."""
        done = boa.env.execute_code(
            to_address=self.address, sender=MALLORY.address, data=data, is_modifying=True
        )
        return bytes(done.output).decode(errors="replace") if done.is_error else PAID


@pytest.fixture(scope="module")
def made() -> Iterator[Treasury]:
    with boa.env.anchor():
        yield Treasury()


@pytest.fixture
def treasury(made: Treasury) -> Iterator[Treasury]:
    with boa.env.anchor():
        yield made


def test_what_stands_there_is_safes_own_code(treasury: Treasury) -> None:
    for name, address in (("Safe", treasury.singleton), ("Factory", treasury.factory)):
        assert ARTIFACTS[name].made(boa.env.get_code(address))
    assert ARTIFACTS["Proxy"].made(boa.env.get_code(treasury.address))
    assert treasury.safe.VERSION() == safe.VERSION
    assert [str(one) for one in treasury.safe.getOwners()] == [one.address for one in OWNERS]


def test_two_of_three_pay_whoever_sends_it(treasury: Treasury) -> None:
    assert treasury.execute(treasury.transfer(40), OWNERS[2], OWNERS[0]) == PAID
    assert treasury.token.balanceOf(ANNA.address) == 40
    assert treasury.safe.nonce() == 1


def test_one_signature_too_few_pays_nothing(treasury: Treasury) -> None:
    payment = treasury.transfer(40)
    for signers, reason in (((), "GS020"), (OWNERS[:1], "GS020")):
        assert reason in treasury.execute(payment, *signers)
    assert treasury.token.balanceOf(ANNA.address) == 0


def test_one_owner_does_not_sign_twice_and_others_do_not_sign(treasury: Treasury) -> None:
    payment = treasury.transfer(40)
    digest = safe.digest(payment)
    one, other = OWNERS[0].sign(digest), OWNERS[1].sign(digest)
    both = {"0x1": other, "0x0": one}
    for first, second, reason in (
        (one, one, "GS026"),
        (other, one, "GS026"),  # not in the order of their addresses
        (one, MALLORY.sign(digest), "GS026"),
        (one, bytes(65), "GS0"),
    ):
        signed = {"0x0": first, "0x1": second}
        assert reason in treasury.send(safe.execution(ARTIFACTS, payment, signed))
    assert treasury.send(safe.execution(ARTIFACTS, payment, both)) == PAID
    assert treasury.token.balanceOf(ANNA.address) == 40


def test_a_payment_is_made_once(treasury: Treasury) -> None:
    payment = treasury.transfer(40)
    assert treasury.execute(payment, *OWNERS[:2]) == PAID
    assert "GS026" in treasury.execute(payment, *OWNERS[:2])
    assert treasury.token.balanceOf(ANNA.address) == 40


def test_a_payment_of_another_chain_or_another_safe_is_none_here(treasury: Treasury) -> None:
    for other in (treasury.transfer(40, chain_id=8_453), treasury.transfer(40, nonce=1)):
        assert "GS026" in treasury.execute(other, *OWNERS[:2])
    digest = safe.digest(treasury.transfer(40))
    elsewhere = safe.Payment(
        chain_id=boa.env.evm.patch.chain_id,
        safe=treasury.singleton,
        nonce=0,
        to=treasury.token.address.lower(),
        value=0,
        data=treasury.transfer(40).data,
    )
    assert safe.digest(elsewhere) != digest


@pytest.mark.parametrize("nonce", [0, 1, 2**200])
def test_our_digest_is_safes_own(treasury: Treasury, nonce: int) -> None:
    none = "0x" + "00" * 20
    payment = treasury.transfer(7, nonce=nonce)
    rest = (0, 0, 0, 0, none, none, nonce)
    theirs = treasury.safe.getTransactionHash(payment.to, 0, payment.call().data, *rest)
    assert bytes(theirs) == safe.digest(payment)


def test_owners_change_only_by_their_own_signatures(treasury: Treasury) -> None:
    call = treasury.safe.addOwnerWithThreshold
    with refused("GS031"):
        call(MALLORY.address, 1, sender=OWNERS[0].address)
    data = call.prepare_calldata(MALLORY.address, 2)
    assert treasury.execute(treasury.payment(treasury.address, data), *OWNERS[:2]) == PAID
    assert treasury.safe.isOwner(MALLORY.address)


def test_the_treasury_administers_a_contract(treasury: Treasury) -> None:
    """It becomes the admin of a bond, and its owners grant a role there."""
    bond = deploy("Bond", treasury.token.address, 1, 1, 1, 10, by=ANNA.address)
    bond.grantRole(bytes(32), treasury.address, sender=ANNA.address)
    bond.revokeRole(bytes(32), ANNA.address, sender=ANNA.address)
    judge = keccak(b"JUDGE")
    data = bond.grantRole.prepare_calldata(judge, ANNA.address)
    payment = treasury.payment(bond.address, data)
    assert "GS020" in treasury.execute(payment, OWNERS[0])
    assert treasury.execute(payment, *OWNERS[1:]) == PAID
    assert bond.hasRole(judge, ANNA.address)


def test_a_setup_that_cannot_be_is_refused_before_anything_is_sent() -> None:
    one = "0x" + "11" * 20
    for owners, threshold in (((one, one), 1), ((one,), 2), ((one,), 0), ((), 0)):
        with pytest.raises(ValueError, match=r"owner"):
            safe.checked(safe.Setup(owners, threshold))
