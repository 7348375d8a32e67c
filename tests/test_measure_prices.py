"""Prices: blends and the published fall, which listings are one model, and who is off."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.core import events as e
from allmende.core.nouns import Energy, Member, Offer, Receipt
from allmende.core.units import DAY, SECOND, Tariff, Units, Zone
from allmende.measure.prices import (
    BLENDS,
    CACHED,
    HEADLINE,
    PUBLISHED,
    REMOVED,
    Launch,
    Listing,
    Price,
    blend,
    fall,
    last_days,
    months_between,
    price_at,
    yearly,
)
from allmende.measure.prices_cells import Item, item_of, list_months, outliers, weighted_median
from allmende.measure.prices_trades import TradeTape, trade_months

prices = st.floats(1e-4, 1e4)


def listing(day: str, model: str = "m", mode: str = "chat", **more: object) -> Listing:
    fields = {"provider": "host", "price": Price(1.0, 2.0), **more}
    return Listing(date.fromisoformat(day), "list", "1", model, mode=mode, **fields)  # type: ignore[arg-type]


HISTORY = [
    listing("2023-11-01", "gpt-4", price=Price(30, 60)),
    listing("2024-10-17", "gpt-4o-2024-08-06", price=Price(2.5, 10, 1.25)),
]


def test_the_published_fall_comes_out_of_dated_prices():
    old, new = (price_at(HISTORY, launch) for launch in PUBLISHED)
    assert old is not None
    assert new is not None
    found = fall(old, new, HEADLINE)
    assert f"{found.before:.2f} {found.after:.2f} {found.change * 100:.1f}" == "36.00 4.00 -78.8"
    assert found.months == 17
    assert (old.seen, new.seen) == (date(2023, 11, 1), date(2024, 10, 17))


def test_another_price_gives_another_fall():
    dearer = [HISTORY[0], listing("2024-10-17", "gpt-4o-2024-08-06", price=Price(5, 15))]
    old, new = (price_at(dearer, launch) for launch in PUBLISHED)
    assert old is not None
    assert new is not None
    assert fall(old, new, HEADLINE).after == pytest.approx(7.0)


def test_a_fall_needs_prices_and_time():
    launch = Launch("gpt-4", date(2023, 3, 14))
    old = price_at(HISTORY, launch)
    assert old is not None
    with pytest.raises(ValueError, match="no month after"):
        fall(old, old, HEADLINE)
    with pytest.raises(ValueError, match="no cached price"):
        fall(old, old, CACHED)


def test_a_price_is_the_one_in_force_and_not_one_that_ended():
    rows = [
        listing("2024-01-10", price=Price(3, 3)),
        listing("2024-02-10", price=Price(2, 2)),
        listing("2024-03-10", mode=REMOVED, price=Price()),
        listing("2024-05-10", price=Price(1, 1)),
    ]

    def at(day: str) -> float | None:
        seen = price_at(rows, Launch("m", date.fromisoformat(day)))
        return seen.price.input if seen else None

    assert [at(d) for d in ("2024-01-09", "2024-01-10", "2024-02-28", "2024-04-01")] == [3, 3, 2, 1]
    assert price_at(rows[:3], Launch("m", date(2024, 4, 1))) is None
    assert price_at(rows, Launch("other", date(2024, 4, 1))) is None


def test_sixty_to_six_cents_in_three_years_is_ten_times_a_year():
    assert 1 / (1 + yearly(0.06 / 60, 36)) == pytest.approx(10.0)
    assert months_between(date(2023, 3, 14), date(2024, 8, 6)) == 17


@given(prices, prices, st.floats(1e-6, 1e6))
def test_a_change_of_unit_changes_a_blend_by_the_same_factor(a: float, b: float, factor: float):
    for one in BLENDS:
        before, after = one.of(Price(a, b)), one.of(Price(a * factor, b * factor))
        assert before is not None
        assert after == pytest.approx(before * factor)


def test_a_blend_without_a_price_it_needs_has_none():
    assert HEADLINE.of(Price(1.0)) is None
    assert CACHED.of(Price(1.0, 1.0)) is None
    assert CACHED.of(Price(cached=0.5)) == 0.5


@pytest.mark.parametrize(
    "text", ["", "80", "80/30", "a/b", "-20/120", "80/20/0", "\uff18\uff10/20", "8e1/20"]
)
def test_what_is_no_blend_is_refused(text: str):
    with pytest.raises(ValueError, match=r"blend|add up"):
        blend(text)


def test_blends_have_names():
    assert [blend(text) for text in ("80/20", "50/50", "95/5", "cached")] == [*BLENDS, CACHED]


def test_months_end_on_their_last_day_and_the_last_one_where_the_data_ends():
    assert last_days(date(2023, 12, 5), date(2024, 2, 20)) == [
        date(2023, 12, 31),
        date(2024, 1, 31),
        date(2024, 2, 20),
    ]


def test_a_month_has_what_was_in_force_on_its_last_day():
    rows = [
        listing("2024-01-10", "a", price=Price(3, 3)),
        listing("2024-01-10", "b", price=Price(5, 5)),
        listing("2024-01-20", "embed", mode="embedding"),
        listing("2024-02-10", "a", price=Price(2, 2)),
        listing("2024-02-11", "b", mode=REMOVED, price=Price()),
    ]
    january, february = list_months(rows)
    assert {i.cell: q.price.input for i, q in january.quotes.items()} == {"a": 3, "b": 5}
    assert {i.cell: q.price.input for i, q in february.quotes.items()} == {"a": 2}
    assert (january.age, february.day) == (11, date(2024, 2, 11))
    assert list(list_months([])) == []


def test_a_list_that_nobody_looked_at_for_a_quarter_says_nothing():
    rows = [listing("2024-01-01"), listing("2024-07-01")]
    assert [len(month.quotes) for month in list_months(rows)] == [1, 1, 1, 0, 0, 0, 1]


def test_one_cloud_is_one_host_and_a_reseller_none():
    def item(model: str, provider: str) -> Item | None:
        return item_of(listing("2024-01-01", model, provider=provider))

    one, other = item("bedrock/eu/Claude-X", "bedrock_converse"), item("us/claude-x", "bedrock")
    assert one is not None
    assert other is not None
    assert (one.cell, one.host) == (other.cell, other.host) == ("claude-x", "aws")
    assert item("openrouter/anthropic/claude-x", "openrouter") is None
    assert item("claude-x", "") is None


def test_a_host_that_is_far_off_is_an_outlier():
    assert outliers({"a": 1.0, "b": 1.1, "c": 0.9, "d": 900.0}) == {"d"}
    assert outliers({"a": 1.0, "b": 1.0, "c": 1.0, "d": 1.0, "e": 1.0, "f": 900.0}) == {"f"}
    assert outliers({"a": 1.0, "b": 1.0, "c": 1.0, "d": 1.9}) == set()
    assert outliers({"a": 1.0, "b": 1.1, "c": 900.0}) == set(), "the median drops it anyway"


@given(st.lists(st.integers(-12, 12), max_size=12), st.integers(-20, 20))
def test_who_is_off_depends_neither_on_unit_nor_order(powers: list[int], unit: int):
    named = {str(i): 2.0**power for i, power in enumerate(powers)}
    off = outliers(named)
    assert outliers(dict(reversed(named.items()))) == off
    assert outliers({name: value * 2.0**unit for name, value in named.items()}) == off
    assert len(off) * 2 <= len(powers)


@given(st.lists(st.tuples(prices, st.floats(0.1, 10)), min_size=1, max_size=12))
def test_the_weighted_median_halves_the_weight(pairs: list[tuple[float, float]]):
    middle = weighted_median(pairs)
    total = sum(weight for _, weight in pairs)
    assert sum(weight for value, weight in pairs if value < middle) <= total / 2 * (1 + 1e-9)
    assert sum(weight for value, weight in pairs if value > middle) <= total / 2 * (1 + 1e-9)


def test_the_median_of_an_even_number_lies_between_and_of_nothing_nowhere():
    assert weighted_median([(1.0, 1.0), (4.0, 1.0)]) == pytest.approx(2.0)
    assert weighted_median([(1.0, 1.0), (4.0, 3.0)]) == 4.0
    with pytest.raises(ValueError, match="nothing"):
        weighted_median([])


# Receipts -------------------------------------------------------------------------------

START = 1_790_812_800 * SECOND
"""2026-10-01, midnight."""


def receipt(id_: str, day: int, rate: int = 150_000, **more: object) -> Receipt:
    fields = {
        "account": "uni",
        "provider": "host",
        "asset": "credit",
        "verdict": "agrees",
        "units": Units(input=1_000),
        "price": 1_000 * rate,
        **more,
    }
    return Receipt(  # type: ignore[misc]
        id=id_,
        market="m",
        at=START + day * DAY,
        budget="b",
        key="k",
        offer="o",
        title="t",
        model="Smol",
        endpoint="chat/completions",
        zone=Zone("DEU"),
        tariff=Tariff(rate, None, rate),
        waterfall=(),
        energy=Energy(),
        basis="counted",
        outcome="complete",
        **fields,
    )


def tape(*receipts: Receipt) -> TradeTape:
    found = TradeTape()
    for one in receipts:
        found.feed(e.Finalised(at=one.at, receipt=one, before=(), cause="recounted"))
    return found


def test_a_month_is_the_mean_of_its_quarters_medians():
    found = tape(*(receipt(f"a{i}", 1) for i in range(9)), receipt("b", 20, 170_000))
    (month,) = trade_months(found.trades)
    ((item, quote),) = month.quotes.items()
    assert item.cell == "smol"
    assert quote.price.input == pytest.approx(0.16)
    assert quote.weight == pytest.approx((9 * 0.15 + 0.17) / 1_000)
    assert month.spent


def test_a_month_without_trade_is_a_month():
    found = tape(receipt("a", 1), receipt("b", 70))
    assert [len(month.quotes) for month in trade_months(found.trades)] == [1, 0, 1]
    assert list(trade_months([])) == []


def test_only_verified_receipts_in_credit_and_at_arms_length_count():
    found = tape(
        receipt("good", 1),
        receipt("unchecked", 1, verdict="unchecked"),
        receipt("wrong", 1, verdict="disagrees"),
        receipt("gold", 1, asset="gold"),
        receipt("right", 1, right="december", grains=5),
        receipt("own", 1, account="host"),
        receipt("free", 1, 0),
    )
    found.feed(e.Captured(at=START, receipt=receipt("pending", 1, verdict="pending")))
    assert len(found.trades) == 1
    assert found.left == {"unverified": 2, "right": 1, "asset": 1, "related": 1, "free": 1}


def test_hosts_of_one_owner_are_one_host_even_if_we_learn_it_later():
    found = tape(receipt("a", 1), receipt("b", 1, provider="other"))
    assert len({trade.item.host for trade in found.trades}) == 2
    for provider in ("host", "other"):
        offer = Offer(
            f"o-{provider}", provider, "t", "smol", "credit", Tariff(1), Zone("DEU", "", "Big Inc"),
            "https://example.org/v1",
        )  # fmt: skip
        found.feed(e.OfferPosted(at=START, offer=offer))
    assert len({trade.item.host for trade in found.trades}) == 1
    found.feed(e.MemberAdded(at=START, member=Member("uni", "Big Inc", "organisation")))
    assert not found.trades
