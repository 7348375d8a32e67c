"""Bridge told: what anybody may know of the bridge that stands on a market's chain.

Rule: this market's side is read through its own chain, the other one through the node that the
setting `bridge_node` names; what was not read is not said.
Invariant: nothing is called right that was not compared, and no node's address is told.
Worked number: with 2 of 3 validators the page says that any 2 can take whatever is locked.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

from allmende.adapters import chain_contracts
from allmende.adapters.chain.bridge import (
    AWAY,
    FILE,
    HOME,
    NAMES,
    Both,
    BridgeRecord,
    End,
    SideRecord,
    SideSeen,
)
from allmende.adapters.chain.ensure import CACHE
from allmende.adapters.chain.leaving import profile_of
from allmende.adapters.chain.profiles import PROFILES
from allmende.adapters.chain.record import recall_record
from allmende.adapters.chain.rpc import chain_at
from allmende.custody import Finding
from allmende.ports import Chain, Upstream

Row: TypeAlias = dict[str, Any]


class BridgeTold:
    """Of one data directory. `chain` is the market's; `node` an address, or ""."""

    def __init__(self, chain: Chain, folder: Path, node: str, upstream: Upstream) -> None:
        self._chain = chain
        self._folder = folder
        self._other = chain_at(upstream, node, private=True) if node else None

    async def facts(self) -> Row | None:
        """None without a bridge of this chain. ChainFailed; RuntimeError if nothing compiles."""
        record = recall_record(self._folder / FILE, BridgeRecord)
        if record is None or not (record.home.bridge and record.away.bridge):
            return None
        contracts = await chain_contracts.load_all(self._folder / CACHE, NAMES)
        here, genesis = await self._chain.chain_id(), await self._chain.block(0)
        ends, ours = {}, ""
        for name, side in ((HOME, record.home), (AWAY, record.away)):
            own = genesis is not None and (here, genesis.hash) == (side.chain_id, side.genesis)
            ours = name if own else ours
            chain = self._chain if own else self._other
            if chain is not None:
                profile = profile_of(side.chain_id, _known(side))
                ends[name] = End(name, chain, profile, contracts, side)
        if not ours:
            return None
        whole = len(ends) == 2
        told = await self._both(record, ends) if whole else await self._one(record, ends[ours])
        return {**told, "whole": whole, "ours": ours, "symbol": record.symbol}

    async def _both(self, record: BridgeRecord, ends: dict[str, End]) -> Row:
        both = Both(ends[HOME], ends[AWAY])
        found = await both.findings()
        if not all(one.ok for one in found):
            return {"sides": [], **_found(found)}
        seen = await both.standing()
        text = _texts(record)
        return {
            **_found(found),
            "ok": seen.backed,
            "locked": text(seen.locked),
            "minted": text(seen.minted),
            "flying": text(sum(one.transfer.amount for one in seen.flying)),
            "sides": [_side(side, text) for side in (seen.home, seen.away)],
        }

    async def _one(self, record: BridgeRecord, end: End) -> Row:
        """Without the other chain's node neither a difference nor a link can be seen."""
        found = await end.findings(record.away if end.name == HOME else record.home)
        if not all(one.ok for one in found):
            return {"sides": [], **_found(found)}
        seen, text = await end.look(await end.final()), _texts(record)
        name = "locked" if end.name == HOME else "minted"
        return {**_found(found), name: text(seen.outstanding), "sides": [_side(seen, text)]}


def _known(side: SideRecord) -> str:
    return side.profile if side.profile in PROFILES else ""


def _found(found: list[Finding]) -> Row:
    """What did not fit, in words."""
    return {
        "ok": all(one.ok for one in found),
        "compared": len(found),
        "bad": [one.says for one in found if not one.ok],
        "locked": None,
        "minted": None,
        "flying": None,
    }


def _texts(record: BridgeRecord) -> Any:
    """Base units as decimal text of whole ones."""

    def text(amount: int) -> str:
        whole, part = divmod(amount, 10**record.decimals)
        digits = f"{part:0{record.decimals}}".rstrip("0") if part else ""
        return f"{whole}.{digits}" if digits else str(whole)

    return text


def _side(seen: SideSeen, text: Any) -> Row:
    return {
        "name": seen.name,
        "chain_id": seen.chain_id,
        "bridge": seen.bridge,
        "token": seen.token,
        "validators": list(seen.rules.validators),
        "threshold": seen.rules.threshold,
        "per_transfer": text(seen.rules.per_transfer),
        "per_day": text(seen.rules.per_day),
        "out_left": text(seen.out_left),
        "in_left": text(seen.in_left),
        "paused_s": max(0, seen.paused_until - seen.time_s),
        "proposed_s": max(1, seen.holds_from - seen.time_s) if seen.proposed else 0,
    }
