"""Anchors: our figures give what was published, and a published value that changes is seen."""

from __future__ import annotations

import json
import re
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from allmende.adapters.anchors import OWN, held, published
from allmende.adapters.rules import rules
from allmende.cli import main
from allmende.measure.chips import eligible, tpp

REFERENCE = Path(__file__).parent.parent.parent / "shared/reference/anchors.json"
TEXT = files("allmende").joinpath("anchors/metrics.toml").read_text(encoding="utf-8")


def run(*words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, ["observatory", *words])
    assert result.exit_code == code, result.output + result.stderr
    return result


def look(tree: Any, path: str) -> Any:
    for part in path.split("."):
        tree = tree[int(part) if isinstance(tree, list) else part]
    return tree


def leaves(tree: Any, path: str = "") -> dict[str, Any]:
    if not isinstance(tree, dict):
        return {path: tree}
    return {k: v for name, of in tree.items() for k, v in leaves(of, f"{path}.{name}").items()}


def test_every_published_value_is_met() -> None:
    assert not [row for row in held(published()) if not row.fits]
    shown = run("anchors").output
    assert f"All {len(OWN)} within their tolerances." in shown
    assert "51.25" in shown
    assert "DSAIR" in shown
    rows = json.loads(run("anchors", "--json").output)
    assert {row["id"] for row in rows} == set(OWN)
    assert all(row["fits"] for row in rows)


@pytest.mark.parametrize("name", sorted(OWN))
def test_a_value_that_changes_by_more_than_its_tolerance_is_seen(name: str, tmp_path: Path) -> None:
    anchor = next(one for one in published().anchor if one.id == name)
    changed = anchor.published + 2.1 * anchor.tolerance + 1e-9
    head, middle, tail = re.split(rf'(id = "{name}"\n.*\npublished = .*\n)', TEXT)
    middle = re.sub(r"published = .*", f"published = {changed!r}", middle)
    path = tmp_path / "changed.toml"
    path.write_text(head + middle + tail)
    result = run("anchors", "--published", str(path), code=1)
    assert f"1 of {len(OWN)} differ: {name}." in result.stderr


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('id = "gini"', 'id = "ginny"', "ginny: nothing here computes it"),
        ('id = "gini"', 'id = "hhi"', "hhi: twice"),
        ('kind = "closed-form"', 'kind = "guess"', "Invalid enum value 'guess'"),
        ("percent = [30, 30, 20, 20]", "parts = [1]", "hhi: its inputs do not do: 'percent'"),
        ("percent = [30, 30, 20, 20]", "percent = [30, 30, 20]", "add up to 0.8, not to 1"),
        ("[[anchor]]", "[[anchor]", "changed.toml: "),
    ],
)
def test_a_file_that_is_not_in_order_is_refused(
    old: str, new: str, says: str, tmp_path: Path
) -> None:
    path = tmp_path / "changed.toml"
    path.write_text(TEXT.replace(old, new, 1))
    assert says in run("anchors", "--published", str(path), code=1).stderr


@pytest.mark.skipif(not REFERENCE.is_file(), reason="the reference folder is not beside us")
def test_the_package_has_every_metric_of_the_reference_file_and_says_whose_the_others_are() -> None:
    reference = json.loads(REFERENCE.read_text())
    found = published()
    for anchor in found.anchor:
        if anchor.json:
            assert look(reference, anchor.json) == anchor.published, anchor.id
        for field, path in anchor.input_json.items():
            assert look(reference, path) == anchor.input[field], f"{anchor.id}: {field}"
    ours = {name: of for name, of in reference.items() if name not in found.elsewhere}
    named = [path for one in found.anchor for path in (one.json, *one.input_json.values())]
    for path, value in leaves(ours).items():
        if isinstance(value, str):  # a formula, whose anchor is the difference of its two sides
            continue
        assert any(f".{name}".startswith(path) or path.startswith(f".{name}") for name in named), (
            path
        )
    assert set(found.elsewhere) <= set(reference)


def test_the_rules_in_force_are_shown_with_their_status() -> None:
    assert "draft" in run("rules", "--at", "2026-11-20").output
    assert "horizontal-mergers" not in run("rules", "--at", "2004-01-01").output
    rows = {row["act"]: row for row in json.loads(run("rules", "--all", "--json").output)}
    assert rows["us/merger-guidelines"]["values"]["hhi_over"] == 1800
    assert rows["us/merger-guidelines"]["source"].startswith("https://")


# The small function behind some of them ------------------------------------------------------


def test_more_of_either_never_makes_a_chip_eligible() -> None:
    rule = rules("us/chip-exports", date(2026, 11, 20))
    assert eligible(rule, tpp(1979, 8), 4800)
    assert not eligible(rule, tpp(2625, 8), 4800), "21,000 is not below 21,000"
    assert not eligible(rule, tpp(1979, 8), 6500)
    with pytest.raises(ValueError, match="no chip"):
        tpp(0, 8)
