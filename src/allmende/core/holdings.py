"""Holdings: what one controls through its stakes, in integers, and who controls itself.

Rule: an actor controls another if it and those whom it controls have together more than half
of the votes, or a contract that gives control; this is carried on until nothing is added.
Invariant: it ends on every graph, cycles included; holding half of the votes is no control.
Worked number: Top holds 60 % of Mid, Mid 30 % and Top itself 21 % of Leaf: 51 %, so Top
controls Leaf, although neither stake alone would do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias

from allmende.core.actors import Stake
from allmende.core.units import PPM

HALF = PPM // 2
Holdings: TypeAlias = Mapping[str, list[Stake]]
"""holder -> its stakes"""


class Link(NamedTuple):
    """One step of a chain: how `holder` and what it controls came to control `entity`."""

    holder: str
    entity: str
    votes_ppm: int
    contract: bool
    through: tuple[str, ...]
    """Who holds those votes: the holder, or entities that it controls."""


def by_holder(stakes: Iterable[Stake]) -> dict[str, list[Stake]]:
    found: dict[str, list[Stake]] = {}
    for stake in stakes:
        found.setdefault(stake.holder, []).append(stake)
    return found


def spread(holdings: Holdings, holder: str) -> dict[str, Link]:
    """All that `holder` controls, itself among them if it does, in the order in which it follows.

    The hands of a link come before it, so that a chain can be walked back to the holder.
    """
    votes: dict[str, int] = {}
    through: dict[str, list[str]] = {}
    links: dict[str, Link] = {}
    waiting = [holder]
    for hand in waiting:
        for stake in holdings.get(hand, ()):
            entity = stake.entity
            votes[entity] = votes.get(entity, 0) + stake.votes_ppm
            through.setdefault(entity, []).append(hand)
            if entity in links or not (votes[entity] > HALF or stake.contract):
                continue
            hands = (hand,) if stake.contract else tuple(through[entity])
            links[entity] = Link(holder, entity, votes[entity], stake.contract, hands)
            if entity != holder:
                waiting.append(entity)
    return links


def chain(links: Mapping[str, Link], top: str, entity: str) -> tuple[Link, ...]:
    """Every step from `top` down to `entity` in `spread` of the top, those of all hands that vote
    with it among them, in the order in which they follow; empty if there are none."""
    needed: set[str] = set()
    ahead = [entity] if entity in links else []
    while ahead:
        at = ahead.pop()
        if at not in needed:
            needed.add(at)
            ahead += [hand for hand in links[at].through if hand != top]
    return tuple(link for name, link in links.items() if name in needed)


def self_controlled(stakes: Iterable[Stake]) -> tuple[Link, ...]:
    """A chain of control from an actor back to itself, or nothing."""
    holdings = by_holder(_in_cycles(stakes))
    for holder in sorted(holdings):
        links = spread(holdings, holder)
        if holder in links:
            return chain(links, holder, holder)
    return ()


def _in_cycles(stakes: Iterable[Stake]) -> list[Stake]:
    """Stakes that may be part of a cycle: their holder is held, their entity holds."""
    left = list(stakes)
    while True:
        holders, held = {s.holder for s in left}, {s.entity for s in left}
        rest = [s for s in left if s.holder in held and s.entity in holders]
        if len(rest) == len(left):
            return rest
        left = rest
