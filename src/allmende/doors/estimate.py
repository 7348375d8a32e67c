"""Estimate: what an order would do now, said before anybody gives it.

Rule: the book is walked as a match would walk it, without what is one's own, over or outside
the breaker's band; the protection is a little worse than the worst price met, and what is
bought can cost no more.
Invariant: nothing is decided or promised: the order that follows is decided by the core alone.
Worked number: of asks of 1 lot at 3.1 and 1 at 3.2 credits, 2 lots cost 6.3 and a fee of
0.0063; protected at 3.264 they cost 6.534528 at most.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from allmende.core import ledger, orders
from allmende.core.contracts import Instrument
from allmende.core.identity import root
from allmende.core.state import Listing, State, Working
from allmende.core.units import PPM, Amount, Instant, credits
from allmende.doors import lots

SLACK_PPM = 20_000
"""How much worse than what is seen now a protected order may trade: 2 %."""

Row = dict[str, Any]


def estimate(
    state: State, listing: Listing, side: str, grains: int, account: str, at: Instant
) -> Row:
    """What `grains` would cost or bring now: the part that is there, its money, the limit."""
    one = listing.instrument
    left, money, fee, best, worst = grains, 0, 0, 0, 0
    for working in _meets(state, listing, side, account, at):
        price, part = working.order.price, min(left, working.left)
        best, worst = best or price, price
        money += price * part
        fee += price * part * state.parameters["trade_fee_ppm"] // PPM
        left -= part
        if not left:
            break
    limit = _protection(state, listing, side, worst or listing.reference)
    most = limit * grains + limit * grains * state.parameters["trade_fee_ppm"] // PPM
    free = ledger.available(state, account, one.asset if side == "buy" else one.id)
    now, later = (money + fee, most) if side == "buy" else (grains, grains)
    return {
        "side": side,
        "account": account,
        "lots": lots.text(grains, one.lot),
        "there": lots.text(grains - left, one.lot),
        "whole": not left,
        "money": credits(money),
        "fee": credits(fee),
        "best": lots.per_lot(best, one.lot),
        "worst": lots.per_lot(worst, one.lot),
        "limit": lots.per_lot(limit, one.lot),
        "most": credits(most),
        "missing_now": _measured(one, side, now - free),
        "missing": _measured(one, side, later - free),
    }


def _measured(one: Instrument, side: str, amount: int) -> str | None:
    """What is missing, as its owner counts it; None if nothing is."""
    if amount <= 0:
        return None
    return credits(amount) if side == "buy" else lots.text(amount, one.lot)


def _meets(
    state: State, listing: Listing, side: str, account: str, at: Instant
) -> Iterator[Working]:
    """Orders that could be met without a halt, best first."""
    top = root(state, account)
    for working in orders.queue(state, listing, "sell" if side == "buy" else "buy"):
        if not _inside(state, listing, working.order.price):
            return
        if at < working.order.until and root(state, working.order.account) != top:
            yield working


def _inside(state: State, listing: Listing, price: Amount) -> bool:
    band = state.parameters["breaker_ppm"]
    return abs(price - listing.reference) * PPM <= band * listing.reference


def _protection(state: State, listing: Listing, side: str, price: Amount) -> Amount:
    """A price by SLACK_PPM worse, in whole ticks, and not outside the breaker's band."""
    tick, band = listing.instrument.tick, state.parameters["breaker_ppm"]
    if side == "buy":
        edge = listing.reference * (PPM + band) // PPM
        wanted = -(-price * (PPM + SLACK_PPM) // PPM)
        return max(price, min(-(-wanted // tick) * tick, edge // tick * tick))
    edge = -(-listing.reference * (PPM - band) // PPM)
    wanted = price * (PPM - SLACK_PPM) // PPM
    return max(tick, min(price, max(wanted // tick * tick, -(-edge // tick) * tick)))
