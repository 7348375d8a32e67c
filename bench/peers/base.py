"""Peer: one gateway to be measured, and all that differs between gateways.

Rule: a peer is installed from a public package at a pinned version into bench/.env/<name>,
or it is not run and the results say why; nobody else's numbers are copied.
Invariant: every peer gets the same bytes of prompt, the same core and the same upstream.
Worked number: `start` to the first 200 on `url` is the peer's cold start.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench import payload, procs

BENCH = Path(__file__).parent.parent
ENV = BENCH / ".env"


class NotRun(Exception):
    """Why this peer cannot be measured here, in one sentence."""


class Peer:
    """Override what differs. `name` is also its folder in bench/.env."""

    name = ""
    title = ""
    version = ""
    role = "no accounting"
    """What it does per request beside forwarding; printed under the table."""
    path = "/v1/chat/completions"
    model = "bench"
    paced_each = 3
    """Paced streams per connection: fewer where one costs much."""
    skips: frozenset[str] = frozenset()
    """Cells that are not measured, for time's sake."""

    @property
    def home(self) -> Path:
        return ENV / self.name

    @property
    def work(self) -> Path:
        """Its configuration, data and log."""
        return ENV / "work" / self.name

    def installed(self) -> bool:
        raise NotImplementedError

    def install(self) -> None:
        """Fetch it. Raises NotRun, or CalledProcessError from the package manager."""
        raise NotImplementedError

    def prepare(self, upstream: str) -> None:
        """Once before its rounds: write what does not change from start to start."""

    def start(self, core: int, port: int, upstream: str) -> subprocess.Popen[bytes]:
        """Spawn it. `upstream` is the base URL without a path."""
        self.work.mkdir(parents=True, exist_ok=True)
        command = self.command(port, upstream)
        return procs.spawn(core, command, self.work / "log", self.env(upstream), self.work)

    def command(self, port: int, upstream: str) -> Sequence[str]:
        raise NotImplementedError

    def env(self, upstream: str) -> Mapping[str, str]:
        return {}

    def url(self, port: int) -> str:
        """Where the chat completions are; may be empty while it is not known yet."""
        return f"http://127.0.0.1:{port}{self.path}"

    def headers(self, upstream: str) -> dict[str, str]:
        return {"authorization": "Bearer sk-bench"}

    def body(self, stream: bool) -> bytes:
        return payload.request(self.model, stream)

    def write(self, name: str, text: str) -> Path:
        """A configuration file in its working folder."""
        self.work.mkdir(parents=True, exist_ok=True)
        path = self.work / name
        path.write_text(text)
        return path


class PythonPeer(Peer):
    """A peer from PyPI in its own virtual environment."""

    package = ""
    """As pip wants it, pinned: `name[extra]==version`."""

    def bin(self, name: str) -> str:
        return str(self.home / "bin" / name)

    def installed(self) -> bool:
        marker = self.home / "installed"
        return marker.exists() and marker.read_text() == self.package

    def install(self) -> None:
        if not Path(self.bin("python")).exists():
            run([sys.executable, "-m", "venv", str(self.home)])
        self.fetch()
        (self.home / "installed").write_text(self.package)

    def fetch(self) -> None:
        self.pip("install", self.package)

    def pip(self, *words: str) -> None:
        run([self.bin("python"), "-m", "pip", "--quiet", *words, "--prefer-binary"])


def run(command: Sequence[str], cwd: Path | None = None) -> str:
    """Run to the end, quietly. A failure raises with the last lines it printed."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    if done.returncode:
        tail = " | ".join(done.stderr.strip().splitlines()[-3:])[-500:]
        raise NotRun(f"`{Path(command[0]).name} {' '.join(command[1:])[:80]}` failed: {tail}")
    return done.stdout
