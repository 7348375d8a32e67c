"""Quality report: how many of the labelled manipulators are found, and who is accused wrongly.

Rule: each seed makes two days on the real core: one of zero-intelligence flow alone, on which
every alert is false; and one with every manipulator and every honest look-alike in it.
Invariant: the same seeds give the same report, whoever runs it.
Worked number: 24 traders on 50 clean days are 1,200 account-days; 12 false alerts are 1 %.

A manipulator is found if an alert of its kind names only its accounts. Layering and spoofing
are one offence in two sizes: either kind finds either.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor

from msgspec import Struct, field

from allmende.lab.manipulators import LOOKALIKES, MANIPULATORS
from allmende.lab.watched import HOSTS, TRADERS, Label, market, traded
from allmende.measure.surveillance.alert import Alert
from allmende.measure.surveillance.watch import KINDS, alerts
from allmende.measure.tape import record

RECALL_MIN = 0.9
FALSE_MAX = 0.01
PROCESSES = 2
SAME = {"spoofing": "layering"}
"""Kinds that are counted as one."""


class Day(Struct):
    """What one seed gave. Of the clean day: accounts alerted, by kind; of the other: found
    and missed manipulators by kind, look-alikes seen and alerted, bystanders alerted."""

    seed: int
    trades: int = 0
    clean: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    lookalikes: Counter[str] = field(default_factory=Counter)
    mistaken: Counter[str] = field(default_factory=Counter)
    bystanders: Counter[str] = field(default_factory=Counter)


def day(seed: int) -> Day:
    """The two days of one seed."""
    out = Day(seed)
    clean, _ = market(2 * seed)
    for alert in alerts(record(clean.events)):
        out.clean[alert.kind] += len(alert.accounts)
    mixed, labels = market(2 * seed + 1, (*MANIPULATORS, *LOOKALIKES))
    out.trades = traded(clean) + traded(mixed)
    _judge(out, alerts(record(mixed.events)), labels)
    return out


def _judge(out: Day, found: Sequence[Alert], labels: Sequence[Label]) -> None:
    guilty = {
        account: label for label in labels if label.kind in KINDS for account in label.accounts
    }
    alike = {a: label for label in labels if label.kind not in KINDS for a in label.accounts}
    for label in labels:
        if label.kind in KINDS:
            hit = any(_names(alert, label) for alert in found)
            (out.found if hit else out.missed)[label.kind] += 1
        else:
            out.lookalikes[label.kind] += len(label.accounts)
    for alert in found:
        for account in alert.accounts:
            if account in alike:
                out.mistaken[alike[account].kind] += 1
            elif account not in guilty:
                out.bystanders[alert.kind] += 1


def _names(alert: Alert, label: Label) -> bool:
    same = SAME.get(alert.kind, alert.kind) == SAME.get(label.kind, label.kind)
    return same and set(alert.accounts) <= set(label.accounts)


class Report(Struct):
    """All seeds together. `units` is how many accounts a kind could have accused wrongly."""

    seeds: int
    trades: int
    rows: tuple[Row, ...]
    lookalikes: dict[str, tuple[int, int]]
    passed: bool


class Row(Struct):
    """One typology: labelled, found, and on clean days accused of units."""

    kind: str
    labelled: int
    found: int
    recall: float
    false: int
    units: int
    false_rate: float
    bystanders: int


def report(seeds: Iterable[int]) -> Report:
    """The report over these seeds, in two processes."""
    with ProcessPoolExecutor(PROCESSES) as pool:
        return summary(list(pool.map(day, seeds)))


def summary(days: Sequence[Day]) -> Report:
    rows = tuple(_rows(days))
    passed = all(row.recall >= RECALL_MIN and row.false_rate <= FALSE_MAX for row in rows)
    seen: Counter[str] = sum((d.lookalikes for d in days), Counter())
    mistaken: Counter[str] = sum((d.mistaken for d in days), Counter())
    return Report(
        seeds=len(days),
        trades=sum(d.trades for d in days),
        rows=rows,
        lookalikes={kind: (mistaken[kind], count) for kind, count in sorted(seen.items())},
        passed=passed,
    )


def _rows(days: Sequence[Day]) -> Iterator[Row]:
    for kind in KINDS:
        found = sum(d.found[kind] for d in days)
        labelled = found + sum(d.missed[kind] for d in days)
        false = sum(d.clean[kind] for d in days)
        units = len(days) * (HOSTS if kind == "withholding" else TRADERS)
        yield Row(
            kind=kind,
            labelled=labelled,
            found=found,
            recall=found / labelled,
            false=false,
            units=units,
            false_rate=false / units,
            bystanders=sum(d.bystanders[kind] for d in days),
        )


def main(seeds: int, start: int = 0, echo: Callable[[str], None] = print) -> int:
    """Print the report over `seeds` seeds from `start`: 0 if it keeps what is asked, else 1."""
    made = report(range(start, start + seeds))
    for line in told(made, start):
        echo(line)
    return 0 if made.passed else 1


def told(made: Report, start: int) -> Iterator[str]:
    yield (
        f"Seeds {start} to {start + made.seeds - 1}: {2 * made.seeds} days, "
        f"{made.trades:,} trades on the real book."
    )
    yield ""
    heads = ("typology", "found", "recall", "false on clean days", "bystanders")
    yield "{:<15}{:>10}{:>9}   {:<22}{:>10}".format(*heads)
    for row in made.rows:
        false = f"{row.false} of {row.units} ({row.false_rate:.2%})"
        found = f"{row.found} of {row.labelled}"
        yield f"{row.kind:<15}{found:>10}{row.recall:>9.1%}   {false:<22}{row.bystanders:>10}"
    yield ""
    yield "Honest look-alikes (a person would look, and dismiss):"
    for kind, (mistaken, seen) in made.lookalikes.items():
        yield f"  {kind:<16}{mistaken} alerts on {seen} account-days"
    yield ""
    asked = f"recall >= {RECALL_MIN:.0%} at <= {FALSE_MAX:.0%} false alerts"
    yield f"{'Kept' if made.passed else 'NOT KEPT'}: {asked}, for every typology."
