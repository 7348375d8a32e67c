"""Said: languages and claims as a page shows them, computed once.

Rule: premiums are counted when first asked for, in a process of their own, and kept; claims
are checked again when other gold was imported.
Invariant: a file of gold that cannot be read leaves the claim without its number, and says so
in the log of the market, never with another number.
Worked number: the first reader waits two seconds, the next ones do not.
"""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path

from allmende.adapters.aside import aside
from allmende.adapters.claim_cards import cards
from allmende.adapters.kept import Kept
from allmende.adapters.languages import measured
from allmende.adapters.price_files import BadFile, PriceFiles
from allmende.adapters.price_formats import GOLD
from allmende.measure.access import Premium
from allmende.measure.claims import Checked, Gold, check

_LOG = logging.getLogger(__name__)


class Said:
    """Of one data directory; called off the event loop."""

    def __init__(self, folder: Path) -> None:
        files = PriceFiles(folder)
        self._claims = Kept(files.folder / GOLD.file, lambda: _claims(files))

    def __call__(self) -> tuple[tuple[Premium, ...], tuple[Checked, ...]]:
        return _premiums(), self._claims()


def _claims(files: PriceFiles) -> tuple[Checked, ...]:
    return tuple(check(cards(), _gold(files)))


def _gold(files: PriceFiles) -> Gold:
    try:
        return files.load(GOLD)
    except BadFile as error:
        _LOG.warning("the kept gold prices cannot be read: %s", error)
        return ()


@cache
def _premiums() -> tuple[Premium, ...]:
    return tuple(aside(measured)[0])
