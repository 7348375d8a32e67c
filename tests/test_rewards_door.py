"""The rewards door of a whole market on its own chain: facts, list, publication and page."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Coroutine, Iterator
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import pytest
from click.testing import CliRunner
from deployed import CACHE
from doors import Doors
from eth_hash.auto import keccak

from allmende.adapters import chain_contracts, reward_rules
from allmende.adapters.chain.establish import NAMES
from allmende.cli import main
from allmende.wire import rewards as wire

T = TypeVar("T")
PAYEE = "0x" + "a1" * 20


class Slow(Doors):
    """Putting up a dozen contracts may take a loaded machine longer than a question does."""

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(180)


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    folder = tmp_path_factory.mktemp("rewards")
    for name in (*chain_contracts.NAMES, *NAMES):
        chain_contracts.load(name, CACHE)  # before the market, which has no time for it
    shutil.copytree(CACHE, folder / "data" / "contracts")
    terms = {"chain": "embedded", "chain_terms": "fast", "mode": "lab", "settle_every": 3_600}
    with Slow(folder, institutions=True, **terms) as found:
        for name in ("host", "school"):
            found.ask("add_member", id=name, name=name, kind="organisation")
        found.ask("name_payee", member="host", address=PAYEE)
        yield found


def until(done: Callable[[], Any]) -> Any:
    """What it gives, once that is something."""
    for _ in range(300):
        if found := done():
            return found
        time.sleep(0.3)
    raise AssertionError("it did not become so")


def told(doors: Doors) -> Any:
    return doors.get("/api/rewards").json


def worked(doors: Doors, id_: str) -> int:
    """An epoch, of three seconds, in which a training was attested; it is over."""
    run = {"member": "host", "client": "school", "hours": 24, "document": "00" * 32}
    epochs = [told(doors)["epoch"]]
    doors.ask("attest_training", id=id_, **run)
    epochs.append(told(doors)["epoch"])
    until(lambda: told(doors)["epoch"] > epochs[1])
    rows = {epoch: doors.get(f"/api/rewards/facts?epoch={epoch}").text for epoch in epochs}
    return next(epoch for epoch, text in rows.items() if f'"{id_}"' in text)


def test_a_list_follows_from_the_public_facts_and_is_published_once(
    doors: Doors, tmp_path: Path
) -> None:
    epoch = worked(doors, "run-1")
    data = doors.get(f"/api/rewards/facts?epoch={epoch}").body
    facts, text = wire.decode(data)
    assert text == reward_rules.packaged(reward_rules.LAB, date(2026, 11, 21))
    found = wire.reckon(facts, wire.rule_of(text), keccak)
    assert [line.amount for line in found.lines] == [24 * 10_000 * 1_000 * wire.SHARE // 10**7]
    answer = doors.ask("rewards/publish", epoch=epoch)
    assert (answer["root"], answer["total"]) == ("0x" + found.root.hex(), "24")
    assert doors.ask("rewards/publish", epoch=epoch)["root"] == answer["root"]
    rows = until(lambda: [r for r in told(doors)["lists"] if r["state"] == "open"])
    assert [(r["epoch"], r["root"], r["total"], r["claimed"]) for r in rows] == [
        (epoch, answer["root"], "24", "0")
    ]
    assert rows[0]["rule"] == wire.rule_hash(text)
    file = tmp_path / "facts.json"
    file.write_bytes(data)
    words = ["rewards", "compute", str(epoch), "--from", str(file)]
    said = CliRunner().invoke(main, words)
    assert said.exit_code == 0
    assert answer["root"] in said.output


def test_an_epoch_that_runs_is_not_told_and_one_of_nothing_has_no_list(doors: Doors) -> None:
    now = told(doors)["epoch"]
    running = doors.get(f"/api/rewards/facts?epoch={now + 10}")
    assert (running.status, running.code) == (409, "halted")
    assert doors.get("/api/rewards/facts").status == 422
    assert doors.get("/api/rewards/facts?epoch=x").status == 422
    assert doors.get("/api/rewards/facts?epoch=0").status == 404
    empty = doors.post("/api/rewards/publish", {"epoch": 7}, doors.admin)
    assert (empty.status, "no list" in empty.text) == (422, True)


def test_only_an_operator_has_a_list_published(doors: Doors) -> None:
    made = doors.ask("issue_key", member="host", role="manage")
    assert doors.post("/api/rewards/publish", {"epoch": 7}, made["secret"]).status == 403
    assert doors.post("/api/rewards/publish", {"epoch": 7}).status == 401
    assert doors.post("/api/rewards/publish", {"epok": 7}, doors.admin).status in (400, 422)


def test_the_page_shows_rule_and_lists_in_both_languages(doors: Doors) -> None:
    for language, word in (("en", "Rewards"), ("de", "Vergütung")):
        page = doors.get(f"/rewards?lang={language}")
        assert page.status == 200
        assert word in page.text
        assert told(doors)["contract"] in page.text
        assert told(doors)["rule"]["sha256"] in page.text
    cookie = doors.sign_in(doors.admin)
    mine = doors.get("/rewards", headers={"cookie": cookie})
    assert 'action="/do/name_payee"' in mine.text
    form = {"member": "school", "address": "0x" + "B2" * 20}
    sent = doors.form("/do/name_payee", form, cookie)
    assert (sent.status, sent.headers["location"]) == (303, "/rewards?done=name_payee")
    refused = doors.form("/do/name_payee", {"member": "school", "address": PAYEE}, cookie)
    assert "each is paid at its own" in refused.text


def test_open_checks_are_told_without_who_sealed_what(doors: Doors) -> None:
    doors.ask("open_check", id="c1", subject="offer o", about="host", commit_seconds=600)
    doors.ask("commit", check="c1", verifier="school", hash="ab" * 32)
    (row,) = doors.get("/api/checks").json
    assert (row["id"], row["sealed"], row["told"]) == ("c1", 1, 0)
    assert "ab" * 32 not in doors.get("/api/checks").text
