"""Chain page: what stands on the chain and what it says, for everybody, at /chain and /api/chain.

Rule: page and API show one and the same row of facts; what a node or a record says stays apart
from what was compared, and what was not compared is not called right.
Invariant: nothing here asks for a key, and nothing shown names a member; a node's address, which
may hold a password, is in no fact.
Worked number: a batch of second 1_000 with a window of 20 s is open to challenge for 8 s more at
second 1_012, and due at 1_020.

The composition makes the page with the market and calls `stands` when the contracts do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from msgspec import structs
from starlette.requests import Request
from starlette.responses import Response

from allmende.core.units import PPM, SECOND, Instant
from allmende.custody import Deployment, Finding, OnChainBatch, VaultSeen
from allmende.doors.account import Handler, reply
from allmende.doors.bridge_look import BridgeLook
from allmende.doors.chain_gas import GasOf
from allmende.doors.chain_look import FRESH_S, OWN_S, Look, Readable
from allmende.doors.chain_records import ChainRecords
from allmende.doors.gather import Seen
from allmende.doors.plain import iso
from allmende.doors.verifying import GROUPS, group_of
from allmende.institutions import Institutions
from allmende.ports import Clock

Row = dict[str, Any]


class Alarm(Protocol):
    """See settler_says: `word` is public, `says` may name members and is for operators."""

    @property
    def word(self) -> str: ...
    @property
    def says(self) -> str: ...


class Status(Protocol):
    """`word` says what comes next; pages have a sentence for each, as for each alarm's."""

    @property
    def word(self) -> str: ...
    @property
    def alarms(self) -> Sequence[Alarm]: ...


class Settling(Protocol):
    def status(self) -> Status: ...


class Verified(Protocol):
    """What the last comparison with the record found; see `verifying`."""

    findings: tuple[Finding, ...]
    at: Instant | None
    away: str

    def trouble(self) -> str: ...


class ChainPage:
    """One per market. `profile` is the chain's, "" of a market without one; `lag_s` seconds that
    its newest block may be old, 0 where blocks come only when something is sent; `bridge` leads
    to another chain."""

    def __init__(
        self, clock: Clock, profile: str = "", lag_s: int = 0, bridge: BridgeLook | None = None
    ) -> None:
        self._clock = clock
        self._profile = profile
        self._lag_s = lag_s
        self._custody: Readable | None = None
        self._look: Look | None = None
        self._settler: Settling | None = None
        self._verified: Verified | None = None
        self._gas: GasOf | None = None
        self.records = ChainRecords()
        self.bridge = bridge
        self.lookups: dict[str, tuple[Handler, str]] = {
            "/api/chain": (self.api, "The chain, its contracts and batches, as compared. Public."),
            **self.records.lookups,
        }

    def stands(
        self,
        custody: Readable,
        settler: Settling | None = None,
        verified: Verified | None = None,
        gas: GasOf | None = None,
        institutions: Institutions | None = None,
    ) -> None:
        """The contracts are there; what is left out is not shown."""
        self.records.custody, self.records.institutions = custody, institutions
        fresh_s = FRESH_S if self._lag_s else OWN_S
        self._custody, self._look = custody, Look(custody, self._clock, fresh_s)
        self._settler, self._verified, self._gas = settler, verified, gas

    def trouble(self) -> str:
        """A word for the banner on every page, "" while nothing was found amiss."""
        return self._verified.trouble() if self._verified is not None else ""

    # --- telling -------------------------------------------------------------------------

    async def page(self, seen: Seen) -> Row:
        """Alarms in full for operators only: they may name members."""
        full = seen.viewer is not None and seen.viewer.operates
        return {"chain": await self.facts(), "alarms": self._alarms() if full else []}

    async def api(self, _: Request) -> Response:
        return reply(await self.facts())

    async def facts(self) -> Row:
        """Everything that anybody may know."""
        if not self._profile:
            return {"state": "none"}
        if self._custody is None or self._look is None:
            return {"state": "waiting", "profile": self._profile}
        await self._look.fresh()
        made = self._custody.deployment
        return {
            "state": "stands",
            "profile": made.profile,
            "chain_id": made.chain_id,
            "own_credit": made.own_credit,
            "contracts": self._contracts(made),
            "roles": _roles(made),
            "terms": _terms(made),
            "verified": self._found(),
            "node": self._node(self._look),
            "vault": None if self._look.seen is None else _vault(made, self._look),
            "settler": self._settling(),
            "bridge": None if self.bridge is None else await self.bridge.facts(),
            "gas": await self._paid(self._look),
        }

    # --- parts ---------------------------------------------------------------------------

    def _contracts(self, made: Deployment) -> list[Row]:
        """Each with its audited code and whether it was found there: None if nobody looked."""
        there = [("Vault", made.vault), ("Bond", made.bond), ("Credit", made.credit)]
        codes = made.codes
        if (members := self.records.institutions) is not None:
            there += members.contracts.items()
            codes = {**codes, **members.codes}
        rights = [(f"Rights of {of}", address) for of, address in made.rights.items()]
        found = {one.what: one.ok for one in self._verified.findings} if self._verified else {}
        rows = []
        for what, address in there + rights:
            kind, _, of = what.partition(" of ")
            ours = kind != "Credit" or made.own_credit
            code = codes.get(kind) if ours else None
            same = found.get(what) if ours else None
            rows.append({"kind": kind, "of": of, "address": address, "code": code, "same": same})
        return rows

    def _found(self) -> Row | None:
        verified = self._verified
        if verified is None:
            return None
        groups: dict[str, list[Finding]] = {}
        for one in verified.findings:
            groups.setdefault(group_of(one), []).append(one)
        return {
            "at": None if verified.at is None else iso(verified.at),
            "age_s": 0 if verified.at is None else self._age_s(verified.at),
            "away": verified.away,
            "ok": verified.at is not None and not verified.trouble(),
            "count": len(verified.findings),
            "groups": [_group(name, groups[name]) for name in GROUPS if name in groups],
        }

    def _node(self, look: Look) -> Row:
        """The newest block, how old it is, and whether the node answers."""
        if look.seen is None:
            return {"away": look.away, "block": None}
        age_s = max(0, self._clock.now() // SECOND - look.seen.time_s)
        return {
            "away": look.away,
            "seen_age_s": self._age_s(look.at),
            "block": look.seen.block,
            "age_s": age_s,
            "quiet": self._lag_s == 0,
            "late": 0 < self._lag_s < age_s,
        }

    async def _paid(self, look: Look) -> list[Row]:
        if self._gas is None or look.seen is None:
            return []
        return [one.row() for one in await self._gas(look.seen.final.number)]

    def _settling(self) -> Row | None:
        if self._settler is None:
            return None
        status = self._settler.status()
        words = dict.fromkeys(alarm.word for alarm in status.alarms)
        return {"word": status.word, "alarms": list(words)}

    def _alarms(self) -> list[Row]:
        found = self._settler.status().alarms if self._settler is not None else ()
        return [{"word": alarm.word, "says": alarm.says} for alarm in found]

    def _age_s(self, at: Instant) -> int:
        return max(0, self._clock.now() - at) // SECOND


def _group(name: str, findings: Sequence[Finding]) -> Row:
    """Bad ones first."""
    ranked = sorted(findings, key=lambda one: one.ok)
    return {
        "name": name,
        "ok": all(one.ok for one in findings),
        "bad": sum(not one.ok for one in findings),
        "findings": [structs.asdict(one) for one in ranked],
    }


def _roles(made: Deployment) -> Row:
    names = ("operator", "admin", "guardian", "market_key", "commons")
    return {name: getattr(made, name) for name in names}


def _terms(made: Deployment) -> Row:
    """Windows in seconds, amounts in pay units."""
    money = ("rate_floor", "stake", "penalty")
    told: Row = structs.asdict(made.terms)
    return {**told, **{name: _units(told[name], made.decimals) for name in money}}


def _vault(made: Deployment, look: Look) -> Row:
    """What the vault held at the block of the last look."""
    seen, terms = look.seen, made.terms
    assert seen is not None
    leave = seen.final_at + terms.silence
    return {
        "closed": seen.closed,
        "paused_until": iso(seen.paused_until * SECOND) if seen.paused_until > look.now_s else None,
        "paused_s": max(0, seen.paused_until - look.now_s),
        "listed": seen.listed,
        "backed": _units(seen.backed, made.decimals),
        "day_limit": _units(
            max(terms.rate_floor, seen.backed * terms.rate_ppm // PPM), made.decimals
        ),
        "leave_from": iso(leave * SECOND),
        "leave_s": max(0, leave - look.now_s),
        "voids": seen.voids,
        "withdrawals": seen.withdrawal_count,
        "final": {
            **_batch(seen.final, made.decimals),
            "since": iso(seen.final_at * SECOND),
            "age_s": max(0, look.now_s - seen.final_at),
        }
        if seen.final
        else None,
        "pending": _pending(made, seen, look.now_s) if seen.pending else None,
    }


def _pending(made: Deployment, seen: VaultSeen, now_s: int) -> Row:
    """`phase`: challenged until all is answered, open while anybody may, then due."""
    until = seen.pending.at + made.terms.window
    left_s = max(0, until - now_s)
    phase = "challenged" if seen.open_challenges else "open" if left_s else "due"
    return {
        **_batch(seen.pending, made.decimals),
        "phase": phase,
        "until": iso(until * SECOND),
        "left_s": left_s,
        "challenges": seen.open_challenges,
    }


def _batch(batch: OnChainBatch, decimals: int) -> Row:
    return {
        "number": batch.number,
        "at": iso(batch.at * SECOND),
        "accounts": batch.size,
        "receipts": batch.receipts,
        "total": _units(batch.total, decimals),
        "root": batch.root,
        "receipts_root": batch.receipts_root,
    }


def _units(amount: int, decimals: int) -> str:
    """Base units as decimal text of pay units: 2_500_000 of 6 decimals is "2.5"."""
    whole, part = divmod(amount, 10**decimals)
    text = f"{part:0{decimals}}".rstrip("0") if part else ""
    return f"{whole}.{text}" if text else str(whole)
