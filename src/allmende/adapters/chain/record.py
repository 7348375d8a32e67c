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
from typing import TypeVar

import msgspec
from msgspec import Struct

from allmende.custody import Deployment
from allmende.ports import ChainFailed

FILE = "deployment.json"
"""Its name in a data directory."""

T = TypeVar("T", bound=Struct)


def keep(folder: Path, deployment: Deployment) -> None:
    """Durable when it returns."""
    keep_record(folder / FILE, deployment)


def recall(folder: Path) -> Deployment | None:
    """None before the first deployment. ChainFailed("wrong_deployment") if it is garbled."""
    return recall_record(folder / FILE, Deployment)


def keep_record(target: Path, record: Struct) -> None:
    """Of whatever stands on a chain. Durable when it returns."""
    text = msgspec.json.format(msgspec.json.encode(record, order="deterministic"))
    with tempfile.NamedTemporaryFile(
        dir=target.parent, prefix=f".{target.name}.", delete=False
    ) as file:
        file.write(text + b"\n")
        file.flush()
        os.fsync(file.fileno())
        os.fchmod(file.fileno(), 0o644)
    Path(file.name).replace(target)
    there = os.open(target.parent, os.O_RDONLY)
    os.fsync(there)
    os.close(there)


def recall_record(file: Path, kind: type[T]) -> T | None:
    """None if there is no such file. ChainFailed("wrong_deployment") if it is garbled."""
    if not file.is_file():
        return None
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ChainFailed(
            "wrong_deployment",
            f"{file} is garbled ({error}): put back the copy that you keep elsewhere, or move it "
            "away and run what made it once more, which finds what was deployed from here",
        ) from None
