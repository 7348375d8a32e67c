"""Wallet permits: what a wallet lets sessions spend, drafted, signed, granted.

Rule: a draft says word for word what will be signed; what comes back is checked against the
same fields, so that nothing is granted that the wallet did not see.
Invariant: a session key that the market made never leaves it; the draft that carries it is in
memory only, sealed, and is granted once. A session's own API key is in one answer and nowhere
else.
Worked number: lane 3 stands at 4 credits; a permit of 5 more on it is signed with the limit 9.

Lane 0 pays for all that has no session: orders, moves, keys below ordinary budgets. There the
market signs. On lanes 1 to 15 either the market keeps the session's key, or a program that
brought its address and vouches for each request itself (see vouching).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, NamedTuple

from msgspec import Struct

from allmende.core import budgets, wallets
from allmende.core.commands import IssueKey
from allmende.core.custody import GENERAL, LANES, Permit
from allmende.core.custody_commands import GrantPermit
from allmende.core.nouns import Key
from allmende.core.refusals import Refused, Why
from allmende.core.state import Wallet
from allmende.core.units import SECOND, Amount, credits
from allmende.doors.plain import iso, to_instant
from allmende.doors.sight import Viewer
from allmende.doors.wallet_kit import Kit, address_of, read, recover, signature_of
from allmende.wire import voucher

DRAFT_S = 900
"""For which a draft with a key of ours waits for its signature."""
DRAFTS_MAX = 1_000
DRAFTS_EACH = 16
"""Of one member: whoever drafts without end loses his own and nobody else's."""
DAYS = 30
"""How long a permit is good where nobody says."""
MODELS_MAX = 50


class Asked(Struct, frozen=True, forbid_unknown_fields=True):
    """`limit` is where the lane may stand at most, `more` what it may spend from now on; one of
    them. Credits as text. `key` is a session key's address where a program keeps it."""

    limit: str = ""
    more: str = ""
    lane: int = -1
    """-1 is any free session's."""
    models: tuple[str, ...] = ()
    expires: str = ""
    key: str = ""


class Signed(Asked, frozen=True, forbid_unknown_fields=True):
    """The same fields as its draft said them, and the wallet's signature over its typed data.

    `keeps` is "market" or "program": who has the session's key.
    """

    signature: str = ""
    keeps: str = "market"
    parent: str = ""


class Terms(NamedTuple):
    """What is to be signed: amounts in pico-credits, the rest as in core.custody.Permit."""

    lane: int
    key: str
    limit: Amount
    models: tuple[str, ...]
    expires: int

    def permit(self, signature: str, sealed: str) -> Permit:
        return Permit(self.lane, self.key, self.limit, self.models, self.expires, signature, sealed)


class _Draft(NamedTuple):
    sealed: str
    member: str
    until_s: int


class Permits:
    """One per wallet door."""

    def __init__(self, kit: Kit, new_key: Callable[[], tuple[str, str]]) -> None:
        self._kit = kit
        self._new_key = new_key
        self._drafts: dict[str, _Draft] = {}
        """By the address of the session key."""

    def draft(self, member: str, sent: dict[str, Any]) -> dict[str, Any]:
        """What to sign for these fields; the market makes a session key where none is brought."""
        asked, wallet = read(Asked, sent), self._kit.wallet(member)
        terms, keeps = self._terms(wallet, asked), "program"
        if not terms.key:
            terms, keeps = terms._replace(key=self._fresh(member)), "market"
        return {
            "lane": terms.lane,
            "limit": credits(terms.limit),
            "more": credits(terms.limit - wallets.reached(wallet, terms.lane)),
            "asset": wallet.asset,
            "models": terms.models,
            "expires": iso(terms.expires),
            "key": terms.key,
            "keeps": keeps,
            "typed_data": voucher.typed_data(
                self._kit.custody.domain,
                "Permit",
                voucher.PERMIT_TYPE,
                self._said(wallet, terms)._asdict(),
            ),
        }

    async def grant(self, viewer: Viewer, sent: dict[str, Any]) -> dict[str, Any]:
        """The lane, and for a session its budget and its key's secret. Refused."""
        asked, member = read(Signed, sent), viewer.key.member
        wallet = self._kit.wallet(member)
        if asked.lane < 0 or not asked.limit or not asked.key or not asked.expires:
            raise Refused(Why.BAD_VALUE, "Send lane, limit, key and expires as the draft has them.")
        terms = self._terms(wallet, asked)
        signature = signature_of(asked.signature)
        domain, keccak = self._kit.custody.domain, self._kit.signing.keccak
        digest = voucher.permit_digest(domain, self._said(wallet, terms), keccak)
        if recover(self._kit.signing, digest, signature) != wallet.address:
            raise Refused(
                Why.BAD_SIGNATURE, f"{wallet.address} did not sign this permit; draft it again."
            )
        sealed = self._sealed(member, terms, asked.keeps)
        permit = terms.permit("0x" + signature.hex(), sealed)
        known = wallet.lanes.get(terms.lane)
        if known is not None and known.permit.signature == permit.signature:
            raise Refused(Why.EXISTS, "This permit was granted before; sign a new one.")
        answer = await self._granted(viewer, member, permit, asked.parent)
        self._drafts.pop(terms.key, None)
        return answer

    async def _granted(
        self, viewer: Viewer, member: str, permit: Permit, parent: str
    ) -> dict[str, Any]:
        desk, at, by = self._kit.desk, self._kit.clock.now(), viewer.key.hash
        if permit.lane == GENERAL:
            await desk.submit(GrantPermit(at=at, by=by, member=member, permit=permit))
            return {"lane": GENERAL, "limit": credits(permit.limit)}
        id_ = f"session-{permit.lane}-{secrets.token_hex(6)}"
        grant = GrantPermit(
            at=at,
            by=by,
            member=member,
            permit=permit,
            budget=id_,
            parent=parent or self._root(member),
        )
        desk.post(grant)
        secret, hash_ = self._new_key()
        bounds = id_, permit.models, None, permit.expires, None
        key = Key(id_, hash_, member, "spend", *bounds, "session")
        await desk.submit(IssueKey(at=at, by=by, key=key))
        lane = {"lane": permit.lane, "limit": credits(permit.limit)}
        return {**lane, "budget": id_, "id": id_, "secret": secret}

    # --- parts ---------------------------------------------------------------------------

    def _terms(self, wallet: Wallet, asked: Asked) -> Terms:
        lane = self._free(wallet) if asked.lane < 0 else asked.lane
        if lane >= LANES:
            raise Refused(Why.BAD_VALUE, f"A wallet has the lanes 0 to {LANES - 1}.")
        if bool(asked.limit) == bool(asked.more):
            raise Refused(Why.BAD_VALUE, "Say limit, in all on this lane, or more, from now on.")
        amount, _ = self._kit.units(asked.limit or asked.more, "limit" if asked.limit else "more")
        if asked.more:
            # where the lane stands may lie between two base units
            stands = self._kit.scale.units_up(wallets.reached(wallet, lane))
            amount += self._kit.scale.pico_up(stands)
        if len(asked.models) > MODELS_MAX or any("\n" in name for name in asked.models):
            raise Refused(Why.BAD_VALUE, f"A permit names at most {MODELS_MAX} models, or none.")
        at = self._kit.clock.now()
        expires = at + DAYS * 86_400 * SECOND
        if asked.expires:
            expires = to_instant(asked.expires, "expires")
        if expires <= at:
            raise Refused(Why.ENDED, "expires is a time to come.")
        models = tuple(sorted(set(asked.models)))
        key = address_of(asked.key, "key") if asked.key else ""
        return Terms(lane, key, amount, models, expires // SECOND * SECOND)

    def _free(self, wallet: Wallet) -> int:
        """A session's lane that nobody uses: none was granted, or its permit ended. CAPACITY."""
        for number in range(GENERAL + 1, LANES):
            lane = wallet.lanes.get(number)
            if lane is None or (lane.ended and not lane.held):
                return number
        raise Refused(
            Why.CAPACITY, f"All {LANES - 1} lanes have sessions. Name the lane to take over."
        )

    def _fresh(self, member: str) -> str:
        at_s = self._kit.at_s
        waiting = {key: d for key, d in self._drafts.items() if d.until_s > at_s}
        own = [key for key, draft in waiting.items() if draft.member == member]
        if len(own) >= DRAFTS_EACH:
            del waiting[own[0]]
        elif len(waiting) >= DRAFTS_MAX:
            raise Refused(Why.RATE, "Many permits wait for a signature. Try again in a moment.")
        address, sealed = self._kit.signing.fresh()
        self._drafts = {**waiting, address: _Draft(sealed, member, at_s + DRAFT_S)}
        return address

    def _sealed(self, member: str, terms: Terms, keeps: str) -> str:
        """The session's key where the market keeps it, else "". Refused."""
        if keeps == "program" and terms.lane != GENERAL:
            return ""
        draft = self._drafts.get(terms.key)
        if keeps != "market" or draft is None or draft.member != member:
            raise Refused(
                Why.BAD_VALUE,
                "The market has no such key, or waited too long: draft the permit again without "
                'a key. A program that has the key itself says keeps "program", above lane 0.',
            )
        return draft.sealed

    def _said(self, wallet: Wallet, terms: Terms) -> voucher.Permit:
        """As it is signed, in base units."""
        return voucher.Permit(
            account=bytes.fromhex(wallet.address[2:]),
            key=bytes.fromhex(terms.key[2:]),
            lane=terms.lane,
            limit=self._kit.scale.units(terms.limit),
            models=voucher.models_hash(terms.models, self._kit.signing.keccak),
            expiry=terms.expires // SECOND,
        )

    def _root(self, member: str) -> str:
        """A budget that the member itself pays for, to put a session below. Refused."""
        state, asset = self._kit.state, self._kit.wallet(member).asset
        for node in state.budgets.values():
            if (node.owner, node.asset, node.parent) == (member, asset, ""):
                return node.id
        raise Refused(Why.NOT_FOUND, f"{member!r} has no budget yet; make one at /budgets.")


def session_of(kit: Kit, budget: str) -> tuple[str, int] | None:
    """Member and lane of the session that a budget, or one above it, belongs to."""
    if not budget or not kit.state.sessions:
        return None
    found = (kit.state.sessions.get(node.id) for node in budgets.path(kit.state, budget))
    return next((one for one in found if one is not None), None)
