"""Said: languages and claims as a page shows them, computed once.

Rule: premiums are counted when first asked for, in a process of their own, and kept; claims
are checked again each time, with the gold that is imported by then.
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
from allmende.adapters.languages import measured
from allmende.adapters.price_files import BadFile, PriceFiles
from allmende.adapters.price_formats import GOLD
from allmende.measure.access import Premium
from allmende.measure.claims import Checked, Gold, check

_LOG = logging.getLogger(__name__)


class Said:
    """Of one data directory; called off the event loop."""

    def __init__(self, folder: Path) -> None:
        self._files = PriceFiles(folder)

    def __call__(self) -> tuple[tuple[Premium, ...], tuple[Checked, ...]]:
        return _premiums(), tuple(check(cards(), self._gold()))

    def _gold(self) -> Gold:
        try:
            return self._files.load(GOLD)
        except BadFile as error:
            _LOG.warning("the kept gold prices cannot be read: %s", error)
            return ()


@cache
def _premiums() -> tuple[Premium, ...]:
    return tuple(aside(measured)[0])
