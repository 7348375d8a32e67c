"""A member takes its own export from a running market, and another market takes it in."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from doors import Doors
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from allmende.adapters import bundle
from allmende.adapters.member_file import Member, read_member
from allmende.cli.market_move import asked, told
from allmende.core import commands as c
from allmende.wire.portable import Bad
from allmende.wire.receipt import verify

TOPS = ("uni", "host", "author")
RECEIPTS = 24


class Both(NamedTuple):
    old: Doors
    new: Doors
    secret: str
    manager: str


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """A market with receipts, in a batch and after it; and an empty one."""
    one, other = tmp_path_factory.mktemp("old"), tmp_path_factory.mktemp("new")
    with Doors(one) as old, Doors(other, starter=False) as new:
        old.furnish()
        offer = old.market.desk.state.offers["o"]
        offer = structs.replace(offer, url="https://8.8.8.8/v1")
        old.run(old.market.desk.submit(c.PostOffer(at=old.now(), offer=offer)))
        secret, manager = old.key("uni", budget="lab"), old.key("uni", "manage")
        for number in range(RECEIPTS - 1):
            old.receipt(f"r{number}", secret)
        old.ask("close_batch")
        old.receipt("late", secret)
        yield Both(old, new, secret, manager)


def export(doors: Doors, tops: tuple[str, ...], key: str) -> bytes:
    query = "&".join(f"member={top}" for top in tops)
    answer = doors.get(f"/api/export_member?{query}", key)
    assert answer.status == 200, answer.text
    return answer.body


def read(data: bytes, there: Path) -> Member:
    file = there / "m.zip"
    file.write_bytes(data)
    with bundle.opened(file) as found:
        return read_member(found)


def entries(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        return {name: found.read(name) for name in found.namelist()}


def lines(data: bytes) -> list[Any]:
    return [json.loads(line) for line in data.splitlines()]


def test_a_manager_takes_what_is_her_own_with_its_proofs(both: Both, tmp_path: Path) -> None:
    data = export(both.old, ("uni",), both.manager)
    found, inside = read(data, tmp_path), entries(data)
    assert [one.id for one in found.tree.members] == ["uni", "physics"]
    assert {one.id for one in found.tree.budgets} == {"uni", "lab", "chem"}
    assert found.receipts == RECEIPTS
    proofs = inside["receipts.jsonl"].splitlines()
    public = found.manifest.market.public_key
    assert all(check.ok for line in proofs for check in verify(line, public))
    assert sum("batch" in json.loads(line) for line in proofs) == RECEIPTS - 1
    alone = both.old.get("/api/receipts/r3", both.secret).json
    assert alone in [json.loads(line) for line in proofs]
    (wire,) = lines(inside["movements.jsonl"])
    assert wire["reference"] == "wire 1"
    rules = {row["name"]: row["value"] for row in json.loads(inside["parameters.json"])}
    assert rules == both.old.market.desk.state.parameters
    assert both.secret.encode() not in b"".join(inside.values())
    assert b"Other" not in b"".join(inside.values())


def test_a_provider_takes_the_receipts_of_what_it_sold(both: Both, tmp_path: Path) -> None:
    data = export(both.old, ("host",), both.old.key("host", "manage"))
    found = read(data, tmp_path)
    assert (found.receipts, found.tree.sealed) == (RECEIPTS, ("o",))
    assert b"s1.hidden" not in b"".join(entries(data).values())
    assert any("provider's key of offer o" in line for line in found.open.left)


@pytest.mark.parametrize("tops", [("host",), ("uni", "host"), ("nobody",), ()])
def test_nobody_takes_what_is_of_others(both: Both, tops: tuple[str, ...]) -> None:
    query = "&".join(f"member={top}" for top in tops)
    status = both.old.get(f"/api/export_member?{query}", both.manager).status
    assert status == (403 if tops else 422)
    assert both.old.get("/api/export_member?member=nobody", both.old.admin).status == 404
    assert both.old.get("/api/export_member?member=uni", both.secret).code == "not_allowed"
    assert both.old.get("/api/export_member?member=uni").status == 401


def test_a_signed_in_manager_takes_it_from_the_page(both: Both, tmp_path: Path) -> None:
    cookie = {"cookie": both.old.sign_in(both.manager)}
    page = both.old.get("/members", headers=cookie).text
    assert "/members/uni/export" in page
    answer = both.old.get("/members/uni/export", headers=cookie)
    assert answer.headers["content-type"] == "application/zip"
    assert read(answer.body, tmp_path).receipts == RECEIPTS
    assert both.old.get("/members/host/export", headers=cookie).status == 403
    assert both.old.get("/members/uni/export").status == 401


def test_the_same_key_works_in_the_other_market_once_money_came(both: Both, tmp_path: Path) -> None:
    new = both.new
    member = read(export(both.old, TOPS, both.old.admin), tmp_path)
    before = new.market.desk.committed
    body = asked(member, "", {"o": "sk-given-anew"})
    answer = new.post("/api/import_member", body, new.admin)
    assert answer.status == 200, answer.text
    frames = list(new.market._archive.frames(before))
    assert len(frames) == 1
    bring = {row["account"]: row for row in answer.json["bring"]}
    assert bring["uni"]["unit"] == "credits"
    assert any(line.startswith("To bring: ") for line in told(answer.json))
    assert new.get("/api/me", both.secret).json["key"]["member"] == "uni"
    assert not any(float(row["balance"]) for row in new.get("/api/balances", new.admin).json)
    lab = {row["id"]: row for row in new.get("/api/budgets", both.manager).json}["lab"]
    old = {row["id"]: row for row in both.old.get("/api/budgets", both.manager).json}["lab"]
    assert (lab["spent"], lab["limit"]) == (old["spent"], old["limit"])
    amount = bring["uni"]["amount"]
    new.ask("deposit", member="uni", amount=amount, reference="brought")
    new.receipt("first", both.secret)
    again = new.post("/api/import_member", body, new.admin).json
    assert again["again"] is True
    assert next(told(again)).startswith("This tree came before, as uni, host, author.")
    clash = new.post("/api/import_member", asked(member, "x-", {}), new.admin).json
    assert clash["again"] is True
    assert verify(new.get("/api/receipts/first", both.secret).body)[4].ok


def test_what_cannot_be_taken_in_changes_nothing_and_says_why(both: Both, tmp_path: Path) -> None:
    new, member = both.new, read(export(both.old, ("uni",), both.manager), tmp_path)
    before = new.market.desk.number

    def said(body: bytes, key: str = "") -> str:
        answer = new.post("/api/import_member", body, key or new.admin)
        assert answer.status >= 400
        assert new.market.desk.number == before
        return str(answer.json["error"]["message"])

    host = read(export(both.old, ("host",), both.old.admin), tmp_path)
    keyless = structs.replace(host.tree, keys=())
    (offer,) = keyless.offers

    def with_offer(**fields: Any) -> bytes:
        changed = structs.replace(keyless, offers=(structs.replace(offer, **fields),))
        return asked(structs.replace(host, tree=changed), "y-", {"o": "sk"})

    assert "because of offer 'y-o'. No title 'gone'" in said(with_offer(title="gone"))
    assert "because of offer 'o'. 127" in said(with_offer(url="http://127.0.0.1:1/v1"))
    assert "works here already, as" in said(asked(host, "y-", {"o": "sk"}))
    assert "because of member 'uni'. 'uni' exists." in said(
        asked(structs.replace(member, tree=structs.replace(member.tree, keys=())), "", {})
    )
    assert "operator" in said(asked(member, "z-", {}), both.manager)
    assert "no member's export" in said(b"{}")
    assert "no member's export" in said(b"[" * 100_000)
    assert "wanted: none" in said(asked(member, "z-", {"o": "sk"}))


@settings(max_examples=30)
@given(at=st.integers(0, 10**9), bit=st.integers(0, 7), cut=st.booleans())
def test_no_damage_passes(both: Both, tmp_path_factory: pytest.TempPathFactory, at: int, bit: int,
                          cut: bool) -> None:  # fmt: skip
    whole = KEPT.setdefault("whole", export(both.old, ("uni",), both.manager))
    there = KEPT.setdefault("there", tmp_path_factory.mktemp("bad"))
    data = bytearray(whole)
    if cut:
        del data[at % len(data) :]
    else:
        data[at % len(data)] ^= 1 << bit
    try:
        found = read(bytes(data), there)
    except Bad:
        return
    assert found == read(whole, there)


@settings(max_examples=40)
@given(at=st.integers(0, 10**9), byte=st.integers(0, 255), width=st.integers(0, 3))
def test_no_body_of_an_import_is_a_mistake_of_the_market(
    both: Both, tmp_path_factory: pytest.TempPathFactory, at: int, byte: int, width: int
) -> None:
    there = KEPT.setdefault("there", tmp_path_factory.mktemp("bad"))
    if "body" not in KEPT:
        found = read(export(both.old, TOPS, both.old.admin), there)
        KEPT["body"] = asked(found, "", {"o": "sk"})
    body = bytearray(KEPT["body"])
    body[at % len(body) : at % len(body) + width] = bytes([byte])
    answer = both.new.post("/api/import_member", bytes(body), both.new.admin)
    assert answer.status < 500, answer.text


KEPT: dict[str, Any] = {}
