"""Traders: what goes on at an exchange when nobody behaves, mixed with all other traffic.

Rule: an action does one thing that may happen, at whatever moment it is called: instruments
come, are minted, traded, redeemed, claimed on, pleaded for, and end.
Invariant: the same seed gives the same commands in the same order.
Worked number: of 100 steps some 45 are the exchange's, and the other 55 those of lab.traffic.
"""

from __future__ import annotations

import asyncio
from random import Random

from msgspec import structs

from allmende.core import commands as c
from allmende.core import events as e
from allmende.core import exchange_commands as x
from allmende.core.contracts import GUARDS, LOT, SIDES, TERMS, Instrument
from allmende.core.nouns import Policy, Title
from allmende.core.state import Listing
from allmende.core.units import CREDIT, DAY, MINUTE, SECOND, Instant, Tariff, Units
from allmende.lab.floor import DECEMBER
from allmende.lab.rig import Rig
from allmende.lab.traffic import Traffic
from allmende.lab.world import OFFERS

ACCOUNTS = ("uni", "uni", "coop", "coop", "ada", "rhine", "nordic")
HOLDERS = ("uni", "coop")
"""Whose rights can pay for requests: the owners of budgets."""
STEP = LOT // 1_000
WINDOWS: tuple[Instant, ...] = (20 * MINUTE, 20 * MINUTE, 2 * DAY, 31 * DAY)
AWAY = (-40, -3, -2, -1, -1, 0, 0, 0, 1, 1, 2, 3, 40)
"""Ticks from the reference at which an order is named; now and then it is far off."""
STEPS = (1, 1, 2, 5, 20, 500)
LISTED_MAX = 6


class Traders(Traffic):
    """Issuers, traders and holders, at random."""

    def __init__(self, rig: Rig, rng: Random) -> None:
        super().__init__(rig, rng)
        self.actions = {**self.actions, **_ACTIONS}

    async def found(self) -> None:
        """As ever, with money for bonds, and a first instrument of each issuer."""
        await super().found()
        for member in ("rhine", "nordic"):
            await self.ask(c.Deposit(member=member, amount=500 * CREDIT, reference=member))
        await self.ask(c.SetParameter(name="call_seconds", value=self.rng.choice((0, 1, 60))))
        await self.ask(c.RegisterTitle(title=Title("gpu", "rhine", "machine", "GPU")))
        for _ in range(3):
            await self.issue()

    async def ask(self, command: c.Command) -> list[e.Event]:
        """What it led to; nothing if it was refused, or if the power went."""
        return list(await self.rig.ask(structs.replace(command, at=self.at())) or ())

    # Issuers --------------------------------------------------------------------------

    async def issue(self) -> None:
        """A new instrument, some of it minted, and offered or given to those who may use it."""
        if len(self.rig.state.listings) >= LISTED_MAX:
            return
        new = self._instrument()
        await self.ask(x.ListInstrument(instrument=new))
        await self.ask(x.MintLots(instrument=new.id, grains=new.capacity // 2))
        for holder in HOLDERS:
            amount = new.capacity // 10
            gift = c.Transfer(source=new.issuer, target=holder, asset=new.id, amount=amount)
            if not await self.ask(gift):  # a closed loop: they buy
                await self._order(new.id, new.issuer, "sell", 0, 50)
                await self._order(new.id, holder, "buy", 0, 50)

    def _instrument(self) -> Instrument:
        rng = self.rng
        offer = rng.choice(OFFERS[:2])
        start = self.rig.clock.now() + rng.choice((0, 0, 0, MINUTE))
        terms = rng.choice(
            (
                {},
                {},
                {"rate": 10**6, "shape": "ratable"},
                {"settlement": "cash"},
                {"kind": "machine", "title": "gpu", "weights": Tariff(second=STEP), "offer": ""},
                {"penalty_ppm": 0, "stress_ppm": 0, "service_ppm": 1_000_000},
            )
        )
        plain = {
            "id": self.name("lots"),
            "issuer": offer.provider if terms.get("kind") != "machine" else "rhine",
            "offer": offer.id,
            "zone": offer.zone,
            "start": start,
            "end": start + rng.choice(WINDOWS),
            "price": rng.choice((1_000, 5_000, 10_000)),
            "capacity": 1_000 * STEP,
            "step": STEP,
            "session": rng.choice(("continuous", "continuous", "call")),
        }
        return structs.replace(DECEMBER, **{**plain, **terms})

    async def mint(self) -> None:
        listing = self._listing()
        kind = self.rng.choice((x.MintLots, x.RetireLots))
        await self.ask(kind(instrument=listing, grains=self.rng.choice((*STEPS, 900)) * STEP))

    async def go_dark(self) -> None:
        """Whatever an offer has running fails, and so does what is asked of it at once."""
        offer = self.rng.choice(OFFERS[:2]).id
        for request in [r for r in self.open if r.hold.offer.id == offer]:
            self.open.remove(request)
            await self.ask(c.Void(hold=request.hold.id, cause="connect", fault=True))
        for _ in range(self.rng.randint(1, 4)):
            for event in await self.ask(self._request()):
                assert isinstance(event, e.Reserved)
                fault = event.offer == offer
                await self.ask(c.Void(hold=event.hold, cause="connect", fault=fault))

    async def plead(self) -> None:
        id_ = self._listing()
        await self.ask(x.PleadForceMajeure(instrument=id_, cause="flood", evidence="report 7"))
        if self.rng.random() < 0.5:
            given = self.rng.random() < 0.5
            await self.ask(x.JudgeForceMajeure(instrument=id_, external=True, unavoidable=given))

    # Traders --------------------------------------------------------------------------

    async def trade(self) -> None:
        """Some orders at once; now and then the same one twice."""
        id_ = self._listing()
        asked = [self._placed(id_) for _ in range(self.rng.randint(1, 8))]
        ends = await asyncio.gather(*map(self.rig.ask, asked))
        if ends[0] and asked[0].idem and not self.rig.down:
            before = self.rig.desk.number
            again = await self.rig.ask(asked[0])
            assert again is None or again[0] == ends[0][0], "one key, two answers"
            assert self.rig.desk.number == before, "one order, placed twice"

    def _placed(self, id_: str) -> x.PlaceOrder:
        rng, known = self.rng, self.rig.state.listings.get(id_)
        now = self.at()
        return x.PlaceOrder(
            at=now,
            id=self.name("o"),
            instrument=id_,
            account=rng.choice(ACCOUNTS),
            side=rng.choice(SIDES),
            price=_reference(known) + 100 * rng.choice(AWAY),
            grains=rng.choice(STEPS) * STEP,
            term=rng.choice(("good", "good", *TERMS)),
            guard=rng.choice(GUARDS),
            until=now + rng.choice((SECOND, MINUTE, DAY)) if rng.random() < 0.3 else 0,
            session=rng.choice(("", "", "socket")),
            idem=self.name("i") if rng.random() < 0.2 else "",
        )

    async def _order(self, id_: str, account: str, side: str, away: int, steps: int) -> None:
        listing = self.rig.state.listings.get(id_)
        price = _reference(listing) + 100 * away
        order = x.PlaceOrder(
            id=self.name("o"), instrument=id_, account=account, side=side, price=price,
            grains=steps * STEP,
        )  # fmt: skip
        await self.ask(order)

    async def change_mind(self) -> None:
        """Amend one, cancel one, or all of a connection that broke."""
        open_ = [*self.rig.state.orders.values()]
        if not open_:
            return
        order = self.rng.choice(open_).order
        kind = self.rng.random()
        if kind < 0.5:
            price = order.price + 100 * self.rng.choice((-1, 0, 0, 1))
            grains = max(STEP, order.grains // self.rng.choice((1, 2, 3)) // STEP * STEP)
            await self.ask(x.AmendOrder(id=order.id, price=price, grains=grains))
        elif kind < 0.8:
            await self.ask(x.CancelOrder(id=order.id))
        else:
            await self.ask(x.CancelOrders(account=order.account, session="socket"))

    async def call(self) -> None:
        until = self.rig.clock.now() + self.rng.choice((SECOND, MINUTE))
        await self.ask(x.OpenCall(instrument=self._listing(), until=until))

    async def ask_for_quotes(self) -> None:
        """One asks, some answer, and mostly one of them is taken."""
        id_, rng = self._listing(), self.rng
        request, until = self.name("q"), self.rig.clock.now() + MINUTE
        account, grains = rng.choice(ACCOUNTS), rng.choice(STEPS) * STEP
        price = _reference(self.rig.state.listings.get(id_))
        await self.ask(
            x.RequestQuotes(id=request, instrument=id_, account=account, grains=grains, until=until)
        )
        given = [
            x.Quote(
                id=self.name("o"), request=request, account=rng.choice(ACCOUNTS),
                side=rng.choice(SIDES), price=price + 100 * rng.choice(AWAY),
            )
            for _ in range(3)
        ]  # fmt: skip
        open_ = [quote.id for quote in given if await self.ask(quote)]
        if open_ and rng.random() < 0.7:
            await self.ask(x.AcceptQuote(id=rng.choice(open_)))

    # Holders --------------------------------------------------------------------------

    def _request(self) -> c.Reserve:
        """As ever; now and then the caller names the rights that pay."""
        ask, ids = super()._request(), tuple(self.rig.state.listings)
        if ids and self.rng.random() < 0.3:
            pay = (self.rng.choice(ids),) if self.rng.random() < 0.8 else ("credit",)
            ask = structs.replace(ask, policy=Policy(pay=pay))
        return ask

    async def redeem(self) -> None:
        machines = [v.instrument for v in self._listings() if v.instrument.kind == "machine"]
        if machines:
            units = Units(second=self.rng.randint(1, 50))
            instrument, account = self.rng.choice(machines).id, self.rng.choice(HOLDERS)
            await self.ask(
                x.Redeem(id=self.name("r"), instrument=instrument, account=account, units=units)
            )

    async def claim(self) -> None:
        instrument, account = self._listing(), self.rng.choice(HOLDERS)
        grains = self.rng.choice(STEPS) * STEP
        await self.ask(
            x.ClaimDefault(id=self.name("c"), instrument=instrument, account=account, grains=grains)
        )

    async def to_a_windows_end(self) -> None:
        """Time goes to where something ends, or just before it, or to its settlement."""
        ends = [listing.instrument.end for listing in self._listings()]
        if ends:
            later = self.rng.choice((-SECOND, 0, SECOND, 5 * MINUTE, 2 * DAY))
            self.rig.clock.at = max(self.rig.clock.at, min(ends) + later)
            await self.ask(c.Tick())

    def _listings(self) -> list[Listing]:
        return [*self.rig.state.listings.values()]

    def _listing(self) -> str:
        """One of what is listed, most of the time."""
        return self.rng.choice((*self.rig.state.listings, *self.rig.state.listings, "nothing"))


_ACTIONS = {
    "issue": 4, "mint": 3, "go_dark": 4, "plead": 1, "trade": 30, "change_mind": 10, "call": 2,
    "ask_for_quotes": 6, "redeem": 4, "claim": 4, "to_a_windows_end": 3,
}  # fmt: skip


def _reference(listing: Listing | None) -> int:
    return DECEMBER.price if listing is None else listing.reference
