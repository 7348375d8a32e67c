"""Chain node: the embedded chain of a market that is off, and play credit from one that runs."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from pathlib import Path

import click

from allmende.adapters.server import Busy, own
from allmende.cli.client import Failed
from allmende.cli.offline import data_option
from allmende.cli.remote import Market, remote
from allmende.core.refusals import Refused
from allmende.main import Unset, settings
from allmende.ports import ChainFailed

try:
    from allmende.adapters.chain.beside import ChainBeside
    from allmende.adapters.chain.opened import profile_for
    from allmende.adapters.chain.profiles import ANVIL, EMBEDDED
except ImportError as missing:
    raise Failed(f"The chain needs the extra `chain`, which is not installed: {missing}.") from None

CHAIN = "chain.sqlite"
ADDRESS = re.compile("0x[0-9a-fA-F]{40}")
FUNDS_WEI = 10**20
"""What each address has on a new chain; worth nothing."""


@click.command(name="node")
@data_option
@click.option("--fund", multiple=True, help="Begin a new chain, with ether for these addresses.")
def node_(data: str | None, fund: tuple[str, ...]) -> None:
    """Serve the embedded chain of a market that is off, until Ctrl-C: members still need it.

    On a chain of your own nobody else keeps the blocks: whoever has a copy of chain.sqlite can.
    With --fund it is a new chain without a market, as the other end of a bridge, say.
    """
    try:
        folder = Path(settings({"data": data}).data)
    except Unset as error:
        raise click.UsageError(str(error)) from None
    if (folder / CHAIN).is_file() == bool(fund):
        has = "has a chain already" if fund else "has no embedded chain"
        raise Failed(f"{folder} {has}; name the data directory with --data.")
    if bad := [one for one in fund if not ADDRESS.fullmatch(one)]:
        raise click.UsageError(f"{bad[0]} is not 0x and 40 hex digits.")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with own(folder):
            asyncio.run(_serve(folder, fund))
    except Busy:
        raise Failed(f"The market in {folder} runs, and serves its chain itself.") from None
    except ChainFailed as failed:
        raise Failed(f"The chain: {failed.cause}. {failed.detail}") from None


async def _serve(folder: Path, fund: tuple[str, ...]) -> None:
    beside, over = ChainBeside(folder, dict.fromkeys(fund, FUNDS_WEI)), asyncio.Event()
    loop = asyncio.get_running_loop()
    for one in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(one, over.set)
    url = await beside.start()
    try:
        click.echo(f"The chain answers at {url}")
        await over.wait()
    finally:
        await beside.stop()


@click.command(name="give")
@click.argument("address")
@click.argument("amount")
@click.option("--reference", required=True, help="The occasion; each one gives once.")
@remote
def give_(market: Market, address: str, amount: str, reference: str) -> None:
    """Play credit and first gas for a wallet, on a chain of our own."""
    fields = {"address": address, "amount": amount, "reference": reference}
    answer = market.client.ask("chain/give", fields)
    market.say(answer, f"{amount} credits and some gas are on their way to {address}.")


@click.command(name="demo")
@click.option("--node", default=EMBEDDED.name, help="`anvil` from the PATH, or a node's address.")
@click.option("--profile", default=ANVIL.name, help="Which kind of chain the node leads to.")
def demo_(node: str, profile: str) -> None:
    """Custody, settlement, rights, a paid call, shares, titles, a vote, a bridge, and an exit.

    On the embedded chain, or with --node on another one, whose operator the demo becomes.
    """
    from allmende.lab.chain_demo import main
    from allmende.lab.chain_ground import Where, checked

    try:
        if node != EMBEDDED.name:
            profile_for(node, profile)
        where = checked(Where(node, profile))
    except (ValueError, Refused) as error:
        raise click.UsageError(str(error)) from None
    sys.exit(main(click.echo, where))
