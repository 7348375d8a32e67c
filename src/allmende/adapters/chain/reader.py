"""Reader: the Chain port over whoever answers Ethereum's JSON-RPC.

Rule: an answer is read field by field and held against the question; a node that answers
another question than was asked is said to lie, one that answers nonsense to be garbled.
Invariant: what comes out is what the port promises, whatever the node says; no answer is
believed to be about a transaction, a block or an address that was not asked about.
Worked number: asked for block 7 and told of block 8, it raises ChainFailed("lied").
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from eth_utils.crypto import keccak

from allmende.adapters.chain.words import (
    ADDRESS,
    HASH,
    hexed,
    quantity,
    read_bytes,
    read_hex,
    read_list,
    read_object,
    read_quantity,
)
from allmende.ports import Ask, Block, ChainFailed, Log, Mined

NONCE_MAX = 2**63 - 1
"""EIP-2681 has 2**64 - 2; nobody gets there, and a database holds this."""


class Reader:
    """ports.Chain. `closing` is awaited once, when the chain is closed."""

    def __init__(self, ask: Ask, closing: Callable[[], Awaitable[None]]) -> None:
        self._ask = ask
        self._closing = closing

    async def chain_id(self) -> int:
        return read_quantity(await self._ask("eth_chainId", ()), "chain id")

    async def block(self, number: int | None = None) -> Block | None:
        tag = "latest" if number is None else quantity(number)
        told = await self._ask("eth_getBlockByNumber", (tag, False))
        if told is None and number is not None:
            return None
        block = _block(read_object(told, "block"))
        if number is not None and block.number != number:
            raise ChainFailed("lied", f"asked for block {number}, told of {block.number}")
        return block

    async def balance(self, address: str) -> int:
        return read_quantity(await self._ask("eth_getBalance", (address, "latest")), "balance")

    async def nonce(self, address: str) -> int:
        told = await self._ask("eth_getTransactionCount", (address, "latest"))
        nonce = read_quantity(told, "nonce")
        if nonce > NONCE_MAX:
            raise ChainFailed("lied", f"no account has {nonce} transactions")
        return nonce

    async def code(self, address: str) -> bytes:
        return read_bytes(await self._ask("eth_getCode", (address, "latest")), "code")

    async def call(self, to: str, data: bytes, *, at: int | None = None) -> bytes:
        tag = "latest" if at is None else quantity(at)
        told = await self._ask("eth_call", ({"to": to, "input": hexed(data)}, tag))
        return read_bytes(told, "answer")

    async def estimate(self, sender: str, to: str, data: bytes, value: int = 0) -> int:
        fields = {"from": sender, "input": hexed(data), "value": quantity(value)}
        if to:
            fields["to"] = to
        return read_quantity(await self._ask("eth_estimateGas", (fields,)), "gas")

    async def price(self) -> int:
        return read_quantity(await self._ask("eth_gasPrice", ()), "gas price")

    async def send(self, raw: bytes) -> str:
        own = hexed(keccak(raw))
        try:
            told = await self._ask("eth_sendRawTransaction", (hexed(raw),))
        except ChainFailed as failed:
            known = failed.cause == "known"
            if not known and (failed.cause != "nonce_too_low" or not await self._has(own)):
                raise
            return own
        if read_hex(told, "hash", HASH) != own:
            raise ChainFailed("lied", f"sent {own}, the node calls it {told}")
        return own

    async def _has(self, hash_: str) -> bool:
        return await self._ask("eth_getTransactionByHash", (hash_,)) is not None

    async def mined(self, transaction: str) -> Mined | None:
        told = await self._ask("eth_getTransactionReceipt", (transaction,))
        if told is None or read_object(told, "receipt").get("blockNumber") is None:
            return None
        mined = _mined(told)
        if mined.hash != transaction:
            raise ChainFailed("lied", f"asked for {transaction}, told of {mined.hash}")
        return mined

    async def logs(
        self, address: str, first: int, last: int, topics: Sequence[str] = ()
    ) -> list[Log]:
        wanted = {
            "address": address,
            "fromBlock": quantity(first),
            "toBlock": quantity(last),
            "topics": list(topics),
        }
        told = read_list(await self._ask("eth_getLogs", (wanted,)), "logs")
        logs = [_log(read_object(one, "log")) for one in told]
        for log in logs:
            other = log.address != address or log.topics[: len(topics)] != tuple(topics)
            if other or not first <= log.block <= last:
                raise ChainFailed("lied", "told of a log that was not asked for")
        return sorted(logs, key=lambda log: (log.block, log.index))

    async def close(self) -> None:
        await self._closing()


def _block(told: dict[str, Any]) -> Block:
    return Block(
        number=read_quantity(told.get("number"), "block number"),
        hash=read_hex(told.get("hash"), "block hash", HASH),
        parent=read_hex(told.get("parentHash"), "parent", HASH),
        time_s=read_quantity(told.get("timestamp"), "timestamp"),
        base_fee=read_quantity(told.get("baseFeePerGas", "0x0"), "base fee"),
    )


def _mined(told: dict[str, Any]) -> Mined:
    gas = read_quantity(told.get("gasUsed"), "gas used")
    created = told.get("contractAddress")
    return Mined(
        hash=read_hex(told.get("transactionHash"), "transaction", HASH),
        block=read_quantity(told.get("blockNumber"), "block number"),
        block_hash=read_hex(told.get("blockHash"), "block hash", HASH),
        ok=read_quantity(told.get("status"), "status") == 1,
        gas=gas,
        paid=gas * read_quantity(told.get("effectiveGasPrice", "0x0"), "gas price"),
        contract="" if created is None else read_hex(created, "contract", ADDRESS),
    )


def _log(told: dict[str, Any]) -> Log:
    topics = read_list(told.get("topics"), "topics")
    return Log(
        address=read_hex(told.get("address"), "address", ADDRESS),
        topics=tuple(read_hex(topic, "topic", HASH) for topic in topics),
        data=read_bytes(told.get("data"), "data"),
        block=read_quantity(told.get("blockNumber"), "block number"),
        block_hash=read_hex(told.get("blockHash"), "block hash", HASH),
        transaction=read_hex(told.get("transactionHash"), "transaction", HASH),
        index=read_quantity(told.get("logIndex"), "log index"),
    )
