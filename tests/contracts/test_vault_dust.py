"""A pay unit of six decimals: the desk counts a million times finer, and nobody gains by it.

The settler's own rule, `doors.settler_tree.wallet_leaf`: earnings are rounded down to the unit,
what was spent is rounded up, and balance plus spent never falls; who signs rounds up, too. The
rest stays in the vault until it makes a whole unit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import boa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vault_rig import Batch, Market, Person, refused

from allmende.core.custody import Closed
from allmende.doors.settler_tree import Scale, wallet_leaf
from allmende.wire import merkle_sum as ms

FINE = 10**6
"""Pico-credits in a base unit of the pay unit."""
UNIT = 10**6
"""Base units in a credit."""
PEOPLE = tuple(Person(name) for name in ("anna", "ben", "host", "mallory"))
ANNA, BEN, HOST, MALLORY = PEOPLE
DEPOSIT = 3
TERMS = {"stake": UNIT, "penalty": 101 * UNIT + 1, "rate_floor": 10 * UNIT}


class Fine:
    """The desk's book in pico-credits, and what of it the settler tells the vault."""

    def __init__(self, market: Market, *members: Person) -> None:
        self.market, self.members = market, members
        self.deposited, self.earned, self.spent = Counter[Person](), Counter[Person](), Counter()
        for person in members:
            market.deposit(person, DEPOSIT)
            self.deposited[person] = DEPOSIT
        market.vault.cut(sender=market.operator.address)

    def left(self, person: Person) -> int:
        return self.deposited[person] * FINE + self.earned[person] - self.spent[person]

    def spend(self, buyer: Person, provider: Person, pico: int) -> None:
        assert 0 < pico <= self.left(buyer)
        self.spent[buyer] += pico
        self.earned[provider] += pico

    def leaf(self, person: Person) -> ms.Leaf:
        into, spent = self.deposited[person] * FINE, self.spent[person]
        closed = Closed(deposited=into, spent=spent, balance=self.left(person))
        return wallet_leaf(person.bytes, self.deposited[person], closed, Scale(UNIT))

    def settle(self, challenged: Person) -> None:
        """A batch in which somebody challenges in vain, and is answered."""
        market = self.market
        market.submit([self.leaf(person) for person in PEOPLE])
        owner = market.operator.address
        before = market.vault.challenge_count()
        if sum(market.final.show(challenged)[0][1:]) + DEPOSIT * (challenged in self.members):
            market.give(challenged, market.terms["stake"])
            leaf, proof = market.final.show(challenged)
            market.vault.challenge(leaf, proof, sender=challenged.address)
            units = -(-self.spent[challenged] // FINE)  # who signs rounds up
            if units > market.vault.signed(challenged.address):
                market.acknowledge(challenged, units)
            market.vault.answer(before + 1, *market.sent.show(challenged), sender=owner)
        market.finalise()


@pytest.fixture
def market() -> Iterator[Market]:
    with boa.env.anchor():
        yield Market(**TERMS).open()


SPENDS = st.lists(
    st.tuples(st.sampled_from(PEOPLE), st.sampled_from(PEOPLE), st.integers(1, 2 * FINE)),
    max_size=12,
)


@given(st.lists(st.tuples(SPENDS, st.sampled_from(PEOPLE)), min_size=1, max_size=4))
@settings(max_examples=max(10, settings.default.max_examples // 6))
def test_every_exit_is_the_balance_less_a_crumb_at_most_and_the_dust_stays(
    batches: list[tuple[list[tuple[Person, Person, int]], Person]],
) -> None:
    with boa.env.anchor():
        market = Market(**TERMS).open()
        book = Fine(market, ANNA, BEN)
        for spends, challenged in batches:
            for buyer, provider, pico in spends:
                if part := min(pico, book.left(buyer)):
                    book.spend(buyer, provider, part)
            book.settle(challenged)
        market.close()
        paid = 0
        for person in PEOPLE:
            units = book.leaf(person).balance
            assert book.left(person) // FINE - 1 <= units <= book.left(person) // FINE
            before = market.token.balanceOf(person.address)
            if units:
                market.vault.exit(*market.final.show(person), sender=person.address)
            assert market.token.balanceOf(person.address) == before + units
            paid += units
        dust = 2 * DEPOSIT - paid
        assert market.vault.backed() == dust
        assert 0 <= dust < 2 * len(PEOPLE)


def test_a_million_crumbs_are_one_unit_and_never_two(market: Market) -> None:
    book = Fine(market, ANNA)
    for pico in (1, FINE - 2):
        book.spend(ANNA, MALLORY, pico)
        book.settle(ANNA)
        assert market.final.show(MALLORY)[0][1] == 0
        assert market.final.show(ANNA)[0][1:] == (DEPOSIT - 1, 1)
    book.spend(ANNA, MALLORY, 1)
    book.settle(ANNA)
    assert market.final.show(MALLORY)[0][1] == 1
    assert market.final.show(ANNA)[0][1:] == (DEPOSIT - 1, 1)


def test_rounding_up_for_everybody_is_more_than_is_backed(market: Market) -> None:
    book = Fine(market, ANNA)
    book.spend(ANNA, HOST, FINE // 2)
    anna, host = book.leaf(ANNA), book.leaf(HOST)
    with refused("vault: not backed"):
        market.submit([anna._replace(balance=anna.balance + 1), host._replace(balance=1)])


def test_rounding_both_halves_down_would_not_answer_for_itself(market: Market) -> None:
    """Why the difference is spent: 2.5 left and 0.5 spent are not 2 and 0."""
    book = Fine(market, ANNA)
    book.spend(ANNA, HOST, FINE // 2)
    leaf = book.leaf(ANNA)
    assert (leaf.balance, leaf.spent) == (2, 1)
    batch: Batch = market.submit([leaf._replace(spent=0), book.leaf(HOST)])
    id_ = market.challenge(ANNA)
    with refused("vault: something is missing"):
        market.vault.answer(id_, *batch.show(ANNA))
