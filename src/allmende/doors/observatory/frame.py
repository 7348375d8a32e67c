"""Frame: what every page of the observatory is made of.

Rule: a section gets `Asked` (who looks, which window, what else the address says) and gives
`Found`: what its template shows, and the tables behind it. It decides and changes nothing.
Invariant: whatever a chart shows is a row of a table, and every table can be had as a file
under the same conditions as the page: nobody gets more out of a file than out of a page.
Worked number: the page `value` with its table `actors` is /observe/value, and
/observe/data/value.actors.csv?window=30.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

from allmende.core.refusals import Refused, Why
from allmende.desk import Desk
from allmende.doors.denials import Denials
from allmende.doors.gather import Seen
from allmende.doors.history import History
from allmende.doors.observatory.windows import Window
from allmende.measure.access import Premium
from allmende.measure.cells import K
from allmende.measure.claims import Checked
from allmende.measure.dated import Rules
from allmende.measure.indices_quality import Score
from allmende.measure.leaving import Exit
from allmende.measure.linear import Solver
from allmende.measure.race_panels import Given
from allmende.ports import Clock, Views

Said = tuple[tuple[Premium, ...], tuple[Checked, ...]]
"""What languages cost, and claims that were checked."""
Row = Mapping[str, str | int | float | None]
Parquet = Callable[[Sequence[Row], Sequence[str]], bytes]
"""Rows and the names of their columns of decimal text, as a file."""


def nothing_said() -> Said:
    """No vocabulary, and no claim."""
    return (), ()


def no_scores() -> tuple[Score, ...]:
    """Nobody imported any."""
    return ()


def nobody_left() -> None:
    """No exit was drilled."""


def nothing_given() -> str:
    """No public data, and no trouble with them."""
    return ""


def here(function: Callable[..., Any], *args: Any) -> Any:
    """Its result, worked out in this process."""
    return function(*args)


class Public(NamedTuple):
    """What is not of this market, but imported or installed beside it.

    `race` gives the imported public data, the same value until a new import; else a sentence why
    it cannot, and an empty one where nothing was imported. `scores` are what models reached on
    benchmarks, `said` what languages cost, and claims that were checked; `left` is the last drill
    in which somebody left for another market.
    """

    race: Callable[[], Given | str] = nothing_given
    said: Callable[[], Said] = nothing_said
    scores: Callable[[], Sequence[Score]] = no_scores
    left: Callable[[], Exit | None] = nobody_left


NOTHING_PUBLIC = Public()


class Sources(NamedTuple):
    """What a section may read. `min_cell`: receipts that a published figure rests on at least."""

    desk: Desk
    clock: Clock
    history: History
    views: Views
    rules: Sequence[Rules] = ()
    min_cell: int = K
    solver: Solver | None = None
    """Of linear programmes; None where the extra is not installed."""
    public: Public = NOTHING_PUBLIC
    denials: Denials | None = None
    """Whom the gateway let in and refused; None where none counts."""
    aside: Callable[..., Any] = here
    """Works out a function's result, somewhere where no request waits for it."""


class Asked(NamedTuple):
    """Who looks, and at what."""

    seen: Seen
    window: Window

    @property
    def operates(self) -> bool:
        """Operators see all; what others see rests on `min_cell` receipts."""
        return self.seen.viewer is not None and self.seen.viewer.operates

    def choice(self, name: str, allowed: Sequence[str], default: str) -> str:
        """One of a few words from the address. Refused(BAD_VALUE) for another."""
        value = self.seen.query.get(name, "") or default
        if value not in allowed:
            raise Refused(Why.BAD_VALUE, f"{name} is one of {', '.join(allowed)}.")
        return value


class Table(NamedTuple):
    """The data behind a chart. `amounts` names its columns of decimal text (pico-credits)."""

    rows: Sequence[Row]
    amounts: Sequence[str] = ()


class Found(NamedTuple):
    """What a section shows, and the tables behind it by name. Names of `shows` that the frame of
    all pages uses (t, page, stage, path, market, viewer, done, trouble, …) are taken."""

    shows: dict[str, Any]
    tables: Mapping[str, Table]


class Section(NamedTuple):
    """`windowed`: it looks at a window of days, which the reader chooses."""

    name: str
    gather: Callable[[Asked], Awaitable[Found]]
    windowed: bool = True
