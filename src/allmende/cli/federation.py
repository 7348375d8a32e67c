"""Federation: other markets that this one deals with, and heads that anybody compares."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import click

from allmende.cli.client import Failed
from allmende.cli.remote import Market, given, remote
from allmende.cli.show import out_json, table
from allmende.wire import gossip, heads
from allmende.wire.heads import NoProof, Split, Statement

PEERS = ("id", "name", "limit", "drawn", "accepts", "frames", "state")
HEADS = ("market", "told by", "frames", "events", "state")
ON_WAY = ("peer", "number", "sender", "receiver", "amount", "asset", "until")


@click.group()
def federation() -> None:
    """Markets that move credit and rights between each other. docs/federation.md."""


@federation.group()
def peer() -> None:
    """Peers: add, list, suspend, resume, remove."""


@peer.command("add")
@click.argument("id_", metavar="ID")
@click.option("--public-key", "public_key", required=True, help="As the other market shows it.")
@click.option("--at", "address", required=True, help="Where it is reached: https://…")
@click.option("--limit", required=True, help="Credits of it that members here may hold at once.")
@click.option("--name", help="As people read it; the id if not given.")
@click.option("--allow-private", is_flag=True, help="Its address may be a private one.")
@remote
def add_peer(
    market: Market,
    id_: str,
    public_key: str,
    address: str,
    limit: str,
    name: str | None,
    allow_private: bool,
) -> None:
    """Deal with another market, or change its line."""
    fields = {
        "id": id_,
        "name": name or id_,
        "public_key": public_key,
        "url": address,
        "limit": limit,
        "allow_private": allow_private,
    }
    market.ask("add_peer", fields, f"{id_} is a peer with a line of {limit} credits.")


@peer.command("list")
@remote
def list_peers(market: Market) -> None:
    """Peers, their lines, and whether their heads are one history."""
    found = market.client.get("federation")
    if market.as_json:
        out_json(found["peers"])
        return
    rows = [
        {**row, "frames": row["head"] or "", "accepts": "yes" if row["accepts"] else "no"}
        | {"state": _state(row)}
        for row in found["peers"]
    ]
    table(rows, PEERS, "No peers yet: `allmende federation peer add`.")


def _state(row: dict[str, object]) -> str:
    if row["proof"]:
        return "two histories"
    if row["suspended"]:
        return "suspended"
    return "one history" if row["agrees"] else "not compared yet"


@peer.command("suspend")
@click.argument("id_", metavar="ID")
@remote
def suspend_peer(market: Market, id_: str) -> None:
    """Take nothing more from a peer, and send nothing to it."""
    market.ask("suspend_peer", {"id": id_}, f"{id_} is suspended.")


@peer.command("resume")
@click.argument("id_", metavar="ID")
@remote
def resume_peer(market: Market, id_: str) -> None:
    """Go on with a peer; not with one that signed two histories."""
    market.ask("resume_peer", {"id": id_}, f"{id_} is a peer as before.")


@peer.command("remove")
@click.argument("id_", metavar="ID")
@remote
def remove_peer(market: Market, id_: str) -> None:
    """Forget a peer with which nothing is open."""
    market.ask("remove_peer", {"id": id_}, f"{id_} is no peer any more.")


@federation.command("send")
@click.argument("source")
@click.argument("peer_", metavar="PEER")
@click.argument("receiver")
@click.argument("amount", required=False)
@click.option("--asset", default="credit", show_default=True, help="Credit, a right, or NAME@PEER.")
@click.option("--lots", help="Lots of a right, in place of AMOUNT.")
@click.option("--within", "seconds", type=int, help="Seconds in which it may be taken [86400].")
@remote
def send(
    market: Market,
    source: str,
    peer_: str,
    receiver: str,
    amount: str | None,
    asset: str,
    lots: str | None,
    seconds: int | None,
) -> None:
    """AMOUNT of member SOURCE to member RECEIVER of market PEER."""
    if (amount is None) == (lots is None):
        raise click.UsageError("Say AMOUNT for credit, or --lots for a right.")
    fields = {"source": source, "peer": peer_, "receiver": receiver, "asset": asset}
    more = given({"amount": amount, "lots": lots, "seconds": seconds})
    told = f"{amount} {asset}" if lots is None else f"{lots} lots of {asset}"
    done = f"{told} are on their way from {source} to {receiver} at {peer_}."
    market.ask("send_abroad", {**fields, **more}, done)


@federation.command("return")
@click.argument("id_", metavar="PEER")
@click.argument("number", type=int)
@remote
def return_passage(market: Market, id_: str, number: int) -> None:
    """Give back what is on its way to a market that signed two histories."""
    market.ask("return_passage", {"id": id_, "number": number}, f"{id_}/{number} is back.")


@federation.command("list")
@remote
def list_passages(market: Market) -> None:
    """What is on its way, and not answered yet."""
    rows = market.client.get("federation")["passages"]
    if market.as_json:
        out_json(rows)
    else:
        table(rows, ON_WAY, "Nothing is on its way.")


@federation.command("heads")
@remote
def show_heads(market: Market) -> None:
    """The last head of each market, by whoever told it; --json is a file for `check`."""
    if market.as_json:
        out_json(market.client.get("federation/heads"))
        return
    found = market.client.get("federation")
    own = [{"market": found["market"]["id"], "told by": "itself", **_head(found["head"])}]
    rows = [
        {
            "market": row["id"],
            "told by": told["who"],
            "frames": told["frames"],
            "events": told["number"],
            "state": "one history" if told["linked"] else "links are missing",
        }
        for row in found["peers"]
        for told in row["witnesses"]
    ]
    table([*own, *rows], HEADS, "")


def _head(found: dict[str, int] | None) -> dict[str, object]:
    if found is None:
        return {"frames": "", "events": "", "state": "nothing is signed"}
    return {"frames": found["frames"], "events": found["number"], "state": "signed"}


@federation.command("look")
@remote
def look(market: Market) -> None:
    """Ask every peer for its heads now, and deliver what is on its way."""
    market.ask("federation/look", {}, "Every peer was asked.")


@federation.command("check")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def check(files: tuple[Path, ...]) -> None:
    """Whether FILES prove that a market signed two histories, without asking anybody.

    A proof file, or several answers of `heads --json`, from different people. Exit 1 where it is
    proved, 0 where it is not.
    """
    said: list[Statement] = []
    for file in files:
        try:
            data = file.read_bytes()
        except OSError as error:
            raise click.UsageError(f"{file}: {error.strerror}.") from None
        split = _split(data)
        if split is not None:
            _judge(split)
        else:
            said += _statements(file, data)
    for one, other in itertools.combinations(said, 2):
        if one.public_key == other.public_key and heads.conflict(one, other):
            _judge(heads.split(one, other))
    click.echo("No two histories are proved by this.")


def _split(data: bytes) -> Split | None:
    try:
        return heads.read(data)
    except ValueError:
        return None


def _statements(file: Path, data: bytes) -> list[Statement]:
    try:
        told = gossip.read_told(data)
    except ValueError:
        raise click.UsageError(f"{file} is neither a proof nor an answer with heads.") from None
    return [said for said in (told.head, *told.heads) if said is not None]


def _judge(split: Split) -> None:
    try:
        click.echo(heads.verdict(split))
    except NoProof as no:
        click.echo(f"It proves nothing. {no}")
    else:
        sys.exit(1)


@federation.command("demo")
def demo() -> None:
    """Two markets: a transfer there and back, and a split view that is found and proved."""
    from allmende.lab.commons_federation import main
    from allmende.lab.scenes import Broken

    try:
        sys.exit(main(click.echo))
    except (RuntimeError, Broken) as error:
        raise Failed(str(error)) from None
