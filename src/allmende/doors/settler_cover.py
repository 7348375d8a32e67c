"""Settler, cover: on a chain whose pay unit is play, the house pays in what it lacks by itself.

Rule: one deposit for each total that the house had paid in before; it is the same one until the
chain has counted it, and is made again only if it was refused.
Invariant: nothing is paid in twice for one lack, and one that comes again in the same amount is
paid again.
Worked number: short by 3 credits the house pays in 103. Each deposit takes one of the four cuts
that there may be between two batches; with none to spare, and members earning on, the market
would stand still with the last cut until anybody may close it.
"""

from __future__ import annotations

from allmende.custody import ContractCall, Custody
from allmende.doors.settler_sends import Sends

UNLIMITED = 2**256 - 1
ROOM = 100
"""Pay units that come in beside what is short, or as much again if that is more."""


class Cover:
    """Of one deployment whose token is the operator's own."""

    def __init__(self, custody: Custody, sends: Sends) -> None:
        self._custody = custody
        self._sends = sends
        self._wanted: tuple[int, ContractCall] | None = None
        """What the house had paid in, and the deposit on top of that."""

    def step(self, short: int, paid_in: int) -> None:
        """`short` is what the house lacks, `paid_in` all that was deposited for it, base units as
        of the last final block."""
        here = self._custody.deployment
        if not short:
            return
        if self._wanted is None or self._wanted[0] != paid_in:
            amount = short + max(short, ROOM * 10**here.decimals)
            self._wanted = paid_in, self._custody.deposit(here.operator, amount)
        allow = self._custody.approve(here.vault, UNLIMITED)
        self._sends.want("house allows", allow, read_at=UNLIMITED)
        self._sends.want(f"house covers from {paid_in}", self._wanted[1], read_at=UNLIMITED)
