"""Node: the embedded chain as JSON-RPC, for the port and for the door.

Rule: it answers what a wallet asks, the standard way; nothing here can mint, impersonate,
rewind or unlock, so there is nothing for a door to forget to forbid.
Invariant: one thread touches the chain, one question at a time.
Worked number: eth_getLogs over 10_001 blocks is refused before a block is read.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from eth.abc import BlockHeaderAPI

from allmende.adapters.chain import shapes
from allmende.adapters.chain.evm import CALL_GAS, Evm, Genesis
from allmende.adapters.chain.words import (
    ADDRESS,
    HASH,
    hexed,
    quantity,
    read_bytes,
    read_object,
    read_quantity,
)
from allmende.ports import ChainFailed

LOGS_BLOCKS, LOGS_MAX, HISTORY_MAX = 10_000, 10_000, 1_024
"""Blocks of a search for logs, logs of an answer, blocks of a fee history."""
TIP = 10**6
"""Wei per gas that we suggest on top; nobody competes for room here."""


class EmbeddedNode:
    """One per chain file. `await ask(...)`; `close()` when nobody asks any more."""

    def __init__(self, path: Path, genesis: Genesis, now_s: Callable[[], int]) -> None:
        """ChainFailed("wrong_chain") if the file holds a chain with another id."""
        self._evm = Evm(path, genesis, now_s)
        self._thread = ThreadPoolExecutor(1, "chain")
        self._methods: dict[str, Callable[..., Any]] = {
            "eth_chainId": lambda: quantity(self._evm.chain_id),
            "net_version": lambda: str(self._evm.chain_id),
            "web3_clientVersion": lambda: "allmende/py-evm/prague",
            "eth_syncing": lambda: False,
            "eth_accounts": self._accounts,
            "eth_blockNumber": lambda: quantity(self._evm.head().block_number),
            "eth_getBlockByNumber": self._block_by_number,
            "eth_getBlockByHash": self._block_by_hash,
            "eth_getBalance": self._balance,
            "eth_getTransactionCount": self._nonce,
            "eth_getCode": self._code,
            "eth_getStorageAt": self._storage,
            "eth_call": self._call,
            "eth_estimateGas": self._estimate,
            "eth_gasPrice": lambda: quantity(self._base_fee() + TIP),
            "eth_maxPriorityFeePerGas": lambda: quantity(TIP),
            "eth_feeHistory": self._fees,
            "eth_sendRawTransaction": self._send,
            "eth_getTransactionByHash": self._transaction,
            "eth_getTransactionReceipt": self._receipt,
            "eth_getLogs": self._logs,
        }

    async def ask(self, method: str, params: Sequence[Any] = ()) -> Any:
        """The result as JSON values. ChainFailed."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self.answer, method, params)

    def answer(self, method: str, params: Sequence[Any] = ()) -> Any:
        """The same at once, for whoever has the node to himself."""
        if method not in self._methods:
            raise ChainFailed("unknown_method", f"{method[:60]} is not known here")
        answer = self._methods[method]
        try:
            inspect.signature(answer).bind(*params)
        except TypeError as error:
            raise ChainFailed("bad_params", f"{method}: {error}") from None
        try:
            return answer(*params)
        except ChainFailed as failed:
            if failed.cause == "garbled":  # here it was the asker who garbled it
                raise ChainFailed("bad_params", failed.detail) from None
            raise

    async def close(self) -> None:
        """Waits for the question that is being answered."""
        await asyncio.to_thread(self._thread.shutdown)
        self._evm.close()

    # --- blocks --------------------------------------------------------------------------

    def _at(self, tag: Any = "latest") -> BlockHeaderAPI:
        header = self._find(tag)
        if header is None:
            raise ChainFailed("bad_params", "there is no such block yet")
        return header

    def _find(self, tag: Any) -> BlockHeaderAPI | None:
        """ "finalized" is the newest block: what is in the file stays."""
        if tag in ("latest", "pending", "safe", "finalized"):
            return self._evm.head()
        return self._evm.header(0 if tag == "earliest" else read_quantity(tag, "block"))

    def _block_by_number(self, tag: Any, full: bool = False) -> Any:
        return self._block(self._find(tag), full)

    def _block_by_hash(self, hash_: Any, full: bool = False) -> Any:
        return self._block(self._evm.header_by_hash(read_bytes(hash_, "hash", HASH)), full)

    def _block(self, header: BlockHeaderAPI | None, full: bool) -> Any:
        return None if header is None else shapes.block(self._evm.block(header), full)

    def _base_fee(self) -> int:
        return self._evm.next_header().base_fee_per_gas or 0

    def _fees(self, count: Any, newest: Any = "latest", percentiles: Any = None) -> Any:
        wanted = count if isinstance(count, int) else read_quantity(count, "block count")
        last = self._at(newest)
        headers = [last]
        while len(headers) < min(wanted, HISTORY_MAX) and headers[0].block_number:
            before = self._evm.header(headers[0].block_number - 1)
            assert before is not None
            headers.insert(0, before)
        after = self._evm.header(last.block_number + 1) or self._evm.next_header()
        tips = [quantity(TIP)] * len(percentiles or ())
        return shapes.fees(headers, after, tips if percentiles else None)

    def _accounts(self) -> list[str]:
        """None: nothing here signs for anybody."""
        return []

    # --- accounts ------------------------------------------------------------------------

    def _balance(self, address: Any, tag: Any = "latest") -> str:
        owner = read_bytes(address, "address", ADDRESS)
        return quantity(self._evm.state(self._at(tag)).get_balance(owner))

    def _nonce(self, address: Any, tag: Any = "latest") -> str:
        owner = read_bytes(address, "address", ADDRESS)
        nonce: int = self._evm.state(self._at(tag)).get_nonce(owner)
        waiting = set(self._evm.waiting(owner)) if tag == "pending" else set()
        while nonce in waiting:
            nonce += 1
        return quantity(nonce)

    def _code(self, address: Any, tag: Any = "latest") -> str:
        owner = read_bytes(address, "address", ADDRESS)
        return hexed(self._evm.state(self._at(tag)).get_code(owner))

    def _storage(self, address: Any, slot: Any, tag: Any = "latest") -> str:
        owner = read_bytes(address, "address", ADDRESS)
        place = int.from_bytes(read_bytes("0x" + str(slot)[2:].zfill(64), "slot", HASH), "big")
        value: int = self._evm.state(self._at(tag)).get_storage(owner, place)
        return hexed(value.to_bytes(HASH, "big"))

    # --- contracts -----------------------------------------------------------------------

    def _call(self, fields: Any, tag: Any = "latest") -> str:
        now = tag in ("latest", "pending")
        header = self._evm.next_header() if now else self._at(tag)
        return hexed(self._evm.call(header, _fields(fields)))

    def _estimate(self, fields: Any, tag: Any = "latest") -> str:
        self._at(tag)
        return quantity(self._evm.estimate(_fields(fields)))

    # --- transactions --------------------------------------------------------------------

    def _send(self, raw: Any) -> str:
        return hexed(self._evm.send(read_bytes(raw, "transaction")))

    def _transaction(self, hash_: Any) -> Any:
        key = read_bytes(hash_, "hash", HASH)
        place = self._evm.place(key)
        if place is None:
            waiting = self._evm.pooled(key)
            return None if waiting is None else shapes.transaction(waiting)
        header = self._evm.header(place[0])
        assert header is not None
        return shapes.transaction(self._evm.block(header).transactions[place[1]], header, place[1])

    def _receipt(self, hash_: Any) -> Any:
        place = self._evm.place(read_bytes(hash_, "hash", HASH))
        if place is None:
            return None
        header = self._evm.header(place[0])
        assert header is not None
        block = self._evm.block(header)
        return shapes.receipt(block, self._evm.block_receipts(block), place[1])

    def _logs(self, asked: Any) -> list[Any]:
        wanted = shapes.Wanted.read(read_object(asked, "filter"))
        if "blockHash" in asked:
            header = self._evm.header_by_hash(read_bytes(asked["blockHash"], "hash", HASH))
            if header is None:
                raise ChainFailed("bad_params", "there is no such block")
            first = last = header.block_number
        else:
            first = self._at(asked.get("fromBlock", "latest")).block_number
            last = (self._find(asked.get("toBlock", "latest")) or self._evm.head()).block_number
        if last - first >= LOGS_BLOCKS:
            raise ChainFailed("bad_params", f"ask for at most {LOGS_BLOCKS} blocks at once")
        found: list[Any] = []
        for number in range(first, last + 1):
            found += self._logs_in(number, wanted)
            if len(found) > LOGS_MAX:
                raise ChainFailed("bad_params", f"more than {LOGS_MAX} logs: ask for less")
        return found

    def _logs_in(self, number: int, wanted: shapes.Wanted) -> list[Any]:
        header = self._evm.header(number)
        if header is None or not header.bloom:
            return []
        block = self._evm.block(header)
        return [
            log
            for log in shapes.block_logs(block, self._evm.block_receipts(block))
            if wanted.matches(log)
        ]


def _fields(asked: Any) -> dict[str, Any]:
    """A call's fields as raw values, with what is left out filled in."""
    asked = read_object(asked, "call")
    gas = asked.get("gas")
    zero = "0x" + "00" * ADDRESS
    to = asked.get("to") or "0x"
    return {
        "sender": read_bytes(asked.get("from") or zero, "from", ADDRESS),
        "to": read_bytes(to, "to", ADDRESS if to != "0x" else 0),
        "data": read_bytes(asked.get("input") or asked.get("data") or "0x", "data"),
        "value": read_quantity(asked.get("value") or "0x0", "value"),
        "gas": CALL_GAS if gas is None else min(CALL_GAS, read_quantity(gas, "gas")),
    }
