"""Turns: steps of one sender never overlap, and nobody waits for more of them than he needs."""

from __future__ import annotations

import asyncio

import pytest

from allmende.adapters.chain.turns import Turns
from allmende.ports import ChainFailed, Send, Sender, Stage, Wanted


class Slow:
    """A sender whose steps take three turns of the loop, and that counts them."""

    def __init__(self) -> None:
        self.steps = self.running = self.most = 0
        self.failing = False

    def put(self, wanted: Wanted) -> Send:
        return Send(wanted, Stage.WAITING, None, "", "", None, "", False, "")

    def get(self, key: str) -> Send | None:
        return None

    async def step(self) -> None:
        self.steps += 1
        self.running += 1
        self.most = max(self.most, self.running)
        for _ in range(3):
            await asyncio.sleep(0)
        self.running -= 1
        if self.failing:
            raise ChainFailed("unreachable", "away")


def test_who_comes_while_a_step_runs_shares_the_next_one() -> None:
    async def work() -> None:
        slow = Slow()
        turns: Sender = Turns(slow)
        first = asyncio.create_task(turns.step())
        await asyncio.sleep(0)
        await asyncio.gather(first, *(turns.step() for _ in range(50)))
        assert (slow.most, slow.steps) == (1, 2)
        await turns.step()
        assert slow.steps == 3

    asyncio.run(work())


def test_who_shares_a_step_hears_why_it_failed() -> None:
    async def work() -> None:
        slow = Slow()
        turns = Turns(slow)
        slow.failing = True
        done = await asyncio.gather(*(turns.step() for _ in range(5)), return_exceptions=True)
        assert [type(failed) for failed in done] == [ChainFailed] * 5
        assert slow.steps == 2
        slow.failing = False
        await turns.step()
        assert slow.steps == 3

    asyncio.run(work())


def test_a_cancelled_step_does_not_hold_up_the_next() -> None:
    async def work() -> None:
        slow = Slow()
        turns = Turns(slow)
        first = asyncio.create_task(turns.step())
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        await turns.step()
        assert slow.steps == 2

    asyncio.run(work())


def test_what_is_put_and_got_is_the_senders_own() -> None:
    turns = Turns(Slow())
    assert turns.put(Wanted("a", "0x" + "11" * 20)).stage is Stage.WAITING
    assert turns.get("a") is None
