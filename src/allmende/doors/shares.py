"""Shares at the doors: who may buy, which airdrop begins, and what there is, below /api/shares.

Rule: the market's key signs a voucher for a member whose wallet is linked, if the sale's rule
would let it buy now; whoever runs the market says of which state a member is, and in the lab,
whose money is play, the member itself.
Invariant: what is refused here the contract would refuse for the same reason; nothing here
moves money: a voucher is used by its wallet alone.
Worked number: the 150th person of a state gets no voucher where less than 150 may buy.

A voucher is no promise: two members may hold one for the same last share, and who comes first
buys it. It counts for `hours`, and as often as the caps allow.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from allmende.core import identity, offering
from allmende.core.countries import CODES
from allmende.core.offering import Voucher
from allmende.core.refusals import Refused, Why
from allmende.core.units import SECOND
from allmende.desk import Desk
from allmende.doors import wallet_asks as asks
from allmende.doors.account import fields_of, reply, viewer_of
from allmende.doors.counter import Counter
from allmende.doors.gather import Seen
from allmende.doors.pages import Page
from allmende.doors.share_facts import SHARE, ShareFacts
from allmende.doors.sight import Viewer, require_operator
from allmende.doors.wallet_kit import address_of, read
from allmende.institutions import Commons
from allmende.ports import ChainFailed, Clock, Sender, Wanted
from allmende.signing import Signing
from allmende.wire import purchase
from allmende.wire.voucher import Domain

ROOT = "/api/shares"
HOUR_S = 3_600
HOURS_MAX = 24 * 30


class VoucherAsk(Struct, frozen=True, forbid_unknown_fields=True):
    """`state` is the ISO 3166-1 alpha-3 code of where the member is at home."""

    member: str
    state: str
    shares: int = 1
    qualified: bool = False
    hours: int = 24


class AirdropAsk(Struct, frozen=True, forbid_unknown_fields=True):
    """A round: the list's root, its sum in base units as text, and the last Unix second."""

    root: str
    total: str
    deadline: int


class Shares:
    """One per market on a chain. `stand` when the members' contracts do."""

    def __init__(
        self, desk: Desk, clock: Clock, signing: Signing, counter: Counter, sender: Sender
    ) -> None:
        self._desk = desk
        self._clock = clock
        self._signing = signing
        self._counter = counter
        self._sender = sender
        self._commons: Commons | None = None
        self._facts: ShareFacts | None = None

    def stand(self, commons: Commons, decimals: int) -> None:
        """From now on they are there; `decimals` are the pay unit's."""
        if "Share" in commons:
            self._commons, self._facts = commons, ShareFacts(commons, decimals)

    def routes(self) -> list[Route]:
        gets = {"": self.all, "/wallet": self.wallet}
        posts = {"/voucher": self.voucher, "/airdrop": self.airdrop}
        found = [Route(ROOT + path, asks.telling(handler)) for path, handler in gets.items()]
        return found + [
            Route(ROOT + path, asks.telling(handler), methods=["POST"])
            for path, handler in posts.items()
        ]

    def pages(self) -> dict[str, Page]:
        """For the hall, by name."""
        return {"shares": Page("/shares", self._page, open=True)}

    # --- looking -------------------------------------------------------------------------

    async def all(self, _: Request) -> Response:
        """Share, sale and airdrops, as the contracts say. Public."""
        return reply(await self._standing[1].all(self._now))

    async def wallet(self, request: Request) -> Response:
        """?address=: what it holds and bought; public, as the chain is."""
        address = address_of(request.query_params.get("address", ""))
        return reply(await self._standing[1].wallet(address, self._now))

    async def _page(self, seen: Seen) -> dict[str, Any]:
        found: dict[str, Any] = {"shares": None, "mine": None, "away": ""}
        if self._facts is None:
            return found
        try:
            found["shares"] = await self._facts.all(self._now)
            wallet = seen.viewer and self._desk.state.wallets.get(seen.viewer.key.member)
            if wallet:
                found["mine"] = await self._facts.wallet(wallet.address, self._now)
        except ChainFailed as failed:
            found["away"] = failed.cause  # the page says so; nothing of it is the desk's own
        return found

    # --- buying --------------------------------------------------------------------------

    async def voucher(self, request: Request) -> Response:
        """{member, state, shares, qualified, hours}: the word of the market for the contract."""
        viewer = viewer_of(self._counter, request)
        ask = read(VoucherAsk, await fields_of(request))
        self._may(viewer, ask)
        identity.feature(self._desk.state, "sale")
        commons, facts = self._standing
        if "Sale" not in commons:
            raise Refused(Why.NOT_FOUND, "This market sells no shares.")
        voucher = self._written(commons, ask)
        seen = await facts.counters(voucher.person, voucher.state)
        terms, mode = await facts.terms(), commons.record.mode
        offering.allow(mode, terms, seen, voucher, ask.shares, self._now)
        keccak = self._signing.keccak
        digest = purchase.voucher_digest(_domain(commons), voucher, keccak)
        return reply(
            {
                "voucher": voucher._asdict(),
                "signature": "0x" + self._signing.sign_market(digest).hex(),
                "sale": commons["Sale"].address,
                "chain_id": commons.record.chain_id,
                "shares": ask.shares,
                "price": facts.money(terms.price * ask.shares),
            }
        )

    def _may(self, viewer: Viewer, ask: VoucherAsk) -> None:
        """Refused unless an operator asks, or in the lab whoever manages the member."""
        market, state = self._desk.state.market, self._desk.state
        assert market is not None
        if market.mode == "lab":
            identity.allow(state, viewer.key.hash, ask.member, self._clock.now())
        else:
            require_operator(viewer)
        identity.find_member(state, ask.member)
        if ask.state not in CODES:
            raise Refused(Why.BAD_VALUE, f"state is three letters such as DEU, not {ask.state!r}.")
        if not 0 < ask.hours <= HOURS_MAX:
            raise Refused(Why.BAD_VALUE, f"hours is 1 to {HOURS_MAX}, not {ask.hours}.")

    def _written(self, commons: Commons, ask: VoucherAsk) -> Voucher:
        found = self._desk.state.wallets.get(ask.member)
        if found is None:
            raise Refused(
                Why.NOT_FOUND,
                f"No wallet is linked to {ask.member!r}, so nobody could use its voucher. Whoever "
                "manages it links one at /wallet.",
            )
        sign, keccak = self._signing.sign_market, self._signing.keccak
        person = purchase.pseudonym(_domain(commons), ask.member, sign, keccak)
        until = self._now + ask.hours * HOUR_S
        return Voucher(found.address, person, ask.state, ask.qualified, until)

    # --- giving --------------------------------------------------------------------------

    async def airdrop(self, request: Request) -> Response:
        """{root, total, deadline}: a round, by the account that may give, once for each root."""
        require_operator(viewer_of(self._counter, request))
        ask = read(AirdropAsk, await fields_of(request))
        commons, _ = self._standing
        total = await self._fitting(commons, ask)
        call = commons["Airdrop"].call("begin", ask.root, total, ask.deadline)
        send = self._sender.put(Wanted(f"airdrop {ask.root}", call.to, call.data))
        return reply({"root": ask.root, "total": ask.total, "stage": send.stage.value})

    async def _fitting(self, commons: Commons, ask: AirdropAsk) -> int:
        """The sum, if the contract would take the round. Refused."""
        is_hash = len(ask.root) == 66 and ask.root.startswith("0x")
        if not is_hash or set(ask.root[2:]) - set("0123456789abcdef"):
            raise Refused(Why.BAD_VALUE, "root is 0x and 64 of 0-9 a-f.", field="root")
        if not (ask.total.isascii() and ask.total.isdecimal() and len(ask.total) < 78):
            raise Refused(Why.BAD_VALUE, "total is a number of base units.", field="total")
        drop, total = commons["Airdrop"], int(ask.total)
        if ask.deadline <= self._now:
            raise Refused(Why.ENDED, "airdrop: over")
        left = await drop.get("most", None) - await drop.get("promised", None)
        known = self._sender.get(f"airdrop {ask.root}") is not None
        if total <= 0 or (total > left and not known):
            raise Refused(
                Why.OVER_LIMIT,
                f"airdrop: more than there is to give: {left // SHARE} whole shares are left.",
                left=left // SHARE,
            )
        role = "0x" + self._signing.keccak(b"GIVER").hex()
        if not await drop.get("hasRole", None, role, commons.record.founder):
            raise Refused(Why.NOT_ALLOWED, "Airdrops are the Assembly's to begin: by a vote.")
        return total

    # --- parts ---------------------------------------------------------------------------

    @property
    def _now(self) -> int:
        return self._clock.now() // SECOND

    @property
    def _standing(self) -> tuple[Commons, ShareFacts]:
        """Refused(NOT_FOUND) while nothing stands."""
        if self._commons is None or self._facts is None:
            raise Refused(
                Why.NOT_FOUND,
                "This market's members have no shares on its chain: `allmende serve "
                "--institutions`, or `allmende chain establish`.",
            )
        return self._commons, self._facts


def _domain(commons: Commons) -> Domain:
    address = bytes.fromhex(commons["Sale"].address[2:])
    return purchase.domain(commons.record.chain_id, address)
