"""Load: keeps a fixed number of requests in flight, times each, believes none unseen.

Rule: an answer counts only if its status is 200 and all of it arrived; any other outcome
is an error, is kept with its first example, and makes the cell invalid.
Invariant: one request at a time on each connection, so in flight = connections.
Worked number: 64 connections at 2 ms an answer are 32_000 requests a second.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from typing import cast
from urllib.parse import urlsplit

import msgspec
import uvloop

from bench.meter import Meter
from bench.payload import END_OF_ANSWER, EVENTS
from bench.plan import Outcome, Plan

_DONE = b"[DONE]"
_FINISHED = re.compile(rb'"finish_reason": ?"stop"')


class Run:
    """One plan being carried out: shared by its connections."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.request = encode(plan)
        self.latencies: list[int] = []
        self.outcome = Outcome()
        self.sending = True
        self.recording = plan.each > 0
        self.busy = 0
        self.answered = 0
        self.fewest = 10**9

    def finish(self, message: bytes, began: int) -> None:
        """Judge one complete answer."""
        self.answered += 1
        if self.recording:
            self.latencies.append(time.perf_counter_ns() - began)
        if self.answered == 1:
            self.outcome.usage = b'"prompt_tokens"' in message
            self.outcome.done_mark = _DONE in message
        wrong = self.stream_fault(message) if self.plan.stream else answer_fault(message)
        if wrong:
            self.fail(wrong, message)

    def fail(self, cause: str, message: bytes = b"") -> None:
        self.outcome.errors += 1
        if not self.outcome.first_error:
            self.outcome.first_error = f"{cause}: {message[:600].decode('utf-8', 'replace')}"

    def stream_fault(self, message: bytes) -> str:
        if message[9:12] != b"200":
            return "status"
        if _DONE not in message and not _FINISHED.search(message):
            return "stream without its end"
        self.fewest = min(self.fewest, message.count(b"data:"))
        return "" if self.fewest >= EVENTS - 6 else "stream with too few events"


def answer_fault(message: bytes) -> str:
    if message[9:12] != b"200":
        return "status"
    return "" if END_OF_ANSWER in message else "answer without its end"


def encode(plan: Plan) -> bytes:
    """The request on the wire, head and body."""
    url = urlsplit(plan.url)
    body = plan.body.encode()
    lines = [f"POST {url.path} HTTP/1.1", f"host: {url.netloc}", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in plan.headers.items()]
    return "\r\n".join([*lines, "content-type: application/json", "", ""]).encode() + body


class Caller(asyncio.Protocol):
    """One connection: sends, collects one answer, sends again."""

    __slots__ = ("began", "chunked", "got", "left", "need", "parts", "run", "transport")

    def __init__(self, run: Run) -> None:
        self.run = run
        self.left = run.plan.each or -1
        self.began = 0
        self.parts: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.send()

    def send(self) -> None:
        run = self.run
        if not run.sending or self.left == 0:
            self.transport.close()
            return
        self.left -= 1
        run.busy += 1
        self.parts = []
        self.got = 0
        self.need = -1
        self.chunked = False
        self.began = time.perf_counter_ns()
        self.transport.write(run.request)

    def data_received(self, data: bytes) -> None:
        self.parts.append(data)
        self.got += len(data)
        if self.need < 0 and not self.chunked:
            self.read_head()
        if self.chunked:
            if not data.endswith(b"0\r\n\r\n") and len(data) > 6:
                return
            if b"".join(self.parts[-6:]).endswith(b"\r\n0\r\n\r\n"):
                self.complete()
        elif 0 <= self.need <= self.got:
            self.complete()

    def read_head(self) -> None:
        data = b"".join(self.parts)
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return
        head = data[:end].lower() + b"\r\n"
        at = head.find(b"\r\ncontent-length:")
        if at >= 0:
            self.need = end + 4 + int(head[at + 17 : head.index(b"\r\n", at + 2)])
        else:
            self.chunked = b"\r\ntransfer-encoding: chunked" in head

    def complete(self) -> None:
        parts = self.parts
        began, self.began = self.began, 0
        self.run.busy -= 1
        self.run.finish(parts[0] if len(parts) == 1 else b"".join(parts), began)
        self.send()

    def connection_lost(self, exc: Exception | None) -> None:
        """A server may close between answers; in the middle of one it is an error."""
        run = self.run
        if self.began:
            self.began = 0
            run.busy -= 1
            run.fail("connection lost", b"".join(self.parts))
        if run.sending and self.left and run.outcome.errors < 100:
            asyncio.get_running_loop().create_task(connect(run, self.left))


async def connect(run: Run, left: int) -> None:
    """Open one connection with `left` requests to make (below 0: as many as it can)."""
    url = urlsplit(run.plan.url)

    def caller() -> Caller:
        made = Caller(run)
        made.left = left
        return made

    try:
        await asyncio.get_running_loop().create_connection(
            caller, str(url.hostname), int(url.port or 80)
        )
    except OSError as error:
        run.fail(f"no connection: {error}")


async def carry_out(plan: Plan) -> Outcome:
    """Send the plan's load and account for all of it."""
    run = Run(plan)
    meter = Meter(plan)
    before = 0
    for _ in range(plan.in_flight):
        await connect(run, plan.each or -1)
    if not plan.each:
        await asyncio.sleep(plan.warm_s)
        run.recording, before, meter = True, run.answered, Meter(plan)
        await asyncio.sleep(plan.window_s)
        run.outcome.done = run.answered - before
        meter.close(run.outcome)
        run.recording = run.sending = False
    await drain(run)
    if plan.each:
        run.outcome.done = run.answered
        meter.close(run.outcome)
    await meter.rest(run.answered - before, run.outcome)
    return summed(run)


async def drain(run: Run) -> None:
    """Wait for what is in flight; what never comes is an error."""
    until = time.monotonic() + run.plan.patience_s
    wanted = run.plan.each * run.plan.in_flight
    while run.busy or run.answered + run.outcome.errors < wanted:
        if time.monotonic() > until:
            run.fail(f"{run.busy} in flight never answered")
            break
        await asyncio.sleep(0.005)
    run.sending = False


def summed(run: Run) -> Outcome:
    outcome, times = run.outcome, sorted(run.latencies)
    outcome.answered = run.answered
    if not outcome.done:
        run.fail("nothing was answered")
    if times:
        outcome.p50_ms = times[len(times) // 2] / 1e6
        outcome.p99_ms = times[len(times) * 99 // 100] / 1e6
        outcome.max_ms = times[-1] / 1e6
    outcome.per_second = outcome.done / outcome.seconds if outcome.seconds else 0.0
    outcome.events = run.fewest if run.plan.stream and outcome.done else 0
    return outcome


if __name__ == "__main__":
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(carry_out(plan))))
