"""Observing: the demo's last look at its market: who earned what, where, and who owns them.

Rule: the table comes from the installed command, which folds the journal by itself; who is
behind the accounts is in the registry that `who` imported.
Invariant: the sums equal the ledger to the pico-credit, or the demo ends.
Worked number: what Bargain's GmbH earned in the USA goes to its founders there, of whom nobody
could tell from its German seat.
"""

from __future__ import annotations

from pathlib import Path

from allmende.lab import commands
from allmende.lab.scenes import promise
from allmende.lab.stage import Stage


def play(stage: Stage, data: Path) -> None:
    stage.tell.step("The observatory: who earned what, where, and who owns them")
    said = commands.run(stage.tell, "observatory", "value", "--data", str(data))
    promise("sums equal the ledger" in said, f"the sums should equal the ledger: {said}")
    stage.tell.good("from the receipts alone, and the same on /observe/value with files to keep")
