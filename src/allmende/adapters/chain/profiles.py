"""Profiles: what differs from chain to chain, as dated data.

Rule: the submitter knows no chain by name; all it needs to know about one stands in a row.
Invariant: a row says where its numbers are from and when they were read; a number that the
operator of a chain chooses (its id, say) is None or a lower bound here, never a guess.
Worked number: on Ethereum a batch is final 64 blocks deep, after 13 minutes.

Finality counts blocks from the one that holds a transaction, itself included: 1 means as soon
as it is mined. The bump is what nodes ask of a replacement (geth and Besu 10 %, others 12.5 %),
rounded up once more.
"""

from __future__ import annotations

from msgspec import Struct

GWEI = 10**9


class Profile(Struct, frozen=True, kw_only=True):
    name: str
    says: str
    chain_id: int | None
    """None: whoever runs the chain chose it; the outbox remembers which it was."""
    finality: int
    """Blocks, the one with the transaction included."""
    block_ms: int
    """From block to block; 0 where blocks come only with transactions."""
    fees: str
    """"eip1559" or "legacy"."""
    bump_percent: int
    tip_min: int
    """Wei per gas, above the base fee."""
    fee_max: int
    """Wei per gas that is never exceeded, whatever a node suggests."""
    patience_s: int
    """Seconds that a transaction may wait in front of the line before more is offered."""
    lag_s: int
    """Seconds that the newest block may be old; 0 where blocks come only when wanted."""
    source: str
    read: str
    """When, as year-month."""

    @property
    def settle_s(self) -> int:
        """Seconds until what the chain says now can be taken for final."""
        return self.patience_s + self.finality * self.block_ms // 1_000


EMBEDDED = Profile(
    name="embedded",
    says="py-evm beside the market: what is in a block is in our own file.",
    chain_id=None,
    finality=1,
    block_ms=0,
    fees="eip1559",
    bump_percent=10,
    tip_min=10**6,
    fee_max=1_000 * GWEI,
    patience_s=5,
    lag_s=0,
    source="allmende.adapters.chain.evm and .pool",
    read="2026-11",
)
ANVIL = Profile(
    name="anvil",
    says="Foundry's node for development; it loses what follows its last dump.",
    chain_id=31_337,
    finality=1,
    block_ms=0,
    fees="eip1559",
    bump_percent=10,
    tip_min=1,
    fee_max=1_000 * GWEI,
    patience_s=5,
    lag_s=0,
    source="anvil 1.7.1 --help: --chain-id, --block-time",
    read="2026-11",
)
ETHEREUM = Profile(
    name="ethereum",
    says="Ethereum: final after two epochs of 32 slots of 12 s, some 12.8 minutes.",
    chain_id=1,
    finality=64,
    block_ms=12_000,
    fees="eip1559",
    bump_percent=13,
    tip_min=GWEI // 100,
    fee_max=300 * GWEI,
    patience_s=60,
    lag_s=180,
    source="consensus-specs phase0: SLOTS_PER_EPOCH 32, SECONDS_PER_SLOT 12, two epochs to "
    "finality; go-ethereum --txpool.pricebump 10; others ask 12.5 (ethereum/web3.py #1570)",
    read="2026-11",
)
BNB = Profile(
    name="bnb",
    says="BNB Smart Chain: final in some 2 s by votes; should votes fail, after the turns of two "
    "thirds of 21 validators, 16 blocks each. We wait for that, 108 s.",
    chain_id=56,
    finality=240,
    block_ms=450,
    fees="legacy",
    bump_percent=13,
    tip_min=GWEI // 20,
    fee_max=20 * GWEI,
    patience_s=15,
    lag_s=60,
    source="docs.bnbchain.org/llms.txt: blocks of 0.45 s since Fermi; BEP-126 fast finality; "
    "turns of 16 blocks; BEP-222: base fee 0; bsc-dataseed suggested 0.05 gwei on 2026-09-26",
    read="2026-11",
)
BASE = Profile(
    name="base",
    says="Base, an OP Stack rollup: final when the Ethereum block with its data is, 20 to 30 "
    "minutes; the depth is 30 minutes of blocks.",
    chain_id=8_453,
    finality=900,
    block_ms=2_000,
    fees="eip1559",
    bump_percent=13,
    tip_min=10**6,
    fee_max=20 * GWEI,
    patience_s=20,
    lag_s=60,
    source="base/docs transaction-finality and block-building (2 s); ethereum-optimism/docs "
    "transaction-finality: 20-30 minutes",
    read="2026-11",
)
CONSORTIUM = Profile(
    name="consortium",
    says="A chain of known validators with QBFT (Besu): final when mined, gas may be free.",
    chain_id=None,
    finality=1,
    block_ms=5_000,
    fees="legacy",
    bump_percent=13,
    tip_min=0,
    fee_max=100 * GWEI,
    patience_s=30,
    lag_s=120,
    source="besu.hyperledger.org private networks: QBFT has immediate finality, free gas "
    "networks; the block time is its operators' choice, this is an upper bound",
    read="2026-11",
)
PROFILES = {p.name: p for p in (EMBEDDED, ANVIL, ETHEREUM, BNB, BASE, CONSORTIUM)}
