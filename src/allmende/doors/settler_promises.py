"""Settler, promises: the market's word to a provider, which the vault holds it to.

Rule: promised is only what every batch from a named second on will have: a receipt that is final,
and all that its provider has earned by now. While a batch is on its way that may lack it, nothing
is promised.
Invariant: no honest batch breaks a promise: one that is built later has all that was final when
the promise was made, and one that was built before is in the chain for good by then.
Worked number: a window of 20 s and a promise at second 100: batches submitted from 120 on have it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from allmende.core import wallets
from allmende.core.nouns import Receipt
from allmende.core.refusals import Refused, Why
from allmende.core.settle import receipt_leaf
from allmende.core.state import State
from allmende.custody import Custody, VaultSeen
from allmende.desk import Desk
from allmende.doors.settler_batch import Batcher
from allmende.doors.settler_build import Builder
from allmende.doors.settler_tree import Scale
from allmende.ports import Views
from allmende.signing import Signing
from allmende.wire.voucher import Promise, promise_digest


class Promises:
    """Of one deployment."""

    def __init__(
        self,
        desk: Desk,
        custody: Custody,
        signing: Signing,
        views: Views,
        builder: Builder,
        batcher: Batcher,
    ) -> None:
        self._desk = desk
        self._custody = custody
        self._signing = signing
        self._views = views
        self._builder = builder
        self._batcher = batcher
        self._scale = Scale(10**custody.deployment.decimals)

    def address(self, member: str) -> str:
        """Of a member's wallet. Refused(NOT_FOUND)."""
        return wallets.find(self._desk.state, member).address

    async def leaf(self, receipt: str) -> tuple[bytes, Receipt]:
        """A final receipt and its hash, as it stands in trees. Refused(NOT_FOUND)."""
        await self._views.caught_up(self._desk.committed)
        rows: list[dict[str, Any]] = await self._views.rows("receipt", id=receipt)
        if not rows or not rows[0]["final"]:
            raise Refused(Why.NOT_FOUND, f"No final receipt {receipt!r}.")
        found = msgspec.json.decode(rows[0]["body"], type=Receipt)
        return receipt_leaf(found), found

    async def promise(
        self, provider: str, receipt: str, now: VaultSeen | None
    ) -> tuple[Promise, bytes]:
        """(promise, the market's signature). Refused: NOT_FOUND, NOT_ALLOWED where it earned
        nothing by this receipt, CAPACITY while a batch is on its way."""
        address = self.address(provider)
        leaf, found = await self.leaf(receipt)
        if all(line.account != provider for line in found.waterfall):
            raise Refused(Why.NOT_ALLOWED, f"{provider!r} earned nothing by receipt {receipt!r}.")
        if now is None or self._builder.building or self._batcher.in_flight() is not None:
            raise Refused(Why.CAPACITY, "A batch is on its way; ask again when it is in the chain.")
        by = now.now_s + self._custody.deployment.terms.window
        units = self._scale.units(earned(self._desk.state, provider))
        said = Promise(bytes.fromhex(address[2:]), leaf, units, by)
        digest = promise_digest(self._custody.domain, said, self._signing.keccak)
        return said, self._signing.sign_market(digest)


def earned(state: State, member: str) -> int:
    """What a wallet has earned for good, pico-credits; as core.wallets.closed has it."""
    wallet = state.wallets[member]
    balance = state.balances[wallet.asset].get(member, 0)
    gross = balance + wallet.spent - wallet.deposited + wallet.requested
    return gross - wallet.coming
