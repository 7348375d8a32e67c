"""Acts: exit, challenge and withdrawal, each from whatever has been done of it to its end.

Rule: every turn looks at the newest block and does the one thing that is due there; that it is
done is believed at a final block.
Invariant: an act may be stopped at any moment and begun again: what the contracts have done
once they do not do again, and a request that stands is followed and not repeated.
Worked number: exit after silence is two transactions, `close` and `exit`; begun again after the
first it is one, and after both it is none.

Whatever a person has to wait for, or to do, is `Stuck`, a sentence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from msgspec import structs

from allmende.adapters.chain.hand import Hand
from allmende.adapters.chain.leaving import CLOSED, FINAL, OPEN, SILENT, Leaving, Standing
from allmende.custody import NOTHING, Challenge, ContractCall, Withdrawal
from allmende.ports import ChainFailed

WITHDRAWALS_MAX = 5_000
"""Newest requests of the vault among which a member's own are looked for."""
CHALLENGES_MAX = 1_000
WATCH_MAX_S = 300.0


class Stuck(Exception):
    """It cannot go on now. `until` (Unix seconds) is when it may, 0 if time alone helps not;
    `begun` if what was asked for is under way, and only has to be finished."""

    def __init__(self, says: str, until: int = 0, *, begun: bool = False) -> None:
        super().__init__(says)
        self.until = until
        self.begun = begun


class Acts:
    """Of one member. `watch` waits where time helps, instead of raising Stuck."""

    def __init__(
        self, leaving: Leaving, hand: Hand, told: Callable[[str], None], *, watch: bool
    ) -> None:
        self._leaving = leaving
        self._hand = hand
        self._told = told
        self._watch = watch
        self._said = ""

    # --- exit ----------------------------------------------------------------------------

    async def exit(self, *, deposits_only: bool = False) -> Standing:
        """Close if that is due, take everything out, and wait until that is final."""
        while True:
            now = await self._look()
            leaf_done = now.ticket == FINAL or now.leaf_paid or deposits_only
            if now.state == CLOSED and leaf_done and not now.payable:
                return await self._gone(now)
            try:
                await self._exit_turn(now, deposits_only=deposits_only)
            except Stuck as stuck:
                await self._wait(stuck, now)

    async def _exit_turn(self, now: Standing, *, deposits_only: bool) -> None:
        custody = self._leaving.custody
        if now.state == OPEN:
            raise Stuck(
                "The market is open. If its operator works, take your credit out with `allmende "
                f"chain withdraw`; if not, come back after {when(now.closes_at)}.",
                now.closes_at,
            )
        if now.state == SILENT:
            await self._send("close", custody.close(), now)
            return
        if now.paused_until:
            raise Stuck(f"Payments are paused until {when(now.paused_until)}.", now.paused_until)
        if now.ticket != FINAL and not now.leaf_paid and not deposits_only:
            raise Stuck(
                f"This ticket is not of batch {now.final}, which is the final one: its leaf pays "
                "nothing. Find your ticket of that batch; --deposits-only takes out what you "
                "deposited after it, and the leaf can follow."
            )
        await self._send("exit", custody.exit(*self._leaving.proof(now)), now)

    async def _gone(self, now: Standing) -> Standing:
        """Nothing is left to exit: once that is final, and requests are paid too."""
        await self._pay_due(now)
        if not (now.leaf_paid or now.deposits_paid):
            raise Stuck("There is nothing here for this ticket to take out.")
        while True:
            final = await self._leaving.standing()
            if final.state == CLOSED and not final.payable:
                return final
            await asyncio.sleep(self._hand.pause_s)

    # --- withdrawal ----------------------------------------------------------------------

    async def withdraw(self, amount: int, *, again: bool = False) -> list[Withdrawal]:
        """Ask for it unless a request stands already, then have paid what is due. Those left."""
        now = await self._look()
        if now.state == CLOSED:
            raise Stuck("The market is closed: use `allmende chain exit`.")
        if now.paused_until:
            raise Stuck(f"The vault is paused until {when(now.paused_until)}.", now.paused_until)
        standing = await self._requests()
        if standing and not again:
            self._told(f"You asked before, and it is not paid yet: {self._asked(standing)}.")
        else:
            if now.ticket != FINAL:
                raise Stuck(f"This ticket is not of batch {now.final}: fetch a new one.")
            call = self._leaving.custody.ask(*self._leaving.proof(now), amount)
            await self._send("ask", call, now)
        while left := await self._requests():
            if not await self._pay_due(await self._look()):
                try:
                    raise await self._not_due(left)
                except Stuck as stuck:
                    await self._wait(stuck, await self._look())
        return left

    async def _requests(self) -> list[Withdrawal]:
        """The member's own that are not paid in full, newest first."""
        custody, at = self._leaving.custody, await self._leaving.newest()
        if not await custody.requested(self._hand.address, at):
            return []
        newest = (await custody.look(at)).withdrawal_count
        found = []
        for id_ in range(newest, max(0, newest - WITHDRAWALS_MAX), -1):
            one = await custody.withdrawal(id_, at)
            if one is not None and one.account == self._hand.address and one.amount:
                found.append(one)
        return found

    async def _pay_due(self, now: Standing) -> bool:
        """Whether any was paid, at least in part."""
        seen = await self._leaving.custody.look(now.block)
        delay, paid = self._leaving.custody.deployment.terms.delay, False
        for one in await self._requests():
            due = now.state == CLOSED or now.now_s >= one.at + delay
            if one.epoch <= seen.final.cut and due and not now.paused_until:
                await self._send("pay", self._leaving.custody.pay(one.id), now)
                paid = True
        return paid

    async def _not_due(self, left: list[Withdrawal]) -> Stuck:
        last = max(one.at for one in left) + self._leaving.custody.deployment.terms.delay
        return Stuck(
            f"Asked for: {self._asked(left)}. It is paid after {when(last)}, once a final batch "
            "covers it: call this again then.",
            last,
            begun=True,
        )

    def _asked(self, requests: list[Withdrawal]) -> str:
        return ", ".join(f"{self._leaving.token.text(r.amount)} (number {r.id})" for r in requests)

    # --- challenge -----------------------------------------------------------------------

    async def challenge(self) -> str:
        """Ask the operator to show this account's leaf of the pending batch: how that ended."""
        now = await self._look()
        found = await self._challenge()
        if found is None:
            await self._stake(now)
            call = self._leaving.custody.challenge_leaf(*self._leaving.proof(now))
            await self._send("challenge", call, now)
            found = await self._challenge()
        if found is None:  # it was answered before we could look, or its batch has ended
            return await self._end(now.pending, now)
        while True:
            seen = await self._leaving.custody.look(await self._leaving.newest())
            open_ = await self._leaving.custody.challenge(found.id, seen.block)
            if open_ is None or seen.pending.number != found.batch:
                return await self._end(found.batch, now, found.id)
            if seen.now_s > found.deadline:
                await self._send("void", self._leaving.custody.void(found.id), now)
                continue
            says = (
                f"Challenge {found.id} of batch {found.batch} stands. The operator must answer by "
                f"{when(found.deadline)}; call this again then, to void the batch if he did not."
            )
            await self._wait(Stuck(says, found.deadline, begun=True), now)

    async def _stake(self, now: Standing) -> None:
        """What a challenge needs before it is one."""
        custody, token = self._leaving.custody, self._leaving.token
        seen, stake = await custody.look(now.block), custody.deployment.terms.stake
        if not now.pending or now.state == CLOSED:
            raise Stuck("No batch is pending: there is nothing to challenge.")
        if now.ticket != FINAL:
            raise Stuck(
                f"A challenge begins from your leaf of the final batch, {now.final}; this ticket "
                f"is of another. Batch {now.pending} is the one that is pending."
            )
        over = seen.pending.at + custody.deployment.terms.window
        if now.now_s >= over:
            raise Stuck(f"Batch {now.pending} could be challenged until {when(over)}.")
        has = await custody.credit_balance(self._hand.address, now.block)
        if has < stake:
            raise Stuck(
                f"A challenge stakes {token.text(stake)}, which come back if it is not answered; "
                f"{self._hand.address} has {token.text(has)}: send it {token.text(stake - has)}."
            )
        vault = custody.deployment.vault
        if await custody.allowance(self._hand.address, vault, now.block) < stake:
            await self._send("approve", custody.approve(vault, stake), now)

    async def _challenge(self) -> Challenge | None:
        """The newest that this wallet has, open or not yet reclaimed."""
        custody, at = self._leaving.custody, await self._leaving.newest()
        newest = (await custody.look(at)).challenge_count
        for id_ in range(newest, max(0, newest - CHALLENGES_MAX), -1):
            one = await custody.challenge(id_, at)
            if one is not None and one.challenger == self._hand.address:
                return one
        return None

    async def _end(self, batch: int, now: Standing, id_: int = 0) -> str:
        """After it was answered or voided; whatever is owed is collected."""
        custody, at = self._leaving.custody, await self._leaving.newest()
        if id_ and await custody.challenge(id_, at) is not None:  # the batch ended for another's
            await self._send("reclaim", custody.reclaim(id_), now)
        at = await self._leaving.newest()
        owed = await custody.owed(self._hand.address, at)
        if owed:
            await self._send("collect", custody.collect(), now)
        stands = (await custody.look(at)).pending.number == batch
        if stands or await custody.receipts_of(batch, at) != NOTHING:
            return (
                f"The operator answered: the leaf in batch {batch} is as it should be. The "
                "stake is his; fetch a ticket of that batch once it is final."
            )
        text = self._leaving.token.text(owed)
        return f"Batch {batch} is void. {text} were collected: stake and reward."

    # --- turns ---------------------------------------------------------------------------

    async def _look(self) -> Standing:
        """As of the newest block; what changed is said."""
        now = await self._leaving.standing(await self._leaving.newest())
        said = words(now)
        if said != self._said:
            self._told(said)
            self._said = said
        return now

    async def _send(self, what: str, call: ContractCall, before: Standing) -> None:
        """Done and final; or somebody else was faster, and the next look shows it."""
        try:
            mined = await self._hand.send(what, call)
            if mined is None or mined.ok:
                return
            refused = ChainFailed("reverted", f"{what} was refused, its gas is paid: {mined.hash}")
        except ChainFailed as failed:
            if failed.cause != "reverted":
                raise
            refused = ChainFailed("reverted", f"{what} would be refused: {failed.detail}")
        after = await self._leaving.standing(await self._leaving.newest())
        if _apart_from_time(after) == _apart_from_time(before):
            raise refused

    async def _wait(self, stuck: Stuck, now: Standing) -> None:
        if not self._watch or not stuck.until:
            raise stuck
        left_s = max(0, stuck.until - now.now_s)
        await asyncio.sleep(min(max(self._hand.pause_s, left_s / 10), WATCH_MAX_S))


def _apart_from_time(now: Standing) -> Standing:
    return structs.replace(now, block=0, time_s=0, now_s=0)


def words(now: Standing) -> str:
    """The vault's state as a sentence."""
    if now.state == CLOSED:
        return f"The market is closed with batch {now.final} as its final one."
    if now.state == SILENT:
        return (
            f"No batch has become final for so long that anybody may close the market, since "
            f"{when(now.closes_at)}."
        )
    pending = f", batch {now.pending} is pending" if now.pending else ""
    return (
        f"The market is open; batch {now.final} is final{pending}. Anybody may close it after "
        f"{when(now.closes_at)} if no other becomes final until then."
    )


def when(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
