"""Policy: what a caller demands of an offer, from a header and a body field.

Rule: `X-Allmende-Policy: max-price=2.5; zones=DEU,FRA` and the body field
`"allmende": {"max_price": "2.5", "zones": ["DEU", "FRA"]}` say the same; where both name
a demand, the body's stands. An unknown name or an empty demand is refused, because a
demand that is silently dropped is one that is silently broken.
Invariant: limits are read as exact decimals and cut down to whole pico-credits (or
micrograms), so a limit is never wider than written.
Worked number: max-price=2.5 is 2.5 credits per million tokens, 2_500_000 pico a token.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeAlias

import msgspec
from msgspec import Raw

from allmende.core.book import ANYTHING
from allmende.core.evidence import Pairs
from allmende.core.nouns import Policy
from allmende.core.refusals import Refused, Why
from allmende.core.units import pico
from allmende.doors import demands

HEADER = b"x-allmende-policy"
HEADER_MAX = 4_096
"""Bytes."""
LIST_MAX = 64
SORTS = ("price", "carbon")
MILLION = 1_000_000

Words: TypeAlias = tuple[str, ...]
_FIELDS = msgspec.json.Decoder(dict[str, Raw])
_PAIRS = msgspec.json.Decoder(dict[str, int])
_VALUE = msgspec.json.Decoder(str | list[str])


@lru_cache(maxsize=1_024)
def read(header: bytes, field: bytes) -> Policy:
    """The policy of a header's value and the raw JSON of the body field; both may be empty.

    Refused: BAD_VALUE. Cached, because a program sends the same demands all day.
    """
    said = _from_header(header) if header else {}
    if field:
        said |= _from_field(field)
    if not said:
        return ANYTHING
    values: dict[str, Any] = {}
    for name, words in said.items():
        if name not in DEMANDS:
            raise _bad(f"{name!r:.60} is none of {', '.join(DEMANDS)}.")
        to, convert = DEMANDS[name]
        values[to] = convert(name, words)
    return Policy(**values)


def _from_header(header: bytes) -> dict[str, Words]:
    if len(header) > HEADER_MAX or not header.isascii():
        raise _bad(f"The header is plain ASCII of at most {HEADER_MAX} bytes.")
    said: dict[str, Words] = {}
    for part in header.decode("ascii").split(";"):
        name, equals, value = part.partition("=")
        name = name.strip().lower().replace("_", "-")
        if not name and not equals:
            continue
        if name in said:
            raise _bad(f"{name!r:.60} is there twice.")
        said[name] = tuple(word.strip() for word in value.split(","))
    return said


def _from_field(field: bytes) -> dict[str, Words]:
    try:
        fields = _FIELDS.decode(field) if field != b"null" else {}
        return {
            name.lower().replace("_", "-"): _words(bytes(raw))
            for name, raw in fields.items()
            if bytes(raw) != b"null"
        }
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise _bad("The field `allmende` is an object of texts, numbers and lists.") from None


def _words(raw: bytes) -> Words:
    """A list's items, a text split at commas, an object's pairs, or a number as it was written."""
    if raw[:1] == b"{":
        return tuple(f"{name}:{number}" for name, number in _PAIRS.decode(raw).items())
    if raw[:1] not in b'"[':
        return (raw.decode("ascii"),)
    value = _VALUE.decode(raw)
    return tuple(word.strip() for word in (value.split(",") if isinstance(value, str) else value))


def _bad(detail: str) -> Refused:
    return Refused(Why.BAD_VALUE, f"Policy: {detail}", param="allmende")


def _one(name: str, words: Words) -> str:
    if len(words) != 1 or not words[0]:
        raise _bad(f"{name} takes one value.")
    return words[0]


def _list(name: str, words: Words) -> Words:
    if not all(words) or not 0 < len(words) <= LIST_MAX:
        raise _bad(f"{name} takes 1 to {LIST_MAX} names, separated by commas.")
    return words


def _countries(name: str, words: Words) -> Words:
    for word in _list(name, words):
        if len(word) != 3 or not word.isascii() or not word.isalpha():
            raise _bad(f"{name} takes countries in three letters, as DEU; not {word!r:.40}.")
    return tuple(word.upper() for word in words)


def _controllers(name: str, words: Words) -> Words:
    """Countries or companies: three letters are a country."""
    return tuple(
        word.upper() if len(word) == 3 and word.isalpha() else word for word in _list(name, words)
    )


def _amount(name: str, words: Words) -> int:
    try:
        amount = pico(_one(name, words))
    except ValueError as error:
        raise _bad(f"{name}: {error}.") from None
    if amount < 0:
        raise _bad(f"{name} is not negative.")
    return amount


def _millionth(name: str, words: Words) -> int:
    """Credits per million units into pico-credits a unit; grams into micrograms."""
    return _amount(name, words) // MILLION


def _sort(name: str, words: Words) -> str:
    if _one(name, words) not in SORTS:
        raise _bad(f"{name} is {' or '.join(SORTS)}.")
    return words[0]


def _floor(name: str, words: Words) -> Pairs:
    try:
        return demands.read(name.replace("-", "_"), _list(name, words))
    except Refused as refused:
        raise _bad(refused.detail) from None


DEMANDS: dict[str, tuple[str, Callable[[str, Words], Any]]] = {
    "max-price": ("max_rate", _millionth),
    "max-cost": ("max_cost", _amount),
    "max-grams": ("max_ug", _millionth),
    "zones": ("zones", _countries),
    "not-zones": ("not_zones", _countries),
    "control": ("control", _controllers),
    "not-control": ("not_control", _controllers),
    "providers": ("providers", _list),
    "order": ("order", _list),
    "sort": ("sort", _sort),
    "pay": ("pay", _list),
    "min-seal": ("min_seal", _floor),
    "max-exposure": ("max_exposure", _floor),
    "max-kill-switch": ("max_kill_switch", _floor),
}
"""What a caller writes -> (field of core.nouns.Policy, how it is read)."""
