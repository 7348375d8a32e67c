"""The house pays in by itself on a chain of play: enough, once, and again where it must."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from market import HandClock

from allmende.core.units import SECOND
from allmende.custody import ContractCall
from allmende.doors.settler_cover import ROOM, Cover
from allmende.doors.settler_sends import Sends
from allmende.ports import Send, Stage, Wanted

UNIT = 10**6


class FakeCustody:
    deployment = SimpleNamespace(vault="0xfa", operator="0x01", decimals=6)

    def approve(self, spender: str, amount: int) -> ContractCall:
        return ContractCall("0xcc", b"approve")

    def deposit(self, account: str, amount: int) -> ContractCall:
        return ContractCall("0xfa", amount.to_bytes(32, "big"))


def sent(wanted: Wanted, stage: Stage, *, ok: bool = False) -> Send:
    return Send(wanted, stage, None, "", "", 1, "", ok, "")


class FakeSender:
    def __init__(self) -> None:
        self.sends: dict[str, Send] = {}

    def put(self, wanted: Wanted) -> Send:
        return self.sends.setdefault(wanted.key, sent(wanted, Stage.WAITING))

    def get(self, key: str) -> Send | None:
        return self.sends.get(key)

    @property
    def deposits(self) -> list[int]:
        sent = [send.wanted for send in self.sends.values()]
        return [int.from_bytes(one.data, "big") for one in sent if one.to == "0xfa"]

    def end(self, stage: Stage, *, ok: bool) -> None:
        for key, send in self.sends.items():
            if send.wanted.to == "0xfa" and send.stage is Stage.WAITING:
                self.sends[key] = sent(send.wanted, stage, ok=ok)


@pytest.fixture
def clock() -> HandClock:
    return HandClock(1_790_000_000 * SECOND)


@pytest.fixture
def sender() -> FakeSender:
    return FakeSender()


@pytest.fixture
def cover(sender: Any, clock: HandClock) -> Cover:
    custody: Any = FakeCustody()
    return Cover(custody, Sends(sender, clock, "0xfa"))


def test_what_grows_while_a_deposit_is_under_way_is_not_paid_twice(
    cover: Cover, sender: FakeSender
) -> None:
    cover.step(3 * UNIT, 0)
    cover.step(5 * UNIT, 0)
    assert sender.deposits == [3 * UNIT + ROOM * UNIT]
    sender.end(Stage.FINAL, ok=True)
    cover.step(5 * UNIT, 0)  # in the chain, and not yet counted
    assert len(sender.deposits) == 1


def test_the_same_lack_again_is_paid_again(cover: Cover, sender: FakeSender) -> None:
    cover.step(3 * UNIT, 0)
    sender.end(Stage.FINAL, ok=True)
    cover.step(3 * UNIT, 103 * UNIT)
    assert sender.deposits == [103 * UNIT, 103 * UNIT]
    cover.step(0, 206 * UNIT)
    assert len(sender.deposits) == 2


def test_a_deposit_that_was_refused_is_made_again_after_a_while(
    cover: Cover, sender: FakeSender, clock: HandClock
) -> None:
    """The vault was paused, say."""
    cover.step(3 * UNIT, 0)
    sender.end(Stage.FAILED, ok=False)
    cover.step(3 * UNIT, 0)
    assert len(sender.deposits) == 1
    clock.at += 2 * SECOND
    cover.step(4 * UNIT, 0)
    assert sender.deposits == [103 * UNIT, 103 * UNIT]


def test_a_large_lack_gets_as_much_again(cover: Cover, sender: FakeSender) -> None:
    cover.step(700 * UNIT, 0)
    assert sender.deposits == [1_400 * UNIT]
