"""Who and what a market has, and its rules: the reference tables, one event at a time.

Rule: these events are rare, so each is written as it is folded, in the fold's transaction.
Invariant: no secret, no secret's hash and no provider's address reaches a table.
Worked number: an offer posted twice and withdrawn is two rows in `offers`, the first ended
by the second's time, the second `withdrawn`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

import msgspec

from allmende.adapters.views_actors import ACTORS
from allmende.adapters.views_custody import CUSTODY
from allmende.adapters.views_decisions import DECISIONS
from allmende.adapters.views_drills import DRILLS
from allmende.adapters.views_evidence import EVIDENCE
from allmende.adapters.views_juries import JURIES
from allmende.adapters.views_titles import TITLES, registered
from allmende.core import events as e
from allmende.core import exchange_events as x
from allmende.core.govern import PARAMETERS
from allmende.core.nouns import Asset, Offer
from allmende.core.units import Amount

_PRIVATE = ("url", "sealed_secret", "allow_private")


def founded(db: sqlite3.Connection, number: int, event: e.Founded) -> None:
    market = event.market
    db.execute(
        "INSERT INTO market VALUES (?, ?, ?, ?, ?, ?)",
        (market.id, market.name, market.mode, market.operator, market.public_key, event.at),
    )
    _member(db, (market.operator, market.name, "operator", "", event.at, 1))
    _asset(db, event.asset, event.at)
    for name, rule in PARAMETERS.items():
        _parameter(db, (number, name, event.at, rule.default, event.at, "founded"))


def member_added(db: sqlite3.Connection, number: int, event: e.MemberAdded) -> None:
    member = event.member
    _member(db, (member.id, member.name, member.kind, member.home, event.at, member.tier))


def tier_set(db: sqlite3.Connection, number: int, event: x.TierSet) -> None:
    db.execute("UPDATE members SET tier = ? WHERE id = ?", (event.tier, event.member))


def budget_added(db: sqlite3.Connection, number: int, event: e.BudgetAdded) -> None:
    db.execute(
        "INSERT OR REPLACE INTO budgets VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(event.id, event.name, event.owner, event.parent, event.asset, event.period),
            *(_text(event.limit), event.at),
        ),
    )


def budget_changed(db: sqlite3.Connection, number: int, event: e.BudgetChanged) -> None:
    db.execute('UPDATE budgets SET "limit" = ? WHERE id = ?', (_text(event.limit), event.id))


def key_issued(db: sqlite3.Connection, number: int, event: e.KeyIssued) -> None:
    key = event.key
    db.execute(
        "INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
        (
            *(key.id, key.member, key.role, key.budget, key.name, _json(key.models)),
            *(_text(key.max_rate), key.per_minute, key.expires, event.at),
        ),
    )


def key_revoked(db: sqlite3.Connection, number: int, event: e.KeyRevoked) -> None:
    db.execute("UPDATE keys SET revoked = ? WHERE id = ?", (event.at, event.id))


def asset_registered(db: sqlite3.Connection, number: int, event: e.AssetRegistered) -> None:
    _asset(db, event.asset, event.at)


def title_registered(db: sqlite3.Connection, number: int, event: e.TitleRegistered) -> None:
    title = event.title
    db.execute(
        "INSERT OR REPLACE INTO titles VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(title.id, title.owner, title.kind, title.name, _json(title.waterfall)),
            *(title.evidence, title.licence, event.at),
        ),
    )
    registered(db, number, event)


def offer_posted(db: sqlite3.Connection, number: int, event: e.OfferPosted) -> None:
    offer = event.offer
    zone = offer.zone
    _end(db, offer.id, event.at, withdrawn=0)
    db.execute(
        "INSERT INTO offers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, 0)",
        (
            *(number, event.at, offer.id, offer.provider, offer.title, offer.model, offer.asset),
            *(zone.country, zone.operator, zone.parent, zone.parent_country, _terms(offer)),
        ),
    )


def offer_withdrawn(db: sqlite3.Connection, number: int, event: e.OfferWithdrawn) -> None:
    _end(db, event.id, event.at, withdrawn=1)


def parameter_scheduled(db: sqlite3.Connection, number: int, event: e.ParameterScheduled) -> None:
    row = (number, event.name, event.at, event.value, event.effective, "scheduled")
    _parameter(db, row)


def parameter_changed(db: sqlite3.Connection, number: int, event: e.ParameterChanged) -> None:
    _parameter(db, (number, event.name, event.at, event.value, event.at, "changed"))


def _member(db: sqlite3.Connection, row: tuple[object, ...]) -> None:
    db.execute("INSERT OR REPLACE INTO members VALUES (?, ?, ?, ?, ?, ?)", row)


def _asset(db: sqlite3.Connection, asset: Asset, at: int) -> None:
    row = (asset.id, asset.issuer, asset.name, at)
    db.execute("INSERT OR REPLACE INTO assets VALUES (?, ?, ?, ?)", row)


def _parameter(db: sqlite3.Connection, row: tuple[object, ...]) -> None:
    db.execute("INSERT INTO parameters VALUES (?, ?, ?, ?, ?, ?)", row)


def _end(db: sqlite3.Connection, offer: str, at: int, *, withdrawn: int) -> None:
    """The version of an offer that stood until now stands no more."""
    db.execute(
        "UPDATE offers SET until = ?, withdrawn = ? WHERE offer = ? AND until IS NULL",
        (at, withdrawn, offer),
    )


def _terms(offer: Offer) -> str:
    terms = msgspec.to_builtins(offer)
    return _json({name: value for name, value in terms.items() if name not in _PRIVATE})


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _text(amount: Amount | None) -> str | None:
    return None if amount is None else str(amount)


REFERENCE: dict[type[e.Event], Callable[[sqlite3.Connection, int, Any], None]] = {
    e.Founded: founded,
    e.MemberAdded: member_added,
    x.TierSet: tier_set,
    e.BudgetAdded: budget_added,
    e.BudgetChanged: budget_changed,
    e.KeyIssued: key_issued,
    e.KeyRevoked: key_revoked,
    e.AssetRegistered: asset_registered,
    e.TitleRegistered: title_registered,
    e.OfferPosted: offer_posted,
    e.OfferWithdrawn: offer_withdrawn,
    e.ParameterScheduled: parameter_scheduled,
    e.ParameterChanged: parameter_changed,
    **CUSTODY,
    **DRILLS,
    **DECISIONS,
    **JURIES,
    **TITLES,
    **EVIDENCE,
    **ACTORS,
}
