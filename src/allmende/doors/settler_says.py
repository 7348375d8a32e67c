"""Settler, says: how far settlement has come, as plain data for pages and the command line.

Rule: what a person must do something about is an alarm; whatever goes by itself is a word.
Invariant: each word has a sentence here, and pages have one in each language under the same key.
Worked number: a market at rest says "idle" and has no alarm.
"""

from __future__ import annotations

from msgspec import Struct

WORDS = {
    "start": "The settler has not looked at the chain yet.",
    "idle": "Nothing has to be settled now.",
    "cut": "An epoch is being closed, so that deposits count and requests are covered.",
    "follow": "A wallet asked for what is in open requests or spent; its request is settled first.",
    "submit": "A batch is on its way into the chain.",
    "confirm": "What was sent is in the chain and not final yet.",
    "window": "A batch is pending: whoever wants to may challenge it now.",
    "answer": "A batch is challenged, and the answer is on its way.",
    "finalise": "The window is over; the batch is being made final.",
    "rest": "A batch is due and will be built in a moment.",
    "short": "The house lacks what members with wallets have earned from credit that was issued "
    "outside of the chain: deposit what is missing for the operator's address.",
    "bond": "The operator's bond is below one penalty: bond more, then batches go on.",
    "paused": "The guardian paused the vault; challenges are answered meanwhile.",
    "unlisted": "The token is not listed yet: the admin calls list_token.",
    "own": "The operator's own address is linked as a member's wallet, so no tree can tell them "
    "apart: use another address as operator.",
    "lost": "The tree of the final batch is not in trees.sqlite: put back the copy of that file.",
    "foreign": "The pending batch was not built here, or its tree was lost: put back trees.sqlite, "
    "or it will be void once somebody challenges it.",
    "closed": "The market is closed on the chain: everybody leaves with the last final batch.",
}


class Alarm(Struct, frozen=True):
    """`word` is a key for pages; `says` is for people and has the particulars."""

    word: str
    says: str


class Batched(Struct, frozen=True):
    """A batch as the chain has it. Unix seconds; `until` its window ends, 0 if it has."""

    number: int
    at: int
    until: int = 0


class Challenged(Struct, frozen=True):
    id: int
    account: str
    least: int
    deadline: int


class Asked(Struct, frozen=True):
    """A request to take out: `amount` is still to be paid, from second `due` on at the earliest."""

    id: int
    account: str
    amount: int
    due: int
    covered: bool


class Status(Struct, frozen=True, kw_only=True):
    """As of the last step. Amounts are base units, times Unix seconds of the chain."""

    vault: str
    word: str = "start"
    says: str = WORDS["start"]
    block: int = 0
    """Final; everything but challenges and `pending` is as of this one."""
    newest: int = 0
    time_s: int = 0
    epoch: int = 0
    cuts_left: int = 0
    closed: bool = False
    final: Batched | None = None
    pending: Batched | None = None
    silent_from: int = 0
    """When anybody could close the market if no batch became final until then."""
    late_deposits: int = 0
    """Deposited and not yet spendable, because their epoch is open."""
    withdrawals: tuple[Asked, ...] = ()
    short: int = 0
    challenges: tuple[Challenged, ...] = ()
    alarms: tuple[Alarm, ...] = ()
