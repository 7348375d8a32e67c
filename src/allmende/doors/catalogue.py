"""Catalogue: the models that a key can buy, as OpenAI lists them, and who sells them.

Rule: a model is listed if the key may use it and an offer stands that takes the budget's
asset; beside OpenAI's fields each model carries its offers.
Invariant: what is listed would be found by the next request; prices are decimal text.
Worked number: an offer of 150_000 pico a token is listed with "input": "0.15".
"""

from __future__ import annotations

from typing import Any

import msgspec

from allmende.core.nouns import Key, Offer
from allmende.core.refusals import Refused, Why
from allmende.core.state import State
from allmende.core.units import METERS
from allmende.doors.errors import JSON, Reply
from allmende.doors.plain import per_million

_ENCODE = msgspec.json.Encoder().encode


def listing(state: State, key: Key) -> Reply:
    """GET /v1/models."""
    models = [_model(state, key, name) for name in sorted(state.models)]
    return _reply({"object": "list", "data": [model for model in models if model]})


def one(state: State, key: Key, name: str) -> Reply:
    """GET /v1/models/{name}. Refused: UNKNOWN_MODEL."""
    model = _model(state, key, name)
    if model is None:
        raise Refused(Why.UNKNOWN_MODEL, f"No offer sells {name!r} to this key.")
    return _reply(model)


def _model(state: State, key: Key, name: str) -> dict[str, Any] | None:
    if key.models and name not in key.models:
        return None
    budget = state.budgets.get(key.budget)
    offers = [
        offer
        for offer in (state.offers[id_] for id_ in state.models.get(name, ()))
        if budget is None or offer.asset == budget.asset
    ]
    if not offers:
        return None
    owner = state.titles[offers[0].title].owner
    said = {"offers": [_offer(offer) for offer in offers]}
    return {"id": name, "object": "model", "created": 0, "owned_by": owner, "allmende": said}


def _offer(offer: Offer) -> dict[str, Any]:
    """What a buyer compares; prices are credits per million units."""
    rates = ((meter, getattr(offer.tariff, meter)) for meter in METERS)
    return {
        "offer": offer.id,
        "provider": offer.provider,
        "asset": offer.asset,
        "price": {meter: per_million(rate) for meter, rate in rates if rate is not None},
        "endpoints": offer.endpoints,
        "context": offer.context,
        "max_output": offer.max_output,
        "zone": offer.zone,
        "energy": offer.energy,
        "evidence": offer.evidence,
    }


def _reply(value: object) -> Reply:
    body = _ENCODE(value)
    return Reply(200, [JSON, (b"content-length", b"%d" % len(body))], body)
