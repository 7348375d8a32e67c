"""Assets: the files that pages are made of: templates, one style sheet, scripts, a mark.

Rule: all of them are read once, when a market opens; none comes from elsewhere.
Invariant: everything that a template shows is escaped, and what is missing there is an error.
Worked number: a style sheet that changes has another address, the first ten digits of its
SHA-256, so browsers keep what did not change for a year.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import jinja2

from allmende.core.units import credits
from allmende.doors import figures
from allmende.doors.observatory import draw
from allmende.measure import drawing_paper

ASSETS = Path(__file__).parent / "pages_assets"
SHEET = "style.css"
"""Followed by the drawings' marks and colours, which have one source."""
KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class Asset(NamedTuple):
    body: bytes
    kind: str
    version: str


def assets(folder: Path = ASSETS / "static") -> dict[str, Asset]:
    """What browsers fetch, by its name."""
    found = {}
    for file in sorted(folder.iterdir()):
        body = file.read_bytes() + (
            drawing_paper.page_style().encode() if file.name == SHEET else b""
        )
        version = hashlib.sha256(body).hexdigest()[:10]
        found[file.name] = Asset(body, KINDS[file.suffix], version)
    return found


def templates(folder: Path = ASSETS / "templates") -> jinja2.Environment:
    """Everything is escaped; what is missing is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"figures": figures, "keep": keep, "draw": draw, "coins": credits}
    environment.filters["zip_self"] = lambda values: [(value, value) for value in values]
    return environment


def keep(asked: Mapping[str, str], **changes: str) -> str:
    """What an address asks, with some of it changed; what is empty is left out."""
    return urlencode({name: value for name, value in {**asked, **changes}.items() if value})
