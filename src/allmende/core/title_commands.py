"""Title commands: what can be asked of titles that are tokens on a chain.

Rule: an owner asks for the token, the house says what became of it and who has it.
Invariant: the house names the holder's address and member; nobody else says who owns a title
whose token is minted.
Worked number: FollowTitle of who has it already leads to no event.
"""

from __future__ import annotations

from allmende.core.commands import Command


class MintTitle(Command, frozen=True):
    """Have a token minted to the wallet of the title's owner.

    Of each sale on the chain `royalty_ppm` goes to the wallet of the member `author`, for good;
    "" is the owner.
    """

    id: str
    royalty_ppm: int = 0
    author: str = ""


class EndTitleMint(Command, frozen=True):
    """It is minted, or never will be, and `why`; then it can be asked for again."""

    id: str
    minted: bool
    why: str = ""


class FollowTitle(Command, frozen=True):
    """At a final block the address `holder` has the token: it is the member `owner`'s."""

    id: str
    holder: str
    owner: str
