"""Streams: first bytes, cuts on either side, slow readers, and what each of them costs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_answers import Act
from served import HELLO, SECRET, Market, close, dumps, run, serve

from allmende.core.events import Checkpointed
from allmende.core.units import SECOND, Units
from allmende.doors.gateway import Limits


def start(model: str, *, stream: bool = True, path: str = "chat/completions") -> bytes:
    """A request to be written by hand."""
    body = dumps({"model": model, "messages": HELLO, "input": "x", "stream": stream})
    head = f"host: x\r\nauthorization: Bearer {SECRET}\r\ncontent-length: {len(body)}\r\n"
    return f"POST /v1/{path} HTTP/1.1\r\n{head}\r\n".encode() + body


async def until(true: Callable[[], bool], within_s: float = 5) -> None:
    async with asyncio.timeout(within_s):
        while not true():
            await asyncio.sleep(0.005)


def test_the_bytes_of_a_stream_go_through_untouched(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            answer = await market.chat("fake-66", stream=True, max_tokens=66)
            assert answer.headers["content-type"].startswith("text/event-stream")
            chunk = (
                b'data: {"id":"fake-1","object":"chat.completion.chunk","created":1,'
                b'"model":"fake-66","choices":[{"index":0,"delta":{"role":"assistant",'
                b'"content":" word"},"finish_reason":null}]}\n\n'
            )
            assert answer.body.count(chunk) == 66
            assert answer.body.startswith(chunk * 66)
            assert answer.body.endswith(b"\n\ndata: [DONE]\n\n")
            assert answer.slip["receipt"] == answer.headers["x-allmende-receipt"]
            assert b'"usage"' not in answer.body

    run(work())


def test_usage_comes_to_who_asks_for_it(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            options = {"include_usage": True}
            answer = await market.chat("fake", stream=True, stream_options=options)
            assert answer.events[-2]["usage"]["completion_tokens"] == 4
            assert answer.events[-2]["choices"] == []

    run(work())


@pytest.mark.parametrize("act", ["fake-pieces", "fake-66"])
def test_the_receipt_is_durable_before_the_caller_hears_of_it(tmp_path: Path, act: str) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            reader, writer = await asyncio.open_connection("127.0.0.1", market.port)
            writer.write(start(act))
            await reader.readuntil(b": allmende ")
            assert len(market.receipts) == 1
            await close(writer)

    run(work())


def test_20_streams_cut_after_a_while_are_charged_for_what_was_delivered(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path, Act(events=400, delay_s=0.01, word=" abc")) as market:
            await asyncio.gather(*(_cut(market, 0.2) for _ in range(20)))
            await market.provider.settled()
            await market.settled()
            assert [seen.aborted for seen in market.provider.seen] == [True] * 20
            sent = sum(seen.events_sent for seen in market.provider.seen)
            charged = [receipt.units.output for receipt in market.receipts]
            assert {receipt.outcome for receipt in market.receipts} == {"client_left"}
            assert len(charged) == 20
            assert min(charged) >= 1
            assert sent - 20 * 3 <= sum(charged) <= sent

    run(work())


async def _cut(market: Market, after_s: float) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", market.port)
    writer.write(start("fake"))
    await reader.readuntil(b"data: ")
    await asyncio.sleep(after_s)
    await close(writer)


@pytest.mark.parametrize("act", ["fake-late", "fake-stall"])
@pytest.mark.parametrize("stream", [False, True])
def test_who_leaves_before_the_first_byte_pays_nothing(
    tmp_path: Path, act: str, stream: bool
) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            _, writer = await asyncio.open_connection("127.0.0.1", market.port)
            writer.write(start(act, stream=stream))
            await until(lambda: bool(market.provider.seen))
            await close(writer)
            await market.provider.settled()
            await market.settled()
            assert market.provider.seen[0].aborted
            assert [(void.cause, void.fault) for void in market.voids] == [("client_left", False)]
            assert not market.receipts

    run(work())


def test_who_leaves_during_an_unstreamed_answer_pays_nothing(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path, Act(delay_s=30)) as market:
            _, writer = await asyncio.open_connection("127.0.0.1", market.port)
            writer.write(start("fake", stream=False))
            await until(lambda: bool(market.provider.seen))
            await asyncio.sleep(0.05)
            await close(writer)
            await market.provider.settled()
            await market.settled()
            assert market.provider.seen[0].aborted
            assert [void.cause for void in market.voids] == ["client_left"]

    run(work())


@pytest.mark.parametrize("path", ["chat/completions", "responses"])
def test_a_provider_that_dies_mid_answer(tmp_path: Path, path: str) -> None:
    async def work() -> None:
        async with serve(tmp_path, Act(events=10, fault="mid", word=" abc")) as market:
            body = {"model": "fake", "messages": HELLO, "input": "x", "stream": True}
            answer = await market.ask(path, body)
            (receipt,) = market.receipts
            assert receipt.outcome == answer.slip["outcome"] == "provider_cut"
            assert receipt.units.output == 5
            error = answer.events[-1]
            assert error["error"]["code"] == "provider_cut"
            assert error["error"]["receipt"] == receipt.id
            assert b"[DONE]" not in answer.body
            if path == "responses":
                assert error["type"] == "error"

    run(work())


def test_a_provider_that_stalls_mid_answer_is_given_up(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            await market.offer("s", "s", "fake-stall-mid", idle_s=1)
            answer = await market.chat("s", stream=True)
            assert answer.slip["outcome"] == "provider_cut"
            assert "timeout" in answer.events[-1]["error"]["message"]
            await market.provider.settled()
            assert market.provider.seen[0].aborted

    run(work())


@pytest.mark.parametrize("act", ["fake-endless", "fake-no-done"])
def test_streams_that_end_wrongly_end(tmp_path: Path, act: str) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            answer = await market.chat(act, stream=True)
            (receipt,) = market.receipts
            assert receipt.outcome == {"fake-endless": "limit", "fake-no-done": "provider_cut"}[act]
            assert receipt.units.output <= 100
            assert answer.slip["outcome"] == receipt.outcome

    run(work())


@pytest.mark.parametrize("act", ["fake-empty", "fake-500", "fake-400"])
def test_a_stream_that_does_not_begin_is_no_stream(tmp_path: Path, act: str) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            answer = await market.chat(act, stream=True)
            assert answer.status == (400 if act == "fake-400" else 502)
            assert answer.error["message"]
            await market.settled()
            assert not market.receipts

    run(work())


def test_an_error_as_first_event_is_a_failure_and_the_next_offer_serves(tmp_path: Path) -> None:
    class Says(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport: asyncio.Transport = transport  # type: ignore[assignment]

        def data_received(self, data: bytes) -> None:
            event = b'data: {"error":{"message":"out of memory"}}\n\n'
            head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            self.transport.write(head + b"content-length: %d\r\n\r\n%b" % (len(event), event))

    async def work() -> None:
        server = await asyncio.get_running_loop().create_server(Says, "127.0.0.1", 0)
        async with server, serve(tmp_path) as market:
            port = server.sockets[0].getsockname()[1]
            await market.offer("a", "m", url=f"http://127.0.0.1:{port}/v1")
            await market.offer("b", "m")
            answer = await market.chat("m", stream=True)
            assert answer.slip["offer"] == "b"
            await market.settled()
            assert [(void.cause, void.fault) for void in market.voids] == [("error", True)]

    run(work())


def test_long_streams_are_checkpointed_in_the_buyers_favour(tmp_path: Path) -> None:
    async def work() -> None:
        limits = Limits(checkpoint_s=0.05, sweep_s=0.01)
        async with serve(tmp_path, Act(events=30, delay_s=0.01), limits=limits) as market:
            answer = await market.chat("fake", stream=True)
            points = [ev.units for ev in market.events if isinstance(ev, Checkpointed)]
            assert answer.slip["units"]["output"] == 30
            assert len(points) >= 2
            assert all(0 < one.output <= 30 for one in points)
            assert points == sorted(points, key=lambda units: units.output)

    run(work())


def test_a_long_silence_keeps_its_hold(tmp_path: Path) -> None:
    async def work() -> None:
        limits = Limits(checkpoint_s=0.02, sweep_s=0.01)
        async with serve(tmp_path, Act(first_s=0.4), limits=limits) as market:
            asked = asyncio.create_task(market.chat("fake"))
            await until(lambda: bool(market.provider.seen))
            (hold,) = market.desk.state.holds.values()
            market.clock.at += 600 * SECOND
            await until(lambda: market.desk.state.holds[hold.id].deadline > hold.deadline)
            assert (await asked).status == 200
            assert len([ev for ev in market.events if isinstance(ev, Checkpointed)]) == 1

    run(work())


def test_a_reader_who_stands_still_is_given_up_and_pays_for_what_it_took(tmp_path: Path) -> None:
    async def work() -> None:
        limits = Limits(client_idle_s=0.2, sweep_s=0.02)
        act = Act(events=3_000, word=" word" * 800)
        async with serve(tmp_path, act, limits=limits) as market:
            await market.offer("long", "long", "fake", max_output=5_000_000)
            reader, writer = await asyncio.open_connection("127.0.0.1", market.port)
            writer.write(start("long"))
            await reader.readuntil(b"data: ")
            reader._transport.pause_reading()  # type: ignore[attr-defined]
            await until(lambda: not market.desk.state.holds, 10)
            await market.settled()
            assert [receipt.outcome for receipt in market.receipts] == ["client_left"]
            await market.provider.settled()
            assert market.provider.seen[0].aborted
            await close(writer)

    run(work())


def test_a_slow_reader_holds_the_provider_back(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path, Act(events=1_000, word=" word" * 4_000)) as market:
            await market.offer("long", "long", "fake", max_output=5_000_000)
            reader, writer = await asyncio.open_connection("127.0.0.1", market.port)
            writer.write(start("long"))
            await reader.readuntil(b"data: ")
            await asyncio.sleep(0.1)
            assert not market.provider.seen[0].finished
            rest = b""
            while b"[DONE]" not in rest:
                rest = rest[-20:] + await reader.read(1 << 20)
            await close(writer)
            assert market.receipts[0].outcome == "complete"

    run(work())


def test_closing_settles_what_runs(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path, Act(events=400, delay_s=0.01)) as market:
            reader, writer = await asyncio.open_connection("127.0.0.1", market.port)
            writer.write(start("fake"))
            await reader.readuntil(b"data: ")
            await market.gateway.close(0.05)
            await market.settled()
            assert [receipt.outcome for receipt in market.receipts] == ["client_left"]
            assert market.receipts[0].basis == "estimate"
            await close(writer)

    run(work())


def test_a_stream_where_none_was_asked_for_is_no_answer(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            answer = await market.chat("fake", stream=False)
            assert json.loads(answer.body)["object"] == "chat.completion"
            assert market.receipts[0].units == Units(input=6, output=4)

    run(work())
