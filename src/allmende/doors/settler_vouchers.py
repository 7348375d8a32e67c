"""Settler, vouchers: the signatures that prove what was spent, shown to the vault in time.

Rule: every pico-credit in a leaf's `spent` can be shown by a signature, or was shown. A session's
last voucher is shown before its permit is too old to be, unless a later one on its lane says more.
Invariant: the vault is shown only amounts that were signed by the member's own keys, and of what
the market signs for him never more than is final.
Worked number: a permit of noon and a grace of 7 days: its voucher is shown from half past the
fourth day on, when nothing of it is open any more.

A session whose own program signs is taken over by a later one on its lane, and then the desk has
its voucher no more; so it is kept here at that moment, until the later one says more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence

from allmende.core import custody_events as f
from allmende.core import events as e
from allmende.core.custody import Permit
from allmende.core.units import SECOND
from allmende.custody import Custody, VaultSeen
from allmende.desk import Desk
from allmende.doors.settler_lanes import (
    Provable,
    Show,
    provable,
    standing,
    strongest,
    to_show,
)
from allmende.doors.settler_sends import Sends
from allmende.doors.settler_tree import Scale
from allmende.signing import Signing
from allmende.trees import Trees, Voucher
from allmende.wire import voucher as v

TOGETHER = 32
"""Accounts that are looked at between two pauses."""
AGE_S, AGE_PARTS = 60, 64
"""Old vouchers are looked for every minute, or that part of the grace if it is less: it takes all
wallets, each with what is provisional, and they are old by half a grace."""

log = logging.getLogger(__name__)


class Vouchers:
    """Of one deployment. `begin` once the desk's state is there."""

    def __init__(
        self, desk: Desk, custody: Custody, signing: Signing, sends: Sends, trees: Trees
    ) -> None:
        self._desk = desk
        self._custody = custody
        self._signing = signing
        self._sends = sends
        self._trees = trees
        self._scale = Scale(10**custody.deployment.decimals)
        self._permits: dict[tuple[str, int], Permit] = {}
        """The session of each lane, as far as its facts are durable."""
        self._last: dict[tuple[str, int], tuple[int, str]] = {}
        """What it vouched for itself, base units."""
        self._kept: list[Voucher] = []
        self._shown: dict[tuple[str, int], int] = {}
        """What the vault has for good of a lane."""
        self._aged_s = 0
        """When the old ones were last looked for, on the chain's clock."""
        self.unprovable: dict[str, int] = {}
        """Address -> what was spent and can be shown no more; for a person."""

    def begin(self) -> None:
        self._kept = self._trees.kept()
        for member, wallet in self._desk.state.wallets.items():
            for number, lane in wallet.lanes.items():
                self._permits[member, number] = lane.permit
                if lane.voucher:
                    said = self._scale.units(lane.vouched), lane.voucher
                    self._last[member, number] = said
        self._desk.watch(self.hear)

    # --- showing -------------------------------------------------------------------------

    async def show(self, account: str, needed: int, now: VaultSeen) -> int:
        """Have vouchers sent until the vault has signatures for `needed`; what is missing."""
        signed = await self._custody.signed(account, now.block)
        if signed >= needed:
            return 0
        if account == self._signing.house:
            before = await self._custody.lane(account, 0, now.block)
            self._show(account, self._own(before + needed - signed), now)
            return 0
        lanes = self._lanes(account, now)
        shown = {n: await self._custody.lane(account, n, now.block) for n in lanes}
        chosen, missing = to_show(lanes, shown, needed - signed)
        for one in chosen:
            self._show(account, one, now)
        return missing

    def reach(self, account: str, now: VaultSeen) -> int:
        """All that was spent on lanes and can be proved, as if nothing had been shown."""
        member = self._desk.state.addresses[account]
        stands = standing(self._desk.state, member)
        return sum(
            min(strongest(ways).amount, self._scale.units_up(stands[number]))
            for number, ways in self._lanes(account, now).items()
        )

    def _lanes(self, account: str, now: VaultSeen) -> dict[int, list[Provable]]:
        """What can still be shown."""
        grace = self._custody.deployment.grace
        found = {
            number: [one for one in ways if one.lasts(now.now_s, grace)]
            for number, ways in self._all(account).items()
        }
        return {number: ways for number, ways in found.items() if ways}

    def _all(self, account: str) -> dict[int, list[Provable]]:
        kept = [one for one in self._kept if one.account == account]
        member = self._desk.state.addresses.get(account)
        if member is None:
            return {}
        return provable(self._desk.state, member, kept, self._scale)

    def _own(self, amount: int) -> Show:
        """The house signs for itself."""
        house = Permit(0, self._signing.house, 0, (), 0, "")
        return Show(Provable(house, amount), amount)

    def _show(self, account: str, one: Show, now: VaultSeen) -> None:
        permit, amount = one.provable.permit, one.amount
        said = self._chain_permit(account, permit)
        signature = one.provable.signature or self._sign(account, permit, amount).hex()
        call = self._custody.acknowledge(said, _raw(permit.signature), amount, _raw(signature))
        self._sends.want(f"show {account} {permit.lane} {amount}", call, read_at=now.block)

    def _sign(self, account: str, permit: Permit, amount: int) -> bytes:
        keccak = self._signing.keccak
        lane = v.channel(_raw(account), permit.lane, keccak)
        digest = v.voucher_digest(self._custody.domain, lane, amount, keccak)
        if account == self._signing.house:
            return self._signing.sign_house(digest)
        return self._signing.sign(permit.sealed, digest)

    def _chain_permit(self, account: str, permit: Permit) -> v.Permit:
        models = v.models_hash(permit.models, self._signing.keccak)
        limit, expiry = self._scale.units(permit.limit), permit.expires // SECOND
        return v.Permit(_raw(account), _raw(permit.key), permit.lane, limit, models, expiry)

    # --- in time -------------------------------------------------------------------------

    async def show_ageing(self, final: VaultSeen, now: VaultSeen) -> list[str]:
        """Show what soon cannot be shown any more; accounts whose last leaf should be settled,
        because a part of it cannot be already."""
        grace = self._custody.deployment.grace
        if now.now_s < self._aged_s + min(AGE_S, grace // AGE_PARTS):
            return []
        self._aged_s = now.now_s
        late = []
        self.unprovable = {}
        async for account, number, best in self._ageing(now.now_s - grace // 2):
            if best.amount <= self._shown.get((account, number), 0):
                continue
            there = await self._custody.lane(account, number, final.block)
            self._shown[account, number] = there
            if best.amount <= there:
                self._forget(account, number, there)
            elif best.lasts(now.now_s, grace):
                self._show(account, Show(best, best.amount), now)
            else:
                missing = best.amount - there
                self.unprovable[account] = self.unprovable.get(account, 0) + missing
                late.append(account)
        return late

    async def _ageing(self, before_s: int) -> AsyncIterator[tuple[str, int, Provable]]:
        """Lanes whose best proof has a permit that ended before. With pauses: it may take all
        wallets, and requests are served in the same loop."""
        wallets = self._desk.state.wallets.values()
        old = before_s * SECOND
        accounts = {
            wallet.address
            for wallet in wallets
            if any(lane.permit.expires <= old for lane in wallet.lanes.values())
        } | {one.account for one in self._kept if one.permit.expires <= old}
        for at, account in enumerate(sorted(accounts)):
            if at % TOGETHER == 0:
                await asyncio.sleep(0)
            for number, ways in sorted(self._all(account).items()):
                best = strongest(ways)
                if best.permit.expires <= old:
                    yield account, number, best

    def _forget(self, account: str, number: int, shown: int) -> None:
        """Kept vouchers that the vault has no use for any more."""
        for one in [k for k in self._kept if (k.account, k.lane) == (account, number)]:
            if one.amount <= shown:
                self._trees.forget(one)
                self._kept.remove(one)

    # --- evidence ------------------------------------------------------------------------

    def hear(self, _number: int, group: Sequence[e.Event]) -> None:
        """Facts that became durable; see the docstring's last paragraph."""
        for event in group:
            if isinstance(event, f.Vouched):
                said = self._scale.units(event.amount), event.signature
                self._last[event.member, event.lane] = said
            elif isinstance(event, f.PermitGranted):
                self._taken_over(event)

    def _taken_over(self, event: f.PermitGranted) -> None:
        place = event.member, event.permit.lane
        before, last = self._permits.get(place), self._last.pop(place, None)
        self._permits[place] = event.permit
        if before is None or before == event.permit or event.permit.sealed or not event.base:
            return  # whoever signs there now signs for what was before too
        account = self._desk.state.wallets[event.member].address
        if before.sealed:
            amount = self._scale.units_up(event.base)
            last = amount, self._sign(account, before, amount).hex()
        if last is not None:
            self._trees.keep(Voucher(account, before, *last))
            self._kept = self._trees.kept()


def _raw(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
