"""Vouching: sessions whose key the market does not have, and that sign for each request.

Rule: a request to the gateway may bring `x-allmende-voucher: <amount>:<signature>`, cumulative
on its session's lane; the desk takes it before it holds anything.
Invariant: a voucher counts only if the lane's own key signed it, for this lane of this wallet,
in this market, within the permit; what a session may spend never exceeds what it vouched for.
Worked number: with 3 vouched for and 3 spent, a request that costs at most 2 needs a voucher of
5; of two that come at once with 5 and 7 the later arrival may be the lower, and is no error.

A voucher that names no more than an earlier one is good for nothing new, and is passed over: the
hold then says what is missing. Requests without the header cost nothing here.
"""

from __future__ import annotations

import re
from typing import Any

from allmende.core import identity
from allmende.core.custody_commands import Vouch
from allmende.core.refusals import Refused, Why
from allmende.core.state import Lane, Wallet
from allmende.core.units import credits
from allmende.doors.wallet_kit import Kit, recover, signature_of
from allmende.doors.wallet_permits import session_of
from allmende.wire.voucher import AMOUNT_MAX, channel, voucher_digest

_SHAPE = re.compile(rb"([0-9]{1,39}):(0x)?([0-9a-fA-F]{130})")


class Vouching:
    """One per gateway, in a market with a chain."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    def take(self, key_hash: str, header: bytes) -> None:
        """Note what the holder of this key vouched for; durable with the next commit. Refused."""
        shape = _SHAPE.fullmatch(header)
        if shape is None:
            raise Refused(
                Why.BAD_VALUE, "x-allmende-voucher is an amount, a colon, and 65 bytes in hex."
            )
        amount, signature = int(shape[1]), signature_of("0x" + shape[3].decode())
        key = identity.key(self._kit.state, key_hash, self._kit.clock.now())
        found = session_of(self._kit, key.budget)
        wallet, lane = self._lane(found)
        assert found is not None
        member, number = found
        self._require_good(wallet, lane, number, amount, signature)
        pico = self._kit.scale.pico(amount)
        if pico > lane.vouched:
            command = Vouch(
                at=self._kit.clock.now(),
                member=member,
                lane=number,
                amount=pico,
                signature="0x" + signature.hex(),
            )
            self._kit.desk.post(command)

    def explained(self, refused: Refused) -> Refused:
        """Where a session's own program could sign for more, with how much its next voucher has
        to name, in base units."""
        budget = refused.facts.get("budget", "")
        found = self._kit.state.sessions.get(budget)
        if refused.why is not Why.BUDGET_SPENT or found is None or self._kit.contracts is None:
            return refused
        wallet, number = self._kit.state.wallets[found[0]], found[1]
        lane = wallet.lanes[number]
        if lane.permit.sealed or lane.ended:
            return refused
        needed = lane.vouched + refused.facts["missing"]
        facts: dict[str, Any] = {
            **refused.facts,
            "asset": wallet.asset,
            "lane": number,
            "voucher": str(self._kit.scale.units_up(needed)),
        }
        more = f"needs a voucher for {credits(needed)} {wallet.asset} in all"
        if needed > lane.permit.limit:
            more = f"{more}, and its permit ends at {credits(lane.permit.limit)}"
        return Refused(Why.NOT_SIGNED, f"Lane {number} of {wallet.address} {more}.", **facts)

    # --- checks --------------------------------------------------------------------------

    def _lane(self, found: tuple[str, int] | None) -> tuple[Wallet, Lane]:
        if found is not None:
            wallet = self._kit.state.wallets[found[0]]
            lane = wallet.lanes[found[1]]
            if not lane.permit.sealed:
                return wallet, lane
        raise Refused(
            Why.BAD_VALUE,
            "This key is of no session that vouches for itself; leave x-allmende-voucher out.",
        )

    def _require_good(
        self, wallet: Wallet, lane: Lane, number: int, amount: int, signature: bytes
    ) -> None:
        kit = self._kit
        if lane.ended or kit.clock.now() >= lane.permit.expires:
            raise Refused(Why.NOT_SIGNED, "This session's permit has expired; sign a new one.")
        if amount > AMOUNT_MAX or kit.scale.pico(amount) > lane.permit.limit:
            raise Refused(
                Why.NOT_SIGNED,
                f"The permit of lane {number} ends at {credits(lane.permit.limit)} {wallet.asset} "
                "in all; a voucher cannot name more.",
                lane=number,
                limit=lane.permit.limit,
            )
        id_ = channel(bytes.fromhex(wallet.address[2:]), number, kit.signing.keccak)
        digest = voucher_digest(kit.custody.domain, id_, amount, kit.signing.keccak)
        if recover(kit.signing, digest, signature) != lane.permit.key:
            raise Refused(
                Why.BAD_SIGNATURE,
                f"The session's key {lane.permit.key} did not sign {amount} for lane {number} "
                "here.",
            )
        if kit.scale.units(kit.scale.pico(amount)) != amount:
            # the desk keeps pico-credits: it could not show this signature to the vault any more
            step = kit.scale.units(1)
            raise Refused(Why.BAD_VALUE, f"A voucher's amount is in steps of {step}, not {amount}.")
