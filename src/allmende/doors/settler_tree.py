"""Settler, tree: what everybody owns as the leaves of one batch. Pure.

Rule: a wallet's leaf is what it put into the vault in closed epochs, less what it asked for in
them, plus what it earned, less what it spent; an address that no member linked owns its flows;
the house, that is the operator, owns the rest for all members without a wallet.
Invariant: balances sum to what the vault covers; balance + spent of no leaf falls but by its
own requests, whatever is rounded; a wallet has less than 2 pico-credits more than at the desk.
Worked number: cover 10, a wallet of 4 in, 1 earned and 2 spent has (3, 2), so the house has 7.

Base units of the pay unit may be coarser than pico-credits, or finer. Earned is rounded down and
spent up, each from its whole sum, so that what is lost is below one unit and comes back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from allmende.core.custody import Closed
from allmende.core.units import CREDIT, Amount
from allmende.wire.merkle_sum import Leaf


class Scale(NamedTuple):
    """Between pico-credits and base units, of which a whole pay unit has `unit`."""

    unit: int

    def units(self, pico: Amount) -> int:
        """Rounded down."""
        return pico * self.unit // CREDIT

    def units_up(self, pico: Amount) -> int:
        return -self.units(-pico)

    def pico(self, units: int) -> Amount:
        """Rounded down."""
        return units * CREDIT // self.unit

    def pico_up(self, units: int) -> Amount:
        return -self.pico(-units)


class Overdrawn(Exception):
    """A wallet spent more than it has left after what it asked for: follow and contest first."""


class House(NamedTuple):
    """The house's account in the last final batch, and what flowed into it since, net."""

    account: bytes
    last: Leaf
    flow: int


class Leaves(NamedTuple):
    """`short` is what the house lacks; with any of it there is no honest tree."""

    leaves: list[Leaf]
    short: int

    @property
    def total(self) -> int:
        return sum(leaf.balance for leaf in self.leaves)


def wallet_leaf(account: bytes, flow: int, closed: Closed, scale: Scale) -> Leaf:
    """`flow` is what it deposited less what it asked for, in base units. Raises Overdrawn."""
    gross = flow + scale.units(closed.earned)
    if scale.units(closed.spent) > gross:
        raise Overdrawn("0x" + account.hex())
    spent = min(scale.units_up(closed.spent), gross)
    return Leaf(account, gross - spent, spent)


def house_leaf(house: House, balance: int) -> Leaf:
    """The least that it can have spent, so that its earnings do not vanish."""
    before = house.last.balance + house.last.spent + house.flow
    return Leaf(house.account, balance, max(house.last.spent, before - balance))


def build(
    flows: Mapping[str, int], closed: Mapping[str, Closed], cover: int, house: House, scale: Scale
) -> Leaves:
    """Of all accounts by address: `flows` in base units, and `closed` of linked wallets.

    Sorted, so that the same accounts are the same tree. Raises Overdrawn.
    """
    own = "0x" + house.account.hex()
    assert own not in closed, "the house's address cannot be a member's wallet"
    nobody = Closed()
    found = [
        wallet_leaf(bytes.fromhex(address[2:]), flows.get(address, 0), said, scale)
        for address in sorted({*flows, *closed} - {own})
        for said in (closed.get(address, nobody),)
    ]
    leaves = [leaf for leaf in found if leaf.balance or leaf.spent]
    rest = cover - sum(leaf.balance for leaf in leaves)
    if rest < 0:
        return Leaves(leaves, -rest)
    last = house_leaf(house, rest)
    return Leaves([*leaves, last] if last.balance or last.spent else leaves, 0)


def place_of(leaves: Sequence[Leaf], account: bytes) -> int | None:
    """Where an account's leaf stands."""
    return next((n for n, leaf in enumerate(leaves) if leaf.account == account), None)
