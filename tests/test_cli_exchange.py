"""The exchange on the command line: issue, look, trade, quote, hold."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from exchange import Exchange

from allmende.cli import main

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    folder: Path = tmp_path_factory.mktemp("exchange")
    with Exchange(folder) as exchange:
        yield exchange


@pytest.fixture
def run(market: Exchange) -> Run:
    """`allmende words…` as `who`; must exit with `code`."""

    def run_(*words: str, who: str = "uni", code: int = 0) -> Result:
        env = {"ALLMENDE_URL": market.url, "ALLMENDE_KEY": getattr(market, who)}
        result = CliRunner().invoke(main, list(words), env=env)
        assert result.exit_code == code, result.output + result.stderr
        return result

    return run_


def test_a_contract_is_issued_minted_and_told_in_sentences(run: Run, market: Exchange) -> None:
    words = ["instrument", "issue", "january", "--offer", "o", "--capacity", "10", "--price", "2"]
    words += ["--start", market.later(60), "--end", market.later(90_000), "--mint", "4"]
    said = run(*words, "--weight", "input:1", "--weight", "output:4", who="host").output
    assert "january is listed. 4 lots are minted; the bond took 10 credits." in said
    run("instrument", "mint", "january", "1", who="host")
    run("instrument", "retire", "january", "2", who="host")
    (row,) = (r for r in json.loads(run("instrument", "list", "--json").output)
              if r["id"] == "january")  # fmt: skip
    assert (row["outstanding"], row["weights"], row["tick"]) == (
        *("3", {"input": "1", "output": "4"}),
        "0.01",
    )
    shown = run("instrument", "show", "january").output
    assert "host owes use of the model 'smol'" in shown
    assert "capacity" in shown
    assert "january" in run("instrument", "list", "--model", "smol").output
    assert "No instruments" in run("instrument", "list", "--model", "none").output
    refused = run("instrument", "mint", "january", "8", who="host", code=1)
    assert "Beyond its capacity: 1 lot of january." in refused.stderr
    assert "METER" in run(*words, "--weight", "output", who="host", code=2).stderr


def test_orders_are_placed_seen_changed_and_cancelled(run: Run) -> None:
    assert "ask-1 stands" in run("order", "sell", "december", "2", "1", "--id", "ask-1",
                                 who="host").output  # fmt: skip
    bought = run("order", "buy", "december", "0.5", "1.05", "--term", "ioc").output
    assert bought == "0.5 lots at 1 credits.\n"
    over = run("order", "buy", "december", "2", "1", "--id", "bid-1").output
    assert over == "1.5 lots at 1 credits.\nOrder bid-1 stands.\n"
    assert run("order", "buy", "december", "1", "0.9", "--term", "ioc", "--id", "gone").output == (
        "Order gone ended: ioc.\n"
    )
    run("order", "amend", "bid-1", "0.25", "1")
    book = run("book", "december").output
    assert "0.25" in book
    assert "last 1, reference 1" in book
    (row,) = json.loads(run("order", "list", "--instrument", "december", "--json").output)
    assert (row["id"], row["left"], row["price"]) == ("bid-1", "0.25", "1")
    assert json.loads(run("book", "december", "--json").output)["bids"] == [["1", "0.25"]]
    assert "not_allowed" not in run("order", "list", who="other").output
    foreign = run("order", "cancel", "bid-1", who="other", code=1)
    assert "needs a manager's key" in foreign.stderr
    assert "bid-1 is cancelled" in run("order", "cancel", "bid-1").output
    run("order", "buy", "december", "1", "0.9")
    assert "1 orders are cancelled" in run("order", "cancel", "--instrument", "december").output
    assert "0 orders are cancelled" in run("order", "cancel", "--all").output
    run("order", "cancel", code=2)
    assert "Nobody bids or asks" in run("book", "december").output
    right = json.loads(run("rights", "--json").output)[0]
    assert (right["lots"], right["value"]) == ("2", "2")
    assert "december" in run("rights").output
    assert "steps of 0.01 credits" in run("order", "buy", "december", "1", "1.001", code=1).stderr


def test_a_price_on_many_lots_is_asked_given_and_taken(run: Run, market: Exchange) -> None:
    asked = run("quote", "ask", "december", "5", "--until", market.later(600)).output.split()[1]
    given = run("quote", "give", asked, "sell", "1.02", who="host").output.split()[1]
    (row,) = json.loads(run("quote", "list", "--request", asked, "--json").output)
    assert (row["id"], row["price"], row["lots"]) == (given, "1.02", "5")
    assert run("quote", "take", given).output == "5 lots at 1.02 credits.\n"
    assert "No quotes" in run("quote", "list").output


def test_a_running_call_says_where_it_would_end(run: Run, market: Exchange) -> None:
    market.ask("open_call", instrument="december", until=market.later(60))
    run("order", "sell", "december", "1", "0.95", who="host")
    run("order", "buy", "december", "1", "1")
    said = run("book", "december").output
    assert "A call collects orders until" in said
    assert "1 lots would trade at" in said
