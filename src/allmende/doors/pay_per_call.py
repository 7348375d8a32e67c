"""Pay per call: a caller without an account pays on the chain for this very request.

Rule: who has no key is told what the request costs at worst, from the machine's own refusal;
who pays that gets an account, its credit, and is served as everybody else is.
Invariant: nothing moves before the payment was found good, and it moves once; what was paid and
not used up stays on the payer's account, over any crash; one payment is served once.
Worked number: 303_600_000 pico-credits at worst, paid; the answer costs 66_000_000, and
237_600_000 are the payer's, who pays so much less next time if his program asks what is missing.

Whoever reads an authorisation on the chain could send it here as his own. The first one to
bring it is its payer, since nobody else has it yet, and the seal ties it to his request.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging

from allmende.core import identity, ledger, machine
from allmende.core.commands import Reserve
from allmende.core.events import Reserved
from allmende.core.govern import REMEMBERED_S
from allmende.core.nouns import Policy
from allmende.core.refusals import Refused, Why
from allmende.core.units import Amount, credits
from allmende.desk import Desk
from allmende.doors import errors, policy
from allmende.doors.caller import Caller
from allmende.doors.payers import GUEST, Payers
from allmende.doors.relay import Objection
from allmende.doors.visit import CALL, IDLE, Visit
from allmende.pay import REQUIRED, RESPONSE, SIGNATURE, Payment, Payments, Unpaid
from allmende.ports import ChainFailed, Clock
from allmende.wire.ask import Ask

WAIT_S = 25.0
"""For which a caller waits for his payment to be final; after that it goes on without him."""
AWAY_S = 1.0
"""Between two looks at a chain that does not answer."""
UNDER_WAY_MAX = 256
"""Payments on their way; more would only wait for each other."""

log = logging.getLogger(__name__)


class PayPerCall:
    """One per market with a chain. `secret` is the market's own, 32 bytes, always the same."""

    def __init__(
        self,
        desk: Desk,
        clock: Clock,
        payments: Payments,
        secret: bytes,
        *,
        least: Amount = 0,
        wait_s: float = WAIT_S,
    ) -> None:
        """No payment may be below `least`: each one costs the operator a transaction."""
        self._desk = desk
        self._clock = clock
        self._payments = payments
        self._secret = secret
        self._least = least
        self._wait_s = wait_s
        self._payers = Payers(desk, clock, secret)
        self._guest = self._payers.caller(GUEST).hash
        self._under_way: dict[str, asyncio.Task[str]] = {}
        """By reference."""
        self._looked_at = 0
        """Payments that are being verified."""

    async def open(self) -> None:
        """Finish what an earlier process began. Refused(MODE_FORBIDS) where wallets may not pay."""
        identity.feature(self._desk.state, "withdraw")
        self._payers.require_plain(GUEST)
        self._payers.register(GUEST)
        for payment in self._payments.unfinished():
            if payment.reference not in self._desk.state.references:
                self._go_on(payment)

    async def close(self) -> None:
        """What is under way is finished by the next process."""
        tasks = tuple(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def admit(
        self, visit: Visit, ask: Ask, body: bytes, demands: Policy
    ) -> tuple[Caller, str]:
        """The payer of this request and its idempotency key, once it is paid and credited.

        Objection carries the bill (402), or says that the chain is away (503); Refused, as for
        anybody, where no payment would help.
        """
        given = visit.headers.get(SIGNATURE)
        try:
            if given is None:
                raise Unpaid("", "")
            payment = self._payments.read(given, self._window_s())
            return await self._admit(visit, ask, body, demands, payment)
        except _TooLittle as little:
            raise self._bill(visit, little.needed, little) from None
        except Unpaid as unpaid:
            raise self._bill(visit, self._needed(self._guest, ask, demands), unpaid) from None
        except ChainFailed as failed:
            log.warning("A payment could not be looked at: %s. %s", failed.cause, failed.detail)
            raise _away("The chain does not answer, so nothing was paid.") from None

    async def _admit(
        self, visit: Visit, ask: Ask, body: bytes, demands: Policy, payment: Payment
    ) -> tuple[Caller, str]:
        self._payers.require_plain(payment.payer)
        payer = self._payers.caller(payment.payer)
        visit.phase = CALL  # whoever hangs up is not waited for; his payment goes on
        try:
            if not self._payments.begun(payment):
                await self._verify(payment, payer, ask, demands)
            self._payments.begin(payment, self._seal(visit, body, payment))
            transaction = await self._final(payment)
        finally:
            visit.phase = IDLE
        visit.also = [(RESPONSE, self._payments.settled(payment, transaction))]
        return payer, f"x402 {payment.nonce}"

    # --- what it costs -------------------------------------------------------------------

    def _needed(self, key: str, ask: Ask, demands: Policy) -> Amount:
        """What a payment must be over; what the call leaves of it stays the payer's."""
        return max(self._missing(key, ask, demands), self._least)

    def _missing(self, key: str, ask: Ask, demands: Policy) -> Amount:
        """Pico-credits that this key's account lacks for the request: a decision not applied.

        Refused where credit is not what is missing; UNKNOWN_KEY for what costs nothing.
        """
        state = self._desk.state
        command = Reserve(
            at=self._clock.now(),
            id=GUEST,
            key=key,
            endpoint=ask.endpoint.value,
            model=ask.model,
            input_bound=ask.input_bound,
            output_bound=ask.output_asked,
            choices=ask.choices,
            images=ask.images,
            policy=demands,
        )
        try:
            (event,) = machine.decide(state, command)
        except Refused as refused:
            if refused.why is not Why.NO_CREDIT:
                raise
            gift = ledger.available(state, GUEST, self._payers.asset) if key == self._guest else 0
            return int(refused.facts["missing"]) + gift
        assert isinstance(event, Reserved)
        if not event.amount:
            raise Refused(Why.UNKNOWN_KEY, "This costs nothing, and is for holders of a key.")
        return event.amount if key == self._guest else 0

    def _bill(self, visit: Visit, amount: Amount, unpaid: Unpaid) -> Objection:
        """402: what to pay, and what was wrong with what came."""
        asset = self._payers.asset
        amount = -(-amount // self._payments.unit) * self._payments.unit
        says = unpaid.detail or "This call is for holders of a key, or for who pays for it."
        told = f"{says} Pay {credits(amount)} {asset} by x402, as the header Payment-Required says."
        header = self._payments.wanted(
            amount, self._window_s(), visit.path, unpaid.reason or "payment_required"
        )
        facts = {"missing": amount, "asset": asset, "reason": unpaid.reason or "none came"}
        headers = [(REQUIRED, header), (b"www-authenticate", b"Bearer")]
        return Objection(errors.reply(402, told, "payment_required", facts=facts, headers=headers))

    def _window_s(self) -> int:
        """So long a payment may be valid, because so long we know that it was served."""
        return min(self._payments.window_s, REMEMBERED_S)

    async def _verify(self, payment: Payment, payer: Caller, ask: Ask, demands: Policy) -> None:
        """Unpaid, _TooLittle. Only who has signed hears what his account lacks."""
        if len(self._under_way) + self._looked_at >= UNDER_WAY_MAX:
            raise _away("Too many payments are under way, so nothing was paid.")
        self._looked_at += 1
        try:
            await self._payments.verify(payment)
        finally:
            self._looked_at -= 1
        known = payer.hash in self._desk.state.keys
        needed = self._needed(payer.hash if known else self._guest, ask, demands)
        if payment.amount < needed:
            raise _TooLittle(needed, payment.amount)

    def _seal(self, visit: Visit, body: bytes, payment: Payment) -> bytes:
        """Ties a payment to its request, and tells nobody else anything of it."""
        wish = visit.headers.get(policy.HEADER, b"")
        parts = (payment.payer.encode(), payment.nonce.encode(), visit.path.encode(), wish, body)
        whole = b"".join(hashlib.sha256(part).digest() for part in parts)
        return hmac.digest(self._secret, b"seal " + whole, "sha256")

    # --- the payment on its way ----------------------------------------------------------

    async def _final(self, payment: Payment) -> str:
        """The transaction that moved it, once it is credited. Unpaid; Objection after a while."""
        task = self._go_on(payment)
        try:
            return await asyncio.wait_for(asyncio.shield(task), self._wait_s)
        except TimeoutError:
            raise _away(
                "Your payment is under way and not final yet. Send the same request with the same "
                "payment again: it is not paid twice."
            ) from None

    def _go_on(self, payment: Payment) -> asyncio.Task[str]:
        task = self._under_way.get(payment.reference)
        if task is None:
            task = asyncio.create_task(self._finish(payment))
            self._under_way[payment.reference] = task
            task.add_done_callback(lambda done: self._ended(payment, done))
        return task

    def _ended(self, payment: Payment, task: asyncio.Task[str]) -> None:
        del self._under_way[payment.reference]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("%s ended without credit: %s", payment.reference, error)

    async def _finish(self, payment: Payment) -> str:
        """See it through, whoever still waits. Unpaid."""
        while True:
            try:
                transaction = await self._payments.look(payment)
            except ChainFailed:  # whoever steps the chain says so; the payment is written down
                await asyncio.sleep(AWAY_S)
                continue
            if transaction is not None:
                break
            await asyncio.sleep(self._payments.pause_s)
        await self._payers.credit(payment)
        return transaction


class _TooLittle(Unpaid):
    """A good payment over less than the call needs."""

    def __init__(self, needed: Amount, amount: Amount) -> None:
        detail = f"The payment is over {credits(amount)}, and {credits(needed)} are needed."
        super().__init__("amount_too_small", detail)
        self.needed = needed


def _away(says: str) -> Objection:
    """503, to be tried again."""
    headers = [(b"retry-after", b"5"), (b"retry-after-ms", b"5000")]
    return Objection(errors.reply(503, says, "chain_away", headers=headers))
