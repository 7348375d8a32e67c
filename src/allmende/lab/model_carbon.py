"""Model of carbon caps, the dumb way: from the lines of a journal as anybody may read them.

Rule: it knows the journal's JSON alone and none of the core's code. What a request may cause is
figured anew from the offer as it stood, with fractions; periods are the calendar's.
Invariant: whenever a request was let in, all that its budgets had caused in the period and might
still cause was within every cap above it; and never was it more than cap or what stood there when
the cap was set.
Worked number: 1_000 tokens in at 2_000 nJ and 256 out at 90_000 nJ, at 350 g/kWh, are 2.4345 ug,
held as 3.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import ceil
from typing import Any

import msgspec

from allmende.core.events import Event
from allmende.core.state import State

Fact = dict[str, Any]
PROMPT = ("input", "cached", "embedding")


def agree(state: State, events: Sequence[Event]) -> None:
    """Assert that every budget's CO2 is what history makes of it, and that caps were kept to."""
    reader = Reader()
    for event in events:
        reader.read(msgspec.to_builtins(event, builtin_types=(bytes,)))
    for id_, node in state.budgets.items():
        caused = node.ug_spent if state.now < node.until else 0
        assert caused == reader.caused_at(id_, state.now), f"budget {id_} caused {caused} ug"
        assert node.ug_held == reader.held[id_], f"budget {id_} holds {node.ug_held} ug"
        assert node.cap_ug == reader.caps.get(id_), f"cap of {id_}"


def audit(lines: Iterable[bytes]) -> Reader:
    """Read a journal's lines from first to last. Raises AssertionError where a cap was passed."""
    reader = Reader()
    for line in lines:
        reader.read(json.loads(line))
    return reader


class Reader:
    """What budgets caused and may cause, line by line."""

    def __init__(self) -> None:
        self.parents: dict[str, str] = {}
        self.periods: dict[str, str] = {}
        self.offers: dict[str, Fact] = {}
        self.holds: dict[str, tuple[str, Fact, int]] = {}
        """Request -> its budget, the energy of its offer, the ug that are held for it now."""
        self.receipts: dict[str, tuple[str, int, int]] = {}
        """Request -> its budget, when it was served, the ug that it caused."""
        self.caused: defaultdict[tuple[str, tuple[int, int]], int] = defaultdict(int)
        self.held: defaultdict[str, int] = defaultdict(int)
        self.caps: dict[str, int] = {}
        self.stood: dict[str, int] = {}
        """Budget -> what it had caused and might cause when its cap was set."""
        self.now = 0
        self.let_in = 0
        """Requests that were let in under a cap."""

    def read(self, fact: Fact) -> None:
        self.now = max(self.now, fact["at"])
        act = getattr(self, f"_{fact['type']}", None)
        if act is not None:
            act(fact)

    def caused_at(self, budget: str, at: int) -> int:
        return self.caused[budget, period(self.periods[budget], at)]

    def all_at(self, budget: str) -> int:
        return self.caused_at(budget, self.now) + self.held[budget]

    # Facts ----------------------------------------------------------------------------

    def _budgetadded(self, fact: Fact) -> None:
        self.parents[fact["id"]] = fact["parent"]
        self.periods[fact["id"]] = fact["period"]

    def _permitgranted(self, fact: Fact) -> None:
        if fact.get("budget"):
            self.parents[fact["budget"]] = fact.get("parent", "")
            self.periods[fact["budget"]] = "total"

    def _carboncapset(self, fact: Fact) -> None:
        self.caps.pop(fact["id"], None)
        if fact["cap_ug"] is not None:
            self.caps[fact["id"]] = fact["cap_ug"]
            self.stood[fact["id"]] = self.all_at(fact["id"])

    def _offerposted(self, fact: Fact) -> None:
        self.offers[fact["offer"]["id"]] = fact["offer"]["energy"]

    def _reserved(self, fact: Fact) -> None:
        rate = self.offers[fact["offer"]]
        worst = micrograms(rate, fact["bound"])
        assert worst == fact.get("ug", 0), f"{fact['hold']} holds {fact.get('ug', 0)}, not {worst}"
        for node in self._up(fact["budget"]):
            if node in self.caps:
                assert rate["method"] != "none", f"{fact['hold']}: energy unknown under a cap"
                room = self.caps[node] - self.all_at(node)
                assert worst <= room, f"{fact['hold']} may cause {worst}, {node} has {room}"
                self.let_in += 1
        self.holds[fact["hold"]] = fact["budget"], rate, worst
        self._hold(fact["budget"], worst)

    def _captured(self, fact: Fact) -> None:
        self._charge(fact["receipt"])
        if fact["receipt"]["verdict"] != "pending":
            self._close(fact["receipt"]["id"])

    def _finalised(self, fact: Fact) -> None:
        id_ = fact["receipt"]["id"]
        budget, at, before = self.receipts[id_]
        self._cause(budget, at, -before)
        self._hold(budget, before)
        held = self.holds[id_]
        self.holds[id_] = held[0], held[1], held[2] + before
        self._charge({**fact["receipt"], "at": at})
        self._close(id_)

    def _voided(self, fact: Fact) -> None:
        self._close(fact["hold"])

    # Sums -----------------------------------------------------------------------------

    def _charge(self, receipt: Fact) -> None:
        """Take what it caused out of what was held for it."""
        id_, at = receipt["id"], receipt["at"]
        budget, rate, held = self.holds[id_]
        ug = receipt["energy"]["ug"][1]
        assert ug == micrograms(rate, receipt["units"]), f"{id_} says {ug} ug"
        assert ug <= held, f"{id_} caused {ug} of {held} held"
        self._hold(budget, -ug)
        self._cause(budget, at, ug)
        self.holds[id_] = budget, rate, held - ug
        self.receipts[id_] = budget, at, ug
        for node in self._up(budget):
            if node in self.caps:
                most = max(self.caps[node], self.stood[node])
                assert self.all_at(node) <= most, f"{id_} takes {node} over its cap"

    def _close(self, id_: str) -> None:
        budget, _, held = self.holds.pop(id_)
        self._hold(budget, -held)

    def _hold(self, budget: str, ug: int) -> None:
        for node in self._up(budget):
            self.held[node] += ug

    def _cause(self, budget: str, at: int, ug: int) -> None:
        for node in self._up(budget):
            self.caused[node, period(self.periods[node], at)] += ug

    def _up(self, budget: str) -> Iterator[str]:
        while budget:
            yield budget
            budget = self.parents[budget]


def micrograms(rate: Fact, units: Fact) -> int:
    """The high end of what these units cause, rounded up."""
    prompt = sum(units.get(name, 0) for name in PROMPT)
    joules = Fraction(
        prompt * rate["input_nj"][1] + units.get("output", 0) * rate["output_nj"][1], 10**9
    )
    grams = joules / 3_600_000 * rate["grid_g_per_kwh"][1]
    return ceil(grams * 10**6) if rate["method"] != "none" else 0


def period(kind: str, at: int) -> tuple[int, int]:
    """The month, the term or all of time that an instant lies in, by the standard calendar."""
    day = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)
    if kind == "total":
        return 0, 0
    if kind == "month":
        return day.year, day.month
    if 4 <= day.month < 10:
        return day.year, 4
    return (day.year if day.month >= 10 else day.year - 1), 10
