"""Bridge: its two sides as two nodes tell them, and whether what is minted is locked.

Rule: state is read at a block that is final under its chain's profile; a log only says the fields
of a transfer, and the hash that the contract keeps of it says whether they are true.
Invariant: with honest validators locked = minted + what is on its way, so minted never exceeds
locked; `Both.standing` says so only of what it has read in an order that cannot deceive.
Worked number: 60 left home and 40 of them arrived: 60 locked, 40 minted, 20 on their way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from eth_utils.crypto import keccak
from msgspec import Struct

from allmende.adapters.chain.institutions import ChainInstitution
from allmende.adapters.chain.profiles import Profile
from allmende.adapters.chain_contracts import Contract
from allmende.custody import NOBODY, Finding
from allmende.ports import Chain, ChainFailed
from allmende.wire.bridging import Side, Transfer, left

FILE = "bridge.json"
"""Its name in a data directory."""
NAMES = ("Bridge", "Credit")
HOME, AWAY = "home", "away"
NONE = "0x" + "00" * 32


class SideRecord(Struct, frozen=True, kw_only=True):
    """One side. `block` is the first that can hold anything of it; `bridge` is "" before that."""

    chain_id: int
    genesis: str
    profile: str
    bridge: str = ""
    token: str = ""
    block: int = 0


class BridgeRecord(Struct, frozen=True, kw_only=True):
    """What was put on which two chains: `bridge.json`. Nothing in it is secret."""

    home: SideRecord
    away: SideRecord
    symbol: str
    """Of the token at home."""
    decimals: int
    code: str
    """SHA-256 of the Bridge's code without immutables."""


class Rules(NamedTuple):
    """As the contract has them. Base units."""

    validators: tuple[str, ...]
    threshold: int
    per_transfer: int
    per_day: int


class SideSeen(Struct, frozen=True, kw_only=True):
    """One side at one block. `outstanding` is locked at home, minted away."""

    name: str
    chain_id: int
    bridge: str
    token: str
    block: int
    time_s: int
    outstanding: int
    departures: int
    out_left: int
    in_left: int
    paused_until: int
    proposed: bool
    holds_from: int
    """Of what is proposed."""
    rules: Rules


class Flying(NamedTuple):
    """What left `source` and was neither paid nor returned there yet."""

    source: str
    transfer: Transfer


class Standing(Struct, frozen=True, kw_only=True):
    """Both sides and what is between them, base units."""

    home: SideSeen
    away: SideSeen
    locked: int
    minted: int
    flying: tuple[Flying, ...]

    @property
    def backed(self) -> bool:
        return self.minted <= self.locked


class End:
    """One side at one node."""

    def __init__(
        self,
        name: str,
        chain: Chain,
        profile: Profile,
        contracts: Mapping[str, Contract],
        record: SideRecord,
    ) -> None:
        self.name = name
        self.chain = chain
        self.profile = profile
        self.record = record
        self.contracts = contracts
        self.bridge = ChainInstitution(chain, contracts["Bridge"], record.bridge)
        self.side = Side(record.chain_id, _raw(record.bridge), _raw(record.token))

    async def newest(self) -> int:
        found = await self.chain.block()
        if found is None:
            raise ChainFailed("lagging", "the node has no blocks")
        return found.number

    async def final(self) -> int:
        return max(0, await self.newest() - self.profile.finality + 1)

    async def time_s(self, at: int) -> int:
        found = await self.chain.block(at)
        if found is None:
            raise ChainFailed("lagging", f"the node does not have block {at} yet")
        return found.time_s

    async def get(self, function: str, at: int | None, *values: Any) -> Any:
        return await self.bridge.get(function, at, *values)

    async def rules(self, at: int | None) -> Rules:
        validators, *numbers = await self.get("the_rules", at)
        return Rules(tuple(validators), *numbers)

    async def look(self, at: int) -> SideSeen:
        time_s = await self.time_s(at)
        return SideSeen(
            name=self.name,
            chain_id=self.record.chain_id,
            bridge=self.record.bridge,
            token=self.record.token,
            block=at,
            time_s=time_s,
            outstanding=await self.get("outstanding", at),
            departures=await self.get("departure_count", at),
            out_left=await self.get("day_left", at, False),
            in_left=await self.get("day_left", at, True),
            paused_until=await self.get("paused_until", at),
            proposed=await self.get("proposed", at) != NONE,
            holds_from=await self.get("holds_from", at),
            rules=await self.rules(at),
        )

    async def transfers(self, at: int) -> dict[int, Transfer]:
        """Everything that ever left here, by its nonce, until block `at`."""
        logs = await self.bridge.logs("Departed", self.record.block, at)
        return {seen.fields["nonce"]: _transfer(seen.fields) for seen in logs}

    async def waits(self, transfer: Transfer, at: int) -> bool:
        """Whether it left here as it is said, and has not come back."""
        kept = await self.get("departures", at, transfer.nonce)
        return bool(kept == "0x" + left(transfer, keccak).hex())

    # --- whether it is what it should be ---------------------------------------------------

    async def findings(self, peer: SideRecord) -> list[Finding]:
        """Of the chain, the code, the token and the other side's address."""
        chain_id, genesis = await self.chain.chain_id(), await self.chain.block(0)
        same = genesis is not None and (chain_id, genesis.hash) == self._chain()
        said = f"{self.name}: the node's chain is {chain_id}, and {'the' if same else 'NOT the'}"
        found = [self._found("chain", same, f"{said} one of the record.")]
        if not same:
            return found
        code = self.contracts["Bridge"].made(await self.chain.code(self.record.bridge))
        words = f"{self.record.bridge} is {'this' if code else 'NOT this'} Bridge, byte for byte."
        found.append(self._found("code", code, f"{self.name}: {words}"))
        if not code:
            return found
        there = (await self.get("peer_chain", None), await self.get("peer", None))
        linked = there == (peer.chain_id, peer.bridge)
        words = f"its other side is {there[1]} on chain {there[0]}"
        found.append(self._found("link", linked, f"{self.name}: {words}."))
        return [*found, await self._token()]

    async def _token(self) -> Finding:
        """Away nobody but the bridge may mint: it created the token, so it owns it alone."""
        same = await self.get("token", None) == self.record.token
        same = same and await self.get("home", None) == (self.name == HOME)
        said = "pays in" if self.name == HOME else "alone mints"
        if self.name == AWAY:
            credit = ChainInstitution(self.chain, self.contracts["Credit"], self.record.token)
            same = same and self.contracts["Credit"].made(await self.chain.code(credit.address))
            same = same and await credit.get("owner", None) == self.record.bridge
            minted = await credit.get("totalSupply", None) if same else 0
            same = same and minted <= await self.get("outstanding", None)
        words = f"{self.name}: it {said if same else 'does NOT ' + said} {self.record.token}."
        return self._found("token", same, words)

    def _chain(self) -> tuple[int, str]:
        return self.record.chain_id, self.record.genesis

    def _found(self, what: str, ok: bool, says: str) -> Finding:
        return Finding(f"{self.name} {what}", ok=bool(ok), says=says)


class Both(NamedTuple):
    """A bridge: two ends."""

    home: End
    away: End

    def end(self, name: str) -> End:
        return self.home if name == HOME else self.away

    def other(self, end: End) -> End:
        return self.away if end is self.home else self.home

    async def findings(self) -> list[Finding]:
        home = await self.home.findings(self.away.record)
        return home + await self.away.findings(self.home.record)

    async def standing(self) -> Standing:
        """Home is read before and after: what was locked meanwhile may have been minted too."""
        before = await self.home.get("outstanding", await self.home.final())
        away = await self.away.look(await self.away.final())
        home = await self.home.look(await self.home.final())
        flying = [
            *await self._flying(self.home, home.block, self.away, away.block),
            *await self._flying(self.away, away.block, self.home, home.block),
        ]
        return Standing(
            home=home,
            away=away,
            locked=max(before, home.outstanding),
            minted=away.outstanding,
            flying=tuple(flying),
        )

    async def _flying(self, source: End, at: int, target: End, upto: int) -> list[Flying]:
        found = []
        for nonce, transfer in sorted((await source.transfers(at)).items()):
            if await source.waits(transfer, at) and not await target.get("arrived", upto, nonce):
                found.append(Flying(source.name, transfer))
        return found


def _transfer(fields: Mapping[str, Any]) -> Transfer:
    return Transfer(
        fields["nonce"],
        _raw(fields["sender"]),
        _raw(fields["to"]),
        fields["amount"],
        fields["deadline"],
    )


def _raw(address: str) -> bytes:
    return bytes.fromhex((address or NOBODY)[2:])
