"""Scores: what models reached on benchmarks, as far as it was imported into a data directory.

Rule: none is shipped and none is guessed; a history that somebody damaged is as good as none, and
the log says which file to remove.
Invariant: what is given is what `allmende index import` took, row by row.
Worked number: a file of three scores, imported, gives three, and an empty directory none.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from allmende.adapters.kept import Kept
from allmende.adapters.price_files import BadFile, PriceFiles
from allmende.adapters.price_formats import SCORES
from allmende.measure.indices_quality import Score

log = logging.getLogger(__name__)


def scores_kept(data: Path) -> Kept[Sequence[Score]]:
    """Of one data directory. Call it for what is kept now."""
    files = PriceFiles(data)
    return Kept(files.folder / SCORES.file, lambda: _scores(files))


def _scores(files: PriceFiles) -> Sequence[Score]:
    try:
        return files.load(SCORES)
    except BadFile as bad:
        log.warning("No scores: %s", bad)
        return ()
