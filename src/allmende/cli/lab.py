"""The laboratory: experiments on the market's own core, each with its seed and its source."""

from __future__ import annotations

import sys

import click


@click.group()
def lab() -> None:
    """Experiments that rerun published results on this market's own core."""


@lab.command("cap-cost")
@click.option("--requests", default=2_000, show_default=True, help="In each run.")
@click.option("--seed", default=1, show_default=True, help="Of the requests.")
def cap_cost(requests: int, seed: int) -> None:
    """What a carbon cap costs: the same requests without one, and under ever tighter ones."""
    from allmende.lab.cap_cost import main

    sys.exit(main(requests, seed, click.echo))


@lab.command("gode-sunder")
@click.option("--seeds", default=20, show_default=True, help="How many sessions of each kind.")
@click.option("--start", default=0, show_default=True, help="The first seed.")
def gode_sunder(seeds: int, start: int) -> None:
    """Traders without wit on the real book: how much of all surplus they still make."""
    from allmende.lab.zero_intelligence import main

    sys.exit(main(seeds, start, click.echo))
