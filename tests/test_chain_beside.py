"""The chain in a process of its own: it answers, it dies, it goes on, and it never stays."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from chains import ACCOUNT, CHAIN_ID, ETHER, OTHER, Rig, open_node, tally_code
from loops import on_both_loops

from allmende.adapters.chain.beside import FILE, ChainBeside
from allmende.adapters.chain.profiles import EMBEDDED
from allmende.adapters.chain.reader import Reader
from allmende.adapters.chain.rpc import chain_at
from allmende.adapters.guard import Guard
from allmende.adapters.upstream import HttpUpstream
from allmende.ports import ChainFailed

FUNDS = {ACCOUNT.address.upper().replace("0X", "0x"): 100 * ETHER}
HARD = 120.0
"""Seconds until a test is given up: every process imports an EVM, on a machine that may be busy."""


@contextlib.asynccontextmanager
async def beside(folder: Path, chain_id: int | None = None) -> AsyncIterator[ChainBeside]:
    node = ChainBeside(folder, FUNDS, chain_id=chain_id)
    await node.start()
    try:
        yield node
    finally:
        await node.stop()
        await node.stop()


def rig(node: ChainBeside) -> Rig:
    return Rig("embedded", Reader(node.ask, node.stop), EMBEDDED)


def run(work: Any) -> Any:
    return asyncio.run(asyncio.wait_for(work, HARD))


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")  # where there is one, a zombie shows
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


async def gone(pid: int) -> None:
    async with asyncio.timeout(HARD):
        while alive(pid):
            await asyncio.sleep(0.02)


def test_it_starts_answers_and_ends_and_goes_on_at_the_next_start(tmp_path: Path) -> None:
    async def work() -> None:
        async with beside(tmp_path, CHAIN_ID) as node:
            assert node.url.startswith("http://127.0.0.1:")
            assert await node.ask("eth_chainId") == hex(CHAIN_ID)
            if await node.ask("eth_blockNumber") == "0x0":
                await rig(node).send(to=OTHER.address, value=5, gas=21_000)
            pid = node.pid
        assert not alive(pid)
        assert (node.pid, node.url) == (0, "")
        with pytest.raises(ChainFailed, match="closed"):
            await node.ask("eth_chainId")
        async with beside(tmp_path) as again:
            assert await again.ask("eth_chainId") == hex(CHAIN_ID)
            assert await again.ask("eth_getBalance", (OTHER.address, "latest")) == "0x5"

    on_both_loops(work, HARD)


def test_it_says_what_the_node_says_refusals_included(tmp_path: Path) -> None:
    """`ask` keeps causes, details and data; another node's client reads the same chain."""
    revert = {"data": "0x63deadbeef6000526004601cfd"}
    garbage: tuple[tuple[str, tuple[Any, ...]], ...] = (
        ("eth_call", (revert,)),
        ("eth_call", ({"data": "0x60006000fd"},)),
        ("eth_call", ("nonsense",)),
        ("eth_sendRawTransaction", ("0x00",)),
        ("eth_getBalance", ()),
        ("eth_getBlockByNumber", ("0x99", False)),
        ("eth_feeHistory", (1, "latest", [50])),
        ("evm_mine", ()),
        ("", (None, {"a": [1]})),
    )

    async def said(ask: Any, method: str, params: tuple[Any, ...]) -> Any:
        try:
            return await ask(method, params)
        except ChainFailed as failed:
            return failed.cause, failed.detail, failed.data

    async def work() -> None:
        (tmp_path / "own").mkdir()
        own = open_node(tmp_path / "own")
        async with beside(tmp_path, CHAIN_ID) as node:
            for method, params in garbage:
                assert await said(node.ask, method, params) == await said(own.ask, method, params)
            assert (await said(node.ask, *garbage[0]))[2] == bytes.fromhex("deadbeef")
            upstream = HttpUpstream(Guard())
            other = chain_at(upstream, node.url, private=True)
            assert await other.chain_id() == CHAIN_ID
            with pytest.raises(ChainFailed) as caught:
                await other.call("", bytes.fromhex(revert["data"][2:]))
            assert (caught.value.cause, caught.value.data) == ("reverted", b"\xde\xad\xbe\xef")
            await upstream.close()
        await own.close()

    run(work())


def test_who_does_not_know_the_path_gets_nothing(tmp_path: Path) -> None:
    async def work() -> None:
        async with beside(tmp_path) as node:
            base = node.url.rpartition("/")[0]
            for path, body in (("/", b"{}"), ("/x", b"{}"), ("/", None)):
                with pytest.raises(HTTPError) as caught:
                    await asyncio.to_thread(urlopen, base + path, body, 30)
                assert caught.value.code == 404
                caught.value.close()
            with pytest.raises(HTTPError) as caught:
                await asyncio.to_thread(urlopen, node.url, b" " * ((1 << 20) + 1), 30)
            assert caught.value.code == 413
            caught.value.close()
            assert await node.ask("eth_blockNumber") == "0x0"

    run(work())


def test_killed_it_is_followed_by_one_that_has_every_block(tmp_path: Path) -> None:
    async def work() -> None:
        async with beside(tmp_path, CHAIN_ID) as node:
            chain = rig(node)
            tally = await chain.deploy()
            before = await chain.chain.block()
            pid, url = node.pid, node.url
            os.kill(pid, signal.SIGKILL)
            asked = [node.ask("eth_getCode", (tally, "latest")) for _ in range(5)]
            assert await asyncio.gather(*asked) == ["0x" + tally_code()[1].hex()] * 5
            assert node.pid not in (0, pid)
            assert node.url != url
            assert await chain.chain.block() == before
            raw = "0x" + (await chain.sign(to=OTHER.address, value=1, gas=21_000)).raw.hex()
            sent = asyncio.create_task(node.ask("eth_sendRawTransaction", (raw,)))
            await asyncio.sleep(0)
            os.kill(node.pid, signal.SIGKILL)  # before, while or after it is mined
            await chain.wait(await sent)
            assert await chain.chain.balance(OTHER.address) == 1

    run(work())


def test_one_that_cannot_start_again_is_tried_until_it_can(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = [f"{FILE}{end}" for end in ("", "-wal")]

    async def work() -> None:
        async with beside(tmp_path, CHAIN_ID) as node:
            for name in files:
                os.rename(tmp_path / name, tmp_path / f"aside-{name}")
            os.mkdir(tmp_path / FILE)
            os.kill(node.pid, signal.SIGKILL)
            while "does not start" not in caplog.text:
                await asyncio.sleep(0.02)
            assert node.url == ""
            os.rmdir(tmp_path / FILE)
            for name in files:
                os.rename(tmp_path / f"aside-{name}", tmp_path / name)
            assert await node.ask("eth_chainId") == hex(CHAIN_ID)

    run(work())


def test_no_process_outlives_a_parent_that_was_killed_and_the_next_one_goes_on(
    tmp_path: Path,
) -> None:
    parent = textwrap.dedent(f"""
        import asyncio, pathlib
        from allmende.adapters.chain.beside import ChainBeside
        async def run():
            node = ChainBeside(pathlib.Path({str(tmp_path)!r}), {{}})
            await node.start()
            print(node.pid, await node.ask("eth_chainId"), flush=True)
            await asyncio.Event().wait()
        asyncio.run(run())
    """)
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        pid, chain_id = process.stdout.readline().split()
        assert alive(int(pid))
        process.kill()

    async def work() -> None:
        async with beside(tmp_path) as node:  # at once: the other may still be ending
            assert await node.ask("eth_chainId") == chain_id
        await gone(int(pid))

    run(work())


def test_two_markets_have_two_chains_and_no_signature_is_good_on_both(tmp_path: Path) -> None:
    async def work() -> None:
        folders = [tmp_path / name for name in ("one", "two")]
        for folder in folders:
            folder.mkdir()
        async with beside(folders[0]) as one, beside(folders[1]) as two:
            ids = [int(await node.ask("eth_chainId"), 16) for node in (one, two)]
            assert ids[0] != ids[1]
            signed = await rig(one).sign(to=OTHER.address, value=1, gas=21_000, chain_id=ids[0])
            raw = "0x" + signed.raw.hex()
            with pytest.raises(ChainFailed) as caught:
                await two.ask("eth_sendRawTransaction", (raw,))
            assert caught.value.cause == "wrong_chain"
            assert await one.ask("eth_sendRawTransaction", (raw,)) == signed.hash

    run(work())


def test_a_chain_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    async def why(folder: Path, chain_id: int | None = None) -> str:
        node = ChainBeside(folder, FUNDS, chain_id=chain_id)
        with pytest.raises(ChainFailed) as caught:
            await node.start()
        await node.stop()
        return f"{caught.value.cause}: {caught.value.detail}"

    async def work() -> None:
        async with beside(tmp_path, CHAIN_ID):
            pass
        assert await why(tmp_path, 1) == f"wrong_chain: {FILE} is chain {CHAIN_ID}"
        assert "cannot be read" in await why(tmp_path / "missing")
        (tmp_path / FILE).write_bytes(b"not a database, but long enough to be looked at" * 100)
        assert "cannot be read" in await why(tmp_path)

    run(work())


@pytest.fixture
def own_recursion() -> Iterator[None]:
    """Python's own limit, as in a market: the tools of these tests raise it."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000)
    yield
    sys.setrecursionlimit(before)


def test_parameters_too_deep_to_write_down_are_refused(tmp_path: Path, own_recursion: None) -> None:
    deep: list[Any] = []
    for _ in range(3_000):
        deep = [deep]

    async def work() -> None:
        with pytest.raises(ChainFailed) as caught:
            await ChainBeside(tmp_path, {}).ask("eth_call", deep)
        assert caught.value.cause == "bad_params"

    run(work())
