"""Gateway: OpenAI's API in front of the market, as one ASGI app for everything below /v1/.

Rule: first the key, then the body, then the hold, then the provider; every answer and
every refusal has OpenAI's form.
Invariant: a stranger's body is never read, unless he may pay for the call and must be told
what it costs; nothing is asked of a provider that is not held for; prompts and answers are in
memory only, and in no log.
Worked number: of three offers the first two fail before their first byte; the caller
waits a little, gets the third one's answer, and pays for that alone.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Callable, Iterator

from msgspec import Struct

from allmende.core import identity
from allmende.core.commands import Reserve, Void
from allmende.core.events import Reserved
from allmende.core.nouns import Policy
from allmende.core.refusals import Refused, Why
from allmende.desk import Desk, Stopped
from allmende.doors import catalogue, errors, heads, policy
from allmende.doors.caller import Caller
from allmende.doors.charge import House, Request
from allmende.doors.denials import Denials
from allmende.doors.drilling import TurnedAway
from allmende.doors.pay_per_call import PayPerCall
from allmende.doors.recounts import Recounts
from allmende.doors.relay import Objection, Relay
from allmende.doors.visit import ClientLeft, Message, Porter, Receive, Send, Visit
from allmende.doors.vouching import Vouching
from allmende.ports import Clock, Recounter, Upstream, UpstreamFailed
from allmende.wire.ask import Endpoint, parse_ask

ENDPOINTS = {f"/v1/{endpoint.value}": endpoint for endpoint in Endpoint}
MODELS = "/v1/models"
CALLERS_MAX = 10_000
UNPAID_BODY_MAX = 1024 * 1024
"""Bytes that are read of whoever may pay for his call and has not yet."""

log = logging.getLogger(__name__)


class Limits(Struct, frozen=True):
    """Bytes and seconds that a request may take."""

    body_bytes: int = 8 * 1024 * 1024
    upload_s: float = 30.0
    answer_bytes: int = 64 * 1024 * 1024
    """Of an answer that is not streamed."""
    client_idle_s: float = 60.0
    """For which a caller may read nothing while there is something to read."""
    checkpoint_s: float = 2.0
    tries: int = 3
    """Offers that are asked for one request, one after the other."""
    sweep_s: float = 0.025
    recount_jobs: int = 1_024
    recount_bytes: int = 64 * 1024 * 1024


class Gateway:
    """One per process and event loop. `open_secret` unseals a provider's key."""

    def __init__(
        self,
        desk: Desk,
        upstream: Upstream,
        recounter: Recounter | None,
        clock: Clock,
        open_secret: Callable[[str], str],
        limits: Limits,
    ) -> None:
        recounts = Recounts(
            desk,
            recounter,
            clock,
            jobs_max=limits.recount_jobs,
            bytes_max=limits.recount_bytes,
        )
        self._house = House(desk, upstream, recounts, clock, open_secret, limits.answer_bytes)
        self._desk = desk
        self._clock = clock
        self._limits = limits
        self._closing = False
        self.turned_away = TurnedAway(desk, clock)
        self.denials = Denials(clock.now())
        self._ids = _ids(clock)
        self.pay_per_call: PayPerCall | None = None
        """Serves callers without a key, in a market with a chain."""
        self.vouching: Vouching | None = None
        """Takes what wallets' own programs sign for, in a market with a chain."""
        self._callers: dict[bytes, Caller] = {}
        """By secret; only of keys that were good when they came last."""
        self._porter = Porter(
            sweep_s=limits.sweep_s,
            upload_s=limits.upload_s,
            idle_s=limits.client_idle_s,
            beat_s=limits.checkpoint_s,
        )

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http", scope["type"]
        visit = Visit(scope, receive, send)
        self._porter.enter(visit)
        try:
            await self._answer(visit)
        except asyncio.CancelledError:
            visit.settle_interruption()
        finally:
            self._porter.leave(visit)

    async def close(self, within_s: float = 10.0) -> None:
        """Refuse what is new, let what runs end for so long, then cut it short and settle."""
        self._closing = True
        await self._porter.close(within_s)
        await self._house.recounts.close(within_s)

    async def _answer(self, visit: Visit) -> None:
        """Serve, and turn whatever is raised into a response."""
        try:
            reply = await self._serve(visit)
            if reply is None:
                self.denials.let_in(visit.member)
        except Refused as refused:
            self.turned_away.count(refused)
            if visit.path in ENDPOINTS:
                self.denials.count(refused, visit.member)
            vouching = self.vouching
            reply = errors.refusal(refused if vouching is None else vouching.explained(refused))
        except Objection as objection:
            reply = objection.reply
        except ClientLeft:
            return
        except Stopped:
            reply = errors.refusal(Refused(Why.CLOSING))
        except Exception:
            log.exception("a request to %s failed", visit.path)
            reply = errors.failure()
        if reply is not None:
            await visit.reply(reply)

    async def _serve(self, visit: Visit) -> errors.Reply | None:
        """The response, or None where it has been sent."""
        endpoint = ENDPOINTS.get(visit.path)
        if visit.method != "POST" or endpoint is None:
            return self._look_up(visit, endpoint)
        if self._closing:
            raise Refused(Why.CLOSING)
        headers = visit.headers
        paying = self._paying(visit)
        caller = self._caller(visit) if paying is None else None
        if headers.get(b"content-encoding", b"identity") != b"identity":
            raise Refused(Why.BAD_REQUEST, "Send the body as it is, without Content-Encoding.")
        idem = heads.idem(headers)
        most = self._limits.body_bytes
        body = await visit.body(most if paying is None else min(most, UNPAID_BODY_MAX))
        ask = parse_ask(endpoint, body, max_body=most)
        demands = policy.read(headers.get(policy.HEADER, b""), ask.policy)
        if caller is None:
            assert paying is not None
            caller, idem = await paying.admit(visit, ask, body, demands)
        elif heads.VOUCHER in headers:
            self._vouch(caller, headers[heads.VOUCHER])
        await self._buy(visit, Request(caller, ask, body), demands, idem)
        return None

    def _look_up(self, visit: Visit, endpoint: Endpoint | None) -> errors.Reply:
        if endpoint is not None:
            return errors.method("POST")
        path = visit.path
        if path != MODELS and not path.startswith(MODELS + "/"):
            known = ", ".join((*ENDPOINTS, MODELS))
            raise Refused(Why.NOT_FOUND, f"Paths here are {known}.")
        if visit.method != "GET":
            return errors.method("GET")
        key = identity.key(self._desk.state, self._caller(visit).hash, self._clock.now())
        if path == MODELS:
            return catalogue.listing(self._desk.state, key)
        return catalogue.one(self._desk.state, key, path.removeprefix(MODELS + "/"))

    def _caller(self, visit: Visit) -> Caller:
        """Who holds the key that came with the request. Refused: UNKNOWN_KEY."""
        secret = heads.secret(visit)
        caller = self._callers.get(secret) or Caller(secret)
        key = identity.key(self._desk.state, caller.hash, self._clock.now())
        visit.member = key.member
        if len(self._callers) >= CALLERS_MAX:
            self._callers.clear()
        self._callers[secret] = caller
        return caller

    def _paying(self, visit: Visit) -> PayPerCall | None:
        """Where whoever brings no key may pay instead; None for all others."""
        headers = visit.headers
        if b"authorization" in headers or self.pay_per_call is None or b"x-api-key" in headers:
            return None
        heads.require_once(visit)
        return self.pay_per_call

    def _vouch(self, caller: Caller, header: bytes) -> None:
        if self.vouching is None:
            raise Refused(Why.BAD_VALUE, f"No wallets here: leave {heads.VOUCHER.decode()} out.")
        self.vouching.take(caller.hash, header)

    # --- buying --------------------------------------------------------------------------

    async def _buy(self, visit: Visit, request: Request, demands: Policy, idem: str) -> None:
        """Hold and relay; where a provider fails before its first byte, the next offer."""
        failed: UpstreamFailed | None = None
        tried: tuple[str, ...] = ()
        while len(tried) < self._limits.tries:
            try:
                relay = await self._reserve(visit, request, demands, idem, tried)
            except Refused as refused:
                if failed is None:
                    raise
                detail = f"{_told(failed, tried)} No other would do: {refused}"
                raise Refused(Why.UPSTREAM_FAILED, detail, **refused.facts) from None
            try:
                return await relay.run()
            except UpstreamFailed as failure:
                failed = failure
                tried += (relay.hold.offer.id,)
        assert failed is not None
        raise Refused(Why.UPSTREAM_FAILED, _told(failed, tried))

    async def _reserve(
        self,
        visit: Visit,
        request: Request,
        demands: Policy,
        idem: str,
        tried: tuple[str, ...],
    ) -> Relay:
        """Hold the worst case, durably. Raises Refused, with nothing held."""
        ask, desk = request.ask, self._desk
        id_ = next(self._ids)
        command = Reserve(
            at=self._clock.now(),
            idem=idem,  # of a try that failed it was forgotten with its hold
            id=id_,
            key=request.caller.hash,
            endpoint=ask.endpoint.value,
            model=ask.model,
            input_bound=ask.input_bound,
            output_bound=ask.output_asked,
            choices=ask.choices,
            images=ask.images,
            policy=demands,
            exclude=tried,
            prompt_hash=request.caller.salted(id_, request.body),
            contents=hashlib.sha256(request.body).hexdigest() if idem else "",
        )
        try:
            (event,) = await desk.submit(command)
        except asyncio.CancelledError:
            if id_ in desk.state.holds:
                desk.post(Void(at=self._clock.now(), hold=id_, cause="cancelled"))
            raise
        assert isinstance(event, Reserved)
        return Relay(self._house, visit, request, desk.state.holds[id_], event.output_limit)


def _ids(clock: Clock) -> Iterator[str]:
    """Receipt ids: milliseconds, so that they sort by time, and 48 random bits.

    The bits are drawn a hundred ids at a time, because each draw is a system call.
    """
    while True:
        drawn = secrets.token_hex(600)
        for start in range(0, 1_200, 12):
            yield f"r_{clock.now() // 1_000:x}{drawn[start : start + 12]}"


def _told(failed: UpstreamFailed, tried: tuple[str, ...]) -> str:
    """What a caller hears of failed providers: which, and one word of why."""
    return f"{', '.join(tried)}: {failed.cause}."
