"""Sales under random runs of calls: contract, desk and lab accept the same, for the same reason.

A run is a list of calls by anybody, with pauses of seconds to weeks, of persons who have several
wallets and vouchers of several states, on terms that are tight. `core.offering.Book`, with which
the lab sells, is the oracle; what the door says beforehand is held against both. After a run every
unit has an owner, and then everybody gets out and nothing is left.
"""

from __future__ import annotations

from typing import Any

import boa
from fuzzed import refusal
from hypothesis import given, settings
from hypothesis import strategies as st
from sale_rig import DAY, MARKET, OURS, PRICE, SHARE, Sale, says, terms
from vault_rig import Person

from allmende.core import offering
from allmende.core.offering import Voucher
from allmende.core.refusals import Refused
from allmende.wire import purchase

PEOPLE = tuple(Person(name) for name in ("anna", "ben", "carl", "mallory"))
NAMES = ("p0", "p1", "p2", "p3", "p4")
WHO = st.integers(0, len(PEOPLE) - 1)
NUMBER = st.sampled_from((1, 1, 2, 2, 3, 3, 4, 4, 5, 0))
BEGIN = tuple((0, ("buy", i, n, NAMES[i], "DEU", False, "")) for i, n in enumerate((8, 5, 7)))
"""What is bought before anything is drawn, so that few calls find nothing."""
SHARES = st.sampled_from((1, 1, 2, 3, 4, 5, 8, 9, 0, 2**255))
PAUSES = st.sampled_from((0, 0, 0, 0, 0, 1, DAY, 14 * DAY, 14 * DAY + 1))
MODES = st.sampled_from(("open", "lab"))
RUNS = settings(max_examples=settings.default.max_examples // 2)

BUY = st.tuples(
    st.just("buy"),
    WHO,
    SHARES,
    st.sampled_from(NAMES),
    st.sampled_from(("DEU", "DEU", "FRA")),
    st.booleans(),
    st.sampled_from((*[""] * 9, "another's", "old", "forged")),
)
END = st.tuples(st.sampled_from(("refund", "complete")), WHO, NUMBER)
CALLS = st.lists(st.tuples(PAUSES, st.one_of(BUY, BUY, END)), min_size=8, max_size=30)
TERMS = st.fixed_dictionaries(
    {
        "soft_cap": st.sampled_from((0, 0, 5, 20, 30)),
        "hard_cap": st.just(30),
        "person_cap": st.sampled_from((8, 16)),
        "persons_below": st.sampled_from((2, 3, 5)),
        "count_qualified": st.booleans(),
        "proceeds_max": st.sampled_from((28 * PRICE - 1, 100 * PRICE)),
        "end": st.sampled_from((20 * DAY, 40 * DAY)),
        "start": st.sampled_from((0,) * 9 + (DAY,)),
    }
)


def at_the_desk(rig: Sale, voucher: Voucher, shares: int, now: int) -> str:
    """What the market's door says, who reads the counters from the contract."""
    sale, person = rig.sale, bytes.fromhex(voucher.person[2:])
    state = purchase.state_word(voucher.state)
    seen = offering.Counters(
        *(sale.sold(), sale.raised(), sale.bought(person)),
        *(sale.persons(state), sale.counted(state, person)),
    )
    try:
        offering.allow(rig.book.mode, rig.terms, seen, voucher, shares, now)
    except Refused as no:
        return no.detail
    return ""


def step(rig: Sale, call: tuple[Any, ...]) -> None:
    what, who, *rest = call
    now, sender = boa.env.evm.patch.timestamp, PEOPLE[who].address
    book = rig.book
    if what == "buy":
        shares, person, state, qualified, wrong = rest
        wallet = PEOPLE[who - 1] if wrong == "another's" else PEOPLE[who]
        life = -1 if wrong == "old" else DAY
        voucher = rig.voucher(wallet, person, state, qualified=qualified, life=life)
        by = PEOPLE[who] if wrong == "forged" else MARKET
        shown = rig.signed(voucher, by=by)
        desk = at_the_desk(rig, voucher, shares, now)
        told = refusal(rig.sale.buy, *shown, shares, sender=sender)
        assert told == desk or wrong, "the desk refuses a voucher for the contract's reason"
        assert told == says(lambda: book.buy(now, sender, voucher, shares, ours=by is MARKET))
    elif what == "refund":
        told = refusal(rig.sale.refund, *rest, sender=sender)
        assert told == says(lambda: book.refund(now, sender, *rest))
    else:
        told = refusal(rig.sale.complete, *rest, sender=sender)
        assert told == says(lambda: book.complete(now, *rest))


def everybody_leaves(rig: Sale) -> None:
    """Whatever happened, each purchase ends, and each unit is where the rule says."""
    boa.env.evm.patch.timestamp = max(boa.env.evm.patch.timestamp, rig.terms.decided_at)
    for number, found in enumerate(rig.book.purchases, 1):
        if found.ended == offering.OPEN:
            end = "refund" if rig.sale.failed() else "complete"
            step(rig, (end, 0, number))
    rig.sound()
    assert rig.sale.held() == 0
    for who in PEOPLE:
        assert rig.whole(who) == rig.book.shares.get(who.address, 0)
        kept = sum(
            p.paid
            for p in rig.book.purchases
            if p.buyer == who.address and p.ended == offering.COMPLETED
        )
        assert rig.credit.balanceOf(who.address) == OURS - kept
    supply = sum(rig.share.balanceOf(who.address) for who in PEOPLE)
    assert rig.share.totalSupply() == supply == SHARE * rig.book.sold


@given(TERMS, MODES, CALLS)
@RUNS
def test_contract_and_desk_sell_by_one_rule(
    drawn: dict[str, Any], mode: str, calls: list[tuple[int, tuple[Any, ...]]]
) -> None:
    with boa.env.anchor():
        now = boa.env.evm.patch.timestamp
        chosen = {**drawn, "start": now + drawn["start"], "end": now + drawn["end"]}
        rig = Sale(terms(**chosen), mode=mode)
        rig.fund(*PEOPLE)
        for pause, call in (*BEGIN, *calls):
            boa.env.evm.patch.timestamp += pause
            step(rig, call)
        rig.sound()
        everybody_leaves(rig)


def test_what_a_voucher_says_is_the_same_in_words_and_in_the_contract() -> None:
    voucher = Voucher(PEOPLE[0].address, "0x" + "11" * 32, "DEU", False, 7)
    assert purchase.words(voucher)[1:] == (b"\x11" * 32, b"DEU".ljust(32, b"\0"), False, 7)
