"""Rewards: what an epoch's measured useful work earns out of its pool. The published rule.

Rule: work is points; a point is worth the same to everybody, at most `pool / full_points`; an
ultimate owner gets at most `owner_cap_ppm` of the pool. What the cap cuts raises the point's worth
for the others as far as that allows, and the rest is never minted. Every division rounds down.
Invariant: the rewards of an owner are within the cap, all of them within the pool; to be two
accounts of one owner never pays more than to be one.
Worked number: a pool of 1_000, a cap of 40 % and 60, 30 and 10 points. Pro rata would be 600, 300,
100; the first is cut to 400. With full_points at 100 a point is worth 10 at most: 400, 300, 100,
and 200 stay unminted. With full_points at 50 it may be worth 20: the second is cut to 400 too, and
the last has the 200 that are left.

Capacity that is merely there has no points: only what was delivered and found right has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from msgspec import Struct

from allmende.core.checks import QUORUM
from allmende.core.units import PPM, SECOND, Amount, Instant, Units

METERS = ("input", "cached", "output", "embedding", "query")
"""What of a receipt's units has points, in the order in which facts tell it."""
COUNTS = ""
OWN, UNVERIFIED, NO_WALLET, NOTHING = "own", "unverified", "no_wallet", "nothing"
"""Why work has no points: the buyer's owner is the worker's; our recount does not agree, or there
was none; its worker has no wallet; nothing of it has points."""


class Rule(Struct, frozen=True, kw_only=True):
    """Of a dated file. Points per unit of each meter, per check, per hour of training.

    Epoch n is from n * epoch_seconds to the next, in Unix time. Its pool is `pool` base units of
    Share in the first `halving_epochs` from `first_epoch` on, half as much in the next, and so on.
    """

    epoch_seconds: int
    first_epoch: int
    pool: Amount
    halving_epochs: int
    full_points: int
    owner_cap_ppm: int
    input: int
    cached: int
    output: int
    embedding: int
    query: int
    check: int
    training_hour: int


class Line(NamedTuple):
    """One receipt, in its batch's order. `leaf` is its hash in hex; `payee` an address and `units`
    as METERS only where `why` is "": of what does not count nobody is told more."""

    batch: int
    leaf: str
    why: str
    payee: str = ""
    units: tuple[int, ...] = ()


class Verdict(NamedTuple):
    """A verifier that was right in a check, one of `right`."""

    check: str
    why: str
    payee: str
    right: int


class Hours(NamedTuple):
    """Training that was attested under `id`."""

    id: str
    why: str
    payee: str
    hours: int


class Closed(NamedTuple):
    """A batch whose receipts are in the epoch: as many lines, whose leaves have this root."""

    number: int
    receipts: int
    receipts_root: str


class Facts(Struct, frozen=True, kw_only=True):
    """All that the rewards of an epoch are reckoned from, as anybody may see it.

    `owners`: payee -> the first payee of its ultimate owner. No account, key, price or prompt.
    """

    market: str
    epoch: int
    owners: dict[str, str]
    batches: tuple[Closed, ...]
    lines: tuple[Line, ...]
    verdicts: tuple[Verdict, ...]
    training: tuple[Hours, ...]


def span(rule: Rule, epoch: int) -> tuple[Instant, Instant]:
    """Its first instant, and the first one after it."""
    length = rule.epoch_seconds * SECOND
    return epoch * length, (epoch + 1) * length


def epoch_at(rule: Rule, at: Instant) -> int:
    return at // (rule.epoch_seconds * SECOND)


def pool_of(rule: Rule, epoch: int) -> Amount:
    """Base units; 0 before the first epoch, as contracts/Emission.vy has it."""
    if epoch < rule.first_epoch:
        return 0
    return rule.pool >> ((epoch - rule.first_epoch) // rule.halving_epochs)


def measured(units: Units) -> tuple[int, ...]:
    return tuple(getattr(units, meter) for meter in METERS)


def points(rule: Rule, facts: Facts) -> dict[str, int]:
    """Payee -> points, of those that have any."""
    weights = tuple(getattr(rule, meter) for meter in METERS)
    found: dict[str, int] = {}
    for line in facts.lines:
        if line.why == COUNTS:
            worth = sum(a * b for a, b in zip(weights, line.units, strict=True))
            found[line.payee] = found.get(line.payee, 0) + worth
    for verdict in facts.verdicts:
        if verdict.why == COUNTS:
            worth = rule.check // max(verdict.right, QUORUM)
            found[verdict.payee] = found.get(verdict.payee, 0) + worth
    for given in facts.training:
        if given.why == COUNTS:
            worth = rule.training_hour * given.hours
            found[given.payee] = found.get(given.payee, 0) + worth
    return {payee: worth for payee, worth in sorted(found.items()) if worth}


def rewards(rule: Rule, facts: Facts) -> dict[str, Amount]:
    """Payee -> base units of Share for this epoch, of those that get any, by payee."""
    pool = pool_of(rule, facts.epoch)
    return shared(rule, pool, points(rule, facts), facts.owners)


def shared(
    rule: Rule, pool: Amount, worked: Mapping[str, int], owners: Mapping[str, str]
) -> dict[str, Amount]:
    """A pool by points: to owners under their cap, within an owner by points again."""
    of_owner: dict[str, int] = {}
    for payee, worth in worked.items():
        of_owner[owners[payee]] = of_owner.get(owners[payee], 0) + worth
    cap = pool * rule.owner_cap_ppm // PPM
    part, whole = _worth(pool, cap, rule.full_points, of_owner.values())
    found = {}
    for payee, worth in sorted(worked.items()):
        all_its = of_owner[owners[payee]]
        amount = min(cap, all_its * part // whole) * worth // all_its
        if amount:
            found[payee] = amount
    return found


def _worth(pool: Amount, cap: Amount, full: int, owned: Iterable[int]) -> tuple[int, int]:
    """What a point is worth, as a fraction: the level to which the pool fills all under the cap."""
    left, points = pool, sum(owned_ := sorted(owned, reverse=True))
    for worth in owned_:
        if left * worth <= cap * points:
            break
        left, points = left - cap, points - worth
    if points == 0 or left * full > pool * points:
        return pool, full
    return left, points
