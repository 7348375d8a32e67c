"""Title events: what can have happened to titles that are tokens on a chain.

Rule: a move names the member that earns from now on; receipts before it keep whom they paid.
Invariant: none of them moves money.
Worked number: a title minted and sold once is three events: asked, minted, moved.
"""

from __future__ import annotations

from typing import TypeAlias

from allmende.core.facts import Event
from allmende.core.titles import Token


class TitleMintAsked(Event, frozen=True):
    id: str
    token: Token


class TitleMintEnded(Event, frozen=True):
    """`why` it never will be, as the chain said."""

    id: str
    minted: bool
    why: str = ""


class TitleMoved(Event, frozen=True):
    """`owner` is a member, `holder` its address."""

    id: str
    owner: str
    holder: str


Any: TypeAlias = TitleMintAsked | TitleMintEnded | TitleMoved
