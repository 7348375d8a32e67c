"""The wallet page: for whoever looks, and in Chromium with a wallet that is not ours."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from chains import serve
from chromium import Browser, require
from doors import HOST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from wallets import Purse, WalletDoors

from allmende.adapters.trees import SqliteTrees
from allmende.core.units import CREDIT, SECOND
from allmende.doors.settler import Settler
from allmende.ports import ChainFailed

ANNA, BEN = Purse("anna"), Purse("ben")


# Rendered -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WalletDoors]:
    with WalletDoors(tmp_path_factory.mktemp("market")) as market:
        market.furnish()
        yield market


@pytest.mark.parametrize("language", ["en", "de"])
def test_it_explains_itself_to_whoever_has_no_wallet(doors: WalletDoors, language: str) -> None:
    answer = doors.get(f"/wallet?lang={language}")
    assert answer.status == 200
    for said in (doors.street.deployment.vault, "31337", f"http://{HOST}/chain", "MetaMask"):
        assert said in answer.text
    assert "<noscript>" in answer.text


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_member_sees_what_it_has(doors: WalletDoors, language: str) -> None:
    purse = Purse(f"reads {language}")
    cookie = doors.enter(purse)
    doors.give(purse, 123_455 * CREDIT // 10)
    doors.permit(purse, cookie, more="2.5", models="smol")
    text = doors.get(f"/wallet?lang={language}", headers={"cookie": cookie}).text
    assert purse.address in text
    assert {"en": "12,345.5", "de": "12.345,5"}[language] in text
    assert "smol" in text
    assert not re.search(r"<style|<script(?! src=)|\sstyle=|\son[a-z]+=|javascript:", text)


def test_a_manager_is_offered_to_link_and_a_spender_is_not(doors: WalletDoors) -> None:
    manager = doors.sign_in(doors.key("uni", role="manage"))
    assert "Link a wallet to uni" in doors.get("/wallet", headers={"cookie": manager}).text
    spender = doors.sign_in(doors.key("uni", budget="lab"))
    text = doors.get("/wallet", headers={"cookie": spender}).text
    assert "Link a wallet" not in text
    assert "whoever manages it" in text


def test_while_the_chain_is_away_the_books_are_shown(doors: WalletDoors) -> None:
    cookie = doors.enter(ANNA)
    answer = doors.while_away(lambda: doors.get("/wallet", headers={"cookie": cookie}))
    assert answer.status == 200
    assert "The chain does not answer" in answer.text
    assert ANNA.address in answer.text


def test_before_the_contracts_stand_the_page_says_so(tmp_path: Path) -> None:
    with WalletDoors(tmp_path, stands=False) as early:
        assert "not on its chain yet" in early.get("/wallet").text


def test_the_way_in_is_on_the_page_to_sign_in(doors: WalletDoors) -> None:
    assert 'href="/wallet"' in doors.get("/sign-in").text
    nav = doors.get("/settle").text
    assert 'href="/wallet"' in nav


# In Chromium --------------------------------------------------------------------------

WALLET = (Path(__file__).parent / "wallet_injected.js").read_text()
"""As a wallet's content script: it keeps no key, its own process does."""


class Town(WalletDoors):
    """On a port, with a settler that settles, time that passes, and the wallet's process."""

    def __init__(self, folder: Path, purse: Purse) -> None:
        super().__init__(folder, public="", stands=False)
        self._purse = purse
        self.trouble: list[str] = []

    def __enter__(self) -> Town:
        super().__enter__()
        market, street = self.market, self.street
        self._trees = SqliteTrees(self._folder / "trees.sqlite")
        market.settler = Settler(  # type: ignore[assignment]
            *(market.desk, market.clock, street.custody, market.signing, street.sender),
            *(self._trees, market.views),
            every_s=0,
        )
        market.stand()
        app = Starlette(
            routes=[
                Route("/test-wallet", self.sign, methods=["POST"]),
                Mount("/", app=market.app),
            ]
        )
        self._serving: AbstractAsyncContextManager[str] = serve(app)
        self.url = self.run(self._serving.__aenter__())
        self._passing = self.run(self._start())
        return self

    async def _start(self) -> asyncio.Task[None]:
        return asyncio.create_task(self._pass())

    async def _pass(self) -> None:
        while True:
            self.market.clock.at += SECOND
            for step in (self.market.settler.step, self.street.sender.step):  # type: ignore[attr-defined]
                try:
                    await step()
                except ChainFailed as failed:
                    self.trouble.append(str(failed))
            await asyncio.sleep(0.05)

    def __exit__(self, *failure: Any) -> None:
        self.loop.call_soon_threadsafe(self._passing.cancel)
        self.run(self._serving.__aexit__(None, None, None))
        super().__exit__(*failure)
        self._trees.close()

    async def sign(self, request: Request) -> JSONResponse:
        asked = json.loads(await request.body())
        method, params = asked["method"], asked["params"]
        try:
            return JSONResponse({"result": await self._answer(method, params)})
        except ChainFailed as failed:
            return JSONResponse({"error": f"{failed.cause}: {failed.detail}"})

    async def _answer(self, method: str, params: list[Any]) -> Any:
        if method in ("eth_requestAccounts", "eth_accounts"):
            return [self._purse.checksummed]
        if method == "personal_sign":
            return self._purse.says(bytes.fromhex(params[0][2:]).decode())
        if method == "eth_signTypedData_v4":
            return self._purse.signs(json.loads(params[1]))
        if method == "eth_sendTransaction":
            return await self._send(params[0])
        return await self.street.node.ask(method, params)

    async def _send(self, asked: dict[str, str]) -> str:
        assert asked["chainId"] == hex(31_337)
        call = self.street.call(asked["to"], asked["data"])
        return (await self.street.by(self._purse, call)).hash


SHOTS = os.environ.get("ALLMENDE_SHOTS", "")
"""A folder for pictures of the page, to be looked at."""


def shoot(browser: Browser, name: str) -> None:
    if SHOTS:
        browser.picture(Path(SHOTS) / f"{name}.png")


def do(browser: Browser, act: str, **fields: str) -> None:
    """Fill in a form, read what is going to happen, go on."""
    browser.click(f"details:has([data-act={act}]) summary")
    for name, value in fields.items():
        browser.type(f"[data-act={act}] [name={name}]", value)
    browser.click(f"[data-act={act}] button")
    browser.wait("document.getElementById('sure').open")


def go(browser: Browser, done: str, button: str = "#sure .go") -> None:
    """Press it, and wait for the page that comes when all is done."""
    browser.run("window.old = true")
    browser.click(button)
    loaded = "!window.old && document.readyState === 'complete'"
    browser.wait(f"{loaded} && location.search === '?done={done}'")


def choose(browser: Browser) -> None:
    browser.wait("document.querySelector('#wallets button')")
    browser.click("#wallets button")


def balance(browser: Browser, text: str) -> None:
    """Load the page again until it says so."""
    for _ in range(100):
        browser.run("window.old = true; location.reload()")
        browser.wait("!window.old && document.readyState === 'complete'")
        if text in browser.text("#balances"):
            return
    raise AssertionError(browser.text("body"))


def test_a_wallet_signs_in_permits_deposits_spends_and_withdraws(tmp_path: Path) -> None:
    require()
    with Town(tmp_path, ANNA) as town, Browser(tmp_path) as browser:
        town.furnish()
        town.give(ANNA, 50 * CREDIT)
        browser.before_pages(WALLET)
        browser.open(f"{town.url}/wallet")
        shoot(browser, "visitor")
        assert browser.text("#wallets button") == "Test wallet"
        choose(browser)
        browser.wait("location.search === '?done=wallet_login'")
        added = json.loads(browser.run("return sessionStorage.getItem('added')"))
        assert added["rpcUrls"] == [f"{town.url}/chain"]
        assert added["chainId"] == hex(31_337)
        assert ANNA.address in browser.text("#connect")
        do(browser, "deposit", amount="20")
        said = browser.text("#sure")
        assert "20 credit go from your wallet into the vault" in said
        assert "the vault may take 20 credit" in said
        shoot(browser, "sure")
        assert town.run(town.street.custody.deposited(ANNA.address, _now(town))) == 0
        go(browser, "wallet_deposit")
        balance(browser, "To spend here\n20 credit")
        do(browser, "session", more="5", models="smol", days="7")
        assert "may spend up to 5 credit" in browser.text("#sure")
        browser.click("#sure .go")
        browser.wait("document.getElementById('secret')")
        secret = browser.text("#secret")
        shoot(browser, "secret")
        town.receipt("r-1", secret)
        go(browser, "wallet_permit", "#sure .cancel")
        do(browser, "permit", more="3")
        go(browser, "wallet_permit")
        do(browser, "move", to="uni", amount="2.5")
        assert "2.5 credit go to uni" in browser.text("#sure")
        go(browser, "wallet_move")
        do(browser, "withdraw", amount="4")
        assert "You ask the vault" in browser.text("#sure")
        go(browser, "wallet_withdraw")
        shoot(browser, "withdrawing")
        balance(browser, "In your wallet\n34 credit")
        shoot(browser, "member")
        assert not [line for line in browser.complaints() if "favicon" not in line]


def _now(town: Town) -> int:
    return town.run(town.street.custody.newest_block())


def test_what_goes_wrong_is_said_and_moves_nothing(tmp_path: Path) -> None:
    require()
    with Town(tmp_path, BEN) as town, Browser(tmp_path) as browser:
        town.give(BEN, 5 * CREDIT)
        browser.before_pages(WALLET)
        browser.open(f"{town.url}/wallet")
        browser.run("testWallet.no = 'personal_sign'")
        choose(browser)
        browser.wait("document.getElementById('progress').textContent.includes('You said no')")
        assert not town.market.desk.state.addresses
        browser.run("testWallet.no = ''")
        choose(browser)
        browser.wait("location.search === '?done=wallet_login'")
        do(browser, "deposit", amount="3")
        browser.click("#sure .cancel")
        browser.wait("!document.getElementById('sure').open")
        browser.run("testWallet.no = 'eth_sendTransaction'")
        browser.click("[data-act=deposit] button")
        browser.wait("document.getElementById('sure').open")
        browser.click("#sure .go")
        browser.wait(
            "document.querySelector('#sure .progress').textContent.includes('You said no')"
        )
        shoot(browser, "refused")
        browser.click("#sure .cancel")
        assert town.run(town.street.custody.deposited(BEN.address, _now(town))) == 0
        browser.type("[data-act=deposit] [name=amount]", "900")
        browser.click("[data-act=deposit] button")
        browser.wait("document.getElementById('progress').textContent.includes('holds 5 credit')")
        town._purse = ANNA
        browser.type("[data-act=deposit] [name=amount]", "1")
        browser.click("[data-act=deposit] button")
        browser.wait("document.getElementById('sure').open")
        browser.run("testWallet.no = ''")
        browser.click("#sure .go")
        browser.wait(
            "document.querySelector('#sure .progress').textContent.includes('Choose that one')"
        )


@pytest.mark.parametrize(
    ("lang", "dark", "width"), [("de", False, 1280), ("de", True, 390), ("en", False, 390)]
)
def test_it_fits_a_phone_in_both_languages_and_colours(
    tmp_path: Path, lang: str, dark: bool, width: int
) -> None:
    require()
    with Town(tmp_path, ANNA) as town, Browser(tmp_path, dark=dark) as browser:
        town.give(ANNA, 5 * CREDIT)
        browser.size(width, 844)
        browser.before_pages(WALLET)
        for name in ("visitor", "member"):
            browser.open(f"{town.url}/wallet?lang={lang}")
            browser.wait("document.querySelector('#wallets button')")
            shoot(browser, f"{name}-{lang}-{'dark' if dark else 'light'}-{width}")
            assert browser.run("return document.documentElement.scrollWidth") <= width
            assert browser.run("return document.documentElement.lang") == lang
            if name == "visitor":
                choose(browser)
                browser.wait("location.search === '?done=wallet_login'")
        do(browser, "deposit", amount="2.5")
        assert ("2,5" if lang == "de" else "2.5") in browser.text("#sure")
        shoot(browser, f"sure-{lang}-{'dark' if dark else 'light'}-{width}")
