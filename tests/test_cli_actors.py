"""`allmende observatory actors` against a market that runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import msgspec
import pytest
from click.testing import CliRunner
from msgspec import structs
from test_core_actors import SMALL

from allmende.cli import main
from allmende.lab.served import Served
from allmende.wire.actors import read, to_csv, to_json


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("market")
    with Served(folder / "data", "--no-local-model", "--no-starter") as served:
        served.ask("add_member", {"id": "rhine", "name": "Rhine", "kind": "provider"})
        yield served


def run(market: Served, *words: str, code: int = 0) -> str:
    env = {"ALLMENDE_URL": market.url, "ALLMENDE_KEY": market.key}
    result = CliRunner().invoke(main, ["observatory", "actors", *words], env=env)
    assert result.exit_code == code, result.output + result.stderr
    return result.output + (result.stderr if code else "")


def test_a_registry_goes_in_and_comes_out_as_it_was(market: Served, tmp_path: Path) -> None:
    assert "No registry was imported" in run(market, "list")
    (tmp_path / "all.csv").write_text(to_csv(SMALL))
    said = run(market, "import", str(tmp_path / "all.csv"))
    assert "Version 1: 3 actors, 2 stakes, 2 supplies" in said
    assert run(market, "export") == to_csv(SMALL)
    out = tmp_path / "out.json"
    run(market, "export", "--format", "json", "--out", str(out))
    assert out.read_text() == to_json(SMALL)
    assert "this already" in run(market, "import", str(out))
    shown = run(market, "show", "mine")
    assert "ultimate parent: leaf" in shown
    assert "leaf → mine with 51 % of the votes" in shown
    assert json.loads(run(market, "list", "--json"))[2]["parent"] == "leaf"
    with urlopen(f"{market.url}/api/actors?format=csv") as answer:
        assert answer.read().decode() == to_csv(SMALL)
    with urlopen(f"{market.url}/api/actors") as answer:
        told = json.loads(answer.read())
    assert (told["version"], told["source"]) == (1, "all.csv")


def test_one_bad_row_imports_nothing(market: Served, tmp_path: Path) -> None:
    before = market.get("actors")
    bad = structs.replace(
        SMALL, actors=(*SMALL.actors[:2], structs.replace(SMALL.actors[2], jurisdiction="GER"))
    )
    (tmp_path / "bad.csv").write_text(to_csv(bad))
    said = run(market, "import", str(tmp_path / "bad.csv"), code=1)
    assert "Nothing was imported" in said
    assert "bad.csv:4: jurisdiction: 'GER'" in said
    ghost = structs.replace(SMALL.actors[0], accounts=("ghost",))
    (tmp_path / "ghost.csv").write_text(
        to_csv(structs.replace(SMALL, actors=(ghost, *SMALL.actors[1:])))
    )
    assert "ghost.csv:2: accounts: there is no member 'ghost'" in run(
        market, "import", str(tmp_path / "ghost.csv"), code=1
    )
    assert market.get("actors") == before


def test_a_large_registry_passes_the_door(market: Served, tmp_path: Path) -> None:
    many = [structs.replace(SMALL.actors[0], id=f"x{n}") for n in range(1_500)]
    big = structs.replace(SMALL, actors=(*SMALL.actors, *many))
    (tmp_path / "big.json").write_bytes(msgspec.json.encode(big))
    assert "1503 actors" in run(market, "import", str(tmp_path / "big.json"))
    assert len(read([("x", run(market, "export").encode())]).registry.actors) == 1_503


def test_the_score_of_the_published_example_and_a_gate() -> None:
    levels = [f"SOV-{n}={level}" for n, level in enumerate((2, 1, 3, 2, 1, 3, 3, 2), 1)]
    words = ["observatory", "sovereignty", "score", *levels]
    done = CliRunner().invoke(main, words)
    assert "Score 51.25 of 100, level 1: the lowest of all. eu/csf@2025-10-20" in done.output
    gated = CliRunner().invoke(main, [*words, "--ask", "SOV-5=2"])
    assert gated.exit_code == 1
    assert "Below the gate: SOV-5" in gated.stderr
    part = CliRunner().invoke(main, words[:-1])
    assert "Score 48.75 to 53.75 of 100, level 0" in part.output
    assert CliRunner().invoke(main, [*words, "SOV-1=3"]).exit_code == 2
    assert CliRunner().invoke(main, ["observatory", "sovereignty", "score", "X=1"]).exit_code == 1


def test_reach_and_behind_are_told_by_the_market(market: Served) -> None:
    def told(*words: str) -> str:
        env = {"ALLMENDE_URL": market.url, "ALLMENDE_KEY": market.key}
        done = CliRunner().invoke(main, ["observatory", "sovereignty", *words], env=env)
        return done.output + done.stderr

    assert "No offer stands" in told("behind")
    assert "No such offer stands" in told("reach", "--offer", "x")
    assert "No offer 'x' stands" in told("assurance", "x")
