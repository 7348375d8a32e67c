"""Wallets, permits and movements to and from a chain, against the state and the naive sums."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from test_views_fold import dump, folded
from test_views_queries import Asker
from views_history import RICH, WALLETS, Market

from allmende.core import custody_events as w
from allmende.core import events as e
from allmende.core.custody import CHAIN
from allmende.lab import model_custody

MARKET = Market(1).run(1_500)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folded(tmp_path_factory.mktemp("views"), MARKET.events, group=100)


@pytest.fixture(scope="module")
def views(path: Path) -> Asker:
    return Asker(path)


def of(kind: type) -> list[Any]:
    return [event for event in MARKET.events if isinstance(event, kind)]


def test_the_history_has_all_that_is_asked_about() -> None:
    counted = Counter(type(event) for event in MARKET.events)
    kinds = (w.WalletLinked, w.PermitGranted, w.PermitEnded, w.Vouched, w.VaultFollowed)
    rights = (w.RightsWrapped, w.WrapEnded, w.RightsUnwrapped, w.WalletsCut)
    assert all(counted[kind] for kind in (*kinds, *rights))
    assert any(event.back for event in of(w.WrapEnded))
    assert any(event.requested < 0 for event in of(w.VaultFollowed))
    model_custody.agree(MARKET.state, MARKET.events)


def test_wallets_are_those_that_are_linked(views: Asker) -> None:
    rows = {row["member"]: row["address"] for row in views("wallets")}
    assert rows == WALLETS == {m: wallet.address for m, wallet in MARKET.state.wallets.items()}
    assert [row["member"] for row in views("wallets", address=WALLETS["host"])] == ["host"]


def test_live_permits_are_the_lanes_of_the_state(views: Asker) -> None:
    lanes = {
        (member, number): lane
        for member, wallet in MARKET.state.wallets.items()
        for number, lane in wallet.lanes.items()
        if not lane.ended
    }
    rows = {(row["member"], row["lane"]): row for row in views("permits", live=1)}
    assert rows.keys() == lanes.keys()
    for place, lane in lanes.items():
        row, permit = rows[place], lane.permit
        assert (row["limit"], row["vouched"]) == (str(permit.limit), str(lane.vouched))
        assert (row["base"], row["budget"]) == (str(lane.base), lane.budget)
        assert (row["expires"], row["key"]) == (permit.expires, permit.key)
        assert row["models"] == list(permit.models)


def test_every_permit_has_a_row_that_ends_once(views: Asker) -> None:
    rows = views("permits")
    assert len(rows) == len(of(w.PermitGranted))
    assert all(row["ended"] is None or row["ended"] <= MARKET.state.now for row in rows)
    assert len(views("permits", member="a", lane=1)) > 1
    assert views("permits", accounts={"host"}) == views("permits", member="host")


def test_budgets_of_sessions_allow_what_was_signed(views: Asker) -> None:
    rows = {row["id"]: row for row in views("budgets")}
    assert rows.keys() == MARKET.state.budgets.keys()
    for id_, node in MARKET.state.budgets.items():
        assert rows[id_]["limit"] == (None if node.limit is None else str(node.limit))
        assert (rows[id_]["parent"], rows[id_]["name"]) == (node.parent, node.name)


def test_movements_are_every_move_with_its_name(views: Asker) -> None:
    moved = (w.VaultFollowed, w.RightsWrapped, w.WrapEnded, w.RightsUnwrapped)
    expected = [
        (number, *told(event))
        for number, event in enumerate(MARKET.events, 1)
        if isinstance(event, moved) and event.postings
    ]
    kinds = {kind for _, kind, *_ in expected}
    assert kinds == {
        *("paid_in", "taken_out", "contested", "wrapped", "wrap_returned", "unwrapped")
    }
    names = ("number", "kind", "source", "target", "asset", "amount", "reference")
    rows = [row for row in views("movements", limit=1_000) if row["kind"] in kinds]
    assert [tuple(row[name] for name in names) for row in reversed(rows)] == expected


def told(event: Any) -> tuple[str, ...]:
    """Kind, from, to, of what, how much, and what names it."""
    if isinstance(event, w.RightsWrapped):
        wrap = event.wrap
        return "wrapped", wrap.account, CHAIN, wrap.instrument, str(wrap.grains), wrap.to
    if isinstance(event, w.WrapEnded):
        _, back = event.back
        return "wrap_returned", CHAIN, back.account, back.asset, str(back.amount), event.id
    if isinstance(event, w.RightsUnwrapped):
        what = (CHAIN, event.account, event.instrument, str(event.grains), event.reference)
        return "unwrapped", *what
    member, address = event.member, WALLETS[event.member]
    if event.requested > 0:
        return "taken_out", member, event.issuer, "credit", str(event.requested), address
    kind, amount = (
        ("contested", -event.requested) if event.requested else ("paid_in", event.deposited)
    )
    return kind, event.issuer, member, "credit", str(amount), address


def test_movements_sum_to_what_wallets_were_followed(views: Asker) -> None:
    for member, wallet in MARKET.state.wallets.items():
        rows = views("movements", account=member, asset="credit", limit=1_000)
        sums: Counter[str] = Counter()
        for row in rows:
            sums[row["kind"]] += int(row["amount"])
        assert sums["paid_in"] == wallet.deposited
        assert sums["taken_out"] - sums["contested"] == wallet.requested
    deposits = sum(event.amount for event in of(e.Deposited))
    assert deposits >= RICH


def test_no_key_and_no_signature_is_in_the_tables(path: Path) -> None:
    text = "\n".join(dump(path))
    for private in ("'sealed'", "a signature", "its own"):
        assert private not in text
