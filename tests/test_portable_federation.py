"""A member moves to a federated market: its tree by export and import, its money by a transfer."""

from __future__ import annotations

from pathlib import Path

from federated import befriend, settle, towns

from allmende.adapters import bundle
from allmende.adapters.member_file import Member, read_member
from allmende.cli.market_move import asked
from allmende.core.units import CREDIT, pico


def exported(data: bytes, file: Path) -> Member:
    file.write_bytes(data)
    with bundle.opened(file) as found:
        return read_member(found)


def test_what_an_import_lists_comes_by_transfer(tmp_path: Path) -> None:
    with towns(tmp_path, "a", "b") as (a, b):
        befriend(a, b, limit="1000")
        a.ask("add_member", id="guild", name="Guild", kind="organisation")
        a.ask("add_budget", id="guild", name="All", owner="guild", limit="7")
        secret = a.key("guild", budget="guild")
        a.ask("transfer", source="uni", target="guild", asset="credit", amount="3")
        a.send("uni", b, "uni", "1")
        settle(a, b)
        data = a.get("/api/export_member?member=guild", a.admin).body
        body = asked(exported(data, tmp_path / "g.zip"), "", {}, {"credit": "credit@a"})
        answer = b.post("/api/import_member", body, b.admin)
        assert answer.status == 200, answer.text
        (row,) = answer.json["bring"]
        assert (row["account"], pico(row["amount"])) == ("guild", 3 * CREDIT)
        assert a.send("guild", b, "guild", row["amount"]).status == 200
        settle(a, b)
        assert b.balance("guild", "credit@a") == 3 * CREDIT
        assert a.balance("guild") == 0
        (node,) = b.get("/api/budgets", secret).json
        assert (node["asset"], node["limit"]) == ("credit@a", "7")
        again = exported(b.get("/api/export_member?member=guild", b.admin).body, tmp_path / "h.zip")
        assert [(one.asset, one.kind) for one in again.open.bring] == [("credit@a", "foreign")]
