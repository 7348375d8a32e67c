"""Custody in the core: links, the vault followed, cuts, and rights in wallets.

`World.do` checks the machine's invariants after each command and `World.attempt` that a refusal
changes nothing; `Town` adds a naive sum of all history.
"""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs
from walleted import ASK, HOUR, PRICE, USED, Town, walleted

from allmende.core import commands as c
from allmende.core import custody_commands as w
from allmende.core import custody_events as f
from allmende.core import exchange_commands as x
from allmende.core.contracts import LOT
from allmende.core.custody import Closed
from allmende.core.damages import resale
from allmende.core.nouns import Policy
from allmende.core.refusals import Why
from allmende.core.units import CREDIT, DAY, SECOND, Units
from allmende.lab.floor import DECEMBER, Floor
from allmende.lab.world import ADDRESSES, secret


@pytest.fixture
def town() -> Town:
    return walleted()


# Linking ----------------------------------------------------------------------------------


def test_a_member_has_one_wallet_and_a_wallet_one_member(town: Town) -> None:
    assert town.state.addresses == {ADDRESSES["coop"]: "coop"}
    for member, address in (("coop", ADDRESSES["uni"]), ("uni", ADDRESSES["coop"])):
        refused = town.refuse(w.LinkWallet(member=member, address=address))
        assert refused.why is Why.EXISTS


@pytest.mark.parametrize(
    "address",
    ["", "0x", "0x" + "0" * 40, "0x" + "A" * 40, "0x" + "1" * 39, "0X" + "1" * 40, "1" * 42],
)
def test_what_is_no_address_is_not_linked(town: Town, address: str) -> None:
    assert town.refuse(w.LinkWallet(member="uni", address=address)).why is Why.BAD_VALUE


def test_linking_needs_the_member_somebody_who_may_and_a_mode(town: Town) -> None:
    asked = w.LinkWallet(member="uni", address=ADDRESSES["uni"], by=secret("rhine"))
    assert town.refuse(asked).why is Why.NOT_ALLOWED
    assert town.refuse(w.LinkWallet(member="x", address=ADDRESSES["uni"])).why is Why.NOT_FOUND
    closed = Town(mode="limited_network")
    asked = w.LinkWallet(member="uni", address=ADDRESSES["uni"])
    assert closed.refuse(asked).why is Why.MODE_FORBIDS
    town.do(w.LinkWallet(member="uni", address=ADDRESSES["uni"], by=secret("dean")))


def test_what_is_open_ends_before_its_account_is_linked() -> None:
    town = Town()
    asked = w.LinkWallet(member="coop", address=ADDRESSES["coop"])
    town.do(town.wants())
    assert town.refuse(asked).why is Why.CAPACITY
    town.do(c.Restart())
    town.place("coop", "buy", 10_000, 1)
    assert town.refuse(asked).why is Why.CAPACITY
    town.do(x.CancelOrders(account="coop"))
    town.do(asked)


def test_a_receipt_that_used_all_of_its_hold_is_open_too() -> None:
    """It holds nothing more, but a recount may lower its price: below what a wallet spent."""
    town = Town()
    hold = town.reserve("r", "coop")
    assert town.capture("r", hold.bound, pending=True).price == hold.amount
    assert not town.state.held["credit"].get("coop")
    assert town.refuse(w.LinkWallet(member="coop", address=ADDRESSES["coop"])).why is Why.CAPACITY
    town.do(c.Recount(counts=(("r", USED),)))
    town.link("coop")


# The vault --------------------------------------------------------------------------------


def test_the_worked_number(town: Town) -> None:
    """5 in, 2 asked back, 1 spent, 0.5 earned, and the 50 that were there."""
    town.follow("coop", 5 * CREDIT)
    town.follow("coop", 5 * CREDIT, 2 * CREDIT)
    town.permit("coop", 10 * CREDIT)
    town.do(c.Transfer(source="coop", target="uni", asset="credit", amount=CREDIT))
    town.do(c.Transfer(source="uni", target="coop", asset="credit", amount=CREDIT // 2))
    closed = town.cut("coop")
    assert closed == Closed(5 * CREDIT, 2 * CREDIT, CREDIT, 52 * CREDIT + CREDIT // 2)
    assert closed.earned == 50 * CREDIT + CREDIT // 2
    assert town.balance("coop") == closed.balance


def test_telling_the_same_twice_is_telling_it_once(town: Town) -> None:
    (event,) = town.follow("coop", 5 * CREDIT)
    assert event.postings == (
        ("issuer/credit", "credit", -5 * CREDIT),
        ("coop", "credit", 5 * CREDIT),
    )
    assert not town.follow("coop", 5 * CREDIT)
    assert town.balance("coop") == 55 * CREDIT


def test_the_house_alone_tells_what_the_chain_says(town: Town) -> None:
    root = secret("root")
    for command in (
        w.FollowVault(member="coop", deposited=1, requested=0, by=root),
        w.CutWallets(by=root),
        w.EndWrap(id="w", minted=True, by=root),
        w.UnwrapRights(account="coop", instrument="december", grains=1, reference="b", by=root),
    ):
        assert town.refuse(command).why is Why.NOT_ALLOWED


def test_a_wallet_that_nobody_linked_is_not_followed(town: Town) -> None:
    asked = w.FollowVault(member="uni", deposited=1, requested=0)
    assert town.refuse(asked).why is Why.NOT_FOUND


def test_a_chain_that_takes_back_deposits_stops_for_a_person(town: Town) -> None:
    town.follow("coop", 5 * CREDIT)
    refused = town.refuse(w.FollowVault(member="coop", deposited=4 * CREDIT, requested=0))
    assert refused.why is Why.BAD_VALUE
    assert refused.facts["missing"] == CREDIT
    asked = w.FollowVault(member="coop", deposited=5 * CREDIT, requested=-1)
    assert town.refuse(asked).why is Why.BAD_VALUE


def test_a_contested_request_comes_back(town: Town) -> None:
    town.follow("coop", 5 * CREDIT, 4 * CREDIT)
    assert town.balance("coop") == 51 * CREDIT
    (event,) = town.follow("coop", 5 * CREDIT, CREDIT)
    assert event.postings[1].amount == 3 * CREDIT
    assert town.balance("coop") == 54 * CREDIT
    assert town.cut("coop").earned == 50 * CREDIT


def test_a_deposit_and_a_request_are_two_events(town: Town) -> None:
    first, second = town.follow("coop", 5 * CREDIT, 2 * CREDIT)
    assert isinstance(first, f.VaultFollowed)
    assert isinstance(second, f.VaultFollowed)
    assert (first.deposited, second.requested) == (5 * CREDIT, 2 * CREDIT)


def test_what_is_asked_back_is_taken_as_far_as_it_is_free_and_before_any_new_debit(
    town: Town,
) -> None:
    """It may not be spent a second time while the rest of it ends."""
    town.permit("coop", 60 * CREDIT)
    town.do(town.wants())
    everything = w.FollowVault(member="coop", deposited=0, requested=50 * CREDIT)
    town.do(everything)
    assert town.state.wallets["coop"].requested == 50 * CREDIT - ASK
    assert town.refuse(town.wants()).why is Why.NO_CREDIT
    refused = town.refuse(everything)
    assert refused.why is Why.NO_CREDIT
    assert refused.facts["missing"] == ASK
    town.do(c.Restart())
    town.do(everything)
    assert town.balance("coop") == 0


def test_what_comes_free_goes_to_who_asked_for_it_before_anything_new(town: Town) -> None:
    """Or one request after another keeps it back, and with it the batch of everybody: at no
    moment when the chain is followed is anything free."""
    town.permit("coop", 60 * CREDIT)
    town.session("coop", 5 * CREDIT)
    town.reserve("long", "coop")
    everything = w.FollowVault(member="coop", deposited=0, requested=50 * CREDIT)
    town.do(everything)
    assert town.state.wallets["coop"].owing == ASK
    town.do(c.Void(hold="long", cause="provider_failed"))
    for key in ("coop", "s1"):
        refused = town.refuse(town.wants(key))
        assert (refused.why, refused.facts["missing"]) == (Why.NO_CREDIT, ASK)
    town.do(everything)
    assert (town.balance("coop"), town.state.wallets["coop"].owing) == (0, 0)


def test_a_request_that_was_contested_away_keeps_nothing_back(town: Town) -> None:
    town.permit("coop", 60 * CREDIT)
    town.reserve("long", "coop")
    town.follow("coop", 0, 50 * CREDIT)
    town.do(c.Void(hold="long", cause="provider_failed"))
    town.follow("coop", 0, 50 * CREDIT - ASK)
    assert town.state.wallets["coop"].owing == 0
    town.do(town.wants())


def test_what_was_spent_is_left_to_be_contested(town: Town) -> None:
    town.permit("coop", 60 * CREDIT)
    price = town.pay().receipt.price
    asked = w.FollowVault(member="coop", deposited=0, requested=50 * CREDIT)
    town.do(asked)
    refused = town.refuse(asked)
    assert (refused.why, refused.facts["missing"]) == (Why.NO_CREDIT, price)
    (event,) = town.follow("coop", 0, 50 * CREDIT - price)
    assert isinstance(event, f.RequestWaits)
    assert (event.owing, town.balance("coop")) == (0, 0)


def test_orders_end_for_what_was_asked_back_newest_first(town: Town) -> None:
    town.permit("coop", 60 * CREDIT)
    for id_ in ("first", "second", "third"):
        town.place("coop", "buy", 10_000, 10, id=id_)
    done = town.follow("coop", 0, 35 * CREDIT)
    assert [(v.order, v.cause) for v in done[:-1]] == [  # type: ignore[attr-defined]
        ("third", "withdrawn"),
        ("second", "withdrawn"),
    ]
    assert town.state.orders.keys() == {"first"}
    assert town.balance("coop") == 15 * CREDIT


def test_orders_in_a_frozen_call_stay(town: Town) -> None:
    town.permit("coop", 60 * CREDIT)
    town.place("coop", "buy", 10_000, 50, id="bid")
    town.do(x.OpenCall(instrument="december", until=town.now + SECOND))
    asked = w.FollowVault(member="coop", deposited=0, requested=CREDIT)
    town.do(asked)
    assert town.state.wallets["coop"].owing == CREDIT
    assert town.refuse(asked).why is Why.NO_CREDIT
    town.wait(2)
    town.do(asked)
    assert not town.state.orders


# Cuts ---------------------------------------------------------------------------------------


def test_a_cut_leaves_out_what_may_still_change(town: Town) -> None:
    wallet = town.link("rhine")
    town.permit("coop", CREDIT)
    town.reserve("r", "coop", policy=Policy(pay=("credit",)))
    price = town.capture("r", Units(input=900, output=200), pending=True).price
    assert (town.state.wallets["coop"].spent, town.cut("coop").spent) == (price, 0)
    assert wallet.closed.earned == 100 * CREDIT
    town.do(c.Recount(counts=(("r", USED),)))
    assert town.cut("coop") == Closed(0, 0, PRICE, 50 * CREDIT - PRICE)
    assert wallet.closed.earned > 100 * CREDIT
    assert wallet.closed.spent == 0


def test_a_cut_says_which_batches_it_has(town: Town) -> None:
    town.permit("coop", CREDIT)
    town.pay()
    town.do(c.CloseBatch())
    (event,) = town.do(w.CutWallets())
    assert (event, town.state.cut_batch) == (f.WalletsCut(at=town.now, batch=1), 1)


def test_a_recount_up_and_down_only_ever_adds_to_what_was_cut(town: Town) -> None:
    town.link("rhine")
    town.permit("coop", 10 * CREDIT)
    last = {member: Closed() for member in ("coop", "rhine")}
    for number, counted in enumerate((USED, Units(input=1_000, output=256), None, Units())):
        town.reserve(f"n{number}", "coop", policy=Policy(pay=("credit",)))
        town.capture(f"n{number}", Units(input=500, output=50), pending=True)
        for _ in range(2):
            town.do(w.CutWallets())
            for member, before in last.items():
                closed = town.state.wallets[member].closed
                assert closed.spent >= before.spent
                assert closed.earned >= before.earned
                last[member] = closed
            town.do(c.Recount(counts=((f"n{number}", counted),)))


# Rights in wallets ------------------------------------------------------------------------


def wrap(grains: int = LOT, id_: str = "w", **more: Any) -> w.WrapRights:
    usual = {"account": "coop", "instrument": "december", "to": ADDRESSES["uni"]}
    return w.WrapRights(id=id_, grains=grains, **{**usual, **more})


def unwrap(grains: int = LOT, reference: str = "b", **more: Any) -> w.UnwrapRights:
    usual = {"account": "uni", "instrument": "december"}
    return w.UnwrapRights(grains=grains, reference=reference, **{**usual, **more})


@pytest.fixture
def holder(town: Town) -> Town:
    """The co-operative holds 3 lots."""
    town.mint(3)
    town.do(c.Transfer(source="rhine", target="coop", asset="december", amount=3 * LOT))
    return town


def owned(town: Town) -> tuple[int, int, int]:
    """Lots of the co-operative, of wallets and of the university."""
    return tuple(town.rights(who) // LOT for who in ("coop", "chain", "uni"))  # type: ignore[return-value]


def test_rights_go_to_a_wallet_and_come_back_to_another(holder: Town) -> None:
    holder.do(wrap(2 * LOT))
    holder.do(w.EndWrap(id="w", minted=True))
    assert owned(holder) == (1, 2, 0)
    holder.do(unwrap())
    assert owned(holder) == (1, 1, 1)
    assert holder.refuse(unwrap()).why is Why.EXISTS
    holder.do(unwrap(reference="b2"))
    assert owned(holder) == (1, 0, 2)


def test_what_is_never_minted_goes_back_once(holder: Town) -> None:
    holder.do(wrap(2 * LOT))
    holder.do(w.EndWrap(id="w", minted=False))
    assert owned(holder) == (3, 0, 0)
    assert holder.refuse(w.EndWrap(id="w", minted=False)).why is Why.NOT_FOUND
    assert holder.refuse(wrap()).why is Why.EXISTS, "the chain mints an id once"


def test_what_is_on_its_way_cannot_have_been_burnt(holder: Town) -> None:
    holder.do(wrap(LOT, "w1"))
    holder.do(wrap(LOT, "w2"))
    holder.do(w.EndWrap(id="w1", minted=True))
    assert holder.refuse(unwrap(2 * LOT)).why is Why.NO_CREDIT
    holder.do(unwrap())
    holder.do(w.EndWrap(id="w2", minted=False))
    assert owned(holder) == (2, 0, 1)


WRAPS = {
    "nothing": (wrap(0), Why.BAD_VALUE),
    "less": (wrap(-LOT), Why.BAD_VALUE),
    "more than there is": (wrap(4 * LOT), Why.NO_CREDIT),
    "to nobody": (wrap(to="0x" + "0" * 40), Why.BAD_VALUE),
    "to no address": (wrap(to="uni"), Why.BAD_VALUE),
    "of nobody": (wrap(account="x"), Why.NOT_FOUND),
    "by a stranger": (wrap(by=secret("dean")), Why.NOT_ALLOWED),
    "what is no instrument": (wrap(instrument="credit"), Why.NO_INSTRUMENT),
    "under no id": (wrap(id_="a b"), Why.BAD_VALUE),
    "back to nobody": (unwrap(account="x"), Why.NOT_FOUND),
    "back of no instrument": (unwrap(instrument="x"), Why.NO_INSTRUMENT),
    "back what wallets do not hold": (unwrap(), Why.NO_CREDIT),
    "back nothing": (unwrap(0), Why.BAD_VALUE),
    "back less": (unwrap(-LOT), Why.BAD_VALUE),
}


@pytest.mark.parametrize("how", WRAPS)
def test_wrapping_is_refused_for(holder: Town, how: str) -> None:
    command, why = WRAPS[how]
    assert holder.refuse(command).why is why


def test_rights_go_into_wallets_from_a_tier_on(holder: Town) -> None:
    """Each wrap is a transaction that the operator pays, and strangers cost nothing."""
    member = wrap().account
    holder.do(x.SetTier(member=member, tier=0))
    holder.do(c.SetParameter(name="wrap_tier", value=1))
    assert holder.refuse(wrap()).why is Why.NOT_ALLOWED
    holder.do(x.SetTier(member=member, tier=1))
    holder.do(wrap())


def test_wrapping_is_for_modes_with_withdrawal_and_before_the_end(holder: Town) -> None:
    closed = Floor(mode="limited_network")
    closed.mint(1)
    assert closed.refuse(wrap(account="rhine")).why is Why.MODE_FORBIDS
    holder.now = DECEMBER.end
    assert holder.refuse(wrap()).why is Why.ENDED


def test_what_wallets_hold_at_the_end_goes_to_the_commons(holder: Town) -> None:
    """Nobody at the desk knows who holds it by then; whoever wants its resale value unwraps."""
    holder.do(wrap(2 * LOT))
    holder.do(w.EndWrap(id="w", minted=True))
    holder.close()
    assert holder.balance("commons") == 2 * LOT * resale(DECEMBER) > 0
    assert holder.balance("coop") == 50 * CREDIT + LOT * resale(DECEMBER)
    assert holder.refuse(unwrap()).why is Why.NO_INSTRUMENT


@pytest.mark.parametrize("minted", [True, False])
def test_an_end_waits_for_what_is_on_its_way_but_not_for_good(holder: Town, minted: bool) -> None:
    holder.do(wrap(LOT, "w1"))
    holder.do(wrap(LOT, "w2"))
    holder.now = DECEMBER.end
    holder.wait(61)
    assert "december" in holder.state.listings
    holder.do(w.EndWrap(id="w1", minted=False))
    holder.wait(HOUR)
    assert "december" not in holder.state.listings
    assert holder.balance("commons") == LOT * resale(DECEMBER)
    holder.do(w.EndWrap(id="w2", minted=minted))
    assert not holder.state.wraps
    again = x.ListInstrument(instrument=structs.replace(DECEMBER, end=holder.now + DAY))
    assert holder.refuse(again).why is Why.EXISTS, "its contract has the name for good"
