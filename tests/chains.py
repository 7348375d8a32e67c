"""Chains for tests: the embedded one, anvil where it is on the PATH, the fake; and a contract.

    async with open_chain("embedded", tmp_path) as rig:
        await rig.send(to=rig.tally, data=tally(b"key"))

Every rig has an account with funds and, after `await rig.deploy()`, a Tally.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import shutil
import signal
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
import vyper
from eth_utils import keccak
from starlette.applications import Starlette

from allmende.adapters.chain.account import Account, Draft, Signed
from allmende.adapters.chain.evm import Genesis
from allmende.adapters.chain.node import EmbeddedNode
from allmende.adapters.chain.profiles import ANVIL, EMBEDDED, Profile
from allmende.adapters.chain.reader import Reader
from allmende.adapters.chain.rpc import HttpNode
from allmende.adapters.guard import Guard
from allmende.adapters.upstream import HttpUpstream
from allmende.doors.chain_rpc import ChainRpc
from allmende.ports import Chain, ChainFailed, Mined

CHAIN_ID = 31_337
ETHER = 10**18
ACCOUNT = Account(keccak(text="an account of the tests"))
OTHER = Account(keccak(text="another account of the tests"))

TALLY = """
# pragma version 0.4.3
event Tallied:
    key: indexed(bytes32)

count: public(HashMap[bytes32, uint256])
total: public(uint256)

@external
def tally(key: bytes32):
    assert key != empty(bytes32), "no key"
    self.count[key] += 1
    self.total += 1
    log Tallied(key=key)
"""
TALLIED = "0x" + keccak(text="Tallied(bytes32)").hex()


@functools.cache
def tally_code() -> tuple[bytes, bytes]:
    """(what creates a Tally, what then lies in the chain)."""
    done = vyper.compile_code(TALLY, output_formats=["bytecode", "bytecode_runtime"])
    return bytes.fromhex(done["bytecode"][2:]), bytes.fromhex(done["bytecode_runtime"][2:])


def name(key: str) -> bytes:
    return keccak(text=key)


def tally(key: bytes) -> bytes:
    return keccak(text="tally(bytes32)")[:4] + key.rjust(32, b"\0")


def count(key: bytes) -> bytes:
    return keccak(text="count(bytes32)")[:4] + key


ANVIL_ONLY = pytest.mark.skipif(
    shutil.which("anvil") is None,
    reason="anvil is not on the PATH (npm install -g @foundry-rs/anvil)",
)
KINDS = ["embedded", pytest.param("anvil", marks=ANVIL_ONLY), "fake"]
NODES = KINDS[:2]
NODE = ContextVar("NODE", default="embedded")
"""The kind that a rig opens where its caller does not say one."""


@contextlib.contextmanager
def on(kind: str) -> Iterator[None]:
    """As a fixture of a test file, parametrised over NODES, it runs the file on each."""
    before = NODE.set(kind)
    try:
        yield
    finally:
        NODE.reset(before)


@dataclass
class Rig:
    """A chain and an account with funds on it."""

    kind: str
    chain: Chain
    profile: Profile
    account: Account = ACCOUNT
    tally: str = ""

    async def sign(self, to: str = "", data: bytes = b"", **other: int) -> Signed:
        nonce = other.get("nonce", await self.chain.nonce(self.account.address))
        price = await self.chain.price()
        return self.account.sign(
            Draft(
                chain_id=other.get("chain_id", CHAIN_ID),
                nonce=nonce,
                to=to,
                data=data,
                value=other.get("value", 0),
                gas=other.get("gas", 1_000_000),
                max_fee=other.get("max_fee", 3 * price),
                tip=other.get("tip", 10**6),
                legacy=bool(other.get("legacy", False)),
            )
        )

    async def send(self, to: str = "", data: bytes = b"", **other: int) -> Mined:
        signed = await self.sign(to, data, **other)
        return await self.wait(await self.chain.send(signed.raw))

    async def wait(self, hash_: str) -> Mined:
        while (mined := await self.chain.mined(hash_)) is None:
            await asyncio.sleep(0.01)
        return mined

    async def deploy(self) -> str:
        self.tally = (await self.send(data=tally_code()[0])).contract
        return self.tally


@contextlib.asynccontextmanager
async def open_chain(kind: str, folder: Path) -> AsyncIterator[Rig]:
    if kind == "embedded":
        node = open_node(folder)
        yield Rig(kind, Reader(node.ask, node.close), EMBEDDED)
        await node.close()
    elif kind == "anvil":
        async with anvil() as node:
            await node.ask("anvil_setBalance", (ACCOUNT.address, hex(100 * ETHER)))
            yield Rig(kind, Reader(node.ask, node.close), ANVIL)
    else:
        # what has no machine is imported here: the fake needs this module's contract
        from fake_chain import FakeChain

        yield Rig(kind, FakeChain(CHAIN_ID, {ACCOUNT.address: 100 * ETHER}), ANVIL)


def open_node(folder: Path, born_s: int = 1_790_000_000) -> EmbeddedNode:
    genesis = Genesis(CHAIN_ID, {ACCOUNT.address: 100 * ETHER}, born_s)
    return EmbeddedNode(folder / "chain.sqlite", genesis, lambda: int(time.time()))


@contextlib.asynccontextmanager
async def serve_chain(kind: str, folder: Path) -> AsyncIterator[tuple[Rig, str]]:
    """A chain for other processes: ours behind its door, or anvil; and its address."""
    if kind == "anvil":
        async with anvil() as node:
            await node.ask("anvil_setBalance", (ACCOUNT.address, hex(100 * ETHER)))
            yield Rig(kind, Reader(node.ask, node.close), ANVIL), node.url
        return
    ours = open_node(folder)
    async with serve(Starlette(routes=ChainRpc(ours.ask).routes())) as url:
        yield Rig(kind, Reader(ours.ask, ours.close), EMBEDDED), f"{url}/chain"
    await ours.close()


@contextlib.asynccontextmanager
async def serve(app: Starlette) -> AsyncIterator[str]:
    """The app at a free port of this machine: its address."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    running = asyncio.create_task(server.serve())
    while not server.started:
        assert not running.done()
        await asyncio.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await running


class Anvil(HttpNode):
    """Foundry's node, and where it is."""

    def __init__(self, upstream: HttpUpstream, url: str) -> None:
        super().__init__(upstream, url, private=True)
        self.url = url


@contextlib.asynccontextmanager
async def anvil(*flags: str, chain_id: int = CHAIN_ID) -> AsyncIterator[Anvil]:
    """Foundry's node on a free port, ended with all that it started."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["anvil", "--silent", "--port", str(port), "--chain-id", str(chain_id), *flags]
    process = await asyncio.create_subprocess_exec(*command, start_new_session=True)
    upstream = HttpUpstream(Guard())
    node = Anvil(upstream, f"http://127.0.0.1:{port}")
    try:
        while not await _answers(node):
            assert process.returncode is None, "anvil ended"
            await asyncio.sleep(0.02)
        yield node
    finally:
        await upstream.close()
        os.killpg(process.pid, signal.SIGTERM)
        await process.wait()


async def _answers(node: HttpNode) -> bool:
    try:
        return bool(await node.ask("eth_chainId"))
    except ChainFailed:
        return False
