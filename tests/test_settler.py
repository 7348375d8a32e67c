"""The settler on the real contracts: what the desk and the chain hold agrees in the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from chains import ACCOUNT, NODES, on
from settling import ANNA, CARL, CREDIT, NORM, PAUL, TIGHT, TOKEN, Town, play, raw

from allmende import ticket
from allmende.core import commands as c
from allmende.core import events, machine
from allmende.core.units import DAY, SECOND
from allmende.doors.settler_batch import SPARED
from allmende.doors.settler_proofs import stored_ticket
from allmende.ports import Wanted
from allmende.wire import merkle


@pytest.fixture(autouse=True, params=NODES)
def node(request: pytest.FixtureRequest) -> Iterator[None]:
    with on(request.param):
        yield


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


def test_an_address_that_nobody_linked_has_its_deposits_and_takes_them_out(tmp_path: Path) -> None:
    async def scenario(t: Town) -> None:
        await t.deposit(CARL, 7 * CREDIT)
        await t.deposit(ANNA, CREDIT)
        await t.settled()
        leaf, proof = await t.leaf_of(CARL)
        assert (leaf.balance, leaf.spent) == (7 * CREDIT, 0)
        assert (await t.by(CARL, t.custody.ask(leaf, proof, 2 * CREDIT))).ok
        await t.run(1)
        await t.until(lambda: not t.settler.status().withdrawals, seconds=20)
        at = (await t.look()).block
        assert await t.custody.credit_balance(CARL.address, at) == 995 * CREDIT

    play(tmp_path, scenario)


def test_the_days_limit_makes_parts_of_a_payment_and_is_no_alarm(tmp_path: Path) -> None:
    async def scenario(t: Town) -> None:
        await t.deposit(ANNA, 10 * CREDIT)
        await t.settled()
        assert await t.ask("anna", 5 * CREDIT)
        await t.settled()
        paid = []
        for _ in range(3):
            await t.run(6, 60)
            at = (await t.look()).block
            paid.append(await t.custody.credit_balance(ANNA.address, at) // CREDIT - 990)
            assert not t.settler.status().alarms
            t.clock.at += DAY
        assert paid == [2, 4, 5]
        assert not t.settler.status().withdrawals

    play(tmp_path, scenario, norm=TIGHT)


def test_who_asks_for_what_he_spent_gets_the_rest(tmp_path: Path) -> None:
    async def scenario(t: Town) -> None:
        await t.deposit(ANNA, 10 * CREDIT)
        await t.settled()
        await t.spend("anna", 5_000)
        held = await t.hold("anna", 1_000)
        assert await t.ask("anna", 6 * CREDIT)
        assert await t.ask("anna", 3 * CREDIT)
        await t.run(3)
        wallet = t.desk.state.wallets["anna"]
        assert wallet.requested == 4 * CREDIT, "all but what is held is taken"
        await t.capture(held, 1_000)
        asked = t.settler.status
        await t.until(lambda: sum(one.amount for one in asked().withdrawals) == 4 * CREDIT)
        assert (wallet.requested, t.balance("anna")) == (4 * CREDIT, 0)
        at = (await t.look()).block
        assert await t.custody.requested(ANNA.address, at) == 4 * CREDIT
        await t.until(lambda: not t.settler.status().withdrawals, seconds=20)
        at = (await t.look()).block
        assert await t.custody.credit_balance(ANNA.address, at) == 994 * CREDIT
        assert not t.settler.status().alarms
        machine.check(t.desk.state)

    play(tmp_path, scenario)


def test_a_challenge_is_answered_with_the_vouchers_of_every_session(tmp_path: Path) -> None:
    async def scenario(t: Town) -> None:
        await t.deposit(ANNA, 10 * CREDIT)
        await t.run(4)
        await t.spend("anna", 100)
        await t.permit("anna", CREDIT, lane=3)
        await t.spend("anna", 200, key=t.session)
        await t.permit("anna", CREDIT, lane=15, own=CARL)
        await t.vouch("anna", 15, 400 * TOKEN, CARL)
        await t.spend("anna", 400, key=t.session)
        await t.pending(3)
        first = await t.challenge("anna")
        await t.spend("anna", 50)
        await t.run(4)
        seen = await t.look()
        assert (seen.challenge_count, seen.open_challenges) == (first, 0)
        at = seen.block
        assert await t.custody.signed(ANNA.address, at) == 700 * TOKEN, "no more than was asked"
        await t.until(lambda: not t.settler.status().pending, seconds=20)
        assert (await t.look()).voids == 0
        assert not t.settler.status().alarms

    play(tmp_path, scenario)


def test_what_a_session_vouched_for_is_kept_when_another_takes_its_lane(tmp_path: Path) -> None:
    async def scenario(t: Town) -> None:
        await t.deposit(ANNA, 10 * CREDIT)
        await t.run(4)
        await t.permit("anna", CREDIT, lane=1, own=CARL)
        await t.vouch("anna", 1, 400 * TOKEN, CARL)
        await t.spend("anna", 400, key=t.session)
        await t.permit("anna", CREDIT, lane=1, own=PAUL)
        await t.pending(1)
        assert [one.amount for one in t.trees.kept()] == [400 * TOKEN]
        await t.crash()
        await t.challenge("anna")
        await t.run(3)
        assert (await t.look()).open_challenges == 0
        await t.permit("anna", CREDIT, lane=1)
        await t.spend("anna", 100, key=t.session)
        await t.permit("anna", CREDIT, lane=1, own=CARL)
        assert sorted(one.amount for one in t.trees.kept()) == [400 * TOKEN, 500 * TOKEN]
        await t.settled()
        await t.spend("anna", 1)
        await t.pending()
        await t.challenge("anna")
        await t.run(3)
        assert (await t.look()).open_challenges == 0
        assert not t.settler.status().alarms

    play(tmp_path, scenario)


def test_a_promise_is_kept_in_a_pending_batch_and_in_a_final_one(tmp_path: Path) -> None:
    async def scenario(t: Town) -> None:
        await t.deposit(ANNA, 10 * CREDIT)
        await t.settled()
        first = await t.spend("anna", 100)
        promised = [await t.settler.promise("paul", first)]
        await t.spend("anna", 50)
        t.clock.at += 200 * SECOND
        await t.pending()
        for said, signature in promised:
            assert (await t.by(PAUL, t.custody.challenge_earnings(said, signature))).ok
        await t.run(3)
        assert (await t.look()).open_challenges == 0
        await t.until(lambda: not t.settler.status().pending, seconds=20)
        second = await t.spend("anna", 10)
        promised.append(await t.settler.promise("paul", second))
        t.clock.at += 200 * SECOND
        await t.pending()
        for said, signature in promised:
            assert (await t.by(PAUL, t.custody.challenge_earnings(said, signature))).ok
        await t.run(3)
        seen = await t.look()
        assert (seen.challenge_count, seen.open_challenges, seen.voids) == (3, 0, 0)
        proof = await t.settler.receipt_proof(first)
        assert proof is not None
        assert proof.batch == seen.final.number
        assert merkle.folds_to(proof.leaf, proof.index, proof.receipts, proof.path) == raw(
            proof.receipts_root
        )

    play(tmp_path, scenario)


def test_the_house_answers_for_itself(tmp_path: Path) -> None:
    async def scenario(t: Town) -> None:
        await t.house_deposit(5 * CREDIT)
        await t.deposit(ANNA, CREDIT)
        await t.settled()
        await t.spend("uni", 1_000)
        await t.pending()
        leaf, _ = await t.leaf_of(ACCOUNT, pending=True)
        assert (leaf.balance, leaf.spent) == (5 * CREDIT - 940 * TOKEN, 940 * TOKEN)
        shown = await t.leaf_of(ACCOUNT)
        assert (await t.by(CARL, t.custody.challenge_leaf(*shown))).ok
        await t.run(3)
        seen = await t.look()
        assert (seen.challenge_count, seen.open_challenges) == (1, 0)

    play(tmp_path, scenario)


def test_a_house_that_is_short_says_so_and_its_deposit_can_always_be_counted(
    tmp_path: Path,
) -> None:
    async def scenario(t: Town) -> None:
        await t.deposit(ANNA, CREDIT)
        await t.settled()
        await t.spend("uni", 3_000)
        await t.run(3)
        status = t.settler.status()
        assert (status.word, status.short) == ("short", 2_820 * TOKEN)
        assert [alarm.word for alarm in status.alarms] == ["short"]
        for _ in range(6):
            await t.deposit(ANNA, CREDIT)
            await t.run(2)
        assert t.settler.status().cuts_left == SPARED
        assert (await t.look()).batch_count == 1
        cuts = [e for e in t.events() if type(e).__name__ == "WalletsCut"]
        assert len(cuts) == 1, "nothing is cut in vain"
        await t.house_deposit(status.short)
        await t.settled()
        assert not t.settler.status().alarms
        assert t.balance("anna") == 7 * CREDIT

    play(tmp_path, scenario)


def test_a_batch_that_was_voided_is_built_anew_with_all_that_came_since(tmp_path: Path) -> None:
    async def scenario(t: Town) -> None:
        await t.deposit(ANNA, 10 * CREDIT)
        await t.settled()
        await t.spend("anna", 100)
        await t.pending()
        id_ = await t.challenge("anna")
        t.clock.at += 51 * SECOND
        assert (await t.by(CARL, t.custody.void(id_))).ok
        for tokens in (10, 20):
            await t.spend("anna", tokens)
            await t.desk.submit(c.CloseBatch(at=t.clock.now()))
        seen = await t.settled()
        assert (seen.final.number, seen.final.receipts, seen.voids) == (3, 3, 0)
        assert [tree.state for tree in t.all_trees()] == ["final", "void", "final"]
        shown = await t.settler.ticket("anna")
        assert shown.leaf.spent == 130 * TOKEN
        hashes = t.trees.receipts(3)
        assert merkle.root(hashes) == raw(seen.final.receipts_root)

    play(tmp_path, scenario)


def test_one_batch_of_the_desk_is_settled_under_its_own_root(tmp_path: Path) -> None:
    async def scenario(t: Town) -> None:
        await t.deposit(ANNA, 10 * CREDIT)
        await t.run(4)
        for _ in range(3):
            await t.spend("anna", 10)
        await t.settled()
        closed = [e for e in t.events() if isinstance(e, events.BatchClosed)]
        assert len(closed) == 1
        final = (await t.look()).final
        assert raw(final.receipts_root) == closed[0].receipts_root
        assert final.receipts == closed[0].receipts == 3

    play(tmp_path, scenario)


def test_a_voucher_is_shown_before_its_permit_is_too_old(tmp_path: Path) -> None:
    async def scenario(t: Town) -> None:
        await t.deposit(ANNA, 10 * CREDIT)
        await t.run(4)
        await t.permit("anna", CREDIT, lane=2, expires=t.clock.at + 100 * SECOND)
        await t.spend("anna", 300, key=t.session)
        await t.run(2)
        assert await t.custody.signed(ANNA.address, (await t.look()).block) == 0
        t.clock.at += (100 + 501) * SECOND
        await t.run(3)
        assert await t.custody.signed(ANNA.address, (await t.look()).block) == 300 * TOKEN
        t.clock.at += 1_000 * SECOND
        await t.run(1)
        assert not t.settler.status().alarms

    play(tmp_path, scenario)


def test_a_voucher_that_is_too_old_is_settled_by_the_final_leaf(tmp_path: Path) -> None:
    async def scenario(t: Town) -> None:
        await t.deposit(ANNA, 10 * CREDIT)
        await t.run(4)
        await t.permit("anna", CREDIT, lane=2, expires=t.clock.at + 1_500 * SECOND)
        await t.spend("anna", 300, key=t.session)
        await t.settled()
        t.clock.at += 3_000 * SECOND
        await t.run(3)
        at = (await t.look()).block
        assert await t.custody.signed(ANNA.address, at) == 0
        assert await t.custody.settled(ANNA.address, at) == 300 * TOKEN
        assert [alarm.word for alarm in t.settler.status().alarms] == ["unprovable"]

    play(tmp_path, scenario)


def test_before_the_silence_is_over_a_batch_goes_in_though_nothing_happened(
    tmp_path: Path,
) -> None:
    async def scenario(t: Town) -> None:
        await t.run(2)
        assert (await t.look()).batch_count == 0
        t.clock.at += (NORM.silence // 2 + 1) * SECOND
        await t.settled()
        t.clock.at += NORM.silence // 4 * SECOND
        await t.run(2)
        assert (await t.look()).batch_count == 1

    play(tmp_path, scenario)


def test_while_paused_nothing_is_sent_in_vain_and_then_it_goes_on(tmp_path: Path) -> None:
    async def scenario(t: Town) -> None:
        await t.deposit(ANNA, 10 * CREDIT)
        t.sender.put(Wanted("pause", *t.custody.pause()))
        await t.sender.step()
        before = sum(t.outbox.counts().values())
        await t.run(3)
        assert t.settler.status().word == "paused"
        assert sum(t.outbox.counts().values()) == before
        t.clock.at += 100 * SECOND
        await t.run(4)
        assert t.balance("anna") == 10 * CREDIT

    play(tmp_path, scenario)


def test_a_closed_market_pays_what_was_covered_and_everybody_leaves_with_a_ticket(
    tmp_path: Path,
) -> None:
    async def scenario(t: Town) -> None:
        await t.deposit(ANNA, 10 * CREDIT)
        await t.settled()
        await t.spend("anna", 1_000)
        await t.settled()
        shown = await stored_ticket(t.deployment, t.trees, t.keys.keccak, ANNA.address)
        assert shown == await t.settler.ticket("anna")
        assert ticket.decode(ticket.encode(shown), t.keys.keccak) == shown
        t.clock.at += (NORM.silence + 1) * SECOND
        assert (await t.by(CARL, t.custody.close())).ok
        assert (await t.by(ANNA, t.custody.exit(shown.leaf, shown.proof))).ok
        paul = await t.settler.ticket("paul")
        assert (await t.by(PAUL, t.custody.exit(paul.leaf, paul.proof))).ok
        at = (await t.look()).block
        assert await t.custody.credit_balance(ANNA.address, at) == 999 * CREDIT
        assert await t.custody.credit_balance(PAUL.address, at) == 1_000 * CREDIT + 940 * TOKEN
        await t.run(2)
        assert t.settler.status().word == "closed"

    play(tmp_path, scenario)
