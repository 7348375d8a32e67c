"""The settler under every misfortune: killed at any call, a chain that takes back, false nodes."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from killing import Killed
from settling import ANNA, CREDIT, PAUL, TOKEN, Town, play, raw

from allmende.core import machine
from allmende.core.settle import receipt_leaf
from allmende.ports import Stage


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


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_any_call_it_neither_doubles_nor_forgets(tmp_path: Path, seed: int) -> None:
    luck = random.Random(seed)
    reaper = Reaper([luck.randint(1, 120) for _ in range(60)])

    async def scenario(t: Town) -> None:
        await a_life(t)
        await all_agrees(t)
        assert t.deaths > 5

    play(tmp_path, scenario, watch=reaper.watch)
