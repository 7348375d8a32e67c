"""Whatever bytes come in: a well-formed answer or a close, never a 500, and no money moves."""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from served import SECRET, Answer, Market, close, parse, run, serve

HEAD = f"host: x\r\nauthorization: Bearer {SECRET}\r\nconnection: close\r\n".encode()
PATHS = ("chat/completions", "completions", "embeddings", "responses", "models", "models/x", "")
NAMES = (
    *("model", "messages", "input", "prompt", "stream", "n", "max_tokens", "tools", "allmende"),
    *("stream_options", "MODEL", "max_completion_tokens", "instructions", "Messages", "x"),
)
HEADERS = (
    *("content-length", "transfer-encoding", "content-encoding", "x-allmende-policy", "expect"),
    *("idempotency-key", "authorization", "x-api-key", "connection", "upgrade", "host"),
)

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["none", "user", "text", {"type": "text"}, {"role": "user"}]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*NAMES, "content", "type", "role"]), inner, max_size=3)
    ),
    max_leaves=6,
)
good = st.fixed_dictionaries(
    {"model": st.just("fake"), "messages": st.just([]), "input": st.just("x")}
)
bodies = st.tuples(st.just({}) | good, st.dictionaries(st.sampled_from(NAMES[1:]), values)).map(
    lambda parts: json.dumps({**parts[0], **parts[1]}).encode()
)
header_lines = st.tuples(
    st.sampled_from(HEADERS), st.binary(max_size=30) | st.sampled_from([b"7", b"chunked", b"gzip"])
)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Rather HTTP than not, so that the bytes get past the server's own parser."""
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return draw(st.binary(max_size=300))
    body = draw(bodies if kind < 7 else st.binary(max_size=200))
    method = draw(st.sampled_from([b"POST"] * 8 + [b"GET", b"PUT"]))
    path = draw(st.sampled_from(PATHS)).encode()
    length = len(body) if kind < 8 else draw(st.integers(0, 300))
    more = draw(st.lists(header_lines, max_size=2)) if kind > 4 else []
    lines = b"".join(b"%b: %b\r\n" % (name.encode(), value) for name, value in more)
    head = b"%b /v1/%b HTTP/1.1\r\n%b%bcontent-length: %d\r\n\r\n"
    return head % (method, path, HEAD, lines, length) + body


async def answers_to(market: Market, request: bytes) -> list[Answer]:
    """What came back: nothing, or well-formed responses."""
    reader, writer = await asyncio.open_connection("127.0.0.1", market.port)
    try:
        writer.write(request)
        raw = b""
        while True:
            try:
                more = await asyncio.wait_for(reader.read(65_536), 0.15)
            except TimeoutError:
                break  # the market waits for the rest of what it takes for a request
            except ConnectionError:
                break
            if not more:
                break
            raw += more
        raw = raw.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
        return [parse(raw)] if raw else []
    finally:
        await close(writer)


def _well_formed(request: bytes, answer: Answer) -> None:
    assert answer.status != 500, (request, answer)
    if answer.headers["content-type"] == "application/json":
        said = json.loads(answer.body)
        assert ("error" in said) == (answer.status != 200), request


def test_any_bytes_are_answered_well_or_not_at_all() -> None:
    async def work(batch: list[bytes]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with serve(Path(folder)) as market:
                served = 0
                for request in batch:
                    for answer in await answers_to(market, request):
                        served += "x-allmende-receipt" in answer.headers
                        _well_formed(request, answer)
                await market.settled()
                assert len(market.receipts) == served

    @settings(max_examples=15)
    @given(st.lists(requests(), min_size=1, max_size=12))
    def check(batch: list[bytes]) -> None:
        run(work(batch))

    check()
