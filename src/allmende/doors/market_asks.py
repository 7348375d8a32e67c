"""Market asks: what a door fills in for who trades, and how it tells what came of it.

Rule: a caller may leave out ids, the account (then it is his key's member) and, of an
instrument, whatever its offer says; a repetition under one idempotency key gets one id.
Invariant: nobody learns from an answer with whom he traded.
Worked number: place_order without an id and with the key "k1" is the same order "o-5f..."
however often it is sent; without a key each is a new one.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from typing import Any

import msgspec

from allmende.core.contracts import LOT
from allmende.core.state import State
from allmende.doors import lots, sight
from allmende.doors.sight import Viewer

IDS = {
    "place_order": "o",
    "request_quotes": "q",
    "quote": "o",
    "redeem": "r",
    "claim_default": "c",
}
"""Commands that name something new -> how made-up names of it begin."""
ACCOUNTS = frozenset({*IDS, "cancel_orders"})
"""Commands that act for an account."""
OF_THE_OFFER = {"issuer": "provider", "title": "title", "model": "model", "asset": "asset"}
"""Fields of an instrument that stand in the offer which delivers it."""
SIDES = {"buyer": "buy", "seller": "sell"}


def complete(
    state: State, name: str, fields: Mapping[str, Any], viewer: Viewer, idem: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The whole fields of a command, and what the answer has to name. Refused(BAD_VALUE)."""
    whole = dict(fields)
    if name == "list_instrument":
        lots.require_decimal(whole.setdefault("lot", LOT))
        return {**_offered(state, whole), **whole}, {}
    if name in ACCOUNTS:
        whole.setdefault("account", viewer.key.member)
    if name not in IDS:
        return whole, {}
    if not whole.get("id"):
        whole["id"] = f"{IDS[name]}-{_chance(viewer, idem)}"
    return whole, {"id": whole["id"]}


def _offered(state: State, fields: Mapping[str, Any]) -> dict[str, Any]:
    offer = state.offers.get(str(fields.get("offer")))
    if offer is None:
        return {"offer": ""}
    found = {name: getattr(offer, theirs) for name, theirs in OF_THE_OFFER.items()}
    return {**found, "zone": msgspec.to_builtins(offer.zone)}


def _chance(viewer: Viewer, idem: str) -> str:
    if not idem:
        return secrets.token_hex(8)
    return hashlib.sha256(f"{viewer.key.hash}/{idem}".encode()).hexdigest()[:16]


def told(state: State, event: dict[str, Any], lot: int, viewer: Viewer) -> dict[str, Any]:
    """A plain event in lots, without whoever is not the viewer's business."""
    for account, order in SIDES.items():
        if account in event and not sight.member(state, viewer, event[account]):
            event = {key: value for key, value in event.items() if key not in (account, order)}
    found: dict[str, Any] = lots.outward(event, lot)
    return found
