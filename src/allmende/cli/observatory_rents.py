"""Rents: margin, floor and rent of a price, from numbers that the user enters."""

from __future__ import annotations

import click

from allmende.cli.client import Failed
from allmende.cli.observatory_figures import NUMBER, Named, named, show
from allmende.measure.figure import About, Figure
from allmende.measure.rents import CHEAPEST, Host, long_run_cost, marginal_cost, price_cost_test
from allmende.measure.rents_figures import margin, open_floor, technology

MILLION = 1_000_000
COST = "GPU hours at their price over tokens an hour, energy with overhead, and network."
HOSTS = "NAME=PRICE of a host of the same weights, served alike; three or more."
UNIT = "money per million tokens"


@click.command("rents")
@click.option("--price", type=NUMBER, required=True, help="Of a million tokens.")
@click.option("--gpu-hour", type=NUMBER, help="What the GPUs would earn in an hour elsewhere.")
@click.option("--tokens-per-hour", type=NUMBER, help="That they serve at the promised speed.")
@click.option("--token-j", type=NUMBER, default=0.0, help="Joules a token, if not in the hour.")
@click.option("--pue", type=NUMBER, default=1.0, show_default=True, help="Of the building.")
@click.option("--kwh", type=NUMBER, default=0.0, help="Price of a kilowatt-hour.")
@click.option("--training", type=NUMBER, help="Cost of the training.")
@click.option("--lifetime-tokens", type=NUMBER, help="Over which it is spread.")
@click.option("--quantity", type=NUMBER, help="Million tokens that a buyer takes a period.")
@click.option("--switching-cost", type=NUMBER, help="What leaving would cost that buyer, once.")
@click.option("--periods", type=NUMBER, help="Over which a switch would pay.")
@click.option("--host", "hosts", multiple=True, callback=named, help=HOSTS)
@click.option("--json", "as_json", is_flag=True)
def command(price: float, hosts: Named, as_json: bool, **given: float | None) -> None:
    """The margin on a price, its distance to the open floor, and the rent in it.

    Every figure asks for what it needs, and says what is missing; nothing is assumed for you.
    All money is in one unit, prices and costs per million tokens.
    """
    about = About(of="price", window="as entered", denominator="one buyer", grade="assumed")
    try:
        figures = [*_costs(about, price, given), *_floor(about, price, hosts)]
    except ValueError as error:
        raise Failed(str(error)) from None
    show(figures, as_json)


def _costs(about: About, price: float, given: dict[str, float | None]) -> list[Figure]:
    missing = _missing(given, "gpu_hour", "tokens_per_hour")
    if missing:
        return [about.undefined("marginal_cost", UNIT, COST, missing)]
    known = {name: value or 0.0 for name, value in given.items()}
    costs = ("gpu_hour", "tokens_per_hour", "token_j", "pue", "kwh")
    one = MILLION * marginal_cost(*(known[name] for name in costs))
    found = [
        about.point("marginal_cost", one, UNIT, COST),
        margin(about, price, one),
    ]
    missing = _missing(given, "training", "lifetime_tokens")
    if missing:
        return [*found, about.undefined("long_run_cost", UNIT, LONG_RUN, missing)]
    long_run = long_run_cost(one, known["training"], known["lifetime_tokens"] / MILLION)
    said = price_cost_test(price, one, long_run)
    found.append(about.point("long_run_cost", long_run, UNIT, LONG_RUN, f"The price is {said}."))
    missing = _missing(given, "quantity", "switching_cost", "periods")
    if missing:
        return [*found, about.undefined("technology_rent", "money a period", RENT, missing)]
    buyer = (known["quantity"], known["switching_cost"], known["periods"])
    return [*found, *technology(about, price, long_run, *buyer, "money a period")]


LONG_RUN = "Marginal cost, and training spread over the model's lifetime tokens."
RENT = "(price - long-run cost) * quantity, and what of it is lock-in."


def _floor(about: About, price: float, hosts: Named) -> list[Figure]:
    asks = [Host(name, ask, 0.0, 0, "") for name, ask in hosts.items()]
    remark = f"With {CHEAPEST} hosts or more (--host), each counted as one."
    found = open_floor(about, price, asks, 0, "", UNIT)
    return (
        found
        if asks
        else [about.undefined(one.key, one.unit, one.definition, remark) for one in found]
    )


def _missing(given: dict[str, float | None], *needed: str) -> str:
    names = [f"--{name.replace('_', '-')}" for name in needed if given[name] is None]
    return f"It needs {', '.join(names)}." if names else ""
