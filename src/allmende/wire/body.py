"""Body: the fields of a request that decide what it costs, and those that are refused.

Rule: what is typed here is checked, what is named in `UNBOUNDED` is refused, and every
other field passes unread. A field belongs here when a server is known to act on it.
Invariant: whatever enlarges a prompt or an answer is text in the request itself.
Worked number: `max_tokens` may be 1 to 10_000_000, and `n` 1 to 128.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta, Raw, Struct

MAX_CHOICES = 128
MAX_OUTPUT = 10_000_000
"""Tokens per choice that anyone may ask for; no model comes near it."""
Limit: TypeAlias = Annotated[int, Meta(ge=1, le=MAX_OUTPUT)]
Choices: TypeAlias = Annotated[int, Meta(ge=1, le=MAX_CHOICES)]
ABSENT = Raw(b"")


class Part(Struct):
    type: str = "text"
    image_url: Raw = ABSENT


class Message(Struct):
    """A message of a chat, or an item of a response's input."""

    type: str = "message"
    content: str | list[Part] | None = None
    output: str | list[Part] | None = None
    audio: Raw = ABSENT


class Tool(Struct):
    type: str = "function"


class StreamOptions(Struct):
    include_usage: bool | None = None


class Body(Struct):
    """Every field that decides what a request costs; all others pass unread."""

    model: str
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    allmende: Raw = ABSENT
    n: Choices | None = None
    n_cmpl: Choices | None = None
    best_of: Choices | None = None
    max_tokens: Limit | None = None
    max_completion_tokens: Limit | None = None
    max_output_tokens: Limit | None = None
    max_new_tokens: Limit | None = None
    n_predict: Limit | None = None
    tools: Raw = ABSENT
    functions: Raw = ABSENT


class Chat(Body, kw_only=True):
    messages: list[Message]


class Responses(Body, kw_only=True):
    input: str | list[Message]
    instructions: str | None = None


class Completions(Body, kw_only=True):
    prompt: str | list[str | int | list[int]]


class Embeddings(Body, kw_only=True):
    input: str | list[str | int | list[int]]


UNBOUNDED = {
    # field: why nobody could say beforehand what it costs. `store` is not among them: it
    # keeps an answer at the provider, and adds nothing to this one.
    "previous_response_id": "the provider would add earlier turns that nobody here can see",
    "conversation": "the provider would add earlier turns that nobody here can see",
    "background": "the answer would be made after this request has been closed",
    "audio": "audio has no bound in tokens here",
    "web_search_options": "the provider would add pages that nobody here can see",
    "chat_template": "a template from the caller can make the prompt any length",
}
CONTROLLED = frozenset(
    (*Chat.__struct_fields__, *Completions.__struct_fields__, *UNBOUNDED, "input")
)
"""Names that may not come in another spelling: servers in Go read them in any case."""
TEXT_PARTS = frozenset(
    ("text", "refusal", "input_text", "output_text", "summary_text", "reasoning_text", "thinking")
)
IMAGE_PARTS = frozenset(("image_url", "input_image"))
ITEMS = frozenset(
    (
        *("message", "reasoning", "function_call", "function_call_output"),
        *("custom_tool_call", "custom_tool_call_output"),
    )
)
