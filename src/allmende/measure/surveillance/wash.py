"""Wash trades: volume that changes hands and owner as little as a coat between two hooks.

Rule: two tests. Accounts of one ultimate owner trade with each other more often than chance
would have them meet; or accounts, whoever owns them, pass grains in a circle again and again
and end where they began.
Invariant: what chance explains is not alerted: the expected number of meetings comes from
how much each account trades with everybody.
Worked number: two accounts that each make a twentieth of all purchases and sales meet in
2 * 600 / 400 = 3 of 600 trades by chance; a circle that gets 10 lots and passes on 9 has a
share of 0.9.

Cycles after Victor and Weintraud 2021 (strongly connected components with net positions
near zero). Benford, round sizes and tail exponents (Cong et al. 2023) are deliberately
absent: sizes here are steps and orders are whole lots, which fails them honestly.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from allmende.measure.board import Board, Trade
from allmende.measure.surveillance.alert import (
    Alert,
    evidence,
    listed,
    lots,
    poisson_tail,
)
from allmende.measure.surveillance.components import components
from allmende.measure.tape import Tape

MEETINGS_MIN = 2
CHANCE_MAX = 0.001
"""How improbable a number of meetings must be to be looked at."""
ROUND_MIN = 0.5
"""The least share of what an account got in a circle that it passed on in it."""

Edge = tuple[str, str]
"""(seller, buyer)"""


def washes(tape: Tape, board: Board) -> Iterator[Alert]:
    """Alerts "wash_owner" and "wash_cycle" of one instrument."""
    met = _Meetings(board.trades)
    by_owner: dict[str, list[Edge]] = defaultdict(list)
    for edge in met.trades:
        if tape.owners.same(*edge):
            by_owner[tape.owners.owner(edge[0])].append(edge)
    told: set[str] = set()
    for edges in by_owner.values():
        alert = _of_one_owner(board, met, edges)
        if alert is not None:
            told.update(alert.accounts)
            yield alert
    strange = [edge for edge in met.trades if met.strange([edge])]
    for ring in components(strange):
        if len(ring) > 1 and not told.issuperset(ring):
            yield from _circle(board, met, ring, strange)


class _Meetings:
    """Who sold to whom, and how often they would have met by chance."""

    def __init__(self, trades: Sequence[Trade]) -> None:
        self.trades: dict[Edge, list[Trade]] = defaultdict(list)
        for trade in trades:
            self.trades[trade.seller, trade.buyer].append(trade)
        self._sold = Counter(trade.seller for trade in trades)
        self._bought = Counter(trade.buyer for trade in trades)
        self._all = len(trades)

    def count(self, edges: Sequence[Edge]) -> int:
        return sum(len(self.trades[edge]) for edge in edges)

    def expected(self, edges: Sequence[Edge]) -> float:
        """Meetings by chance, out of what the accounts trade with everybody else.

        Each is given one trade more, as who trades with nobody else may yet do so.
        """
        total = 0.0
        for seller, buyer in edges:
            own = len(self.trades[seller, buyer])
            others = max(1, self._all - own)
            total += (self._sold[seller] - own + 1) * (self._bought[buyer] - own + 1) / others
        return total

    def strange(self, edges: Sequence[Edge]) -> bool:
        count = self.count(edges)
        return count >= MEETINGS_MIN and poisson_tail(count, self.expected(edges)) <= CHANCE_MAX


def _of_one_owner(board: Board, met: _Meetings, edges: list[Edge]) -> Alert | None:
    if not met.strange(edges):
        return None
    trades = [trade for edge in edges for trade in met.trades[edge]]
    accounts = _most_involved(trades)
    grains = sum(trade.grains for trade in trades)
    expected = met.expected(edges)
    return Alert(
        kind="wash_owner",
        instrument=board.instrument.id,
        accounts=accounts,
        score=len(trades) / max(expected, 1.0),
        explanation=(
            f"{listed(accounts)} have one ultimate owner and traded {len(trades)} times with "
            f"each other, {lots(grains)} of {board.instrument.id}; by chance they would have "
            f"met {expected:.1f} times."
        ),
        evidence=evidence(trade.seq for trade in trades),
    )


def _circle(
    board: Board, met: _Meetings, ring: frozenset[str], strange: list[Edge]
) -> Iterator[Alert]:
    trades = [t for edge in strange if ring.issuperset(edge) for t in met.trades[edge]]
    got: Counter[str] = Counter()
    gave: Counter[str] = Counter()
    for trade in trades:
        got[trade.buyer] += trade.grains
        gave[trade.seller] += trade.grains
    passed = sum(min(got[account], gave[account]) for account in ring)
    most = sum(max(got[account], gave[account]) for account in ring)
    if passed < ROUND_MIN * most:
        return
    accounts = _most_involved(trades)
    yield Alert(
        kind="wash_cycle",
        instrument=board.instrument.id,
        accounts=accounts,
        score=passed / most * len(trades),
        explanation=(
            f"{listed(accounts)} passed {board.instrument.id} round among themselves in "
            f"{len(trades)} trades, far more than chance: of {lots(most)} that came to them or "
            f"left them so, {lots(passed)} only went through."
        ),
        evidence=evidence(trade.seq for trade in trades),
    )


def _most_involved(trades: Sequence[Trade]) -> tuple[str, ...]:
    grains: Counter[str] = Counter()
    for trade in trades:
        grains[trade.buyer] += trade.grains
        grains[trade.seller] += trade.grains
    return tuple(sorted(grains, key=lambda account: (-grains[account], account)))
