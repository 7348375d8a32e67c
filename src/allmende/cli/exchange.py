"""Exchange: orders, books, quotes and rights. Prices are credits per lot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from allmende.cli.remote import Market, given, remote
from allmende.cli.show import Row, out_json, table

F = TypeVar("F", bound=Callable[..., Any])
SIDES = click.Choice(["buy", "sell"])
TERMS = click.Choice(["good", "ioc", "fok", "post"])


# Orders -------------------------------------------------------------------------------


@click.group()
def order() -> None:
    """Orders: buy, sell, amend, cancel, list."""


def _terms(command: F) -> F:
    """The options that buying and selling share."""
    for option in (
        click.argument("price"),
        click.argument("lots"),
        click.argument("id_", metavar="ID"),
        click.option("--term", type=TERMS, default="good", show_default=True, help="What if not."),
        click.option("--until", help="When it ends, as 2026-12-01T12:00; the window's end."),
        click.option("--account", help="The member that trades; your own if not given."),
        click.option("--id", "name", help="The order's id; made up if not given."),
    ):
        command = option(command)
    return command


@order.command("buy")
@_terms
@remote
def buy(market: Market, /, id_: str, lots: str, price: str, **told: Any) -> None:
    """Buy LOTS of the instrument ID at PRICE credits a lot or less."""
    _place(market, "buy", id_, lots, price, told)


@order.command("sell")
@_terms
@remote
def sell(market: Market, /, id_: str, lots: str, price: str, **told: Any) -> None:
    """Sell LOTS of the instrument ID at PRICE credits a lot or more."""
    _place(market, "sell", id_, lots, price, told)


def _place(
    market: Market, side: str, id_: str, lots: str, price: str, told: dict[str, Any]
) -> None:
    told["id"] = told.pop("name")
    fields = {"instrument": id_, "side": side, "lots": lots, "price": price, **given(told)}
    answer = market.client.ask("place_order", fields)
    market.say(answer, "\n".join(_happened(answer)))


def _happened(answer: Any) -> list[str]:
    """What became of an order, a line each."""
    lines = []
    for event in answer["events"]:
        if event["type"] == "filled":
            lines.append(f"{event['lots']} lots at {event['price']} credits.")
        elif event["type"] == "orderended":
            lines.append(f"Order {event['order']} ended: {event['cause']}.")
        elif event["type"] == "callopened":
            lines.append(f"Too far from the last price: a call until {event['until']}.")
    rested = any(
        event["type"] == "orderrested" or event.get("rests", event["type"] == "orderplaced")
        for event in answer["events"]
    )
    return [*lines, f"Order {answer['id']} stands."] if rested else lines


@order.command("amend")
@click.argument("id_", metavar="ID")
@click.argument("lots")
@click.argument("price")
@remote
def amend(market: Market, id_: str, lots: str, price: str) -> None:
    """Change an order; fewer LOTS at the same PRICE keep its place in the queue."""
    fields = {"id": id_, "lots": lots, "price": price}
    market.ask("amend_order", fields, f"Order {id_} is for {lots} lots at {price}.")


@order.command("cancel")
@click.argument("id_", metavar="ID", required=False)
@click.option("--all", "every", is_flag=True, help="All of your orders.")
@click.option("--instrument", "of", help="All of your orders in this instrument.")
@remote
def cancel(market: Market, id_: str | None, every: bool, of: str | None) -> None:
    """Cancel the order ID, or all."""
    if (id_ is not None) + every + (of is not None) != 1:
        raise click.UsageError("Name one order, --instrument, or --all.")
    if id_ is not None:
        market.ask("cancel_order", {"id": id_}, f"Order {id_} is cancelled.")
        return
    answer = market.client.ask("cancel_orders", given({"instrument": of}))
    market.say(answer, f"{len(answer['events'])} orders are cancelled.")


@order.command("list")
@click.option("--instrument", "of", help="Only of this instrument.")
@remote
def list_orders(market: Market, of: str | None) -> None:
    """Orders that stand."""
    columns = ("id", "instrument", "account", "side", "price", "lots", "left", "until")
    market.rows("orders", columns, "No orders stand.", instrument=of)


# Looking ------------------------------------------------------------------------------


@click.command()
@click.argument("id_", metavar="ID")
@click.option("--depth", type=click.IntRange(1, 1_000), default=10, show_default=True)
@remote
def book(market: Market, id_: str, depth: int) -> None:
    """Bids and asks of an instrument, lots and credits a lot, best in the middle."""
    row = market.client.get(f"instruments/{id_}/book", depth=depth)
    if market.as_json:
        out_json(row)
        return
    asks = [{"side": "ask", "price": price, "lots": lots} for price, lots in row["asks"]]
    bids = [{"side": "bid", "price": price, "lots": lots} for price, lots in row["bids"]]
    table([*reversed(asks), *bids], ("side", "lots", "price"), "Nobody bids or asks.")
    click.echo(f"last {row['last'] or '-'}, reference {row['reference']}")
    if row["call_until"]:
        click.echo(f"A call collects orders until {row['call_until']}.{_indicated(row)}")


def _indicated(row: Row) -> str:
    now = row["indicative"]
    return f" Now {now['lots']} lots would trade at {now['price']}." if now else ""


@click.command()
@remote
def rights(market: Market) -> None:
    """What you hold, what it is worth at the last price, and until when."""
    columns = (
        *("account", "instrument", "model", "lots", "available", "price", "value"),
        *("phase", "end"),
    )
    market.rows("rights", columns, "No rights: `allmende order buy --help`.")


# Quotes -------------------------------------------------------------------------------


@click.group()
def quote() -> None:
    """Quotes: ask everybody for a price on many lots, and take one answer."""


@quote.command("ask")
@click.argument("id_", metavar="INSTRUMENT")
@click.argument("lots")
@click.option("--until", required=True, help="When it ends, as 2026-12-01T12:00.")
@remote
def ask_quotes(market: Market, id_: str, lots: str, until: str) -> None:
    """Ask for prices on LOTS; nobody is told which way you would go."""
    answer = market.client.ask("request_quotes", {"instrument": id_, "lots": lots, "until": until})
    market.say(answer, f"Request {answer['id']} is open.")


@quote.command("give")
@click.argument("request")
@click.argument("side", type=SIDES)
@click.argument("price")
@remote
def give_quote(market: Market, request: str, side: str, price: str) -> None:
    """Answer REQUEST: you would buy or sell at PRICE credits a lot."""
    answer = market.client.ask("quote", {"request": request, "side": side, "price": price})
    market.say(answer, f"Quote {answer['id']} stands.")


@quote.command("take")
@click.argument("id_", metavar="ID")
@remote
def take_quote(market: Market, id_: str) -> None:
    """Take the quote ID."""
    answer = market.client.ask("accept_quote", {"id": id_})
    fill = answer["events"][0]
    market.say(answer, f"{fill['lots']} lots at {fill['price']} credits.")


@quote.command("list")
@click.option("--request", help="Only answers to this request.")
@remote
def list_quotes(market: Market, request: str | None) -> None:
    """Quotes that you got or gave."""
    columns = ("id", "request", "instrument", "side", "price", "lots", "until")
    market.rows("quotes", columns, "No quotes.", request=request)
