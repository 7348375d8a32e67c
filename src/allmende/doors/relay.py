"""Relay: one held request, from a provider to its caller, and what it is charged for.

Rule: bytes go out first and are looked at after; a provider that fails while the caller
has nothing costs nothing and may be replaced; once a byte is out the answer is this
provider's, and what was delivered is charged, whoever broke it off.
Invariant: when `run` ends, by return, by exception or by cancellation, the upstream is
closed and the hold is captured or voided; the caller hears of a receipt only when it is
durable.
Worked number: a stream of 66 events cut by its caller after 10 is aborted upstream and
captured with outcome "client_left" and the 10 output tokens that were delivered.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from allmende.core.nouns import Hold
from allmende.doors import errors, slip
from allmende.doors.charge import Charge, House, Request
from allmende.doors.visit import ANSWER, CALL, IDLE, Visit
from allmende.ports import Answer, Call, UpstreamFailed
from allmende.wire.ask import Endpoint, upstream_body

CALLERS_FAULT = frozenset((400, 413, 422))
"""A provider's statuses that blame the request; any other than 200 blames the provider."""
PROVOKED = "status_500"
"""A failure that the request itself may have caused. The next offer is asked, but it does not
count as a fault: else any caller could talk every provider off the book."""
ERROR_MAX = 65_536
"""Bytes of a provider's error that are read."""


class Objection(Exception):
    """The provider says that the request itself is wrong; `reply` says it to the caller."""

    def __init__(self, reply: errors.Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


class Relay:
    """Brings one answer. `run` it once."""

    def __init__(
        self, house: House, visit: Visit, request: Request, hold: Hold, output_limit: int
    ) -> None:
        self.hold = hold
        self._house = house
        self._visit = visit
        self._request = request
        self._charge = Charge(house, request, hold, output_limit)
        self._meter = self._charge.meter
        self._answer: Answer | None = None

    async def run(self) -> None:
        """Answer the caller. Raises UpstreamFailed, Objection while it has had no byte."""
        cause, fault = "fault", False
        try:
            if self._visit.gone:
                cause = "client_left"
            elif self._request.ask.stream:
                await self._stream()
            else:
                await self._whole()
        except Objection:
            cause = "rejected"
            raise
        except UpstreamFailed as failed:
            if not self._visit.gone:  # otherwise we have aborted it ourselves
                cause, fault = failed.cause, failed.cause != PROVOKED
                raise
            cause = "client_left"
        except asyncio.CancelledError:
            cause = "client_left" if self._visit.gone else "cancelled"
            self._visit.settle_interruption()
        finally:
            self._finish(cause, fault)

    # --- the two kinds of answer ---------------------------------------------------------

    async def _whole(self) -> None:
        answer = await self._open()
        body = await answer.read(self._house.answer_bytes)
        self._visit.phase = IDLE
        meter = self._meter
        meter.feed(body)
        meter.close()
        if not meter.complete:
            raise UpstreamFailed("garbage", "the body is not a JSON object")
        if meter.error and not meter.events:
            raise UpstreamFailed("error", meter.error)
        receipt = await self._charge.capture("limit" if meter.over_limit else "complete")
        told = slip.of(receipt)
        whole = slip.splice(body, told)
        await self._visit.start(200, slip.headers(told, len(whole)))
        await self._visit.end(whole)

    async def _stream(self) -> None:
        visit = self._visit
        answer = await self._open()
        if not answer.content_type.startswith("text/event-stream"):
            raise UpstreamFailed("garbage", "a stream was asked for, and none came")
        chunks = aiter(answer)
        first = await self._first(chunks)
        await visit.start(200, slip.stream_headers(self.hold))
        await visit.write(first)
        broken = await self._pump(answer, chunks)
        visit.phase = IDLE
        rest = self._meter.close()
        if visit.gone:
            return
        outcome = self._outcome(broken)
        receipt = await self._charge.capture(outcome)
        await visit.end(slip.comment(slip.of(receipt)) + rest + self._last(outcome, broken))
        await self._exhaust(chunks)

    async def _first(self, chunks: AsyncIterator[bytes]) -> bytes:
        """The first bytes for the caller; until they are there the provider may still fail."""
        meter = self._meter
        async for chunk in chunks:
            out = meter.feed(chunk)
            if out:
                break
        else:
            out = meter.close()
        if not out:
            raise UpstreamFailed("empty", "the stream ended before it began")
        if b'"error"' in out and meter.error and not meter.events:
            raise UpstreamFailed("error", meter.error)
        return out

    async def _pump(self, answer: Answer, chunks: AsyncIterator[bytes]) -> str:
        """Pass on chunks until the end mark, the limit, or a failure, whose cause it returns."""
        meter, write = self._meter, self._visit.write
        feed = meter.feed
        try:
            while not meter.complete:
                if meter.over_limit:
                    answer.abort()
                    break
                out = feed(await anext(chunks))
                if out:
                    await write(out)
        except StopAsyncIteration:
            return "no end mark"
        except UpstreamFailed as failed:
            return failed.cause
        return ""

    async def _exhaust(self, chunks: AsyncIterator[bytes]) -> None:
        """Read up to the end of what follows the end mark, so that the connection is kept."""
        try:
            async for _ in chunks:
                break
        except UpstreamFailed:
            return  # the answer was whole, and is paid

    # --- the provider --------------------------------------------------------------------

    async def _open(self) -> Answer:
        offer, ask, house, visit = self.hold.offer, self._request.ask, self._house, self._visit
        call = Call(
            url=offer.url,
            path=ask.endpoint.value,
            body=upstream_body(
                ask,
                self._request.body,
                model=offer.upstream_model or offer.model,
                output_limit=self._charge.output_limit,
            ),
            secret=house.open_secret(offer.sealed_secret) if offer.sealed_secret else "",
            allow_private=offer.allow_private,
            first_byte_s=offer.first_byte_s,
            idle_s=offer.idle_s,
        )
        visit.beat = self._charge.beat
        visit.phase = CALL
        answer = self._answer = visit.answer = await house.upstream.open(call)
        visit.phase = ANSWER
        if answer.status != 200:
            raise await self._not_ok(answer)
        return answer

    async def _not_ok(self, answer: Answer) -> Exception:
        if answer.status not in CALLERS_FAULT:
            return UpstreamFailed(f"status_{answer.status}")
        body = await answer.read(ERROR_MAX)
        return Objection(errors.passed_on(answer.status, body))

    def _outcome(self, broken: str) -> str:
        if self._meter.complete:
            return "complete"
        return "limit" if self._meter.over_limit and not broken else "provider_cut"

    def _last(self, outcome: str, broken: str) -> bytes:
        """What ends a stream that its provider did not end."""
        responses = self._request.ask.endpoint is Endpoint.RESPONSES
        if outcome == "complete":
            return b""
        if outcome == "limit":
            return b"" if responses else b"data: [DONE]\n\n"
        return errors.event(
            f"The provider broke off ({broken}). What was delivered is charged.",
            "provider_cut",
            named=responses,
            receipt=self.hold.id,
        )

    def _finish(self, cause: str, fault: bool) -> None:
        """Whatever happened: no connection and no hold stays behind. Never waits."""
        visit = self._visit
        visit.beat = visit.answer = None
        visit.phase = IDLE
        if self._answer is not None:
            self._answer.abort()
        if visit.started:
            self._charge.finish("client_left" if visit.gone else "crash")
        else:
            self._charge.void(cause, fault)
