"""Rewards: an epoch's public facts, the list that follows from them, and what the chain has."""

from __future__ import annotations

import importlib
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import click

from allmende.adapters import reward_rules
from allmende.adapters.useful_work import facts_file
from allmende.cli.client import Client, Failed
from allmende.cli.offline import opened
from allmende.cli.remote import Market, remote
from allmende.cli.show import out_json, pairs, table
from allmende.core.rewards import Facts, Rule, epoch_at, points, span
from allmende.core.units import SECOND
from allmende.wire import rewards as wire

try:
    from allmende.adapters.chain.hashing import keccak
except ImportError as missing:
    raise Failed(f"Rewards need the extra `chain`, which is not installed: {missing}.") from None

EPOCH = click.argument("epoch", type=click.IntRange(0))
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
SOURCE_OPTIONS = (
    click.option("--rule", default=reward_rules.ACT, show_default=True,
                 help="With --data: a rule in the package, or a file."),
    click.option("--data", help="A market's directory, read only."),
    click.option("--from", "file", type=FILE, help="A file of facts; else the market at --url."),
)  # fmt: skip


class Known(NamedTuple):
    """Facts and their rule's file, from wherever they are."""

    facts: Facts
    text: bytes

    @property
    def rule(self) -> Rule:
        return wire.rule_of(self.text)

    def list_(self) -> wire.Reckoned:
        return wire.reckon(self.facts, self.rule, keccak)


def facts_from(client: Client, epoch: int, **where: Any) -> bytes:
    """The public file: as it is, made of a directory's journal, or the market's. Failed."""
    if where["file"]:
        return bytes(where["file"].read_bytes())
    if not where["data"]:
        return told(client, "rewards/facts", epoch=epoch)
    try:
        rule = reward_rules.named(where["rule"], datetime.now(UTC).date())
        _require_over(wire.rule_of(rule), epoch)
    except (ValueError, OSError) as error:
        raise Failed(str(error)) from None
    with opened(where["data"]) as (found, _):
        return facts_file(found, rule, epoch)


def told(client: Client, path: str, **query: object) -> bytes:
    """What a market tells anybody; one without a chain has nothing of it. Failed."""
    try:
        return client.public(path, **query)
    except Failed as failed:
        if failed.facts.get("code") != "method_not_allowed":
            raise
        raise Failed(
            "This market has no chain, and so no emission. Its journal can be reckoned: --data."
        ) from None


def known_from(client: Client, epoch: int, **where: Any) -> Known:
    """Failed where the file does not fit, or is of another epoch."""
    try:
        facts, text = wire.decode(facts_from(client, epoch, **where))
        wire.rule_of(text)
    except ValueError as error:
        raise Failed(f"{where['file'] or 'The facts'}: {error}.") from None
    if facts.epoch != epoch:
        raise Failed(f"{where['file']} is of epoch {facts.epoch}, not of {epoch}.")
    return Known(facts, text)


def _require_over(rule: Rule, epoch: int) -> None:
    now = time.time_ns() // 1_000
    if now < span(rule, epoch)[1]:
        left = (span(rule, epoch)[1] - now) // SECOND + 1
        running = epoch_at(rule, now)
        raise ValueError(f"Epoch {epoch} is over in {left:,} s; epoch {running} runs now.")


def sourced(command: Any) -> Any:
    for option in SOURCE_OPTIONS:
        command = option(command)
    return command


MORE = ("publish", "check", "claim")
"""Commands that need a node, in rewards_acts."""


class _Group(click.Group):
    """Loads the chain's tools for those commands that need them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *MORE])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in MORE:
            return super().get_command(ctx, cmd_name)
        module = importlib.import_module("allmende.cli.rewards_acts")
        command: click.Command = getattr(module, cmd_name)
        return command


@click.group(cls=_Group)
def rewards() -> None:
    """Shares for measured useful work: docs/rewards.md."""


@rewards.command("facts")
@EPOCH
@sourced
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write it here.")
@remote
def facts(market: Market, /, epoch: int, out: Path | None, **where: Any) -> None:
    """The public file of an EPOCH: what anybody reckons its rewards from.

    It names no account, no key and no prompt; each batch's lines have the batch's root.
    """
    data = facts_from(market.client, epoch, **where)
    if out is None:
        click.echo(data.decode(), nl=False)
        return
    out.write_bytes(data)
    click.echo(f"Written to {out}: {len(data):,} bytes.")


@rewards.command("compute")
@EPOCH
@sourced
@remote
def compute(market: Market, /, epoch: int, **where: Any) -> None:
    """The list of an EPOCH by its rule: who gets how much, the total and the root."""
    known = known_from(market.client, epoch, **where)
    found = known.list_()
    worked = points(known.rule, known.facts)
    rows = [
        {
            "account": (payee := "0x" + line.account.hex()),
            "owner": known.facts.owners[payee],
            "points": worked[payee],
            "shares": wire.shares(line.amount),
        }
        for line in found.lines
    ]
    said = {
        "epoch": epoch,
        "pool": wire.shares(found.pool),
        "total": wire.shares(found.total),
        "unminted": wire.shares(found.pool - found.total),
        "rule": wire.rule_hash(known.text),
        "root": "0x" + found.root.hex() if found.root else "none: nobody's work counts",
    }
    if market.as_json:
        out_json({**said, "lines": rows, "why": _why(known.facts)})
        return
    table(rows, ("account", "owner", "points", "shares"), "Nobody's work counts in this epoch.")
    pairs({**said, "receipts": _said(known.facts)})


def _why(of: Facts) -> dict[str, int]:
    """Receipts by why they count or not."""
    found: dict[str, int] = {}
    for line in of.lines:
        found[line.why or "counts"] = found.get(line.why or "counts", 0) + 1
    return found


def _said(of: Facts) -> str:
    return ", ".join(f"{count} {why}" for why, count in sorted(_why(of).items())) or "none"


@rewards.command("list")
@remote
def list_(market: Market) -> None:
    """The running epoch, the rule, and the lists on the chain."""
    found = json.loads(told(market.client, "rewards"))
    if market.as_json:
        out_json(found)
        return
    pairs({name: found[name] for name in ("contract", "epoch", "ends", "pool", "minted")})
    columns = ("epoch", "state", "total", "claimed", "opens", "root")
    table(found["lists"], columns, "No list was published yet.")


@rewards.command("payee")
@click.argument("member")
@click.argument("address")
@remote
def payee(market: Market, /, member: str, address: str) -> None:
    """Say that a MEMBER's rewards are for ADDRESS, which no other member has; '' for none."""
    fields = {"member": member, "address": address}
    market.ask("name_payee", fields, f"Rewards of {member} are for {address or 'nobody'} now.")


@rewards.command("attest")
@click.argument("id_", metavar="ID")
@click.argument("member")
@click.argument("hours", type=int)
@click.option("--client", required=True, help="The member whose training run it was.")
@click.option("--document", required=True, help="SHA-256 of what shows it, or the file itself.")
@remote
def attest(
    market: Market, /, id_: str, member: str, hours: int, client: str, document: str
) -> None:
    """Attest that MEMBER gave HOURS of a machine to another's training run. Operators."""
    shown = Path(document)
    digest = wire.rule_hash(shown.read_bytes()) if shown.is_file() else document
    fields = {"id": id_, "member": member, "hours": hours, "client": client, "document": digest}
    market.ask("attest_training", fields, f"{hours} hours of {member} for {client} are attested.")
