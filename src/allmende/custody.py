"""Custody: the seam to the contracts, for whoever settles, deposits, withdraws or looks.

Rule: state is read at one named block and nothing is concluded from an event; what is to be
sent is only put into words here (where to, which bytes), and goes through `ports.Sender`.
Invariant: two reads at the same final block agree, whenever they are made and whoever asks.
Worked number: with 2 accounts and deposits of 5 and 7 in epochs 3 and 4, `flows(a, 2, 4, at)`
of the one that made both is (12, 0).

Beside `ports`, because a market without a chain needs none of it. Addresses and hashes are
lower-case 0x text as there, amounts base units, times Unix seconds. Every read may raise
ports.ChainFailed: "garbled" or "lied" if what stands at an address does not answer as ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from msgspec import Struct

from allmende.wire.merkle_sum import Leaf, Proof
from allmende.wire.voucher import Domain, Permit, Promise

NOBODY = "0x" + "00" * 20
NOTHING = "0x" + "00" * 32


class Terms(Struct, frozen=True):
    """The Vault's, in its own order and words; they never change.

    Seconds: `window` to challenge a batch, `response` to answer, `silence` without a final batch
    until anyone may close, `delay` from asking to taking out, `pause_max` of a pause and
    `pause_gap` to the next. Base units: `rate_floor` that may always leave per day, `stake` of a
    challenge, `penalty` of a voided batch. `rate_ppm` of what is backed may leave per day.
    """

    window: int
    response: int
    silence: int
    delay: int
    rate_ppm: int
    rate_floor: int
    stake: int
    penalty: int
    pause_max: int
    pause_gap: int


class OnChainBatch(Struct, frozen=True):
    """A batch as the Vault holds it; number 0 is none.

    `total` is the sum of balances, `size` counts leaves, `cut` is the last epoch that it covers.
    """

    number: int
    root: str
    total: int
    size: int
    cut: int
    receipts_root: str
    receipts: int
    at: int
    operator: str

    def __bool__(self) -> bool:
        return self.number != 0


class VaultSeen(Struct, frozen=True):
    """Everything of the Vault at one block that a settler decides from.

    `time_s` is that block's; `now_s` is what the next one will have at least: the clock's where
    blocks come only when wanted. `epoch` is open, flows go there. `cover` is the most that the
    next batch's total may be; three `voids` without a final batch between them close the market.
    """

    block: int
    block_hash: str
    time_s: int
    now_s: int
    epoch: int
    listed: bool
    closed: bool
    paused_until: int
    backed: int
    reserved: int
    cover: int
    final: OnChainBatch
    pending: OnChainBatch
    final_at: int
    batch_count: int
    voids: int
    challenge_count: int
    open_challenges: int
    withdrawal_count: int


class Challenge(Struct, frozen=True):
    """`account` has a leaf of at least `least`; a `receipt` other than NOTHING is shown too."""

    id: int
    batch: int
    challenger: str
    account: str
    least: int
    receipt: str
    deadline: int


class Withdrawal(Struct, frozen=True):
    """`amount` is still to pay; `room` could be asked for and the final leaf said `spent` then."""

    id: int
    account: str
    amount: int
    epoch: int
    at: int
    room: int
    spent: int


class Redemption(Struct, frozen=True):
    """Rights that a wallet gave back, to be credited to an account of the desk."""

    instrument: str
    holder: str
    account: str
    """Hash of the account's name at the desk, as the holder gave it."""
    grains: int
    transaction: str
    block: int
    block_hash: str
    index: int
    """Of the log in its block: with the block's hash it names this redemption for good."""


class BondTerms(Struct, frozen=True):
    """The Bond's, seconds; see contracts/Bond.vy."""

    audit: int
    dispute: int
    judging: int
    unbonding: int


class Deployment(Struct, frozen=True, kw_only=True):
    """What was put on which chain, with whom in which role: `<data>/deployment.json`.

    `admin` deployed it and grants the roles; `decimals` are the pay unit's; `grace` is seconds in
    which vouchers of an expired permit may be shown.
    """

    profile: str
    chain_id: int
    genesis: str
    """Hash of block 0: another chain may have the same id."""
    block: int
    """The first one that can hold anything of ours."""
    admin: str
    operator: str
    market_key: str
    guardian: str
    commons: str
    credit: str
    bond: str
    vault: str
    rights: dict[str, str]  # the desk's instrument -> its contract
    own_credit: bool  # False if the pay unit is an ERC-20 that was there before
    decimals: int
    terms: Terms
    bond_terms: BondTerms
    grace: int
    codes: dict[str, str]
    """Contract -> SHA-256 of its code without immutables: what an audit names."""
    source_hash: str
    made_at: int


class Finding(Struct, frozen=True):
    """One thing that was compared with the chain. `says` is a sentence for a person."""

    what: str
    ok: bool
    says: str


class ContractCall(NamedTuple):
    """For ports.Wanted, or for a wallet: `to` an address, with these bytes."""

    to: str
    data: bytes


class Calls(Protocol):
    """What can be asked of the contracts, as bytes. Pure; OverflowError if a number is none.

    `ask`, `exit`, `approve`, `transfer`, `redeem` and `collect` act for whoever sends them.
    """

    def cut(self) -> ContractCall: ...
    def submit(
        self, root: str, total: int, size: int, receipts_root: str, receipts: int
    ) -> ContractCall: ...
    def contest(self, id_: int) -> ContractCall: ...
    def mint_right(self, instrument: str, holder: str, grains: int, reference: str) -> ContractCall:
        """A reference mints once."""

    def finalise(self) -> ContractCall: ...
    def pay(self, id_: int) -> ContractCall: ...
    def answer(self, id_: int, leaf: Leaf, proof: Proof) -> ContractCall: ...
    def answer_earnings(
        self,
        id_: int,
        leaf: Leaf,
        proof: Proof,
        batch: int,
        receipts_root: str,
        receipts: int,
        index: int,
        path: Sequence[bytes],
    ) -> ContractCall: ...
    def acknowledge(
        self, permit: Permit, permit_signature: bytes, amount: int, signature: bytes
    ) -> ContractCall: ...
    def settle(self, leaf: Leaf, proof: Proof) -> ContractCall: ...
    def deposit(self, account: str, amount: int) -> ContractCall: ...
    def challenge_leaf(self, leaf: Leaf, proof: Proof) -> ContractCall: ...
    def challenge_earnings(self, promise: Promise, signature: bytes) -> ContractCall: ...
    def void(self, id_: int) -> ContractCall: ...
    def reclaim(self, id_: int) -> ContractCall: ...
    def collect(self) -> ContractCall: ...
    def close(self) -> ContractCall: ...
    def ask(self, leaf: Leaf, proof: Proof, amount: int) -> ContractCall: ...
    def exit(self, leaf: Leaf, proof: Proof) -> ContractCall: ...
    def approve(self, spender: str, amount: int) -> ContractCall: ...
    def transfer(self, to: str, amount: int) -> ContractCall: ...
    def redeem(self, instrument: str, grains: int, account: str) -> ContractCall: ...
    def bond_for(self, account: str, amount: int) -> ContractCall: ...
    def list_token(self) -> ContractCall: ...
    def pause(self) -> ContractCall: ...
    def grant(self, contract: str, role: str, to: str) -> ContractCall:
        """`contract` is the address of vault or bond, `role` a word such as MARKET."""

    def revoke(self, contract: str, role: str, of: str) -> ContractCall: ...
    def mint_credit(self, to: str, amount: int) -> ContractCall: ...


class Custody(Calls, Protocol):
    """The contracts of one deployment. `at` is a block number; see `final_block`.

    KeyError, here and above, for an instrument that has no contract.
    """

    deployment: Deployment
    domain: Domain

    def add_rights(self, instrument: str, address: str) -> None:
        """From now on this instrument's contract is known here."""

    async def newest_block(self) -> int: ...
    async def final_block(self) -> int:
        """The newest block that is final under the profile."""

    async def look(self, at: int) -> VaultSeen: ...
    async def flows(self, account: str, after: int, until: int, at: int) -> tuple[int, int]:
        """(deposited, asked for) in the epochs above `after` up to `until`."""

    async def deposited(self, account: str, at: int) -> int: ...
    async def requested(self, account: str, at: int) -> int: ...
    async def accounts(self, first: int, last: int) -> set[str]:
        """Whoever was deposited for, or asked to take out, in these blocks."""

    async def challenge(self, id_: int, at: int) -> Challenge | None:
        """None if there is none, or it is answered, voided or reclaimed."""

    async def withdrawal(self, id_: int, at: int) -> Withdrawal | None: ...
    async def signed(self, account: str, at: int) -> int: ...
    async def lane(self, account: str, lane: int, at: int) -> int: ...
    async def settled(self, account: str, at: int) -> int: ...
    async def receipts_of(self, batch: int, at: int) -> str:
        """Of a final batch: keccak(receipts' root, number of receipts); else NOTHING."""

    async def owed(self, account: str, at: int) -> int:
        """Stakes and rewards to collect."""

    async def exited(self, account: str, at: int) -> tuple[bool, bool]:
        """Whether its leaf and its later deposits were paid out after the end."""

    async def credit_balance(self, address: str, at: int) -> int: ...
    async def allowance(self, owner: str, spender: str, at: int) -> int: ...
    async def bonded(self, address: str, at: int) -> int: ...
    async def secures(self, address: str, at: int) -> int:
        """Of its bond, what is not leaving."""

    async def redemptions(self, instrument: str, first: int, last: int) -> list[Redemption]: ...
    async def supply(self, instrument: str, at: int) -> int: ...
    async def right_balance(self, instrument: str, holder: str, at: int) -> int: ...
    async def minted(self, instrument: str, reference: str, at: int) -> bool: ...
