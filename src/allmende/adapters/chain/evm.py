"""EVM: a chain of our own in one SQLite file, without a network and without a miner.

Rule: whoever sends a transaction makes the block that holds it; a transaction whose turn has
not come waits in the file too.
Invariant: one SQLite transaction holds a block and everything that it changed, so after any
crash the chain is as it was before the block or after it, and what `send` returned is kept.
Worked number: a transfer takes 7 ms and one fdatasync; reopening takes 5 ms at any length.

The rules are Prague's: py-evm 0.12.1b1 knows none newer (Osaka is absent). Calls and estimates
that name no block see the one that comes next, with the time of now: between two transactions
no block appears here, and the newest one's time may be hours ago.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from eth.abc import BlockAPI, BlockHeaderAPI, SignedTransactionAPI
from eth.chains.base import MiningChain
from eth.db.atomic import AtomicDB
from eth.exceptions import HeaderNotFound, PyEVMError, Revert, TransactionNotFound
from eth.vm.chain_context import ChainContext
from eth.vm.forks.prague import PragueVM
from eth.vm.spoof import SpoofTransaction
from eth_typing import Address, BlockNumber, Hash32
from eth_utils.exceptions import ValidationError
from msgspec import Struct
from rlp.exceptions import RLPException

from allmende.adapters.chain.pool import Pool
from allmende.adapters.chain.store import SqliteDB, fact, open_file
from allmende.adapters.chain.words import reason
from allmende.adapters.whole import whole
from allmende.ports import ChainFailed

BLOCK_GAS = 30_000_000
CALL_GAS = 15_000_000
"""Most gas that a call or an estimate may burn: some seconds of one core."""
FIRST_BASE_FEE = 10**9
_UNREADABLE = (PyEVMError, RLPException, ValidationError, ValueError, TypeError, IndexError)
"""What py-evm raises over bytes that are no transaction."""


class Genesis(Struct, frozen=True):
    """What a new chain begins with. `time_s` is its birth, `balances` are wei by address."""

    chain_id: int | None
    """None: one that nobody else has, so that no signature is valid on another market's chain;
    of a chain that is there already, its own."""
    balances: Mapping[str, int]
    time_s: int


class _OurVM(PragueVM):
    """Prague with a block that stays as large as it is."""

    @classmethod
    def create_header_from_parent(  # type: ignore[override]  # a staticmethod there
        cls, parent_header: BlockHeaderAPI, **params: Any
    ) -> BlockHeaderAPI:
        params["gas_limit"] = BLOCK_GAS
        made: BlockHeaderAPI = PragueVM.create_header_from_parent(parent_header, **params)
        return made


class Evm:
    """The chain. Use it from one thread at a time; hashes and addresses are raw bytes."""

    def __init__(self, path: Path, genesis: Genesis, now_s: Callable[[], int]) -> None:
        """Open, or begin with `genesis`. ChainFailed("wrong_chain"), or "busy" if another did."""
        self._now_s = now_s
        self._db = open_file(path)
        self._pool = Pool(self._db)
        stored = fact(self._db, "chain_id")
        self.chain_id = int(stored) if stored else (genesis.chain_id or _fresh_id())
        if genesis.chain_id not in (None, self.chain_id):
            self._db.close()
            raise ChainFailed("wrong_chain", f"{path.name} is chain {stored}")
        self._class = MiningChain.configure(
            "Embedded", vm_configuration=((BlockNumber(0), _OurVM),), chain_id=self.chain_id
        )
        if stored is None:
            with whole(self._db):
                self._begin(genesis)
        self._reload()
        self._mine_ready()

    def close(self) -> None:
        self._db.close()

    # --- what is there -------------------------------------------------------------------

    def head(self) -> BlockHeaderAPI:
        return self._chain.get_canonical_head()

    def header(self, number: int) -> BlockHeaderAPI | None:
        try:
            return self._chain.get_canonical_block_header_by_number(BlockNumber(number))
        except HeaderNotFound:
            return None

    def header_by_hash(self, hash_: bytes) -> BlockHeaderAPI | None:
        try:
            return self._chain.get_block_header_by_hash(Hash32(hash_))
        except HeaderNotFound:
            return None

    def block(self, header: BlockHeaderAPI) -> BlockAPI:
        return self._chain.get_block_by_header(header)

    def block_receipts(self, block: BlockAPI) -> tuple[Any, ...]:
        return tuple(block.get_receipts(self._chain.chaindb))

    def place(self, hash_: bytes) -> tuple[int, int] | None:
        """(block number, index in it) of a transaction."""
        try:
            number, index = self._chain.get_canonical_transaction_index(Hash32(hash_))
        except TransactionNotFound:
            return None
        return int(number), index

    def state(self, header: BlockHeaderAPI) -> Any:
        """Accounts as they were after this block; see eth.abc.StateAPI."""
        return self._chain.get_vm(header).state

    def next_header(self) -> BlockHeaderAPI:
        """The block that would be made now."""
        head = self.head()
        time_s = max(self._now_s(), head.timestamp + 1)
        return _OurVM.create_header_from_parent(head, timestamp=time_s)

    def waiting(self, sender: bytes) -> list[int]:
        """Nonces of an account's transactions whose turn has not come."""
        return self._pool.nonces(sender)

    def pooled(self, hash_: bytes) -> SignedTransactionAPI | None:
        raw = self._pool.find(hash_)
        return None if raw is None else self._decode(raw)

    # --- asking contracts ----------------------------------------------------------------

    def call(self, header: BlockHeaderAPI, fields: Mapping[str, Any]) -> bytes:
        """The answer at `header`. ChainFailed("reverted")."""
        return bytes(self._run(header, fields, fields["gas"])[0])

    def estimate(self, fields: Mapping[str, Any]) -> int:
        """Gas that suffices now, at most some percent too much. ChainFailed("reverted")."""
        header = self.next_header()
        _, used = self._run(header, fields, fields["gas"])
        for gas in (used, used * 64 // 63 + 2_300, used * 3 // 2, used * 3):
            with contextlib.suppress(ChainFailed):  # too little: the next one is more
                self._run(header, fields, min(gas, fields["gas"]))
                return int(min(gas, fields["gas"]))
        return int(fields["gas"])

    def _run(
        self, header: BlockHeaderAPI, fields: Mapping[str, Any], gas: int
    ) -> tuple[bytes, int]:
        """(output, gas used before refunds) of a transaction that leaves no trace."""
        vm = self._chain.get_vm(header)
        free = header.copy(base_fee_per_gas=0)
        # not vm.in_costless_state(): that answers as of one block later than it was asked
        context, hashes = ChainContext(self.chain_id), vm.previous_hashes or ()
        state = vm.build_state(self._chain.chaindb.db, free, context, hashes)
        before = state.snapshot()
        try:
            sender = Address(fields["sender"])
            unsigned = vm.create_unsigned_transaction(
                nonce=state.get_nonce(sender),
                gas_price=0,
                gas=gas,
                to=Address(fields["to"]),
                value=fields["value"],
                data=fields["data"],
            )
            spoof = SpoofTransaction(unsigned, from_=sender)
            done = state.costless_execute_transaction(spoof)  # type: ignore[arg-type]
        except ValidationError as error:
            raise _said(error) from None
        finally:
            state.revert(before)
        if done.is_error:
            raise _reverted(done.error, done.output)
        used = gas - done.get_gas_remaining()
        return done.output, max(used, 21_000 + 10 * _tokens(fields["data"]))

    # --- changing it ---------------------------------------------------------------------

    def send(self, raw: bytes) -> bytes:
        """Take a signed transaction, mine whatever can be: its hash. ChainFailed."""
        transaction = self._decode(raw)
        known = self.place(transaction.hash) or self.pooled(transaction.hash)
        if not known:
            self._admit(transaction)
            held = self._pool.held(transaction.sender, transaction.nonce)
            waits = transaction.nonce > self.state(self.head()).get_nonce(transaction.sender)
            self._pool.put(transaction, raw, self._decode(held) if held else None, waits=waits)
            self._mine_ready()
        return bytes(transaction.hash)

    def _decode(self, raw: bytes) -> SignedTransactionAPI:
        try:
            transaction = self._chain.get_vm().get_transaction_builder().decode(raw)
            transaction.check_signature_validity()
            bytes(transaction.sender)
        except _UNREADABLE as e:
            raise ChainFailed("bad_transaction", f"not a signed transaction: {e}") from None
        if transaction.chain_id != self.chain_id:
            raise ChainFailed(
                "wrong_chain", f"signed for chain {transaction.chain_id}, this is {self.chain_id}"
            )
        return transaction

    def _admit(self, transaction: SignedTransactionAPI) -> None:
        state, sender = self.state(self.head()), transaction.sender
        nonce = state.get_nonce(sender)
        if transaction.nonce < nonce:
            raise ChainFailed("nonce_too_low", f"next is {nonce}, this has {transaction.nonce}")
        if transaction.gas > BLOCK_GAS or transaction.gas < transaction.intrinsic_gas:
            raise ChainFailed("bad_transaction", f"a gas limit of {transaction.gas} cannot work")
        if transaction.max_fee_per_gas < (self.next_header().base_fee_per_gas or 0):
            raise ChainFailed("underpriced", "the fee is below the base fee")
        cost = transaction.gas * transaction.max_fee_per_gas + transaction.value
        if state.get_balance(sender) < cost:
            raise ChainFailed(
                "no_funds", f"it may cost {cost} wei, the account has {state.get_balance(sender)}"
            )

    def _mine_ready(self) -> None:
        """Blocks until nobody's next transaction waits; what turned invalid goes."""
        while ready := self._ready():
            for transaction in ready:
                self._mine(transaction)

    def _ready(self) -> list[SignedTransactionAPI]:
        state, base_fee = self.state(self.head()), self.next_header().base_fee_per_gas or 0
        first = [self._decode(raw) for _, raw in self._pool.first()]
        nonce = {t.sender: state.get_nonce(t.sender) for t in first}
        return [t for t in first if t.nonce <= nonce[t.sender] and t.max_fee_per_gas >= base_fee]

    def _mine(self, transaction: SignedTransactionAPI) -> None:
        """One block with one transaction. One that can never be mined is gone, as elsewhere."""
        try:
            with whole(self._db):
                self._pool.drop(transaction.hash)
                self._chain.header = self.next_header()
                self._chain.mine_all([transaction])
        except ValidationError:
            self._reload()
            self._pool.drop(transaction.hash)
        except BaseException:
            self._reload()
            raise

    # --- the file ------------------------------------------------------------------------

    def _reload(self) -> None:
        self._chain = self._class(AtomicDB(SqliteDB(self._db)))

    def _begin(self, genesis: Genesis) -> None:
        first = {
            "difficulty": 0,
            "gas_limit": BLOCK_GAS,
            "timestamp": genesis.time_s,
            "base_fee_per_gas": FIRST_BASE_FEE,
        }
        accounts: dict[Any, Any] = {
            bytes.fromhex(address[2:]): {"balance": wei, "nonce": 0, "code": b"", "storage": {}}
            for address, wei in genesis.balances.items()
        }
        self._class.from_genesis(AtomicDB(SqliteDB(self._db)), first, accounts)  # type: ignore[arg-type]
        self._db.execute("INSERT INTO meta VALUES ('chain_id', ?)", (str(self.chain_id),))


def _fresh_id() -> int:
    """Far above all that are registered, and below what wallets can take (2**52)."""
    return 10**12 + secrets.randbelow(10**12)


def _tokens(data: bytes) -> int:
    """EIP-7623: a zero byte is one token of call data, another one four."""
    return 4 * len(data) - 3 * data.count(0)


def _reverted(error: Exception, output: bytes) -> ChainFailed:
    if isinstance(error, Revert):
        return ChainFailed("reverted", reason(output) or "execution reverted", bytes(output))
    return ChainFailed("reverted", type(error).__name__)


def _said(error: Exception) -> ChainFailed:
    text = str(error)
    return ChainFailed("no_funds" if "balance" in text.lower() else "bad_params", text)
