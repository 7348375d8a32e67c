"""Lookups: what a market's state says, for one viewer, as plain data.

Rule: read the state, never change it; who sees what is decided in `sight` alone.
Invariant: amounts leave as decimal text of credits; key secrets do not exist here, and
their hashes and providers' sealed secrets stay inside.
Worked number: a budget of 100 credits with 60 spent and 30 held reads available "10".
"""

from __future__ import annotations

from typing import Any

import msgspec

from allmende.core import abroad, budgets, carbon, ledger
from allmende.core.drilling import drill_over
from allmende.core.govern import PARAMETERS
from allmende.core.nouns import Key, Market, Offer
from allmende.core.state import Budget, State
from allmende.core.units import Amount, Instant, credits
from allmende.doors import sight
from allmende.doors.plain import iso, outward
from allmende.doors.sight import Viewer

Row = dict[str, Any]


def market(state: State) -> Market:
    assert state.market is not None, "doors open after the market is founded"
    return state.market


def whole(state: State) -> Row:
    """The market itself, as anyone may see it."""
    return {**msgspec.to_builtins(market(state)), "assets": list(state.assets)}


def me(state: State, viewer: Viewer) -> Row:
    """Who a key is, what it may do, and what stands behind it."""
    return {
        "market": whole(state),
        "key": key(viewer.key),
        "member": member(state, viewer.key.member),
        "balances": balances_of(state, viewer.key.member),
    }


def key(found: Key) -> Row:
    row: Row = outward(msgspec.to_builtins(found))
    del row["hash"]
    return row


def member(state: State, id_: str) -> Row:
    row: Row = msgspec.to_builtins(state.members[id_])
    return row


def members(state: State, viewer: Viewer) -> list[Row]:
    return [
        {**member(state, id_), "balances": balances_of(state, id_)}
        for id_ in sight.members(state, viewer)
    ]


def balances_of(state: State, account: str) -> list[Row]:
    """One row per asset that the account ever had: all of it, what is held, what is free.

    Rights are no money, and stand in `market_rows.own_rights`.
    """
    return [
        {
            "account": account,
            "asset": asset,
            "balance": credits(held[account]),
            "held": credits(held[account] - ledger.available(state, account, asset)),
            "available": credits(ledger.available(state, account, asset)),
        }
        for asset, held in state.balances.items()
        if account in held and asset not in state.listings and not _right(state, asset)
    ]


def _right(state: State, asset: str) -> bool:
    """Whether it is another market's right; those stand in `abroad.rights`."""
    foreign = state.foreign.get(asset)
    return foreign is not None and foreign.unit == abroad.GRAINS


def balances(state: State, viewer: Viewer) -> list[Row]:
    """Balances of whoever the viewer sees; operators also see the commons, issuers and bonds."""
    accounts = list(sight.members(state, viewer))
    if viewer.operates:
        accounts += [ledger.COMMONS, *map(ledger.issuer_account, state.assets)]
        accounts += map(ledger.bond_account, state.listings)
        accounts += map(abroad.account, state.peers)
    return [row for account in accounts for row in balances_of(state, account)]


def tree(state: State, viewer: Viewer, at: Instant) -> list[Row]:
    """Budgets as far as the viewer sees them, each after its parent, with its depth."""
    nodes = list(sight.visible_budgets(state, viewer))
    shown = {node.id for node in nodes}
    below: dict[str, list[Budget]] = {}
    for node in nodes:
        below.setdefault(node.parent if node.parent in shown else "", []).append(node)
    rows: list[Row] = []
    waiting = [(node, 0) for node in reversed(below.get("", []))]
    while waiting:
        node, depth = waiting.pop()
        rows.append({**budget(state, node, at), "depth": depth})
        waiting += [(child, depth + 1) for child in reversed(below.get(node.id, []))]
    return rows


def budget(state: State, node: Budget, at: Instant) -> Row:
    """A budget with what it and all above it still allow (`available`, None: no limit)."""
    room = _room(state, node, at)
    return {
        "id": node.id,
        "name": node.name,
        "owner": node.owner,
        "parent": node.parent,
        "asset": node.asset,
        "period": node.period,
        "limit": None if node.limit is None else credits(node.limit),
        "spent": credits(budgets.spent(node, at)),
        "held": credits(node.held),
        "available": None if room is None else credits(room),
        "until": iso(node.until) if 0 < node.until < budgets.FOREVER else None,
        "carbon": caused(state, node, at),
    }


def caused(state: State, node: Budget, at: Instant) -> Row:
    """Micrograms of CO2e at worst, this period; `room_ug` under all caps above, None without."""
    room = carbon.room(state, node.id, at)
    return {
        "cap_ug": node.cap_ug,
        "caused_ug": node.ug_spent if at < node.until else 0,
        "held_ug": node.ug_held,
        "room_ug": None if room is None else max(0, room.left),
    }


def _room(state: State, node: Budget, at: Instant) -> Amount | None:
    rooms = [
        above.limit - budgets.spent(above, at) - above.held
        for above in budgets.path(state, node.id)
        if above.limit is not None
    ]
    return max(0, min(rooms)) if rooms else None


def keys(state: State, viewer: Viewer) -> list[Row]:
    return [key(found) for found in state.keys.values() if sight.key(state, viewer, found)]


def titles(state: State) -> list[Row]:
    """With its token, `None` where nobody asked for one; `holder` is as far as we followed."""
    return [
        {**msgspec.to_builtins(title), "token": msgspec.to_builtins(state.tokens.get(title.id))}
        for title in state.titles.values()
    ]


def offers(state: State, viewer: Viewer | None, at: Instant) -> list[Row]:
    """Standing offers. A provider's address is for operators and its own managers."""
    rows = []
    for offer in state.offers.values():
        row = _offer(state, offer, at)
        if viewer is not None and viewer.manages and sight.member(state, viewer, offer.provider):
            row |= {"url": offer.url, "allow_private": offer.allow_private}
            row |= {"upstream_model": offer.upstream_model, "vocabulary": offer.vocabulary}
        rows.append(row)
    return rows


def _offer(state: State, offer: Offer, at: Instant) -> Row:
    trading = state.trading[offer.id]
    drill = drill_over(state, offer.id, at)
    same = ("id", "model", "provider", "title", "asset", "capacity", "context", "max_output")
    return {
        **{name: getattr(offer, name) for name in same},
        "tariff": outward(msgspec.to_builtins(offer.tariff), "tariff"),
        "zone": msgspec.to_builtins(offer.zone),
        "endpoints": list(offer.endpoints),
        "in_flight": trading.in_flight,
        "energy": msgspec.to_builtins(offer.energy),
        "recounted": bool(offer.vocabulary),
        "evidence": offer.evidence,
        "down_until": iso(trading.down_until) if trading.down_until > at else None,
        "drill": None if drill is None else drill.id,
    }


def checks(state: State) -> list[dict[str, Any]]:
    """Those that are open; who sealed or said what stays in the journal until they end."""
    return [
        {
            "id": found.check.id,
            "subject": found.check.subject,
            "about": found.check.about,
            "commit_until": iso(found.check.commit_until),
            "reveal_until": iso(found.check.reveal_until),
            "sealed": len(found.commits),
            "told": len(found.verdicts),
        }
        for found in state.checks.values()
    ]


def cases(state: State) -> list[Row]:
    """Open cases, oldest first. What was decided is in the journal."""
    return [msgspec.to_builtins(case) for case in state.cases.values()]


def parameters(state: State) -> list[Row]:
    """The rules in force, with bounds and meaning, and what is scheduled."""
    return [
        {
            "name": name,
            "value": state.parameters[name],
            "default": rule.default,
            "least": rule.least,
            "most": rule.most,
            "unit": rule.unit,
            "meaning": rule.meaning,
            "rank": rule.rank,
            "scheduled": [
                {"value": change.value, "effective": iso(change.effective)}
                for change in state.scheduled
                if change.name == name
            ],
        }
        for name, rule in PARAMETERS.items()
    ]


def open_batch(state: State) -> Row:
    """What would be closed if the batch were closed now; `amount` is as the ledger counts."""
    batch = state.batch
    return {
        "number": batch.number,
        "receipts": batch.receipts,
        "provisional": len(state.provisional),
        "since": iso(batch.since) if batch.receipts else None,
        "net": [
            {"account": account, "asset": asset, "amount": amount}
            for asset, accounts in sorted(batch.net.items())
            for account, amount in sorted(accounts.items())
            if amount
        ],
    }
