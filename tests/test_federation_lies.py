"""A market that shows one history to one and another to another is found, and proved offline."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from federated import Town, Twin, befriend, settle, towns
from histories import Histories

from allmende.cli import main
from allmende.core.units import CREDIT
from allmende.wire import gossip, heads


@pytest.fixture
def three(tmp_path: Path) -> Iterator[tuple[Town, Town, Town]]:
    """a and b are peers; `twin` is a, too, and shows others what it likes."""
    with towns(tmp_path, "a", "b") as (a, b):
        befriend(a, b)
        assert a.send("uni", b, "uni", "5").status == 200
        settle(a, b)
        with Twin(tmp_path / "lie", a) as twin:
            yield a, twin, b


def grow(town: Town, name: str) -> None:
    town.ask("add_member", id=name, name=name, kind="person")


def check(*files: Path) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["federation", "check", *map(str, files)])
    return done.exit_code, done.output


def test_two_histories_are_proved_by_gossip_and_everybody_is_told(
    three: tuple[Town, Town, Town], tmp_path: Path
) -> None:
    a, twin, b = three
    with towns(tmp_path, "c") as (c,):
        b.add_peer(c)
        c.add_peer(b)
        _lied_to(a, twin, b, c, tmp_path)


def _lied_to(a: Town, twin: Town, b: Town, c: Town, folder: Path) -> None:
    grow(a, "shown-to-b")
    assert b.look()["a"]["agrees"]
    for name in ("x", "y", "z"):
        grow(twin, name)
    c.add_peer(twin)  # from here on c is shown the other one, and whoever asks c hears of it
    c.look()
    digest = b.look()["a"]["proof"]
    assert digest, "b asked c, and compared"
    c.look()
    assert c.state.peers["a"].proof, "c fetched the proof, or made its own"
    file = folder / "proof.json"
    file.write_bytes(b.get(f"/api/federation/proofs/{digest}").body)
    code, said = check(file)
    assert code == 1
    assert "Market 'a'" in said
    assert "signed two histories" in said
    assert "two histories" in b.get("/federation").text
    assert "Two histories" not in b.get("/federation?lang=de").text
    refused = b.send("uni", a, "uni", "1", asset="credit@a")
    assert refused.code == "halted"
    assert b.balance("uni", "credit@a") == 5 * CREDIT, "nothing is lost"
    assert b.post("/api/resume_peer", {"id": "a"}, b.admin).code == "halted"
    b.check()


def test_a_proof_from_anybody_suspends_and_what_is_none_does_not(
    three: tuple[Town, Town, Town],
) -> None:
    a, twin, b = three
    grow(a, "one")
    grow(twin, "another")
    one, other = (json.dumps(town.heads()["head"]).encode() for town in (a, twin))
    said = [heads.msgspec.json.decode(data, type=heads.Statement) for data in (one, other)]
    nothing = heads.encode(heads.split(said[0], said[0]))
    assert b.post("/api/federation/proofs", nothing).code == "bad_value"
    assert b.post("/api/federation/proofs", b"{}").code == "bad_request"
    assert not b.state.peers["a"].proof
    proof = heads.encode(heads.split(*said))
    first, again = (b.post("/api/federation/proofs", proof).json for _ in range(2))
    assert first == again == {"proof": b.state.peers["a"].proof}
    assert a.post("/api/federation/proofs", proof).status == 200, "a hears that it is a liar"
    assert a.get("/api/federation").json["proofs"]


def test_while_a_head_is_unexplained_nothing_is_taken(
    three: tuple[Town, Town, Town],
) -> None:
    """The lie is shorter than nothing: its market shows no links, and proves nothing yet."""
    a, twin, b = three
    for name in ("x", "y", "z"):
        grow(twin, name)
    b.heads(twin.heads()["head"])
    assert not b.look()["a"]["agrees"]
    assert a.send("uni", b, "uni", "1").status == 200
    assert "signed with our key" in a.look()["b"]["wrong"], "a hears of it, and signs nothing"
    assert b.balance("uni", "credit@a") == 5 * CREDIT
    assert not b.state.peers["a"].proof


def test_a_journal_restored_from_an_old_copy_signs_nothing(
    three: tuple[Town, Town, Town],
) -> None:
    a, old, b = three
    for name in ("x", "y"):
        grow(a, name)
    b.look()
    assert old.heads()["head"] is not None
    old.look()  # and hears from b what was signed with its key meanwhile
    told = old.get("/api/federation").json
    assert told["vouches"] is False
    assert old.heads()["head"] is None
    assert "old copy" in old.get("/federation").text
    assert not b.state.peers["a"].proof, "nobody was lied to"


def test_heads_that_two_people_saved_are_compared_offline(tmp_path: Path) -> None:
    market = Histories(b"a")
    files = [tmp_path / f"{name}.json" for name in ("shown-to-b", "shown-to-c", "later")]
    for file, (history, frames) in zip(
        files, ((market.truth, 8), (market.fork(5), 8), (market.truth, 9)), strict=True
    ):
        file.write_bytes(gossip.encode(gossip.Told(market.statement(history, frames))))
    assert check(files[0], files[2])[0] == 0
    code, said = check(*files)
    assert code == 1
    assert "two histories" in said
    rubbish = tmp_path / "rubbish"
    rubbish.write_text("{}")
    assert check(rubbish)[0] == 2
    assert check(tmp_path / "missing")[0] == 2
