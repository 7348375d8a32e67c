"""Title: what a title's token says of it: its number, two hashes, and a text that wallets show.

Rule: terms are what the thing is, the waterfall who is paid out of its use; each is hashed as
JSON whose fields are sorted by name.
Invariant: whoever owns a title is in none of them, so a sale changes nothing of it.
Worked number: the number of "smol" is the keccak of four bytes, whatever market it is in.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from allmende.core.nouns import Title

Keccak = Callable[[bytes], bytes]
URI_MAX = 432
"""Bytes that the contract keeps."""


class Record(NamedTuple):
    """As contracts/Titles.vy takes it; hashes are 0x text."""

    number: int
    terms: str
    waterfall: str
    uri: str


def number(id_: str, keccak: Keccak) -> int:
    """The token of the title with this id."""
    return int.from_bytes(keccak(id_.encode()), "big")


def terms(title: Title) -> bytes:
    """What is sold with the title: what it is, under which licence, proved by what."""
    names = ("id", "kind", "name", "licence", "evidence")
    said = {name: getattr(title, name) for name in names}
    return msgspec.json.encode(said, order="sorted")


def waterfall(title: Title) -> bytes:
    return msgspec.json.encode(title.waterfall, order="sorted")


def record(title: Title, market: str, keccak: Keccak) -> Record:
    """Everything that is minted with it."""
    return Record(
        number(title.id, keccak),
        "0x" + keccak(terms(title)).hex(),
        "0x" + keccak(waterfall(title)).hex(),
        uri(title, market),
    )


def uri(title: Title, market: str) -> str:
    """Metadata that needs no server: what a wallet shows, with as much of the name as there is
    room for."""
    name = title.name
    while True:
        said = {"name": name or title.id, "description": f"{title.kind} {title.id} of {market}"}
        made = "data:application/json;base64," + b64encode(msgspec.json.encode(said)).decode()
        if len(made) <= URI_MAX or not name:
            return made
        name = name[: len(name) // 2]
