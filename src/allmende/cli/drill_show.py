"""Drill: how outcomes are shown, with what each figure is of."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import click

from allmende.cli.show import out_json, table
from allmende.measure.drills import Outcome, Pivot
from allmende.measure.drills_market import Picture
from allmende.measure.leaving import Exit

SWITCH = (
    "Time to switch: the next request already goes elsewhere, as one writer holds the book; "
    "those under way end where they are. `--live` measures it."
)
DEMAND = "refused requests are in no journal, so at least this much is wanted"
SHOWN = 20


class Said(NamedTuple):
    """A market as a problem, and how it was asked for."""

    picture: Picture
    least: Fraction
    law: str
    days: int
    per: str
    home: str

    @property
    def window(self) -> str:
        what = "busiest hour" if self.per == "peak" else "mean hour"
        return f"{what} of the {self.days} days to the last event"


def show_cut(said: Said, outcome: Outcome, pivots: Sequence[Pivot], as_json: bool) -> None:
    """One cut, for people or as JSON."""
    if as_json:
        out_json(_plain(said, outcome, pivots))
        return
    offers = len(said.picture.problem.sources)
    taken = ", ".join(outcome.lost) or "none: each has another way"
    click.echo(f"Cut {outcome.name}: takes {len(outcome.lost)} of {offers} offers ({taken}).")
    click.echo(
        f"Still served: {outcome.served:,} of {outcome.baseline:,} tokens an hour "
        f"({said.window}; {DEMAND})."
    )
    passed = outcome.passed(said.least)
    verdict = click.style("PASS" if passed else "FAIL", bold=True, fg="green" if passed else "red")
    click.echo(
        f"R = {percent(outcome.share)}: {verdict}, at least {percent(said.least)} ({said.law})."
    )
    _show_demand(said, outcome)
    _show_rest(said, outcome, pivots)
    click.echo(f"\n{SWITCH}")


def _show_demand(said: Said, outcome: Outcome) -> None:
    rows = [
        {"model": d.id, "wanted": d.tokens, "unserved": outcome.unserved.get(d.id, 0)}
        for d in said.picture.problem.demands
    ]
    click.echo()
    table(sorted(rows, key=lambda row: -int(str(row["unserved"]))), tuple(rows[0]), "No demand.")


def _show_rest(said: Said, outcome: Outcome, pivots: Sequence[Pivot]) -> None:
    """What remains: capacities, what more of them is worth, who could not be lost as well."""
    click.echo("\nWhat remains; `worth` is tokens more that are served for one more of capacity:")
    table(_sources(said, outcome)[:SHOWN], _COLUMNS, "No offer remains.")
    sovereign = outcome.sovereign
    click.echo(
        f"One more sovereign token an hour (computed in {said.home}, reached by no other law; of "
        "what such offers sell) serves "
        + ("no one: no such offer remains." if sovereign is None else f"{sovereign} more.")
    )
    click.echo()
    if not pivots:
        click.echo("Nobody who remains is pivotal: any one more could be lost.")
        return
    click.echo("Pivotal: if one of these were lost as well, so much more would go unserved:")
    rows = [pivot._asdict() for pivot in pivots[:SHOWN]]
    table(rows, ("kind", "value", "tokens"), "")


_COLUMNS = ("offer", "model", "tokens_an_hour", "tokens_per_second", "basis", "worth")


def _sources(said: Said, outcome: Outcome) -> list[dict[str, Any]]:
    return [
        {
            "offer": source.id,
            "model": source.model,
            "tokens_an_hour": source.capacity,
            "tokens_per_second": f"{said.picture.speeds[source.id].per_second:.1f}",
            "basis": said.picture.speeds[source.id].basis,
            "worth": outcome.shadow[source.id],
        }
        for source in said.picture.problem.sources
        if source.id in outcome.shadow
    ]


def one_table(
    said: Said,
    outcomes: Sequence[Outcome],
    untried: tuple[int, Fraction],
    expected: float | None,
    as_json: bool,
) -> int:
    """N-1 or N-2, the worst first: the exit code."""
    left, floor = untried
    passed = all(o.passed(said.least) for o in outcomes) and (not left or floor >= said.least)
    if as_json:
        rows = [_plain(said, outcome, ()) for outcome in outcomes]
        more = {"left_out": left, "left_out_share_at_least": float(floor)}
        out_json({"passed": passed, "expected_unserved": expected, **more, "cuts": rows})
        return 0 if passed else 1
    rows = [
        {
            "cut": o.name,
            "offers": len(o.lost),
            "served": o.served,
            "R": percent(o.share),
            "": "PASS" if o.passed(said.least) else "FAIL",
        }
        for o in outcomes
    ]
    table(rows, ("cut", "offers", "served", "R", ""), "Nothing to cut.")
    baseline = outcomes[0].baseline if outcomes else 0
    click.echo(f"\nOf {baseline:,} tokens an hour ({said.window}; {DEMAND}).")
    click.echo(f"PASS is R of at least {percent(said.least)} ({said.law}).")
    if left:
        click.echo(f"{left} pairs were not computed; none has an R below {percent(floor)}.")
    if expected is not None:
        click.echo(f"Expected to go unserved, by the chance you gave: {expected:,.1f} an hour.")
    click.secho("PASS" if passed else "FAIL", bold=True, fg="green" if passed else "red")
    return 0 if passed else 1


def show_live(row: dict[str, Any], as_json: bool) -> None:
    """What became of requests while a drill ran."""
    if as_json:
        out_json(row)
        return
    click.echo(
        f"Over ({row['cause']}): {row['served']} requests were served elsewhere, "
        f"{row['finished']} ended on the drilled offers, at least {row['refused']} were refused."
    )
    first = row["switched_s"]
    click.echo(
        "Nobody was served elsewhere meanwhile: nothing is measured of the time to switch."
        if first is None
        else f"The first answer from elsewhere came {first:.2f} s after the cut."
    )


def percent(share: Fraction) -> str:
    """Cut off and not rounded, so that 94.99 % never reads as a pass."""
    return f"{share.numerator * 1_000 // share.denominator / 10:.1f} %"


def _plain(said: Said, outcome: Outcome, pivots: Sequence[Pivot]) -> dict[str, Any]:
    return {
        "cut": {kind: list(values) for kind, values in outcome.cut.items()},
        "lost": list(outcome.lost),
        "unit": "tokens an hour",
        "window": said.window,
        "demand_is": DEMAND,
        "baseline": outcome.baseline,
        "served": outcome.served,
        "share": float(outcome.share),
        "pass_share": float(said.least),
        "rules": said.law,
        "passed": outcome.passed(said.least),
        "unserved": outcome.unserved,
        "remains": _sources(said, outcome),
        "sovereign_unit": outcome.sovereign,
        "home": said.home,
        "pivotal": [pivot._asdict() for pivot in pivots],
    }


def show_exit(done: Exit, left: Sequence[str]) -> None:
    """Each step with its time, what was left behind, and how long all of it took."""
    rows = [
        {
            "step": one.name,
            "seconds": f"{one.seconds:.2f}",
            "what": one.says if one.ok else "FAILED",
        }
        for one in done.steps
    ]
    table(rows, ("step", "seconds", "what"), "Nothing was done.")
    failed = next((step for step in done.steps if not step.ok), None)
    if left:
        click.echo("\nLeft behind:")
        for line in left:
            click.echo(f"  {line}")
    if failed is None:
        click.secho(f"\nPASS: gone and served in {done.seconds:.1f} s.", bold=True)
    else:
        click.secho(f"\nFAIL at {failed.name}: {failed.says}", bold=True)
