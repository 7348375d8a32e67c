"""Share sale: who ends up with the shares, under caps for a person and without one.

Rule: the same people, with money drawn by seed, come in the same order to `offering.Book`, the
rule that desk and contract sell by. Each puts a tenth of his money into shares, as far as the
rule lets him, and some change their mind in time.
Invariant: what is sold is what people hold in the end, and nobody holds more than his cap.
Worked number: of 400 people of seed 1 the Gini of money is 0.565, and of shares 0.624 without a
cap (some come too late for their state, some leave); with at most 200 to a person it is 0.336,
and 50,474 shares are sold instead of 127,320.

Money is lognormal, which is an assumption; so are the tenth and who changes his mind. The number
is about the rule: what a cap does to a given crowd, and not how a real sale would go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from random import Random

from msgspec import Struct, structs

from allmende.core.offering import Book, Declined, Terms, Voucher
from allmende.measure.distribution import gini
from allmende.measure.voting import nakamoto

DAY = 86_400
STATES = ("DEU", "DEU", "DEU", "FRA", "FRA", "ITA", "POL")
SIGMA = 1.2
"""Of the logarithm of people's money."""
MEDIAN = 2_000
CHANGES_MIND = 0.1


class Buyer(Struct, frozen=True):
    name: str
    state: str
    money: int
    """Pay units that he could spend; shares cost one."""
    stays: bool


class Outcome(Struct, frozen=True):
    """One sale, to its end. `refused` counts by the rule's own words."""

    person_cap: int
    sold: int
    holders: int
    gini: float
    """Of shares among all who came, those with none included."""
    nakamoto: int
    """So many of the largest holders have more than half."""
    refused: dict[str, int]


def people(count: int, seed: int) -> list[Buyer]:
    rng = Random(seed)
    return [
        Buyer(
            name=f"p{number}",
            state=rng.choice(STATES),
            money=int(MEDIAN * rng.lognormvariate(0, SIGMA)),
            stays=rng.random() >= CHANGES_MIND,
        )
        for number in range(count)
    ]


def sell(crowd: Sequence[Buyer], terms: Terms) -> Outcome:
    """A whole sale: all buy, some take back, the rest is completed or undone."""
    book, refused = Book(mode="lab", terms=terms), Counter[str]()
    for buyer in crowd:
        wanted = min(buyer.money // 10, terms.person_cap)
        voucher = Voucher(buyer.name, buyer.name, buyer.state, False, terms.end)
        try:
            number = book.buy(terms.start, buyer.name, voucher, wanted)
        except Declined as no:
            refused[str(no)] += 1
            continue
        if not buyer.stays:
            book.refund(terms.start + terms.refund, buyer.name, number)
    for number, bought in enumerate(book.purchases, 1):
        if not bought.ended:
            _end(book, number)
    held = {buyer.name: book.shares.get(buyer.name, 0) for buyer in crowd}
    some = any(held.values())
    return Outcome(
        person_cap=terms.person_cap,
        sold=sum(held.values()),
        holders=sum(1 for one in held.values() if one),
        gini=gini([float(one) for one in held.values()]) if some else 0.0,
        nakamoto=nakamoto(held) if some else 0,
        refused=dict(refused),
    )


def _end(book: Book, number: int) -> None:
    at = book.terms.decided_at
    if book.failed(at):
        book.refund(at, "anybody", number)
    else:
        book.complete(at, number)


def compare(crowd: Sequence[Buyer], terms: Terms, caps: Sequence[int]) -> list[Outcome]:
    """The same crowd under each cap for a person."""
    return [sell(crowd, structs.replace(terms, person_cap=cap)) for cap in caps]


def main(count: int, seed: int, terms: Terms, echo: Callable[[str], None]) -> int:
    crowd = people(count, seed)
    money = gini([float(buyer.money) for buyer in crowd])
    echo(f"{count} people, seed {seed}; Gini of their money {money:.3f}, which is drawn")
    echo("cap a person      sold   holders   Gini of shares   more than half   refused")
    for one in compare(crowd, terms, (terms.hard_cap, 1_000, 200, 50)):
        no = sum(one.refused.values())
        echo(
            f"{one.person_cap:>12,} {one.sold:>9,} {one.holders:>9,} {one.gini:>16.3f} "
            f"{one.nakamoto:>16,} {no:>9,}"
        )
    echo("refused in the last: " + (_why(one.refused) or "nobody"))
    return 0


def _why(refused: dict[str, int]) -> str:
    return ", ".join(f"{count} {why}" for why, count in sorted(refused.items()))
