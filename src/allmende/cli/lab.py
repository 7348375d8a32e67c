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


@lab.command("capture")
@click.option("--seeds", default=20, show_default=True, help="Crowds that are drawn.")
@click.option("--members", default=200, show_default=True, type=click.IntRange(10, 2_000))
@click.option("--come", default=0.35, show_default=True, type=click.FloatRange(0, 1),
              help="The chance that one of the others votes.")  # fmt: skip
@click.option("--stake-worth", default=1_000_000.0, show_default=True,
              help="Credits that all stake is worth: assumed.")  # fmt: skip
@click.option("--voice", default=500.0, show_default=True,
              help="Credits for one member's voice: assumed.")  # fmt: skip
def capture(seeds: int, members: int, come: float, stake_worth: float, voice: float) -> None:
    """What it takes to capture a vote: one chamber, two, square roots, the mission clause.

    On the real tally. Ends with 0 if 90 % of stake does not reach the mission.
    """
    from allmende.lab.capture import Town, main

    sys.exit(main(seeds, Town(members, come, come, stake_worth, voice), click.echo))


@lab.command("share-sale")
@click.option("--people", default=400, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--seed", default=1, show_default=True, help="Of their money and of who leaves.")
def share_sale(people: int, seed: int) -> None:
    """Who ends up with the shares of a sale, with and without a cap for one person.

    By the rule that desk and contract sell by, on the terms of a lab's own sale.
    """
    import time

    from allmende.adapters.sale_terms import DAY, sale_terms
    from allmende.lab.share_sale import main

    now = int(time.time())
    caps = {"soft_cap": 100, "hard_cap": 500_000, "person_cap": 500_000}
    dates = {"start": now, "end": now + 30 * DAY, "euro_rate": 1_000_000, "unit": 1}
    sys.exit(main(people, seed, sale_terms("lab", price=1, **caps, **dates), click.echo))


@lab.command("gode-sunder")
@click.option("--seeds", default=20, show_default=True, help="How many sessions of each kind.")
@click.option("--start", default=0, show_default=True, help="The first seed.")
def gode_sunder(seeds: int, start: int) -> None:
    """Traders without wit on the real book: how much of all surplus they still make."""
    from allmende.lab.zero_intelligence import main

    sys.exit(main(seeds, start, click.echo))
