"""Beside words: what a market and the process of its chain say to each other.

Rule: the child imports the EVM and the parent must not, so what both know stands here.
Invariant: a ChainFailed comes out of the parent with the cause, the detail and the data that
the node gave it in the child.
Worked number: a revert without a reason is code 3 with data "0x", as wallets expect.
"""

from __future__ import annotations

from msgspec import Struct

from allmende.ports import ChainFailed

_CODES = {"unknown_method": -32601, "bad_params": -32602, "busy": -32005, "reverted": 3}
_SERVER = -32000


class Order(Struct, frozen=True):
    """What a child is told to serve. `balances` (wei by address) count for a new chain only."""

    path: str
    secret: str
    balances: dict[str, int]
    chain_id: int | None = None


class Told(Struct, frozen=True):
    """What it says of itself: `port`, or the `cause` and `detail` of a ChainFailed."""

    port: int = 0
    cause: str = ""
    detail: str = ""


class Failure(Struct, frozen=True, omit_defaults=True):
    """JSON-RPC's error object, and beside it the port's own words for whoever knows them."""

    code: int
    message: str
    cause: str = "failed"
    detail: str = ""
    data: str | None = None

    @classmethod
    def of(cls, failed: ChainFailed) -> Failure:
        data = "0x" + failed.data.hex() if failed.data or failed.cause == "reverted" else None
        code, message = _CODES.get(failed.cause, _SERVER), failed.detail or failed.cause
        return cls(code, message, failed.cause, failed.detail, data)

    def failed(self) -> ChainFailed:
        return ChainFailed(self.cause, self.detail, bytes.fromhex((self.data or "0x")[2:]))
