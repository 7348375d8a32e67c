"""Fees: what a transaction offers for gas, first and when it has to offer more.

Rule: first twice what the node suggests to pay now, so that five full blocks in a row do not
strand it (the rest is not spent); a replacement offers what nodes ask of one and what the
chain costs by then.
Invariant: no offer is above the profile's limit, whatever a node suggests.
Worked number: base fee 10, suggested 12: a tip of 2 and at most 24; 13 % more is a tip of 3 and
at most 28 (rounded up), or more if the price rose.
"""

from __future__ import annotations

from allmende.adapters.chain.outbox import Attempt
from allmende.adapters.chain.profiles import Profile
from allmende.ports import Block, ChainFailed


class Fees:
    def __init__(self, profile: Profile) -> None:
        self._profile = profile

    def first(self, head: Block, price: int) -> tuple[int, int]:
        """(most, tip) in wei per gas for a new transaction. ChainFailed("fee_cap")."""
        price = self._fair(head, price)
        most = min(2 * price, self._profile.fee_max)
        return (most, most) if self._legacy else (most, price - head.base_fee)

    def bumped(self, last: Attempt, head: Block, price: int) -> tuple[int, int]:
        """(most, tip) for a replacement of `last`. ChainFailed("fee_cap")."""
        price = self._fair(head, price)
        least = self._within(self._more(last.max_fee))
        most = min(max(least, 2 * price), self._profile.fee_max)
        tip = max(self._more(last.tip), price - head.base_fee)
        return (most, most) if self._legacy else (most, min(tip, most))

    def _fair(self, head: Block, price: int) -> int:
        """What it takes to be mined now."""
        return self._within(max(price, head.base_fee + self._profile.tip_min))

    @property
    def _legacy(self) -> bool:
        return self._profile.fees == "legacy"

    def _more(self, wei: int) -> int:
        return -(-wei * (100 + self._profile.bump_percent) // 100)

    def _within(self, wei: int) -> int:
        if wei > self._profile.fee_max:
            raise ChainFailed(
                "fee_cap",
                f"it takes {wei} wei per gas now, the limit for {self._profile.name} is "
                f"{self._profile.fee_max}",
            )
        return wei
