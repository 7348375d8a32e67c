"""Commands: `allmende` as a person runs it, in the demo's scenes.

Rule: it is the installed command in a process of its own, and all that it says is shown.
Invariant: a command that ends otherwise than the scene promises ends the demo.
Worked number: `audit` of a good journal ends with 0, `receipt verify` of a forged file with 1.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from allmende.lab.scenes import Broken
from allmende.lab.telling import Teller


def run(
    tell: Teller,
    *words: str,
    fails: bool = False,
    lines: int | None = None,
    shown: Callable[[str], str] = str,
) -> str:
    """Run `allmende words…`, show the first `lines` of what it says, and see that it ends as it
    should. What it printed; of one that fails, why too."""
    done = subprocess.run(
        [sys.executable, "-m", "allmende.cli", *words], capture_output=True, text=True, check=False
    )
    command = " ".join(map(_short, words))
    tell.say(f"$ allmende {command}")
    said = (done.stdout + done.stderr).splitlines()
    for line in said[:lines]:
        tell.line(shown(line))
    if lines is not None and len(said) > lines:
        tell.line("…")
    if bool(done.returncode) != fails:
        raise Broken(f"allmende {command} ended with {done.returncode}")
    return done.stdout + (done.stderr if fails else "")


def _short(word: str) -> str:
    """Of a path its name, of a node's address its beginning."""
    if word.startswith("http://"):
        return word[:22]
    return Path(word).name if "/" in word else word
