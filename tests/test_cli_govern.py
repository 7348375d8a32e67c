"""`allmende govern`, as a person runs it against a running market."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from urllib.request import urlopen

import msgspec
import pytest
from chains import serve
from click.testing import CliRunner, Result
from doors import Doors
from test_lab_fork import busy
from views_history import frames, write

from allmende.cli import main
from allmende.core.sortition import draw
from allmende.lab.fork import Change
from allmende.main import JOURNAL
from allmende.main_forks import simulated_lines

Run = Callable[..., Result]
SEED = "5e" * 32


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Address and administrator's key."""
    with Doors(tmp_path_factory.mktemp("market")) as doors:
        serving = serve(doors.market.app)
        yield doors.run(serving.__aenter__()), doors.admin
        doors.run(serving.__aexit__(None, None, None))


@pytest.fixture(scope="module")
def run(market: tuple[str, str]) -> Run:
    """`allmende words…` with the administrator's key; must exit with `code`."""

    def run_(*words: str, code: int = 0) -> Result:
        given = dict(zip(("ALLMENDE_URL", "ALLMENDE_KEY"), market, strict=True))
        result = CliRunner().invoke(main, list(words), env=given)
        assert result.exit_code == code, result.output + result.stderr
        return result

    return run_


@pytest.fixture(scope="module")
def people(run: Run) -> list[str]:
    names = [f"p{place}" for place in range(6)]
    for name in names:
        run("member", "add", name, "--kind", "person")
    run("member", "add", "host", "--kind", "provider")
    return names


def test_a_jury_is_called_drawn_and_drawn_again(run: Run, people: list[str]) -> None:
    assert "No jury yet" in run("govern", "jury").output
    said = run("govern", "jury", "3", "--source", "lottery of 1 December").output
    assert "jury-1 is called: 3 of" in said
    assert "not drawn yet" in run("govern", "jury", "--check", "jury-1", code=1).stderr
    assert "lottery" in run("govern", "jury", "--draw", "jury-1", code=1).stderr
    assert "in hex" in run("govern", "jury", "--draw", "jury-1", "--seed", "x", code=1).stderr
    run("govern", "jury", "--draw", "jury-1", "--seed", SEED)
    checked = json.loads(run("govern", "jury", "--check", "jury-1", "--json").output)
    assert checked["list"]
    assert checked["draw"]
    (row,) = json.loads(run("govern", "jury", "--json").output)
    pool = tuple((name, stratum) for name, stratum in row["pool"])
    assert set(people) <= set(dict(pool))
    assert "host" not in dict(pool)
    assert tuple(row["drawn"]) == draw(pool, 3, bytes.fromhex(SEED))
    again = json.loads(run("govern", "jury", "3", "--seed", SEED, "--json").output)
    assert again["drawn"] == row["drawn"]


def test_strata_come_from_a_file(run: Run, people: list[str], tmp_path: Path) -> None:
    file = tmp_path / "regions.csv"
    file.write_text("".join(f"{name},{'DEU' if name < 'p4' else 'FRA'}\n" for name in people))
    run("govern", "jury", "3", "--source", "dice", "--strata", str(file))
    rows = json.loads(run("govern", "jury", "--json").output)
    run("govern", "jury", "--draw", rows[0]["id"], "--seed", SEED)
    drawn = json.loads(run("govern", "jury", "--json").output)[0]["drawn"]
    assert sorted(name < "p4" for name in drawn) == [False, True, True]
    file.write_text("p1\n")
    assert (
        "member,stratum"
        in run("govern", "jury", "1", "--seed", "00", "--strata", str(file), code=1).stderr
    )


def test_a_jury_that_cannot_be_is_refused(run: Run, people: list[str]) -> None:
    assert "--block N" in run("govern", "jury", "2", code=2).stderr
    assert "--node" in run("govern", "jury", "2", "--block", "9", code=2).stderr
    assert "1 to" in run("govern", "jury", "99", "--source", "dice", code=1).stderr
    assert "No jury" in run("govern", "jury", "--check", "jury-99", code=1).stderr
    node = ("--block", "9", "--node", "http://127.0.0.1:1/")
    assert "chain" in run("govern", "jury", "2", *node, code=3).stderr


def test_names_are_for_members(market: tuple[str, str], run: Run, people: list[str]) -> None:
    run("govern", "jury", "2", "--source", "dice")
    with urlopen(f"{market[0]}/api/juries", timeout=30) as answer:
        row = json.load(answer)[0]
    assert row["pool"] is None
    assert row["list_sha256"]


def test_a_simulation_of_a_directory_and_of_an_export_are_one(tmp_path: Path, run: Run) -> None:
    world = busy([(100, 50, True), (10, 5, False)])
    write(tmp_path / JOURNAL, frames(world.events)).close()
    out = tmp_path / "effect.csv"
    words = ("govern", "simulate", "operator_fee_ppm", "60000", "--data", str(tmp_path))
    said = run(*words, "--window", "all", "--out", str(out)).output
    assert "is the ledger, to the digest" in said
    rows = list(csv.DictReader(out.read_text().splitlines()))
    gains = {row["of"]: Decimal(row["gains"]) for row in rows if row["by"] == "role"}
    assert gains["operator"] == -gains["host"] > 0
    told = json.loads(run(*words, "--window", "all", "--json").output)
    lines = [line for frame in frames(world.events) for line in frame.body.splitlines()]
    again = simulated_lines(lines, Change("operator_fee_ppm", 60_000), None)
    assert told == json.loads(msgspec.json.encode(again))


def test_a_running_market_is_simulated_beside_itself(run: Run) -> None:
    said = run("govern", "simulate", "levy_ppm", "20000").output
    assert "levy_ppm 10000 -> 20000" in said
    assert "is the ledger" in said
    assert "0 to 100000" in run("govern", "simulate", "levy_ppm", "100001", code=1).stderr
    assert "simulated" in run("govern", "simulate", "breaker_ppm", "2000", code=1).stderr
    bad = run("govern", "simulate", "levy_ppm", "1", "--window", "soon", code=2)
    assert "30d" in bad.stderr
