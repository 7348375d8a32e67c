"""Registry: what must be so in a registry of actors, each row looked at, each fault named.

Rule: keys are unique, who is named exists, shares sum to no more than the whole, dates are
past, and nobody controls himself. Cross-holdings are lawful and stay.
Invariant: a registry without faults has one answer to who controls whom, and fits a frame.
Worked number: stakes of 60 % and 41 % in one actor are 101 %: both rows are named.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Container, Iterator, Sequence
from datetime import date
from typing import Any, NamedTuple

import msgspec

from allmende.core import actors as a
from allmende.core.actors import Actor, Registry, Stake, Supply
from allmende.core.countries import CODES
from allmende.core.holdings import self_controlled
from allmende.core.units import DAY, PPM, Instant

ACTORS_MAX, STAKES_MAX, SUPPLIES_MAX = 2_000, 8_000, 8_000
TEXT_MAX, ID_MAX, ACCOUNTS_MAX = 300, 64, 64
PAIRS_MAX = 100_000
"""Of one that controls and one that is controlled: 2,000 actors in chains of 50."""
OLDEST = "1990-01-01"
_ENCODE = msgspec.json.Encoder(order="deterministic").encode
_EPOCH = date(1970, 1, 1).toordinal()


class Wrong(NamedTuple):
    """A fault: `table` is actors, stakes or supplies, `row` counts from 0."""

    table: str
    row: int
    field: str
    says: str


class Known(NamedTuple):
    """What the market has that rows may name; None where it is not looked at."""

    today: str
    members: Container[str] | None = None
    offers: Container[str] | None = None


def day(at: Instant) -> str:
    """The day of an instant, UTC: 0 -> '1970-01-01'."""
    return date.fromordinal(_EPOCH + at // DAY).isoformat()


def percent(ppm: int) -> str:
    """Millionths as exact per cent: 1_010_000 -> '101 %', 333_333 -> '33.3333 %'."""
    text = f"{ppm // 10_000}.{ppm % 10_000:04d}"
    return f"{text.rstrip('0').rstrip('.')} %"


def canonical(registry: Registry) -> Registry:
    """The same rows in the one order in which they are kept."""
    return Registry(
        tuple(sorted(registry.actors, key=lambda r: r.id)),
        tuple(sorted(registry.stakes, key=lambda r: (r.entity, r.holder))),
        tuple(sorted(registry.supplies, key=_supply_key)),
    )


def digest(registry: Registry) -> str:
    """SHA-256 of the canonical registry's JSON, in hex."""
    return hashlib.sha256(_ENCODE(canonical(registry))).hexdigest()


def wrong(registry: Registry, known: Known) -> list[Wrong]:
    """Every fault of every row, in the order of tables and rows; of cycles the first."""
    sizes = (
        ("actors", registry.actors, ACTORS_MAX),
        ("stakes", registry.stakes, STAKES_MAX),
        ("supplies", registry.supplies, SUPPLIES_MAX),
    )
    for table, rows, most in sizes:
        if len(rows) > most:
            return [Wrong(table, most, "", f"{len(rows)} rows; a registry has {most} at most")]
    if not registry.actors:
        return [Wrong("actors", 0, "", "a registry has one actor at least")]
    found = [*_actors(registry, known), *_stakes(registry, known), *_supplies(registry, known)]
    return found or _cycle(registry)


# Actors ----------------------------------------------------------------------------------


def _actors(registry: Registry, known: Known) -> Iterator[Wrong]:
    rows = registry.actors
    ids, leis, behind = _First(), _First(), _First()
    for row, actor in enumerate(rows):
        for field, says in _actor(actor, known):
            yield Wrong("actors", row, field, says)
        if (first := ids.seen(actor.id, row)) is not None:
            yield Wrong("actors", row, "id", f"{actor.id!r} is actor {first + 1} already")
        if actor.lei and (first := leis.seen(actor.lei, row)) is not None:
            yield Wrong("actors", row, "lei", f"{rows[first].id!r} has this code")
        for account in actor.accounts:
            if (first := behind.seen(account, row)) is not None:
                says = f"{account!r} is of {rows[first].id!r} already"
                yield Wrong("actors", row, "accounts", says)


def _actor(actor: Actor, known: Known) -> Iterator[tuple[str, str]]:
    yield from _id("id", actor.id)
    yield from _text("name", actor.name, needed=True)
    yield from _text("brand", actor.brand)
    if actor.jurisdiction not in CODES:
        yield "jurisdiction", f"{actor.jurisdiction!r} is no ISO 3166 alpha-3 code such as DEU"
    yield from _among("roles", actor.roles, a.ROLES)
    yield from _among("form", (actor.form,), a.FORMS)
    if actor.lei and not lei_sound(actor.lei):
        yield "lei", f"{actor.lei!r} is no ISO 17442 code: 20 letters and digits that check"
    if len(actor.accounts) > ACCOUNTS_MAX:
        yield "accounts", f"{len(actor.accounts)} accounts; {ACCOUNTS_MAX} at most"
    for account in actor.accounts:
        yield from _exists("accounts", account, known.members, "member")
    if actor.website and not actor.website.startswith(("https://", "http://")):
        yield "website", f"{actor.website!r} is no address such as https://example.org"
    yield from _text("website", actor.website)
    yield from _provenance(actor, known)


def lei_sound(code: str) -> bool:
    """ISO 17442: 18 letters and digits and two that check, by ISO 7064 mod 97-10."""
    if len(code) != 20 or not (code.isascii() and code.isalnum() and code == code.upper()):
        return False
    return int("".join(str(int(sign, 36)) for sign in code)) % 97 == 1


# Stakes ----------------------------------------------------------------------------------


def _stakes(registry: Registry, known: Known) -> Iterator[Wrong]:
    actors = {actor.id: actor for actor in registry.actors}
    pairs, contracts = _First(), _First()
    sums: dict[tuple[str, str], int] = {}
    for row, stake in enumerate(registry.stakes):
        for field, says in _stake(stake, actors, known):
            yield Wrong("stakes", row, field, says)
        if pairs.seen((stake.holder, stake.entity), row) is not None:
            says = f"{stake.holder!r} of {stake.entity!r} is told twice"
            yield Wrong("stakes", row, "holder", says)
        if stake.contract and (first := contracts.seen(stake.entity, row)) is not None:
            other = registry.stakes[first].holder
            says = f"{stake.entity!r} is controlled by contract by {other!r} already"
            yield Wrong("stakes", row, "contract", says)
        for field in ("votes_ppm", "economic_ppm"):
            so_far = sums.get((stake.entity, field), 0) + getattr(stake, field)
            sums[stake.entity, field] = so_far
            if so_far > PPM:
                says = f"with this row {stake.entity!r} is held by {percent(so_far)}"
                yield Wrong("stakes", row, field, says)


def _stake(stake: Stake, actors: dict[str, Actor], known: Known) -> Iterator[tuple[str, str]]:
    for field in ("holder", "entity"):
        yield from _exists(field, getattr(stake, field), actors, "actor")
    if stake.holder == stake.entity:
        yield "entity", "nobody votes with shares of his own: leave them out"
    entity = actors.get(stake.entity)
    if entity is not None and entity.form == "person":
        yield "entity", f"{stake.entity!r} is a person, and nobody holds one"
    for field in ("votes_ppm", "economic_ppm"):
        if not 0 <= getattr(stake, field) <= PPM:
            yield field, f"{getattr(stake, field)} is not 0 to {PPM} millionths"
    if not (stake.votes_ppm or stake.economic_ppm or stake.contract):
        yield "votes_ppm", "a stake has votes, profit or a contract"
    yield from _provenance(stake, known)


def _cycle(registry: Registry) -> list[Wrong]:
    steps = self_controlled(registry.stakes, PAIRS_MAX)
    if steps is None:
        says = f"there are more than {PAIRS_MAX} pairs of controller and controlled"
        return [Wrong("stakes", 0, "holder", f"{says}: chains are too long to be looked through")]
    if not steps:
        return []
    told = "; ".join(f"{', '.join(step.through)} of {step.entity}" for step in steps)
    pair = (steps[-1].through[-1], steps[-1].entity)
    row = [(stake.holder, stake.entity) for stake in registry.stakes].index(pair)
    says = f"{steps[-1].entity!r} would control itself by majority: {told}. One of these is wrong"
    return [Wrong("stakes", row, "votes_ppm", says)]


# Supplies --------------------------------------------------------------------------------


def _supply_key(supply: Supply) -> tuple[str, str, str, str]:
    return supply.scope, supply.subject, supply.layer, supply.supplier


def _supplies(registry: Registry, known: Known) -> Iterator[Wrong]:
    actors = {actor.id for actor in registry.actors}
    keys = _First()
    some = {r[:3] for r in map(_supply_key, registry.supplies) if r[3] != a.NOBODY}
    for row, supply in enumerate(registry.supplies):
        for field, says in _supply(supply, actors, known):
            yield Wrong("supplies", row, field, says)
        if (first := keys.seen(_supply_key(supply), row)) is not None:
            yield Wrong("supplies", row, "supplier", f"supply {first + 1} says this already")
        if supply.supplier == a.NOBODY and _supply_key(supply)[:3] in some:
            yield Wrong("supplies", row, "supplier", "there is none, and another row names one")


def _supply(supply: Supply, actors: set[str], known: Known) -> Iterator[tuple[str, str]]:
    yield from _among("scope", (supply.scope,), a.SCOPES)
    there = {"actor": actors, "provider": known.members, "offer": known.offers}
    yield from _exists("subject", supply.subject, there.get(supply.scope), supply.scope)
    yield from _among("layer", (supply.layer,), a.LAYERS)
    yield from _among("access", (supply.access,), a.ACCESS)
    if supply.layer == "network":
        yield from _text("supplier", supply.supplier, needed=True)
    elif supply.supplier != a.NOBODY and not (
        supply.layer in ("keys", "enclave") and supply.supplier == a.CUSTOMER
    ):
        yield from _exists("supplier", supply.supplier, actors, "actor")
    yield from _provenance(supply, known)


# What any row has ------------------------------------------------------------------------


class _First:
    """Which row had a key first."""

    def __init__(self) -> None:
        self._rows: dict[Any, int] = {}

    def seen(self, key: Any, row: int) -> int | None:
        first = self._rows.setdefault(key, row)
        return None if first == row else first


def _id(field: str, text: str) -> Iterator[tuple[str, str]]:
    plain = text.isascii() and all(ch.isalnum() or ch in "-_." for ch in text)
    if text in (a.CUSTOMER, a.NOBODY):
        yield field, f"{text!r} has a meaning of its own here: take another"
    if not 1 <= len(text) <= ID_MAX or not plain:
        yield field, f"{text[:70]!r} is not 1 to {ID_MAX} of a-z A-Z 0-9 - _ ."


def _text(field: str, text: str, needed: bool = False) -> Iterator[tuple[str, str]]:
    if needed and not text:
        yield field, "nothing is said"
    if len(text) > TEXT_MAX:
        yield field, f"{len(text)} characters; {TEXT_MAX} at most"
    elif not text.isprintable() or text != text.strip():
        yield field, f"{text[:60]!r} has signs that cannot be shown, or space around it"
    elif text[:1] in ("=", "+", "-", "@", "'"):
        yield field, f"{text[:60]!r} would be a formula in a spreadsheet: begin otherwise"


def _among(field: str, words: Sequence[str], allowed: Sequence[str]) -> Iterator[tuple[str, str]]:
    for word in words:
        if word not in allowed:
            told = ", ".join(one or "nothing" for one in allowed)
            yield field, f"{word[:60]!r} is none of {told}"
    if len(set(words)) < len(words):
        yield field, "one of these is told twice"


def _exists(
    field: str, name: str, there: Container[str] | None, what: str
) -> Iterator[tuple[str, str]]:
    if there is None:
        yield from _id(field, name)
    elif name not in there:
        yield field, f"there is no {what} {name[:70]!r}"


def _provenance(row: Actor | Stake | Supply, known: Known) -> Iterator[tuple[str, str]]:
    yield from _text("source", row.source, needed=True)
    yield from _among("grade", (row.grade,), a.GRADES)
    parse: Callable[[str], date] = date.fromisoformat
    try:
        sound = parse(row.date).isoformat() == row.date
    except ValueError:
        sound = False
    if not sound:
        yield "date", f"{row.date[:60]!r} is no date such as 2026-11-20"
    elif not OLDEST <= row.date <= known.today:
        yield "date", f"{row.date} is not between {OLDEST} and today, {known.today}"
