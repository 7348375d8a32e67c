"""Two sides of a bridge in one EVM, their validators, and people who cross.

Both sides have this EVM's chain id unless a test says otherwise: what keeps them apart then is
the contract's address.
"""

from __future__ import annotations

from typing import Any

import boa
from eth_abi import encode
from eth_hash.auto import keccak
from vault_rig import ZERO, Person, contract, deploy

from allmende.wire import bridging as b

TERMS = {"validity": 172_800, "delay": 604_800, "pause_max": 86_400, "pause_gap": 259_200}
PER_TRANSFER, PER_DAY = 100, 250
NAME, SYMBOL = "Bridged Credit", "bCRED"


class Validators:
    """Some keys, in the order of their addresses, of which `threshold` sign together."""

    def __init__(self, *names: str, threshold: int = 2) -> None:
        self.people = sorted((Person(name) for name in names), key=lambda one: one.bytes)
        self.threshold = threshold

    def sign(self, digest: bytes, count: int | None = None) -> list[bytes]:
        """By the first `count` of them, else by as many as are needed."""
        chosen = self.people[: self.threshold if count is None else count]
        return [person.sign(digest) for person in chosen]

    def rules(self, per_transfer: int = PER_TRANSFER, per_day: int = PER_DAY) -> tuple[Any, ...]:
        addresses = [person.address for person in self.people]
        return (addresses, self.threshold, per_transfer, per_day)


def wrapped() -> bytes:
    """What the away side creates."""
    return contract("Credit").creation + encode(["string", "string"], [NAME, SYMBOL])


class Crossing:
    """Home with its token, away with the wrapped one, and honest validators over both."""

    def __init__(
        self,
        token: Any = None,
        validators: Validators | None = None,
        chains: tuple[int, int] | None = None,
    ) -> None:
        """`chains` are the ids that home and away take each other's side for."""
        self.admin, self.guardian = Person("admin"), Person("guardian")
        self.validators = validators or Validators("vera", "vito", "viktor")
        root, terms = self.admin.address, tuple(TERMS.values())
        self.token = token or deploy("Credit", "Credit", "CRED", by=root)
        rules = self.validators.rules()
        self.home = deploy("Bridge", self.token.address, b"", terms, rules, by=root)
        self.away = deploy("Bridge", ZERO, wrapped(), terms, rules, by=root)
        self.credit = at("Credit", self.away.token())
        here, there = chains or 2 * (boa.env.evm.chain.chain_id,)
        self.home.link(there, self.away.address, sender=root)
        self.away.link(here, self.home.address, sender=root)
        for side in (self.home, self.away):
            side.grantRole(keccak(b"GUARDIAN"), self.guardian.address, sender=root)

    def other(self, side: Any) -> Any:
        return self.away if side is self.home else self.home

    def give(self, who: Person, amount: int) -> None:
        """Tokens at home, and leave for both bridges."""
        self.token.mint(who.address, amount, sender=self.admin.address)
        for token, side in ((self.token, self.home), (self.credit, self.away)):
            token.approve(side.address, 2**256 - 1, sender=who.address)

    def depart(self, side: Any, who: Person, amount: int, to: Person | None = None) -> b.Transfer:
        nonce = side.depart((to or who).address, amount, sender=who.address)
        deadline = boa.env.evm.patch.timestamp + TERMS["validity"]
        return b.Transfer(nonce, who.bytes, (to or who).bytes, amount, deadline)

    def arrival(self, source: Any, transfer: b.Transfer) -> bytes:
        other = self.other(source)
        return b.arrival_digest(side_of(source), side_of(other), transfer, keccak)

    def refund(self, source: Any, transfer: b.Transfer) -> bytes:
        other = self.other(source)
        return b.refund_digest(side_of(source), side_of(other), transfer, keccak)

    def arrive(self, source: Any, transfer: b.Transfer, signatures: Any = None) -> None:
        """At the other side, with the validators' word unless with another one."""
        signed = signatures or self.validators.sign(self.arrival(source, transfer))
        self.other(source).arrive(shown(transfer), signed)

    def come_back(self, source: Any, transfer: b.Transfer, signatures: Any = None) -> None:
        signed = signatures or self.validators.sign(self.refund(source, transfer))
        source.refund(shown(transfer), signed)

    def cross(self, side: Any, who: Person, amount: int) -> b.Transfer:
        transfer = self.depart(side, who, amount)
        self.arrive(side, transfer)
        return transfer

    def later(self, seconds: int) -> None:
        boa.env.time_travel(seconds=seconds)

    def balances(self, who: Person) -> tuple[int, int]:
        return self.token.balanceOf(who.address), self.credit.balanceOf(who.address)

    def state(self) -> tuple[int, int]:
        """(locked at home, minted away)."""
        return self.home.outstanding(), self.away.outstanding()


def at(name: str, address: str) -> Any:
    from boa.contracts.abi.abi_contract import ABIContractFactory

    return ABIContractFactory(name, contract(name).abi).at(address)


def side_of(bridge: Any, chain_id: int | None = None) -> b.Side:
    here = boa.env.evm.chain.chain_id if chain_id is None else chain_id
    return b.Side(here, raw(bridge.address), raw(bridge.token()))


def shown(transfer: b.Transfer) -> tuple[Any, ...]:
    """As the contract's ABI takes it."""
    sender, to = ("0x" + who.hex() for who in (transfer.sender, transfer.to))
    return (transfer.nonce, sender, to, transfer.amount, transfer.deadline)


def raw(address: Any) -> bytes:
    return bytes.fromhex(str(address)[2:])
