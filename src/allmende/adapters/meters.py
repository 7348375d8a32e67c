"""Meters: energy where a machine measures it: RAPL, NVML (through nvidia-smi), Slurm.

Rule: a reading is joules since an unknown start, so only the difference of two counts; a counter
that ran over is continued by its stated range. What cannot be read says what is missing.
Invariant: each reading names its boundary: what it measures, and so what it leaves out. A text in
another form than documented is an error that names the line, never a zero.
Worked number: a package counter of 10 s apart, 1_000_000 and 251_000_000 microjoules: 250 J, 25 W.

Formats. RAPL: Linux, Documentation/ABI/testing/sysfs-class-powercap (energy_uj, name,
max_energy_range_uj; root alone may read since 5.10). NVML: `nvidia-smi --query-gpu=...` as CSV,
see nvidia-smi(1); power.draw in W, the mean of a second on most boards, and sampled a part of the
time on some (arXiv 2312.02741), so a range of 5 % is put around it. Slurm: `sacct -P -n
--format=JobID,ElapsedRaw,ConsumedEnergyRaw`, joules, of jobs and of their steps.
"""

from __future__ import annotations

import math
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

RAPL = Path("/sys/class/powercap")
RAPL_BOUNDARY = "CPU packages and, where there is a zone, DRAM; no GPU, disk, fan or power supply"
NVML = ("nvidia-smi", "--query-gpu=index,power.draw", "--format=csv,noheader,nounits")
NVML_BOUNDARY = "GPU boards with their memory; no CPU, fan or power supply of the server"
NVML_ERROR = 0.05
"""Of a board's own reading: nvidia-smi(1) says +/- 5 W of 100; arXiv 2312.02741 found 5 %."""
SLURM = ("sacct", "-P", "-n", "--format=JobID,ElapsedRaw,ConsumedEnergyRaw")
SLURM_BOUNDARY = "nodes of the job as the cluster's plugin measures them (IPMI: the whole node)"
TIMEOUT_S = 20.0

Span = tuple[float, float]


class Missing(Exception):
    """Nothing to read here, and what would be needed."""


class Unreadable(ValueError):
    """A reading that is not in its documented form; the line is named."""


class Reading(NamedTuple):
    """Watts over `seconds`, as a range, of what `boundary` names."""

    method: str
    watts: Span
    seconds: float
    boundary: str


class Counter(NamedTuple):
    """A zone of RAPL: microjoules now, and where the counter starts again."""

    name: str
    uj: int
    range_uj: int


def rapl(seconds: float, root: Path = RAPL, sleep: Callable[[float], None] = time.sleep) -> Reading:
    """Two readings of all packages, `seconds` apart. Raises Missing, Unreadable."""
    before, begin = counters(root), time.monotonic()
    sleep(seconds)
    after = counters(root)
    passed = max(seconds, time.monotonic() - begin)
    watts = between(before, after) / 1e6 / passed
    return Reading("metered-rapl", (watts, watts), passed, RAPL_BOUNDARY)


def counters(root: Path = RAPL) -> dict[str, Counter]:
    """Packages and DRAM below `root`. A core or uncore zone is within its package already."""
    if not root.is_dir():
        raise Missing(f"No {root}: this is no Linux with RAPL, or a container that hides it.")
    found = {}
    for zone in sorted(root.glob("*:*")):
        name = _text(zone / "name")
        inner = zone.name.count(":") > 1
        if (name.startswith("package") and not inner) or name == "dram":
            uj, most = _number(zone / "energy_uj"), _number(zone / "max_energy_range_uj")
            found[zone.name] = Counter(name, uj, most)
    if not found:
        raise Missing(f"{root} has no zone of a package: load intel_rapl_msr, or ask your cloud.")
    return found


def between(before: Mapping[str, Counter], after: Mapping[str, Counter]) -> int:
    """Microjoules between two readings; a counter that is lower now ran over once."""
    if before.keys() != after.keys():
        raise Unreadable(f"zones changed: {sorted(before)} were, {sorted(after)} are")
    return sum(
        now.uj - before[id_].uj + (now.range_uj if now.uj < before[id_].uj else 0)
        for id_, now in after.items()
    )


def _whole(text: str) -> bool:
    """A whole number as counters have them, of 64 bits or a little more."""
    return text.isdecimal() and len(text) <= 20


def _number(path: Path) -> int:
    text = _text(path)
    if not _whole(text):
        raise Unreadable(f"{path}: {text[:40]!r} is no number of microjoules")
    return int(text)


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except PermissionError:
        raise Missing(f"{path} is for root alone: run as root, or allow reading it.") from None
    except OSError as error:
        raise Missing(f"{path} cannot be read: {error.strerror}.") from None


def nvml(
    seconds: float,
    run: Callable[[tuple[str, ...]], str] | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Reading:
    """The boards' power, once a second. Raises Missing, Unreadable."""
    found = []
    for _ in range(max(1, int(seconds))):
        found.append(sum(boards((run or output)(NVML)).values()))
        sleep(min(1.0, seconds))
    mean = sum(found) / len(found)
    return Reading(
        "metered-nvml", (mean * (1 - NVML_ERROR), mean * (1 + NVML_ERROR)), seconds, NVML_BOUNDARY
    )


def _float(text: str) -> float:
    """What it says; nan where that is no number."""
    with suppress(ValueError):
        return float(text)
    return math.nan


def boards(csv: str) -> dict[int, float]:
    """Board -> watts, from nvidia-smi's lines such as `0, 312.45`. Raises Unreadable, Missing."""
    found = {}
    for number, line in enumerate(filter(None, map(str.strip, csv.splitlines())), 1):
        index, _, watts = (part.strip() for part in line.partition(","))
        if watts in ("[N/A]", "[Not Supported]", "N/A"):
            raise Missing(f"Board {index} reports no power ({watts}): not every GPU has a sensor.")
        if not (_whole(index) and 0 <= _float(watts) < math.inf):
            raise Unreadable(f"nvidia-smi, line {number}: {line[:60]!r} is not `index, watts`")
        found[int(index)] = float(watts)
    if not found:
        raise Missing("nvidia-smi lists no board.")
    return found


def slurm(job: str, run: Callable[[tuple[str, ...]], str] | None = None) -> Reading:
    """The mean power of a job that ended, or runs. Raises Missing, Unreadable."""
    seconds, joules = job_energy((run or output)((*SLURM, "-j", job)), job)
    watts = joules / seconds
    return Reading("metered-slurm", (watts, watts), seconds, SLURM_BOUNDARY)


def job_energy(lines: str, job: str) -> tuple[int, int]:
    """(seconds, joules) of a job, from sacct's lines such as `4711|3600|9000000`.

    The job's own line counts where it has a figure, else the steps' together: many clusters
    write energy on steps alone.
    """
    own, steps, seconds = 0, 0, 0
    for number, line in enumerate(filter(None, map(str.strip, lines.splitlines())), 1):
        parts = line.split("|")
        if len(parts) != 3 or not _whole(parts[1]):
            raise Unreadable(f"sacct, line {number}: {line[:60]!r} is not id|seconds|joules")
        if parts[2] and not _whole(parts[2]):
            raise Unreadable(f"sacct, line {number}: {parts[2][:40]!r} is no number of joules")
        joules = int(parts[2] or 0)
        if parts[0] == job:
            own, seconds = joules, int(parts[1])
        elif parts[0].startswith(f"{job}."):
            steps += joules
    if not seconds:
        raise Missing(f"sacct has no job {job} that ran.")
    if not own and not steps:
        raise Missing(
            f"Job {job} has no ConsumedEnergyRaw: set AcctGatherEnergyType in slurm.conf."
        )
    return seconds, own or steps


def output(command: tuple[str, ...]) -> str:
    """What a command prints. Raises Missing if it is not there, fails or hangs."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
    except FileNotFoundError:
        raise Missing(f"No {command[0]} here: install it, or run this where it is.") from None
    except subprocess.TimeoutExpired:
        raise Missing(f"{command[0]} did not answer within {TIMEOUT_S:.0f} s.") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Missing(f"{command[0]} failed: {said[-1] if said else done.returncode}")
    return done.stdout
