"""`allmende drill exit`: a member, or a whole market, leaves, and is served elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner, Result
from provided import provider

from allmende.cli import main
from allmende.lab.crash import body, furnish
from allmende.lab.served import Served

STEPS = {
    "member": ["export", "start", "import", "money", "request", "verify"],
    "market": ["export", "import", "start", "request", "verify"],
}


class Ground(NamedTuple):
    market: Served
    spending: str


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("market") / "data"
    served = Served(folder, "--allow-private", "--no-local-model", "--no-starter")
    with provider() as url, served as market:
        spending = furnish(market, url)
        market.ask("post_offer", sealed(market, url))
        for _ in range(3):
            market.post("v1/chat/completions", body("m", 4, stream=False), spending)
        yield Ground(market, spending)


def sealed(market: Served, url: str) -> dict[str, object]:
    """The same offer, with a provider's key."""
    names = ("id", "provider", "title", "model", "asset", "tariff")
    row = next(row for row in market.get("offers") if row["id"] == "word")
    more = {"zone": {"country": "DEU"}, "url": url, "allow_private": True, "secret": "sk-word"}
    return {**{name: row[name] for name in names}, **more}


def drill(ground: Ground, *words: str, code: int = 0, key: str = "") -> Result:
    market = ground.market
    where = ["--url", market.url, "--key", key or market.key, "--spending-key", ground.spending]
    where += ["--data", str(market.data)]
    result = CliRunner().invoke(main, ["drill", "exit", *where, *words])
    assert result.exit_code == code, result.output + result.stderr
    return result


@pytest.mark.parametrize("of", STEPS)
def test_one_can_leave_and_it_is_timed(ground: Ground, of: str) -> None:
    words = ["--member", "payer"] if of == "member" else []
    before = ground.market.get("audit")["head"]
    said = json.loads(drill(ground, *words, "--json").output)
    assert [step["name"] for step in said["steps"]] == STEPS[of]
    assert said["ok"]
    assert said["receipts"] == 3
    assert all(step["seconds"] > 0 for step in said["steps"])
    assert ground.market.get("audit")["head"] == before
    last = (ground.market.data / "exits.jsonl").read_text().splitlines()[-1]
    assert json.loads(last)["of"] == of
    assert "payer" not in json.loads(last)
    if of == "member":
        assert any("To bring" in line and "of payer" in line for line in said["left"])
        assert any("provider's key of offer word" in line for line in said["left"])


def test_what_stands_in_the_way_is_said_and_fails(ground: Ground) -> None:
    kept = ground.market.data / "exits.jsonl"
    before = kept.read_text() if kept.exists() else ""
    assert "No member 'nobody'" in drill(ground, "--member", "nobody", code=1).stderr
    assert "No offer chats" in drill(ground, "--model", "none", code=1).stderr
    assert (kept.read_text() if kept.exists() else "") == before, "asked wrongly is no drill"
    said = drill(ground, "--member", "host", code=1).output
    assert "FAIL at request: 401 unknown_key" in said
    last = json.loads(kept.read_text().splitlines()[-1])["steps"][-1]
    assert (last["name"], last["ok"]) == ("request", False)


def test_a_member_is_exported_verified_and_refused_where_its_key_works_already(
    ground: Ground, tmp_path: Path
) -> None:
    file, where = str(tmp_path / "p.zip"), ["--url", ground.market.url, "--key", ground.market.key]

    def run(*words: str, code: int = 0) -> Result:
        result = CliRunner().invoke(main, ["market", *words])
        assert result.exit_code == code, result.output + result.stderr
        return result

    said = json.loads(run("export-member", "payer", "--out", file, *where, "--json").output)
    assert (said["members"], said["receipts"], said["bring"]) == (["payer"], 3, 1)
    key = said["public_key"]
    assert json.loads(run("verify", file, "--public-key", key, "--json").output)["keys"] == 1
    assert "with the key" in run("verify", file, "--public-key", "00", code=1).stderr
    assert "there already" in run("export-member", "payer", "--out", file, *where, code=1).stderr
    again = run("import-member", file, "--prefix", "x-", *where, code=1)
    assert "works here already, as 'k'" in again.stderr
    assert "not THERE=HERE" in run("import-member", file, "--asset", "x", *where, code=2).stderr
    (tmp_path / "keys.json").write_text("[]")
    words = ("import-member", file, "--secrets", str(tmp_path / "keys.json"), *where)
    assert "no JSON of offers to keys" in run(*words, code=1).stderr


def test_another_markets_directory_is_not_taken(ground: Ground, tmp_path: Path) -> None:
    market = ground.market
    words = ["drill", "exit", "--url", market.url, "--key", market.key, "--data", str(tmp_path)]
    result = CliRunner().invoke(main, [*words, "--spending-key", ground.spending])
    assert result.exit_code == 1
    assert "is not the directory of the market" in result.stderr
