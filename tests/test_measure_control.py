"""Control: who has the say, through however many others, and a slow obvious model beside it."""

from __future__ import annotations

from datetime import date
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from allmende.adapters.rules import rules
from allmende.core.actors import Actor, Registry, Stake, Supply
from allmende.core.holdings import HALF
from allmende.measure.control import Control, behind
from allmende.measure.flags import flags


def registry(*stakes: tuple[str, str, int] | tuple[str, str, int, bool], **where: str) -> Registry:
    """Companies that the stakes name, each in DEU unless `where` says otherwise."""
    names = sorted({name for stake in stakes for name in stake[:2]} | set(where))
    return Registry(
        tuple(Actor(name, name.title(), where.get(name, "DEU")) for name in names),
        tuple(Stake(h, e, votes * 10_000, contract=bool(c)) for h, e, votes, *c in stakes),
    )


def test_joint_holdings_are_summed_and_carried_on() -> None:
    control = Control(registry(("top", "mid", 60), ("mid", "leaf", 30), ("top", "leaf", 21)))
    assert control.ultimate("leaf") == "top"
    assert control.controllers("leaf") == ("top",)
    (link,) = control.chain("top", "leaf")[-1:]
    assert (link.votes_ppm, set(link.through)) == (510_000, {"top", "mid"})


def test_a_chain_tells_the_step_of_every_hand() -> None:
    stakes = (("top", "inc", 58), ("inc", "bv", 60), ("inc", "leaf", 21), ("bv", "leaf", 30))
    steps = Control(registry(*stakes)).chain("top", "leaf")
    assert [step.entity for step in steps] == ["inc", "bv", "leaf"]
    assert steps[-1].through == ("inc", "bv")


def test_half_of_the_votes_is_no_control_and_a_contract_is() -> None:
    assert Control(registry(("a", "b", 50))).ultimate("b") == "b"
    assert Control(registry(("a", "b", 51))).ultimate("b") == "a"
    assert Control(registry(("a", "b", 0, True))).ultimate("b") == "a"


def test_where_contract_and_votes_differ_both_reach_and_the_votes_come_first() -> None:
    control = Control(registry(("a", "x", 0, True), ("b", "x", 60), a="USA", b="DEU", x="FRA"))
    assert control.ultimates("x") == ("b", "a")
    assert control.reach("USA") == {"a": ("a",), "x": ("a",)}
    assert set(control.reach("DEU")) == {"b", "x"}


def test_a_cycle_of_control_ends_and_has_one_name() -> None:
    control = Control(registry(("b", "a", 60), ("a", "b", 60), ("b", "c", 60)))
    assert [control.ultimate(x) for x in "abc"] == ["a", "a", "a"]
    orphan = Control(registry(("a", "b", 60), ("a", "c", 60), ("b", "a", 30), ("c", "a", 30)))
    assert "a" in orphan.controlled("a")
    assert orphan.ultimate("b") == "a"


STAKES = st.lists(
    st.tuples(
        st.sampled_from("abcdef"),
        st.sampled_from("abcdef"),
        st.sampled_from([10, 21, 30, 50, 51, 60]),
        st.sampled_from([False, False, False, True]),
    ).filter(lambda stake: stake[0] != stake[1]),
    max_size=14,
    unique_by=lambda stake: stake[:2],
)


def obvious(found: Registry, top: str) -> set[str]:
    """Go over all entities again and again until a whole round adds none."""
    mine: set[str] = set()
    while True:
        more = set()
        for entity in (actor.id for actor in found.actors):
            stakes = [s for s in found.stakes if s.entity == entity and s.holder in mine | {top}]
            if sum(s.votes_ppm for s in stakes) > HALF or any(s.contract for s in stakes):
                more.add(entity)
        if more <= mine:
            return mine
        mine |= more


@given(STAKES)
def test_control_is_what_the_obvious_model_says(stakes: list[tuple[str, str, int, bool]]) -> None:
    found = registry(*stakes)
    control = Control(found)
    mine = {actor.id: obvious(found, actor.id) for actor in found.actors}
    assert {top: set(control.controlled(top)) for top in mine} == mine
    for entity in mine:
        tops = control.ultimates(entity)
        assert tops
        for top in tops:
            assert top == entity or entity in mine[top]
            # whoever controls the top is in a cycle with it
            assert all(a in mine[top] for a in mine if top in mine[a])
            steps = control.chain(top, entity)
            assert [step.entity for step in steps][-1:] == ([entity] if top != entity else [])


@given(STAKES)
def test_law_reaches_down_and_never_up(stakes: list[tuple[str, str, int, bool]]) -> None:
    found = registry(*stakes, a="USA")
    control = Control(found)
    reached = control.reach("USA")
    assert set(reached) == {"a"} | (obvious(found, "a") & {actor.id for actor in found.actors})
    for top, entity in product(reached, reached):
        if entity in control.controlled(top):
            assert "a" in reached[entity]


def test_an_offer_has_a_parent_by_registry_else_by_its_own_word_else_by_nobodys() -> None:
    found = registry(("big", "cloudy", 100), big="USA")
    actors = [a if a.id != "cloudy" else Actor("cloudy", "Cloudy", "DEU", accounts=("c",))
              for a in found.actors]  # fmt: skip
    supplies = (
        Supply("actor", "cloudy", "chip", "big"),
        Supply("provider", "c", "network", "AEC-1"),
        Supply("offer", "c1", "network", "AEC-2"),
    )
    control = Control(Registry(tuple(actors), found.stakes, supplies))
    zone = {"country": "DEU", "operator": "", "parent": "", "parent_country": ""}
    offers = [
        {"id": "c1", "provider": "c", "zone": zone},
        {"id": "c2", "provider": "c", "zone": zone},
        {"id": "n", "provider": "n", "zone": {**zone, "parent": "N", "parent_country": "SWE"}},
        {"id": "o", "provider": "o", "zone": zone},
    ]
    first, second, third, last = behind(control, offers)
    assert (first.parent, first.control, first.basis) == ("big", ("DEU", "USA"), "registry")
    assert (first.chips, first.cables, second.cables) == (("big",), ("AEC-2",), ("AEC-1",))
    assert (third.parent, third.control, third.basis) == ("N", ("SWE",), "declared")
    assert (last.parent, last.control, last.basis) == ("o", (), "unknown")


def test_soft_flags_are_above_24_and_39_per_cent_and_change_no_control() -> None:
    day = date(2026, 11, 20)
    rule, inside = rules("fr/secnumcloud", day), rules("eu/members", day).values["countries"]

    def shown(one: int, other: int) -> tuple[bool, bool]:
        stakes = (Stake("a", "x", one), Stake("b", "x", 0, other), Stake("c", "x", 300_000))
        actors = (Actor("a", "A", "USA"), Actor("b", "B", "DEU"), Actor("o", "O", "CHN"),
                  Actor("c", "C", "FRA"), Actor("x", "X", "DEU"))  # fmt: skip
        control = Control(Registry(actors, (*stakes, Stake("o", "b", 600_000))))
        found = flags(control, "x", inside, rule)
        assert control.ultimate("x") == "x"
        assert found.together_ppm == one + other
        assert found.open == (not (found.alone and found.together))
        return found.alone, found.together

    assert shown(240_000, 150_000) == (False, False)
    assert shown(240_001, 100_000) == (True, False)
    assert shown(200_000, 190_001) == (False, True), "B counts: it is controlled from China"
