"""Rewards: an epoch's public facts, the list that follows from them, and what the chain has."""

from __future__ import annotations

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
from allmende.cli.rewards_chain import CHAIN_OPTIONS, Place, claim_line, look, publish_by
from allmende.cli.show import out_json, pairs, table
from allmende.core.rewards import Facts, Rule, epoch_at, points, span
from allmende.core.units import SECOND
from allmende.wire import rewards as wire

try:
    from allmende.adapters.chain.signing import Keys
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
        return wire.reckon(self.facts, self.rule, Keys.keccak)


def facts_from(client: Client, epoch: int, **where: Any) -> bytes:
    """The public file: as it is, made of a directory's journal, or the market's. Failed."""
    if where["file"]:
        return bytes(where["file"].read_bytes())
    if not where["data"]:
        return client.public("rewards/facts", epoch=epoch)
    try:
        rule = reward_rules.named(where["rule"], datetime.now(UTC).date())
        _require_over(wire.rule_of(rule), epoch)
    except (ValueError, OSError) as error:
        raise Failed(str(error)) from None
    with opened(where["data"]) as (found, _):
        return facts_file(found, rule, epoch)


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
        ends = datetime.fromtimestamp(span(rule, epoch)[1] // SECOND, UTC)
        raise ValueError(
            f"Epoch {epoch} is over at {ends:%Y-%m-%d %H:%M:%S} UTC; epoch {epoch_at(rule, now)} "
            "runs now."
        )


def sourced(command: Any) -> Any:
    for option in SOURCE_OPTIONS:
        command = option(command)
    return command


def on_chain(command: Any) -> Any:
    for option in CHAIN_OPTIONS:
        command = option(command)
    return command


@click.group()
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


def _why(told: Facts) -> dict[str, int]:
    """Receipts by why they count or not."""
    found: dict[str, int] = {}
    for line in told.lines:
        found[line.why or "counts"] = found.get(line.why or "counts", 0) + 1
    return found


def _said(told: Facts) -> str:
    return ", ".join(f"{count} {why}" for why, count in sorted(_why(told).items())) or "none"


@rewards.command("publish")
@EPOCH
@sourced
@on_chain
@remote
def publish(market: Market, /, epoch: int, **options: Any) -> None:
    """Put an EPOCH's root on the chain. By the market, with an operator's key, or by a wallet.

    The market publishes what follows from its own journal; a wallet with the role PUBLISHER what
    follows from --from, --data, or the market's facts.
    """
    place = Place.of(options)
    if place.key is None:
        told = market.client.ask("rewards/publish", {"epoch": epoch})
        market.say(told, f"Epoch {epoch}: root {told['root']}, {told['total']} SHARE, on its way.")
        return
    known = known_from(market.client, epoch, **options)
    found = known.list_()
    if not found.root:
        raise Failed(f"Nobody's work counts in epoch {epoch}: it has no list.")
    words = (epoch, "0x" + found.root.hex(), found.total, "0x" + wire.rule_hash(known.text))
    done = publish_by(place, market.client, words)
    market.say(done, f"Published in block {done['block']}: {wire.shares(found.total)} SHARE.")


@rewards.command("check")
@EPOCH
@sourced
@on_chain
@remote
def check(market: Market, /, epoch: int, **options: Any) -> None:
    """Whether the chain has the list that follows from an EPOCH's facts. Ends with 1 if not."""
    place = Place.of(options)
    known = known_from(market.client, epoch, **options)
    found, there = known.list_(), look(place, market.client, epoch)
    same = {
        "root": (there.listed.root == "0x" + found.root.hex()) if found.root else not there.there,
        "total": there.listed.total == found.total,
        "rule": not there.there or there.listed.rule == wire.rule_hash(known.text),
        "terms": there.terms[:4] == reward_rules.terms(known.rule),
    }
    differs = [name for name, ok in same.items() if not ok]
    said = {
        "epoch": epoch,
        "emission": there.address,
        "state": there.listed.state,
        "root_here": "0x" + found.root.hex() if found.root else "none",
        "root_there": there.listed.root if there.there else "none",
        "total_here": wire.shares(found.total),
        "total_there": wire.shares(there.listed.total),
        "claimed": wire.shares(there.listed.claimed),
        "voids": there.listed.voids,
        "differs": differs,
    }
    out_json(said) if market.as_json else pairs({**said, "differs": differs or "nothing"})
    if differs:
        raise Failed(f"Epoch {epoch}: the chain differs in {', '.join(differs)}.")


@rewards.command("claim")
@EPOCH
@click.option("--account", help="Whose line; else the wallet's own. The shares go there.")
@sourced
@on_chain
@remote
def claim(market: Market, /, epoch: int, account: str | None, **options: Any) -> None:
    """Have an EPOCH's line paid, by any wallet. Needs --wallet-key-file."""
    place = Place.of(options)
    known = known_from(market.client, epoch, **options)
    found = known.list_()
    address = (account or place.wallet()).lower()
    line = next((one for one in found.lines if "0x" + one.account.hex() == address), None)
    if line is None:
        raise Failed(f"{address} has no line in epoch {epoch}.")
    proof = wire.proofs(found, Keys.keccak, line.place)
    done = claim_line(place, market.client, epoch, line, proof)
    market.say(done, f"{wire.shares(line.amount)} SHARE for {address}, in block {done['block']}.")


@rewards.command("list")
@remote
def list_(market: Market) -> None:
    """The running epoch, the rule, and the lists on the chain."""
    told = json.loads(market.client.public("rewards"))
    if market.as_json:
        out_json(told)
        return
    pairs({name: told[name] for name in ("contract", "epoch", "ends", "pool", "minted")})
    columns = ("epoch", "state", "total", "claimed", "opens", "root")
    table(told["lists"], columns, "No list was published yet.")


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
