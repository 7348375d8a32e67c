"""Settler, build: one honest tree, from the desk and the chain as they are at one moment.

Rule: the desk closes its batch and notes all wallets in one breath; the chain's part is as of one
final block; the tree is durable before anybody hears of it.
Invariant: whatever was final at the desk when a tree was built is in it: its receipts, and what
they earned. `in_flight` and `building` say when that may not hold for what comes next.
Worked number: 3 of the desk's batches of 100 receipts each since the last tree are 300 leaves
under one RFC 6962 root; of one batch alone the root is the one in its BatchClosed.
"""

from __future__ import annotations

import asyncio
from typing import Any

from allmende.core import wallets
from allmende.core.commands import CloseBatch
from allmende.core.custody import Closed
from allmende.core.custody_commands import CutWallets
from allmende.core.units import SECOND
from allmende.custody import Custody, VaultSeen
from allmende.desk import Desk
from allmende.doors.settler_flows import FlowBook
from allmende.doors.settler_proofs import Shower
from allmende.doors.settler_tree import House, Leaves, Scale, build, place_of
from allmende.ports import Clock, Views
from allmende.signing import Signing
from allmende.trees import Tree, Trees
from allmende.wire import merkle
from allmende.wire import merkle_sum as ms
from allmende.wire.merkle_sum import Leaf


class NotYet(Exception):
    """The read models lag behind the journal."""


class Short(Exception):
    """The house lacks so many base units."""

    def __init__(self, units: int) -> None:
        super().__init__(units)
        self.units = units


class Builder:
    """Of one deployment."""

    def __init__(
        self,
        desk: Desk,
        clock: Clock,
        custody: Custody,
        signing: Signing,
        trees: Trees,
        views: Views,
        book: FlowBook,
        shower: Shower,
    ) -> None:
        self._desk = desk
        self._clock = clock
        self._custody = custody
        self._signing = signing
        self._trees = trees
        self._views = views
        self._book = book
        self._shower = shower
        self._scale = Scale(10**custody.deployment.decimals)
        self._plan: tuple[tuple[int, str], Leaves] | None = None
        """The last one, with the event and the block that it is of."""
        self.building = False
        """Between the desk's cut and the tree on disk."""

    @property
    def clashes(self) -> bool:
        """Whether the house's address is a member's wallet too."""
        return self._signing.house in self._desk.state.addresses

    # --- beforehand ----------------------------------------------------------------------

    async def planned(self, final: VaultSeen, last: Tree | None) -> Leaves:
        """As it would be if the desk were cut now. Raises Overdrawn."""
        asked = self._desk.number, final.block_hash
        if self._plan is None or self._plan[0] != asked:
            house = await self._house(final, last)
            made = build(self._flows(), self._closed_now(), final.cover, house, self._scale)
            self._plan = asked, made
        return self._plan[1]

    async def short_after(self, final: VaultSeen, last: Tree | None) -> int:
        """What the house will lack when all that waits is counted. Raises Overdrawn."""
        house = await self._house(final, last)
        flows = {who: flow.deposited - flow.requested for who, flow in self._book.flows.items()}
        cover = final.backed - final.reserved
        return build(flows, self._closed_now(), cover, house, self._scale).short

    async def news(self, last: Tree | None, plan: Leaves) -> bool:
        """Whether a tree would have anything that the last one has not."""
        if self._desk.state.batch.receipts or self.waiting(last):
            return True
        return plan.leaves != ([] if last is None else await self._shower.leaves(last))

    def waiting(self, last: Tree | None) -> bool:
        """Whether a batch of the desk is closed, and full, and in no tree yet."""
        return self._desk.state.batch.number - 1 > (0 if last is None else last.upto)

    async def _house(self, final: VaultSeen, last: Tree | None) -> House:
        account = bytes.fromhex(self._signing.house[2:])
        leaf = Leaf(account, 0, 0)
        if last is not None:
            before = await self._shower.leaves(last)
            place = place_of(before, account)
            leaf = leaf if place is None else before[place]
        epochs = (final.final.cut, final.epoch - 1)
        into, out = await self._custody.flows(self._signing.house, *epochs, final.block)
        return House(account, leaf, into - out)

    def _flows(self) -> dict[str, int]:
        return {who: flow.closed for who, flow in self._book.flows.items()}

    def _closed_now(self) -> dict[str, Closed]:
        state = self._desk.state
        found = wallets.closed(state, (rest.receipt for rest in state.provisional.values()))
        return {state.wallets[member].address: closed for member, closed in found.items()}

    # --- building ------------------------------------------------------------------------

    async def build(self, final: VaultSeen, last: Tree | None) -> Tree:
        """Cut the desk, and write down what is to be submitted.

        Raises NotYet, Overdrawn or Short; nothing is written then.
        """
        await self._caught_up()
        self.building = True
        try:
            return await self._build(final, last)
        finally:
            self.building = False

    async def _build(self, final: VaultSeen, last: Tree | None) -> Tree:
        now, state = self._clock.now(), self._desk.state
        after = 0 if last is None else last.upto
        house = await self._house(final, last)
        self._desk.post(CloseBatch(at=now))
        await self._desk.submit(CutWallets(at=now))
        closed = {wallet.address: wallet.closed for wallet in state.wallets.values()}
        upto = state.cut_batch
        receipts = await self._receipts(after, upto)
        made = build(self._flows(), closed, final.cover, house, self._scale)
        if made.short:
            raise Short(made.short)
        top, receipts_root = await asyncio.to_thread(self._tops, made.leaves, receipts)
        newest = self._trees.newest()
        tree = Tree(
            serial=1 if newest is None else newest.serial + 1,
            number=final.batch_count + 1,
            root="0x" + top.hash.hex(),
            total=top.sum,
            size=len(made.leaves),
            cut=final.epoch - 1,
            base=final.final.number,
            after=after,
            upto=upto,
            receipts_root="0x" + receipts_root.hex(),
            receipts=len(receipts),
            block=final.block,
            at=now // SECOND,
        )
        self._trees.add(tree, made.leaves, receipts)
        return tree

    def _tops(self, leaves: list[Leaf], receipts: list[bytes]) -> tuple[ms.Node, bytes]:
        return ms.root(leaves, self._signing.keccak), merkle.root(receipts)

    async def _receipts(self, after: int, upto: int) -> list[bytes]:
        """Leaf hashes of the desk's batches, in order."""
        await self._caught_up()
        found: list[bytes] = []
        for number in range(after + 1, upto + 1):
            rows: list[dict[str, Any]] = await self._views.rows("batch", number=number)
            chunks: list[dict[str, Any]] = await self._views.rows("batch_leaves", batch=number)
            hashes = [bytes.fromhex(text) for chunk in chunks for text in chunk["leaves"]]
            if not rows or merkle.root(hashes).hex() != rows[0]["receipts_root"]:
                raise NotYet
            found += hashes
        return found

    async def _caught_up(self) -> None:
        if not await self._views.caught_up(self._desk.committed):
            raise NotYet
