"""A small market whose useful work is counted, for tests of rewards."""

from __future__ import annotations

from typing import Any

from allmende.core import commands as c
from allmende.core import exchange_commands as x
from allmende.core import reward_commands as rc
from allmende.core.actors import Actor, Registry
from allmende.core.contracts import GRAINS
from allmende.core.nouns import Title
from allmende.core.observe_rewards import Work
from allmende.core.rewards import Facts, Rule, epoch_at
from allmende.core.settle import receipt_leaf
from allmende.core.units import CREDIT, Instant, Tariff, Units
from allmende.lab.floor import changed
from allmende.lab.world import ADDRESSES, World

RULE = Rule(
    epoch_seconds=86_400,
    first_epoch=0,
    pool=10**24,
    halving_epochs=100_000,
    full_points=10**6,
    owner_cap_ppm=250_000,
    input=100,
    cached=20,
    output=400,
    embedding=100,
    query=10_000,
    check=1_000_000,
    training_hour=1_000,
)


def epoch(at: Instant) -> int:
    return epoch_at(RULE, at)


class Busy(World):
    """A world that counts."""

    def __init__(self, mode: str = "limited_network", *, dataset: bool = False) -> None:
        super().__init__(mode)
        if dataset:
            self._sell_a_dataset()

    def pay(self, *members: str) -> None:
        for member in members:
            self.do(rc.NamePayee(member=member, address=ADDRESSES[member]))

    def own(self, **actors: str) -> None:
        """Member -> the actor behind it, in a registry of its own."""
        behind: dict[str, list[str]] = {}
        for member, actor in actors.items():
            behind.setdefault(actor, []).append(member)
        rows = tuple(
            Actor(actor, actor, "DEU", accounts=tuple(found), source="s", date="2026-01-01")
            for actor, found in behind.items()
        )
        self.do(c.ImportActors(registry=Registry(actors=rows), source="a test"))

    def serve(self, id_: str, counted: Units | None = None, **asked: Any) -> None:
        """A request that used 100 and 50 by the provider's word, and what we counted of it."""
        self.reserve(id_, **asked)
        self.capture(id_, Units(input=100, output=50), pending=counted is not None)
        if counted is not None:
            self.do(c.Recount(counts=((id_, counted),)))

    def facts(self, number: int | None = None) -> Facts:
        work = Work(RULE, epoch(self.now) if number is None else number, receipt_leaf)
        for event in self.events:
            work.feed(event)
        return work.facts()

    def _sell_a_dataset(self) -> None:
        """The co-operative's corpus, hosted by rhine, of which the university has rights."""
        self.do(c.Deposit(member="rhine", amount=100 * CREDIT, reference="bond"))
        self.do(c.RegisterTitle(title=Title("corpus", "coop", "dataset", "Corpus")))
        terms = {"kind": "dataset", "title": "corpus", "model": "", "offer": "", "unit": "query"}
        listed = changed(
            id="corpus", weights=Tariff(query=GRAINS), lot=GRAINS * 10, step=GRAINS, **terms
        )
        self.do(c.SetParameter(name="call_seconds", value=0))
        self.do(x.ListInstrument(instrument=listed))
        self.do(x.MintLots(instrument="corpus", grains=GRAINS * 10))
        move = {"source": "rhine", "target": "uni", "asset": "corpus"}
        self.do(c.Transfer(**move, amount=GRAINS * 10))
