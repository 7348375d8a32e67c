"""Cappers: those who cap what budgets may cause, and providers who restate their energy.

Rule: caps come, are raised, are lowered below what is there already and go, while requests run.
Invariant: the same seed gives the same commands in the same order.
Worked number: in a market of 300 steps with caps some 45 commands are a capper's.
"""

from __future__ import annotations

from random import Random

from msgspec import structs

from allmende.core import commands as c
from allmende.core.units import EnergyRate
from allmende.lab.depositors import People
from allmende.lab.world import LOW, OFFERS, TOP

OFTEN = 0.15
BUDGETS = ("uni", "physics", "ada", "coop")
ROOMS = (None, -20, 0, 5, 30, 100, 400, 2_000)
"""Micrograms above what is there; None is no cap at all."""
RATES = (
    *(TOP, LOW, EnergyRate(), EnergyRate(method="nothing")),
    EnergyRate((9_000, 70_000), (200_000, 3_000_000), (20, 700), "test"),
)


class Cappers:
    """They act at random, with a chance of their own."""

    def __init__(self, people: People, rng: Random) -> None:
        self.people = people
        self.rng = rng

    async def step(self) -> None:
        """Now and then one thing that may happen."""
        if self.rng.random() < OFTEN:
            await self.cap() if self.rng.random() < 0.6 else await self.restate()

    async def cap(self) -> None:
        id_, room = self.rng.choice(BUDGETS), self.rng.choice(ROOMS)
        node = self.people.rig.state.budgets[id_]
        cap = None if room is None else max(0, node.ug_spent + node.ug_held + room)
        await self._ask(c.SetCarbonCap(id=id_, cap_ug=cap))

    async def restate(self) -> None:
        """An offer states other energy, or none, while requests run under the old."""
        offers = self.people.rig.state.offers
        offer = self.rng.choice([offers.get(offer.id, offer) for offer in OFFERS])
        rate = self.rng.choice(RATES)
        await self._ask(c.PostOffer(offer=structs.replace(offer, energy=rate)))

    async def _ask(self, command: c.Command) -> None:
        await self.people.rig.ask(structs.replace(command, at=self.people.at()))
