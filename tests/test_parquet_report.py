"""The report over Parquet: against a slow, obvious sum of the same receipts."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest
from observed import directory, events

from allmende.adapters.export import export
from allmende.adapters.parquet_report import BY, gini, hhi, report
from allmende.core import events as e
from allmende.core import exchange_events as x
from allmende.core.nouns import Receipt
from allmende.main import VIEWS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("market")
    export(directory(base / "data") / VIEWS, base / "out", "parquet")
    return base / "out"


def final() -> list[Receipt]:
    kinds = e.Captured | e.Finalised | x.Redeemed
    found = {ev.receipt.id: ev.receipt for ev in events() if isinstance(ev, kinds)}
    return [receipt for receipt in found.values() if receipt.verdict != "pending"]


def test_it_is_what_adding_up_the_receipts_gives(folder: Path) -> None:
    found = report(folder)
    earned: dict[str, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    spent: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for receipt in final():
        spent[receipt.asset][receipt.account] += receipt.price
        for line in receipt.waterfall:
            values = {
                "role": line.role,
                "account": line.account,
                "model": receipt.model,
                "country": receipt.zone.country,
            }
            for by, value in values.items():
                sums = earned[receipt.asset][by]
                sums[value] = sums.get(value, 0) + line.amount
    for asset, mine in found.assets.items():
        assert dict(mine.spent) == spent[asset]
        for by in ("role", "account", "model", "country"):
            assert dict(mine.earned[by]) == earned[asset][by]
        assert {sum(mine.earned[by].values()) for by in BY} == {mine.total}
    assert found.units["output"] == _captured("output")
    assert found.receipts - found.pending == len(final())


def _captured(meter: str) -> int:
    kinds = e.Captured | e.Finalised | x.Redeemed
    last = {ev.receipt.id: ev.receipt for ev in events() if isinstance(ev, kinds)}
    return sum(getattr(receipt.units, meter) for receipt in last.values())


def test_a_folder_without_receipts_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no receipts"):
        report(tmp_path)


def test_concentration_and_inequality_of_small_numbers() -> None:
    assert hhi({"a": 80, "b": 20}) == pytest.approx(6_800)
    assert hhi({}) is None
    assert gini({"a": 1, "b": 2, "c": 3, "d": 4}) == pytest.approx(0.25)
    assert gini({"a": 1, "b": 3}) == pytest.approx(0.25)
    assert gini({"a": 0}) is None
