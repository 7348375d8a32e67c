"""The race monitor: growth, leads and concentration are what slow and obvious ways say."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from math import exp, log, sqrt
from pathlib import Path
from statistics import NormalDist
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from allmende.adapters.race_files import dated
from allmende.cli import main
from allmende.doors.words import load
from allmende.measure.race import PLANS, Given, Missing, Panel, Tongue, monitor
from allmende.measure.race_compute import (
    LIKELY,
    chip_hhi,
    chip_quarters,
    held,
    inequality,
    market,
    quarters,
    standing,
)
from allmende.measure.race_data import Cluster, Holding, Model
from allmende.measure.race_fit import Published, fit, student, verdict
from allmende.measure.race_lead import Span, lead, median, others, spans

SHARED = Path(__file__).parent.parent.parent / "shared/data"
needs_data = pytest.mark.skipif(not SHARED.is_dir(), reason="no shared data folder beside us")
DAY = date(2025, 6, 30)
EMPTY = Given(rules=dated(date(2026, 11, 21)), files={})


def cluster(name: str, h100: float, owners: Sequence[str] = ("A",), **more: object) -> Cluster:
    fields = {
        "status": "Existing", "certainty": "Confirmed", "countries": ("USA",), "until": None,
        "since": date(2020, 1, 1), "mw": None, "usd": None, "repeats": False, "after": "",
    }  # fmt: skip
    return Cluster(name=name, h100=h100, owners=tuple(owners), **{**fields, **more})  # type: ignore[arg-type]


def model(name: str, day: date, flop: float, *countries: str, makers: str = "x") -> Model:
    return Model(
        name=name, day=day, makers=tuple(makers.split(",")), countries=countries, flop=flop,
        usd=None, watts=None, confidence="", frontier=True,
    )  # fmt: skip


# Growth ---------------------------------------------------------------------------------


def test_growth_of_the_worked_number():
    found = fit(
        [(date(2020, 1, 1) + timedelta(days=round(365.2425 * n)), 3.0**n) for n in range(4)]
    )
    assert found is not None
    assert found.rate == pytest.approx(3, rel=1e-3)
    assert found.low <= found.rate <= found.high
    assert found.high - found.low < 0.02


@given(st.lists(st.tuples(st.integers(0, 5000), st.floats(1e-6, 1e6)), min_size=4, max_size=30))
def test_a_change_of_unit_changes_no_rate(rows: list[tuple[int, float]]):
    points = [(date(2010, 1, 1) + timedelta(days=n), value) for n, value in rows]
    ours, other = fit(points), fit([(day, 1000 * value) for day, value in points])
    if ours is None or other is None:
        assert len({day for day, _ in points}) == 1
        return
    assert log(ours.rate) == pytest.approx(log(other.rate), rel=1e-6, abs=1e-6)
    assert ours.low <= ours.rate <= ours.high


def test_the_interval_is_the_textbooks():
    """y = 2x with errors 1, -1, -1, 1 on ln y: slope and its error by hand."""
    errors = (0.1, -0.1, -0.1, 0.1)
    points = [(date.fromordinal(730_000 + 365 * n), exp(n + e)) for n, e in enumerate(errors)]
    found = fit(points)
    assert found is not None
    slope = 1.0 / 365
    deviation = sqrt(sum(e * e for e in errors) / 2 / (365**2 * 5))
    reach = 2.92 * deviation  # Student's t, two degrees of freedom, 90 %
    assert log(found.rate) == pytest.approx(slope * 365.2425, rel=1e-6)
    assert log(found.high) == pytest.approx((slope + reach) * 365.2425, rel=0.02)


@pytest.mark.parametrize(
    ("freedom", "published"), [(5, 2.015), (10, 1.812), (30, 1.697), (100, 1.660)]
)
def test_student_is_the_printed_table(freedom: int, published: float):
    assert student(freedom) == pytest.approx(published, abs=0.003)


def test_student_ends_in_the_normal():
    assert student(10**9) == pytest.approx(NormalDist().inv_cdf(0.95))


def test_the_verdict_is_not_forced():
    points = [(date(2020 + n, 1, 1), 4.0**n * (1.1 if n % 2 else 0.9)) for n in range(5)]
    found = fit(points)
    assert found is not None
    assert verdict(found, Published(found.rate, found.rate, found.rate, "")) == "inside"
    assert verdict(found, Published(found.high + 1, found.high - 0.01, 99, "")) == "overlap"
    assert verdict(found, Published(99, 98, 100, "")) == "outside"


def test_what_cannot_be_fitted_is_none_or_refused():
    day = date(2020, 1, 1)
    assert fit([(day, 1.0), (day, 2.0), (day, 3.0), (day, 4.0)]) is None
    assert fit([(day, 1.0)]) is None
    with pytest.raises(ValueError, match="above zero"):
        fit([(day, 0.0)])


# Leads ----------------------------------------------------------------------------------


def span(months: float, still: bool = False) -> Span:
    return Span(months, still, model("r", DAY, 1.0), None)


def test_the_median_of_the_worked_number():
    assert median([span(10), span(4), span(12)]) == 10
    assert median([span(10), span(4), span(12, True)]) == 10
    assert median([span(1), span(9, True), span(8, True)]) is None


@given(st.lists(st.floats(0, 200), min_size=1, max_size=30))
def test_without_open_leads_it_is_the_lower_median(months: list[float]):
    assert median([span(m) for m in months]) == sorted(months)[(len(months) - 1) // 2]


@given(st.lists(st.tuples(st.floats(0, 200), st.booleans()), min_size=1, max_size=20))
def test_an_open_lead_never_shortens_the_median(rows: list[tuple[float, bool]]):
    """Against Kaplan and Meier by the definition, months one by one."""
    found = median([span(*row) for row in rows])
    stays, expected = 1.0, None
    for at in sorted({months for months, still in rows if not still}):
        risk = sum(months >= at for months, _ in rows)
        stays *= 1 - sum(months == at and not still for months, still in rows) / risk
        if stays <= 0.5 + 1e-9 and expected is None:
            expected = at
    assert found == expected


def test_leads_count_from_a_record_to_the_first_later_equal():
    day = [date(2020, 1, 1), date(2020, 7, 1), date(2021, 1, 1), date(2022, 1, 1)]
    models = [
        model("one", day[0], 10, "USA"),
        model("small", day[1], 9, "CHN"),
        model("reach", day[2], 10, "CHN"),
        model("two", day[2], 20, "USA"),
        model("joint", day[3], 30, "USA", "CHN"),
    ]
    found = spans(models, lambda m: frozenset(m.countries), "USA", "CHN", date(2023, 1, 1))
    assert [(s.record.name, s.by and s.by.name) for s in found] == [
        ("one", "reach"),
        ("two", "joint"),
    ]
    assert found[0].months == pytest.approx(12, abs=0.1)
    assert not spans(models, lambda m: frozenset(m.countries), "CHN", "USA", date(2023, 1, 1))


def test_a_makers_own_next_model_does_not_end_its_lead():
    models = [
        model("one", date(2020, 1, 1), 10, makers="A"),
        model("two", date(2020, 6, 1), 20, makers="A,B"),
        model("three", date(2021, 1, 1), 20, makers="C"),
    ]
    found = others(models, lambda m: frozenset(m.makers), date(2023, 1, 1))
    assert [s.by and s.by.name for s in found] == ["three", "three"]


def test_the_same_seed_gives_the_same_interval():
    rows = [span(float(n), n % 5 == 0) for n in range(12)]
    assert lead(rows) == lead(rows)
    assert lead(rows[:3]) is None


# Compute --------------------------------------------------------------------------------


def test_bounds_of_the_worked_number():
    found = market(
        [cluster("a", 60, ["A"]), cluster("b", 20, ["B"]), cluster("c", 20, [])],
        DAY,
        lambda one: one.owners,
    )
    assert found is not None
    assert found.hhi == pytest.approx((4000, 4000, 6800))
    assert found.unknown == pytest.approx(0.2)
    assert found.cr4 == pytest.approx((0.8, 0.8, 1.0))


@given(
    st.lists(
        st.tuples(st.floats(1, 1e6), st.sampled_from(["A", "B", "C", ""]), st.sampled_from(LIKELY)),
        min_size=1,
        max_size=8,
    ),
    st.data(),
)
def test_no_way_to_name_the_unknown_leaves_the_bounds(
    rows: list[tuple[float, str, str]], data: st.DataObject
):
    clusters = [
        cluster(str(n), h100, [who] if who else [], certainty=sure)
        for n, (h100, who, sure) in enumerate(rows)
    ]
    found = market(clusters, DAY, lambda one: one.owners)
    assert found is not None
    sums: dict[str, float] = {}
    for n, (h100, who, _) in enumerate(rows):
        name = who or data.draw(st.sampled_from(["A", "B", "C", f"new {n}", "new"]))
        sums[name] = sums.get(name, 0.0) + h100
    whole = sum(sums.values())
    hhi = 10_000 * sum((amount / whole) ** 2 for amount in sums.values())
    assert found.hhi.low - 1e-6 <= hhi
    if any(who for _, who, _ in rows):
        top = max((a for n, a in found.amounts.items()), default=0.0)
        assert hhi <= found.hhi.high + 1e-6 or top < whole * found.unknown


def test_a_cluster_counts_once_and_only_while_it_stands():
    clusters = [
        cluster("phase 1", 10, after="phase 2"),
        cluster("phase 2", 20, since=date(2024, 1, 1)),
        cluster("again", 20, repeats=True),
        cluster("plan", 99, status="Planned"),
        cluster("gone", 5, status="Decommissioned", until=date(2023, 1, 1)),
        cluster("rumour", 5, certainty="Unlikely"),
        cluster("no size", 0.0),
        cluster("no date", 5, since=None),
    ]
    assert [one.name for one in standing(clusters, date(2022, 6, 1))] == ["phase 1", "gone"]
    assert [one.name for one in standing(clusters, DAY)] == ["phase 2"]


@given(
    st.lists(st.tuples(st.floats(1, 1e6), st.sampled_from("AB"), st.sampled_from(["USA", "CHN"])))
)
def test_theil_adds_up(rows: list[tuple[float, str, str]]):
    clusters = [cluster(str(n), h, [who], countries=(c,)) for n, (h, who, c) in enumerate(rows)]
    found = inequality(clusters, DAY, {})
    if found is None:
        assert not rows
        return
    assert found.within + found.between == pytest.approx(found.total, abs=1e-9)


def test_quarters_are_their_last_days():
    assert quarters(date(2024, 11, 1), date(2025, 6, 30)) == [
        date(2024, 12, 31),
        date(2025, 3, 31),
        DAY,
    ]


def holding(owner: str, median: float, low: float, high: float, **more: object) -> Holding:
    triple = (median, low, high)
    fields = {"maker": "N", "day": DAY, "incomplete": False, **more}
    return Holding(owner=owner, h100=triple, mw=triple, **fields)  # type: ignore[arg-type]


def test_chips_carry_their_intervals():
    rows = [holding("A", 60, 50, 72), holding("B", 20, 10, 40), holding("China", 20, 15, 25)]
    found = chip_hhi(held(rows, ["N"], DAY))
    assert found.middle == pytest.approx(4400)
    assert found.low < 4000 < found.middle < found.high
    sure = chip_hhi(held([holding("A", 60, 60, 60), holding("B", 40, 40, 40)], ["N"], DAY))
    assert sure == pytest.approx((5200, 5200, 5200))


def test_a_quarter_counts_if_every_maker_is_complete():
    early = date(2025, 3, 31)
    rows = [
        holding("A", 1, 1, 1, day=early),
        holding("A", 1, 1, 1),
        holding("A", 1, 1, 1, maker="M"),
        holding("B", 1, 1, 1, maker="M", day=early, incomplete=True),
    ]
    assert chip_quarters(rows, ["N"]) == [early, DAY]
    assert chip_quarters(rows, ["N", "M"]) == [DAY]


# Panels ---------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "de"])
def test_without_data_every_panel_says_what_it_needs(language: str):
    found = monitor(EMPTY, Tongue(load()[language], language))
    lacking = {one.key: one.needs for one in found if isinstance(one, Missing)}
    assert len(found) == len(PLANS)
    assert [one.key for one in found if isinstance(one, Panel)] == ["capital"]
    assert lacking["lead"] == ("models",)
    assert lacking["prices"] == ("tokens", "gold")


def test_little_data_is_drawn_or_said_to_be_too_little():
    given = Given(
        rules=EMPTY.rules,
        files={},
        clusters=[cluster("a", 60), cluster("b", 1, [], countries=(), since=DAY)],
        chips=[holding("A", 60, 50, 72)],
        models=[model("m", DAY, 1e24, "USA")],
    )
    found = monitor(given, Tongue(load()["de"], "de"))
    panels = {one.key: one for one in found if isinstance(one, Panel)}
    assert {"owners", "places", "spread", "theil", "chips", "megawatts"} <= panels.keys()
    assert {one.key for one in found if isinstance(one, Missing) and not one.needs} >= {
        "compute",
        "lead",
    }
    for one in panels.values():
        ElementTree.fromstring(one.svg)
        assert one.definition
        assert one.denominator
        assert one.table


def test_the_command_says_which_file_and_row_is_wrong(tmp_path: Path):
    (tmp_path / "gold.csv").write_text("Date,Price\n2024-01-01,2000\n2024-02-01,much\n")
    out = tmp_path / "out"
    found = CliRunner().invoke(main, ["observatory", "race", str(tmp_path), "--out", str(out)])
    assert found.exit_code == 1
    assert "gold.csv:3: Price: 'much' is no price" in found.stderr
    assert not out.exists()


def test_the_command_draws_what_it_can(tmp_path: Path):
    (tmp_path / "carbon.csv").write_text(
        "Google Cloud Region,Location,Google CFE,Grid carbon intensity (gCO2eq / kWh)\n"
        "europe-north2,Stockholm,0.99,3\nasia-south1,Mumbai,0.1,679\n"
    )
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    out = tmp_path / "out"
    arguments = ["observatory", "race", str(tmp_path), "--out", str(out), "--language", "de"]
    found = CliRunner().invoke(main, arguments)
    assert found.exit_code == 0, found.output
    assert "other.csv is of no kind" in found.stderr
    assert "lead: not drawn, needs models." in found.stdout
    names = {path.name for path in out.iterdir()}
    assert names == {
        *("carbon.svg", "carbon.csv", "capital.svg", "capital.csv"),
        *("index.html", "summary.md"),
    }
    page = (out / "index.html").read_text()
    assert "Apache 2.0" in page
    assert "Stockholm" in page


@needs_data
def test_the_real_files_give_every_panel(tmp_path: Path):
    arguments = ["observatory", "race", str(SHARED), "--out", str(tmp_path)]
    found = CliRunner().invoke(main, arguments)
    assert found.exit_code == 0, found.output
    assert "not drawn" not in found.stdout
    assert len(list(tmp_path.glob("*.svg"))) == len(PLANS)
    rates = (tmp_path / "rates.csv").read_text().splitlines()
    assert any(line.startswith("compute,frontier,4.5") and "inside" in line for line in rates)
    assert any(line.startswith("cost,frontier,2.3") and "inside" in line for line in rates)
