"""Owners: who stands behind an account, as far as the market was told.

Rule: accounts have one owner if they are in one tree of members, or if their offers name
one parent, or a parent that is itself a member, by id or by name. Equal names of members
alone say nothing.
Invariant: ownership is an equivalence: if a is of b and b of c, then a is of c.
Worked number: rhine and nordic both post offers with the parent "Big Inc": one owner. Their
lawyers may differ; the alert says what it rests on.
"""

from __future__ import annotations

from allmende.core import events as e
from allmende.core import exchange_events as f


class Owners:
    """A union of accounts, grown as the events tell of it."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}
        self._parents: set[str] = set()
        self._named: dict[str, str] = {}

    def feed(self, event: e.Event) -> None:
        if isinstance(event, e.MemberAdded):
            self._member(event)
        elif isinstance(event, e.OfferPosted):
            self._parent(event.offer.provider, event.offer.zone.parent)
        elif isinstance(event, f.Listed):
            self._parent(event.instrument.issuer, event.instrument.zone.parent)

    def owner(self, account: str) -> str:
        """One name for all accounts of an owner: compare it, do not show it."""
        while (above := self._above.get(account, account)) != account:
            account = above
        return account

    def same(self, one: str, other: str) -> bool:
        return self.owner(one) == self.owner(other)

    def _member(self, event: e.MemberAdded) -> None:
        member = event.member
        if member.home:
            self._join(member.id, member.home)
        for name in (member.id.casefold(), member.name.casefold()):
            self._named.setdefault(name, member.id)
            if name in self._parents:
                self._join(self._named[name], f"={name}")

    def _parent(self, account: str, parent: str) -> None:
        name = parent.casefold()
        if not name:
            return
        self._parents.add(name)
        self._join(account, f"={name}")
        if name in self._named:
            self._join(self._named[name], f"={name}")

    def _join(self, one: str, other: str) -> None:
        top, under = sorted((self.owner(one), self.owner(other)))
        if top != under:
            self._above[under] = top
