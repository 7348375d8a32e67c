"""Abroad commands: what can be asked of a market that has peers.

Rule: what comes from another market is handed in by the house alone, when signature, path and
head were checked; the core decides whether it is taken, and once.
Invariant: what a member sends names its receiver by the id that it has in the other market.
Worked number: SendAbroad(seconds=3_600) may be taken within the hour, and comes back refused
after it.
"""

from __future__ import annotations

from allmende.core.abroad import Answer, Passage, Peer
from allmende.core.commands import Command
from allmende.core.units import Amount


class AddPeer(Command, frozen=True):
    """Another market to trade credit and rights with, or new terms for one that is there."""

    peer: Peer


class RemovePeer(Command, frozen=True):
    """Forget a market that owes nothing here, and is owed nothing."""

    id: str


class SuspendPeer(Command, frozen=True):
    """Take nothing more from a market. `proof` is the hash of a split view, from the house."""

    id: str
    proof: str = ""


class ResumePeer(Command, frozen=True):
    """Go on with one that an operator suspended; with a proof there is no going on."""

    id: str


class HearPeer(Command, frozen=True):
    """Whether the other market takes anything from us, as it says itself."""

    id: str
    accepts: bool


class SendAbroad(Command, frozen=True):
    """A member's credit or rights to a member of another market, to be taken within `seconds`."""

    source: str
    peer: str
    receiver: str
    asset: str
    amount: Amount
    seconds: int = 86_400


class ReceiveFrom(Command, frozen=True):
    """A passage that was proved under the other market's head, `frames` frames long."""

    passage: Passage
    frames: int
    head: str


class EndPassage(Command, frozen=True):
    """The other market's proved answer to a passage of ours."""

    answer: Answer
    frames: int
    head: str


class ReturnPassage(Command, frozen=True):
    """Give back what is on its way to a market whose split view was proved."""

    id: str
    number: int
