"""Caller: what the market works out once from an API key and uses in every request.

Rule: a key is known by its SHA-256, and salts the hashes of what was said under it, so
that only its holder can show what a receipt's hash stands for.
Invariant: `salted` is HMAC-SHA256 (RFC 2104) of receipt id and content, whoever computes it.
Worked number: of two HMACs a request, 1 kB each, half the 3 microseconds is the key's part,
which is the same each time; it is done once a key.
"""

from __future__ import annotations

import hashlib

BLOCK = 64
"""Bytes of a SHA-256 block."""
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


class Caller:
    """A good key, in memory only. `hash` is what the market knows it by."""

    __slots__ = ("_inner", "_outer", "hash")

    def __init__(self, secret: bytes) -> None:
        self.hash = hashlib.sha256(secret).hexdigest()
        key = hashlib.sha256(secret).digest() if len(secret) > BLOCK else secret
        padded = key.ljust(BLOCK, b"\0")
        self._inner = hashlib.sha256(padded.translate(_INNER))
        self._outer = hashlib.sha256(padded.translate(_OUTER))

    def salted(self, receipt: str, content: bytes) -> str:
        """HMAC-SHA256 in hex of receipt id and content, under the caller's own key."""
        inner = self._inner.copy()
        inner.update(receipt.encode())
        inner.update(content)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.hexdigest()
