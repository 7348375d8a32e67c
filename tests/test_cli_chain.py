"""`allmende chain`: profiles, and the status of a node and an outbox."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from chains import ACCOUNT, CHAIN_ID, name, open_node, serve, serve_chain, tally
from click.testing import CliRunner, Result
from starlette.applications import Starlette

from allmende.adapters.chain.outbox import FILE, Outbox
from allmende.adapters.chain.profiles import PROFILES
from allmende.adapters.chain.submitter import Submitter
from allmende.adapters.clock import SystemClock
from allmende.cli import main
from allmende.doors.chain_rpc import ChainRpc
from allmende.ports import Wanted


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["chain", *words])


def test_profiles_are_listed_with_their_sources() -> None:
    rows = json.loads(run("profiles", "--json").output)
    assert {row["name"] for row in rows} == set(PROFILES)
    assert all(row["source"] and row["read"] for row in rows)
    assert "ethereum" in run("profiles").output


def test_status_tells_of_the_node_and_of_what_is_sent(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve_chain("embedded", tmp_path) as (rig, url):
            address = await rig.deploy()
            outbox = Outbox(tmp_path / FILE)
            submitter = Submitter(rig.chain, outbox, ACCOUNT, rig.profile, SystemClock())
            submitter.put(Wanted("a", address, tally(name("a"))))
            await submitter.step()
            await submitter.step()
            submitter.put(Wanted("b", address, tally(name("b"))))
            words = ("status", "--node", url, "--data", str(tmp_path))
            told = json.loads((await asyncio.to_thread(run, *words, "--json")).output)
            assert told["chain"] == CHAIN_ID
            assert told["outbox"] == {"final": 1, "waiting": 1}
            assert (told["account"], told["nonce"], told["newest_block"]) == (ACCOUNT.address, 2, 2)
            assert (await asyncio.to_thread(run, *words)).exit_code == 0
            await rig.send(address, tally(name("c")))
            odd = await asyncio.to_thread(run, *words)
            assert odd.exit_code == 1
            assert "does not know" in odd.output + odd.stderr
        other = tmp_path / "other"
        other.mkdir()
        node = open_node(other, born_s=1_790_000_001)
        async with serve(Starlette(routes=ChainRpc(node.ask).routes())) as url:
            words = ("status", "--node", f"{url}/chain", "--data", str(tmp_path))
            odd = await asyncio.to_thread(run, *words)
        await node.close()
        assert odd.exit_code == 1
        assert "another deployment" in odd.output + odd.stderr

    asyncio.run(work())


def test_a_node_that_is_not_there_is_exit_code_3(tmp_path: Path) -> None:
    done = run("status", "--node", "http://127.0.0.1:1", "--data", str(tmp_path))
    assert done.exit_code == 3


def test_without_the_extra_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['eth_utils'] = None; from allmende.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "chain", "profiles"], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "extra `chain`" in done.stderr
