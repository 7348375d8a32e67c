"""Waterfall: who is paid out of one price.

Rule: the title's payees, the operator's fee and the commons' levy get their parts per
million, each rounded down; the host gets the rest, remainder included. What a title gives to
`owner` goes to whoever owns it now.
Invariant: the lines sum to the price exactly, for every price.
Worked number: of 101 pico with author 10 %, fee 5 %, levy 1 %: author 10, operator 5,
commons 1, host 85.
"""

from __future__ import annotations

from msgspec import structs

from allmende.core.ledger import COMMONS
from allmende.core.nouns import Offer, Payment, Share, Title
from allmende.core.state import State
from allmende.core.titles import OWNER
from allmende.core.units import Amount, split


def shares(state: State, offer: Offer) -> tuple[Share, ...]:
    """The shares in force now for what this offer sells, all but the host's."""
    assert state.market is not None
    return (
        *_of_title(state, state.titles[offer.title]),
        Share("operator", state.market.operator, state.parameters["operator_fee_ppm"]),
        Share("commons", COMMONS, state.parameters["levy_ppm"]),
    )


def _of_title(state: State, title: Title) -> tuple[Share, ...]:
    """With the owner of now. In a market of before, whose member has that name, it is a member."""
    if OWNER in state.members:
        return title.waterfall
    return tuple(
        structs.replace(share, account=title.owner) if share.account == OWNER else share
        for share in title.waterfall
    )


def payments(host: str, given: tuple[Share, ...], price: Amount) -> tuple[Payment, ...]:
    """Lines of a waterfall over `price`; the host's is first, lines of zero are left out."""
    parts, rest = split(price, tuple(share.ppm for share in given))
    lines = [Payment("host", host, rest)]
    lines += [
        Payment(share.role, share.account, part)
        for share, part in zip(given, parts, strict=True)
        if part
    ]
    return tuple(lines)
