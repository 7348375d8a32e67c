"""Value captured: every table sums to the receipts' prices and to what the ledger moved."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import convert, structs
from test_views_fold import folded, standing
from views_history import Market

from allmende.adapters.views import SqliteViews
from allmende.cli.observatory_value import moved
from allmende.core import events as e
from allmende.core import exchange_events as x
from allmende.core.actors import Actor as Entity
from allmende.core.actors import Registry, Stake
from allmende.core.nouns import Payment, Posting, Receipt
from allmende.core.state import State
from allmende.core.units import Energy, Tariff, Units, Zone
from allmende.measure import value
from allmende.measure.cells import Cell, publish
from allmende.measure.value import UNKNOWN, Actor, Line
from allmende.measure.value_books import Books

NAMES = st.sampled_from(("a", "b", "c", "d"))
COUNTRIES = st.sampled_from(("", "DEU", "SWE", "USA"))
ROLES = st.sampled_from(("host", "author", "data", "operator", "commons", "labour", "odd role"))
LINES = st.builds(
    Line,
    role=ROLES,
    account=NAMES,
    payer=NAMES,
    paid_with=st.sampled_from(("", "right")),
    provider=NAMES,
    title=NAMES,
    model=NAMES,
    country=COUNTRIES,
    operator=NAMES,
    parent=st.sampled_from(("", "a", "P")),
    parent_country=COUNTRIES,
    payments=st.integers(1, 50),
    amount=st.integers(0, 10**30),
)
ACTORS = st.dictionaries(
    NAMES,
    st.builds(Actor, brand=st.just("B"), country=COUNTRIES, owner=NAMES, owner_country=COUNTRIES),
)


def folds(market: Market) -> Books:
    """The books over a market's events, beside a ledger that applies them again."""
    books, state = Books(), State()
    for number, event in enumerate(market.events):
        books.take(event, moved(state, event))
        assert number % 97 or books.differing() == {}, "also while receipts wait"
    return books


def final(events: list[e.Event]) -> list[Receipt]:
    return [receipt for _, _, receipt in standing(events) if receipt.verdict != "pending"]


def receipt(price: int, waterfall: tuple[Payment, ...], zone: Zone) -> Receipt:
    return Receipt(
        *("r", "m", 0, "uni", "b", "k", "host", "o", "t", "smol", "chat/completions"),
        zone=zone,
        asset="credit",
        tariff=Tariff(1, None, 1),
        units=Units(input=price),
        price=price,
        waterfall=waterfall,
        energy=Energy(),
        basis="counted",
        verdict="agrees",
        outcome="complete",
    )


def test_the_worked_number_of_the_module() -> None:
    paid = (
        *(Payment("host", "h", 85), Payment("author", "a", 10)),
        *(Payment("operator", "op", 5), Payment("commons", "commons", 1)),
    )
    found = value.capture(
        value.lines(receipt(101, paid, Zone("SWE", "", "Big Inc", "USA"))), {}, "parent"
    )
    amounts = {name: {k: c.amount for k, c in cells.items()} for name, cells in found.by.items()}
    assert found.total == 101
    assert amounts["place"] == {"SWE": 85, UNKNOWN: 16}
    assert amounts["owner"] == {"USA": 85, UNKNOWN: 16}
    assert amounts["layer"] == {"serving": 85, "model": 10, "platform": 5, "commons": 1}
    assert amounts["actor"] == {"Big Inc": 85, "a": 10, "op": 5, "commons": 1}


# Sums ---------------------------------------------------------------------------------


@given(st.lists(LINES, max_size=30), ACTORS, st.sampled_from(value.ENTITIES))
def test_every_table_sums_to_all_lines_and_none_is_dropped(
    lines: list[Line], actors: dict[str, Actor], entity: str
) -> None:
    total = sum(line.amount for line in lines)
    found = value.capture(lines, actors, entity)
    assert found.total == total
    for name in value.DIMENSIONS:
        assert sum(cell.amount for cell in found.by[name].values()) == total, name
    assert sum(cell.amount for cell in value.matrix(lines, actors, entity).values()) == total
    slow = Counter[str]()
    for line in lines:
        at_home = actors[line.account].country if line.account in actors else ""
        slow[(line.country if line.role == "host" and line.country else at_home) or UNKNOWN] += (
            line.amount
        )
    assert {key: cell.amount for key, cell in found.by["place"].items()} == slow


@settings(max_examples=6)
@given(seed=st.integers(0, 1 << 32))
def test_sums_equal_the_prices_of_final_receipts_and_the_ledger(seed: int) -> None:
    """With recounts that correct, receipts that wait, rights that pay, and a second asset."""
    market = Market(seed).run(400)
    books = folds(market)
    assert books.differing() == {}
    receipts = final(market.events)
    for asset in ("credit", "gold"):
        of_asset = [one for one in receipts if one.asset == asset]
        price = sum(one.price for one in of_asset)
        assert books.prices.get(asset, 0) == price
        assert books.receipts.get(asset, 0) == len(of_asset)
        found = value.capture(books.lines(asset), {}, "legal")
        assert {sum(c.amount for c in cells.values()) for cells in found.by.values()} == {price}
        assert found.with_rights == sum(one.price for one in of_asset if one.right)
        earned = Counter[str]()
        for one in of_asset:
            for payment in one.waterfall:
                earned[payment.account] += payment.amount
        assert {key: cell.amount for key, cell in found.by["actor"].items()} == earned


def test_the_generated_markets_have_what_makes_it_hard() -> None:
    market = Market(11).run(900)
    corrected = [ev for ev in market.events if isinstance(ev, e.Finalised) and ev.before]
    receipts = final(market.events)
    assert corrected
    assert any(one.right for one in receipts)
    assert {one.asset for one in receipts} == {"credit", "gold"}
    assert any(isinstance(ev, x.Redeemed) for ev in market.events)
    pending = [ev for ev in market.events if getattr(ev, "receipt", None)]
    assert any(ev.receipt.verdict == "pending" for ev in pending)


def test_the_books_notice_a_ledger_that_is_off_by_one() -> None:
    market = Market(11).run(200)
    books, state = Books(), State()
    for event in market.events:
        changes = moved(state, event)
        if isinstance(event, e.Captured) and not books.receipts:
            changes.append(Posting("host", "credit", 1))
        books.take(event, changes)
    assert books.differing() == {("host", "credit"): 1}


def test_the_read_model_has_the_same_lines_as_the_journal(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    market = Market(11).run(900)
    path = folded(tmp_path_factory.mktemp("views"), market.events)

    async def ask() -> list[dict[str, Any]]:
        views = SqliteViews(path)
        try:
            return await views.rows("captured", asset="credit")
        finally:
            await views.close()

    rows = [convert({**row, "amount": int(row["amount"])}, Line) for row in asyncio.run(ask())]
    ours = folds(market).lines("credit")
    assert sorted(rows, key=structs.astuple) == sorted(ours, key=structs.astuple)


# Countries, owners, leakage ---------------------------------------------------------------


def test_the_registry_says_where_an_account_is_and_who_owns_it() -> None:
    registry = Registry(
        actors=(
            Entity("top", "Top Inc", "USA"),
            Entity("gmbh", "Unter GmbH", "DEU", brand="Unter", accounts=("host",)),
            Entity("authors", "Authors e.V.", "FRA", accounts=("author",)),
        ),
        stakes=(Stake("top", "gmbh", votes_ppm=600_000),),
    )
    actors = value.known(registry)
    assert actors["host"] == Actor("Unter", "DEU", "top", "USA")
    assert actors["author"] == Actor("Authors e.V.", "FRA", "authors", "FRA")
    zone = Zone("SWE", "brand", "claims to be its own", "SWE")
    paid = (Payment("host", "host", 80), Payment("author", "author", 20))
    found = value.capture(value.lines(receipt(100, paid, zone)), actors, "parent")
    assert {key: cell.amount for key, cell in found.by["place"].items()} == {"SWE": 80, "FRA": 20}
    assert {key: cell.amount for key, cell in found.by["owner"].items()} == {"USA": 80, "FRA": 20}
    assert set(found.by["actor"]) == {"top", "authors"}


@given(st.lists(LINES, max_size=30), ACTORS, st.sampled_from(("place", "owner")))
def test_leakage_is_bounded_by_what_is_unknown(
    lines: list[Line], actors: dict[str, Actor], by: str
) -> None:
    leak = value.leakage(lines, actors, "DEU", by)
    assert leak.spent + leak.elsewhere == sum(line.amount for line in lines)
    assert leak.kept + leak.unknown <= leak.spent
    low, high = leak.bounds
    assert 0 <= low <= high <= 1


def test_a_chain_of_known_parts_leaks_exactly_what_leaves_it() -> None:
    paid = (Payment("host", "h", 60), Payment("author", "a", 30), Payment("data", "d", 10))
    actors = {"a": Actor(country="USA"), "d": Actor(country="DEU"), "uni": Actor(country="DEU")}
    lines = list(value.lines(receipt(100, paid, Zone("DEU"))))
    assert value.leakage(lines, actors, "DEU", "place").bounds == pytest.approx((0.3, 0.3))
    assert value.leakage(lines, actors, "DEU", "owner").bounds == (0.0, 1.0)
    others = {**actors, "uni": Actor(country="FRA")}
    assert value.leakage(lines, others, "DEU", "place").elsewhere == 100


def test_value_added_is_bounded_where_purchases_are_unknown() -> None:
    found = value.added({"serving": 100, "model": 40}, {"model": 15})
    assert found == {"serving": (0, 100), "model": (25, 25)}


def test_the_layers_of_2026_have_their_published_shares() -> None:
    revenue = {"semis": 300.0, "infra": 75.0, "apps": 60.0}
    margin = {"semis": 0.766, "infra": 0.55, "apps": 0.33}
    shares = value.gross_profit_shares(revenue, margin)
    assert {name: round(100 * part) for name, part in shares.items()} == {
        "semis": 79,
        "infra": 14,
        "apps": 7,
    }


# What may be published --------------------------------------------------------------------


CELLS = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=2),
    st.builds(Cell, receipts=st.integers(1, 60), amount=st.integers(0, 10**20)),
)


@given(CELLS, st.integers(0, 40), st.booleans())
def test_what_is_published_sums_to_the_table_and_rests_on_k_receipts(
    cells: dict[str, Cell], k: int, apart: bool
) -> None:
    found = publish(cells, k, apart)
    rest = found.rest.amount if found.rest else 0
    assert sum(cell.amount for cell in found.shown.values()) + rest == sum(
        cell.amount for cell in cells.values()
    )
    assert all(cell.receipts >= k for cell in found.shown.values())
    assert len(found.shown) + found.merged == len(cells)
    if found.rest is not None:
        assert found.withheld == (found.rest.receipts < k)
        assert found.withheld or found.merged > 1, "one cell alone could be subtracted"


def test_the_worked_number_of_cells() -> None:
    cells = {n: Cell(n_receipts, 1) for n, n_receipts in zip("abcd", (500, 40, 12, 3), strict=True)}
    found = publish(cells)
    assert (list(found.shown), found.merged, found.withheld) == (["a"], 3, False)
    few = publish({"c": Cell(12, 1), "d": Cell(3, 1)})
    assert (few.shown, few.withheld) == ({}, True)


def test_a_receipt_that_pays_two_accounts_of_a_country_counts_once() -> None:
    paid = (Payment("host", "h", 80), Payment("author", "a", 10), Payment("author", "b", 10))
    actors = {"a": Actor(country="DEU"), "b": Actor(country="DEU")}
    lines = [line for _ in range(7) for line in value.lines(receipt(100, paid, Zone("DEU")))]
    assert value.capture(lines, actors, "legal").by["place"]["DEU"].receipts == 7
