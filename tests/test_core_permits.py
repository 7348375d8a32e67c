"""What is signed for: lane 0 for all that leaves a linked account, and sessions beside it."""

from __future__ import annotations

import pytest
from walleted import ASK, HOUR, PRICE, USED, Town, not_signed, walleted

from allmende.core import commands as c
from allmende.core import custody_commands as w
from allmende.core import exchange_commands as x
from allmende.core import wallets
from allmende.core.contracts import LOT
from allmende.core.nouns import Key, Policy
from allmende.core.refusals import Why
from allmende.core.units import CREDIT, DAY, SECOND, Units
from allmende.lab.world import START, ask, permit, secret


@pytest.fixture
def town() -> Town:
    return walleted()


# What is signed for: lane 0 ---------------------------------------------------------------


def debits(town: Town) -> dict[str, tuple[c.Command, int]]:
    """All ways for credit to leave the account of `coop`, and what each takes at worst."""
    lots = {"instrument": "december", "account": "coop"}
    fee = CREDIT // 1_000
    town.mint(4)
    town.place("rhine", "sell", 11_000, 1, id="ask")
    town.do(
        x.RequestQuotes(
            id="to-sell", instrument="december", account="nordic", grains=LOT, until=town.now + DAY
        )
    )
    mine = {"id": "mine", "account": "coop", "instrument": "december"}
    town.do(x.RequestQuotes(grains=LOT, until=town.now + DAY, **mine))
    offer = x.Quote(id="q", request="mine", account="rhine", side="sell", price=10_000)
    town.do(offer)
    return {
        "a request": (town.wants(), ASK),
        "a transfer": (
            c.Transfer(source="coop", target="uni", asset="credit", amount=CREDIT),
            CREDIT,
        ),
        "an order that rests": (
            x.PlaceOrder(id="o", side="buy", price=10_000, grains=LOT, **lots),
            CREDIT,
        ),
        "an order that trades, with its fee": (
            x.PlaceOrder(id="o", side="buy", price=11_000, grains=LOT, **lots),
            1_100_000_000_000 + 11 * fee // 10,
        ),
        "an order at once or not at all": (
            x.PlaceOrder(id="o", side="buy", price=11_000, grains=LOT, term="ioc", **lots),
            1_100_000_000_000 + 11 * fee // 10,
        ),
        "a quote": (
            x.Quote(id="o", request="to-sell", account="coop", side="buy", price=10_000),
            CREDIT,
        ),
        "a quote that is taken": (x.AcceptQuote(id="q"), CREDIT + fee),
    }


@pytest.mark.parametrize("how", debits(Town()))
def test_no_debit_without_a_signature(town: Town, how: str) -> None:
    command, worst = debits(town)[how]
    not_signed(town, command, worst)
    town.permit("coop", worst - 1)
    not_signed(town, command, 1)
    town.permit("coop", worst)
    assert town.do(command)
    wallet = town.state.wallets["coop"]
    assert wallets.general(wallet, wallets.opened(town.state, "coop")) == worst


def test_the_bond_of_lots_is_signed_for() -> None:
    town = Town()
    town.link("rhine")
    mint = x.MintLots(instrument="december", grains=2 * LOT)
    not_signed(town, mint, 5 * CREDIT // 2)
    town.permit("rhine", 5 * CREDIT // 2)
    town.do(mint)
    assert town.lane("rhine") == 5 * CREDIT // 2
    town.do(x.RetireLots(instrument="december", grains=LOT))
    assert town.lane("rhine") == 5 * CREDIT // 2, "what comes back was earned, not unspent"
    assert town.cut("rhine").earned == 101 * CREDIT + CREDIT // 4


def test_a_claims_stake_is_signed_for_as_long_as_it_is_at_stake(town: Town) -> None:
    town.mint(2)
    town.do(c.Transfer(source="rhine", target="coop", asset="december", amount=LOT))
    claim = x.ClaimDefault(id="c", instrument="december", account="coop", grains=LOT)
    not_signed(town, claim, CREDIT // 100)
    town.permit("coop", CREDIT, expires=town.now + SECOND)
    assert town.refuse(claim).why is Why.NOT_SIGNED
    town.permit("coop", CREDIT)
    town.do(claim)
    assert town.lane("coop") == 0
    town.wait(HOUR)
    assert town.lane("coop") == CREDIT // 100, "nothing had failed: the stake is lost"


def test_amending_needs_a_signature_for_what_is_more(town: Town) -> None:
    town.permit("coop", 10 * CREDIT)
    town.place("coop", "buy", 10_000, 10, id="o")
    not_signed(town, x.AmendOrder(id="o", price=10_100, grains=10 * LOT), CREDIT // 10)
    town.do(x.AmendOrder(id="o", price=10_000, grains=9 * LOT))
    town.do(x.AmendOrder(id="o", price=10_100, grains=9 * LOT))
    pay = c.Transfer(source="coop", target="uni", asset="credit", amount=CREDIT)
    not_signed(town, pay, 9 * CREDIT // 100)
    assert town.state.orders["o"].order.price == 10_100


def test_selling_costs_no_signature_and_its_fee_is_taken_from_what_it_brings(town: Town) -> None:
    town.mint(2)
    town.do(c.Transfer(source="rhine", target="coop", asset="december", amount=LOT))
    town.place("uni", "buy", 10_000, 1)
    town.place("coop", "sell", 10_000, 1)
    closed = town.cut("coop")
    assert (closed.spent, closed.earned) == (0, 51 * CREDIT - CREDIT // 1_000)


def test_other_assets_need_no_signature(town: Town) -> None:
    town.do(c.RegisterAsset(id="gold", issuer="coop", name="Gold"))
    town.do(c.Mint(member="coop", asset="gold", amount=5))
    town.do(c.Transfer(source="coop", target="uni", asset="gold", amount=5))
    town.mint(1)
    town.do(c.Transfer(source="rhine", target="coop", asset="december", amount=LOT))
    town.do(c.Transfer(source="coop", target="uni", asset="december", amount=LOT))
    assert town.state.wallets["coop"].spent == 0


def test_rights_that_pay_need_no_signature_and_are_nothing_spent(town: Town) -> None:
    town.mint(1)
    town.do(c.Transfer(source="rhine", target="coop", asset="december", amount=LOT))
    receipt = town.use("r", USED, "coop").receipt
    assert receipt.right == "december"
    assert town.state.wallets["coop"].spent == 0


def test_what_is_earned_provisionally_is_set_aside_and_no_debit() -> None:
    town = Town()
    wallet = town.link("rhine")
    town.reserve("r", "lab")
    town.capture("r", Units(input=1_000, output=256), pending=True)
    assert wallet.coming > 0
    town.permit("rhine", CREDIT)
    pay = c.Transfer(source="rhine", target="uni", asset="credit", amount=CREDIT)
    town.do(pay)
    not_signed(town, pay, CREDIT)
    assert town.cut("rhine").earned == 100 * CREDIT
    town.do(c.Recount(counts=(("r", USED),)))
    assert wallet.coming == 0
    assert town.cut("rhine").earned == 100 * CREDIT + town.balance("rhine") - 99 * CREDIT


def test_a_member_that_is_paid_out_of_its_own_request_spends_all_of_its_price() -> None:
    """It signs the whole price; its share of it is earned like any other's."""
    town = Town()
    town.do(c.AddBudget(id="rhine", name="Rhine", owner="rhine"))
    town.do(c.IssueKey(key=Key("self", secret("self"), "rhine", "spend", "rhine")))
    town.link("rhine")
    town.session("rhine", ASK)
    town.pay("s1")
    assert town.lane("rhine", 1) == town.state.wallets["rhine"].spent == PRICE
    town.permit("rhine", ASK)
    town.reserve("r", "self")
    town.capture("r", Units(input=1_000, output=256), pending=True)
    before = town.cut("rhine")
    assert before.spent == PRICE
    assert before.earned > 100 * CREDIT
    town.do(c.Recount(counts=(("r", USED),)))
    assert town.lane("rhine") == PRICE
    assert town.cut("rhine").earned > before.earned


def test_a_permit_of_lane_0_covers_what_is_open_on_it(town: Town) -> None:
    town.permit("coop", 20 * CREDIT)
    town.do(c.Transfer(source="coop", target="uni", asset="credit", amount=4 * CREDIT))
    town.place("coop", "buy", 10_000, 3)
    lower = w.GrantPermit(member="coop", permit=permit(7 * CREDIT - 1))
    refused = town.refuse(lower)
    assert (refused.why, refused.facts["missing"]) == (Why.BAD_VALUE, 1)
    town.permit("coop", 7 * CREDIT)
    not_signed(town, town.wants(), ASK)


def test_an_order_lasts_no_longer_than_its_permit(town: Town) -> None:
    """What was allowed can be shown to the chain only for a while after it expired."""
    soon = town.now + 60 * SECOND
    town.permit("coop", 20 * CREDIT, expires=soon)
    town.place("coop", "buy", 10_000, 1, id="bid")
    town.place("coop", "buy", 10_000, 1, id="short", until=soon - SECOND)
    request = x.RequestQuotes(
        id="q", instrument="december", account="nordic", grains=LOT, until=town.now + DAY
    )
    town.do(request)
    town.do(x.Quote(id="quote", request="q", account="coop", side="buy", price=10_000))
    untils = {id_: working.order.until for id_, working in town.state.orders.items()}
    assert untils == {"bid": soon, "short": soon - SECOND, "quote": soon}
    town.wait(60)
    assert not town.state.orders
    not_signed(town, town.wants(), ASK)


def test_between_its_expiry_and_the_tick_a_permit_takes_no_orders(town: Town) -> None:
    town.permit("coop", 20 * CREDIT, expires=town.now + SECOND)
    town.now += SECOND
    order = x.PlaceOrder(
        id="o", instrument="december", account="coop", side="buy", price=10_000, grains=LOT
    )
    assert town.refuse(order).why is Why.NOT_SIGNED


def test_linking_changes_nothing_for_others(town: Town) -> None:
    town.pay("lab")
    town.do(c.Transfer(source="uni", target="coop", asset="credit", amount=CREDIT))
    assert town.state.wallets["coop"].spent == 0


# Sessions -----------------------------------------------------------------------------------


def test_a_sessions_budget_is_what_its_permit_adds_to_the_lane(town: Town) -> None:
    """A lane at 14 micro-credits and a permit of 30 on it let its session spend 16."""
    town.session("coop", ASK)
    town.pay("s1")
    town.do(c.RevokeKey(id="s1"))
    town.session("coop", PRICE + ASK, id_="s2")
    assert town.state.budgets["s2"].limit == ASK
    assert town.state.sessions == {"s2": ("coop", 1)}
    town.pay("s2")
    assert town.lane("coop", 1) == 2 * PRICE
    refused = town.refuse(town.wants("s2"))
    assert refused.why is Why.BUDGET_SPENT
    assert town.lane("coop") == 0


def test_the_session_that_lost_its_lane_spends_no_more(town: Town) -> None:
    town.session("coop", ASK)
    town.session("coop", 2 * ASK, id_="s2")
    assert town.refuse(town.wants("s1")).why is Why.BUDGET_SPENT
    town.do(c.SetBudget(id="s1", limit=None))
    not_signed(town, town.wants("s1"), ASK)
    town.permit("coop", ASK)
    town.pay("s1")
    assert (town.lane("coop"), town.lane("coop", 1)) == (PRICE, 0)


def test_a_sessions_limit_is_what_was_signed(town: Town) -> None:
    town.session("coop", ASK)
    for limit in (None, 10 * ASK, 0):
        asked = c.SetBudget(id="s1", limit=limit, by=secret("root"))
        assert town.refuse(asked).why is Why.NOT_ALLOWED


def test_budgets_below_a_sessions_are_its_own(town: Town) -> None:
    town.session("coop", 2 * ASK)
    town.do(c.AddBudget(id="part", name="Part", parent="s1", limit=ASK))
    town.do(c.IssueKey(key=Key("part", secret("part"), "coop", "spend", "part")))
    town.pay("part")
    assert town.lane("coop", 1) == PRICE
    assert town.lane("coop") == 0
    for parent in ("s1", "part"):
        deeper = w.GrantPermit(member="coop", permit=permit(ASK, 2), budget="s2", parent=parent)
        assert town.refuse(deeper).why is Why.BAD_VALUE


def test_a_session_is_bound_by_the_budgets_above_it(town: Town) -> None:
    town.do(c.SetBudget(id="coop", limit=ASK))
    town.session("coop", 10 * ASK)
    town.pay("s1")
    refused = town.refuse(town.wants("s1"))
    assert (refused.why, refused.facts["budget"]) == (Why.BUDGET_SPENT, "coop")


def test_a_key_of_a_session_may_be_for_some_models_alone(town: Town) -> None:
    town.session("coop", 10 * ASK, models=("gift",))
    key = Key("gifts", secret("gifts"), "coop", "spend", "s1", models=("gift",))
    town.do(c.IssueKey(key=key))
    assert town.refuse(town.wants("gifts")).why is Why.MODEL_NOT_IN_KEY
    town.do(ask("g", "gifts", model="gift"))


def test_revoking_a_key_leaves_its_session(town: Town) -> None:
    town.session("coop", 10 * ASK)
    town.do(c.RevokeKey(id="s1"))
    assert town.refuse(town.wants("s1")).why is Why.UNKNOWN_KEY
    assert town.state.sessions == {"s1": ("coop", 1)}


def test_a_lane_is_taken_over_when_nothing_of_its_session_is_open(town: Town) -> None:
    town.session("coop", 10 * ASK)
    town.do(c.AddBudget(id="part", name="Part", parent="s1"))
    town.do(c.IssueKey(key=Key("part", secret("part"), "coop", "spend", "part")))
    over = w.GrantPermit(member="coop", permit=permit(20 * ASK, 1), budget="s2", parent="coop")
    hold = town.reserve("r", "part", policy=Policy(pay=("credit",)))
    assert town.refuse(over).why is Why.CAPACITY
    town.capture("r", hold.bound, pending=True)
    assert town.state.wallets["coop"].lanes[1].held == 0, "all of its hold is used"
    assert town.refuse(over).why is Why.CAPACITY
    town.do(c.Recount(counts=(("r", USED),)))
    town.do(over)
    assert town.state.wallets["coop"].lanes[1].base == PRICE


def test_a_program_that_signs_for_itself_spends_what_it_vouched_for(town: Town) -> None:
    town.session("coop", 5 * ASK, sealed="")
    assert town.refuse(town.wants("s1")).why is Why.BUDGET_SPENT
    vouch = w.Vouch(member="coop", lane=1, amount=ASK, signature="0x")
    town.do(vouch)
    town.pay("s1")
    refused = town.refuse(town.wants("s1"))
    assert (refused.why, refused.facts["missing"]) == (Why.BUDGET_SPENT, PRICE)
    assert town.refuse(vouch).why is Why.BAD_VALUE
    over = w.Vouch(member="coop", lane=1, amount=5 * ASK + 1, signature="0x")
    assert town.refuse(over).why is Why.BAD_VALUE
    town.do(w.Vouch(member="coop", lane=1, amount=ASK + PRICE, signature="0x2"))
    town.pay("s1")
    assert town.state.wallets["coop"].lanes[1].voucher == "0x2"


def test_vouchers_go_on_where_the_lane_stood(town: Town) -> None:
    town.session("coop", 5 * ASK)
    town.pay("s1")
    town.session("coop", 5 * ASK, id_="s2", sealed="")
    lane = town.state.wallets["coop"].lanes[1]
    assert (lane.base, lane.vouched, town.state.budgets["s2"].limit) == (PRICE, PRICE, 0)
    below = w.Vouch(member="coop", lane=1, amount=PRICE, signature="0x")
    assert town.refuse(below).why is Why.BAD_VALUE
    town.do(w.Vouch(member="coop", lane=1, amount=PRICE + ASK, signature="0x"))
    assert town.state.budgets["s2"].limit == ASK


@pytest.mark.parametrize("lane", [0, 1, 2])
def test_only_a_session_that_signs_for_itself_vouches(town: Town, lane: int) -> None:
    town.permit("coop", ASK)
    town.session("coop", ASK)
    asked = w.Vouch(member="coop", lane=lane, amount=1, signature="0x")
    assert town.refuse(asked).why is Why.NOT_FOUND
    stranger = w.Vouch(member="coop", lane=1, amount=1, signature="0x", by=secret("dean"))
    assert town.refuse(stranger).why is Why.NOT_ALLOWED


def test_a_permit_ends_by_tick_and_what_runs_is_still_paid(town: Town) -> None:
    town.session("coop", 10 * ASK, expires=town.now + 60 * SECOND)
    town.permit("coop", 10 * ASK, expires=town.now + 60 * SECOND)
    town.reserve("s", "s1", policy=Policy(pay=("credit",)))
    town.reserve("g", "coop", policy=Policy(pay=("credit",)))
    done = town.wait(60)
    assert [(v.member, v.lane) for v in done] == [("coop", 0), ("coop", 1)]  # type: ignore[attr-defined]
    assert not town.do(c.Tick())
    assert town.refuse(town.wants("s1")).why is Why.BUDGET_SPENT
    not_signed(town, town.wants(), 2 * ASK)
    town.capture("s", USED)
    town.capture("g", USED)
    assert (town.lane("coop"), town.lane("coop", 1)) == (PRICE, PRICE)
    town.permit("coop", 10 * ASK)
    town.pay()
    refused = town.refuse(w.Vouch(member="coop", lane=1, amount=ASK, signature="0x"))
    assert refused.why is Why.NOT_FOUND


BAD = {
    "no wallet": ("uni", permit(1), {}, Why.NOT_FOUND),
    "no such lane": ("coop", permit(1, 16), {"budget": "n", "parent": "coop"}, Why.BAD_VALUE),
    "a lane below 0": ("coop", permit(1, -1), {"budget": "n", "parent": "coop"}, Why.BAD_VALUE),
    "nothing": ("coop", permit(0), {}, Why.BAD_VALUE),
    "more than vouchers can name": ("coop", permit(2**128), {}, Why.BAD_VALUE),
    "expired": ("coop", permit(1, expires=START), {}, Why.ENDED),
    "lane 0 for some models": ("coop", permit(1, models=("small",)), {}, Why.BAD_VALUE),
    "lane 0 not signed by the market": ("coop", permit(1, sealed=""), {}, Why.BAD_VALUE),
    "a budget that exists": ("coop", permit(1, 1), {"budget": "uni", "parent": "coop"}, Why.EXISTS),
    "no budget": ("coop", permit(1, 1), {"parent": "coop"}, Why.BAD_VALUE),
    "no parent": ("coop", permit(1, 1), {"budget": "n"}, Why.NOT_FOUND),
    "another's budget": ("coop", permit(1, 1), {"budget": "n", "parent": "uni"}, Why.NOT_ALLOWED),
    "a stranger": ("coop", permit(1), {"by": secret("dean")}, Why.NOT_ALLOWED),
}


@pytest.mark.parametrize("how", BAD)
def test_a_permit_is_refused_for(town: Town, how: str) -> None:
    member, given, more, why = BAD[how]
    assert town.refuse(w.GrantPermit(member=member, permit=given, **more)).why is why
