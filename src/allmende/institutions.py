"""Institutions: the seam to the members' own contracts: shares, stakes, votes, titles, a bridge.

Rule: as in `custody`, state is read at one named block, and what is to be sent is only put into
words; which functions there are, the contract's ABI says.
Invariant: two reads at the same final block agree, whoever asks.
Worked number: `await commons["Stake"].get("power", at, wallet)` is one word of 32 bytes.

Beside `custody`, because a market on a chain needs none of them. Addresses and hashes are
lower-case 0x text, amounts base units, times Unix seconds. Every read may raise
ports.ChainFailed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from msgspec import Struct

from allmende.custody import ContractCall
from allmende.ports import Log

MEMBERS = ("Share", "Stake", "Assembly", "Sale", "Airdrop", "Emission", "Titles")
"""The contracts that there may be, by name."""


class Institutions(Struct, frozen=True, kw_only=True):
    """What was put on which chain: `<data>/institutions.json`."""

    chain_id: int
    genesis: str
    """Hash of block 0: another chain may have the same id."""
    block: int
    """The first one that can hold anything of them."""
    mode: str
    founder: str
    """Whose account put them up. It keeps the roles of the market's daily work and no other."""
    registrar: str
    """Whose key signs credentials, of members and of buyers."""
    guardian: str
    """Who may stop what is wrong, and delay, and nothing else: the deployment's."""
    credit: str
    """The pay unit that they take and give."""
    contracts: dict[str, str]
    """Its name -> where it stands."""
    codes: dict[str, str]
    """Contract -> SHA-256 of its code without immutables: what an audit names."""
    made_at: int


class Seen(NamedTuple):
    """One log of a contract: where it is, and its fields by name."""

    log: Log
    fields: Mapping[str, Any]


class Institution(Protocol):
    """One contract. KeyError for a function that it does not have."""

    name: str
    address: str

    async def get(self, function: str, at: int | None, *values: Any) -> Any:
        """What it answers at block `at`, or now. ChainFailed, "reverted" with its reason."""

    def call(self, function: str, *values: Any) -> ContractCall:
        """As bytes, for a sender or a wallet. OverflowError if a number is none."""

    async def logs(self, event: str, first: int, last: int) -> list[Seen]:
        """In blocks `first` to `last`, both included, in order."""


class Commons(Protocol):
    """The members' contracts of one market."""

    record: Institutions

    def __getitem__(self, name: str) -> Institution:
        """KeyError for one that this market does not have."""

    def __contains__(self, name: str) -> bool: ...
    async def newest_block(self) -> int: ...
    async def final_block(self) -> int:
        """The newest block that is final under the profile."""

    async def time_s(self, at: int) -> int:
        """When that block was made."""
