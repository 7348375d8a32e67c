"""Settler: carries the desk's books to the Vault, and survives everything.

Rule: each step looks at the contract, at the final block for what counts and at the newest one
for what is urgent, and does what is due. Nothing is concluded from an event, from an answer, or
from what this process remembers; whatever is sent is wanted under a key that names its occasion.
Invariant: after a crash at any point, a reorganisation, or a node that lags or lies, desk and
chain agree in the end, and no deposit, batch or payment happened twice or not at all.
Worked number: a deposit is spendable once its epoch is closed: two transactions, each as deep as
the profile's finality; on the embedded chain within two steps.

Theory of operation. (1) Challenges of the pending batch are answered, and a batch whose window is
over is made final: that cannot wait, so it goes first and by the newest block. (2) The flows of
all accounts are read at the final block and the desk follows them. (3) With no batch pending an
epoch is closed or a tree built and submitted, see settler_batch. (4) Requests that are covered
and due are paid. (5) Vouchers that are growing old are shown. A failure of one duty is raised
when the others have had their turn.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable

from allmende.core.units import SECOND, Instant
from allmende.custody import Custody, VaultSeen
from allmende.desk import Desk
from allmende.doors.settler_answers import Answers
from allmende.doors.settler_batch import CUTS, Batcher
from allmende.doors.settler_build import Builder
from allmende.doors.settler_flows import FlowBook
from allmende.doors.settler_follow import Follow
from allmende.doors.settler_promises import Promises
from allmende.doors.settler_proofs import ReceiptProof, Shower, chained, ticket
from allmende.doors.settler_says import WORDS, Alarm, Asked, Batched, Challenged, Status
from allmende.doors.settler_sends import Sends
from allmende.doors.settler_vouchers import Vouchers
from allmende.ports import ChainFailed, Clock, Sender, Views
from allmende.signing import Signing
from allmende.ticket import Ticket
from allmende.trees import BUILT, FINAL, Trees
from allmende.wire.receipt import Chained
from allmende.wire.voucher import Promise

EVERY_S = 60
"""Seconds between two submissions, at least."""
LOOK_S = 15
"""Seconds between two looks at a chain that is at rest."""
TREES_KEPT = 16
"""Newest trees with their leaves; of older final ones the receipts stay."""

DAYS_LIMIT = "the day's limit"
"""What the vault says when no more may leave today: to wait for, and no alarm."""

log = logging.getLogger(__name__)


class Settler:
    """One per market and deployment. `await step()` every second or so; whoever owns the sender
    steps that."""

    def __init__(
        self,
        desk: Desk,
        clock: Clock,
        custody: Custody,
        signing: Signing,
        sender: Sender,
        trees: Trees,
        views: Views,
        *,
        every_s: int = EVERY_S,
    ) -> None:
        """`every_s`: so long a batch is left open for more, if nothing presses."""
        self._clock = clock
        self._custody = custody
        self._trees = trees
        self._house = signing.house
        assert custody.deployment.operator == signing.house, "the house is the operator"
        self._sends = Sends(sender, clock, custody.deployment.vault)
        self._book = FlowBook(custody, trees, lambda: {self._house, *desk.state.addresses})
        self._shower = Shower(trees, signing.keccak)
        self._vouchers = Vouchers(desk, custody, signing, self._sends, trees)
        self._answers = Answers(custody, self._sends, self._shower, self._vouchers)
        self._follow = Follow(desk, clock, custody, self._sends, self._book, self._vouchers)
        told = (desk, clock, custody, signing, trees, views)
        self._builder = Builder(*told, self._book, self._shower)
        self._batcher = Batcher(
            clock, custody, self._sends, trees, self._book, self._builder, every_s
        )
        self._promises = Promises(desk, custody, signing, views, self._builder, self._batcher)
        self._views = views
        self._desk = desk
        self._begun = False
        self._word = "start"
        self._final: VaultSeen | None = None
        self._now: VaultSeen | None = None
        self._at: Instant = 0

    async def step(self) -> None:
        """Look, and do what is due. ChainFailed says what stands in the way now."""
        if not self._begun:
            self._vouchers.begin()
            self._begun = True
        final, now = await self._look()
        self._mark(final)
        failures: list[ChainFailed] = []
        await self._try(self._urgent(final, now), failures)
        await self._try(self._books(final, now), failures)
        await self._try(self._age(final, now), failures)
        if failures:
            raise failures[0]

    async def _look(self) -> tuple[VaultSeen, VaultSeen]:
        """At the final block and at the newest one. Where nothing was due and no block came, what
        was seen some seconds ago will do: a look is some twenty questions."""
        block, newest = await self._custody.final_block(), await self._custody.newest_block()
        at, before = self._clock.now(), (self._final, self._now)
        if self._word == "idle" and not self._book.withdrawals and at - self._at < LOOK_S * SECOND:
            final, now = before
            if final and now and (final.block, now.block) == (block, newest):
                return final, now
        final = await self._custody.look(block)
        now = final if newest <= block else await self._custody.look(newest)
        self._final, self._now, self._at = final, now, at
        return final, now

    async def _try(self, duty: Awaitable[None], failures: list[ChainFailed]) -> None:
        try:
            await duty
        except ChainFailed as failed:
            failures.append(failed)

    def _mark(self, final: VaultSeen) -> None:
        """Which tree the chain has as its final one, for whoever has only the store."""
        batch, marked = final.final, self._trees.final()
        if marked is not None and marked.number > batch.number:
            log.error("batch %d was final and is not any more", marked.number)
            self._trees.mark(marked.serial, BUILT)
        tree = self._trees.submitted(batch.number, batch.root, batch.receipts_root)
        if tree is not None and tree.state != FINAL:
            self._trees.mark(tree.serial, FINAL)
            self._trees.prune(TREES_KEPT)

    # --- duties --------------------------------------------------------------------------

    async def _urgent(self, final: VaultSeen, now: VaultSeen) -> None:
        """The pending batch."""
        await self._answers.look(final, now)
        batch = now.pending
        if not batch:
            return
        tree = self._trees.submitted(batch.number, batch.root, batch.receipts_root)
        self._word = "foreign" if tree is None else "answer" if self._answers.open else "window"
        if tree is not None:
            await self._answers.answer(tree, now)
        over = now.now_s >= batch.at + self._custody.deployment.terms.window
        if over and not now.open_challenges:
            self._word = "finalise"
            call = self._custody.finalise()
            self._sends.want(f"finalise {batch.number}", call, read_at=now.block)

    async def _books(self, final: VaultSeen, now: VaultSeen) -> None:
        """What counts at the final block."""
        await self._book.read(final)
        await self._follow.step(now)
        self._pay(final, now)
        if now.closed:
            self._word = "closed"
        elif not now.pending:
            followed = self._follow.done(final)
            self._word = await self._batcher.step(final, now, followed=followed)

    def _pay(self, final: VaultSeen, now: VaultSeen) -> None:
        """Requests that a final batch covers, in parts where the day's limit makes them."""
        if now.now_s < now.paused_until:
            return
        delay = self._custody.deployment.terms.delay
        for one in self._book.withdrawals.values():
            due = now.closed or now.now_s >= one.at + delay
            if due and one.epoch <= final.final.cut:
                call = self._custody.pay(one.id)
                self._sends.want(f"pay {one.id} {one.amount}", call, read_at=final.block)

    async def _age(self, final: VaultSeen, now: VaultSeen) -> None:
        """Vouchers in time; what is late for that is settled by the final leaf, if it has it."""
        late = await self._vouchers.show_ageing(final, now)
        tree = self._trees.final()
        for account in late if tree is not None else []:
            assert tree is not None
            shown = await self._shower.leaf(tree, account)
            if shown is not None:
                call = self._custody.settle(*shown)
                self._sends.want(f"settle {account} {tree.number}", call, read_at=final.block)

    # --- for members, providers and pages ------------------------------------------------

    async def ticket(self, member: str, *, pending: bool = False) -> Ticket:
        """With what a member leaves without us; of the pending batch, if there is one, where that
        is asked for: it counts as soon as that batch is final. Refused(NOT_FOUND) without a wallet.
        """
        address = self._promises.address(member)
        tree = self._trees.final()
        if pending and self._now is not None and (batch := self._now.pending):
            tree = self._trees.submitted(batch.number, batch.root, batch.receipts_root) or tree
        shown = await self._shower.leaf(tree, address) if tree is not None else None
        return ticket(self._custody.deployment, tree, shown, address)

    async def promise(self, provider: str, receipt: str) -> tuple[Promise, bytes]:
        """See settler_promises."""
        return await self._promises.promise(provider, receipt, self._now)

    async def receipt_proof(self, receipt: str) -> ReceiptProof | None:
        """None while no final batch has it. Refused(NOT_FOUND)."""
        leaf, _ = await self._promises.leaf(receipt)
        return self._shower.receipt(leaf)

    def chained(self, leaf: bytes) -> Chained | None:
        """For a receipt file: which final batch has the receipt with this leaf hash."""
        made, shown = self._custody.deployment, self._shower.receipt(leaf)
        return None if shown is None else chained(made, shown)

    @property
    def house_paid_in(self) -> int:
        """What was deposited for the house in all, base units at the final block."""
        return self._book.of(self._house).deposited

    def status(self) -> Status:
        """As of the last step."""
        vault = self._custody.deployment.vault
        if self._final is None or self._now is None:
            return Status(vault=vault)
        final, now, terms = self._final, self._now, self._custody.deployment.terms
        pending, flows = now.pending, self._book.flows.values()
        return Status(
            vault=vault,
            word=self._word,
            says=WORDS[self._word],
            block=final.block,
            newest=now.block,
            time_s=now.now_s,
            epoch=now.epoch,
            cuts_left=max(0, now.final.cut + CUTS - now.epoch),
            closed=now.closed,
            final=Batched(final.final.number, final.final.at) if final.final else None,
            pending=Batched(pending.number, pending.at, pending.at + terms.window)
            if pending
            else None,
            silent_from=now.final_at + terms.silence,
            late_deposits=sum(flow.late_in for flow in flows),
            withdrawals=tuple(
                Asked(w.id, w.account, w.amount, w.at + terms.delay, w.epoch <= final.final.cut)
                for w in self._book.withdrawals.values()
            ),
            short=self._batcher.short,
            challenges=tuple(
                Challenged(c.id, c.account, c.least, c.deadline) for c in self._answers.open
            ),
            alarms=tuple(self._alarms()),
        )

    def _alarms(self) -> list[Alarm]:
        word, short = self._word, self._batcher.short
        found = []
        if short:
            said = (
                f"The house lacks {short} base units: deposit them for {self._house}, and as much "
                "again, because each deposit takes one of the few cuts between two batches."
            )
            found.append(Alarm("short", said))
        if word in ("own", "bond", "unlisted", "lost", "foreign", "closed"):
            found.append(Alarm(word, WORDS[word]))
        found += [Alarm("taken_back", said) for said in self._follow.taken_back.values()]
        found += [
            Alarm("unanswerable", f"Challenge {id_}: {why}.")
            for id_, why in self._answers.unanswerable.items()
        ]
        found += [
            Alarm("unprovable", f"{units} of what {address} spent can be proved no more.")
            for address, units in self._vouchers.unprovable.items()
        ]
        return found + [
            Alarm("refused", f"{intent}: {why}")
            for intent, why in self._sends.refused.items()
            if DAYS_LIMIT not in why
        ]
