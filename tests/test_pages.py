"""Pages: every one renders for whoever looks, in both languages, and its forms do things."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from doors import HOST, Doors

from allmende.core.refusals import Why
from allmende.core.units import CREDIT
from allmende.doors import assets, figures, forms, words

SEEN = tuple(f"/observe{name}" for name in ("", "/value", "/concentration", "/distribution"))
PUBLIC = ("/", "/offers", "/verify", "/settle", "/chain", "/govern", *SEEN)
PRIVATE = ("/members", "/budgets", "/keys", "/receipts")


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    folder: Path = tmp_path_factory.mktemp("market")
    with Doors(folder, name="Market & <sons>") as market:
        market.furnish()
        spender = market.key("uni", budget="lab")
        for number in range(3):
            market.receipt(f"r-{number}", spender)
        market.ask("close_batch")
        market.receipt("r-open", spender)
        yield market


@pytest.fixture(scope="module")
def cookie(doors: Doors) -> str:
    return doors.sign_in(doors.admin)


# Reading ------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("path", PUBLIC)
def test_visitors_see_what_is_public(doors: Doors, path: str, language: str) -> None:
    answer = doors.get(path, headers={"accept-language": language})
    assert answer.status == 200
    assert f'<html lang="{language}">' in answer.text
    assert "r-open" not in answer.text
    assert "<sons>" not in answer.text


def test_a_market_without_any_offer_has_its_public_pages(tmp_path: Path) -> None:
    with Doors(tmp_path) as empty:
        assert {empty.get(path).status for path in PUBLIC} == {200}
        assert "MODEL" in empty.get("/").text


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("path", [*PUBLIC, *PRIVATE, "/receipts/r-0", "/receipts/r-open"])
def test_who_is_signed_in_sees_every_page(
    doors: Doors, cookie: str, path: str, language: str
) -> None:
    answer = doors.get(f"{path}?lang={language}", headers={"cookie": cookie})
    assert answer.status == 200, answer.text
    assert f'<html lang="{language}">' in answer.text
    assert doors.admin not in answer.text


@pytest.mark.parametrize("path", PRIVATE)
def test_visitors_are_shown_in_where_a_key_is_needed(doors: Doors, path: str) -> None:
    answer = doors.get(path)
    assert answer.status == 303
    assert answer.headers["location"] == f"/sign-in?next=%2F{path[1:]}"


def test_the_life_of_a_token_heads_every_page_in_order(doors: Doors) -> None:
    nav = doors.get("/govern").text.split("</nav>")[0]
    stages = ["Issue", "Trade", "Spend", "Verify", "Settle", "Govern", "Observe"]
    assert re.findall(r">([A-Z][a-z]+)</a></li>", nav) == stages
    assert 'href="/govern" aria-current="true"' in nav


def test_a_receipt_reads_what_it_cost_who_earned_where_and_with_what_energy(
    doors: Doors, cookie: str
) -> None:
    text = doors.get("/receipts/r-0", headers={"cookie": cookie}).text
    for said in ("0.000066", "author", "DEU", "host", "6.2–18 mJ", "batch 1", "not counted"):
        assert said in text, said
    german = doors.get("/receipts/r-0?lang=de", headers={"cookie": cookie}).text
    assert "0,000066" in german
    file = doors.get("/receipts/r-0/file", headers={"cookie": cookie})
    assert file.json["format"] == "allmende-receipt-1"


def test_what_members_wrote_is_escaped(doors: Doors, cookie: str) -> None:
    text = doors.get("/members", headers={"cookie": cookie}).text
    assert "Author &lt;b&gt;" in text
    assert "Author <b>" not in text


def test_no_page_has_a_script_or_a_style_inside(doors: Doors, cookie: str) -> None:
    for path in (*PUBLIC, *PRIVATE, "/receipts/r-0", "/sign-in"):
        text = doors.get(path, headers={"cookie": cookie}).text
        assert not re.search(r"<style|<script(?! src=)|\sstyle=|\son[a-z]+=|javascript:", text)
        assert not re.search(r"(src|href)=\"(https?:)?//", text), "nothing comes from elsewhere"


def test_unknown_pages_and_assets_are_told_as_a_page(doors: Doors) -> None:
    for path in ("/nowhere", "/static/../main.py", "/static/nope.css", "/receipts"):
        answer = doors.get(path)
        assert answer.status in (303, 404)
    assert "There is no such thing" in doors.get("/nowhere").text
    assert "gibt es hier nicht" in doors.get("/nowhere?lang=de").text
    css = doors.get("/static/style.css")
    assert (css.status, css.headers["content-type"].split(";")[0]) == (200, "text/css")


# Signing in ---------------------------------------------------------------------------


def test_a_session_is_a_cookie_that_scripts_and_other_sites_do_not_get(doors: Doors) -> None:
    answer = doors.form("/sign-in", {"key": doors.admin, "next": "/keys"})
    assert answer.headers["location"] == "/keys"
    said = answer.headers["set-cookie"].lower()
    assert "httponly" in said
    assert "samesite=strict" in said
    assert doors.admin.lower() not in said


def test_a_wrong_key_signs_nobody_in(doors: Doors) -> None:
    answer = doors.form("/sign-in", {"key": "alm_wrong"})
    assert answer.status == 401
    assert "set-cookie" not in answer.headers
    forged = "allmende_session=administrator~99999999999999999~" + "0" * 64
    assert doors.get("/keys", headers={"cookie": forged}).status == 303


def test_nobody_is_sent_elsewhere_after_signing_in(doors: Doors) -> None:
    for to in (
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "javascript:x",
        "/a\nb",
    ):
        answer = doors.form("/sign-in", {"key": doors.admin, "next": to})
        assert answer.headers["location"] == "/", to


def test_a_revoked_key_ends_its_session_at_once(doors: Doors) -> None:
    made = doors.ask("issue_key", member="uni", budget="lab", id="brief")
    session = doors.sign_in(made["secret"])
    assert doors.get("/budgets", headers={"cookie": session}).status == 200
    doors.ask("revoke_key", id="brief")
    assert doors.get("/budgets", headers={"cookie": session}).status == 303


def test_signing_out_forgets_the_cookie(doors: Doors, cookie: str) -> None:
    answer = doors.form("/sign-out", {}, cookie)
    assert answer.status == 303
    assert 'allmende_session=""' in answer.headers["set-cookie"]


# Doing --------------------------------------------------------------------------------


def test_a_form_of_another_site_does_nothing(doors: Doors, cookie: str) -> None:
    fields = {"id": "evil", "name": "E", "kind": "person"}
    for origin in ("http://evil.example", "null", f"http://{HOST}.evil.example", ""):
        answer = doors.form("/do/add_member", fields, cookie, origin=origin)
        assert answer.status == 403, origin
    assert "evil" not in doors.market.desk.state.members


def test_forms_do_what_the_api_does(doors: Doors, cookie: str) -> None:
    steps = [
        ("add_member", {"id": "bio", "name": "Biology", "kind": "organisation", "home": "uni"}),
        ("deposit", {"member": "bio", "amount": "12.5", "reference": "form 1"}),
        ("add_budget", {"id": "bio", "name": "Bio", "owner": "bio", "limit": "", "parent": ""}),
        ("set_budget", {"id": "bio", "limit": "3"}),
        ("set_budget", {"id": "bio", "limit": ""}),
        ("set_carbon_cap", {"id": "bio", "cap_ug": "250,5"}),
        ("set_parameter", {"name": "levy_ppm", "value": "20000", "effective": "2099-01-01T00:00"}),
        ("close_batch", {}),
    ]
    for name, fields in steps:
        answer = doors.form(f"/do/{name}", fields, cookie)
        assert answer.status == 303, answer.text
        assert answer.headers["location"] == f"/{forms.PAGES[name]}?done={name}"
    state = doors.market.desk.state
    assert state.balances["credit"]["bio"] == 12 * CREDIT + CREDIT // 2
    assert (state.budgets["bio"].limit, state.budgets["bio"].cap_ug) == (None, 250_500_000)
    assert "cap 250.5 g" in doors.get("/budgets", headers={"cookie": cookie}).text
    assert state.scheduled[0].value == 20_000
    assert "is credited" in doors.get("/members?done=deposit", headers={"cookie": cookie}).text


def test_an_offer_and_a_title_can_be_posted_by_form(doors: Doors, cookie: str) -> None:
    title = {
        "id": "t2",
        "owner": "host",
        "kind": "model",
        "name": "T2",
        "waterfall": "author author 10\ndata physics 2,5%",
    }
    assert doors.form("/do/register_title", title, cookie).status == 303
    assert [s.ppm for s in doors.market.desk.state.titles["t2"].waterfall] == [100_000, 25_000]
    offer = {
        "id": "form-offer",
        "provider": "host",
        "title": "t2",
        "model": "form",
        "url": "https://8.8.8.8/v1",
        "tariff.input": "0.05",
        "tariff.output": "",
        "zone.country": "SWE",
        "capacity": "12",
        "secret": "sk-1",
        "active_b": "7",
    }
    assert doors.form("/do/post_offer", offer, cookie).status == 303
    made = doors.market.desk.state.offers["form-offer"]
    assert (made.tariff.input, made.tariff.output, made.capacity) == (50_000, None, 12)
    gone = doors.form("/do/withdraw_offer", {"id": "form-offer"}, cookie)
    assert gone.status == 303


def test_a_new_key_is_shown_on_the_page_once(doors: Doors, cookie: str) -> None:
    fields = {"member": "uni", "role": "spend", "budget": "lab", "id": "shown", "models": "a, b"}
    answer = doors.form("/do/issue_key", fields, cookie)
    (secret,) = re.findall(r'<pre id="sk">(alm_[\w-]+)</pre>', answer.text)
    assert answer.headers["cache-control"] == "no-store"
    assert doors.get("/api/me", secret).json["key"]["models"] == ["a", "b"]
    assert secret not in doors.get("/keys", headers={"cookie": cookie}).text


def test_a_refused_form_says_why_and_keeps_what_was_typed(doors: Doors, cookie: str) -> None:
    fields = {"member": "uni", "amount": "many", "reference": "kept <x>"}
    answer = doors.form("/do/deposit", fields, cookie)
    assert answer.status == 422
    assert "A value is not allowed" in answer.text
    assert 'value="kept &lt;x&gt;"' in answer.text
    offer = {"id": "o", "secret": "sk-never-back", "url": "x"}
    assert "sk-never-back" not in doors.form("/do/post_offer", offer, cookie).text


def test_who_is_not_signed_in_is_asked_to_and_a_spender_is_told_no(doors: Doors) -> None:
    assert doors.form("/do/close_batch", {}).headers["location"] == "/sign-in?next=/settle"
    spender = doors.sign_in(doors.key("uni", budget="lab"))
    assert doors.form("/do/close_batch", {}, spender).status == 403
    assert doors.form("/do/reserve", {}, spender).status == 404


def test_lines_arrive_live_as_the_page_shows_them(doors: Doors, cookie: str) -> None:
    headers = {"cookie": cookie, "last-event-id": "0", "accept-language": "de"}
    text = doors.run(doors.listen("/live", "", headers, b'"r-open"')).decode()
    assert '\\"line' in text
    assert "Eingabe" in text
    assert doors.get("/live").status == 401


# Words and figures --------------------------------------------------------------------


def test_both_languages_have_the_same_texts_with_the_same_gaps() -> None:
    english, german = (found.texts for found in words.load().values())
    assert english.keys() == german.keys()
    for key, text in english.items():
        gaps = [sorted(re.findall(r"{\w+}", each)) for each in (text, german[key])]
        assert gaps[0] == gaps[1], key
        assert text
        assert german[key]


@pytest.mark.parametrize("language", ["en", "de"])
def test_no_text_is_said_twice(language: str) -> None:
    pairs: list[str] = []
    text = (assets.ASSETS / f"text/{language}.json").read_text(encoding="utf-8")
    json.loads(text, object_pairs_hook=lambda found: pairs.extend(key for key, _ in found))
    assert len(pairs) == len(set(pairs))


def test_every_text_that_a_template_names_exists_and_every_text_is_named() -> None:
    known = set(words.load()["en"].texts)
    source = "".join(file.read_text() for file in (assets.ASSETS / "templates").rglob("*.html"))
    named = set(re.findall(r"""\bt\(["']([\w.]+)["'][,)]""", source))
    about = re.findall(r"""\babout\(["']([\w.]+)["'],""", source)
    named |= {f"{key}.{part}" for key in about for part in ("def", "of")}
    drawn = re.findall(r"""\bdraw\.\w+\(t, ["']([\w.]+)["'],""", source)
    named |= {f"{key}.{part}" for key in drawn for part in ("chart", "chart.desc")}
    assert named <= known
    families = tuple(re.findall(r"""["']([\w.]+\.)["'] ~""", source))
    assert {key for key in known - named if not key.startswith(families)} == set()


def test_refusals_that_a_form_can_meet_are_told_in_both_languages() -> None:
    codes = {key.removeprefix("why.") for key in words.load()["de"].texts if key[:4] == "why."}
    assert codes <= {why.code for why in Why}
    assert {"bad_value", "not_allowed", "not_found", "exists", "unknown_key"} <= codes


def test_numbers_and_ranges_look_as_they_do_in_each_language() -> None:
    english, german = words.load()["en"], words.load()["de"]
    assert english.number("1234567.8901") == "1,234,567.8901"
    assert german.number("-1234567.8901") == "−1.234.567,8901"
    assert german.number(2500) == "2500"
    assert english.span(2_808_482, 12_170_086, "J") == "2.8–12 J"
    assert german.span(257, 1_116, "g") == "0,26–1,1 mg"
    assert english.span(5, 5, "g") == "5 µg"
    assert english.span(1_234_567_890_000_000, 9_876_543_210_000_000, "J") == "343–2740 kWh"
    assert german.estimate(0.0000118, 0.000066, "l") == "12–66 µl"
    assert german.estimate(0.0025, 0.166667, "g CO₂e je 1.000") == "2,5–167 mg CO₂e je 1.000"
    assert german.percent(25_000, 1_000_000) == "2,5 %"
    assert english.percent(1, 0) == "–"


@pytest.mark.parametrize(
    ("asked", "kept", "accepts", "chosen"),
    [
        ("", "", "", "en"),
        ("", "", "de-AT,en;q=0.8", "de"),
        ("", "", "fr,en;q=0.5,de;q=0.9", "de"),
        ("", "en", "de", "en"),
        ("de", "en", "en", "de"),
        ("xx", "yy", "q=;,,;q=x", "en"),
    ],
)
def test_the_language_is_asked_for_kept_or_accepted(
    asked: str, kept: str, accepts: str, chosen: str
) -> None:
    assert words.choose(asked, kept, accepts) == chosen


def test_bars_never_leave_their_width_and_show_whatever_is_not_nothing() -> None:
    rows = [("host", "h", "85"), ("author", "a", "10"), ("data", "d", "5")]
    assert [(p.x, p.width) for p in figures.parts(rows)] == [(0, 850), (850, 100), (950, 50)]
    tiny = figures.parts([("host", "h", "1000000"), ("commons", "c", "0.000000000001")])
    assert tiny[-1].width >= 0
    assert sum(part.width for part in tiny) <= figures.WIDTH
    assert figures.parts([("spent", "s", "2")], CREDIT)[0].width == figures.WIDTH
    assert figures.parts([]) == []
