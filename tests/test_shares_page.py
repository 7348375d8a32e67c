"""The page of shares: for visitors, for whoever bought, on a phone, and where there are none."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bridge import BUYER, HOLDER
from chains import ACCOUNT, serve
from chromium import Browser, require
from doors import Doors
from market import START
from put_up import TownMarket
from sold import PRICE, SHARE, ShareTown

from allmende.core.units import SECOND
from allmende.doors.shares import Shares
from allmende.wire.purchase import state_word

WIDE = 360
DAY = 86_400


class ShareMarket(TownMarket):
    """A town of shares with its doors; `stands` is whether the contracts are known yet."""

    town: ShareTown

    def __init__(self, town: ShareTown, *, stands: bool) -> None:
        super().__init__(town)
        self.shares = Shares(self.desk, town.clock, town.keys, self.counter, town.sender)
        if stands:
            self.shares.stand(town.commons, 12)
        self.furnish(self.shares)


class ShareDoors(Doors):
    market: ShareMarket  # type: ignore[assignment]

    def __init__(self, folder: Path, *, stands: bool = True) -> None:
        super().__init__(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._stands = folder, stands

    async def _build(self) -> ShareMarket:  # type: ignore[override]
        town = ShareTown(self._folder, "lab", {})
        await town.found()
        return ShareMarket(town, stands=self._stands)

    def bought(self) -> None:
        """Three shares by the author, and a round for the host's wallet."""
        town = self.market.town
        asked = {"member": "author", "state": "DEU", "shares": 3}
        told = self.post("/api/shares/voucher", asked, key=self.admin).json
        voucher = told["voucher"]
        words = (voucher["wallet"], voucher["person"], "0x" + state_word("DEU").hex())
        shown = (*words, voucher["qualified"], voucher["deadline"])
        sale = town.commons["Sale"]
        self.run(town.by(HOLDER, town.approve(sale.address, 3 * PRICE)))
        call = sale.call("buy", shown, bytes.fromhex(told["signature"][2:]), 3)
        self.run(town.by(HOLDER, call))
        begin = town.commons["Airdrop"].call(
            "begin", "0x" + "11" * 32, SHARE, START // SECOND + DAY
        )
        self.run(town.by(ACCOUNT, begin))


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShareDoors]:
    with ShareDoors(tmp_path_factory.mktemp("town") / "a") as made:
        made.bought()
        yield made


@pytest.mark.parametrize("language", ["en", "de"])
def test_visitors_see_what_is_left_and_how_many_may_still_buy(
    doors: ShareDoors, language: str
) -> None:
    text = doors.get(f"/shares?lang={language}").text
    main = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text.partition("<main")[2]))
    wanted = {
        "en": ("3 of 10 shares", "15 days", "fewer than 150", "DEU 1 148", "Can still be bought 7"),
        "de": ("3 von 10 Anteilen", "15 Tage", "weniger als 150", "DEU 1 148", "Noch zu haben 7"),
    }[language]
    for said in (*wanted, doors.market.town.commons["Share"].address):
        assert said in main
    assert HOLDER.address not in text  # whose purchase it is, the chain says, and not this page
    assert not re.search(r"<style|<script(?! src=)|\sstyle=|\son[a-z]+=|javascript:", text)


def test_who_bought_sees_until_when_it_can_be_taken_back(doors: ShareDoors) -> None:
    cookie = doors.sign_in(doors.key("author", role="manage"))
    mine = doors.get("/shares", headers={"cookie": cookie}).text.partition('id="mine"')[2]
    assert HOLDER.address in mine
    until = doors.get(f"/api/shares/wallet?address={HOLDER.address}").json["purchases"][0]["until"]
    assert f'datetime="{until}"' in mine
    other = doors.sign_in(doors.key("host", role="manage"))
    assert "You have bought none." in doors.get("/shares", headers={"cookie": other}).text


def test_programs_are_told_the_same(doors: ShareDoors) -> None:
    told = doors.get("/api/shares").json
    sale = told["sale"]
    assert (sale["sold"], sale["left"], sale["held"], sale["price"]) == (3, 7, "6", "2")
    assert (sale["persons_most"], sale["proceeds_max"]) == (149, "1000000")
    assert told["airdrop"]["rounds"][0]["total"] == "1"
    assert json.dumps(told).count("author") == 0
    wallet = doors.get(f"/api/shares/wallet?address={BUYER.address}").json
    assert (wallet["shares"], wallet["purchases"]) == ("0", [])
    assert doors.get("/api/shares/wallet?address=0x12").status == 422


def test_a_chain_that_is_away_is_said(doors: ShareDoors) -> None:
    town = doors.market.town
    town.away = True
    try:
        assert "does not answer just now" in doors.get("/shares").text
        assert doors.get("/api/shares").code == "chain_away"
    finally:
        town.away = False


def test_before_there_are_shares_the_page_says_so(tmp_path: Path) -> None:
    with ShareDoors(tmp_path / "a", stands=False) as made:
        assert "have no shares on its chain" in made.get("/shares").text
        assert made.get("/api/shares").status == 404


def test_it_fits_a_phone(doors: ShareDoors, tmp_path: Path) -> None:
    require()
    serving: Any = serve(doors.market.app)  # type: ignore[arg-type]
    url = doors.run(serving.__aenter__())
    try:
        with Browser(tmp_path) as browser:
            browser.size(WIDE, 800)
            browser.open(f"{url}/shares?lang=de")
            assert browser.run("return document.documentElement.scrollWidth") <= WIDE
    finally:
        doors.run(serving.__aexit__(None, None, None))
