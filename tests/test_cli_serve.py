"""A served market through its life as a process: first start, restart, kill, and offline."""

from __future__ import annotations

import contextlib
import json
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from click.testing import CliRunner, Result
from doors import Doors
from msgspec import structs

from allmende.cli import main
from allmende.lab.served import Served, free_port
from allmende.main import JOURNAL, VIEWS, Settings, Unset, settings

BODY = "UPDATE frames SET body = CAST({} AS BLOB) WHERE first = 5"
ROOT = Path(__file__).parent.parent


def run(*words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, list(words))
    assert result.exit_code == code, result.output + result.stderr
    return result


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with receipts in a closed batch and one in the open one."""
    folder = tmp_path_factory.mktemp("market")
    with Doors(folder) as doors:
        doors.furnish()
        spender = doors.key("uni", budget="lab")
        for number in range(5):
            doors.receipt(f"r-{number}", spender)
        doors.ask("close_batch")
        doors.receipt("r-open", spender)
        (folder / "r-0.json").write_bytes(doors.get("/api/receipts/r-0", spender).body)
        (folder / "digest").write_text(doors.get("/api/audit", doors.admin).json["digest"])
    return folder / "data"


def test_the_first_start_prints_the_keys_and_the_three_lines_and_no_later_one(
    tmp_path: Path,
) -> None:
    served = Served(tmp_path / "data", "--no-local-model", "--name", "Ours")
    with served:
        said = served.log()
        assert said.startswith(f"Ours is open at {served.url}")
        spending = said.split('api_key="')[1].split('"')[0]
        me = served.get("me", spending)
        assert me["key"]["budget"] == me["member"]["id"] == "my-organisation"
        assert me["balances"][0]["available"] == "100"
        assert served.get("me")["key"]["role"] == "operate"
        served.ask("add_member", {"id": "kept", "name": "K", "kind": "person"})
    with served:
        assert "alm_" not in served.log()
        assert "kept" in {row["id"] for row in served.get("members")}
        second = subprocess.run(
            [sys.executable, "-m", "allmende.cli", "serve", "--data", str(served.data)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert second.returncode == 1
        assert "Another process runs the market" in second.stderr
        served.ask("add_member", {"id": "durable", "name": "D", "kind": "person"})
        served.kill()
        served.start()
        assert "durable" in {row["id"] for row in served.get("members")}


def test_a_taken_port_is_said_in_a_sentence(tmp_path: Path) -> None:
    with Served(tmp_path / "one", "--no-local-model", "--no-starter") as served:
        words = ["serve", "--data", str(tmp_path / "two"), "--port", str(served.port)]
        done = subprocess.run(
            [sys.executable, "-m", "allmende.cli", *words],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert "Choose another with --port" in done.stderr


def test_stopping_cuts_a_running_stream_and_charges_what_was_delivered(tmp_path: Path) -> None:
    port = free_port()
    provider = subprocess.Popen([sys.executable, str(ROOT / "tests/fake_provider.py"), str(port)])
    served = Served(tmp_path / "data", "--no-local-model", "--allow-private", "--drain", "0")
    try:
        with served:
            spending = served.log().split('api_key="')[1].split('"')[0]
            _wait_for(port)
            _sell(served, f"http://127.0.0.1:{port}/v1", "fake-slow")
            heard = _stream(served, spending, "fake-slow")
            assert next(heard)
    finally:
        provider.terminate()
        provider.wait()
    audit = json.loads(run("audit", "--data", str(served.data), "--json").output)
    assert (audit["receipts"], audit["open_holds"]) == (1, 0)
    run("export", "--data", str(served.data), "--out", str(tmp_path / "out"))
    events = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    (receipt,) = (event["receipt"] for event in events if event["type"] == "captured")
    assert receipt["outcome"] != "complete"
    assert 0 < receipt["units"]["output"] < 40


def _wait_for(port: int) -> None:
    """Until somebody listens there; the provider is a process that just began."""
    for _ in range(1_000):
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.01)
    raise AssertionError("the fake provider did not start")


def _sell(served: Served, url: str, model: str) -> None:
    served.ask("add_member", {"id": "host", "name": "Host", "kind": "provider"})
    served.ask("register_title", {"id": "t", "owner": "host", "kind": "model", "name": "T"})
    offer = {"id": model, "provider": "host", "title": "t", "model": model, "url": url}
    terms = {"tariff": {"input": "1", "output": "2"}, "zone": {"country": "DEU"}}
    served.ask("post_offer", {**offer, **terms, "allow_private": True})


def _stream(served: Served, key: str, model: str) -> Iterator[bytes]:
    body = {"model": model, "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    address = f"{served.url}/v1/chat/completions"
    with urlopen(Request(address, json.dumps(body).encode(), headers), timeout=30) as answer:
        yield from answer


# Offline ------------------------------------------------------------------------------


def test_audit_replay_and_the_market_agree_on_one_digest(data: Path) -> None:
    audit = json.loads(run("audit", "--data", str(data), "--json").output)
    replay = json.loads(run("replay", "--data", str(data), "--json").output)
    assert audit["digest"] == replay["digest"] == (data.parent / "digest").read_text()
    assert audit["head"] == replay["head"]
    assert (audit["receipts"], audit["batches"], audit["open_holds"]) == (6, 1, 0)
    assert audit["snapshot"] == f"agrees at event {audit['events']}"
    assert "every hash" in run("audit", "--data", str(data)).output


def test_an_export_has_every_event(data: Path, tmp_path: Path) -> None:
    run("export", "--data", str(data), "--out", str(tmp_path / "out"))
    lines = (tmp_path / "out").read_text().splitlines()
    events = json.loads(run("audit", "--data", str(data), "--json").output)["events"]
    assert len(lines) == events
    assert {json.loads(line)["type"] for line in lines} >= {"founded", "captured", "batchclosed"}


def test_read_models_are_folded_again_from_nothing(data: Path) -> None:
    (data / VIEWS).unlink()
    run("views", "rebuild", "--data", str(data))
    with sqlite3.connect(data / VIEWS) as db:
        assert db.execute("SELECT COUNT(*) FROM receipts").fetchone() == (6,)


def test_a_receipt_verifies_offline_and_a_forged_one_does_not(data: Path, tmp_path: Path) -> None:
    file = data.parent / "r-0.json"
    assert "NOT" not in run("receipt", "verify", str(file)).output
    forged = json.loads(file.read_text())
    forged["receipt"]["provider"] = "somebody"
    (tmp_path / "forged.json").write_text(json.dumps(forged))
    said = run("receipt", "verify", str(tmp_path / "forged.json"), code=1)
    assert "does not prove" in said.stderr
    (tmp_path / "junk.json").write_text("{")
    assert "not a receipt" in run("receipt", "verify", str(tmp_path / "junk.json"), code=1).stderr
    other = run("receipt", "verify", str(file), "--public-key", "00" * 32, code=1)
    assert "NOT  signature" in other.output


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (BODY.format("replace(CAST(body AS TEXT), '\"at\":1', '\"at\":2')"), "was changed"),
        ("DELETE FROM frames WHERE first = 5", "does not follow"),
        ("UPDATE frames SET signature = zeroblob(64) WHERE length(leaves) > 0", "not signed"),
        (
            "UPDATE snapshots SET state = CAST(replace(state, '\"now\":', '\"now\":1') AS BLOB)",
            "another state",
        ),
        (BODY.format("'{}'"), "was changed"),
        ("UPDATE frames SET body = 'text' WHERE first = 5", "not sound"),
    ],
)
def test_a_journal_that_was_touched_is_found_out(
    data: Path, tmp_path: Path, change: str, said: str
) -> None:
    with sqlite3.connect(data / JOURNAL) as good, sqlite3.connect(tmp_path / JOURNAL) as copy:
        good.backup(copy)
        assert copy.execute(change).rowcount > 0
    assert said in run("audit", "--data", str(tmp_path), code=1).stderr


def test_a_directory_without_a_market_is_named(tmp_path: Path) -> None:
    for command in (["audit"], ["replay"], ["export"], ["views", "rebuild"]):
        assert "No market in" in run(*command, "--data", str(tmp_path), code=1).stderr


# Settings -----------------------------------------------------------------------------


def test_every_setting_is_documented_with_its_default_and_none_is_invented() -> None:
    rows = [
        [cell.strip(" `") for cell in line.split("|")[1:-1]]
        for line in (ROOT / "docs/settings.md").read_text().splitlines()
        if line.startswith("| `") and "ALLMENDE_" in line
    ]
    documented = {name: default for name, _, _, default, _ in rows}
    fields = {field.name: field.default for field in structs.fields(Settings)}
    shown = {
        name: str(value).lower() if isinstance(value, bool) else str(value) or "(none)"
        for name, value in fields.items()
    }
    assert documented == shown
    for name, option, variable, _, _ in rows:
        assert option == f"--{name.replace('_', '-')}"
        assert variable == f"ALLMENDE_{name.upper()}"


def test_an_option_beats_the_environment_which_beats_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALLMENDE_PORT", "9000")
    monkeypatch.setenv("ALLMENDE_STARTER", "false")
    assert settings().port == 9_000
    assert settings({"port": 9_001, "host": None}).port == 9_001
    assert (settings().starter, settings().host) == (False, "127.0.0.1")
    monkeypatch.setenv("ALLMENDE_PORT", "many")
    with pytest.raises(Unset, match="ALLMENDE_PORT"):
        settings()
    assert "ALLMENDE_PORT" in run("serve", code=2).stderr


def test_a_market_without_an_operators_key_gets_one_at_its_next_start(tmp_path: Path) -> None:
    options = ("--no-local-model", "--no-starter")
    with Served(tmp_path / "data", *options) as first:
        lost = first.key
        first.ask("revoke_key", {"id": "administrator"})
    with Served(tmp_path / "data", *options) as again:
        assert again.key not in ("", lost)
        assert again.get("me")["key"]["role"] == "operate"
        assert again.log().count("alm_") == 1
