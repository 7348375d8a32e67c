"""Operators: those who found a market and change its money, rules, keys and offers.

Rule: they change things while requests run that were made under the old ones.
Invariant: the same seed gives the same commands in the same order.
Worked number: a third of the changes of an offer take it off the book, and of these seven
in ten put it back at once under another tariff.
"""

from __future__ import annotations

from random import Random

from msgspec import structs

from allmende.core import commands as c
from allmende.core.govern import PARAMETERS
from allmende.core.nouns import Key
from allmende.core.units import CREDIT, DAY, MINUTE, SECOND, Instant, Tariff
from allmende.lab.model import period
from allmende.lab.rig import Rig
from allmende.lab.world import OFFERS, founding, secret

PAUSES: tuple[Instant, ...] = (1_000, SECOND, 20 * SECOND, MINUTE, 16 * MINUTE, DAY, 31 * DAY)
LAGS: tuple[Instant, ...] = (0, 0, 0, 0, 1, SECOND, 30 * SECOND)


class Operators:
    """What they do, at random. `past` is commands that may come again."""

    def __init__(self, rig: Rig, rng: Random) -> None:
        self.rig = rig
        self.rng = rng
        self.past: list[c.Command] = []
        self.modes: tuple[str, ...] = ("closed_loop", "limited_network", "open", "lab")
        self._made = 0

    async def found(self) -> None:
        """The small market of lab.world, in a mode of the seed's choice."""
        mode = self.rng.choice(self.modes)
        for command in founding(self.rig.clock.now(), mode):
            if isinstance(command, c.Found):
                public = self.rig.signer.public.hex()
                command = structs.replace(command, public_key=public)
            assert await self.rig.ask(command)

    async def deposit(self) -> None:
        command = c.Deposit(
            at=self.at(),
            member=self.rng.choice(("uni", "coop", "ada")),
            amount=self.rng.randint(1, 5) * CREDIT // 100,
            reference=self.name("invoice"),
            idem=self.name("i") if self.rng.random() < 0.5 else "",
        )
        if await self.rig.ask(command):
            self.past.append(command)

    async def transfer(self) -> None:
        """Payees take what they have earned, which may be too early."""
        source = self.rng.choice(("rhine", "nordic", "author", "ada"))
        amount = self.rig.state.balances["credit"].get(source, 0) // self.rng.randint(1, 2)
        command = c.Transfer(
            at=self.at(), source=source, target="coop", asset="credit", amount=amount
        )
        await self.rig.ask(command)

    async def rule(self) -> None:
        name = self.rng.choice(tuple(PARAMETERS))
        value = self.rng.randint(PARAMETERS[name].least, PARAMETERS[name].most)
        when = self.at() + self.rng.choice((0, 0, *PAUSES))
        command = c.SetParameter(at=self.at(), name=name, value=value, effective=when)
        await self.rig.ask(command)

    async def budget(self) -> None:
        id_ = self.rng.choice(("uni", "physics", "ada", "coop"))
        node = self.rig.state.budgets[id_]
        room = self.rng.choice((0, 10**8, 10**9, 10**12, -1))
        limit = None if room < 0 else node.spent + node.held + room
        await self.rig.ask(c.SetBudget(at=self.at(), id=id_, limit=limit))

    async def key(self) -> None:
        """A key is revoked while its requests run; mostly another takes its place."""
        name = self.rng.choice(("ada", "lab", "slow"))
        await self.rig.ask(c.RevokeKey(at=self.at(), id=name))
        if self.rng.random() < 0.8:
            budget = "physics" if name == "lab" else "ada"
            key = Key(name, secret(name), "ada", "spend", budget, per_minute=60)
            await self.rig.ask(c.IssueKey(at=self.at(), key=key))

    async def offer(self) -> None:
        """An offer changes its price and capacity; it may go, and mostly it comes back."""
        offer = self.rng.choice(OFFERS)
        if self.rng.random() < 0.3:
            await self.rig.ask(c.WithdrawOffer(at=self.at(), id=offer.id))
            if self.rng.random() < 0.3:
                return
        rate = self.rng.choice((0, 1, 99_999, 10**6))
        tariff = offer.tariff
        if tariff.embedding is None:
            tariff = Tariff(input=rate, cached=self.rng.choice((None, 2 * rate)), output=3 * rate)
        offer = structs.replace(offer, tariff=tariff, capacity=self.rng.randint(1, 9))
        await self.rig.ask(c.PostOffer(at=self.at(), offer=offer))

    async def batch(self) -> None:
        await self.rig.ask(c.CloseBatch(at=self.at()))

    def at(self) -> Instant:
        """Now; now and then a command was written a while before it came.

        Not before the first of a month, since the model counts by the receipt's own month
        (what the core does then is in test_core_budgets).
        """
        now = self.rig.clock.now()
        late = now - self.rng.choice(LAGS)
        return late if period("month", late) == period("month", now) else now

    def name(self, kind: str) -> str:
        self._made += 1
        return f"{kind}{self._made}"
