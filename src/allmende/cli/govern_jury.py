"""Govern jury: a jury by lot that anybody draws again. docs/govern.md."""

from __future__ import annotations

import asyncio
import csv
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from allmende.cli.client import Client, Failed
from allmende.cli.remote import Market, remote
from allmende.cli.show import out_json, pairs, table
from allmende.core.govern_juries import KINDS, seed_of
from allmende.core.refusals import Refused
from allmende.core.sortition import Pool, draw, list_hash

SOURCE = "hash of block {block} of chain {chain}"
_BLOCK = re.compile(r"hash of block (\d+) of chain (\d+)")
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("jury")
@click.argument("size", type=click.IntRange(1), required=False)
@click.option("--seed", help="Public randomness in hex, that nobody knew before the list stood.")
@click.option("--block", type=click.IntRange(1), help="Call: the seed will be this block's hash.")
@click.option("--source", help="Call: who will publish the seed, and when.")
@click.option("--by-kind", is_flag=True, help="Persons and organisations in proportion.")
@click.option("--strata", "file", type=FILE,
              help="CSV of member,stratum, such as its region: seats in proportion.")  # fmt: skip
@click.option("--draw", "drawn", metavar="ID", help="Draw a jury that was called.")
@click.option("--check", metavar="ID", help="Draw again what was drawn, and compare.")
@click.option("--node", help="A node's JSON-RPC, where the seed is the hash of a block.")
@remote
def command(market: Market, /, size: int | None, **told: Any) -> None:
    """Juries by lot out of the market's members.

    SIZE with --block or --source calls one, which publishes its list; --draw ID draws it once
    the seed is public; --check ID draws again and compares, exit code 1 if it differs. SIZE with
    --seed draws here and journals nothing. With nothing, juries are listed.
    """
    if told["check"]:
        _check(market, told["check"], told["node"])
    elif told["drawn"]:
        _draw(market, told["drawn"], told["seed"], told["node"])
    elif size is None:
        _list(market)
    elif told["seed"]:
        _here(market, size, told)
    else:
        _call(market, size, told)


def _list(market: Market) -> None:
    rows = market.client.get("juries")
    if market.as_json:
        out_json(rows)
    else:
        columns = ("id", "at", "size", "names", "source", "drawn_at", "drawn")
        table(rows, columns, "No jury yet: `allmende govern jury --help`.")


def _call(market: Market, size: int, told: Mapping[str, Any]) -> None:
    source = told["source"]
    if told["block"]:
        if source or not told["node"]:
            raise click.UsageError("--block goes with --node, and without --source.")
        chain, newest, _ = asyncio.run(_block(told["node"], None))
        if told["block"] <= newest:
            raise Failed(f"Block {told['block']} is mined already, so its hash is known: {newest}.")
        source = SOURCE.format(block=told["block"], chain=chain)
    if not source:
        raise click.UsageError("Say where the seed will come from: --block N or --source TEXT.")
    fields: dict[str, Any] = {"size": size, "source": source, "by_kind": told["by_kind"]}
    if told["file"]:
        fields["strata"] = [list(row) for row in strata_of(told["file"])]
    answer = market.client.ask("call_jury", fields)
    (event,) = answer["events"]
    jury = event["jury"]
    market.say(
        answer,
        f"{jury['id']} is called: {size} of {len(jury['pool'])}, list {event['list_sha256']}, "
        f"seed: {source}. Then: allmende govern jury --draw {jury['id']}",
    )


def _draw(market: Market, id_: str, seed: str | None, node: str | None) -> None:
    if seed is None:
        seed = asyncio.run(_hash_of(_row(market.client, id_), node))
    answer = market.client.ask("draw_jury", {"id": id_, "seed": seed})
    (event,) = answer["events"]
    market.say(answer, f"{id_} is drawn: {', '.join(event['drawn'])}")


def _check(market: Market, id_: str, node: str | None) -> None:
    """From the published list and the seed alone."""
    row = _row(market.client, id_)
    if not row["drawn"]:
        raise Failed(f"{id_} is not drawn yet; its seed: {row['source']}.")
    pool: Pool = tuple((name, stratum) for name, stratum in row["pool"])
    again = draw(pool, row["size"], bytes.fromhex(row["seed"]))
    found = {
        "list": list_hash(pool) == row["list_sha256"],
        "draw": list(again) == row["drawn"],
    }
    if node:
        found["seed"] = asyncio.run(_hash_of(row, node)).removeprefix("0x") == row["seed"]
    said = {"id": id_, **found, "drawn": list(again), "source": row["source"], "seed": row["seed"]}
    if market.as_json:
        out_json(said)
    else:
        words = {name: "as published" if ok else "DIFFERS" for name, ok in found.items()}
        pairs({**said, **words})
    sys.exit(0 if all(found.values()) else 1)


def _here(market: Market, size: int, told: Mapping[str, Any]) -> None:
    pool = strata_of(told["file"]) if told["file"] else _members(market.client, told["by_kind"])
    if size > len(pool):
        raise Failed(f"A jury is 1 to {len(pool)} here: so many can be drawn.")
    try:
        seed = seed_of(told["seed"])
    except Refused as refused:
        raise Failed(str(refused)) from None
    said = {
        "list_sha256": list_hash(pool),
        "names": len(pool),
        "seed": seed.hex(),
        "drawn": list(draw(pool, size, seed)),
    }
    out_json(said) if market.as_json else pairs(said)


def _members(client: Client, by_kind: bool) -> Pool:
    rows = client.get("members")
    kept = [row for row in rows if row["kind"] in KINDS]
    return tuple(sorted((row["id"], row["kind"] if by_kind else "") for row in kept))


def strata_of(file: Path) -> Pool:
    """The lines `member,stratum` of a file. Failed."""
    with file.open(newline="") as text:
        rows = [row for row in csv.reader(text) if row]
    if not rows or any(len(row) != 2 for row in rows):
        raise Failed(f"{file.name}: each line is member,stratum, such as anna,DEU.")
    found = {name.strip(): stratum.strip() for name, stratum in rows}
    if len(found) != len(rows):
        raise Failed(f"{file.name}: a member stands in it twice.")
    return tuple(sorted(found.items()))


def _row(client: Client, id_: str) -> dict[str, Any]:
    rows: list[dict[str, Any]] = client.get("juries", limit=500)
    found = next((row for row in rows if row["id"] == id_), None)
    if found is None:
        raise Failed(f"No jury {id_!r}. There are: {', '.join(r['id'] for r in rows) or 'none'}.")
    return found


async def _hash_of(row: Mapping[str, Any], node: str | None) -> str:
    """The seed of a jury whose source is a block, once that block is final. Failed."""
    said = _BLOCK.fullmatch(row["source"])
    if said is None or node is None:
        raise Failed(f"Its seed: {row['source']}. Give it with --seed, or a block's by --node.")
    number = int(said[1])
    chain, newest, hash_ = await _block(node, number)
    if chain != int(said[2]):
        raise Failed(f"That node is of chain {chain}; the seed is of chain {said[2]}.")
    if hash_ is None:
        raise Failed(f"Block {number} is not final yet; the newest is {newest}. Ask again later.")
    return hash_


async def _block(node: str, number: int | None) -> tuple[int, int, str | None]:
    """Chain's id, its newest block, and the hash of block `number` where that is final."""
    from allmende.adapters.chain.leaving import profile_of
    from allmende.adapters.chain.reach import node_at
    from allmende.cli.chain_said import said

    with said():
        async with node_at(node) as chain:
            id_ = await chain.chain_id()
            newest = await chain.block()
            if newest is None:
                raise Failed("That chain has no block yet.")
            if number is None or number > newest.number - profile_of(id_, "").finality + 1:
                return id_, newest.number, None
            block = await chain.block(number)
            return id_, newest.number, None if block is None else block.hash
