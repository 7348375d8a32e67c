"""Book: which standing offer is best for a request, under the caller's policy.

Rule: among the offers that meet every condition the one with the lowest worst-case price
wins (or the lowest carbon, where asked); the caller's own order comes before either.
Invariant: what is chosen can be paid by its hold: bounds are cut to what the offer can
use at most, and a meter without a price refuses the offer.
Worked number: two offers at 0.15 and 0.10 credits per million input tokens, both fit; the
second wins, unless its zone is refused, and then the refusal counts `zone: 1`.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from allmende.core import carbon, floors
from allmende.core.commands import Reserve
from allmende.core.drilling import DRILL, drill_over, told
from allmende.core.nouns import Offer, Policy
from allmende.core.refusals import Refused, Why
from allmende.core.state import State
from allmende.core.units import (
    METERS,
    SECOND,
    Amount,
    Instant,
    Tariff,
    Units,
    Unpriced,
    worst_price,
)

ANYTHING = Policy()
FAULTS_MAX = 3
"""Faults in a row after which an offer leaves the book for a while."""


class Limits(NamedTuple):
    """What the caller may not choose: the key's top rate, and the room under carbon caps."""

    max_rate: Amount | None = None
    room: carbon.Room | None = None


class Choice(NamedTuple):
    """An offer under a tariff, what it costs at worst, and the bounds that make it so."""

    offer: Offer
    tariff: Tariff
    amount: Amount
    bound: Units
    output_limit: int


def best(state: State, ask: Reserve, limits: Limits, asset: str) -> Choice:
    """The best offer, or a refusal that says which condition failed for how many."""
    ids = state.models.get(ask.model, ())
    if not ids:
        raise Refused(Why.UNKNOWN_MODEL, f"No offer sells {ask.model!r} here.", model=ask.model)
    fits: list[Choice] = []
    over: list[Choice] = []
    failed: dict[str, str] = {}
    for id_ in ids:
        offer = state.offers[id_]
        choice = choice_at(offer, ask, offer.tariff)
        reason = unfit(state, offer, ask, choice, limits, asset)
        if not reason and choice is not None:
            fits.append(choice)
            continue
        failed[id_] = reason
        if reason == carbon.CAP and choice is not None:
            over.append(choice)
    if not fits:
        raise _none(state, ask, limits, failed, over)
    if len(fits) == 1:
        return fits[0]
    return min(fits, key=lambda choice: _rank(choice, ask.policy))


def choice_at(offer: Offer, ask: Reserve, tariff: Tariff) -> Choice | None:
    """What the request can cost at this offer at worst; None where a meter has no price.

    The tariff is the offer's own, or what a right makes of it.
    """
    prompt = offer.context if ask.images else min(ask.input_bound, offer.context)
    limit = min(ask.output_bound or offer.max_output, offer.max_output)
    if ask.endpoint == "embeddings":
        limit, bound = 0, Units(embedding=ask.input_bound)
    else:
        images = ask.images if tariff.image is not None else 0
        bound = Units(input=prompt, output=limit * ask.choices, image=images)
    try:
        return Choice(offer, tariff, worst_price(tariff, bound), bound, limit)
    except Unpriced:
        return None


def unfit(
    state: State,
    offer: Offer,
    ask: Reserve,
    choice: Choice | None,
    limits: Limits,
    asset: str,
) -> str:
    """The first condition that the offer fails, as a word for the refusal; "" if none."""
    if offer.id in ask.exclude:
        return "failed just now"
    if ask.endpoint not in offer.endpoints:
        return "endpoint"
    if offer.asset != asset:
        return "asset"
    if choice is None:
        return "unpriced"
    if limits.max_rate is not None and _top_rate(choice.tariff) > limits.max_rate:
        return "max price of the key"
    if ask.policy is not ANYTHING and ask.policy != ANYTHING:
        reason = _against(ask.policy, choice) or floors.short(state, offer, ask.policy, ask.at)
        if reason:
            return reason
    room = limits.room
    over = "" if room is None else carbon.word(room, offer, choice.bound)
    return _away(state, offer, ask.at, over)


def _away(state: State, offer: Offer, at: Instant, over: str) -> str:
    """Why an offer that would do cannot be had now. What caps refuse, drilled or busy, they do."""
    if state.drills and drill_over(state, offer.id, at) is not None:
        return over or DRILL
    trading = state.trading[offer.id]
    if at < trading.down_until:
        return "down"
    return over or ("busy" if trading.in_flight >= offer.capacity else "")


def _against(policy: Policy, choice: Choice) -> str:
    """The first demand of the policy that the offer does not meet."""
    offer = choice.offer
    zone = offer.zone
    owners = {zone.parent_country, zone.parent} - {""} or {zone.country}
    checks = (
        ("max_rate", policy.max_rate is not None and _top_rate(choice.tariff) > policy.max_rate),
        ("max_cost", policy.max_cost is not None and choice.amount > policy.max_cost),
        ("zone", bool(policy.zones) and zone.country not in policy.zones),
        ("zone", zone.country in policy.not_zones),
        ("control", bool(policy.control) and not owners & set(policy.control)),
        ("control", bool(owners & set(policy.not_control))),
        ("provider", bool(policy.providers) and offer.provider not in policy.providers),
        ("max_grams", policy.max_ug is not None and _carbon(choice) > policy.max_ug),
    )
    return next((word for word, broken in checks if broken), "")


def _rank(choice: Choice, policy: Policy) -> tuple[int, int, int, str]:
    offer = choice.offer
    place = len(policy.order)
    for index, name in enumerate(policy.order):
        if name in (offer.id, offer.provider):
            place = index
            break
    if policy.sort == "carbon":
        return place, _carbon(choice), choice.amount, offer.id
    return place, choice.amount, 0, offer.id


def _carbon(choice: Choice) -> int:
    return carbon.worst(choice.offer, choice.bound)


def _top_rate(tariff: Tariff) -> Amount:
    return max(getattr(tariff, meter) or 0 for meter in METERS)


def _none(
    state: State, ask: Reserve, limits: Limits, failed: dict[str, str], over: list[Choice]
) -> Refused:
    """Why none of the offers that sell the model fits; `failed` is offer -> the word for it."""
    words = dict(Counter(failed.values()))
    refused = _over_cap(ask.model, limits, over, words)
    drilled = [id_ for id_, word in failed.items() if word == DRILL]
    drills, facts = told(state, drilled, ask.at)
    lacks, cures = floors.told(state, [*failed], ask)
    more = {**facts, **cures}
    return refused or _none_fits(ask.model, len(failed), words, lacks + drills, more)


def _over_cap(
    model: str, limits: Limits, over: list[Choice], failed: dict[str, int]
) -> Refused | None:
    """The no of a carbon cap, unless an offer that would do is only away for a while."""
    if limits.room is None or failed.keys() & {"busy", "down", DRILL}:
        return None
    if not over and carbon.UNKNOWN not in failed:
        return None
    refused = [carbon.Refusal(c.offer, c.bound, _carbon(c), c.amount) for c in over]
    return carbon.refuse(model, limits.room, refused, failed)


def _none_fits(
    model: str, offers: int, failed: dict[str, int], more: str, facts: dict[str, Any]
) -> Refused:
    reasons = ", ".join(f"{count} by {word}" for word, count in sorted(failed.items()))
    detail = f"{model!r} has {offers} offer(s): refused {reasons}."
    if failed.get("busy"):
        facts = {**facts, "retry_after_us": SECOND}
        return Refused(Why.CAPACITY, detail + more, conditions=failed, **facts)
    if set(failed) == {"unpriced"}:
        return Refused(Why.UNPRICED, detail, conditions=failed)
    return Refused(Why.NO_OFFER, detail + more, conditions=failed, **facts)


def down_until(state: State, offer: str, fault: bool, at: Instant) -> Instant:
    """Until when a fault takes an offer off the book: at FAULTS_MAX in a row, and doubling."""
    trading = state.trading.get(offer)
    faults = trading.faults + 1 if trading else 1
    if not fault or faults < FAULTS_MAX:
        return 0
    return at + SECOND * (1 << min(faults - FAULTS_MAX, 6))
