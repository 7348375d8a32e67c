"""Demands: what a floor asks of sovereignty, as callers and managers write it.

Rule: `SOV-1:2,SOV-3:3` per objective, `US:1` per regime; for the objectives one number alone
means each of the eight. JSON may say the same as {"SOV-1": 2} or [["SOV-1", 2]].
Invariant: what is not understood is refused, so that no demand is dropped in silence.
Worked number: min-seal=2 is eight demands, and max-exposure=US:E1 the same as US:1.
"""

from __future__ import annotations

from collections.abc import Iterable

from allmende.core import floors
from allmende.core.evidence import CSF, OBJECTIVES, Pairs
from allmende.core.refusals import Refused, Why

NAMES = frozenset(floors.DEMANDS)


def read(name: str, words: Iterable[str]) -> Pairs:
    """`name` is min_seal, max_exposure or max_kill_switch. Refused(BAD_VALUE)."""
    words = tuple(words)
    if name == "min_seal" and len(words) == 1 and words[0].isdecimal():
        words = tuple(f"{objective}:{words[0]}" for objective in OBJECTIVES[CSF])
    return floors.pairs(name, tuple(_pair(name, word) for word in words))


def _pair(name: str, word: str) -> tuple[str, int]:
    key, _, number = word.rpartition(":")
    digits = number.strip().upper().removeprefix("E")
    if not key or not (digits.isascii() and digits.isdecimal() and len(digits) < 4):
        example = "SOV-3:2, or one number for all" if name == "min_seal" else "US:1"
        raise Refused(Why.BAD_VALUE, f"{name} is written as {example}; not {word!r:.40}.")
    return key.strip().upper(), int(digits)


def inward(name: str, value: object) -> Pairs:
    """The same from a field of a request: a text, a number, an object or a list."""
    if isinstance(value, dict):
        value = [f"{key}:{number}" for key, number in value.items()]
    if isinstance(value, list | tuple):
        return read(name, [_word(one) for one in value])
    text = str(value).strip()
    return read(name, (word.strip() for word in text.split(","))) if text else ()


def _word(one: object) -> str:
    return ":".join(map(str, one)) if isinstance(one, list | tuple) else str(one)


def outward(pairs: Pairs) -> str:
    """As read takes it."""
    return ",".join(f"{name}:{number}" for name, number in pairs)
