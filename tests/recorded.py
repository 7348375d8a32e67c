"""Answers as they came from providers: SmolLM2 on xllamacpp, and OpenAI's documented forms."""

from __future__ import annotations

import json
from typing import Any

ROLE = (
    b'data: {"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":'
    b'null}}],"created":1795223164,"id":"chatcmpl-GbO","model":"SmolLM2-135M-Instruct.Q4_1.gguf",'
    b'"system_fingerprint":"b0-unknown","object":"chat.completion.chunk"}\n\n'
)
FINISH = (
    b'data: {"choices":[{"finish_reason":"length","index":0,"delta":{}}],"created":1795223164,'
    b'"id":"chatcmpl-GbO","model":"SmolLM2-135M-Instruct.Q4_1.gguf",'
    b'"object":"chat.completion.chunk"}\n\n'
)
USAGE = (
    b'data: {"choices":[],"created":1795223164,"id":"chatcmpl-GbO","object":'
    b'"chat.completion.chunk","usage":{"completion_tokens":3,"prompt_tokens":32,"total_tokens":35,'
    b'"prompt_tokens_details":{"cached_tokens":31}},"timings":{"cache_n":31,"prompt_n":1}}\n\n'
)
DONE = b"data: [DONE]\n\n"


def delta(text: str, index: int = 0, **more: Any) -> bytes:
    """One chunk of a streamed chat, as compact as servers send it."""
    choice = {"finish_reason": None, "index": index, "delta": {"content": text}}
    return event({"choices": [choice], "id": "chatcmpl-GbO", **more})


def event(value: Any) -> bytes:
    return b"data: " + compact(value) + b"\n\n"


def compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


STREAM = b"".join([ROLE, delta("That"), delta("'s"), delta(" nicé 🙂"), FINISH, USAGE, DONE])
"""A streamed chat of three tokens, with usage."""

_ANSWERS = ("How can I assist you today", "Hello there! My name is", "Bless you, dear traveler")
THREE = compact(
    {
        "choices": [
            {"finish_reason": "length", "index": index, "message": {"content": text}}
            for index, text in enumerate(_ANSWERS)
        ],
        "usage": {
            "completion_tokens": 6,
            "prompt_tokens": 32,
            "total_tokens": 38,
            "prompt_tokens_details": {"cached_tokens": 31},
        },
    }
)
"""n=3, max_tokens=6: eighteen tokens were generated, six are reported."""

TURN = b"".join(
    b"event: %b\ndata: %b\n\n" % (kind.encode(), compact({"type": kind, **rest}))
    for kind, rest in [
        ("response.created", {"response": {"id": "resp_1", "status": "in_progress"}}),
        ("response.output_item.added", {"item": {"id": "msg_1", "type": "message"}}),
        ("response.output_text.delta", {"item_id": "msg_1", "delta": "M"}),
        ("response.output_text.delta", {"item_id": "msg_1", "delta": "ist"}),
        ("response.output_text.delta", {"item_id": "msg_1", "delta": "res"}),
        ("response.output_text.done", {"item_id": "msg_1", "text": "Mistres"}),
        (
            "response.completed",
            {
                "response": {
                    "status": "completed",
                    "output": [{"type": "message", "content": [{"text": "Mistres"}]}],
                    "usage": {
                        "input_tokens": 31,
                        "output_tokens": 3,
                        "total_tokens": 34,
                        "input_tokens_details": {"cached_tokens": 30},
                    },
                }
            },
        ),
    ]
)
"""A streamed response: its end mark is an event of its own, there is no [DONE]."""
