"""Guardians: those who file evidence, sign assessments, set floors, and demand, beside all traffic.

Rule: what they do comes at any moment: evidence expires, is withdrawn or rests on what is gone,
offers move away from under it, and floors rise while requests run.
Invariant: the same seed gives the same commands in the same order.
Worked number: in a market of 300 steps with guardians some 130 are also a guardian's, and of its
requests two in three carry a demand or stand below a floor.
"""

from __future__ import annotations

from random import Random
from typing import Any, Protocol

from msgspec import structs

from allmende.core import commands as c
from allmende.core import events as e
from allmende.core import evidence_commands as v
from allmende.core.evidence import Assessment, Evidence, Pairs
from allmende.core.units import DAY, MINUTE, SECOND, Instant, Zone
from allmende.lab.rig import Rig
from allmende.lab.world import OFFERS, secret

OFTEN = 0.4
OBJECTIVES = ("SOV-1", "SOV-2", "SOV-3")
REGIMES = ("US", "CN", "DEU")
BUDGETS = ("uni", "physics", "ada", "coop")
PROVIDERS = ("rhine", "nordic")
LEVELS = (0, 1, 2, 3, 3, 4, 4, 4)
LASTS: tuple[Instant, ...] = (20 * SECOND, 16 * MINUTE, DAY, 40 * DAY, 40 * DAY)
BEGINS: tuple[Instant, ...] = (-DAY, -DAY, -1, 0, MINUTE)


class People(Protocol):
    """The market's other traffic, as far as guardians need it."""

    rig: Rig

    def at(self) -> Instant: ...
    def name(self, kind: str) -> str: ...


class Guardians:
    """Providers with papers, operators who judge them, and budgets that demand, at random."""

    def __init__(self, people: People, rng: Random) -> None:
        self.people = people
        self.rng = rng

    async def found(self) -> None:
        """Most of what is sold can show something, for a while."""
        for provider in PROVIDERS:
            for objective in OBJECTIVES:
                await self._paper(objective, self.rng.randint(2, 4), provider, "", 40 * DAY)
            for regime in REGIMES:
                await self._sign(regime, provider, "", self.rng.randint(0, 2))

    async def step(self) -> None:
        """Now and then one thing that may happen."""
        if self.rng.random() < OFTEN:
            name = self.rng.choices([*_ACTIONS], [*_ACTIONS.values()])[0]
            await getattr(self, name)()

    def demand(self, request: c.Reserve) -> c.Reserve:
        """Half of all requests demand something themselves."""
        if self.rng.random() < 0.5:
            return request
        wish = structs.replace(request.policy, **self._wish())
        return structs.replace(request, policy=wish)

    def _wish(self) -> dict[str, Pairs]:
        rng = self.rng
        return {
            "min_seal": self._pairs(OBJECTIVES, 1, 2) if rng.random() < 0.6 else (),
            "max_exposure": self._pairs(REGIMES, 1, 3) if rng.random() < 0.4 else (),
            "max_kill_switch": self._pairs(REGIMES, 1, 2) if rng.random() < 0.2 else (),
        }

    def _pairs(self, names: tuple[str, ...], low: int, high: int) -> Pairs:
        chosen = sorted(self.rng.sample(names, self.rng.randint(1, 2)))
        return tuple((name, self.rng.randint(low, high)) for name in chosen)

    async def _ask(self, command: c.Command, by: str = "root") -> list[e.Event]:
        """What it led to; nothing if it was refused, or if the power went."""
        asked = structs.replace(command, at=self.people.at(), by=secret(by))
        return list(await self.people.rig.ask(asked) or ())

    def _subject(self) -> dict[str, str]:
        offer = self.rng.choice(OFFERS)
        alone = self.rng.random() < 0.5
        return {"provider": offer.provider, "offer": "" if alone else offer.id}

    # Evidence -------------------------------------------------------------------------

    async def file(self) -> None:
        """Mostly confirmed at once; it may be the issuer's own word, or not have begun."""
        objective, level = self.rng.choice(OBJECTIVES), self.rng.choice(LEVELS)
        await self._paper(objective, level, **self._subject(), lasts=self.rng.choice(LASTS))

    async def _paper(
        self, objective: str, level: int, provider: str, offer: str, lasts: Instant
    ) -> None:
        rng, now = self.rng, self.people.rig.clock.now()
        on_file = [*self.people.rig.state.evidence]
        evidence = Evidence(
            id=self.people.name("paper"),
            objective=objective,
            level=level,
            claim="As audited.",
            issuer="Auditors" if rng.random() < 0.95 else provider,
            issued=now + rng.choice(BEGINS),
            expires=now + MINUTE + lasts,
            document=f"{rng.getrandbits(256):064x}",
            provider=provider,
            offer=offer,
            rests_on=(rng.choice(on_file),) if on_file and rng.random() < 0.2 else (),
        )
        by = "rhine" if provider == "rhine" and rng.random() < 0.5 else "root"
        if await self._ask(v.FileEvidence(evidence=evidence), by) and rng.random() < 0.85:
            await self._ask(v.ConfirmEvidence(id=evidence.id))

    async def confirm(self) -> None:
        """By whoever may, or by the provider itself, who may not."""
        by = self.rng.choice(("root", "root", "rhine"))
        await self._ask(v.ConfirmEvidence(id=self._some_paper()), by)

    async def withdraw(self) -> None:
        await self._ask(v.WithdrawEvidence(id=self._some_paper()))

    def _some_paper(self) -> str:
        return self.rng.choice([*self.people.rig.state.evidence, "none"])

    async def move(self) -> None:
        """An offer is run elsewhere now, and what was shown of it is shown no more."""
        offer = self.rng.choice(OFFERS)
        zone = Zone("FRA") if self.rng.random() < 0.5 else offer.zone
        url = offer.url + self.rng.choice(("", "/elsewhere"))
        await self._ask(c.PostOffer(offer=structs.replace(offer, zone=zone, url=url)))

    # Assessments and floors -----------------------------------------------------------

    async def assess(self) -> None:
        regime, exposure = self.rng.choice(REGIMES), self.rng.randint(0, 3)
        await self._sign(regime, **self._subject(), exposure=exposure)

    async def _sign(self, regime: str, provider: str, offer: str, exposure: int) -> None:
        said = Assessment(
            regime=regime,
            exposure=exposure,
            kill_switch=self.rng.randint(0, 2),
            reasoning="As the graph of owners shows.",
            signer="Ada Lovelace",
            expires=self.people.rig.clock.now() + MINUTE + self.rng.choice(LASTS),
            provider=provider,
            offer=offer,
        )
        await self._ask(v.Assess(assessment=said))

    async def unassess(self) -> None:
        regime = self.rng.choice(REGIMES)
        of = self._subject()
        command = v.WithdrawAssessment(regime=regime, provider=of["provider"], offer=of["offer"])
        await self._ask(command)

    async def floor(self) -> None:
        """A budget's own; often none, so that not all requests stop."""
        wish: dict[str, Any] = self._wish() if self.rng.random() < 0.4 else {}
        await self._ask(v.SetFloor(budget=self.rng.choice(BUDGETS), **wish))


_ACTIONS = {
    "file": 10, "confirm": 2, "withdraw": 2, "move": 1, "assess": 6, "unassess": 1, "floor": 4,
}  # fmt: skip
