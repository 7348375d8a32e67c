"""Queries: every question that the read models answer, by name.

Rule: a query is a name, the arguments it takes, and a function that makes one SELECT of them;
whoever asks says what may be seen (`accounts`, `budgets`, `providers`), and a row is seen if
one of those sets has it; with none of the three everything is.
Invariant: newest-first pages go on `before` a number, never by offset, so rows that arrive
meanwhile neither shift nor repeat what was shown.
Worked number: page two of 120 receipts at a limit of 50 is asked with `before` = the number of
the 50th row, and begins with the 51st.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from allmende.adapters.views_actors import WHO
from allmende.adapters.views_decisions import DECISION_QUERIES
from allmende.adapters.views_drills import DRILL_QUERIES
from allmende.adapters.views_evidence import EVIDENCE_QUERIES
from allmende.adapters.views_juries import JURY_QUERIES
from allmende.adapters.views_lists import LISTS
from allmende.adapters.views_market import MARKET
from allmende.adapters.views_receipts import RECEIPTS
from allmende.adapters.views_select import Select, checked
from allmende.adapters.views_sums import SUMS
from allmende.adapters.views_titles import TITLE_QUERIES
from allmende.core.refusals import Refused, Why

QUERIES = {
    **RECEIPTS,
    **SUMS,
    **LISTS,
    **MARKET,
    **WHO,
    **DRILL_QUERIES,
    **DECISION_QUERIES,
    **JURY_QUERIES,
    **TITLE_QUERIES,
    **EVIDENCE_QUERIES,
}


class Asked(NamedTuple):
    """A question ready to be put: one row of one column, JSON."""

    sql: str
    values: Mapping[str, object]
    tidy: Callable[[dict[str, Any]], dict[str, Any]]


def ask(name: str, arguments: Mapping[str, Any]) -> Asked:
    """Raises Refused: NOT_FOUND for no such query, BAD_REQUEST and BAD_VALUE for arguments."""
    query = QUERIES.get(name)
    if query is None:
        raise Refused(Why.NOT_FOUND, f"Queries are {', '.join(QUERIES)}.")
    found: Select = query.select(checked(name, query.takes, arguments))
    return Asked(found.sql(), found.values, query.tidy)
