"""Titles that are tokens: minted once, followed, and the next receipt pays whoever has them."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.core import commands as c
from allmende.core import custody_commands as w
from allmende.core import exchange_commands as x
from allmende.core import machine
from allmende.core import title_commands as t
from allmende.core.contracts import LOT
from allmende.core.nouns import Member, Offer, Share, Title
from allmende.core.refusals import Why
from allmende.core.titles import ROYALTY_PPM_MAX
from allmende.core.units import CREDIT, SECOND, Units, split
from allmende.lab.floor import changed
from allmende.lab.world import ADDRESSES, DEAR, World, ask, secret

AUTHOR, RHINE, COOP = (ADDRESSES[name] for name in ("author", "rhine", "coop"))
STRANGER = "0x" + "57" * 20
USED = Units(input=1_000, output=200)
SHARES = (Share("owner", "owner", 123_457), Share("data", "data", 33_333))
MINT = t.MintTitle(id="owned", royalty_ppm=50_000)
MOVED = t.FollowTitle(id="owned", holder=RHINE, owner="rhine")


def world(mode: str = "open") -> World:
    """The author owns `owned`, which pays its owner; nordic sells it, the university buys."""
    made = World(mode)
    made.do(c.RegisterTitle(title=Title("owned", "author", "model", "Owned", SHARES)))
    terms = (DEAR, made.state.offers["clean"].zone, "http://owned")
    made.do(c.PostOffer(offer=Offer("own", "nordic", "owned", "owned", "credit", *terms)))
    if mode != "limited_network":
        for member in ("author", "rhine", "coop"):
            made.do(w.LinkWallet(member=member, address=ADDRESSES[member]))
    return made


def minted() -> World:
    made = world()
    made.do(MINT)
    made.do(t.EndTitleMint(id="owned", minted=True))
    return made


def buy(made: World, id_: str, **more: object) -> dict[str, int]:
    """One request for the title's model; who was paid what."""
    made.reserve(id_, model="owned")
    receipt = made.capture(id_, USED, **more)
    return {line.account: line.amount for line in receipt.waterfall}


def test_the_worked_number_of_the_module() -> None:
    made = minted()
    first = buy(made, "r1")
    made.do(MOVED)
    second = buy(made, "r2")
    assert first["author"] == second["rhine"] > 0
    assert "author" not in second
    assert second["nordic"] == first["nordic"]
    assert made.state.titles["owned"].owner == "rhine"


def test_a_waterfall_of_before_pays_whom_it_names() -> None:
    """With shares by name nothing changes, whoever has the token."""
    made = world()
    made.do(t.MintTitle(id="small"))
    made.do(t.EndTitleMint(id="small", minted=True))
    made.do(t.FollowTitle(id="small", holder=RHINE, owner="rhine"))
    made.reserve("r1")
    paid = {line.account for line in made.capture("r1", USED).waterfall}
    assert {"author", "data"} <= paid


def test_a_member_of_before_whose_name_is_the_word_is_still_paid() -> None:
    made = world()
    made.state.members["owner"] = Member("owner", "Somebody Owner", "person")
    assert "owner" in buy(made, "r1")


def test_nobody_can_take_the_owners_name() -> None:
    refused = world().refuse(c.AddMember(member=Member("owner", "Mallory", "person")))
    assert refused.why is Why.EXISTS


def test_receipts_before_a_move_are_not_judged_again() -> None:
    """Not even one that waits for its recount when the title moves."""
    made = minted()
    made.reserve("r1", model="owned")
    receipt = made.capture("r1", USED, pending=True)
    had = made.balance("author")
    made.do(MOVED)
    less = Units(input=1_000, output=100)
    made.do(c.Recount(counts=(("r1", less),)))
    (author,) = (line.amount for line in receipt.waterfall if line.role == "owner")
    assert made.balance("rhine") == 0
    assert had - author < made.balance("author") < had


def test_a_title_is_minted_once_and_again_only_if_it_never_was() -> None:
    made = world()
    made.do(MINT)
    assert made.refuse(MINT).why is Why.EXISTS
    assert made.refuse(MOVED).why is Why.NOT_FOUND
    made.do(t.EndTitleMint(id="owned", minted=False))
    assert made.state.tokens == {}
    made.now += SECOND
    made.do(MINT)
    made.do(t.EndTitleMint(id="owned", minted=True))
    for again in (True, False):
        assert made.refuse(t.EndTitleMint(id="owned", minted=again)).why is Why.EXISTS
    token = made.state.tokens["owned"]
    assert (token.holder, token.author, token.royalty_ppm) == (AUTHOR, AUTHOR, 50_000)


def test_the_royalty_may_be_another_members() -> None:
    made = world()
    made.do(t.MintTitle(id="owned", royalty_ppm=ROYALTY_PPM_MAX, author="coop"))
    assert made.state.tokens["owned"].author == COOP


def test_who_asks_for_a_token_owns_the_title_and_has_a_wallet() -> None:
    made = world()
    assert made.refuse(t.MintTitle(id="nothing")).why is Why.NOT_FOUND
    asked = t.MintTitle(id="owned", by=secret("rhine"))
    assert made.refuse(asked).why is Why.NOT_ALLOWED
    assert "linked to 'nordic'" in made.refuse(t.MintTitle(id="gift")).detail
    assert made.refuse(t.MintTitle(id="owned", author="data")).why is Why.NOT_FOUND
    assert made.refuse(t.MintTitle(id="owned", author="nobody")).why is Why.NOT_FOUND
    for ppm in (-1, ROYALTY_PPM_MAX + 1):
        assert made.refuse(t.MintTitle(id="owned", royalty_ppm=ppm)).why is Why.BAD_VALUE
    made.do(c.SetParameter(name="wrap_tier", value=2))
    assert "tier 2" in made.refuse(MINT).detail
    assert world("limited_network").refuse(MINT).why is Why.MODE_FORBIDS


def test_only_the_house_says_who_has_a_token() -> None:
    made = minted()
    for by in ("root", "rhine"):
        told = t.FollowTitle(id="owned", holder=RHINE, owner="rhine", by=secret(by))
        assert made.refuse(told).why is Why.NOT_ALLOWED
        ended = t.EndTitleMint(id="owned", minted=False, by=secret(by))
        assert made.refuse(ended).why is Why.NOT_ALLOWED
    other = t.FollowTitle(id="owned", holder=RHINE, owner="coop")
    assert made.refuse(other).why is Why.BAD_VALUE
    unknown = t.FollowTitle(id="owned", holder=STRANGER, owner="nobody")
    assert made.refuse(unknown).why is Why.NOT_FOUND


def test_following_twice_is_following_once() -> None:
    made = minted()
    assert made.do(t.FollowTitle(id="owned", holder=AUTHOR, owner="author")) == []
    assert len(made.do(MOVED)) == 1
    assert made.do(MOVED) == []


def test_a_strangers_earnings_wait_for_him() -> None:
    """A member of his address is paid; when the wallet is linked, all of it is there."""
    made = minted()
    id_ = "w-" + STRANGER[2:]
    made.do(c.AddMember(member=Member(id_, STRANGER, "person", tier=0)))
    made.do(t.FollowTitle(id="owned", holder=STRANGER, owner=id_))
    earned = buy(made, "r1")[id_]
    made.do(w.LinkWallet(member=id_, address=STRANGER))
    assert made.balance(id_) == earned > 0


MOVES = st.lists(st.sampled_from((None, None, "author", "rhine", "coop")), max_size=12)


@given(moves=MOVES, output=st.integers(1, 256))
def test_each_receipt_pays_the_owner_of_its_moment_and_sums_to_its_price(
    moves: list[str | None], output: int
) -> None:
    made, owner = minted(), "author"
    written = made.state.titles["owned"].waterfall
    rates = made.state.parameters
    given_ = (123_457, 33_333, rates["operator_fee_ppm"], rates["levy_ppm"])
    for number, to in enumerate(moves):
        if to is not None:
            owner = to
            made.do(t.FollowTitle(id="owned", holder=ADDRESSES[to], owner=to))
            continue
        made.do(ask(f"r{number}", model="owned"))
        receipt = made.capture(f"r{number}", Units(input=7, output=output))
        parts, rest = split(receipt.price, given_)
        paid = {line.role: (line.account, line.amount) for line in receipt.waterfall}
        assert paid["owner"] == (owner, parts[0])
        assert paid["host"] == ("nordic", rest)
        assert sum(amount for _, amount in paid.values()) == receipt.price
    assert made.state.titles["owned"].waterfall == written


def test_what_happened_is_replayed_from_its_journal() -> None:
    made = minted()
    buy(made, "r1")
    made.do(MOVED)
    buy(made, "r2")
    again = machine.replay(made.events)
    assert machine.digest(again) == machine.digest(made.state)
    lines = [msgspec.json.encode(event) for event in made.events]
    assert any(line.startswith(b'{"type":"titlemoved"') for line in lines)


@pytest.mark.parametrize("share", ["nobody", "system", ""])
def test_a_waterfall_still_names_members_or_the_owner(share: str) -> None:
    title = Title("x", "author", "model", "X", (Share("author", share, 1),))
    assert world().refuse(c.RegisterTitle(title=title)).why is Why.NOT_FOUND


def test_rights_under_a_title_pay_its_owner_of_the_moment_too() -> None:
    made = minted()
    made.do(c.Deposit(member="nordic", amount=100 * CREDIT, reference="bond"))
    made.do(c.SetParameter(name="call_seconds", value=0))
    terms = {"issuer": "nordic", "title": "owned", "model": "owned", "offer": "own"}
    made.do(x.ListInstrument(instrument=changed(**terms, zone=made.state.offers["own"].zone)))
    made.do(x.MintLots(instrument="december", grains=4 * LOT))
    made.do(c.Transfer(source="nordic", target="uni", asset="december", amount=4 * LOT))
    paid = []
    for number, to in enumerate(("rhine", "coop")):
        made.do(t.FollowTitle(id="owned", holder=ADDRESSES[to], owner=to))
        made.do(ask(f"r{number}", "lab", model="owned"))
        receipt = made.capture(f"r{number}", USED)
        assert receipt.right == "december"
        paid += [line.account for line in receipt.waterfall if line.role == "owner"]
    assert paid == ["rhine", "coop"]
