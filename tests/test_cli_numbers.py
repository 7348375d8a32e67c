"""What is typed is a number from zero on, a day or a month, or is refused by its name."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from allmende.cli import main


@pytest.mark.parametrize(
    "words",
    [
        "rents --price nan",
        "rents --price -1",
        "rents --price 10 --gpu-hour inf --tokens-per-hour 5",
        "merger A B --share A=10 --share B=5 --most nan",
        "access --basket nan --income 1 --income-source me",
        "access --since gestern",
        "access --minimum -5",
        "focus --month 2026-13",
        "focus --month 9999-12",
        "focus --month 0000-01",
        "energy batches --active-b inf",
    ],
)
def test_what_is_no_number_no_day_and_no_month_is_refused_by_name(words: str) -> None:
    found = CliRunner().invoke(main, ["observatory", *words.split()])
    assert found.exit_code == 2, found.output
    option, given = words.split()[-2:] if "gpu-hour" not in words else ("--gpu-hour", "inf")
    if "income" in words:
        option, given = "--basket", "nan"
    assert option in found.output + found.stderr
    assert given in found.output + found.stderr
