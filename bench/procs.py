"""Processes: spawn them on a core, and read what they cost from the kernel.

Rule: a gateway is its whole process tree; its CPU time is user and system of all of it.
Invariant: CPU time never falls: a dead child's time stays in its parent's account.
Worked number: `cpu_ns` before and after 10 s on a full core differ by 10_000_000_000.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_TICK_NS = 10**9 // os.sysconf("SC_CLK_TCK")


def spawn(
    core: int,
    command: Sequence[str],
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start a command on one core, in its own session, its output in `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        return subprocess.Popen(
            ["taskset", "-c", str(core), *command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            cwd=cwd,
            start_new_session=True,
        )


def stop(process: subprocess.Popen[bytes], patience_s: float = 10.0) -> None:
    """Terminate the root, then what is left of its session, and kill what is left then."""
    members = tree(process.pid)
    for sign, whom in (
        (signal.SIGTERM, [process.pid]),
        (signal.SIGTERM, members),
        (signal.SIGKILL, members),
    ):
        for pid in filter(_alive, whom):
            os.kill(pid, sign)
        until = time.monotonic() + patience_s
        while any(map(_alive, whom)) and time.monotonic() < until:
            process.poll()
            time.sleep(0.02)
    process.wait()


def _alive(pid: int) -> bool:
    fields = _stat(pid)
    return bool(fields) and fields[0] not in "ZX"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        assert isinstance(port, int)
        return port


def await_port(port: int, limit_s: float = 10.0) -> None:
    """Return once something listens there. TimeoutError if nothing does."""
    until = time.monotonic() + limit_s
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if time.monotonic() > until:
            raise TimeoutError(f"nothing listens on port {port}")
        time.sleep(0.01)


def tree(root: int) -> list[int]:
    """The process and all its living descendants."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            parents[int(entry.name)] = int(fields[1])
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def cpu_ns(root: int) -> int:
    """User and system nanoseconds of the tree, and of its children that were waited for."""
    total = 0
    for pid in tree(root):
        fields = _stat(pid)
        if fields:
            total += clock_ns(pid) + (int(fields[13]) + int(fields[14])) * _TICK_NS
    return total


def clock_ns(pid: int) -> int:
    """utime + stime of /proc/<pid>/stat, to the nanosecond: the process's CPU clock."""
    try:
        return time.clock_gettime_ns((~pid << 3) | 2)
    except OSError:
        return 0


def _stat(pid: int) -> list[str]:
    """Fields of /proc/<pid>/stat from the third (state) on; empty if it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.rpartition(")")[2].split()


def memory_kb(root: int) -> tuple[int, int]:
    """(RSS, PSS) of the tree in kB. PSS counts a page shared by n processes as 1/n."""
    rss = pss = 0
    for pid in tree(root):
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue
        sizes = {line.split(":")[0]: line.split() for line in lines[1:]}
        rss += int(sizes["Rss"][1])
        pss += int(sizes["Pss"][1])
    return rss, pss


def core_busy_ns(core: int) -> int:
    """Nanoseconds that a core was not idle, by whomever, interrupts too; 0 for core -1."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *ticks = line.split()
        if name == f"cpu{core}":
            user, nice, system, _idle, _wait, *interrupts = map(int, ticks[:7])
            return (user + nice + system + sum(interrupts)) * _TICK_NS
    return 0
