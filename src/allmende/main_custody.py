"""Main's custody: what stands on the contracts, put together once they are there.

Rule: contracts come first, then what carries the books to them; each step begins from the chain
again, so that one which failed is simply made again a moment later.
Invariant: none of this moves money but through the desk and the sender.
Worked number: with steps of a second and finality at once, a deposit is spendable after some
three seconds and two transactions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from msgspec import Struct, structs
from starlette.routing import Route

from allmende.adapters.trees import FILE as TREES
from allmende.adapters.trees import SqliteTrees
from allmende.core.units import SECOND
from allmende.custody import Custody, Deployment, Finding
from allmende.desk import Desk
from allmende.doors.browser import Doorman
from allmende.doors.chain_gas import GasOfSends
from allmende.doors.chain_give import ChainGive
from allmende.doors.chain_page import ChainPage
from allmende.doors.counter import Counter
from allmende.doors.pages import Page
from allmende.doors.settler import Settler
from allmende.doors.settler_cover import Cover
from allmende.doors.settler_rights import EnsureContract, RightsBridge
from allmende.doors.settler_says import Status
from allmende.doors.settler_sends import Sends
from allmende.doors.verifying import Verifying
from allmende.doors.vouching import Vouching
from allmende.doors.wallet import WalletDoor
from allmende.doors.wallet_kit import Contracts
from allmende.institutions import Institutions
from allmende.main_chain import STEP_S, ChainSide, Wiring, tools
from allmende.main_commons import CommonsParts, CommonsSide
from allmende.main_duties import Duties
from allmende.ports import ChainFailed, Send, Sender, Views
from allmende.signing import Signing
from allmende.wire.receipt import Chained

RETRY_S = 15.0
"""Seconds between two looks for contracts on a chain elsewhere."""


class Standing:
    """One per market whose contracts stand: the settler and the rights' bridge over them."""

    def __init__(
        self,
        wiring: Wiring,
        desk: Desk,
        views: Views,
        sender: Sender,
        custody: Custody,
        signing: Signing,
        ensure: EnsureContract,
        verifying: Verifying,
        duties: Duties,
        commons: CommonsSide,
    ) -> None:
        clock = wiring.clock
        self._trees = SqliteTrees(wiring.folder / TREES)
        self._covering = Cover(custody, Sends(sender, clock, custody.deployment.vault))
        self._duties = duties
        self._commons = commons
        self.custody = custody
        self.verifying = verifying
        self.settler = Settler(
            *(desk, clock, custody, signing, sender, self._trees, views),
            every_s=wiring.settle_every,
        )
        self.bridge = RightsBridge(desk, clock, custody, sender, ensure, signing.keccak)

    async def run(self) -> None:
        """Step until cancelled."""
        while True:
            await self.step()
            await asyncio.sleep(STEP_S)

    async def step(self) -> None:
        """Each of its duties once, whatever becomes of the others."""
        await self._duties.once("Settling", self.settler.step)
        await self._duties.once("Rights", self.bridge.step)
        if self.custody.deployment.own_credit:
            await self._duties.once("Covering", self._cover)
        await self._commons.step()

    def status(self) -> Status:
        """The settler's, with what else needs a person."""
        told = self.settler.status()
        return structs.replace(told, alarms=(*told.alarms, *self._duties.wrong.values()))

    async def _cover(self) -> None:
        """On a local chain the house covers what it issued outside of it."""
        self._covering.step(self.settler.status().short, self.settler.house_paid_in)

    def close(self) -> None:
        self._trees.close()


class Fittings(Struct, frozen=True):
    """What the market has, and its custody needs."""

    desk: Desk
    views: Views
    counter: Counter
    doorman: Doorman
    new_key: Callable[[], tuple[str, str]]
    public: str = ""
    """Where browsers reach us."""


class CustodySide:
    """One per market; without a chain it is there and does nothing.

    On the embedded chain the contracts stand when `open` returns. Elsewhere they are looked for
    until they do: the node may be away, and it is a person who deploys there. The doors are
    there from the beginning, and say so until then.
    """

    def __init__(self, side: ChainSide, fittings: Fittings) -> None:
        """Refused, SecretBroken as ChainSide."""
        self._side = side
        self._fit = fittings
        self.standing: Standing | None = None
        self._stands = asyncio.Event()
        self._wallets: WalletDoor | None = None
        self._keys: Signing | None = None
        self.commons: CommonsSide | None = None
        wiring, opened = side.wiring, side.opened
        if opened is None:
            self.page = ChainPage(wiring.clock)
            return
        self.page = ChainPage(wiring.clock, *side.shown())
        with tools():
            from allmende.adapters.chain.opened import gas_for
            from allmende.adapters.chain.sign_ins import open_sign_ins
            from allmende.adapters.chain.signing import open_keys

            sign_ins = open_sign_ins()
        self._keys = keys = open_keys(wiring.folder, wiring.vault, opened.account)

        def gas(address: str) -> Send:
            return gas_for(opened.sender, address)

        self._wallets = WalletDoor(
            *(fittings.desk, wiring.clock, keys, sign_ins, fittings.doorman),
            fittings.new_key,
            public=fittings.public,
            embedded=opened.embedded,
            welcome=gas if opened.embedded else None,
        )
        self._give = ChainGive(fittings.counter, opened.sender, gas)
        self.commons = CommonsSide(
            CommonsParts(
                *(fittings.desk, fittings.views, fittings.counter, wiring.clock),
                *(keys, opened.sender, side.duties, wiring.folder),
            )
        )

    def routes(self) -> list[Route]:
        """What the hall gets besides its own doors."""
        if self._wallets is None or self.commons is None:
            return []
        return [*self._wallets.routes(), *self._give.routes(), *self.commons.routes()]

    def pages(self) -> dict[str, Page]:
        if self._wallets is None or self.commons is None:
            return {}
        return {**self._wallets.pages(), **self.commons.pages()}

    def vouching(self) -> Vouching | None:
        """For the gateway."""
        return None if self._wallets is None else self._wallets.vouching()

    async def open(self) -> None:
        """ChainFailed, or RuntimeError if nothing compiles, on the embedded chain only."""
        if self._side.opened is not None and self._side.opened.embedded:
            await self._stand()

    async def run(self) -> None:
        """Until cancelled; ends at once without a chain."""
        while self._side.opened is not None and self.standing is None:
            await self._side.duties.once("The contracts", self._stand)
            if self.standing is None:
                await asyncio.sleep(RETRY_S)
        if self.standing is not None:
            await self.standing.run()

    async def verify(self) -> None:
        """Beside `run`, so that neither ends with the other."""
        if self._side.opened is None:
            return
        await self._stands.wait()
        assert self.standing is not None
        await self.standing.verifying.run()

    async def _stand(self) -> None:
        """Deploy where that costs nothing, else take what is deployed."""
        wiring, opened = self._side.wiring, self._side.opened
        assert opened is not None and self._keys is not None and self._wallets is not None
        assert self.commons is not None
        with tools():
            from allmende.adapters.chain.custody import ChainCustody
            from allmende.adapters.chain.ensure import ensure_deployed
            from allmende.adapters.chain.rights_need import RightsOnNeed
        deployment, contracts = await ensure_deployed(
            *(opened.chain, opened.sender, opened.account.address, self._keys.market),
            *(opened.profile, wiring.folder),
            norm=wiring.terms,
        )
        if deployment.operator != self._keys.house:
            raise ChainFailed(
                "wrong_account",
                f"the operator of these contracts is {deployment.operator}, and the key here is "
                f"of {self._keys.house}: put back the data directory that they belong to",
            )
        established = await self._establish(deployment)
        custody = ChainCustody(opened.chain, deployment, contracts, opened.profile, wiring.clock)

        found = Standing(
            *(wiring, self._fit.desk, self._fit.views, opened.sender, custody, self._keys),
            RightsOnNeed(opened.sender, contracts, wiring.folder),
            Verifying(self._look(custody, contracts, established), wiring.clock),
            self._side.duties,
            self.commons,
        )
        gas = GasOfSends(opened.named, opened.chain.mined, deployment.vault)
        record = None if established is None else established[0]
        self.page.stands(custody, found, found.verifying, gas, record)
        self._wallets.stand(Contracts(custody, found.settler, opened.chain.balance))
        self._give.stand(custody)
        self.standing = found
        self._stands.set()

    async def _establish(self, deployment: Deployment) -> tuple[Institutions, Any] | None:
        """The members' contracts: put up where that costs nothing and is wanted, else taken."""
        wiring, opened, market = self._side.wiring, self._side.opened, self._fit.desk.state.market
        assert opened is not None and self._keys is not None and market is not None
        assert self.commons is not None
        with tools():
            from allmende.adapters.chain.distribution import sale_of
            from allmende.adapters.chain.ensure import CACHE
            from allmende.adapters.chain.establish import Founding, ensure_established
            from allmende.adapters.chain.institutions import ChainCommons
        founding = Founding(
            profile=opened.profile,
            norm=wiring.terms,
            mode=market.mode,
            registrar=self._keys.market,
            deployment=deployment,
            sale=sale_of(
                *(wiring.folder, market.mode, deployment.decimals, deployment.made_at),
                wiring.clock.now() // SECOND,
            ),
        )
        established = await ensure_established(
            *(opened.chain, opened.sender, founding, wiring.folder, wiring.folder / CACHE),
            create=wiring.institutions and opened.embedded,
        )
        if established is not None:
            record, contracts = established
            made = ChainCommons(opened.chain, record, contracts, opened.profile)
            self.commons.stand(made, deployment.decimals)
        return established

    def _look(
        self, custody: Custody, contracts: Any, established: tuple[Institutions, Any] | None
    ) -> Callable[[], Awaitable[Sequence[Finding]]]:
        """What is verified, of custody and of the members' contracts."""
        with tools():
            from allmende.adapters.chain.verify import verify
            from allmende.adapters.chain.verify_institutions import verify_institutions
        assert self._side.opened is not None
        chain = self._side.opened.chain

        async def look() -> Sequence[Finding]:
            found = await verify(chain, custody.deployment, contracts)
            if established is not None:
                found += await verify_institutions(chain, *established)
            return found

        return look

    def chained(self, leaf: bytes) -> Chained | None:
        """For receipt files: where the chain has the receipt with this leaf hash."""
        return None if self.standing is None else self.standing.settler.chained(leaf)

    def close(self) -> None:
        """When `run` has ended."""
        if self.standing is not None:
            self.standing.close()
        if self.commons is not None:
            self.commons.close()
