"""Report: results as a page that says what was measured, on what, and what is thin.

Rule: a median stands only where every round was free of errors; else the cell says why.
Invariant: nothing is printed that is not in the results.
Worked number: cells 9_800 and 9_900/s of two rounds are printed as 9,850.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from bench import gas_report, matching_report, observatory
from bench.gateway import CELLS, PACE_MS, PeerResult, Visit
from bench.machine import Limits, Machine
from bench.payload import EVENTS
from bench.plan import Outcome
from bench.results import DeskResults, GatewayResults, Results

_GOALS = {
    "requests/s at 64 in flight": "7,500; then 15,000",
    "CPU per request, microseconds": "130; then 65",
    "p50 / p99 at 16 in flight, ms": "2 / 5",
    "p50 at 1 in flight, ms": "0.8",
    "burst streams/s at 16": "2,000; then 5,000",
    f"CPU per paced {EVENTS}-event stream, microseconds": "900",
    "idle memory, MB: RSS (PSS)": "120",
    "cold start, s": "1",
}
_FULL, _DISTURBED = 0.95, 0.05


def page(results: Results) -> str:
    """RESULTS.md, whole."""
    parts = ["# Results", "Written by `python -m bench`; the method is in [README.md](README.md)."]
    if results.gateways:
        parts += _gateways(results.gateways)
    if results.desk:
        parts += _desk(results.desk)
    if results.matching:
        parts += matching_report.section(results.matching, _machine(results.matching.machine))
    if results.gas:
        parts += gas_report.section(results.gas)
    if results.observatory:
        parts += observatory.section(results.observatory, _machine(results.observatory.machine))
    return "\n\n".join(parts) + "\n"


def _gateways(found: GatewayResults) -> list[str]:
    run = [peer for peer in found.peers if peer.visits]
    spoilt = _spoilt(run)
    return [
        "## Gateways",
        *([f"**{spoilt} A quiet machine is needed; do not quote this run.**"] if spoilt else []),
        f"{found.date}, commit {found.commit}, `{found.command}`: medians of "
        f"{found.options.rounds} alternating rounds, windows of {found.options.window_s:g} s "
        f"after {found.options.warm_s:g} s. {_machine(found.machine)}",
        table(run),
        "\n".join(_notes(found)),
        _limits(found.limits),
    ]


def _spoilt(peers: Sequence[PeerResult]) -> str:
    """How many loads met company on the gateway's core, if more than one in ten did."""
    loads = [load for peer in peers for visit in peer.visits for load in visit.cells.values()]
    met = sum(load.others_load > _DISTURBED for load in loads)
    return f"{met} of {len(loads)} loads were disturbed." if 10 * met > len(loads) else ""


def table(peers: Sequence[PeerResult]) -> str:
    """The table of the issue: a row for each quantity, a column for each peer."""
    head = ["one worker on one core", *(peer.title for peer in peers), "goal, full accounting"]
    rows = [head, ["---"] * len(head)]
    for (label, goal), cell in zip(_GOALS.items(), _ROWS, strict=True):
        rows.append([label, *(cell(peer.visits) for peer in peers), goal])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _timed(name: str, tell: Callable[[Sequence[Outcome]], str]) -> Callable[[list[Visit]], str]:
    """A cell of the table from one load's outcomes, or the reason why it has none."""

    def cell(visits: list[Visit]) -> str:
        found = [visit.cells[name] for visit in visits if name in visit.cells]
        faults = [visit.fault for visit in visits if visit.fault]
        if any(outcome.errors for outcome in found):
            return f"invalid: {sum(outcome.errors for outcome in found)} errors"
        if faults or not found:
            return "failed" if faults else "-"
        return tell(found) + ("*" if _mid(found, "others_load") > _DISTURBED else "")

    return cell


def _mid(found: Sequence[Outcome], name: str) -> float:
    values: list[float] = [getattr(outcome, name) for outcome in found]
    return statistics.median(values)


def _rate(found: Sequence[Outcome]) -> str:
    full = _mid(found, "gateway_load") < 0.9 and _mid(found, "harness_load") > _FULL
    least = full and _mid(found, "others_load") <= _DISTURBED
    return ("≥ " if least else "") + number(_mid(found, "per_second"))


def _cpu(found: Sequence[Outcome]) -> str:
    return number(_mid(found, "cpu_us"))


def _tail(found: Sequence[Outcome]) -> str:
    return f"{number(_mid(found, 'p50_ms'))} / {number(_mid(found, 'p99_ms'))}"


def _p50(found: Sequence[Outcome]) -> str:
    return number(_mid(found, "p50_ms"))


def _memory(visits: list[Visit]) -> str:
    found = [visit for visit in visits if visit.rss_kb]
    if not found:
        return "failed"
    rss = statistics.median(visit.rss_kb for visit in found) / 1024
    pss = statistics.median(visit.pss_kb for visit in found) / 1024
    return f"{rss:.0f} ({pss:.0f})"


def _cold(visits: list[Visit]) -> str:
    found = [visit.cold_start_s for visit in visits if visit.cold_start_s]
    return number(statistics.median(found)) if found else "failed"


def _either(
    first: Callable[[list[Visit]], str], second: Callable[[list[Visit]], str]
) -> Callable[[list[Visit]], str]:
    """CPU per request of a peer that is only measured at one in flight."""

    def cell(visits: list[Visit]) -> str:
        told = first(visits)
        return f"{second(visits)} (1 in flight)" if told == "-" else told

    return cell


_ROWS: tuple[Callable[[list[Visit]], str], ...] = (
    _timed("64", _rate),
    _either(_timed("64", _cpu), _timed("1", _cpu)),
    _timed("16", _tail),
    _timed("1", _p50),
    _timed("burst", _rate),
    _timed("paced", _cpu),
    _memory,
    _cold,
)


def number(value: float) -> str:
    """Three digits that matter: 0.117, 1.53, 20.4, 9,912."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def _notes(found: GatewayResults) -> list[str]:
    notes = [f"- {peer.title} {peer.version}: {peer.role}." for peer in found.peers if peer.visits]
    for peer in found.peers:
        if peer.why_not:
            notes.append(f"- {peer.title} {peer.version} was not run: {peer.why_not}")
        notes += _faults(peer)
    if "≥" in table([peer for peer in found.peers if peer.visits]):
        notes.append("- ≥: the load's core was full before the gateway's; CPU per request holds.")
    if "*" in table([peer for peer in found.peers if peer.visits]):
        notes.append(f"- \\*: other processes took over {_DISTURBED:.0%} of the gateway's core.")
    return notes


def _faults(peer: PeerResult) -> list[str]:
    """The first example of each thing that went wrong, and what is odd though valid."""
    faults = [f"- {peer.title}: {visit.fault}" for visit in peer.visits if visit.fault][:1]
    for cell in CELLS:
        wrong = [v.cells[cell.name] for v in peer.visits if cell.name in v.cells]
        for outcome in [outcome for outcome in wrong if outcome.errors][:1]:
            text = " ".join(outcome.first_error.split())[:160].replace("|", "/")
            faults.append(f"- {peer.title}, {cell.name}: `{text}`")
        if wrong and cell.name in ("64", "burst") and not any(o.usage for o in wrong):
            what = "streams" if cell.stream else "answers"
            faults.append(f"- {peer.title} does not pass the usage on in {what}.")
        if wrong and cell.name == "burst" and not any(o.done_mark for o in wrong):
            faults.append(f"- {peer.title} ends its streams without [DONE].")
    return faults


def _machine(machine: Machine) -> str:
    return (
        f"{machine.cpu}, {machine.cores} cores, {machine.memory_gb:.0f} GB, Linux "
        f"{machine.kernel}, {machine.disk}, Python {machine.python}."
    )


def _limits(limits: Limits) -> str:
    return (
        f"**Physical limits in the same run.** One fdatasync after 4 kB: "
        f"{limits.fdatasync_us / 1000:.2f} ms (p99 {limits.fdatasync_p99_us / 1000:.2f}). One byte "
        f"there and back over loopback between the cores: {limits.echo_us:.0f} microseconds. A "
        f"bare asyncio Protocol on uvloop that answers from memory on the gateway's core: "
        f"{number(limits.answers_per_s)}/s, {limits.answer_cpu_us:.1f} microseconds each; a "
        f"gateway in Python speaks twice. Upstream and load together on their one core, with no "
        f"gateway between: {number(limits.harness_per_s)} requests/s, "
        f"{number(limits.harness_streams_per_s)} streams/s; beyond that this harness does not see. "
        f"Paced streams send {EVENTS} events {PACE_MS} ms apart, {CELLS[-1].in_flight} at once."
    )


def _desk(found: DeskResults) -> list[str]:
    rows = [
        ["desk alone on SQLite", "measured", "goal"],
        ["---"] * 3,
        ["durable reserve+capture pairs/s at 100 in flight", number(found.pairs_per_s), "25,000"],
        ["a pair, p50 / p99, ms", f"{found.pair_p50_ms:.2f} / {found.pair_p99_ms:.2f}", "- / 2"],
        ["durable orders/s, half of them trades", number(found.orders_per_s), "20,000"],
        ["pairs/s paid with rights", number(found.rights_per_s), "as with credit"],
        ["the same, over pairs paid with credit", f"{found.rights_to_credit:.2f}", "1"],
        [f"start with {found.start_events:,} events, s", number(found.start_s), "3"],
        ["the same with no snapshot, s", number(found.start_without_snapshot_s), "-"],
        *(
            [f"memory after {receipts} receipts, MB RSS", f"{size:.0f}", "flat"]
            for receipts, size in found.memory_mb.items()
        ),
    ]
    text = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    notes = "\n".join(f"- {note}" for note in found.notes)
    where = f"One fdatasync: {found.fdatasync_us / 1000:.2f} ms. {_machine(found.machine)}"
    dated = f"{found.date}, commit {found.commit}, `{found.command}`. {where}"
    return ["## Desk", dated, text, notes]
