"""The bridge: what crosses, what returns, what its rules are and how they change."""

from __future__ import annotations

from collections.abc import Iterator

import boa
import pytest
from bridge_rig import PER_DAY, PER_TRANSFER, TERMS, Crossing, Validators, shown, wrapped
from eth_hash.auto import keccak
from vault_rig import ZERO, Person, deploy, refused

from allmende.wire import bridging

ANNA, BEN, MALLORY = (Person(name) for name in ("anna", "ben", "mallory"))


@pytest.fixture(scope="module")
def made() -> Iterator[Crossing]:
    with boa.env.anchor():
        crossing = Crossing()
        crossing.give(ANNA, 1_000)
        yield crossing


@pytest.fixture
def bridge(made: Crossing) -> Iterator[Crossing]:
    """Anna has 1,000 at home."""
    with boa.env.anchor():
        yield made


# There and back -----------------------------------------------------------------------------


def test_what_is_locked_at_home_is_minted_away_and_comes_back(bridge: Crossing) -> None:
    there = bridge.depart(bridge.home, ANNA, 60, to=BEN)
    assert bridge.state() == (60, 0)
    bridge.arrive(bridge.home, there)
    assert bridge.state() == (60, 60)
    assert bridge.credit.balanceOf(BEN.address) == bridge.credit.totalSupply() == 60
    bridge.credit.approve(bridge.away.address, 25, sender=BEN.address)
    bridge.arrive(bridge.away, bridge.depart(bridge.away, BEN, 25))
    assert bridge.state() == (35, 35)
    assert bridge.balances(BEN) == (25, 35)
    assert bridge.token.balanceOf(bridge.home.address) == 35


def test_the_away_side_alone_mints_the_wrapped_credit(bridge: Crossing) -> None:
    assert bridge.credit.owner() == bridge.away.address
    for who in (bridge.admin, ANNA):
        with refused("erc20: access is denied"):
            bridge.credit.mint(who.address, 1, sender=who.address)
        with refused("ownable: caller is not the owner"):
            bridge.credit.set_minter(who.address, True, sender=who.address)


def test_who_burns_wrapped_credit_by_itself_gives_it_up(bridge: Crossing) -> None:
    bridge.cross(bridge.home, ANNA, 60)
    bridge.credit.burn(20, sender=ANNA.address)
    assert (bridge.state(), bridge.credit.totalSupply()) == ((60, 60), 40)
    bridge.cross(bridge.away, ANNA, 40)
    assert bridge.state() == (20, 20)


def test_a_transfer_is_paid_once_on_either_side(bridge: Crossing) -> None:
    there = bridge.cross(bridge.home, ANNA, 60)
    with refused("bridge: paid already"):
        bridge.arrive(bridge.home, there)
    back = bridge.cross(bridge.away, ANNA, 10)
    with refused("bridge: paid already"):
        bridge.arrive(bridge.away, back)
    assert bridge.state() == (50, 50)


def test_what_expired_is_not_paid_there_and_returns_here_once(bridge: Crossing) -> None:
    there = bridge.depart(bridge.home, ANNA, 60)
    with refused("bridge: not expired"):
        bridge.come_back(bridge.home, there)
    bridge.later(TERMS["validity"])
    with refused("bridge: not expired"):
        bridge.come_back(bridge.home, there)  # the last second in which it is paid there
    bridge.later(1)
    with refused("bridge: expired"):
        bridge.arrive(bridge.home, there)
    bridge.come_back(bridge.home, there)
    with refused("bridge: no such transfer"):
        bridge.come_back(bridge.home, there)
    assert bridge.state() == (0, 0)
    assert bridge.token.balanceOf(ANNA.address) == 1_000


def test_a_burn_that_was_not_paid_is_minted_again_for_its_sender(bridge: Crossing) -> None:
    bridge.cross(bridge.home, ANNA, 60)
    back = bridge.depart(bridge.away, ANNA, 40, to=BEN)
    bridge.later(TERMS["validity"] + 1)
    bridge.come_back(bridge.away, back)
    assert bridge.state() == (60, 60)
    assert bridge.balances(ANNA) == (940, 60)


def test_an_arrival_is_no_refund_and_a_refund_no_arrival(bridge: Crossing) -> None:
    there = bridge.depart(bridge.home, ANNA, 60)
    signed = bridge.validators.sign(bridge.refund(bridge.home, there))
    with refused("bridge: "):
        bridge.arrive(bridge.home, there, signed)
    signed = bridge.validators.sign(bridge.arrival(bridge.home, there))
    bridge.later(TERMS["validity"] + 1)
    with refused("bridge: "):
        bridge.come_back(bridge.home, there, signed)
    assert bridge.state() == (60, 0)


@pytest.mark.parametrize("amount", [0, PER_TRANSFER + 1])
def test_nothing_and_too_much_do_not_leave(bridge: Crossing, amount: int) -> None:
    reason = "nothing" if amount == 0 else "over the transfer's limit"
    with refused(reason):
        bridge.depart(bridge.home, ANNA, amount)
    with refused("to nobody"):
        bridge.home.depart(ZERO, 1, sender=ANNA.address)


# Limits -------------------------------------------------------------------------------------


def test_a_day_has_its_limit_each_way_on_both_sides(bridge: Crossing) -> None:
    for amount in (100, 100, 50):
        bridge.cross(bridge.home, ANNA, amount)
    assert (bridge.home.day_left(False), bridge.away.day_left(True)) == (0, 0)
    assert (bridge.home.day_left(True), bridge.away.day_left(False)) == (PER_DAY, PER_DAY)
    with refused("bridge: over the day's limit"):
        bridge.depart(bridge.home, ANNA, 1)
    bridge.cross(bridge.away, ANNA, 100)
    bridge.later(28 * 3_600)
    bridge.cross(bridge.home, ANNA, 100)


def test_the_receiving_side_holds_its_limits_by_itself(bridge: Crossing) -> None:
    waiting = [bridge.depart(bridge.home, ANNA, 100) for _ in range(2)]
    rules = bridge.validators.rules(per_transfer=100, per_day=150)
    bridge.away.propose(rules, sender=bridge.admin.address)
    bridge.later(TERMS["delay"])
    bridge.away.change(rules)
    fresh = [bridge.depart(bridge.home, ANNA, 100) for _ in range(2)]
    bridge.arrive(bridge.home, fresh[0])
    with refused("bridge: over the day's limit"):
        bridge.arrive(bridge.home, fresh[1])
    for one in waiting:
        with refused("bridge: expired"):
            bridge.arrive(bridge.home, one)
        bridge.come_back(bridge.home, one)
    assert bridge.state() == (200, 100)


def test_lowered_limits_keep_no_refund_back(bridge: Crossing) -> None:
    there = bridge.depart(bridge.home, ANNA, 100)
    rules = bridge.validators.rules(per_transfer=5, per_day=10)
    bridge.home.propose(rules, sender=bridge.admin.address)
    bridge.later(TERMS["delay"])
    bridge.home.change(rules)
    bridge.come_back(bridge.home, there)
    assert (bridge.state(), bridge.home.day_left(True)) == ((0, 0), 0)


# Rules change ---------------------------------------------------------------------------------


def test_rules_change_by_the_admin_after_the_delay_and_not_before(bridge: Crossing) -> None:
    others = Validators("nora", "nils", "nele")
    bridge.home.propose(others.rules(), sender=bridge.admin.address)
    with refused("bridge: not what was proposed"):
        bridge.home.change(others.rules(per_day=PER_DAY + 1))
    bridge.later(TERMS["delay"] - 1)
    with refused("bridge: too soon"):
        bridge.home.change(others.rules())
    bridge.later(1)
    bridge.home.change(others.rules(), sender=MALLORY.address)
    assert bridge.home.the_rules()[0] == others.rules()[0]
    with refused("bridge: nothing proposed"):
        bridge.home.change(others.rules())
    for who in (MALLORY, bridge.guardian, bridge.validators.people[0]):
        with refused("access_control"):
            bridge.home.propose(others.rules(), sender=who.address)


def test_validators_that_were_removed_attest_nothing_more(bridge: Crossing) -> None:
    others = Validators("nora", "nils", "nele")
    bridge.away.propose(others.rules(), sender=bridge.admin.address)
    bridge.later(TERMS["delay"])
    there = bridge.depart(bridge.home, ANNA, 60)
    bridge.away.change(others.rules())
    with refused("bridge: not a validator"):
        bridge.arrive(bridge.home, there)
    bridge.arrive(bridge.home, there, others.sign(bridge.arrival(bridge.home, there)))


def test_a_proposal_is_taken_back(bridge: Crossing) -> None:
    rules = bridge.validators.rules(per_day=PER_DAY + 1)
    bridge.home.propose(rules, sender=bridge.admin.address)
    with refused("access_control"):
        bridge.home.drop(sender=MALLORY.address)
    bridge.home.drop(sender=bridge.admin.address)
    bridge.later(TERMS["delay"])
    with refused("bridge: nothing proposed"):
        bridge.home.change(rules)
    with refused("bridge: nothing proposed"):
        bridge.home.drop(sender=bridge.admin.address)


def test_rules_that_make_no_sense_are_refused(bridge: Crossing) -> None:
    names, threshold, one, day = bridge.validators.rules()
    twice = [names[0], names[0], names[1]]
    cases = {
        "bridge: threshold": ((names, 1, one, day), (names, 4, one, day), ([], 0, one, day)),
        "bridge: validators not ascending": ((names[::-1], 2, one, day), (twice, 2, one, day)),
        "bridge: limits": ((names, 2, 0, day), (names, 2, day + 1, day), (names, 2, 1, 2**128)),
    }
    for reason, rules in cases.items():
        for rule in rules:
            with refused(reason):
                bridge.home.propose(rule, sender=bridge.admin.address)
    assert threshold == 2


# Pause ----------------------------------------------------------------------------------------


def test_a_pause_stops_everything_and_ends(bridge: Crossing) -> None:
    old = bridge.depart(bridge.home, ANNA, 10)
    bridge.later(TERMS["validity"] + 1)
    there = bridge.depart(bridge.home, ANNA, 60)
    for side in (bridge.home, bridge.away):
        side.pause(sender=bridge.guardian.address)
    with refused("bridge: paused"):
        bridge.depart(bridge.home, ANNA, 1)
    with refused("bridge: paused"):
        bridge.arrive(bridge.home, there)
    with refused("bridge: paused"):
        bridge.come_back(bridge.home, old)
    bridge.later(TERMS["pause_max"])
    bridge.arrive(bridge.home, there)  # a pause is shorter than what a transfer may take
    bridge.come_back(bridge.home, old)


def test_a_pause_is_the_guardians_and_seldom(bridge: Crossing) -> None:
    home, guardian = bridge.home, bridge.guardian.address
    for who in (MALLORY, bridge.admin):
        with refused("access_control"):
            home.pause(sender=who.address)
    home.pause(sender=guardian)
    with refused("bridge: too soon"):
        home.pause(sender=guardian)
    with refused("access_control"):
        home.unpause(sender=MALLORY.address)
    home.unpause(sender=bridge.admin.address)
    bridge.cross(bridge.home, ANNA, 1)
    with refused("bridge: not paused"):
        home.unpause(sender=guardian)
    with refused("bridge: too soon"):
        home.pause(sender=guardian)
    bridge.later(TERMS["pause_max"] + TERMS["pause_gap"])
    home.pause(sender=guardian)


# Making one -----------------------------------------------------------------------------------


def test_two_sides_are_linked_once_and_nothing_moves_before(bridge: Crossing) -> None:
    terms, rules = tuple(TERMS.values()), bridge.validators.rules()
    fresh = deploy("Bridge", bridge.token.address, b"", terms, rules, by=bridge.admin.address)
    bridge.token.approve(fresh.address, 10, sender=ANNA.address)
    with refused("bridge: not linked"):
        fresh.depart(ANNA.address, 1, sender=ANNA.address)
    with refused("access_control"):
        fresh.link(1, BEN.address, sender=MALLORY.address)
    here = boa.env.evm.patch.chain_id
    for chain_id, peer in ((0, BEN.address), (1, ZERO), (here, fresh.address)):
        with refused("bridge: no peer"):
            fresh.link(chain_id, peer, sender=bridge.admin.address)
    fresh.link(1, BEN.address, sender=bridge.admin.address)
    with refused("bridge: linked"):
        fresh.link(1, MALLORY.address, sender=bridge.admin.address)
    assert (fresh.peer_chain(), fresh.peer()) == (1, BEN.address)


def test_a_bridge_is_home_or_away_and_its_terms_hold_together(bridge: Crossing) -> None:
    rules, terms = bridge.validators.rules(), tuple(TERMS.values())
    token = bridge.token.address
    for args, reason in (
        ((token, wrapped(), terms, rules), "home or away"),
        ((ZERO, b"", terms, rules), "home or away"),
        ((ANNA.address, b"", terms, rules), "no token"),
        ((token, b"", (10, 1, 10, 10), rules), "terms"),  # a pause as long as a transfer may take
        ((token, b"", (11, 1, 10, 9), rules), "terms"),  # a pause without an end
    ):
        with pytest.raises(AssertionError, match=reason):
            deploy("Bridge", *args)


def test_what_is_kept_of_a_transfer_is_what_validators_compute(bridge: Crossing) -> None:
    there = bridge.depart(bridge.home, ANNA, 60, to=BEN)
    assert bridge.home.departures(1) == bridging.left(there, keccak)
    assert bridge.home.departure_count() == 1
    assert shown(there)[0] == 1
