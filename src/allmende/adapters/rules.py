"""Rule files: laws, weights and thresholds as dated data in the package, never as code.

Rule: rules/<jurisdiction>/<act>@<date>.toml has title, source (a link), date (the one of its
name), status, grade, a table `values`, and if it ended `until`; a `note` may explain it.
Nothing else stands beside them.
Invariant: a file that is not in order is refused by file and field, and with it all of them:
no figure rests on half of the rules.
Worked number: rules/us/merger-guidelines@2023-12-18.toml is the act `us/merger-guidelines`;
`rules("us/merger-guidelines", date(2026, 11, 20)).values["hhi_over"]` is 1800.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import chain
from typing import Any

from allmende.measure.dated import GRADES, STATUSES, NoRules, Rules, Status, in_force

__all__ = ["BadRules", "NoRules", "Rules", "all_rules", "read_rules", "rules"]

NAME = re.compile(r"([a-z0-9-]+)@(\d{4}-\d{2}-\d{2})\.toml")
NEEDED = {"title": str, "source": str, "date": date, "status": str, "grade": str, "values": dict}
MAY = {"until": date, "note": str}
ONE_OF = {"status": STATUSES, "grade": GRADES}


class BadRules(ValueError):
    """A rule file that is not in order; the sentence names file and field."""


def rules(act: str, at: date, status: Status = "in force") -> Rules:
    """The version of `act` (`us/merger-guidelines`) of this status on the day `at`.

    Raises NoRules if there is none, BadRules if a file is not in order.
    """
    return in_force(all_rules(), act, at, status)


@cache
def all_rules() -> tuple[Rules, ...]:
    """Every version of every act in the package, by act and date. Raises BadRules."""
    return read_rules(files("allmende").joinpath("rules"))


def read_rules(root: Traversable) -> tuple[Rules, ...]:
    """The rule files in the folders below `root`. Raises BadRules."""
    found = [
        _read(folder.name, file)
        for folder in root.iterdir()
        if folder.is_dir() and folder.name != "__pycache__"
        for file in folder.iterdir()
    ]
    return tuple(sorted(found, key=lambda r: (r.act, r.date)))


def _read(jurisdiction: str, file: Traversable) -> Rules:
    where = f"rules/{jurisdiction}/{file.name}"
    named = NAME.fullmatch(file.name)
    if named is None:
        raise BadRules(f"{where}: a rule file's name is <act>@<date>.toml, as csf@2025-10-20.toml.")
    try:
        fields = tomllib.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # tomllib's, and Unicode's, are ValueErrors
        raise BadRules(f"{where}: not TOML: {error}") from None
    for complaint in chain(_shape(fields), _sense(fields, named[2])):
        raise BadRules(f"{where}: {complaint}")
    return Rules(act=f"{jurisdiction}/{named[1]}", **fields)


def _shape(fields: Mapping[str, Any]) -> Iterator[str]:
    for field, kind in (NEEDED | MAY).items():
        if field not in fields:
            if field in NEEDED:
                yield f"{field}: missing."
        elif not isinstance(fields[field], kind) or isinstance(fields[field], datetime):
            yield f"{field}: {fields[field]!r} is not a {_word(kind)}."
        elif field in NEEDED and not fields[field]:
            yield f"{field}: is empty."
    for field in fields:
        if field not in NEEDED and field not in MAY:
            yield f"{field}: unknown field; thresholds and weights belong into [values]."


def _sense(fields: Mapping[str, Any], day: str) -> Iterator[str]:
    """Asked only when the shape is right."""
    for field, words in ONE_OF.items():
        if fields[field] not in words:
            yield f"{field}: {fields[field]!r} is none of {', '.join(words)}."
    if not fields["source"].startswith("https://"):
        yield f"source: {fields['source']!r} is not a link that begins with https://."
    if str(fields["date"]) != day:
        yield f"date: {fields['date']} is not the {day} of the file's name."
    if "until" in fields and fields["until"] <= fields["date"]:
        yield f"until: {fields['until']} is not after {fields['date']}, when the rule began."


def _word(kind: type) -> str:
    return {str: "text", date: "date such as 2026-04-30", dict: "table"}[kind]
