"""Votes: proposals, tallies and power as the pages show them, out of the book that was followed.

Rule: what was counted again is shown, with its times in order; a link in a proposal's text is
where it is discussed, and is followed at the reader's own risk.
Invariant: a market without an assembly has no proposals, no terms and no power, and says so.
Worked number: 30 shares for and 10 against are a bar of 750 and 250 of a thousand.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from allmende.core.parameters import PARAMETERS, RANKS
from allmende.core.refusals import Refused
from allmende.core.tally import MEMBERS, STAKE
from allmende.core.units import PPM, SECOND, credits
from allmende.doors.assembly_follow import AssemblyFollow
from allmende.doors.assembly_page import AssemblyPage
from allmende.doors.plain import iso
from allmende.measure.figure import About, Figure
from allmende.measure.voting import Came, Decided, figures
from allmende.wire.assembly import Proposal

Row = dict[str, Any]
SHARE, ROOT = 10**18, 10**9
"""Base units of one share, and what its square root weighs."""
LINK = re.compile(r"https?://[^\s<>\"']+")
STEPS = ("opened", "ends", "eta", "expires")
OVER = ("passed", "queued", "executed", "expired", "defeated")


class Votes:
    """One per market; `page` is None where there is no chain. `aside` works out what takes long."""

    def __init__(
        self, page: AssemblyPage | None = None, aside: Callable[..., Any] | None = None
    ) -> None:
        self._page = page
        self._aside = aside
        self._lock = asyncio.Lock()
        self._of: tuple[dict[str, int], list[Decided]] = {}, []
        self._power: Sequence[Figure] = ()

    def proposals(self) -> list[Row]:
        """The newest first."""
        page, follow = self._page, self._follow
        if page is None or follow is None:
            return []
        book, now = follow.book, page.now_s
        return [
            {**_row(told, now), "ballots": _ballots(follow, told["number"])}
            for told in page.proposals()
            if told["number"] in book.proposals
        ]

    def terms(self) -> list[Row]:
        """By class, as the newest proposal of each has them."""
        follow = self._follow
        newest = {} if follow is None else {p.rank: p for p in follow.book.proposals.values()}
        return [_terms(newest[rank]) for rank in sorted(newest) if rank < len(RANKS)]

    def ranks(self) -> dict[str, str]:
        """Parameter -> its class, where a vote registered or changed it."""
        rules = {} if self._follow is None else self._follow.book.rules
        return {name: RANKS[rank] for name, (rank, _, _) in rules.items() if rank < len(RANKS)}

    @property
    def chain_id(self) -> int:
        return 0 if self._follow is None else self._follow.record.chain_id

    async def power(self) -> Sequence[Figure]:
        """Once for all who look, until somebody stakes, leaves, or a vote ends."""
        page, follow = self._page, self._follow
        if page is None or follow is None or not follow.book.stakes.votes:
            return ()
        decided = [_decided(p) for p in follow.book.proposals.values() if _over(p, page)]
        of = dict(follow.book.stakes.votes), decided
        async with self._lock:
            if self._of != of:
                about = About(of="votes", window="all", denominator="all stake", grade="ledger")
                work = self._aside or _here
                self._power = await asyncio.to_thread(work, figures, about, of[0], of[1])
                self._of = of
        return self._power

    @property
    def _follow(self) -> AssemblyFollow | None:
        try:
            return None if self._page is None else self._page.follow
        except Refused:
            return None  # there is none, or it does not stand yet


NO_VOTES = Votes()


def _ballots(follow: AssemblyFollow, number: int) -> Row:
    """What a wallet sends to vote: where to, and the bytes of each choice."""
    calls = follow.ballots(number)
    found = {said: "0x" + call.data.hex() for said, call in calls.items()}
    return {**found, "to": next(iter(calls.values())).to}


def _here(function: Callable[..., Any], *args: Any) -> Any:
    return function(*args)


def _row(told: Mapping[str, Any], now: int) -> Row:
    name, value = told["name"], int(told["value"])
    rule = PARAMETERS.get(name) if told["kind"] == "parameter" else None
    link = LINK.search(told["text"])
    same = ("number", "status", "kind", "text", "proposer", "name")
    chambers = {one["chamber"]: _chamber(one, told["quadratic"]) for one in told["chambers"]}
    return {
        **{key: told[key] for key in same},
        "rank": told["class"],
        "value": value,
        "unit": rule.unit if rule else "",
        "amount": credits(value),
        "link": link[0] if link else "",
        "chambers": list(chambers),
        **chambers,
        "steps": [
            {"name": step, "at": told[step], "done": told[step] <= iso(now * SECOND)}
            for step in STEPS
        ],
    }


def _chamber(one: Mapping[str, Any], quadratic: bool) -> Row:
    yes, no, came, could = (int(one[key]) for key in ("yes", "no", "turnout", "electorate"))
    unit = 1 if one["chamber"] == "members" else ROOT if quadratic else SHARE
    both = max(1, yes + no)
    return {
        "yes": _whole(yes, unit),
        "no": _whole(no, unit),
        "yes_width": 1_000 * yes // both,
        "no_width": 1_000 * no // both,
        "came_ppm": came * PPM // could if could else 0,
        "quorum_ppm": one["quorum_ppm"],
        "agrees": one["agrees"],
    }


def _whole(amount: int, unit: int) -> str:
    """Shares with at most two decimals, rounded down."""
    hundredths = amount * 100 // unit
    whole, part = divmod(hundredths, 100)
    return f"{whole}.{part:02}".rstrip("0").rstrip(".")


def _terms(its: Proposal) -> Row:
    terms = its.terms
    return {
        "rank": RANKS[its.rank],
        "chambers": terms.chambers,
        "quadratic": terms.quadratic,
        "quorum_ppm": max(terms.stake_quorum_ppm, terms.member_quorum_ppm),
        "threshold_ppm": terms.threshold_ppm,
        "voting": terms.voting,
        "delay": terms.delay,
    }


def _over(its: Proposal, page: AssemblyPage) -> bool:
    return its.status(page.now_s) in OVER and page.now_s >= its.ends


def _decided(its: Proposal) -> Decided:
    poll = its.poll
    return Decided(
        its.proposer,
        poll.passed,
        _came(poll.counts[STAKE].turnout, poll.electorate.staked, its.terms.chambers & STAKE),
        _came(poll.counts[MEMBERS].turnout, poll.electorate.members, its.terms.chambers & MEMBERS),
    )


def _came(came: int, could: int, decides: int) -> Came:
    return (came, could) if decides else None
