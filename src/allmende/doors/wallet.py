"""Wallet door: members whose credit is in a wallet's reach, below /api/wallet/.

Rule: a wallet signs in (EIP-4361), permits sessions, orders moves and wraps (EIP-712), and sends
its own transactions, which are only written out here.
Invariant: nothing moves that the wallet did not sign for; what a browser's cookie alone can do is
look, draft, and hand in what was signed.
Worked number: from an unknown wallet to its first paid request: one message, two transactions
and one permit to sign.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from allmende.core.refusals import Refused, Why
from allmende.desk import Desk
from allmende.doors import wallet_asks as asks
from allmende.doors.account import reply
from allmende.doors.browser import Doorman
from allmende.doors.gather import Seen
from allmende.doors.pages import Page
from allmende.doors.vouching import Vouching
from allmende.doors.wallet_calls import Calls
from allmende.doors.wallet_entry import PAGE, Entry
from allmende.doors.wallet_kit import Contracts, Kit, address_of
from allmende.doors.wallet_orders import Orders
from allmende.doors.wallet_permits import Permits
from allmende.doors.wallet_told import Told
from allmende.ports import ChainFailed, Clock
from allmende.signing import Signing, SignIns
from allmende.ticket import encode

ROOT = "/api/wallet"
ENTERING_MAX = 16
"""Sign-ins that may wait: reading one takes a tenth of a second at worst."""
REST = 4
"""So many times as long as reading one took, others have the process: anybody may send messages,
and whoever does so without end must not take it from who buys tokens."""


class WalletDoor:
    """One per market with a chain. `stand` when its contracts do."""

    def __init__(
        self,
        desk: Desk,
        clock: Clock,
        signing: Signing,
        sign_ins: SignIns,
        doorman: Doorman,
        new_key: Callable[[], tuple[str, str]],
        *,
        public: str = "",
        embedded: bool = False,
        welcome: Callable[[str], object] | None = None,
    ) -> None:
        """`new_key` makes an API key (secret, hash); `public` is where browsers reach us, "" for
        this machine alone; `welcome` hears of each address that comes in, to give it gas."""
        self._kit = kit = Kit(desk, clock, signing)
        self._doorman = doorman
        self._entry = Entry(kit, sign_ins, public, doorman.secure)
        self._permits = Permits(kit, new_key)
        self._orders = Orders(kit)
        self._calls = Calls(kit)
        self._told = Told(kit, self._calls, embedded)
        self._welcome = welcome
        self._turn = asyncio.Lock()
        self._entering = 0
        self._rest: Callable[[float], Awaitable[None]] = asyncio.sleep

    def stand(self, contracts: Contracts) -> None:
        """From now on the contracts are there."""
        self._kit.contracts = contracts

    def routes(self) -> list[Route]:
        """Paths below /api/wallet; they come before the account's."""
        gets = {
            "": self.all,
            "/chain": self.chain,
            "/link": self.link_draft,
            "/permit": self.permit_draft,
            "/move": self.move_draft,
            "/wrap": self.wrap_draft,
            "/deposit": self.deposit,
            "/withdraw": self.withdraw,
            "/pay": self.pay,
            "/exit": self.exit,
            "/ticket": self.ticket,
        }
        posts = {
            "/nonce": self.nonce,
            "/login": self.login,
            "/link": self.link,
            "/permit": self.permit,
            "/move": self.move,
            "/wrap": self.wrap,
        }
        found = [Route(ROOT + path, asks.telling(handler)) for path, handler in gets.items()]
        return found + [
            Route(ROOT + path, asks.telling(handler), methods=["POST"])
            for path, handler in posts.items()
        ]

    def vouching(self) -> Vouching:
        """For the gateway."""
        return Vouching(self._kit)

    def pages(self) -> dict[str, Page]:
        """For the hall, by name."""
        return {"wallet": Page(PAGE, self._page, open=True)}

    # --- coming in -----------------------------------------------------------------------

    async def nonce(self, request: Request) -> Response:
        """{address} if the whole message is wanted, ready to be signed."""
        sent = await asks.sent(request)
        if "address" not in sent:
            return reply({"nonce": self._entry.nonce()})
        address = sent["address"]
        address_of(address)  # as it was written: its capitals are a checksum
        origin, says = self._entry.origin(request), self._entry.sign_in_statement
        message, nonce = self._entry.message(origin, address, says)
        return reply({"nonce": nonce, "message": message})

    async def login(self, request: Request) -> Response:
        """{message, signature}: a session of the member that the wallet belongs to."""
        address = await self._signed(request, self._entry.sign_in_statement)
        viewer = await self._entry.enter(address)
        response = reply({"member": viewer.key.member, "address": address})
        self._doorman.sign_in(request, response, viewer)
        self._greet(address)
        return response

    async def link_draft(self, request: Request) -> Response:
        """?address=: the message by which it is linked to the caller's member."""
        viewer = asks.manager(self._doorman, request)
        address = request.query_params.get("address", "")
        address_of(address)
        says = self._entry.link_statement(viewer.key.member)
        message, nonce = self._entry.message(self._entry.origin(request), address, says)
        return reply({"nonce": nonce, "message": message, "member": viewer.key.member})

    async def link(self, request: Request) -> Response:
        viewer = asks.manager(self._doorman, request)
        member = viewer.key.member
        address = await self._signed(request, self._entry.link_statement(member))
        await self._entry.link(viewer, member, address)
        self._greet(address)
        return reply({"member": member, "address": address})

    async def _signed(self, request: Request, statement: str) -> str:
        """The address whose message came, one reading at a time. Refused."""
        sent, origin = await asks.sent(request), self._entry.origin(request)
        message, signature = sent.get("message"), sent.get("signature")
        if not isinstance(message, str) or not isinstance(signature, str):
            raise Refused(Why.BAD_VALUE, "Send message and signature, both as text.")
        if self._entering >= ENTERING_MAX:
            raise Refused(Why.RATE, "Many are signing in at once. Try again in a moment.")
        self._entering += 1
        try:
            async with self._turn:
                begun = time.perf_counter()
                try:
                    return self._entry.read(origin, message, signature, statement)
                finally:
                    await self._rest(REST * (time.perf_counter() - begun))
        finally:
            self._entering -= 1

    def _greet(self, address: str) -> None:
        if self._welcome is not None:
            self._welcome(address)

    # --- what is signed ------------------------------------------------------------------

    async def permit_draft(self, request: Request) -> Response:
        viewer = asks.manager(self._doorman, request)
        return reply(self._permits.draft(viewer.key.member, asks.query(request)))

    async def permit(self, request: Request) -> Response:
        viewer = asks.manager(self._doorman, request)
        return reply(await self._permits.grant(viewer, await asks.sent(request)))

    async def move_draft(self, request: Request) -> Response:
        viewer = asks.viewer(self._doorman, request)
        return reply(self._orders.draft_move(viewer.key.member, asks.query(request)))

    async def move(self, request: Request) -> Response:
        """{message, signature}: whoever brings it."""
        sent = await asks.sent(request)
        return reply(await self._orders.move(sent.get("message"), sent.get("signature")))

    async def wrap_draft(self, request: Request) -> Response:
        viewer = asks.viewer(self._doorman, request)
        return reply(self._orders.draft_wrap(viewer.key.member, asks.query(request)))

    async def wrap(self, request: Request) -> Response:
        sent = await asks.sent(request)
        return reply(await self._orders.wrap(sent.get("message"), sent.get("signature")))

    # --- what is sent --------------------------------------------------------------------

    async def deposit(self, request: Request) -> Response:
        member, amount = (
            asks.viewer(self._doorman, request).key.member,
            request.query_params.get("amount"),
        )
        return reply(await self._calls.deposit(member, amount))

    async def withdraw(self, request: Request) -> Response:
        member, amount = (
            asks.viewer(self._doorman, request).key.member,
            request.query_params.get("amount"),
        )
        return reply(await self._calls.ask(member, amount))

    async def pay(self, request: Request) -> Response:
        id_ = request.query_params.get("id", "")
        if not id_.isdecimal() or len(id_) > 18:
            raise Refused(Why.BAD_VALUE, "id is a withdrawal's number.")
        return reply(await self._calls.pay(int(id_)))

    async def exit(self, request: Request) -> Response:
        return reply(await self._calls.exit(asks.viewer(self._doorman, request).key.member))

    # --- looking -------------------------------------------------------------------------

    async def chain(self, _: Request) -> Response:
        return reply(self._told.chain())

    async def all(self, request: Request) -> Response:
        return reply(await self._told.all(asks.viewer(self._doorman, request).key.member))

    async def ticket(self, request: Request) -> Response:
        """The file with which a member leaves without us; of the pending batch with `?pending`."""
        viewer, pending = asks.viewer(self._doorman, request), "pending" in request.query_params
        ticket = await self._kit.stands.settler.ticket(viewer.key.member, pending=pending)
        kept = f'attachment; filename="allmende-exit-{ticket.batch}.json"'
        return Response(
            encode(ticket),
            media_type="application/json",
            headers={"content-disposition": kept, "cache-control": "no-store"},
        )

    async def _page(self, seen: Seen) -> dict[str, Any]:
        """What the page shows: `told` is None for whoever has no wallet here."""
        found: dict[str, Any] = {"chain": None, "told": None, "away": "", "linkable": False}
        if self._kit.contracts is None:
            return found
        found["chain"] = self._told.chain()
        viewer, wallets = seen.viewer, self._kit.state.wallets
        if viewer is None or viewer.key.member not in wallets:
            found["linkable"] = viewer is not None and viewer.manages
            return found
        try:
            found["told"] = await self._told.all(viewer.key.member)
        except ChainFailed as failed:
            # what the desk has is shown all the same
            unseen: dict[str, Any] = {
                "wallet": None,
                "vault": None,
                "batch": None,
                "withdrawals": [],
            }
            found["told"] = {**self._told.desk(viewer.key.member), **unseen}
            found["away"] = failed.cause
        found["told"]["manages"] = viewer.manages
        return found
