"""Settle what leaves for other markets: it is on its way until the other market answers.

Rule: what leaves stands on the peer's account; taken, it stays there, or ends if it went home;
refused, it comes back to its sender. Silence gives nothing back: the other market may have taken
it. After its time the other market can only refuse, and so sends it back.
Invariant: each passage ends once, by the answer to just it.
Worked number: of 5 on their way and refused, 5 are the sender's again.
"""

from __future__ import annotations

from allmende.core import abroad_commands as bc
from allmende.core import abroad_events as be
from allmende.core import borders, ledger
from allmende.core import events as e
from allmende.core.abroad import GRAINS, Passage, Peering, account, leaf
from allmende.core.custody import BRIDGED
from allmende.core.facts import move
from allmende.core.identity import allow, allow_operator, feature, find_member, new_id
from allmende.core.nouns import ISSUER, Posting
from allmende.core.refusals import Refused, Why
from allmende.core.rights import require_live
from allmende.core.state import State
from allmende.core.units import SECOND

SECONDS = 60, 2_592_000
"""For which a transfer may be taken, at least and at most."""
ON_WAY_MAX = 1_000
"""Passages to one peer that were not answered yet."""


def send(state: State, command: bc.SendAbroad) -> list[e.Event]:
    found = borders.find(state, command.peer)
    find_member(state, command.source)
    allow(state, command.by, command.source, command.at)
    feature(state, "transfer")
    borders.require_good(found)
    if not found.accepts:
        raise Refused(Why.HALTED, f"{found.peer.name} has not said that it takes anything from us.")
    new_id(command.receiver, False)
    if not 0 < command.amount <= borders.AMOUNT_MAX:
        raise Refused(Why.BAD_VALUE, "What is sent is 1 to 10^30 of the smallest parts.")
    if not SECONDS[0] <= command.seconds <= SECONDS[1]:
        raise Refused(Why.BAD_VALUE, f"It may be taken within {SECONDS[0]} to {SECONDS[1]} s.")
    home, asset, unit, price, lot = borders.known_as(state, command.peer, command.asset)
    if command.asset in state.listings:
        require_live(state.listings[command.asset], command.at)
    if sum(key.startswith(f"{command.peer}/") for key in state.passages) >= ON_WAY_MAX:
        raise Refused(Why.CAPACITY, f"{ON_WAY_MAX} wait for an answer of {found.peer.name}.")
    ledger.require(state, command.source, command.asset, command.amount)
    said = Passage(
        source=borders.own(state).public_key,
        target=found.peer.public_key,
        number=found.sent + 1,
        home=home,
        asset=asset,
        unit=unit,
        amount=command.amount,
        price=price,
        lot=lot,
        sender=command.source,
        receiver=command.receiver,
        at=command.at,
        until=command.at + command.seconds * SECOND,
    )
    return [be.SentAbroad(at=command.at, peer=command.peer, asset=command.asset, passage=said)]


def end(state: State, command: bc.EndPassage) -> list[e.Event]:
    """The other market's answer. A second one changes nothing."""
    borders.house(command.by)
    answer = command.answer
    found = borders.by_key(state, answer.source)
    borders.require_good(found)
    if answer.target != borders.own(state).public_key:
        raise Refused(Why.BAD_VALUE, "That answers another market.")
    said = state.passages.get(f"{found.peer.id}/{answer.number}")
    if said is None:
        raise Refused(Why.NOT_FOUND, f"Nothing is on its way to {found.peer.id!r} under that.")
    if answer.passage != leaf(said).hex():
        raise Refused(Why.BAD_VALUE, "That answers something that we did not say.")
    return [_ended(state, command.at, found, said, answer.taken, answer.why)]


def give_back(state: State, command: bc.ReturnPassage) -> list[e.Event]:
    """Safe where nothing more is ever taken from that peer: what it may say it took cannot come
    home. Whoever holds it there has lost it to his own market."""
    allow_operator(state, command.by, command.at)
    found = borders.find(state, command.id)
    if not found.proof:
        raise Refused(Why.NOT_ALLOWED, "Only from a market whose split view was proved.")
    said = state.passages.get(f"{command.id}/{command.number}")
    if said is None:
        raise Refused(Why.NOT_FOUND, f"Nothing is on its way to {command.id!r} under that number.")
    return [_ended(state, command.at, found, said, False, "split view")]


def _ended(
    state: State, at: int, found: Peering, said: Passage, taken: bool, why: str
) -> be.PassageEnded:
    peer, asset = found.peer.id, borders.here(state, found.peer.id, said.home, said.asset)
    foreign, ended = said.home != said.source, 0
    lines: tuple[Posting, ...] = ()
    if taken and foreign:
        lines = move(account(peer), ISSUER + asset, asset, said.amount)
    elif not taken and f"{peer}/{asset}" in state.ended:
        lines, ended = borders.brought(state, peer, asset, said.sender, said.amount), said.amount
    elif not taken:
        lines = move(account(peer), said.sender, asset, said.amount)
    number, told = said.number, why[: borders.WHY_MAX]
    return be.PassageEnded(
        at=at, peer=peer, number=number, taken=taken, why=told, lines=lines, ended=ended
    )


def sent(state: State, event: be.SentAbroad) -> None:
    said = event.passage
    state.passages[f"{event.peer}/{said.number}"] = said
    state.peers[event.peer].sent = said.number
    if said.unit == GRAINS and said.home == said.source:
        state.references.add(BRIDGED + said.asset)  # the name is this right's for good
    ledger.post(state, event.postings)


def passage_ended(state: State, event: be.PassageEnded) -> None:
    said = state.passages.pop(f"{event.peer}/{event.number}")
    ledger.post(state, event.postings)
    borders.less(state, f"{event.peer}/{said.asset}", event.ended, event.postings)


DECIDE = {bc.SendAbroad: send, bc.EndPassage: end, bc.ReturnPassage: give_back}
APPLY = {be.SentAbroad: sent, be.PassageEnded: passage_ended}
