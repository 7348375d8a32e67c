"""Sortition: the same jury for everybody, without favour, and only from a list fixed before."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.core import jury_commands as jc
from allmende.core import jury_events as je
from allmende.core import machine, sortition
from allmende.core.nouns import Member
from allmende.core.refusals import Refused, Why
from allmende.core.sortition import below, draw, list_hash, seats
from allmende.lab.world import World, secret

names = st.sets(st.text("abcdefgh", min_size=1, max_size=4), min_size=1, max_size=30)


def pool(of: set[str] | list[str], strata: str = "") -> sortition.Pool:
    return tuple((name, strata and strata[len(name) % len(strata)]) for name in sorted(of))


@given(names, st.binary(min_size=1, max_size=64), st.randoms(use_true_random=False))
def test_a_draw_knows_no_order_and_takes_nobody_twice(of: set[str], seed: bytes, luck) -> None:  # type: ignore[no-untyped-def]
    listed = pool(of, "xyz")
    mixed = list(listed)
    luck.shuffle(mixed)
    for size in (1, (len(of) + 1) // 2, len(of)):
        jury = draw(listed, size, seed)
        assert jury == draw(tuple(mixed), size, seed)
        assert len(set(jury)) == size
        assert set(jury) <= of


def test_this_draw_never_changes() -> None:
    """The published example of docs/govern.md."""
    listed = pool(["ada", "bo", "cy", "di", "eve", "flo"])
    assert list_hash(listed) == EXAMPLE_LIST
    assert draw(listed, 3, b"\x01" * 32) == EXAMPLE


EXAMPLE_LIST = "ce896ac90c595ed7ccf395921f003ed1c5e4b8035930abb40990531aa2039db3"
EXAMPLE = ("bo", "flo", "eve")


def test_everybody_is_drawn_about_as_often() -> None:
    listed = pool(list("abcdefg"))
    found: Counter[str] = Counter()
    for seed in range(3_000):
        found.update(draw(listed, 3, seed.to_bytes(4)))
    assert all(1_150 < count < 1_420 for count in found.values())  # 1,286 each, by five sigma


def test_numbers_that_would_favour_somebody_are_thrown_away() -> None:
    top = (1 << 256) - 1
    assert (1 << 256) % 3 == 1, "the very last number would make 0 more likely"
    assert below(3, iter([top, 5])) == 2
    assert below(4, iter([top])) == 3


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 50), min_size=1), st.data())
def test_seats_are_in_proportion(sizes: dict[str, int], data: st.DataObject) -> None:
    total = sum(sizes.values())
    size = data.draw(st.integers(1, total))
    found = seats(sizes, size)
    assert sum(found.values()) == size
    for stratum, count in sizes.items():
        assert size * count // total <= found[stratum] <= min(count, -(-size * count // total))


def test_a_jury_is_called_drawn_once_and_drawn_again_by_anybody() -> None:
    world = World()
    world.do(jc.CallJury(size=2, source="hash of block 7", by_kind=True))
    world.do(machine_member())
    done = world.do(jc.DrawJury(id="jury-1", seed="0x" + "ab" * 32))
    (called,) = (event for event in world.events if isinstance(event, je.JuryCalled))
    assert isinstance(done[0], je.JuryDrawn)
    assert done[0].drawn == draw(called.jury.pool, 2, bytes.fromhex("ab" * 32))
    assert done[0].list_sha256 == called.list_sha256 == list_hash(called.jury.pool)
    assert "late" not in dict(called.jury.pool)
    assert not {"rhine", "nordic", "house"} & set(dict(called.jury.pool))
    assert world.refuse(jc.DrawJury(id="jury-1", seed="ab")).why is Why.NOT_FOUND
    assert machine.digest(machine.replay(world.events)) == machine.digest(world.state)


def machine_member() -> machine.c.AddMember:
    return machine.c.AddMember(member=Member("late", "Late", "person"))


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"size": 0}, Why.BAD_VALUE),
        ({"size": 99}, Why.BAD_VALUE),
        ({"source": " "}, Why.BAD_VALUE),
        ({"source": "two\nlines"}, Why.BAD_VALUE),
        ({"strata": (("ada", "DEU"), ("ada", "FRA"))}, Why.BAD_VALUE),
        ({"strata": (("rhine", "DEU"),)}, Why.BAD_VALUE),
        ({"strata": (("nobody", "DEU"),)}, Why.NOT_FOUND),
        ({"strata": (("ada", "DEU"),), "by_kind": True}, Why.BAD_VALUE),
        ({"by": "f" * 64}, Why.UNKNOWN_KEY),
    ],
)
def test_a_bad_call_changes_nothing(asked: dict[str, object], why: Why) -> None:
    fields: dict[str, object] = {"size": 1, "source": "block 7", **asked}
    assert World().refuse(jc.CallJury(**fields)).why is why  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", ["", "0x", "abc", "zz", "ab" * 65, "a b "])
def test_a_seed_that_is_none_is_refused(seed: str) -> None:
    world = World()
    strata = (("ada", "DEU"), ("uni", "FRA"), ("coop", "FRA"))
    world.do(jc.CallJury(size=2, source="block 7", strata=strata))
    assert world.refuse(jc.DrawJury(id="jury-1", seed=seed)).why is Why.BAD_VALUE
    done = world.do(jc.DrawJury(id="jury-1", seed="00"))
    assert isinstance(done[0], je.JuryDrawn)
    assert len(done[0].drawn) == 2


def test_only_an_operator_calls() -> None:
    world = World()
    with pytest.raises(Refused) as told:
        world.do(jc.CallJury(size=1, source="x", by=secret("dean")))
    assert told.value.why is Why.NOT_ALLOWED
