"""Ownership: which accounts have one ultimate owner, as the members' tree and the registry say.

Rule: an account and its home have one owner, so have the accounts of one actor, and an actor and
all that it controls by holdings. What offers say of their own parents counts nothing here: anybody
could name a stranger.
Invariant: it is an equivalence: if a is of b and b of c, then a is of c. The owner of a group is
its first account by name, whatever order the facts came in.
Worked number: rhine is an account of Leaf, nordic one of Mid, Mid has 51 % of Leaf: one owner,
called nordic.
"""

from __future__ import annotations

from collections.abc import Mapping

from allmende.core.actors import Registry
from allmende.core.holdings import by_holder, spread

ACCOUNT, ACTOR = "m/", "r/"
"""Before an id, so that a member and an actor of one name are two."""


class Union:
    """Sets of names that only ever grow together."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}

    def top(self, name: str) -> str:
        """The first of its set by name."""
        while (above := self._above.get(name, name)) != name:
            name = above
        return name

    def join(self, one: str, other: str) -> None:
        top, under = sorted((self.top(one), self.top(other)))
        if top != under:
            self._above[under] = top


def owners(homes: Mapping[str, str], registry: Registry) -> dict[str, str]:
    """Account -> the first account of its owner. `homes` is every member -> its home, "" none.

    ACCOUNT sorts before ACTOR, so a group that has an account is called by it.
    """
    union = Union()
    for member, home in homes.items():
        if home:
            union.join(ACCOUNT + member, ACCOUNT + home)
    for actor in registry.actors:
        for account in actor.accounts:
            union.join(ACCOUNT + account, ACTOR + actor.id)
    holdings = by_holder(registry.stakes)
    for holder in holdings:
        for entity in spread(holdings, holder):
            union.join(ACTOR + holder, ACTOR + entity)
    return {member: union.top(ACCOUNT + member).removeprefix(ACCOUNT) for member in homes}
