"""Kept: what a file beside a market says, read again only when the file has changed.

Rule: a file is known by its time and its size; one that is not there is a state like any other.
Invariant: of two calls without a change between them the second reads nothing.
Worked number: a page that is looked at a hundred times a day reads an imported file once.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")
_Stamp = tuple[int, int] | None


class Kept(Generic[T]):
    """Call it for what `read` gives; `path` is the file by which a change is seen."""

    def __init__(self, path: Path, read: Callable[[], T]) -> None:
        self._path = path
        self._read = read
        self._found: tuple[_Stamp, T] | None = None

    def __call__(self) -> T:
        stamp = self._stamp()  # before reading: what changes meanwhile is read again
        if self._found is None or self._found[0] != stamp:
            self._found = stamp, self._read()
        return self._found[1]

    def _stamp(self) -> _Stamp:
        try:
            seen = self._path.stat()
        except OSError:
            return None
        return seen.st_mtime_ns, seen.st_size
