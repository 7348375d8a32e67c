"""Allocation: who gets scarce lots in a call, by the rule that the contract names.

Rule: `price` serves the highest bids first; `first` whoever asked first; `common` members of
the common good before others; `fair` raises everybody to the same level, whoever has least
first. All but `price` trade at the lowest price of the largest volume: they ration, not bid.
Invariant: what is allotted sums to the volume, and nobody gets more than he asked for.
Worked number: 6 lots for bids of 5, 5 and 2 by owners who hold 0, 3 and 0 already: `first`
gives 5, 1, 0; `fair` gives 4, 0, 2: the second has his three, and the third all he wants.
"""

from __future__ import annotations

from allmende.core.identity import root
from allmende.core.rights import owned
from allmende.core.state import Listing, State, Working


def allotted(
    state: State, listing: Listing, bids: list[Working], grains: int
) -> list[tuple[Working, int]]:
    """Each bid and what it gets of `grains`; `bids` come in the order of price and time."""
    rule = listing.instrument.allocation
    if rule == "fair":
        return _levelled(state, listing, bids, grains)
    if rule == "first":
        bids = sorted(bids, key=_came)
    elif rule == "common":
        bids = sorted(bids, key=lambda bid: (not _common(state, bid), _came(bid)))
    return in_turn(bids, grains)


def in_turn(queue: list[Working], grains: int) -> list[tuple[Working, int]]:
    """From the front until nothing is left."""
    found = []
    for working in queue:
        portion = min(working.left, grains)
        grains -= portion
        if portion:
            found.append((working, portion))
    return found


def _came(bid: Working) -> tuple[int, str]:
    return bid.order.at, bid.order.id


def _common(state: State, bid: Working) -> bool:
    return state.members[root(state, bid.order.account)].common_good


def _levelled(
    state: State, listing: Listing, bids: list[Working], grains: int
) -> list[tuple[Working, int]]:
    """Steps go to the owner who has least, so that all end at one level or with what they asked.

    An owner has what his whole tree holds of the instrument, and bids once however many orders
    he sends. What is left below one step each goes to whoever came first.
    """
    owners: dict[str, list[Working]] = {}
    for bid in sorted(bids, key=_came):
        owners.setdefault(root(state, bid.order.account), []).append(bid)
    step = listing.instrument.step
    held = [owned(state, listing.instrument.id, top) // step for top in owners]
    wants = [sum(bid.left for bid in own) // step for own in owners.values()]
    given = _water(held, wants, grains // step)
    found = []
    for own, steps in zip(owners.values(), given, strict=True):
        found += in_turn(own, steps * step)
    return found


def _water(held: list[int], wants: list[int], volume: int) -> list[int]:
    """What fills everybody up to one level: at most his wants, together the volume."""
    low, high = 0, max(map(sum, zip(held, wants, strict=True)), default=0)
    while low < high:  # the highest level that the volume reaches
        level = (low + high + 1) // 2
        low, high = (level, high) if sum(_up(level, held, wants)) <= volume else (low, level - 1)
    given = _up(low, held, wants)
    rest = volume - sum(given)
    for place, want in enumerate(wants):
        if rest and given[place] < want and held[place] + given[place] <= low:
            given[place] += 1
            rest -= 1
    assert not rest, f"{rest} steps were not allotted"
    return given


def _up(level: int, held: list[int], wants: list[int]) -> list[int]:
    return [min(want, max(0, level - has)) for has, want in zip(held, wants, strict=True)]
