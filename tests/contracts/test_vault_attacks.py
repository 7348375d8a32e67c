"""Attacks on the vault: each must revert, or leave its author no richer than before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import boa
import pytest
from eth_hash.auto import keccak
from eth_utils import function_signature_to_4byte_selector as selector
from vault_rig import CREDIT, GRACE, Batch, Market, Person, deploy, receipts_top, refused

from allmende.wire import merkle, merkle_sum
from allmende.wire import voucher as v

ANNA, BEN, HOST, MALLORY = Person("anna"), Person("ben"), Person("host"), Person("mallory")
TOKENS = Path(__file__).parent / "tokens"


@pytest.fixture
def market() -> Iterator[Market]:
    """Anna put in ten credits and spent three of them at the host's; that batch is final."""
    with boa.env.anchor():
        market = Market().open()
        market.deposit(ANNA, 10 * CREDIT)
        market.vault.cut(sender=market.operator.address)
        market.spend(ANNA, HOST, 3 * CREDIT)
        market.submit()
        market.finalise()
        yield market


# Double claims ----------------------------------------------------------------------------


def test_an_exit_pays_once(market: Market) -> None:
    market.close()
    shown = market.final.show(ANNA)
    market.vault.exit(*shown, sender=ANNA.address)
    with refused("vault: nothing left"):
        market.vault.exit(*shown, sender=ANNA.address)
    assert market.token.balanceOf(ANNA.address) == 7 * CREDIT


def test_an_exit_without_the_leaf_first_does_not_lose_the_leaf(market: Market) -> None:
    market.deposit(ANNA, CREDIT)
    market.close()
    market.vault.exit((ANNA.address, 0, 0), (0, []), sender=ANNA.address)
    assert market.token.balanceOf(ANNA.address) == CREDIT
    market.vault.exit(*market.final.show(ANNA), sender=ANNA.address)
    assert market.token.balanceOf(ANNA.address) == 8 * CREDIT


def test_two_leaves_of_one_account_pay_once(market: Market) -> None:
    leaf, size = merkle_sum.Leaf(ANNA.bytes, 5 * CREDIT, 0), 2
    market.submit([leaf] * size)
    market.finalise()
    market.close()
    market.vault.exit(*market.final.at(0), sender=ANNA.address)
    with refused("vault: nothing left"):
        market.vault.exit(*market.final.at(1), sender=ANNA.address)


def test_a_withdrawal_pays_once_and_is_not_paid_again_at_the_exit(market: Market) -> None:
    id_ = market.vault.ask(*market.final.show(ANNA), 4 * CREDIT, sender=ANNA.address)
    market.settle()
    market.later(market.terms["delay"])
    market.vault.pay(id_)
    with refused("vault: nothing to pay"):
        market.vault.pay(id_)
    market.close()
    market.vault.exit(*market.final.show(ANNA), sender=ANNA.address)
    assert market.token.balanceOf(ANNA.address) == 7 * CREDIT
    assert market.vault.backed() == 3 * CREDIT


def test_asking_twice_for_the_same_is_refused(market: Market) -> None:
    shown = market.final.show(ANNA)
    market.vault.ask(*shown, 7 * CREDIT, sender=ANNA.address)
    with refused("vault: more than there is"):
        market.vault.ask(*shown, 1, sender=ANNA.address)


def test_a_withdrawal_that_no_batch_covered_is_not_paid_beside_the_exit(market: Market) -> None:
    id_ = market.vault.ask(*market.final.show(ANNA), 7 * CREDIT, sender=ANNA.address)
    market.close()
    with refused("vault: not covered yet"):
        market.vault.pay(id_)
    market.vault.exit(*market.final.show(ANNA), sender=ANNA.address)
    market.vault.exit(*market.final.show(HOST), sender=HOST.address)
    assert market.token.balanceOf(ANNA.address) == 7 * CREDIT
    assert market.vault.backed() == 0


def test_nobody_exits_with_anothers_leaf(market: Market) -> None:
    market.close()
    leaf, proof = market.final.show(ANNA)
    with refused("vault: not yours"):
        market.vault.exit(leaf, proof, sender=MALLORY.address)
    with refused("vault: not in the final batch"):
        market.vault.exit((MALLORY.address, *leaf[1:]), proof, sender=MALLORY.address)


# Spending and taking out ------------------------------------------------------------------


def test_what_is_spent_after_asking_is_contested(market: Market) -> None:
    id_ = market.vault.ask(*market.final.show(ANNA), 7 * CREDIT, sender=ANNA.address)
    market.acknowledge(ANNA, 8 * CREDIT)  # five more than her final leaf says
    market.vault.contest(id_, sender=market.operator.address)
    assert market.vault.withdrawals(id_)[1] == 2 * CREDIT
    assert market.vault.reserved() == 2 * CREDIT
    with refused("vault: fits"):
        market.vault.contest(id_, sender=market.operator.address)


def test_a_contest_needs_signatures_and_comes_before_the_batch(market: Market) -> None:
    id_ = market.vault.ask(*market.final.show(ANNA), 7 * CREDIT, sender=ANNA.address)
    with refused("vault: nothing signed"):
        market.vault.contest(id_, sender=market.operator.address)
    with refused("access_control"):
        market.vault.contest(id_, sender=MALLORY.address)
    market.vault.cut(sender=market.operator.address)
    market.submit()
    market.acknowledge(ANNA, 8 * CREDIT)
    with refused("vault: covered"):
        market.vault.contest(id_, sender=market.operator.address)


def test_a_request_after_the_tree_was_built_does_not_spoil_the_batch(market: Market) -> None:
    market.vault.cut(sender=market.operator.address)
    leaves = market.leaves()
    market.vault.ask(*market.final.show(ANNA), 7 * CREDIT, sender=ANNA.address)
    market.deposit(HOST, 5)
    market.submit(leaves)
    id_ = market.challenge(HOST)
    market.answer(id_, HOST)
    market.finalise()
    assert market.vault.final()[0] == 2


# What the operator may not do -------------------------------------------------------------


def voided(market: Market, victim: Person) -> bool:
    """The operator does what it can to answer; then time passes."""
    id_ = market.challenge(victim)
    with pytest.raises(boa.BoaError):
        market.vault.answer(id_, *market.sent.show(victim), sender=market.operator.address)
    market.later(market.terms["response"] + 1)
    market.vault.void(id_)
    return bool(market.vault.pending()[0] == 0)


def test_a_debit_without_a_signature_voids_the_batch(market: Market) -> None:
    anna, host, *rest = market.leaves()
    market.submit([anna._replace(balance=0, spent=10 * CREDIT), host, *rest])
    assert voided(market, ANNA)
    market.settle()
    assert market.final.leaves[0] == anna


def test_an_over_debit_beyond_the_voucher_voids_the_batch(market: Market) -> None:
    market.acknowledge(ANNA, 3 * CREDIT)
    anna, host = market.leaves()
    market.submit([anna._replace(balance=anna.balance - 1, spent=anna.spent + 1), host])
    assert voided(market, ANNA)


def test_a_balance_that_vanished_voids_the_batch(market: Market) -> None:
    anna, host = market.leaves()
    market.submit(
        [anna._replace(balance=anna.balance - 1), host._replace(balance=host.balance + 1)]
    )
    assert voided(market, ANNA)


def test_an_account_left_out_voids_the_batch(market: Market) -> None:
    market.submit([market.leaves()[1]])
    assert voided(market, ANNA)


def test_a_deposit_left_out_voids_the_batch(market: Market) -> None:
    market.deposit(BEN, CREDIT)
    market.vault.cut(sender=market.operator.address)
    market.submit(market.leaves()[:2])
    assert voided(market, BEN)


def test_more_than_is_backed_is_not_accepted(market: Market) -> None:
    anna, host = market.leaves()
    with refused("vault: not backed"):
        market.submit([anna, host._replace(balance=host.balance + 1)])


def test_a_tree_with_false_sums_proves_nothing(market: Market) -> None:
    """The total fits, because an inner node understates it: no leaf below it can be shown."""
    anna, host = market.leaves()
    rich = Batch([anna, host._replace(balance=10**30)], [])
    total, receipts = market.vault.cover(), receipts_top([])
    market.vault.submit(rich.top.hash, total, 2, receipts, 0, sender=market.operator.address)
    market.later(market.terms["window"])
    market.vault.finalise()
    for place in (0, 1):
        assert not market.vault.has_leaf(*rich.at(place))


def test_no_bond_no_batch(market: Market) -> None:
    bond = market.bond.secures(market.operator.address)
    market.bond.leave(bond, sender=market.operator.address)
    with refused("vault: bond too small"):
        market.submit()


def test_only_the_operator_submits(market: Market) -> None:
    with refused("access_control"):
        market.submit(by=MALLORY)
    with refused("access_control"):
        market.vault.cut(sender=MALLORY.address)


def test_three_voids_in_a_row_end_the_market_and_everyone_exits(market: Market) -> None:
    for _ in range(3):
        assert not market.vault.closed()
        market.submit([market.leaves()[1]])
        assert voided(market, ANNA)
    assert market.vault.closed()
    for person, amount in ((ANNA, 7 * CREDIT), (HOST, 3 * CREDIT)):
        before = market.token.balanceOf(person.address)
        market.vault.exit(*market.final.show(person), sender=person.address)
        assert market.token.balanceOf(person.address) == before + amount


def test_voiding_ones_own_batch_costs_more_than_it_brings(market: Market) -> None:
    before = market.bond.secures(market.operator.address)
    market.submit([market.leaves()[1]])
    market.give(MALLORY, market.terms["stake"])
    market.vault.challenge(*market.final.show(ANNA), sender=MALLORY.address)
    market.later(market.terms["response"] + 1)
    market.vault.void(1)
    lost = before - market.bond.secures(market.operator.address)
    won = market.vault.owed(MALLORY.address) - market.terms["stake"]
    assert lost == market.terms["penalty"]
    assert won == lost // 2


# Withheld receipts ------------------------------------------------------------------------


def test_a_promised_receipt_that_is_missing_voids_the_batch(market: Market) -> None:
    receipt = market.spend(ANNA, HOST, CREDIT)
    promise = market.promise(HOST, receipt)
    market.earned[HOST] -= CREDIT
    market.spent[ANNA] -= CREDIT
    market.receipts = []
    market.submit()
    market.give(HOST, market.terms["stake"])
    id_ = market.vault.challenge_earnings(*promise, sender=HOST.address)
    with refused("vault: show the receipt too"):
        market.vault.answer(id_, *market.sent.show(HOST), sender=market.operator.address)
    market.later(market.terms["response"] + 1)
    market.vault.void(id_)
    assert market.vault.owed(HOST.address) > market.terms["stake"]


def test_a_promised_receipt_that_is_there_but_not_paid_voids_the_batch(market: Market) -> None:
    receipt = market.spend(ANNA, HOST, CREDIT)
    promise = market.promise(HOST, receipt)
    anna, host = market.leaves()
    market.submit([anna._replace(balance=anna.balance + CREDIT), host._replace(balance=3 * CREDIT)])
    market.give(HOST, market.terms["stake"])
    id_ = market.vault.challenge_earnings(*promise, sender=HOST.address)
    with refused("vault: something is missing"):
        show_receipt(market, id_, HOST, receipt)


def test_a_promised_receipt_that_is_there_is_shown(market: Market) -> None:
    market.deposit(HOST, 7)
    market.vault.cut(sender=market.operator.address)
    market.spend(ANNA, BEN, 5)
    receipt = market.spend(ANNA, HOST, CREDIT)
    promise = market.promise(HOST, receipt)
    market.submit()
    market.give(HOST, market.terms["stake"])
    id_ = market.vault.challenge_earnings(*promise, sender=HOST.address)
    with refused("vault: receipt not in it"):
        show_receipt(market, id_, HOST, market.sent.receipts[0], claim=receipt)
    show_receipt(market, id_, HOST, receipt)
    market.finalise()
    assert market.vault.owed(market.operator.address) == market.terms["stake"]
    top, index = receipts_top(market.final.receipts), market.final.receipts.index(receipt)
    path = merkle.path(market.final.receipts, index)
    assert market.vault.has_receipt(2, top, 2, receipt, index, path)
    assert not market.vault.has_receipt(1, top, 2, receipt, index, path)


def show_receipt(
    market: Market, id_: int, who: Person, receipt: bytes, claim: bytes | None = None
) -> None:
    kept = market.sent.receipts
    index = kept.index(receipt)
    path = merkle.path(kept, index)
    index = kept.index(claim) if claim else index
    where = (market.vault.pending()[0], receipts_top(kept), len(kept), index, path)
    market.vault.answer_earnings(id_, *market.sent.show(who), *where)


def test_a_promise_that_the_market_did_not_sign_challenges_nothing(market: Market) -> None:
    receipt = market.spend(ANNA, HOST, CREDIT)
    said, _ = market.promise(HOST, receipt)
    forged = MALLORY.sign(v.promise_digest(market.domain, v.Promise(HOST.bytes, *said[1:]), keccak))
    market.submit()
    market.give(HOST, market.terms["stake"])
    with refused("vault: not promised"):
        market.vault.challenge_earnings(said, forged, sender=HOST.address)
    later, signature = market.promise(HOST, receipt, by=2**60)
    with refused("vault: not in this batch"):
        market.vault.challenge_earnings(later, signature, sender=HOST.address)


# Griefing ---------------------------------------------------------------------------------


def test_challenges_cannot_be_free_or_about_nothing(market: Market) -> None:
    market.submit()
    with refused("erc20"):
        market.vault.challenge(*market.final.show(ANNA), sender=MALLORY.address)
    market.give(MALLORY, market.terms["stake"])
    with refused("vault: nothing at stake"):
        market.vault.challenge((MALLORY.address, 0, 0), (0, []), sender=MALLORY.address)


def test_a_flood_of_challenges_pays_the_operator_and_does_not_delay(market: Market) -> None:
    market.submit()
    ids = [market.challenge(ANNA, by=MALLORY) for _ in range(20)]
    for id_ in ids:
        market.answer(id_, ANNA)
    market.finalise()
    assert market.token.balanceOf(MALLORY.address) == 0
    assert market.vault.owed(market.operator.address) == 20 * market.terms["stake"]


def test_the_last_second_delays_by_one_response_and_no_more(market: Market) -> None:
    market.submit()
    market.later(market.terms["window"] - 1)
    id_ = market.challenge(ANNA, by=MALLORY)
    market.later(1)
    with refused("vault: window is over"):
        market.challenge(ANNA, by=MALLORY)
    market.answer(id_, ANNA)
    market.vault.finalise()
    assert market.vault.final()[0] == 2


def test_a_batch_is_final_when_its_window_is_over_and_not_a_second_before(market: Market) -> None:
    market.submit()
    market.later(market.terms["window"] - 1)
    with refused("vault: not final yet"):
        market.vault.finalise()
    market.later(1)
    market.vault.finalise()
    assert market.vault.final()[0] == 2


def test_stakes_return_when_another_challenge_ended_the_batch(market: Market) -> None:
    market.submit([market.leaves()[1]])
    first, second = market.challenge(ANNA), market.challenge(ANNA, by=BEN)
    with refused("vault: still open"):
        market.vault.reclaim(second)
    market.later(market.terms["response"] + 1)
    market.vault.void(first)
    market.vault.reclaim(second)
    with refused("vault: still open"):
        market.vault.reclaim(second)
    market.vault.collect(sender=BEN.address)
    assert market.token.balanceOf(BEN.address) == market.terms["stake"]
    with refused("vault: nothing owed"):
        market.vault.collect(sender=BEN.address)


def test_an_answered_challenge_is_over(market: Market) -> None:
    market.submit()
    id_ = market.challenge(ANNA)
    market.answer(id_, ANNA)
    with refused("vault: not pending"):
        market.answer(id_, ANNA)
    market.later(market.terms["response"] + 1)
    with refused("vault: not pending"):
        market.vault.void(id_)
    with refused("vault: still open"):
        market.vault.reclaim(id_)


def test_a_late_answer_is_no_answer(market: Market) -> None:
    market.submit()
    id_ = market.challenge(ANNA)
    market.later(market.terms["response"])
    with refused("vault: may still be answered"):
        market.vault.void(id_)
    market.later(1)
    with refused("vault: too late"):
        market.answer(id_, ANNA)
    market.vault.void(id_)
    assert market.vault.pending()[0] == 0


def test_an_answer_in_the_last_second_counts(market: Market) -> None:
    market.submit()
    id_ = market.challenge(ANNA)
    market.later(market.terms["response"])
    market.answer(id_, ANNA)
    assert market.vault.open_challenges() == 0


def test_anothers_leaf_does_not_answer(market: Market) -> None:
    market.submit()
    id_ = market.challenge(ANNA)
    with refused("vault: another's leaf"):
        market.vault.answer(id_, *market.sent.show(HOST))


def test_what_was_final_needs_no_signature_any_more(market: Market) -> None:
    market.submit()
    id_ = market.challenge(ANNA)
    with refused("vault: not signed"):
        market.vault.answer(id_, *market.sent.show(ANNA))
    market.vault.settle(*market.final.show(ANNA))
    market.vault.answer(id_, *market.sent.show(ANNA))
    assert market.vault.open_challenges() == 0


def test_a_bond_that_refuses_does_not_save_a_bad_batch(market: Market) -> None:
    market.submit([market.leaves()[1]])
    id_ = market.challenge(ANNA)
    slasher, admin = keccak(b"SLASHER"), market.admin.address
    market.bond.revokeRole(slasher, market.vault.address, sender=admin)
    market.later(market.terms["response"] + 1)
    market.vault.void(id_)
    assert market.vault.pending()[0] == 0
    assert market.vault.owed(ANNA.address) == market.terms["stake"]


# Vouchers ---------------------------------------------------------------------------------


def test_a_session_key_signs_within_its_permit(market: Market) -> None:
    key = Person("session")
    market.acknowledge(ANNA, 5, lane=3, key=key, limit=9)
    market.acknowledge(ANNA, 9, lane=3, key=key, limit=9)
    market.acknowledge(ANNA, 4, lane=15, key=Person("other session"))
    assert market.vault.signed(ANNA.address) == 13
    with refused("voucher: over the limit"):
        market.acknowledge(ANNA, 10, lane=3, key=key, limit=9)
    with refused("voucher: no such lane"):
        market.vault.acknowledge(
            (ANNA.address, ANNA.address, 16, 0, bytes(32), 0), b"", 1, bytes(65)
        )


@pytest.mark.parametrize("amount", [4, 5])
def test_a_stale_voucher_counts_for_nothing(market: Market, amount: int) -> None:
    market.acknowledge(ANNA, 5)
    with refused("voucher: stale"):
        market.acknowledge(ANNA, amount)


def test_an_expired_permit_has_its_grace_and_then_ends(market: Market) -> None:
    key = Person("session")
    market.acknowledge(ANNA, 5, key=key, life=-GRACE)
    with refused("voucher: expired"):
        market.acknowledge(ANNA, 6, key=key, life=-GRACE - 1)


def test_forged_vouchers_and_permits_are_refused(market: Market) -> None:
    id_ = v.channel(ANNA.bytes, 0, keccak)
    forged = MALLORY.sign(v.voucher_digest(market.domain, id_, 5, keccak))
    with refused("voucher: not the key's"):
        market.vault.acknowledge((ANNA.address, ANNA.address, 0, 0, bytes(32), 0), b"", 5, forged)
    permit = (ANNA.address, MALLORY.address, 0, 9, bytes(32), 2**60)
    digest = v.permit_digest(
        market.domain, v.Permit(ANNA.bytes, MALLORY.bytes, *permit[2:]), keccak
    )
    with refused("voucher: no permit"):
        market.vault.acknowledge(permit, MALLORY.sign(digest), 5, forged)
    wider = (*permit[:3], 10**9, *permit[4:])
    with refused("voucher: no permit"):
        market.vault.acknowledge(wider, ANNA.sign(digest), 5, forged)


@pytest.mark.parametrize("chain", [56, 8453])
def test_a_voucher_for_another_chain_is_refused(market: Market, chain: int) -> None:
    elsewhere = v.Domain(chain, market.domain.vault)
    assert chain != market.domain.chain_id
    with refused("voucher: not the key's"):
        market.acknowledge(ANNA, 5, domain=elsewhere)


def test_a_voucher_for_another_deployment_is_refused(market: Market) -> None:
    other = Market()
    with refused("voucher: not the key's"):
        market.acknowledge(ANNA, 5, domain=other.domain)
    other.acknowledge(ANNA, 5)
    assert other.vault.signed(ANNA.address) == 5


def test_a_voucher_of_one_lane_or_account_is_none_of_another(market: Market) -> None:
    id_ = v.channel(ANNA.bytes, 0, keccak)
    signed = ANNA.sign(v.voucher_digest(market.domain, id_, 5, keccak))
    with refused("voucher: not the key's"):
        market.vault.acknowledge((ANNA.address, ANNA.address, 1, 0, bytes(32), 0), b"", 5, signed)
    with refused("voucher: not the key's"):
        market.vault.acknowledge((BEN.address, BEN.address, 0, 0, bytes(32), 0), b"", 5, signed)


# Tokens -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fee", "lies", "why"), [(1, False, "token: took a fee"), (0, True, "token: false")]
)
def test_a_token_with_fees_or_false_answers_is_not_listed(fee: int, lies: bool, why: str) -> None:
    with boa.env.anchor():
        token = deploy("FeeToken", sources=TOKENS)
        market = Market(token)
        market.give(market.admin, 2, market.vault.address)
        token.misbehave(fee, lies)
        with refused(why):
            market.vault.list_token(sender=market.admin.address)
        market.give(ANNA, 5)
        with refused("vault: token not listed"):
            market.vault.deposit(ANNA.address, 5, sender=ANNA.address)


def test_a_token_that_turns_to_fees_later_is_refused_then() -> None:
    with boa.env.anchor():
        token = deploy("FeeToken", sources=TOKENS)
        market = Market(token).open()
        market.give(ANNA, 5)
        token.misbehave(1, False)
        with refused("token: took a fee"):
            market.vault.deposit(ANNA.address, 5, sender=ANNA.address)
        assert market.vault.backed() == 0


def test_a_token_that_calls_back_gets_in_nowhere() -> None:
    """Not even to look: half-moved balances are nobody's truth."""
    with boa.env.anchor():
        token = deploy("ReentrantToken", sources=TOKENS)
        market = Market(token).open()
        market.give(ANNA, 5 * CREDIT)
        token.arm(market.vault.address, selector("backed()"))
        market.vault.deposit(ANNA.address, 5, sender=ANNA.address)
        assert (token.calls(), token.successes()) == (1, 0)
        assert market.vault.backed() == 5


@pytest.mark.parametrize("again", ["exit", "collect"])
def test_who_is_paid_cannot_call_again_before_it_is_over(again: str) -> None:
    """The token is a member itself, and exits a second time while the first pays it."""
    with boa.env.anchor():
        token = deploy("ReentrantToken", sources=TOKENS)
        market = Market(token).open()
        market.deposit(ANNA, 50)
        market.give(ANNA, 50)
        market.vault.deposit(token.address, 50, sender=ANNA.address)
        market.close()
        leaf = (token.address, 0, 0)
        leave = market.vault.exit.prepare_calldata(leaf, (0, []))
        token.arm(market.vault.address, leave if again == "exit" else selector("collect()"))
        token.act(market.vault.address, leave)
        assert (token.calls(), token.successes()) == (1, 0)
        assert token.balanceOf(token.address) == 50
        assert market.vault.backed() == 50


# Limits -----------------------------------------------------------------------------------


def test_withdrawals_wait_and_are_limited_by_the_day(market: Market) -> None:
    market.deposit(BEN, 90 * CREDIT)
    market.settle()
    id_ = market.vault.ask(*market.final.show(BEN), 90 * CREDIT, sender=BEN.address)
    with refused("vault: not covered yet"):
        market.vault.pay(id_)
    market.settle()
    with refused("vault: too early"):
        market.vault.pay(id_)
    market.later(market.terms["delay"])
    market.vault.pay(id_)
    assert market.token.balanceOf(BEN.address) == 50 * CREDIT
    with refused("vault: the day's limit"):
        market.vault.pay(id_)
    market.later(86_400)
    market.vault.pay(id_)
    assert market.token.balanceOf(BEN.address) == 75 * CREDIT


def test_a_pause_ends_by_itself_and_cannot_follow_a_pause(market: Market) -> None:
    guardian = market.guardian.address
    with refused("access_control"):
        market.vault.pause(sender=MALLORY.address)
    market.submit()
    market.vault.pause(sender=guardian)
    market.give(ANNA, 5)
    with refused("vault: paused"):
        market.vault.deposit(ANNA.address, 5, sender=ANNA.address)
    id_ = market.challenge(ANNA)
    market.answer(id_, ANNA)
    market.finalise()
    market.later(market.terms["pause_max"])
    with refused("vault: too soon"):
        market.vault.pause(sender=guardian)
    market.vault.deposit(ANNA.address, 5, sender=ANNA.address)
    assert market.vault.deposited(ANNA.address) == 10 * CREDIT + 5


def test_a_silent_operator_is_closed_out_and_a_talking_one_is_not(market: Market) -> None:
    market.later(market.terms["silence"] - 1)
    with refused("vault: not silent"):
        market.vault.close()
    market.submit()
    market.later(market.terms["window"])
    market.vault.close()  # makes final what can be final, instead
    assert not market.vault.closed()
    assert market.vault.final()[0] == 2
    market.close()
    with refused("vault: closed"):
        market.vault.close()
    with refused("vault: closed"):
        market.submit()


def test_terms_without_windows_or_with_free_challenges_cannot_be_deployed() -> None:
    with boa.env.anchor():
        for name in ("window", "response", "stake", "silence"):
            with pytest.raises(AssertionError, match="vault"):
                Market(**{name: 0})
