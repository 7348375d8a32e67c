"""Wallet orders: what a wallet orders of the desk by its signature alone: to move, and to wrap.

Rule: who signed is who gives; modes, tiers and lane 0's permit bound it as any other transfer.
Invariant: an order acts once. Its nonce is its idempotency key at the desk, and it is void
before the desk may forget that key: deadlines are at most that far away.
Worked number: keys are kept for an hour at least, so an order for in two hours is refused.

Whoever carries an order to the desk needs no key. A wrap is known by its nonce for ever.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from allmende.core.commands import Command, Transfer
from allmende.core.custody_commands import WrapRights
from allmende.core.events import Event
from allmende.core.govern import REMEMBERED_S
from allmende.core.identity import wallet_member
from allmende.core.refusals import Refused, Why
from allmende.core.units import credits
from allmende.doors import lots
from allmende.doors.plain import iso, to_amount
from allmende.doors.wallet_kit import (
    ADDRESS,
    Kit,
    address_of,
    read,
    recover,
    signature_of,
)
from allmende.wire.move import Move, Order, Wrap, digest, typed_data

DRAFT_S = 600
NONCE_MAX = 2**64

T = TypeVar("T")


class MoveAsked(Struct, frozen=True, forbid_unknown_fields=True):
    """`amount` is credits, or lots of a right, as text."""

    to: str
    amount: str
    asset: str = ""


class WrapAsked(Struct, frozen=True, forbid_unknown_fields=True):
    """`to` is an address; the wallet's own where it is left out."""

    instrument: str
    lots: str
    to: str = ""


class Moving(Struct, frozen=True, rename={"sender": "from"}):
    """The message that was signed, as its typed data has it: numbers as decimal text."""

    sender: str
    to: str
    asset: str
    amount: int
    nonce: int
    deadline: int


class Wrapping(Struct, frozen=True, rename={"sender": "from"}):
    sender: str
    instrument: str
    grains: int
    to: str
    nonce: int
    deadline: int


class Orders:
    """One per wallet door."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    # --- drafts --------------------------------------------------------------------------

    def draft_move(self, member: str, sent: dict[str, Any]) -> dict[str, Any]:
        asked, wallet = read(MoveAsked, sent), self._kit.wallet(member)
        asset = asked.asset or wallet.asset
        listing = self._kit.state.listings.get(asset)
        if listing is None:
            amount = to_amount(asked.amount)
            shown = credits(amount)
        else:
            amount = lots.quantity(asked.amount, listing.instrument.lot, "amount")
            shown = lots.text(amount, listing.instrument.lot)
        _require_positive(amount)
        giver = bytes.fromhex(wallet.address[2:])
        order = Move(giver, asked.to, asset, amount, *self._stamp())
        return self._drafted(order, amount=shown, asset=asset, to=self._member(asked.to))

    def draft_wrap(self, member: str, sent: dict[str, Any]) -> dict[str, Any]:
        asked, wallet = read(WrapAsked, sent), self._kit.wallet(member)
        listing = self._kit.state.listings.get(asked.instrument)
        if listing is None:
            raise Refused(Why.NO_INSTRUMENT, f"Not {asked.instrument!r:.70}.")
        lot = listing.instrument.lot
        grains = lots.quantity(asked.lots, lot)
        _require_positive(grains)
        to = address_of(asked.to, "to") if asked.to else wallet.address
        giver, getter = bytes.fromhex(wallet.address[2:]), bytes.fromhex(to[2:])
        order = Wrap(giver, asked.instrument, grains, getter, *self._stamp())
        shown = {"lots": lots.text(grains, lot), "instrument": asked.instrument, "to": to}
        # what is still in a wallet then is void: who signs must have seen when
        return self._drafted(order, **shown, until=iso(listing.instrument.end))

    def _stamp(self) -> tuple[int, int]:
        return secrets.randbelow(2**53), self._kit.at_s + DRAFT_S

    def _drafted(self, order: Order, **shown: str) -> dict[str, Any]:
        said = typed_data(self._kit.custody.domain, order)
        return {**shown, "deadline": order.deadline, "typed_data": said}

    # --- orders --------------------------------------------------------------------------

    async def move(self, message: Any, signature: Any) -> dict[str, Any]:
        """Done and durable. Refused."""
        said = _message(Moving, message)
        giver = bytes.fromhex(address_of(said.sender, "from")[2:])
        order = Move(giver, said.to, said.asset, said.amount, said.nonce, said.deadline)
        source = self._signer(order, signature)
        command = Transfer(
            at=self._kit.clock.now(),
            idem=f"wallet move {said.sender.lower()} {said.nonce}",
            source=source,
            target=self._member(said.to),
            asset=said.asset,
            amount=said.amount,
        )
        await self._submit(command)
        return {"source": source, "target": command.target, "asset": said.asset}

    async def wrap(self, message: Any, signature: Any) -> dict[str, Any]:
        """Taken into custody, to be minted soon. Refused."""
        said = _message(Wrapping, message)
        giver, to = address_of(said.sender, "from"), address_of(said.to, "to")
        giver_, to_ = bytes.fromhex(giver[2:]), bytes.fromhex(to[2:])
        order = Wrap(giver_, said.instrument, said.grains, to_, said.nonce, said.deadline)
        account = self._signer(order, signature)
        command = WrapRights(
            at=self._kit.clock.now(),
            idem=f"wallet wrap {giver} {said.nonce}",
            id=f"{wallet_member(giver)}-{said.nonce}",
            account=account,
            instrument=said.instrument,
            grains=said.grains,
            to=to,
        )
        await self._submit(command)
        return {"id": command.id, "account": account, "instrument": said.instrument, "to": to}

    async def _submit(self, command: Command) -> Sequence[Event]:
        """The signature is the right to do it; what else bounds it, the desk decides."""
        return await self._kit.desk.submit(command)

    def _signer(self, order: Order, signature: Any) -> str:
        """The member whose wallet signed it, in time. Refused."""
        now_s, kit = self._kit.at_s, self._kit
        if not now_s < order.deadline <= now_s + REMEMBERED_S:
            raise Refused(
                Why.BAD_VALUE, f"deadline is a second to come, at most {REMEMBERED_S} from now."
            )
        if not 0 <= order.nonce < NONCE_MAX:
            raise Refused(Why.BAD_VALUE, f"nonce is below {NONCE_MAX}.")
        try:
            hashed = digest(kit.custody.domain, order, kit.signing.keccak)
        except OverflowError:
            raise Refused(Why.BAD_VALUE, "A number in it is below 0, or too large.") from None
        sender = "0x" + order.sender.hex()
        if recover(kit.signing, hashed, signature_of(signature)) != sender:
            raise Refused(
                Why.BAD_SIGNATURE,
                f"{sender} did not sign this order for this market and its chain.",
            )
        member = kit.member_of(sender)
        if not member:
            raise Refused(Why.NOT_FOUND, f"{sender} has no account here; sign in with it first.")
        return member

    def _member(self, to: str) -> str:
        """A member by its id or its wallet's address."""
        if not ADDRESS.fullmatch(to):
            return to
        return self._kit.member_of(to.lower()) or wallet_member(to)


def _message(kind: type[T], message: Any) -> T:
    if not isinstance(message, dict):
        raise Refused(Why.BAD_VALUE, "message is the object that was signed.")
    try:
        return msgspec.convert(message, kind, strict=False)
    except msgspec.ValidationError as error:
        raise Refused(Why.BAD_VALUE, f"{error}.") from None


def _require_positive(amount: int) -> None:
    if amount <= 0:
        raise Refused(Why.BAD_VALUE, "That moves nothing; name an amount above 0.")
