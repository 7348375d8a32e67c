"""`allmende chain call`, `keys`, `adopt`: the emergencies of docs/runbook-chain.md, rehearsed."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from chains import NODES, OTHER, Rig, serve_chain
from click.testing import CliRunner, Result
from deployed import CACHE, contracts
from msgspec import structs
from test_cli_chain_deploy import data_directory, said

from allmende.adapters.chain.abi import Abi
from allmende.adapters.chain.account import open_account
from allmende.adapters.chain.ensure import CACHE as FOLDER
from allmende.adapters.chain.record import keep, recall
from allmende.adapters.chain.signing import MARKET_KEY
from allmende.adapters.secrets import open_vault
from allmende.cli import main
from allmende.custody import Deployment


@dataclass
class Emergency:
    """A deployed market's data directory, and a terminal."""

    rig: Rig
    data: Path
    url: str

    async def run(self, *words: str, node: bool = True) -> Result:
        there = ["--data", str(self.data), *(("--node", self.url) if node else ())]
        return await asyncio.to_thread(CliRunner().invoke, main, ["chain", *words, *there])

    async def done(self, *words: str) -> str:
        result = await self.run(*words)
        assert result.exit_code == 0, said(result)
        return said(result)

    async def keys(self) -> dict[str, str]:
        told: dict[str, str] = json.loads((await self.run("keys", "--json", node=False)).output)
        return told

    @property
    def record(self) -> Deployment:
        found = recall(self.data)
        assert found is not None
        return found


@contextlib.asynccontextmanager
async def emergency(kind: str, folder: Path, *more: str) -> AsyncIterator[Emergency]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("allmende.doors.chain_rpc.CALL_GAS", 15_000_000)  # our door is no node
        async with serve_chain(kind, folder) as (rig, url):
            one = Emergency(rig, data_directory(folder / "data"), url)
            await rig.send((await one.keys())["operator"], value=10**18, gas=21_000)
            await one.done("deploy", "--profile", "anvil", *more)
            yield one


@pytest.mark.parametrize("kind", NODES)
def test_a_stolen_market_key_is_revoked_and_another_one_takes_its_place(
    kind: str, tmp_path: Path
) -> None:
    async def work() -> None:
        async with emergency(kind, tmp_path) as here:
            old = (await here.keys())["market"]
            assert old == here.record.market_key
            (here.data / MARKET_KEY).rename(tmp_path / "market.key.stolen")
            new = (await here.keys())["market"]
            assert new != old
            await here.done("call", "--send", "revoke", "vault", "MARKET", old)
            found = await here.run("verify")
            assert found.exit_code == 1
            assert "Vault role MARKET: the chain says nobody" in found.output
            await here.done("call", "--send", "grant", "vault", "MARKET", new)
            keep(here.data, structs.replace(here.record, market_key=new))
            await here.done("verify")

    asyncio.run(work())


def test_a_lost_operators_key_is_followed_by_another(tmp_path: Path) -> None:
    async def work() -> None:
        async with emergency("embedded", tmp_path, "--admin", OTHER.address) as here:
            penalty = str(here.record.terms.penalty)
            for name in ("chain.key", "outbox.sqlite"):
                (here.data / name).rename(tmp_path / f"{name}.old")
            new = (await here.keys())["operator"]
            for address in (new, OTHER.address):
                await here.rig.send(address, value=10**18, gas=21_000)
            admin = Rig(here.rig.kind, here.rig.chain, here.rig.profile, OTHER)
            for words in (("revoke", "vault", "OPERATOR", "operator"),
                          ("grant", "vault", "OPERATOR", new)):  # fmt: skip
                told = json.loads((await here.run("call", "--json", *words, node=False)).output)
                assert (await admin.send(told["to"], bytes.fromhex(told["data"][2:]))).ok
            short = await here.run("call", "--send", "bond_for", new, penalty)
            assert short.exit_code == 1  # it has no credit: somebody who has some bonds it
            keep(here.data, structs.replace(here.record, operator=new))
            assert "block" in await here.done("call", "--send", "cut")
            found = await here.run("verify")
            bad = [line for line in found.output.splitlines() if line.startswith(" BAD")]
            assert len(bad) == 3
            assert {"owner", "minters", "bond"} == {
                word for line in bad for word in ("owner", "minters", "bond") if f" {word}" in line
            }

    asyncio.run(work())


def test_a_pause_is_called_once_and_once_more_only_with_another_number(tmp_path: Path) -> None:
    async def work() -> None:
        async with emergency("embedded", tmp_path) as here:
            first = await here.done("call", "--send", "pause")
            assert await here.done("call", "--send", "pause") == first
            again = await here.run("call", "--send", "--again", "2", "pause")
            assert again.exit_code == 1
            assert "vault: too soon" in said(again)

    asyncio.run(work())


def test_an_account_that_was_used_elsewhere_goes_on_once_its_transactions_are_adopted(
    tmp_path: Path,
) -> None:
    async def work() -> None:
        async with emergency("embedded", tmp_path) as here:
            account = open_account(here.data, open_vault(here.data))
            elsewhere = Rig(here.rig.kind, here.rig.chain, here.rig.profile, account)
            await elsewhere.send(OTHER.address, value=1, gas=21_000)
            odd = await here.run("status")
            assert odd.exit_code == 1
            assert "does not know" in said(odd)
            assert (await here.run("adopt")).exit_code == 1  # it asks first
            assert "nothing" in await here.done("adopt", "--yes")
            assert "block" in await here.done("call", "--send", "cut")
            await here.done("status")

    asyncio.run(work())


def test_a_call_is_told_as_bytes_for_any_wallet(tmp_path: Path) -> None:
    async def work() -> None:
        async with emergency("embedded", tmp_path) as here:
            told = await here.run("call", "--json", "approve", "vault", "7", node=False)
            data = Abi(contracts()["Credit"]).call("approve", here.record.vault, 7)
            assert json.loads(told.output) == {"to": here.record.credit, "data": "0x" + data.hex()}
            for words in (("approve", "vault"), ("pay", "x"), ("grant", "vault", "m", "0x1")):
                assert (await here.run("call", *words, node=False)).exit_code == 2

    asyncio.run(work())


def test_nothing_is_called_where_nothing_is_deployed(tmp_path: Path) -> None:
    (tmp_path / FOLDER).symlink_to(CACHE)
    for act in (("call", "pause"), ("adopt", "--yes")):
        done = CliRunner().invoke(main, ["chain", *act, "--data", str(tmp_path)])
        assert done.exit_code == 1
        assert "Nothing is deployed" in said(done)
