"""Record: which contracts a data directory has on which chain, in one file that anyone may read.

Rule: the record is written when everything in it is final, and again for each new instrument.
Invariant: the file is the old record or the new one, whole, after any crash; it holds nothing
secret and nothing that could not be found on the chain again.
Worked number: one deployment with three instruments takes about 2 kB.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import msgspec

from allmende.custody import Deployment
from allmende.ports import ChainFailed

FILE = "deployment.json"
"""Its name in a data directory."""


def keep(folder: Path, deployment: Deployment) -> None:
    """Durable when it returns."""
    text = msgspec.json.format(msgspec.json.encode(deployment, order="deterministic"))
    with tempfile.NamedTemporaryFile(dir=folder, prefix=f".{FILE}.", delete=False) as file:
        file.write(text + b"\n")
        file.flush()
        os.fsync(file.fileno())
        os.fchmod(file.fileno(), 0o644)
    Path(file.name).replace(folder / FILE)
    there = os.open(folder, os.O_RDONLY)
    os.fsync(there)
    os.close(there)


def recall(folder: Path) -> Deployment | None:
    """None before the first deployment. ChainFailed("wrong_deployment") if it is garbled."""
    file = folder / FILE
    if not file.is_file():
        return None
    try:
        return msgspec.json.decode(file.read_bytes(), type=Deployment)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ChainFailed(
            "wrong_deployment",
            f"{file} is garbled ({error}): put back the copy that you keep elsewhere, or move it "
            "away and run `allmende chain deploy`, which finds what was deployed from here",
        ) from None
