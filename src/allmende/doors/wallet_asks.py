"""Wallet asks: who asks the wallet door, and what it sent.

Rule: a member is known by its key or its cookie; by cookie nobody does anything from another
site's page.
Invariant: a body is read no further than BODY_MAX, and a chain that does not answer is said in
words: nothing has moved by then.
Worked number: ?models=a,b is two models.
"""

from __future__ import annotations

import logging
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from allmende.core.refusals import Refused, Why
from allmende.doors import errors
from allmende.doors.account import Handler, bounded_body, viewer_of
from allmende.doors.browser import Doorman, require_own_page
from allmende.doors.sight import Viewer
from allmende.ports import ChainFailed

BODY_MAX = 16_384
LISTS = ("models",)
"""Fields of a query that are lists, with commas between."""

log = logging.getLogger(__name__)


def viewer(doorman: Doorman, request: Request) -> Viewer:
    """Whoever asks. Refused: UNKNOWN_KEY, NOT_ALLOWED."""
    if "authorization" in request.headers:
        return viewer_of(doorman.counter, request)
    if request.method != "GET":
        require_own_page(request)
    found = doorman.viewer(request)
    if found is None:
        raise Refused(Why.UNKNOWN_KEY, "Sign in with your wallet at /wallet, or send a key.")
    return found


def manager(doorman: Doorman, request: Request) -> Viewer:
    found = viewer(doorman, request)
    if not found.manages:
        raise Refused(Why.NOT_ALLOWED, "That needs a manager's key of the member.")
    return found


def query(request: Request) -> dict[str, Any]:
    found: dict[str, Any] = dict(request.query_params)
    for name in LISTS:
        if name in found:
            found[name] = [part.strip() for part in found[name].split(",") if part.strip()]
    return found


async def sent(request: Request) -> dict[str, Any]:
    """The body as an object; of a page, of ours. Refused: TOO_LARGE, BAD_REQUEST, NOT_ALLOWED."""
    if "origin" in request.headers:
        require_own_page(request)
    body = await bounded_body(request, BODY_MAX)
    try:
        return msgspec.json.decode(body or b"{}", type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(Why.BAD_REQUEST, f"Send a JSON object: {error}.") from None


def telling(handler: Handler) -> Handler:
    """The same, with words for a chain that is away."""

    async def told(request: Request) -> Response:
        try:
            return await handler(request)
        except ChainFailed as failed:
            log.warning("A wallet was not answered: %s. %s", failed.cause, failed.detail)
            says = f"The chain does not answer ({failed.cause}). Nothing was moved; try again."
            away = errors.reply(503, says, "chain_away", headers=[(b"retry-after", b"5")])
            headers = {name.decode(): value.decode() for name, value in away.headers}
            return Response(away.body, away.status, headers)

    return told
