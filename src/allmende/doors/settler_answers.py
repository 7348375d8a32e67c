"""Settler, answers: no honest batch is void because nobody answered.

Rule: open challenges are found in the contract's state at the newest block, and answered there
and then: first the vouchers that prove what was spent, then the leaf, and the receipt if asked.
Invariant: an answer is sent only if it is one: a leaf below what was asked for, or one that
cannot be proved, is an alarm and not a transaction.
Worked number: a leaf that spent in 3 lanes takes 3 vouchers and an answer, 4 transactions.
"""

from __future__ import annotations

import logging

from allmende.custody import NOTHING, Challenge, ContractCall, Custody, VaultSeen
from allmende.doors.settler_proofs import Shower
from allmende.doors.settler_sends import Sends
from allmende.doors.settler_vouchers import Vouchers
from allmende.trees import Tree
from allmende.wire.merkle_sum import Leaf, Proof

log = logging.getLogger(__name__)


class Answers:
    """Of one deployment."""

    def __init__(self, custody: Custody, sends: Sends, shower: Shower, vouchers: Vouchers) -> None:
        self._custody = custody
        self._sends = sends
        self._shower = shower
        self._vouchers = vouchers
        self._over = 0
        """Challenges up to this number were over when the chain was last final."""
        self.open: tuple[Challenge, ...] = ()
        self.unanswerable: dict[int, str] = {}
        """Challenge -> why it cannot be answered; for a person."""

    async def look(self, final: VaultSeen, now: VaultSeen) -> None:
        """Find the open challenges, the newest first."""
        found = await self._find(now)
        if len(found) < now.open_challenges:  # a reorganisation gave old numbers to new ones
            self._over = 0
            found = await self._find(now)
        if not final.open_challenges:
            self._over = final.challenge_count
        self.open = tuple(found)
        self.unanswerable = {
            id_: why
            for id_, why in self.unanswerable.items()
            if any(one.id == id_ for one in found)
        }

    async def _find(self, now: VaultSeen) -> list[Challenge]:
        found: list[Challenge] = []
        id_ = now.challenge_count
        while id_ > self._over and len(found) < now.open_challenges:
            one = await self._custody.challenge(id_, now.block)
            if one is not None and one.batch == now.pending.number:
                found.append(one)
            id_ -= 1
        return found

    async def answer(self, tree: Tree, now: VaultSeen) -> None:
        """Answer those of the pending batch, the most urgent first."""
        for one in sorted(self.open, key=lambda challenge: challenge.deadline):
            why = await self._answer(one, tree, now)
            if why and self.unanswerable.get(one.id) != why:
                log.error("Challenge %d cannot be answered: %s", one.id, why)
            if why:
                self.unanswerable[one.id] = why
            else:
                self.unanswerable.pop(one.id, None)

    async def _answer(self, one: Challenge, tree: Tree, now: VaultSeen) -> str:
        """Why not; "" if it is on its way."""
        shown = await self._shower.leaf(tree, one.account)
        if shown is None:
            return f"{one.account} has no leaf in batch {tree.number}"
        leaf, proof = shown
        if leaf.balance + leaf.spent < one.least:
            return f"the leaf of {one.account} is {one.least - leaf.balance - leaf.spent} too low"
        call = self._call(one, leaf, proof)
        if call is None:
            return f"receipt {one.receipt} is in no batch of ours"
        if await self._custody.settled(one.account, now.block) < leaf.spent:
            missing = await self._vouchers.show(one.account, leaf.spent, now)
            if missing:
                return f"{missing} of what {one.account} spent cannot be proved"
        self._sends.want(f"answer {one.id}", call, read_at=now.block)
        return ""

    def _call(self, one: Challenge, leaf: Leaf, proof: Proof) -> ContractCall | None:
        if one.receipt == NOTHING:
            return self._custody.answer(one.id, leaf, proof)
        found = self._shower.receipt(bytes.fromhex(one.receipt[2:]), one.batch)
        if found is None:
            return None
        return self._custody.answer_earnings(
            *(one.id, leaf, proof, found.batch, found.receipts_root, found.receipts),
            *(found.index, found.path),
        )
