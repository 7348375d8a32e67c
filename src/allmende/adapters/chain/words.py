"""Words: Ethereum's JSON, as nodes speak it, from and to values.

Rule: quantities are hex without leading zeros, bytes are hex of their whole length; whatever
is neither is refused by name, whoever said it.
Invariant: `read_*` raises ChainFailed and nothing else, for any JSON value.
Worked number: 1_000 is "0x3e8", the empty bytes are "0x"; "0x03e8" and "1000" are neither.

Source: the execution API's specification (ethereum/execution-apis), 2026.
"""

from __future__ import annotations

import re
from typing import Any

from allmende.ports import ChainFailed

_QUANTITY = re.compile(r"0x(0|[1-9a-fA-F][0-9a-fA-F]{0,63})\Z")
_BYTES = re.compile(r"0x([0-9a-fA-F]{2})*\Z")
ADDRESS, HASH = 20, 32


def quantity(value: int) -> str:
    return hex(value)


def hexed(value: bytes) -> str:
    return "0x" + value.hex()


def read_quantity(value: Any, what: str = "quantity") -> int:
    """A non-negative number below 2**256. ChainFailed("garbled")."""
    if not isinstance(value, str) or not _QUANTITY.match(value):
        raise ChainFailed("garbled", f"{what} is not a quantity: {_short(value)}")
    return int(value, 16)


def read_bytes(value: Any, what: str = "data", size: int | None = None) -> bytes:
    """Bytes, `size` of them if given. ChainFailed("garbled")."""
    if not isinstance(value, str) or not _BYTES.match(value):
        raise ChainFailed("garbled", f"{what} is not bytes in hex: {_short(value)}")
    read = bytes.fromhex(value[2:])
    if size is not None and len(read) != size:
        raise ChainFailed("garbled", f"{what} has {len(read)} bytes, not {size}")
    return read


def read_hex(value: Any, what: str, size: int) -> str:
    """The same as lower-case text: how the house writes hashes and addresses."""
    return hexed(read_bytes(value, what, size))


def read_object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ChainFailed("garbled", f"{what} is not an object: {_short(value)}")
    return value


def read_list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise ChainFailed("garbled", f"{what} is not a list: {_short(value)}")
    return value


def reason(data: bytes) -> str:
    """The text of Solidity's and Vyper's `Error(string)`, or nothing."""
    if data[:4] != bytes.fromhex("08c379a0") or len(data) < 68:
        return ""
    size = int.from_bytes(data[36:68], "big")
    return data[68 : 68 + min(size, 400)].decode(errors="replace")


def _short(value: Any) -> str:
    return repr(value)[:60]
