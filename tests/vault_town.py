"""A vault on the embedded node, served at an address; its clock is moved by hand.

async with vault_town(tmp_path) as town:
    await town.give(ANNA, 10)
    await town.batch((ANNA, 7, 3), (BERT, 3, 0))
    ticket = town.ticket(ANNA)
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from chains import ACCOUNT, CHAIN_ID, ETHER, OTHER, Rig, serve
from deployed import CREDIT, contracts, plan, sender
from eth_utils import keccak
from starlette.applications import Starlette

from allmende.adapters.chain.account import Account
from allmende.adapters.chain.custody import ChainCustody
from allmende.adapters.chain.deploy import deploy
from allmende.adapters.chain.evm import Genesis
from allmende.adapters.chain.node import EmbeddedNode
from allmende.adapters.chain.profiles import EMBEDDED
from allmende.adapters.chain.reader import Reader
from allmende.adapters.chain.record import keep, recall
from allmende.adapters.clock import SystemClock
from allmende.custody import ContractCall, OnChainBatch
from allmende.doors.chain_rpc import ChainRpc
from allmende.ports import ChainFailed, Mined
from allmende.ticket import Ticket, encode
from allmende.wire import merkle
from allmende.wire import merkle_sum as ms

SECRETS = {name: keccak(text=name) for name in ("anna", "bert", "a watcher")}
ANNA, BERT, WATCHER = map(Account, SECRETS.values())
POOR = Account(keccak(text="nobody's gas"))


class Town:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ahead_s = 0
        """How far the chain's clock is ahead of ours."""
        self.lies: dict[str, Any] = {}
        """Method -> what the node answers to it, or who answers."""
        funds = {a.address: 100 * ETHER for a in (ACCOUNT, OTHER, ANNA, BERT, WATCHER)}
        genesis = Genesis(CHAIN_ID, funds, 1_790_000_000)
        now_s = lambda: int(time.time()) + self.ahead_s  # noqa: E731
        self.node = EmbeddedNode(folder / "chain.sqlite", genesis, now_s)
        self.chain = Reader(self.node.ask, self.node.close)
        self.rig = Rig("embedded", self.chain, EMBEDDED)
        self.leaves: list[ms.Leaf] = []
        self.url = ""

    async def ask(self, method: str, params: Sequence[Any] = ()) -> Any:
        """As the served address answers."""
        if method in self.lies:
            told = self.lies[method]
            return await told(params) if callable(told) else told
        return await self.node.ask(method, params)

    async def found(self) -> None:
        steps = sender(self.rig, self.folder)
        keep(self.folder, await deploy(self.chain, steps, contracts(), plan(self.rig)))

    def open(self) -> None:
        made = recall(self.folder)
        assert made is not None
        self.made = made
        self.custody = ChainCustody(self.chain, made, contracts(), EMBEDDED, SystemClock())

    # --- the operator's ------------------------------------------------------------------

    async def by(self, who: Account, call: ContractCall, *, fine: bool = True) -> Mined:
        mined = await Rig("embedded", self.chain, EMBEDDED, who).send(
            call.to, call.data, gas=2_000_000
        )
        assert mined.ok == fine
        return mined

    async def give(self, who: Account, amount: int) -> None:
        """A deposit of so many whole credits, from the operator's purse."""
        c = self.custody
        await self.by(ACCOUNT, c.approve(self.made.vault, amount * CREDIT))
        await self.by(ACCOUNT, c.deposit(who.address, amount * CREDIT))

    async def submit(
        self, *leaves: tuple[Account, float, float], receipts: Sequence[bytes] = ()
    ) -> None:
        """A batch of (account, balance, spent) in whole credits."""
        self.leaves = [
            ms.Leaf(bytes.fromhex(who.address[2:]), int(has * CREDIT), int(spent * CREDIT))
            for who, has, spent in leaves
        ]
        top = ms.root(self.leaves, keccak)
        root = "0x" + merkle.root(list(receipts)).hex()
        await self.by(ACCOUNT, self.custody.cut())
        call = ("0x" + top.hash.hex(), top.sum, len(leaves), root, len(receipts))
        await self.by(ACCOUNT, self.custody.submit(*call))

    async def finalise(self) -> None:
        await self.later(self.made.terms.window)
        await self.by(OTHER, self.custody.finalise())

    async def batch(
        self, *leaves: tuple[Account, float, float], receipts: Sequence[bytes] = ()
    ) -> None:
        await self.submit(*leaves, receipts=receipts)
        await self.finalise()

    async def later(self, seconds: int) -> None:
        """So much later than the newest block, and a block that says so."""
        head = await self.chain.block()
        assert head is not None
        self.ahead_s = max(self.ahead_s, head.time_s + seconds + 1 - int(time.time()))
        await self.by(OTHER, ContractCall(OTHER.address, b""))

    async def silence(self) -> None:
        await self.later(self.made.terms.silence)

    # --- a member's ----------------------------------------------------------------------

    async def ticket(self, who: Account, **other: Any) -> Ticket:
        """Of the newest batch, final or not; a leaf of nothing for whoever has none."""
        seen = await self.custody.look(await self.custody.newest_block())
        batch: OnChainBatch = seen.pending or seen.final
        account = bytes.fromhex(who.address[2:])
        leaf, proof = ms.Leaf(account, 0, 0), ms.Proof(0, ())
        for place, one in enumerate(self.leaves):
            if one.account == account:
                leaf, proof = one, ms.proof(ms.levels(self.leaves, keccak), place)
        fields: dict[str, Any] = {
            "chain_id": CHAIN_ID,
            "genesis": self.made.genesis,
            "vault": self.made.vault,
            "token": self.made.credit,
            "batch": batch.number,
            "root": batch.root,
            "total": batch.total,
            "size": batch.size,
            "leaf": leaf,
            "proof": proof,
            "at": seen.time_s,
        }
        return Ticket(**{**fields, **other})

    async def file(self, who: Account, name: str = "ticket.json", **other: Any) -> str:
        path = self.folder / name
        path.write_bytes(encode(await self.ticket(who, **other)))
        return str(path)

    async def purse(self, who: Account) -> int:
        """Base units in a wallet."""
        return await self.custody.credit_balance(who.address, await self.custody.newest_block())


def key_file(folder: Path, name: str, mode: int = 0o600) -> str:
    path = folder / f"{name}.key"
    path.write_text(f"0x{SECRETS[name].hex()}\n")
    path.chmod(mode)
    return str(path)


@functools.cache
def _founded() -> Path:
    """A folder to begin with, made once."""
    folder = Path(tempfile.mkdtemp(prefix="allmende-vault-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)

    async def work() -> None:
        town = Town(folder)
        await town.found()
        await town.chain.close()

    with ThreadPoolExecutor(1) as thread:  # a loop of its own: the caller's is running
        thread.submit(asyncio.run, work()).result()
    return folder


@contextlib.asynccontextmanager
async def vault_town(folder: Path) -> AsyncIterator[Town]:
    shutil.copytree(_founded(), folder, dirs_exist_ok=True)
    town = Town(folder)
    town.open()
    async with serve(Starlette(routes=ChainRpc(town.ask).routes())) as url:
        town.url = f"{url}/chain"
        yield town
    await town.chain.close()


async def fails(work: Any) -> str:
    """The cause of the ChainFailed that it ends in."""
    try:
        await work
    except ChainFailed as failed:
        return failed.cause
    return ""
