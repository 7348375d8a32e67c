"""A journal of before carbon caps, evidence and water: it reads, and it means the same.

Its lines were written by the code of commit 7bf9d97: one receipt waits for its recount, one is
final, one request is under way.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from allmende.core import commands as c
from allmende.core import events as e
from allmende.core import machine
from allmende.core.refusals import Refused, Why
from allmende.core.state import State
from allmende.core.units import SECOND, Units, worst_ug
from allmende.wire.journal import events

BODY = (Path(__file__).parent / "journal_before_caps.jsonl").read_bytes()
AT = 1_790_000_100 * SECOND


def state_of_before() -> State:
    state = machine.replay(events(BODY))
    machine.check(state)
    return state


def do(state: State, command: c.Command) -> None:
    for event in machine.decide(state, command):
        machine.apply(state, event)
        machine.check(state)


def test_its_receipts_are_the_same_to_the_byte():
    lines = [line for line in BODY.splitlines() if b'"receipt":' in line]
    found = [x for x in events(BODY) if isinstance(x, e.Captured | e.Finalised)]
    assert len(lines) == len(found) == 3
    for line, event in zip(lines, found, strict=True):
        written = bytes(msgspec.json.decode(line, type=dict[str, msgspec.Raw])["receipt"])
        assert msgspec.json.encode(event.receipt) == written


def test_what_its_open_business_may_cause_is_held_as_if_it_began_today():
    state = state_of_before()
    hold, rest = state.holds["open"], state.provisional["pending"]
    worst = worst_ug(hold.offer.energy, hold.bound)
    assert (hold.ug, rest.ug) == (worst, worst - rest.receipt.energy.ug[1])
    assert state.budgets["uni"].ug_held == hold.ug + rest.ug


def test_no_recount_of_it_passes_a_cap_that_came_later():
    state = state_of_before()
    node = state.budgets["uni"]
    cap = node.ug_spent + node.ug_held
    do(state, c.SetCarbonCap(at=AT, id="uni", cap_ug=cap))
    do(state, c.Recount(at=AT, counts=(("pending", Units(input=1_000, output=256)),)))
    do(state, c.Capture(at=AT, hold="open", estimate=Units(), reported=Units(1_000, 0, 256)))
    assert (node.ug_held, node.ug_spent) == (0, cap)
    again = c.Reserve(
        at=AT,
        id="more",
        key="1" * 64,
        endpoint="chat/completions",
        model="small",
        input_bound=1,
        output_bound=1,
    )
    with pytest.raises(Refused) as refused:
        machine.decide(state, again)
    assert refused.value.why is Why.CARBON_CAP
