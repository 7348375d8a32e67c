"""Submitter: each wanted transaction into the chain exactly once, and known to be there.

Rule: what is true is read from the chain each time: which block has which number, which block
holds a transaction, how many an account has sent. Nothing is concluded from an event, from an
answer to a sending, or from silence.
Invariant: one thing wanted has one nonce for as long as any signature over it could still be
mined, so that sending again, paying more, a crash between any two steps and a reorganisation
of any depth leave one of its transactions in the chain.
Worked number: with finality 64 a transaction in block 100 is final when the newest is 163.

Theory of operation. `step` may be called at any time and any number of times; each call looks
at the chain, then (1) reopens what a reorganisation took from under what was final, (2) notes
what has become final, (3) sends what is signed again, with a higher fee for the first in line
when that has waited long, and (4) signs what waits. A raise ends the step and loses nothing;
the next one begins from the chain again. `adopt` is for a person, when transactions of this
account appear that the outbox does not know: its key is used elsewhere, or the outbox is an
old copy, and to guess which would risk sending twice.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from allmende.adapters.chain.account import Account, Draft
from allmende.adapters.chain.fees import Fees
from allmende.adapters.chain.oddities import SECOND, Oddities
from allmende.adapters.chain.outbox import GAP, GAS_MAX, Attempt, Outbox
from allmende.adapters.chain.profiles import Profile
from allmende.ports import Block, Chain, ChainFailed, Clock, Mined, Send, Stage, Wanted

IN_FLIGHT = 16
"""Transactions sent and not yet in a block; nodes keep few of one account."""
GAS_MARGIN_PERCENT = 20
_PASSING = ("known", "nonce_too_low", "underpriced")
"""What a node says of a transaction that it has, that was mined meanwhile, or is too cheap."""

log = logging.getLogger(__name__)


class Submitter:
    """ports.Sender, one per account and outbox.

    `witnesses` are other nodes that must agree on what is final.
    """

    def __init__(
        self,
        chain: Chain,
        outbox: Outbox,
        account: Account,
        profile: Profile,
        clock: Clock,
        witnesses: Sequence[Chain] = (),
    ) -> None:
        self._chain = chain
        self._outbox = outbox
        self._account = account
        self._profile = profile
        self._clock = clock
        self._witnesses = witnesses
        self._fees = Fees(profile)
        self._odd = Oddities(outbox, clock, profile.settle_s)

    def put(self, wanted: Wanted) -> Send:
        """Write down what is to be sent; see ports.Sender."""
        return self._outbox.put(wanted)

    def get(self, key: str) -> Send | None:
        return self._outbox.get(key)

    async def step(self) -> None:
        """Look, and do what is due. ChainFailed says what stands in the way now."""
        head = await self._look()
        await self._reopen()
        ahead = await self._settle(head)
        await self._push(head, ahead)
        await self._sign(head, ahead)

    # --- looking -------------------------------------------------------------------------

    async def _look(self) -> Block:
        """The newest block of the chain that this outbox belongs to."""
        chain_id = await self._chain.chain_id()
        if self._profile.chain_id not in (None, chain_id):
            raise ChainFailed(
                "wrong_chain", f"{self._profile.name} is {self._profile.chain_id}, not {chain_id}"
            )
        genesis = await self._chain.block(0)
        head = await self._chain.block()
        if genesis is None or head is None:
            raise ChainFailed("lagging", "the node has no blocks")
        facts = {"chain": str(chain_id), "genesis": genesis.hash, "sender": self._account.address}
        if self._outbox.meta("chain") is None:
            self._outbox.bind(facts, await self._chain.nonce(self._account.address))
        self._same(facts)
        late_s = self._clock.now() // SECOND - head.time_s
        if self._profile.lag_s and late_s > self._profile.lag_s:
            raise ChainFailed("lagging", f"the node's newest block is {late_s} s old")
        return head

    def _same(self, facts: dict[str, str]) -> None:
        words = {"chain": "wrong_chain", "genesis": "wrong_deployment", "sender": "wrong_account"}
        for name, value in facts.items():
            known = self._outbox.meta(name)
            if known != value:
                raise ChainFailed(
                    words[name], f"this outbox belongs to {name} {known}, the node has {value}"
                )

    async def _reopen(self) -> None:
        """What was final must still be: its block has its number. Usually one question."""
        while (send := self._outbox.newest_final()) is not None:
            assert send.block is not None
            block = await self._chain.block(send.block)
            if block is None:
                raise ChainFailed("lagging", f"the node does not have block {send.block} yet")
            if block.hash == send.block_hash:
                return
            log.error("block %d was final and is gone; %s is open", send.block, send.wanted.key)
            self._outbox.reopen(send.wanted.key)

    async def _settle(self, head: Block) -> list[Send]:
        """Note what has become final; the rest that is not in any block."""
        ahead = []
        for send in self._outbox.at(Stage.OPEN):
            mined = await self._find(send, head)
            if mined is None:
                ahead.append(send)
            elif await self._is_final(mined, head):
                self._outbox.finish(send.wanted.key, mined)
        return ahead

    async def _find(self, send: Send, head: Block) -> Mined | None:
        """The signature of this one that is in a block of the chain."""
        for attempt in self._outbox.attempts(send.wanted.key):
            mined = await self._chain.mined(attempt.hash)
            if mined is not None and mined.block <= head.number:
                block = await self._chain.block(mined.block)
                if block is not None and block.hash == mined.block_hash:
                    return mined
        return None

    async def _is_final(self, mined: Mined, head: Block) -> bool:
        if head.number - mined.block + 1 < self._profile.finality:
            return False
        for witness in self._witnesses:
            if await witness.mined(mined.hash) != mined:
                raise ChainFailed("lied", f"two nodes do not agree on {mined.hash}")
        return True

    # --- sending -------------------------------------------------------------------------

    async def _push(self, head: Block, ahead: list[Send]) -> None:
        """Send what is signed and in no block, in the order of nonces."""
        count = await self._chain.nonce(self._account.address)
        self._note(count, ahead)
        await self._fill(head, count)
        for send in ahead:
            assert send.nonce is not None
            if send.nonce >= count:
                await self._send(head, send, first=send.nonce == count)

    async def _send(self, head: Block, send: Send, *, first: bool) -> None:
        """Again what was signed last; if it is first in line and has waited, for more."""
        attempt = self._outbox.attempts(send.wanted.key)[0]
        due = self._clock.now() - attempt.at >= self._profile.patience_s * SECOND
        said = await self._hand(attempt)
        if first and (due or said == "underpriced"):
            await self._hand(await self._more(head, send, attempt))

    async def _hand(self, attempt: Attempt) -> str:
        """Send it; the cause if the node would not have it in a way that the next look explains."""
        try:
            await self._chain.send(attempt.raw)
        except ChainFailed as failed:
            if failed.cause not in _PASSING:
                raise
            return failed.cause
        return ""

    async def _more(self, head: Block, send: Send, last: Attempt) -> Attempt:
        """The same transaction once more for a higher fee. ChainFailed("fee_cap")."""
        max_fee, tip = self._fees.bumped(last, head, await self._chain.price())
        draft = self._draft(send.wanted, send.nonce or 0, last.gas, max_fee, tip)
        attempt = self._signed(draft)
        self._outbox.add(send.wanted.key, attempt)
        log.info("%s offers %d wei per gas now", send.wanted.key, max_fee)
        return attempt

    def _note(self, count: int, ahead: list[Send]) -> None:
        """ChainFailed("nonce_taken") when others' transactions are there to stay."""
        for send in self._odd.needless(count, ahead):
            self._outbox.drop(send.wanted.key)
            ahead.remove(send)
        self._odd.note(count, ahead)
        taken = self._odd.taken(count)
        if taken is not None:
            raise ChainFailed(
                "nonce_taken",
                f"nonce {taken} of {self._account.address} went to a transaction that this "
                "outbox does not know: its key is used elsewhere, or the outbox is an old copy",
            )

    async def _fill(self, head: Block, count: int) -> None:
        """Close a gap that others left: they had taken a nonce, and a reorganisation undid it."""
        if not self._odd.lasts(count):
            return
        wanted = Wanted(f"{GAP}{count}", self._account.address, gas=21_000)
        max_fee, tip = self._fees.first(head, await self._chain.price())
        attempt = self._signed(self._draft(wanted, count, wanted.gas, max_fee, tip))
        self._outbox.fill(wanted, count, attempt)
        await self._hand(attempt)

    # --- signing -------------------------------------------------------------------------

    async def _sign(self, head: Block, ahead: list[Send]) -> None:
        """Give nonces to what waits, as far as room and funds allow."""
        if self._odd:
            return  # first find out whose transactions these are
        room = IN_FLIGHT - len(ahead)
        for send in self._outbox.at(Stage.WAITING):
            if room <= 0:
                return
            room -= await self._sign_one(head, send.wanted)

    async def _sign_one(self, head: Block, wanted: Wanted) -> bool:
        """Whether it was. What would be reverted fails when nothing before it is under way."""
        try:
            gas = wanted.gas or await self._gas(wanted)
        except ChainFailed as failed:
            if failed.cause != "reverted":
                raise
            if not self._outbox.unfinished_before(wanted.key):
                self._outbox.fail(wanted.key, f"it would be reverted: {failed.detail}")
            return False
        max_fee, tip = self._fees.first(head, await self._chain.price())
        await self._afford(wanted, gas * max_fee)
        nonce = self._outbox.next_nonce()
        attempt = self._signed(self._draft(wanted, nonce, gas, max_fee, tip))
        self._outbox.assign(wanted.key, nonce, attempt)
        await self._hand(attempt)
        return True

    async def _gas(self, wanted: Wanted) -> int:
        gas = await self._chain.estimate(
            self._account.address, wanted.to, wanted.data, wanted.value
        )
        if gas > GAS_MAX:
            raise ChainFailed("reverted", f"{gas} gas is more than a transaction may have")
        return min(gas * (100 + GAS_MARGIN_PERCENT) // 100, GAS_MAX)

    async def _afford(self, wanted: Wanted, gas_wei: int) -> None:
        """ChainFailed("no_funds") before a nonce is given, so that nobody stands in line unpaid."""
        needed = gas_wei + wanted.value
        for send in self._outbox.at(Stage.OPEN):
            last = self._outbox.attempts(send.wanted.key)[0]
            needed += last.gas * last.max_fee + send.wanted.value
        owned = await self._chain.balance(self._account.address)
        if owned < needed:
            raise ChainFailed(
                "no_funds",
                f"{self._account.address} has {owned} wei and may need {needed}: send it "
                f"{needed - owned} more",
            )

    def _draft(self, wanted: Wanted, nonce: int, gas: int, max_fee: int, tip: int) -> Draft:
        return Draft(
            chain_id=int(self._outbox.meta("chain") or 0),
            nonce=nonce,
            to=wanted.to,
            data=wanted.data,
            value=wanted.value,
            gas=gas,
            max_fee=max_fee,
            tip=tip,
            legacy=self._profile.fees == "legacy",
        )

    def _signed(self, draft: Draft) -> Attempt:
        signed = self._account.sign(draft)
        now = self._clock.now()
        return Attempt(signed.hash, signed.raw, draft.gas, draft.max_fee, draft.tip, now)

    # --- for a person --------------------------------------------------------------------

    async def adopt(self) -> list[str]:
        """Take the chain's count as ours: keys of what needs a new nonce, and waits for it.

        Only once it is certain that what the outbox does not know is somebody else's.
        """
        head = await self._look()
        ahead = await self._settle(head)
        count = await self._chain.nonce(self._account.address)
        overtaken = [s.wanted.key for s in ahead if s.nonce is not None and s.nonce < count]
        for key in overtaken:
            self._outbox.release(key)
        self._outbox.skip_to(max(count, self._outbox.next_nonce()))
        self._odd.clear()
        return overtaken
