"""Usage: what a provider reports, and what we assume where it reports nothing.

Rule: a report is believed as far as it is sane: whole numbers from 0 to a thousand
million, cached within the prompt. Anything else is garbage, and garbage is not zero.
Invariant: the buckets are disjoint. Cached input is taken out of input; reasoning is in
output, also where a provider adds it beside the completion (then the total gives it away).
Worked number: prompt_tokens 32 with cached_tokens 31 and completion_tokens 6 are
Units(input=1, cached=31, output=6).
"""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta, Raw, Struct

from allmende.core.units import Units
from allmende.wire.answer import read_json
from allmende.wire.ask import Ask, Endpoint

MOST_REPORTED = 10**9
"""Tokens; no request is that long, so a report above it is garbage."""
BYTES_PER_TOKEN = 4
"""The usual rule of thumb for English; other scripts have more tokens per byte."""
Count: TypeAlias = Annotated[int, Meta(ge=0, le=MOST_REPORTED)]


class _Details(Struct):
    cached_tokens: Count | None = None
    reasoning_tokens: Count | None = None


class _Usage(Struct):
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    total_tokens: Count | None = None
    prompt_tokens_details: _Details | None = None
    completion_tokens_details: _Details | None = None
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    input_tokens_details: _Details | None = None


_USAGE = msgspec.json.Decoder(_Usage | None)


def parse(endpoint: Endpoint, raw: bytes | Raw) -> Units | None:
    """Units of a usage object; None where it says too little. ValueError if garbage.

    A total alone is enough for embeddings only; with one part it gives the other.
    """
    try:
        said = _USAGE.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"usage is garbage: {error}") from None
    if said is None:
        return None
    total = said.total_tokens
    prompt = said.input_tokens if said.prompt_tokens is None else said.prompt_tokens
    output = said.output_tokens if said.completion_tokens is None else said.completion_tokens
    if endpoint is Endpoint.EMBEDDINGS:
        prompt = total if prompt is None else prompt
        return None if prompt is None else Units(embedding=prompt)
    if total is not None:
        prompt = total - output if prompt is None and output is not None else prompt
        output = total - prompt if output is None and prompt is not None else output
    if prompt is None or output is None:
        return None
    return _disjoint(said, prompt, output)


def _disjoint(said: _Usage, prompt: int, output: int) -> Units:
    details = said.prompt_tokens_details or said.input_tokens_details
    cached = (details.cached_tokens if details else 0) or 0
    if prompt < 0 or output < 0 or cached > prompt:
        raise ValueError("usage is garbage: its parts do not add up")
    thought = said.completion_tokens_details
    reasoning = (thought.reasoning_tokens if thought else 0) or 0
    if reasoning and said.total_tokens == prompt + output + reasoning:
        output += reasoning
    return Units(input=prompt - cached, cached=cached, output=output)


def assumed_input(ask: Ask, request: bytes) -> int:
    """Input tokens where nobody reports any: text bytes over 4, rounded up, at least 1."""
    body = read_json(request)
    if not isinstance(body, dict):
        return 1
    fields = (body.get(name) for name in ("messages", "input", "prompt", "instructions"))
    size, ids = 0, 0
    for field in fields:
        more = _measure(field)
        size, ids = size + more[0], ids + more[1]
    return max(1, min(ask.input_bound, assumed(size) + ids))


def assumed(size: int) -> int:
    """Tokens in `size` bytes of text, by the rule of thumb, rounded up."""
    return -(-size // BYTES_PER_TOKEN)


def _measure(value: Any) -> tuple[int, int]:
    """(bytes of text, token ids) in a prompt; only the fields that carry text are read."""
    if isinstance(value, str):
        return len(value.encode(errors="replace")), 0
    if isinstance(value, int):
        return 0, 1
    if isinstance(value, dict):
        value = [value.get(name) for name in ("content", "text", "output", "arguments")]
    size, ids = 0, 0
    for each in value if isinstance(value, list) else ():
        more = _measure(each)
        size, ids = size + more[0], ids + more[1]
    return size, ids
