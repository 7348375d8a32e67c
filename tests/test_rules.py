"""Rule files: those in the package are in order; one that is not is named by file and field."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from allmende.adapters.rules import BadRules, NoRules, all_rules, read_rules, rules

GOOD = """
title = "A rule"
source = "https://example.org/rule"
date = 2020-01-01
status = "in force"
grade = "seen"
[values]
over = 1800
"""


def put(root: Path, text: str, name: str = "act@2020-01-01.toml") -> Path:
    (root / "xx").mkdir(exist_ok=True)
    (root / "xx" / name).write_text(text)
    return root


def test_every_rule_file_of_the_package_is_in_order_and_found_by_its_name() -> None:
    found = all_rules()
    names = [one.name for one in found]
    assert "us/merger-guidelines@2023-12-18" in names
    assert names == sorted(set(names))
    for one in found:
        assert rules(one.act, one.date, one.status) == one


def test_a_rule_says_what_holds_on_a_day_and_a_draft_is_not_law() -> None:
    assert rules("us/merger-guidelines", date(2026, 11, 20)).values["hhi_over"] == 1800
    draft = rules("eu/merger-guidelines", date(2026, 11, 20), "draft")
    assert draft.status == "draft"
    with pytest.raises(NoRules, match=r"2026-04-30 \(draft\)"):
        rules("eu/merger-guidelines", date(2026, 11, 20))
    with pytest.raises(NoRules, match="2023-12-18"):
        rules("us/merger-guidelines", date(2023, 12, 17))
    with pytest.raises(NoRules, match="no rule file has that name"):
        rules("us/nothing", date(2026, 1, 1))


def test_the_newest_version_that_has_begun_and_not_ended_holds(tmp_path: Path) -> None:
    put(tmp_path, GOOD.replace("grade", "until = 2024-01-01\ngrade"))
    put(tmp_path, GOOD.replace("2020", "2022"), "act@2022-01-01.toml")
    known = read_rules(tmp_path)
    assert [one.begun(date(2023, 6, 1)) for one in known] == [True, True]
    assert [one.begun(date(2024, 1, 1)) for one in known] == [False, True]
    assert [one.begun(date(2021, 1, 1)) for one in known] == [True, False]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('title = "A rule"', "", "title: missing"),
        ('title = "A rule"', "title = 3", "title: 3 is not a text"),
        ('title = "A rule"', 'title = ""', "title: is empty"),
        ("https://", "ftp://", "source: .* https"),
        ("2020-01-01", "2020-01-02", "date: 2020-01-02 is not the 2020-01-01"),
        ("2020-01-01", '"2020-01-01"', "date: .* is not a date"),
        ("2020-01-01", "2020-01-01T00:00:00", "date: .* is not a date"),
        ('"in force"', '"law"', "status: 'law' is none of in force, draft, proposal"),
        ('"seen"', '"sure"', "grade: 'sure' is none of seen, memory"),
        ("over = 1800", "", "values: is empty"),
        ("[values]", "over = 1\n[values]", "over: unknown field"),
        ('grade = "seen"', 'grade = "seen"\nuntil = 2019-01-01', "until: 2019-01-01 is not after"),
        ("[values]", "[values", "not TOML"),
    ],
)
def test_a_bad_file_is_named_with_its_field(old: str, new: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(BadRules, match=rf"rules/xx/act@2020-01-01.toml: {says}"):
        read_rules(put(tmp_path, GOOD.replace(old, new)))


def test_a_file_of_another_name_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadRules, match=r"rules/xx/act\.toml: a rule file's name"):
        read_rules(put(tmp_path, GOOD, "act.toml"))
