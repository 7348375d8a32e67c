"""docs/exit.md: its commands, as they stand there, against a real Vault."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from chains import ACCOUNT
from click.testing import CliRunner
from deployed import CACHE, CREDIT
from test_cli_chain_prove import leaf, made, placed
from vault_town import ANNA, BERT, SECRETS, WATCHER, Town, vault_town

from allmende.cli import main

DOCS = Path(__file__).parents[1] / "docs"
BLOCK = re.compile(r"(<!-- skip -->\n)?```sh\n(.*?)```", re.DOTALL)


def lines() -> list[str]:
    found = [text for skip, text in BLOCK.findall((DOCS / "exit.md").read_text()) if not skip]
    return [line for text in found for line in text.splitlines()]


def invoke(line: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, line.split()[1:])
    return done.exit_code, done.output + done.stderr


class Terminal:
    """Types the page's commands, one after the other."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.rest = lines()

    async def type(self, begins: str, exit_code: int = 0) -> str:
        line = self.rest.pop(0)
        assert line.startswith(f"allmende chain {begins} ")
        line = line.replace("$NODE", self.town.url).replace("$VAULT", self.town.made.vault)
        code, told = await asyncio.to_thread(invoke, f"{line} --cache {CACHE}")
        assert code == exit_code, told
        return told


def test_the_page_rehearsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    papers = made(tmp_path / "market")
    for name, file in (("anna", "wallet.key"), ("a watcher", "watcher.key")):
        (tmp_path / file).write_text(SECRETS[name].hex())
        (tmp_path / file).chmod(0o600)
    monkeypatch.chdir(tmp_path)

    async def story(town: Town) -> None:
        await town.give(ANNA, 10)
        await town.by(ACCOUNT, town.custody.transfer(WATCHER.address, CREDIT))
        leaves = [leaf(data) for data in papers]
        await town.batch((ANNA, 7, 3), (BERT, 3, 0), receipts=leaves)
        await town.file(ANNA)
        (tmp_path / "receipt.json").write_bytes(placed(town, papers[0], leaves))
        user = Terminal(town)
        assert "An exit would pay 7 CRED" in await user.type("check")
        await town.submit((BERT, 10, 0))
        watching = asyncio.create_task(user.type("challenge"))
        while await town.custody.challenge(1, await town.custody.newest_block()) is None:
            assert not watching.done(), watching.result()
            await asyncio.sleep(0.02)
        await town.later(town.made.terms.response)
        assert "Batch 2 is void" in await watching
        assert "Asked for: 2.5 CRED" in await user.type("withdraw")
        await town.silence()
        assert "has 7 CRED" in await user.type("exit")
        assert "has 7 CRED" in await user.type("exit")
        assert "receipt 1 of 3 in its final batch 1" in await user.type("prove")
        assert not user.rest

    async def work() -> None:
        async with vault_town(tmp_path) as town, asyncio.timeout(60):
            await story(town)

    asyncio.run(work())


def test_every_option_that_the_page_names_is_one() -> None:
    said = set(re.findall(r"--[a-z][a-z-]*", (DOCS / "exit.md").read_text()))
    known = set()
    for name in ("ticket", "check", "exit", "challenge", "withdraw", "prove"):
        known |= set(re.findall(r"--[a-z][a-z-]*", invoke(f"allmende chain {name} --help")[1]))
    assert said
    assert said <= known
