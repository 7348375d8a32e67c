"""Budgets: a tree of what may be spent, per period, by whoever holds a key below it.

Rule: a budget allows what every ancestor still allows; the root's owner pays.
Invariant: when a hold is made, spent + held <= limit for the budget and all above it, so
no child can overspend an ancestor whatever the concurrency.
Worked number: a term budget of 100 credits with 60 spent and 30 held refuses a hold of
11 with `missing` = 1 credit.
"""

from __future__ import annotations

from collections.abc import Iterator

from allmende.core.refusals import Refused, Why
from allmende.core.state import Budget, State
from allmende.core.units import DAY, Amount, Instant, credits

FOREVER: Instant = 1 << 62
DEPTH_MAX = 32
_SPAN = {"total": "in all", "month": "a month", "term": "a term"}


def find_budget(state: State, id_: str) -> Budget:
    found = state.budgets.get(id_)
    if found is None:
        raise Refused(Why.NOT_FOUND, f"No budget {id_!r}.")
    return found


def path(state: State, budget: str) -> Iterator[Budget]:
    """A budget and its ancestors, from the leaf to the root."""
    while budget:
        node = state.budgets[budget]
        yield node
        budget = node.parent


def spent(node: Budget, at: Instant) -> Amount:
    """Pico-credits spent in the period that `at` lies in."""
    return node.spent if at < node.until else 0


def require_room(state: State, budget: str, amount: Amount, at: Instant) -> None:
    """Refuse a hold of `amount` that this budget or any above it cannot bear."""
    while budget:  # as in `charge`
        node = state.budgets[budget]
        limit, budget = node.limit, node.parent
        if limit is None:
            continue
        missing = spent(node, at) + node.held + amount - limit
        if missing > 0:
            raise Refused(
                Why.BUDGET_SPENT,
                f"Budget {node.name!r} ({node.id}) allows {credits(limit)} {node.asset} "
                f"{_SPAN[node.period]}; {credits(missing)} are missing for the {credits(amount)} "
                "that this request may cost at worst.",
                missing=missing,
                budget=node.id,
            )


def charge(
    state: State,
    budget: str,
    at: Instant,
    *,
    held: Amount,
    spent: Amount,
    of: Instant | None = None,
    ug_held: int = 0,
    ug_spent: int = 0,
) -> None:
    """Add to what a budget and all above it have held and spent (negative: give back).

    A correction names the instant `of` what it corrects: it counts in that period only.
    """
    while budget:  # not `path`: every request comes through here twice
        node = state.budgets[budget]
        if at >= node.until:
            node.spent, node.until = 0, period_end(node.period, at)
            node.ug_spent, node.ug_base = 0, node.ug_held
        node.held += held
        if ug_held:
            node.ug_held += ug_held
        if of is None or period_end(node.period, of) == node.until:
            node.spent += spent
            if ug_spent:
                node.ug_spent += ug_spent
        assert node.held >= 0 <= node.spent, f"budget {node.id}: {node.held}, {node.spent}"
        budget = node.parent


def period_end(period: str, at: Instant) -> Instant:
    """First instant after the period of `at`: months are UTC, terms start in April and October."""
    if period == "total":
        return FOREVER
    year, month = _year_month(at // DAY)
    if period == "month":
        return _first_of(year, month + 1) * DAY
    if month < 4:
        return _first_of(year, 4) * DAY
    return _first_of(year, 10) * DAY if month < 10 else _first_of(year + 1, 4) * DAY


def _year_month(days: int) -> tuple[int, int]:
    """Civil (year, month) of a day number since 1970-01-01, by 400-year eras of March years."""
    days += 719_468
    era, day_of_era = divmod(days, 146_097)
    year = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year + year // 4 - year // 100)
    march_month = (5 * day_of_year + 2) // 153
    month = march_month + 3 if march_month < 10 else march_month - 9
    return era * 400 + year + (month <= 2), month


def _first_of(year: int, month: int) -> int:
    """Day number since 1970-01-01 of the first of a month (month 13 is next January)."""
    year, month = (year + 1, 1) if month > 12 else (year, month)
    year -= month <= 2
    era, year_of_era = divmod(year, 400)
    day_of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return era * 146_097 + day_of_era - 719_468


def check(state: State) -> None:
    """What each budget holds equals the open holds and provisional rests below it; no carbon
    cap is passed, but by what was there when it was set."""
    total: dict[str, Amount] = {}
    total_ug: dict[str, int] = {}
    rows = [(hold.budget, hold.amount, hold.ug) for hold in state.holds.values()]
    rows += [(rest.receipt.budget, rest.held, rest.ug) for rest in state.provisional.values()]
    for budget, amount, ug in rows:
        for node in path(state, budget):
            total[node.id] = total.get(node.id, 0) + amount
            total_ug[node.id] = total_ug.get(node.id, 0) + ug
    for node in state.budgets.values():
        assert node.held == total.get(node.id, 0), f"budget {node.id} holds {node.held}"
        assert node.spent >= 0, f"budget {node.id} spent {node.spent}"
        assert node.ug_held == total_ug.get(node.id, 0), f"budget {node.id} holds {node.ug_held} ug"
        assert node.ug_spent >= 0, f"budget {node.id} caused {node.ug_spent} ug"
        most = None if node.cap_ug is None else max(node.cap_ug, node.ug_base)
        assert most is None or node.ug_spent + node.ug_held <= most, f"carbon cap of {node.id}"
