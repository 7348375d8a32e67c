"""The settler under every misfortune: killed at any call, a chain that takes back, false nodes."""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from chains import NODES, on
from killing import Killed
from settling import ANNA, CARL, CREDIT, PAUL, TOKEN, WALLETS, Town, play, raw

from allmende.adapters.chain.profiles import EMBEDDED
from allmende.core import machine
from allmende.core.settle import receipt_leaf
from allmende.core.units import SECOND
from allmende.ports import ChainFailed, Stage


@pytest.fixture(autouse=True, params=NODES)
def node(request: pytest.FixtureRequest) -> Iterator[None]:
    with on(request.param):
        yield


class Reaper:
    """Kills whoever makes one of the chosen calls of what it watches, before it or after it."""

    def __init__(self, gaps: list[int]) -> None:
        self._gaps = gaps
        self._left = self._gaps.pop(0)
        self.calls = 0

    def tick(self) -> None:
        self.calls += 1
        self._left -= 1
        if self._left == 0:
            self._left = self._gaps.pop(0) if self._gaps else 0
            raise Killed

    def watch(self, thing: Any) -> Any:
        return Watched(self, thing)


class Watched:
    def __init__(self, reaper: Reaper, thing: Any) -> None:
        self._reaper = reaper
        self._thing = thing

    def __getattr__(self, name: str) -> Any:
        real, tick = getattr(self._thing, name), self._reaper.tick
        if not callable(real):
            return real

        def call(*args: Any, **named: Any) -> Any:
            tick()
            told = real(*args, **named)
            if hasattr(told, "__await__"):
                return wait(told)
            tick()
            return told

        async def wait(told: Any) -> Any:
            done = await told
            tick()
            return done

        return call


async def a_life(t: Town) -> None:
    """Deposits, requests, a dispute, a challenge, withdrawals: and in the end all is as it
    would be if nobody had ever died."""
    await t.house_deposit(2 * CREDIT)
    await t.deposit(ANNA, 10 * CREDIT)
    await t.until(lambda: t.balance("anna") == 10 * CREDIT)
    await t.spend("anna", 1_000)
    await t.spend("uni", 500)
    await t.settled()
    await t.spend("anna", 2_000)
    await t.pending()
    await t.challenge("anna")
    await t.deposit(ANNA, CREDIT)
    await t.spend("anna", 100)
    assert await t.ask("anna", 9 * CREDIT)
    await t.at_rest()


async def all_agrees(t: Town) -> None:
    """What is in wallets, in the vault, in trees and at the desk."""
    machine.check(t.desk.state)
    seen = await t.look()
    assert (seen.voids, seen.open_challenges, bool(seen.pending)) == (0, 0, False)
    wallet, at = t.desk.state.wallets["anna"], seen.block
    spent, taken = 3_100 * TOKEN, 11 * CREDIT - 3_100 * TOKEN
    assert await t.custody.requested(ANNA.address, at) == wallet.requested == taken
    assert await t.custody.deposited(ANNA.address, at) == wallet.deposited == 11 * CREDIT
    assert await t.custody.credit_balance(ANNA.address, at) == 989 * CREDIT + taken
    assert (wallet.spent, t.balance("anna")) == (spent, 11 * CREDIT - taken - spent)
    anna, _ = await t.leaf_of(ANNA)
    assert (anna.balance, anna.spent) == (t.balance("anna"), spent) == (0, spent)
    paul, _ = await t.leaf_of(PAUL)
    assert paul.balance == t.balance("paul") == 3_600 * TOKEN * 94 // 100
    await receipts_agree(t)


async def receipts_agree(t: Town) -> None:
    """Every receipt is in one final batch, and the outbox has no submission too many."""
    made = [receipt_leaf(e.receipt) for e in t.events() if type(e).__name__ == "Captured"]
    final = [tree for tree in t.all_trees() if tree.state == "final"]
    settled = Counter(leaf for tree in final for leaf in t.trees.receipts(tree.serial))
    assert settled == Counter(made)
    seen = await t.look()
    assert [tree.number for tree in final] == list(range(1, seen.batch_count + 1))
    submitted = [s for s in t.outbox.at(Stage.FINAL) if " submit " in s.wanted.key and s.ok]
    assert len(submitted) == seen.batch_count
    for tree in final:
        held = await t.custody.receipts_of(tree.number, seen.block)
        said = raw(tree.receipts_root) + tree.receipts.to_bytes(32, "big")
        assert raw(held) == t.keys.keccak(said)


def test_a_life_without_death(tmp_path: Path) -> None:
    async def scenario(t: Town) -> None:
        await a_life(t)
        await all_agrees(t)

    play(tmp_path, scenario)


@pytest.mark.parametrize("seed", range(2))
def test_killed_at_any_call_it_neither_doubles_nor_forgets(tmp_path: Path, seed: int) -> None:
    luck = random.Random(seed)
    reaper = Reaper([luck.randint(1, 120) for _ in range(60)])

    async def scenario(t: Town) -> None:
        await a_life(t)
        await all_agrees(t)
        assert t.deaths > 5

    play(tmp_path, scenario, watch=reaper.watch)


# What the chain takes back ----------------------------------------------------------------

DEEP = msgspec.structs.replace(EMBEDDED, finality=3)


async def agrees(t: Town) -> None:
    """Whatever happened: at rest the desk has what the vault has, and the last tree both."""
    machine.check(t.desk.state)
    seen = await t.at_rest()
    for member, account in WALLETS.items():
        wallet, at = t.desk.state.wallets[member], seen.block
        assert await t.custody.deposited(account.address, at) == wallet.deposited
        assert await t.custody.requested(account.address, at) == wallet.requested
        leaf, _ = await t.leaf_of(account)
        assert (leaf.balance, leaf.spent) == (t.balance(member), wallet.spent)
    assert seen.final.total == seen.backed - seen.reserved
    assert not t.settler.status().alarms
    await receipts_agree(t)


@pytest.mark.parametrize("seed", range(1))
def test_a_reorganisation_before_finality_changes_nothing(tmp_path: Path, seed: int) -> None:
    luck = random.Random(seed)

    async def scenario(t: Town) -> None:
        await t.remember()
        t.after_step = lambda: shake(t, luck)
        await t.house_deposit(2 * CREDIT)
        await t.deposit(ANNA, 10 * CREDIT)
        await t.until(lambda: t.balance("anna") == 10 * CREDIT)
        await t.spend("anna", 1_000)
        await t.settled()
        assert await t.ask("anna", 4 * CREDIT)
        await t.spend("anna", 500)
        await agrees(t)
        assert t.shaken > 3
        at = (await t.look()).block
        assert await t.custody.credit_balance(ANNA.address, at) == 994 * CREDIT

    play(tmp_path, scenario, profile=DEEP)


async def shake(t: Town, luck: random.Random) -> None:
    """Now and then the last block or two are others, but never one that was final."""
    await t.mine()
    newest = await t.custody.newest_block()
    kept = [n for n in t.node.kept if newest - 2 <= n < newest]
    if kept and luck.random() < 0.4:
        await t.reorganise(luck.choice(kept), keep=True)
        await t.mine(newest - await t.custody.newest_block() + 1)
        t.shaken += 1
    await t.remember()


@pytest.mark.parametrize("keep", [True, False])
def test_what_was_final_and_is_gone_raises_an_alarm_until_it_is_there_again(
    tmp_path: Path, keep: bool
) -> None:
    async def scenario(t: Town) -> None:
        await t.deposit(ANNA, 3 * CREDIT)
        await t.settled()
        before = await t.remember()
        await t.deposit(ANNA, 10 * CREDIT)
        await t.spend("anna", 1_000)
        await t.settled()
        assert t.balance("anna") == 12 * CREDIT
        await t.reorganise(before, keep=False)
        await t.mine(10)
        with contextlib.suppress(ChainFailed):  # it may be seen before, or by, the first step
            await t.run(3)
        await t.run(2)
        assert t.balance("anna") == 12 * CREDIT
        assert "taken_back" in [alarm.word for alarm in t.settler.status().alarms]
        if keep:
            t.clock.at += 30 * SECOND
            await t.deposit(ANNA, 10 * CREDIT)
            await agrees(t)

    play(tmp_path, scenario)


@pytest.mark.parametrize("seed", range(2))
def test_after_the_deepest_reorganisation_all_agrees_again(tmp_path: Path, seed: int) -> None:
    luck = random.Random(seed)

    async def scenario(t: Town) -> None:
        kept = [await t.remember()]
        await t.house_deposit(2 * CREDIT)
        await t.deposit(ANNA, 10 * CREDIT)
        for _ in range(4):
            await t.run(luck.randint(1, 4), 20)
            await t.spend("anna", 100) if t.balance("anna") else None
            kept.append(await t.remember())
        await t.deposit(ANNA, CREDIT)
        await t.run(3, 40)
        await t.reorganise(luck.choice(kept), keep=True)
        for _ in range(12):
            with contextlib.suppress(ChainFailed):  # lagging, until the new history is as long
                await t.step()
            t.clock.at += 20 * SECOND
            await t.mine()
        await agrees(t)

    play(tmp_path, scenario)


# Nodes that are away, late or false -------------------------------------------------------


def test_a_node_that_goes_away_is_said_and_then_all_goes_on(tmp_path: Path) -> None:
    async def scenario(t: Town) -> None:
        await t.deposit(ANNA, 10 * CREDIT)
        for trouble in ("unreachable", "timeout", "garbled"):
            t.trouble = trouble
            with pytest.raises(ChainFailed) as failed:
                await t.settler.step()
            assert failed.value.cause == trouble
            t.trouble = ""
            await t.run(1)
        await t.until(lambda: t.balance("anna") == 10 * CREDIT)
        await agrees(t)

    play(tmp_path, scenario)


def test_a_node_that_hides_deposits_makes_nobody_poorer(tmp_path: Path) -> None:
    async def scenario(t: Town) -> None:
        await t.deposit(CARL, 5 * CREDIT)
        t.lie = lambda method, told: [] if method == "eth_getLogs" else told
        with pytest.raises(ChainFailed) as failed:
            await t.run(1)
        assert failed.value.cause == "lied"
        assert (await t.look()).batch_count == 0, "a tree without Carl would be false"
        t.lie = lambda method, told: told
        await t.settled()
        leaf, _ = await t.leaf_of(CARL)
        assert leaf.balance == 5 * CREDIT

    play(tmp_path, scenario)


def test_a_node_that_lags_is_not_believed(tmp_path: Path) -> None:
    async def scenario(t: Town) -> None:
        await t.deposit(ANNA, 10 * CREDIT)
        await t.settled()
        newest = await t.custody.newest_block()
        await t.spend("anna", 100)
        t.lie = lambda method, told: hex(newest - 4) if method == "eth_blockNumber" else told
        real = t.custody._block
        t.custody._block = lambda number: real(newest - 4 if number is None else number)
        for _ in range(3):
            with pytest.raises(ChainFailed) as failed:
                await t.settler.step()
            assert failed.value.cause == "lagging"
        t.custody._block = real
        await agrees(t)
        assert (await t.look()).batch_count == 2

    play(tmp_path, scenario)
