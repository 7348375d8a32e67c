"""Inspector: reads the journal of a served market from its file, beside or after it.

Rule: it opens the file by itself, read-only, and folds it with the auditor of lab.rig.
Invariant: what the market says of itself (events, digest) is what its file says.
Worked number: after 200 kills it has checked some 100_000 events, each once, and folds
them all again at the end.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from allmende.core import events as e
from allmende.core import machine
from allmende.core.nouns import Receipt
from allmende.lab.faults import Disk
from allmende.lab.rig import Auditor
from allmende.lab.served import Served
from allmende.wire.journal import Frame

JOURNAL = "journal.sqlite"
PATIENCE_S = 20.0


class Inspector:
    """One per data directory; `receipts` is every capture so far, by id."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._disk = Disk()
        self.auditor = Auditor(self._disk)
        self.receipts: dict[str, Receipt] = {}
        self.voided: set[str] = set()

    def read(self) -> list[e.Event]:
        """What is new on the disk, checked and folded. AssertionError, wire.journal.Broken."""
        seen = len(self.auditor.events)
        last = self._disk.frames[-1].last if self._disk.frames else 0
        self._disk.frames += _frames(self._data / JOURNAL, last)
        self.auditor.read()
        new = self.auditor.events[seen:]
        for event in new:
            if isinstance(event, e.Captured):
                self.receipts[event.receipt.id] = event.receipt
            elif isinstance(event, e.Voided):
                self.voided.add(event.hold)
        return new

    def compare(self, market: Served) -> dict[str, Any]:
        """Wait until file and market are at the same event; then they must be the same state."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            said: dict[str, Any] = market.get("audit")
            self.read()
            if said["events"] == len(self.auditor.events):
                break
            assert time.monotonic() < deadline, f"the market is at {said['events']} for ever"
            time.sleep(0.05)
        assert said["digest"] == machine.digest(self.auditor.state), "the market's own digest"
        return said

    def close(self) -> str:
        """After the market has stopped: `allmende audit` and `replay` and we agree; the digest."""
        self.read()
        digest = machine.digest(self.auditor.state)
        for command in ("audit", "replay"):
            said = json.loads(_allmende(command, "--data", str(self._data), "--json"))
            assert said["digest"] == digest, f"allmende {command}"
            assert said["events"] == len(self.auditor.events), f"allmende {command}"
        assert self.auditor.replay() == digest, "replay"
        return digest


def _frames(path: Path, after: int) -> list[Frame]:
    columns = "first, count, body, prev, leaves, head, signature"
    query = f"SELECT {columns} FROM frames WHERE first > ? ORDER BY first"
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        return [Frame(*row) for row in connection.execute(query, (after,))]
    finally:
        connection.close()


def _allmende(*words: str) -> bytes:
    """What the command prints. Raises CalledProcessError with its complaint."""
    done = subprocess.run([sys.executable, "-m", "allmende.cli", *words], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
