"""The JSON door: commands in, events out; who may do and see what; errors that help."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from doors import Doors
from msgspec import structs

from allmende.core import commands as c
from allmende.core.units import CREDIT, Units
from allmende.doors import asks
from allmende.doors.plain import AMOUNTS, INSTANTS, RATES
from allmende.wire.receipt import verify


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    folder: Path = tmp_path_factory.mktemp("market")
    with Doors(folder) as market:
        market.furnish()
        yield market


# Doing --------------------------------------------------------------------------------


def test_amounts_are_exact_decimal_text_both_ways(doors: Doors) -> None:
    made = doors.ask("add_budget", id="exact", name="E", owner="uni", limit="12.000000000001")
    assert made["events"][0]["limit"] == "12.000000000001"
    assert doors.market.desk.state.budgets["exact"].limit == 12 * CREDIT + 1
    rows = {row["id"]: row for row in doors.get("/api/budgets", doors.admin).json}
    assert rows["exact"]["available"] == "12.000000000001"


@pytest.mark.parametrize("limit", [12.5, 12, "12,5", "nan", "1e400", "0.0000000000001", True])
def test_what_is_no_decimal_text_of_credits_is_refused(doors: Doors, limit: object) -> None:
    fields = {"id": "never", "name": "N", "owner": "uni", "limit": limit}
    answer = doors.post("/api/add_budget", fields, doors.admin)
    assert (answer.status, answer.code) == (422, "bad_value")
    assert "never" not in doors.market.desk.state.budgets


def test_kebab_case_and_the_wrapped_noun_mean_the_same(doors: Doors) -> None:
    flat = doors.ask("add-member", id="flat", name="F", kind="person")
    wrapped = doors.ask("add_member", member={"id": "wrapped", "name": "F", "kind": "person"})
    assert flat["events"][0]["member"]["kind"] == wrapped["events"][0]["member"]["kind"]


def test_a_new_key_is_told_once_and_known_by_its_hash(doors: Doors) -> None:
    made = doors.ask("issue_key", member="uni", budget="lab", max_rate="2.5", expires="2099-01-01")
    assert made["secret"].startswith("alm_")
    assert made["secret"] not in json.dumps(made["events"])
    assert "hash" not in made["events"][0]["key"]
    (row,) = (r for r in doors.get("/api/keys", doors.admin).json if r["id"] == made["id"])
    assert (row["max_rate"], row["expires"]) == ("2.5", "2099-01-01T00:00:00+00:00")
    assert doors.get("/api/me", made["secret"]).json["key"]["id"] == made["id"]
    doors.ask("revoke_key", id=made["id"])
    assert doors.get("/api/me", made["secret"]).status == 401


def test_the_door_alone_says_who_asks_and_when(doors: Doors) -> None:
    for field in ("by", "at", "idem", "type"):
        body = {"id": "x", "name": "X", "kind": "person", field: "system"}
        answer = doors.post("/api/add_member", body, doors.admin)
        assert (answer.status, answer.code) == (422, "bad_value"), field
        assert field in answer.json["error"]["message"]


def test_a_provider_cannot_hand_in_its_own_seal_nor_a_caller_its_own_hash(doors: Doors) -> None:
    sealed = {"id": "x", "sealed_secret": "s1.x", "url": "https://8.8.8.8/v1"}
    assert doors.post("/api/post_offer", sealed, doors.admin).code == "bad_value"
    hashed = {"member": "uni", "hash": "0" * 64}
    assert doors.post("/api/issue_key", hashed, doors.admin).code == "bad_value"


def test_commands_of_the_house_have_no_door(doors: Doors) -> None:
    for name in ("reserve", "capture", "void", "recount", "tick", "restart", "found", "checkpoint"):
        answer = doors.post(f"/api/{name}", {}, doors.admin)
        assert (answer.status, answer.code) == (404, "not_found"), name


def test_an_idempotency_key_acts_once_and_only_for_the_same_contents(doors: Doors) -> None:
    headers = {"idempotency-key": "pay-1"}
    fields = {"member": "other", "amount": "1", "reference": "once"}
    before = doors.post("/api/deposit", fields, doors.admin, headers)
    again = doors.post("/api/deposit", fields, doors.admin, headers)
    assert (before.status, again.status) == (200, 200)
    assert before.json == again.json
    changed = doors.post("/api/deposit", {**fields, "amount": "2"}, doors.admin, headers)
    assert (changed.status, changed.code) == (409, "replayed")


def test_an_offer_is_judged_sealed_and_priced(doors: Doors) -> None:
    fields = {
        "id": "far",
        "provider": "host",
        "title": "t",
        "model": "far",
        "tariff": {"input": "0.15", "output": "0.6"},
        "zone": {"country": "SWE"},
        "url": "https://8.8.8.8/v1",
        "secret": "sk-provider",
        "active_b": "8",
    }
    answer = doors.ask("post_offer", **fields)
    assert "sk-provider" not in json.dumps(answer)
    assert answer["events"][0]["offer"]["tariff"] == {"input": "0.15", "output": "0.6"}
    offer = doors.market.desk.state.offers["far"]
    assert offer.tariff.input == 150_000
    assert offer.sealed_secret.startswith("s1.")
    assert offer.energy.output_nj[1] > offer.energy.output_nj[0] > 0
    (row,) = (row for row in doors.get("/api/offers").json if row["id"] == "far")
    assert "url" not in row
    assert "sealed_secret" not in row


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"url": "http://127.0.0.1:9/v1"}, "bad_value"),
        ({"url": "http://169.254.169.254/"}, "bad_value"),
        ({"url": "http://127.0.0.1:9/v1", "allow_private": True}, "not_allowed"),
        ({"tariff": {}}, "unpriced"),
        ({"tariff": {"input": "0.0000001"}}, "bad_value"),
        ({"tariff": {"inputs": "1"}}, "bad_value"),
        ({"active_b": "minus"}, "bad_value"),
        ({"capacity": "many"}, "bad_value"),
    ],
)
def test_an_offer_that_should_not_be_is_refused(
    doors: Doors, change: dict[str, object], code: str
) -> None:
    fields = {
        "id": "no",
        "provider": "host",
        "title": "t",
        "model": "no",
        "tariff": {"input": "1"},
        "zone": {"country": "SWE"},
        "url": "https://8.8.8.8/v1",
    }
    assert doors.post("/api/post_offer", {**fields, **change}, doors.admin).code == code
    assert "no" not in doors.market.desk.state.offers


# Bad input ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'"x"', b"\xff\xfe", b"[" * 60_000, b'{"id": 1e999}', b"null"]
)
def test_a_body_that_is_no_object_is_refused(doors: Doors, body: bytes) -> None:
    answer = doors.post("/api/add_member", body, doors.admin)
    assert answer.status in (400, 422)
    assert answer.json["error"]["message"]


def test_a_huge_body_is_refused_unread(doors: Doors) -> None:
    answer = doors.post("/api/add_member", b" " * 65_537, doors.admin)
    assert (answer.status, answer.code) == (413, "too_large")


def test_without_a_good_key_nothing_but_the_public_is_told(doors: Doors) -> None:
    for path in ("me", "members", "budgets", "keys", "balances", "receipts", "events", "audit"):
        for key in ("", "alm_wrong", "ä"):
            answer = doors.get(f"/api/{path}", key)
            assert (answer.status, answer.code) == (401, "unknown_key"), path
    for path in ("offers", "titles", "parameters", "batches", "observe", "openapi.json"):
        assert doors.get(f"/api/{path}").status == 200, path


def test_unknown_paths_and_methods_get_the_same_form_of_error(doors: Doors) -> None:
    assert doors.get("/api/nope").status in (404, 405)
    assert doors.post("/api/nope", {}, doors.admin).code == "not_found"
    assert doors.post("/api/members/x", {}, doors.admin).code == "not_found"
    assert doors.get("/api/receipts?limit=many", doors.admin).code == "bad_value"


def test_every_answer_has_the_security_headers(doors: Doors) -> None:
    for path in ("/api/offers", "/api/me", "/", "/nowhere"):
        headers = doors.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


# Seeing -------------------------------------------------------------------------------


def test_each_role_sees_its_own_part(doors: Doors) -> None:
    spender = doors.key("physics", budget="lab")
    manager = doors.key("uni", "manage", "uni")
    stranger = doors.key("other", "manage", "other")
    one = doors.receipt("r-see", spender)

    def ids(path: str, key: str) -> set[str]:
        rows = doors.get(f"/api/{path}", key).json
        return {row["id"] for row in (rows["receipts"] if path == "receipts" else rows)}

    assert ids("budgets", spender) == {"lab", "uni"}
    assert {"uni", "lab", "chem"} <= ids("budgets", manager)
    assert ids("members", spender) == {"physics"}
    assert {"uni", "physics"} == ids("members", manager)
    assert len(ids("keys", spender)) == 1
    assert one in ids("receipts", spender)
    assert one in ids("receipts", manager)
    assert one in ids("receipts", doors.admin)
    assert one not in ids("receipts", stranger)
    assert doors.get(f"/api/receipts/{one}", stranger).code == "not_found"
    for path in ("audit", "export"):
        assert doors.get(f"/api/{path}", manager).code == "not_allowed"


def test_a_spender_may_do_nothing_but_spend(doors: Doors) -> None:
    spender = doors.key("physics", budget="lab")
    for name, fields in (
        ("add_member", {"id": "p", "name": "P", "kind": "person"}),
        ("issue_key", {"member": "physics", "budget": "lab"}),
        ("set_budget", {"id": "lab", "limit": None}),
        ("set_carbon_cap", {"id": "lab", "cap_ug": None}),
        ("deposit", {"member": "physics", "amount": "1", "reference": "r"}),
        ("close_batch", {}),
        ("set_parameter", {"name": "levy_ppm", "value": 0}),
    ):
        assert doors.post(f"/api/{name}", fields, spender).code == "not_allowed", name


def test_a_receipt_file_proves_itself_before_and_after_its_batch(doors: Doors) -> None:
    spender = doors.key("uni", budget="uni")
    id_ = doors.receipt("r-proof", spender)
    before = verify(doors.get(f"/api/receipts/{id_}", spender).body)
    assert all(check.ok for check in before)
    doors.ask("close_batch")
    data = doors.get(f"/api/receipts/{id_}", spender).body
    public = doors.get("/api/me", spender).json["market"]["public_key"]
    checks = {check.name: check.ok for check in verify(data, public)}
    assert checks["batch root"]
    assert all(checks.values())
    forged = json.loads(data)
    forged["receipt"]["price"] += 1
    assert not all(check.ok for check in verify(json.dumps(forged).encode()))


def test_receipts_are_paged_and_counted_in_totals(doors: Doors) -> None:
    spender = doors.key("uni", budget="chem")
    made = [doors.receipt(f"r-page-{i}", spender) for i in range(5)]
    first = doors.get("/api/receipts?limit=3", spender).json
    rest = doors.get(f"/api/receipts?limit=3&before={first['before']}", spender).json
    assert [row["id"] for row in first["receipts"] + rest["receipts"]] == made[::-1]
    assert rest["before"] is None
    assert first["receipts"][0]["price"] == "0.000066"
    assert first["receipts"][0]["waterfall"][0]["role"] == "host"
    public = doors.get("/api/observe").json
    assert "account" not in public
    (host,) = (row for row in public["provider"] if row["value"] == "host")
    assert host["receipts"] >= 5


def test_events_stream_what_the_listener_may_see(doors: Doors) -> None:
    spender = doors.key("uni", budget="uni")

    units, foreign = Units(input=10, output=5), doors.key("other", budget="other")

    async def heard() -> bytes:
        listening = asyncio.create_task(
            doors.listen("/api/events", spender, {"last-event-id": "0"}, b"r-live-own")
        )
        await doors.book("r-live-foreign", foreign, units)
        await doors.book("r-live-own", spender, units)
        return await listening

    text = doors.run(heard())
    assert b"event: receipt" in text
    assert b"r-live-own" in text
    assert b"r-live-foreign" not in text


def test_the_audit_agrees_with_the_export(doors: Doors) -> None:
    audit = doors.get("/api/audit", doors.admin).json
    lines = doors.get("/api/export", doors.admin).body.splitlines()
    assert audit["ok"] is True
    assert audit["events"] == len(lines)
    assert json.loads(lines[0])["type"] == "founded"
    tail = doors.get("/api/export?after=3", doors.admin).body.splitlines()
    assert tail == lines[3:]


# Description --------------------------------------------------------------------------


def test_the_description_names_every_command_and_no_field_of_ours(doors: Doors) -> None:
    said = doors.get("/api/openapi.json").json
    assert {f"/api/{name}" for name in asks.COMMANDS} <= set(said["paths"])
    schemas = said["components"]["schemas"]
    assert schemas["AddBudget"]["properties"]["limit"]["type"] == "string"
    assert schemas["Tariff"]["properties"]["input"]["type"] == "string"
    for schema in schemas.values():
        assert not {"by", "at", "idem", "hash", "sealed_secret"} & set(schema["properties"])


def test_every_field_of_money_and_time_is_known_as_such() -> None:
    """A new Amount in a command must not cross the door as a bare number."""
    for name in asks.COMMANDS:
        shape = asks.shape(name)
        for field in structs.fields(shape):
            written = shape.__annotations__.get(field.name, "")
            if "Amount" in written:
                assert field.name in AMOUNTS | RATES, f"{name}.{field.name}"
            if "Instant" in written:
                assert field.name in INSTANTS, f"{name}.{field.name}"


def test_commands_without_a_door_are_the_houses_own() -> None:
    every = {kind for kind in vars(c).values() if isinstance(kind, type)}
    commands = {kind for kind in every if issubclass(kind, c.Command)} - {c.Command}
    ours = commands - set(asks.COMMANDS.values())
    assert {kind.__name__ for kind in ours} == {
        *("Found", "Reserve", "Checkpoint", "Capture", "Void", "Recount", "Tick", "Restart")
    }
    assert msgspec.json.encode(c.Tick())


def test_operators_see_open_cases_and_others_do_not(doors: Doors) -> None:
    case = {"id": "c1", "kind": "wash", "subject": "uni", "explanation": "Look.", "evidence": [1]}
    doors.ask("open_case", **case)
    (found,) = doors.get("/api/cases", doors.admin).json
    assert {**found, "opener": ""} == {**case, "opener": ""}
    secret = doors.ask("issue_key", member="uni", role="manage")["secret"]
    assert doors.get("/api/cases", secret).status == 403
    doors.ask("decide_case", id="c1", decision="dismissed", reason="A hedge.")
    assert doors.get("/api/cases", doors.admin).json == []
