"""Checks: sealed verdicts, in their time, once, and of no use to whoever copies them."""

from __future__ import annotations

import pytest

from allmende.core import check_commands as kc
from allmende.core import check_events as ke
from allmende.core import commands as c
from allmende.core.checks import majority, sealed
from allmende.core.nouns import Key, Member
from allmende.core.refusals import Why
from allmende.core.units import SECOND
from allmende.lab.world import World, secret

SALT = "0f" * 16
VERIFIERS = ("coop", "data", "author", "nordic")
OPEN = kc.OpenCheck(id="c1", subject="receipt r1", about="rhine", commit_seconds=60)


def world() -> World:
    found = World()
    for who in (*VERIFIERS, "house"):
        found.do(c.IssueKey(key=Key(f"{who}-m", secret(f"{who}-m"), who, "manage", budget="")))
    found.do(OPEN)
    return found


def seal(who: str, verdict: str = "agrees", **more: str) -> kc.Commit:
    hash_ = sealed("c1", who, verdict, SALT)
    return kc.Commit(**{"check": "c1", "verifier": who, "hash": hash_, **more})


def tell(who: str, verdict: str = "agrees", **more: str) -> kc.Reveal:
    return kc.Reveal(**{"check": "c1", "verifier": who, "verdict": verdict, "salt": SALT, **more})


def test_the_worked_numbers_of_the_modules():
    assert sealed("c1", "ada", "agrees", "00" * 16).startswith("2a")
    assert majority(("agrees", "agrees", "disagrees")) == "agrees"
    assert majority(("agrees", "agrees")) == ""
    assert majority(("agrees", "disagrees", "agrees", "disagrees")) == ""


def test_the_majority_of_a_quorum_is_right_and_named():
    market = world()
    said = dict(zip(VERIFIERS, ("agrees", "disagrees", "agrees", "agrees"), strict=True))
    for who, verdict in said.items():
        market.do(seal(who, verdict, by=secret(f"{who}-m")))
    market.wait(60)
    for who, verdict in said.items():
        market.do(tell(who, verdict, by=secret(f"{who}-m")))
    assert market.wait(3_599) == []
    (closed,) = market.wait(1)
    assert isinstance(closed, ke.CheckClosed)
    assert (closed.outcome, closed.right) == ("agrees", ("author", "coop", "nordic"))
    assert market.state.checks == {}


def test_verdicts_that_nobody_told_make_no_quorum():
    market = world()
    for who in VERIFIERS:
        market.do(seal(who))
    market.wait(60)
    market.do(tell("coop"))
    market.do(tell("data"))
    (closed,) = market.wait(3_600)
    assert isinstance(closed, ke.CheckClosed)
    assert (closed.outcome, closed.right) == ("", ())


def test_who_copies_a_commitment_cannot_tell_it():
    market = world()
    market.do(seal("coop", by=secret("coop-m")))
    copied = sealed("c1", "coop", "agrees", SALT)
    market.do(seal("data", hash=copied, by=secret("data-m")))
    market.wait(60)
    market.do(tell("coop"))
    assert market.refuse(tell("data")).why is Why.BAD_SIGNATURE
    assert market.refuse(tell("data", "disagrees")).why is Why.BAD_SIGNATURE


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (seal("data", by=secret("coop-m")), Why.NOT_ALLOWED),
        (seal("rhine"), Why.NOT_ALLOWED),
        (seal("nobody"), Why.NOT_FOUND),
        (seal("coop"), Why.EXISTS),
        (seal("data", hash="0" * 63), Why.BAD_VALUE),
        (seal("data", hash="G" * 64), Why.BAD_VALUE),
        (seal("data", check="c2"), Why.NOT_FOUND),
        (tell("coop"), Why.HALTED),
        (kc.OpenCheck(id="c1", subject="x", about="rhine"), Why.EXISTS),
        (kc.OpenCheck(id="c2", subject="x", about="nobody"), Why.NOT_FOUND),
        (kc.OpenCheck(id="c2", subject="", about="rhine"), Why.BAD_VALUE),
        (kc.OpenCheck(id="c2", subject="x\ny", about="rhine"), Why.BAD_VALUE),
        (kc.OpenCheck(id="c2", subject="x", about="rhine", commit_seconds=0), Why.BAD_VALUE),
        (kc.OpenCheck(id="c2", subject="x", about="rhine", by=secret("dean")), Why.NOT_ALLOWED),
    ],
)
def test_while_commitments_are_taken_what_is_wrong_is_refused(command: c.Command, why: Why):
    market = world()
    market.do(seal("coop"))
    assert market.refuse(command).why is why


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (seal("data"), Why.ENDED),
        (tell("data"), Why.NOT_FOUND),
        (tell("coop"), Why.EXISTS),
        (tell("nordic", "perhaps"), Why.BAD_VALUE),
        (tell("nordic", salt="0" * 31), Why.BAD_VALUE),
        (tell("nordic", "disagrees"), Why.BAD_SIGNATURE),
        (tell("nordic", salt="0e" * 16), Why.BAD_SIGNATURE),
        (tell("nordic", by=secret("coop-m")), Why.NOT_ALLOWED),
    ],
)
def test_while_verdicts_are_taken_what_is_wrong_is_refused(command: c.Command, why: Why):
    market = world()
    market.do(seal("coop"))
    market.do(seal("nordic"))
    market.wait(60)
    market.do(tell("coop"))
    assert market.refuse(command).why is why


def test_a_late_verdict_is_refused_though_no_tick_came():
    market = world()
    market.do(seal("coop"))
    market.now += 3_660 * SECOND
    assert market.refuse(tell("coop")).why is Why.ENDED


def test_a_tree_of_members_has_one_voice():
    market = World()
    market.do(OPEN)
    market.do(seal("physics"))
    assert market.refuse(seal("ada")).why is Why.EXISTS
    market.do(c.AddMember(member=Member("rhine-2", "Rhine, two", "provider", home="rhine")))
    assert market.refuse(seal("rhine-2")).why is Why.NOT_ALLOWED
