"""Windows: the days that a page of the observatory looks at.

Rule: 7, 30 or all days up to today, or from one day to another, both included; days are UTC.
Invariant: a window is refused by the name of its field before anything is read: a day that is
none, an end before the beginning, a day after today, one before 2020.
Worked number: on 2026-11-21 the last 7 days are 2026-11-15 to 2026-11-21, `until` 2026-11-22.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from allmende.core.refusals import Refused, Why
from allmende.core.units import SECOND, Instant

NAMES = ("7", "30", "all")
DEFAULT = "30"
FIRST = date(2020, 1, 1)
DAY = timedelta(days=1)


class Window(NamedTuple):
    """`since` <= day < `until`, as the read models have days; "" is no bound.

    `query` is what the address says of it, to be kept in links.
    """

    name: str
    since: str
    until: str
    query: str

    @property
    def last(self) -> str:
        """The last day in it."""
        return str(date.fromisoformat(self.until) - DAY)

    def bounds(self) -> dict[str, str]:
        """The arguments of a query of the read models."""
        given = {"since": self.since, "until": self.until}
        return {name: value for name, value in given.items() if value}


def window(query: Mapping[str, str], now: Instant) -> Window:
    """The window that an address asks for. Refused(BAD_VALUE) if it is none."""
    today = datetime.fromtimestamp(now // SECOND, UTC).date()
    if query.get("from") or query.get("to"):
        return _range(query, today)
    name = query.get("window", "") or DEFAULT
    if name not in NAMES:
        raise Refused(Why.BAD_VALUE, f"window is one of {', '.join(NAMES)}, or use from and to.")
    since = "" if name == "all" else str(today - (int(name) - 1) * DAY)
    return Window(name, since, str(today + DAY), f"window={name}")


def _range(query: Mapping[str, str], today: date) -> Window:
    if query.get("window"):
        raise Refused(Why.BAD_VALUE, "window or from and to, not both.")
    first = _day(query, "from", FIRST, today)
    last = _day(query, "to", today, today)
    if last < first:
        raise Refused(Why.BAD_VALUE, f"to ({last}) is before from ({first}).")
    return Window("range", str(first), str(last + DAY), f"from={first}&to={last}")


def _day(query: Mapping[str, str], name: str, otherwise: date, today: date) -> date:
    text = query.get(name, "").strip()
    if not text:
        return otherwise
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise Refused(
            Why.BAD_VALUE, f"{name} is a day such as 2026-11-20, not {text!r:.40}."
        ) from None
    if not FIRST <= day <= today:
        raise Refused(Why.BAD_VALUE, f"{name} is a day from {FIRST} to {today}, not {day}.")
    return day
