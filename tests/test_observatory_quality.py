"""The third weight: tokens counted by what their models reached on an imported benchmark."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from doors import Doors

from allmende.adapters.price_files import PriceFiles, read
from allmende.adapters.price_formats import SCORES
from allmende.adapters.scores import scores_kept
from allmende.doors.observatory.sellers import ALL, Market, Quality, by_benchmark
from allmende.measure.concentration import hhi_of_ranges
from allmende.measure.figure import Undefined
from allmende.measure.value import UNKNOWN

HEAD = "date,benchmark,model,score,source\n"
FILE = (
    HEAD
    + "2026-01-01,MMLU,smol,50,a test\n2026-02-01,MMLU,smol,80,a test\n"
    + "2026-01-01,MMLU,n,20,a test\n2026-01-01,drift,m,-1,a test\n"
)


def market(segment: str, **tokens: int) -> Market:
    cells = {name: {"receipts": n, "tokens": n, "credit": n} for name, n in tokens.items()}
    return Market("serving", segment, sum(tokens.values()), cells)


MARKETS = [market("m", a=30), market("n", a=10, b=60), market(ALL, a=40, b=60)]
WHOLE = MARKETS[-1]


def imported(data: Path, folder: Path) -> None:
    file = folder / "scores.csv"
    file.write_text(FILE)
    PriceFiles(data).keep(read(file, date(2026, 11, 1)), "scores.csv", datetime.now(UTC))


def test_the_latest_score_counts_and_a_benchmark_below_zero_weighs_nothing(tmp_path: Path) -> None:
    imported(tmp_path / "data", tmp_path)
    assert by_benchmark(scores_kept(tmp_path / "data")()) == {"MMLU": {"n": 20, "smol": 80}}


def test_tokens_count_by_their_models_score() -> None:
    found = Quality(MARKETS, {"m": 80, "n": 20}).of(WHOLE)
    assert found == {"a": (2_600, 2_600), "b": (1_200, 1_200)}
    assert hhi_of_ranges(found)[0] == pytest.approx(10_000 * (2_600**2 + 1_200**2) / 3_800**2)
    assert Quality(MARKETS, {"m": 80}).of(MARKETS[0]) == {"a": (2_400, 2_400)}


def test_without_scores_or_sellers_there_is_no_figure() -> None:
    with pytest.raises(Undefined, match="index import"):
        Quality(MARKETS, {"other": 1}).of(WHOLE)
    hidden = [market("m", **{UNKNOWN: 30}), *MARKETS[1:]]
    for parts in (hidden, MARKETS[1:]):
        with pytest.raises(Undefined, match="who sold it"):
            Quality(parts, {"m": 80, "n": 20}).of(WHOLE)


def test_a_damaged_history_is_as_good_as_none_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    imported(tmp_path / "data", tmp_path)
    kept = PriceFiles(tmp_path / "data").folder / SCORES.file
    kept.write_text(kept.read_text() + "tomorrow,MMLU,smol,much,a test\n")
    with caplog.at_level(logging.WARNING):
        assert scores_kept(tmp_path / "data")() == ()
    assert "Remove it and import again" in caplog.text


def test_the_page_counts_by_imported_scores(tmp_path: Path) -> None:
    with Doors(tmp_path) as doors:
        doors.furnish()
        doors.receipts()
        cookie = doors.sign_in(doors.admin)
        before = figures(doors, cookie)
        assert before["serving, all, quality"]["low"] == ""
        assert "index import" in before["serving, all, quality"]["why"]
        imported(Path(doors.market.settings.data), tmp_path)
        after = figures(doors, cookie)
        assert float(after["serving, all, quality"]["low"]) == 10_000, "one host sold it all"
        page = doors.get("/observe/concentration?weight=quality", headers={"cookie": cookie}).text
        assert "MMLU" in page
        assert doors.get("/observe/concentration?benchmark=none").status == 422


def figures(doors: Doors, cookie: str) -> dict[str, dict[str, str]]:
    rows = doors.rows("concentration.figures", cookie)
    return {row["of"]: row for row in rows if row["key"] == "hhi"}
