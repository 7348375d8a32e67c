"""Drill: what a market leans on, found out before it hurts. docs/drills.md."""

from __future__ import annotations

import json
import secrets
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from allmende.adapters.linear import solve
from allmende.adapters.rules import rules
from allmende.cli.client import Client, Failed
from allmende.cli.drill_show import Said, one_table, show_cut, show_exit, show_live
from allmende.cli.folder import folder_of
from allmende.cli.offline import opened
from allmende.cli.remote import Market, remote
from allmende.cli.show import progress
from allmende.core import machine
from allmende.core.state import State
from allmende.core.units import DAY
from allmende.measure.alpha2 import country
from allmende.measure.drills import KINDS, Cut, Drill, lost
from allmende.measure.drills_market import PER, Observed, Picture, Terms, picture
from allmende.measure.drills_table import expected_unserved, one_by_one, two_by_two
from allmende.measure.linear import Unsolved
from allmende.wire import journal
from allmende.wire.journal import GENESIS

RULES = "market/drills"
COUNTRIES = ("country", "control")
EU = "EU"
POLL_S = 0.5


@click.group()
def drill() -> None:
    """Drills: cut a country, a provider or a cable, and see what is still served."""


def read_cut(words: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """`country=US,CN provider=rhine` by kind. Raises click.UsageError."""
    found: dict[str, tuple[str, ...]] = {}
    for word in words:
        kind, equals, values = word.partition("=")
        if not equals or not values or kind not in KINDS:
            raise click.UsageError(
                f"{word!r} is not KIND=VALUE, such as country=US; kinds are {', '.join(KINDS)}."
            )
        told = tuple(value.strip() for value in values.split(",") if value.strip())
        found[kind] = (*found.get(kind, ()), *(told if kind not in COUNTRIES else _codes(told)))
    return {kind: tuple(dict.fromkeys(values)) for kind, values in found.items()}


def _codes(told: tuple[str, ...]) -> tuple[str, ...]:
    """Alpha-3 of two or three letters; EU is its members of today."""
    try:
        codes = [list(_members()) if word.upper() == EU else [country(word)] for word in told]
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    return tuple(code for some in codes for code in some)


def _members() -> tuple[str, ...]:
    return tuple(rules("eu/members", datetime.now(UTC).date()).values["countries"])


def seconds(context: click.Context, option: click.Parameter, given: str) -> int:
    """`30s`, `5m` or `30`: a callback for --for."""
    unit = {"s": 1, "m": 60, "h": 3_600}.get(given[-1:], 0)
    number = given[:-1] if unit else given
    if not number.isdecimal() or not int(number):
        raise click.BadParameter(f"{given!r} is no time such as 30s or 5m.")
    return int(number) * (unit or 1)


@drill.command("cut")
@click.argument("cut", nargs=-1, metavar="KIND=VALUE...")
@click.option("--all", "kind", type=click.Choice(KINDS), help="Each value of a kind in turn: N-1.")
@click.option("--pairs", is_flag=True, help="Two values at once: N-2.")
@click.option("--data", help="A data directory, read only; else the market at --url is asked.")
@click.option("--days", default=30, show_default=True, type=click.IntRange(1), help="How far back.")
@click.option("--per", type=click.Choice(PER), default="peak", show_default=True,
              help="Demand of the busiest hour, or the mean.")  # fmt: skip
@click.option("--home", default=EU, show_default=True, help="Countries that count as sovereign.")
@click.option("--quality", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="JSON of model to points: a model as good may stand in.")  # fmt: skip
@click.option("--chance", type=float, help="To lose a value, each: expected unserved tokens.")
@click.option("--live", is_flag=True, help="Really take the offers off the running market.")
@click.option("--for", "lasts", default="30s", show_default=True, callback=seconds,
              help="How long a live drill lasts.")  # fmt: skip
@remote
def cut_(
    market: Market, /, cut: tuple[str, ...], kind: str | None, pairs: bool, **told: Any
) -> None:
    """Cut KIND=VALUE (country=US, provider=x, parent=, control=, cable=, chip=, cloud=, offer=)
    on a copy of the market, or with --live in it, and say what is still served.

    Commas join values. Ends with 0 for PASS, 1 for FAIL.
    """
    asked = read_cut(cut)
    if told["live"] and (told["data"] or kind or pairs or not asked):
        raise click.UsageError("--live cuts KIND=VALUE in the market at --url, nothing else.")
    if not asked and not kind:
        raise click.UsageError("Say what to cut, such as country=US, or --all country.")
    if pairs and not kind:
        (kind,) = asked if len(asked) == 1 else (None,)
        if kind is None:
            raise click.UsageError("--pairs takes one kind: name it with --all.")
    found = _picture(market.client, told)
    try:
        if told["live"]:
            _live(market, found, asked, told["lasts"])
        elif kind:
            _table(market, found, kind, asked, pairs, told["chance"])
        else:
            _once(market, found, asked)
    except (ValueError, Unsolved) as error:
        raise Failed(str(error)) from None


@drill.command("list")
@remote
def list_drills(market: Market) -> None:
    """Live drills, newest first, and what became of requests meanwhile."""
    columns = ("id", "label", "at", "ended", "cause", "served", "refused", "finished", "switched_s")
    market.rows("drills", columns, "No drills yet: `allmende drill cut --help`.")


@drill.command("end")
@click.argument("id_", metavar="ID")
@remote
def end_drill(market: Market, id_: str) -> None:
    """End a live drill before its time; its offers are back at once."""
    market.ask("end_drill", {"id": id_}, f"Drill {id_} has ended.")


@drill.command("exit")
@click.option("--member", default="", help="Only this member's tree leaves; else the market.")
@click.option("--spending-key", required=True, help="A key that spends, and must work there too.")
@click.option("--model", default="", help="What to ask for there; else the first that chats.")
@click.option("--data", help="The running market's directory [ALLMENDE_DATA, data].")
@remote
def exit_(market: Market, /, member: str, spending_key: str, model: str, data: str | None) -> None:
    """Leave the running market for a second one, be served there, and say how long it took.

    The first market is not changed. With --data the last drill is shown on its page. Ends with 1
    if a step fails.
    """
    from allmende.cli.drill_exit import Ground, as_json, known, play  # starts fast without

    folder = folder_of(data)
    own = known(folder, market.client.get("me")["market"]["public_key"])
    if not own and (data or not member):
        raise Failed(f"{folder} is not the directory of the market at {market.client.url}.")
    with TemporaryDirectory(prefix="allmende-exit-") as scratch:
        there = folder if own else None
        ground = Ground(market.client, there, spending_key, model, Path(scratch))
        done, left = play(ground, member)
    if market.as_json:
        click.echo(as_json(done, left))
    else:
        show_exit(done, left)
    sys.exit(0 if done.ok else 1)


# Reading ------------------------------------------------------------------------------


def _picture(client: Client, told: Mapping[str, Any]) -> Said:
    """The market as a problem: from a data directory, or from the journal of a running one."""
    state, observed = State(), Observed()
    if told["data"]:
        with opened(told["data"]) as (found, _), progress("read") as step:
            for frame in journal.follow(found.frames(), 1, GENESIS):
                _fold(state, observed, frame.body)
                step(frame.last)
    else:
        for line in client.lines("export"):
            _fold(state, observed, line)
    if state.market is None:
        raise Failed("That journal founds no market.")
    law = rules(RULES, datetime.now(UTC).date())
    terms = Terms(
        per=told["per"],
        home=frozenset(_codes(tuple(told["home"].split(",")))),
        quality=_quality(told["quality"]),
        requests_least=law.values["requests_least"],
        assumed_per_second=law.values["assumed_tokens_per_second"],
    )
    at = observed.last
    seen: Picture = picture(state, observed, at - told["days"] * DAY, at, terms)
    least = Fraction(str(law.values["pass_share"]))
    return Said(seen, least, law.name, told["days"], told["per"], told["home"])


def _fold(state: State, observed: Observed, body: bytes) -> None:
    for event in journal.events(body):
        machine.apply(state, event)
        observed.see(event)


def _quality(path: Path | None) -> dict[str, int]:
    if path is None:
        return {}
    try:
        found = json.loads(path.read_text())
    except ValueError as error:
        raise Failed(f"{path.name} is no JSON: {error}.") from None
    rows = found.items() if isinstance(found, dict) else [("", None)]
    for model, points in rows:
        if not isinstance(points, int) or isinstance(points, bool):
            raise Failed(f'{path.name}: {model!r} needs whole points, as {{"small": 41}}.')
    return dict(rows)


# Saying -------------------------------------------------------------------------------


def _once(market: Market, said: Said, cut: Cut) -> None:
    drill = Drill(said.picture.problem, solve)
    outcome = drill.cut(cut)
    show_cut(said, outcome, drill.pivots(cut), market.as_json)
    sys.exit(0 if outcome.passed(said.least) else 1)


def _table(
    market: Market, said: Said, kind: str, cut: Cut, pairs: bool, chance: float | None
) -> None:
    drill = Drill(said.picture.problem, solve)
    values = drill.problem.values(kind)
    if not values:
        raise Failed(f"No offer says its {kind}; `allmende observatory actors --help`.")
    if pairs:
        found = two_by_two(drill, kind, rules(RULES, datetime.now(UTC).date()).values["pairs_most"])
        lost(drill.problem, {k: v for k, v in cut.items() if k == kind})
        wanted = set(cut.get(kind, ()))
        rows = [o for o in found.outcomes if wanted <= set(o.cut[kind])]
        left, floor = found.left_out, found.floor
    else:
        rows, left, floor = one_by_one(drill, kind), 0, Fraction(1)
    expected = None
    if chance is not None and not pairs:
        expected = expected_unserved(rows, dict.fromkeys(values, chance))
    sys.exit(one_table(said, rows, (left, floor), expected, market.as_json))


# Live ---------------------------------------------------------------------------------


def _live(market: Market, said: Said, cut: Cut, lasts: int) -> None:
    """Start it, wait for its end, say what became of requests. Ctrl-C ends it."""
    problem = said.picture.problem
    gone = sorted(lost(problem, cut))
    if not gone:
        raise Failed("No offer would be cut: each has another way.")
    label = " ".join(f"{kind}={','.join(values)}" for kind, values in cut.items())
    id_ = f"drill-{secrets.token_hex(4)}"
    client = market.client
    fields = {"id": id_, "offers": gone, "seconds": lasts, "label": label[:200]}
    client.ask("start_drill", fields, idem=id_)
    if not market.as_json:
        click.echo(f"Drill {id_} ({label}): {', '.join(gone)} are off the book for {lasts} s.")
    try:
        row = _ended(client, id_)
    except KeyboardInterrupt:
        client.ask("end_drill", {"id": id_})
        row = _ended(client, id_)
    show_live(row, market.as_json)


def _ended(client: Client, id_: str) -> dict[str, Any]:
    """The drill's row, once it has ended."""
    while True:
        row: dict[str, Any] = next(r for r in client.get("drills", limit=500) if r["id"] == id_)
        if row["ended"]:
            return row
        time.sleep(POLL_S)
