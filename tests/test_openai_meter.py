"""The meter: bytes pass untouched, whatever their cuts; usage is read and never invented."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorded import DONE, FINISH, ROLE, STREAM, THREE, TURN, USAGE, compact, delta, event

from allmende.core.units import Units
from allmende.wire import openai
from allmende.wire.ask import Endpoint, parse_ask
from allmende.wire.openai import Meter

REPORTED = Units(input=1, cached=31, output=3)


def meter(
    endpoint: Endpoint = Endpoint.CHAT, limit: int = 100, prompt: str = "hi", **fields: Any
) -> Meter:
    where: dict[str, Any] = {
        Endpoint.CHAT: {"messages": [{"role": "user", "content": prompt}]},
        Endpoint.COMPLETIONS: {"prompt": prompt},
    }.get(endpoint, {"input": prompt})
    body = json.dumps({"model": "m", "stream": True} | where | fields).encode()
    return Meter(parse_ask(endpoint, body), limit, body)


def through(tap: Meter, *chunks: bytes) -> bytes:
    return b"".join([tap.feed(chunk) for chunk in chunks] + [tap.close()])


def events(data: bytes) -> Iterator[bytes]:
    return (part + b"\n\n" for part in data.split(b"\n\n") if part)


def figures(tap: Meter) -> tuple[Any, ...]:
    return (
        (tap.reported, tap.complete, tap.over_limit, tap.delivered, tap.odd, tap.truncated),
        (tap.events, tap.error, tap.estimate(), tap.running(), tap.response),
    )


def test_chunks_pass_as_the_very_objects_that_came() -> None:
    tap = meter()
    for part in [ROLE, delta("a"), delta("b") + delta("c"), FINISH]:
        assert tap.feed(part) is part


def test_the_end_and_an_unasked_usage_are_withheld() -> None:
    tap = meter()
    assert [tap.feed(part) for part in (delta("a"), USAGE, DONE)] == [delta("a"), b"", b""]
    assert tap.reported == REPORTED
    assert tap.complete
    assert tap.close() == DONE
    assert tap.close() == b""
    assert tap.response == delta("a") + USAGE + DONE


def test_usage_that_was_asked_for_passes() -> None:
    tap = meter(stream_options={"include_usage": True})
    assert through(tap, *events(STREAM)) == STREAM
    assert tap.reported == REPORTED


def test_usage_beside_text_passes_and_the_last_one_wins() -> None:
    parts = [
        delta(str(n), usage={"prompt_tokens": 5, "completion_tokens": n, "total_tokens": 5 + n})
        for n in (1, 2, 3)
    ]
    tap = meter()
    assert through(tap, *parts) == b"".join(parts)
    assert tap.reported == Units(input=5, output=3)


def test_a_null_usage_says_nothing_and_a_quoted_one_neither() -> None:
    parts = [delta("a", usage=None), delta('"usage":{"completion_tokens":9} [DONE]')]
    tap = meter()
    assert through(tap, *parts) == b"".join(parts)
    assert (tap.reported, tap.odd, tap.complete, tap.events) == (None, "", False, 2)


@pytest.mark.parametrize(
    "garbage",
    [
        {"prompt_tokens": -1, "completion_tokens": 2},
        {"prompt_tokens": 1.5, "completion_tokens": 2},
        {"prompt_tokens": "1", "completion_tokens": 2},
        {"prompt_tokens": True, "completion_tokens": 2},
        {"prompt_tokens": 10**400, "completion_tokens": 2},
        {"prompt_tokens": 5, "total_tokens": 3},
        {"prompt_tokens": 1, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 2}},
        {"prompt_tokens_details": 7},
    ],
)
@pytest.mark.parametrize("stream", [True, False])
def test_garbage_is_not_zero(garbage: Any, stream: bool) -> None:
    tap = meter(stream=stream)
    value = {"choices": [{"index": 0, "message": {"content": "hello"}}], "usage": garbage}
    through(tap, *([event(value), DONE] if stream else [compact(value)]))
    assert (tap.reported, tap.odd, tap.complete) == (None, "garbage", True)
    assert tap.estimate() == Units(input=1, output=2)


@pytest.mark.parametrize(
    ("endpoint", "given", "units"),
    [
        (Endpoint.CHAT, {"prompt_tokens": 3, "completion_tokens": 4}, Units(3, 0, 4)),
        (Endpoint.CHAT, {"prompt_tokens": 3, "total_tokens": 7}, Units(3, 0, 4)),
        (Endpoint.CHAT, {"completion_tokens": 4, "total_tokens": 7}, Units(3, 0, 4)),
        (Endpoint.CHAT, {"total_tokens": 7}, None),
        (Endpoint.CHAT, {}, None),
        (Endpoint.EMBEDDINGS, {"prompt_tokens": 8, "total_tokens": 8}, Units(embedding=8)),
        (Endpoint.EMBEDDINGS, {"total_tokens": 8}, Units(embedding=8)),
        (
            Endpoint.RESPONSES,
            {"input_tokens": 9, "output_tokens": 2, "input_tokens_details": {"cached_tokens": 4}},
            Units(5, 4, 2),
        ),
        (
            Endpoint.CHAT,
            {
                "prompt_tokens": 3,
                "completion_tokens": 20,
                "total_tokens": 23,
                "completion_tokens_details": {"reasoning_tokens": 15},
            },
            Units(3, 0, 20),
        ),
        (
            Endpoint.CHAT,  # reasoning beside the completion, as one provider reports it
            {
                "prompt_tokens": 3,
                "completion_tokens": 5,
                "total_tokens": 23,
                "completion_tokens_details": {"reasoning_tokens": 15},
            },
            Units(3, 0, 20),
        ),
    ],
)
def test_usage_falls_into_disjoint_buckets(endpoint: Endpoint, given: Any, units: Any) -> None:
    tap = meter(endpoint, stream=False)
    body = compact({"object": "x", "choices": [], "usage": given})
    assert through(tap, body[:20], body[20:]) == body
    assert (tap.reported, tap.odd, tap.complete) == (units, "", True)


def test_a_report_above_the_limit_stands_and_is_odd() -> None:
    tap = meter(limit=1, stream=False)
    usage = {"prompt_tokens": 5, "completion_tokens": 63}
    through(tap, compact({"choices": [], "usage": usage}))
    assert (tap.reported, tap.odd) == (Units(input=5, output=63), "excess")


def test_a_cut_stream_is_estimated_never_zero() -> None:
    tap = meter(prompt="what is it?")
    half = delta("lost")[:-9]
    assert through(tap, ROLE + delta("Hel"), delta("lo, you there") + half) == (
        ROLE + delta("Hel") + delta("lo, you there")
    )
    assert (tap.complete, tap.reported, tap.events) == (False, None, 2)
    assert tap.running() == Units(output=2)
    assert tap.estimate() == Units(input=3, output=4)  # 11 and 16 bytes


def test_the_estimate_stays_within_the_limit() -> None:
    tap = meter(limit=2)
    through(tap, delta("a very long text in one event, forty bytes"))
    assert tap.estimate().output == 2


def test_an_unreadable_body_is_estimated_from_its_bytes() -> None:
    tap = meter(stream=False)
    assert through(tap, b'{"choices":[{"mess') == b'{"choices":[{"mess'
    assert (tap.complete, tap.odd, tap.estimate().output) == (False, "garbage", 5)


def test_embeddings_run_on_their_own_meter() -> None:
    tap = meter(Endpoint.EMBEDDINGS, prompt="x" * 9)
    through(tap, compact({"data": [{"embedding": [0.1, 0.2]}]}))
    assert (tap.reported, tap.estimate()) == (None, Units(embedding=3))


def test_three_answers_are_three_answers() -> None:
    tap = meter(stream=False, n=3, limit=6)
    through(tap, THREE)
    assert tap.reported == Units(input=1, cached=31, output=6)
    assert tap.events == 3


@pytest.mark.parametrize(("choices", "limit"), [(1, 4), (2, 2)])
def test_a_provider_that_runs_on_is_over_its_limit(choices: int, limit: int) -> None:
    tap = meter(n=choices, limit=limit)
    allowed = [ROLE, *[delta("a", n % choices) for n in range(4)], FINISH]
    through(tap, *allowed)
    assert not tap.over_limit
    for _ in range(8):
        tap.feed(delta("a"))
    assert tap.over_limit
    assert tap.running() == Units(output=4)


def test_comments_without_end_are_over_the_limit_too() -> None:
    tap = meter(limit=1)
    ping = b": ping\n\n" * 10_000
    for _ in range(200):
        assert tap.feed(ping) is ping
    assert tap.over_limit


def test_an_event_without_end_is_over_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai, "MAX_EVENT", 1_000)
    tap = meter()
    assert not any(tap.feed(b"data: {" + b"x" * 90) for _ in range(20))
    assert tap.over_limit
    assert tap.close() == b""


def test_a_stream_too_long_to_keep_is_still_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai, "MAX_KEPT", 1_000)
    tap = meter(limit=5_000)
    for _ in range(100):
        tap.feed(delta("word"))
    assert (tap.truncated, tap.response, tap.events) == (True, b"", 100)
    assert tap.estimate().output == 100


def test_an_error_in_the_stream_is_seen_and_passed_on() -> None:
    tap = meter()
    error = event({"error": {"message": "out of memory", "code": 500}})
    assert through(tap, delta("a"), error) == delta("a") + error
    assert (tap.error, tap.complete, tap.events) == ("out of memory", False, 1)


def test_what_follows_the_end_is_dropped_and_odd() -> None:
    tap = meter()
    assert through(tap, delta("a") + DONE + delta("b")) == delta("a") + DONE
    assert tap.odd == "after_end"


def test_an_end_without_its_empty_line_is_an_end() -> None:
    tap = meter()
    assert through(tap, delta("a") + delta("b").rstrip(b"\n")) == delta("a") + delta("b")
    tap = meter()
    assert through(tap, delta("a") + b"data: [DONE]") == delta("a") + DONE
    assert tap.complete


def test_a_body_where_a_stream_was_asked_for_is_read_as_one() -> None:
    tap = meter()
    assert through(tap, THREE[:99], THREE[99:]) == THREE
    assert (tap.reported, tap.complete) == (Units(input=1, cached=31, output=6), True)


def test_a_streamed_response_ends_by_its_own_event() -> None:
    tap = meter(Endpoint.RESPONSES)
    *before, last = events(TURN)
    assert b"".join(map(tap.feed, [*before, last])) == b"".join(before)
    assert (tap.complete, tap.reported) == (True, Units(input=1, cached=30, output=3))
    assert tap.close() == last
    assert tap.events == 3


def test_tool_calls_reasoning_and_refusals_are_text() -> None:
    call = {"index": 0, "function": {"name": "f", "arguments": "{}"}}
    parts = [
        event({"choices": [{"index": 0, "delta": each}]})
        for each in (
            {"reasoning_content": "hm", "reasoning": "hm"},
            {"refusal": "no"},
            {"tool_calls": [call]},
            {"content": [{"type": "text", "text": "yes"}]},
            {"content": ""},
        )
    ]
    tap = meter()
    through(tap, *parts)
    assert tap.events == 5  # a call's name and its arguments are two


SPACED = STREAM.replace(b'"usage":{', b'"usage": {')
STREAMS = {
    "lf": STREAM,
    "crlf": STREAM.replace(b"\n", b"\r\n"),
    "spaced": SPACED,
    "comments": b": hello\n\n" + STREAM.replace(DONE, b": bye\n\n" + DONE),
    "asked": STREAM,
    "cut": STREAM[:400],
    "after": STREAM + delta("x") + DONE,
}


@pytest.mark.parametrize("name", STREAMS)
@given(data=st.data())
def test_any_cuts_give_the_same(name: str, data: st.DataObject) -> None:
    stream = STREAMS[name]
    asked = {"stream_options": {"include_usage": name == "asked"}}
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=12).map(sorted))
    chunks = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    at_once, cut = meter(limit=2, **asked), meter(limit=2, **asked)
    assert through(cut, *chunks) == through(at_once, stream)
    assert figures(cut) == figures(at_once)
    if name != "cut":
        assert cut.reported == REPORTED
        assert cut.complete


def test_every_byte_alone_gives_the_same() -> None:
    for endpoint, stream in ((Endpoint.CHAT, STREAM), (Endpoint.RESPONSES, TURN)):
        at_once, single = meter(endpoint), meter(endpoint)
        assert through(single, *[bytes([b]) for b in stream]) == through(at_once, stream)
        assert figures(single) == figures(at_once)


PIECES = st.sampled_from(
    [
        *(b"\n", b"\r", b"\n\n", b"data: ", b"data:", b"event: x\n", DONE, ROLE, USAGE, FINISH),
        *(b'{"usage":{', b"}", b"[DONE]", b'"usage":{"prompt_tokens":-5}', b"\xff", b"{}", b"[]"),
        *(b'{"choices":[{"index":[],"delta":{"content":[1]}}]}', b'{"choices":{}}', b'{"type":5}'),
        *(b'{"error":[[]]}', b'{"type":"response.completed","response":{"usage":3}}', b"[" * 3000),
        *(b'{"choices":[7,{"delta":[]},{"message":{"tool_calls":[{"function":7}]}}]}', b"null"),
    ]
)


@given(
    st.sampled_from(list(Endpoint)),
    st.booleans(),
    st.lists(st.binary(max_size=30) | PIECES, max_size=12),
)
def test_any_bytes_are_metered_without_a_fault(
    endpoint: Endpoint, stream: bool, chunks: list[bytes]
) -> None:
    tap = meter(endpoint, stream=stream, limit=3)
    out = through(tap, *chunks)
    assert len(out) <= len(b"".join(chunks)) + 2
    for units in (tap.reported or Units(), tap.estimate(), tap.running()):
        assert min(getattr(units, name) for name in Units.__struct_fields__) >= 0
    assert tap.estimate().output <= 3
    assert isinstance(tap.error, str)
