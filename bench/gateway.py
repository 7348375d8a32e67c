"""Gateway: visits every peer in turn, round after round, and keeps each cell's outcome.

Rule: the gateway has one core to itself, upstream and load share the other; the rounds
alternate over the peers, so that a drifting machine touches all of them.
Invariant: a cell whose upstream answered less often than the client was answered is a
fault: nobody answers from elsewhere.
Worked number: 3 rounds of 8 peers and 5 cells of 6 s are about 15 minutes.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct, field

from bench import procs
from bench.machine import run_load
from bench.peers import NotRun, Peer
from bench.peers.base import ENV
from bench.plan import Outcome, Plan

PACE_MS = 15
Say = Callable[[str], None]


class Cell(Struct, frozen=True):
    """One row of measurement: its name and the shape of its load."""

    name: str
    in_flight: int
    stream: bool = False
    paced: bool = False


CELLS = (
    Cell("64", 64),
    Cell("16", 16),
    Cell("1", 1),
    Cell("burst", 16, stream=True),
    Cell("paced", 200, stream=True, paced=True),
)


class Options(Struct, frozen=True):
    rounds: int = 3
    warm_s: float = 1.0
    window_s: float = 5.0
    load_core: int = 0
    gateway_core: int = 1
    ready_s: float = 120.0
    settle_s: float = 2.0


class Visit(Struct):
    """One peer in one round. Seconds, kilobytes."""

    cold_start_s: float = 0.0
    rss_kb: int = 0
    pss_kb: int = 0
    cells: dict[str, Outcome] = field(default_factory=dict)
    fault: str = ""


class PeerResult(Struct):
    name: str
    title: str
    version: str
    role: str
    why_not: str = ""
    visits: list[Visit] = field(default_factory=list)


def measure(peers: Sequence[Peer], options: Options, say: Say) -> list[PeerResult]:
    """All rounds over all peers that can be run."""
    port = procs.free_port()
    command = [sys.executable, "-m", "bench.upstream", str(port)]
    upstream = procs.spawn(options.load_core, command, ENV / "work" / "upstream.log")
    address = f"http://127.0.0.1:{port}"
    try:
        procs.await_port(port)
        results = [_prepared(peer, address, say) for peer in peers]
        for number in range(options.rounds):
            for peer, result in zip(peers, results, strict=True):
                if not result.why_not:
                    say(f"round {number + 1}/{options.rounds} {peer.name}")
                    result.visits.append(_visit(peer, address, options, say))
        return results
    finally:
        procs.stop(upstream)


def _prepared(peer: Peer, upstream: str, say: Say) -> PeerResult:
    result = PeerResult(peer.name, peer.title, peer.version, peer.role)
    try:
        if not peer.installed():
            say(f"installing {peer.name}")
            peer.install()
        peer.prepare(upstream)
    except (NotRun, OSError) as why:
        result.why_not = str(why)
        say(f"{peer.name} is not run: {why}")
    return result


def _visit(peer: Peer, upstream: str, options: Options, say: Say) -> Visit:
    visit = Visit()
    port = procs.free_port()
    began = time.perf_counter()
    process = peer.start(options.gateway_core, port, upstream)
    try:
        _await_answer(peer, port, upstream, process, options.ready_s)
        visit.cold_start_s = time.perf_counter() - began
        time.sleep(options.settle_s)
        visit.rss_kb, visit.pss_kb = procs.memory_kb(process.pid)
        cells = [cell for cell in CELLS if cell.name not in peer.skips]
        plans = {c.name: _plan(peer, c, port, upstream, process.pid, options) for c in cells}
        for name in {"64", "burst"} & set(plans):
            run_load(plans[name], options.load_core)  # warm: compilers, pools, caches
        for cell in cells:
            outcome = _cell(plans[cell.name], cell, upstream, options)
            visit.cells[cell.name] = outcome
            say(f"  {_line(cell, outcome)}")
    except NotRun as why:
        visit.fault = str(why)
        say(f"  {why}")
    finally:
        procs.stop(process)
    return visit


def _plan(peer: Peer, cell: Cell, port: int, upstream: str, root: int, options: Options) -> Plan:
    return Plan(
        url=peer.url(port),
        headers=peer.headers(upstream),
        body=peer.body(cell.stream).decode(),
        stream=cell.stream,
        in_flight=cell.in_flight,
        warm_s=options.warm_s,
        window_s=options.window_s,
        each=peer.paced_each if cell.paced else 0,
        gateway=root,
        core=options.gateway_core,
        load_core=options.load_core,
    )


def _cell(plan: Plan, cell: Cell, upstream: str, options: Options) -> Outcome:
    """Run the load in its own process on the load's core, and check it against upstream."""
    _get(upstream, f"/_pace/{PACE_MS if cell.paced else 0}")
    _get(upstream, "/_counts")
    outcome = run_load(plan, options.load_core)
    counts = json.loads(_get(upstream, "/_counts") or b"{}")
    if sum(counts.values()) < outcome.answered:
        outcome.errors += 1
        outcome.first_error = outcome.first_error or f"the upstream only answered {counts}"
    return outcome


def _await_answer(
    peer: Peer, port: int, upstream: str, process: subprocess.Popen[bytes], limit_s: float
) -> None:
    """Return at the first whole chat completion with status 200."""
    until, last = time.monotonic() + limit_s, ""
    while (last := _try(peer, port, upstream)) != "200":
        if process.poll() is not None:
            raise NotRun(f"it stopped at once: {_last_words(peer.work / 'log')}")
        if time.monotonic() > until:
            raise NotRun(f"it gave no answer within {limit_s:.0f} s; at last: {last}")
        time.sleep(0.005)


def _try(peer: Peer, port: int, upstream: str) -> str:
    """'200', or what came instead."""
    url = urlsplit(peer.url(port))
    if not url.port:
        return "no address yet"
    head = {"content-type": "application/json", **peer.headers(upstream)}
    client = http.client.HTTPConnection("127.0.0.1", url.port, timeout=30)
    try:
        client.request("POST", url.path, peer.body(False), head)
        answer = client.getresponse()
        text = answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return repr(error)
    return "200" if answer.status == 200 else f"{answer.status} {text[:300]}"


def _get(address: str, path: str) -> bytes | None:
    client = http.client.HTTPConnection(urlsplit(address).netloc, timeout=10)
    with suppress(OSError):
        client.request("GET", path)
        return client.getresponse().read()
    return None


def _last_words(log: Path) -> str:
    return " | ".join(log.read_text(errors="replace").strip().splitlines()[-3:])[-400:]


def _line(cell: Cell, outcome: Outcome) -> str:
    wrong = f"  {outcome.errors} ERRORS {outcome.first_error[:160]!r}" if outcome.errors else ""
    return (
        f"{cell.name:>6}: {outcome.per_second:9,.1f}/s  cpu {outcome.cpu_us:9,.1f} us"
        f" (main {outcome.main_us:,.1f})"
        f"  p50 {outcome.p50_ms:8.3f}  p99 {outcome.p99_ms:8.3f} ms"
        f"  gateway {outcome.gateway_load:4.0%} others {outcome.others_load:3.0%}"
        f" load {outcome.harness_load:4.0%}{wrong}"
    )
