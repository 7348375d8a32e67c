"""Oddities: nonces of ours that look as if somebody else had used, or had used and lost, them.

Rule: a chain may change its mind and a node may know a count before the transaction behind it,
so what looks odd is only believed when it has looked so for as long as finality takes.
Invariant: while anything looks odd no new nonce is given, so nothing is built on a doubt.
Worked number: with finality after 64 blocks of 12 s and a patience of 60 s, a nonce that went
to an unknown transaction is called taken after 828 s.
"""

from __future__ import annotations

from allmende.adapters.chain.outbox import GAP, Outbox
from allmende.core.units import Instant
from allmende.ports import Clock, Send

SECOND = 1_000_000


class Oddities:
    """Of one outbox and its account; in memory, since looking again finds them again."""

    def __init__(self, outbox: Outbox, clock: Clock, settle_s: int) -> None:
        self._outbox = outbox
        self._clock = clock
        self._settle = settle_s * SECOND
        self._since: dict[int, Instant] = {}

    def __bool__(self) -> bool:
        return bool(self._since)

    def clear(self) -> None:
        self._since.clear()

    def note(self, count: int, ahead: list[Send]) -> None:
        """What looks odd now: the chain has `count` of our transactions, none of `ahead`."""
        odd = {s.nonce for s in ahead if s.nonce is not None and s.nonce < count}
        if count > self._outbox.next_nonce():
            odd.add(self._outbox.next_nonce())
        if ahead and count < (ahead[0].nonce or 0) and not self._outbox.knows(count):
            odd.add(count)
        now = self._clock.now()
        self._since = {nonce: self._since.get(nonce, now) for nonce in odd}

    def lasts(self, nonce: int) -> bool:
        since = self._since.get(nonce)
        return since is not None and self._clock.now() - since >= self._settle

    def taken(self, count: int) -> int | None:
        """The lowest nonce that others have used, for good."""
        return min((n for n in self._since if n < count and self.lasts(n)), default=None)

    def needless(self, count: int, ahead: list[Send]) -> list[Send]:
        """Those of `ahead` that were to close a gap, which others have closed."""
        return [s for s in ahead if s.wanted.key.startswith(GAP) and (s.nonce or 0) < count]
