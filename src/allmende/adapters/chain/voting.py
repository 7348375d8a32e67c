"""Voting: on which terms members decide, as dated data with reasons, and with what the Stake and
the Assembly are created.

Rule: the terms of a class change by a decision of the mission's class only, so a row is chosen
once, by whoever puts the contracts up; amounts are whole shares and pay units.
Invariant: every row passes the Assembly's constructor: the mission needs both chambers, two
thirds and the longest delay.
Worked number: on Ethereum a fee is changed 7 + 3 days after it was proposed, the mission after
14 + 30.
"""

from __future__ import annotations

from typing import Any

from eth_utils.crypto import keccak
from msgspec import Struct, structs

from allmende.adapters.chain.terms import DAY, HOUR, MINUTE
from allmende.core.parameters import PARAMETERS, RANKS
from allmende.core.tally import MEMBERS, STAKE, Terms

SHARE = 10**18
BOTH = STAKE | MEMBERS
MISSION = (
    "This market belongs to its members and serves the common good. Whoever keeps its rules may "
    "join it. Every rule, price, receipt and vote can be read and recounted by anyone. A part of "
    "each price is the commons'. No one's money, voice or data is for sale."
)
"""What only both chambers change, by two thirds and after the long delay. Its hash is on chain."""


class Voting(Struct, frozen=True, kw_only=True):
    """One row. `deposit_units` whole pay units, `propose_shares` whole shares, else seconds."""

    unbonding: int
    deposit_units: int
    propose_shares: int
    ordinary: Terms
    money: Terms
    mission: Terms
    why: str
    read: str


def _terms(
    chambers: int, quorum: int, heads: int, threshold: int, voting: int, delay: int, window: int
) -> Terms:
    """`quorum` ppm of the stake and of the members alike; at least one share, `heads` members."""
    return Terms(chambers, False, quorum, SHARE, quorum, heads, threshold, voting, delay, window)


DEMO = Voting(
    unbonding=3,
    deposit_units=1,
    propose_shares=1,
    ordinary=_terms(STAKE, 100_000, 1, 500_000, 8, 1, HOUR),
    money=_terms(BOTH, 100_000, 2, 500_000, 8, 1, HOUR),
    mission=_terms(BOTH, 200_000, 2, 666_666, 8, 3, HOUR),
    why="For demonstrations and tests: a vote takes seconds. Whoever blinks has missed it.",
    read="2026-11",
)
LOCAL = Voting(
    unbonding=DAY,
    deposit_units=1,
    propose_shares=1,
    ordinary=_terms(STAKE, 100_000, 1, 500_000, 10 * MINUTE, 5 * MINUTE, DAY),
    money=_terms(BOTH, 100_000, 2, 500_000, 10 * MINUTE, 5 * MINUTE, DAY),
    mission=_terms(BOTH, 200_000, 3, 666_666, HOUR, DAY, DAY),
    why="A market that is tried out: an afternoon has several votes in it.",
    read="2026-11",
)
PUBLIC = Voting(
    unbonding=28 * DAY,
    deposit_units=100,
    propose_shares=1_000,
    ordinary=_terms(STAKE, 100_000, 1, 500_000, 5 * DAY, 2 * DAY, 14 * DAY),
    money=_terms(BOTH, 100_000, 5, 500_000, 7 * DAY, 3 * DAY, 14 * DAY),
    mission=_terms(BOTH, 200_000, 10, 666_666, 14 * DAY, 30 * DAY, 14 * DAY),
    why="A week has every working day in it, and a month lets whoever disagrees leave first: the "
    "unbonding of 28 days ends before a change of the mission holds.",
    read="2026-11",
)
OF_NORM = {
    "fast": DEMO,
    "demo": DEMO,
    "local": LOCAL,
    **dict.fromkeys(("ethereum", "rollup", "bnb", "consortium"), PUBLIC),
}
"""Row of adapters/chain/terms -> its voting."""


def stake_values(norm: str, share: str, reward: str) -> tuple[Any, ...]:
    """For Stake's constructor."""
    return share, reward, OF_NORM[norm].unbonding


def assembly_values(
    norm: str, stake: str, credit: str, decimals: int, commons: str
) -> tuple[Any, ...]:
    """For the Assembly's constructor."""
    row = OF_NORM[norm]
    classes = [structs.astuple(getattr(row, rank)) for rank in RANKS]
    rules = [
        (name, rule.unit, RANKS.index(rule.rank), rule.least, rule.most)
        for name, rule in PARAMETERS.items()
    ]
    return (
        *(stake, credit, commons, row.deposit_units * 10**decimals),
        *(row.propose_shares * SHARE, RANKS.index("money"), keccak(text=MISSION)),
        *(classes, rules),
    )
