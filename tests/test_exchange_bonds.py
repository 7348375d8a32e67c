"""Cheats of issuers, and of holders with others: each tries to get at a bond, and loses."""

from __future__ import annotations

from typing import Any

import pytest
from holders import PRICE, rule, service, sold
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from allmende.core import commands as c
from allmende.core import events as e
from allmende.core import exchange_commands as x
from allmende.core import rights
from allmende.core.contracts import LOT
from allmende.core.nouns import Key, Member, Policy
from allmende.core.refusals import Refused, Why
from allmende.core.units import MINUTE, SECOND, Tariff, Units
from allmende.lab.floor import DECEMBER, Floor, changed
from allmende.lab.world import OFFERS, ask, secret

# The issuer ---------------------------------------------------------------------------


def test_one_token_and_then_nothing_is_a_failure():
    floor = sold()
    told = Units(input=10, output=1)
    for number in range(3):
        floor.do(ask(f"r{number}", "ada"))
        floor.do(c.Capture(hold=f"r{number}", estimate=told, reported=told, outcome="provider_cut"))
    assert service(floor) == (0, 3)
    left, before = floor.rights("uni"), floor.balance("uni")
    assert floor.close().defaulted == ("uni",)
    assert floor.balance("uni") - before == left * 12_500


@pytest.mark.parametrize(
    "less",
    [{"capacity": 1}, {"context": 1}, {"max_output": 1}, {"endpoints": ("embeddings",)},
     {"model": "other"}, {"zone": OFFERS[1].zone}],
    ids=str,
)  # fmt: skip
def test_an_offer_cannot_be_made_useless_to_those_who_hold_rights(less: dict[str, Any]):
    floor = sold()
    offer = structs.replace(OFFERS[0], **less)
    assert floor.refuse(c.PostOffer(offer=offer)).why is Why.OWED
    floor.do(c.PostOffer(offer=structs.replace(OFFERS[0], capacity=9, tariff=OFFERS[1].tariff)))


def test_an_offer_full_of_strangers_still_takes_a_holder():
    """Else an issuer could fill its own offer for nothing, and never be seen to fail."""
    floor = sold()
    for number in range(OFFERS[0].capacity):
        floor.do(ask(f"s{number}", "lab", policy=Policy(pay=("credit",))))
    floor.do(ask("r", "coop"))
    assert floor.state.holds["r"].right == "december"
    assert floor.refuse(ask("r2", "coop")).why is Why.CAPACITY


def test_an_issuer_does_not_claim_its_own_bond_away():
    floor = sold()
    floor.mint(2)
    own = x.ClaimDefault(id="c", instrument="december", account="rhine", grains=LOT)
    assert floor.refuse(own).why is Why.NOT_ALLOWED


def daughter(floor: Floor) -> str:
    """A member of the issuer's tree, with an account and a key of her own: the key's name."""
    floor.do(c.AddMember(member=Member("branch", "Subsidiary", "organisation", home="rhine")))
    floor.do(c.AddBudget(id="branch", name="Subsidiary", owner="branch"))
    floor.do(c.IssueKey(key=Key("branch", secret("branch"), "branch", "spend", budget="branch")))
    floor.do(c.Transfer(source="rhine", target="branch", asset="credit", amount=10**12))
    return "branch"


def test_using_ones_own_capacity_proves_nothing():
    floor = sold(lots=2, capacity=2 * LOT)
    bond = rights.bond_for(floor.state, DECEMBER, LOT)
    floor.use("r", Units(input=1_000, output=200))
    key = daughter(floor)
    floor.do(c.Transfer(source="uni", target="branch", asset="december", amount=LOT // 2))
    receipt = floor.use("s", Units(input=1_000, output=200), key).receipt
    assert receipt.right == "december"
    floor.close()
    proved = floor.state.proved["rhine"]
    assert proved == receipt.grains, "only what the university used"
    assert rights.bond_for(floor.state, DECEMBER, LOT) < bond


@given(
    st.lists(
        st.tuples(st.sampled_from(["mint", "retire", "sell", "use"]), st.integers(1, 8)),
        max_size=20,
    )
)
def test_an_issuer_never_owes_more_than_its_capacity_or_keeps_less_than_its_bond(acts):
    """World.do checks after each command that the bond covers what is outstanding."""
    floor = Floor()
    for number, (act, lots) in enumerate(acts):
        if act == "mint":
            floor.attempt(x.MintLots(instrument="december", grains=lots * LOT))
        elif act == "retire":
            floor.attempt(x.RetireLots(instrument="december", grains=lots * LOT))
        elif act == "sell":
            floor.attempt(
                c.Transfer(source="rhine", target="uni", asset="december", amount=lots * LOT)
            )
        else:
            floor.use(f"r{number}", Units(input=100 * lots, output=lots))
        assert floor.listing.issued <= DECEMBER.capacity
        owed = rights.outstanding(floor.state, "december")
        assert floor.bond() >= rights.bond_for(floor.state, DECEMBER, owed)


# Together, against another ------------------------------------------------------------


def test_a_claim_takes_the_share_of_the_bond_that_secures_it_and_no_more():
    """With a margin that proof has lowered, damages reach further than the bond."""
    floor = sold(lots=10)
    floor.state.proved["rhine"] = DECEMBER.capacity
    floor.do(x.ListInstrument(instrument=changed(id="second")))
    floor.mint(2, "second")
    for account in ("uni", "coop"):
        floor.do(c.Transfer(source="rhine", target=account, asset="second", amount=LOT))
    wish = Policy(pay=("second",))
    floor.do(x.ClaimDefault(id="c", instrument="second", account="uni", grains=LOT))
    floor.fail("r", policy=wish)
    before = floor.balance("uni")
    floor.wait(3_600)
    assert floor.balance("uni") - before == LOT * PRICE * 115 // 100
    assert floor.balance("bond/second") == LOT * PRICE * 115 // 100


rates = st.none() | st.integers(0, 3 * 10**6)
usage = st.builds(Units, st.integers(0, 1_000), st.integers(0, 1_000), st.integers(0, 256))


@given(rates.filter(bool), rates, rates.filter(bool), st.lists(st.none() | usage, max_size=6))
def test_a_dear_replacement_draws_no_more_than_secures_the_grains_it_uses(into, cached, out, ends):
    """A holder and another provider together: rhine is down, and nordic names any price.

    Whatever is used of the bound, what is left of the bond per grain never falls below the
    price; and what is drawn is at most the margin above what the grains are worth.
    """
    floor = sold(alone=False)
    floor.do(c.WithdrawOffer(id="clean"))
    tariff, zone = Tariff(input=into, cached=cached, output=out), DECEMBER.zone
    floor.do(c.PostOffer(offer=structs.replace(OFFERS[1], tariff=tariff, zone=zone)))
    ids = [f"r{number}" for number in range(len(ends))]
    for id_ in ids:
        floor.do(ask(id_, "ada", exclude=("cheap",)))
    floor.do(x.RetireLots(instrument="december", grains=LOT)) if floor.rights("rhine") else None
    for id_, units in zip(ids, ends, strict=True):
        hold = floor.state.holds[id_]
        bond = floor.bond()
        if units is None:
            floor.do(c.Void(hold=id_, cause="x"))
            continue
        receipt = floor.capture(id_, units)
        drawn = bond - floor.bond()
        if hold.right:
            assert drawn == receipt.price <= hold.grains * PRICE * 12 // 10
        else:
            assert drawn == 0


def verified(floor: Floor, id_: str, units: Units, key: str, first: str) -> None:
    """A request whose count agrees with ours."""
    floor.do(ask(id_, key, policy=Policy(order=(first,))))
    floor.do(c.Capture(hold=id_, estimate=units, reported=units, pending=True))
    floor.do(c.Recount(counts=((id_, units),)))


def test_nobody_moves_the_index_of_a_cash_contract_by_buying_from_himself():
    cash = changed(settlement="cash", offer="", id="cash")
    floor = Floor(cash)
    dear = structs.replace(OFFERS[0], tariff=Tariff(input=2_000_000, output=8_000_000))
    floor.do(c.PostOffer(offer=dear))
    key = daughter(floor)
    verified(floor, "own", Units(input=900, output=200), key, "cheap")
    assert floor.listing.volume == 0
    floor.use("believed", Units(input=900), "lab", policy=Policy(order=("nordic",)))
    assert floor.listing.volume == 0
    verified(floor, "other", Units(input=100, output=10), "lab", "nordic")
    assert floor.listing.turnover == 100 * 150_000 + 10 * 600_000
    assert floor.close().figure == floor.events[-1].figure == 150_000 // 100


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ada", "coop"]),
            st.sampled_from(["serve", "fail", "cut", "left", "claim", "wait"]),
        ),
        max_size=30,
    )
)
def test_damages_never_exceed_the_bond_and_a_broken_promise_never_pays(acts):
    """Any course of events: what holders got out of the bond is at most what secured it, and
    an issuer that served nobody keeps less of it than one that served all."""
    floor = sold()
    bond, before = floor.bond(), {name: floor.balance(name) for name in ("uni", "coop", "rhine")}
    stakes = 0
    for number, (key, act) in enumerate(acts):
        account = "coop" if key == "coop" else "uni"
        floor.now += MINUTE
        if act == "wait":
            floor.wait(1_800)
        elif act == "claim":
            wish = x.ClaimDefault(
                id=f"c{number}", instrument="december", account=account, grains=LOT // 2
            )
            stakes += 0 if isinstance(floor.attempt(wish), Refused) else LOT // 2 * PRICE // 100
        else:
            done = floor.attempt(ask(f"r{number}", key, policy=Policy(pay=("december",))))
            if not isinstance(done, Refused):
                end(floor, f"r{number}", act)
    floor.now = DECEMBER.end
    floor.close()
    assert floor.balance("bond/december") == 0
    gains = {name: floor.balance(name) - was for name, was in before.items()}
    assert gains["uni"] <= 2 * LOT * PRICE * 125 // 100
    assert gains["coop"] <= 2 * LOT * PRICE * 125 // 100
    receipts = [event.receipt for event in floor.events if isinstance(event, e.Captured)]
    used = sum(receipt.price for receipt in receipts)
    earned = sum(p.amount for r in receipts for p in r.waterfall if p.account == "rhine")
    unused = 4 * LOT - sum(receipt.grains for receipt in receipts)
    assert gains["rhine"] <= earned + bond - used - unused * PRICE // 5 + stakes


def end(floor: Floor, hold: str, act: str) -> None:
    told = Units(input=100, output=10)
    if act in ("fail", "left"):
        cause = "client_left" if act == "left" else "died"
        floor.do(c.Void(hold=hold, cause=cause, fault=act == "fail"))
    else:
        outcome = "complete" if act == "serve" else "provider_cut"
        floor.do(c.Capture(hold=hold, estimate=told, reported=told, outcome=outcome))


def test_a_window_is_not_settled_while_a_receipt_of_it_waits_for_its_recount():
    """One that used its whole bound sets no grains aside, and may still give some back."""
    floor = sold()
    rule(floor, "recount_seconds", 3_600)
    floor.now = DECEMBER.end - SECOND
    floor.do(ask("r", "ada"))
    told = Units(input=1_000, output=256)
    floor.do(c.Capture(hold="r", estimate=told, reported=told, pending=True))
    assert floor.listing.redeeming == 0
    for _ in range(3):
        floor.wait(100)
    assert "december" in floor.state.listings
    floor.do(c.Recount(counts=(("r", Units(input=900, output=256)),)))
    floor.wait(1)
    assert "december" not in floor.state.listings
