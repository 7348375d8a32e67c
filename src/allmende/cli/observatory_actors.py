"""Actors: who is who, who holds whom, and who supplies whom, in a running market."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from allmende.cli.client import Failed
from allmende.cli.remote import Market, remote
from allmende.cli.show import out_json, table
from allmende.core.actors import Registry
from allmende.core.registry import TEXT_MAX, Known, percent
from allmende.wire import actors as files


@click.group("actors")
def command() -> None:
    """Legal entities with their stakes and supplies: import, export, show, list."""


@command.command("import")
@click.argument(
    "paths", metavar="FILE...", nargs=-1, required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)  # fmt: skip
@remote
def import_actors(market: Market, paths: tuple[Path, ...]) -> None:
    """Replace the registry by what the FILEs have together, CSV or JSON.

    Every row is looked at first; one that is wrong is named and nothing is imported.
    """
    members = {row["id"] for row in market.client.get("members")}
    offers = {row["id"] for row in market.client.get("offers")}
    known = Known(datetime.now(UTC).date().isoformat(), members, offers)
    try:
        found = files.read((str(path), path.read_bytes()) for path in paths)
        files.check(found, known)
    except files.BadRegistry as error:
        raise Failed(f"Nothing was imported.\n{error}") from None
    registry = found.registry
    source = ", ".join(path.name for path in paths)[:TEXT_MAX]
    fields = {"registry": msgspec.to_builtins(registry), "source": source}
    answer = market.client.ask("import_actors", fields)
    rows = f"{len(registry.actors)} actors, {len(registry.stakes)} stakes, "
    rows += f"{len(registry.supplies)} supplies"
    if not answer["events"]:
        market.say(answer, f"The registry is this already: {rows}.")
    else:
        event = answer["events"][0]
        said = f"Version {event['version']}: {rows}. SHA-256 {event['sha256']}"
        market.say(answer, said)


@command.command("export")
@click.option("--format", "form", type=click.Choice(["csv", "json"]), default="csv")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write it here.")
@remote
def export_actors(market: Market, form: str, out: Path | None) -> None:
    """The registry as a file that `import` reads back without loss."""
    registry = msgspec.convert(market.client.get("actors"), Registry)
    text = files.to_csv(registry) if form == "csv" else files.to_json(registry)
    if out is None:
        click.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8", newline="")
        click.echo(f"{len(registry.actors)} actors are in {out}.")


@command.command("list")
@remote
def list_actors(market: Market) -> None:
    """Every actor with its ultimate parent, as the registry has it."""
    from allmende.measure.control import Control

    registry = msgspec.convert(market.client.get("actors"), Registry)
    control = Control(registry)
    rows = [
        {
            **msgspec.to_builtins(actor),
            "roles": " ".join(actor.roles),
            "accounts": " ".join(actor.accounts),
            "parent": " ".join(control.ultimates(actor.id)),
            "law": " ".join(control.laws(actor.id)),
        }
        for actor in registry.actors
    ]
    if market.as_json:
        out_json(rows)
        return
    columns = ("id", "name", "jurisdiction", "parent", "law", "roles", "accounts", "grade")
    table(rows, columns, "No registry was imported: allmende observatory actors import FILE...")


@command.command("show")
@click.argument("actor")
@remote
def show_actor(market: Market, actor: str) -> None:
    """Who controls ACTOR, by which steps, whose law reaches it, and what it controls."""
    row = market.client.get(f"actors/{actor}")
    if market.as_json:
        out_json(row)
        return
    found = row["actor"]
    click.echo(f"{found['name']} ({found['id']}), {found['jurisdiction']}, {found['form']}")
    for top, chain in row["chains"].items():
        click.echo(f"ultimate parent: {'itself' if top == actor else top}")
        for step in chain:
            click.echo(f"  {_step(step)}")
    click.echo(f"law that reaches it by control: {', '.join(row['jurisdictions'])}")
    if row["unrecorded_ppm"]:
        click.echo(f"votes whose holders nobody told: {percent(row['unrecorded_ppm'])}")
    click.echo(f"controls: {', '.join(row['controls']) or 'nobody'}")
    for stake in row["holders"]:
        click.echo(f"held by {stake['holder']}: {_stake(stake)}")
    for stake in row["holds"]:
        click.echo(f"holds {stake['entity']}: {_stake(stake)}")
    click.echo(f"source: {found['source']}, {found['date']}, {found['grade']}")


def _step(step: dict[str, Any]) -> str:
    how = "by contract" if step["contract"] else f"with {percent(step['votes_ppm'])} of the votes"
    return f"{' and '.join(step['through'])} → {step['entity']} {how}"


def _stake(stake: dict[str, Any]) -> str:
    shares = f"{percent(stake['votes_ppm'])} of votes, {percent(stake['economic_ppm'])} of profit"
    return f"{shares}{', control by contract' if stake['contract'] else ''} ({stake['grade']})"
