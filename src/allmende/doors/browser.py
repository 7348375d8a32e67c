"""Browser: a person at a page: which key they signed in with, and what a form sent.

Rule: signing in trades an API key for a cookie that names it; every form is refused unless
it came from a page of ours.
Invariant: the cookie cannot be read by a script and is not sent from other sites; whoever
holds no good key sees what a visitor sees.
Worked number: a session ends after 12 hours, or with its key, whatever comes first.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from allmende.core.refusals import Refused, Why
from allmende.core.units import SECOND
from allmende.doors.account import bounded_body
from allmende.doors.counter import Counter
from allmende.doors.sight import Viewer
from allmende.wire.login import seal, unseal

COOKIE, LANGUAGE = "allmende_session", "allmende_language"
HOURS = 12
FORM_MAX = 65_536
FIELDS_MAX = 200


class Doorman(Struct, frozen=True):
    """Knows who is signed in. `secret` seals sessions; `secure`: browsers come by https."""

    counter: Counter
    secret: bytes
    secure: bool

    def viewer(self, request: Request) -> Viewer | None:
        """Whoever the cookie stands for, or None for a visitor."""
        text = request.cookies.get(COOKIE, "")
        state, at = self.counter.state, self.counter.now()
        hash_ = unseal(self.secret, text, state.key_hashes, at) if text else ""
        found = state.keys.get(hash_)
        if found is None or (found.expires is not None and at >= found.expires):
            return None
        return Viewer(found)

    def sign_in(self, request: Request, response: Response, viewer: Viewer) -> None:
        ends = self.counter.now() + HOURS * 3600 * SECOND
        response.set_cookie(
            COOKIE,
            seal(self.secret, viewer.key.id, viewer.key.hash, ends),
            max_age=HOURS * 3600,
            httponly=True,
            secure=self._secure(request),
            samesite="strict",
        )

    def sign_out(self, request: Request, response: Response) -> None:
        secure = self._secure(request)
        response.delete_cookie(COOKIE, httponly=True, secure=secure, samesite="strict")

    def _secure(self, request: Request) -> bool:
        return self.secure or request.url.scheme == "https"


def require_own_page(request: Request) -> None:
    """Refuse a form that another site sent. Browsers say where a form comes from."""
    origin = request.headers.get("origin")
    if origin is not None:
        ours = urlsplit(origin).netloc == request.headers.get("host", "")
    else:
        ours = request.headers.get("sec-fetch-site") == "same-origin"
    if not ours:
        raise Refused(Why.NOT_ALLOWED, "This form did not come from a page of this market.")


async def form(request: Request) -> dict[str, str]:
    """The fields of a form; of one that came more than once, all, separated by commas."""
    require_own_page(request)
    body = await bounded_body(request, FORM_MAX)
    try:
        sent = parse_qsl(
            body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict"
        )
    except (UnicodeDecodeError, ValueError):
        raise Refused(Why.BAD_REQUEST, "That is not what this form sends.") from None
    fields: dict[str, str] = {}
    for name, value in sent:
        value = value.strip()
        fields[name] = f"{fields[name]},{value}" if fields.get(name) else value
    return fields
