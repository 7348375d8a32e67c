"""Drillers: operators who take offers off the book while everything else goes on.

Rule: they name offers that stand, that are gone and that are drilled already, for times that may
be too long, in a market that mostly allows it.
Invariant: the same seed gives the same commands in the same order.
Worked number: in a market of 300 steps with drills some 30 commands are a driller's.
"""

from __future__ import annotations

from random import Random

from msgspec import structs

from allmende.core import commands as c
from allmende.core import drill_commands as d
from allmende.lab.depositors import People
from allmende.lab.world import OFFERS, secret

OFTEN = 0.12
SECONDS = (1, 20, 300, 600, 601, 0)


class Drillers:
    """One operator, at random."""

    def __init__(self, people: People, rng: Random) -> None:
        self.people = people
        self.rng = rng

    async def step(self) -> None:
        """Now and then one thing that may happen."""
        if self.rng.random() < OFTEN:
            name = self.rng.choices(("start", "end", "note", "rule"), (8, 3, 2, 3))[0]
            await getattr(self, name)()

    async def _ask(self, command: c.Command) -> None:
        await self.people.rig.ask(structs.replace(command, at=self.people.at()))

    async def start(self) -> None:
        rng = self.rng
        offers = rng.sample([offer.id for offer in OFFERS], rng.randint(1, 3))
        await self._ask(
            d.StartDrill(
                id=self.people.name("drill"),
                offers=tuple(offers),
                seconds=rng.choice(SECONDS),
                label=f"provider={rng.choice(('rhine', 'nordic'))}",
                by=secret(rng.choice(("root", "root", "root", "dean"))),
                idem=self.people.name("i") if rng.random() < 0.2 else "",
            )
        )

    async def end(self) -> None:
        await self._ask(d.EndDrill(id=self._one(), by=secret("root")))

    async def note(self) -> None:
        await self._ask(d.NoteDrill(id=self._one(), refused=self.rng.randint(0, 3)))

    async def rule(self) -> None:
        value = int(self.rng.random() < 0.9)
        await self._ask(c.SetParameter(name="drills_allowed", value=value))

    def _one(self) -> str:
        return self.rng.choice([*self.people.rig.state.drills, "none"])
