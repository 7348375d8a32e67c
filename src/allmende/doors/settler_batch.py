"""Settler, batch: when an epoch is closed, and when a tree is built and submitted.

Rule: both only while no batch is pending, neither while the other is under way, and by what the
final block and the newest one agree on.
Invariant: what a batch covers is what its tree was built for: with no batch pending only our own
cut closes an epoch. A submission that may still come is the only one.
Worked number: the contract allows 4 cuts after a final batch; the last 2 of them wait until the
house can pay, so that its deposit can still be counted.

The house is short when credit that the operator issued outside of the chain was spent at members
with wallets: then there is no honest tree, and none is built until he deposits what is missing.
"""

from __future__ import annotations

from allmende.core.units import SECOND, Instant
from allmende.custody import ContractCall, Custody, VaultSeen
from allmende.doors.settler_build import Builder, NotYet, Short
from allmende.doors.settler_flows import FlowBook
from allmende.doors.settler_sends import Sends, refused, under_way
from allmende.doors.settler_tree import Leaves, Overdrawn
from allmende.ports import Clock
from allmende.trees import BUILT, VOID, Tree, Trees

CUTS = 5
"""Vault: EPOCHS less VOIDS. An epoch can be cut while it is below the final batch's cut + this."""
SPARED = 2
"""Cuts that wait until the house can pay."""
PAUSE_MAX_S = 600
"""Longest rest after submissions that were refused."""


class Batcher:
    """Of one deployment."""

    def __init__(
        self,
        clock: Clock,
        custody: Custody,
        sends: Sends,
        trees: Trees,
        book: FlowBook,
        builder: Builder,
        every_s: int,
    ) -> None:
        self._clock = clock
        self._custody = custody
        self._sends = sends
        self._trees = trees
        self._book = book
        self._builder = builder
        self._every_s = every_s
        self._failures = 0
        self._not_before: Instant = 0
        self.short = 0
        """What the house lacks, base units, as last reckoned."""

    async def step(self, final: VaultSeen, now: VaultSeen, *, followed: bool) -> str:
        """Do what is due while no batch is pending, and say it in one of settler_says.WORDS."""
        if final.pending or (final.epoch, final.batch_count) != (now.epoch, now.batch_count):
            return "confirm"
        waits = self._waits(final)
        if waits:
            return waits
        if now.now_s < now.paused_until:
            return "paused"
        if not now.listed or self._builder.clashes:
            return "own" if now.listed else "unlisted"
        batch = final.final
        last = self._trees.submitted(batch.number, batch.root, batch.receipts_root)
        if batch and last is None:
            return "lost"
        try:
            return await self._go_on(final, now, last, followed=followed)
        except Overdrawn:
            return "follow"
        except NotYet:
            return "rest"
        except Short as short:
            self.short = short.units
            return "short"

    def in_flight(self) -> Tree | None:
        """A tree that may become a batch, or be one that is not yet final in the chain."""
        tree = self._trees.newest()
        if tree is None or tree.state != BUILT:
            return None
        send = self._sends.get(*self._submission(tree))
        return tree if send is None or under_way(send) else None

    # --- while none is under way -----------------------------------------------------------

    async def _go_on(
        self, final: VaultSeen, now: VaultSeen, last: Tree | None, *, followed: bool
    ) -> str:
        """`spare` cuts are left; `silent`: soon anybody could close the market. A cut that was
        wanted is wanted until it is there."""
        spare, late = final.final.cut + CUTS - final.epoch, self._book.late
        cut = self._sends.get(f"cut {final.epoch}", self._custody.cut())
        if (late and spare > SPARED) or (cut and not refused(cut, final.block)):
            return self._cut(final)
        silent = now.now_s - final.final_at > self._custody.deployment.terms.silence // 2
        rested = now.now_s - final.final.at >= self._every_s or self._builder.waiting(last)
        if not (silent or rested or late):
            return "idle"
        plan = await self._builder.planned(final, last)
        self.short = await self._builder.short_after(final, last) if late else plan.short
        if late and spare > 0 and not self.short:
            return self._cut(final)
        due = silent or late or (rested and await self._builder.news(last, plan))
        if final.epoch == 1:
            return self._cut(final) if due else "idle"
        return await self._submit(final, now, last, plan, followed=followed) if due else "idle"

    def _cut(self, final: VaultSeen) -> str:
        self._sends.want(f"cut {final.epoch}", self._custody.cut(), read_at=final.block)
        return "cut"

    async def _submit(
        self, final: VaultSeen, now: VaultSeen, last: Tree | None, plan: Leaves, *, followed: bool
    ) -> str:
        deployment = self._custody.deployment
        if not followed:
            return "follow"
        if plan.short:
            return "short"
        bond = await self._custody.secures(deployment.operator, now.block)
        if bond < deployment.terms.penalty:
            return "bond"
        if self._clock.now() < self._not_before:
            return "rest"
        tree = await self._builder.build(final, last)
        self._sends.want(*self._submission(tree), read_at=final.block)
        return "submit"

    # --- while one is ----------------------------------------------------------------------

    def _waits(self, final: VaultSeen) -> str:
        """What the newest tree waits for; "" if it came to nothing, or there is none."""
        tree = self._trees.newest()
        if tree is None or tree.state != BUILT:
            return ""
        if tree.number <= final.batch_count:  # it was there, and is neither pending nor final
            return self._drop(tree)
        intent, call = self._submission(tree)
        send = self._sends.get(intent, call)
        if send is None:  # we died before it was wanted
            if (tree.base, tree.cut) != (final.final.number, final.epoch - 1):
                return self._drop(tree)
            send = self._sends.want(intent, call, read_at=final.block)
        if under_way(send):
            return "submit"
        if send is None or not refused(send, final.block):
            return "confirm"
        self._failures += 1
        rest_s = min(1 << self._failures, PAUSE_MAX_S)
        self._not_before = self._clock.now() + rest_s * SECOND
        return self._drop(tree)

    def _drop(self, tree: Tree) -> str:
        self._trees.mark(tree.serial, VOID)
        return ""

    def _submission(self, tree: Tree) -> tuple[str, ContractCall]:
        call = self._custody.submit(
            *(tree.root, tree.total, tree.size, tree.receipts_root, tree.receipts)
        )
        return f"submit {tree.number} {tree.serial}", call
