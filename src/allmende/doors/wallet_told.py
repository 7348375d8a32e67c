"""Wallet told: what a member's wallet has, on the chain and at the desk, as people read it.

Rule: balances on the chain are of its newest block, what the desk has is the desk's; neither is
added to the other, because a deposit counts at the desk only once its epoch is closed.
Invariant: nothing here is secret: session keys are told by their addresses.
Worked number: 5 deposited a moment ago: 5 in the vault, 0 at the desk, 5 on the way.
"""

from __future__ import annotations

from typing import Any

from allmende.core import ledger, wallets
from allmende.core.custody import GENERAL, Permit
from allmende.core.state import Lane, Wallet
from allmende.core.units import SECOND, credits
from allmende.custody import VaultSeen
from allmende.doors.plain import iso
from allmende.doors.settler_says import Asked
from allmende.doors.wallet_calls import Calls
from allmende.doors.wallet_kit import Kit

WEI = 10**18
_NONE = Lane(Permit(GENERAL, "", 0, (), 0, ""))
"""A lane that no permit was granted for."""
RPC = "/chain"
"""Where the embedded chain answers wallets."""


class Told:
    """One per wallet door. `embedded`: the chain is the market's own, and answers at RPC."""

    def __init__(self, kit: Kit, calls: Calls, embedded: bool) -> None:
        self._kit = kit
        self._calls = calls
        self._embedded = embedded

    def chain(self) -> dict[str, Any]:
        """What a wallet must know to be on this market's chain. Public."""
        made = self._kit.custody.deployment
        assert self._kit.state.market is not None
        return {
            "id": made.chain_id,
            "hex": hex(made.chain_id),
            "name": f"{self._kit.state.market.name} ({made.profile})",
            "rpc": RPC if self._embedded else "",
            "token": made.credit,
            "decimals": made.decimals,
            "asset": next(iter(self._kit.state.assets)),
            "vault": made.vault,
            "delay_s": made.terms.delay,
            "window_s": made.terms.window,
        }

    def desk(self, member: str) -> dict[str, Any]:
        """What needs no chain to be told."""
        state, wallet = self._kit.state, self._kit.wallet(member)
        balance = state.balances.get(wallet.asset, {}).get(member, 0)
        return {
            "member": member,
            "address": wallet.address,
            "asset": wallet.asset,
            "desk": {
                "balance": credits(balance),
                "available": credits(ledger.available(state, member, wallet.asset)),
                "spent": credits(wallet.spent),
            },
            "lanes": [self._lane(wallet, n) for n in sorted({GENERAL, *wallet.lanes})],
        }

    async def all(self, member: str) -> dict[str, Any]:
        """With what the chain says. ChainFailed."""
        kit, told = self._kit, self.desk(member)
        wallet, custody = kit.wallet(member), kit.custody
        seen = await custody.look(await custody.newest_block())
        at, address = seen.block, wallet.address
        most = await self._calls.most(member, seen)
        into = await custody.deposited(address, at)
        asked = await custody.requested(address, at)
        status, ticket = kit.stands.settler.status(), await kit.stands.settler.ticket(member)
        return {
            **told,
            "chain": self.chain(),
            "wallet": {
                "credit": self._shown(await custody.credit_balance(address, at)),
                "gas": _ether(await kit.stands.ether(address)),
            },
            "vault": {
                "deposited": self._shown(into),
                "asked": self._shown(asked),
                "on_the_way": credits(max(0, kit.scale.pico(into) - wallet.deposited)),
                "leaving": credits(max(0, kit.scale.pico(asked) - wallet.requested)),
                "most": self._shown(most),
                "closed": seen.closed,
                "paused": seen.now_s < seen.paused_until,
            },
            "withdrawals": [
                self._asked(one, seen) for one in status.withdrawals if one.account == address
            ],
            "batch": {
                "number": seen.final.number,
                "at": iso(seen.final.at * SECOND) if seen.final else None,
                "balance": self._shown(ticket.leaf.balance),
                "spent": self._shown(ticket.leaf.spent),
            },
        }

    def _asked(self, one: Asked, seen: VaultSeen) -> dict[str, Any]:
        return {
            "id": one.id,
            "amount": self._shown(one.amount),
            "due": iso(one.due * SECOND),
            "covered": one.covered,
            "payable": one.covered and seen.now_s >= one.due,
        }

    def _lane(self, wallet: Wallet, number: int) -> dict[str, Any]:
        lane = wallet.lanes.get(number) or _NONE
        stands = wallets.reached(wallet, number)
        held = self._held(wallet) if number == GENERAL else lane.held
        top = lane.permit.limit if number == GENERAL else lane.vouched
        return {
            "lane": number,
            "limit": credits(lane.permit.limit),
            "stands": credits(stands),
            "held": credits(held),
            "left": "0" if lane.ended else credits(max(0, top - stands - held)),
            "signed": credits(lane.vouched) if lane.voucher else None,
            "models": list(lane.permit.models),
            "expires": iso(lane.permit.expires) if lane.permit.key else None,
            "ended": lane.ended,
            "key": lane.permit.key,
            "keeps": "market" if lane.permit.sealed or not lane.permit.key else "program",
            "budget": lane.budget,
        }

    def _held(self, wallet: Wallet) -> int:
        """What open business that is no session's has set aside."""
        member = self._kit.member_of(wallet.address)
        held = self._kit.state.held.get(wallet.asset, {}).get(member, 0)
        rest: list[Lane] = wallets.sessions(wallet)
        return held - sum(lane.held for lane in rest)

    def _shown(self, units: int) -> str:
        return credits(self._kit.scale.pico(units))


def _ether(wei: int) -> str:
    """Decimal text of whole coins, cut after 6 decimals."""
    whole, part = divmod(wei, WEI)
    return f"{whole}.{part // 10**12:06d}".rstrip("0").rstrip(".")
