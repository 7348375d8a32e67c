"""Fork: a market's own history run on under another rule, beside the market that goes on.

Rule: every request of the window is asked again on the same machine, with the offer, bounds,
counts and instants that it had, and everything else happens as it is written. A rule that was
changed is as changed from the window's first event to its last.
Invariant: run on without a change it is the journal's own state, digest by digest; money is not
made: what an account paid elsewhere and would no longer have had is lent, counted, and told.
Worked number: fee 5 % to 6 % over receipts of 101 and 50 pico moves 6 - 5 and 3 - 2 to the
operator, 2 pico, out of the two hosts' parts.

What was refused is in no journal, so nothing that was refused can be shown as served.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct, structs

from allmende.core import commands as c
from allmende.core import events as e
from allmende.core import exchange_commands as xc
from allmende.core import exchange_events as x
from allmende.core import ledger, machine
from allmende.core.facts import move
from allmende.core.nouns import ISSUER, Policy
from allmende.core.parameters import PARAMETERS
from allmende.core.refusals import Refused, Why
from allmende.core.state import State
from allmende.core.units import Amount, Instant
from allmende.lab.fork_books import Books
from allmende.wire.snapshot import pack, unpack

TIMED = ("hold_seconds", "recount_seconds")
"""Rules that end something when its time is over."""
SIMULATED = ("operator_fee_ppm", "levy_ppm", "completion_band_ppm", *TIMED)
"""Rules that decide on a request; of all others a fork of requests has nothing to say."""
CLOSES = ("crash", "expired")
"""How the market itself ends a request."""


class Change(Struct, frozen=True):
    name: str
    value: int


class Turned(Struct, frozen=True):
    """A request that was served, and that the fork refused: why."""

    hold: str
    account: str
    offer: str
    why: str


def require(change: Change) -> None:
    """Refuse a change that no vote could make, or of which requests show nothing."""
    rule = PARAMETERS.get(change.name)
    if rule is None:
        raise Refused(Why.NOT_FOUND, f"Parameters are {', '.join(PARAMETERS)}.")
    if not rule.least <= change.value <= rule.most:
        raise Refused(Why.BAD_VALUE, f"{change.name} is {rule.least} to {rule.most} {rule.unit}.")
    if change.name not in SIMULATED:
        raise Refused(
            Why.BAD_VALUE,
            f"{change.name} decides on no request, so a fork shows nothing of it. "
            f"These can be simulated: {', '.join(SIMULATED)}.",
        )


class Fork:
    """One run. `take` every event of the window in order."""

    def __init__(self, state: State, change: Change | None = None) -> None:
        """Runs on from a copy of `state`."""
        copied = unpack(pack(state))
        assert copied is not None
        self.state = copied
        self.books = Books()
        self.refused: dict[str, Turned] = {}
        self.lent: dict[tuple[str, str], Amount] = {}
        """(account, asset) -> what it paid besides requests and would not have had."""
        self._name = change.name if change else ""
        self._again: dict[type[e.Event], Callable[[Any], c.Command | None]] = {
            e.Captured: self._capture,
            e.Voided: self._void,
            e.Finalised: self._recount,
            x.Redeemed: self._redeem,
        }
        if change is not None:
            kept = [one for one in self.state.scheduled if one.name != change.name]
            self.state.scheduled = kept
            at = self.state.now
            self._apply(e.ParameterChanged(at=at, name=change.name, value=change.value))

    def take(self, event: e.Event) -> None:
        """What happens here where `event` happened there."""
        if isinstance(event, e.ParameterChanged | e.ParameterScheduled):
            if event.name != self._name:
                self._apply(event)
            return
        if self._name in TIMED:
            self._time(event.at)
        if isinstance(event, e.Reserved):
            self._reserve(event)
        elif isinstance(event, e.Checkpointed):
            if event.hold in self.state.holds:
                self._apply(event)
        elif isinstance(event, e.BatchClosed):
            for closed in machine.decide(self.state, c.CloseBatch(at=event.at)):
                self._apply(structs.replace(closed, idem=event.idem, digest=event.digest))
        elif type(event) in self._again:
            self._decide(event)
        else:
            self._apply(event)

    # Requests, asked again ---------------------------------------------------------------

    def _reserve(self, event: e.Reserved) -> None:
        try:
            (found,) = machine.decide(self.state, self._asked(event))
        except Refused as refused:
            told = Turned(event.hold, event.account, event.offer, refused.why.code)
            self.refused[event.hold] = told
            return
        self._apply(structs.replace(found, idem=event.idem, digest=event.digest))

    def _asked(self, event: e.Reserved) -> c.Reserve:
        """The request as its hold tells of it: the same offer and no other, paid as it was.

        It was let in for its rate, which no rule here changes; so that is not asked again.
        """
        state, bound = self.state, event.bound
        offer = state.offers[event.offer]
        missed = {state.listings[right].instrument.offer for right in event.missed}
        others = tuple(
            id_ for id_ in state.models[offer.model] if id_ != offer.id and id_ not in missed
        )
        pay = tuple(dict.fromkeys((*event.missed, event.right or "credit")))
        return c.Reserve(
            at=event.at,
            id=event.hold,
            key=state.key_hashes[event.key],
            endpoint=event.endpoint,
            model=offer.model,
            input_bound=bound.embedding if event.endpoint == "embeddings" else bound.input,
            output_bound=event.output_limit,
            choices=bound.output // event.output_limit if event.output_limit else 1,
            images=bound.image,
            policy=Policy(pay=pay),
            exclude=(*others, ""),
            prompt_hash=event.prompt_hash,
        )

    def _decide(self, event: Any) -> None:
        """Ask again what ended a request; of what that leads to, the same request's end."""
        command = self._again[type(event)](event)
        if command is None:
            return  # it was not let in here, or is over already
        for found in machine.decide(self.state, command):
            if isinstance(found, type(event)) and _of(found) == _of(event):
                self._apply(structs.replace(found, idem=event.idem, digest=event.digest))

    def _capture(self, event: e.Captured) -> c.Command | None:
        receipt = event.receipt
        if receipt.id not in self.state.holds:
            return None
        if receipt.basis == "checkpoint":
            return self._closing(event.at, receipt.outcome)
        return c.Capture(
            at=event.at,
            hold=receipt.id,
            estimate=receipt.units,
            outcome=receipt.outcome,
            reported=receipt.reported,
            pending=receipt.verdict == "pending",
            answer_hash=receipt.answer_hash,
        )

    def _void(self, event: e.Voided) -> c.Command | None:
        if event.hold not in self.state.holds:
            self.refused.pop(event.hold, None)  # nobody was served there either
            return None
        if event.cause in CLOSES and not event.fault:
            return self._closing(event.at, event.cause)
        return c.Void(at=event.at, hold=event.hold, cause=event.cause, fault=event.fault)

    def _closing(self, at: Instant, cause: str) -> c.Command:
        return c.Restart(at=at) if cause == "crash" else c.Tick(at=at)

    def _recount(self, event: e.Finalised) -> c.Command | None:
        receipt = event.receipt
        if receipt.id not in self.state.provisional:
            return None
        return c.Recount(at=event.at, counts=((receipt.id, receipt.counted),))

    def _redeem(self, event: x.Redeemed) -> c.Command:
        receipt = event.receipt
        return xc.Redeem(
            at=event.at,
            id=receipt.id,
            instrument=receipt.right,
            account=receipt.account,
            units=receipt.units,
            evidence=receipt.answer_hash,
        )

    # Time and money ----------------------------------------------------------------------

    def _time(self, at: Instant) -> None:
        """What is over by now under the changed rule, at the first event after it."""
        state = self.state
        dues = [one.deadline for one in state.holds.values()]
        dues += [one.deadline for one in state.provisional.values()]
        if not any(at > due for due in dues):
            return
        for found in machine.decide(state, c.Tick(at=at)):
            if isinstance(found, e.Voided):
                hold = state.holds[found.hold]
                told = Turned(hold.id, hold.account, hold.offer.id, found.cause)
                self.refused[hold.id] = told
            if isinstance(found, e.Captured | e.Voided | e.Finalised):
                self._apply(found)

    def _apply(self, event: e.Event) -> None:
        self._lend(event)
        self.books.take(self.state, event)
        machine.apply(self.state, event)

    def _lend(self, event: e.Event) -> None:
        """So that a payment that was made can be made: fewer earnings may not reach for it."""
        net: dict[tuple[str, str], Amount] = {}
        for account, asset, amount in event.postings:
            net[account, asset] = net.get((account, asset), 0) + amount
        for (account, asset), amount in net.items():
            missing = -amount - ledger.balance(self.state, account, asset)
            if amount < 0 < missing and not account.startswith(ISSUER):
                self.lent[account, asset] = self.lent.get((account, asset), 0) + missing
                source = ledger.issuer_account(asset)
                ledger.post(self.state, move(source, account, asset, missing), spent=False)


def differences(live: State, fork: State, most: int = 8) -> list[str]:
    """What two states say differently, as sentences; empty if they are the same."""
    if machine.digest(live) == machine.digest(fork):
        return []
    found = [
        f"{account} has {fork.balances.get(asset, {}).get(account, 0) - amount:+} {asset}"
        for asset, held in live.balances.items()
        for account, amount in held.items()
        if fork.balances.get(asset, {}).get(account, 0) != amount
    ]
    names: Sequence[str] = State.__struct_fields__
    parts = [name for name in names if getattr(live, name) != getattr(fork, name)]
    return [*found[:most], f"other {', '.join(parts)}"]


def _of(event: Any) -> str:
    """The request that an event is of."""
    return str(event.hold if isinstance(event, e.Voided) else event.receipt.id)
