"""`allmende govern`: what is asked wrongly is said before anything is sent, and where to begin."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec import structs

from allmende.cli import main
from allmende.institutions import Institutions

KEY = "11" * 32
CALL = "0x" + "ab" * 20 + ":0x1234"


def run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["govern", *words])
    return done.exit_code, done.output


@pytest.fixture
def key(tmp_path: Path) -> str:
    file = tmp_path / "wallet.key"
    file.touch(mode=0o600)
    file.write_text(KEY)
    return str(file)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "Propose one thing"),
        (("levy_ppm", "5", "--grant", "ada", "1"), "Propose one thing"),
        (("levy_ppm",), "is set to which number?"),
        (("--call", "0x12"), "is no call"),
        (("levy_ppm", "5", "--effective", "soon"), "is no date"),
        (("--class", "urgent"), "is not one of"),
    ],
)
def test_a_proposal_that_is_none_is_refused_in_words(
    key: str, words: tuple[str, ...], says: str
) -> None:
    code, output = run("propose", *words, "--wallet-key-file", key)
    assert (code, says in output) == (2, True), output


def test_without_a_market_a_record_is_needed(key: str, tmp_path: Path) -> None:
    nobody = ("--url", "http://127.0.0.1:9", "--wallet-key-file", key)
    assert run("vote", "1", "yes", *nobody)[0] == 3
    record = tmp_path / "institutions.json"
    record.write_text("{}")
    code, output = run("vote", "1", "yes", *nobody, "--record", str(record))
    assert code == 1
    assert "no record" in output
    empty = {str: "0x00", int: 1}
    whole = {one.name: empty.get(one.type, {}) for one in structs.fields(Institutions)}
    record.write_text(json.dumps(whole))
    code, output = run("vote", "1", "yes", *nobody, "--record", str(record))
    assert code == 1
    assert "has no contract Share, Stake, Assembly" in output


def test_a_wallets_key_that_others_can_read_is_refused(key: str) -> None:
    Path(key).chmod(0o644)
    code, output = run("withdraw", "--wallet-key-file", key)
    assert (code, "chmod 600" in output) == (1, True)


def test_a_credential_that_is_none_is_said(key: str, tmp_path: Path) -> None:
    file = tmp_path / "credential.json"
    file.write_text('{"member": "0x12"}')
    code, output = run("enrol", str(file), "--wallet-key-file", key)
    assert (code, "is no credential" in output) == (1, True)


def test_choices_and_shares_are_checked_first(key: str) -> None:
    assert run("vote", "1", "maybe", "--wallet-key-file", key)[0] == 2
    code, output = run("stake", "none", "--wallet-key-file", key)
    assert (code, "is no amount of shares" in output) == (1, True)
