"""Peers of a market: an operator says with which others it deals, and how far.

Rule: a peer is its public key for good; a new key is a new peer. One whose split view was proved
is suspended by the proof, and nobody resumes it.
Invariant: no two peers have one key, and none has ours.
Worked number: a line of 0 makes a peer a mere witness: its heads are compared, nothing is taken.
"""

from __future__ import annotations

from msgspec import structs

from allmende.core import abroad_commands as bc
from allmende.core import abroad_events as be
from allmende.core import borders
from allmende.core import events as e
from allmende.core.abroad import Peer, Peering, account
from allmende.core.identity import allow_operator, feature, new_id
from allmende.core.nouns import SYSTEM
from allmende.core.refusals import Refused, Why
from allmende.core.state import State

LIMIT_MAX = 10**30
KEY_DIGITS, TEXT_MAX = 64, 200
HEX = frozenset("0123456789abcdef")
PEERS_MAX = 200


def add(state: State, command: bc.AddPeer) -> list[e.Event]:
    allow_operator(state, command.by, command.at)
    feature(state, "transfer")
    peer = command.peer
    new_id(peer.id, False)
    _require_terms(peer)
    standing = state.peers.get(peer.id)
    if standing is not None and standing.peer.public_key != peer.public_key:
        raise Refused(Why.EXISTS, f"{peer.id!r} is a peer with another key: take another id.")
    if peer.public_key == borders.own(state).public_key:
        raise Refused(Why.BAD_VALUE, "That is this market's own key.")
    for other in state.peers.values():
        if other.peer.public_key == peer.public_key and other.peer.id != peer.id:
            raise Refused(Why.EXISTS, f"That key is the peer {other.peer.id!r}.")
    if standing is None and len(state.peers) >= PEERS_MAX:
        raise Refused(Why.CAPACITY, f"A market has at most {PEERS_MAX} peers.")
    return [be.PeerAdded(at=command.at, peer=peer)]


def _require_terms(peer: Peer) -> None:
    if len(peer.public_key) != KEY_DIGITS or set(peer.public_key) - HEX:
        raise Refused(Why.BAD_VALUE, "A public key is 64 digits of 0-9 a-f, as the market shows.")
    if not 0 < len(peer.name) <= TEXT_MAX or not peer.name.isprintable():
        raise Refused(Why.BAD_VALUE, f"A name is one line of up to {TEXT_MAX} characters.")
    if not 0 <= peer.limit <= LIMIT_MAX:
        raise Refused(Why.BAD_VALUE, "A line is 0 to 10^30 pico-credits.")


def remove(state: State, command: bc.RemovePeer) -> list[e.Event]:
    allow_operator(state, command.by, command.at)
    found = borders.find(state, command.id)
    where = account(command.id)
    owed = any(balances.get(where, 0) for balances in state.balances.values())
    if owed or borders.drawn(state, command.id):
        raise Refused(
            Why.OWED,
            f"Something is still with {found.peer.name}, or of it here: let it come home first. "
            "A line of 0 takes nothing more.",
        )
    return [be.PeerRemoved(at=command.at, id=command.id)]


def suspend(state: State, command: bc.SuspendPeer) -> list[e.Event]:
    allow_operator(state, command.by, command.at)
    found = borders.find(state, command.id)
    if command.proof and command.by != SYSTEM:
        raise Refused(Why.NOT_ALLOWED, "A proof is sent to /api/federation/proofs and checked.")
    if found.proof or (found.suspended and not command.proof):
        return []
    return [be.PeerSuspended(at=command.at, id=command.id, proof=command.proof)]


def resume(state: State, command: bc.ResumePeer) -> list[e.Event]:
    allow_operator(state, command.by, command.at)
    found = borders.find(state, command.id)
    if found.proof:
        borders.require_good(found)
    return [be.PeerResumed(at=command.at, id=command.id)] if found.suspended else []


def hear(state: State, command: bc.HearPeer) -> list[e.Event]:
    if command.by != SYSTEM:
        raise Refused(Why.NOT_ALLOWED, "The other market says that itself.")
    found = borders.find(state, command.id)
    if found.accepts == command.accepts:
        return []
    return [be.PeerHeard(at=command.at, id=command.id, accepts=command.accepts)]


def added(state: State, event: be.PeerAdded) -> None:
    found = state.peers.get(event.peer.id)
    if found is None:
        state.peers[event.peer.id] = Peering(event.peer)
    else:
        found.peer, found.removed = event.peer, False


def removed(state: State, event: be.PeerRemoved) -> None:
    """Its numbers stay: what was answered once is answered for good."""
    found = state.peers[event.id]
    found.removed, found.accepts = True, False
    found.peer = structs.replace(found.peer, limit=0)


def suspended(state: State, event: be.PeerSuspended) -> None:
    found = state.peers[event.id]
    found.suspended, found.proof = True, event.proof


def resumed(state: State, event: be.PeerResumed) -> None:
    state.peers[event.id].suspended = False


def heard(state: State, event: be.PeerHeard) -> None:
    state.peers[event.id].accepts = event.accepts


DECIDE = {
    bc.AddPeer: add,
    bc.RemovePeer: remove,
    bc.SuspendPeer: suspend,
    bc.ResumePeer: resume,
    bc.HearPeer: hear,
}
APPLY = {
    be.PeerAdded: added,
    be.PeerRemoved: removed,
    be.PeerSuspended: suspended,
    be.PeerResumed: resumed,
    be.PeerHeard: heard,
}
