"""Machine: one journal, one state; a refusal changes nothing; a repeat acts once."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import structs

from allmende.core import abroad_commands as bc
from allmende.core import abroad_events as be
from allmende.core import charter_commands as hc
from allmende.core import charter_events as he
from allmende.core import check_commands as kc
from allmende.core import check_events as ke
from allmende.core import commands as c
from allmende.core import custody_commands as cc
from allmende.core import custody_events as ce
from allmende.core import drill_commands as dc
from allmende.core import drill_events as de
from allmende.core import events as e
from allmende.core import evidence_commands as vc
from allmende.core import evidence_events as ve
from allmende.core import exchange_commands as x
from allmende.core import exchange_events as f
from allmende.core import jury_commands as jc
from allmende.core import jury_events as je
from allmende.core import machine
from allmende.core import reward_commands as rc
from allmende.core import reward_events as re
from allmende.core import title_commands as tc
from allmende.core import title_events as te
from allmende.core import tree_commands as mc
from allmende.core import tree_events as me
from allmende.core.refusals import Refused, Why
from allmende.core.state import State
from allmende.core.units import CREDIT, Units
from allmende.lab import model
from allmende.lab.world import START, World, ask, founding, secret

ENCODE = msgspec.json.Encoder().encode
DECODE = msgspec.json.Decoder(e.Any).decode
COMMANDS = (c, x, cc, dc, vc, jc, kc, rc, tc, hc, mc, bc)
EVENTS = (e, f, ce, de, ve, je, ke, re, te, he, me, be)


def busy() -> World:
    """A market with a bit of everything open."""
    world = World()
    for number in range(6):
        world.reserve(f"r{number}", key=("lab", "ada", "coop")[number % 3], idem=f"i{number}")
    world.do(c.Checkpoint(hold="r0", units=Units(output=9)))
    world.capture("r1", Units(input=9, output=9))
    world.capture("r2", Units(input=9, output=9), pending=True)
    world.do(c.Void(hold="r3", cause="died", fault=True))
    world.do(c.SetParameter(name="levy_ppm", value=1, effective=START + 10**9))
    return world


def test_replaying_a_journal_gives_the_same_digest():
    world = busy()
    digest = machine.digest(world.state)
    assert machine.digest(machine.replay(world.events)) == digest
    half = machine.replay(world.events[:20])
    assert machine.digest(machine.replay(world.events[20:], half)) == digest


def test_every_event_and_the_state_survive_as_json():
    world = busy()
    for event in world.events:
        assert DECODE(ENCODE(event)) == event
    state = msgspec.json.decode(ENCODE(world.state), type=State)
    assert state == world.state
    assert machine.digest(state) == machine.digest(world.state)


def test_amounts_beyond_64_bits_survive():
    world = World()
    for number in range(3):
        world.do(c.Deposit(member="uni", amount=10**30, reference=str(number)))
    again = msgspec.json.decode(ENCODE(world.state), type=State)
    assert again.balances["credit"]["uni"] == 3 * 10**30 + 1_000 * CREDIT


def test_a_state_that_was_read_back_decides_the_same():
    world = busy()
    again = machine.replay([], msgspec.json.decode(machine._ENCODE(world.state), type=State))
    for command in (c.Restart(at=START), c.Tick(at=START + 10**11), ask("r9", at=START)):
        assert machine.decide(again, command) == machine.decide(world.state, command)


def test_the_digest_sees_every_field():
    world = busy()
    before = machine.digest(world.state)
    for name in structs.fields(State)[1:]:
        assert name.name in ENCODE(world.state).decode()
    world.state.batch.since += 1
    assert machine.digest(world.state) != before


def test_every_command_and_every_event_has_a_handler():
    commands = [kind for m in COMMANDS for kind in vars(m).values() if _is_a(kind, c.Command)]
    assert set(machine.DECIDE) == set(commands)
    events = [kind for m in EVENTS for kind in vars(m).values() if _is_a(kind, e.Event)]
    assert set(machine.APPLY) == set(events)
    assert set(machine.APPLY) == set(e.Any.__args__)


def _is_a(kind: object, base: type) -> bool:
    return isinstance(kind, type) and issubclass(kind, base) and kind is not base


def test_a_repeated_command_answers_what_it_did_and_does_nothing():
    world = World()
    command = c.Deposit(member="uni", amount=5, reference="x", idem="k", at=START)
    first = world.do(command)
    world.now += 1
    assert list(world.do(structs.replace(command, at=world.now))) == list(first)
    assert world.refuse(structs.replace(command, amount=6)).why is Why.REPLAYED
    assert world.balance("uni") == 1_000 * CREDIT + 5


def test_the_same_idempotency_key_of_another_actor_is_another_key():
    world = World()
    for number, by in enumerate(("system", secret("root"))):
        assert world.do(c.Deposit(member="uni", amount=1, reference=f"{number}", idem="k", by=by))
    assert world.balance("uni") == 1_000 * CREDIT + 2


def test_a_refused_command_leaves_its_idempotency_key_free():
    world = World()
    poor = c.Transfer(source="ada", target="uni", asset="credit", amount=5, idem="k")
    assert world.refuse(poor).why is Why.NO_CREDIT
    world.do(c.Deposit(member="ada", amount=5, reference="x"))
    assert world.do(poor)


def test_deciding_changes_nothing():
    world = busy()
    before = machine.digest(world.state)
    for command in (c.Restart(), c.Tick(at=START + 10**12), c.CloseBatch(), ask("r9")):
        assert machine.decide(world.state, command)
    assert machine.digest(world.state) == before


@pytest.mark.parametrize("number", range(len(founding())))
def test_a_founding_command_that_comes_twice_is_refused_or_does_no_harm(number: int):
    world = World()
    command = founding()[number]
    done = world.attempt(command)
    assert not isinstance(done, Refused) or done.why is Why.EXISTS
    model.agree(world.state, world.events)


def test_the_model_and_the_machine_agree_on_a_busy_market():
    world = busy()
    model.agree(world.state, world.events)
    world.do(c.Restart())
    world.do(c.CloseBatch())
    model.agree(world.state, world.events)
    assert model.balances(world.events)["credit", "issuer/credit"] == -1_050 * CREDIT


def test_the_model_notices_when_the_machine_is_wrong():
    for spoil in (_spoil_budget, _spoil_balance, _spoil_batch):
        world = busy()
        spoil(world.state)
        with pytest.raises(AssertionError):
            model.agree(world.state, world.events)


def _spoil_budget(state: State) -> None:
    state.budgets["uni"].spent += 1


def _spoil_balance(state: State) -> None:
    state.balances["credit"]["uni"] += 1


def _spoil_batch(state: State) -> None:
    state.batch.receipts += 1
