"""A whole market leaves as one file and arrives the same; a damaged file arrives nowhere."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner, Result
from doors import Doors
from hypothesis import given, settings
from hypothesis import strategies as st

from allmende.adapters.market_export import write_market
from allmende.adapters.market_import import read_market
from allmende.cli import main
from allmende.core import machine
from allmende.lab.served import Served
from allmende.main import JOURNAL
from allmende.wire import portable
from allmende.wire.portable import Bad
from allmende.wire.receipt import verify

RECEIPTS = 6


def run(*words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, list(words))
    assert result.exit_code == code, result.output + result.stderr
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A market that was stopped: a key, receipts, a batch, a price file, a record."""
    there = tmp_path_factory.mktemp("market")
    with Doors(there) as doors:
        doors.furnish()
        secret = doors.key("uni", budget="uni")
        for number in range(RECEIPTS):
            doors.receipt(f"r{number}", secret)
        doors.ask("close_batch")
        (there / "secret").write_text(secret)
        (there / "proof.json").write_bytes(doors.get("/api/receipts/r0", secret).body)
    (there / "data" / "prices").mkdir()
    (there / "data" / "prices" / "imports.jsonl").write_text("")
    (there / "data" / "deployment.json").write_text("{}")
    (there / "data" / "notes.txt").write_text("mine")
    return there


@pytest.fixture(scope="module")
def whole(folder: Path) -> Path:
    """Its export, keys included."""
    made = folder / "whole.zip"
    write_market(folder / "data", JOURNAL, made, with_keys=True)
    return made


def test_what_leaves_arrives_and_goes_on(folder: Path, tmp_path: Path) -> None:
    file, new = tmp_path / "m.zip", tmp_path / "new" / "data"
    secret = (folder / "secret").read_text()
    told = run(
        "market", "export", "--data", str(folder / "data"), "--out", str(file), "--with-keys"
    )
    assert "notes.txt" in told.output
    assert "holds the market's keys" in told.output
    assert oct(file.stat().st_mode & 0o777) == "0o600"
    made = json.loads(run("market", "import", str(file), "--data", str(new), "--json").output)
    assert made["compared"]
    assert made["receipts"] == RECEIPTS
    assert made["batches"] == 1
    before = json.loads(run("audit", "--data", str(folder / "data"), "--json").output)
    after = json.loads(run("audit", "--data", str(new), "--json").output)
    assert {k: before[k] for k in ("head", "digest", "events")} == {
        k: after[k] for k in ("head", "digest", "events")
    }
    assert (new / "deployment.json").read_text() == "{}"
    assert not (new / "notes.txt").exists()
    with Doors(tmp_path / "new") as doors:
        doors.receipt("later", secret)
        rows = doors.get("/api/receipts", secret).json["receipts"]
        assert [row["id"] for row in rows][:2] == ["later", f"r{RECEIPTS - 1}"]
        assert all(check.ok for check in verify(doors.get("/api/receipts/r0", secret).body))
        public = doors.get("/api/me", secret).json["market"]["public_key"]
    assert all(check.ok for check in verify((folder / "proof.json").read_bytes(), public))


def test_the_same_market_makes_the_same_file(folder: Path, whole: Path, tmp_path: Path) -> None:
    write_market(folder / "data", JOURNAL, tmp_path / "again.zip", with_keys=True)
    assert (tmp_path / "again.zip").read_bytes() == whole.read_bytes()


def test_nothing_is_written_over(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "m.zip"
    file.write_text("mine")
    words = ("market", "export", "--data", str(folder / "data"), "--out", str(file))
    assert "there already" in run(*words, code=1).stderr
    assert file.read_text() == "mine"
    assert [*tmp_path.iterdir()] == [file]
    write_market(folder / "data", JOURNAL, tmp_path / "n.zip", with_keys=False)
    assert "not empty" in run("market", "import", str(tmp_path / "n.zip"), "--data",
                              str(folder / "data"), code=1).stderr  # fmt: skip


def test_without_keys_nothing_secret_leaves_and_no_other_key_serves(
    folder: Path, tmp_path: Path
) -> None:
    file, new = tmp_path / "m.zip", tmp_path / "new" / "data"
    run("market", "export", "--data", str(folder / "data"), "--out", str(file))
    secrets = [(folder / "data" / name).read_bytes() for name in ("master.key", "signer.key")]
    with zipfile.ZipFile(file) as found:
        inside = b"".join(found.read(name) for name in found.namelist())
    assert not any(secret.strip() in inside for secret in secrets)
    assert (folder / "secret").read_bytes() not in inside
    assert "master.key" in run("market", "import", str(file), "--data", str(new)).output
    served = Served(new, "--no-local-model")
    with pytest.raises(RuntimeError, match="founded with"):
        served.start()
    served.stop()
    for name in ("master.key", "signer.key"):
        shutil.copy(folder / "data" / name, new / name)
    with Doors(tmp_path / "new") as doors:
        assert doors.get("/api/me", (folder / "secret").read_text()).status == 200


def test_a_running_market_is_exported_as_of_one_moment(tmp_path: Path) -> None:
    with Doors(tmp_path) as doors:
        doors.furnish()
        doors.receipt("r", doors.key("uni", budget="uni"))
        made = write_market(tmp_path / "data", JOURNAL, tmp_path / "m.zip", with_keys=False)
        assert made.digest == machine.digest(doors.market.desk.state)
        doors.ask("add_member", id="late", name="Late", kind="person")
        assert read_market(tmp_path / "m.zip", tmp_path / "new", JOURNAL).digest == made.digest


def test_a_copy_for_a_drill_deals_with_no_peer(tmp_path: Path) -> None:
    with Doors(tmp_path, federate_every=0) as doors:
        assert doors.run(doors.market.federation.run()) is None


# What is damaged ------------------------------------------------------------------------


Zip = dict[str, bytes]


def unzipped(file: Path) -> Zip:
    with zipfile.ZipFile(file) as found:
        return {name: found.read(name) for name in found.namelist()}


def zipped(file: Path, entries: Zip) -> Path:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in entries.items():
            out.writestr(name, data)
    return file


def refused(file: Path, there: Path) -> str:
    """The sentence; and nothing is left of it."""
    with pytest.raises(Bad) as bad:
        read_market(file, there / "new", JOURNAL)
    assert not (there / "new").exists()
    assert [path.name for path in there.iterdir() if path.is_dir()] == []
    return str(bad.value)


def restated(entries: Zip) -> Zip:
    """With a manifest that agrees with the entries, as a forger would write it."""
    told = json.loads(entries[portable.MANIFEST])
    rest = {name: data for name, data in entries.items() if name != portable.MANIFEST}
    told["entries"] = {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in rest.items()
    }
    return {**rest, portable.MANIFEST: json.dumps(told).encode()}


def changed(entries: Zip, name: str, old: bytes, new: bytes) -> Zip:
    assert old in entries[name]
    return {**entries, name: entries[name].replace(old, new)}


def swapped(entries: Zip, one: str, other: str) -> Zip:
    return {**entries, one: entries[other], other: entries[one]}


FORGED: dict[str, tuple[Callable[[Zip], Zip], str]] = {
    "an entry changed": (lambda z: {**z, "state.json": z["state.json"] + b" "}, "state.json"),
    "a price of the journal": (
        lambda z: restated(
            {**z, "journal.jsonl": z["journal.jsonl"].replace(b"150000", b"150001")}
        ),
        "journal.jsonl",
    ),
    "the last frame gone": (
        lambda z: restated(
            {**z, "journal.jsonl": b"".join(z["journal.jsonl"].splitlines(keepends=True)[:-1])}
        ),
        "journal.jsonl",
    ),
    "entries swapped": (
        lambda z: restated(
            {**z, "state.json": z["evidence.json"], "evidence.json": z["state.json"]}
        ),
        "state.json",
    ),
    "another state": (
        lambda z: restated(changed(z, "state.json", b'"uni"', b'"uno"')),
        "state.json",
    ),
    "a line too many": (
        lambda z: restated({**z, "journal.jsonl": z["journal.jsonl"] + b"{}\n"}),
        "journal.jsonl",
    ),
    "another key": (
        lambda z: restated({**z, "keys/signer.key": b"s1.AAAA\n"}),
        "keys/signer.key",
    ),
    "no key at all": (
        lambda z: restated({n: d for n, d in z.items() if n != "keys/signer.key"}),
        "keys/signer.key",
    ),
    "a way out": (lambda z: restated({**z, "files/../../x.json": b"{}"}), "../../x"),
    "a way from the root": (lambda z: restated({**z, "/etc/x.json": b"{}"}), "/etc/x"),
    "a folder": (lambda z: restated({**z, "files/prices/": b""}), "files/prices/"),
    "its own journal": (lambda z: restated({**z, "files/journal.sqlite": b"x"}), "journal.sqlite"),
    "too much": (lambda z: restated({**z, "files/x.json": bytes(1 << 27)}), "files/x.json"),
    "no manifest": (lambda z: {n: d for n, d in z.items() if n != "manifest.json"}, "manifest"),
    "one more": (lambda z: {**z, "files/x.json": b"{}"}, "files/x.json"),
    "one less": (lambda z: {n: d for n, d in z.items() if n != "state.json"}, "state.json"),
    "deep": (lambda z: restated({**z, "journal.jsonl": b"[" * 100_000 + b"\n"}), "journal.jsonl"),
}


@pytest.mark.parametrize("how", FORGED)
def test_what_is_forged_is_named_and_changes_nothing(how: str, whole: Path, tmp_path: Path) -> None:
    forge, named = FORGED[how]
    assert named in refused(zipped(tmp_path / "bad.zip", forge(unzipped(whole))), tmp_path)


def test_another_versions_state_is_not_compared_and_the_journal_decides(
    whole: Path, tmp_path: Path
) -> None:
    entries = unzipped(whole)
    told = json.loads(entries["manifest.json"])
    right, told["state"], told["digest"] = told["digest"], "of another version", "00"
    entries["manifest.json"] = json.dumps(told).encode()
    file = zipped(tmp_path / "old.zip", entries)
    said = json.loads(run("market", "verify", str(file), "--json").output)
    assert (said["compared"], said["digest"]) == (False, right)
    other = run("market", "verify", str(file), "--public-key", "00", code=1)
    assert "a market with another key" in other.stderr


def test_a_market_that_did_not_sign_its_tail_is_refused(whole: Path, tmp_path: Path) -> None:
    entries = unzipped(whole)
    told = json.loads(entries["manifest.json"])
    told["signature"] = bytes(64).hex()
    entries["manifest.json"] = json.dumps(told).encode()
    assert "did not sign" in refused(zipped(tmp_path / "bad.zip", entries), tmp_path)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    return tmp_path_factory.mktemp("scratch")


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32), kind=st.sampled_from(["flip", "cut", "swap", "junk"]))
def test_no_damage_passes_or_ends_in_a_traceback(
    whole: Path, scratch: Path, seed: int, kind: str
) -> None:
    random, data = Random(seed), bytearray(whole.read_bytes())
    at = random.randrange(len(data))
    if kind == "flip":
        data[at] ^= 1 << random.randrange(8)
    elif kind == "cut":
        del data[at:]
    elif kind == "swap":
        other = random.randrange(len(data))
        data[at : at + 64], data[other : other + 64] = data[other : other + 64], data[at : at + 64]
    else:
        data[at : at + 32] = random.randbytes(32)
    file, new = scratch / "bad.zip", scratch / "new"
    file.write_bytes(data)
    try:
        done = read_market(file, new, JOURNAL)
    except Bad:
        assert not new.exists()
    else:  # a bit that says nothing, as a date in the zip's own list
        assert done.digest == json.loads(unzipped(whole)["manifest.json"])["digest"]
        shutil.rmtree(new)
