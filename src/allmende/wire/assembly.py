"""Assembly: what the logs of Stake and Assembly say, counted again by core/tally and core/staking.

Rule: nothing is believed because the contract said it: each vote's weight comes from the stakes
that were followed, each outcome from the votes; what differs is a fault, in words.
Invariant: a book without faults has the contract's own outcomes; the same logs give the same book.
Worked number: a vote told with 30 of a voter whose stakes add up to 20 is a fault.

A `Told` is one log with its block's second. Fields are as the ABI names them, hashes and
addresses lower-case 0x text, structs as lists. Pages, `chain recount` and the follower share it.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from allmende.core.charter import KINDS, Decision
from allmende.core.staking import Stakes
from allmende.core.tally import MEMBERS, STAKE, Ballot, Electorate, Poll, Terms, status
from allmende.core.units import SECOND
from allmende.wire.strangers import plain

EVENTS = {
    "Stake": ("Staked", "Delegated", "Recalled", "Unbonding", "Withdrawn", "Locked"),
    "Assembly": (
        *("Proposed", "Voted", "Cancelled", "Queued", "Executed", "Decided"),
        *("Enrolled", "Struck", "Ruled", "MissionSet"),
    ),
}
"""Contract -> the events that are followed."""
NOBODY = "0x" + "00" * 32


class Told(Struct, frozen=True):
    contract: str
    event: str
    fields: dict[str, Any]
    block: int
    index: int
    """Of the log in its block."""
    at: int
    """The block's second."""
    transaction: str


class Vote(Struct, frozen=True):
    """As it was cast. `counted` are chambers as bits, `stake` base units."""

    voter: str
    member: str
    choice: int
    stake: int
    counted: int
    at: int
    transaction: str


class Proposal(Struct):
    """Seconds are Unix time. `rank` is a class's number: 0 ordinary, 1 money, the last mission."""

    number: int
    proposer: str
    kind: str
    rank: int
    name: str
    value: int
    effective: int
    calls: list[tuple[str, str]]
    text: str
    opened: int
    poll: Poll
    transaction: str
    votes: list[Vote] = field(default_factory=list)
    kept: str = "open"
    """What was done with it, see core/tally.status."""
    decision: int = 0
    """Its number among the decisions, once executed."""

    @property
    def terms(self) -> Terms:
        return self.poll.terms

    @property
    def ends(self) -> int:
        return self.opened + self.terms.voting

    @property
    def eta(self) -> int:
        return self.ends + self.terms.delay

    @property
    def expires(self) -> int:
        return self.eta + self.terms.window

    def status(self, now: int) -> str:
        """One of core/tally.STATUSES."""
        return status(self.poll, self.kept, self.opened, now)


class Roll(Struct):
    """A member on the roll: `wallet` is "" once it was struck."""

    wallet: str
    expiry: int


class Book:
    """`take` the logs in the order of the chain; everything else is to be read."""

    def __init__(self, unbonding: int) -> None:
        self.stakes = Stakes(unbonding)
        self.proposals: dict[int, Proposal] = {}
        self.decisions: list[Decision] = []
        self.members: dict[str, Roll] = {}
        """By the salted hash."""
        self.rules: dict[str, tuple[int, int, int]] = {}
        """Parameter -> class, least, most."""
        self.mission = ""
        """Its hash, if a decision has changed it."""
        self.faults: list[str] = []

    def take(self, told: Told) -> None:
        """KeyError for an event that is not in EVENTS."""
        acts = {"Stake": _STAKE, "Assembly": _ASSEMBLY}[told.contract]
        acts[told.event](self, told, told.fields)

    @property
    def heads(self) -> int:
        """Members on the roll."""
        return sum(1 for one in self.members.values() if one.wallet)

    def member_of(self, wallet: str, at: int) -> str:
        """Whose vote it has; "" if it has none, or its credential has expired."""
        found = (m for m, one in self.members.items() if one.wallet == wallet and at < one.expiry)
        return next(found, "")

    def fault(self, told: Told, says: str) -> None:
        self.faults.append(f"block {told.block}, {told.event}: {says}")

    def require(self, told: Told, holds: bool, says: str) -> None:
        if not holds:
            self.fault(told, says)


# Stake ------------------------------------------------------------------------------------


def _staked(book: Book, told: Told, said: dict[str, Any]) -> None:
    done = book.stakes.stake(said["account"], said["amount"])
    book.require(told, done, f"{said['account']} staked nothing")


def _delegated(book: Book, told: Told, said: dict[str, Any]) -> None:
    done = book.stakes.delegate(said["account"], said["voter"], told.at)
    book.require(told, done, f"{said['account']} moved a stake that was locked")


def _recalled(book: Book, told: Told, said: dict[str, Any]) -> None:
    done = book.stakes.recall(said["account"], told.at)
    wakes = book.stakes.positions[said["account"]].wakes_at
    book.require(told, done and wakes == said["wakes_at"], f"{said['account']} wakes at {wakes}")


def _unbonding(book: Book, told: Told, said: dict[str, Any]) -> None:
    done = book.stakes.unbond(said["account"], said["amount"], told.at)
    book.require(told, done, f"{said['account']} unbonded what was locked or not there")


def _withdrawn(book: Book, told: Told, said: dict[str, Any]) -> None:
    paid = book.stakes.withdraw(said["account"], told.at)
    book.require(told, paid == said["amount"], f"{said['account']} may withdraw {paid}")


def _locked(book: Book, _: Told, said: dict[str, Any]) -> None:
    book.stakes.lock(said["voter"], said["until"])


# Assembly ---------------------------------------------------------------------------------


def _proposed(book: Book, told: Told, said: dict[str, Any]) -> None:
    electorate = Electorate(said["staked"], said["members"])
    number, ours = said["number"], Electorate(book.stakes.staked, book.heads)
    book.require(told, number == len(book.proposals) + 1, f"number {number} is out of order")
    book.require(told, electorate == ours, f"there were {ours.staked} staked, {ours.members} heads")
    book.proposals[number] = Proposal(
        number=number,
        proposer=said["proposer"],
        kind=KINDS[said["kind"]],
        rank=said["rank"],
        name=plain(said["name"]),
        value=said["value"],
        effective=said["effective"],
        calls=[(to, data) for to, data in said["calls"]],
        text=plain(said["text"]),
        opened=said["opened"],
        poll=Poll(Terms(*said["terms"]), electorate),
        transaction=told.transaction,
    )


def _voted(book: Book, told: Told, said: dict[str, Any]) -> None:
    its, voter, stakes = book.proposals[said["number"]], said["voter"], book.stakes
    member = "" if said["member"] == NOBODY else said["member"]
    held = stakes.votes.get(voter, 0)
    counted = STAKE * said["by_stake"] | MEMBERS * said["by_member"]
    book.require(told, its.status(told.at) == "open" and told.at < its.ends, "a vote too late")
    if member:
        book.require(told, book.member_of(voter, told.at) == member, f"{voter} is not {member}")
    if said["by_stake"]:
        book.require(told, said["stake"] == held, f"{voter} votes with {held}")
        until = stakes.locked_until.get(voter, 0)
        book.require(told, until >= its.eta, f"{voter} is locked until {until} only")
    ours = its.poll.cast(Ballot(voter, member, said["choice"], said["stake"]))
    book.require(told, ours == counted, f"counts in chambers {ours}, not {counted}")
    its.votes.append(
        Vote(voter, member, said["choice"], said["stake"], counted, told.at, told.transaction)
    )


def _cancelled(book: Book, told: Told, said: dict[str, Any]) -> None:
    its = book.proposals[said["number"]]
    book.require(told, its.kept == "open" and told.at < its.ends, "cancelled too late")
    its.kept = "cancelled"


def _queued(book: Book, told: Told, said: dict[str, Any]) -> None:
    its = book.proposals[said["number"]]
    now = its.status(told.at)
    book.require(told, now == "passed", f"proposal {its.number} is {now}")
    book.require(told, (said["eta"], said["expires"]) == (its.eta, its.expires), "other times")
    its.kept = "queued"


def _executed(book: Book, told: Told, said: dict[str, Any]) -> None:
    its = book.proposals[said["number"]]
    now = its.status(told.at)
    book.require(told, now == "queued" and told.at >= its.eta, f"proposal {its.number} is {now}")
    its.kept = "executed"


def _decided(book: Book, told: Told, said: dict[str, Any]) -> None:
    its, number = book.proposals[said["proposal"]], said["number"]
    effective = max(its.effective, told.at)
    told_ = (plain(said["name"]), said["value"], said["effective"])
    same = (its.name, its.value, effective) == told_
    book.require(told, same, f"proposal {its.number} says otherwise")
    book.require(told, number == len(book.decisions) + 1, f"number {number} is out of order")
    book.require(told, its.kept == "executed" and not its.decision, "decided, not executed")
    its.decision = number
    book.decisions.append(
        Decision(number, its.kind, its.name, its.value, effective * SECOND, its.number)
    )


def _enrolled(book: Book, told: Told, said: dict[str, Any]) -> None:
    before = book.members.get(said["member"])
    later = before is None or said["expiry"] > before.expiry
    book.require(told, later and told.at < said["expiry"], f"{said['member']} has a later one")
    other = book.member_of(said["wallet"], 0)
    book.require(told, other in ("", said["member"]), f"{said['wallet']} is {other}")
    book.members[said["member"]] = Roll(said["wallet"], said["expiry"])


def _struck(book: Book, _: Told, said: dict[str, Any]) -> None:
    book.members[said["member"]].wallet = ""


def _ruled(book: Book, _: Told, said: dict[str, Any]) -> None:
    book.rules[plain(said["name"])] = (said["rank"], said["least"], said["most"])


def _mission(book: Book, _: Told, said: dict[str, Any]) -> None:
    book.mission = said["mission"]


_STAKE = {
    "Staked": _staked,
    "Delegated": _delegated,
    "Recalled": _recalled,
    "Unbonding": _unbonding,
    "Withdrawn": _withdrawn,
    "Locked": _locked,
}
_ASSEMBLY = {
    "Proposed": _proposed,
    "Voted": _voted,
    "Cancelled": _cancelled,
    "Queued": _queued,
    "Executed": _executed,
    "Decided": _decided,
    "Enrolled": _enrolled,
    "Struck": _struck,
    "Ruled": _ruled,
    "MissionSet": _mission,
}
