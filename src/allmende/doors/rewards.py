"""Rewards door: an epoch's public facts, the list that follows from them, and what the chain has.

Rule: facts are told when their epoch is over, to anybody; an operator has the market publish the
list that follows from its own journal under the emission's own rule, and no other.
Invariant: what is published is what `allmende rewards compute` finds in the facts told here.
Worked number: an epoch of 10_000 receipts is worked out in a process of its own in about 1 s, once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from allmende.core.commands import Tick
from allmende.core.refusals import Refused, Why
from allmende.core.rewards import Rule, epoch_at, pool_of, span
from allmende.core.units import SECOND
from allmende.desk import Desk
from allmende.doors import emission as chain
from allmende.doors.account import fields_of, number, reply, viewer_of
from allmende.doors.counter import Counter
from allmende.doors.gather import Seen
from allmende.doors.pages import Page
from allmende.doors.plain import iso
from allmende.doors.sight import require_operator
from allmende.doors.wallet_kit import read
from allmende.institutions import Commons, Institution
from allmende.ports import Clock, Sender, Wanted
from allmende.wire import rewards as wire
from allmende.wire.merkle_sum import Keccak

Row = dict[str, Any]
KEPT = 8
"""Epochs whose facts are kept in memory."""
SHOWN = 12
"""Lists on the page."""


class Tools(Struct, frozen=True):
    """What only the outside can do. `facts` makes an epoch's file of the journal, and takes its
    time; `rule_of` finds the rule's file of an emission's terms."""

    facts: Callable[[bytes, int], bytes]
    rule_of: Callable[[int, int, int, int], bytes | None]
    keccak: Keccak


class Publish(Struct, frozen=True, forbid_unknown_fields=True):
    epoch: int


class RewardsDoor:
    """One per market with a chain. `stand` when the members' contracts do."""

    def __init__(
        self, desk: Desk, clock: Clock, counter: Counter, sender: Sender, tools: Tools
    ) -> None:
        self._desk, self._clock, self._counter = desk, clock, counter
        self._sender, self._tools = sender, tools
        self._commons: Commons | None = None
        self._rule: tuple[bytes, Rule] | None = None
        self._files: dict[int, bytes] = {}
        self._working = asyncio.Lock()

    def stand(self, commons: Commons) -> None:
        self._commons = commons

    def routes(self) -> list[Route]:
        return [
            Route("/api/rewards", self.api),
            Route("/api/rewards/facts", self.facts),
            Route("/api/rewards/publish", self.publish, methods=["POST"]),
        ]

    def pages(self) -> dict[str, Page]:
        return {"rewards": Page("/rewards", self.page, open=True)}

    # --- telling -------------------------------------------------------------------------

    async def api(self, _: Request) -> Response:
        """Public: the rule, the running epoch, and the lists that were published."""
        return reply(await self._told())

    async def page(self, seen: Seen) -> Row:
        there = self._commons is not None and chain.CONTRACT in self._commons
        told = await self._told() if there else None
        return {"rewards": told, "payees": self._payees(seen)}

    async def facts(self, request: Request) -> Response:
        """Public: what the rewards of an epoch are reckoned from, as a file."""
        epoch = number(request, "epoch")
        if epoch is None:
            raise Refused(Why.BAD_VALUE, "Which epoch? Ask with epoch=, a whole number.")
        data = await self._facts(epoch)
        return Response(data, media_type="application/json")

    async def _told(self) -> Row:
        emission, (text, rule) = self._emission(), await self._ruled()
        commons = self._known()
        block = await commons.newest_block()
        now_s = max(await commons.time_s(block) + 1, self._clock.now() // SECOND)
        seen = await emission.logs("Published", commons.record.block, block)
        epochs = sorted({int(one.fields["epoch"]) for one in seen}, reverse=True)[:SHOWN]
        lists = [await chain.listed(emission, epoch, now_s, block) for epoch in epochs]
        now = epoch_at(rule, self._clock.now())
        return {
            "contract": emission.address,
            "chain_id": commons.record.chain_id,
            "epoch": now,
            "ends": iso(span(rule, now)[1]),
            "pool": wire.shares(pool_of(rule, now)),
            "window_s": (await chain.terms(emission, block)).window,
            "minted": wire.shares(int(await emission.get("minted", block))),
            "rule": _rule_row(text, rule),
            "lists": [_list_row(rule, one) for one in lists],
        }

    def _payees(self, seen: Seen) -> list[Row]:
        """The addresses that the viewer's own members' rewards are for."""
        state, viewer = self._desk.state, seen.viewer
        if viewer is None:
            return []
        named = {member: address for address, member in state.payees.items()}
        wallet = state.wallets.get(viewer.key.member)
        address = named.get(viewer.key.member, wallet.address if wallet else "")
        return [{"member": viewer.key.member, "address": address}]

    # --- doing ---------------------------------------------------------------------------

    async def publish(self, request: Request) -> Response:
        """Operators: have an epoch's list put on the chain."""
        require_operator(viewer_of(self._counter, request))
        epoch = read(Publish, await fields_of(request)).epoch
        emission, (text, rule) = self._emission(), await self._ruled()
        found = wire.reckon(wire.decode(await self._facts(epoch))[0], rule, self._tools.keccak)
        if not found.root:
            raise Refused(Why.BAD_VALUE, f"Nobody's work counts in epoch {epoch}: it has no list.")
        there = await chain.listed(emission, epoch, 0)
        if there.state != chain.NONE and there.root != "0x" + found.root.hex():
            raise Refused(
                Why.EXISTS, f"Epoch {epoch} has another list on the chain: void it first."
            )
        rule_hash = "0x" + wire.rule_hash(text)
        call = emission.call("publish", epoch, "0x" + found.root.hex(), found.total, rule_hash)
        key = f"rewards {emission.address} {epoch} {there.voids}"
        send = self._sender.put(Wanted(key, call.to, call.data))
        return reply(
            {
                "epoch": epoch,
                "root": "0x" + found.root.hex(),
                "total": wire.shares(found.total),
                "lines": len(found.lines),
                "rule": rule_hash[2:],
                "stage": send.stage.value,
                "detail": send.detail,
            }
        )

    # --- within ---------------------------------------------------------------------------

    async def _facts(self, epoch: int) -> bytes:
        """Of an epoch that is over, worked out once."""
        text, rule = await self._ruled()
        now, (_, until) = self._clock.now(), span(rule, epoch)
        if epoch < rule.first_epoch:
            raise Refused(Why.NOT_FOUND, f"The first epoch is {rule.first_epoch}.")
        if now < until:
            told = f"Epoch {epoch_at(rule, now)} runs; {epoch} is over at {iso(until)}."
            raise Refused(Why.HALTED, told)
        await self._desk.submit(Tick(at=now))  # what was decided in it is durable when this is
        async with self._working:
            if epoch not in self._files:
                work: Awaitable[bytes] = asyncio.to_thread(self._tools.facts, text, epoch)
                self._files[epoch] = await work
                for old in list(self._files)[:-KEPT]:
                    del self._files[old]
        return self._files[epoch]

    async def _ruled(self) -> tuple[bytes, Rule]:
        """The rule's file by which this emission's epochs are."""
        if self._rule is None:
            length, first, pool, halving, _ = await chain.terms(self._emission())
            text = self._tools.rule_of(length, first, pool, halving)
            if text is None:
                says = (
                    "No rule's file of this version has the epochs of the emission: take its own."
                )
                raise Refused(Why.NOT_FOUND, says)
            self._rule = text, wire.rule_of(text)
        return self._rule

    def _known(self) -> Commons:
        if self._commons is None:
            raise Refused(Why.NOT_FOUND, "The members' contracts do not stand here, or not yet.")
        return self._commons

    def _emission(self) -> Institution:
        commons = self._known()
        if chain.CONTRACT not in commons:
            raise Refused(Why.NOT_FOUND, "This market's members have no emission.")
        return commons[chain.CONTRACT]


def _rule_row(text: bytes, rule: Rule) -> Row:
    return {
        "sha256": wire.rule_hash(text),
        "text": text.decode(),
        "epoch_seconds": rule.epoch_seconds,
        "owner_cap_ppm": rule.owner_cap_ppm,
        "full_points": rule.full_points,
        "points": {name: getattr(rule, name) for name in wire.POINTS},
    }


def _list_row(rule: Rule, one: chain.Listed) -> Row:
    return {
        "epoch": one.epoch,
        "state": one.state,
        "ended": iso(span(rule, one.epoch)[1]),
        "root": one.root,
        "total": wire.shares(one.total),
        "claimed": wire.shares(one.claimed),
        "pool": wire.shares(pool_of(rule, one.epoch)),
        "rule": one.rule,
        "opens": iso(one.opens * SECOND) if one.state != chain.NONE else None,
        "voids": one.voids,
    }
