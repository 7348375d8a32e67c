"""Chat: the messages of a request, as one list, and as the prompt that a template makes.

Rule: do what llama.cpp does. A missing content is an empty one, text parts are joined by
a new line, and a last message by the assistant is not closed: the answer continues it.
Invariant: where the prompt cannot be known (images, tools that the template does not
name, items kept elsewhere) the answer is None, never a guess.
Worked number: SmolLM2's template puts its own system prompt before "Say hi": 32 tokens.
"""

from __future__ import annotations

import json
from datetime import date
from typing import Any, TypeAlias

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from allmende.wire.ask import Endpoint

Message: TypeAlias = dict[str, Any]
MOST_RENDERED = 64 * 1024 * 1024
"""Characters of a prompt; a template that makes more is not counted."""


def messages(endpoint: Endpoint, request: dict[str, Any]) -> list[Message] | None:
    """The conversation with plain text contents; None where there is more than text."""
    if endpoint is Endpoint.CHAT:
        given = request.get("messages")
    else:
        given = request.get("input")
        given = [{"role": "user", "content": given}] if isinstance(given, str) else given
        if request.get("instructions") and isinstance(given, list):
            given = [{"role": "system", "content": request["instructions"]}, *given]
    if not isinstance(given, list):
        return None
    plain = [_plain(message) for message in given]
    return None if None in plain else [message for message in plain if message is not None]


def _plain(message: Any) -> Message | None:
    if not isinstance(message, dict) or message.get("type", "message") != "message":
        return None
    content = message.get("content")
    if isinstance(content, list):
        texts = [part.get("text") if isinstance(part, dict) else None for part in content]
        if not all(isinstance(text, str) for text in texts):
            return None
        content = "\n".join(str(text) for text in texts)
    return {**message, "content": content or ""}


def template(source: str) -> Any:
    """A chat template, compiled in a sandbox. ValueError if it is not one."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise
    environment.globals["strftime_now"] = _a_day
    try:
        return environment.from_string(source)
    except TemplateError as error:
        raise ValueError(f"the chat template does not compile: {error}") from None


def render(compiled: Any, request: dict[str, Any], talk: list[Message], **marks: str) -> str | None:
    """The prompt, with the assistant's turn opened; None where the template refuses."""
    begun = ""
    if talk and talk[-1].get("role") == "assistant" and not talk[-1].get("tool_calls"):
        *talk, last = talk
        begun = str(last["content"])
    extra = request.get("chat_template_kwargs")
    variables: dict[str, Any] = dict(extra) if isinstance(extra, dict) else {}
    variables |= marks
    if request.get("tools"):
        variables["tools"] = request["tools"]
    try:
        prompt = compiled.render(**variables, messages=talk, add_generation_prompt=True)
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, RecursionError):
        return None
    return prompt + begun if len(prompt) <= MOST_RENDERED else None


def _raise(message: str) -> None:
    raise TemplateError(message)


def _to_json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _a_day(form: str) -> str:
    """A date for templates that print today's: its tokens are as many on any day."""
    return date(2026, 11, 21).strftime(form)
