"""Settler, lanes: what a member's sessions can prove that it spent. Pure.

Rule: a lane proves what is final on it and never what is provisional, nor beyond its permit.
Invariant: while every session's voucher can be had, all lanes together prove what the last cut
noted as spent, because a session's spending is in its own lane and all else in lane 0.
Worked number: 9 spent, 2 of it provisional in session 3 that stands at 5: lane 3 proves 3 and
lane 0 proves 4.

Where the market holds a session's key it can sign any amount up to where the lane stands; a
session that vouches for itself has signed certain amounts, and those alone can be shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from allmende.core import wallets
from allmende.core.custody import GENERAL, Permit
from allmende.core.nouns import payer
from allmende.core.state import State
from allmende.core.units import SECOND, Amount
from allmende.doors.settler_tree import Scale
from allmende.trees import Voucher


class Provable(NamedTuple):
    """A permit, and how far its lane can be shown under it, base units.

    `signature` is the voucher of just that amount; "" where the market signs any up to it.
    """

    permit: Permit
    amount: int
    signature: str = ""

    def lasts(self, now_s: int, grace: int) -> bool:
        return now_s <= self.permit.expires // SECOND + grace


class Show(NamedTuple):
    """A lane is to be shown at `amount`, under this permit."""

    provable: Provable
    amount: int


def standing(state: State, member: str) -> dict[int, Amount]:
    """Where each lane stands without what is provisional, pico-credits."""
    wallet = state.wallets[member]
    found = {number: wallets.reached(wallet, number) for number in {GENERAL, *wallet.lanes}}
    for rest in state.provisional.values():
        hold, receipt = rest.hold, rest.receipt
        if payer(hold.account, hold.right) == member and receipt.asset == wallet.asset:
            session = wallets.session(state, hold.budget)
            at = [number for number, lane in wallet.lanes.items() if lane is session]
            found[at[0] if at else GENERAL] -= receipt.price
    return found


def provable(
    state: State, member: str, kept: Iterable[Voucher], scale: Scale
) -> dict[int, list[Provable]]:
    """By lane, all that can be shown of it; earlier sessions' kept vouchers too."""
    found: dict[int, list[Provable]] = {}
    wallet, stands = state.wallets[member], standing(state, member)
    for number, lane in wallet.lanes.items():
        permit, limit = lane.permit, scale.units(lane.permit.limit)
        if permit.sealed:
            amount = min(scale.units_up(stands[number]), limit)
            found.setdefault(number, []).append(Provable(permit, amount))
        elif lane.voucher:
            amount = min(scale.units(lane.vouched), limit)
            found.setdefault(number, []).append(Provable(permit, amount, lane.voucher))
    for voucher in kept:
        said = Provable(voucher.permit, voucher.amount, voucher.signature)
        found.setdefault(voucher.lane, []).append(said)
    return found


def to_show(
    lanes: Mapping[int, Sequence[Provable]], shown: Mapping[int, int], missing: int
) -> tuple[list[Show], int]:
    """What to show beyond the amounts `shown` to prove `missing` more, and what is left of that.

    First what was signed already, then no more than needed of what the market signs now; so the
    same need is the same vouchers, and nobody has signed for more than he spent.
    """
    rest = missing
    chosen = []
    bests = {number: strongest(ways) for number, ways in lanes.items()}
    for number in sorted(bests, key=lambda one: (not bests[one].signature, one)):
        before, best = shown.get(number, 0), bests[number]
        gain = best.amount - before
        if rest <= 0 or gain <= 0:
            continue
        amount = best.amount if best.signature else before + min(gain, rest)
        chosen.append(Show(best, amount))
        rest -= amount - before
    return chosen, max(0, rest)


def strongest(found: Sequence[Provable]) -> Provable:
    """What proves most, and then for longest."""
    return max(found, key=lambda one: (one.amount, one.permit.expires))
