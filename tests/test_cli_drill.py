"""`allmende drill`: on a copy of a market, and live in one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from click.testing import CliRunner, Result
from msgspec import structs
from provided import provider
from views_history import frames, write

from allmende.cli import main
from allmende.core import commands as c
from allmende.core.actors import Actor, Registry, Supply
from allmende.core.evidence import Floor
from allmende.core.units import DAY, SECOND, Units
from allmende.lab.crash import body, furnish
from allmende.lab.served import Served
from allmende.lab.world import OFFERS, START, World
from allmende.main import JOURNAL
from allmende.measure.alpha2 import ALPHA3, country
from allmende.measure.drills_market import ASSUMED, MEASURED, POOLED, Observed, Terms, picture

Run = Callable[..., Result]
BUSY_S = 100


def busy() -> World:
    """Sixty requests of 1_000 tokens and 100 seconds within an hour, all at `cheap`.

    One at a time makes 36 an hour: `clean`, of the same model, takes one at a time.
    """
    world = World()
    clean = next(offer for offer in OFFERS if offer.id == "clean")
    world.do(c.PostOffer(offer=structs.replace(clean, capacity=1)))
    ids = [f"r{number}" for number in range(60)]
    for first in range(0, 60, 8):
        for id_ in ids[first : first + 8]:
            world.reserve(id_)
        world.now += BUSY_S * SECOND
        for id_ in ids[first : first + 8]:
            world.capture(id_, Units(input=800, output=200))
    return world


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("market")
    write(folder / JOURNAL, frames(busy().events)).close()
    return str(folder)


@pytest.fixture
def run(data: str) -> Run:
    def run_(*words: str, code: int = 0) -> Result:
        result = CliRunner().invoke(main, ["drill", "cut", *words, "--data", data])
        assert result.exit_code == code, result.output + result.stderr
        return result

    return run_


@pytest.mark.parametrize("cut", ["country=DE", "country=deu", "provider=rhine", "offer=cheap"])
def test_a_cut_says_what_is_still_served_and_fails(run: Run, cut: str):
    said = run(cut, code=1).output
    assert "Still served: 36,000 of 60,000 tokens an hour" in said
    assert "R = 60.0 %: FAIL, at least 95.0 % (market/drills@2026-11-21)" in said
    assert "refused requests are in no journal" in said


def test_a_cut_that_others_bear_passes(run: Run):
    said = run("country=SE").output
    assert "takes 2 of 4 offers (clean, gift)" in said
    assert "R = 100.0 %: PASS" in said


def test_the_same_as_json_with_what_each_figure_is_of(run: Run):
    found = json.loads(run("country=DE", "--json", "--home", "SE", code=1).output)
    assert (found["baseline"], found["served"], found["share"]) == (60_000, 36_000, 0.6)
    assert found["unserved"] == {"small": 24_000}
    assert found["pivotal"] == [
        {"kind": "offer", "value": "clean", "tokens": 36_000},
        {"kind": "parent", "value": "Big Inc", "tokens": 36_000},
    ]
    (clean,) = (row for row in found["remains"] if row["offer"] == "clean")
    assert clean["worth"] == 1
    assert (clean["tokens_per_second"], clean["basis"]) == ("10.0", POOLED)
    assert found["sovereign_unit"] is None  # clean is controlled from USA, gift from nobody known
    assert (
        json.loads(run("country=DE", "--json", "--home", "SE,US", code=1).output)["sovereign_unit"]
        == 1
    )


def test_the_mean_hour_is_another_demand(run: Run):
    assert json.loads(run("country=DE", "--per", "mean", "--json", code=1).output)["baseline"] == (
        60_000
    )


def test_all_of_a_kind_is_a_table_with_the_worst_first(run: Run):
    said = run("--all", "provider", code=1).output
    assert said.index("provider=rhine") < said.index("provider=nordic")
    assert said.rstrip().endswith("FAIL")
    found = json.loads(run("--all", "country", "--chance", "0.1", "--json", code=1).output)
    assert found["expected_unserved"] == pytest.approx(2_400)
    assert not found["passed"]


def test_pairs_take_two_at_once(run: Run):
    found = json.loads(run("provider=rhine", "--pairs", "--json", code=1).output)
    assert [(row["cut"], row["served"]) for row in found["cuts"]] == [
        ({"provider": ["nordic", "rhine"]}, 0)
    ]
    assert found["left_out"] == 0


def test_a_model_as_good_may_stand_in(run: Run, tmp_path: Path):
    file = tmp_path / "points.json"
    file.write_text('{"small": 40, "gift": 41}')
    found = json.loads(run("provider=rhine", "--quality", str(file), "--json").output)
    assert found["share"] == 1.0  # gift, 64 at once, at the assumed speed
    file.write_text('{"small": "40"}')
    assert "'small' needs whole points" in run("offer=cheap", "--quality", str(file), code=1).stderr
    file.write_text("no")
    assert "is no JSON" in run("offer=cheap", "--quality", str(file), code=1).stderr


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("country=XX",), 2, "'XX' is no country's code"),
        (("country=FR",), 1, "No offer has country=FRA; there is DEU, SWE."),
        (("planet=mars",), 2, "kinds are provider"),
        (("country",), 2, "is not KIND=VALUE"),
        ((), 2, "Say what to cut"),
        (("chip=nvidia",), 1, "no offer says"),
        (("--all", "cable"), 1, "No offer says its cable"),
        (("country=DE", "offer=cheap", "--pairs"), 2, "--pairs takes one kind"),
        (("country=DE", "--live"), 2, "--live cuts"),
        (("country=DE", "--for", "soon"), 2, "is no time such as 30s"),
        (("--all", "provider", "--chance", "2"), 1, "is no chance"),
    ],
)
def test_what_is_asked_wrongly_says_what_there_is(
    run: Run, words: tuple[str, ...], code: int, says: str
):
    assert says in " ".join(run(*words, code=code).stderr.split())


def test_a_market_without_requests_says_so(tmp_path: Path):
    write(tmp_path / JOURNAL, frames(World().events)).close()
    words = ["drill", "cut", "country=DE", "--data", str(tmp_path)]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 1
    assert "Nothing is served before any cut" in result.stderr


def test_two_letters_and_three_mean_the_same_country():
    assert {country("us"), country("US"), country("usa")} == {"USA"}
    assert len(ALPHA3) == len(set(ALPHA3.values())) == 250
    for two, three in (("DE", "DEU"), ("CN", "CHN"), ("CH", "CHE"), ("AT", "AUT"), ("AU", "AUS")):
        assert country(two) == three
    with pytest.raises(ValueError, match="'UK'"):
        country("UK")


# A market as a problem ----------------------------------------------------------------


def observed(world: World) -> Observed:
    found = Observed()
    for event in world.events:
        found.see(event)
    return found


def test_speeds_say_where_they_are_from():
    world = busy()
    seen = picture(world.state, observed(world), 0, world.now, Terms())
    assert {id_: speed.basis for id_, speed in seen.speeds.items()} == {
        "cheap": MEASURED, "clean": POOLED, "vectors": ASSUMED, "gift": ASSUMED,
    }  # fmt: skip
    capacity = {source.id: source.capacity for source in seen.problem.sources}
    assert (capacity["cheap"], capacity["clean"]) == (8 * 36_000, 36_000)
    assert capacity["gift"] == 64 * 30 * 3_600
    few = picture(world.state, observed(world), 0, world.now, Terms(requests_least=61))
    assert set(few.speeds.values()) == {few.speeds["gift"]}


def test_what_stands_behind_an_offer_comes_from_the_registry():
    world = busy()
    found = observed(world)
    found.registry = Registry(
        actors=(Actor("top", "Top", "USA"), Actor("fab", "Fab", "TWN"),
                Actor("rhine-gmbh", "Rhine", "DEU", accounts=("rhine",))),
        supplies=(Supply("provider", "rhine", "chip", "fab"),
                  Supply("offer", "cheap", "network", "north"),
                  Supply("offer", "cheap", "network", "south")),
    )  # fmt: skip
    seen = picture(world.state, found, 0, world.now, Terms(home=frozenset({"DEU"})))
    tags = {source.id: source.tags for source in seen.problem.sources}
    assert tags["cheap"]["chip"] == ("fab",)
    assert tags["cheap"]["cable"] == ("north", "south")
    assert tags["cheap"]["control"] == ("DEU",)
    assert tags["clean"]["parent"] == ("Big Inc",)
    assert seen.problem.sovereign == {"cheap", "vectors"}


def test_a_budgets_floor_leaves_its_demand_what_the_market_would_leave_it():
    world = busy()
    world.state.floors["physics"] = Floor(min_seal=(("SOV-1", 2),))
    (group,) = picture(world.state, observed(world), 0, world.now, Terms()).problem.demands
    assert (group.id, group.tokens, group.offers) == ("small under a floor", 60_000, frozenset())
    world.state.floors["physics"] = Floor()
    (group,) = picture(world.state, observed(world), 0, world.now, Terms()).problem.demands
    assert (group.id, group.offers) == ("small", None)


def test_a_correction_changes_what_was_wanted():
    world = World()
    world.reserve("r")
    world.now += SECOND
    world.capture("r", Units(input=100, output=100), pending=True)
    world.do(c.Recount(counts=(("r", Units(input=100, output=50)),)))
    (wanted,) = observed(world).hours.values()
    assert wanted == {("small", "physics"): 150}


def test_the_window_leaves_out_what_was_before():
    world = busy()
    found = observed(world)
    assert sum(found.demand("peak", START, world.now).values()) == 60_000
    assert found.demand("peak", world.now + SECOND, world.now) == {}
    assert found.demand("mean", world.now + SECOND, world.now) == {}
    with pytest.raises(ValueError, match="per peak or mean"):
        picture(world.state, found, 0, world.now, Terms(per="day"))


def test_what_is_forgotten_is_what_was_before():
    world = busy()
    found = observed(world)
    whole = found.demand("peak", 0, world.now)
    found.forget(world.now)
    assert (found.demand("peak", 0, world.now), len(found.work)) == (whole, 1)
    found.forget(world.now + 2 * DAY)
    assert (found.hours, found.work) == ({}, {})


# Live ---------------------------------------------------------------------------------


def test_a_live_drill_reroutes_real_requests_and_gives_them_back(tmp_path: Path):
    served = Served(tmp_path / "data", "--allow-private", "--no-local-model", "--no-starter")
    with provider() as home, provider() as abroad, served as market:
        spending = furnish(market, home)
        words = [sys.executable, "-m", "allmende.cli", "drill"]
        where = ["--url", market.url, "--key", market.key]
        cheaper = {
            "id": "abroad", "provider": "host", "title": "word", "model": "word",
            "asset": "credit", "tariff": {"input": "0", "output": "0.5"},
            "zone": {"country": "USA"}, "url": abroad, "allow_private": True,
        }  # fmt: skip
        market.ask("post_offer", cheaper)

        def serves() -> str:
            fields = json.dumps(body("m", 4, stream=False)).encode()
            headers = {"Authorization": f"Bearer {spending}", "Content-Type": "application/json"}
            with urlopen(Request(f"{market.url}/v1/chat/completions", fields, headers)) as answer:
                return str(json.loads(answer.read())["allmende"]["zone"]["country"])

        assert serves() == "USA"
        cut = [*words, "cut", "country=US", "--live", "--for", "3s", *where]
        refused = subprocess.run(cut, capture_output=True, text=True, check=False)
        assert refused.returncode == 1
        assert "set drills_allowed to 1" in refused.stderr
        market.ask("set_parameter", {"name": "drills_allowed", "value": 1})
        drilling = subprocess.Popen(cut, stdout=subprocess.PIPE, text=True)
        seen = []
        while drilling.poll() is None:
            seen.append(serves())
        said, _ = drilling.communicate()
        assert drilling.returncode == 0
        assert serves() == "USA"
        first, last = seen.index("DEU"), len(seen) - seen[::-1].index("DEU")
        assert set(seen[first:last]) == {"DEU"}, "all of it went elsewhere"
        assert "(country=USA): abroad are off the book for 3 s." in said
        assert "at least 0 were refused" in said
        assert "The first answer from elsewhere came " in said
        rows = market.get("drills")
        assert [(row["cause"], row["served"]) for row in rows] == [("over", last - first)]
        listed = subprocess.run([*words, "list", *where], capture_output=True, text=True)
        assert "country=USA" in listed.stdout
