"""Rewards, acts: publish a root, hold the chain against the facts, claim a line."""

from __future__ import annotations

from typing import Any

import click

from allmende.adapters import reward_rules
from allmende.adapters.chain.hashing import keccak
from allmende.cli.client import Failed
from allmende.cli.remote import Market, remote
from allmende.cli.rewards import EPOCH, known_from, sourced
from allmende.cli.rewards_chain import CHAIN_OPTIONS, Place, claim_line, look, publish_by
from allmende.cli.show import out_json, pairs
from allmende.wire import rewards as wire


def on_chain(command: Any) -> Any:
    for option in CHAIN_OPTIONS:
        command = option(command)
    return command


@click.command("publish")
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


@click.command("check")
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


@click.command("claim")
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
    proof = wire.proofs(found, keccak, line.place)
    done = claim_line(place, market.client, epoch, line, proof)
    market.say(done, f"{wire.shares(line.amount)} SHARE for {address}, in block {done['block']}.")
