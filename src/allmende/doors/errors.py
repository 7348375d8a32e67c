"""Errors: every no of the market in the form that OpenAI's clients read.

Rule: one table maps a refusal to a status, a type and headers; the error object carries
the refusal's facts beside OpenAI's four fields, money as decimal text.
Invariant: what goes out is bounded, whatever the caller sent in, and quotes no secret.
Worked number: a hold of 0.02 credits against 0.015 available is 402 with
{"error": {"type": "insufficient_quota", "code": "no_credit", "missing": "0.005", ...}}.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import msgspec

from allmende.core.refusals import Refused, Why
from allmende.doors.plain import outward

Headers: TypeAlias = list[tuple[bytes, bytes]]

MESSAGE_MAX = 1_000
"""Characters of a message; a detail may quote what the caller sent."""
FACT_MAX = 200
JSON = (b"content-type", b"application/json")
TYPES = {
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    429: "rate_limit_error",
    500: "server_error",
    502: "upstream_error",
    503: "server_error",
}
"""OpenAI's error types by status; all others are invalid_request_error."""
PARAMS = {Why.UNKNOWN_MODEL: "model", Why.MODEL_NOT_IN_KEY: "model"}
_ENCODE = msgspec.json.Encoder().encode


class Reply(NamedTuple):
    """A whole response: status, headers (content-length among them) and body."""

    status: int
    headers: Headers
    body: bytes


def refusal(refused: Refused) -> Reply:
    """The response to a refusal."""
    why, facts = refused.why, dict(refused.facts)
    headers: Headers = []
    wait_us = facts.pop("retry_after_us", None)
    if why.status == 429 or wait_us is not None:
        headers += _retry_after(wait_us if isinstance(wait_us, int) else 1_000_000)
    if why.status == 409:
        headers.append((b"x-should-retry", b"false"))  # OpenAI's clients would try again
    if why.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    param = facts.pop("param", PARAMS.get(why))
    return reply(why.status, str(refused), why.code, param=param, facts=facts, headers=headers)


def reply(
    status: int,
    message: str,
    code: str,
    *,
    kind: str = "",
    param: str | None = None,
    facts: dict[str, Any] | None = None,
    headers: Headers | None = None,
) -> Reply:
    """Any error response; `kind` is OpenAI's type where the status does not say it."""
    kind = kind or TYPES.get(status, "invalid_request_error")
    body = _ENCODE({"error": _object(message, kind, code, param, facts or {})})
    length = (b"content-length", b"%d" % len(body))
    return Reply(status, [JSON, length, *(headers or [])], body)


def method(allowed: str) -> Reply:
    """405: the path exists, but not with this method."""
    allow = [(b"allow", allowed.encode())]
    return reply(405, f"This path takes {allowed}.", "method_not_allowed", headers=allow)


def passed_on(status: int, body: bytes) -> Reply:
    """A provider's own complaint about the request, in our form and with its status."""
    said = _said(body)
    kind, param, code = (said.get(name) for name in ("type", "param", "code"))
    return reply(
        status,
        f"The provider refused the request: {said.get('message') or 'it gave no reason'}",
        str(code or "rejected")[:FACT_MAX],
        kind=str(kind or "")[:FACT_MAX],
        param=None if param is None else str(param)[:FACT_MAX],
    )


def _said(body: bytes) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
    error = value.get("error", value) if isinstance(value, dict) else {}
    return error if isinstance(error, dict) else {"message": str(error)}


def failure() -> Reply:
    """500: a fault of ours. What it was is in the log, not in the answer."""
    sentence = "The market made a mistake. At most what was delivered is charged."
    return reply(500, sentence, "internal")


def event(message: str, code: str, *, named: bool = False, **facts: Any) -> bytes:
    """An error inside a stream that has begun, as one server-sent event.

    `named` adds what readers of /v1/responses expect: an event name and a flat form.
    """
    error = _object(message, TYPES[502], code, None, facts)
    if not named:
        return b"data: %b\n\n" % _ENCODE({"error": error})
    flat = {"type": "error", "code": code, "message": message, "param": None}
    return b"event: error\ndata: %b\n\n" % _ENCODE({**flat, "sequence_number": 0, "error": error})


def _object(
    message: str, kind: str, code: str, param: str | None, facts: dict[str, Any]
) -> dict[str, Any]:
    plain = {name: _plain(value, name) for name, value in facts.items()}
    message = message[:MESSAGE_MAX]
    return {**plain, "message": message, "type": kind, "param": param, "code": code}


def _plain(value: Any, name: str) -> Any:
    """Money as text, text cut short; `conditions` are counts by name, and stay as they are."""
    if isinstance(value, dict):
        return value
    return value[:FACT_MAX] if isinstance(value, str) else outward(value, name)


def _retry_after(wait_us: int) -> Headers:
    """Whole seconds, rounded up, for everybody; milliseconds for OpenAI's clients."""
    seconds, milliseconds = -(-wait_us // 1_000_000), -(-wait_us // 1_000)
    return [
        (b"retry-after", b"%d" % max(1, seconds)),
        (b"retry-after-ms", b"%d" % max(1, milliseconds)),
    ]
