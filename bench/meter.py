"""Meter: what a gateway cost the processor, over a window and until it is at rest.

Rule: work that a gateway puts off until after its answer is still that answer's cost.
Invariant: the window opens and closes on the same clock as its answers.
Worked number: 5 s of one full core over 37_500 answers are 133 microseconds each.
"""

from __future__ import annotations

import asyncio
import time

from bench import procs
from bench.plan import Outcome, Plan

_STEP_S = 0.1
_STILL_NS = 3_000_000
"""Under 3 % of a core over a step is idling, not work put off."""


class Meter:
    """Reads the kernel's accounts at the window's edges."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.at = time.perf_counter_ns()
        self.cpu = self._cpu()
        self.main = procs.clock_ns(plan.gateway) if plan.gateway else 0
        self.core = procs.core_busy_ns(plan.core)
        self.load_core = procs.core_busy_ns(plan.load_core)

    def _cpu(self) -> int:
        return procs.cpu_ns(self.plan.gateway) if self.plan.gateway else 0

    def close(self, outcome: Outcome) -> None:
        """Write the window's loads, once `outcome.done` is known."""
        wall = time.perf_counter_ns() - self.at
        cpu = self._cpu() - self.cpu
        main = procs.clock_ns(self.plan.gateway) - self.main if self.plan.gateway else 0
        outcome.seconds = wall / 1e9
        outcome.main_us = main / 1000 / max(1, outcome.done)
        outcome.gateway_load = cpu / wall
        busy = procs.core_busy_ns(self.plan.core) - self.core
        outcome.others_load = max(0.0, (busy - cpu) / wall)
        outcome.harness_load = (procs.core_busy_ns(self.plan.load_core) - self.load_core) / wall

    async def rest(self, answered: int, outcome: Outcome, limit_s: float = 20.0) -> None:
        """Wait until the gateway is at rest; its late work is charged to its answers."""
        began, quiet, last = time.monotonic(), 0, self._cpu()
        while self.plan.gateway and quiet < 3 and time.monotonic() < began + limit_s:
            await asyncio.sleep(_STEP_S)
            now = self._cpu()
            quiet = quiet + 1 if now - last < _STILL_NS else 0
            outcome.rest_s = time.monotonic() - began - quiet * _STEP_S
            last = now
        outcome.cpu_us = (last - self.cpu) / 1000 / max(1, answered)
