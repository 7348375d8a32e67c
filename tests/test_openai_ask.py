"""Requests: what they may cost is known from their bytes, and what is bounded is what is sent."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.core.refusals import Refused, Why
from allmende.core.units import Units
from allmende.wire.ask import (
    MESSAGE_TOKENS,
    TEMPLATE_TOKENS,
    TOOLS_FACTOR,
    TOOLS_TOKENS,
    Ask,
    Endpoint,
    parse_ask,
    upstream_body,
)

HI = [{"role": "user", "content": "hi"}]
CHAT, PLAIN = Endpoint.CHAT, Endpoint.COMPLETIONS
VECTORS, TURN = Endpoint.EMBEDDINGS, Endpoint.RESPONSES
LEAST: dict[Endpoint, dict[str, Any]] = {
    CHAT: {"model": "m", "messages": HI},
    PLAIN: {"model": "m", "prompt": "hi"},
    VECTORS: {"model": "m", "input": "hi"},
    TURN: {"model": "m", "input": "hi"},
}


def ask(endpoint: Endpoint = CHAT, **fields: Any) -> Ask:
    return parse_ask(endpoint, json.dumps(LEAST[endpoint] | fields).encode())


def sent(endpoint: Endpoint = CHAT, limit: int = 9, **fields: Any) -> dict[str, Any]:
    body = json.dumps(LEAST[endpoint] | fields).encode()
    out = upstream_body(parse_ask(endpoint, body), body, model="theirs", output_limit=limit)
    answer = json.loads(out)
    assert isinstance(answer, dict)
    return answer


def refusal(endpoint: Endpoint, body: bytes) -> Refused:
    with pytest.raises(Refused) as caught:
        parse_ask(endpoint, body)
    assert caught.value.detail
    return caught.value


def test_a_plain_chat() -> None:
    body = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'
    assert parse_ask(CHAT, body) == Ask(
        endpoint=CHAT,
        model="m",
        stream=False,
        choices=1,
        input_bound=len(body) + TEMPLATE_TOKENS + MESSAGE_TOKENS,
        output_asked=0,
        wants_usage=False,
        policy=b"",
        images=0,
    )


@pytest.mark.parametrize(
    ("endpoint", "fields", "expected"),
    [
        (CHAT, {"max_tokens": 7}, {"output_asked": 7}),
        (CHAT, {"max_tokens": 7, "max_completion_tokens": 5}, {"output_asked": 5}),
        (CHAT, {"max_tokens": None}, {"output_asked": 0}),
        (TURN, {"max_output_tokens": 4}, {"output_asked": 4}),
        (CHAT, {"n": 3}, {"choices": 3}),
        (CHAT, {"n_cmpl": 3}, {"choices": 3}),
        (PLAIN, {"n": 2, "best_of": 4}, {"choices": 4}),
        (PLAIN, {"prompt": ["a", "b"], "n": 3}, {"choices": 6}),
        (PLAIN, {"prompt": [1, 2, 3]}, {"choices": 1}),
        (PLAIN, {"prompt": [[1, 2], [3]]}, {"choices": 2}),
        (CHAT, {"stream": True}, {"stream": True, "wants_usage": False}),
        (CHAT, {"stream": True, "stream_options": {"include_usage": True}}, {"wants_usage": True}),
        (VECTORS, {"stream": True}, {"stream": False}),
        (CHAT, {"allmende": {"zones": ["DEU"]}}, {"policy": b'{"zones": ["DEU"]}'}),
        (TURN, {"input": HI, "store": True, "background": False}, {"choices": 1}),
    ],
)
def test_what_is_read(endpoint: Endpoint, fields: Any, expected: dict[str, Any]) -> None:
    seen = ask(endpoint, **fields)
    assert {name: getattr(seen, name) for name in expected} == expected


def test_the_worst_case_is_in_the_meters_that_will_run() -> None:
    chat = ask(n=3)
    assert chat.worst(100) == Units(input=chat.input_bound, output=300)
    vectors = ask(VECTORS)
    assert vectors.worst(100) == Units(embedding=vectors.input_bound)


def test_images_are_counted_and_their_bytes_are_not_tokens() -> None:
    def look(url: str) -> Ask:
        image = {"type": "image_url", "image_url": {"url": url}}
        return ask(messages=[{"role": "user", "content": [{"type": "text", "text": "?"}, image]}])

    small, large = look("https://example.org/a.png"), look("data:image/png;base64," + "A" * 9_000)
    assert small.images == large.images == 1
    assert small.input_bound == large.input_bound
    assert large.worst(5).image == 1


def test_tools_raise_the_bound() -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
    plain, armed = ask(), ask(tools=tools)
    assert armed.input_bound >= plain.input_bound + TOOLS_TOKENS + TOOLS_FACTOR * len(
        json.dumps(tools)
    )


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", Why.BAD_REQUEST),
        (b"{", Why.BAD_REQUEST),
        (b'{"model":"m","messages":[]}{}', Why.BAD_REQUEST),
        (b'{"model":"m","messages":[],"x":NaN}', Why.BAD_REQUEST),
        (b'{"model":"m","messages":[],"x":"\xff"}', Why.BAD_REQUEST),
        (b'{"model":"m","messages":[],"x":"\\ud800"}', Why.BAD_REQUEST),
        (
            b'{"model":"m","messages":[],"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
            Why.BAD_REQUEST,
        ),
        (b'{"model":"m","messages":[],"Max_Tokens":5}', Why.BAD_REQUEST),
        ('{"model":"m","messages":[],"ſtream":true}'.encode(), Why.BAD_REQUEST),
        (b"[]", Why.BAD_VALUE),
        (b"null", Why.BAD_VALUE),
        (b'{"messages":[]}', Why.BAD_VALUE),
        (b'{"model":"m"}', Why.BAD_VALUE),
        (b'{"model":7,"messages":[]}', Why.BAD_VALUE),
        (b'{"model":"m","messages":"hi"}', Why.BAD_VALUE),
        (b'{"model":"m","messages":[{"content":5}]}', Why.BAD_VALUE),
        (b'{"model":"m","messages":[],"stream":"yes"}', Why.BAD_VALUE),
        (b'{"model":"m","messages":[],"stream_options":[]}', Why.BAD_VALUE),
    ],
)
def test_malformed_bodies_are_refused(body: bytes, why: Why, own_recursion: None) -> None:
    assert refusal(CHAT, body).why is why


@pytest.fixture
def own_recursion() -> Iterator[None]:
    """Python's own limit, as in a market: the tools of the contract tests raise it for us all."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens", "n_predict", "n"])
@pytest.mark.parametrize("value", ["0", "-1", "true", "1.0", '"5"', "1e3", "9" * 400, "[]"])
def test_absurd_numbers_are_refused(field: str, value: str) -> None:
    body = f'{{"model":"m","messages":[],"{field}":{value}}}'.encode()
    assert refusal(CHAT, body).why is Why.BAD_VALUE


@pytest.mark.parametrize(
    ("endpoint", "fields"),
    [
        (CHAT, {"n": 129}),
        (PLAIN, {"prompt": ["a"] * 65, "n": 2}),
        (TURN, {"previous_response_id": "resp_1"}),
        (TURN, {"conversation": "conv_1"}),
        (TURN, {"prompt": {"id": "pmpt_1"}}),
        (TURN, {"background": True}),
        (TURN, {"input": [{"type": "item_reference", "id": "msg_1"}]}),
        (TURN, {"tools": [{"type": "web_search"}]}),
        (CHAT, {"tools": [{"type": "code_interpreter"}]}),
        (CHAT, {"web_search_options": {}}),
        (CHAT, {"chat_template": "{% for i in range(9999999) %}x{% endfor %}"}),
        (CHAT, {"audio": {"voice": "x"}}),
        (CHAT, {"messages": [{"role": "assistant", "audio": {"id": "audio_1"}}]}),
        (CHAT, {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}),
        (CHAT, {"messages": [{"role": "user", "content": [{"type": "file", "file": {}}]}]}),
        (CHAT, {"messages": [{"role": "user", "content": [{"type": "video_url"}]}]}),
    ],
)
def test_what_has_no_bound_is_refused(endpoint: Endpoint, fields: Any) -> None:
    assert refusal(endpoint, json.dumps(LEAST[endpoint] | fields).encode()).why is Why.BAD_VALUE


def test_a_body_that_is_too_large_is_not_even_parsed() -> None:
    with pytest.raises(Refused) as caught:
        parse_ask(CHAT, b"x" * 101, max_body=100)
    assert caught.value.why is Why.TOO_LARGE


def test_what_goes_upstream() -> None:
    body = b'{ "x": {"b":1, "a" : 2},"model":"m","allmende":{},"messages":[] , "max_tokens":99}'
    out = upstream_body(parse_ask(CHAT, body), body, model="theirs", output_limit=9)
    assert out == b'{"x":{"b":1, "a" : 2},"model":"theirs","messages":[],"max_tokens":9}'


@pytest.mark.parametrize(
    ("endpoint", "given", "expected"),
    [
        (CHAT, {}, {"max_tokens": 9}),
        (CHAT, {"max_completion_tokens": 99}, {"max_completion_tokens": 9}),
        (CHAT, {"max_tokens": 1, "n_predict": 99}, {"max_tokens": 9, "n_predict": 9}),
        (CHAT, {"max_new_tokens": 99}, {"max_new_tokens": 9, "max_tokens": 9}),
        (PLAIN, {}, {"max_tokens": 9}),
        (TURN, {}, {"max_output_tokens": 9}),
        (TURN, {"max_tokens": 99}, {"max_tokens": 9, "max_output_tokens": 9}),
        (VECTORS, {}, {}),
    ],
)
def test_every_limit_is_ours(endpoint: Endpoint, given: Any, expected: Any) -> None:
    assert sent(endpoint, **given) == LEAST[endpoint] | {"model": "theirs"} | expected


def test_usage_is_asked_for_on_streams() -> None:
    assert sent(stream=True)["stream_options"] == {"include_usage": True}
    options = {"include_usage": False, "chunk_size": 2}
    assert sent(stream=True, stream_options=options)["stream_options"] == {
        "include_usage": True,
        "chunk_size": 2,
    }
    assert sent(stream=True, stream_options=None)["stream_options"] == {"include_usage": True}
    assert "stream_options" not in sent(TURN, stream=True)
    assert "stream_options" not in sent()


def test_the_same_bytes_where_nothing_changes() -> None:
    body = b'{"model":"m","messages":[{"role":"user","content":"\xc3\xa9"}],"max_tokens":9}'
    assert upstream_body(parse_ask(CHAT, body), body, model="m", output_limit=9) is body


def test_a_key_given_twice_means_the_same_here_and_there() -> None:
    body = b'{"model":"a","n":1,"max_tokens":1,"messages":[],"n":4,"max_tokens":50,"model":"b"}'
    seen = parse_ask(CHAT, body)
    assert (seen.model, seen.choices, seen.output_asked) == ("b", 4, 50)
    pairs = json.loads(
        upstream_body(seen, body, model="c", output_limit=50), object_pairs_hook=list
    )
    assert sorted(pairs) == [("max_tokens", 50), ("messages", []), ("model", "c"), ("n", 4)]


@given(st.sampled_from(list(Endpoint)), st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_in_words(endpoint: Endpoint, body: bytes) -> None:
    assert refusal(endpoint, body).why in (Why.BAD_REQUEST, Why.BAD_VALUE)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)
NAMES = ("model", "messages", "prompt", "input", "stream", "max_tokens", "n", "tools", "allmende")


@given(st.sampled_from(list(Endpoint)), st.dictionaries(st.sampled_from(NAMES), JSON))
def test_arbitrary_json_is_refused_or_bounded(endpoint: Endpoint, fields: Any) -> None:
    body = json.dumps(LEAST[endpoint] | fields).encode()
    with contextlib.suppress(Refused):  # and nothing else
        seen = parse_ask(endpoint, body)
        assert 1 <= seen.choices <= 128
        assert seen.input_bound >= TEMPLATE_TOKENS
        out = json.loads(upstream_body(seen, body, model="theirs", output_limit=3))
        assert out["model"] == "theirs"
        assert "allmende" not in out
