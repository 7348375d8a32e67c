"""Staking: who votes with which shares, and until when they stay, as Stake.vy keeps it.

Rule: a stake votes with one voter, and moves only when nobody is locked who votes with it; what
was called back from a voter sleeps until the lock of that moment is over.
Invariant: votes and what sleeps are what is staked, so no share votes twice.
Worked number: 30 staked, voted with until second 50: unbonding at 49 is refused, at 50 it is not.
"""

from __future__ import annotations

from msgspec import Struct


class Position(Struct):
    """Base units. `voter` is "" while they sleep, until second `wakes_at`."""

    amount: int = 0
    voter: str = ""
    wakes_at: int = 0
    leaving: int = 0
    leaves_at: int = 0


class Stakes:
    """All of them. Each act answers whether the contract accepts it, and then it is done."""

    def __init__(self, unbonding: int) -> None:
        self.unbonding = unbonding
        self.positions: dict[str, Position] = {}
        self.votes: dict[str, int] = {}
        self.locked_until: dict[str, int] = {}

    @property
    def staked(self) -> int:
        return sum(its.amount for its in self.positions.values())

    @property
    def leaving(self) -> int:
        return sum(its.leaving for its in self.positions.values())

    @property
    def asleep(self) -> int:
        return sum(its.amount for its in self.positions.values() if not its.voter)

    def stake(self, account: str, amount: int) -> bool:
        if amount <= 0:
            return False
        its = self._of(account)
        if not its.voter and not its.wakes_at:
            its.voter = account
        its.amount += amount
        self._add(its.voter, amount)
        return True

    def delegate(self, account: str, voter: str, now: int) -> bool:
        its = self._of(account)
        if not self._free(its, now):
            return False
        self._add(its.voter, -its.amount)
        its.voter, its.wakes_at = voter, 0
        self._add(voter, its.amount)
        return True

    def recall(self, account: str, now: int) -> bool:
        its = self._of(account)
        if its.voter in ("", account):
            return False
        self._add(its.voter, -its.amount)
        its.wakes_at = max(self.locked_until.get(its.voter, 0), now)
        its.voter = ""
        return True

    def unbond(self, account: str, amount: int, now: int) -> bool:
        its = self._of(account)
        if not self._free(its, now) or not 0 < amount <= its.amount:
            return False
        self._add(its.voter, -amount)
        its.amount -= amount
        its.leaving += amount
        its.leaves_at = now + self.unbonding
        return True

    def withdraw(self, account: str, now: int) -> int:
        """What is paid out; 0 if it is refused."""
        its = self._of(account)
        if now < its.leaves_at:
            return 0
        paid, its.leaving = its.leaving, 0
        return paid

    def lock(self, voter: str, until: int) -> None:
        self.locked_until[voter] = max(until, self.locked_until.get(voter, 0))

    def _of(self, account: str) -> Position:
        return self.positions.setdefault(account, Position())

    def _free(self, its: Position, now: int) -> bool:
        return now >= (self.locked_until.get(its.voter, 0) if its.voter else its.wakes_at)

    def _add(self, voter: str, amount: int) -> None:
        if voter:
            self.votes[voter] = self.votes.get(voter, 0) + amount
