"""What is done again and again beside a market: a mistake ends none of it, and is seen."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from doors import Doors

from allmende.core.refusals import Refused, Why
from allmende.desk import Stopped
from allmende.main_duties import Duties
from allmende.ports import ChainFailed


async def until(done: Callable[[], bool]) -> None:
    while not done():
        await asyncio.sleep(0.02)


class Fails:
    """A duty that fails in these ways, one after the other; None goes well."""

    def __init__(self, *ways: BaseException | None) -> None:
        self.ways = list(ways)

    async def step(self) -> None:
        way = self.ways.pop(0)
        if way is not None:
            raise way


def test_a_cause_is_said_again_only_after_another_or_none(
    caplog: pytest.LogCaptureFixture,
) -> None:
    causes = ("busy", "busy", "no_funds", "busy", "", "busy")
    duty = Fails(*(ChainFailed(cause, "as before") if cause else None for cause in causes))

    async def work() -> list[list[str]]:
        duties, wrong = Duties(), []
        while duty.ways:
            await duties.once("The chain", duty.step)
            wrong.append([alarm.word for alarm in duties.wrong.values()])
        return wrong

    # no node can help where the gas is spent
    assert asyncio.run(work()) == [[], [], ["sender"], [], [], []]
    logged = [record.getMessage().split()[2] for record in caplog.records]
    assert logged == ["busy.", "no_funds.", "busy.", "busy."]
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


@pytest.mark.parametrize(
    "bug",
    [AssertionError("x"), KeyError("x"), sqlite3.OperationalError("locked"), Refused(Why.EXISTS)],
)
def test_a_mistake_ends_no_duty_and_is_an_alarm_until_it_is_gone(
    bug: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever stopped here would leave the next challenge without an answer."""
    duty, duties = Fails(bug, bug, None), Duties()

    async def work() -> None:
        for alarms in (["broken"], ["broken"], []):
            await duties.once("Settling", duty.step)
            assert [alarm.word for alarm in duties.wrong.values()] == alarms

    asyncio.run(work())
    assert caplog.text.count("Settling failed, and is tried again") == 1
    assert "Traceback" in caplog.text


def test_a_stopped_desk_ends_its_duties() -> None:
    duty = Fails(Stopped("a commit failed"))
    with pytest.raises(Stopped):
        asyncio.run(Duties().once("Settling", duty.step))


def test_one_broken_duty_does_not_end_the_others_and_pages_say_so(tmp_path: Path) -> None:
    with Doors(tmp_path, chain="embedded", chain_terms="fast") as doors:
        standing = doors.market.custody_side.standing
        assert standing is not None
        steps: list[str] = []

        async def broken() -> None:
            steps.append("settler")
            raise KeyError("a bug")

        async def whole() -> None:
            steps.append("bridge")

        standing.settler.step, standing.bridge.step = broken, whole  # type: ignore[method-assign]
        doors.run(until(lambda: len(steps) >= 5))
        assert {"settler", "bridge"} <= set(steps)
        told = doors.get("/api/chain").json["settler"]
        assert told["alarms"] == ["broken"]
