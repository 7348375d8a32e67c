"""The matchers' part of RESULTS.md.

Rule: millions of events a second of CPU, medians; a row whose outcome was not the oracle's
says so instead.
Invariant: nothing is printed that is not in the results.
Worked number: 46_300_000 a second is told as 46.3.
"""

from __future__ import annotations

import statistics

from bench.matching import EVENTS, RESTING, SIDE, MatchingResults, Row


def section(found: MatchingResults, where: str) -> list[str]:
    """Heading, circumstances (`where` is the machine in words), table and notes."""
    dated = (
        f"{found.date}, commit {found.commit}, `{found.command}`: {_rounds(found.rounds)}, "
        f"each matcher in a process of its own on one core. {where}"
    )
    rows = [["matching, million events/s of CPU", "measured", "goal", "what to know"], ["---"] * 4]
    rows += [
        [row.matcher.name, _rate(row), row.matcher.goal, row.matcher.note] for row in found.rows
    ]
    rows += [
        ["one call of the kernel with one event, p50 / p99, microseconds",
         f"{found.call_p50_us:.2f} / {found.call_p99_us:.2f}", "- / 2", ""],
        [f"call auction, {SIDE:,} a side, million orders/s",
         f"{found.auction_per_s / 1e6:.0f}", "150", "price, queues and all fills"],
    ]  # fmt: skip
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    return ["## Matching", dated, table, "\n".join(f"- {note}" for note in _notes(found))]


def _rounds(number: int) -> str:
    return f"medians of {number} alternating rounds" if number > 1 else "one round"


def _rate(row: Row) -> str:
    if row.why_not:
        return "not run"
    if not row.same:
        return "another outcome"
    rate = statistics.median(row.rates) / 1e6
    return f"{rate:.1f}" if rate >= 10 else f"{rate:.2f}"


def _notes(found: MatchingResults) -> list[str]:
    versions = sorted({row.matcher.package for row in found.rows if row.matcher.package})
    missing = [
        f"{row.matcher.name} was not run: {row.why_not}" for row in found.rows if row.why_not
    ]
    return [
        f"The flow: {EVENTS:,} events on {RESTING:,} resting orders, 50 % that rest, 40 % "
        "cancellations, 10 % that cross. Every outcome was compared with the oracle's: the same "
        "trades, or the same best prices and orders left where a book does not tell its trades.",
        f"Others: {', '.join(versions)}; one call of theirs per event, prepared "
        "beforehand. What a call costs from Python is in their figures, as it is in ours at 1 a "
        "call.",
        *missing,
    ]
