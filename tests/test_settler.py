"""The settler on the real contracts: what the desk and the chain hold agrees in the end."""

from __future__ import annotations

from pathlib import Path

from settling import ANNA, CREDIT, TOKEN, Town, play

from allmende.core import machine


def test_a_deposit_is_credited_once_its_epoch_is_closed(tmp_path: Path) -> None:
    async def scenario(t: Town) -> None:
        await t.deposit(ANNA, 5 * CREDIT)
        await t.settler.step()
        assert t.balance("anna") == 0
        assert t.settler.status().late_deposits == 5 * CREDIT
        await t.run(4)
        assert t.balance("anna") == 5 * CREDIT
        await t.run(4)
        assert t.balance("anna") == 5 * CREDIT
        machine.check(t.desk.state)

    play(tmp_path, scenario)


def test_requests_become_a_final_batch_and_a_withdrawal_is_paid(tmp_path: Path) -> None:
    async def scenario(t: Town) -> None:
        await t.deposit(ANNA, 5 * CREDIT)
        await t.run(4)
        await t.spend("anna", 1_000)
        seen = await t.settled()
        assert seen.final.receipts == 1
        shown = await t.settler.ticket("anna")
        assert (shown.leaf.balance, shown.leaf.spent) == (4 * CREDIT, 1_000 * TOKEN)
        paul = await t.settler.ticket("paul")
        assert (paul.leaf.balance, paul.leaf.spent) == (940 * TOKEN, 0)
        assert await t.ask("anna", 3 * CREDIT)
        await t.run(4)
        assert t.balance("anna") == CREDIT
        before = await t.custody.credit_balance(ANNA.address, (await t.look()).block)
        await t.until(lambda: not t.settler.status().withdrawals, seconds=20)
        after = await t.custody.credit_balance(ANNA.address, (await t.look()).block)
        assert after - before == 3 * CREDIT
        assert not t.settler.status().alarms
        machine.check(t.desk.state)

    play(tmp_path, scenario)
