"""A desk whose members have shares: the real contracts on the embedded node, and the real door.

async with sold(tmp_path) as town:
    told = await asyncio.to_thread(town.client().get, "shares")

HOLDER's wallet is the author's, BUYER's the host's; all clocks are moved by hand.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from bridge import BUYER, HOLDER, Town
from chains import ACCOUNT, Rig, serve
from deployed import CACHE
from market import START, Signer, setup
from put_up import created, recorded
from starlette.routing import Route

from allmende.adapters import chain_contracts
from allmende.adapters.chain.abi import Abi
from allmende.adapters.chain.calls import role_id
from allmende.adapters.chain.distribution import sale_values
from allmende.adapters.chain.institutions import ChainCommons
from allmende.adapters.chain.signing import open_keys
from allmende.adapters.chain.submitter import Submitter
from allmende.adapters.chain_contracts import Contract
from allmende.adapters.sale_terms import DAY, sale_terms
from allmende.adapters.secrets import open_vault
from allmende.cli.client import Client
from allmende.core import commands as c
from allmende.core import custody_commands as w
from allmende.core.identity import FEATURES, lacks
from allmende.core.nouns import Key
from allmende.core.offering import Terms
from allmende.core.units import CREDIT, SECOND
from allmende.custody import ContractCall
from allmende.doors.app import rest
from allmende.doors.chain_rpc import ChainRpc
from allmende.doors.counter import Counter, Tools
from allmende.doors.shares import Shares
from allmende.institutions import Institutions

COMMONS = "0x" + "c0" * 20
UNIT = CREDIT
SHARE = 10**18
PRICE = 2 * UNIT
SECRETS = {"operate": "almost secret", "manage": "the author's"}
NAMES = ("Credit", "Share", "Sale", "Airdrop")


@functools.cache
def ours() -> dict[str, Contract]:
    return {name: chain_contracts.load(name, CACHE) for name in NAMES}


def terms(mode: str, **other: Any) -> Terms:
    now = START // SECOND
    fields: dict[str, Any] = {"price": PRICE, "soft_cap": 5, "hard_cap": 10, "person_cap": 8}
    dates = {"start": now - DAY, "end": now + 30 * DAY, "euro_rate": 1_000_000, "unit": UNIT}
    return sale_terms(mode, **{**fields, **dates, **other})


class ShareTown(Town):
    """The market's operator is ACCOUNT."""

    def __init__(self, folder: Path, mode: str, other: dict[str, Any]) -> None:
        super().__init__(folder, 1)
        self.mode = mode
        self.terms = terms(mode, **other)
        self.keys = open_keys(folder, open_vault(folder), ACCOUNT)
        self.url = ""

    async def found(self) -> None:
        self.record = await self._put_up()
        await self.open()
        signer = Signer()
        linked = (("author", HOLDER), ("host", BUYER)) if not lacks(self.mode, "withdraw") else ()
        for command in (
            *setup(signer.public.hex(), self.mode),
            *(w.LinkWallet(member=who, address=wallet.address) for who, wallet in linked),
            *(
                c.IssueKey(key=Key(role, hashlib.sha256(secret.encode()).hexdigest(), who, role))
                for (role, secret), who in zip(SECRETS.items(), ("op", "author"), strict=True)
            ),
        ):
            await self.do(command)

    async def _put_up(self) -> Institutions:
        rig, mode = Rig("embedded", self.chain, self.profile), list(FEATURES).index(self.mode)
        credit = await created(rig, ours()["Credit"], "Credit", "CRED")
        share = await created(rig, ours()["Share"], mode, 1_000 * SHARE)
        sale = await created(
            rig, ours()["Sale"], *sale_values(mode, share, credit, COMMONS, self.terms)
        )
        drop = await created(rig, ours()["Airdrop"], share, COMMONS, 100 * SHARE)
        for name, to, call in (
            ("Share", share, ("grantRole", role_id("MINTER"), sale)),
            ("Share", share, ("grantRole", role_id("MINTER"), drop)),
            ("Sale", sale, ("grantRole", role_id("ISSUER"), self.keys.market)),
            ("Airdrop", drop, ("grantRole", role_id("GIVER"), ACCOUNT.address)),
            ("Credit", credit, ("mint", HOLDER.address, 100 * UNIT)),
        ):
            assert (await rig.send(to, Abi(ours()[name]).call(*call))).ok
        made = {"Share": share, "Sale": sale, "Airdrop": drop}
        return await recorded(self.chain, self.mode, credit, made, self.keys.market)

    def _open(self) -> None:
        self.sender = Submitter(self.chain, self.outbox, ACCOUNT, self.profile, self.clock)
        self.commons = ChainCommons(self.chain, self.record, ours(), self.profile)
        counter = Counter(self.desk, self.clock, Tools(*[_unused] * 4))
        self.door = Shares(self.desk, self.clock, self.keys, counter, self.sender)
        self.door.stand(self.commons, 12)

    # --- asking --------------------------------------------------------------------------

    def routes(self) -> list[Route]:
        return [*self.door.routes(), *ChainRpc(self._ask).routes()]

    def client(self, role: str = "operate") -> Client:
        return Client(self.url, SECRETS[role])

    async def credit(self, of: str) -> int:
        call = ContractCall(self.record.credit, Abi(ours()["Credit"]).call("balanceOf", of))
        return int.from_bytes(await self.chain.call(*call), "big")

    def approve(self, spender: str, amount: int) -> ContractCall:
        return ContractCall(
            self.record.credit, Abi(ours()["Credit"]).call("approve", spender, amount)
        )

    async def shares(self, of: str) -> int:
        return int(await self.commons["Share"].get("balanceOf", None, of))


async def _unused(*_: Any) -> Any:
    raise AssertionError("only keys are looked up here")


@contextlib.asynccontextmanager
async def sold(folder: Path, mode: str = "open", **other: Any) -> AsyncIterator[ShareTown]:
    town = ShareTown(folder, mode, other)
    await town.found()
    try:
        async with serve(rest(town.routes(), _unused)) as url:
            town.url = url
            yield town
    finally:
        await town.close()
