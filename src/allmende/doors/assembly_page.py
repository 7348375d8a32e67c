"""Assembly, page: proposals, votes and decisions as they were read and counted, for programs.

Rule: public, whole, and with what anybody needs to look for himself: addresses, chain, hashes.
Invariant: what is told here was counted again from the votes; see wire/assembly.
Worked number: a proposal with 30 yes and 10 no of 100 staked says turnout 40 and agrees true.

GET /api/assembly, and below it decisions, proposals and proposals/NUMBER. Pages use `facts`,
`decisions`, `proposals` and `proposal` of the same object.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import structs
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from allmende.core.parameters import PARAMETERS, RANKS
from allmende.core.refusals import Refused, Why
from allmende.core.tally import CHOICES, MEMBERS, STAKE
from allmende.core.units import SECOND
from allmende.desk import Desk
from allmende.doors.account import reply
from allmende.doors.assembly_follow import AssemblyFollow
from allmende.doors.plain import iso
from allmende.ports import Clock, Views
from allmende.wire.assembly import Proposal, Vote

Row = dict[str, Any]
ROWS = 200
CHAMBERS = {STAKE: "stake", MEMBERS: "members"}


class AssemblyPage:
    """One per market on a chain. `following` is None while no assembly stands."""

    def __init__(
        self,
        desk: Desk,
        views: Views,
        clock: Clock,
        following: Callable[[], AssemblyFollow | None],
    ) -> None:
        self._desk = desk
        self._views = views
        self._clock = clock
        self._following = following

    def routes(self) -> list[Route]:
        return [
            Route("/api/assembly", self._get_facts),
            Route("/api/assembly/decisions", self._get_decisions),
            Route("/api/assembly/proposals", self._get_proposals),
            Route("/api/assembly/proposals/{number:int}", self._get_proposal),
        ]

    @property
    def follow(self) -> AssemblyFollow:
        """Refused(NOT_FOUND) where no assembly stands."""
        found = self._following()
        if found is None:
            raise Refused(Why.NOT_FOUND, "This market has no assembly, or it does not stand yet.")
        return found

    @property
    def now_s(self) -> int:
        return self._clock.now() // SECOND

    def facts(self) -> Row:
        """Who governs, where, and by which classes."""
        follow, state = self.follow, self._desk.state
        book, record = follow.book, follow.record
        return {
            "chartered": follow.chartered(),
            "record": structs.asdict(record),
            "block": follow.upto,
            "staked": str(book.stakes.staked),
            "members": book.heads,
            "proposals": len(book.proposals),
            "decisions": len(book.decisions),
            "enacted": state.enacted,
            "parameters": [
                {
                    "name": name,
                    "value": state.parameters[name],
                    "class": RANKS[book.rules[name][0]] if name in book.rules else rule.rank,
                    "least": rule.least,
                    "most": rule.most,
                    "unit": rule.unit,
                }
                for name, rule in PARAMETERS.items()
            ],
        }

    def proposals(self) -> list[Row]:
        """The newest first."""
        book = self.follow.book
        return [told(book.proposals[n], self.now_s) for n in sorted(book.proposals, reverse=True)]

    def proposal(self, number: int) -> Row:
        """With its votes. Refused(NOT_FOUND)."""
        found = self.follow.book.proposals.get(number)
        if found is None:
            raise Refused(Why.NOT_FOUND, f"There is no proposal {number} here.")
        return {**told(found, self.now_s), "votes": [_vote(vote) for vote in found.votes]}

    async def _get_facts(self, _: Request) -> Response:
        return reply(self.facts())

    async def decisions(self) -> list[Row]:
        """What the desk took, in order; instants are microseconds, as `chain recount` wants."""
        found: list[Row] = []
        before = self._desk.state.enacted + 1
        while before > 1:
            rows = await self._views.rows("decisions", before=before, limit=ROWS)
            if not rows:
                break
            found += rows
            before -= len(rows)
        return found[::-1]

    async def _get_decisions(self, _: Request) -> Response:
        return reply(await self.decisions())

    async def _get_proposals(self, _: Request) -> Response:
        return reply(self.proposals())

    async def _get_proposal(self, request: Request) -> Response:
        return reply(self.proposal(int(request.path_params["number"])))


def told(its: Proposal, now: int) -> Row:
    """A proposal as anybody may see it. Base units and pico-credits are text."""
    return {
        "number": its.number,
        "status": its.status(now),
        "kind": its.kind,
        "class": RANKS[its.rank] if its.rank < len(RANKS) else str(its.rank),
        "name": its.name,
        "value": str(its.value),
        "effective": iso(its.effective * SECOND) if its.effective else "",
        "calls": [{"to": to, "data": data} for to, data in its.calls],
        "text": its.text,
        "proposer": its.proposer,
        "opened": iso(its.opened * SECOND),
        "ends": iso(its.ends * SECOND),
        "eta": iso(its.eta * SECOND),
        "expires": iso(its.expires * SECOND),
        "threshold_ppm": its.terms.threshold_ppm,
        "quadratic": its.terms.quadratic,
        "chambers": [_chamber(its, one) for one in CHAMBERS if its.terms.chambers & one],
        "decision": its.decision,
        "transaction": its.transaction,
    }


def _chamber(its: Proposal, chamber: int) -> Row:
    poll, terms = its.poll, its.terms
    by_stake = chamber == STAKE
    quorum = terms.stake_quorum_ppm if by_stake else terms.member_quorum_ppm
    electorate = poll.electorate.staked if by_stake else poll.electorate.members
    return {
        "chamber": CHAMBERS[chamber],
        "electorate": str(electorate),
        "quorum_ppm": quorum,
        "least": str(terms.stake_least if by_stake else terms.members_least),
        **{name: str(value) for name, value in structs.asdict(poll.counts[chamber]).items()},
        "reached": poll.reached(chamber),
        "agrees": poll.agrees(chamber),
    }


def _vote(vote: Vote) -> Row:
    return {
        "voter": vote.voter,
        "member": vote.member,
        "choice": CHOICES[vote.choice],
        "stake": str(vote.stake),
        "chambers": [name for one, name in CHAMBERS.items() if vote.counted & one],
        "at": iso(vote.at * SECOND),
        "transaction": vote.transaction,
    }
