"""Settler, sends: what is wanted of the chain, once for each occasion.

Rule: a key names an intent and its occasion, so that wanting it again is nothing new. What was
refused is tried again, as another attempt, while it is still wanted, less and less often.
Invariant: of one intent at most one attempt is under way; the next one is made only when the
last can never happen any more and the chain was read after it.
Worked number: the tenth attempt comes 512 s after the ninth was refused, all later ones 600 s.
"""

from __future__ import annotations

import hashlib

from allmende.core.units import SECOND, Instant
from allmende.custody import ContractCall
from allmende.ports import Clock, Send, Sender, Stage, Wanted

PAUSE_MAX_S = 600
ALARMING = 3
"""Refusals in a row of which a person should know."""


class Sends:
    """Of one deployment: the vault is in every key."""

    def __init__(self, sender: Sender, clock: Clock, vault: str) -> None:
        self._sender = sender
        self._clock = clock
        self._vault = vault
        self._pauses: dict[str, Instant] = {}
        """Key of the attempt to come -> not before."""
        self.refused: dict[str, str] = {}
        """Intent -> why it was refused, where that happened often; for a person."""

    def get(self, intent: str, call: ContractCall) -> Send | None:
        """Its newest attempt."""
        found, number = None, 1
        while (send := self._sender.get(self._key(intent, call, number))) is not None:
            found, number = send, number + 1
        return found

    def want(self, intent: str, call: ContractCall, *, read_at: int) -> Send | None:
        """Have it sent; None while it must wait. `read_at` is the block that says it is due."""
        number, last = 1, None
        while (send := self._sender.get(self._key(intent, call, number))) is not None:
            number, last = number + 1, send
        if last is not None and not refused(last, read_at):
            self.refused.pop(intent, None)
            return last
        if last is not None and number > ALARMING:
            self.refused[intent] = last.detail or f"{last.hash} was reverted"
        key = self._key(intent, call, number)
        if last is not None and not self._rested(key, number - 1):
            return None
        return self._sender.put(Wanted(key, call.to, call.data))

    def _rested(self, key: str, refusals: int) -> bool:
        """Whether the pause after so many refusals is over; it begins when one is seen."""
        now = self._clock.now()
        wait = min(1 << (refusals - 1), PAUSE_MAX_S) * SECOND
        due = self._pauses.setdefault(key, now + wait)
        if now < due:
            return False
        del self._pauses[key]
        return True

    def _key(self, intent: str, call: ContractCall, number: int) -> str:
        """With a digest of the call: a reorganisation may give a challenge another's number."""
        said = hashlib.sha256(call.to.encode() + call.data).hexdigest()[:16]
        attempt = f" #{number}" if number > 1 else ""
        return f"{self._vault} {intent} {said}{attempt}"


def refused(send: Send, read_at: int) -> bool:
    """Whether it did not and will not happen, as of this block."""
    if send.stage is Stage.FAILED:
        return True
    return send.stage is Stage.FINAL and not send.ok and (send.block or 0) <= read_at


def under_way(send: Send | None) -> bool:
    return send is not None and send.stage in (Stage.WAITING, Stage.OPEN)
