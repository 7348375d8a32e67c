"""Checks: what verifiers are asked about a delivery, and how a verdict is sealed at first.

Rule: a verifier first commits the hash of (check, verifier, verdict, salt), and tells verdict and
salt only when nobody can commit any more.
Invariant: the verifier is in the hash, so another's commitment is of no use to whoever copies it;
a salt of 32 hex digits keeps the two possible verdicts from being tried out.
Worked number: `sealed("c1", "ada", "agrees", "00" * 16)` begins with 2a and has 64 hex digits.
"""

from __future__ import annotations

import hashlib

import msgspec
from msgspec import Struct

from allmende.core.units import Instant

SAID = ("agrees", "disagrees")
"""Whether what was delivered is what its receipt, or its offer, says."""
QUORUM = 3
"""Verdicts, of as many trees of members, without which a check has no outcome."""
SALT_LEAST, SALT_MOST = 32, 64
_ENCODE = msgspec.json.Encoder().encode


class Check(Struct, frozen=True):
    """`subject` names a receipt, a case or an offer, `about` the member whose work it was.

    Commitments come before `commit_until`, verdicts from then on and before `reveal_until`.
    """

    id: str
    subject: str
    about: str
    commit_until: Instant
    reveal_until: Instant


def sealed(check: str, verifier: str, verdict: str, salt: str) -> str:
    """The commitment: SHA-256 of the JSON list of the four, in hex."""
    return hashlib.sha256(_ENCODE((check, verifier, verdict, salt))).hexdigest()


def majority(verdicts: tuple[str, ...]) -> str:
    """What more than half of a quorum say; "" if there is no quorum, or no such half."""
    if len(verdicts) < QUORUM:
        return ""
    return next((word for word in SAID if 2 * verdicts.count(word) > len(verdicts)), "")
