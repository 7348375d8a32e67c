"""Hashing: keccak alone, for whoever reckons roots and signs nothing.

Rule: nothing else is loaded: a command that only reckons starts four times faster.
Invariant: it is the hash of signing.Keys.
Worked number: keccak of nothing begins with c5d2460186f7233c.
"""

from __future__ import annotations

from eth_hash.auto import keccak as _keccak


def keccak(data: bytes) -> bytes:
    return bytes(_keccak(data))
