"""Actors: what is known of the accounts that earn and spend: country, ultimate parent, name.

Rule: only what the market's registry of legal entities says; nothing is guessed from a name.
Invariant: an account that nobody registered is unknown, and stays so in every sum.
Worked number: three hosts and two authors of which one host is registered: one actor known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from allmende.core.state import State
from allmende.doors.history import History
from allmende.measure.control import Control
from allmende.measure.value import Actor, known


class Actors(NamedTuple):
    """`known`: account -> what the registry says of it."""

    known: Mapping[str, Actor]
    control: Control
    state: State
    persons: bool = False
    """Whether a person may be named: to operators. To others it is the id that its title has."""

    def name(self, id_: str) -> str:
        """A member's name, else a legal entity's; of what is neither (the commons, a brand, a
        parent that only an offer names) the id."""
        member = self.state.members.get(id_)
        entity = self.control.actors.get(id_)
        if member:
            return member.name if self.persons or member.kind != "person" else id_
        return entity.name if entity else id_

    def top(self, actor: str) -> str:
        """The ultimate parent of a legal entity."""
        return self.control.ultimate(actor)


async def actors(history: History, state: State, persons: bool = False) -> Actors:
    registry, _ = await history.registry()
    return Actors(known(registry), Control(registry), state, persons)
