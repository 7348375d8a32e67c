"""The submitter on real nodes: the embedded one, and anvil where it is on the PATH."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import msgspec
import pytest
from chains import (
    ACCOUNT,
    ANVIL_ONLY,
    CHAIN_ID,
    ETHER,
    NODES,
    Rig,
    anvil,
    count,
    name,
    open_chain,
    serve_chain,
    tally,
    tally_code,
)
from market import HandClock

from allmende.adapters.chain.oddities import SECOND
from allmende.adapters.chain.outbox import Outbox
from allmende.adapters.chain.profiles import ETHEREUM
from allmende.adapters.chain.reader import Reader
from allmende.adapters.chain.submitter import Submitter
from allmende.adapters.clock import SystemClock
from allmende.ports import Wanted

BASE_FEE = 10**9
TEST = msgspec.structs.replace(ETHEREUM, chain_id=CHAIN_ID, finality=4, patience_s=60, lag_s=0)


@pytest.mark.parametrize("kind", NODES)
def test_kill_9_of_the_process_neither_doubles_nor_forgets(kind: str, tmp_path: Path) -> None:
    """Real processes, real nodes, over HTTP; `make fuzz` kills at every point, not every 9th."""
    stride = "1" if os.environ.get("HYPOTHESIS_PROFILE") == "fuzz" else "9"

    async def work() -> None:
        async with serve_chain(kind, tmp_path) as (rig, url):
            address = await rig.deploy()
            script = str(Path(__file__).with_name("killing.py"))
            arguments = [url, str(tmp_path / "outbox.sqlite"), address, stride]
            child = await asyncio.create_subprocess_exec(
                sys.executable, script, *arguments, stdout=asyncio.subprocess.PIPE
            )
            told, _ = await child.communicate()
            assert child.returncode == 0
            assert int(told) > 60

    asyncio.run(work())


@pytest.mark.parametrize("kind", NODES)
def test_a_real_node_gets_a_queue_of_things_once_each(kind: str, tmp_path: Path) -> None:
    async def work() -> None:
        async with open_chain(kind, tmp_path) as rig:
            address = await rig.deploy()
            outbox = Outbox(tmp_path / "outbox.sqlite")
            submitter = Submitter(rig.chain, outbox, ACCOUNT, rig.profile, SystemClock())
            keys = [f"k{n}" for n in range(40)]
            for key in keys:
                outbox.put(Wanted(key, address, tally(name(key))))
            while outbox.counts() != {"final": len(keys)}:
                await submitter.step()
            for key in keys:
                assert await rig.chain.call(address, count(name(key))) == (1).to_bytes(32, "big")

    asyncio.run(work())


@ANVIL_ONLY
def test_anvil_drops_raises_its_fee_and_reorganises_and_each_thing_is_there_once(
    tmp_path: Path,
) -> None:
    async def work() -> None:
        async with anvil("--no-mining") as node:
            await node.ask("anvil_setBalance", (ACCOUNT.address, hex(100 * ETHER)))
            rig = Rig("anvil", Reader(node.ask, node.close), TEST)
            created = await rig.chain.send((await rig.sign(data=tally_code()[0])).raw)
            await node.ask("evm_mine")
            address = (await rig.wait(created)).contract
            clock, outbox = HandClock(), Outbox(tmp_path / "outbox.sqlite")
            submitter = Submitter(rig.chain, outbox, ACCOUNT, TEST, clock)
            for key in ("a", "b"):
                outbox.put(Wanted(key, address, tally(name(key))))
            await submitter.step()
            for key in ("a", "b"):
                await node.ask("anvil_dropTransaction", (outbox.attempts(key)[0].hash,))
            await node.ask("anvil_setNextBlockBaseFeePerGas", (hex(4 * BASE_FEE),))
            await node.ask("evm_mine")
            clock.at += 70 * SECOND
            await submitter.step()
            assert len(outbox.attempts("a")) == 2
            for turn in range(14):
                await node.ask("evm_mine")
                if turn in (1, 3):
                    before = await rig.chain.block()
                    await node.ask("anvil_reorg", (2, []))
                    assert await rig.chain.block() != before
                clock.at += 70 * SECOND
                await submitter.step()
            assert outbox.counts() == {"final": 2}
            for key in ("a", "b"):
                assert await rig.chain.call(address, count(name(key))) == (1).to_bytes(32, "big")

    asyncio.run(work())
