"""Payers: accounts of those who pay for a call without having asked for one.

Rule: a wallet's member is "w-" and its address; it is made with the first payment, of the
lowest tier, with one budget and one key that nobody holds.
Invariant: a payment is credited once, by its reference; an id that somebody else made into
something else is refused before anything is paid, so that no manager can own a payer's change.
Worked number: paid twice over 0.3 and used up to 0.1, a payer without an account has 0.5 on
one; who signs in with the wallet finds it.
"""

from __future__ import annotations

import hmac

from allmende.core import identity
from allmende.core.commands import AddBudget, AddMember, Command, Deposit, IssueKey
from allmende.core.nouns import Key, Member
from allmende.core.refusals import Refused, Why
from allmende.desk import Desk
from allmende.doors.caller import Caller
from allmende.pay import Payment
from allmende.ports import Clock

GUEST = identity.GUESTS
"""The member without credit for whom prices are asked."""
KEY_NAME = "pay per call"


class Payers:
    """By address, as 0x and 40 digits; one more, the guest, by its name."""

    def __init__(self, desk: Desk, clock: Clock, secret: bytes) -> None:
        self._desk = desk
        self._clock = clock
        self._secret = secret

    @property
    def asset(self) -> str:
        """The market's own pay unit."""
        return next(iter(self._desk.state.assets))

    def caller(self, payer: str) -> Caller:
        """The holder of a key that nobody has: it follows from our secret and the name."""
        return Caller(hmac.digest(self._secret, b"key " + payer.encode(), "sha256").hex().encode())

    def require_plain(self, payer: str) -> None:
        """Refuse an id that others made into something else, and a wallet with an account.

        What a wallet with an account spends it permits itself, and we cannot ask it here.
        """
        state, id_ = self._desk.state, member_of(payer)
        member, budget = state.members.get(id_), state.budgets.get(id_)
        if id_ in state.wallets or payer in state.addresses:
            raise Refused(
                Why.NOT_ALLOWED, f"{payer} has an account here: call with one of its keys."
            )
        taken = member is not None and (member.kind, member.home) != ("person", "")
        if budget is not None:
            kind = (budget.owner, budget.parent, budget.asset)
            taken = taken or kind != (id_, "", self.asset)
        if taken:
            raise Refused(Why.EXISTS, f"The id {id_} is taken here: ask whoever runs this market.")

    def register(self, payer: str) -> None:
        """A member with a budget and a key of ours, as far as they are missing."""
        state, at, id_ = self._desk.state, self._clock.now(), member_of(payer)
        hash_ = self.caller(payer).hash
        todo: list[Command] = []
        if id_ not in state.members:
            todo.append(AddMember(at=at, member=Member(id_, payer, "person", tier=0)))
        if id_ not in state.budgets:
            todo.append(AddBudget(at=at, id=id_, name=KEY_NAME, owner=id_, asset=self.asset))
        if hash_ not in state.keys:
            key = Key(f"pay-{hash_[:16]}", hash_, id_, "spend", budget=id_, name=KEY_NAME)
            todo.append(IssueKey(at=at, key=key))
        for command in todo:
            self._desk.post(command)

    async def credit(self, payment: Payment) -> None:
        """Once; back when it is durable."""
        self.register(payment.payer)
        if payment.reference in self._desk.state.references:
            return
        await self._desk.submit(
            Deposit(
                at=self._clock.now(),
                member=member_of(payment.payer),
                amount=payment.amount,
                reference=payment.reference,
                asset=self.asset,
            )
        )


def member_of(payer: str) -> str:
    return payer if payer == GUEST else identity.wallet_member(payer)
