"""Rewards: the published rule, and the facts of an epoch out of a journal's events."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from useful_work import RULE, Busy, epoch

from allmende.core import check_commands as kc
from allmende.core import commands as c
from allmende.core import custody_commands as w
from allmende.core import exchange_commands as x
from allmende.core import reward_commands as rc
from allmende.core import reward_events as re
from allmende.core.actors import Actor, Registry, Stake
from allmende.core.checks import sealed
from allmende.core.ownership import owners
from allmende.core.refusals import Why
from allmende.core.rewards import (
    Facts,
    Line,
    epoch_at,
    points,
    pool_of,
    rewards,
    shared,
    span,
)
from allmende.core.units import SECOND, Units
from allmende.lab import model_rewards
from allmende.lab.world import ADDRESSES, World, secret
from allmende.wire import merkle

RHINE, NORDIC, COOP = (ADDRESSES[who] for who in ("rhine", "nordic", "coop"))


def rule(**more: int):
    return structs.replace(RULE, **more)


def alone(*worth: int) -> tuple[dict[str, int], dict[str, str]]:
    """Owners with one payee each."""
    worked = {f"p{number}": points for number, points in enumerate(worth)}
    return worked, {payee: payee for payee in worked}


# The rule -------------------------------------------------------------------------------


def test_the_worked_number_of_the_rule():
    worked, owned = alone(60, 30, 10)
    cut = rule(owner_cap_ppm=400_000, full_points=100)
    assert list(shared(cut, 1_000, worked, owned).values()) == [400, 300, 100]
    cut = rule(owner_cap_ppm=400_000, full_points=50)
    assert list(shared(cut, 1_000, worked, owned).values()) == [400, 400, 200]


def test_little_work_does_not_take_the_whole_pool():
    worked, owned = alone(1)
    assert shared(rule(full_points=1_000), 10_000, worked, owned) == {"p0": 10}


def test_the_pool_is_halved_by_the_calendar_and_by_nothing_else():
    halved = rule(pool=1_000, first_epoch=10, halving_epochs=3)
    assert [pool_of(halved, number) for number in (9, 10, 12, 13, 16, 40)] == [
        *(0, 1_000, 1_000, 500, 250, 0)
    ]
    assert span(rule(epoch_seconds=60), 2) == (120 * SECOND, 180 * SECOND)
    assert epoch_at(rule(epoch_seconds=60), 180 * SECOND - 1) == 2


OWNERS = st.sampled_from("abcd")
WORK = st.dictionaries(
    st.text("xyz", min_size=1, max_size=3), st.tuples(st.integers(1, 10**6), OWNERS), max_size=8
)


@given(WORK, st.integers(0, 10**24), st.integers(1, 10**6), st.integers(0, 10**6))
def test_the_cap_holds_the_pool_holds_and_the_rule_is_the_slow_one(
    work: dict[str, tuple[int, str]], pool: int, full: int, cap_ppm: int
):
    fair = rule(full_points=full, owner_cap_ppm=cap_ppm)
    worked = {payee: worth for payee, (worth, _) in work.items()}
    owned = {payee: owner for payee, (_, owner) in work.items()}
    found = shared(fair, pool, worked, owned)
    assert found == model_rewards.shared(fair, pool, worked, owned)
    got = {o: sum(a for p, a in found.items() if owned[p] == o) for o in set(owned.values())}
    cap = pool * cap_ppm // 10**6
    assert sum(found.values()) <= pool
    assert all(amount <= cap for amount in got.values())
    of = {o: sum(w for p, w in worked.items() if owned[p] == o) for o in got}
    assert all(got[one] <= got[two] + len(work) for one in of for two in of if of[one] <= of[two])
    if sum(got.values()) + len(work) + len(got) < pool:  # something is left on purpose
        assert all(
            amount + len(work) >= min(cap, of[o] * pool // full) for o, amount in got.items()
        )


@given(WORK, st.integers(0, 10**24), st.integers(1, 10**6), st.integers(0, 10**6), st.data())
def test_to_be_two_accounts_of_one_owner_gains_nothing(
    work: dict[str, tuple[int, str]], pool: int, full: int, cap_ppm: int, data: st.DataObject
):
    fair = rule(full_points=full, owner_cap_ppm=cap_ppm)
    worked = {payee: worth for payee, (worth, _) in work.items()} | {
        "me": data.draw(st.integers(2, 10**6))
    }
    owned = {payee: owner for payee, (_, owner) in work.items()} | {"me": "mine"}
    whole = shared(fair, pool, worked, owned)
    part = data.draw(st.integers(1, worked["me"] - 1))
    split = {**worked, "me": part, "me2": worked["me"] - part}
    after = shared(fair, pool, split, {**owned, "me2": "mine"})
    assert after.get("me", 0) + after.get("me2", 0) <= whole.get("me", 0)
    others = [payee for payee in worked if payee != "me"]
    assert [after.get(payee) for payee in others] == [whole.get(payee) for payee in others]


# Who owns whom --------------------------------------------------------------------------


def registry(*stakes: Stake, **accounts: str) -> Registry:
    names = {s.holder for s in stakes} | {s.entity for s in stakes} | set(accounts)
    actors = (
        Actor(name, name, "DEU", accounts=(accounts[name],) if name in accounts else ())
        for name in sorted(names)
    )
    return Registry(actors=tuple(actors), stakes=stakes)


def test_an_owner_is_a_tree_of_members_and_whom_its_actor_controls():
    homes = {"uni": "", "ada": "uni", "rhine": "", "nordic": "", "coop": ""}
    stakes = (Stake("mid", "leaf", votes_ppm=510_000), Stake("top", "mid", votes_ppm=500_000))
    told = registry(*stakes, leaf="rhine", mid="nordic", top="coop")
    assert owners(homes, told) == {
        "uni": "ada", "ada": "ada", "rhine": "nordic", "nordic": "nordic", "coop": "coop",
    }  # fmt: skip


# Facts ----------------------------------------------------------------------------------


def test_only_what_was_delivered_verified_and_bought_by_others_counts():
    busy = Busy()
    busy.pay("rhine")
    busy.serve("agreed", counted=Units(input=100, output=50))
    busy.serve("uncounted")
    busy.serve("lied", counted=Units(input=100, output=90))
    busy.do(c.CloseBatch())
    facts = busy.facts()
    assert [line.why for line in facts.lines] == ["", "unverified", "unverified"]
    assert facts.lines[0] == Line(1, facts.lines[0].leaf, "", RHINE, (100, 0, 50, 0, 0))
    assert points(RULE, facts) == {RHINE: 100 * 100 + 50 * 400}
    (batch,) = facts.batches
    leaves = [bytes.fromhex(line.leaf) for line in facts.lines]
    assert (batch.receipts, batch.receipts_root) == (3, merkle.root(leaves).hex())


def test_own_demand_and_workers_without_a_wallet_count_nothing():
    busy = Busy()
    busy.serve("r", counted=Units(input=100, output=50))
    busy.do(c.CloseBatch())
    assert [line.why for line in busy.facts().lines] == ["no_wallet"]
    busy.pay("rhine")
    assert rewards(RULE, busy.facts()) != {}
    busy.own(rhine="u", uni="u")
    assert [line.why for line in busy.facts().lines] == ["own"]
    assert rewards(RULE, busy.facts()) == {}


def test_the_public_file_has_no_account_key_or_price_in_it():
    busy = Busy()
    busy.pay("rhine", "coop")
    busy.serve("secret-receipt", counted=Units(input=100, output=50))
    busy.do(c.CloseBatch())
    told = repr(busy.facts())
    for name in ("uni", "physics", "lab", "rhine", "secret-receipt", "small", secret("lab")):
        assert f"'{name}'" not in told
    assert RHINE in told


def test_later_events_change_nothing_of_an_epoch():
    busy = Busy()
    busy.pay("rhine")
    busy.serve("r", counted=Units(input=100, output=50))
    busy.do(c.CloseBatch())
    before, number = busy.facts(), epoch(busy.now)
    busy.now = span(RULE, number + 1)[0]
    busy.own(rhine="u", uni="u")
    busy.pay("nordic")
    busy.serve("s", counted=Units(input=100, output=50))
    busy.do(c.CloseBatch())
    assert busy.facts(number) == before
    later = busy.facts(number + 1)
    assert [(batch.number, batch.receipts) for batch in later.batches] == [(2, 1)]
    assert [line.why for line in later.lines] == ["own"]


def test_a_receipt_stamped_after_the_epoch_is_of_the_batch_that_has_it():
    """Clocks are read before commands wait for each other: instants need not be in order."""
    busy = Busy()
    busy.pay("rhine")
    number = epoch(busy.now)
    before, until = span(RULE, number)[1] - 1, span(RULE, number)[1]
    busy.now = until
    busy.serve("r", counted=Units(input=100, output=50))
    busy.do(c.CloseBatch(at=before))
    facts = busy.facts(number)
    assert [line.units for line in facts.lines] == [(100, 0, 50, 0, 0)]
    assert (
        facts.batches[0].receipts_root
        == merkle.root([bytes.fromhex(line.leaf) for line in facts.lines]).hex()
    )
    assert busy.facts(number + 1).lines == ()


def test_two_providers_of_one_owner_have_one_cap():
    busy = Busy()
    busy.pay("rhine", "nordic")
    busy.own(rhine="r", nordic="r")
    facts = busy.facts()
    twice = Facts(
        market="m",
        epoch=facts.epoch,
        owners={RHINE: min(RHINE, NORDIC), NORDIC: min(NORDIC, RHINE)},
        batches=(),
        lines=(Line(1, "", "", RHINE, (10**9, 0, 0, 0, 0)),) * 2
        + (Line(1, "", "", NORDIC, (10**9, 0, 0, 0, 0)),),
        verdicts=(),
        training=(),
    )
    found = rewards(RULE, twice)
    cap = pool_of(RULE, facts.epoch) * RULE.owner_cap_ppm // 10**6
    assert cap - 2 <= sum(found.values()) <= cap
    assert found[RHINE] == 2 * found[NORDIC] or abs(found[RHINE] - 2 * found[NORDIC]) <= 2


def test_verifiers_who_were_right_share_what_a_check_is_worth():
    busy = Busy()
    busy.pay("coop", "author", "nordic")
    busy.do(kc.OpenCheck(id="c", subject="receipt r", about="rhine"))
    said = {"coop": "agrees", "author": "agrees", "nordic": "agrees", "data": "disagrees"}
    for who, verdict in said.items():
        hash_ = sealed("c", who, verdict, "00" * 16)
        busy.do(kc.Commit(check="c", verifier=who, hash=hash_))
    busy.wait(3_600)
    for who, verdict in said.items():
        busy.do(kc.Reveal(check="c", verifier=who, verdict=verdict, salt="00" * 16))
    busy.wait(3_600)
    worth = dict.fromkeys(sorted(ADDRESSES[who] for who in ("coop", "author", "nordic")), 333_333)
    assert points(rule(check=1_000_000), busy.facts()) == worth
    busy.own(coop="o", author="o", nordic="p", rhine="p")
    assert [verdict.why for verdict in busy.facts().verdicts] == ["", "own", "own"]


def test_training_for_others_counts_by_the_hour():
    busy = Busy()
    busy.pay("rhine")
    given = {"hours": 24, "document": "ab" * 32, "by": secret("root"), "member": "rhine"}
    busy.do(rc.AttestTraining(id="a", client="uni", **given))
    busy.do(rc.AttestTraining(id="b", client="rhine", **given))
    assert points(RULE, busy.facts()) == {RHINE: 24 * RULE.training_hour}


def test_a_datasets_owner_has_what_was_used_of_it():
    busy = Busy(dataset=True)
    busy.pay("coop", "rhine")
    busy.do(x.Redeem(id="q", account="uni", instrument="corpus", units=Units(query=3)))
    busy.do(c.CloseBatch())
    facts = busy.facts()
    assert facts.lines[0].units == (0, 0, 0, 0, 3)
    assert points(RULE, facts) == {COOP: 3 * RULE.query}


ATTEST = rc.AttestTraining(
    id="run-1", member="rhine", client="uni", hours=24, document="ab" * 32, by=secret("root")
)


def test_training_is_attested_once_by_a_person():
    market = Busy()
    (event,) = market.do(ATTEST)
    assert isinstance(event, re.TrainingAttested)
    assert (event.attester, event.hours) == ("root", 24)
    assert market.refuse(ATTEST).why is Why.EXISTS


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"by": secret("dean")}, Why.NOT_ALLOWED),
        ({"by": "system"}, Why.NOT_ALLOWED),
        ({"hours": 0}, Why.BAD_VALUE),
        ({"hours": 1_000_001}, Why.BAD_VALUE),
        ({"member": "nobody"}, Why.NOT_FOUND),
        ({"client": "nobody"}, Why.NOT_FOUND),
        ({"document": ""}, Why.BAD_VALUE),
        ({"id": "a b"}, Why.BAD_VALUE),
    ],
)
def test_what_is_wrong_with_an_attestation_is_refused(more: dict[str, object], why: Why):
    fields = {name: getattr(ATTEST, name) for name in ATTEST.__struct_fields__}
    assert World().refuse(rc.AttestTraining(**{**fields, **more})).why is why


def test_a_payee_is_one_members_own_and_may_change():
    market = Busy()
    named = rc.NamePayee(member="rhine", address=RHINE, by=secret("rhine"))
    market.do(named)
    assert market.refuse(structs.replace(named, member="coop")).why is Why.NOT_ALLOWED
    assert market.refuse(structs.replace(named, member="coop", by="system")).why is Why.EXISTS
    for text in ("0x12", RHINE[2:], "0x" + "0" * 40, RHINE[:-1] + "g"):
        assert market.refuse(structs.replace(named, address=text)).why is Why.BAD_VALUE
    market.do(structs.replace(named, address=NORDIC.upper().replace("X", "x")))
    assert market.state.payees == {NORDIC: "rhine"}
    market.do(structs.replace(named, address=""))
    assert market.state.payees == {}


def test_who_named_no_payee_is_paid_at_the_linked_wallet_and_nobody_at_anothers():
    market = Busy(mode="open")
    market.do(w.LinkWallet(member="rhine", address=RHINE))
    market.do(w.LinkWallet(member="coop", address=COOP))
    assert market.refuse(rc.NamePayee(member="nordic", address=COOP)).why is Why.EXISTS
    market.do(rc.NamePayee(member="nordic", address=NORDIC))
    market.do(w.LinkWallet(member="data", address=NORDIC))
    market.serve("a", counted=Units(input=100, output=50))
    market.do(c.WithdrawOffer(id="cheap"))
    market.serve("b", counted=Units(input=100, output=50))
    market.do(c.CloseBatch())
    lines = market.facts().lines
    assert [(line.why, line.payee) for line in lines] == [("", RHINE), ("no_wallet", "")]


def test_capacity_that_is_merely_there_has_no_points():
    busy = Busy()
    busy.pay("rhine", "nordic")
    busy.wait(3_600)
    assert rewards(RULE, busy.facts()) == {}
