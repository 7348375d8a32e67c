"""Page: where one stands, what it shows, and who may see it.

Rule: a page gathers for whoever looks; what it decides to show is in what it gathers.
Invariant: a page that is not open is never gathered for a visitor.
Worked number: Page("/govern", …, open=True) is at /govern, for everybody.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from allmende.doors.gather import Seen


class Page(NamedTuple):
    """`open`: visitors without a key may see it."""

    path: str
    gather: Callable[[Seen], Awaitable[dict[str, Any]]]
    open: bool = False
