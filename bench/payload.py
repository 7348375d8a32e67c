"""Payload: the bytes every peer is measured with.

Rule: one request of 1 kB, one answer of 1.2 kB and one stream of 66 events, the same
for every peer but for the model's name and the credentials it wants.
Invariant: the usage reported is the true o200k count of the text sent, so that a gateway
which recounts finds nothing to correct.
Worked number: 66 events = 1 role + 62 words + 1 finish + 1 usage + [DONE].
"""

from __future__ import annotations

import json
from typing import Any

EVENTS = 66
WORDS = EVENTS - 4
PROMPT_TOKENS = 200
ANSWER_TOKENS = 178
"""o200k counts of the texts below; `python -m bench.payload` recounts them."""
SYSTEM = "You are a careful clerk of a commons. Answer briefly, and name your source."
_LINE = (
    "The village keeps a meadow that belongs to nobody and to everybody, and each spring "
    "the neighbours meet to settle who may graze how many animals on it, for how long, "
    "and what is owed to those who mend the fences and clear the ditches. "
)
_TASK = "Write down the rules they should agree on, in order, one sentence for each of them."
PROMPT = _LINE * 3 + _TASK
_REPLY = (
    "First, count the animals before they enter, and write the count where all can read it. "
    "Second, whoever mends a fence is paid from the common purse, at a rate agreed before "
    "the work. "
)
ANSWER = _REPLY * 4 + "Last, meet again each autumn and change what did not work out."
_WORD = " common"
_HEAD = {"id": "chatcmpl-9f1c2d3e4b5a69788796a5b4c3d2e1f0", "created": 1763683200}
END_OF_ANSWER = b"did not work out."


def request(model: str, stream: bool) -> bytes:
    """A chat completion's body, about 1 kB."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": PROMPT},
        ],
        "max_tokens": 256,
        "temperature": 0,
    }
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return _json(body)


def answer(model: str) -> bytes:
    """The upstream's whole answer, about 1.2 kB."""
    message = {"role": "assistant", "content": ANSWER, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return _json(
        {
            **_HEAD,
            "object": "chat.completion",
            "model": model,
            "choices": [choice],
            "usage": _usage(ANSWER_TOKENS),
            "system_fingerprint": "fp_0123456789",
        }
    )


def events(model: str) -> list[bytes]:
    """The upstream's stream: 66 server-sent events of about 200 bytes."""
    deltas: list[tuple[dict[str, str], str | None]] = [({"role": "assistant", "content": ""}, None)]
    deltas += [({"content": _WORD}, None)] * WORDS
    deltas += [({}, "stop")]
    chunks = [
        _chunk(model, [{"index": 0, "delta": delta, "finish_reason": reason}])
        for delta, reason in deltas
    ]
    chunks.append(_chunk(model, [], _usage(WORDS)))
    return [b"data: " + chunk + b"\n\n" for chunk in chunks] + [b"data: [DONE]\n\n"]


def _chunk(model: str, choices: list[Any], usage: dict[str, Any] | None = None) -> bytes:
    head = {**_HEAD, "object": "chat.completion.chunk", "model": model}
    return _json({**head, "choices": choices, "usage": usage})


def _usage(output: int) -> dict[str, Any]:
    return {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": output,
        "total_tokens": PROMPT_TOKENS + output,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _recount() -> None:
    """Print what the constants above must be. Needs the package `bpe-openai`."""
    from bpe_openai import get_encoding

    def count(text: str) -> int:
        return len(get_encoding("o200k_base").encode_ordinary(text))

    roles = (("system", SYSTEM), ("user", PROMPT))
    prompt = 3 + sum(3 + count(role) + count(text) for role, text in roles)
    print("tokens", prompt, count(ANSWER), count(_WORD * WORDS))
    texts = (request("bench", False), answer("bench"), *events("bench")[:2])
    print("bytes", [len(text) for text in texts])


if __name__ == "__main__":
    _recount()
