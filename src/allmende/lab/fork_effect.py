"""Fork's effect: who would have paid and earned more under another rule, by group.

Rule: the same accounts are grouped the same way in both runs: by role, by kind of member, by
country and by size; the size of an account is what it paid and earned as it was, in thirds of
all accounts, without the market's operator and the commons.
Invariant: the differences of what was earned, over the roles, sum to the difference of what was
paid; a run without a change has none.
Worked number: hosts at 85 and 42 of 101 and 50 pico, at one per cent more fee 84 and 42: hosts
together -1, the operator +1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from allmende.core import events as e
from allmende.core import machine
from allmende.core.actors import Registry
from allmende.core.ledger import COMMONS
from allmende.core.nouns import BOND
from allmende.core.state import State
from allmende.core.units import Amount, Instant
from allmende.lab.fork import Change, Fork, Turned, differences, require
from allmende.lab.fork_books import BUYER, Books

SIZES = ("small", "middle", "large")
UNKNOWN = "unknown"
GROUPS = ("role", "kind", "country", "size")


class Effect(Struct, frozen=True):
    """One group in one asset, in pico-credits. `receipts`: that it rests on at least."""

    asset: str
    by: str
    of: str
    accounts: int
    receipts: int
    paid_before: Amount
    paid_after: Amount
    earned_before: Amount
    earned_after: Amount

    @property
    def gains(self) -> Amount:
        """What the group has more than it had."""
        return self.earned_after - self.earned_before - self.paid_after + self.paid_before


class Simulation(Struct, frozen=True):
    """What a change would have done in a window. `events` first to last of the journal were run
    again, `before` is what was in force at the first. `differs` is empty if the run without a
    change was the ledger's own, and else says what it was not."""

    change: Change
    before: int
    since: Instant
    until: Instant
    first: int
    last: int
    receipts: int
    served: int
    refused: tuple[Turned, ...]
    lent: tuple[tuple[str, str, Amount], ...]
    differs: tuple[str, ...]
    effects: tuple[Effect, ...]


def simulate(events: Iterable[e.Event], change: Change, since: Instant) -> Simulation:
    """Run the whole journal to `since`, and from there as it was and as it might have been.

    Refused where the change cannot be made or requests show nothing of it.
    """
    require(change)
    live, registry, number, first, before = State(), Registry(), 0, 0, 0
    same: Fork | None = None
    other: Fork | None = None
    for event in events:
        if same is None and live.market is not None and event.at >= since:
            before, first = live.parameters[change.name], number + 1
            same, other = Fork(live), Fork(live, change)
        number += 1
        machine.apply(live, event)
        if isinstance(event, e.ActorsImported):
            registry = event.registry
        for fork in (same, other):
            if fork is not None:
                fork.take(event)
    if same is None or other is None:
        return Simulation(change, 0, since, live.now, 0, number, 0, 0, (), (), (), ())
    served = same.books.receipts
    return Simulation(
        change=change,
        before=before,
        since=since,
        until=live.now,
        first=first,
        last=number,
        receipts=sum(served.values()),
        served=sum(other.books.receipts.values()),
        refused=tuple(other.refused.values()),
        lent=tuple((account, asset, n) for (account, asset), n in sorted(other.lent.items())),
        differs=tuple(differences(live, same.state)),
        effects=tuple(effects(live, registry, same.books, other.books)),
    )


def effects(state: State, registry: Registry, before: Books, after: Books) -> list[Effect]:
    """Every group of every asset that a receipt was in."""
    found: list[Effect] = []
    for asset in sorted({key[0] for key in (*before.lines, *after.lines)}):
        sizes = sized(state, asset, before)
        for by in GROUPS:
            groups: dict[str, dict[str, list[int]]] = {}
            for books, place in ((before, 0), (after, 2)):
                for (of, role, account), line in books.lines.items():
                    group = _group(state, registry, before, sizes, by, role, account)
                    if of != asset or not group:
                        continue
                    row = groups.setdefault(group, {}).setdefault(account, [0] * 5)
                    row[place + (role != BUYER)] += line.amount
                    row[4] = max(row[4], line.receipts)
            found += [_effect(asset, by, of, groups[of]) for of in _ordered(groups)]
    return found


def sized(state: State, asset: str, books: Books) -> dict[str, str]:
    """Members by a third of their number each, of what they paid and earned as it was."""
    volumes: dict[str, Amount] = {}
    for (of, _, account), line in books.lines.items():
        member = state.members.get(account)
        if of == asset and member is not None and member.kind != "operator":
            volumes[account] = volumes.get(account, 0) + line.amount
    ordered = sorted(volumes, key=lambda account: (volumes[account], account))
    return {account: SIZES[3 * place // len(ordered)] for place, account in enumerate(ordered)}


def _group(
    state: State,
    registry: Registry,
    books: Books,
    sizes: Mapping[str, str],
    by: str,
    role: str,
    account: str,
) -> str:
    """Of one account; "" if it stands in none of these groups."""
    if by == "role":
        return role
    if by == "size":
        return sizes.get(account, "")
    if by == "country":
        return _country(registry, books, account)
    if account.startswith(BOND):
        return "bond"
    member = state.members.get(account)
    return member.kind if member else COMMONS if account == COMMONS else UNKNOWN


def _country(registry: Registry, books: Books, account: str) -> str:
    """Where the registry says that it is; else where it processed, if that is one country."""
    for actor in registry.actors:
        if account in actor.accounts and actor.jurisdiction:
            return actor.jurisdiction
    places = books.countries.get(account, set())
    return min(places) if len(places) == 1 else UNKNOWN


def _ordered(groups: Mapping[str, Any]) -> list[str]:
    return sorted(groups, key=lambda of: (SIZES.index(of) if of in SIZES else 0, of))


def _effect(asset: str, by: str, of: str, rows: Mapping[str, list[int]]) -> Effect:
    sums = [sum(row[place] for row in rows.values()) for place in range(4)]
    receipts = max(row[4] for row in rows.values())
    return Effect(asset, by, of, len(rows), receipts, sums[0], sums[2], sums[1], sums[3])
