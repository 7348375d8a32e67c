"""Live drills: real requests over real sockets go elsewhere at once, and come back."""

from __future__ import annotations

import asyncio
from pathlib import Path

from doors import Doors
from served import Market, run, serve

from allmende.core import commands as c
from allmende.core import drill_commands as dc
from allmende.core import machine
from allmende.core.units import SECOND, Tariff, Zone

DEAR = Tariff(300_000, None, 900_000)


async def two(market: Market, cheap: str = "fake") -> None:
    """Model m: one cheap offer in the United States, one in Germany."""
    at = market.clock.now()
    await market.offer("us", "m", cheap, zone=Zone("USA"))
    await market.offer("de", "m", "fake", tariff=DEAR)
    await market.desk.submit(c.SetParameter(at=at, name="drills_allowed", value=1))


async def start(market: Market, *offers: str, seconds: int = 30) -> None:
    command = dc.StartDrill(
        at=market.clock.now(), id="d1", offers=offers, seconds=seconds, label="country=USA"
    )
    await market.desk.submit(command)


def offers(market: Market) -> list[str]:
    return [receipt.offer for receipt in market.receipts]


def test_the_first_request_after_the_cut_goes_elsewhere_and_comes_back_after(
    tmp_path: Path,
) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            await two(market)
            assert (await market.chat("m")).status == 200
            await start(market, "us")
            assert (await market.chat("m")).status == 200
            assert (await market.chat("m", stream=True)).status == 200
            market.clock.at += 30 * SECOND
            assert (await market.chat("m")).status == 200
            assert offers(market) == ["us", "de", "de", "us"]

    run(work())


def test_twenty_at_once_all_go_elsewhere_while_what_ran_ends_where_it_was(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            await two(market, "fake-slow")
            before = asyncio.create_task(market.chat("m", stream=True))
            async with asyncio.timeout(5):
                while not market.desk.state.holds:
                    await asyncio.sleep(0.005)
            await start(market, "us")
            answers = await asyncio.gather(*(market.chat("m") for _ in range(20)))
            assert {answer.status for answer in answers} == {200}
            assert not before.done(), "the stream was to be under way still"
            ran = await before
            assert ran.status == 200
            assert ran.events[-1] == "[DONE]"
            assert sorted(offers(market)) == ["de"] * 20 + ["us"]
            (receipt,) = (r for r in market.receipts if r.offer == "us")
            assert receipt.outcome == "complete"

    run(work())


def test_where_nothing_is_left_a_sentence_names_the_drill_and_nobody_is_asked(
    tmp_path: Path,
) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            await two(market)
            await start(market, "us", "de")
            asked = len(market.provider.seen)
            answer = await market.chat("m")
            assert (answer.status, answer.error["code"]) == (503, "no_offer")
            assert (
                "A drill is running: d1 (country=USA); it ends within 30 s."
                in (answer.error["message"])
            )
            assert answer.headers["retry-after"] == "30"
            assert len(market.provider.seen) == asked
            assert not market.desk.state.holds
            market.gateway.turned_away.tell()
            await market.chat("fake")  # waits for a commit
            (noted,) = (v for v in market.events if type(v).__name__ == "DrillNoted")
            assert (noted.id, noted.refused) == ("d1", 1)  # type: ignore[attr-defined]
            await market.desk.submit(dc.EndDrill(at=market.clock.now(), id="d1"))
            assert (await market.chat("m")).status == 200

    run(work())


def test_a_drill_of_half_the_offers_turns_nobody_away(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            await two(market)
            await start(market, "us")
            await market.chat("m")
            market.gateway.turned_away.tell()
            await market.settled()
            assert not [v for v in market.events if type(v).__name__ == "DrillNoted"]

    run(work())


def test_the_api_starts_ends_and_tells_of_drills(tmp_path: Path) -> None:
    with Doors(tmp_path) as doors:
        doors.furnish()
        key = doors.key("uni", budget="lab")
        fields = {"id": "d", "offers": ["o"], "seconds": 60, "label": "provider=host"}
        answer = doors.post("/api/start_drill", fields, doors.admin)
        assert (answer.status, answer.code) == (403, "not_allowed")
        doors.ask("set_parameter", name="drills_allowed", value=1)
        assert doors.post("/api/start_drill", fields, key).status == 403
        doors.ask("start_drill", **fields)
        (offer,) = doors.get("/api/offers").json
        assert offer["drill"] == "d"
        refused = doors.post(
            "/v1/chat/completions",
            {"model": "smol", "messages": [{"role": "user", "content": "x"}]},
            key,
        )
        assert (refused.status, refused.code) == (503, "no_offer")
        assert refused.json["error"]["drills"] == ["d"]
        doors.run(tell(doors))
        doors.ask("end_drill", id="d")
        (row,) = doors.get("/api/drills").json
        assert (row["id"], row["label"], row["offers"]) == ("d", "provider=host", ["o"])
        assert (row["cause"], row["refused"], row["served"]) == ("ended", 1, 0)
        assert row["switched_s"] is None
        assert doors.get("/api/offers").json[0]["drill"] is None
        doors.receipt("after", key)
        assert machine.digest(doors.market.desk.state)


async def tell(doors: Doors) -> None:
    """What the market does once a second."""
    doors.market._gateway.turned_away.tell()


def test_a_drill_survives_a_restart_of_the_market(tmp_path: Path) -> None:
    with Doors(tmp_path) as doors:
        doors.furnish()
        doors.ask("set_parameter", name="drills_allowed", value=1)
        doors.ask("start_drill", id="d", offers=["o"], seconds=600)
        admin = doors.admin
    with Doors(tmp_path) as doors:
        assert [row["drill"] for row in doors.get("/api/offers").json] == ["d"]
        doors.ask("end_drill", key=admin, id="d")
        assert [row["cause"] for row in doors.get("/api/drills").json] == ["ended"]
