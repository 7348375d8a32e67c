"""`allmende chain deploy` and `verify`, as a person calls them."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest
from chains import ACCOUNT, NODES, serve_chain
from click.testing import CliRunner, Result
from deployed import CACHE
from msgspec import structs

from allmende.adapters.chain.ensure import CACHE as FOLDER
from allmende.adapters.chain.record import FILE, keep, recall
from allmende.adapters.server import own
from allmende.cli import main


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["chain", *words])


def said(result: Result) -> str:
    return result.output + result.stderr


def data_directory(folder: Path) -> Path:
    """One whose contracts are compiled already."""
    folder.mkdir(exist_ok=True)
    (folder / FOLDER).symlink_to(CACHE)
    return folder


def test_on_the_data_directorys_own_chain(tmp_path: Path) -> None:
    data = data_directory(tmp_path / "data")
    there = ("--data", str(data))
    assert "run `allmende chain deploy`" in said(run("verify", *there))
    done = run("deploy", *there)
    assert done.exit_code == 0, said(done)
    assert "deploy 1: vault: block 3 0x" in done.output
    made = recall(data)
    assert made is not None
    assert made.vault in done.output
    assert "Deployed already" in run("deploy", *there).output
    sound = run("verify", *there, "--json")
    assert sound.exit_code == 0, said(sound)
    assert all(row["ok"] for row in json.loads(sound.output))
    keep(data, structs.replace(made, operator=ACCOUNT.address))
    found = run("verify", *there)
    assert found.exit_code == 1
    assert "BAD  Vault role OPERATOR" in found.output
    assert "Deposit nothing" in said(found)
    (data / FILE).write_text("{")
    assert "garbled" in said(run("verify", *there))
    with own(data):
        busy = run("deploy", *there)
    assert busy.exit_code == 1
    assert "deploys by itself" in said(busy)


@pytest.mark.parametrize("kind", NODES)
def test_on_a_node_without_gas_it_says_whom_to_pay_and_goes_on_when_called_again(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("allmende.doors.chain_rpc.CALL_GAS", 15_000_000)  # our door is no node
    data = data_directory(tmp_path / "data")

    async def work() -> None:
        async with serve_chain(kind, tmp_path) as (rig, url):
            words = ("--data", str(data), "--node", url)
            first = await asyncio.to_thread(run, "deploy", *words, "--profile", "anvil")
            assert first.exit_code == 1
            assert "no_funds" in said(first)
            found = re.search(r"no_funds\. (0x[0-9a-f]{40}) has 0 wei", said(first))
            assert found is not None, said(first)
            await rig.send(found[1], value=10**18, gas=21_000)
            again = await asyncio.to_thread(run, "deploy", *words, "--profile", "anvil")
            assert again.exit_code == 0, said(again)
            sound = await asyncio.to_thread(run, "verify", *words)
            assert sound.exit_code == 0, said(sound)
            assert "name a node" in said(await asyncio.to_thread(run, "verify", *words[:2]))
        gone = await asyncio.to_thread(run, "verify", *words)
        assert gone.exit_code == 3

    asyncio.run(work())


def test_on_a_real_chain_roles_must_be_named(tmp_path: Path) -> None:
    data = str(data_directory(tmp_path / "data"))
    words = ("--data", data, "--node", "http://127.0.0.1:1", "--profile", "ethereum")
    odd = run("deploy", *words)
    assert odd.exit_code == 2
    assert "--guardian" in said(odd)
    ours = ("--guardian", ACCOUNT.address, "--commons", ACCOUNT.address)
    away = run("deploy", *words, *ours)
    assert away.exit_code == 3
    assert "goes on from there" in said(away)
    assert run("deploy", *words, "--guardian", "0x12").exit_code == 2
