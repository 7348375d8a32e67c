"""Hypothesis profiles: `suite` for every run, `fuzz` for `make fuzz` (HYPOTHESIS_PROFILE).

Neither has a deadline, because a test must not fail for being on a busy machine.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

QUIET = (HealthCheck.too_slow,)
settings.register_profile("suite", max_examples=60, deadline=None, suppress_health_check=QUIET)
settings.register_profile("fuzz", max_examples=6_000, deadline=None, suppress_health_check=QUIET)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))
