"""Wallet calls: what happens on the chain, ready made for the wallet that sends it.

Rule: the market sends nothing for anybody here: it says where to, which bytes, on which chain,
and what will happen; the wallet shows it once more and signs.
Invariant: an amount in an answer is the one inside its bytes.
Worked number: a first deposit of 5 credits is two calls: 5 approved, 5 deposited.
"""

from __future__ import annotations

from typing import Any

from allmende.core import ledger
from allmende.core.refusals import Refused, Why
from allmende.core.units import credits
from allmende.custody import ContractCall, VaultSeen, Withdrawal
from allmende.doors.wallet_kit import Kit
from allmende.wire.merkle_sum import Leaf, Proof


class Calls:
    """One per wallet door. Every method may raise ChainFailed."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    async def deposit(self, member: str, amount: object) -> dict[str, Any]:
        wallet, custody = self._kit.wallet(member), self._kit.custody
        pico, units = self._kit.units(amount)
        newest = await custody.newest_block()
        has = await custody.credit_balance(wallet.address, newest)
        if has < units:
            raise Refused(
                Why.NO_CREDIT,
                f"{wallet.address} holds {credits(self._kit.scale.pico(has))} {wallet.asset} on "
                "the chain.",
                missing=pico - self._kit.scale.pico(has),
                asset=wallet.asset,
            )
        vault = custody.deployment.vault
        calls = [("deposit", custody.deposit(wallet.address, units))]
        if await custody.allowance(wallet.address, vault, newest) < units:
            calls.insert(0, ("approve", custody.approve(vault, units)))
        return self._ready(calls, amount=credits(pico), asset=wallet.asset)

    async def ask(self, member: str, amount: object) -> dict[str, Any]:
        """A withdrawal. What the desk has spent or holds cannot be asked for."""
        wallet, custody = self._kit.wallet(member), self._kit.custody
        pico, units = self._kit.units(amount)
        seen = await custody.look(await custody.newest_block())
        most = await self.most(member, seen)
        if units > most:
            most_pico = self._kit.scale.pico(most)
            raise Refused(
                Why.NO_CREDIT,
                f"{credits(most_pico)} {wallet.asset} can be asked for now: what the last final "
                "batch has of it and what was deposited since, less what is spent or held.",
                missing=pico - most_pico,
                asset=wallet.asset,
            )
        leaf, proof = await self._leaf(member, seen)
        calls = [("ask", custody.ask(leaf, proof, units))]
        return self._ready(calls, amount=credits(pico), asset=wallet.asset)

    async def pay(self, id_: int) -> dict[str, Any]:
        """What anybody may send once a withdrawal is due."""
        custody = self._kit.custody
        seen = await custody.look(await custody.newest_block())
        found = await custody.withdrawal(id_, seen.block)
        if found is None or not found.amount:
            raise Refused(Why.NOT_FOUND, f"Withdrawal {id_} is paid, or there is none.")
        if not self.payable(found, seen):
            raise Refused(
                Why.CAPACITY,
                f"Withdrawal {id_} is not due: a final batch has to cover it, and "
                f"{custody.deployment.terms.delay} seconds have to pass after it was asked for.",
            )
        amount = credits(self._kit.scale.pico(found.amount))
        return self._ready([("pay", custody.pay(id_))], amount=amount, id=id_)

    async def exit(self, member: str) -> dict[str, Any]:
        """After the end: all at once, by the last final batch."""
        custody = self._kit.custody
        seen = await custody.look(await custody.newest_block())
        if not seen.closed:
            raise Refused(
                Why.HALTED, "The vault is open: withdraw instead. The exit is for its end."
            )
        leaf, proof = await self._leaf(member, seen)
        return self._ready([("exit", custody.exit(leaf, proof))])

    # --- parts ---------------------------------------------------------------------------

    async def _leaf(self, member: str, seen: VaultSeen) -> tuple[Leaf, Proof]:
        """Of the final batch that the vault has now; an empty one needs no proof. Refused."""
        ticket = await self._kit.stands.settler.ticket(member)
        if ticket.batch != seen.final.number:
            raise Refused(Why.HALTED, "A batch is becoming final just now; try again in a moment.")
        return ticket.leaf, ticket.proof

    async def most(self, member: str, seen: VaultSeen) -> int:
        """Base units that can be asked for: what vault and desk both still have."""
        kit, wallet = self._kit, self._kit.wallet(member)
        flows = kit.custody.flows(wallet.address, seen.final.cut, seen.epoch, seen.block)
        into, out = await flows
        ticket = await kit.stands.settler.ticket(member)
        there = ticket.leaf.balance + into - out
        # deposits that the desk has not followed yet are not in its books, nor are requests
        followed = wallet.deposited - wallet.requested
        now = await self._net(wallet.address, seen.block)
        desk = ledger.available(kit.state, member, wallet.asset) + kit.scale.pico(now) - followed
        return max(0, min(there, kit.scale.units(desk)))

    async def _net(self, address: str, block: int) -> int:
        custody = self._kit.custody
        deposited = await custody.deposited(address, block)
        return deposited - await custody.requested(address, block)

    def payable(self, found: Withdrawal, seen: VaultSeen) -> bool:
        return found.epoch <= seen.final.cut and seen.now_s >= self.due_s(found)

    def due_s(self, found: Withdrawal) -> int:
        """Not before this second; and not before a final batch covers it."""
        return found.at + self._kit.custody.deployment.terms.delay

    def _ready(self, calls: list[tuple[str, ContractCall]], **shown: object) -> dict[str, Any]:
        chain_id = hex(self._kit.custody.deployment.chain_id)
        ready = [
            {
                "what": what,
                "to": call.to,
                "data": "0x" + call.data.hex(),
                "value": "0x0",
                "chainId": chain_id,
            }
            for what, call in calls
        ]
        return {**shown, "calls": ready}
