"""Waterfall: who is paid out of one price.

Rule: the title's payees, the operator's fee and the commons' levy get their parts per
million, each rounded down; the host gets the rest, remainder included.
Invariant: the lines sum to the price exactly, for every price.
Worked number: of 101 pico with author 10 %, fee 5 %, levy 1 %: author 10, operator 5,
commons 1, host 85.
"""

from __future__ import annotations

from allmende.core.ledger import COMMONS
from allmende.core.nouns import Offer, Payment, Share
from allmende.core.state import State
from allmende.core.units import Amount, split


def shares(state: State, offer: Offer) -> tuple[Share, ...]:
    """The shares in force now for what this offer sells, all but the host's."""
    assert state.market is not None
    return (
        *state.titles[offer.title].waterfall,
        Share("operator", state.market.operator, state.parameters["operator_fee_ppm"]),
        Share("commons", COMMONS, state.parameters["levy_ppm"]),
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
