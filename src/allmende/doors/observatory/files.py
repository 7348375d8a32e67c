"""Files: a table of the observatory as CSV or as Parquet.

Rule: columns are named in English in every language, amounts are whole pico-credits, and a
cell that a spreadsheet would run is made a text.
Invariant: both files hold the same rows in the same order, the very ones that the page shows.
Worked number: a member named =SUM(A1) leaves as '=SUM(A1) in CSV and unchanged in Parquet.
"""

from __future__ import annotations

import csv
import io

from allmende.doors.observatory.frame import Table

KINDS = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}


def to_csv(table: Table) -> bytes:
    """With a head; of no rows an empty file."""
    out = io.StringIO()
    if table.rows:
        writer = csv.writer(out)
        writer.writerow(table.rows[0])
        writer.writerows([_inert(value) for value in row.values()] for row in table.rows)
    return out.getvalue().encode()


def _inert(value: object) -> object:
    """A text that begins like a formula; figures keep their sign."""
    if not isinstance(value, str) or value[:1] not in ("=", "+", "-", "@", "\t", "\r"):
        return value
    return value if value[1:].isdecimal() else f"'{value}"
