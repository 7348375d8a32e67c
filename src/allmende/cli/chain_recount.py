"""Recount: every vote and decision read from the chain and counted again, through any node."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from allmende.cli.chain_said import said
from allmende.cli.client import Failed
from allmende.cli.commons import market, on_commons, opened
from allmende.cli.show import out_json, table
from allmende.core.charter import Decision
from allmende.core.tally import MEMBERS, STAKE
from allmende.core.units import SECOND
from allmende.doors.assembly_follow import require_same, take, told_between
from allmende.wire.assembly import Book
from allmende.wire.recount_votes import Taken, behind, differences

STAKES = ("stake yes", "stake no")
OURS = ("Stake", "Assembly")


@click.command(name="recount")
@on_commons
@click.option("--votes-only", is_flag=True, help="Count the votes; ask no market what it did.")
def recount_(where: dict[str, Any], votes_only: bool) -> None:
    """Count all votes again, from the chain alone, and look whether the market did what was
    decided. Exit code 1 if anything differs.

    With --node and --record nothing is believed but that node; ask a second one.
    """
    with said():
        book, now = asyncio.run(_book(where))
    wrong, late = list(book.faults), 0
    if not votes_only:
        client = market(where)
        taken, facts = recounted(client.get("assembly/decisions")), client.get("assembly")
        parameters = {row["name"]: row["value"] for row in facts["parameters"]}
        wrong, late = differences(book, taken, parameters, now * SECOND), behind(book, taken)
        if taken and not facts["chartered"]:
            wrong.append("the market took decisions and is not governed by this assembly")
    rows = [_row(book, number, now) for number in sorted(book.proposals)]
    if where["as_json"]:
        out_json({"proposals": rows, "differences": wrong, "behind": late})
    else:
        _say(book, rows, wrong, late, votes_only)
    if wrong:
        raise Failed(f"{len(wrong)} differences between the votes and what was done, see above.")


async def _book(where: dict[str, Any]) -> tuple[Book, int]:
    """All that the logs say up to the final block, and that block's second."""
    async with opened(where, OURS) as (commons, _):
        final = await commons.final_block()
        book = Book(int(await commons["Stake"].get("unbonding", final)))
        take(book, await told_between(commons, commons.record.block, final))
        if not book.faults:
            await require_same(commons, book, final)
        return book, await commons.time_s(final)


def recounted(rows: list[dict[str, Any]]) -> list[Taken]:
    """What the market says that it took: the rows of /api/assembly/decisions."""
    return [
        Taken(
            Decision(
                *(row["number"], row["kind"], row["name"], int(row["value"])),
                *(row["effective"], row["proposal"]),
            ),
            row["at"],
            row["undone"],
        )
        for row in rows
    ]


def _row(book: Book, number: int, now: int) -> dict[str, Any]:
    its = book.proposals[number]
    stake, heads = its.poll.counts[STAKE], its.poll.counts[MEMBERS]
    return {
        "number": number,
        "kind": its.kind,
        "name": its.name,
        "value": str(its.value),
        "votes": len(its.votes),
        "stake yes": str(stake.yes),
        "stake no": str(stake.no),
        "heads yes": heads.yes,
        "heads no": heads.no,
        "passed": its.poll.passed,
        "status": its.status(now),
        "decision": its.decision,
    }


def _shares(units: int) -> str:
    """Whole shares, exact."""
    whole, rest = divmod(units, 10**18)
    return f"{whole}.{rest:018}".rstrip("0").rstrip(".")


def _say(
    book: Book, rows: list[dict[str, Any]], wrong: list[str], late: int, votes_only: bool
) -> None:
    shown = [{**row, **{name: _shares(int(row[name])) for name in STAKES}} for row in rows]
    table(shown, list(rows[0]) if rows else ["number"], "Nothing was proposed yet.")
    votes = sum(len(its.votes) for its in book.proposals.values())
    click.echo(f"\nVotes counted again: {votes}, on proposals: {len(rows)}. Shares staked:")
    click.echo(f"{_shares(book.stakes.staked)}, members on the roll: {book.heads}.")
    for one in wrong:
        click.echo(f" BAD  {one}")
    if late:
        click.echo(f"      The market has not taken {late} of {len(book.decisions)} decisions yet.")
    if not wrong:
        did = "" if votes_only else " The market did what was decided."
        click.echo(f"  ok  Every outcome follows from its votes.{did}")
