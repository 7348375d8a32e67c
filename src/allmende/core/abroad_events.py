"""Abroad events: what can have happened between this market and its peers.

Rule: what leaves and what comes are facts here and there; each carries the word that the other
market can be shown.
Invariant: the postings of every event sum to zero for each asset.
Worked number: 5 credits to a member of peer b post -5 to the member and +5 to federation/b; at
b they post -5 to issuer/credit@a and +5 to its member.
"""

from __future__ import annotations

from typing import TypeAlias

from allmende.core.abroad import Answer, Foreign, Passage, Peer, account
from allmende.core.facts import Event, move
from allmende.core.nouns import Posting


class PeerAdded(Event, frozen=True):
    peer: Peer


class PeerRemoved(Event, frozen=True):
    id: str


class PeerSuspended(Event, frozen=True):
    """`proof` is the hash of a proved split view, "" where an operator did it."""

    id: str
    proof: str = ""


class PeerResumed(Event, frozen=True):
    id: str


class PeerHeard(Event, frozen=True):
    id: str
    accepts: bool


class SentAbroad(Event, frozen=True):
    """`asset` is what it is called here. The passage is a leaf."""

    peer: str
    asset: str
    passage: Passage

    @property
    def postings(self) -> tuple[Posting, ...]:
        said = self.passage
        return move(said.sender, account(self.peer), self.asset, said.amount)


class ReceivedFrom(Event, frozen=True):
    """Taken: `foreign` where such an asset came for the first time; `ended` is grains of an ended
    right that came home, for which `lines` pay what they brought. The answer is a leaf."""

    peer: str
    answer: Answer
    lines: tuple[Posting, ...]
    frames: int
    head: str
    foreign: Foreign | None = None
    ended: int = 0
    asset: str = ""

    @property
    def postings(self) -> tuple[Posting, ...]:
        return self.lines


class RefusedFrom(Event, frozen=True):
    """Never to be taken. The answer is a leaf, and brings it back to its sender."""

    peer: str
    answer: Answer


class PassageEnded(Event, frozen=True):
    """`lines`: back to the sender, or out of the world if it went home; `ended` as above."""

    peer: str
    number: int
    taken: bool
    why: str
    lines: tuple[Posting, ...] = ()
    ended: int = 0

    @property
    def postings(self) -> tuple[Posting, ...]:
        return self.lines


Any: TypeAlias = (
    PeerAdded
    | PeerRemoved
    | PeerSuspended
    | PeerResumed
    | PeerHeard
    | SentAbroad
    | ReceivedFrom
    | RefusedFrom
    | PassageEnded
)
"""Of them."""
