"""Hypothesis profiles: `suite` for every run, `fuzz` for `make fuzz` (HYPOTHESIS_PROFILE), and
`once` for `make mutants`, which shrinks nothing.

None has a deadline, because a test must not fail for being on a busy machine.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

QUIET = (HealthCheck.too_slow,)
settings.register_profile("suite", max_examples=60, deadline=None, suppress_health_check=QUIET)
settings.register_profile("fuzz", max_examples=6_000, deadline=None, suppress_health_check=QUIET)
settings.register_profile(
    "once", settings.get_profile("suite"), phases=(Phase.explicit, Phase.generate)
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))
