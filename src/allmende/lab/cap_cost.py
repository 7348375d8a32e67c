"""Cap's cost: the same stream of requests without a carbon cap, and under tighter and tighter ones.

Rule: every run asks for the same requests in the same order; only the cap differs. What is lost is
counted by the request, in tokens and in credit held at worst; and whoever sorts by carbon instead
of price is run beside it.
Invariant: no run causes more than its cap; served and lost make up all.
Worked number: 2_000 requests of seed 1 cause 44.3 g without a cap; half of that serves 1_029 where
the cheaper offer comes first, and all where the cleaner does, for half as much again in credit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from random import Random

from msgspec import Struct, structs

from allmende.core import commands as c
from allmende.core import events as e
from allmende.core import machine
from allmende.core.nouns import Policy
from allmende.core.refusals import Refused, Why
from allmende.core.units import Amount, EnergyRate, Units, credits
from allmende.lab.world import OFFERS, START, World, ask

SHARES = (100, 75, 50, 25, 10, 5)
"""Per cent of what is caused without a cap."""
DIRTY = EnergyRate((25_000_000, 82_000_000), (97_000_000, 1_420_000_000), (350, 384), "lab")
CLEAN = EnergyRate((25_000_000, 82_000_000), (97_000_000, 1_420_000_000), (35, 46), "lab")
"""One model of 8 billion parameters on two grids: as adapters.energy has it."""


class Run(Struct):
    """What one cap led to. Grams are micrograms at the high end; credit is pico-credits."""

    sort: str
    cap_ug: int | None
    served: int = 0
    lost: int = 0
    output: int = 0
    output_lost: int = 0
    paid: Amount = 0
    worth_lost: Amount = 0
    caused_ug: int = 0
    at_cleaner: int = 0


def runs(requests: int, seed: int, shares: Iterable[int] = SHARES) -> Iterator[Run]:
    """First without a cap, then under each share of what that caused, by price and by carbon."""
    free = run(requests, seed, None)
    yield free
    for share in shares:
        for sort in ("price", "carbon"):
            yield run(requests, seed, free.caused_ug * share // 100, sort)


def run(requests: int, seed: int, cap_ug: int | None, sort: str = "price") -> Run:
    world, rng, out = _market(cap_ug), Random(seed), Run(sort, cap_ug)
    for number in range(requests):
        size = 1 + int(rng.paretovariate(1.2) * 60) % 1_000
        prompt = rng.randint(50, 2_000)
        reserve = ask(
            *(f"r{number}", "coop"),
            input_bound=prompt,
            output_bound=size,
            policy=Policy(sort=sort),
        )
        used = Units(input=reserve.input_bound, output=rng.randint(1, size))
        _one(world, structs.replace(reserve, at=START), used, out)
    machine.check(world.state)
    node = world.state.budgets["coop"]
    out.caused_ug = node.ug_spent
    assert cap_ug is None or out.caused_ug <= cap_ug, "a cap was passed"
    return out


def _one(world: World, reserve: c.Reserve, used: Units, out: Run) -> None:
    try:
        (held,) = _do(world, reserve)
    except Refused as refused:
        assert refused.why is Why.CARBON_CAP, refused
        out.lost += 1
        out.output_lost += used.output
        out.worth_lost += refused.facts.get("lost", 0)
        return
    (done,) = _do(world, c.Capture(at=START, hold=reserve.id, estimate=used, reported=used))
    assert isinstance(held, e.Reserved)
    assert isinstance(done, e.Captured)
    out.served += 1
    out.output += done.receipt.units.output
    out.paid += done.receipt.price
    out.at_cleaner += held.offer == "clean"


def _do(world: World, command: c.Command) -> list[e.Event]:
    events = machine.decide(world.state, command)
    for event in events:
        machine.apply(world.state, event)
    return events


def _market(cap_ug: int | None) -> World:
    world = World()
    for offer, rate in zip(OFFERS[:2], (DIRTY, CLEAN), strict=True):
        world.do(c.PostOffer(offer=structs.replace(offer, energy=rate, vocabulary="")))
    if cap_ug is not None:
        world.do(c.SetCarbonCap(id="coop", cap_ug=cap_ug))
    return world


def main(requests: int, seed: int, echo: Callable[[str], None] = print) -> int:
    """A table, a line for each cap."""
    echo(f"{requests} requests, seed {seed}; offers: one at 384 g/kWh, one at 46 and half as dear "
         "again; all grams are the high end of their range.")  # fmt: skip
    echo(f"{'first':>7} {'cap g':>9} {'caused g':>9} {'served':>7} {'lost':>6} {'tokens lost':>12} "
         f"{'credit lost':>12} {'at cleaner':>11} {'credit per M tokens out':>24}")  # fmt: skip
    for out in runs(requests, seed):
        per_token = out.paid * 10**6 // max(1, out.output)
        cap = "none" if out.cap_ug is None else f"{out.cap_ug / 1e6:.3f}"
        echo(
            f"{out.sort:>7} {cap:>9} {out.caused_ug / 1e6:>9.3f} {out.served:>7} {out.lost:>6} "
            f"{out.output_lost:>12} {float(credits(out.worth_lost)):>12.4f} {out.at_cleaner:>11} "
            f"{float(credits(per_token)):>24.3f}"
        )
    return 0
