"""The command line against a market that really runs: what it does, says, and exits with."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from allmende.cli import COMMANDS, main
from allmende.lab.served import Served

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("market")
    with Served(folder / "data", "--no-local-model", "--no-starter") as served:
        yield served


@pytest.fixture(scope="module")
def run(market: Served) -> Run:
    """`allmende words…` with the administrator's key; must exit with `code`."""

    def run_(*words: str, code: int = 0, env: dict[str, str] | None = None) -> Result:
        given = {"ALLMENDE_URL": market.url, "ALLMENDE_KEY": market.key, **(env or {})}
        result = CliRunner().invoke(main, list(words), env=given)
        assert result.exit_code == code, result.output + result.stderr
        return result

    return run_


def test_an_organisation_is_set_up_by_commands_alone(run: Run, market: Served) -> None:
    assert "added" in run("member", "add", "uni", "--name", "University").output
    run("member", "add", "physics", "--home", "uni")
    run("deposit", "uni", "12.5", "--reference", "INV 1")
    run("budget", "add", "uni", "--owner", "uni", "--limit", "10", "--period", "term")
    run("budget", "add", "lab", "--parent", "uni", "--limit", "2")
    run("budget", "set", "lab", "1.5")
    run("budget", "set", "lab", "none")
    tree = {row["id"]: row for row in json.loads(run("budget", "list", "--json").output)}
    assert (tree["uni"]["limit"], tree["lab"]["limit"], tree["lab"]["depth"]) == ("10", None, 1)
    assert "  lab" in run("budget", "list").output
    issued = run("key", "issue", "uni", "--budget", "lab", "--id", "first", "--model", "m").output
    secret = issued.split()[-1]
    assert market.get("me", secret)["key"]["models"] == ["m"]
    assert "first" in run("key", "list").output
    run("key", "revoke", "first")
    assert "first" not in run("key", "list").output
    assert "12.5" in run("balance", "uni").output


def test_titles_and_offers_come_and_go(run: Run) -> None:
    run("member", "add", "host", "--kind", "provider")
    run("title", "add", "t", "--owner", "host", "--share", "author:host:100000")
    words = ["offer", "post", "o", "--provider", "host", "--title", "t", "--model", "m"]
    words += ["--address", "https://8.8.8.8/v1", "--country", "SWE", "--input", "0.15"]
    run(*words, "--output", "0.6", "--capacity", "3", "--secret", "sk-1", "--active-b", "8")
    (row,) = json.loads(run("offer", "list", "--json").output)
    assert row["tariff"] == {"input": "0.15", "output": "0.6"}
    assert row["energy"]["output_nj"][0] > 0
    assert "0.15" in run("offer", "list").output
    assert json.loads(run("title", "list", "--json").output)[0]["waterfall"][0]["ppm"] == 100_000
    shown = run("title", "show", "t").output
    assert "author host 10 %" in shown
    assert "none: `allmende title mint`" in shown
    assert json.loads(run("title", "show", "t", "--json").output)["chain"] is None
    assert "No title 'x'" in run("title", "show", "x", code=1).stderr
    assert "lacks 'withdraw'" in run("title", "mint", "t", "--royalty", "2.5", code=1).stderr
    assert "no percentage" in run("title", "mint", "t", "--royalty", "half", code=2).stderr
    run("offer", "withdraw", "o")
    assert "No offers yet" in run("offer", "list").output


def test_own_credit_is_registered_minted_and_moved(run: Run) -> None:
    run("member", "add", "coop")
    run("member", "add", "baker", "--home", "coop")
    run("asset", "register", "loaf", "--issuer", "coop")
    run("mint", "coop", "5", "--asset", "loaf")
    run("transfer", "coop", "baker", "2", "--asset", "loaf")
    rows = json.loads(run("balance", "baker", "--json").output)
    assert [(row["asset"], row["balance"]) for row in rows] == [("loaf", "2")]


def test_rules_batches_and_totals_are_told(run: Run) -> None:
    run("parameter", "set", "levy_ppm", "20000", "--effective", "2099-01-01")
    (row,) = (
        row
        for row in json.loads(run("parameter", "list", "--json").output)
        if row["name"] == "levy_ppm"
    )
    assert (row["value"], row["scheduled"][0]["value"]) == (10_000, 20_000)
    assert "Nothing to close" in run("batch", "close").output
    assert "No batch is closed yet" in run("batch", "list").output
    assert "No receipts yet" in run("receipt", "list").output
    assert "Nothing yet" in run("observe").output


def test_quickstart_says_the_three_lines(run: Run, market: Served) -> None:
    said = run("quickstart", "--id", "quick").output
    assert f'base_url="{market.url}/v1"' in said
    made = json.loads(run("quickstart", "--id", "quick2", "--json").output)
    assert market.get("me", made["key"])["member"]["id"] == "quick2"


def test_errors_say_what_to_do_and_exit_with_their_code(run: Run, market: Served) -> None:
    assert "No budget 'nope'" in run("budget", "set", "nope", "1", code=1).stderr
    assert "amount" in run("deposit", "uni", "many", "--reference", "x", code=1).stderr
    assert "give one of them" in run("budget", "add", "x", code=2).stderr
    assert "Usage" in run("member", "add", code=2).stderr
    nobody = run("balance", code=3, env={"ALLMENDE_URL": "http://127.0.0.1:1"})
    assert "allmende serve" in nobody.stderr
    assert "ALLMENDE_KEY" in run("balance", code=1, env={"ALLMENDE_KEY": ""}).stderr
    assert "unknown" in run("balance", code=1, env={"ALLMENDE_KEY": "alm_x"}).stderr
    assert (
        "ROLE:MEMBER:PPM"
        in run("title", "add", "x", "--owner", "uni", "--share", "author", code=2).stderr
    )
    assert "is no address" in run("balance", code=2, env={"ALLMENDE_URL": "nonsense"}).stderr


def test_help_names_every_command_and_every_command_exists(run: Run) -> None:
    said = run("--help").output
    for name in COMMANDS:
        assert name in said
        assert "Usage" in run(name, "--help").output
