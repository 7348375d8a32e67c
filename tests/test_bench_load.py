"""The benchmark's load and upstream: what they count is what was there."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
BODY = '{"model":"bench","messages":[]%s}'
STREAM = BODY % ',"stream":true'


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """An instant upstream, in its own process as in a run."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    command = [sys.executable, "-m", "bench.upstream", str(free)]
    with subprocess.Popen(command, cwd=ROOT) as process:
        while not listens(free):
            assert process.poll() is None
            time.sleep(0.01)
        yield int(free)
        process.terminate()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def load(port: int, **plan: Any) -> dict[str, Any]:
    """Carry a plan out as a run does; counted, not timed."""
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    fields = {"url": url, "headers": {}, "in_flight": 4, "each": 3, "patience_s": 2.0, **plan}
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"],
        input=json.dumps(fields).encode(),
        capture_output=True,
        cwd=ROOT,
        check=True,
    )
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_whole_answers_count(port: int) -> None:
    told = load(port, body=BODY % "", stream=False)
    assert (told["done"], told["errors"], told["usage"]) == (12, 0, True)


def test_a_stream_counts_with_its_66_events(port: int) -> None:
    told = load(port, body=STREAM, stream=True)
    assert (told["done"], told["errors"], told["events"], told["done_mark"]) == (12, 0, 66, True)


def test_an_answer_in_place_of_a_stream_is_an_error(port: int) -> None:
    told = load(port, body=BODY % "", stream=True)
    assert told["errors"] == 12
    assert told["first_error"].startswith("stream with too few events")


def test_nobody_there_is_an_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        told = load(taken.getsockname()[1], body=STREAM, stream=True, each=1)
    assert told["done"] == 0
    assert "no connection" in told["first_error"]
