"""Elasticities of substitution out of a market's own days, against a market made to have one."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from allmende.adapters.demand_facts import Day, daily, models
from allmende.adapters.views_schema import connect
from allmende.cli import main

SOLD = [
    *(("steady", f"2026-11-0{day}", "m", 1_600, 1_600) for day in (1, 2, 3)),
    *(("steady", f"2026-11-0{day}", "m", 800, 800) for day in (1, 2, 3)),
    ("dearer", "2026-11-01", "m", 2_400, 2_400),
    ("dearer", "2026-11-02", "m", 600, 1_200),
    ("dearer", "2026-11-03", "m", 150, 600),
    ("gratis", "2026-11-01", "m", 500, 0),
    ("steady", "2026-11-01", "other", 7, 7),
]
"""As the price of `dearer` doubles, its tokens fall to a quarter: sigma is 2."""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    with closing(connect(tmp_path / "views.sqlite")) as db:
        names = [row[1] for row in db.execute("PRAGMA table_info(usage)")]
        for number, (provider, day, model, tokens, price) in enumerate(SOLD):
            given = {"provider": provider, "day": day, "model": model, "output": tokens}
            given |= {"price": str(price), "asset": "credit", "account": f"a{number}"}
            row = [given.get(name, 0) for name in names]
            db.execute(f"INSERT INTO usage VALUES ({', '.join('?' * len(row))})", row)
        db.commit()
    return tmp_path


def asked(data: Path, *words: str) -> str:
    done = CliRunner().invoke(
        main, ["observatory", "substitution", *words, "--data", str(data)], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    return done.output


def test_days_are_summed_by_provider_and_what_is_free_is_left_out(data: Path) -> None:
    views = data / "views.sqlite"
    days = daily(views, "m", "credit")
    assert list(days) == ["dearer", "steady"]
    assert days["steady"]["2026-11-02"] == Day(2_400, 2_400)
    assert models(views) == ["m", "other"]


def test_the_elasticity_that_the_market_was_made_with_is_found(data: Path) -> None:
    told = json.loads(asked(data, "m", "--json"))
    (pair,) = told["pairs"]
    assert (pair["one"], pair["other"], pair["days"]) == ("dearer", "steady", 3)
    assert (pair["sigma"], pair["error"]) == ("2.00", "0.00")
    own = {(row["tokens_of"], row["price_of"]): float(row["percent"]) for row in told["cross"]}
    assert own["dearer", "dearer"] < 0 < own["dearer", "steady"]
    assert "An association" in asked(data, "m")


def test_one_provider_and_no_sale_are_said(data: Path) -> None:
    assert "One provider alone" in asked(data, "other")
    words = ["observatory", "substitution", "none", "--data", str(data)]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 1
    assert "m, other" in done.output
