"""Heads: what a request to the gateway says in its headers.

Rule: a header that decides something is there once or not at all: of two it would be open
which one counts.
Invariant: no header is believed beyond its bounds, and a key is quoted in no refusal.
Worked number: a key has at most 512 bytes, an idempotency key 200.
"""

from __future__ import annotations

from collections.abc import Mapping

from allmende.core.refusals import Refused, Why
from allmende.doors import policy
from allmende.doors.visit import Visit
from allmende.pay import SIGNATURE

SECRET_MAX = 512
IDEM_MAX = 200
VOUCHER = b"x-allmende-voucher"
"""What a session's own program signed, see vouching."""
ONCE = (
    *(b"authorization", b"x-api-key", b"idempotency-key", b"content-encoding"),
    *(policy.HEADER, SIGNATURE, VOUCHER),
)


def secret(visit: Visit) -> bytes:
    """The caller's key, from the one header that has it. Refused: UNKNOWN_KEY, BAD_REQUEST."""
    require_once(visit)
    headers = visit.headers
    found: bytes
    given = headers.get(b"authorization")
    if given is not None:
        found = given[7:].strip() if given[:7].lower() == b"bearer " else b""
    else:
        found = headers.get(b"x-api-key", b"")
    if not 0 < len(found) <= SECRET_MAX:
        raise Refused(Why.UNKNOWN_KEY, "Send it as `Authorization: Bearer <key>`.")
    return found


def require_once(visit: Visit) -> None:
    """Refused(BAD_REQUEST) where one of ONCE comes twice."""
    if len(visit.headers) != len(visit.raw_headers):
        names = [name for name, _ in visit.raw_headers]
        for name in ONCE:
            if names.count(name) > 1:
                raise Refused(Why.BAD_REQUEST, f"There is more than one header {name.decode()}.")


def idem(headers: Mapping[bytes, bytes]) -> str:
    """The idempotency key, "" without one. Refused(BAD_VALUE)."""
    given = headers.get(b"idempotency-key", b"")
    if len(given) > IDEM_MAX or not given.isascii():
        raise Refused(Why.BAD_VALUE, f"An Idempotency-Key has at most {IDEM_MAX} ASCII characters.")
    return given.decode("ascii")
