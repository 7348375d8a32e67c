"""The fork: as it was it is the ledger; changed, it moves what the change says and no more."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from views_history import Market

from allmende.core import commands as c
from allmende.core import events as e
from allmende.core.ledger import COMMONS
from allmende.core.nouns import Key
from allmende.core.refusals import Refused, Why
from allmende.core.units import PPM, SECOND, Amount, Units
from allmende.lab.fork import SIMULATED, Change
from allmende.lab.fork_effect import GROUPS, Effect, Simulation, simulate
from allmende.lab.rig import Rig
from allmende.lab.simulation import _live
from allmende.lab.traders import Traders
from allmende.lab.traffic import Traffic
from allmende.lab.world import START, World, secret

FEE, LEVY = 50_000, 10_000
"""At founding."""


def lived(seed: int, *, exchange: bool = False) -> list[e.Event]:
    """A market's life with crashes, expiries, recounts, wallets, drills, caps and rights."""
    rig = Rig()
    traffic = (Traders if exchange else Traffic)(rig, Random(seed))
    traffic.link_wallets(Random(-seed - 1))
    traffic.drill(Random(f"drill {seed}"))
    traffic.guard(Random(f"guard {seed}"))
    traffic.cap(Random(f"cap {seed}"))
    asyncio.run(_live(rig, traffic, 160))
    return rig.auditor.events


@pytest.mark.parametrize("exchange", [False, True])
@pytest.mark.parametrize("seed", range(2))
def test_unchanged_it_is_the_ledger(seed: int, exchange: bool) -> None:
    events = lived(seed, exchange=exchange)
    for part in (0, len(events) // 2):
        assert simulate(events, Change("levy_ppm", LEVY), events[part].at).differs == ()


@pytest.mark.parametrize("seed", range(2))
def test_unchanged_it_is_the_ledger_of_a_market_that_trades_and_redeems(seed: int) -> None:
    events = Market(seed).run(500).events
    done = simulate(events, Change("levy_ppm", 20_000), events[len(events) // 3].at)
    assert done.receipts > 20
    assert done.differs == ()
    assert sums(done), "a second levy changed nothing"
    for role in sums(done).values():
        assert sum(role.values()) == 0, "money came from nowhere"


counts = st.lists(
    st.tuples(st.integers(0, 1_000), st.integers(0, 256), st.booleans()), min_size=1, max_size=6
)


def busy(units: list[tuple[int, int, bool]]) -> World:
    """Requests one after another; some are recounted, and ours is one token more."""
    world = World()
    for number, (prompt, output, counted) in enumerate(units):
        world.now += SECOND
        used = Units(input=prompt, output=output)
        world.reserve(f"r{number}")
        world.capture(f"r{number}", used, pending=counted)
        if counted and number % 2:
            more = Units(input=prompt, output=min(256, output + 1))
            world.do(c.Recount(counts=((f"r{number}", more),)))
    return world


def prices(world: World) -> list[Amount]:
    found: dict[str, Amount] = {}
    for event in world.events:
        if isinstance(event, e.Captured | e.Finalised):
            found[event.receipt.id] = event.receipt.price
    return [*found.values()]


def sums(done: Simulation) -> dict[str, dict[str, Amount]]:
    """Asset -> role -> what it has more."""
    found: dict[str, dict[str, Amount]] = {}
    for row in done.effects:
        if row.by == "role" and row.gains:
            found.setdefault(row.asset, {})[row.of] = row.gains
    return found


@settings(max_examples=30, deadline=None)
@given(counts, st.integers(0, 200_000))
def test_a_fee_moves_from_hosts_to_the_operator_and_nowhere_else(
    units: list[tuple[int, int, bool]], fee: int
) -> None:
    world = busy(units)
    done = simulate(world.events, Change("operator_fee_ppm", fee), START)
    more = sum(p * fee // PPM - p * FEE // PPM for p in prices(world))
    assert sums(done).get("credit", {}) == ({"operator": more, "host": -more} if more else {})
    assert (done.differs, done.refused, done.lent) == ((), (), ())
    assert done.served == done.receipts == len(units)


@settings(max_examples=30, deadline=None)
@given(counts, st.integers(0, 100_000))
def test_a_levy_moves_from_hosts_to_the_commons(
    units: list[tuple[int, int, bool]], levy: int
) -> None:
    world = busy(units)
    done = simulate(world.events, Change("levy_ppm", levy), START)
    more = sum(p * levy // PPM - p * LEVY // PPM for p in prices(world))
    assert sums(done).get("credit", {}) == ({COMMONS: more, "host": -more} if more else {})
    for by in GROUPS[:3]:
        assert sum(row.gains for row in done.effects if row.by == by) == 0


@pytest.mark.parametrize("name", SIMULATED)
def test_a_rule_that_stays_changes_nothing(name: str) -> None:
    world = busy([(100, 50, True), (10, 5, False), (1_000, 256, True)])
    done = simulate(world.events, Change(name, world.state.parameters[name]), START)
    assert not any(row.gains for row in done.effects)
    assert (done.differs, done.refused, done.receipts) == ((), (), 3)


def test_groups_name_kind_country_and_size() -> None:
    world = busy([(100, 50, False)] * 3)
    done = simulate(world.events, Change("operator_fee_ppm", 60_000), START)
    rows = {(row.by, row.of): row for row in done.effects}
    assert rows["kind", "provider"].gains < 0 < rows["kind", "operator"].gains
    assert rows["country", "DEU"].gains == rows["role", "host"].gains
    assert rows["role", "buyer"].paid_before == rows["role", "buyer"].paid_after > 0
    assert {of for by, of in rows if by == "size"} == {"small", "middle", "large"}
    assert all(isinstance(row, Effect) and row.accounts for row in done.effects)


def test_who_lives_on_earnings_is_refused_where_they_are_fewer() -> None:
    world = World()
    world.do(c.AddBudget(id="own", name="Own", owner="rhine"))
    world.do(c.IssueKey(key=Key("own", secret("own"), "rhine", "spend", "own")))
    world.reserve("r1")
    world.capture("r1", Units(input=1_000, output=256))
    world.reserve("r2", key="own", input_bound=100, output_bound=350)
    world.capture("r2", Units(input=100, output=10))
    done = simulate(world.events, Change("operator_fee_ppm", 200_000), START)
    assert done.differs == ()
    assert [(one.hold, one.why) for one in done.refused] == [("r2", Why.NO_CREDIT.code)]
    assert (done.receipts, done.served) == (2, 1)


def test_what_was_paid_elsewhere_is_lent_and_told() -> None:
    world = World()
    world.reserve("r1")
    world.capture("r1", Units(input=1_000, output=256))
    earned = world.balance("rhine")
    world.do(c.Transfer(source="rhine", target="coop", asset="credit", amount=earned))
    done = simulate(world.events, Change("operator_fee_ppm", 60_000), START)
    (row,) = [row for row in done.effects if (row.by, row.of) == ("role", "host")]
    assert done.lent == (("rhine", "credit", -row.gains),)


def test_shorter_holds_end_slow_requests() -> None:
    world = World()
    world.reserve("slow")
    world.now += 100 * SECOND
    world.capture("slow", Units(input=10, output=10))
    world.reserve("fast")
    world.capture("fast", Units(input=10, output=10))
    done = simulate(world.events, Change("hold_seconds", 50), START)
    assert [(one.hold, one.why) for one in done.refused] == [("slow", "expired")]
    assert (done.receipts, done.served) == (2, 1)
    assert simulate(world.events, Change("hold_seconds", 150), START).refused == ()


def test_a_change_inside_the_window_is_not_seen_by_the_fork_of_another() -> None:
    world = busy([(100, 50, False)])
    world.do(c.SetParameter(name="levy_ppm", value=20_000))
    world.reserve("late")
    world.capture("late", Units(input=100, output=50))
    done = simulate(world.events, Change("levy_ppm", 20_000), START)
    one = prices(world)[0]
    assert sums(done)["credit"][COMMONS] == one * 20_000 // PPM - one * LEVY // PPM
    assert done.differs == ()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (Change("nothing", 1), Why.NOT_FOUND),
        (Change("levy_ppm", 100_001), Why.BAD_VALUE),
        (Change("levy_ppm", -1), Why.BAD_VALUE),
        (Change("breaker_ppm", 2_000), Why.BAD_VALUE),
    ],
)
def test_what_no_fork_can_show_is_refused(change: Change, why: Why) -> None:
    with pytest.raises(Refused) as told:
        simulate([], change, START)
    assert told.value.why is why


def test_an_empty_window_shows_nothing() -> None:
    world = World()
    done = simulate(world.events, Change("levy_ppm", 0), world.now + 1)
    assert (done.receipts, done.effects, done.first) == (0, (), 0)
