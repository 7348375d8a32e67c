"""Served: a real market in a process of its own, started, asked, killed and restarted.

Rule: the lab talks to it as anybody would: HTTP and a key.
Invariant: the process ends with the block that started it, whatever happens in between.
Worked number: `with Served(folder) as market: market.get("audit")` needs one free port.
"""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self
from urllib.error import HTTPError, URLError
from urllib.request import OpenerDirector, ProxyHandler, Request, build_opener

START_S = 180.0
KEY = re.compile(r"\balm_[A-Za-z0-9_-]+")


class Refusal(Exception):
    """The market said no: HTTP status and its own words."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message


class Served:
    """`allmende serve` on a data directory and a free port. Raises RuntimeError if it dies."""

    def __init__(self, data: Path, *options: str, key: str = "") -> None:
        self.data = data
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.key = key
        """The administrator's, read from what the first start prints."""
        self._options = options
        self._process: subprocess.Popen[str] | None = None
        self._log: IO[str] | None = None
        self._opener = build_opener(ProxyHandler({}))

    def start(self) -> Self:
        """Start and wait until it answers."""
        self.data.mkdir(parents=True, exist_ok=True)
        self._log = (self.data / "serve.log").open("w+")
        words = ["serve", "--port", str(self.port), "--data", str(self.data), *self._options]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "allmende.cli", *words],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._wait()
        return self

    def _wait(self) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            self.key = self.key or next(iter(KEY.findall(self.log())), "")
            if self.key and self._answers():
                return
            if self._process is None or self._process.poll() is not None:
                break
            time.sleep(0.02)
        raise RuntimeError(f"the market did not start; it said:\n{self.log()}")

    def _answers(self) -> bool:
        try:
            self.get("me")
        except (URLError, OSError):
            return False
        return True

    def log(self) -> str:
        """What it has printed so far."""
        return (self.data / "serve.log").read_text()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """As a power cut would: SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """As an operator would: SIGTERM."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None
        if self._log is not None:
            self._log.close()
            self._log = None

    def get(self, path: str, key: str = "") -> Any:
        """JSON of GET /api/<path>. Raises Refusal."""
        return json.loads(self.fetch(path, key))

    def fetch(self, path: str, key: str = "") -> bytes:
        return self._send(Request(f"{self.url}/api/{path}"), key)

    def ask(self, command: str, fields: Mapping[str, object], key: str = "") -> Any:
        """POST /api/<command>; the administrator's key unless another is given."""
        return self.post(f"api/{command}", fields, key)

    def post(self, path: str, fields: Mapping[str, object], key: str = "") -> Any:
        """POST /<path>, of the gateway too."""
        body = json.dumps(fields).encode()
        request = Request(f"{self.url}/{path}", body, {"Content-Type": "application/json"})
        return json.loads(self._send(request, key))

    def _send(self, request: Request, key: str) -> bytes:
        request.add_header("Authorization", f"Bearer {key or self.key}")
        return sent(self._opener, request)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def sent(opener: OpenerDirector, request: Request) -> bytes:
    """The answer to a request. Raises Refusal."""
    try:
        with opener.open(request, timeout=30) as answer:
            return bytes(answer.read())
    except HTTPError as error:
        said = json.loads(error.read() or b"{}").get("error", {})
        raise Refusal(error.code, said.get("code", ""), said.get("message", "")) from None


def free_port() -> int:
    """A port on 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
