"""Floor: a small market in memory with an instrument listed on it, for tests and experiments.

Rule: as World, everything goes through decide and apply.
Invariant: after each command `check` holds.
Worked number: `december` is 20 lots of the model small at 10_000 pico-credits a grain, one
credit a lot; its bond is 1.25 credits a lot.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import structs

from allmende.core import commands as c
from allmende.core import events as e
from allmende.core import exchange_commands as x
from allmende.core import exchange_events as f
from allmende.core.contracts import LOT, Instrument
from allmende.core.state import Listing
from allmende.core.units import CREDIT, DAY, MINUTE, SECOND, Amount, Units, Zone
from allmende.lab.world import START, World, ask

DECEMBER = Instrument(
    id="december",
    issuer="rhine",
    title="small",
    model="small",
    offer="cheap",
    start=START,
    end=START + 30 * DAY,
    capacity=20 * LOT,
    price=10_000,
    zone=Zone("DEU"),
    name="Small, Germany, one month",
)


class Floor(World):
    """`call` seconds of opening and closing calls; 0 trades at once."""

    def __init__(
        self, instrument: Instrument = DECEMBER, *, call: int = 0, mode: str = "limited_network"
    ) -> None:
        super().__init__(mode)
        self._orders = 0
        self.instrument = instrument
        self.do(c.Deposit(member="rhine", amount=100 * CREDIT, reference="bond"))
        self.do(c.Deposit(member="nordic", amount=100 * CREDIT, reference="nordic"))
        self.do(c.SetParameter(name="call_seconds", value=call))
        self.do(c.SetParameter(name="settle_seconds", value=60))
        self.do(x.ListInstrument(instrument=instrument))

    @property
    def listing(self) -> Listing:
        return self.state.listings[self.instrument.id]

    def mint(self, lots: int, instrument: str = "") -> Sequence[e.Event]:
        return self.do(x.MintLots(instrument=instrument or self.instrument.id, grains=lots * LOT))

    def place(
        self, account: str, side: str, price: Amount, lots: int, **more: Any
    ) -> Sequence[e.Event]:
        """An order of whole lots; its id is `o1`, `o2` ... unless `id` is given."""
        self._orders += 1
        fields = {"id": f"o{self._orders}", "instrument": self.instrument.id, **more}
        grains = fields.pop("grains", lots * LOT)
        order = x.PlaceOrder(account=account, side=side, price=price, grains=grains, **fields)
        return self.do(order)

    def use(self, receipt: str, units: Units, key: str = "ada", **more: Any) -> e.Captured:
        """A request from hold to receipt."""
        self.do(ask(receipt, key, **more))
        (event,) = self.do(c.Capture(hold=receipt, estimate=units, reported=units))
        assert isinstance(event, e.Captured)
        return event

    def fail(self, receipt: str, key: str = "ada", **more: Any) -> None:
        """A request that the provider fails."""
        self.do(ask(receipt, key, **more))
        self.do(c.Void(hold=receipt, cause="died", fault=True))

    def close(self) -> f.InstrumentSettled:
        """To the end of the window, and its settlement."""
        self.now = max(self.now, self.instrument.end)
        self.do(c.Tick())
        self.now += MINUTE + SECOND
        found = [v for v in self.do(c.Tick()) if isinstance(v, f.InstrumentSettled)]
        assert len(found) == 1, "the instrument did not settle"
        return found[0]

    def rights(self, account: str) -> int:
        """Grains of the instrument on an account."""
        return self.state.balances.get(self.instrument.id, {}).get(account, 0)

    def bond(self) -> Amount:
        return self.balance(f"bond/{self.instrument.id}")


def changed(**terms: Any) -> Instrument:
    """December with other terms."""
    return structs.replace(DECEMBER, **terms)
