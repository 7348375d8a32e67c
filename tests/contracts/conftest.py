"""After the contracts' tests: how much was fuzzed."""

from __future__ import annotations

from typing import Any

from fuzzed import CALLS


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if CALLS["calls"]:
        said = f"{CALLS['calls']:,} fuzzed contract calls, {CALLS['refused']:,} of them refused"
        terminalreporter.write_line(said)
