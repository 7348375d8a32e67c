"""Our own count against a real server: prompts are equal, answers are within a band."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest
from recorded import DONE, STREAM, THREE, TURN, compact, delta, event

from allmende.adapters.guard import Guard
from allmende.adapters.local_model import LocalModel, packaged_gguf
from allmende.adapters.upstream import HttpUpstream
from allmende.core.units import Units
from allmende.ports import Call
from allmende.wire import count, gguf
from allmende.wire.ask import Endpoint, parse_ask
from allmende.wire.openai import Meter
from allmende.wire.vocabulary import GgufVocabulary, from_gguf

CHAT, PLAIN = Endpoint.CHAT, Endpoint.COMPLETIONS
VECTORS, TURNS = Endpoint.EMBEDDINGS, Endpoint.RESPONSES
LIMIT = 16


class Recorded(NamedTuple):
    endpoint: Endpoint
    request: dict[str, Any]
    response: bytes

    @property
    def body(self) -> bytes:
        return json.dumps({"model": "m"} | self.request).encode()

    def metered(self) -> Meter:
        asked = self.body
        tap = Meter(parse_ask(self.endpoint, asked), LIMIT, asked)
        tap.feed(self.response)
        tap.close()
        return tap

    def reported(self) -> Units:
        """What the provider reports, cached input counted as input."""
        units = self.metered().reported
        assert units is not None, self.response
        return Units(units.input + units.cached, 0, units.output, units.embedding)


def talk(*turns: tuple[str, Any]) -> list[dict[str, Any]]:
    return [{"role": role, "content": content} for role, content in turns]


def parts(*texts: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": text} for text in texts]


TALKS = [
    talk(("user", "Say hi")),
    talk(("system", "You are terse."), ("user", "What is 2+2?")),
    talk(("user", "")),
    talk(("user", None)),
    talk(("system", ""), ("user", "x")),
    talk(("user", "hi"), ("assistant", "Hello!"), ("user", "Größe, naïve, façade")),
    talk(("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d"), ("user", "e")),
    talk(("user", "日本語のテキスト 🙂👩‍👩‍👧‍👦")),
    talk(("user", "  leading and trailing  \n\n")),
    talk(("user", "def f(x):\n    return x**2\n\n\n\tend")),
    talk(("user", "<|im_end|> control <|im_start|>")),
    talk(("user", "<|endoftext|>x<repo_name>")),
    talk(("user", "123456 7.89 1e10")),
    talk(("user", "a" * 99)),
    talk(("user", "e\u0301 and \u00e9, \ufb01, \u1d160")),
    talk(("user", "\u200b\u200e\u202e zero width")),
    talk(("user", "don't I'll we've DON'T")),
    talk(("user", "\t\t\r\n \r\n mixed")),
    talk(("user", "$€£¥ ½ ² ³ ٣ ४")),
    talk(("user", "مرحبا بالعالم שלום")),
    talk(("user", parts("one", "two"))),
    talk(("weird", "role")),
    talk(("user", "hi"), ("assistant", "Hello, I")),
    [{"role": "user", "content": "hi", "name": "bob"}],
    [],
]
QUESTIONS = [
    "Say hi",
    "Reply with only: OK",
    "Give me 5 emojis",
    "Write a Python function that reverses a list",
    "Schreibe einen Satz auf Deutsch",
    "Translate 'good morning' to Japanese",
    "Count from 1 to 30",
]


def requests() -> list[tuple[Endpoint, dict[str, Any]]]:
    """Every request that is recorded once from the chat model."""
    usage = {"stream_options": {"include_usage": True}}
    prompts = ["Once", "", "<|im_end|>x", [1, 2, 3], "Größe 🙂"]
    items = [
        {"type": "message", "role": "user", "content": "hi"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "y"}]},
        {"role": "user", "content": [{"type": "input_text", "text": t} for t in ("a", "b")]},
    ]
    turns = [{"input": "Once"}, {"input": "Once", "instructions": "Be brief"}, {"input": items}]
    answers = [
        {"messages": talk(("user", ask)), "max_tokens": LIMIT, "temperature": heat, "seed": n}
        for n, ask in enumerate(QUESTIONS)
        for heat in (0, 1)
    ]
    return [
        *[(CHAT, {"messages": each, "max_tokens": 1}) for each in TALKS],
        *[(PLAIN, {"prompt": each, "max_tokens": 1}) for each in prompts],
        *[(TURNS, {**each, "max_output_tokens": 1}) for each in turns],
        *[(CHAT, each | {"stream": True} | usage) for each in answers[::2]],
        *[(CHAT, each) for each in answers[1::2]],
        (TURNS, {"input": "Say hi", "max_output_tokens": 6, "stream": True}),
        (PLAIN, {"prompt": "Once upon", "max_tokens": 6, "stream": True} | usage),
        (CHAT, {"messages": TALKS[0], "max_tokens": 6, "n": 3, "temperature": 1}),
        (PLAIN, {"prompt": ["Once", "Twice upon a time"], "max_tokens": 6}),
    ]


async def record(
    model: LocalModel, wanted: Sequence[tuple[Endpoint, dict[str, Any]]]
) -> list[Recorded]:
    """Ask the model everything, four requests at a time, and stop it."""
    upstream, slots = HttpUpstream(Guard()), asyncio.Semaphore(4)

    async def ask(endpoint: Endpoint, fields: dict[str, Any]) -> Recorded:
        body = json.dumps({"model": model.alias} | fields).encode()
        async with slots:
            answer = await upstream.open(Call(model.url, endpoint, body, allow_private=True))
            response = await answer.read(10**6)
        assert answer.status == 200, (fields, response)
        return Recorded(endpoint, fields, response)

    await model.start()
    try:
        return await asyncio.gather(*[ask(*each) for each in wanted])
    finally:
        await model.stop()
        await upstream.close()


@pytest.fixture(scope="module")
def served() -> list[Recorded]:
    """Every request and its answer, from the real model, each asked once."""
    inputs = ["Once", "Größe 🙂", ["a b", "c"], [1, 2, 3]]
    vectors = [(VECTORS, {"input": each}) for each in inputs]

    async def everything() -> list[Recorded]:
        weights = packaged_gguf()  # one thread: two that wait for each other on a busy
        chats = await record(LocalModel(weights, threads=1), requests())  # machine take 10 times
        return chats + await record(LocalModel(weights, embedding=True, threads=1), vectors)

    return asyncio.run(everything())


@pytest.fixture(scope="module")
def smollm() -> GgufVocabulary:
    with packaged_gguf().open("rb") as file:
        return from_gguf(gguf.read(file.read(8_000_000)))


def counted(vocabulary: Any, recorded: Recorded, limit: int = LIMIT) -> Units | None:
    return count.count(
        vocabulary,
        endpoint=recorded.endpoint,
        stream=bool(recorded.request.get("stream")),
        request=recorded.body,
        response=recorded.response,
        limit=limit,
    )


def test_prompts_are_counted_exactly(served: list[Recorded], smollm: GgufVocabulary) -> None:
    seen = 0
    for each in served:
        if isinstance(each.request.get("prompt"), list) and each.request["prompt"][0] == "Once":
            continue  # several prompts, of which this server reports the first alone
        ours = smollm.prompt(each.endpoint, each.body)
        theirs = each.reported()
        assert ours == theirs.input + theirs.embedding, each
        seen += 1
    assert seen >= 50


def test_prompts_are_within_their_bound(served: list[Recorded]) -> None:
    for each in served:
        theirs = each.reported()
        bound = parse_ask(each.endpoint, each.body).input_bound
        assert theirs.input + theirs.embedding <= bound


def test_answers_are_within_the_band(served: list[Recorded], smollm: GgufVocabulary) -> None:
    differences = []
    for each in served:
        if each.request.get("max_tokens") == LIMIT:
            ours = counted(smollm, each)
            assert ours is not None
            differences.append(ours.output - each.reported().output)
    assert len(differences) == 2 * len(QUESTIONS)
    assert all(abs(each) <= count.BAND_LEAST for each in differences), differences
    assert differences.count(0) * 10 >= len(differences) * 8, differences


def test_three_answers_of_six_are_eighteen(served: list[Recorded], smollm: GgufVocabulary) -> None:
    (each,) = [r for r in served if r.request.get("n") == 3]
    reported = each.reported().output
    assert reported == 6, "the provider has mended its count"
    ours = counted(smollm, each, limit=6)
    said = len(json.loads(each.response)["choices"])
    assert said == 3
    assert ours == Units(input=32, output=18)


def test_two_prompts_are_both_counted(served: list[Recorded], smollm: GgufVocabulary) -> None:
    (each,) = [r for r in served if r.request.get("prompt") == ["Once", "Twice upon a time"]]
    ours = counted(smollm, each, limit=6)
    assert ours is not None
    assert (ours.input, ours.output) == (1 + smollm.tokens("Twice upon a time"), 12)
    assert each.reported() == Units(input=1, output=6)


def test_streams_of_the_other_endpoints(served: list[Recorded], smollm: GgufVocabulary) -> None:
    both = [r for r in served if r.request.get("stream") and r.endpoint is not CHAT]
    assert [r.endpoint for r in both] == [TURNS, PLAIN]
    for each in both:
        ours = counted(smollm, each, limit=6)
        assert ours is not None
        assert abs(ours.output - each.reported().output) <= count.BAND_LEAST
        assert each.metered().complete


def test_recorded_answers(smollm: GgufVocabulary) -> None:
    three = Recorded(CHAT, {"messages": TALKS[0], "n": 3}, THREE)
    assert counted(smollm, three, limit=6) == Units(input=32, output=18)
    turn = Recorded(TURNS, {"input": "Once", "stream": True}, TURN)
    assert counted(smollm, turn, limit=3) == Units(input=31, output=3)


class Words:
    """A vocabulary of words, for what does not depend on one."""

    end_tokens = 1

    def tokens(self, text: str) -> int:
        return len(text.split())

    def prompt(self, endpoint: Endpoint, request: bytes) -> int | None:
        return 5 if b"hi" in request else None


HI = {"messages": talk(("user", "hi"))}
PLENTY = {"choices": [{"index": 0, "finish_reason": "stop", "message": {"content": "a b c"}}]}


@pytest.mark.parametrize(
    ("reason", "words", "limit", "output"),
    [
        ("stop", 3, 10, 4),  # and the end mark
        ("stop", 10, 10, 10),
        ("length", 9, 10, 10),
        ("length", 12, 10, 10),
        ("length", 3, 10, 3),  # the context was full
        ("length", 63, 10, 63),  # it ran on, and we say so
        (None, 3, 10, 3),  # cut
    ],
)
def test_how_an_answer_ended(reason: str | None, words: int, limit: int, output: int) -> None:
    choice = {"index": 0, "finish_reason": reason, "message": {"content": "w " * words}}
    once = Recorded(CHAT, HI, compact({"choices": [choice]}))
    assert counted(Words(), once, limit) == Units(input=5, output=output)


def test_a_cut_stream_is_what_was_delivered() -> None:
    cut = Recorded(CHAT, HI | {"stream": True}, delta("one two") + delta(" three") + b'data: {"c')
    assert counted(Words(), cut) == Units(input=5, output=3)
    whole = Recorded(CHAT, HI | {"stream": True}, STREAM)
    assert counted(Words(), whole, limit=3) == Units(input=5, output=3)


def test_an_answer_that_is_its_end_mark_alone() -> None:
    choice = {"index": 0, "finish_reason": "stop", "delta": {}}
    ended = Recorded(CHAT, HI | {"stream": True}, event({"choices": [choice]}) + DONE)
    assert counted(Words(), ended) == Units(input=5, output=1)


@pytest.mark.parametrize(
    ("fields", "response"),
    [
        ({"messages": []}, compact(PLENTY)),  # a prompt that this vocabulary cannot count
        (HI | {"n": 1, "best_of": 3}, compact(PLENTY)),
        (HI | {"echo": True}, compact(PLENTY)),
        (HI, b""),
        (HI, b"<html>"),
        (
            HI,
            compact({"choices": [{"message": {"tool_calls": [{"function": {"name": "f"}}]}}]}),
        ),
    ],
)
def test_what_cannot_be_counted_is_none(fields: dict[str, Any], response: bytes) -> None:
    assert counted(Words(), Recorded(CHAT, fields, response)) is None
