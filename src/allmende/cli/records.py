"""Records: receipts, batches, rules, and who earned what."""

from __future__ import annotations

from pathlib import Path

import click

from allmende.cli.client import Failed
from allmende.cli.remote import Market, remote
from allmende.cli.show import out_json, table

DIMENSIONS = ("account", "provider", "country", "title", "model")


@click.group()
def receipt() -> None:
    """Receipts: what was delivered, for how much, and who earned it."""


@receipt.command("list")
@click.option("--limit", type=int, default=20, show_default=True)
@click.option("--budget", help="Only those of this budget.")
@remote
def list_receipts(market: Market, limit: int, budget: str | None) -> None:
    """The latest receipts that your key sees, newest first."""
    rows = market.client.get("receipts", limit=limit, budget=budget)["receipts"]
    if market.as_json:
        out_json(rows)
        return
    columns = ("id", "at", "model", "provider", "zone.country", "units", "price", "verdict")
    table(rows, columns, "No receipts yet.")


@receipt.command("show")
@click.argument("id_", metavar="ID")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write it here.")
@remote
def show_receipt(market: Market, id_: str, out: Path | None) -> None:
    """The signed receipt file, with its proofs; `receipt verify` checks it offline."""
    data = market.client.fetch(f"receipts/{id_}")
    if out is None:
        click.echo(data.decode())
    else:
        out.write_bytes(data)
        click.echo(f"Written to {out}. Check it: allmende receipt verify {out}")


@receipt.command("verify")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--public-key", help="The market's key in hex, as you know it from elsewhere.")
@click.option("--json", "as_json", is_flag=True)
def verify_receipt(file: Path, public_key: str | None, as_json: bool) -> None:
    """Check a receipt FILE offline: price, waterfall, signature, place in its batch."""
    from allmende.wire.receipt import verify

    try:
        checks = verify(file.read_bytes(), public_key)
    except ValueError as error:
        raise Failed(f"{file}: {error}") from None
    if as_json:
        out_json([check._asdict() for check in checks])
    else:
        for check in checks:
            click.echo(f"{'ok ' if check.ok else 'NOT'}  {check.name:<16}{check.detail}")
    if not all(check.ok for check in checks):
        raise Failed(f"{file} does not prove what it says.")


@click.group()
def batch() -> None:
    """Batches: receipts closed together under one root."""


@batch.command("list")
@remote
def list_batches(market: Market) -> None:
    """Closed batches, newest first."""
    market.rows("batches", ("number", "at", "receipts", "root"), "No batch is closed yet.")


@batch.command("close")
@remote
def close_batch(market: Market) -> None:
    """Close the open batch now."""
    answer = market.client.ask("close_batch", {})
    closed = next(iter(answer["events"]), None)
    if closed is None:
        market.say(answer, "Nothing to close: the open batch has no final receipt.")
    else:
        number, receipts = closed["number"], closed["receipts"]
        market.say(answer, f"Batch {number} is closed with {receipts} receipt(s).")


@click.group()
def parameter() -> None:
    """Parameters: the rules of the market, within their bounds."""


@parameter.command("list")
@remote
def list_parameters(market: Market) -> None:
    """Every rule with its value and bounds."""
    columns = ("name", "value", "least", "most", "unit", "meaning")
    market.rows("parameters", columns, "No parameters.")


@parameter.command("set")
@click.argument("name")
@click.argument("value", type=int)
@click.option("--effective", help="From when, such as 2027-01-01; at once if not given.")
@remote
def set_parameter(market: Market, name: str, value: int, effective: str | None) -> None:
    """Set the rule NAME to VALUE."""
    fields = {"name": name, "value": value}
    if effective:
        fields["effective"] = effective
    market.ask("set_parameter", fields, f"{name} is {value} from {effective or 'now'}.")


@click.command()
@click.option(
    "--by",
    type=click.Choice(["account", "provider", "country", "title", "model"]),
    default="provider",
)
@remote
def observe(market: Market, by: str) -> None:
    """Receipts, tokens, money and energy by member, provider, zone or title."""
    rows = market.client.get("observe")[by]
    if market.as_json:
        out_json(rows)
    else:
        columns = ("value", "asset", "receipts", "input", "cached", "output", "embedding", "price")
        table(rows, columns, "Nothing yet.")
