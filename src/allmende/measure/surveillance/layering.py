"""Layering and spoofing: orders that are shown to be seen, and taken back once they worked.

Rule: an occasion is a fill on one side while the account shows at least three times as much
on the other, large for this book; an episode, one where it takes that back untouched within
20 s. One alert where episodes are more of the occasions than the median account's habit of
cancelling explains: "layering" at three or more orders, else "spoofing".
Invariant: who quotes both sides alike is not alerted, however often he cancels; what is shown
belongs to one occasion only.
Worked number: bids of 6 lots shown in three orders, 1 lot sold, all three bids cancelled 4 s
later: one episode with a ratio of 6. Where an order is cancelled every 300 s, 20 s see one in
1 - exp(-20/300) = 6.4 % of occasions, and four of four by chance in 0.0017 %.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from math import exp
from statistics import median

from msgspec import Struct

from allmende.core.units import SECOND, Instant
from allmende.measure.board import Board, Life, Trade
from allmende.measure.surveillance.alert import Alert, binomial_tail, evidence, lots

RATIO_MIN = 3
SHOWN_MAX: Instant = 300 * SECOND
"""How long an order may have stood before the fill to belong to it."""
BACK_MAX: Instant = 20 * SECOND
"""Within what it is taken back after the fill."""
EPISODES_MIN = 3
CHANCE_MAX = 0.001
LAYERS_MIN = 3
LARGE = 2
"""What is shown is at least so many of the book's median orders."""
TAKEN_BACK = ("cancelled", "amended", "expired")
HABIT_MIN = 5
"""Orders an account must have had for its habit to count."""


class _Occasion(Struct, frozen=True):
    """`shown` stood on the other side of `trade`; `back` of it was taken back soon after."""

    trade: Trade
    shown: tuple[Life, ...]
    back: tuple[Life, ...]
    real: int

    @property
    def grains(self) -> int:
        return sum(life.order.grains for life in self.back)

    @property
    def episode(self) -> bool:
        return self.grains >= RATIO_MIN * self.real


def layers(board: Board) -> Iterator[Alert]:
    """Alerts "layering" and "spoofing" of one instrument."""
    rested = [life for life in board.lives if life.rests and not life.order.request]
    if not rested:
        return
    large = LARGE * median(life.order.grains for life in rested)
    own: dict[str, list[Life]] = defaultdict(list)
    for life in board.lives:
        if not life.order.request:
            own[life.order.account].append(life)
    chance = 1 - exp(-_habit(own) * BACK_MAX / SECOND)
    fills: dict[str, list[Trade]] = defaultdict(list)
    for trade in board.trades:
        fills[trade.buyer].append(trade)
        fills[trade.seller].append(trade)
    for account, lives in sorted(own.items()):
        occasions = list(_occasions(account, lives, fills[account], large))
        episodes = [occasion for occasion in occasions if occasion.episode]
        improbable = binomial_tail(len(episodes), len(occasions), chance) <= CHANCE_MAX
        if len(episodes) >= EPISODES_MIN and improbable:
            yield _alert(board, account, episodes)


def _habit(own: dict[str, list[Life]]) -> float:
    """Withdrawals per second of an order's life, of the median account."""
    rates: list[float] = []
    for lives in own.values():
        over = [life for life in lives if life.rests and life.over]
        lasted = sum(life.ended - life.order.at for life in over) / SECOND
        if len(over) >= HABIT_MIN and lasted:
            rates.append(sum(life.cause in TAKEN_BACK for life in over) / lasted)
    return median(rates) if rates else 0.0


def _occasions(
    account: str, lives: list[Life], fills: list[Trade], large: float
) -> Iterator[_Occasion]:
    used: set[int] = set()
    coming, near = deque(lives), list[Life]()
    for trade in fills:
        while coming and coming[0].seq <= trade.seq:
            near.append(coming.popleft())
        near = [life for life in near if not life.over or trade.at - life.ended <= BACK_MAX]
        side = "buy" if trade.buyer == account else "sell"
        shown = tuple(life for life in near if life.seq not in used and _shown(life, side, trade))
        real = sum(life.order.grains for life in near if _meant(life, side, trade))
        grains = sum(life.order.grains for life in shown)
        if shown and grains >= large and grains >= RATIO_MIN * max(real, trade.grains):
            used.update(life.seq for life in shown)
            back = tuple(life for life in shown if _taken_back(life, trade))
            yield _Occasion(trade, shown, back, max(real, trade.grains))


def _shown(life: Life, side: str, trade: Trade) -> bool:
    """Stood on the other side when the trade came, and not for long."""
    works = life.seq < trade.seq and (not life.over or life.over > trade.seq)
    recent = trade.at - life.order.at <= SHOWN_MAX
    return works and recent and life.rests and life.order.side != side


def _taken_back(life: Life, trade: Trade) -> bool:
    soon = life.over > 0 and life.ended - trade.at <= BACK_MAX
    return soon and not life.filled and life.cause in TAKEN_BACK


def _meant(life: Life, side: str, trade: Trade) -> bool:
    """What the account showed on the trade's own side, or had traded there just before."""
    if life.order.side != side or life.seq > trade.seq:
        return False
    works = not life.over or life.over >= trade.seq
    return works or (life.filled > 0 and trade.at - life.ended <= BACK_MAX)


def _alert(board: Board, account: str, episodes: list[_Occasion]) -> Alert:
    layered = sum(len(episode.back) >= LAYERS_MIN for episode in episodes)
    kind = "layering" if 2 * layered >= len(episodes) else "spoofing"
    shown = sum(episode.grains for episode in episodes)
    real = sum(episode.trade.grains for episode in episodes)
    orders = sum(len(episode.back) for episode in episodes)
    waits = [(e.back[0].ended - e.trade.at) / SECOND for e in episodes]
    numbers = [
        seq for e in episodes for seq in (e.trade.seq, *(n for s in e.back for n in _ends(s)))
    ]
    return Alert(
        kind=kind,
        instrument=board.instrument.id,
        accounts=(account,),
        score=len(episodes) * shown / max(1, sum(episode.real for episode in episodes)),
        explanation=(
            f"{len(episodes)} times {account} showed orders on one side of "
            f"{board.instrument.id}, traded on the other, and took them back unfilled, "
            f"in the median {median(waits):.0f} s later: {orders} orders over {lots(shown)} "
            f"shown, {lots(real)} traded."
        ),
        evidence=evidence(numbers),
    )


def _ends(life: Life) -> tuple[int, int]:
    return life.seq, life.over
