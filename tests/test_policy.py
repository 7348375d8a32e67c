"""What callers demand, from header and body, exactly or not at all."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.core.book import ANYTHING
from allmende.core.nouns import Policy
from allmende.core.refusals import Refused, Why
from allmende.doors import policy

TABLE: list[tuple[str, dict[str, Any], Policy]] = [
    ("max-price=2.5", {"max_price": "2.5"}, Policy(max_rate=2_500_000)),
    ("max-price=0", {"max_price": 0}, Policy(max_rate=0)),
    ("max-cost=0.01", {"max_cost": 0.01}, Policy(max_cost=10_000_000_000)),
    ("max-grams=0.5", {"max-grams": "0.5"}, Policy(max_ug=500_000)),
    ("zones=DEU, fra", {"zones": ["DEU", "FRA"]}, Policy(zones=("DEU", "FRA"))),
    ("not-zones=USA", {"not_zones": "USA"}, Policy(not_zones=("USA",))),
    ("control=deu,Big Corp", {"control": ["DEU", "Big Corp"]}, Policy(control=("DEU", "Big Corp"))),
    ("not-control=USA", {"not_control": "usa"}, Policy(not_control=("USA",))),
    ("providers=a,b", {"providers": "a,b"}, Policy(providers=("a", "b"))),
    ("pay=december,january", {"pay": ["december", "january"]},
     Policy(pay=("december", "january"))),
    ("order=a,b;sort=carbon", {"order": ["a", "b"], "sort": "carbon"},
     Policy(order=("a", "b"), sort="carbon")),
]  # fmt: skip


@pytest.mark.parametrize(("header", "field", "expected"), TABLE)
def test_header_and_field_say_the_same(
    header: str, field: dict[str, Any], expected: Policy
) -> None:
    assert policy.read(header.encode(), b"") == expected
    assert policy.read(b"", json.dumps(field).encode()) == expected


@pytest.mark.parametrize(("header", "field"), [(b"", b""), (b"", b"null"), (b" ; ", b"{}")])
def test_no_demand_is_the_very_object_that_the_book_skips(header: bytes, field: bytes) -> None:
    assert policy.read(header, field) is ANYTHING


def test_the_body_stands_where_both_name_a_demand() -> None:
    found = policy.read(b"max-price=9; zones=DEU", b'{"max_price":"1"}')
    assert found == Policy(max_rate=1_000_000, zones=("DEU",))


def test_a_limit_between_two_pico_is_cut_down() -> None:
    assert policy.read(b"max-price=0.0000019", b"").max_rate == 1
    assert policy.read(b"max-grams=0.0000009", b"").max_ug == 0


def test_numbers_in_json_are_read_as_written_not_as_floats() -> None:
    found = policy.read(b"", b'{"max_cost": 0.100000000001, "max_price": 1e-1}')
    assert found == Policy(max_cost=100_000_000_001, max_rate=100_000)


@pytest.mark.parametrize(
    "header",
    [
        "max-prise=1", "max-price", "max-price=", "max-price=-1", "max-price=NaN",
        "max-price=1,2", "max-price=1;max-price=2", "max-price=0.0000000000001",
        "zones=", "zones=DEU,,FRA", "zones=Germany", "zones=D3U", "sort=speed",
        "providers=", "=1", "max-cost=Infinity", "zones=" + "DEU," * 64 + "FRA",
        "max-price=1e99999999999",
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused_not_dropped(header: str) -> None:
    with pytest.raises(Refused) as refused:
        policy.read(header.encode(), b"")
    assert refused.value.why is Why.BAD_VALUE


@pytest.mark.parametrize(
    "field",
    [
        b"[]", b'"zones=DEU"', b"7", b'{"zones":{}}', b'{"zones":[1]}', b'{"zones":true}',
        b'{"what":1}', b'{"max_price":[]}', b'{"zones":[]}', b'{"zones":""}', b'{"max_cost":"x"}',
    ],
)  # fmt: skip
def test_so_is_a_field_of_another_shape(field: bytes) -> None:
    with pytest.raises(Refused) as refused:
        policy.read(b"", field)
    assert refused.value.why is Why.BAD_VALUE


def test_a_refusal_lists_what_is_known() -> None:
    with pytest.raises(Refused, match="max-price, max-cost, max-grams, zones"):
        policy.read(b"colour=green", b"")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)
NAMES = st.sampled_from([*policy.DEMANDS, "max_price", "other", ""])


@given(st.binary() | st.text("abcDEU-_=;,. 0123456789").map(str.encode))
def test_any_header_is_a_policy_or_a_refusal(header: bytes) -> None:
    found = _read(header, b"")
    assert isinstance(found, Policy) or found is Why.BAD_VALUE


@given(st.dictionaries(NAMES, JSON, max_size=4))
def test_any_field_is_a_policy_or_a_refusal(field: dict[str, Any]) -> None:
    found = _read(b"", json.dumps(field).encode())
    assert isinstance(found, Policy) or found is Why.BAD_VALUE
    if isinstance(found, Policy):
        assert all(limit is None or limit >= 0 for limit in (found.max_rate, found.max_cost))


def _read(header: bytes, field: bytes) -> Policy | Why:
    try:
        return policy.read(header, field)
    except Refused as refused:
        return refused.why


SEALS: list[tuple[str, dict[str, Any], Policy]] = [
    ("min-seal=SOV-3:3,sov-1:2", {"min_seal": {"SOV-1": 2, "SOV-3": 3}},
     Policy(min_seal=(("SOV-1", 2), ("SOV-3", 3)))),
    ("min-seal=2", {"min_seal": 2},
     Policy(min_seal=tuple((f"SOV-{number}", 2) for number in range(1, 9)))),
    ("max-exposure=US:1,deu:E0", {"max_exposure": ["USA:E1", "DEU:0"]},
     Policy(max_exposure=(("DEU", 0), ("US", 1)))),
    ("max-kill-switch=us:0", {"max-kill-switch": "US:0"}, Policy(max_kill_switch=(("US", 0),))),
]  # fmt: skip


@pytest.mark.parametrize(("header", "field", "expected"), SEALS)
def test_sovereignty_is_demanded_per_objective_and_per_regime(
    header: str, field: dict[str, Any], expected: Policy
) -> None:
    assert policy.read(header.encode(), b"") == expected
    assert policy.read(b"", json.dumps(field).encode()) == expected


@pytest.mark.parametrize(
    "header",
    [
        *("min-seal=", "min-seal=5", "min-seal=SOV-9:1", "min-seal=SOV-1", "min-seal=SOV-1:-1"),
        *("min-seal=SOV-1:1,SOV-1:2", "min-seal=1,2", "min-seal=1.5", "max-exposure=US"),
        *("max-exposure=US:4", "max-exposure=1", "max-exposure=XXX:1", "max-exposure=US:1,USA:2"),
        *("max-kill-switch=US:3", "max-kill-switch=:1", "max-kill-switch=US:99999"),
    ],
)
def test_a_floor_that_is_not_understood_is_refused(header: str) -> None:
    with pytest.raises(Refused, match="Policy:") as refused:
        policy.read(header.encode(), b"")
    assert refused.value.why is Why.BAD_VALUE
