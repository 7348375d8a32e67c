"""What a page of the chain is given, without a chain: a vault to look at, a settler, findings.

page = ChainPage(clock, "embedded")
page.stands(FakeVault(), FakeSettler(), verifying)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from msgspec import structs

from allmende.custody import (
    NOTHING,
    BondTerms,
    Deployment,
    Finding,
    OnChainBatch,
    Terms,
    VaultSeen,
)
from allmende.doors.settler_says import Alarm, Status
from allmende.ports import ChainFailed

NOW_S = 1_796_000_000
UNIT = 10**6
HOUR, DAY = 3_600, 86_400
HASHES = {name: f"{i:02x}" * 32 for i, name in enumerate(("Credit", "Bond", "Vault", "Rights"), 17)}


def address(number: int) -> str:
    return "0x" + f"{number:02x}" * 20


def deployment(**other: Any) -> Deployment:
    """On Ethereum's terms, six decimals."""
    fields: dict[str, Any] = {
        "profile": "embedded",
        "chain_id": 7_700_123,
        "genesis": "0x" + "ab" * 32,
        "block": 3,
        "admin": address(1),
        "operator": address(2),
        "market_key": address(3),
        "guardian": address(4),
        "commons": address(5),
        "credit": address(0xC1),
        "bond": address(0xB0),
        "vault": address(0xFA),
        "rights": {"pears": address(0xA1)},
        "own_credit": True,
        "decimals": 6,
        "terms": Terms(
            *(DAY, 12 * HOUR, 7 * DAY, DAY, 250_000),
            *(10_000 * UNIT, 100 * UNIT, 2_000 * UNIT, DAY, 7 * DAY),
        ),
        "bond_terms": BondTerms(7 * DAY, 3 * DAY, 14 * DAY, 28 * DAY),
        "grace": 14 * DAY,
        "codes": HASHES,
        "source_hash": "cd" * 32,
        "made_at": NOW_S - 40 * DAY,
    }
    return Deployment(**{**fields, **other})


def batch(number: int, at: int, total: int = 123_456_789_000) -> OnChainBatch:
    root = "0x" + f"{number:02x}" * 32
    return OnChainBatch(number, root, total, 1_204, 40, NOTHING[:-2] + "01", 10_000, at, address(2))


NONE = OnChainBatch(0, NOTHING, 0, 0, 0, NOTHING, 0, 0, "0x" + "00" * 20)


def vault(**other: Any) -> VaultSeen:
    """Batch 41 is final, 42 pending for 20 hours and 40 minutes."""
    fields: dict[str, Any] = {
        "block": 81_234,
        "block_hash": "0x" + "ef" * 32,
        "time_s": NOW_S - 180,
        "now_s": NOW_S,
        "epoch": 43,
        "listed": True,
        "closed": False,
        "paused_until": 0,
        "backed": 200_000 * UNIT,
        "reserved": 0,
        "cover": 200_000 * UNIT,
        "final": batch(41, NOW_S - 2 * DAY),
        "pending": batch(42, NOW_S - DAY + 20 * HOUR + 2_400),
        "final_at": NOW_S - DAY - 7_200,
        "batch_count": 42,
        "voids": 0,
        "challenge_count": 0,
        "open_challenges": 0,
        "withdrawal_count": 3,
    }
    return VaultSeen(**{**fields, **other})


@dataclass
class FakeVault:
    """chain_look.Readable. `away` is the cause with which it fails."""

    deployment: Deployment = field(default_factory=deployment)
    seen: VaultSeen = field(default_factory=vault)
    away: str = ""
    looks: int = 0

    async def newest_block(self) -> int:
        self.looks += 1
        if self.away:
            raise ChainFailed(self.away, "https://user:password@node.example")
        return self.seen.block

    async def look(self, at: int) -> VaultSeen:
        return structs.replace(self.seen, block=at)


@dataclass
class FakeSettler:
    word: str = "window"
    alarms: tuple[Alarm, ...] = ()

    def status(self) -> Status:
        return Status(vault=address(0xFA), word=self.word, alarms=self.alarms)


@dataclass
class FakeChecks:
    """verifying.Verify: what `allmende chain verify` would find."""

    found: list[Finding]
    away: str = ""

    async def __call__(self) -> list[Finding]:
        if self.away:
            raise ChainFailed(self.away, "https://user:password@node.example")
        return self.found


def findings(*bad: str) -> list[Finding]:
    """All of them good but these."""
    whats = (
        *("chain id", "first block", "Bond", "Vault", "Credit", "Rights of pears"),
        *("term window", "term silence", "Vault.token", "Vault role OPERATOR"),
        *("Credit owner", "Rights of pears minters", "token listed", "bond"),
    )
    return [
        Finding(what, ok=what not in bad, says=f"{what}: the chain says <{what}>.")
        for what in whats
    ]
