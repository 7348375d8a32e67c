"""Machine: what it is, and the physical limits that no gateway on it can pass.

Rule: the limits are measured in the same run as the table they explain.
Invariant: nothing here depends on Allmende.
Worked number: at 0.11 ms per fdatasync, one commit per request is at most 9_000/s.
"""

from __future__ import annotations

import os
import platform
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

import msgspec
from msgspec import Struct

from bench import payload, procs
from bench.peers.base import ENV
from bench.plan import Outcome, Plan


class Machine(Struct):
    """The computer, by its own words."""

    cpu: str = ""
    cores: int = 0
    memory_gb: float = 0.0
    kernel: str = ""
    python: str = ""
    disk: str = ""


class Limits(Struct):
    """Microseconds and rates of the bare machine."""

    fdatasync_us: float = 0.0
    """Median of 1_000 appends of 4 kB, each followed by fdatasync."""
    fdatasync_p99_us: float = 0.0
    echo_us: float = 0.0
    """Median round trip of one byte between the two cores over loopback TCP."""
    answers_per_s: float = 0.0
    """The instant upstream alone on the gateway's core at 64 in flight: the Python floor."""
    answer_cpu_us: float = 0.0
    harness_per_s: float = 0.0
    """Upstream and load sharing the load's core, no gateway: what the harness can drive."""
    harness_streams_per_s: float = 0.0


def machine() -> Machine:
    info = Path("/proc/cpuinfo").read_text()
    names = [line.split(":", 1)[1].strip() for line in info.splitlines() if "model name" in line]
    kilobytes = int(Path("/proc/meminfo").read_text().split()[1])
    return Machine(
        cpu=names[0] if names else platform.processor(),
        cores=os.cpu_count() or 0,
        memory_gb=round(kilobytes / 2**20, 1),
        kernel=platform.release(),
        python=platform.python_version(),
        disk=_file_system(ENV),
    )


def _file_system(path: Path) -> str:
    """The type of file system under a path, e.g. ext4."""
    words = ["stat", "-f", "-c", "%T", str(path)]
    return subprocess.run(words, capture_output=True, text=True).stdout.strip()


def limits(load_core: int, gateway_core: int) -> Limits:
    times = _fdatasync_times()
    alone = _direct(gateway_core, load_core, stream=False)
    shared = _direct(load_core, load_core, stream=False)
    streams = _direct(load_core, load_core, stream=True)
    return Limits(
        fdatasync_us=statistics.median(times),
        fdatasync_p99_us=sorted(times)[len(times) * 99 // 100],
        echo_us=_echo_us(load_core, gateway_core),
        answers_per_s=alone.per_second,
        answer_cpu_us=alone.cpu_us,
        harness_per_s=shared.per_second,
        harness_streams_per_s=streams.per_second,
    )


def fdatasync_us() -> float:
    """Median of 1_000 appends of 4 kB to a file beside the peers' data."""
    return statistics.median(_fdatasync_times())


def _fdatasync_times(times: int = 1000) -> list[float]:
    path = ENV / "work" / "fdatasync"
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    took = []
    try:
        for _ in range(times):
            os.write(file, bytes(4096))
            began = time.perf_counter()
            os.fdatasync(file)
            took.append((time.perf_counter() - began) * 1e6)
    finally:
        os.close(file)
        path.unlink()
    return took


def _echo_us(load_core: int, gateway_core: int, times: int = 5000) -> float:
    """A forked child on the gateway's core echoes one byte; we stand on the load's."""
    server = socket.create_server(("127.0.0.1", 0))
    child = os.fork()
    if child == 0:
        os.sched_setaffinity(0, {gateway_core})
        peer, _ = server.accept()
        while data := peer.recv(1):
            peer.send(data)
        os._exit(0)
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {load_core})
    took = []
    with socket.create_connection(server.getsockname()) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(times):
            began = time.perf_counter()
            client.send(b"x")
            client.recv(1)
            took.append((time.perf_counter() - began) * 1e6)
    os.waitpid(child, 0)
    server.close()
    os.sched_setaffinity(0, before)
    return statistics.median(took)


def _direct(core: int, load_core: int, stream: bool) -> Outcome:
    """The load straight at the upstream."""
    port = procs.free_port()
    command = [sys.executable, "-m", "bench.upstream", str(port)]
    upstream = procs.spawn(core, command, ENV / "work" / "limits.log")
    plan = Plan(
        url=f"http://127.0.0.1:{port}/v1/chat/completions",
        headers={},
        body=payload.request("bench", stream).decode(),
        stream=stream,
        in_flight=16 if stream else 64,
        warm_s=0.5,
        window_s=2.0,
        gateway=upstream.pid,
    )
    try:
        procs.await_port(port)
        return run_load(plan, load_core)
    finally:
        procs.stop(upstream)


def run_load(plan: Plan, core: int) -> Outcome:
    """Carry a plan out in a process of its own on one core."""
    done = subprocess.run(
        ["taskset", "-c", str(core), sys.executable, "-m", "bench.load"],
        input=msgspec.json.encode(plan),
        capture_output=True,
        timeout=plan.warm_s + plan.window_s + plan.patience_s + 300,
    )
    if done.returncode:
        raise RuntimeError(f"the load failed: {done.stderr.decode()[-300:]}")
    return msgspec.json.decode(done.stdout, type=Outcome)
