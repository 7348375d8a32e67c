"""Shapes: blocks, transactions and their results as the JSON that wallets expect.

Rule: every field that the execution API names is there, also those that never change here.
Invariant: a log's index counts all logs of its block, gas used is of one transaction alone.
Worked number: the second transaction of a block with 21_000 and 30_000 gas shows gasUsed
30_000 and cumulativeGasUsed 51_000.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import rlp
from eth.abc import BlockAPI, BlockHeaderAPI, SignedTransactionAPI
from eth_utils.crypto import keccak
from msgspec import Struct

from allmende.adapters.chain.words import (
    ADDRESS,
    HASH,
    hexed,
    quantity,
    read_hex,
    read_list,
)

BLOOM_BYTES = 256


def block(found: BlockAPI, full: bool) -> dict[str, Any]:
    header = found.header
    transactions = found.transactions
    return {
        **_header(header),
        "size": quantity(len(rlp.encode(found))),
        "uncles": [],
        "withdrawals": [],
        "transactions": [
            transaction(t, header, index) if full else hexed(t.hash)
            for index, t in enumerate(transactions)
        ],
    }


def _header(header: BlockHeaderAPI) -> dict[str, Any]:
    fields: Any = header
    return {
        "number": quantity(header.block_number),
        "hash": hexed(header.hash),
        "parentHash": hexed(header.parent_hash),
        "sha3Uncles": hexed(header.uncles_hash),
        "miner": hexed(header.coinbase),
        "stateRoot": hexed(header.state_root),
        "transactionsRoot": hexed(header.transaction_root),
        "receiptsRoot": hexed(header.receipt_root),
        "logsBloom": hexed(header.bloom.to_bytes(BLOOM_BYTES, "big")),
        "difficulty": quantity(header.difficulty),
        "totalDifficulty": "0x0",
        "gasLimit": quantity(header.gas_limit),
        "gasUsed": quantity(header.gas_used),
        "timestamp": quantity(header.timestamp),
        "extraData": hexed(header.extra_data),
        "mixHash": hexed(header.mix_hash),
        "nonce": hexed(header.nonce.rjust(8, b"\0")),
        "baseFeePerGas": quantity(header.base_fee_per_gas or 0),
        "withdrawalsRoot": hexed(header.withdrawals_root or b""),
        "blobGasUsed": quantity(header.blob_gas_used),
        "excessBlobGas": quantity(header.excess_blob_gas),
        "parentBeaconBlockRoot": hexed(header.parent_beacon_block_root or b""),
        "requestsHash": hexed(fields.requests_hash),
    }


def transaction(
    sent: SignedTransactionAPI, header: BlockHeaderAPI | None = None, index: int = 0
) -> dict[str, Any]:
    kind = sent.type_id or 0
    price = sent.max_fee_per_gas if header is None else _price(sent, header)
    shape: dict[str, Any] = {
        "hash": hexed(sent.hash),
        "type": quantity(kind),
        "chainId": quantity(sent.chain_id or 0),
        "nonce": quantity(sent.nonce),
        "from": hexed(sent.sender),
        "to": hexed(sent.to) if sent.to else None,
        "value": quantity(sent.value),
        "gas": quantity(sent.gas),
        "gasPrice": quantity(price),
        "input": hexed(sent.data),
        "r": quantity(sent.r),
        "s": quantity(sent.s),
        "v": quantity(sent.y_parity if kind else sent.y_parity + 35 + 2 * (sent.chain_id or 0)),
        "blockHash": hexed(header.hash) if header else None,
        "blockNumber": quantity(header.block_number) if header else None,
        "transactionIndex": quantity(index) if header else None,
    }
    if kind:
        shape["yParity"] = quantity(sent.y_parity)
        shape["accessList"] = [
            {
                "address": hexed(address),
                "storageKeys": [hexed(k.to_bytes(HASH, "big")) for k in keys],
            }
            for address, keys in sent.access_list
        ]
    if kind >= 2:
        shape["maxFeePerGas"] = quantity(sent.max_fee_per_gas)
        shape["maxPriorityFeePerGas"] = quantity(sent.max_priority_fee_per_gas)
    return shape


def _price(sent: SignedTransactionAPI, header: BlockHeaderAPI) -> int:
    """Wei per gas that was paid."""
    base = header.base_fee_per_gas or 0
    return min(sent.max_fee_per_gas, base + sent.max_priority_fee_per_gas)


def receipt(found: BlockAPI, receipts: Sequence[Any], index: int) -> dict[str, Any]:
    """What became of transaction `index` of a block."""
    sent, header, mine = found.transactions[index], found.header, receipts[index]
    before = receipts[index - 1].gas_used if index else 0
    created = keccak(rlp.encode([sent.sender, sent.nonce]))[-ADDRESS:]
    place = quantity(index)
    return {
        "transactionHash": hexed(sent.hash),
        "transactionIndex": place,
        "blockHash": hexed(header.hash),
        "blockNumber": quantity(header.block_number),
        "from": hexed(sent.sender),
        "to": hexed(sent.to) if sent.to else None,
        "type": quantity(sent.type_id or 0),
        "status": quantity(int(mine.state_root == b"\x01")),
        "gasUsed": quantity(mine.gas_used - before),
        "cumulativeGasUsed": quantity(mine.gas_used),
        "effectiveGasPrice": quantity(_price(sent, header)),
        "contractAddress": None if sent.to else hexed(created),
        "logsBloom": hexed(mine.bloom.to_bytes(BLOOM_BYTES, "big")),
        "logs": [log for log in block_logs(found, receipts) if log["transactionIndex"] == place],
    }


def block_logs(found: BlockAPI, receipts: Sequence[Any]) -> list[dict[str, Any]]:
    """All logs of a block, in order."""
    header = found.header
    flat = [
        (index, log) for index, one in enumerate(receipts) for log in one.logs
    ]  # fmt: skip
    return [
        {
            "address": hexed(log.address),
            "topics": [hexed(topic.to_bytes(HASH, "big")) for topic in log.topics],
            "data": hexed(log.data),
            "blockNumber": quantity(header.block_number),
            "blockHash": hexed(header.hash),
            "blockTimestamp": quantity(header.timestamp),
            "transactionHash": hexed(found.transactions[index].hash),
            "transactionIndex": quantity(index),
            "logIndex": quantity(place),
            "removed": False,
        }
        for place, (index, log) in enumerate(flat)
    ]


def fees(
    headers: Sequence[BlockHeaderAPI], after: BlockHeaderAPI, tips: list[str] | None
) -> dict[str, Any]:
    """eth_feeHistory of consecutive blocks; `after` is the block that follows them."""
    told: dict[str, Any] = {
        "oldestBlock": quantity(headers[0].block_number),
        "baseFeePerGas": [quantity(h.base_fee_per_gas or 0) for h in (*headers, after)],
        "gasUsedRatio": [h.gas_used / h.gas_limit for h in headers],
    }
    return told if tips is None else {**told, "reward": [tips for _ in headers]}


class Wanted(Struct, frozen=True):
    """What a search for logs wants: no addresses means any, None in a topic's place any."""

    addresses: frozenset[str]
    topics: tuple[frozenset[str] | None, ...]

    @classmethod
    def read(cls, asked: dict[str, Any]) -> Wanted:
        """From eth_getLogs' filter. ChainFailed("garbled")."""
        addresses = asked.get("address") or []
        if isinstance(addresses, str):
            addresses = [addresses]
        topics = read_list(asked.get("topics") or [], "topics")
        return cls(
            frozenset(read_hex(a, "address", ADDRESS) for a in read_list(addresses, "address")),
            tuple(_either(topic) for topic in topics),
        )

    def matches(self, log: dict[str, Any]) -> bool:
        if self.addresses and log["address"] not in self.addresses:
            return False
        if len(self.topics) > len(log["topics"]):
            return False
        pairs = zip(self.topics, log["topics"], strict=False)
        return all(wanted is None or topic in wanted for wanted, topic in pairs)


def _either(topic: Any) -> frozenset[str] | None:
    if topic is None:
        return None
    some = topic if isinstance(topic, list) else [topic]
    return frozenset(read_hex(one, "topic", HASH) for one in some)
