"""`allmende rewards` and `allmende check`, as far as they need no market: files and journals."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from useful_work import Busy

from allmende.adapters import reward_rules
from allmende.adapters.sqlite_journal import FILE, SqliteJournal
from allmende.cli import main
from allmende.core import commands as c
from allmende.core.rewards import epoch_at
from allmende.core.units import Units
from allmende.wire import rewards as wire
from allmende.wire.journal import GENESIS, frame

LAB = reward_rules.packaged(reward_rules.LAB, date(2026, 11, 21))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A data directory whose journal has useful work in it, and the epoch of that."""
    folder = tmp_path_factory.mktemp("data")
    busy = Busy()
    busy.pay("rhine", "nordic")
    busy.serve("a", counted=Units(input=100, output=50))
    busy.serve("b")
    busy.do(c.CloseBatch())
    with closing(SqliteJournal(folder / FILE)) as journal:
        journal.append(frame(1, busy.events, GENESIS))
    return folder, epoch_at(wire.rule_of(LAB), busy.now)


def run(*words: Any, code: int = 0) -> Result:
    said = CliRunner().invoke(main, ["rewards", *map(str, words)])
    assert said.exit_code == code, said.output
    return said


def test_journal_and_public_file_give_one_list(kept: tuple[Path, int], tmp_path: Path):
    folder, epoch = kept
    file = tmp_path / "facts.json"
    where = ("--data", folder, "--rule", "lab/rewards")
    assert "bytes" in run("facts", epoch, *where, "--out", file).output
    assert run("facts", epoch, *where).output == file.read_text()
    journal = json.loads(run("compute", epoch, *where, "--json").stdout)
    public = json.loads(run("compute", epoch, "--from", file, "--json").stdout)
    assert journal == public
    assert journal["total"] == "3"  # 30,000 of 10,000,000 points, of a pool of 1,000
    assert journal["why"] == {"counts": 1, "unverified": 1}
    assert [row["points"] for row in journal["lines"]] == [30_000]
    assert "unverified" in run("compute", epoch, "--from", file).output


def test_another_rule_is_another_list(kept: tuple[Path, int], tmp_path: Path):
    folder, epoch = kept
    rule = tmp_path / "mine.toml"
    rule.write_bytes(LAB.replace(b"output = 400", b"output = 0"))
    found = json.loads(run("compute", epoch, "--data", folder, "--rule", rule, "--json").stdout)
    assert found["rule"] == wire.rule_hash(rule.read_bytes())
    assert [row["points"] for row in found["lines"]] == [10_000]


def test_an_epoch_without_work_has_no_root(kept: tuple[Path, int]):
    folder, epoch = kept
    said = run("compute", epoch + 1, "--data", folder, "--rule", "lab/rewards").output
    assert "none: nobody's work counts" in said


def test_what_is_wrong_is_named(kept: tuple[Path, int], tmp_path: Path):
    folder, epoch = kept
    file = tmp_path / "facts.json"
    where = ("--data", folder, "--rule", "lab/rewards")
    run("facts", epoch, *where, "--out", file)
    assert "is of epoch" in run("compute", epoch + 1, "--from", file, code=1).output
    forged = tmp_path / "forged.json"
    forged.write_text(file.read_text().replace('[1,"', '[2,"', 1))
    assert "has no place" in run("compute", epoch, "--from", forged, code=1).output
    assert "runs now" in run("compute", 2**40, *where, code=1).output
    gone = run("compute", epoch, "--data", folder, "--rule", "nothing.toml", code=1)
    assert "nothing.toml" in gone.output
    assert "No market in" in run("compute", 1, "--data", tmp_path, code=1).output
    assert run("compute", "-1", code=2).exit_code == 2
    assert run("compute", "x", code=2).exit_code == 2


def test_nobody_answers_is_another_exit_code():
    nowhere = ("--url", "http://127.0.0.1:9")
    assert "No market answers" in run("compute", 7, *nowhere, code=3).output


def test_a_sealed_verdict_is_kept_in_a_file_of_its_own(tmp_path: Path):
    """The salt is written before anybody is asked: a verdict that is lost cannot be told."""
    file = tmp_path / "salt"
    where = ["--url", "http://127.0.0.1:9", "--key", "k", "--salt-file", str(file)]
    words = ["check", "commit", "c1", "ada", "agrees", *where]
    assert CliRunner().invoke(main, words).exit_code == 3
    verdict, salt = file.read_text().split()
    assert (verdict, len(salt), file.stat().st_mode & 0o077) == ("agrees", 32, 0)
    again = CliRunner().invoke(main, words)
    assert (again.exit_code, "exists" in again.output) == (1, True)
    file.write_text("perhaps\n")
    told = CliRunner().invoke(main, ["check", "reveal", "c1", "ada", *where])
    assert (told.exit_code, "no verdict" in told.output) == (1, True)
