"""Drills as a linear programme, held against hand-written brute force on small markets."""

from __future__ import annotations

import sys
from fractions import Fraction
from itertools import chain, combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from allmende.adapters.linear import solve
from allmende.measure.drills import Demand, Drill, Problem, Source, lost, may
from allmende.measure.drills_table import expected_unserved, one_by_one, passed, two_by_two
from allmende.measure.linear import Programme, Row, Solution, Unsolved

MODELS = ("a", "b")
COUNTRIES = ("DEU", "USA", "SWE")
PROVIDERS = ("p", "q", "r")
CABLES = ("north", "south")

sources = st.builds(
    lambda model, capacity, provider, country, control, cables, quality, seal: (
        model, capacity, quality, seal,
        {"provider": (provider,), "parent": (provider + "-top",), "country": (country,),
         "control": control, "cable": cables},
    ),
    st.sampled_from(MODELS), st.integers(0, 4), st.sampled_from(PROVIDERS),
    st.sampled_from(COUNTRIES), st.lists(st.sampled_from(COUNTRIES), max_size=2).map(tuple),
    st.lists(st.sampled_from(CABLES), max_size=2, unique=True).map(tuple),
    st.integers(0, 2), st.integers(0, 2),
)  # fmt: skip
demands = st.tuples(
    st.integers(0, 5),
    st.sampled_from(((), ("a",), ("b",), ("a", "b"))),
    st.sampled_from((0, 0, 1, 2)),
    st.sampled_from((0, 0, 1, 2)),
    st.sampled_from(((), (), ("DEU",), ("DEU", "SWE"))),
    st.sampled_from(((), (), ("USA",))),
)


@st.composite
def markets(draw: st.DrawFn) -> Problem:
    offers = tuple(
        Source(f"o{n}", model, capacity, tags, quality, seal)
        for n, (model, capacity, quality, seal, tags) in enumerate(
            draw(st.lists(sources, min_size=1, max_size=4))
        )
    )
    groups = tuple(
        Demand(f"d{n}", tokens, models, quality, seal, zones, not_control=not_control)
        for n, (tokens, models, quality, seal, zones, not_control) in enumerate(
            draw(st.lists(demands, min_size=1, max_size=4))
        )
    )
    return Problem(groups, offers, frozenset(o.id for o in offers if o.tags["country"] != ("USA",)))


def brute(problem: Problem, gone: frozenset[str]) -> int:
    """The most that is served: by the least of all that could stop it (max-flow, min-cut).

    Whichever groups are left to want, all others are full, and every offer that may serve
    one of those that want is used up.
    """
    stand = [source for source in problem.sources if source.id not in gone]
    groups = problem.demands
    every = chain.from_iterable(combinations(groups, n) for n in range(len(groups) + 1))
    return min(
        sum(d.tokens for d in groups if d not in wanting)
        + sum(s.capacity for s in stand if any(may(d, s) for d in wanting))
        for wanting in every
    )


def exhaustive(problem: Problem) -> int:
    """The most that is served: every way to hand out whole units, one after the other."""
    lanes = [(u, k) for u, d in enumerate(problem.demands)
             for k, s in enumerate(problem.sources) if may(d, s)]  # fmt: skip
    best = 0
    most = [min(problem.demands[u].tokens, problem.sources[k].capacity) for u, k in lanes]
    for amounts in product(*(range(n + 1) for n in most)):
        used = dict(zip(lanes, amounts, strict=True))
        fits = all(
            sum(n for (_, j), n in used.items() if j == k) <= s.capacity
            for k, s in enumerate(problem.sources)
        ) and all(
            sum(n for (v, _), n in used.items() if v == u) <= d.tokens
            for u, d in enumerate(problem.demands)
        )
        best = max(best, sum(amounts)) if fits else best
    return best


def opened(problem: Problem) -> Drill | None:
    """None where nothing is served, which must then be so."""
    try:
        return Drill(problem, solve)
    except ValueError:
        assert brute(problem, frozenset()) == 0
        return None


@given(markets())
@settings(max_examples=150, deadline=None)
def test_every_cut_gives_what_brute_force_gives(problem: Problem):
    drill = opened(problem)
    if drill is None:
        return
    for kind in ("provider", "parent", "country", "control", "cable", "offer"):
        for values in (*[(v,) for v in problem.values(kind)],
                       *combinations(problem.values(kind), 2)):  # fmt: skip
            outcome = drill.cut({kind: values})
            before, after = (
                brute(problem, frozenset()),
                brute(problem, lost(problem, {kind: values})),
            )
            assert (outcome.baseline, outcome.served) == (before, after)
            assert outcome.share == Fraction(after, before)
            wanted = sum(d.tokens for d in problem.demands)
            assert sum(outcome.unserved.values()) == wanted - after


@given(markets())
@settings(max_examples=150, deadline=None)
def test_a_shadow_price_is_what_one_more_unit_serves(problem: Problem):
    drill = opened(problem)
    if drill is None:
        return
    for cut in ({}, *({"provider": (value,)} for value in problem.values("provider"))):
        outcome = drill.cut(cut)
        gone = lost(problem, cut)
        for id_, worth in outcome.shadow.items():
            assert brute(more(problem, id_), gone) - outcome.served == worth
        assert set(outcome.shadow) == {s.id for s in problem.sources} - gone
        standing = sorted(problem.sovereign - gone)
        gains = [brute(more(problem, id_), gone) - outcome.served for id_ in standing]
        assert outcome.sovereign == max(gains, default=None)


def more(problem: Problem, id_: str) -> Problem:
    grown = tuple(
        structs.replace(s, capacity=s.capacity + 1) if s.id == id_ else s for s in problem.sources
    )
    return structs.replace(problem, sources=grown)


@given(markets())
@settings(max_examples=60, deadline=None)
def test_the_solvers_duals_hold_the_shadow_prices_between_them(problem: Problem):
    """Strong duality, and no dual is below what one more unit serves."""
    seen: list[tuple[Programme, Solution]] = []

    def watched(programme: Programme) -> Solution:
        seen.append((programme, solve(programme)))
        return seen[-1][1]

    try:
        drill = Drill(problem, watched)
    except ValueError:
        return
    (programme, solution) = seen[0]
    worth = sum(row.limit * dual for row, dual in zip(programme.rows, solution.duals, strict=True))
    assert worth == pytest.approx(solution.value)
    flowing = sorted({k for _, k in drill._pairs(frozenset())})
    shadow = drill.cut({}).shadow
    for k, dual in zip(flowing, solution.duals, strict=False):
        assert dual >= shadow[problem.sources[k].id] - 1e-9


@given(markets())
@settings(max_examples=60, deadline=None)
def test_a_pivot_is_what_could_not_be_lost_as_well(problem: Problem):
    drill = opened(problem)
    if drill is None:
        return
    found = {(p.kind, p.value): p.tokens for p in drill.pivots({}, ("offer", "parent"))}
    for kind in ("offer", "parent"):
        for value in problem.values(kind):
            loss = drill.baseline - brute(problem, lost(problem, {kind: (value,)}))
            assert found.get((kind, value), 0) == loss


tiny = st.builds(
    lambda d, s: Problem(
        tuple(Demand(f"d{n}", t, models) for n, (t, models) in enumerate(d)),
        tuple(Source(f"o{n}", m, c, {}) for n, (m, c) in enumerate(s)),
    ),
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from((("a",), ("b",), ()))), max_size=3),
    st.lists(st.tuples(st.sampled_from(MODELS), st.integers(0, 3)), max_size=2),
)


@given(tiny)
@settings(max_examples=60, deadline=None)
def test_brute_force_is_what_handing_out_every_unit_gives(problem: Problem):
    assert brute(problem, frozenset()) == exhaustive(problem)


# By hand ------------------------------------------------------------------------------


def small() -> Problem:
    """The worked number of measure/drills."""
    return Problem(
        (Demand("a", 10, ("a",)), Demand("b", 6, ("b",))),
        (
            Source("one", "a", 10, {"provider": ("p",), "cable": ("north", "south")}),
            Source("two", "b", 4, {"provider": ("q",), "cable": ("north",)}),
        ),
        frozenset({"two"}),
    )


def test_the_worked_number():
    outcome = Drill(small(), solve).cut({"provider": ("p",)})
    assert (outcome.baseline, outcome.served, outcome.share) == (14, 4, Fraction(4, 14))
    assert outcome.unserved == {"a": 10, "b": 2}
    assert (outcome.shadow, outcome.sovereign) == ({"two": 1}, 1)
    assert not outcome.passed()


def test_an_offer_with_a_second_cable_survives_the_first_ones_cut():
    drill = Drill(small(), solve)
    assert drill.cut({"cable": ("north",)}).lost == ("two",)
    assert drill.cut({"cable": ("south",)}).share == 1
    assert drill.cut({"cable": ("north", "south")}).served == 0


def test_a_unit_may_help_by_freeing_somebody_else():
    """Only `wide` may serve b; one more of `narrow` takes a's demand off it."""
    problem = Problem(
        (Demand("a", 4, quality=1), Demand("b", 4, quality=2)),
        (Source("wide", "m", 4, {}, quality=2), Source("narrow", "m", 2, {}, quality=1)),
    )
    assert Drill(problem, solve).cut({}).shadow == {"wide": 1, "narrow": 1}


def test_what_is_unknown_of_an_offer_meets_no_demand():
    unknown = Source("o", "m", 9, {"country": ("DEU",)})
    assert not may(Demand("d", 1, control=("DEU",)), unknown)
    assert not may(Demand("d", 1, not_control=("USA",)), unknown)
    assert may(Demand("d", 1, not_zones=("USA",)), unknown)


@pytest.mark.parametrize(
    ("cut", "says"),
    [({"planet": ("mars",)}, "kinds are provider"), ({"provider": ("x",)}, "there is p, q"),
     ({"chip": ("x",)}, "no offer says")],
)  # fmt: skip
def test_a_cut_of_what_is_not_there_says_what_is(cut: dict[str, tuple[str, ...]], says: str):
    with pytest.raises(ValueError, match=says):
        Drill(small(), solve).cut(cut)


@pytest.mark.parametrize(
    ("problem", "says"),
    [
        (Problem((), ()), "Nothing is served"),
        (Problem((Demand("d", -1),), ()), "wants -1"),
        (Problem((), (Source("o", "m", -1, {}),)), "capacity of -1"),
        (Problem((Demand("d", 1), Demand("d", 1)), ()), "Two of demand"),
    ],
)
def test_a_problem_that_is_none_is_refused(problem: Problem, says: str):
    with pytest.raises(ValueError, match=says):
        Drill(problem, solve)


def test_a_table_is_worst_first_and_says_whether_it_passes():
    drill = Drill(small(), solve)
    table = one_by_one(drill, "provider")
    assert [(o.name, o.served) for o in table] == [("provider=p", 4), ("provider=q", 10)]
    assert not passed(table)
    assert passed(table, Fraction(4, 14))
    assert expected_unserved(table, {"p": 0.02, "q": 0.5}) == pytest.approx(0.2 + 2.0)
    for chances, says in (({"p": 0.1}, "'q'"), ({"p": 2, "q": 0}, "no chance")):
        with pytest.raises(ValueError, match=says):
            expected_unserved(table, chances)


def test_pairs_that_were_not_tried_are_counted_and_bounded():
    capacities = (5, 4, 3, 2)
    problem = Problem(
        (Demand("d", 14),),
        tuple(Source(f"o{c}", "m", c, {"provider": (f"p{c}",)}) for c in capacities),
    )
    drill = Drill(problem, solve)
    whole, part = two_by_two(drill, "provider"), two_by_two(drill, "provider", 2)
    assert (len(whole.outcomes), whole.left_out, whole.floor) == (6, 0, 1)
    assert [o.served for o in part.outcomes] == [5, 6]
    assert part.left_out == 4
    untried = {o.name: o.share for o in whole.outcomes} | {}
    for outcome in part.outcomes:
        del untried[outcome.name]
    assert min(untried.values()) >= part.floor == Fraction(7, 14)


def test_a_solver_that_is_wrong_is_found_out():
    def lazy(programme: Programme) -> Solution:
        return Solution(0.0, (0.0,) * len(programme.gains), (0.0,) * len(programme.rows))

    def greedy(programme: Programme) -> Solution:
        return Solution(99.0, (99.0,) * len(programme.gains), (0.0,) * len(programme.rows))

    for wrong, says in ((lazy, "not the most"), (greedy, "breaks a limit")):
        with pytest.raises(Unsolved, match=says):
            Drill(small(), wrong)


def test_a_programme_without_an_answer_is_an_error():
    for rows, says in (((), "Unbounded"), ((Row(-1.0, ((0, 1.0),)),), "Infeasible")):
        with pytest.raises(Unsolved, match=says):
            solve(Programme((1.0,), rows))


def test_without_highs_a_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "highspy", None)
    with pytest.raises(Unsolved, match=r"allmende\[observatory\]"):
        solve(Programme((1.0,), (Row(1.0, ((0, 1.0),)),)))
