"""A sale: its caps and counters, the way back, and everybody who would like more than his due."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import boa
import pytest
from eth_hash.auto import keccak
from eth_utils import function_signature_to_4byte_selector as selector
from sale_rig import ADMIN, COMMONS, DAY, MARKET, OURS, PRICE, REFUND, Sale, as_words, terms
from vault_rig import ZERO, Person, deploy, refused

from allmende.core.identity import lacks
from allmende.core.offering import unsound
from allmende.wire import purchase
from allmende.wire.voucher import typed_data

ANNA, BEN, CARL, MALLORY = (Person(name) for name in ("anna", "ben", "carl", "mallory"))
PEOPLE = (ANNA, BEN, CARL, MALLORY)


@pytest.fixture(scope="module")
def made() -> Iterator[Sale]:
    with boa.env.anchor():
        sale = Sale()
        sale.fund(*PEOPLE)
        yield sale


@pytest.fixture
def rig(made: Sale) -> Iterator[Sale]:
    with boa.env.anchor():
        yield made


def later(seconds: int) -> None:
    boa.env.time_travel(seconds=seconds)


# Back and on ------------------------------------------------------------------------------


def test_a_buyer_gets_back_exactly_what_he_paid_once(rig: Sale) -> None:
    number = rig.buy(ANNA, 7)
    assert rig.credit.balanceOf(ANNA.address) == OURS - 7 * PRICE
    boa.env.evm.patch.timestamp = rig.sale.purchases(number)[4]  # the last second
    rig.sale.refund(number, sender=ANNA.address)
    assert rig.credit.balanceOf(ANNA.address) == OURS
    with refused("sale: ended already"):
        rig.sale.refund(number, sender=ANNA.address)
    assert (rig.sale.sold(), rig.sale.raised(), rig.sale.held()) == (0, 0, 0)
    assert rig.share.totalSupply() == 0
    rig.buy(ANNA, rig.terms.person_cap)  # what was taken back is off his cap too


def test_nobody_takes_anothers_purchase_back_and_nobody_too_late(rig: Sale) -> None:
    number = rig.buy(ANNA, 7)
    with refused("sale: not the buyer"):
        rig.sale.refund(number, sender=MALLORY.address)
    later(REFUND + 1)
    with refused("sale: too late to take back"):
        rig.sale.refund(number, sender=ANNA.address)
    for unknown in (0, 2, 2**256 - 1):
        with refused("sale: no such purchase"):
            rig.sale.refund(unknown, sender=ANNA.address)


def test_proceeds_go_on_only_after_the_way_back_is_closed(rig: Sale) -> None:
    number = rig.buy(ANNA, 20)
    with refused("sale: may still be taken back"):
        rig.sale.complete(number)
    later(REFUND + 1)
    with refused("sale: not decided"):
        rig.sale.complete(number)
    rig.decided()
    rig.sale.complete(number, sender=MALLORY.address)
    assert (rig.whole(ANNA), rig.whole(MALLORY)) == (20, 0)
    assert rig.credit.balanceOf(COMMONS.address) == 20 * PRICE
    for again in (rig.sale.complete, rig.sale.refund):
        with refused("sale: ended already"):
            again(number, sender=ANNA.address)
    assert rig.credit.balanceOf(rig.sale.address) == rig.sale.held() == 0


def test_without_a_soft_cap_each_purchase_is_complete_in_its_own_time() -> None:
    with boa.env.anchor():
        rig = Sale(terms(soft_cap=0))
        rig.fund(ANNA)
        number = rig.buy(ANNA, 1)
        later(REFUND + 1)
        rig.sale.complete(number)
        assert rig.whole(ANNA) == 1


def test_a_sale_that_misses_its_soft_cap_pays_everybody_back_whoever_asks(rig: Sale) -> None:
    numbers = [rig.buy(ANNA, 10), rig.buy(BEN, 9)]
    rig.decided()
    assert rig.sale.failed()
    with refused("sale: failed"):
        rig.sale.complete(numbers[0])
    later(1_000 * DAY)
    for number in numbers:
        rig.sale.refund(number, sender=MALLORY.address)
    assert [rig.credit.balanceOf(p.address) for p in (ANNA, BEN, MALLORY)] == [OURS] * 3
    assert rig.credit.balanceOf(COMMONS.address) == rig.share.totalSupply() == 0


def test_who_takes_back_in_the_last_second_can_make_it_fail(rig: Sale) -> None:
    """So nothing is decided, and nobody paid, before that second is over."""
    early = rig.buy(ANNA, 15)
    boa.env.evm.patch.timestamp = rig.terms.end - 1
    last = rig.buy(BEN, 5)
    boa.env.evm.patch.timestamp = rig.terms.decided_at - 1
    with refused("sale: not decided"):
        rig.sale.complete(early)
    rig.sale.refund(last, sender=BEN.address)
    later(1)
    assert rig.sale.failed()


# When, how much, who ----------------------------------------------------------------------


def test_nobody_buys_before_the_beginning_or_after_the_end(rig: Sale) -> None:
    boa.env.evm.patch.timestamp = rig.terms.end - 1
    rig.buy(ANNA, 1)
    later(1)
    with refused("sale: over"):
        rig.buy(ANNA, 1)
    with boa.env.anchor():
        soon = Sale(terms(start=boa.env.evm.patch.timestamp + DAY, end=rig.terms.end + 2 * DAY))
        soon.fund(ANNA)
        with refused("sale: not begun"):
            soon.buy(ANNA, 1)
    assert rig.credit.balanceOf(ANNA.address) == OURS - PRICE


def test_no_cap_is_exceeded_by_one_share_or_by_many_purchases(rig: Sale) -> None:
    with refused("sale: over the person's cap"):
        rig.buy(ANNA, 41)
    for who in (ANNA, BEN):
        for shares in (39, 1):
            rig.buy(who, shares)
    with refused("sale: over the person's cap"):
        rig.buy(ANNA, 1)
    for shares in (21, 2**256 - 1):
        with refused("sale: over the hard cap"):
            rig.buy(CARL, shares)
    with refused("sale: nothing"):
        rig.buy(CARL, 0)
    rig.buy(CARL, 20)
    with refused("sale: over the hard cap"):
        rig.buy(MALLORY, 1)
    assert rig.sale.sold() == rig.terms.hard_cap


def test_one_person_with_two_wallets_is_one_person(rig: Sale) -> None:
    rig.buy(ANNA, 30, person="mallory")
    with refused("sale: over the person's cap"):
        rig.buy(BEN, 11, person="mallory")
    number = rig.buy(BEN, 10, person="mallory")
    assert rig.sale.persons(purchase.state_word("DEU")) == 1
    with refused("sale: not the buyer"):  # the money goes where it came from
        rig.sale.refund(number, sender=ANNA.address)


def test_the_proceeds_stay_within_the_euro_limit() -> None:
    with boa.env.anchor():
        rig = Sale(terms(proceeds_max=10 * PRICE + PRICE - 1))
        rig.fund(ANNA, BEN)
        rig.buy(ANNA, 10)
        with refused("sale: over the limit of proceeds"):
            rig.buy(BEN, 1)
        rig.sale.refund(1, sender=ANNA.address)  # what was paid back is no proceeds
        rig.buy(BEN, 10)


def test_of_150_persons_of_a_state_149_buy_and_the_next_state_begins_anew() -> None:
    with boa.env.anchor():
        rig = Sale(terms(persons_below=150, hard_cap=1_000, proceeds_max=10**9))
        rig.fund(ANNA)
        for i in range(149):
            rig.buy(ANNA, 1, person=f"person {i}")
        for _ in range(2):  # the 150th, and the 151st
            with refused("sale: no more persons of this state"):
                rig.buy(ANNA, 1, person="one more")
        rig.buy(ANNA, 1, person="person 7")  # who is counted may buy again
        rig.buy(ANNA, 1, person="one more", state="FRA")
        assert rig.sale.persons(purchase.state_word("DEU")) == 149
        assert rig.sale.persons(purchase.state_word("FRA")) == 1


def test_who_takes_his_money_back_stays_counted(rig: Sale) -> None:
    """An offer was made to him; else the counter could be worn down by turns."""
    for i in range(3):
        rig.sale.refund(rig.buy(ANNA, 1, person=f"person {i}"), sender=ANNA.address)
    with refused("sale: no more persons of this state"):
        rig.buy(ANNA, 1, person="the fourth")


def test_qualified_investors_count_where_the_terms_say_so(rig: Sale) -> None:
    rig.buy(ANNA, 1, qualified=True)
    assert rig.sale.persons(purchase.state_word("DEU")) == 1
    with boa.env.anchor():
        other = Sale(terms(count_qualified=False))
        other.fund(ANNA)
        for i in range(5):
            other.buy(ANNA, 1, person=f"fund {i}", qualified=True)
        assert other.sale.persons(purchase.state_word("DEU")) == 0


@pytest.mark.parametrize("mode", ["closed_loop", "limited_network"])
def test_where_the_mode_has_no_sale_nobody_buys_and_it_is_said_as_at_the_desk(mode: str) -> None:
    with boa.env.anchor():
        rig = Sale(mode=mode)
        rig.fund(ANNA)
        with refused(lacks(mode, "sale")):
            rig.buy(ANNA, 1)


def test_a_sale_beyond_the_shares_cap_takes_no_money() -> None:
    with boa.env.anchor():
        rig = Sale(cap=10)
        rig.fund(ANNA)
        with refused("share: over the cap"):
            rig.buy(ANNA, 11)
        assert rig.credit.balanceOf(ANNA.address) == OURS


# Vouchers ---------------------------------------------------------------------------------


def test_a_voucher_is_for_one_wallet_in_one_sale_on_one_chain_until_its_end(rig: Sale) -> None:
    shown = rig.signed(rig.voucher(ANNA))
    with refused("sale: another's voucher"):
        rig.sale.buy(*shown, 1, sender=MALLORY.address)
    elsewhere = Sale(rig.terms)
    elsewhere.fund(ANNA)
    for strange in (
        rig.signed(rig.voucher(ANNA), domain=elsewhere.domain),
        rig.signed(rig.voucher(ANNA), domain=rig.domain._replace(chain_id=rig.domain.chain_id + 1)),
        rig.signed(rig.voucher(ANNA), domain=rig.domain._replace(name="Allmende Vault")),
        rig.signed(rig.voucher(ANNA), by=MALLORY),
        rig.signed(rig.voucher(ANNA), by=ADMIN),
        (purchase.words(rig.voucher(ANNA, "somebody else")), shown[1]),
        (purchase.words(rig.voucher(ANNA, state="FRA")), shown[1]),
        (purchase.words(rig.voucher(ANNA, qualified=True)), shown[1]),
    ):
        with refused("sale: not the market's voucher"):
            rig.sale.buy(*strange, 1, sender=ANNA.address)
    short = rig.signed(rig.voucher(ANNA, life=10))
    later(11)
    with refused("sale: the voucher has expired"):
        rig.sale.buy(*short, 1, sender=ANNA.address)
    rig.sale.buy(*shown, 1, sender=ANNA.address)


@pytest.mark.parametrize("length", [0, 64, 65])
def test_what_is_no_signature_buys_nothing(rig: Sale, length: int) -> None:
    with refused("" if length else "sale: not the market's voucher"):
        rig.sale.buy(purchase.words(rig.voucher(ANNA)), bytes(length), 1, sender=ANNA.address)
    assert rig.sale.count() == 0


def test_a_key_that_was_taken_away_signs_nothing_more_and_refunds_go_on(rig: Sale) -> None:
    number = rig.buy(ANNA, 1)
    with refused("access_control"):
        rig.sale.grantRole(keccak(b"ISSUER"), MALLORY.address, sender=MALLORY.address)
    rig.sale.revokeRole(keccak(b"ISSUER"), MARKET.address, sender=ADMIN.address)
    with refused("sale: not the market's voucher"):
        rig.buy(ANNA, 1)
    rig.sale.refund(number, sender=ANNA.address)


def test_a_voucher_is_what_any_wallet_would_sign(rig: Sale) -> None:
    from eth_account.messages import encode_typed_data

    voucher = rig.voucher(ANNA)
    values = dict(zip(voucher._fields, purchase.words(voucher), strict=True))
    values["wallet"] = bytes.fromhex(voucher.wallet[2:])
    data = typed_data(rig.domain, "Voucher", purchase.VOUCHER_TYPE, values)
    signed = encode_typed_data(full_message=data)
    digest = keccak(b"\x19" + signed.version + signed.header + signed.body)
    assert digest == purchase.voucher_digest(rig.domain, voucher, keccak)
    rig.sale.buy(purchase.words(voucher), MARKET.sign(digest), 1, sender=ANNA.address)


# Terms and tokens -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"price": 0}, "sale: nothing to sell"),
        ({"hard_cap": 0, "soft_cap": 0}, "sale: nothing to sell"),
        ({"soft_cap": 101}, "sale: the soft cap is over the hard one"),
        ({"start": 0, "end": 1}, "sale: over"),
        ({"period": 30 * DAY - 1}, "sale: longer than its period"),
    ],
)
def test_what_makes_no_sale_is_not_deployed(changed: dict[str, int], says: str) -> None:
    bad = terms(**changed)
    assert unsound(bad, boa.env.evm.patch.timestamp) == says
    with boa.env.anchor(), pytest.raises(AssertionError, match=says):
        deploy("Sale", 2, ANNA.address, BEN.address, COMMONS.address, as_words(bad))


def test_a_sale_has_somebody_to_sell_for_and_numbers_that_fit() -> None:
    with boa.env.anchor(), pytest.raises(AssertionError, match="sale: no beneficiary"):
        deploy("Sale", 2, ANNA.address, BEN.address, ZERO, as_words(terms()))
    with boa.env.anchor(), pytest.raises(AssertionError, match="sale: too large"):
        deploy("Sale", 2, ANNA.address, BEN.address, ANNA.address, as_words(terms(price=2**200)))


@pytest.mark.parametrize("again", ["refund(uint256)", "complete(uint256)", "sold()"])
def test_who_is_paid_back_cannot_call_again_before_it_is_over(again: str) -> None:
    with boa.env.anchor():
        token = deploy("ReentrantToken", sources=Path(__file__).parent / "tokens")
        rig = Sale(credit=token)
        for who in (ANNA, BEN):
            token.mint(who.address, 100, sender=ANNA.address)
            token.approve(rig.sale.address, 100, sender=who.address)
        first, _ = rig.buy(ANNA, 2), rig.buy(BEN, 2)
        number = b"" if again == "sold()" else (2).to_bytes(32, "big")
        token.arm(rig.sale.address, selector(again) + number)
        rig.sale.refund(first, sender=ANNA.address)
        assert (token.calls(), token.successes()) == (1, 0)
        assert (rig.sale.held(), token.balanceOf(rig.sale.address)) == (2 * PRICE, 2 * PRICE)


def test_a_pay_unit_with_a_fee_buys_nothing() -> None:
    with boa.env.anchor():
        token = deploy("FeeToken", sources=Path(__file__).parent / "tokens")
        rig = Sale(credit=token)
        token.mint(ANNA.address, 100, sender=ANNA.address)
        token.approve(rig.sale.address, 100, sender=ANNA.address)
        token.misbehave(1, False)
        with refused("token: took a fee"):
            rig.buy(ANNA, 2)
        assert rig.sale.count() == 0
