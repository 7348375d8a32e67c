"""A market on an EVM inside the test: its contracts, its people, and an honest desk's book.

The book holds what an honest desk knows: earnings and vouchers. Deposits and withdrawals it
reads from the chain's state, as the settler must. Attackers use the same calls as everybody.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from functools import cache
from pathlib import Path
from typing import Any

import boa
from boa.contracts.abi.abi_contract import ABIContractFactory
from eth_abi import encode
from eth_hash.auto import keccak
from eth_keys import keys

from allmende.adapters import chain_contracts
from allmende.wire import merkle_sum as ms
from allmende.wire import voucher as v

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".pytest_cache" / "contracts"
CREDIT = 10**12
ZERO = "0x" + "00" * 20
TERMS = {
    "window": 3_600,
    "response": 1_800,
    "silence": 86_400,
    "delay": 7_200,
    "rate_ppm": 500_000,
    "rate_floor": 10 * CREDIT,
    "stake": CREDIT,
    "penalty": 101 * CREDIT + 1,
    "pause_max": 21_600,
    "pause_gap": 86_400,
}
GRACE = 10_000
AUDIT, DISPUTE, JUDGING, UNBONDING = 10_000, 20_000, 15_000, 40_000
UNLIMITED = 2**128 - 1


@cache
def contract(name: str, sources: Path = chain_contracts.SOURCES) -> chain_contracts.Contract:
    return chain_contracts.load(name, CACHE, sources)


def deploy(name: str, *args: Any, by: str | None = None, sources: Path | None = None) -> Any:
    """Create a contract from what the adapter compiled; it is called by its ABI alone."""
    made = contract(name, sources or chain_contracts.SOURCES)
    ctor = [entry["inputs"] for entry in made.abi if entry["type"] == "constructor"]
    kinds = [_kind(entry) for entry in (ctor[0] if ctor else [])]
    at, computation = boa.env.deploy(sender=by, bytecode=made.creation + encode(kinds, args))
    if computation.is_error:
        raise AssertionError(computation.output)
    return ABIContractFactory(name, made.abi).at(at)


def _kind(entry: dict[str, Any]) -> str:
    if not entry["type"].startswith("tuple"):
        return str(entry["type"])
    return "(" + ",".join(map(_kind, entry["components"])) + ")" + entry["type"][5:]


@contextmanager
def refused(reason: str) -> Iterator[None]:
    """The call inside must revert, and say why."""
    try:
        yield
    except boa.BoaError as error:
        said = bytes(error.call_trace.computation.output)
        assert reason.encode() in said, f"expected {reason!r}, got {said!r}"
    else:
        raise AssertionError(f"nothing reverted; expected {reason!r}")


@contextmanager
def on_chain(number: int) -> Iterator[None]:
    """The same contracts at the same addresses with the same state, on another chain."""
    world = boa.env.evm.patch
    before, world.chain_id = world.chain_id, number
    try:
        yield
    finally:
        world.chain_id = before


class Person:
    """A wallet: a key, and what it signs."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._key = keys.PrivateKey(keccak(name.encode()))
        self.bytes = self._key.public_key.to_canonical_address()
        self.address = self._key.public_key.to_checksum_address()

    def sign(self, digest: bytes) -> bytes:
        made = self._key.sign_msg_hash(digest)
        return bytes(made.r.to_bytes(32, "big") + made.s.to_bytes(32, "big") + bytes([made.v + 27]))

    def vrs(self, digest: bytes) -> tuple[int, bytes, bytes]:
        made = self.sign(digest)
        return made[64], made[:32], made[32:64]


class Batch:
    """A tree that was submitted, kept so that leaves of it can be shown."""

    def __init__(self, leaves: Sequence[ms.Leaf], receipts: Sequence[bytes]) -> None:
        self.leaves, self.receipts = list(leaves), list(receipts)
        self.tree = ms.levels(self.leaves, keccak)
        self.top = self.tree[-1][0]

    def show(self, person: Person) -> tuple[Any, Any]:
        """The leaf and the proof as the contracts take them; an empty leaf if there is none."""
        for place, leaf in enumerate(self.leaves):
            if leaf.account == person.bytes:
                return self.at(place)
        return (person.address, 0, 0), (0, [])

    def at(self, place: int) -> tuple[Any, Any]:
        leaf, shown = self.leaves[place], ms.proof(self.tree, place)
        return ("0x" + leaf.account.hex(), leaf.balance, leaf.spent), shown


class Market:
    """Credit, Bond and Vault with their roles, and the desk's book beside them."""

    def __init__(self, token: Any = None, **terms: int) -> None:
        self.admin, self.operator = Person("admin"), Person("operator")
        self.guardian, self.desk = Person("guardian"), Person("desk's key")
        self.commons = Person("commons")
        self.terms = TERMS | terms
        root = self.admin.address
        self.token = token or deploy("Credit", "Credit", "CRED", by=root)
        windows = (AUDIT, DISPUTE, JUDGING, UNBONDING)
        self.bond = deploy("Bond", self.token.address, *windows, by=root)
        addresses = (self.token.address, self.bond.address, self.commons.address)
        self.vault = deploy("Vault", *addresses, GRACE, tuple(self.terms.values()), by=root)
        self.domain = v.Domain(boa.env.evm.chain.chain_id, _raw(self.vault.address))
        for role, who in (("OPERATOR", self.operator), ("GUARDIAN", self.guardian)):
            self.vault.grantRole(keccak(role.encode()), who.address, sender=root)
        self.vault.grantRole(keccak(b"MARKET"), self.desk.address, sender=root)
        self.bond.grantRole(keccak(b"SLASHER"), self.vault.address, sender=root)
        self.earned: dict[Person, int] = {}
        self.spent: dict[Person, int] = {}
        self.receipts: list[bytes] = []
        self.people: list[Person] = []
        self.final = self.sent = Batch([], [])

    def again(self) -> Market:
        """The same deployment with an empty book, for another run inside an anchor."""
        fresh = copy(self)
        fresh.earned, fresh.spent, fresh.receipts, fresh.people = {}, {}, [], []
        return fresh

    def open(self) -> Market:
        """List the token and bond the operator for three voids."""
        self.give(self.admin, 2, self.vault.address)
        self.vault.list_token(sender=self.admin.address)
        self.give(self.operator, 4 * self.terms["penalty"], self.bond.address)
        bond = 4 * self.terms["penalty"]
        self.bond.bond(self.operator.address, bond, sender=self.operator.address)
        return self

    def give(self, person: Person, amount: int, spender: str | None = None) -> None:
        """Mint to a wallet, which approves the vault or another spender."""
        self.token.mint(person.address, amount, sender=self.admin.address)
        to = spender or self.vault.address
        self.token.approve(to, 2**256 - 1, sender=person.address)

    def deposit(self, person: Person, amount: int) -> None:
        self.give(person, amount)
        self.vault.deposit(person.address, amount, sender=person.address)
        self.know(person)

    def know(self, person: Person) -> None:
        if person not in self.people:
            self.people.append(person)

    # The desk's book ----------------------------------------------------------------------

    def spend(self, buyer: Person, provider: Person, amount: int) -> bytes:
        """One request: the buyer's session signs, the provider earns. The receipt's leaf."""
        assert amount <= self.available(buyer)
        self.know(buyer)
        self.know(provider)
        self.spent[buyer] = self.spent.get(buyer, 0) + amount
        self.earned[provider] = self.earned.get(provider, 0) + amount
        receipt = keccak(f"{len(self.receipts)} {buyer.name} {amount}".encode())
        self.receipts.append(receipt)
        return receipt

    def owns(self, person: Person) -> int:
        """All that came in, less all that went out or was asked to."""
        into, out = self.vault.deposited(person.address), self.vault.requested(person.address)
        return int(into - out + self.earned.get(person, 0) - self.spent.get(person, 0))

    def available(self, person: Person) -> int:
        """What the desk lets be spent: closed epochs, less all that was asked to be taken out."""
        return self.owns(person) - int(self.vault.deposits(person.address, self.vault.epoch()))

    def leaves(self) -> list[ms.Leaf]:
        """The tree that an honest desk submits now: everything up to the last cut."""
        found, open_ = [], self.vault.epoch()
        for person in self.people:
            into = self.vault.deposits(person.address, open_)
            out = self.vault.requests(person.address, open_)
            balance = self.owns(person) - into + out
            found.append(ms.Leaf(person.bytes, balance, self.spent.get(person, 0)))
        return found

    # Batches ------------------------------------------------------------------------------

    def submit(self, leaves: Sequence[ms.Leaf] | None = None, *, by: Person | None = None) -> Batch:
        chosen = self.leaves() if leaves is None else leaves
        batch = Batch(chosen, self.receipts)
        top, count = receipts_top(batch.receipts), len(batch.receipts)
        sender = (by or self.operator).address
        self.vault.submit(*batch.top, len(batch.leaves), top, count, sender=sender)
        self.sent, self.receipts = batch, []
        return batch

    def finalise(self) -> None:
        self.later(self.terms["window"])
        self.vault.finalise()
        self.final = self.sent

    def settle(self) -> None:
        """Close the epoch and bring an honest batch through."""
        self.vault.cut(sender=self.operator.address)
        self.submit()
        self.finalise()

    def later(self, seconds: int) -> None:
        boa.env.time_travel(seconds=seconds)

    def close(self) -> None:
        self.later(self.terms["silence"] + 1)
        self.vault.close()

    # Signatures ---------------------------------------------------------------------------

    def voucher(
        self,
        account: Person,
        amount: int,
        *,
        lane: int = 0,
        key: Person | None = None,
        limit: int = UNLIMITED,
        life: int = 10**6,
        domain: v.Domain | None = None,
    ) -> tuple[Any, bytes, int, bytes]:
        """A voucher of an account's lane and its permit, by a session key or by itself."""
        key, domain = key or account, domain or self.domain
        expiry = boa.env.evm.patch.timestamp + life
        permit = v.Permit(account.bytes, key.bytes, lane, limit, bytes(32), expiry)
        allowed = account.sign(v.permit_digest(domain, permit, keccak))
        id_ = v.channel(account.bytes, lane, keccak)
        signed = key.sign(v.voucher_digest(domain, id_, amount, keccak))
        return (account.address, key.address, *permit[2:]), allowed, amount, signed

    def acknowledge(self, account: Person, amount: int, **how: Any) -> None:
        """Show the vault a voucher, see above."""
        self.vault.acknowledge(*self.voucher(account, amount, **how))

    def promise(self, provider: Person, receipt: bytes, *, by: int = 0) -> tuple[Any, bytes]:
        """The market's word that a receipt and all earnings so far are in the batch."""
        said = v.Promise(provider.bytes, receipt, self.earned[provider], by)
        signature = self.desk.sign(v.promise_digest(self.domain, said, keccak))
        return (provider.address, *said[1:]), signature

    def challenge(self, person: Person, *, by: Person | None = None) -> int:
        by = by or person
        self.give(by, self.terms["stake"])
        leaf, proof = self.final.show(person)
        return int(self.vault.challenge(leaf, proof, sender=by.address))

    def answer(self, id_: int, person: Person) -> None:
        """What an honest operator does: his vouchers, then the leaf."""
        signed, spent = self.vault.signed(person.address), self.spent.get(person, 0)
        if spent > signed:
            self.acknowledge(person, spent - signed + self.vault.lanes(person.address, 0))
        self.vault.answer(id_, *self.sent.show(person), sender=self.operator.address)


def receipts_top(receipts: Sequence[bytes]) -> bytes:
    from allmende.wire import merkle

    return merkle.root(list(receipts))


def _raw(address: str) -> bytes:
    return bytes.fromhex(str(address)[2:])
