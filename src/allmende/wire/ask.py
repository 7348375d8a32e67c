"""Ask: what a request wants, and the most it can cost, read from its bytes.

Rule: what is bounded here is what the provider gets. Top-level fields are read once into
a dict and sent on from a dict, so a key given twice means its last value for both of us,
and a key that differs from a controlled one only by case is refused (Go servers take it).
Invariant: `input_bound` is never below the prompt's tokens. A token is at least one byte
of text, JSON never spells text in fewer bytes, and what a chat template adds by itself
(its default system prompt, role marks, tool instructions) has the allowances below.
Images are counted, not bounded by bytes; what else has no bound is refused: audio, files,
video, state kept by the provider, tools it runs itself, a template sent by the caller.
Worked number: a chat of one message in a body of 100 bytes is bounded by
100 + 1_024 + 16 = 1_140 input tokens.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, TypeAlias

import msgspec
from msgspec import Raw, Struct

from allmende.core.refusals import Refused, Why
from allmende.core.units import Units
from allmende.wire.body import (
    CONTROLLED,
    IMAGE_PARTS,
    ITEMS,
    MAX_CHOICES,
    TEXT_PARTS,
    UNBOUNDED,
    Body,
    Chat,
    Completions,
    Embeddings,
    Message,
    Responses,
    Tool,
)

Fields: TypeAlias = dict[str, Raw]

MAX_BODY = 8 * 1024 * 1024
"""Bytes of a request body, unless the caller of `parse_ask` says otherwise."""
TEMPLATE_TOKENS = 1_024
"""What a chat template may add once: begin mark, default system prompt, date, cue."""
MESSAGE_TOKENS = 16
"""What a template may add per message: role marks, separators, channel names."""
TOOLS_TOKENS = 2_048
"""What a template may add when there are tools: instructions for how to call them."""
TOOLS_FACTOR = 4
"""Templates indent tool schemas; each byte of a schema may become this many tokens."""


class Endpoint(StrEnum):
    """The four endpoints that are metered; the value is the path below /v1/."""

    CHAT = "chat/completions"
    COMPLETIONS = "completions"
    EMBEDDINGS = "embeddings"
    RESPONSES = "responses"


class Ask(Struct, frozen=True):
    """One request as the market sees it. Token figures are upper bounds or limits."""

    endpoint: Endpoint
    model: str
    stream: bool
    choices: int
    """Answers that will be generated: `n` or `best_of`, times the number of prompts."""
    input_bound: int
    output_asked: int
    """Tokens per choice that the caller allows; 0 is not stated."""
    wants_usage: bool
    """The caller asked for the stream's usage chunk (stream_options.include_usage)."""
    policy: bytes
    """Raw JSON of the body field `allmende`; empty if absent."""
    images: int

    def worst(self, output_limit: int) -> Units:
        """Usage that this request cannot exceed at `output_limit` tokens per choice."""
        if self.endpoint is Endpoint.EMBEDDINGS:
            return Units(embedding=self.input_bound)
        return Units(input=self.input_bound, output=self.choices * output_limit, image=self.images)


_LIMITS = {
    Endpoint.CHAT: ("max_completion_tokens", "max_tokens"),
    Endpoint.COMPLETIONS: ("max_tokens",),
    Endpoint.RESPONSES: ("max_output_tokens",),
    Endpoint.EMBEDDINGS: (),
}
"""The fields that state a limit, most telling first; the last is set where none is."""
_EVERY_LIMIT = tuple(
    name for name in Body.__struct_fields__ if name.startswith("max_") or name == "n_predict"
)
"""Every name under which a server is known to read an output limit; all are overwritten."""
_FIELDS = msgspec.json.Decoder(Fields)
_TOOLS = msgspec.json.Decoder(list[Tool] | None)
_OPTIONS = msgspec.json.Decoder(Fields | None)
_ENCODE = msgspec.json.Encoder().encode
_CHAT = msgspec.json.Decoder(Chat)
_RESPONSES = msgspec.json.Decoder(Responses)
_COMPLETIONS = msgspec.json.Decoder(Completions)
_EMBEDDINGS = msgspec.json.Decoder(Embeddings)


def parse_ask(endpoint: Endpoint, body: bytes, *, max_body: int = MAX_BODY) -> Ask:
    """Read a request. Refused: BAD_REQUEST (not JSON), BAD_VALUE, TOO_LARGE (bytes)."""
    if len(body) > max_body:
        raise Refused(Why.TOO_LARGE, f"The body has {len(body)} bytes; {max_body} are allowed.")
    try:
        return _parse(endpoint, body)
    except msgspec.ValidationError as error:
        raise Refused(Why.BAD_VALUE, f"{error}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused(Why.BAD_REQUEST, f"{error}.") from None
    except RecursionError:
        raise Refused(Why.BAD_REQUEST, "The JSON is nested too deeply.") from None


def _parse(endpoint: Endpoint, body: bytes) -> Ask:
    if not body.isascii():
        body.decode()  # msgspec passes invalid UTF-8 in fields that it skips
    fields = _FIELDS.decode(body)
    _check_names(fields)
    if endpoint is Endpoint.CHAT:
        chat = _CHAT.decode(body)
        return _ask(endpoint, chat, body, 1, _images(chat.messages))
    if endpoint is Endpoint.RESPONSES:
        turn = _RESPONSES.decode(body)
        if "prompt" in fields:
            raise _unbounded("prompt", "a stored prompt's text is not in the request")
        images = (0, 0) if isinstance(turn.input, str) else _images(turn.input)
        return _ask(endpoint, turn, body, 1, images)
    if endpoint is Endpoint.COMPLETIONS:
        plain = _COMPLETIONS.decode(body)
        return _ask(endpoint, plain, body, _prompts(plain.prompt), (0, 0))
    vectors = _EMBEDDINGS.decode(body)
    return _ask(endpoint, vectors, body, 1, (0, 0))


def _check_names(fields: Fields) -> None:
    for name in fields:
        if name in CONTROLLED:
            if name in UNBOUNDED and bytes(fields[name]) not in (b"null", b"false"):
                raise _unbounded(name, UNBOUNDED[name])
        elif not (name.isascii() and name.islower()) and name.casefold() in CONTROLLED:
            raise Refused(Why.BAD_REQUEST, f"Write the field {name!r} in lower case.")


def _unbounded(name: str, because: str) -> Refused:
    return Refused(Why.BAD_VALUE, f"`{name}` is not sold here: {because}.")


def _ask(endpoint: Endpoint, said: Body, body: bytes, prompts: int, images: tuple[int, int]) -> Ask:
    choices = prompts * max(said.n or 1, said.n_cmpl or 1, said.best_of or 1)
    if choices > MAX_CHOICES:
        raise Refused(Why.BAD_VALUE, f"{choices} answers asked for; {MAX_CHOICES} are allowed.")
    asked = 0
    for name in _LIMITS[endpoint]:
        asked = asked or getattr(said, name) or 0
    options = said.stream_options
    return Ask(
        endpoint=endpoint,
        model=said.model,
        stream=bool(said.stream) and endpoint is not Endpoint.EMBEDDINGS,
        choices=choices,
        input_bound=_input_bound(said, body) - images[1],
        output_asked=asked,
        wants_usage=options is not None and bool(options.include_usage),
        policy=bytes(said.allmende),
        images=images[0],
    )


def _input_bound(said: Body, body: bytes) -> int:
    """Tokens the prompt cannot exceed, images aside."""
    bound = len(body) + TEMPLATE_TOKENS
    if isinstance(said, Chat):
        bound += MESSAGE_TOKENS * len(said.messages)
    elif isinstance(said, Responses) and isinstance(said.input, list):
        bound += MESSAGE_TOKENS * len(said.input)
    tools = bytes(said.tools)
    if tools or bytes(said.functions):
        for tool in (_TOOLS.decode(tools) if tools else None) or ():
            if tool.type not in ("function", "custom"):
                raise _unbounded(f"tools: {tool.type}", "the provider runs it and adds its result")
        bound += TOOLS_TOKENS + TOOLS_FACTOR * (len(tools) + len(bytes(said.functions)))
    return bound


def _prompts(prompt: str | list[str | int | list[int]]) -> int:
    """How many prompts: a text is one, and so is a list of token ids."""
    if isinstance(prompt, str):
        return 1
    return max(1, sum(not isinstance(each, int) for each in prompt))


def _images(messages: list[Message]) -> tuple[int, int]:
    """(how many images, bytes of the body that are theirs). Refuses what has no bound."""
    count = size = 0
    for message in messages:
        if message.type not in ITEMS:
            raise _unbounded(message.type, "its text is not in the request")
        if bytes(message.audio) not in (b"", b"null"):
            raise _unbounded("audio", UNBOUNDED["audio"])
        for content in (message.content, message.output):
            if isinstance(content, list):
                for part in content:
                    if part.type in IMAGE_PARTS:
                        count += 1
                        size += len(bytes(part.image_url))
                    elif part.type not in TEXT_PARTS:
                        raise _unbounded(part.type, "it has no bound in tokens")
    return count, size


def upstream_body(ask: Ask, body: bytes, *, model: str, output_limit: int) -> bytes:
    """The request as the provider gets it; `output_limit` is tokens per choice.

    Fields keep their order and bytes, except: the provider's name for the model, every
    output limit, no `allmende`, and usage asked for on streams. The very same object
    comes back if none of this changes a compact body.
    """
    fields = _FIELDS.decode(body)
    fields.pop("allmende", None)
    fields["model"] = Raw(_ENCODE(model))
    _limit(ask, fields, Raw(b"%d" % output_limit))
    if ask.stream and ask.endpoint in (Endpoint.CHAT, Endpoint.COMPLETIONS):
        _want_usage(ask, fields)
    sent = _ENCODE(fields)
    return body if sent == body else sent


def _limit(ask: Ask, fields: Fields, limit: Raw) -> None:
    if ask.endpoint is Endpoint.EMBEDDINGS:
        return
    stated = False
    for name in _EVERY_LIMIT:
        if name in fields:
            fields[name] = limit
            stated = stated or name in _LIMITS[ask.endpoint]
    if not stated:
        fields[_LIMITS[ask.endpoint][-1]] = limit


def _want_usage(ask: Ask, fields: Fields) -> None:
    if ask.wants_usage:
        return
    given: Any = fields.get("stream_options")
    options: Fields = (_OPTIONS.decode(given) if given is not None else None) or {}
    options["include_usage"] = Raw(b"true")
    fields["stream_options"] = Raw(_ENCODE(options))
