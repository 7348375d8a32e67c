"""`allmende federation`: what an operator and a member type, against two served markets."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner
from federated import Town, settle, towns

from allmende.cli import main
from allmende.core.units import CREDIT


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Town]]:
    with towns(tmp_path_factory.mktemp("pair"), "a", "b") as found:
        yield found


def run(town: Town, *words: str, code: int = 0, key: str = "") -> str:
    """What the command says to whoever holds `key`, the operator's unless another is given."""
    whole = ["federation", *words, "--url", town.url, "--key", key or town.admin]
    done = CliRunner().invoke(main, whole)
    assert done.exit_code == code, done.output
    return done.output


def add(town: Town, other: Town, limit: str) -> str:
    terms = ("--public-key", other.public_key, "--at", other.url, "--limit", limit)
    return run(town, "peer", "add", other.id, *terms, "--allow-private")


def test_two_operators_and_a_member_type_a_transfer(pair: list[Town]) -> None:
    a, b = pair
    assert "No peers yet" in run(a, "peer", "list")
    assert "line of 20 credits" in add(a, b, "20")
    assert "has not said" in run(a, "send", "uni", "b", "uni", "1", code=1, key=a.uni)
    add(b, a, "20")
    run(a, "look")
    said = run(a, "send", "uni", "b", "uni", "7", key=a.uni)
    assert said == "7 credit are on their way from uni to uni at b.\n"
    assert "lots of december" in run(
        a, "send", "host", "b", "uni", "--asset", "december", "--lots", "2", key=a.host
    )
    settle(a, b)
    assert b.balance("uni", "credit@a") == 7 * CREDIT
    assert "Nothing is on its way" in run(a, "list")
    (row,) = json.loads(run(b, "peer", "list", "--json"))
    assert (row["drawn"], row["agrees"]) == ("9", True)
    assert "one history" in run(b, "peer", "list")
    assert "itself" in run(b, "heads")
    assert json.loads(run(b, "heads", "--json"))["takes"] == [a.public_key]
    for town in pair:
        assert CliRunner().invoke(main, ["audit", "--data", str(town.data)]).exit_code == 0


def test_what_cannot_be_done_is_said(pair: list[Town]) -> None:
    a, b = pair
    add(a, b, "20")
    add(b, a, "20")
    assert "AMOUNT" in run(a, "send", "uni", "b", "uni", code=2)
    assert "split view" in run(a, "return", "b", "1", code=1)
    assert "suspended" in run(a, "peer", "suspend", "b")
    assert "suspended" in run(a, "peer", "list")
    assert "suspended" in run(a, "send", "uni", "b", "uni", "1", code=1)
    run(a, "peer", "resume", "b")
    assert "No peer 'x'" in run(a, "peer", "remove", "x", code=1)
    assert "needs an operator's key" in run(a, "look", code=1, key=a.uni)
