"""World: a small market in memory, for tests and simulations, under a clock of its own.

Rule: whatever happens goes through decide and apply, and every event is kept.
Invariant: after each command the postings of each event sum to zero and `check` holds.
Worked number: founding() is 28 commands; the university gets 1_000 credits, its tree of
budgets is university (term, 100) > physics (month, 40) > ada (total, 10).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from msgspec import structs

from allmende.core import commands as c
from allmende.core import events as e
from allmende.core import machine
from allmende.core.custody import Permit
from allmende.core.nouns import Hold, Key, Member, Offer, Receipt, Share, Title
from allmende.core.refusals import Refused
from allmende.core.state import State
from allmende.core.units import (
    CREDIT,
    SECOND,
    Amount,
    EnergyRate,
    Instant,
    Tariff,
    Units,
    Zone,
)

START: Instant = 1_790_812_800 * SECOND
"""2026-10-01T00:00Z: first instant of a month and of a term."""

CHEAP = Tariff(input=100_000, cached=20_000, output=400_000)
DEAR = Tariff(input=150_000, output=600_000)
TOP = EnergyRate((1_000, 2_000), (50_000, 90_000), (300, 350), "test")
LOW = EnergyRate((2_000, 3_000), (60_000, 95_000), (30, 45), "test")

OFFERS = (
    Offer("cheap", "rhine", "small", "small", "credit", CHEAP, Zone("DEU"), "http://cheap",
          capacity=8, context=8_192, max_output=1_024, energy=TOP, vocabulary="small"),
    Offer("clean", "nordic", "small", "small", "credit", DEAR,
          Zone("SWE", "Nordic AB", "Big Inc", "USA"), "http://clean",
          capacity=8, context=8_192, max_output=1_024, energy=LOW, vocabulary="small"),
    Offer("vectors", "rhine", "small", "vectors", "credit", Tariff(embedding=10_000),
          Zone("DEU"), "http://vectors", endpoints=("embeddings",)),
    Offer("gift", "nordic", "gift", "gift", "credit", Tariff(input=0, output=0),
          Zone("SWE"), "http://gift", max_output=256),
)  # fmt: skip
"""Two of one model, one of embeddings, and one that is free on purpose."""


ADDRESSES = {
    member: f"0x{number:040x}"
    for number, member in enumerate(("uni", "coop", "ada", "rhine", "nordic", "author"), 0xA110)
}
"""Member -> the wallet that is its, where it has linked one."""
SESSION = "0x" + "5e" * 20
"""The address of whatever key a session signs with."""


def permit(limit: Amount, lane: int = 0, **more: Any) -> Permit:
    """A permit for an hour, sealed: the market signs. Here nobody looks at signatures."""
    usual = {"models": (), "expires": START + 3_600 * SECOND, "signature": "0x", "sealed": "s"}
    return Permit(lane=lane, key=SESSION, limit=limit, **{**usual, **more})


def secret(name: str) -> str:
    """What stands in for the SHA-256 of the secret of the key `name`."""
    return hashlib.sha256(name.encode()).hexdigest()


def founding(at: Instant = START, mode: str = "limited_network") -> list[c.Command]:
    """The commands that make the small market: members, money, titles, offers, budgets, keys."""
    found: list[c.Command] = [
        c.Found(market="m", name="Test", mode=mode, operator="house", public_key="00" * 32)
    ]
    found += [c.AddMember(member=member) for member in _MEMBERS]
    found += [
        c.Deposit(member="uni", amount=1_000 * CREDIT, reference="invoice-1"),
        c.Deposit(member="coop", amount=50 * CREDIT, reference="invoice-2"),
    ]
    found += [c.RegisterTitle(title=title) for title in _TITLES]
    found += [c.PostOffer(offer=offer) for offer in OFFERS]
    found += [
        c.AddBudget(id="uni", name="University", owner="uni", period="term", limit=100 * CREDIT),
        c.AddBudget(id="physics", name="Physics", parent="uni", period="month", limit=40 * CREDIT),
        c.AddBudget(id="ada", name="Ada", parent="physics", limit=10 * CREDIT),
        c.AddBudget(id="coop", name="Co-operative", owner="coop"),
    ]
    found += [c.IssueKey(key=key) for key in _KEYS]
    return [structs.replace(command, at=at) for command in found]


_MEMBERS = (
    Member("uni", "University", "organisation"),
    Member("physics", "Physics", "organisation", home="uni"),
    Member("ada", "Ada", "person", home="physics"),
    Member("coop", "Co-operative", "organisation"),
    Member("rhine", "Rhine Compute", "provider"),
    Member("nordic", "Nordic AB", "provider"),
    Member("author", "Model author", "person"),
    Member("data", "Data commons", "organisation"),
)
_TITLES = (
    Title("small", "author", "model", "Small", (Share("author", "author", 100_000),
                                                Share("data", "data", 33_333))),
    Title("gift", "nordic", "model", "Gift"),
)  # fmt: skip
_KEYS = (
    Key("root", secret("root"), "house", "operate"),
    Key("dean", secret("dean"), "uni", "manage", budget="uni"),
    Key("ada", secret("ada"), "ada", "spend", budget="ada"),
    Key("lab", secret("lab"), "physics", "spend", budget="physics"),
    Key("coop", secret("coop"), "coop", "spend", budget="coop"),
    Key("slow", secret("slow"), "ada", "spend", budget="ada", per_minute=60),
    Key("rhine", secret("rhine"), "rhine", "manage"),
)


class World:
    """A market, everything that happened in it, and the time it is there."""

    def __init__(self, mode: str = "limited_network", *, founded: bool = True) -> None:
        self.state = State()
        self.events: list[e.Event] = []
        self.now = START
        for command in founding(mode=mode) if founded else ():
            self.do(command)

    def do(self, command: c.Command) -> Sequence[e.Event]:
        """As a desk does it, at the world's time unless the command names its own."""
        if not command.at:
            command = structs.replace(command, at=self.now)
        before = machine.repeated(self.state, command)
        if before is not None:
            return before
        decided = machine.decide(self.state, command)
        for event in decided:
            assert balanced(event), event
            machine.apply(self.state, event)
        self.events += decided
        machine.check(self.state)
        return decided

    def attempt(self, command: c.Command) -> Sequence[e.Event] | Refused:
        """What came of it; a refusal must leave the state as it was."""
        before = machine.digest(self.state)
        try:
            return self.do(command)
        except Refused as refused:
            assert machine.digest(self.state) == before, f"{refused} changed the state"
            return refused

    def refuse(self, command: c.Command) -> Refused:
        """The refusal that this command must meet."""
        done = self.attempt(command)
        assert isinstance(done, Refused), f"not refused: {done}"
        return done

    def wait(self, seconds: int) -> Sequence[e.Event]:
        """Let time pass, and tick."""
        self.now += seconds * SECOND
        return self.do(c.Tick())

    def reserve(self, id_: str, key: str = "lab", **asked: Any) -> Hold:
        """A hold for a chat with model `small`: 1_000 tokens in, 256 out, unless asked."""
        self.do(ask(id_, key, **asked))
        return self.state.holds[id_]

    def capture(self, id_: str, units: Units, **more: Any) -> Receipt:
        """Capture what the provider reports as `units`."""
        done = self.do(c.Capture(hold=id_, estimate=units, **{"reported": units, **more}))
        assert isinstance(done[0], e.Captured)
        return done[0].receipt

    def balance(self, account: str, asset: str = "credit") -> Amount:
        return self.state.balances[asset].get(account, 0)


def ask(id_: str, key: str = "lab", **asked: Any) -> c.Reserve:
    """A Reserve with everyday values where `asked` names none."""
    usual = {
        "endpoint": "chat/completions",
        "model": "small",
        "input_bound": 1_000,
        "output_bound": 256,
    }
    return c.Reserve(id=id_, key=secret(key), **{**usual, **asked})


def balanced(event: e.Event) -> bool:
    """Whether an event's postings sum to zero for each asset."""
    total: dict[str, Amount] = {}
    for _, asset, amount in event.postings:
        total[asset] = total.get(asset, 0) + amount
    return not any(total.values())
