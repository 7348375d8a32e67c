"""HTTP/1.1 answers as the world sends them: whole, odd, cut and hostile.

Each case is the very bytes that a server writes, before it closes its side or stays.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loops import on_both_loops

from allmende.adapters.answer import BUFFER_MAX, Http1Answer
from allmende.adapters.http1 import HEAD_MAX, Http1Connection
from allmende.ports import UpstreamFailed

OK = b"HTTP/1.1 200 OK\r\n"
JSON = OK + b"Content-Type: application/json\r\n"
SMALL = OK + b"Content-Length: 2\r\n\r\nhi"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"

Write = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Client:
    """One connection to a server that writes what the test says; counts what comes back."""

    def __init__(self) -> None:
        self.parked: list[Http1Connection] = []
        self.lost: list[Http1Connection] = []
        self.connection = Http1Connection(self.parked.append, self.lost.append)

    async def ask(self) -> Http1Answer:
        return await self.connection.ask(b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 9.0, 9.0)

    async def get(self, limit: int = 10**6) -> tuple[int, bytes]:
        answer = await self.ask()
        return answer.status, await answer.read(limit)


@contextlib.asynccontextmanager
async def connected(write: Write) -> AsyncIterator[Client]:
    gone = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            await write(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        gone.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    client = Client()
    host, port = server.sockets[0].getsockname()[:2]
    await asyncio.get_running_loop().create_connection(lambda: client.connection, host, port)
    try:
        yield client
    finally:
        client.connection.close()
        server.close()
        await asyncio.wait_for(gone.wait(), 5)


def sending(*pieces: bytes, stay: bool = True) -> Write:
    """Write the pieces one by one, then close, or wait for the client to."""

    async def write(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        if stay:
            await reader.read()

    return write


def got(*pieces: bytes, stay: bool = True, limit: int = 10**6) -> tuple[int, bytes]:
    async def run() -> tuple[int, bytes]:
        async with connected(sending(*pieces, stay=stay)) as client:
            return await asyncio.wait_for(client.get(limit), 5)

    return on_both_loops(run)


def cause(*pieces: bytes, stay: bool = True, limit: int = 10**6) -> str:
    with pytest.raises(UpstreamFailed) as failed:
        got(*pieces, stay=stay, limit=limit)
    return failed.value.cause


def reused(*pieces: bytes) -> bool:
    async def run() -> bool:
        async with connected(sending(*pieces)) as client:
            await asyncio.wait_for(client.get(), 5)
            await asyncio.sleep(0.01)
            return client.parked == [client.connection] and not client.connection.closed

    return on_both_loops(run)


@pytest.mark.parametrize(
    ("raw", "stay", "body"),
    [
        (SMALL, True, b"hi"),
        (OK + b"Content-Length: 0\r\n\r\n", True, b""),
        (CHUNKED + b"2\r\nhi\r\n3;x=y\r\n ho\r\n0\r\n\r\n", True, b"hi ho"),
        (CHUNKED + b"2\r\nhi\r\n0\r\nX-Trailer: 1\r\n\r\n", True, b"hi"),
        (OK + b"\r\nuntil the end", False, b"until the end"),
        (b"HTTP/1.0 200 OK\r\n\r\nold", False, b"old"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold", True, b"old"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + SMALL, True, b"hi"),
        (b"HTTP/1.1 103 Early\r\nContent-Length: 9\r\n\r\n" + SMALL, True, b"hi"),
        (OK + b"Content-Encoding: identity\r\nContent-Length: 2\r\n\r\nhi", True, b"hi"),
    ],
)
def test_every_framing_gives_the_same_body_whole_or_byte_by_byte(
    raw: bytes, stay: bool, body: bytes
) -> None:
    assert got(raw, stay=stay) == (200, body)
    assert got(*(raw[i : i + 1] for i in range(len(raw))), stay=stay) == (200, body)


@pytest.mark.parametrize("status", [204, 400, 401, 404, 429, 500, 503])
def test_a_status_is_an_answer_not_a_failure(status: int) -> None:
    assert got(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status) == (status, b"")


@pytest.mark.parametrize(
    ("expected", "raw", "stay"),
    [
        ("cut", b"", False),
        ("cut", OK, False),
        ("cut", OK + b"Content-Length: 3\r\n\r\nhi", False),
        ("cut", CHUNKED + b"2\r\nhi\r\n", False),
        ("cut", b"HTTP/1.1 100 Continue\r\n\r\n", False),
        ("garbage", b"SSH-2.0-OpenSSH_9.2\r\n", True),
        ("garbage", b"\x16\x03\x01\x02\x00", True),
        ("garbage", b"HTTP/2 200 OK\r\n\r\n", True),
        ("garbage", OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi", True),
        ("garbage", OK + b"Content-Length: -1\r\n\r\n", True),
        ("garbage", OK + b"Content-Length: 99999999999999999999999\r\n\r\n", True),
        ("garbage", OK + b"no colon here\r\n\r\n", True),
        ("garbage", CHUNKED + b"zz\r\nhi\r\n", True),
        ("garbage", b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", True),
        ("garbage", b"HTTP/1.1 777 Odd\r\nContent-Length: 0\r\n\r\n", True),
        ("redirect", b"HTTP/1.1 302 Found\r\nLocation: http://x/\r\n\r\n", True),
        ("redirect", b"HTTP/1.1 304 Same\r\n\r\n", True),
        ("compressed", OK + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nhi", True),
        ("compressed", OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n", True),
    ],
)
def test_what_is_not_plain_whole_http_fails_with_one_word(
    expected: str, raw: bytes, stay: bool
) -> None:
    assert cause(raw, stay=stay) == expected


@pytest.mark.parametrize(
    "endless",
    [
        OK + b"X: y\r\n" * HEAD_MAX,
        OK + b"X: " + b"y" * (HEAD_MAX + 1) * 2,
        b"HTTP/1.1 100 Continue\r\n\r\n" * HEAD_MAX,
        CHUNKED + b"1;" + b"x" * HEAD_MAX * 6,
        CHUNKED + b"1\r\nx\r\n0\r\n" + b"X: y\r\n" * HEAD_MAX,
    ],
    ids=["many headers", "one header", "interim answers", "chunk extension", "trailers"],
)
def test_headers_without_end_are_cut_off(endless: bytes) -> None:
    assert cause(endless) == "garbage"


def test_read_stops_at_its_limit_declared_or_not() -> None:
    assert got(SMALL, limit=2) == (200, b"hi")
    assert cause(SMALL, limit=1) == "too_large"
    assert cause(CHUNKED + b"5\r\nhello\r\n" * 3, limit=14) == "too_large"
    assert cause(OK + b"Content-Length: 999999999999\r\n\r\n", limit=10**6) == "too_large"


def test_only_a_clean_end_keeps_the_connection() -> None:
    assert reused(SMALL)
    assert reused(CHUNKED + b"0\r\n\r\n")
    assert not reused(SMALL + SMALL), "an answer that nobody asked for"
    assert not reused(SMALL + b"trailing rubbish")
    assert not reused(OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nhi")
    assert not reused(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi")


def test_an_unasked_answer_reaches_no_one() -> None:
    async def run() -> None:
        later = asyncio.Event()

        async def write(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(SMALL)
            await later.wait()
            writer.write(OK + b"Content-Length: 6\r\n\r\nsecret")
            await reader.read()

        async with connected(write) as client:
            assert await client.get() == (200, b"hi")
            later.set()
            while not client.lost:
                await asyncio.sleep(0)
            assert client.connection.closed

    on_both_loops(run)


def test_what_came_before_a_cut_is_still_read() -> None:
    async def run() -> None:
        pieces = (CHUNKED, b"2\r\nhi\r\n", b"3\r\n yo")
        async with connected(sending(*pieces, stay=False)) as client:
            answer = await client.ask()
            await asyncio.sleep(0.05)
            assert await anext(answer) == b"hi yo"
            with pytest.raises(UpstreamFailed, match="cut"):
                await anext(answer)

    on_both_loops(run)


def test_a_half_closed_server_may_still_finish_nothing() -> None:
    async def run() -> None:
        async def write(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(JSON + b"Content-Length: 5\r\n\r\nhi")
            writer.write_eof()
            await reader.read()  # it would listen for ever

        async with connected(write) as client:
            with pytest.raises(UpstreamFailed, match="cut"):
                await client.get()

    on_both_loops(run)


def test_a_slow_reader_makes_the_provider_wait() -> None:
    total = 40 * BUFFER_MAX

    async def run() -> None:
        sent = 0

        async def write(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal sent
            writer.write(OK + b"Content-Length: %d\r\n\r\n" % total)
            while sent < total:
                writer.write(bytes(65_536))
                await writer.drain()
                sent += 65_536
            await reader.read()

        async with connected(write) as client:
            answer = await client.ask()
            before = -1
            while before != sent:  # until the server is stuck
                before = sent
                await asyncio.sleep(0.05)
            assert sent < total
            first = await anext(answer)
            assert BUFFER_MAX <= len(first) <= 2 * BUFFER_MAX
            assert len(first) + len(await answer.read(total)) == total

    on_both_loops(run)


def test_abort_closes_at_once_and_may_be_called_twice() -> None:
    async def run() -> None:
        closed = asyncio.Event()

        async def write(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(CHUNKED + b"2\r\nhi\r\n")
            await reader.read()
            closed.set()

        async with connected(write) as client:
            answer = await client.ask()
            assert await anext(answer) == b"hi"
            answer.abort()
            answer.abort()
            await closed.wait()
            with pytest.raises(UpstreamFailed, match="aborted"):
                await anext(answer)
            assert not client.parked

    on_both_loops(run)


def test_a_cancelled_wait_closes_the_connection() -> None:
    async def run() -> None:
        async with connected(sending()) as client:
            asking = asyncio.create_task(client.ask())
            await asyncio.sleep(0.01)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            assert client.connection.closed

    on_both_loops(run)


HOSTILE = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from(
            [OK, JSON, SMALL, CHUNKED, b"\r\n", b"0\r\n\r\n", b"2\r\nhi\r\n",
             b"HTTP/1.1 100 C\r\n\r\n", b"Content-Length: 2\r\n", b"HTTP/1.1 204 N\r\n\r\n",
             b"Transfer-Encoding: chunked\r\n"]
        ),
    ),
    max_size=6,
)  # fmt: skip


@given(HOSTILE)
def test_any_bytes_are_an_answer_or_one_failure(pieces: list[bytes]) -> None:
    outcome: tuple[int, bytes] | str
    try:
        outcome = got(*pieces, stay=False)
    except UpstreamFailed as failed:
        outcome = failed.cause
    if isinstance(outcome, str):
        assert outcome in {"cut", "garbage", "redirect", "compressed"}
    else:
        assert 200 <= outcome[0] < 600
        assert len(outcome[1]) <= sum(map(len, pieces))
