"""Attacks on the bridge: every one of them fails, and moves nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boa
import pytest
from bridge_rig import PER_DAY, TERMS, Crossing, Validators, shown, side_of
from eth_hash.auto import keccak
from hypothesis import example, given, settings
from hypothesis import strategies as st
from vault_rig import Person, deploy, on_chain, refused

from allmende.wire import bridging

ANNA, BEN, MALLORY = (Person(name) for name in ("anna", "ben", "mallory"))
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
TOKENS = Path(__file__).parent / "tokens"
DAY, HOUR = 86_400, 3_600


@pytest.fixture(scope="module")
def made() -> Iterator[Crossing]:
    with boa.env.anchor():
        crossing = Crossing()
        crossing.give(ANNA, 10_000)
        crossing.cross(crossing.home, ANNA, 50)
        yield crossing


@pytest.fixture
def bridge(made: Crossing) -> Iterator[Crossing]:
    """Of Anna's tokens 50 are away."""
    with boa.env.anchor():
        yield made


# Replay ---------------------------------------------------------------------------------------


def test_an_attestation_is_void_on_the_other_side(bridge: Crossing) -> None:
    """Both sides count from 1, and the attacker shows the home's to the home."""
    there = bridge.depart(bridge.home, ANNA, 60)
    signed = bridge.validators.sign(bridge.arrival(bridge.home, there))
    with refused("bridge: "):
        bridge.home.arrive(shown(there), signed)
    assert bridge.state() == (110, 50)


def test_an_attestation_is_void_for_another_deployment(bridge: Crossing) -> None:
    """The same validators serve a second pair: neither its source nor its target is ours."""
    second = Crossing(validators=bridge.validators)
    second.give(MALLORY, 100)
    forged = second.depart(second.home, MALLORY, 100)
    ours = bridge.depart(bridge.home, ANNA, 60)
    while ours.nonce < 3:
        ours = bridge.depart(bridge.home, ANNA, 10)
    with refused("bridge: "):
        bridge.away.arrive(
            shown(forged), second.validators.sign(second.arrival(second.home, forged))
        )
    with refused("bridge: "):
        second.away.arrive(shown(ours), bridge.validators.sign(bridge.arrival(bridge.home, ours)))
    digest = bridging.arrival_digest(side_of(second.home), side_of(bridge.away), forged, keccak)
    with refused("bridge: "):  # signed for our target, but it left another source
        bridge.away.arrive(shown(forged), bridge.validators.sign(digest))


def test_an_attestation_is_void_on_another_chain(bridge: Crossing) -> None:
    """After a fork that takes another id both sides stand there too, with all their state."""
    there = bridge.depart(bridge.home, ANNA, 60)
    signed = bridge.validators.sign(bridge.arrival(bridge.home, there))
    with on_chain(8_453), refused("bridge: "):
        bridge.away.arrive(shown(there), signed)
    bridge.away.arrive(shown(there), signed)


def test_two_chains_with_their_own_ids_are_crossed_both_ways() -> None:
    """And what is to be paid on chain 8453 is not paid on chain 10 by the same contract."""
    with boa.env.anchor():
        bridge = Crossing(chains=(1, 8_453))
        bridge.give(ANNA, 100)
        digest = bridging.arrival_digest
        home, away = side_of(bridge.home, 1), side_of(bridge.away, 8_453)
        with on_chain(1):
            there = bridge.depart(bridge.home, ANNA, 60)
        signed = bridge.validators.sign(digest(home, away, there, keccak))
        for other in (1, 10):
            with on_chain(other), refused("bridge: "):
                bridge.away.arrive(shown(there), signed)
        with on_chain(8_453):
            bridge.away.arrive(shown(there), signed)
            back = bridge.depart(bridge.away, ANNA, 25)
        signed = bridge.validators.sign(digest(away, home, back, keccak))
        with on_chain(8_453), refused("bridge: "):
            bridge.home.arrive(shown(back), signed)
        with on_chain(1):
            bridge.home.arrive(shown(back), signed)
        assert bridge.state() == (35, 35)


# Signatures -----------------------------------------------------------------------------------


def test_one_signature_too_few_is_too_few(bridge: Crossing) -> None:
    there = bridge.depart(bridge.home, ANNA, 60)
    digest = bridge.arrival(bridge.home, there)
    with refused("bridge: too few signatures"):
        bridge.arrive(bridge.home, there, bridge.validators.sign(digest, 1))
    bridge.later(TERMS["validity"] + 1)
    digest = bridge.refund(bridge.home, there)
    with refused("bridge: too few signatures"):
        bridge.come_back(bridge.home, there, bridge.validators.sign(digest, 1))
    assert bridge.state() == (110, 50)


def test_nobody_signs_twice_in_any_form(bridge: Crossing) -> None:
    there = bridge.depart(bridge.home, ANNA, 60)
    digest = bridge.arrival(bridge.home, there)
    one, two = bridge.validators.sign(digest)
    r, s, v = one[:32], int.from_bytes(one[32:64], "big"), one[64]
    high = r + (ORDER - s).to_bytes(32, "big") + bytes([55 - v])
    compact = r + (s | (v - 27) << 255).to_bytes(32, "big")
    for signatures, reason in (
        ([one, one], "signers not ascending"),
        ([two, one], "signers not ascending"),
        ([one, high], "ecdsa: invalid signature `s` value"),
        ([high, two], "ecdsa: invalid signature `s` value"),
        ([one, compact], "no signature"),
        ([one, two[:64] + bytes([0])], "ecdsa: invalid signature"),
        ([one, bytes(65)], "ecdsa: invalid signature"),
        ([one, b""], "no signature"),
        ([b"", b""], "no signature"),
    ):
        with refused(reason):
            bridge.arrive(bridge.home, there, signatures)
    bridge.arrive(bridge.home, there, [one, two])


def test_forged_validators_attest_nothing(bridge: Crossing) -> None:
    there = bridge.depart(bridge.home, ANNA, 60)
    digest = bridge.arrival(bridge.home, there)
    forged = Validators("mallory", "malte", "mala")
    mixed = sorted((bridge.validators.people[0], MALLORY), key=lambda one: one.bytes)
    for signatures in (forged.sign(digest), [one.sign(digest) for one in mixed]):
        with refused("bridge: not a validator"):
            bridge.arrive(bridge.home, there, signatures)
    three = sorted((*bridge.validators.people[:2], MALLORY), key=lambda one: one.bytes)
    with refused("bridge: not a validator"):  # beside enough good ones, too
        bridge.arrive(bridge.home, there, [one.sign(digest) for one in three])


@pytest.mark.parametrize("field", ["nonce", "sender", "to", "amount", "deadline"])
def test_what_was_signed_is_what_is_paid(bridge: Crossing, field: str) -> None:
    there = bridge.depart(bridge.home, ANNA, 60)
    signed = bridge.validators.sign(bridge.arrival(bridge.home, there))
    other = MALLORY.bytes if field in ("sender", "to") else getattr(there, field) + 1
    with refused("bridge: "):
        bridge.arrive(bridge.home, there._replace(**{field: other}), signed)


def test_a_refund_goes_to_whom_it_came_from_and_is_of_what_left(bridge: Crossing) -> None:
    there = bridge.depart(bridge.home, ANNA, 60)
    bridge.later(TERMS["validity"] + 1)
    for forged in (
        there._replace(sender=MALLORY.bytes),
        there._replace(amount=61),
        there._replace(nonce=there.nonce + 1),
        there._replace(deadline=there.deadline - 1),
    ):
        signed = bridge.validators.sign(bridge.refund(bridge.home, forged))
        with refused("bridge: no such transfer"):
            bridge.come_back(bridge.home, forged, signed)


def test_all_validators_together_take_no_more_than_is_locked_and_the_days_limit() -> None:
    """Federated and nothing better: this is what they can do, said plainly."""
    with boa.env.anchor():
        bridge = Crossing()
        bridge.give(ANNA, 1_000)
        bridge.cross(bridge.home, ANNA, 80)
        loot = bridging.Transfer(99, MALLORY.bytes, MALLORY.bytes, 81, 2**60)
        with refused("bridge: more than is locked"):
            bridge.arrive(bridge.away, loot)
        bridge.arrive(bridge.away, loot._replace(amount=80))
        assert bridge.state() == (0, 80)  # here minted exceeds locked, and the status says so


# A hostile token ------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["depart", "arrive", "refund", "outstanding"])
def test_a_token_that_calls_back_gets_in_nowhere(what: str) -> None:
    with boa.env.anchor():
        token = deploy("ReentrantToken", sources=TOKENS)
        bridge = Crossing(token)
        token.mint(ANNA.address, 200)
        token.approve(bridge.home.address, 200, sender=ANNA.address)
        old = bridge.depart(bridge.home, ANNA, 30)
        bridge.later(TERMS["validity"] + 1)
        there = bridge.depart(bridge.home, ANNA, 50)
        bridge.arrive(bridge.home, there)
        bridge.credit.approve(bridge.away.address, 50, sender=ANNA.address)
        back = bridge.depart(bridge.away, ANNA, 20)
        again = {
            "depart": (token.address, 1),
            "arrive": (shown(back), bridge.validators.sign(bridge.arrival(bridge.away, back))),
            "refund": (shown(old), bridge.validators.sign(bridge.refund(bridge.home, old))),
            "outstanding": (),
        }[what]
        token.arm(bridge.home.address, getattr(bridge.home, what).prepare_calldata(*again))
        bridge.arrive(bridge.away, back)
        assert (token.calls(), token.successes()) == (1, 0)
        bridge.come_back(bridge.home, old)
        assert (token.calls(), token.successes()) == (2, 0)
        assert bridge.state() == (30, 30)
        assert token.balanceOf(bridge.home.address) == 30


def test_a_token_that_keeps_a_fee_locks_nothing() -> None:
    with boa.env.anchor():
        token = deploy("FeeToken", sources=TOKENS)
        bridge = Crossing(token)
        token.mint(ANNA.address, 200)
        token.approve(bridge.home.address, 200, sender=ANNA.address)
        for fee, lies, reason in ((1, False, "token: took a fee"), (0, True, "token: false")):
            token.misbehave(fee, lies)
            with refused(reason):
                bridge.depart(bridge.home, ANNA, 50)
        assert bridge.state() == (0, 0)


# Limits over time -----------------------------------------------------------------------------


def test_a_days_limit_is_not_passed_across_midnight(bridge: Crossing) -> None:
    now = boa.env.evm.patch.timestamp
    bridge.later(28 * HOUR + DAY - now % DAY - 1)  # what the fixture moved is forgotten
    moved = [bridge.depart(bridge.home, ANNA, 100) for _ in range(2)]
    bridge.later(2)
    bridge.depart(bridge.home, ANNA, 50)
    with refused("bridge: over the day's limit"):
        bridge.depart(bridge.home, ANNA, 1)
    bridge.later(23 * HOUR)
    with refused("bridge: over the day's limit"):
        bridge.depart(bridge.home, ANNA, 1)
    for one in moved:
        bridge.arrive(bridge.home, one)


STEPS = st.lists(st.tuples(st.integers(0, 9 * HOUR), st.integers(1, 100)), min_size=5, max_size=25)


@settings(max_examples=max(8, settings.default.max_examples // 8))
@example([(DAY - 1, 100), (0, 100), (2, 100), (4 * HOUR - 1, 100), (20 * HOUR, 100)])
@given(steps=STEPS)
def test_in_any_24_hours_no_more_than_the_limit_leaves(
    made: Crossing, steps: list[tuple[int, int]]
) -> None:
    with boa.env.anchor():
        made.later(3 * DAY)
        gone: list[tuple[int, int]] = []
        for wait, amount in steps:
            made.later(wait)
            now = boa.env.evm.patch.timestamp
            if amount <= made.home.day_left(False):
                made.depart(made.home, ANNA, amount)
                gone.append((now, amount))
            else:
                with refused("bridge: over the day's limit"):
                    made.depart(made.home, ANNA, amount)
        for start, _ in gone:
            assert sum(a for at, a in gone if start <= at < start + DAY) <= PER_DAY
        made.later(28 * HOUR)
        assert made.home.day_left(False) == PER_DAY


# Pause ----------------------------------------------------------------------------------------


def test_a_guardian_that_pauses_whenever_it_can_stops_no_transfer_for_good(
    bridge: Crossing,
) -> None:
    """Between two pauses there is more time than one takes, and a transfer outlives a pause."""
    guardian, open_s, paused_s = bridge.guardian.address, 0, 0
    for _ in range(3):
        for side in (bridge.home, bridge.away):
            side.pause(sender=guardian)
        with refused("bridge: too soon"):
            bridge.home.pause(sender=guardian)
        bridge.later(TERMS["pause_max"])
        paused_s += TERMS["pause_max"]
        bridge.cross(bridge.home, ANNA, 10)
        with refused("bridge: too soon"):
            bridge.home.pause(sender=guardian)
        bridge.later(TERMS["pause_gap"])
        open_s += TERMS["pause_gap"]
    assert open_s >= paused_s
    assert bridge.state() == (80, 80)


def test_a_transfer_that_one_pause_met_can_still_be_paid(bridge: Crossing) -> None:
    there = bridge.depart(bridge.home, ANNA, 60)
    bridge.away.pause(sender=bridge.guardian.address)
    bridge.later(TERMS["pause_max"])
    bridge.arrive(bridge.home, there)
    assert bridge.state() == (110, 110)


def test_no_admin_and_no_guardian_takes_anything(bridge: Crossing) -> None:
    """Roles are given and taken; none of them moves a token."""
    admin: Any = bridge.admin.address
    bridge.home.grantRole(keccak(b"GUARDIAN"), MALLORY.address, sender=admin)
    loot = bridging.Transfer(7, MALLORY.bytes, MALLORY.bytes, 50, 2**60)
    for who in (bridge.admin, bridge.guardian, MALLORY):
        with refused("bridge: too few signatures"):
            bridge.home.arrive(shown(loot), [], sender=who.address)
        with refused("bridge: no such transfer"):
            bridge.home.refund(shown(loot), [], sender=who.address)
    assert bridge.state() == (50, 50)
