"""Watch: every test over a tape, and its alerts in one order.

Rule: a test looks at one board or at the offers; it knows nothing of the other tests.
Invariant: alerts come by instrument and kind, the strangest first; none is dropped.
Worked number: a tape without trades has no alerts.
"""

from __future__ import annotations

from collections.abc import Iterator

from allmende.measure.surveillance.alert import Alert
from allmende.measure.surveillance.closing import marks
from allmende.measure.surveillance.layering import layers
from allmende.measure.surveillance.wash import washes
from allmende.measure.surveillance.withholding import withheld
from allmende.measure.tape import Tape

KINDS = {
    "wash_owner": "one owner's accounts trade with each other",
    "wash_cycle": "a circle of accounts passes the same grains round",
    "layering": "orders at several prices, shown and taken back",
    "spoofing": "a large order, shown and taken back",
    "marking_close": "a price made in the last minutes",
    "withholding": "a cheap offer leaves, a dear one serves",
}


def alerts(tape: Tape) -> list[Alert]:
    """Everything that a person should look at."""
    return sorted(_all(tape), key=lambda a: (a.instrument, a.kind, -a.score, a.accounts))


def _all(tape: Tape) -> Iterator[Alert]:
    for board in tape.boards.values():
        yield from washes(tape, board)
        yield from layers(board)
        yield from marks(board, tape.now)
    yield from withheld(tape)
