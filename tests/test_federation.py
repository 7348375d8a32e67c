"""Federated markets, served: credit and rights go there and come back, exactly once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from federated import Town, Twin, befriend, settle, towns

from allmende.core import abroad_events as be
from allmende.core.contracts import LOT
from allmende.core.units import CREDIT
from allmende.wire import journal


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Town]]:
    with towns(tmp_path_factory.mktemp("pair"), "a", "b") as found:
        befriend(*found)
        yield found


def test_credit_and_rights_go_there_and_come_back(pair: list[Town]) -> None:
    a, b = pair
    before = a.balance("uni"), a.balance("host", "december")
    assert a.send("uni", b, "uni", "5").status == 200
    assert a.send("host", b, "uni", "", asset="december", lots="2.5").status == 200
    settle(a, b)
    assert b.balance("uni", "credit@a") == 5 * CREDIT
    assert b.balance("uni", "december@a") == 5 * LOT // 2
    assert a.balance("federation/b") == 5 * CREDIT
    assert b.send("uni", a, "uni", "5", asset="credit@a").status == 200
    assert b.send("uni", a, "host", "", asset="december@a", lots="2.5").status == 200
    settle(a, b)
    assert (a.balance("uni"), a.balance("host", "december")) == before
    assert not any(b.state.balances["credit@a"].values())
    assert not any(b.state.balances["december@a"].values())


def events(town: Town) -> list[Any]:
    body = town.get("/api/export", town.admin).body
    return journal.events(body)


def held_back(a: Town, b: Town, amount: str = "1") -> Any:
    """A passage that b does not take yet: the file that proves it."""
    b.ask("suspend_peer", id="a")
    assert a.send("uni", b, "uni", amount).status == 200
    a.look()
    number = a.state.peers["b"].sent
    file = a.get(f"/api/federation/passages/b/{number}", a.admin).json
    b.ask("resume_peer", id="a")
    return file


def test_a_passage_is_taken_once_however_often_it_comes(pair: list[Town]) -> None:
    a, b = pair
    file, before = held_back(a, b), b.balance("uni", "credit@a")
    answers = [b.post("/api/federation/inbox", file) for _ in range(3)]
    assert [answer.status for answer in answers] == [200] * 3
    assert len({answer.body for answer in answers}) == 1
    assert answers[0].json["said"]["taken"] is True
    assert b.balance("uni", "credit@a") == before + CREDIT
    settle(a, b)
    assert b.balance("uni", "credit@a") == before + CREDIT


def test_what_is_forged_or_somebody_elses_is_not_taken(pair: list[Town]) -> None:
    a, b = pair
    file = held_back(a, b)
    statement = file["statement"]
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"said": {**file["said"], "amount": 10**15}}, "bad_signature"),
        ({"said": {**file["said"], "receiver": "host"}}, "bad_signature"),
        ({"path": ["00" * 32]}, "bad_signature"),
        ({"prev": "00" * 32}, "bad_signature"),
        ({"body": "xyz"}, "bad_signature"),
        ({"format": "x"}, "bad_signature"),
        ({"statement": {**statement, "frames": statement["frames"] - 1}}, "bad_signature"),
        ({"statement": {**statement, "public_key": b.public_key}}, "bad_signature"),
        ({"said": {**file["said"], "source": "cc" * 32}}, "not_found"),
        ({"said": 7}, "bad_request"),
    ]
    for change, code in wrong:
        answer = b.post("/api/federation/inbox", {**file, **change})
        assert answer.code == code, (change, answer.text)
    assert b.post("/api/federation/inbox", b"\xff{").code == "bad_request"
    assert b.post("/api/federation/inbox", b"x" * 70_000).code == "too_large"
    assert a.post("/api/federation/inbox", file).code == "not_found"
    b.check()
    settle(a, b)


def test_over_the_line_it_comes_back_with_its_reason(pair: list[Town]) -> None:
    a, b = pair
    b.add_peer(a, "1")
    before = a.balance("uni")
    assert a.send("uni", b, "uni", "5000").code == "no_credit"
    assert a.send("uni", b, "uni", "200").status == 200
    settle(a, b)
    assert a.balance("uni") == before
    ends = [e for e in events(a) if isinstance(e, be.PassageEnded)]
    assert "over the line of 1" in ends[-1].why
    b.add_peer(a, "100")


def test_who_may_not_send_is_told_so(pair: list[Town]) -> None:
    a, b = pair
    fields = {"source": "uni", "peer": "b", "receiver": "uni", "asset": "credit", "amount": "1"}
    assert a.post("/api/send_abroad", fields, a.other).code == "not_allowed"
    assert a.post("/api/send_abroad", {**fields, "peer": "x"}, a.uni).code == "not_found"
    assert a.post("/api/send_abroad", {**fields, "amount": 1}, a.uni).code == "bad_value"
    assert a.post("/api/send_abroad", {**fields, "asset": "x"}, a.uni).code == "not_allowed"
    assert a.post("/api/receive_from", {}, a.admin).code == "not_found"
    assert a.post("/api/federation/look", {}, a.uni).code == "not_allowed"
    assert a.get("/api/federation/passages/b/1", a.other).code == "not_found"
    peer = {"id": "x", "name": "X", "public_key": "dd" * 32, "limit": "1"}
    url = {"url": "http://169.254.169.254/", "allow_private": True}
    assert a.post("/api/add_peer", {**peer, **url}, a.admin).code == "bad_value"
    assert a.post("/api/add_peer", {**peer, "url": b.url}, a.admin).code == "bad_value"


def test_heads_links_and_pages_name_no_member(pair: list[Town]) -> None:
    a, b = pair
    told = a.get("/api/federation/heads")
    assert told.json["takes"] == [b.public_key]
    frames = told.json["head"]["frames"]
    links = a.get(f"/api/federation/links?after={frames - 3}&upto={frames}")
    assert len(links.json["stretch"]["links"]) == 3
    for answer in (told, links, a.get("/api/federation"), a.get("/federation")):
        assert answer.status == 200
        assert "University" not in answer.text
    for path in ("/api/federation/links?after=0&upto=999999999", "/api/federation/links?after=9"):
        assert a.get(path).json == {"statement": None, "stretch": None} or path.endswith("9")
    assert a.post("/api/federation/heads", b"[1]").code == "bad_request"


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_page_shows_peers_lines_and_what_is_on_the_way(pair: list[Town], language: str) -> None:
    a, b = pair
    b.ask("suspend_peer", id="a")
    a.send("uni", b, "uni", "3")
    cookie = a.sign_in(a.admin)
    page = a.get(f"/federation?lang={language}", headers={"cookie": cookie}).text
    assert b.public_key in page
    assert {"en": "On the way", "de": "Unterwegs"}[language] in page
    assert 'action="/do/send_abroad"' in page
    assert 'action="/do/send_abroad"' not in a.get("/federation").text
    b.ask("resume_peer", id="a")
    settle(a, b)


def test_forms_do_what_the_commands_do(pair: list[Town]) -> None:
    a, b = pair
    cookie = a.sign_in(a.uni)
    before = b.balance("uni", "december@a")
    fields = {"source": "uni", "peer": "b", "receiver": "uni", "asset": "credit", "amount": "2"}
    assert a.form("/do/send_abroad", fields, cookie).status == 303
    refused = a.form("/do/send_abroad", {**fields, "amount": "x"}, cookie)
    assert refused.status == 422
    assert 'role="alert"' in refused.text
    settle(a, b)
    assert b.balance("uni", "december@a") == before


def test_a_market_that_nobody_added_is_told_so(pair: list[Town], tmp_path: Path) -> None:
    a, _ = pair
    with towns(tmp_path, "c") as (c,):
        c.add_peer(a)
        assert not c.look()["a"]["accepts"]
        assert "has not said" in c.send("uni", a, "uni", "1").text
        assert a.heads(c.heads()["head"])["heads"] == a.heads()["heads"]


def test_a_market_that_is_killed_before_it_is_answered_goes_on(tmp_path: Path) -> None:
    """What b answered is lost, and so is all that a had not on disk: then a starts again."""
    with towns(tmp_path, "a", "b") as (a, b):
        befriend(a, b)
        file = held_back(a, b, "7")
        assert b.post("/api/federation/inbox", file).status == 200
        assert b.balance("uni", "credit@a") == 7 * CREDIT
        with Twin(tmp_path / "again", a) as again:  # a's disk, as a kill would leave it
            assert again.state.passages.keys() == {"b/1"}
            again.look()
            settle(again)
            assert again.balance("federation/b") == 7 * CREDIT
            assert b.balance("uni", "credit@a") == 7 * CREDIT


def test_numbers_beyond_any_journal_are_refused_at_the_door(pair: list[Town]) -> None:
    a, _ = pair
    wanted = {"market": a.public_key, "after": 0, "upto": 10**30}
    assert a.post("/api/federation/links", wanted).code == "bad_request"
    assert a.post("/api/federation/links", {**wanted, "after": -1, "upto": 3}).code == "bad_request"
    assert a.get(f"/api/federation/passages/b/{10**30}", a.admin).code == "not_found"
    head = {**a.heads()["head"], "frames": 10**30}
    assert a.post("/api/federation/heads", {"heads": [head]}).code == "bad_request"
    assert a.post("/api/federation/heads", {"heads": [a.heads()["head"]] * 300}).code == (
        "bad_request"
    )


def test_operators_see_what_is_with_peers_and_rights_stand_by_themselves(pair: list[Town]) -> None:
    a, b = pair
    assert a.send("uni", b, "other", "4").status == 200
    assert a.send("host", b, "other", "", asset="december", lots="1").status == 200
    settle(a, b)
    rows = a.get("/api/balances", a.admin).json
    assert {row["account"] for row in rows} >= {"federation/b", "issuer/credit", "uni"}
    theirs = b.get("/api/balances", b.other).json
    assert {row["asset"] for row in theirs} == {"credit", "credit@a"}
    rights = b.get("/api/federation", b.other).json["rights"]
    assert rights == [{"account": "other", "asset": "december@a", "amount": "1"}]
    assert not b.get("/api/federation").json["rights"]


def test_foreign_credit_pays_for_what_asks_for_it(pair: list[Town]) -> None:
    """A claim on a market is a pay unit where a provider takes it."""
    a, b = pair
    assert a.send("uni", b, "other", "4").status == 200
    settle(a, b)
    b.ask("add_budget", id="foreign", name="Foreign", owner="other", asset="credit@a")
    offer = {"id": "f", "title": "t", "model": "abroad", "asset": "credit@a", "url": b.url}
    terms = {"tariff": {"input": "0.15", "output": "0.6"}, "zone": {"country": "DEU"}}
    b.ask("post_offer", provider="host", allow_private=True, **offer, **terms)
    assert "credit@a" in b.get("/offers").text
    assert (
        b.post("/api/mint", {"member": "other", "asset": "credit@a", "amount": "1"}).status >= 400
    )
