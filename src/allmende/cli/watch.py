"""Watch: what a journal says about the quality of its market, and whom a person should ask."""

from __future__ import annotations

import sys
from typing import Any

import click
from msgspec import structs, to_builtins

from allmende.cli.client import Failed
from allmende.cli.offline import data_option, opened
from allmende.cli.remote import Market, remote
from allmende.cli.show import out_json, pairs, progress, table
from allmende.core.units import DAY
from allmende.measure.quality import quality
from allmende.measure.surveillance.alert import Alert
from allmende.measure.surveillance.watch import KINDS
from allmende.measure.surveillance.watch import alerts as look
from allmende.measure.tape import Tape
from allmende.wire import journal
from allmende.wire.journal import GENESIS

days_option = click.option(
    "--days", default=30, show_default=True, help="How far back; 0 for the whole journal."
)


@click.group()
def watch() -> None:
    """Market quality, surveillance, and the cases that people decide."""


@watch.command()
@click.option("--seeds", default=50, show_default=True, help="Two days each.")
@click.option("--start", default=0, show_default=True, help="The first seed.")
@click.option("--json", "as_json", is_flag=True)
def report(seeds: int, start: int, as_json: bool) -> None:
    """Labelled manipulators on the real book: how many are found, who is accused wrongly."""
    from allmende.lab.quality_report import main
    from allmende.lab.quality_report import report as made

    if seeds <= 0:
        raise click.UsageError("At least one seed.")
    if not as_json:
        sys.exit(main(seeds, start, click.echo))
    found = made(range(start, start + seeds))
    out_json(to_builtins(found))
    sys.exit(0 if found.passed else 1)


@watch.command()
@data_option
@days_option
@click.option("--json", "as_json", is_flag=True)
def alerts(data: str | None, days: int, as_json: bool) -> None:
    """Alerts on a market's own journal, each in a sentence with the events it rests on."""
    found = look(_tape(data, days))
    if as_json:
        out_json([_plain(alert) for alert in found])
        return
    for alert in found:
        click.secho(f"{alert.id}  {KINDS[alert.kind]}", bold=True)
        click.echo(f"  {alert.explanation}")
        click.echo(f"  Events {', '.join(map(str, alert.evidence))}.\n")
    click.echo(f"{len(found)} alerts. Nothing was done: `allmende watch open` makes them cases.")


@watch.command("quality")
@click.argument("instrument", required=False)
@data_option
@days_option
@click.option("--json", "as_json", is_flag=True)
def show_quality(instrument: str | None, data: str | None, days: int, as_json: bool) -> None:
    """Spreads, depth, resiliency and price impact of every instrument, or of one."""
    tape = _tape(data, days)
    if instrument is not None and instrument not in tape.boards:
        raise Failed(f"No instrument {instrument!r} in this journal.")
    rows = [_rounded(quality(tape, id_)) for id_ in tape.boards if instrument in (None, id_)]
    if as_json:
        out_json(rows)
    elif instrument is not None:
        pairs(rows[0])
    else:
        columns = ("instrument", "trades", "quoted", "effective", "realised", "impact")
        table(rows, columns, "No instruments yet.")


def _rounded(found: Any) -> dict[str, Any]:
    return {
        name: float(f"{value:.6g}") if isinstance(value, float) else value
        for name, value in to_builtins(found).items()
    }


@watch.command("open")
@data_option
@days_option
@remote
def open_cases(market: Market, data: str | None, days: int) -> None:
    """Make a case of every alert on a journal, in the running market that keeps it."""
    known = {case["id"] for case in _cases(data)}
    new = [alert for alert in look(_tape(data, days)) if alert.id not in known]
    for alert in new:
        fields = {
            "id": alert.id,
            "kind": alert.kind,
            "subject": alert.accounts[0],
            "explanation": alert.explanation,
            "evidence": list(alert.evidence),
        }
        market.client.ask("open_case", fields)
    market.say([alert.id for alert in new], f"{len(new)} cases opened.")


@watch.command()
@click.argument("case")
@click.argument("decision", type=click.Choice(["dismissed", "warned", "referred"]))
@click.argument("reason")
@remote
def decide(market: Market, case: str, decision: str, reason: str) -> None:
    """Decide a case, with a reason. A person does, with an operator's key."""
    fields = {"id": case, "decision": decision, "reason": reason}
    market.ask("decide_case", fields, f"Case {case}: {decision}.")


@watch.command()
@data_option
@click.option("--all", "every", is_flag=True, help="Decided ones too.")
@click.option("--json", "as_json", is_flag=True)
def cases(data: str | None, every: bool, as_json: bool) -> None:
    """Cases of a journal: open ones, or all with what was decided."""
    rows = [case for case in _cases(data) if every or not case["decision"]]
    if as_json:
        out_json(rows)
    else:
        table(rows, ("id", "subject", "decision", "reason", "explanation"), "No cases.")


def _tape(data: str | None, days: int) -> Tape:
    """The tape of a data directory, as far back as was asked."""
    tape, count = Tape(days * DAY), 0
    with opened(data) as (found, _), progress("read") as step:
        for frame in journal.follow(found.frames(), 1, GENESIS):
            for event in journal.events(frame.body):
                count += 1
                tape.feed(count, event)
            step(count)
    return tape


def _cases(data: str | None) -> list[dict[str, Any]]:
    from allmende.core import exchange_events as f

    rows: dict[str, dict[str, Any]] = {}
    with opened(data) as (found, _):
        for frame in journal.follow(found.frames(), 1, GENESIS):
            for event in journal.events(frame.body):
                if isinstance(event, f.CaseOpened):
                    plain = structs.asdict(event.case)
                    rows[event.case.id] = {**plain, "decision": "", "reason": "", "decider": ""}
                elif isinstance(event, f.CaseDecided):
                    rows[event.case] |= {
                        "decision": event.decision,
                        "reason": event.reason,
                        "decider": event.decider,
                    }
    return list(rows.values())


def _plain(alert: Alert) -> dict[str, Any]:
    return {"id": alert.id, **structs.asdict(alert)}
