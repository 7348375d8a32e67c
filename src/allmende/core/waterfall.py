"""Waterfall: who is paid out of one price.

Rule: the title's payees, the operator's fee and the commons' levy get their parts per
million, each rounded down; the host gets the rest, remainder included.
Invariant: the lines sum to the price exactly, for every price.
Worked number: of 101 pico with author 10 %, fee 5 %, levy 1 %: author 10, operator 5,
commons 1, host 85.
"""

from __future__ import annotations

from allmende.core.ledger import COMMONS
from allmende.core.nouns import Offer, Payment
from allmende.core.state import State
from allmende.core.units import Amount, split


def payments(state: State, offer: Offer, price: Amount) -> tuple[Payment, ...]:
    """Lines of the waterfall in force now; the host's is first, lines of zero are left out."""
    assert state.market is not None
    shares = [(s.role, s.account, s.ppm) for s in state.titles[offer.title].waterfall]
    shares.append(("operator", state.market.operator, state.parameters["operator_fee_ppm"]))
    shares.append(("commons", COMMONS, state.parameters["levy_ppm"]))
    parts, rest = split(price, tuple(ppm for _, _, ppm in shares))
    lines = [Payment("host", offer.provider, rest)]
    lines += [
        Payment(role, account, part)
        for (role, account, _), part in zip(shares, parts, strict=True)
        if part
    ]
    return tuple(lines)
