"""Chain demo: custody, settlement, rights, a paid call, owners and an exit, in a terminal.

Rule: the wallets here know Ethereum and nothing of us, and the last scene has no market at all.
Invariant: it ends with money out of the vault that its owner proved, or with an error.
Worked number: 15 steps and some 10_100 requests, of which 10_000 are settled by one transaction;
`allmende demo` leaves out the seven in which the market gets owners.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from allmende.lab import chain_commons, chain_exit, chain_scenes
from allmende.lab.chain_ground import MODE, Where, ground, left
from allmende.lab.chain_stage import ChainStage, run
from allmende.lab.served import Served
from allmende.lab.telling import Teller

OPTIONS = (
    *("--no-starter", "--no-local-model", "--allow-private", "--name", "Demo commons on a chain"),
    *("--mode", MODE, "--settle-every", "3600", "--pay-per-call"),
)


def main(echo: Callable[[str], None], where: Where | None = None) -> int:
    """Run it. The exit code: 0 if every promise was kept."""
    began = time.monotonic()
    stood = play(Teller(echo, colour=sys.stdout.isatty()), where)
    echo(f"\n     The chain's part took {time.monotonic() - began:.0f} s, on {stood}.")
    return 0


def play(tell: Teller, where: Where | None = None, *, members: bool = True) -> str:
    """On the embedded chain unless somewhere else, with the members' contracts or without. The
    name of the chain that it was."""
    where = where or Where()
    more = ("--institutions",) if members else ()
    with tempfile.TemporaryDirectory(prefix="allmende-chain-") as folder:
        data = Path(folder) / "data"
        tell.step("A market that stands on a chain")
        if members:
            chain_commons.prepare(data)
        tell.say("compiling the contracts and putting them up, some twenty seconds …")
        with ground(where, data, partial(run, tell), members=members) as found:
            with Served(data, *OPTIONS, *more, *found.options) as market:
                stage = ChainStage(market, found, tell)
                chain_scenes.play(stage, chain_commons.play if members else _later)
            with left(found, data) as url:
                chain_exit.play(stage, url)
            return found.name


def _later(stage: ChainStage) -> None:
    stage.tell.say(
        "`allmende chain demo` goes on from here: shares, rewards, a title that is sold, a bridge, "
        "and a vote that changes a fee"
    )
