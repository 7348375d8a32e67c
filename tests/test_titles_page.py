"""The page of titles and their API: for visitors, for owners, and where there is no chain."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from bridge import HOLDER
from chains import serve
from chromium import Browser, require
from deployed import CREDIT
from doors import Answer, Doors
from put_up import TownMarket
from titled import SMOL, TitleTown, titled

from allmende.core import commands as c
from allmende.core.nouns import Title
from allmende.doors.titles import TitlesDoor

NOBODY = "0x" + "00" * 20


class TitleMarket(TownMarket):
    """A town of titles with its doors; `kept` ends with it."""

    town: TitleTown

    def __init__(self, town: TitleTown, kept: AbstractAsyncContextManager[TitleTown]) -> None:
        super().__init__(town)
        self._kept = kept
        self.titles = TitlesDoor(self.desk)
        self.furnish(self.titles)

    async def end(self) -> None:
        await self._kept.__aexit__(None, None, None)


class TitleDoors(Doors):
    market: TitleMarket  # type: ignore[assignment]

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._folder = folder

    async def _build(self) -> TitleMarket:  # type: ignore[override]
        kept = titled(self._folder)
        return TitleMarket(await kept.__aenter__(), kept)

    def stand(self) -> None:
        town = self.market.town
        self.market.titles.stand(town.follow, town.record, 12)

    @property
    def town(self) -> TitleTown:
        return self.market.town


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TitleDoors]:
    """`smol` is on the chain and for sale; `photos` is at the desk only."""
    with TitleDoors(tmp_path_factory.mktemp("town") / "a") as made:
        made.run(made.town.mint())
        title = Title("photos", "author", "dataset", "Photos <b>", (), "sha256:00", "CC0-1.0")
        made.run(made.town.do(c.RegisterTitle(title=title)))
        ask = made.town.titles.call("ask", SMOL, 5 * CREDIT // 2, NOBODY)
        made.run(made.town.by(HOLDER, ask))
        made.run(made.town.step())
        made.stand()
        yield made


@pytest.mark.parametrize("language", ["en", "de"])
def test_visitors_see_owner_terms_royalty_and_price(doors: TitleDoors, language: str) -> None:
    answer = doors.get(f"/titles?lang={language}")
    assert answer.status == 200
    wanted = (HOLDER.address, str(SMOL), doors.town.titles.address, "CC0-1.0", "Photos &lt;b&gt;")
    for said in (*wanted, {"en": "2.5", "de": "2,5"}[language], "10 %", "20 %"):
        assert said in answer.text
    assert {"en": "whoever owns it", "de": "wem er gehört"}[language] in answer.text
    assert "<form method" not in answer.text.partition("<main")[2]
    assert not re.search(r"<style|<script(?! src=)|\sstyle=|\son[a-z]+=|javascript:", answer.text)


def test_the_api_tells_programs_the_same(doors: TitleDoors) -> None:
    told = doors.get("/api/titles/chain").json
    assert told["contracts"]["titles"] == doors.town.titles.address
    rows = {row["id"]: row for row in told["titles"]}
    chain = rows["smol"]["chain"]
    assert (chain["minted"], chain["price"], chain["buyer"]) == (True, "2.5", None)
    assert rows["photos"]["chain"] is None
    assert rows["photos"]["token"] is None
    plain = {row["id"]: row for row in doors.get("/api/titles").json}
    assert plain["smol"]["token"]["holder"] == HOLDER.address


def test_an_owner_mints_by_a_form_and_others_are_not_offered_it(doors: TitleDoors) -> None:
    cookie = doors.sign_in(doors.key("author", role="manage"))
    assert "/do/mint_title" in doors.get("/titles", headers={"cookie": cookie}).text
    other = doors.sign_in(doors.key("uni", role="manage"))
    assert "/do/mint_title" not in doors.get("/titles", headers={"cookie": other}).text
    refused = mint(doors, other, "2.5")
    assert refused.status == 403
    assert mint(doors, cookie, "a lot").status == 422
    assert mint(doors, cookie, "26").status == 422
    done = mint(doors, cookie, "2,5")
    assert done.headers["location"] == "/titles?done=mint_title"
    assert doors.town.desk.state.tokens["photos"].royalty_ppm == 25_000
    assert "on its way" in doors.get("/titles").text


def mint(doors: TitleDoors, cookie: str, royalty: str) -> Answer:
    return doors.form("/do/mint_title", {"id": "photos", "royalty_ppm": royalty}, cookie)


def test_before_the_contracts_stand_titles_are_shown_all_the_same(tmp_path: Path) -> None:
    with TitleDoors(tmp_path / "a") as made:
        text = made.get("/titles").text
        assert "smol" in text
        assert "no titles contract" in text
        assert made.get("/api/titles/chain").json["contracts"] is None


def test_a_market_without_a_chain_has_no_such_form(tmp_path: Path) -> None:
    with Doors(tmp_path / "a") as made:
        cookie = made.sign_in(made.admin)
        assert made.form("/do/mint_title", {"id": "x"}, cookie).status == 404
        assert made.get("/titles").status == 404


def test_it_fits_a_phone(doors: TitleDoors, tmp_path: Path) -> None:
    require()
    serving = serve(doors.market.app)  # type: ignore[arg-type]
    url = doors.run(serving.__aenter__())
    try:
        with Browser(tmp_path) as browser:
            browser.size(360, 800)
            for language in ("en", "de"):
                browser.open(f"{url}/titles?lang={language}")
                browser.run("document.querySelectorAll('details').forEach(d => d.open = true)")
                assert browser.run("return document.documentElement.scrollWidth") <= 360
    finally:
        doors.run(serving.__aexit__(None, None, None))


def test_every_text_of_the_page_is_in_both_languages() -> None:
    folder = Path(__file__).parents[1] / "src/allmende/doors/pages_assets/text"
    texts = [json.loads((folder / f"{code}.json").read_text()) for code in ("en", "de")]
    keys = [{key for key in one if key.startswith("titles.")} for one in texts]
    assert keys[0] == keys[1]
    assert len(keys[0]) > 10
