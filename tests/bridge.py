"""A desk with an instrument, and the real Rights contract on the embedded node: a bridge.

async with bridged(tmp_path) as town:
    await town.wrap("w1", lots=2)
    await town.settle()
    assert await town.wallet() == 2 * LOT

All clocks are one that is moved by hand, the chain's too. The node's file can be put back as it
was: that is a reorganisation. Blocks come only with transactions: `mine` makes some.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from chains import ACCOUNT, CHAIN_ID, ETHER, OTHER, Rig
from deployed import contracts, plan
from eth_utils import keccak
from market import START, HandClock, Signer, setup
from msgspec import structs

from allmende.adapters.chain.account import Account
from allmende.adapters.chain.custody import ChainCustody
from allmende.adapters.chain.deploy import deploy
from allmende.adapters.chain.evm import Genesis
from allmende.adapters.chain.node import EmbeddedNode
from allmende.adapters.chain.outbox import Outbox
from allmende.adapters.chain.profiles import EMBEDDED
from allmende.adapters.chain.reader import Reader
from allmende.adapters.chain.record import keep, recall
from allmende.adapters.chain.rights_need import RightsOnNeed
from allmende.adapters.chain.submitter import Submitter
from allmende.adapters.sqlite_journal import SqliteJournal
from allmende.core import commands as c
from allmende.core import custody_commands as w
from allmende.core import exchange_commands as x
from allmende.core import ledger, machine
from allmende.core.contracts import LOT, Instrument
from allmende.core.custody import CHAIN
from allmende.core.refusals import Refused
from allmende.core.units import CREDIT, DAY, SECOND, Zone
from allmende.custody import ContractCall
from allmende.desk import Desk
from allmende.doors.settler_rights import RightsBridge
from allmende.ports import ChainFailed, Mined

HOLDER, BUYER = (Account(keccak(text=name)) for name in ("a holder", "a buyer"))
DECEMBER = Instrument(
    id="december",
    issuer="host",
    title="t",
    model="smol",
    offer="o",
    start=START,
    end=START + 30 * DAY,
    capacity=20 * LOT,
    price=10_000,
    zone=Zone("DEU"),
    name="Small, Germany, December",
)


def hashed(text: str) -> str:
    return "0x" + keccak(text=text).hex()


def same(thing: Any) -> Any:
    return thing


class Town:
    """Everything but the chain's file and the desk's journal is lost by `restart`."""

    def __init__(self, folder: Path, finality: int) -> None:
        self.folder = folder
        self.clock = HandClock()
        self.profile = structs.replace(EMBEDDED, finality=finality)
        self.away = False
        self.watched: Callable[[Any], Any] = same
        """Put around whatever the bridge calls."""
        self._turn_on()
        self.chain = Reader(self._ask, self._turn_off)

    def _turn_on(self) -> None:
        funds = {a.address: 100 * ETHER for a in (ACCOUNT, OTHER, HOLDER, BUYER)}
        genesis = Genesis(CHAIN_ID, funds, START // SECOND)
        now_s: Callable[[], int] = lambda: self.clock.at // SECOND  # noqa: E731
        self._node = EmbeddedNode(self.folder / "chain.sqlite", genesis, now_s)

    async def _turn_off(self) -> None:
        await self._node.close()

    async def _ask(self, method: str, params: Sequence[Any] = ()) -> Any:
        if self.away:
            raise ChainFailed("unreachable", "the node is away")
        return await self._node.ask(method, params)

    async def found(self) -> None:
        """Contracts, and a desk where the university holds 4 lots of december."""
        signer = Signer()
        commands = [
            *setup(signer.public.hex(), "lab"),
            c.Deposit(member="host", amount=100 * CREDIT, reference="bond"),
            x.ListInstrument(instrument=DECEMBER),
            x.MintLots(instrument="december", grains=4 * LOT),
            c.Transfer(source="host", target="uni", asset="december", amount=4 * LOT),
        ]
        rig = Rig("embedded", self.chain, EMBEDDED)
        outbox = Outbox(self.folder / "outbox.sqlite")
        sender = Submitter(self.chain, outbox, ACCOUNT, EMBEDDED, self.clock)
        keep(self.folder, await deploy(self.chain, sender, contracts(), plan(rig)))
        await self.open()
        for command in commands:
            await self.do(command)

    async def open(self) -> None:
        """On what is in the folder."""
        self.outbox = Outbox(self.folder / "outbox.sqlite")
        journal = SqliteJournal(self.folder / "journal.sqlite")
        self.desk = Desk(journal, Signer(), self.clock)
        await self.desk.start()
        self._open()

    def _open(self) -> None:
        record = recall(self.folder)
        assert record is not None
        custody = ChainCustody(self.chain, record, contracts(), self.profile, self.clock)
        self.sender = Submitter(self.chain, self.outbox, ACCOUNT, self.profile, self.clock)
        self.custody = custody
        ensure = RightsOnNeed(self.watched(self.sender), contracts(), self.folder)
        self.bridge = RightsBridge(
            *(self.watched(self.desk), self.clock, self.watched(custody)),
            *(self.watched(self.sender), ensure, keccak),
        )

    async def restart(self) -> None:
        """As after a crash: the process' memory is gone."""
        with contextlib.suppress(Exception):  # it may have died within a commit
            await self.desk.close()
        await self.open()

    async def end(self) -> None:
        """The window is over, and settled."""
        self.clock.at = DECEMBER.end + DAY
        for _ in range(2):  # the first one ends the opening call
            await self.do(c.Tick())
        assert "december" not in self.desk.state.listings

    # --- the desk ------------------------------------------------------------------------

    async def do(self, command: c.Command) -> None:
        await self.desk.submit(structs.replace(command, at=self.clock.now()))

    async def wrap(self, id_: str, lots: int = 1, to: Account = HOLDER, **other: Any) -> None:
        fields = {"account": "uni", "instrument": "december", **other}
        await self.do(w.WrapRights(id=id_, grains=lots * LOT, to=to.address, **fields))

    def rights(self, account: str) -> int:
        return ledger.balance(self.desk.state, account, "december")

    @property
    def custody_grains(self) -> int:
        return self.rights(CHAIN)

    # --- the bridge ----------------------------------------------------------------------

    async def step(self) -> None:
        await self.bridge.step()
        await self.sender.step()
        machine.check(self.desk.state)

    async def settle(self) -> None:
        """Until nothing is on its way, and once more for what came back."""
        for _ in range(20):
            await self.step()
            await self.mine(self.profile.finality - 1)
            if not self.desk.state.wraps:
                break
        assert not self.desk.state.wraps
        await self.bridge.step()

    # --- the chain -----------------------------------------------------------------------

    async def mine(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            await self.by(OTHER, ContractCall(OTHER.address, b""))

    async def by(self, who: Account, call: ContractCall, *, fine: bool = True) -> Mined:
        """A wallet's own transaction."""
        other = Rig("embedded", self.chain, self.profile, who)
        mined = await other.send(call.to, call.data)
        assert mined.ok == fine
        return mined

    async def redeem(self, who: Account, lots: int, account: str) -> Mined:
        return await self.by(who, self.custody.redeem("december", lots * LOT, hashed(account)))

    async def wallet(self, who: Account = HOLDER) -> int:
        at = await self.custody.newest_block()
        return await self.custody.right_balance("december", who.address, at)

    async def supply(self) -> int:
        return await self.custody.supply("december", await self.custody.newest_block())

    async def keep_chain(self) -> None:
        """As it is now, for `reorganise`."""
        await self._node.close()
        for file in self.folder.glob("chain.sqlite*"):
            shutil.copy(file, self.folder / f"kept-{file.name}")
        self._turn_on()

    async def reorganise(self) -> None:
        """The blocks since `keep_chain` never were."""
        await self._node.close()
        for file in self.folder.glob("chain.sqlite*"):
            file.unlink()
        for file in self.folder.glob("kept-chain.sqlite*"):
            shutil.copy(file, self.folder / file.name.removeprefix("kept-"))
        self._turn_on()

    async def close(self) -> None:
        await self.desk.close()
        await self.chain.close()


@functools.cache
def _founded() -> Path:
    """A folder to begin with, made once."""
    folder = Path(tempfile.mkdtemp(prefix="allmende-bridge-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)

    async def work() -> None:
        town = Town(folder, 1)
        await town.found()
        await town.close()

    with ThreadPoolExecutor(1) as thread:  # a loop of its own: the caller's is running
        thread.submit(asyncio.run, work()).result()
    return folder


@contextlib.asynccontextmanager
async def bridged(folder: Path, finality: int = 1) -> AsyncIterator[Town]:
    shutil.copytree(_founded(), folder, dirs_exist_ok=True)
    town = Town(folder, finality)
    await town.open()
    try:
        yield town
    finally:
        await town.close()


async def refused(work: Any) -> str:
    """The code of the refusal that it ends in."""
    try:
        await work
    except Refused as why:
        return why.why.name
    return ""
