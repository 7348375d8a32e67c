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
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta, Raw, Struct

from allmende.core.refusals import Refused, Why
from allmende.core.units import Units

MAX_BODY = 8 * 1024 * 1024
"""Bytes of a request body, unless the caller of `parse_ask` says otherwise."""
MAX_CHOICES = 128
MAX_OUTPUT = 10_000_000
"""Tokens per choice that anyone may ask for; no model comes near it."""
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


Limit: TypeAlias = Annotated[int, Meta(ge=1, le=MAX_OUTPUT)]
Choices: TypeAlias = Annotated[int, Meta(ge=1, le=MAX_CHOICES)]
Fields: TypeAlias = dict[str, Raw]
_ABSENT = Raw(b"")


class _Part(Struct):
    type: str = "text"
    image_url: Raw = _ABSENT


class _Message(Struct):
    type: str = "message"
    content: str | list[_Part] | None = None
    output: str | list[_Part] | None = None


class _Tool(Struct):
    type: str = "function"


class _StreamOptions(Struct):
    include_usage: bool | None = None


class _Body(Struct):
    """Every field that decides what a request costs; all others pass unread."""

    model: str
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    allmende: Raw = _ABSENT
    n: Choices | None = None
    n_cmpl: Choices | None = None
    best_of: Choices | None = None
    max_tokens: Limit | None = None
    max_completion_tokens: Limit | None = None
    max_output_tokens: Limit | None = None
    max_new_tokens: Limit | None = None
    n_predict: Limit | None = None
    tools: Raw = _ABSENT
    functions: Raw = _ABSENT


class _Chat(_Body, kw_only=True):
    messages: list[_Message]


class _Responses(_Body, kw_only=True):
    input: str | list[_Message]
    instructions: str | None = None


class _Completions(_Body, kw_only=True):
    prompt: str | list[str | int | list[int]]


class _Embeddings(_Body, kw_only=True):
    input: str | list[str | int | list[int]]


_LIMITS = {
    Endpoint.CHAT: ("max_completion_tokens", "max_tokens"),
    Endpoint.COMPLETIONS: ("max_tokens",),
    Endpoint.RESPONSES: ("max_output_tokens",),
    Endpoint.EMBEDDINGS: (),
}
"""The fields that state a limit, most telling first; the last is set where none is."""
_ALIASES = ("max_tokens", "max_completion_tokens", "max_output_tokens", "max_new_tokens")
_EVERY_LIMIT = (*_ALIASES, "n_predict")
"""Every name under which a server is known to read an output limit; all are overwritten."""
_UNBOUNDED = {
    "previous_response_id": "the provider would add earlier turns that nobody here can see",
    "conversation": "the provider would add earlier turns that nobody here can see",
    "background": "the answer would be made after this request has been closed",
    "audio": "audio has no bound in tokens here",
    "web_search_options": "the provider would add pages that nobody here can see",
    "chat_template": "a template from the caller can make the prompt any length",
}
_CONTROLLED = frozenset(
    (*_Chat.__struct_fields__, *_Completions.__struct_fields__, *_UNBOUNDED, "input")
)
_TEXT_PARTS = frozenset(
    ("text", "refusal", "input_text", "output_text", "summary_text", "reasoning_text", "thinking")
)
_IMAGE_PARTS = frozenset(("image_url", "input_image"))
_ITEMS = frozenset(
    (
        *("message", "reasoning", "function_call", "function_call_output"),
        *("custom_tool_call", "custom_tool_call_output"),
    )
)
_FIELDS = msgspec.json.Decoder(Fields)
_TOOLS = msgspec.json.Decoder(list[_Tool] | None)
_OPTIONS = msgspec.json.Decoder(Fields | None)
_ENCODE = msgspec.json.Encoder().encode
_CHAT = msgspec.json.Decoder(_Chat)
_RESPONSES = msgspec.json.Decoder(_Responses)
_COMPLETIONS = msgspec.json.Decoder(_Completions)
_EMBEDDINGS = msgspec.json.Decoder(_Embeddings)


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
        if name in _CONTROLLED:
            if name in _UNBOUNDED and bytes(fields[name]) not in (b"null", b"false"):
                raise _unbounded(name, _UNBOUNDED[name])
        elif not (name.isascii() and name.islower()) and name.casefold() in _CONTROLLED:
            raise Refused(Why.BAD_REQUEST, f"Write the field {name!r} in lower case.")


def _unbounded(name: str, because: str) -> Refused:
    return Refused(Why.BAD_VALUE, f"`{name}` is not sold here: {because}.")


def _ask(
    endpoint: Endpoint, said: _Body, body: bytes, prompts: int, images: tuple[int, int]
) -> Ask:
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


def _input_bound(said: _Body, body: bytes) -> int:
    """Tokens the prompt cannot exceed, images aside."""
    bound = len(body) + TEMPLATE_TOKENS
    if isinstance(said, _Chat):
        bound += MESSAGE_TOKENS * len(said.messages)
    elif isinstance(said, _Responses) and isinstance(said.input, list):
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


def _images(messages: list[_Message]) -> tuple[int, int]:
    """(how many images, bytes of the body that are theirs). Refuses what has no bound."""
    count = size = 0
    for message in messages:
        if message.type not in _ITEMS:
            raise _unbounded(message.type, "its text is not in the request")
        for content in (message.content, message.output):
            if isinstance(content, list):
                for part in content:
                    if part.type in _IMAGE_PARTS:
                        count += 1
                        size += len(bytes(part.image_url))
                    elif part.type not in _TEXT_PARTS:
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
