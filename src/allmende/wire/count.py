"""Count: our own count of one request and its answer, from their bytes.

Rule: input is the prompt as the model's own template and vocabulary make it; output is
the text of every choice, tokenized again, plus the end mark where the model set one.
Invariant: None where we cannot count, never a guess; what is visible is counted once.
Worked number: `n=3, max_tokens=6` and three answers that ended by length are 18 output
tokens, also where the provider reports 6.

Cached input is not ours to see: the count gives input as a whole, and the caller may take
the provider's word for how much of it was cached. A prompt's count is exact. An answer's
is a band, since a model may spell a text in other tokens than a tokenizer would: an
answer cut by length whose text comes near the limit has exactly the limit.
"""

from __future__ import annotations

from typing import Any

from allmende.core.units import Units
from allmende.wire import answer
from allmende.wire.ask import Endpoint
from allmende.wire.vocabulary import Vocabulary

BAND_LEAST = 2
"""Tokens by which a text tokenized again may differ from what was generated."""
BAND_PERCENT = 5
"""The same as a share of the limit, for long answers."""


def count(
    vocabulary: Vocabulary,
    *,
    endpoint: Endpoint,
    stream: bool,
    request: bytes,
    response: bytes,
    limit: int,
) -> Units | None:
    """Units by our own count, or None. `limit` is output tokens allowed per choice.

    A stream that was cut is counted as far as it was delivered.
    """
    prompt = vocabulary.prompt(endpoint, request)
    if prompt is None:
        return None
    if endpoint is Endpoint.EMBEDDINGS:
        return Units(embedding=prompt)
    said = answer.read(endpoint, stream, response)
    if said.calls or not said.found or not _all_shown(answer.read_json(request)):
        return None
    return Units(input=prompt, output=_output(vocabulary, said, limit))


def _all_shown(asked: dict[str, Any]) -> bool:
    """False where more is generated than is sent (best_of), or more sent than generated."""
    made, shown = asked.get("best_of"), asked.get("n")
    return made in (None, 1, shown) and not asked.get("echo")


def _output(vocabulary: Vocabulary, said: answer.Said, limit: int) -> int:
    written = dict.fromkeys(said.finish, 0)  # an answer may be its end mark alone
    for key in said.texts:
        written[key[0]] = written.get(key[0], 0) + vocabulary.tokens(said.text(key))
    return sum(
        _choice(tokens, said.finish.get(choice, ""), vocabulary.end_tokens, limit)
        for choice, tokens in written.items()
    )


def _choice(tokens: int, reason: str, end_tokens: int, limit: int) -> int:
    band = max(BAND_LEAST, limit * BAND_PERCENT // 100)
    if reason == "length" and abs(tokens - limit) <= band:
        return limit
    if reason == "stop":
        tokens += end_tokens
    return limit if limit < tokens <= limit + band else tokens
