"""Settle with other markets: credit and rights that leave, come, and come back.

Rule: what leaves stands on the peer's account until the peer says that it took it or never will;
what comes is taken or refused once, in the order in which it was sent, and both are proved. A
transfer comes back by the other market's refusal alone: silence gives nothing back.
Invariant: of an asset, what is on its home's account for a peer is what that peer's members hold
and what is on its way, in either direction.
Worked number: A sends 5, B takes them: federation/b has 5 at A, issuer/credit@a has -5 at B.
"""

from __future__ import annotations

from allmende.core import abroad_commands as bc
from allmende.core import abroad_events as be
from allmende.core import borders, ledger
from allmende.core import events as e
from allmende.core import exchange_events as x
from allmende.core.abroad import (
    CREDIT,
    GRAINS,
    Answer,
    Ended,
    Foreign,
    Passage,
    Peering,
    account,
    leaf,
)
from allmende.core.facts import move
from allmende.core.identity import feature, find_member, new_id
from allmende.core.nouns import ISSUER, Asset, Posting
from allmende.core.refusals import Refused, Why
from allmende.core.state import State
from allmende.core.units import Amount


def receive(state: State, command: bc.ReceiveFrom) -> list[e.Event]:
    """Taken or refused for good; Refused where there is no answer yet."""
    borders.house(command.by)
    said = command.passage
    found = borders.by_key(state, said.source)
    borders.require_good(found)
    if said.target != borders.own(state).public_key:
        raise Refused(Why.BAD_VALUE, "That was sent to another market.")
    if said.number <= found.answered:
        raise Refused(Why.EXISTS, f"Number {said.number} of {found.peer.id!r} is answered.")
    if said.number != found.answered + 1:
        raise Refused(Why.HALTED, f"Number {found.answered + 1} of {found.peer.id!r} comes first.")
    try:
        return _taken(state, command, found)
    except Refused as refused:  # and that is an answer, which gives it back
        why = str(refused)[: borders.WHY_MAX]
        answer = _answer(said, False, why)
        return [be.RefusedFrom(at=command.at, peer=found.peer.id, answer=answer)]


def _answer(said: Passage, taken: bool, why: str = "") -> Answer:
    return Answer(said.target, said.source, said.number, leaf(said).hex(), taken, why)


def _taken(state: State, command: bc.ReceiveFrom, found: Peering) -> list[e.Event]:
    said, peer = command.passage, found.peer
    feature(state, "transfer")
    if found.removed:
        raise Refused(Why.NOT_ALLOWED, "This market is no peer any more.")
    if command.at >= said.until:
        raise Refused(Why.ENDED, "It came too late.")
    if not 0 < said.amount <= borders.AMOUNT_MAX:
        raise Refused(Why.BAD_VALUE, "That is no amount.")
    find_member(state, said.receiver)
    before: list[e.Event] = []
    foreign, ended = None, 0
    if said.home == said.target:
        lines, ended = _home(state, peer.id, said)
    else:
        before, foreign = _first(state, command.at, found, said)
        asset = borders.here(state, peer.id, said.home, said.asset)
        lines = move(ISSUER + asset, said.receiver, asset, said.amount)
    return [
        *before,
        be.ReceivedFrom(
            at=command.at,
            peer=peer.id,
            answer=_answer(said, True),
            lines=lines,
            frames=command.frames,
            head=command.head,
            foreign=foreign,
            ended=ended,
            asset=said.asset if ended else "",
        ),
    ]


def _home(state: State, peer: str, said: Passage) -> tuple[tuple[Posting, ...], int]:
    """What is ours comes back: no more than is there."""
    over = f"{peer}/{said.asset}" in state.ended
    most = borders.ended_there(state, peer, said.asset) if over else (
        borders.there(state, peer, said.asset)
    )  # fmt: skip
    if said.amount > most:
        raise Refused(Why.NO_CREDIT, f"Of {said.asset!r} only {most} are with you.")
    if over:
        return borders.brought(state, peer, said.asset, said.receiver, said.amount), said.amount
    return move(account(peer), said.receiver, said.asset, said.amount), 0


def _first(
    state: State, at: int, found: Peering, said: Passage
) -> tuple[list[e.Event], Foreign | None]:
    """What of a peer's asset has to be noted before the first of it is held here."""
    peer = found.peer
    if said.home != said.source:
        raise Refused(Why.NOT_ALLOWED, "A market sends what is its own, or what is ours.")
    new_id(said.asset, False)
    sized = said.lot == 0 if said.unit == CREDIT else said.unit == GRAINS and said.lot > 0
    if not sized or said.price < 1:
        raise Refused(Why.BAD_VALUE, "That is neither credit nor a right.")
    asset = borders.here(state, peer.id, said.home, said.asset)
    foreign = Foreign(peer.id, said.asset, said.unit, said.price, said.lot)
    standing = state.foreign.get(asset, foreign)
    if standing != foreign:
        raise Refused(Why.BAD_VALUE, f"{said.asset!r} was said to be something else before.")
    borders.require_line(state, found, said.amount * said.price)
    if asset in state.foreign:
        return [], None
    if said.unit == GRAINS:
        return [], foreign
    name = f"credit of {peer.name}"
    return [e.AssetRegistered(at=at, asset=Asset(asset, account(peer.id), name))], foreign


# Application --------------------------------------------------------------------------


def received(state: State, event: be.ReceivedFrom) -> None:
    found = state.peers[event.peer]
    found.answered = event.answer.number
    if event.foreign is not None:
        asset = f"{event.foreign.asset}@{event.peer}"
        state.foreign[asset] = event.foreign
        state.balances.setdefault(asset, {})
    ledger.post(state, event.postings)
    borders.less(state, f"{event.peer}/{event.asset}", event.ended, event.postings)


def refused(state: State, event: be.RefusedFrom) -> None:
    state.peers[event.peer].answered = event.answer.number


def window_ended(state: State, event: x.InstrumentSettled) -> None:
    """What grains abroad brought waits on the peer's account until they come home."""
    for peer in state.peers:
        lines = [line for line in event.lines if line.account == account(peer)]
        grains = -sum(line.amount for line in lines if line.asset == event.instrument)
        paid = [line for line in lines if line.asset != event.instrument]
        if grains:
            asset: str = paid[0].asset if paid else ""
            total: Amount = sum(line.amount for line in paid)
            state.ended[f"{peer}/{event.instrument}"] = Ended(grains, asset, total)


DECIDE = {
    bc.ReceiveFrom: receive,
}
APPLY = {
    be.ReceivedFrom: received,
    be.RefusedFrom: refused,
    x.InstrumentSettled: window_ended,
}
