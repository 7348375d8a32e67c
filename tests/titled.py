"""A desk with a title, and the real Titles contract on the embedded node, for tests.

async with titled(tmp_path) as town:
    await town.mint()
    await town.by(HOLDER, town.move(BUYER))
    await town.step()
"""

from __future__ import annotations

import contextlib
import functools
import shutil
import tempfile
from atexit import register
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from bridge import BUYER, HOLDER, Town
from chains import ACCOUNT, Rig
from deployed import CACHE, CREDIT
from eth_utils import keccak
from market import Signer, reserve, setup
from msgspec import structs
from put_up import created, recorded

from allmende.adapters import chain_contracts
from allmende.adapters.chain.abi import Abi
from allmende.adapters.chain.account import Account
from allmende.adapters.chain.calls import role_id
from allmende.adapters.chain.institutions import ChainCommons, keep, recall
from allmende.adapters.chain.submitter import Submitter
from allmende.adapters.chain_contracts import Contract
from allmende.core import commands as c
from allmende.core import custody_commands as w
from allmende.core import machine
from allmende.core import title_commands as t
from allmende.core.nouns import Offer, Share, Title
from allmende.core.units import SECOND, Tariff, Units, Zone
from allmende.custody import ContractCall
from allmende.doors.title_follow import TitleFollow
from allmende.institutions import Institutions
from allmende.wire import title as wire

SMOL = wire.number("smol", keccak)
SHARES = (Share("owner", "owner", 200_000),)
ROYALTY_PPM = 100_000
NOBODY = "0x" + "00" * 20
USED = Units(input=1_000, output=100)


@functools.cache
def ours() -> dict[str, Contract]:
    return {name: chain_contracts.load(name, CACHE) for name in ("Credit", "Titles")}


class TitleTown(Town):
    """The author, whose wallet is HOLDER's, owns `smol`; the market's operator is ACCOUNT."""

    async def found(self) -> None:
        made = await self._put_up()
        keep(self.folder, made)
        await self.open()
        signer = Signer()
        commands: list[c.Command] = [
            *setup(signer.public.hex(), "lab"),
            w.LinkWallet(member="author", address=HOLDER.address),
            c.RegisterTitle(title=Title("smol", "author", "model", "Smol", SHARES)),
            c.PostOffer(
                offer=Offer(
                    *("own", "host", "smol", "own", "credit"),
                    *(Tariff(150_000, None, 600_000), Zone("DEU"), "http://127.0.0.1:1/v1"),
                )
            ),
        ]
        for command in commands:
            await self.do(command)

    async def _put_up(self) -> Institutions:
        rig = Rig("embedded", self.chain, self.profile)
        credit = await created(rig, ours()["Credit"], "Credit", "CRED")
        titles = await created(rig, ours()["Titles"], 3, credit)
        for abi, to, call in (
            ("Titles", titles, ("grantRole", role_id("REGISTRAR"), ACCOUNT.address)),
            ("Credit", credit, ("mint", BUYER.address, 100 * CREDIT)),
        ):
            assert (await rig.send(to, Abi(ours()[abi]).call(*call))).ok
        return await recorded(self.chain, "lab", credit, {"Titles": titles})

    def _open(self) -> None:
        record = recall(self.folder)
        assert record is not None
        self.record = record
        self.sender = Submitter(self.chain, self.outbox, ACCOUNT, self.profile, self.clock)
        self.commons = ChainCommons(self.chain, record, ours(), self.profile)
        self.titles = self.commons["Titles"]
        self.follow = TitleFollow(
            *(self.desk, self.clock, self.commons, self.watched(self.sender), keccak),
            {ACCOUNT.address: "op"},
        )

    # --- the desk ------------------------------------------------------------------------

    async def step(self) -> None:
        await self.follow.step()
        await self.sender.step()
        machine.check(self.desk.state)

    async def ask_for_mint(self, **other: Any) -> None:
        self.clock.at += SECOND
        await self.do(t.MintTitle(id="smol", royalty_ppm=ROYALTY_PPM, **other))

    async def mint(self) -> None:
        await self.ask_for_mint()
        await self.until_minted()

    async def until_minted(self) -> None:
        for _ in range(12):
            await self.step()
            await self.mine(self.profile.finality - 1)
            token = self.desk.state.tokens.get("smol")
            if token is None or token.minted:
                break
        await self.step()

    @property
    def owner(self) -> str:
        return self.desk.state.titles["smol"].owner

    async def buy_tokens(self, id_: str) -> dict[str, int]:
        """One request for the title's model; who was paid what."""
        await self.desk.submit(structs.replace(reserve(id_, self.clock.now()), model="own"))
        captured = c.Capture(at=self.clock.now(), hold=id_, estimate=USED, reported=USED)
        (event,) = await self.desk.submit(captured)
        return {line.account: line.amount for line in event.receipt.waterfall}  # type: ignore[union-attr]

    # --- wallets -------------------------------------------------------------------------

    def move(self, to: Account | str, by: Account = HOLDER) -> ContractCall:
        address = to if isinstance(to, str) else to.address
        return self.titles.call("transferFrom", by.address, address, SMOL)

    def credit(self, *call: Any) -> ContractCall:
        return ContractCall(self.record.credit, Abi(ours()["Credit"]).call(*call))

    async def money(self, who: Account) -> int:
        told = await self.chain.call(*self.credit("balanceOf", who.address))
        return int.from_bytes(told, "big")


@functools.cache
def _founded() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="allmende-titles-"))
    register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@contextlib.asynccontextmanager
async def titled(folder: Path, finality: int = 1) -> AsyncIterator[TitleTown]:
    kept = _founded()
    if not any(kept.iterdir()):
        first = TitleTown(kept, 1)
        await first.found()
        await first.close()
    shutil.copytree(kept, folder, dirs_exist_ok=True)
    town = TitleTown(folder, finality)
    await town.open()
    try:
        yield town
    finally:
        await town.close()
