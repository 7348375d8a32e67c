"""What the fake provider says: its acts, and OpenAI's JSON for each endpoint.

An answer is `events` words; one word is one token; the prompt counts its words.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Act:
    """How to answer one request; the default is to answer well."""

    events: int = 4
    """Words of the answer, fewer if `max_tokens` says so and `usage` is not "excess"."""
    first_s: float = 0.0
    """Wait before the head."""
    delay_s: float = 0.0
    """Wait before each event (and once before a body that is not streamed)."""
    usage: str = "right"
    """right, missing, wrong (ten times), cumulative (running, in every chunk), negative,
    excess (63, whatever was asked), text ("many"), null."""
    fault: str = ""
    """"", before (close before the first byte), mid (close half-way), stall (say nothing),
    stall_mid, garbage (no HTTP), garbage_body, endless, gzip, redirect, empty, no_done,
    headers (endless ones)."""
    status: int = 200
    word: str = " word"
    piece: int = 0
    """Cut what is sent into writes of so many bytes; 0 is one write per event."""
    keep_alive: bool = True


ACTS: dict[str, Act] = {
    "fake": Act(),
    "fake-66": Act(events=66),
    "fake-slow": Act(events=40, delay_s=0.05),
    "fake-late": Act(first_s=1.0),
    "fake-missing": Act(usage="missing"),
    "fake-wrong": Act(usage="wrong"),
    "fake-cumulative": Act(usage="cumulative"),
    "fake-negative": Act(usage="negative"),
    "fake-excess": Act(events=63, usage="excess"),
    "fake-text": Act(usage="text"),
    "fake-null": Act(usage="null"),
    "fake-before": Act(fault="before"),
    "fake-mid": Act(fault="mid"),
    "fake-stall": Act(fault="stall"),
    "fake-stall-mid": Act(fault="stall_mid"),
    "fake-garbage": Act(fault="garbage"),
    "fake-garbage-body": Act(fault="garbage_body"),
    "fake-endless": Act(fault="endless"),
    "fake-gzip": Act(fault="gzip"),
    "fake-redirect": Act(fault="redirect"),
    "fake-empty": Act(fault="empty"),
    "fake-no-done": Act(fault="no_done"),
    "fake-headers": Act(fault="headers"),
    "fake-pieces": Act(piece=3),
    "fake-400": Act(status=400),
    "fake-401": Act(status=401),
    "fake-429": Act(status=429),
    "fake-500": Act(status=500),
}


def _sse(event: dict[str, Any]) -> bytes:
    name = f"event: {event['type']}\n" if "type" in event else ""
    return f"{name}data: {json.dumps(event, separators=(',', ':'))}\n\n".encode()


class Shape:
    """The JSON of one endpoint. `events` is the number of words it will say."""

    done = True

    def __init__(self, body: dict[str, Any], act: Act) -> None:
        self.body = body
        self.act = act
        asked = body.get("max_completion_tokens") or body.get("max_tokens")
        asked = asked or body.get("max_output_tokens")
        over = act.usage == "excess" or not isinstance(asked, int)
        self.events = act.events if over else min(act.events, max(0, asked or 0))
        self.choices = int(body.get("n") or 1)
        self.model = body.get("model", "fake")

    def prompt(self) -> int:
        said = self.body.get("messages") or self.body.get("input") or self.body.get("prompt") or ""
        return len(json.dumps(said).split())

    def usage(self, words: int) -> Any:
        """What this provider claims about `words` words per choice."""
        out = words * self.choices
        claim = {"wrong": out * 10, "negative": -5, "excess": 63, "text": "many"}.get(
            self.act.usage, out
        )
        if self.act.usage == "null":
            return None
        total = self.prompt() + claim if isinstance(claim, int) else claim
        return self.names(self.prompt(), claim, total)

    def names(self, prompt: int, out: Any, total: Any) -> dict[str, Any]:
        return {"prompt_tokens": prompt, "completion_tokens": out, "total_tokens": total}

    def with_usage(self, answer: dict[str, Any], words: int) -> dict[str, Any]:
        return answer if self.act.usage == "missing" else {**answer, "usage": self.usage(words)}

    def whole(self) -> dict[str, Any]:
        raise NotImplementedError

    def event(self, number: int) -> bytes:
        raise NotImplementedError

    def last(self) -> Iterator[bytes]:
        raise NotImplementedError


class _Chat(Shape):
    kind = "chat.completion"

    def choice(self, index: int, text: str, finish: str | None, key: str) -> dict[str, Any]:
        said = {"role": "assistant", "content": text}
        return {"index": index, key: said, "finish_reason": finish}

    def frame(self, choices: list[dict[str, Any]], kind: str) -> dict[str, Any]:
        base = {"id": "fake-1", "object": kind, "created": 1, "model": self.model}
        return {**base, "choices": choices}

    def whole(self) -> dict[str, Any]:
        text = self.act.word * self.events
        choices = [self.choice(i, text, "stop", "message") for i in range(self.choices)]
        return self.with_usage(self.frame(choices, self.kind), self.events)

    def chunk(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return self.frame(choices, self.kind + ".chunk")

    def event(self, number: int) -> bytes:
        choices = [self.choice(i, self.act.word, None, "delta") for i in range(self.choices)]
        frame = self.chunk(choices)
        return _sse(self.with_usage(frame, number) if self.act.usage == "cumulative" else frame)

    def last(self) -> Iterator[bytes]:
        choices = [self.choice(i, "", "stop", "delta") for i in range(self.choices)]
        yield _sse(self.chunk(choices))
        if (self.body.get("stream_options") or {}).get("include_usage"):
            frame = self.chunk([])
            if self.act.usage != "missing":
                yield _sse(self.with_usage(frame, self.events))


class _Completion(_Chat):
    kind = "text_completion"

    def choice(self, index: int, text: str, finish: str | None, key: str) -> dict[str, Any]:
        return {"index": index, "text": text, "finish_reason": finish, "logprobs": None}

    def chunk(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return self.frame(choices, self.kind)


class _Embedding(Shape):
    def whole(self) -> dict[str, Any]:
        asked = self.body.get("input", "")
        texts = (
            asked
            if isinstance(asked, list) and asked and isinstance(asked[0], str | list)
            else [asked]
        )
        data = [
            {"object": "embedding", "index": i, "embedding": [0.25, -0.5, 1.0]}
            for i in range(len(texts))
        ]
        answer = {"object": "list", "model": self.model, "data": data}
        return self.with_usage(answer, 0)

    def names(self, prompt: int, out: Any, total: Any) -> dict[str, Any]:
        return {"prompt_tokens": prompt if out == 0 else out, "total_tokens": total}


class _Responses(Shape):
    done = False

    def names(self, prompt: int, out: Any, total: Any) -> dict[str, Any]:
        return {"input_tokens": prompt, "output_tokens": out, "total_tokens": total}

    def frame(self, status: str, text: str) -> dict[str, Any]:
        said = {"type": "output_text", "text": text, "annotations": []}
        message = {"type": "message", "id": "msg_1", "role": "assistant", "status": status}
        base = {"id": "resp_1", "object": "response", "created_at": 1, "status": status}
        return {**base, "model": self.model, "output": [{**message, "content": [said]}]}

    def whole(self) -> dict[str, Any]:
        text = self.act.word * self.events
        return self.with_usage(self.frame("completed", text), self.events)

    def event(self, number: int) -> bytes:
        place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
        delta = {"type": "response.output_text.delta", "delta": self.act.word, **place}
        return _sse({**delta, "sequence_number": number})

    def last(self) -> Iterator[bytes]:
        yield _sse({"type": "response.completed", "response": self.whole()})


SHAPES: dict[str, type[Shape]] = {
    "chat/completions": _Chat,
    "completions": _Completion,
    "embeddings": _Embedding,
    "responses": _Responses,
}


def shape(path: str, body: dict[str, Any], act: Act) -> Shape:
    """The shape of the endpoint at `path`; what is unknown is answered as a chat."""
    return SHAPES.get(path.partition("/v1/")[2], _Chat)(body, act)
