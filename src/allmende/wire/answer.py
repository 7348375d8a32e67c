"""Answer: what a model said, taken out of what a provider sent.

Rule: read leniently. A provider may send any JSON; what is not where the OpenAI API puts
text is not text, and nothing here raises on a wrong type.
Invariant: text is only ever appended, per choice and kind, in the order it came; the two
names of reasoning are one, so that a provider which sends both is not counted twice.
Worked number: two deltas "Hel" and "lo" of choice 0 are 2 pieces and the text "Hello".
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from allmende.wire import sse
from allmende.wire.ask import Endpoint

Key: TypeAlias = tuple[int, str]
"""(which choice, which of its texts); a response has the one choice 0."""
_KINDS = ("content", "refusal", "text")
_DECODE = msgspec.json.Decoder().decode


class Said(Struct):
    """What has been said so far. `pieces` counts text-bearing deltas, a token or more each."""

    texts: dict[Key, list[str]] = {}
    finish: dict[int, str] = {}
    """How each choice ended, where the provider said so."""
    pieces: int = 0
    size: int = 0
    """Bytes of text."""
    calls: int = 0
    """Tool calls begun. The mark-up that the model wrote around them is not visible."""
    found: bool = False
    """Something of the endpoint's own form was there, be it empty."""
    error: str = ""

    def text(self, key: Key) -> str:
        return "".join(self.texts.get(key, ()))

    def add(self, key: Key, text: object) -> None:
        """Append a text, or the texts of a list of parts; anything else says nothing."""
        if isinstance(text, str):
            if text:
                self.texts.setdefault(key, []).append(text)
                self.pieces += 1
                self.size += len(text) if text.isascii() else len(text.encode(errors="replace"))
        elif isinstance(text, list):
            for part in text:
                if isinstance(part, dict):
                    self.add(key, part.get("text") or part.get("refusal"))


def read_json(body: bytes) -> Any:
    """The value, or None where it is not JSON, too deep, or not what UTF-8 allows."""
    try:
        return _DECODE(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def read(endpoint: Endpoint, stream: bool, response: bytes) -> Said:
    """Everything that a whole response says."""
    said = Said()
    if stream:
        read_events(endpoint, response, said)
    else:
        take(endpoint, read_json(response), said)
    return said


def read_events(endpoint: Endpoint, events: bytes, said: Said) -> None:
    """Add what a run of server-sent events says."""
    for event in sse.split(events):
        carried = sse.payload(event)
        if carried and carried != sse.DONE:
            take(endpoint, read_json(carried), said)


def take(endpoint: Endpoint, value: Any, said: Said) -> None:
    """Add what one JSON value says: a whole answer, a chunk, or an event."""
    if not isinstance(value, dict):
        return
    if value.get("error") and not said.error:
        said.error = _error(value["error"])
    if endpoint is Endpoint.RESPONSES:
        _take_response(value, said)
    elif isinstance(choices := value.get("choices"), list):
        for choice in choices:
            if isinstance(choice, dict):
                said.found = True
                _take_choice(choice, said)


def _error(error: Any) -> str:
    if isinstance(error, dict):
        error = error.get("message") or error.get("code") or error.get("type") or "error"
    return str(error)[:200]


def _take_choice(choice: dict[str, Any], said: Said) -> None:
    index = choice.get("index")
    index = index if isinstance(index, int) else 0
    if isinstance(reason := choice.get("finish_reason"), str):
        said.finish[index] = reason
    said.add((index, "text"), choice.get("text"))
    words = choice.get("delta") or choice.get("message")
    if not isinstance(words, dict):
        return
    for kind in _KINDS:
        said.add((index, kind), words.get(kind))
    said.add((index, "reasoning"), words.get("reasoning_content") or words.get("reasoning"))
    calls = words.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, dict):
            _take_call(index, call.get("index", 0), call.get("function"), said)
    _take_call(index, 0, words.get("function_call"), said)


def _take_call(index: int, number: object, function: Any, said: Said) -> None:
    if isinstance(function, dict):
        if function.get("name"):
            said.calls += 1
        kind = f"call {number}"
        said.add((index, kind), function.get("name"))
        said.add((index, kind), function.get("arguments"))


def _take_response(value: dict[str, Any], said: Said) -> None:
    kind = value.get("type")
    said.found = said.found or isinstance(value.get("output") or kind, list | str)
    if not isinstance(kind, str):
        _take_whole(value, said)
    elif kind.endswith(".delta"):
        said.add((0, f"{_item(value)} {kind}"), value.get("delta"))
    elif kind == "response.output_item.added":
        item = value.get("item")
        if isinstance(item, dict) and item.get("type") in ("function_call", "custom_tool_call"):
            said.calls += 1
            said.add((0, f"{_item(value)} name"), item.get("name"))
    elif kind in ("response.completed", "response.incomplete", "response.failed"):
        _finish(value.get("response"), said)


def _item(event: dict[str, Any]) -> str:
    return f"{event.get('item_id') or ''}/{event.get('output_index') or 0}"


def _take_whole(value: dict[str, Any], said: Said) -> None:
    _finish(value, said)
    output = value.get("output")
    for number, item in enumerate(output if isinstance(output, list) else ()):
        if isinstance(item, dict):
            said.add((0, f"{number} content"), item.get("content"))
            said.add((0, f"{number} summary"), item.get("summary"))
            if item.get("type") in ("function_call", "custom_tool_call"):
                said.calls += 1
                said.add((0, f"{number} call"), item.get("name"))
                said.add((0, f"{number} call"), item.get("arguments") or item.get("input"))


def _finish(response: Any, said: Said) -> None:
    if isinstance(response, dict):
        if response.get("error") and not said.error:
            said.error = _error(response["error"])
        if response.get("status") == "completed":
            said.finish[0] = "stop"
        elif response.get("status") == "incomplete":
            said.finish[0] = "length"
