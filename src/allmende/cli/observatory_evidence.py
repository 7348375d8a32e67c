"""Evidence: what offers can show of their sovereignty, in a running market. docs/sovereignty.md."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import click
import msgspec

from allmende.cli.client import Failed
from allmende.cli.remote import Market, remote
from allmende.cli.show import out_json, table


@click.group("evidence")
def command() -> None:
    """Evidence: file, import, confirm, withdraw, list, show."""


@command.command("file")
@click.argument("id_", metavar="ID")
@click.option("--offer", default="", help="The offer it speaks of.")
@click.option("--provider", default="", help="Without --offer: of all that this member sells.")
@click.option("--objective", required=True, help="SOV-1 to SOV-8.")
@click.option("--level", required=True, type=click.IntRange(0, 4), help="SEAL 0 to 4.")
@click.option("--claim", required=True, help="What it says, in a sentence.")
@click.option("--issuer", required=True, help="Who vouches for it; not the provider itself.")
@click.option("--issued", required=True, help="From when it counts, such as 2026-10-01.")
@click.option("--expires", required=True, help="When it counts no more.")
@click.option(
    "--document", required=True, help="The file that shows it, or its SHA-256. It stays here."
)
@click.option("--rests-on", multiple=True, help="Evidence without which it is none.")
@remote
def file(market: Market, /, id_: str, document: str, **fields: Any) -> None:
    """Put evidence on the file, as a claim. It counts once an operator confirms it."""
    path = Path(document)
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else document.lower()
    fields = {**fields, "id": id_, "document": digest, "rests_on": list(fields["rests_on"])}
    done = f"Evidence {id_} is filed as a claim. Confirm it with `evidence confirm {id_}`."
    market.ask("file_evidence", fields, done)


@command.command("import")
@click.argument(
    "path", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@remote
def import_evidence(market: Market, path: Path) -> None:
    """File all rows of a CSV or JSON FILE, or none: every bad row is named."""
    from allmende.wire import evidence

    try:
        rows, places = evidence.read(path.name, path.read_bytes())
    except evidence.BadEvidence as error:
        raise Failed(f"Nothing was imported.\n{error}") from None
    try:
        answer = market.client.ask("import_evidence", {"rows": msgspec.to_builtins(rows)})
    except Failed as failed:
        told = failed.facts.get("rows")
        if not isinstance(told, dict):
            raise
        lines = [f"{places[int(row.split()[1]) - 1]}: {why}" for row, why in told.items()]
        raise Failed("\n".join(["Nothing was imported.", *lines])) from None
    market.say(answer, f"{len(rows)} pieces of evidence are filed as claims.")


@command.command("confirm")
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@remote
def confirm(market: Market, ids: tuple[str, ...]) -> None:
    """You have seen the document, and it shows what is claimed."""
    for id_ in ids:
        market.ask("confirm_evidence", {"id": id_}, f"Evidence {id_} is confirmed.")


@command.command("withdraw")
@click.argument("id_", metavar="ID")
@remote
def withdraw(market: Market, id_: str) -> None:
    """Take evidence off the file; from now on it counts no more."""
    market.ask("withdraw_evidence", {"id": id_}, f"Evidence {id_} is withdrawn.")


@command.command("list")
@remote
def list_evidence(market: Market) -> None:
    """Evidence on the file, and how it stands."""
    columns = ("id", "provider", "offer", "objective", "level", "standing", "issuer", "expires")
    market.rows("evidence", columns, "No evidence is on the file.")


@command.command("show")
@click.argument("offer", required=False)
@remote
def show(market: Market, offer: str | None) -> None:
    """What each offer can show now; of one OFFER also by whose word."""
    rows = [row for row in market.client.get("sovereignty") if offer in (None, row["offer"])]
    if offer is not None and not rows:
        raise Failed(f"No offer {offer!r} stands; `allmende offer list` has those that do.")
    if market.as_json:
        out_json(rows)
        return
    table([_line(row) for row in rows], [*_line(rows[0])] if rows else (), "No offers.")
    for row in rows if offer else ():
        _reasons(row)


def _line(row: dict[str, Any]) -> dict[str, Any]:
    """An offer's levels in a row; `!` where evidence contradicts itself."""
    levels = {
        one["objective"]: f"{one['level']}{'!' * one['contradictory']}" for one in row["objectives"]
    }
    reach = {
        one["regime"]: f"E{one['exposure']}/{one['kill_switch']}{'?' * (not one['assessed'])}"
        for one in row["regimes"]
    }
    return {"offer": row["offer"], "overall": row["level"], **levels, **reach}


def _reasons(row: dict[str, Any]) -> None:
    for regime in row["regimes"]:
        for said in regime["signed"]:
            level = f"E{said['exposure']}, kill switch {said['kill_switch']}"
            click.echo(
                f"{regime['regime']}: {level}, until {said['expires']}, signed by "
                f"{said['signer']} (key {said['key']}): {said['reasoning']}"
            )
    for one in row["objectives"]:
        for piece in one["evidence"]:
            click.echo(
                f"{one['objective']}: {piece['level']} by {piece['issuer']} until "
                f"{piece['expires']} ({piece['id']}): {piece['claim']}"
            )
