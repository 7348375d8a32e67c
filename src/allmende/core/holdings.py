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


def self_controlled(stakes: Iterable[Stake], pairs_max: int) -> tuple[Link, ...] | None:
    """A chain of control from an actor back to itself, empty if there is none; None where there
    are more than `pairs_max` pairs of one that controls and one that is controlled."""
    holdings = by_holder(stakes)
    pairs = 0
    for holder in sorted(holdings):
        links = spread(holdings, holder)
        if holder in links:
            return chain(links, holder, holder)
        pairs += len(links)
        if pairs > pairs_max:
            return None
    return ()
