"""The truth table of exposure: control and not place, and learning more only narrows it."""

from __future__ import annotations

import string
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.adapters.rules import all_rules, rules
from allmende.core.actors import ACCESS, Actor, Registry, Stake, Supply
from allmende.core.holdings import HALF
from allmende.measure.control import Control
from allmende.measure.exposure import EXPOSES, STOPS, Proposal, facts, law, propose
from allmende.measure.exposure_facts import union_facts
from allmende.measure.exposure_words import LANGUAGES, SENTENCES

US, CN, FR = (law(country, all_rules()) for country in ("USA", "CHN", "FRA"))
ACTORS = (
    Actor("gmbh", "Rechenzentrum GmbH", "DEU", accounts=("p",)),
    Actor("inc", "Big Inc", "USA"),
    Actor("soft", "Soft Inc", "USA"),
    Actor("chips", "Chips Inc", "USA"),
    Actor("stiftung", "Stiftung", "DEU", form="foundation"),
    Actor("trust", "Key Trust SE", "FRA", form="foundation"),
    Actor("east", "East Ltd", "CHN"),
)
NONE = ("cloud", "subprocessor", "software", "chip")
OWN = (Stake("stiftung", "gmbh", 1_000_000),)
"""Held by a foundation alone: nothing is hidden."""


def given_by(
    *supplies: tuple[str, str, str] | tuple[str, str],
    stakes: tuple[Stake, ...] = OWN,
    actors: tuple[Actor, ...] = ACTORS,
) -> Control:
    """A registry in which the offer has these supplies (layer, supplier, access), and where no
    row names one of a layer, "none" does."""
    rows = [Supply("provider", "p", *row) for row in supplies]
    told = {row.layer for row in rows}
    rows += [Supply("provider", "p", layer, "none") for layer in NONE if layer not in told]
    return Control(Registry(actors, stakes, tuple(rows)))


def proposed(control: Control, under: Any = US, place: str = "DEU", **zone: str) -> Proposal:
    full = {"country": place, "operator": "", "parent": "", "parent_country": "", **zone}
    return propose(control, facts(control, {"id": "o", "provider": "p", "zone": full}), under)


US_OWNED = (Stake("inc", "gmbh", 1_000_000),)
KEYS, TEE = ("keys", "customer"), ("enclave", "customer")
TABLE: dict[str, tuple[Control, int, int]] = {
    "nobody within reach": (given_by(), 0, 0),
    "machines in Germany, parent in the USA": (given_by(stakes=US_OWNED), 3, 2),
    "a US parent by contract alone":
        (given_by(stakes=(*OWN, Stake("inc", "gmbh", contract=True))), 3, 2),
    "half of the votes is no control":
        (given_by(stakes=(Stake("inc", "gmbh", HALF), Stake("stiftung", "gmbh", HALF))), 0, 0),
    "US software with the update path only": (given_by(("software", "soft", "updates")), 1, 1),
    "US software that reads contents": (given_by(("software", "soft", "data")), 3, 1),
    "US software without an update path": (given_by(("software", "soft", "none")), 0, 0),
    "US chips: no reading, but drivers and licences": (given_by(("chip", "chips", "none")), 0, 1),
    "a US cloud below, that reads": (given_by(("cloud", "inc", "data")), 3, 2),
    "a US operator by contract": (given_by(("operator", "inc", "data")), 3, 2),
    "a US subprocessor without contents": (given_by(("subprocessor", "inc", "none")), 1, 1),
    "US parent, keys at the customer, attested machine":
        (given_by(KEYS, TEE, stakes=US_OWNED), 2, 2),
    "US parent, keys at the customer, nothing attested": (given_by(KEYS, stakes=US_OWNED), 3, 2),
    "US parent, attested machine, keys its own": (given_by(TEE, stakes=US_OWNED), 3, 2),
    "US parent, keys at a French trust, attested to the customer":
        (given_by(("keys", "trust"), TEE, stakes=US_OWNED), 2, 2),
    "US parent, keys at another US company":
        (given_by(("keys", "soft"), TEE, stakes=US_OWNED), 3, 2),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_the_truth_table(name: str) -> None:
    control, exposure, kill = TABLE[name]
    found = proposed(control)
    assert (found.exposure, found.kill_switch) == ((exposure, exposure), (kill, kill))
    for place in ("DEU", "USA", "SGP"):
        assert proposed(control, place=place)[2:4] == found[2:4], "the place decides nothing"


def test_the_same_engine_serves_every_country() -> None:
    control = given_by(stakes=(Stake("east", "gmbh", 510_000), Stake("stiftung", "gmbh", 490_000)))
    assert proposed(control, CN).exposure == (3, 3)
    assert proposed(control, US).exposure == (0, 3), "nobody told who holds East Ltd"
    assert "Intelligence Law" in CN.names["en"]
    assert FR.names["de"] == "das Recht von FRA"


def test_control_comes_through_any_chain_and_the_chain_is_told() -> None:
    actors = (*ACTORS, Actor("bv", "Holding BV", "NLD"))
    stakes = (Stake("inc", "bv", 600_000), Stake("bv", "gmbh", 300_000),
              Stake("inc", "gmbh", 210_000))  # fmt: skip
    found = proposed(given_by(stakes=stakes, actors=actors))
    assert found.exposure == (3, 3)
    said = found.sentences()
    assert "Big Inc (USA) has 60 % of the votes of Holding BV." in said
    told = "Big Inc (USA) has, with Holding BV, which it controls, 51 % of the votes of "
    assert any(text.startswith(told) for text in said)
    assert said[0].startswith("o is processed in DEU. That decides nothing: the CLOUD Act")
    assert said[-1].endswith("It counts only once a named person has signed an assessment.")
    german = found.reasoning("de")
    assert "Big Inc (USA) hat 60 % der Stimmen von Holding BV." in german
    assert "E3: ein Betreiber in Reichweite kann Inhalte lesen" in german


def test_votes_that_nobody_told_of_bound_it_and_are_named() -> None:
    hidden = given_by(stakes=(Stake("stiftung", "gmbh", 490_000),))
    found = proposed(hidden)
    assert (found.exposure, found.kill_switch) == ((0, 3), (0, 2))
    assert "Of 51 % of the votes of Rechenzentrum GmbH (provider) nobody told" in found.reasoning()
    shown = given_by(stakes=(Stake("stiftung", "gmbh", 500_000),))
    assert proposed(shown).exposure == (0, 0)
    both = given_by(stakes=(Stake("stiftung", "gmbh", 300_000), Stake("inc", "gmbh", 400_000)))
    assert proposed(both).exposure == (0, 3), "30 % more would be a majority"


def test_silence_is_not_none() -> None:
    control = Control(Registry(ACTORS, OWN))
    found = proposed(control)
    assert (found.exposure, found.kill_switch) == ((0, 3), (0, 2))
    assert found.reasoning().count("Nobody told of its") == 4


def test_who_is_not_registered_is_taken_at_his_word_only_where_it_is_against_him() -> None:
    empty = Control(Registry(ACTORS[1:], ()))
    assert proposed(empty, parent_country="USA").exposure == (3, 3)
    german = proposed(empty, parent_country="DEU")
    assert (german.exposure, german.grade) == ((0, 3), "declared")
    assert "nobody has checked that" in german.reasoning()
    assert "does not say who controls it" in proposed(empty).reasoning()


def test_an_offer_that_says_otherwise_than_the_registry_is_told() -> None:
    found = proposed(given_by(stakes=US_OWNED), parent_country="SWE")
    assert "p says that it is controlled from SWE; the registry does not." in found.sentences()


def test_the_weakest_row_grades_the_result() -> None:
    stakes = (Stake("inc", "gmbh", 1_000_000, grade="seen"),)
    seen = tuple(Actor(a.id, a.name, a.jurisdiction, accounts=a.accounts, form=a.form, grade="seen")
                 for a in ACTORS)  # fmt: skip
    assert proposed(given_by(stakes=stakes, actors=seen)).grade == "seen"
    assert proposed(given_by(stakes=US_OWNED, actors=seen)).grade == "memory"


SUPPLIES = st.lists(
    st.tuples(
        st.sampled_from([*NONE, "keys", "enclave", "operator"]),
        st.sampled_from(["inc", "soft", "stiftung", "trust"]),
        st.sampled_from(ACCESS),
    ),
    max_size=6,
    unique_by=lambda row: row[:2],
)  # fmt: skip
SHARES = st.dictionaries(st.sampled_from(["inc", "stiftung", "east"]), st.integers(1, 33))


@given(SUPPLIES, SHARES, st.sampled_from([US, CN, FR]))
def test_every_result_is_a_range_with_reasons_in_both_languages(
    supplies: list[tuple[str, str, str]], shares: dict[str, int], under: Any
) -> None:
    stakes = tuple(Stake(h, "gmbh", ppm * 10_000) for h, ppm in shares.items())
    found = proposed(given_by(*supplies, stakes=stakes), under)
    for low, high in (found.exposure, found.kill_switch):
        assert 0 <= low <= high <= 3
    for language in LANGUAGES:
        told = found.sentences(language)
        assert len(told) == len(found.steps) >= 4
        assert not any("{" in text for text in told)


@given(SUPPLIES, SHARES, st.sampled_from(["inc", "stiftung", "east"]))
def test_learning_who_holds_the_rest_only_narrows_it(
    supplies: list[tuple[str, str, str]], shares: dict[str, int], last: str
) -> None:
    partly = {h: ppm * 10_000 for h, ppm in shares.items() if h != last}
    whole = {**partly, last: 1_000_000 - sum(partly.values())}
    control, more = (
        given_by(*supplies, stakes=tuple(Stake(h, "gmbh", v) for h, v in found.items()))
        for found in (partly, whole)
    )
    before, after = proposed(control), proposed(more)
    for (low, high), (lower, higher) in zip(before[2:4], after[2:4], strict=True):
        assert low <= lower <= higher <= high


def test_what_the_registry_says_of_the_unions_conditions() -> None:
    inside = rules("eu/members", date(2026, 11, 20)).values["countries"]

    def known(control: Control, place: str = "DEU") -> list[bool | None]:
        zone = {"country": place, "operator": "", "parent": "", "parent_country": ""}
        told = facts(control, {"id": "o", "provider": "p", "zone": zone})
        return list(union_facts(control, told, inside).values())

    assert known(given_by()) == [True, True, True, True]
    assert known(given_by(), "USA") == [True, False, True, True]
    assert known(given_by(stakes=US_OWNED)) == [True, True, False, False]
    assert known(given_by(("software", "soft", "updates"))) == [True, True, True, False]
    assert known(given_by(stakes=())) == [True, True, None, None]
    assert known(Control(Registry(ACTORS, OWN))) == [True, True, True, None]
    assert known(Control(Registry(ACTORS[1:]))) == [None, True, None, None]


def test_all_words_are_there_in_both_languages_with_the_same_blanks() -> None:
    def blanks(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    english, german = (SENTENCES[language] for language in ("en", "de"))
    assert {k: blanks(v) for k, v in english.items()} == {k: blanks(v) for k, v in german.items()}
    assert EXPOSES.keys() == STOPS.keys()
    assert all(set(row) == set(ACCESS) for row in (*EXPOSES.values(), *STOPS.values()))
    assert date(2018, 3, 23) in [rule.date for rule in all_rules() if rule.act == "us/cloud-act"]
