"""`python -m bench`: install the peers, run the whole table, write RESULTS.md.

python -m bench                      everything, and write results.json and RESULTS.md
python -m bench setup [--only a,b]   only install peers into bench/.env
python -m bench gateway --only a,b   a part, printed; --write keeps it
python -m bench desk                 the desk alone, printed; --write keeps it
python -m bench matching             order books and the call auction; --write keeps it
python -m bench gas                  what calls of the contracts cost; --write keeps it
python -m bench observatory          a report over ten million receipts; --write keeps it
python -m bench report               RESULTS.md again from results.json
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from datetime import UTC, datetime

from bench import desk, gas, gateway, machine, matching, observatory, peers, report, results
from bench.peers import NotRun, Peer
from bench.peers.base import BENCH

RECEIPTS = 10_000_000
"""Of the observatory's report."""


def main(words: list[str]) -> int:
    ask = _arguments(words)
    command = " ".join(["python -m bench", *words])
    if ask.what == "setup":
        if not ask.only:
            matching.setup(say)
        return _setup(_chosen(ask.only))
    kept = results.read()
    if ask.what in ("all", "gateway"):
        found = _gateways(ask, command)
        print(report.page(results.Results(gateways=found)))
        kept.gateways = found
    if ask.what in ("all", "desk"):
        kept.desk = _desk(ask, command)
        print(report.page(results.Results(desk=kept.desk)))
    if ask.what in ("all", "matching"):
        kept.matching = matching.measure(_today(), command, _commit(), ask.rounds, say)
        print(report.page(results.Results(matching=kept.matching)))
    if ask.what in ("all", "gas"):
        kept.gas = gas.measure(_today(), command, _commit(), say)
        print(report.page(results.Results(gas=kept.gas)))
    if ask.what in ("all", "observatory"):
        made = observatory.measure(_today(), command, _commit(), RECEIPTS, ask.rounds, say)
        kept.observatory = made
        print(report.page(results.Results(observatory=made)))
    if ask.write or ask.what in ("all", "report"):
        results.write(kept)
        (BENCH / "RESULTS.md").write_text(report.page(kept))
    return 0


def _arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    what = ["all", "setup", "gateway", "desk", "matching", "gas", "observatory", "report"]
    parser.add_argument("what", nargs="?", default="all", choices=what)
    parser.add_argument("--only", default="", help="peers, by name, with commas between")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each timed window")
    parser.add_argument("--receipts", type=int, default=1_000_000, help="for the desk's memory")
    parser.add_argument("--write", action="store_true", help="keep a part in the results")
    return parser.parse_args(words)


def _chosen(only: str) -> list[Peer]:
    every = peers.every()
    names = [name for name in only.split(",") if name]
    unknown = set(names) - {peer.name for peer in every}
    if unknown:
        known = ", ".join(peer.name for peer in every)
        raise SystemExit(f"no peer is called {', '.join(sorted(unknown))}; there are {known}")
    return [peer for peer in every if not names or peer.name in names]


def _setup(chosen: list[Peer]) -> int:
    for peer in chosen:
        try:
            if not peer.installed():
                say(f"installing {peer.name} {peer.version}")
                peer.install()
            say(f"{peer.name} {peer.version} is installed")
        except NotRun as why:
            say(f"{peer.name} {peer.version} cannot be installed: {why}")
    return 0


def _gateways(ask: argparse.Namespace, command: str) -> results.GatewayResults:
    chosen = _chosen(ask.only)
    options = gateway.Options(rounds=ask.rounds, window_s=ask.seconds)
    if not {options.load_core, options.gateway_core} <= os.sched_getaffinity(0):
        raise SystemExit("two cores are needed, 0 for the load and 1 for the gateway")
    os.sched_setaffinity(0, {options.load_core})
    say("measuring the machine's limits")
    limits = machine.limits(options.load_core, options.gateway_core)
    return results.GatewayResults(
        date=_today(),
        command=command,
        commit=_commit(),
        machine=machine.machine(),
        limits=limits,
        options=options,
        peers=gateway.measure(chosen, options, say),
    )


def _desk(ask: argparse.Namespace, command: str) -> results.DeskResults:
    return desk.measure(_today(), command, _commit(), ask.receipts, ask.rounds, say)


def say(text: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", file=sys.stderr, flush=True)


def _today() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"


def _commit() -> str:
    """Short hash of the code measured; `+` if the tree differs from it."""
    words = ["git", "describe", "--always", "--dirty=+", "--abbrev=9"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=BENCH)
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
