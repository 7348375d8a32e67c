"""Money: what others lose or overcharge, each as a test; no pico-credit moves that should not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from fake_answers import Act
from served import Market, run, serve

from allmende.core import commands as c
from allmende.core import ledger
from allmende.core.events import Voided
from allmende.core.units import CREDIT, Units
from allmende.doors.gateway import Limits
from allmende.ports import Job


async def charged(market: Market) -> int:
    """Pico-credits that the payer paid; asserts that no hold is left."""
    await market.settled()
    paid = 10 * CREDIT - ledger.balance(market.desk.state, "uni", "credit")
    assert paid == sum(receipt.price for receipt in market.receipts)
    return paid


async def voids(market: Market) -> list[Voided]:
    await market.settled()
    return market.voids


def test_63_tokens_reported_against_one_asked_stay_within_the_hold(tmp_path: Path) -> None:
    async def work() -> None:
        act = Act(events=63, usage="excess", delay_s=0.002)
        async with serve(tmp_path, {"fake-excess": act}) as market:
            assert (await market.chat("fake-excess", max_tokens=1)).status == 200
            cut = await market.chat("fake-excess", max_tokens=1, stream=True)
            assert cut.events[-1] == "[DONE]"
            whole, streamed = market.receipts
            assert whole.reported == Units(input=6, output=63)
            assert streamed.outcome == cut.slip["outcome"] == "limit"
            assert whole.units.output == streamed.units.output == 1
            assert whole.price == 6 * 150_000 + 1 * 600_000
            await market.provider.settled()
            assert market.provider.seen[1].aborted
            assert await charged(market) == whole.price + streamed.price

    run(work())


def test_usage_that_runs_along_is_not_summed(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            await market.chat("fake-cumulative", stream=True)
            assert market.receipts[0].units == Units(input=6, output=4)

    run(work())


@pytest.mark.parametrize("act", ["fake-missing", "fake-text", "fake-null", "fake-negative"])
def test_missing_or_senseless_usage_is_not_zero_usage(tmp_path: Path, act: str) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            for stream in (False, True):
                assert (await market.chat(act, stream=stream)).status == 200
            for receipt in market.receipts:
                assert receipt.basis == "estimate"
                assert receipt.verdict == "unreported"
                assert receipt.units.output >= 4
                assert receipt.units.input >= 1
            assert await charged(market) > 0

    run(work())


def test_choices_are_all_paid(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            await market.chat("fake", n=3, max_tokens=4)
            assert market.receipts[0].units.output == 12

    run(work())


@pytest.mark.parametrize(
    ("act", "cause"),
    [
        ("fake-before", "cut"), ("fake-500", "status_500"), ("fake-429", "status_429"),
        ("fake-401", "status_401"), ("fake-garbage", "garbage"), ("fake-redirect", "redirect"),
        ("fake-gzip", "compressed"), ("fake-headers", "garbage"),
    ],
)  # fmt: skip
def test_who_fails_before_the_first_byte_is_replaced_and_not_paid(
    tmp_path: Path, act: str, cause: str
) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            await market.offer("a-bad", "m", act)
            await market.offer("b-good", "m", "fake")
            for stream in (False, True):
                answer = await market.chat("m", stream=stream)
                assert (answer.status, answer.slip["offer"]) == (200, "b-good")
            fault = cause != "status_500"  # which the request itself may have caused
            told = [(void.cause, void.fault) for void in await voids(market)]
            assert told == [(cause, fault)] * 2
            assert await charged(market) == 2 * 3_300_000

    run(work())


@pytest.mark.parametrize("act", ["fake-empty", "fake-garbage-body", "fake-mid"])
def test_an_unstreamed_answer_that_breaks_costs_nothing(tmp_path: Path, act: str) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            answer = await market.chat(act)
            assert (answer.status, answer.error["code"]) == (502, "upstream_failed")
            assert act in answer.error["message"]
            assert [void.fault for void in await voids(market)] == [True]
            assert await charged(market) == 0

    run(work())


def test_a_stall_before_the_first_byte_times_out_to_the_next_offer(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            await market.offer("a-stall", "m", "fake-stall", first_byte_s=1)
            await market.offer("b-good", "m", "fake")
            answer = await market.chat("m")
            assert answer.slip["offer"] == "b-good"
            assert [void.cause for void in await voids(market)] == ["timeout"]
            await market.provider.settled()
            assert market.provider.seen[0].aborted

    run(work())


def test_so_many_offers_and_no_more_are_tried(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path, limits=Limits(tries=2)) as market:
            for id_ in ("a", "b", "c"):
                await market.offer(id_, "m", "fake-500")
            answer = await market.chat("m")
            assert answer.status == 502
            assert "a, b: status_500" in answer.error["message"]
            assert len(market.provider.seen) == 2
            assert await charged(market) == 0

    run(work())


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_providers_complaint_about_the_request_reaches_the_caller(
    tmp_path: Path, status: int
) -> None:
    async def work() -> None:
        async with serve(tmp_path, Act(status=status)) as market:
            await market.offer("other", "fake", "other")
            answer = await market.chat("fake")
            assert answer.status == status
            assert f"fake error {status}" in answer.error["message"]
            assert [(void.cause, void.fault) for void in await voids(market)] == [
                ("rejected", False)
            ]
            assert len(market.provider.seen) == 1
            assert await charged(market) == 0

    run(work())


def test_concurrent_requests_never_overdraw_a_budget(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            key = await market.key("sk-tight", budget="b")
            body = b'{"model":"fake-late","messages":[{"content":"hello"}],"max_tokens":4}'
            worst = (len(body) + 1_024 + 16) * 150_000 + 4 * 600_000
            limit = 7 * worst + worst // 2
            await market.desk.submit(c.SetBudget(at=market.clock.now(), id="b", limit=limit))
            asks = [market.ask("chat/completions", body, secret=key) for _ in range(40)]
            statuses = sorted([answer.status for answer in await asyncio.gather(*asks)])
            assert statuses == [200] * 7 + [402] * 33
            assert await charged(market) <= limit

    run(work())


class Counter:
    """ports.Recounter that finds 5 output tokens in every answer; waits until let go."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.calls: list[list[Job]] = []

    def knows(self, vocabulary: str) -> bool:
        return vocabulary == "words"

    async def count(self, jobs: Sequence[Job]) -> list[tuple[str, Units | None]]:
        self.calls.append(list(jobs))
        await self.go.wait()
        return [(job.receipt, Units(input=6, output=5)) for job in jobs if job.limit != 9]

    async def close(self) -> None: ...


def test_our_own_count_replaces_the_providers_in_one_command(tmp_path: Path) -> None:
    async def work() -> None:
        counter = Counter()
        async with serve(tmp_path, recounter=counter) as market:
            await market.offer("w", "w", vocabulary="words")
            answers = [await market.chat("w", stream=stream) for stream in (False, True, False)]
            await market.chat("w", max_tokens=9)
            assert all(answer.slip["verdict"] == "pending" for answer in answers)
            counter.go.set()
            await market.gateway.close(1)
            await market.settled()
            assert [len(jobs) for jobs in counter.calls] == [1, 3]
            assert b'"stream":true' in counter.calls[1][0].request
            assert b"[DONE]" in counter.calls[1][0].response
            assert counter.calls[0][0].limit == 100
            final = [(r.basis, r.verdict, r.units.output) for r in market.receipts]
            assert final == [("counted", "agrees", 5)] * 3 + [("reported", "unchecked", 4)]
            assert not market.desk.state.provisional

    run(work())


def test_what_finds_no_room_to_be_recounted_is_final_at_once(tmp_path: Path) -> None:
    async def work() -> None:
        counter = Counter()
        limits = Limits(recount_jobs=2)
        async with serve(tmp_path, recounter=counter, limits=limits) as market:
            await market.offer("w", "w", vocabulary="words")
            for _ in range(5):
                await market.chat("w")
            await market.settled()
            assert len(market.desk.state.provisional) == 3  # one being counted, two waiting
            await market.gateway.close(0.05)
            await market.settled()
            assert not market.desk.state.provisional
            assert {r.verdict for r in market.receipts} == {"unchecked"}

    run(work())


def test_a_recounter_that_fails_leaves_the_providers_word(tmp_path: Path) -> None:
    class Broken(Counter):
        async def count(self, jobs: Sequence[Job]) -> list[tuple[str, Units | None]]:
            raise OSError("the model file is gone")

    async def work() -> None:
        async with serve(tmp_path, recounter=Broken()) as market:
            await market.offer("w", "w", vocabulary="words")
            await market.chat("w")
            await market.gateway.close(1)
            await market.settled()
            assert [r.verdict for r in market.receipts] == ["unchecked"]

    run(work())


def test_a_fault_of_ours_is_500_in_form_and_voids_the_hold(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def work() -> Any:
        async with serve(tmp_path) as market:
            await market.offer("odd", "odd", sealed_secret="not sealed by us")
            answer = await market.chat("odd", messages=[{"content": "a private thing"}])
            await market.settled()
            assert [void.cause for void in await voids(market)] == ["fault"]
            assert await charged(market) == 0
            return answer

    answer = run(work())
    assert (answer.status, answer.error["code"]) == (500, "internal")
    assert "cannot be opened" in caplog.text
    assert "private" not in caplog.text
