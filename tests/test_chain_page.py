"""The chain's page: what anybody may know, in both languages; a banner where it does not fit."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from chain_seen import (
    DAY,
    HASHES,
    HOUR,
    NONE,
    NOW_S,
    UNIT,
    FakeChecks,
    FakeSettler,
    FakeVault,
    address,
    deployment,
    findings,
    vault,
)
from doors import Answer, Doors
from market import HandClock

from allmende.core.units import SECOND
from allmende.custody import Deployment
from allmende.doors import words
from allmende.doors.browser import Doorman
from allmende.doors.chain_gas import Gas, GasOfSends
from allmende.doors.chain_look import FRESH_S
from allmende.doors.chain_page import ChainPage
from allmende.doors.hall import Hall
from allmende.doors.settler_says import WORDS, Alarm
from allmende.doors.verifying import GROUPS, Verifying, group_of
from allmende.ports import ChainFailed, Mined, Send, Stage, Wanted

PAGES = ("/", "/offers", "/settle", "/chain", "/sign-in", "/nowhere")


class Shown:
    """A market whose hall has a page of a chain that a test makes."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self.clock = HandClock(NOW_S * SECOND)

    def page(self, page: ChainPage) -> ChainPage:
        market = self._doors.market
        doorman = Doorman(market.counter, b"x" * 32, secure=False)
        self.hall = Hall(
            *(market.desk, market._clock, market.counter, market._views, market._archive),
            *(doorman, (), page),
        )
        return page

    def stands(self, custody: FakeVault | None = None, **other: Any) -> ChainPage:
        """All is well, but for what is handed in."""
        checks = other.pop("checks", FakeChecks(findings()))
        verifying = Verifying(checks, self.clock)
        asyncio.run(verifying.once())
        page = self.page(ChainPage(self.clock, "embedded", other.pop("lag_s", 0)))
        settler = other.pop("settler", FakeSettler())
        page.stands(custody or FakeVault(), settler, verifying, **other)
        return page

    def get(self, path: str, cookie: str = "") -> Answer:
        before = self._doors.market.app
        self._doors.market.app = self.hall.app
        try:
            return self._doors.get(path, headers={"cookie": cookie})
        finally:
            self._doors.market.app = before

    def text(self, path: str = "/chain?lang=en") -> str:
        answer = self.get(path)
        assert answer.status == 200, answer.text
        return plain(answer.text)

    def sign_in(self) -> str:
        before = self._doors.market.app
        self._doors.market.app = self.hall.app
        try:
            return self._doors.sign_in(self._doors.admin)
        finally:
            self._doors.market.app = before


def plain(html: str) -> str:
    """What a reader reads."""
    text = re.sub(r"<[^>]+>", " ", html.partition("<main")[2])
    return re.sub(r"\s+", " ", text).replace("&#39;", "'")


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    with Doors(tmp_path_factory.mktemp("market")) as doors:
        yield Shown(doors)


# What it says -------------------------------------------------------------------------


def test_a_member_reads_what_can_be_done_when_and_without_whom(shown: Shown) -> None:
    shown.stands()
    english, german = shown.text(), shown.text("/chain?lang=de")
    for said in (
        "this market's own no. 7700123",
        "81,234 3 minutes ago",
        "Batch 41 became final 1 day ago",
        "123,456.789 credits",
        "challenge it for 20 hours 40 minutes more",
        "for 1 day from its submission and a stake of 100 credits",
        "has become final for 7 days, anybody may close",
        "in 5 days 22 hours, unless a batch becomes final before",
        "and 1 day have passed",
        "25 %, but always up to 10,000 credits",
        "50,000 credits a day",
    ):
        assert said in english, said
    for said in (
        "Noch 20 Stunden 40 Minuten lang kann jeder ihn anfechten",
        "wurde vor 1 Tag endgültig",
        "in 5 Tagen 22 Stunden",
        "Ist 7 Tage lang kein Stapel endgültig",
        "123.456,789 Credits",
    ):
        assert said in german, said


def test_contracts_are_shown_with_their_code_and_whether_it_is_there(shown: Shown) -> None:
    shown.stands(checks=FakeChecks(findings("Rights of pears")))
    rows = {row["kind"]: row for row in shown.get("/api/chain").json["contracts"]}
    assert {kind: row["same"] for kind, row in rows.items()} == {
        "Vault": True,
        "Bond": True,
        "Credit": True,
        "Rights": False,
    }
    assert {kind: row["code"] for kind, row in rows.items()} == HASHES
    assert rows["Vault"]["address"] == address(0xFA)
    text = shown.text()
    assert (text.count("same code"), text.count("other code")) == (3, 3)
    assert "Rights · pears other code Rights to this instrument that" in text


def test_what_nobody_compared_is_not_called_the_same(shown: Shown) -> None:
    page = shown.page(ChainPage(shown.clock, "embedded"))
    page.stands(FakeVault(), None, Verifying(FakeChecks([]), shown.clock))
    facts = shown.get("/api/chain").json
    assert {row["same"] for row in facts["contracts"]} == {None}
    assert facts["verified"] == {
        "at": None,
        "age_s": 0,
        "away": "",
        "ok": False,
        "count": 0,
        "groups": [],
    }
    assert "Nothing was compared yet" in shown.text()
    assert page.trouble() == ""


def test_a_pay_unit_of_others_has_no_code_to_compare_and_its_own_decimals(shown: Shown) -> None:
    codes = {name: code for name, code in HASHES.items() if name != "Credit"}
    made = deployment(own_credit=False, decimals=18, codes=codes, profile="ethereum")
    shown.stands(FakeVault(made, vault(backed=5 * 10**17, final=NONE)))
    facts = shown.get("/api/chain").json
    (credit,) = [row for row in facts["contracts"] if row["kind"] == "Credit"]
    assert (credit["code"], credit["same"]) == (None, None)
    assert facts["vault"]["backed"] == "0.5"
    text = shown.text()
    assert "somebody else's, not compared" in text
    assert "No batch is final yet" in text


@pytest.mark.parametrize(
    ("seen", "says"),
    [
        ({"pending": NONE}, "No batch is pending."),
        ({"now_s": NOW_S + DAY}, "the next step makes it final"),
        ({"open_challenges": 1}, "One account is challenged."),
        ({"open_challenges": 3}, "3 accounts are challenged."),
        ({"paused_until": NOW_S + 2 * HOUR}, "That ends by itself in 2 hours"),
        ({"closed": True, "pending": NONE}, "It is closed: you can leave now."),
        ({"final_at": NOW_S - 8 * DAY}, "Anybody may close it now."),
    ],
)
def test_whatever_the_vault_is_in_is_said(shown: Shown, seen: Any, says: str) -> None:
    shown.stands(FakeVault(seen=vault(**seen)))
    assert says in shown.text()
    assert shown.get("/chain?lang=de").status == 200


def test_the_record_can_be_fetched_and_is_what_verify_reads(shown: Shown) -> None:
    shown.stands()
    body = shown.get("/api/chain/deployment").body
    assert msgspec.json.decode(body, type=Deployment) == deployment()
    assert "/api/chain/deployment allmende chain verify" in shown.text()


# Without, and not yet -----------------------------------------------------------------


@pytest.mark.parametrize(("language", "says"), [("en", "own books only"), ("de", "eigenen Büch")])
def test_a_market_without_a_chain_says_what_one_would_add(
    shown: Shown, language: str, says: str
) -> None:
    shown.page(ChainPage(shown.clock))
    text = shown.text(f"/chain?lang={language}")
    assert says in text
    assert "allmende serve --chain embedded" in text
    assert "0x" not in text.partition("chain.md")[0]
    assert shown.get("/api/chain").json == {"state": "none"}
    assert shown.get("/api/chain/deployment").json is None


@pytest.mark.parametrize("profile", ["embedded", "bnb"])
def test_contracts_that_do_not_stand_yet_are_waited_for(shown: Shown, profile: str) -> None:
    shown.page(ChainPage(shown.clock, profile))
    text = shown.text()
    assert ("allmende chain deploy" in text) == (profile == "bnb")
    assert shown.get("/chain?lang=de").status == 200
    assert shown.get("/api/chain").json == {"state": "waiting", "profile": profile}


def test_wallets_ask_their_questions_at_the_same_address(shown: Shown) -> None:
    shown.stands()
    assert shown.get("/chain").status == 200
    assert shown.get("/api/openapi.json").json["paths"]["/api/chain"]["get"]


# A node that is away ------------------------------------------------------------------


def test_a_node_that_is_away_is_no_mismatch_and_gives_nothing_away(shown: Shown) -> None:
    custody, checks = FakeVault(), FakeChecks(findings())
    page = shown.stands(custody, checks=checks)
    assert "cannot be reached" not in shown.text()
    custody.away = "unreachable"
    shown.clock.at += 1_900 * SECOND
    try:
        text = shown.text()
        assert "cannot be reached" in text
        assert "seen 31 minutes ago" in text
        assert "for 20 hours 8 minutes more" in text, "time goes on"
        assert "ist nicht zu erreichen" in shown.text("/chain?lang=de")
        assert "password" not in shown.get("/api/chain").text
        assert page.trouble() == ""
    finally:
        shown.clock.at = NOW_S * SECOND


def test_a_node_that_never_answered_leaves_out_what_only_it_knows(shown: Shown) -> None:
    shown.stands(FakeVault(away="wrong_chain"), checks=FakeChecks([], away="wrong_chain"))
    text = shown.text()
    assert "is of another chain" in text
    assert "Nothing could be seen since the market started" in text
    assert "Batch" not in text.partition("The contracts")[0].replace("Batches", "")
    assert shown.get("/api/chain").json["vault"] is None


def test_the_node_is_asked_once_however_many_look(shown: Shown) -> None:
    custody = FakeVault()
    shown.stands(custody, lag_s=900)
    for _ in range(5):
        shown.text()
    assert custody.looks == 1
    shown.clock.at += FRESH_S * SECOND
    shown.text()
    shown.clock.at = NOW_S * SECOND
    assert custody.looks == 2


def test_a_chain_that_stands_still_is_said_where_blocks_come_by_themselves(shown: Shown) -> None:
    shown.stands(lag_s=180)
    assert "stands still" not in shown.text()
    shown.stands(lag_s=60)
    assert "is 3 minutes old: the node, or the chain, stands still" in shown.text()
    shown.stands(lag_s=0)
    assert "blocks come only when something happens" in shown.text()


# The banner ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "english", "german"),
    [
        ("first block", "not of the chain", "gehört nicht zu der Kette"),
        ("Vault", "other code", "anderer Code"),
        ("Rights of pears", "other code", "anderer Code"),
        ("term silence", "other terms", "andere Bedingungen"),
        ("Vault role OPERATOR", "holds a role", "eine Rolle"),
        ("Rights of pears minters", "holds a role", "eine Rolle"),
        ("bond", "bond is too small", "Sicherheit des Betreibers reicht nicht"),
    ],
)
def test_what_does_not_match_heads_every_page(
    shown: Shown, bad: str, english: str, german: str
) -> None:
    shown.stands(checks=FakeChecks(findings(bad)))
    for path in PAGES:
        for language, said in (("en", english), ("de", german)):
            html = shown.get(f"{path}?lang={language}").text
            alert = re.findall(r'<p class="note \w+" role="alert">(.*?)</p>', html)
            assert said in alert[0], path
            assert ('href="/chain"' in alert[0]) == (path != "/chain")
    assert f"✗ {bad}: the chain says &lt;{bad}&gt;." in shown.text()


def test_nothing_heads_the_pages_while_all_matches(shown: Shown) -> None:
    shown.stands()
    for path in PAGES:
        assert 'role="alert"' not in shown.get(path).text


def test_other_code_makes_the_rest_of_the_page_doubtful(shown: Shown) -> None:
    shown.stands(checks=FakeChecks(findings("Vault")))
    assert "Do not rely on it" in shown.text()
    shown.stands(checks=FakeChecks(findings("bond")))
    assert "Do not rely on it" not in shown.text()


def test_trouble_names_what_makes_the_rest_meaningless_first() -> None:
    verifying = Verifying(FakeChecks(findings("bond", "Vault", "chain id")), HandClock())
    asyncio.run(verifying.once())
    assert verifying.trouble() == "chain"
    assert {group_of(one) for one in findings()} == set(GROUPS) - {"other"}


def test_trouble_stays_while_nobody_answers_and_ends_when_it_is_over() -> None:
    checks = FakeChecks(findings("Vault"))
    clock = HandClock()
    verifying = Verifying(checks, clock)
    asyncio.run(verifying.once())
    first = clock.at
    clock.at += SECOND
    checks.away = "timeout"
    asyncio.run(verifying.once())
    assert (verifying.trouble(), verifying.away, verifying.at) == ("code", "timeout", first)
    checks.away, checks.found = "", findings()
    asyncio.run(verifying.once())
    assert (verifying.trouble(), verifying.away, verifying.at) == ("", "", clock.at)


def test_verifying_goes_on_by_itself_until_it_is_ended() -> None:
    async def story() -> int:
        looked = 0
        done = asyncio.Event()

        async def verify() -> list[Any]:
            nonlocal looked
            looked += 1
            if looked == 3:
                done.set()
            raise ChainFailed("timeout") if looked == 2 else ChainFailed("unreachable")

        task = asyncio.create_task(Verifying(verify, HandClock(), every_s=0).run())
        await done.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return looked

    assert asyncio.run(story()) >= 3


# The settler --------------------------------------------------------------------------


def test_every_word_and_alarm_of_the_settler_has_a_sentence_in_both_languages() -> None:
    source = Path(words.__file__).with_name("settler.py").read_text()
    alarms = set(re.findall(r'Alarm\("(\w+)"', source))
    alarms |= set(re.findall(r'"(\w+)"', source.partition("if word in (")[2].partition(")")[0]))
    assert {"short", "bond", "closed"} < alarms
    for language in words.load().values():
        for key in [f"settler.{word}" for word in WORDS] + [f"alarm.{word}" for word in alarms]:
            assert key in language.texts, key


def test_an_alarm_is_told_in_words_to_all_and_in_full_to_operators(shown: Shown) -> None:
    alarm = Alarm("taken_back", "Member <anna> lacks 5.")
    shown.stands(settler=FakeSettler("short", (alarm,)))
    text = shown.text()
    assert "A deposit that was counted is gone from the chain." in text
    assert "before the operator deposits what it gave out" in text
    assert "anna" not in text
    assert "anna" not in shown.get("/api/chain").text
    html = shown.get("/chain", shown.sign_in()).text
    assert "Member &lt;anna&gt; lacks 5." in html


# Gas ----------------------------------------------------------------------------------


def sent(key: str, hash_: str, ok: bool = True, data: bytes = b"") -> Send:
    wanted = Wanted(key, address(0xFA), data)
    return Send(wanted, Stage.FINAL, 1, "", hash_, 7, "0xb", ok, "")


def gas_of(*sends: Send, away: bool = False) -> GasOfSends:
    used = {"0xs": 110_000, "0xr": 25_000, "0xf": 100_000}

    async def mined(hash_: str) -> Mined | None:
        if away:
            raise ChainFailed("unreachable")
        return Mined(hash_, 7, "0xb", ok=True, gas=used[hash_], paid=1)

    def named(prefix: str) -> list[Send]:
        return [one for one in sends if one.wanted.key.startswith(prefix)]

    return GasOfSends(named, mined, "0xv")


RECEIPTS = (10_000).to_bytes(32, "big")
SUBMITTED = sent("0xv submit 41 0xroot 9 ab", "0xs", data=b"\0" * 132 + RECEIPTS)
FINALISED = sent("0xv finalise 41 cd", "0xf")


def test_gas_counts_what_was_reverted_and_is_told_when_all_is_final() -> None:
    reverted = sent("0xv submit 41 0xroot 9 ab #2", "0xr", ok=False)
    gas = gas_of(SUBMITTED, reverted, FINALISED, sent("0xv submit 4 x", "0xs"))
    assert asyncio.run(gas(41)) == [Gas(41, 10_000, 235_000)]
    assert Gas(41, 10_000, 235_000).row()["each"] == "23.50"
    assert Gas(41, 0, 235_000).row()["each"] is None
    assert asyncio.run(gas_of(SUBMITTED)(41)) == []
    assert asyncio.run(gas_of(SUBMITTED, FINALISED, away=True)(41)) == []


def test_gas_a_request_is_on_the_page_where_there_is_a_source(shown: Shown) -> None:
    shown.stands(gas=gas_of(SUBMITTED, FINALISED))
    assert "41 10,000 210,000 21.00" in shown.text()
    assert "41 10.000 210.000 21,00" in shown.text("/chain?lang=de")
    shown.stands()
    assert "What settling cost" not in shown.text()
    assert json.loads(shown.get("/api/chain").body)["gas"] == []


def test_amounts_are_never_rounded(shown: Shown) -> None:
    shown.stands(FakeVault(seen=vault(backed=123_456 * UNIT + 1)))
    assert shown.get("/api/chain").json["vault"]["backed"] == "123456.000001"
