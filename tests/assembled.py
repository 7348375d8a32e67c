"""Members' contracts on a real chain, for tests: established as a market does it, in seconds.

async with assembled(tmp_path) as here:
    anna = await here.person("anna", shares=30)
    await here.act(anna, "Assembly", "propose_parameter", "levy_ppm", 5, 0, "why")
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployed import CACHE, Town, deployed
from eth_utils.crypto import keccak

from allmende.adapters import chain_contracts
from allmende.adapters.chain import establish as establishing
from allmende.adapters.chain import voting
from allmende.adapters.chain.account import Account
from allmende.adapters.chain.establish import Founding, establish
from allmende.adapters.chain.institutions import ChainCommons
from allmende.wire.credential import Credential, credential_digest, member_hash

NAMES = ("Share", "Stake", "Assembly")
SHARE = 10**18
CREDIT = 10**12
REGISTRAR = Account(bytes(31) + b"\x07")


@dataclass
class Here:
    town: Town
    commons: ChainCommons
    _next: int = 100

    async def person(self, name: str = "", shares: int = 0, head: bool = True) -> Account:
        """A wallet with gas, credit and staked shares; with a `head` it votes as member `name`."""
        self._next += 1
        account = Account(self._next.to_bytes(32, "big"))
        calls = self.town.custody
        await self.town.do(calls.mint_credit(account.address, 100 * CREDIT))
        for to in ("Assembly", "Stake"):
            call = calls.approve(self.commons[to].address, 2**255)
            await self.town.by(account, call)
        if shares:
            await self.town.do(self.commons["Share"].call("mint", account.address, shares * SHARE))
            await self.act(account, "Share", "approve", self.commons["Stake"].address, 2**255)
            await self.act(account, "Stake", "stake", shares * SHARE)
        if name and head:
            await self.enrol(name, account)
        return account

    async def enrol(self, name: str, account: Account, days: int = 90) -> None:
        now = await self.commons.time_s(await self.commons.newest_block())
        assembly = self.commons["Assembly"].address
        said = Credential(
            member_hash(b"salt", name, keccak), raw(account.address), now + days * 86_400
        )
        chain_id = self.commons.record.chain_id
        signature = REGISTRAR.sign_digest(credential_digest(chain_id, raw(assembly), said, keccak))
        await self.act(account, "Assembly", "enrol", said.member, said.expiry, signature)

    async def act(self, account: Account, contract: str, function: str, *values: Any) -> None:
        mined = await self.town.by(account, self.commons[contract].call(function, *values))
        assert mined.ok, f"{contract}.{function} was reverted"

    async def decide(self, number: int, yes: list[Account], no: list[Account]) -> None:
        """Vote, wait, queue, execute."""
        for account, choice in [(one, 1) for one in yes] + [(one, 0) for one in no]:
            await self.act(account, "Assembly", "vote", number, choice)
        await self.town.later(voting.DEMO.money.voting)
        await self.act(yes[0], "Assembly", "queue", number)
        await self.town.later(3)
        await self.act(yes[0], "Assembly", "execute", number, [])


def raw(address: str) -> bytes:
    return bytes.fromhex(address[2:])


@contextlib.asynccontextmanager
async def assembled(folder: Path, kind: str = "embedded") -> AsyncIterator[Here]:
    async with deployed(kind, folder) as town:
        contracts = {name: chain_contracts.load(name, CACHE) for name in NAMES}
        founding = Founding(
            profile=town.rig.profile,
            norm="demo",
            mode="lab",
            registrar=REGISTRAR.address,
            deployment=town.deployment,
        )
        with minting():
            record = await establish(town.rig.chain, town.sender, contracts, founding)
        yield Here(town, ChainCommons(town.rig.chain, record, contracts, town.rig.profile))


@contextlib.contextmanager
def minting() -> Iterator[None]:
    """Here the founder mints, in place of a sale, and there is no more than votes take."""
    before = establishing.GRANTS, establishing.CREATIONS
    establishing.GRANTS = (*before[0], establishing.Grant("Share", "MINTER", "founder"))
    establishing.CREATIONS = tuple(one for one in before[1] if one.name in NAMES)
    try:
        yield
    finally:
        establishing.GRANTS, establishing.CREATIONS = before
