"""Select: what queries are made of: checked arguments, conditions, exact sums, one JSON answer.

Rule: values reach SQL as parameters only; a name in SQL is one from our own code.
Invariant: a sum is exact at any size, and is made inside SQLite, which lets the event loop's
thread run on; so is the JSON of the whole answer, fetched in a single step.
Worked number: 2**63 - 1 and 1 sum to "9223372036854775808", one more than 64 bits hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from allmende.core.refusals import Refused, Why

LIMIT, LIMIT_MAX = 50, 1000
_WORD = 10**9
_WORDS = 4
"""Nine decimals each: sums of values below 10**36 are exact, and of far more in practice."""


class Select(NamedTuple):
    """Columns (name -> expression) and the rest of the statement, from FROM on.

    Columns named in `json` hold JSON text, and are embedded as what it says.
    """

    columns: Mapping[str, str]
    rest: str
    values: Mapping[str, object]
    json: frozenset[str] = frozenset()

    def sql(self) -> str:
        """One row of one column: a JSON array of all rows as objects."""
        inner = ", ".join(f'{expression} AS "{name}"' for name, expression in self.columns.items())
        pairs = ", ".join(
            f"'{name}', " + (f'json("{name}")' if name in self.json else f'"{name}"')
            for name in self.columns
        )
        return f"SELECT json_group_array(json_object({pairs})) FROM (SELECT {inner} {self.rest})"


Row = dict[str, Any]


class Query(NamedTuple):
    """The arguments that a question takes (name -> type), its SELECT, and a last touch."""

    takes: Mapping[str, type]
    select: Callable[[Mapping[str, Any]], Select]
    tidy: Callable[[Row], Row] = lambda row: row


def texts(*names: str) -> dict[str, type]:
    """Arguments that are text."""
    return dict.fromkeys(names, str)


def wholes(*names: str) -> dict[str, type]:
    """Arguments that are whole numbers."""
    return dict.fromkeys(names, int)


def sets(*names: str) -> dict[str, type]:
    """Arguments that are several texts."""
    return dict.fromkeys(names, set)


class Where:
    """Conditions joined by AND, from the arguments of one question."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.given = given
        self.values: dict[str, object] = {}
        self._parts: list[str] = []

    def add(self, condition: str, **values: object) -> Where:
        self._parts.append(condition)
        self.values.update(values)
        return self

    def equal(self, *names: str, prefix: str = "") -> Where:
        """Each of these columns as the argument of its name says, where it is given."""
        for name in names:
            value = self.given.get(name)
            if value is not None:
                self.add(f'{prefix}"{name}" = :{name}', **{name: value})
        return self

    def between(self, column: str) -> Where:
        """`since` <= column < `until`."""
        if self.given.get("since") is not None:
            self.add(f"{column} >= :since", since=self.given["since"])
        if self.given.get("until") is not None:
            self.add(f"{column} < :until", until=self.given["until"])
        return self

    def before(self, column: str) -> Where:
        if self.given.get("before") is not None:
            self.add(f"{column} < :before", before=self.given["before"])
        return self

    def among(self, column: str, name: str) -> Where:
        """Column in the set that is given by this name, where one is."""
        if self.given.get(name) is not None:
            self.add(within(column, name), **{name: ids(self.given[name])})
        return self

    def seen(self) -> Where:
        """Rows that one grant at least allows; without any grant, all."""
        grants = granted(self.given)
        if grants is not None:
            tests = [within(GRANTS[name], name) for name in grants]
            self.add(f"({' OR '.join(tests)})", **grants)
        return self

    def limit(self) -> str:
        """The LIMIT clause; its value counts as one of ours."""
        self.values["limit"] = self.given.get("limit", LIMIT)
        return "LIMIT :limit"

    def __str__(self) -> str:
        return f"WHERE {' AND '.join(self._parts)}" if self._parts else ""

    def also(self) -> str:
        """The same conditions, to follow another."""
        return "".join(f" AND {part}" for part in self._parts)


GRANTS = {"accounts": "account", "budgets": "budget", "providers": "provider"}
"""Argument -> column: a row is seen if its value in the column is in the argument."""


def granted(given: Mapping[str, Any]) -> dict[str, str] | None:
    """The grants that were given, as JSON arrays; None if none was, which allows everything."""
    found = {name: ids(given[name]) for name in GRANTS if given.get(name) is not None}
    return found or None


def ids(values: Iterable[str]) -> str:
    return msgspec.json.encode(sorted(set(values))).decode()


def within(column: str, name: str) -> str:
    return f"{column} IN (SELECT value FROM json_each(:{name}))"


def exact(column: str) -> str:
    """SQL for the exact sum of a column of whole numbers >= 0, integers or text, as text."""
    carried, words = "0", []
    for word in range(_WORDS):
        digits = f"substr({column}, -{9 * (word + 1)}, 9)"
        if word == _WORDS - 1:
            digits = f"substr({column}, 1, max(length({column}) - {9 * word}, 0))"
        total = f"(SUM(CAST({digits} AS INTEGER)) + {carried})"
        words.append(total if word == _WORDS - 1 else f"{total} % {_WORD}")
        carried = f"{total} / {_WORD}"
    form = "%d" + "%09d" * (_WORDS - 1)
    digits = f"ltrim(printf('{form}', {', '.join(reversed(words))}), '0')"
    return f"COALESCE(NULLIF({digits}, ''), '0')"


def checked(name: str, takes: Mapping[str, type], given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that are not None. Raises Refused for others than the query takes."""
    found = {key: value for key, value in given.items() if value is not None}
    for key, value in found.items():
        if key not in takes:
            raise Refused(Why.BAD_REQUEST, f"{name!r} does not take {key!r}.")
        if not _is(value, takes[key]):
            raise Refused(Why.BAD_VALUE, f"{key!r} of {name!r} is not {value!r}.")
    if not 1 <= found.get("limit", LIMIT) <= LIMIT_MAX:
        raise Refused(Why.BAD_VALUE, f"A limit is 1 to {LIMIT_MAX}.")
    return found


def _is(value: object, kind: type) -> bool:
    if kind is set:
        plain = isinstance(value, set | frozenset | list | tuple)
        return plain and all(isinstance(item, str) for item in value)  # type: ignore[attr-defined]
    if kind is int:
        return isinstance(value, int) and -(1 << 63) <= value < 1 << 63
    return isinstance(value, kind)


def needed(given: Mapping[str, Any], *names: str) -> None:
    """Refuse a question that gives none of these arguments."""
    if not any(given.get(name) is not None for name in names):
        raise Refused(Why.BAD_REQUEST, f"This needs {' or '.join(names)}.")


def choice(given: Mapping[str, Any], name: str, allowed: Iterable[str], default: str = "") -> str:
    """An argument that is one of a few words. Refused(BAD_VALUE) if it is another."""
    value = given.get(name, default)
    options = tuple(allowed)
    if value not in options:
        raise Refused(Why.BAD_VALUE, f"{name!r} is one of {', '.join(options)}.")
    return str(value)
