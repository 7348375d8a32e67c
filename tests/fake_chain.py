"""A chain without a machine: blocks as a list, one contract in Python, and every misfortune.

It passes the contract tests of the real adapters (test_chain_contract.py), and can besides:
mine when told only, forget what waits, reorganise, hide its newest blocks, stand on another
fork, go away, ask more for gas, and lie.

    chain = FakeChain(7, {account.address: 10**18})
    chain.auto = False
    await chain.send(raw); chain.mine(); chain.reorganise(1, keep=False)
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import rlp
from chains import TALLIED, tally_code
from eth.exceptions import PyEVMError
from eth.vm.forks.prague.transactions import PragueTransactionBuilder
from eth_utils import ValidationError, keccak

from allmende.ports import Block, ChainFailed, Log, Mined

BASE_FEE = 10**9
TIP = 10**6
SELECTORS = {
    keccak(text=name)[:4]: name for name in ("tally(bytes32)", "count(bytes32)", "total()")
}


@dataclass
class World:
    """Accounts after a block."""

    nonces: dict[str, int] = field(default_factory=dict)
    balances: dict[str, int] = field(default_factory=dict)
    tallies: dict[str, dict[bytes, int]] = field(default_factory=dict)


@dataclass
class Built:
    block: Block
    world: World
    mined: list[Mined]
    logs: list[Log]
    sent: list[Any]


class FakeChain:
    """ports.Chain with one contract, the tests' Tally."""

    def __init__(self, chain_id: int, balances: Mapping[str, int], time_s: int = 1_790_000_000):
        self.id = chain_id
        self.now_s = time_s
        self.auto = True
        """Mine at once whatever is sent."""
        self.away = False
        self.hidden = 0
        """Newest blocks that this node does not know yet."""
        self.base_fee = BASE_FEE
        self.fork = 0
        self.pool: dict[tuple[str, int], Any] = {}
        self.lies: set[str] = set()
        genesis = Block(0, _hash(chain_id, 0), _hash(0), time_s, BASE_FEE)
        self.blocks = [Built(genesis, World({}, dict(balances), {}), [], [], [])]

    # --- misfortunes ---------------------------------------------------------------------

    def mine(self, *, empty: bool = False) -> None:
        """One more block, with what can be paid for, or with nothing."""
        last = self.blocks[-1]
        self.now_s += 12
        self.fork += 1
        number = last.block.number + 1
        name = _hash(self.id, number, last.block.hash, self.fork)
        block = Block(number, name, last.block.hash, self.now_s, self.base_fee)
        built = Built(block, copy.deepcopy(last.world), [], [], [])
        while not empty and (ready := self._ready(built.world)):
            for sent in ready:
                del self.pool[_sender(sent), sent.nonce]
                self._execute(built, sent)
        self.blocks.append(built)

    def forget(self) -> None:
        """Drop whatever waits for a block."""
        self.pool.clear()

    def reorganise(self, depth: int, *, keep: bool) -> None:
        """Take the newest blocks away; their transactions wait again if `keep`, or are gone."""
        depth = min(depth, len(self.blocks) - 1)
        gone = self.blocks[len(self.blocks) - depth :]
        del self.blocks[len(self.blocks) - depth :]
        for sent in [sent for built in gone for sent in built.sent]:
            if keep:
                self.pool.setdefault((_sender(sent), sent.nonce), sent)
        for _ in range(depth):
            self.mine(empty=True)

    def times(self, key: bytes) -> int:
        """How often the chain has this tally: the truth, whatever the node tells."""
        return sum(t.get(key, 0) for t in self.blocks[-1].world.tallies.values())

    # --- ports.Chain ---------------------------------------------------------------------

    async def chain_id(self) -> int:
        self._here()
        return self.id

    async def block(self, number: int | None = None) -> Block | None:
        shown = self._shown()
        if number is None:
            return shown[-1].block
        return shown[number].block if number < len(shown) else None

    async def balance(self, address: str) -> int:
        return self._shown()[-1].world.balances.get(address, 0)

    async def nonce(self, address: str) -> int:
        return self._shown()[-1].world.nonces.get(address, 0) + ("nonce" in self.lies)

    async def code(self, address: str) -> bytes:
        world = self._shown()[-1].world
        return tally_code()[1] if address in world.tallies else b""

    async def call(self, to: str, data: bytes, *, at: int | None = None) -> bytes:
        world = self._shown()[-1 if at is None else at].world
        return self._run(copy.deepcopy(world), to, data)[0]

    async def estimate(self, sender: str, to: str, data: bytes, value: int = 0) -> int:
        world = copy.deepcopy(self._shown()[-1].world)
        if world.balances.get(sender, 0) < value:
            raise ChainFailed("no_funds", "the account has less than it would send")
        self._run(world, to, data)
        return 10**9 if "gas" in self.lies else _gas(to, data)

    async def price(self) -> int:
        self._here()
        return self.base_fee + TIP

    async def send(self, raw: bytes) -> str:
        self._here()
        sent = _decode(raw)
        own = "0x" + sent.hash.hex()
        if await self.mined(own) is None and sent not in self.pool.values():
            self._admit(sent)
            self.pool[_sender(sent), sent.nonce] = sent
            if self.auto:
                self.mine()
        return own

    async def mined(self, transaction: str) -> Mined | None:
        found = [m for b in self._shown() for m in b.mined if m.hash == transaction]
        if found and "block" in self.lies:
            return Mined(**{**_fields(found[0]), "block_hash": _hash(99)})
        return None if not found or "mined" in self.lies else found[0]

    async def logs(
        self, address: str, first: int, last: int, topics: Sequence[str] = ()
    ) -> list[Log]:
        shown = self._shown()[first : last + 1]
        return [
            log
            for built in shown
            for log in built.logs
            if log.address == address and log.topics[: len(topics)] == tuple(topics)
        ]

    async def close(self) -> None:
        self.away = True

    # --- inside --------------------------------------------------------------------------

    def _here(self) -> None:
        if self.away:
            raise ChainFailed("unreachable", "the node does not answer: connect")

    def _shown(self) -> list[Built]:
        self._here()
        return self.blocks[: max(1, len(self.blocks) - self.hidden)]

    def _admit(self, sent: Any) -> None:
        if sent.chain_id != self.id:
            raise ChainFailed("wrong_chain", "signed for another chain")
        world, sender = self.blocks[-1].world, _sender(sent)
        if sent.nonce < world.nonces.get(sender, 0):
            raise ChainFailed("nonce_too_low", "nonce too low")
        if sent.max_fee_per_gas < self.base_fee:
            raise ChainFailed("underpriced", "below the base fee")
        if world.balances.get(sender, 0) < sent.gas * sent.max_fee_per_gas + sent.value:
            raise ChainFailed("no_funds", "insufficient funds")
        old = self.pool.get((sender, sent.nonce))
        if old is not None and sent.max_fee_per_gas * 10 < old.max_fee_per_gas * 11:
            raise ChainFailed("underpriced", "replacement underpriced")

    def _ready(self, world: World) -> list[Any]:
        return [
            sent
            for (sender, nonce), sent in self.pool.items()
            if nonce == world.nonces.get(sender, 0) and sent.max_fee_per_gas >= self.base_fee
        ]

    def _execute(self, built: Built, sent: Any) -> None:
        world, sender, to = built.world, _sender(sent), "0x" + sent.to.hex() if sent.to else ""
        world.nonces[sender] = sent.nonce + 1
        price = min(sent.max_fee_per_gas, self.base_fee + sent.max_priority_fee_per_gas)
        gas, ok, key, created = _gas(to, sent.data), True, b"", ""
        try:
            _, key = self._run(world, to, sent.data)
        except ChainFailed:
            ok = False
        world.balances[sender] -= gas * price + (sent.value if ok else 0)
        if ok and to:
            world.balances[to] = world.balances.get(to, 0) + sent.value
        if not to:
            created = "0x" + keccak(rlp.encode([sent.sender, sent.nonce]))[-20:].hex()
            world.tallies[created] = {}
        block, name = built.block, "0x" + sent.hash.hex()
        built.sent.append(sent)
        built.mined.append(Mined(name, block.number, block.hash, ok, gas, gas * price, created))
        if key:
            topics = (TALLIED, "0x" + key.hex())
            place = len(built.logs)
            built.logs.append(Log(to, topics, b"", block.number, block.hash, name, place))

    def _run(self, world: World, to: str, data: bytes) -> tuple[bytes, bytes]:
        """(what the contract answers, the key that it logged)."""
        if to not in world.tallies:
            return b"", b""
        tally, key = world.tallies[to], data[4:36]
        name = SELECTORS.get(data[:4])
        if name == "tally(bytes32)" and any(key):
            tally[key] = tally.get(key, 0) + 1
            return b"", key
        if name == "count(bytes32)":
            return tally.get(key, 0).to_bytes(32, "big"), b""
        if name == "total()":
            return sum(tally.values()).to_bytes(32, "big"), b""
        raise ChainFailed("reverted", "no key" if name else "reverted")


def _fields(mined: Mined) -> dict[str, Any]:
    return {name: getattr(mined, name) for name in mined.__struct_fields__}


def _gas(to: str, data: bytes) -> int:
    return (21_000 if to else 53_000) + 16 * len(data) + (50_000 if data else 0)


def _decode(raw: bytes) -> Any:
    try:
        return PragueTransactionBuilder.decode(raw)
    except (PyEVMError, rlp.exceptions.RLPException, ValidationError) as error:
        raise ChainFailed("bad_transaction", str(error)) from None


def _sender(sent: Any) -> str:
    return "0x" + sent.sender.hex()


def _hash(*parts: object) -> str:
    return "0x" + keccak(text=repr(parts)).hex()
