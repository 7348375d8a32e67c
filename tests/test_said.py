"""What figures and findings say: the same keys and blanks in both languages."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest

import allmende
from allmende.core.nouns import MEMBER_KINDS
from allmende.measure.figure import About, Undefined
from allmende.measure.said import GERMAN, SENTENCES, Said, together

SOURCE = Path(allmende.__file__).parent


def blanks(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name}


def test_every_sentence_is_in_both_languages_with_the_same_blanks() -> None:
    english, german = SENTENCES["en"], SENTENCES["de"]
    assert list(english) == list(german)
    assert all(blanks(english[key]) == blanks(german[key]) for key in english)


def test_every_key_that_the_code_says_is_there_and_none_is_left_over() -> None:
    code = "".join(path.read_text() for path in SOURCE.rglob("*.py"))
    used = set(re.findall(r"Said\(\s*\"(\w+)\"", code))
    assert used <= set(SENTENCES["en"])
    conditional = {"used", "alarm", "no_alarm"}
    assert set(SENTENCES["en"]) - used <= conditional, "what is chosen where it is said"


def test_numbers_are_written_as_the_reader_writes_them() -> None:
    found = Said("merger", {"after": 12_345, "more": 3521, "share": 84.05})
    assert found.text() == "HHI 12,345 after it, 3521 more; together 84.05 %"
    assert found.text("de") == "HHI danach 12.345, 3521 mehr; zusammen 84,05 %"
    assert together((Said("share_level", {"level": "very high"}),), "de").endswith("sehr hoch")
    assert set(GERMAN) >= {"low", "very high", *MEMBER_KINDS}


def test_a_figure_keeps_the_key_beside_its_english_sentence() -> None:
    about = About(of="x", window="2026", denominator=Said("earned", {"count": 8}), grade="ledger")
    figure = about.undefined("gini", "0 to 1", "how", Said("nobody"))
    assert figure.denominator == "actors that earned: 8"
    assert (figure.because, figure.among) == (Said("nobody"), Said("earned", {"count": 8}))

    def none() -> float:
        raise Undefined(Said("poorest"))

    assert about.of_value("palma", "ratio", "how", none).because == Said("poorest")


def test_a_sentence_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(KeyError):
        Said("nowhere").text()
