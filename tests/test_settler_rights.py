"""Rights in wallets: minted once, credited once, whatever happens between two calls."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from bridge import BUYER, DECEMBER, HOLDER, Town, bridged, hashed, refused
from chains import OTHER
from killing import Death, Killed
from msgspec import structs

from allmende.core import commands as c
from allmende.core import exchange_commands as x
from allmende.core import machine
from allmende.core.contracts import LOT
from allmende.core.nouns import Member
from allmende.core.units import DAY, MINUTE, SECOND
from allmende.custody import Redemption
from allmende.doors.settler_returns import RETRY_S, referenced
from allmende.ports import ChainFailed, Send, Stage, Wanted

MEMBER = Member("x", "X", "person")


HOUR = 60 * MINUTE


def check(folder: Path, test: Callable[[Town], Awaitable[None]], finality: int = 1) -> None:
    async def work() -> None:
        async with bridged(folder, finality) as town, asyncio.timeout(60):
            await test(town)

    asyncio.run(work())


def test_rights_go_to_a_wallet_and_come_back_to_whom_it_names(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.wrap("w1", lots=3)
        assert town.rights("uni") == LOT
        await town.settle()
        assert await town.wallet() == 3 * LOT == town.custody_grains
        await town.redeem(HOLDER, 1, "author")
        await town.settle()
        assert town.rights("author") == LOT
        assert (await town.supply(), town.custody_grains) == (2 * LOT, 2 * LOT)
        (told,) = town.bridge.status()
        assert (told.wallets, told.custody, told.on_the_way) == (2 * LOT, 2 * LOT, 0)
        assert (told.unknown, told.alarm) == ((), "")

    check(tmp_path, story)


def test_the_contract_is_created_on_first_need_and_recorded(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        assert town.bridge.status() == []
        await town.wrap("w1")
        await town.settle()
        (told,) = town.bridge.status()
        await town.restart()
        assert town.custody.deployment.rights == {"december": told.contract}
        await town.wrap("w2")
        await town.settle()
        assert await town.wallet() == 2 * LOT
        assert [one.contract for one in town.bridge.status()] == [told.contract]

    check(tmp_path, story)


def test_what_is_redeemed_for_nobody_waits_for_its_member(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.wrap("w1", lots=2)
        await town.settle()
        await town.redeem(HOLDER, 1, "newcomer")
        await town.redeem(HOLDER, 1, "author")
        await town.settle()
        (told,) = town.bridge.status()
        assert [one.grains for one in told.unknown] == [LOT]
        assert (town.rights("author"), town.custody_grains) == (LOT, LOT)
        assert not told.alarm
        await town.do(c.AddMember(member=structs.replace(MEMBER, id="newcomer")))
        await town.settle()
        assert town.rights("newcomer") == LOT
        assert town.bridge.status()[0].unknown == ()

    check(tmp_path, story)


def test_reading_everything_again_credits_nothing_twice(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.wrap("w1", lots=3)
        await town.settle()
        await town.redeem(HOLDER, 1, "author")
        await town.redeem(HOLDER, 1, "author")
        for _ in range(3):
            await town.settle()
            await town.restart()
        await town.settle()
        assert town.rights("author") == 2 * LOT
        assert town.bridge.status()[0].alarm == ""

    check(tmp_path, story)


def test_dying_at_any_call_mints_once_and_credits_once(tmp_path: Path) -> None:
    """Each point is a life of its own on the same chain: one lot out, and back to another."""

    async def life(town: Town, point: int) -> bool:
        """Whether it died."""
        death = Death(point, lambda: (_ for _ in ()).throw(Killed))
        died = False
        town.watched = death.watch
        await town.restart()
        await town.wrap(f"w{point}")
        try:
            await town.settle()
            await town.redeem(HOLDER, 1, "uni")
            await town.settle()
        except Killed:
            died = True
        town.watched = lambda thing: thing
        await town.restart()
        await town.settle()
        if await town.wallet():
            await town.redeem(HOLDER, 1, "uni")
            await town.settle()
        return died

    async def story(town: Town) -> None:
        point = 1
        while await life(town, point):
            assert (town.rights("uni"), town.custody_grains) == (4 * LOT, 0), point
            assert (await town.supply(), await town.wallet()) == (0, 0), point
            point += 1
        assert point > 20

    check(tmp_path, story)


def test_a_mint_and_a_redemption_that_a_reorganisation_takes_back(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.wrap("w1", lots=2)
        await town.settle()
        await town.wrap("w2")
        await town.keep_chain()
        await town.step()
        await town.step()
        assert await town.wallet() == 3 * LOT
        await town.redeem(HOLDER, 1, "author")
        await town.step()
        assert (town.rights("author"), len(town.desk.state.wraps)) == (0, 1), "nothing is final"
        await town.reorganise()
        assert await town.wallet() == 2 * LOT
        await town.settle()
        await town.mine(3)
        await town.settle()
        assert (await town.wallet(), town.rights("author")) == (3 * LOT, 0)
        assert town.custody_grains == 3 * LOT
        assert town.bridge.status()[0].alarm == ""

    check(tmp_path, story, finality=4)


def test_a_redemption_counts_when_its_block_is_final(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.wrap("w1")
        await town.settle()
        await town.redeem(HOLDER, 1, "author")
        for _ in range(3):
            await town.step()
            assert town.rights("author") == 0
            await town.mine()
        await town.step()
        assert town.rights("author") == LOT

    check(tmp_path, story, finality=4)


def test_a_node_that_is_away_costs_only_time(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.wrap("w1")
        for away in (True, False) * 8:
            town.away = away
            if away:
                with pytest.raises(ChainFailed) as failed:
                    await town.step()
                assert failed.value.cause == "unreachable"
            else:
                await town.step()
        assert not town.desk.state.wraps
        assert (await town.wallet(), town.custody_grains) == (LOT, LOT)

    check(tmp_path, story)


# What can never be minted -----------------------------------------------------------------


def test_what_was_not_sent_before_the_end_goes_back_and_settlement_waits(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.wrap("w1")
        town.clock.at = DECEMBER.end + HOUR - SECOND
        await town.do(c.Tick())
        assert "december" in town.desk.state.listings
        await town.bridge.step()
        assert (town.rights("uni"), town.custody_grains) == (4 * LOT, 0)
        await town.do(c.Tick())
        assert "december" not in town.desk.state.listings

    check(tmp_path, story)


def test_settlement_does_not_wait_for_a_chain_for_ever(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.wrap("w1")
        town.away = True
        await town.end()
        assert "w1" in town.desk.state.wraps
        await town.bridge.step()
        assert not town.desk.state.wraps, "its rights are settled, and nothing goes back"
        machine.check(town.desk.state)

    check(tmp_path, story)


def test_a_mint_that_the_chain_refuses_goes_back(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.wrap("w1")
        await town.settle()
        await town.wrap("w2")
        await town.bridge.step()
        send = town.sender.get("mint w2")
        assert send is not None
        assert send.stage is Stage.WAITING
        town.clock.at = DECEMBER.end + SECOND
        await town.step()
        await town.step()
        assert (town.rights("uni"), town.custody_grains) == (3 * LOT, LOT)

    check(tmp_path, story)


class Reverted:
    """A sender whose mints are in the chain, reverted, in a block that is final or not."""

    def __init__(self, block: int) -> None:
        self.block = block

    def put(self, wanted: Any) -> Send:
        return Send(wanted, Stage.FINAL, 1, "", "0x", self.block, "0x", False, "")

    def get(self, key: str) -> Send | None:
        return self.put(Wanted(key, HOLDER.address))


def test_a_mint_that_was_reverted_counts_as_such_in_a_final_block_only(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.wrap("w1")
        await town.settle()
        await town.wrap("w2")
        reverted = Reverted(await town.custody.final_block() + 1)
        town.bridge._sender = reverted  # type: ignore[assignment]
        await town.bridge.step()
        assert "w2" in town.desk.state.wraps
        reverted.block -= 1
        await town.bridge.step()
        assert (town.rights("uni"), town.custody_grains) == (3 * LOT, LOT)

    check(tmp_path, story)


def test_no_wrap_and_no_bridged_instrument_comes_twice(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.wrap("w1")
        assert await refused(town.wrap("w1")) == "EXISTS"
        await town.settle()
        assert await refused(town.wrap("w1")) == "EXISTS"
        await town.end()
        later = structs.replace(DECEMBER, start=town.clock.at, end=town.clock.at + DAY)
        assert await refused(town.do(x.ListInstrument(instrument=later))) == "EXISTS"
        await town.do(x.ListInstrument(instrument=structs.replace(later, id="january")))

    check(tmp_path, story)


# Lies and strangers -----------------------------------------------------------------------


class Lying:
    """The custody, with other logs than there are."""

    def __init__(self, custody: Any, change: Callable[[list[Redemption]], list[Redemption]]):
        self._custody = custody
        self._change = change

    def __getattr__(self, name: str) -> Any:
        return getattr(self._custody, name)

    async def redemptions(self, *asked: Any) -> list[Redemption]:
        return self._change(await self._custody.redemptions(*asked))


def _forged(found: list[Redemption]) -> list[Redemption]:
    return [*found, Redemption("december", "0x", hashed("host"), LOT, "0xf", 1, "0x", 0)]


@pytest.mark.parametrize("change", [_forged, lambda _: []])
def test_logs_that_do_not_add_up_to_the_state_credit_nobody(
    tmp_path: Path, change: Callable[[list[Redemption]], list[Redemption]]
) -> None:
    async def story(town: Town) -> None:
        await town.wrap("w1", lots=2)
        await town.settle()
        await town.redeem(HOLDER, 1, "author")
        town.bridge._returns._custody = Lying(town.custody, change)  # type: ignore[assignment]
        await town.bridge.step()
        assert "ask another node" in town.bridge.status()[0].alarm
        await town.wrap("w2")
        await town.step()
        await town.step()
        assert (town.rights("author"), town.rights("host")) == (0, 0)
        assert await town.wallet() == LOT, "nothing is minted meanwhile"
        town.bridge._returns._custody = town.custody
        town.clock.at += (RETRY_S + 1) * SECOND
        await town.step()
        assert town.bridge.status()[0].alarm == ""
        assert town.rights("author") == LOT
        await town.settle()
        assert await town.wallet() == 2 * LOT

    check(tmp_path, story)


def test_more_rights_on_the_chain_than_in_custody_stop_the_bridge(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.wrap("w1")
        await town.settle()
        stolen = town.custody.mint_right("december", BUYER.address, LOT, hashed("theft"))
        town.outbox.put(wanted("theft", stolen))
        await town.sender.step()
        await town.redeem(BUYER, 1, "host")
        await town.bridge.step()
        assert "ask another node" in town.bridge.status()[0].alarm
        assert town.rights("host") == 0
        again = town.custody.mint_right("december", BUYER.address, LOT, hashed("again"))
        town.outbox.put(wanted("again", again))
        await town.sender.step()
        town.clock.at += (RETRY_S + 1) * SECOND
        await town.bridge.step()
        assert "until a person has looked" in town.bridge.status()[0].alarm
        assert (town.rights("host"), town.custody_grains) == (0, LOT)

    check(tmp_path, story)


def wanted(key: str, call: Any) -> Any:
    return Wanted(key, *call)


# The end ----------------------------------------------------------------------------------


def test_what_was_redeemed_before_the_end_is_credited_whoever_sweeps(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.wrap("w1", lots=3)
        await town.settle()
        town.clock.at = DECEMBER.end - HOUR
        await town.redeem(HOLDER, 1, "author")
        town.clock.at = DECEMBER.end + SECOND
        sweep = town.custody._right("december", "sweep", HOLDER.address)
        await town.mine(3)
        await town.by(OTHER, sweep)
        await town.mine(3)
        assert await town.supply() == 0
        await town.restart()
        await town.settle()
        assert town.rights("author") == LOT
        assert town.bridge.status()[0].alarm == ""
        await town.mine(2)
        await town.settle()
        assert town.custody_grains == 2 * LOT
        await town.end()
        await town.bridge.step()
        assert town.bridge.status() == []
        machine.check(town.desk.state)

    check(tmp_path, story)


def test_a_redemption_keeps_its_name_in_whatever_block_it_stands() -> None:
    def burnt(transaction: str, block: int, index: int) -> Redemption:
        return Redemption("december", "0x", "0x", 1, transaction, block, f"0x{block}", index)

    before = [burnt("a", 5, 0), burnt("a", 5, 3), burnt("b", 6, 0)]
    after = [burnt("b", 5, 0), burnt("a", 7, 9), burnt("a", 7, 4)]
    assert set(referenced(before)) == set(referenced(after))
    assert set(referenced(before)) == {"redeem:a:0", "redeem:a:1", "redeem:b:0"}
