"""Hypothesis profiles: `suite` for every run, `fuzz` for `make fuzz` (HYPOTHESIS_PROFILE), and
`once` for `make mutants`, which shrinks nothing.

None has a deadline, because a test must not fail for being on a busy machine.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

QUIET = (HealthCheck.too_slow,)
settings.register_profile("suite", max_examples=60, deadline=None, suppress_health_check=QUIET)
settings.register_profile("fuzz", max_examples=6_000, deadline=None, suppress_health_check=QUIET)
settings.register_profile(
    "once", settings.get_profile("suite"), phases=(Phase.explicit, Phase.generate)
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))

FUZZED: Counter[str] = Counter()
"""Calls of the contracts' state machines, of all processes that ran some."""


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """One of several processes has ended."""
    FUZZED.update(getattr(node, "workeroutput", {}).get("fuzzed", {}))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    here = sys.modules.get("fuzzed")  # in this process, where there is one only
    calls = FUZZED + (here.CALLS if here is not None else Counter())
    if calls["calls"]:
        said = f"{calls['calls']:,} fuzzed contract calls, {calls['refused']:,} of them refused"
        terminalreporter.write_line(said)


@pytest.fixture(scope="module")
def cookie(doors: Any) -> str:
    """Of an administrator's browser, signed in at the module's own `doors`."""
    return str(doors.sign_in(doors.admin))
