"""Spend: reserve, checkpoint, capture, void, expire. One request's money from end to end.

Rule: nothing is asked of a provider before its worst case is held; every hold ends as a
capture or a void; what is charged never exceeds the hold.
Invariant: what is set aside equals the open holds and the rests of provisional receipts.
Worked number: a bound of 1_000 input and 256 output tokens at 150_000 and 600_000 pico
holds 303_600_000; a capture of 200 and 60 pays 66_000_000 and releases 237_600_000.
"""

from __future__ import annotations

from msgspec import structs

from allmende.core import budgets, carbon, delivery, floors, ledger, rights, wallets
from allmende.core import commands as c
from allmende.core import events as e
from allmende.core.book import Limits, down_until
from allmende.core.identity import arrive, key, require_rate
from allmende.core.nouns import ENDPOINTS, OUTCOMES, Hold, Provisional, Receipt, payer
from allmende.core.refusals import Refused, Why
from allmende.core.state import State
from allmende.core.units import SECOND, Units, clip, energy, price, water, worst_ug
from allmende.core.waterfall import payments, shares

BOUND_MAX = 10**12
"""Tokens. More than this in one request is a slip or an attack."""


def reserve(state: State, command: c.Reserve) -> list[e.Event]:
    """Choose an offer and hold its worst case, in every budget up the tree."""
    spender = key(state, command.key, command.at)
    if not spender.budget:
        raise Refused(Why.NOT_ALLOWED, "This key names no budget to spend from.")
    _require_sane(state, command)
    if spender.models and command.model not in spender.models:
        raise Refused(Why.MODEL_NOT_IN_KEY, f"It is valid for {', '.join(spender.models)}.")
    if not command.exclude:
        require_rate(state, spender, command.at)
    budget = state.budgets[spender.budget]
    asked = floors.asked(state, command, budget.id)
    limits = Limits(spender.max_rate, carbon.room(state, budget.id, command.at))
    choice, lots, missed = delivery.choose(state, asked, limits, budget)
    budgets.require_room(state, budget.id, choice.amount, command.at)
    source = payer(budget.owner, lots.right)
    ledger.require(state, source, budget.asset, choice.amount, budget.id)
    return [
        e.Reserved(
            at=command.at,
            hold=command.id,
            key=spender.id,
            budget=budget.id,
            account=budget.owner,
            offer=choice.offer.id,
            endpoint=command.endpoint,
            amount=choice.amount,
            bound=choice.bound,
            output_limit=choice.output_limit,
            deadline=command.at + state.parameters["hold_seconds"] * SECOND,
            prompt_hash=command.prompt_hash,
            right=lots.right,
            grains=lots.grains,
            missed=missed,
            ug=worst_ug(choice.offer.energy, choice.bound),
        )
    ]


def _require_sane(state: State, command: c.Reserve) -> None:
    if command.id in state.holds or command.id in state.provisional:
        raise Refused(Why.EXISTS, f"Hold {command.id!r} exists.")
    if command.endpoint not in ENDPOINTS:
        raise Refused(Why.NOT_FOUND, f"No endpoint {command.endpoint!r}.")
    bounds = (command.input_bound, command.output_bound, command.choices, command.images)
    if min(bounds) < 0 or max(bounds) > BOUND_MAX or not command.choices:
        raise Refused(Why.BAD_VALUE, f"Bounds are whole numbers up to {BOUND_MAX} tokens.")


def checkpoint(state: State, command: c.Checkpoint) -> list[e.Event]:
    hold = _open(state, command.hold)
    units = clip(command.units, hold.bound)
    return [e.Checkpointed(at=command.at, hold=hold.id, units=units)]


def capture(state: State, command: c.Capture) -> list[e.Event]:
    """Charge what was delivered: as reported, else as the meter estimates; never zero by gap."""
    hold = _open(state, command.hold)
    if command.outcome not in OUTCOMES:
        raise Refused(Why.BAD_VALUE, f"An outcome is one of {', '.join(OUTCOMES)}.")
    if command.reported is None:
        units, basis, verdict = command.estimate, "estimate", "unreported"
    else:
        units, basis, verdict = command.reported, "reported", "unchecked"
    verdict = "pending" if command.pending else verdict
    receipt = _receipt(state, hold, command, clip(units, hold.bound), basis, verdict)
    return [e.Captured(at=command.at, receipt=receipt)]


def void(state: State, command: c.Void) -> list[e.Event]:
    hold = _open(state, command.hold)
    return [
        e.Voided(
            at=command.at,
            hold=hold.id,
            cause=command.cause[:40],
            fault=command.fault,
            down_until=down_until(state, hold.offer.id, command.fault, command.at),
        )
    ]


def restart(state: State, command: c.Restart) -> list[e.Event]:
    """No request of the dead process can still run: close every hold at its checkpoint."""
    return [_close(state, hold, command.at, "crash") for hold in _by_id(state)]


def expire(state: State, command: c.Tick) -> list[e.Event]:
    return [
        _close(state, hold, command.at, "expired")
        for hold in _by_id(state)
        if command.at >= hold.deadline
    ]


def _by_id(state: State) -> list[Hold]:
    return sorted(state.holds.values(), key=lambda hold: hold.id)


def _close(state: State, hold: Hold, at: int, cause: str) -> e.Event:
    if hold.checkpoint is None or hold.checkpoint == Units():
        return e.Voided(at=at, hold=hold.id, cause=cause)
    heard = c.Capture(at=at, hold=hold.id, estimate=hold.checkpoint, outcome=cause)
    receipt = _receipt(state, hold, heard, hold.checkpoint, "checkpoint", "unreported")
    return e.Captured(at=at, receipt=receipt)


def _open(state: State, id_: str) -> Hold:
    hold = state.holds.get(id_)
    if hold is None:
        raise Refused(Why.HOLD_CLOSED, f"No open hold {id_!r}.")
    return hold


def _receipt(
    state: State, hold: Hold, command: c.Capture, units: Units, basis: str, verdict: str
) -> Receipt:
    assert state.market is not None
    offer = hold.offer
    cost = price(hold.tariff, units)
    assert 0 <= cost <= hold.amount, f"{hold.id} would cost {cost} of {hold.amount} held"
    return Receipt(
        id=hold.id,
        market=state.market.id,
        at=command.at,
        account=hold.account,
        budget=hold.budget,
        key=hold.key,
        provider=offer.provider,
        offer=offer.id,
        title=offer.title,
        model=offer.model,
        endpoint=hold.endpoint,
        zone=offer.zone,
        asset=offer.asset,
        tariff=hold.tariff,
        units=units,
        price=cost,
        waterfall=payments(offer.provider, shares(state, offer), cost),
        energy=energy(offer.energy, units),
        basis=basis,
        verdict=verdict,
        outcome=command.outcome,
        reported=command.reported,
        prompt_hash=hold.prompt_hash,
        answer_hash=command.answer_hash,
        right=hold.right,
        grains=rights.grains_of(state, hold.right, hold.tariff, units),
        payer=ledger.bond_account(hold.right) if hold.right else "",
        water=water(offer.energy, units),
    )


# Application --------------------------------------------------------------------------


def reserved(state: State, event: e.Reserved) -> None:
    offer = state.offers[event.offer]
    hold = Hold(
        event.hold,
        event.at,
        event.deadline,
        event.key,
        event.budget,
        event.account,
        event.amount,
        offer,
        rights.tariff_of(state, offer, event.right),
        event.endpoint,
        event.bound,
        event.prompt_hash,
        event.idem,
        None,
        event.right,
        event.grains,
        event.ug or worst_ug(offer.energy, event.bound),  # nobody noted it before there were caps
    )
    state.holds[event.hold] = hold
    state.trading[offer.id].in_flight += 1
    rights.set_aside(state, hold, event.amount, event.grains)
    wallets.charge(state, hold, event.at, held=event.amount, spent=0, ug_held=hold.ug)
    for missed in event.missed:
        rights.missed(state, missed, event.account, event.at)
    spender = state.keys.get(state.key_hashes.get(event.key, ""))
    if spender is not None:
        arrive(state, spender, event.at)


def checkpointed(state: State, event: e.Checkpointed) -> None:
    hold = state.holds[event.hold]
    state.holds[hold.id] = structs.replace(
        hold,
        checkpoint=event.units,
        deadline=max(hold.deadline, event.at + state.parameters["hold_seconds"] * SECOND),
    )


def captured(state: State, event: e.Captured) -> None:
    """Pay the receipt. Until a pending one is recounted, what may still move stays set aside."""
    receipt = event.receipt
    hold = state.holds.pop(receipt.id)
    pending = receipt.verdict == "pending"
    kept = hold.amount - receipt.price if pending else 0
    grains = hold.grains - receipt.grains if pending else 0
    caused = receipt.energy.ug[1]
    ug = max(0, hold.ug - caused) if pending else 0
    _leave(state, hold, ok=True)
    rights.set_aside(state, hold, kept - hold.amount, grains - hold.grains)
    wallets.charge(
        state,
        hold,
        event.at,
        held=kept - hold.amount,
        spent=receipt.price,
        ug_held=ug - hold.ug,
        ug_spent=caused,
    )
    ledger.post(state, event.postings, spent=False)
    state.tally.captured += 1
    if receipt.right:
        rights.delivered(state, hold, receipt)
    if pending:
        due = event.at + state.parameters["recount_seconds"] * SECOND
        given = shares(state, hold.offer)
        state.provisional[receipt.id] = Provisional(receipt, hold, kept, due, given, grains, ug)
        ledger.set_aside_earned(state, receipt)


def voided(state: State, event: e.Voided) -> None:
    hold = state.holds.pop(event.hold)
    state.served.pop(hold.idem, None)
    _leave(state, hold, ok=False, fault=event.fault, down_until=event.down_until)
    rights.set_aside(state, hold, -hold.amount, -hold.grains)
    wallets.charge(state, hold, event.at, held=-hold.amount, spent=0, ug_held=-hold.ug)
    if hold.right:
        rights.voided(state, hold, event.cause, at=event.at, fault_=event.fault)


def _leave(state: State, hold: Hold, *, ok: bool, fault: bool = False, down_until: int = 0) -> None:
    """One request fewer at the offer; an answer clears its faults, a fault adds one."""
    trading = state.trading[hold.offer.id]
    trading.in_flight -= 1
    if ok:
        trading.faults = 0
    elif fault:
        trading.faults += 1
        trading.down_until = max(trading.down_until, down_until)
    if not trading.in_flight and hold.offer.id not in state.offers:
        del state.trading[hold.offer.id]


DECIDE = {
    c.Reserve: reserve,
    c.Checkpoint: checkpoint,
    c.Capture: capture,
    c.Void: void,
    c.Restart: restart,
    c.Tick: expire,
}
APPLY = {
    e.Reserved: reserved,
    e.Checkpointed: checkpointed,
    e.Captured: captured,
    e.Voided: voided,
}
