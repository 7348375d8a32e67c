"""`allmende title owner, ask, unask, buy`: by a node and a wallet's key file alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

from bridge import BUYER, HOLDER
from chains import OTHER, serve
from click.testing import CliRunner, Result
from deployed import CACHE, CREDIT
from eth_utils import keccak
from starlette.applications import Starlette
from titled import TitleTown, titled

from allmende.cli import main
from allmende.doors.chain_rpc import ChainRpc

KEYS = {HOLDER: "a holder", BUYER: "a buyer", OTHER: "another account of the tests"}


class Terminal:
    """A town whose chain is served, and `allmende title` beside it."""

    def __init__(self, town: TitleTown, url: str, folder: Path) -> None:
        self.town = town
        self._url = url
        self._folder = folder

    async def run(self, *words: str, by: object = None, code: int = 0) -> str:
        """What it said; must end with `code`."""
        there = ["--node", self._url, "--contract", self.town.titles.address]
        there += ["--cache", str(CACHE), *self._key(by)]
        done: Result = await asyncio.to_thread(CliRunner().invoke, main, ["title", *words, *there])
        assert done.exit_code == code, done.output + done.stderr
        return done.output + done.stderr

    def _key(self, by: object) -> list[str]:
        if by is None:
            return []
        file = self._folder / f"{KEYS[by]}.key"  # type: ignore[index]
        file.touch(mode=0o600)
        file.write_text(keccak(text=KEYS[by]).hex())  # type: ignore[index]
        return ["--wallet-key-file", str(file)]


def at_terminal(folder: Path, story: Callable[[Terminal], Awaitable[None]]) -> None:
    async def work() -> None:
        async with titled(folder) as town, asyncio.timeout(60):
            await town.mint()
            async with serve(Starlette(routes=ChainRpc(town._ask).routes())) as url:
                await story(Terminal(town, f"{url}/chain", folder))

    asyncio.run(work())


def test_a_title_is_sold_from_one_wallet_to_another(tmp_path: Path) -> None:
    async def story(here: Terminal) -> None:
        told = json.loads(await here.run("owner", "smol", "--json"))
        assert told["holder"] == HOLDER.address
        assert (told["asks"], told["royalty"]) == ("not for sale", f"10 % to {HOLDER.address}")
        said = await here.run("ask", "smol", "12.5", by=HOLDER)
        assert "11.25 CRED to you, 1.25 CRED royalty" in said
        assert "12.5 CRED" in await here.run("owner", "smol")
        said = await here.run("buy", "smol", "12.5", by=BUYER)
        assert "smol is yours for 12.5 CRED" in said
        assert BUYER.address in await here.run("owner", "smol")
        assert await here.town.money(HOLDER) == 12_500_000_000_000
        left = await here.town.chain.call(
            *here.town.credit("allowance", BUYER.address, here.town.titles.address)
        )
        assert not any(left)
        await here.town.step()
        assert here.town.owner == "w-" + BUYER.address[2:]

    at_terminal(tmp_path, story)


def test_what_would_not_work_says_why_and_changes_nothing(tmp_path: Path) -> None:
    async def story(here: Terminal) -> None:
        assert "no token of 'nothing'" in await here.run("owner", "nothing", code=1)
        assert "held by" in await here.run("ask", "smol", "1", by=BUYER, code=1)
        assert "not for sale" in await here.run("buy", "smol", "1", by=BUYER, code=1)
        assert "no amount" in await here.run("ask", "smol", "0", by=HOLDER, code=1)
        assert "without its royalty" in await here.run(
            "ask", "smol", "0.000000000009", by=HOLDER, code=1
        )
        await here.run("ask", "smol", "200", "--buyer", BUYER.address, by=HOLDER)
        assert "not for sale to" in await here.run("buy", "smol", "200", by=OTHER, code=1)
        assert "more than you would pay" in await here.run("buy", "smol", "199", by=BUYER, code=1)
        assert "100 CRED are missing" in await here.run("buy", "smol", "200", by=BUYER, code=1)
        assert "this wallet's already" in await here.run("buy", "smol", "200", by=HOLDER, code=1)
        await here.run("unask", "smol", by=HOLDER)
        assert "not for sale" in await here.run("owner", "smol")
        assert await here.town.money(BUYER) == 100 * CREDIT

    at_terminal(tmp_path, story)


def test_another_contract_is_not_taken_for_ours(tmp_path: Path) -> None:
    async def story(here: Terminal) -> None:
        there = ["--node", here._url, "--contract", here.town.record.credit, "--cache", str(CACHE)]
        words = ["title", "owner", "smol", *there]
        done = await asyncio.to_thread(CliRunner().invoke, main, words)
        assert done.exit_code == 1
        assert "not the Titles of this version" in done.stderr

    at_terminal(tmp_path, story)
