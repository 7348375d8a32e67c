"""Traffic: what goes on in a market when nobody behaves, all of it from one seed.

Rule: an action does one thing that may happen, at whatever moment it is called.
Invariant: the same seed gives the same commands in the same order.
Worked number: of 100 steps about 30 open requests, 40 go on with them, 10 are recounts,
15 change money, rules and offers, and 5 cut the power.
"""

from __future__ import annotations

import asyncio
from random import Random

from msgspec import Struct, structs

from allmende.core import commands as c
from allmende.core import events as e
from allmende.core.nouns import Hold, Policy
from allmende.core.units import CREDIT, Units
from allmende.lab.cappers import Cappers
from allmende.lab.depositors import MODES, Depositors
from allmende.lab.drillers import Drillers
from allmende.lab.faults import Fuse
from allmende.lab.guardians import Guardians
from allmende.lab.operators import PAUSES, Operators
from allmende.lab.rig import Rig
from allmende.lab.world import ask

SPENDERS = ("dean", "ada", "lab", "coop", "slow")
POLICIES = (
    Policy(),
    Policy(),
    Policy(sort="carbon"),
    Policy(order=("nordic",)),
    Policy(not_zones=("DEU",)),
    Policy(max_cost=CREDIT // 5_000),
    Policy(zones=("FRA",)),
)
LIES = ("honest", "honest", "more", "less", "absurd", "negative", "silent")
"""What a provider says of its usage."""


class Open(Struct):
    """A request under way: its hold, and what the provider has truly delivered of it."""

    hold: Hold
    units: Units
    lie: str


class Traffic(Operators):
    """Clients, providers, operators and the power, at random."""

    def __init__(self, rig: Rig, rng: Random) -> None:
        super().__init__(rig, rng)
        self.open: list[Open] = []
        self.to_count: list[tuple[str, Units]] = []
        self.spenders = [*SPENDERS]
        self.depositors: Depositors | None = None
        self.drillers: Drillers | None = None
        self.guardians: Guardians | None = None
        self.asked: dict[str, Policy] = {}
        """Request -> what it demanded itself."""
        self.cappers: Cappers | None = None
        self.actions = _ACTIONS
        """Method -> how often, against the others."""

    def link_wallets(self, rng: Random) -> None:
        """Some members have wallets, in a mode that lets them, and a chance of their own."""
        self.depositors, self.modes = Depositors(self, rng), MODES

    def drill(self, rng: Random) -> None:
        """Operators drill, with a chance of their own."""
        self.drillers = Drillers(self, rng)

    def guard(self, rng: Random) -> None:
        """Evidence, assessments, floors and demands, with a chance of their own."""
        self.guardians = Guardians(self, rng)

    async def found(self) -> None:
        await super().found()
        if self.guardians is not None:
            await self.guardians.found()

    def cap(self, rng: Random) -> None:
        """Budgets get carbon caps, with a chance of their own."""
        self.cappers = Cappers(self, rng)

    async def step(self) -> None:
        """One thing that may happen."""
        name = self.rng.choices([*self.actions], [*self.actions.values()])[0]
        await getattr(self, name)()
        for others in (self.depositors, self.drillers, self.guardians, self.cappers):
            if others is not None and not self.rig.down:
                await others.step()
        if self.rig.down:
            await self._recover()

    async def _recover(self) -> None:
        """After a power cut: whoever is asked says no, then somebody starts it again."""
        assert await self.rig.ask(c.Tick(at=self.at())) is None, "a dead desk answered"
        await self.rig.cut()
        self.rig.audit()
        self.rig.clock.at += self.rng.choice(PAUSES)
        await self.rig.start()
        if self.rng.random() < 0.8:
            self.to_count.clear()

    # Clients --------------------------------------------------------------------------

    async def arrive(self) -> None:
        """Some requests at once; now and then the same one twice."""
        asked = [self._request() for _ in range(self.rng.randint(1, 6))]
        if asked[0].idem:
            asked += [structs.replace(asked[0], id=self.name("r"))] * self.rng.randint(0, 2)
        self.asked |= {command.id: command.policy for command in asked}
        ends = await asyncio.gather(*map(self.rig.ask, asked))
        for done in ends:
            for event in done or ():
                self._begin(event)
        served = [done for command, done in zip(asked, ends, strict=True) if done and command.idem]
        assert len({done[0].idem for done in served}) == len(served), "one key, served twice"

    def _request(self) -> c.Reserve:
        rng = self.rng
        model = rng.choices(("small", "gift", "vectors", "unknown"), (12, 3, 3, 1))[0]
        request = ask(
            self.name("r"),
            rng.choice(self.spenders),
            model=model,
            endpoint="embeddings" if model == "vectors" else "chat/completions",
            input_bound=rng.choice((0, 10, 1_000, 10_000)),
            output_bound=rng.choice((0, 1, 256, 10**6)),
            choices=rng.choice((1, 1, 1, 3)),
            policy=rng.choice(POLICIES),
            idem=self.name("i") if rng.random() < 0.3 else "",
            at=self.at(),
        )
        return self.guardians.demand(request) if self.guardians is not None else request

    def _begin(self, event: e.Event) -> None:
        assert isinstance(event, e.Reserved)
        hold = self.rig.state.holds.get(event.hold)
        if hold is not None:
            self.open.append(Open(hold, Units(), self.rng.choice(LIES)))

    async def hang_up(self) -> None:
        await self._end("client_left")

    # Providers ------------------------------------------------------------------------

    async def deliver(self) -> None:
        """Some tokens; sometimes a checkpoint, which nobody waits for."""
        for request in self.rng.sample(self.open, min(len(self.open), 3)):
            bound = request.hold.bound
            request.units = Units(
                input=self.rng.randint(0, bound.input),
                output=min(bound.output, request.units.output + self.rng.randint(0, 300)),
                embedding=bound.embedding,
            )
            if self.rng.random() < 0.5:
                at, hold = self.at(), request.hold.id
                self.rig.tell(c.Checkpoint(at=at, hold=hold, units=request.units))

    async def complete(self) -> None:
        for _ in range(self.rng.randint(1, 3)):
            await self._end(self.rng.choice(("complete", "limit")))

    async def break_off(self) -> None:
        await self._end("provider_cut")

    async def _end(self, outcome: str) -> None:
        """Capture what was delivered, as the provider tells it."""
        request = self._one()
        if request is None:
            return
        command = c.Capture(
            at=self.at(),
            hold=request.hold.id,
            estimate=request.units,
            outcome=outcome,
            reported=_told(request.units, request.lie),
            pending=bool(request.hold.offer.vocabulary) and self.rng.random() < 0.8,
            idem=self.name("i") if self.rng.random() < 0.2 else "",
        )
        self.past.append(command)
        for event in await self.rig.ask(command) or ():
            assert isinstance(event, e.Captured)
            if event.receipt.verdict == "pending":
                self.to_count.append((request.hold.id, request.units))

    async def fail_first(self) -> None:
        """A provider dies before its first byte; the next best is asked."""
        request = self._one()
        if request is None:
            return
        command = c.Void(at=self.at(), hold=request.hold.id, cause="connect", fault=True)
        self.past.append(command)
        if await self.rig.ask(command):
            again = structs.replace(
                self._request(), exclude=(request.hold.offer.id,), model=request.hold.offer.model
            )
            self.asked[again.id] = again.policy
            for event in await self.rig.ask(again) or ():
                self._begin(event)

    async def stall(self) -> None:
        """Nobody hears of this request again; its hold must expire by itself."""
        self._one()

    # Recounts and repeats -------------------------------------------------------------

    async def recount(self) -> None:
        """Some arrive, some are lost, some come twice or too late."""
        self.rng.shuffle(self.to_count)
        number = self.rng.randint(0, len(self.to_count))
        counts = [
            (id_, None if self.rng.random() < 0.1 else self._counted(units))
            for id_, units in self.to_count[:number]
        ]
        if self.rng.random() < 0.8:
            del self.to_count[:number]
        if counts and self.rng.random() < 0.9:
            self.rig.tell(c.Recount(at=self.at(), counts=tuple(counts)))

    def _counted(self, units: Units) -> Units:
        """Our own count: of retokenised text, so off by one now and then."""
        return structs.replace(units, output=units.output + self.rng.choice((0, 0, 0, 1)))

    async def repeat(self) -> None:
        """A command comes again, late: as it was, with other contents, or without its key."""
        if not self.past:
            return
        command = structs.replace(self.rng.choice(self.past[-40:]), at=self.at())
        kind = self.rng.random()
        if kind < 0.2 and isinstance(command, c.Deposit):
            command = structs.replace(command, amount=command.amount + 1)
        elif kind < 0.4:
            command = structs.replace(command, idem="")
        before = self.rig.desk.number
        await self.rig.ask(command)
        assert self.rig.desk.number == before, f"repeated, it acted again: {command}"

    # Time and power -------------------------------------------------------------------

    async def wait(self) -> None:
        self.rig.clock.at += self.rng.choices(PAUSES, (20, 20, 20, 10, 4, 2, 1))[0]
        if self.rng.random() < 0.8:
            await self.rig.ask(c.Tick(at=self.at()))

    async def power_cut(self) -> None:
        """Now, with what was told to the desk but not written."""
        await self.rig.cut()

    async def fuse(self) -> None:
        """At one of the next commits, before or after it is on the disk."""
        self.rig.blow(Fuse(self.rng.randint(1, 4), stored=self.rng.random() < 0.5))

    async def stop(self) -> None:
        await self.rig.stop()

    def _one(self) -> Open | None:
        """One of the requests under way, which is then no longer."""
        return self.open.pop(self.rng.randrange(len(self.open))) if self.open else None


_ACTIONS = {
    "arrive": 30, "deliver": 20, "complete": 22, "hang_up": 4, "break_off": 3, "fail_first": 4,
    "stall": 2, "recount": 10, "repeat": 6, "deposit": 3, "transfer": 3, "rule": 2, "budget": 3,
    "key": 2, "offer": 4, "batch": 1, "wait": 10, "power_cut": 1, "fuse": 2, "stop": 1,
}  # fmt: skip


def _told(units: Units, lie: str) -> Units | None:
    """What a provider reports where `units` were delivered."""
    if lie == "silent":
        return None
    output = {
        "more": units.output * 7 + 63,
        "less": units.output // 3,
        "absurd": 10**15,
        "negative": -units.output - 5,
    }.get(lie, units.output)
    return structs.replace(units, output=output, cached=units.input // 2, input=units.input)
