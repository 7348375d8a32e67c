"""Federated markets, served: credit and rights go there and come back, exactly once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from federated import Town, befriend, settle, towns

from allmende.core.contracts import LOT
from allmende.core.units import CREDIT


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Town]]:
    with towns(tmp_path_factory.mktemp("pair"), "a", "b") as found:
        befriend(*found)
        yield found


def test_credit_and_rights_go_there_and_come_back(pair: list[Town]) -> None:
    a, b = pair
    before = a.balance("uni"), a.balance("host", "december")
    assert a.send("uni", b, "uni", "5").status == 200
    assert a.send("host", b, "uni", "", asset="december", lots="2.5").status == 200
    settle(a, b)
    assert b.balance("uni", "credit@a") == 5 * CREDIT
    assert b.balance("uni", "december@a") == 5 * LOT // 2
    assert a.balance("federation/b") == 5 * CREDIT
    assert b.send("uni", a, "uni", "5", asset="credit@a").status == 200
    assert b.send("uni", a, "host", "", asset="december@a", lots="2.5").status == 200
    settle(a, b)
    assert (a.balance("uni"), a.balance("host", "december")) == before
    assert not any(b.state.balances["credit@a"].values())
    assert not any(b.state.balances["december@a"].values())
