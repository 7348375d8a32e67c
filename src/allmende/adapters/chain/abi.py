"""ABI: one contract's functions and logs, between values and bytes.

Rule: addresses and hashes go in and come out as the ports write them, lower-case 0x text.
Invariant: whatever a contract answers becomes values of its ABI's types or
ChainFailed("garbled"): an answer is accepted only if it is what those values encode to.
Worked number: `owed(address)` is four bytes of name and one word: 36 bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError, ValueOutOfBounds
from eth_utils.crypto import keccak
from msgspec import Struct

from allmende.adapters.chain.words import hexed
from allmende.adapters.chain_contracts import Contract
from allmende.ports import ChainFailed, Log

WORD = 32


class _Function(Struct, frozen=True):
    selector: bytes
    takes: tuple[str, ...]
    gives: tuple[str, ...]


class _Event(Struct, frozen=True):
    topic: str
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    indexed: tuple[bool, ...]


class Abi:
    """Of one contract."""

    def __init__(self, contract: Contract) -> None:
        self.name = contract.name
        self._creation = contract.creation
        self._made_with: tuple[str, ...] = ()
        self._functions: dict[str, _Function] = {}
        self._events: dict[str, _Event] = {}
        for entry in contract.abi:
            if entry["type"] == "constructor":
                self._made_with = _kinds(entry["inputs"])
            elif entry["type"] == "function":
                self._functions.setdefault(entry["name"], _function(entry))
            elif entry["type"] == "event":
                self._events[entry["name"]] = _event(entry)

    def call(self, function: str, *values: Any) -> bytes:
        """What is sent to call it. OverflowError for a number that its type does not hold."""
        found = self._functions[function]
        return found.selector + _encode(found.takes, values)

    def creation(self, *values: Any) -> bytes:
        """What is sent to create the contract."""
        return self._creation + _encode(self._made_with, values)

    def answer(self, function: str, data: bytes) -> tuple[Any, ...]:
        """What a call of it gave back. ChainFailed("garbled")."""
        return _decode(self._functions[function].gives, data, f"{self.name}.{function}")

    def topic(self, event: str) -> str:
        return self._events[event].topic

    def log(self, event: str, log: Log) -> dict[str, Any]:
        """An event's fields by name. ChainFailed("garbled")."""
        found, what = self._events[event], f"{self.name}.{event}"
        shown = [k for k, is_topic in zip(found.kinds, found.indexed, strict=True) if is_topic]
        rest = [k for k, is_topic in zip(found.kinds, found.indexed, strict=True) if not is_topic]
        if len(log.topics) != len(shown) + 1 or log.topics[0] != found.topic:
            raise ChainFailed("garbled", f"a log is not of {what}")
        words = b"".join(bytes.fromhex(topic[2:]) for topic in log.topics[1:])
        topics, data = iter(_decode(shown, words, what)), iter(_decode(rest, log.data, what))
        return {
            name: next(topics if is_topic else data)
            for name, is_topic in zip(found.names, found.indexed, strict=True)
        }


def word(value: str) -> bytes:
    """A hash as the ABI takes it. ValueError if it is not 0x and 32 bytes."""
    raw = bytes.fromhex(value.removeprefix("0x"))
    if len(raw) != WORD:
        raise ValueError(f"{value} is not a hash")
    return raw


def _function(entry: dict[str, Any]) -> _Function:
    takes = _kinds(entry["inputs"])
    signature = f"{entry['name']}({','.join(takes)})"
    return _Function(keccak(text=signature)[:4], takes, _kinds(entry["outputs"]))


def _event(entry: dict[str, Any]) -> _Event:
    kinds = _kinds(entry["inputs"])
    topic = hexed(keccak(text=f"{entry['name']}({','.join(kinds)})"))
    names = tuple(str(field["name"]) for field in entry["inputs"])
    return _Event(topic, names, kinds, tuple(bool(field["indexed"]) for field in entry["inputs"]))


def _kinds(entries: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(map(_kind, entries))


def _kind(entry: dict[str, Any]) -> str:
    if not entry["type"].startswith("tuple"):
        return str(entry["type"])
    return "(" + ",".join(map(_kind, entry["components"])) + ")" + str(entry["type"][5:])


def _encode(kinds: Sequence[str], values: Sequence[Any]) -> bytes:
    try:
        return bytes(encode(kinds, values))
    except ValueOutOfBounds as error:
        raise OverflowError(str(error)) from None


def _decode(kinds: Sequence[str], data: bytes, what: str) -> tuple[Any, ...]:
    try:
        values = decode(kinds, data)
    except (DecodingError, OverflowError, UnicodeDecodeError) as error:
        raise ChainFailed("garbled", f"no answer of {what}: {error}"[:200]) from None
    if encode(kinds, values) != data:
        raise ChainFailed("garbled", f"the answer of {what} has more or other bytes than it needs")
    return tuple(map(_ours, values))


def _ours(value: Any) -> Any:
    """Bytes as 0x text, structs as tuples of the same."""
    if isinstance(value, bytes):
        return hexed(value)
    return tuple(map(_ours, value)) if isinstance(value, tuple) else value
