"""Verify: our own count against the provider's word, recorded on the receipt.

Rule: the charge follows our count where we have one; prompts must agree exactly,
completions within a stated band; either way both counts stay on the receipt.
Invariant: a recount never charges more than the request's hold.
Worked number: a provider reports 6 completion tokens where we count 18 (n=3, 6 each): the
receipt becomes 18, its verdict "disagrees", and 12 tokens more are posted.
"""

from __future__ import annotations

from msgspec import structs

from allmende.core import commands as c
from allmende.core import events as e
from allmende.core import ledger, rights, wallets
from allmende.core.nouns import Provisional, paid
from allmende.core.state import State
from allmende.core.units import PPM, Units, clip, energy, price, water
from allmende.core.waterfall import payments

BAND_TOKENS = 2
"""Tokens that may always differ: the end token, and one merge at a cut."""


def recount(state: State, command: c.Recount) -> list[e.Event]:
    """Finalise what we hold as provisional; ids that we do not are late, and ignored."""
    known = [
        (state.provisional[id_], counted)
        for id_, counted in dict(command.counts).items()
        if id_ in state.provisional
    ]
    return [_final(state, rest, counted, command.at) for rest, counted in known]


def overdue(state: State, command: c.Tick) -> list[e.Event]:
    """A recount that never came leaves the receipt as the provider reported it."""
    return [
        _final(state, rest, None, command.at)
        for rest in _by_id(state)
        if command.at >= rest.deadline
    ]


def restart(state: State, command: c.Restart) -> list[e.Event]:
    """What was to be recounted was in memory only, and is gone."""
    return [_final(state, rest, None, command.at) for rest in _by_id(state)]


def _by_id(state: State) -> list[Provisional]:
    return sorted(state.provisional.values(), key=lambda rest: rest.receipt.id)


def _final(state: State, rest: Provisional, counted: Units | None, at: int) -> e.Finalised:
    old = rest.receipt
    if counted is None:
        verdict = "unreported" if old.reported is None else "unchecked"
        receipt = structs.replace(old, verdict=verdict)
        return e.Finalised(at=at, receipt=receipt, before=(), cause="not recounted")
    units = clip(_with_cached(counted, old.reported), rest.hold.bound)
    cost = price(old.tariff, units)
    receipt = structs.replace(
        old,
        units=units,
        price=cost,
        waterfall=payments(old.provider, rest.shares, cost),
        energy=energy(rest.hold.offer.energy, units),
        water=water(rest.hold.offer.energy, units),
        basis="counted",
        verdict=verdict_on(counted, old.reported, state.parameters["completion_band_ppm"]),
        counted=counted,
        grains=rights.grains_of(state, old.right, old.tariff, units),
    )
    same = (receipt.waterfall, receipt.grains) == (old.waterfall, old.grains)
    before = () if same else paid(old)
    return e.Finalised(at=at, receipt=receipt, before=before, cause="recounted")


def _with_cached(counted: Units, reported: Units | None) -> Units:
    """Our total, split as the provider says: a cache is its own, and only lowers the price."""
    if reported is None or reported.cached <= 0:
        return counted
    prompt = counted.input + counted.cached
    cached = min(reported.cached, prompt)
    return structs.replace(counted, input=prompt - cached, cached=cached)


def verdict_on(counted: Units, reported: Units | None, band_ppm: int) -> str:
    """Whether the provider's usage agrees with ours: prompts equal, completions in a band."""
    if reported is None:
        return "unreported"
    same_prompt = counted.input + counted.cached == reported.input + reported.cached
    allowed = max(BAND_TOKENS, counted.output * band_ppm // PPM)
    close = abs(counted.output - reported.output) <= allowed
    return "agrees" if same_prompt and close and _rest(counted) == _rest(reported) else "disagrees"


def _rest(units: Units) -> tuple[int, ...]:
    return units.embedding, units.image, units.audio, units.second


def finalised(state: State, event: e.Finalised) -> None:
    receipt = event.receipt
    rest = state.provisional.pop(receipt.id)
    rights.set_aside(state, rest.hold, -rest.held, -rest.grains)
    if receipt.right:
        listing = state.listings[receipt.right]
        rights.count(state, listing, receipt.account, receipt.grains - rest.receipt.grains)
    ledger.set_aside_earned(state, rest.receipt, -1)
    wallets.charge(
        state,
        rest.hold,
        event.at,
        held=-rest.held,
        spent=receipt.price - rest.receipt.price,
        of=receipt.at,
        ug_held=-rest.ug,
        ug_spent=receipt.energy.ug[1] - rest.receipt.energy.ug[1],
    )
    ledger.post(state, event.postings, spent=False)


DECIDE = {c.Recount: recount, c.Tick: overdue, c.Restart: restart}
APPLY = {e.Finalised: finalised}
