"""Titles on a chain: the token that stands for a title there, as frozen data.

Rule: once it is minted the token says who owns the title, and the desk follows.
Invariant: a title has one token; its waterfall, which names the owner by a word, stays the same
whoever that is.
Worked number: of a title that pays 10 % to `owner`, whose token went from Anna to Ben between two
requests of 100, the first receipt pays Anna 10 and the second Ben 10.
"""

from __future__ import annotations

from msgspec import Struct

from allmende.core.units import Instant

OWNER = "owner"
"""In a title's waterfall: whoever owns it when a request is captured."""
ROYALTY_PPM_MAX = 250_000
"""Of a sale's price, as contracts/Titles.vy has it."""


class Token(Struct, frozen=True):
    """Asked for at `asked` by the owner of then, for the address `holder`.

    `author` is the address that gets `royalty_ppm` of each sale on the chain, for good. While it is
    on its way it is not `minted`; then `holder` is whoever has it, as far as we followed.
    """

    asked: Instant
    holder: str
    author: str
    royalty_ppm: int
    minted: bool = False
