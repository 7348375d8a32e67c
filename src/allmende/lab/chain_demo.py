"""Chain demo: custody, settlement, rights, a paid call and an exit, in a terminal.

Rule: the wallets here know Ethereum and nothing of us, and the last scene has no market at all.
Invariant: it ends with money out of the vault that its owner proved, or with an error.
Worked number: 8 steps and some 10_030 requests, of which 10_000 are settled by one transaction.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from allmende.lab import chain_exit, chain_scenes
from allmende.lab.chain_stage import ChainStage
from allmende.lab.served import Served
from allmende.lab.telling import Teller

OPTIONS = (
    *("--no-starter", "--no-local-model", "--allow-private", "--name", "Demo commons on a chain"),
    *("--mode", "open", "--chain", "embedded", "--chain-terms", "demo"),
    *("--settle-every", "3600", "--pay-per-call"),
)
LINE = "The chain answers at "


def main(echo: Callable[[str], None]) -> int:
    """Run it. The exit code: 0 if every promise was kept."""
    began = time.monotonic()
    play(Teller(echo, colour=sys.stdout.isatty()))
    echo(f"\n     The chain's part took {time.monotonic() - began:.0f} s.")
    return 0


def play(tell: Teller) -> None:
    with tempfile.TemporaryDirectory(prefix="allmende-chain-") as folder:
        data = Path(folder) / "data"
        tell.step("A market that stands on a chain")
        tell.say("compiling four contracts and putting them up, some ten seconds …")
        with Served(data, *OPTIONS) as market:
            stage = ChainStage(market, f"{market.url}/chain", tell)
            chain_scenes.play(stage)
        with node(data) as url:
            chain_exit.play(stage, url)


@contextmanager
def node(data: Path) -> Iterator[str]:
    """The chain of a market that is off, as anybody with a copy of its blocks could serve it."""
    words = [sys.executable, "-m", "allmende.cli", "chain", "node", "--data", str(data)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        said = process.stdout.readline().strip()
        if not said.startswith(LINE):
            raise RuntimeError(f"the chain did not start: {said}")
        yield said.removeprefix(LINE)
    finally:
        process.terminate()
        process.wait(20)
