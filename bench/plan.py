"""Plan and outcome: what one cell of the table asks of the load, and what it hears back.

Rule: an outcome with an error is kept, and is never a number in the table.
Invariant: both are plain data, and cross to the load's process as JSON.
Worked number: 1 s warm-up and a 5 s window at 7_500/s is an outcome of 37_500 done.
"""

from __future__ import annotations

from msgspec import Struct


class Plan(Struct, frozen=True):
    """What to send and for how long. A plan with `each` counts, one without it times."""

    url: str
    headers: dict[str, str]
    body: str
    stream: bool
    in_flight: int
    warm_s: float = 1.0
    window_s: float = 5.0
    each: int = 0
    """Requests per connection; 0 means send for `warm_s` + `window_s`."""
    gateway: int = 0
    """Root process whose CPU time is read at the window's edges; 0 for none."""
    core: int = -1
    """The gateway's core, read for what others spent there; -1 for none."""
    load_core: int = -1
    """The load's own core, read for how full it was; -1 for none."""
    patience_s: float = 60.0


class Outcome(Struct):
    """Counts of the window, latencies in milliseconds, CPU in microseconds."""

    done: int = 0
    answered: int = 0
    """All answers, those before and after the window too."""
    errors: int = 0
    first_error: str = ""
    seconds: float = 0.0
    per_second: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    max_ms: float = 0.0
    cpu_us: float = 0.0
    """Gateway CPU per answer, from the window's start until the gateway is at rest."""
    main_us: float = 0.0
    """The part of it that the gateway's first process took, until the window's end."""
    gateway_load: float = 0.0
    """Share of one core that the gateway used during the window."""
    others_load: float = 0.0
    """Share of the gateway's core that other processes used during the window."""
    harness_load: float = 0.0
    """Share of the load's core that was used, by upstream, load and others together."""
    rest_s: float = 0.0
    """How long after the last answer the gateway was still working."""
    events: int = 0
    """Fewest events seen in one stream."""
    usage: bool = False
    """Whether the client was told the usage."""
    done_mark: bool = False
    """Whether a stream ended with [DONE], as OpenAI's do; its finish reason is enough here."""
