"""Payments: for one call each, handed in to the chain by our own sender.

Rule: an authorised transfer goes out under one key for ever; who sees it is told what its own
call was to be, by the seal behind its bytes, and cannot have it for another one.
Invariant: what is looked at is final under the profile, or it is under way; a transfer that was
handed in by somebody else counts as ours does, because the payer paid.
Worked number: killed after it was written down, a payment of 0.3 is sent by the next process,
and found there by `unfinished`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from allmende.adapters.chain.eip3009 import find, read_call
from allmende.adapters.chain.profiles import Profile
from allmende.adapters.chain.x402 import MARGIN_S, Till, Token
from allmende.core.units import Amount
from allmende.pay import SEAL, Payment, Unpaid
from allmende.ports import Chain, Send, Sender, Stage, Wanted

KEY = "x402 "
WINDOW_S = 600
"""Seconds that a payment may be valid for, besides what it takes until it is final."""
PAUSE_S = 0.01
LOST_S = 86_400
"""After its last valid second, in which one that was refused is looked for."""
UNDER_WAY = (Stage.WAITING, Stage.OPEN)


class ChainPayments:
    """pay.Payments in one token. `named` are the sends under keys that begin so."""

    def __init__(
        self,
        chain: Chain,
        sender: Sender,
        named: Callable[[str], Iterator[Send]],
        profile: Profile,
        token: Token,
        now_s: Callable[[], int],
    ) -> None:
        self._chain = chain
        self._sender = sender
        self._named = named
        self._finality = profile.finality
        self._token = token
        self._now_s = now_s
        self._till = till = Till(chain, token, now_s, MARGIN_S + 2 * profile.block_ms // 1_000)
        self.unit: Amount = till.unit
        self.window_s = WINDOW_S + 4 * profile.settle_s
        self.pause_s = max(PAUSE_S, profile.block_ms / 2_000)
        self.wanted, self.read, self.settled = till.wanted, till.read, till.settled
        self.verify = till.verify

    def begun(self, payment: Payment) -> bool:
        return self._sender.get(_key(payment)) is not None

    def begin(self, payment: Payment, seal: bytes) -> None:
        assert len(seal) == SEAL
        self._sender.put(Wanted(_key(payment), self._token.address, payment.call + seal))

    async def look(self, payment: Payment) -> str | None:
        send = self._send(payment)
        if send.stage in UNDER_WAY:
            await self._sender.step()
            send = self._send(payment)
        if send.stage in UNDER_WAY:
            return None
        if send.stage is Stage.FINAL and send.ok:
            return send.hash
        return await self._elsewhere(send)

    def _send(self, payment: Payment) -> Send:
        send = self._sender.get(_key(payment))
        assert send is not None, "it was begun"
        return send

    async def _elsewhere(self, send: Send) -> str | None:
        """Ours was reverted: somebody else may have handed the payer's words in before."""
        used = await find(self._chain, send.wanted.to, read_call(send.wanted.data))
        if used is None:
            raise Unpaid("transaction_failed", f"The token refused it. {send.detail}".strip())
        head = await self._chain.block()
        deep = head is not None and head.number - used.block + 1 >= self._finality
        return used.transaction if deep else None

    def unfinished(self) -> Iterator[Payment]:
        over_s = self._now_s() - LOST_S
        for send in self._named(KEY):
            signed = read_call(send.wanted.data)
            lost = send.stage not in UNDER_WAY and not send.ok
            if not lost or signed.valid_before_s > over_s:
                yield self._till.payment(signed, send.wanted.to)


def _key(payment: Payment) -> str:
    return f"{KEY}{payment.payer} {payment.nonce}"
