"""The levy: what the commons took and paid is the ledger's, in the journal and in the tables."""

from __future__ import annotations

import asyncio
import csv
import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from test_lab_fork import busy
from test_views_fold import folded
from views_history import Market, frames, write

from allmende.adapters.views import SqliteViews
from allmende.cli import main
from allmende.core import charter_commands as h
from allmende.core import commands as c
from allmende.core import events as e
from allmende.core.charter import Decision
from allmende.core.ledger import COMMONS, balance
from allmende.core.units import PPM, SECOND, Units, credits, pico
from allmende.doors.levy import levy
from allmende.lab.world import World
from allmende.main import JOURNAL
from allmende.measure.levy import Levy

ASSEMBLY = "0x" + "a5" * 20


def spent() -> tuple[World, int]:
    """A market that took 1 %, then 2 %, and granted a third of it."""
    world = busy([(1_000, 256, True), (1_000, 256, False)])
    world.now += SECOND
    world.do(c.SetParameter(name="levy_ppm", value=20_000))
    world.reserve("late")
    world.capture("late", Units(input=1_000, output=256))
    world.do(h.GiveCharter(assembly=ASSEMBLY, chain_id=1))
    third = (balance(world.state, COMMONS, "credit") - 2) // 3
    world.do(h.Enact(decision=Decision(1, "grant", "ada", third, world.now)))
    world.do(h.Enact(decision=Decision(2, "grant", "ada", 10**20, world.now)))
    return world, third


def taken(events: list[e.Event]) -> Levy:
    found = Levy()
    for event in events:
        found.take(event)
    return found


def test_income_is_told_by_the_rate_in_force_and_is_the_balance() -> None:
    world, third = spent()
    found = taken(world.events)
    one, two = found.spans()
    price = 1_000 * 100_000 + 256 * 400_000
    assert (one.levy_ppm, one.receipts, one.volume) == (10_000, 2, 2 * price)
    assert one.income == one.balance == 2 * (price * 10_000 // PPM)
    assert (two.levy_ppm, two.receipts, two.income) == (20_000, 1, price * 20_000 // PPM)
    assert (two.grants, one.until, two.until) == (third, two.since, None)
    assert found.balances() == {"credit": balance(world.state, COMMONS, "credit")}
    assert [(grant.member, grant.amount) for grant in found.grants] == [("ada", third)]


def test_of_any_market_income_less_what_went_out_is_the_balance() -> None:
    market = Market(3).run(600)
    found = taken(market.events)
    for asset, amount in found.balances().items():
        assert amount == balance(market.state, COMMONS, asset)
        spans = [span for span in found.spans() if span.asset == asset]
        assert sum(s.income - s.grants + s.other for s in spans) == amount
        assert spans[-1].balance == amount


def told(folder: Path, world: World | Market) -> dict[str, Any]:
    views = SqliteViews(folded(folder, world.events))

    async def ask() -> dict[str, Any]:
        try:
            return await levy(views, world.state)
        finally:
            await views.close()

    return asyncio.run(ask())


def test_everybody_is_told_the_same_by_month(tmp_path: Path) -> None:
    world, third = spent()
    found = told(tmp_path, world)
    (account,) = found["balances"]
    assert pico(account["balance"]) == balance(world.state, COMMONS, "credit")
    assert pico(account["income"]) + pico(account["waiting"]) - third == pico(account["balance"])
    assert found["spent"][0]["amount"] == credits(third) == account["spent"]
    assert found["spent"][0]["reference"] == "decision 1"
    assert [row["ppm"] for row in found["rates"]] == [10_000, 20_000]
    assert (found["rate_ppm"], found["months"][0]["receipts"]) == (20_000, 2)
    assert pico(account["waiting"]) > 0, "one receipt waits for its recount"


def test_the_command_holds_a_journal_against_its_ledger(tmp_path: Path) -> None:
    world, third = spent()
    write(tmp_path / JOURNAL, frames(world.events)).close()
    out = tmp_path / "levy.csv"
    words = ["govern", "levy", "--data", str(tmp_path)]
    done = CliRunner().invoke(main, [*words, "--out", str(out)])
    assert done.exit_code == 0, done.output + done.stderr
    assert "It is the ledger's balance." in done.output
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert [row["levy_ppm"] for row in rows] == ["10000", "20000"]
    found = json.loads(CliRunner().invoke(main, [*words, "--json"]).output)
    assert found["granted"][0]["amount"] == credits(third)
    assert found["differs"] == {}
