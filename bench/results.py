"""Results: what a run found, as it is kept in results.json and told in RESULTS.md.

Rule: RESULTS.md is written from results.json, results.json by a run; neither by hand.
Invariant: gateways, desk, matching, gas and observatory each carry their own date and command.
Worked number: three rounds of 7_450, 7_900 and 7_600/s are told as 7,600.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct, field

from bench.gas import GasResults
from bench.gateway import Options, PeerResult
from bench.machine import Limits, Machine
from bench.matching import MatchingResults
from bench.observatory import ObservatoryResults
from bench.peers.base import BENCH

PATH = BENCH / "results.json"


class GatewayResults(Struct):
    date: str
    command: str
    commit: str
    machine: Machine
    limits: Limits
    options: Options
    peers: list[PeerResult]


class DeskResults(Struct):
    """The desk alone on SQLite. Pairs are one durable reserve and one durable capture."""

    date: str
    command: str
    commit: str
    machine: Machine
    fdatasync_us: float
    pairs_per_s: float = 0.0
    pair_p50_ms: float = 0.0
    pair_p99_ms: float = 0.0
    pairs_per_s_all: list[float] = field(default_factory=list)
    orders_per_s: float = 0.0
    rights_per_s: float = 0.0
    rights_to_credit: float = 0.0
    """Pairs that rights pay for, over pairs that credit pays for, in the same run."""
    start_events: int = 0
    start_s: float = 0.0
    start_without_snapshot_s: float = 0.0
    memory_mb: dict[str, float] = field(default_factory=dict)
    """RSS of the desk's process by receipts written so far."""
    journal_mb: float = 0.0
    notes: list[str] = field(default_factory=list)


class Results(Struct):
    gateways: GatewayResults | None = None
    desk: DeskResults | None = None
    matching: MatchingResults | None = None
    gas: GasResults | None = None
    observatory: ObservatoryResults | None = None


def read(path: Path = PATH) -> Results:
    return msgspec.json.decode(path.read_bytes(), type=Results) if path.exists() else Results()


def write(results: Results, path: Path = PATH) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
