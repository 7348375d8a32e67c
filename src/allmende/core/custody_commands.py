"""Custody commands: what can be asked of wallets and of what they keep on a chain.

Rule: signatures are checked at the door, which alone knows the curve; what comes here is true.
What the chain says is told in cumulative totals, so that telling it twice is telling it once.
Invariant: none of them names a balance; the machine works that out.
Worked number: FollowVault(deposited=5) and again FollowVault(deposited=5) credit 5.
"""

from __future__ import annotations

from allmende.core.commands import Command
from allmende.core.custody import Permit
from allmende.core.units import Amount


class LinkWallet(Command, frozen=True):
    """`address` proved that it is `member`'s. From now on nothing is debited unsigned."""

    member: str
    address: str


class GrantPermit(Command, frozen=True):
    """A wallet's permit. For a lane above 0 the session gets a new `budget` below `parent`."""

    member: str
    permit: Permit
    budget: str = ""
    parent: str = ""


class Vouch(Command, frozen=True):
    """The session's own program signed `amount`, cumulative, on its lane."""

    member: str
    lane: int
    amount: Amount
    signature: str


class FollowVault(Command, frozen=True):
    """What a wallet has put into the vault, and asked to take out, in all, as final there.

    Of what was asked for, what is free is taken now, and orders end for the rest; so ask again,
    and submit no batch that covers it, until the wallet's `requested` is this. Until then nothing
    new is held of what comes free. NO_CREDIT: all
    that is left of it is in open requests or was spent; the vault lets what was spent be contested.
    """

    member: str
    deposited: Amount
    requested: Amount


class CutWallets(Command, frozen=True):
    """Note every wallet's account as it stands, to be submitted with the batches closed by now."""


class WrapRights(Command, frozen=True):
    """Take `grains` into custody, to be minted to the address `to`."""

    id: str
    account: str
    instrument: str
    grains: int
    to: str


class EndWrap(Command, frozen=True):
    """They are minted, or never will be: then they go back."""

    id: str
    minted: bool


class UnwrapRights(Command, frozen=True):
    """`grains` were burnt for `account`; `reference` names the burning, once."""

    account: str
    instrument: str
    grains: int
    reference: str
