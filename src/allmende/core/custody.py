"""Custody: what ties a member to a wallet on a chain, as frozen data.

Rule: a permit is the wallet's own signed word, kept with its signature, so that whoever has the
journal can show it; amounts on a lane are cumulative.
Invariant: an address stands once in the market, in lower case with 0x.
Worked number: a permit of 5 credits on a lane that stood at 3 lets its session spend 2.
"""

from __future__ import annotations

from msgspec import Struct

from allmende.core.units import Amount, Instant

LANES = 16
"""Counters of one wallet, as in contracts/vouchers.vy."""
GENERAL = 0
"""The lane of all that is not a session's: orders, transfers, keys without a permit."""
CHAIN = "chain"
"""The account of rights that are in wallets."""
BRIDGED = "rights:"
"""Before the name of each instrument whose rights were ever wrapped: its contract has that name
for good, so no other instrument may."""
AMOUNT_MAX: Amount = 2**128 - 1
"""Base units that a voucher can name."""


class Permit(Struct, frozen=True):
    """What a wallet allows a session key. `key` is that key's address, `limit` the most that the
    lane may reach, `models` what it may be spent on (none: all), `signature` the wallet's.

    `sealed` is the session key under the market's seal where the market signs for the member,
    "" where the member's own program keeps it and vouches for each request.
    """

    lane: int
    key: str
    limit: Amount
    models: tuple[str, ...]
    expires: Instant
    signature: str
    sealed: str = ""


class Closed(Struct, frozen=True):
    """A wallet's account as it goes into a batch: only what is final.

    `balance + spent - deposited + requested` is what it has earned, what it had when it was
    linked included. Neither that nor `spent` ever falls from one cut to the next.
    """

    deposited: Amount = 0
    requested: Amount = 0
    spent: Amount = 0
    balance: Amount = 0

    @property
    def earned(self) -> Amount:
        return self.balance + self.spent - self.deposited + self.requested


class Wrap(Struct, frozen=True):
    """`grains` of a right on their way to the address `to`, as tokens that any wallet shows."""

    id: str
    account: str
    instrument: str
    grains: int
    to: str
