"""Demo: one market through a token's life, in a terminal, with real inference.

Rule: everything shown happens on a served market of its own, through its doors; the
answers come from a real model, and what dies really dies.
Invariant: it ends with an audit and a replay to the same digest, or with an error.
Worked number: 33 steps, ten thousand and some receipts, in about a minute.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from allmende.lab import chain_demo, december, observing, papers, proof, scenes, who
from allmende.lab.model_server import ModelServer
from allmende.lab.served import Served
from allmende.lab.stage import CHAT, Stage
from allmende.lab.telling import Teller

OPTIONS = (
    *("--no-starter", "--allow-private", "--name", "Demo commons"),
    *("--country", "DEU", "--mode", "limited_network"),
)


def main(echo: Callable[[str], None]) -> int:
    """Run the demo. The exit code: 0 if every promise was kept."""
    began = time.monotonic()
    tell = Teller(echo, colour=sys.stdout.isatty())
    with tempfile.TemporaryDirectory(prefix="allmende-demo-") as folder:
        data = Path(folder) / "data"
        with (
            ModelServer(CHAT) as model,
            Served(data, *OPTIONS) as market,
            closing(Stage(market, model, tell)) as stage,
        ):
            scenes.play(stage)
            who.play(stage)
            papers.play(stage, data)
            december.play(stage)
            observing.play(stage, data)
            scenes.ending(stage)
        proof.receipts(data, stage.files, tell)
        proof.books(data, stage.digest, tell)
    chain_demo.play(tell, members=False)
    tell.step("Done")
    tell.say(f"That took {time.monotonic() - began:.0f} s. To keep a market running: make serve")
    return 0
