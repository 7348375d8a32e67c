"""Titles under any order of calls, beside a slow and obvious model of them.

The model is three dictionaries: who has what, what is asked, and what everybody has in money.
Whatever the contract accepts the model must accept, and the other way round; and after every
step owners, asks, approvals and money are equal, to the unit.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import boa
from fuzzed import attempt
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from titles_rig import ADMIN, MONEY, PEOPLE, REGISTRAR, TERMS, WATERFALL, Shop, token_id
from vault_rig import ZERO

TITLES = tuple(token_id(name) for name in ("smol", "photos", "rack"))
WHO = st.integers(0, len(PEOPLE) - 1)
BY = st.integers(-6, len(PEOPLE) - 1)
"""Who asks; below zero it is whoever has the title, so that most calls are worth making."""
MAYBE = st.one_of(st.none(), WHO)
WHICH = st.sampled_from(TITLES)
PPM = st.sampled_from((0, 1, 100_000, 250_000, 250_001))
PRICE = st.one_of(st.integers(0, 30), st.integers(0, 2 * MONEY))
BOUND = 250_000


@cache
def shop() -> Shop:
    return Shop()


def address(who: int | None) -> str:
    return ZERO if who is None else PEOPLE[who].address


class Trading(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.shop = shop()
        self.anchor = boa.env.anchor()
        self.anchor.__enter__()
        self.titles = self.shop.titles
        self.owner: dict[int, int] = {}
        self.royalty: dict[int, tuple[int, int]] = {}
        self.asks: dict[int, tuple[int, int | None]] = {}
        self.approved: dict[int, int] = {}
        self.trusted: set[tuple[int, int]] = set()
        self.money = [MONEY] * len(PEOPLE)
        for number, (to, author, ppm) in enumerate(((2, 5, 100_000), (3, 3, 1))):
            self.mint(1, to, TITLES[number], author, ppm)

    def try_(self, call: str, by: int, *args: Any) -> bool:
        return attempt(getattr(self.titles, call), *args, sender=PEOPLE[by].address)

    @rule(by=st.sampled_from((1, 1, 1, 0, 2)), to=WHO, id_=WHICH, author=WHO, ppm=PPM)
    def mint(self, by: int, to: int, id_: int, author: int, ppm: int) -> None:
        more = (TERMS, WATERFALL, address(author), ppm, "")
        done = self.try_("mint", by, address(to), id_, *more)
        assert done == (PEOPLE[by] is REGISTRAR and id_ not in self.owner and ppm <= BOUND)
        if done:
            self.owner[id_], self.royalty[id_] = to, (author, ppm)

    def who(self, by: int, id_: int) -> int:
        return by if by >= 0 else self.owner.get(id_, 0)

    @rule(by=BY, owner=BY, to=MAYBE, id_=WHICH)
    def transfer(self, by: int, owner: int, to: int | None, id_: int) -> None:
        by, owner = self.who(by, id_), self.who(owner, id_)
        done = self.try_("transferFrom", by, address(owner), address(to), id_)
        has = self.owner.get(id_)
        may = has == by or (has, by) in self.trusted or self.approved.get(id_) == by
        assert done == (has is not None and may and owner == has and to is not None)
        if done and to is not None:
            self.moved(id_, to)

    def moved(self, id_: int, to: int) -> None:
        self.owner[id_] = to
        self.asks.pop(id_, None)
        self.approved.pop(id_, None)

    @rule(by=BY, to=MAYBE, id_=WHICH)
    def approve(self, by: int, to: int | None, id_: int) -> None:
        by = self.who(by, id_)
        done = self.try_("approve", by, address(to), id_)
        has = self.owner.get(id_)
        assert done == (has is not None and to != has and (by == has or (has, by) in self.trusted))
        if done:
            self.approved.pop(id_, None)
            self.approved |= {} if to is None else {id_: to}

    @rule(by=WHO, who=WHO, yes=st.booleans())
    def trust(self, by: int, who: int, yes: bool) -> None:
        if self.try_("setApprovalForAll", by, address(who), yes):
            self.trusted -= {(by, who)}
            self.trusted |= {(by, who)} if yes else set()

    @rule(by=BY, id_=WHICH, price=PRICE, buyer=MAYBE)
    def ask(self, by: int, id_: int, price: int, buyer: int | None) -> None:
        by = self.who(by, id_)
        done = self.try_("ask", by, id_, price, address(buyer))
        assert done == (self.owner.get(id_) == by and price > 0 and self.fair(id_, price))
        if done:
            self.asks[id_] = price, buyer

    def fair(self, id_: int, price: int) -> bool:
        ppm = self.royalty[id_][1]
        return ppm == 0 or price * ppm >= 1_000_000

    @rule(by=BY, id_=WHICH)
    def withdraw(self, by: int, id_: int) -> None:
        by = self.who(by, id_)
        done = self.try_("withdraw_ask", by, id_)
        assert done == (self.owner.get(id_) == by and id_ in self.asks)
        if done:
            del self.asks[id_]

    @rule(by=WHO, id_=WHICH, less=st.sampled_from((0, 0, 0, 1)))
    def buy(self, by: int, id_: int, less: int) -> None:
        price, buyer = self.asks.get(id_, (0, None))
        done = self.try_("buy", by, id_, max(0, price - less))
        meant = buyer in (None, by) and self.owner.get(id_) != by
        assert done == (bool(price) and not less and meant and self.money[by] >= price)
        if not done:
            return
        author, ppm = self.royalty[id_]
        royalty = price * ppm // 1_000_000
        self.money[by] -= price
        self.money[author] += royalty
        self.money[self.owner[id_]] += price - royalty
        self.moved(id_, by)

    @rule(by=WHO)
    def take_the_role(self, by: int) -> None:
        done = self.try_("grantRole", by, self.titles.REGISTRAR(), address(1))
        assert done == (PEOPLE[by] is ADMIN)

    @invariant()
    def owners_asks_and_money_agree(self) -> None:
        if not hasattr(self, "titles"):
            return
        seen = self.titles.look(list(TITLES))
        for id_, (holder, price, buyer) in zip(TITLES, seen, strict=True):
            assert holder == address(self.owner.get(id_))
            asked = self.asks.get(id_, (0, None))
            assert (price, buyer) == (asked[0], address(asked[1]))
        for id_ in self.owner:
            assert self.titles.getApproved(id_) == address(self.approved.get(id_))
        assert [self.shop.token.balanceOf(who.address) for who in PEOPLE] == self.money
        assert self.shop.token.balanceOf(self.titles.address) == 0

    def teardown(self) -> None:
        if not hasattr(self, "titles"):
            return
        try:
            held = [self.titles.balanceOf(who.address) for who in PEOPLE]
            assert held == [list(self.owner.values()).count(i) for i in range(len(PEOPLE))]
            assert self.titles.totalSupply() == sum(held)
            assert sum(self.money) == MONEY * len(PEOPLE)
        finally:
            self.anchor.__exit__(None, None, None)


TestTrading = Trading.TestCase
TestTrading.settings = settings(
    max_examples=settings.default.max_examples // 4,
    stateful_step_count=25,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
