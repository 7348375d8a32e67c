"""Proof: the demo's last scenes, with the market switched off.

Rule: only files and the `allmende` command are used, as anybody could who has them.
Invariant: the replayed digest equals the one that the market gave while it ran.
Worked number: a receipt whose price is raised by one pico-credit no longer verifies.
"""

from __future__ import annotations

import json
from pathlib import Path

from allmende.lab.commands import run
from allmende.lab.scenes import Broken
from allmende.lab.telling import Teller


def receipts(data: Path, files: dict[str, bytes], tell: Teller) -> None:
    """Verify one receipt, then the same with one pico-credit more."""
    id_, content = next((id_, file) for id_, file in files.items() if b'"batch": {' in file)
    path = data / f"{id_}.json"
    path.write_bytes(content)
    tell.step("The market is off. The receipt still proves itself")
    run(tell, "receipt", "verify", str(path))
    forged = json.loads(content)
    forged["receipt"]["price"] += 1
    path.write_text(json.dumps(forged))
    tell.say("and with one pico-credit added to its price:")
    run(tell, "receipt", "verify", str(path), fails=True)


def books(data: Path, digest: str, tell: Teller) -> None:
    """Audit the journal and replay it to the digest that the market gave."""
    tell.step("The books: audit and replay")
    run(tell, "audit", "--data", str(data))
    said = run(tell, "replay", "--data", str(data))
    if digest not in said:
        raise Broken(f"the market's digest was {digest}")
    tell.good(f"replayed to the digest that the market had: {digest[:16]}…")
