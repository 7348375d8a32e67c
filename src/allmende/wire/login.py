"""Login: who a browser is, as a text that fits in a cookie.

Rule: a session names a key and an end, and is tied to the very secret of that key; it
carries no right of its own, so a revoked key ends it at once.
Invariant: a text that was not sealed with the market's login secret, or whose end has
passed, or whose key was issued anew under the old id, opens to nothing.
Worked number: sealed for key "anna" at 1_000 s for 12 hours it opens at 44_199 s and no
longer at 44_200 s.

HMAC-SHA256 (RFC 2104) over id, end and the key's own hash, compared in constant time.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from allmende.core.units import Instant

TEXT_MAX = 256
"""Characters. Nothing that we sealed is longer."""


def seal(secret: bytes, key_id: str, key_hash: str, ends: Instant) -> str:
    """A session text for `key_id` (plain id, see identity.new_id) until `ends`."""
    return f"{key_id}~{ends}~{_mac(secret, key_id, key_hash, ends)}"


def unseal(secret: bytes, text: str, hashes: Mapping[str, str], at: Instant) -> str:
    """Hash of the key that the session stands for, or "" if it stands for nothing.

    `hashes` maps the ids of keys that are good now to the SHA-256 of their secrets.
    """
    parts = text.split("~")
    if len(text) > TEXT_MAX or not text.isascii() or len(parts) != 3:
        return ""
    key_id, end, mac = parts
    key_hash = hashes.get(key_id, "")
    if not key_hash or not end.isdecimal() or at >= int(end):
        return ""
    genuine = hmac.compare_digest(mac, _mac(secret, key_id, key_hash, int(end)))
    return key_hash if genuine else ""


def _mac(secret: bytes, key_id: str, key_hash: str, ends: Instant) -> str:
    message = f"allmende login\n{key_id}\n{key_hash}\n{ends}".encode()
    return hmac.new(secret, message, hashlib.sha256).hexdigest()
