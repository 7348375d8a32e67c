"""Share: what there is of a market's shares, who may buy, and what lists give away.

What a wallet does with them is in `share_act`: that needs a node, and no market.
"""

from __future__ import annotations

import importlib
import json
import time
from pathlib import Path

import click

from allmende.cli.client import Failed
from allmende.cli.remote import Market, remote
from allmende.cli.show import out_json, pairs, table
from allmende.wire import claims
from allmende.wire.share_list import DECIMALS, read_list

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
DAY = 86_400
BY_WALLET = {"sale": ("buy", "refund", "release"), "airdrop": ("claim",)}
"""Group -> what needs the tools of a chain, and is imported when it is called."""
ROWS = ("price", "sold", "hard_cap", "soft_cap", "left", "person_cap", "raised", "proceeds_max",
        "held", "start", "end", "decided")  # fmt: skip


class ByWallet(click.Group):
    """A group with commands that only import the chain's tools when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *BY_WALLET[str(self.name)]]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in BY_WALLET[str(self.name)]:
            return super().get_command(ctx, cmd_name)
        module = importlib.import_module("allmende.cli.share_act")
        command: click.Command = getattr(module, f"{cmd_name}_")
        return command


@click.group()
def share() -> None:
    """Shares of a market: what an address has, the sale, airdrops."""


@share.command()
@click.argument("address")
@remote
def balance(market: Market, address: str) -> None:
    """What ADDRESS holds, and what it bought."""
    told = market.client.get("shares/wallet", address=address)
    if market.as_json:
        out_json(told)
        return
    pairs({"address": told["address"], "shares": told["shares"]})
    columns = ("number", "shares", "paid", "ended", "until")
    table(told["purchases"], columns, "It has bought none.")


# The sale ---------------------------------------------------------------------------------


@share.group(cls=ByWallet)
def sale() -> None:
    """The sale: status, voucher; buy, refund and release by a wallet."""


@sale.command()
@remote
def status(market: Market) -> None:
    """Terms, what is left, and how many persons of each state have bought."""
    told = market.client.get("shares")["sale"]
    if market.as_json:
        out_json(told)
    elif told is None:
        click.echo("This market sells no shares.")
    else:
        click.echo(f"The sale is {told['word']}. Taking back: {told['refund_s'] // DAY} days.")
        pairs({name: told[name] for name in ROWS})
        click.echo(f"At most {told['persons_most']} persons of a state:")
        table(told["states"], ("state", "persons", "left"), "nobody has bought yet.")


@sale.command()
@click.argument("member")
@click.argument("state")
@click.option("--shares", default=1, help="How many it wants to buy: whether it may is looked at.")
@click.option("--qualified", is_flag=True, help="A qualified investor.")
@click.option("--hours", default=24, help="How long it may be used.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Into a file.")
@remote
def voucher(
    market: Market,
    member: str,
    state: str,
    shares: int,
    qualified: bool,
    hours: int,
    out: Path | None,
) -> None:
    """The market's word that MEMBER, of STATE (such as DEU), may buy. For operators.

    Refused for the reason for which the contract would refuse the purchase.
    """
    fields = {"member": member, "state": state, "shares": shares, "qualified": qualified}
    told = market.client.ask("shares/voucher", {**fields, "hours": hours})
    if out is None:
        out_json(told)
        return
    out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    done = f"{out}: {member} may buy with wallet {told['voucher']['wallet']}, for {hours} hours."
    market.say(told, done)


# Airdrops ---------------------------------------------------------------------------------


@share.group(cls=ByWallet)
def airdrop() -> None:
    """Airdrops: root and proof of a list, begin and status of rounds; claim by a wallet."""


@airdrop.command()
@click.argument("file", type=FILE)
@click.option("--json", "as_json", is_flag=True)
def root(file: Path, as_json: bool) -> None:
    """The root of a list: a line of it is an address, a comma and an amount of shares."""
    lines, tree = tree_of(file)
    told = {
        "root": "0x" + tree[-1][0].hex(),
        "accounts": len(lines),
        "shares": text_of(claims.total(lines)),
        "total": str(claims.total(lines)),
    }
    if as_json:
        out_json(told)
    else:
        pairs(told)


@airdrop.command()
@click.argument("file", type=FILE)
@click.argument("account")
def proof(file: Path, account: str) -> None:
    """The line of ACCOUNT in a list, with its proof, as JSON."""
    lines, tree = tree_of(file)
    found = line_of(lines, account)
    shown = [f"0x{one.hex()}" for one in claims.proof(tree, found.place)]
    told = {"index": found.place, "account": f"0x{found.account.hex()}"}
    out_json({**told, "amount": str(found.amount), "proof": shown})


@airdrop.command()
@click.argument("file", type=FILE)
@click.option("--days", default=90, help="How long those on it may claim.")
@remote
def begin(market: Market, file: Path, days: int) -> None:
    """Begin a round with a list, by the account that may give. Publish FILE before."""
    lines, tree = tree_of(file)
    deadline = int(time.time()) + days * DAY
    root_, total = "0x" + tree[-1][0].hex(), claims.total(lines)
    known = {row["root"] for row in rounds_of(market)}
    if root_ in known:
        raise Failed(f"A round with root {root_} has begun already.")
    fields = {"root": root_, "total": str(total), "deadline": deadline}
    market.ask("shares/airdrop", fields, f"{text_of(total)} shares for {len(lines)}: {root_}")


@airdrop.command(name="status")
@remote
def status_(market: Market) -> None:
    """The rounds so far."""
    rows = rounds_of(market)
    if market.as_json:
        out_json(rows)
    else:
        columns = ("round", "root", "total", "given", "deadline", "open")
        table(rows, columns, "No round has begun.")


def rounds_of(market: Market) -> list[dict[str, object]]:
    told = market.client.get("shares")["airdrop"]
    rows: list[dict[str, object]] = told["rounds"] if told else []
    return rows


# Lists ------------------------------------------------------------------------------------


def tree_of(file: Path) -> tuple[list[claims.Line], list[list[bytes]]]:
    """The lines of a file and their tree. Failed."""
    from allmende.adapters.chain.signing import Keys  # not before a list is read

    try:
        lines = claims.lines(read_list(file.read_text(encoding="utf-8")))
    except ValueError as error:
        raise Failed(f"{file.name}: {error}.") from None
    return lines, claims.levels(lines, Keys.keccak)


def line_of(lines: list[claims.Line], account: str) -> claims.Line:
    wanted = account.lower().removeprefix("0x")
    for line in lines:
        if line.account.hex() == wanted:
            return line
    raise Failed(f"{account} is not on the list.")


def text_of(amount: int) -> str:
    """Base units as shares."""
    digits = str(amount).rjust(DECIMALS + 1, "0")
    return f"{digits[:-DECIMALS]}.{digits[-DECIMALS:]}".rstrip("0").rstrip(".")
