"""Charge: how one hold ends, and what is journalled of it on the way.

Rule: what was delivered is charged, as reported or else as metered, and goes to be
recounted where we can count; what was not delivered is void.
Invariant: a charge ends its hold once; `finish` finds nothing left to do after a capture.
Worked number: a stream checkpointed at 40 tokens and then lost in a crash is charged for
40 at the next start; a silent one has its hold kept alive every 450 s of 900.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from allmende.core.commands import Capture, Checkpoint, Void
from allmende.core.events import Captured, Event
from allmende.core.nouns import Hold, Receipt
from allmende.core.units import SECOND
from allmende.desk import Desk, Stopped
from allmende.doors.caller import Caller
from allmende.doors.recounts import Recounts
from allmende.ports import Clock, Job, Upstream
from allmende.wire.ask import Ask
from allmende.wire.openai import Meter


class House(Struct, frozen=True):
    """What every relay of a gateway shares."""

    desk: Desk
    upstream: Upstream
    recounts: Recounts
    clock: Clock
    open_secret: Callable[[str], str]
    answer_bytes: int
    """Of an answer that is not streamed; beyond it the provider failed."""


class Request(Struct, frozen=True):
    """Who wants what."""

    caller: Caller
    ask: Ask
    body: bytes


class Charge:
    """The money of one relay."""

    def __init__(self, house: House, request: Request, hold: Hold, output_limit: int) -> None:
        self.hold = hold
        self.output_limit = output_limit
        self.meter = Meter(request.ask, output_limit, request.body)
        self._house = house
        self._request = request
        self._heard = 0
        """Bytes metered at the last checkpoint."""

    def beat(self) -> None:
        """Journal what a stream has delivered; keep the hold of a long silence alive."""
        at, state = self._house.clock.now(), self._house.desk.state
        hold = state.holds.get(self.hold.id)
        if hold is None:
            return
        silent = self.meter.delivered == self._heard
        if silent and hold.deadline - at > state.parameters["hold_seconds"] * SECOND // 2:
            return
        self._heard = self.meter.delivered
        self._post(Checkpoint(at=at, hold=hold.id, units=self.meter.running()))

    async def capture(self, outcome: str) -> Receipt:
        """Charge what was delivered; back when it is durable. Raises Refused(HOLD_CLOSED)."""
        events = await self._house.desk.submit(self._captured(outcome))
        event = events[0]
        assert isinstance(event, Captured)
        self._recount(event.receipt)
        return event.receipt

    def _captured(self, outcome: str) -> Capture:
        meter = self.meter
        reported = meter.reported
        return Capture(
            at=self._house.clock.now(),
            hold=self.hold.id,
            estimate=meter.estimate() if reported is None else reported,
            outcome=outcome,
            reported=reported,
            pending=not meter.truncated and self._house.recounts.knows(self.hold.offer.vocabulary),
            answer_hash=self._request.caller.salted(self.hold.id, meter.response),
        )

    def _recount(self, receipt: Receipt) -> None:
        if receipt.verdict != "pending":
            return
        ask, offer = self._request.ask, self.hold.offer
        self._house.recounts.add(
            Job(
                receipt=receipt.id,
                vocabulary=offer.vocabulary,
                endpoint=ask.endpoint.value,
                stream=ask.stream,
                request=self._request.body,
                response=self.meter.response,
                limit=self.output_limit,
            )
        )

    def void(self, cause: str, fault: bool) -> None:
        """Give the hold back if it is still open. Never waits."""
        house = self._house
        if self.hold.id in house.desk.state.holds:
            at = house.clock.now()
            self._post(Void(at=at, hold=self.hold.id, cause=cause, fault=fault))

    def finish(self, outcome: str) -> None:
        """Charge what was delivered if the hold is still open. Never waits."""
        if self.hold.id in self._house.desk.state.holds:
            for event in self._post(self._captured(outcome)):
                assert isinstance(event, Captured)
                self._recount(event.receipt)

    def _post(self, command: Capture | Checkpoint | Void) -> Sequence[Event]:
        try:
            return self._house.desk.post(command)
        except Stopped:
            return ()  # the next start closes every hold at its checkpoint (Restart)
