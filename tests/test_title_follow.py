"""The desk follows titles' tokens: minted once, whatever happens, and owned by who has them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from bridge import BUYER, HOLDER
from chains import ACCOUNT, OTHER, Rig
from deployed import CREDIT
from eth_utils import keccak
from msgspec import json
from titled import ROYALTY_PPM, SMOL, TitleTown, ours, titled

from allmende.adapters.chain.abi import Abi
from allmende.adapters.chain.account import Account
from allmende.core import commands as c
from allmende.core import custody_commands as w
from allmende.core import machine
from allmende.core import title_commands as t
from allmende.core.nouns import Member, Title
from allmende.core.refusals import Refused, Why
from allmende.custody import ContractCall
from allmende.doors.title_follow import NEW_PER_MINUTE
from allmende.ports import ChainFailed
from allmende.wire import title as wire

NEWCOMER = "w-" + BUYER.address[2:]


Story: TypeAlias = Callable[[TitleTown], Awaitable[None]]


def told(finality: int = 1) -> Callable[[Story], Callable[[Path], None]]:
    """A story of a town as a test."""

    def wrap(story: Story) -> Callable[[Path], None]:
        def test(tmp_path: Path) -> None:
            async def work() -> None:
                async with titled(tmp_path, finality) as town, asyncio.timeout(60):
                    await story(town)

            asyncio.run(work())

        test.__doc__ = story.__doc__
        return test

    return wrap


@told()
async def test_a_title_sold_by_its_contract_pays_its_buyer_from_the_next_receipt_on(
    town: TitleTown,
) -> None:
    await town.mint()
    first = await town.buy_tokens("r1")
    price = 10 * CREDIT
    await town.by(HOLDER, town.titles.call("ask", SMOL, price, "0x" + "00" * 20))
    await town.step()
    assert town.follow.held["smol"].price == price
    await town.by(BUYER, town.credit("approve", town.titles.address, price))
    await town.by(BUYER, town.titles.call("buy", SMOL, price))
    await town.step()
    second = await town.buy_tokens("r2")
    assert first["author"] == second[NEWCOMER] > 0
    assert "author" not in second
    # the author sold his own: royalty and rest are both his
    assert (await town.money(HOLDER), await town.money(BUYER)) == (price, 90 * CREDIT)
    assert town.follow.held["smol"].price == 0


@told()
async def test_what_is_minted_says_what_the_desk_knows_of_the_title(town: TitleTown) -> None:
    await town.mint()
    said = wire.record(town.desk.state.titles["smol"], "m", keccak)
    at = await town.commons.newest_block()
    assert await town.titles.get("records", at, SMOL) == (said.terms, said.waterfall)
    assert await town.titles.get("tokenURI", at, SMOL) == said.uri
    assert await town.titles.get("ownerOf", at, SMOL) == HOLDER.address
    told = await town.titles.get("royaltyInfo", at, SMOL, 1_000_000)
    assert told == (HOLDER.address, ROYALTY_PPM)


@told()
async def test_a_crash_at_any_step_mints_once(town: TitleTown) -> None:
    await town.ask_for_mint()
    for _ in range(6):
        await town.follow.step()
        await town.restart()
        await town.sender.step()
        await town.restart()
    assert town.desk.state.tokens["smol"].minted
    at = await town.commons.newest_block()
    assert await town.titles.get("totalSupply", at) == 1


@told()
async def test_a_lost_outbox_mints_nothing_twice(town: TitleTown) -> None:
    await town.ask_for_mint()
    await town.step()
    await town.step()
    assert not town.desk.state.tokens["smol"].minted or town.follow.held
    town.sender.get = lambda key: None  # type: ignore[method-assign]
    await town.follow.step()
    assert town.desk.state.tokens["smol"].minted
    assert town.owner == "author"


@told()
async def test_a_wallet_that_refuses_titles_is_told_and_asks_again_later(town: TitleTown) -> None:
    # the Credit contract takes no titles; a member's wallet is there
    await town.do(c.RegisterTitle(title=Title("odd", "host", "dataset", "Odd")))
    await town.do(w.LinkWallet(member="host", address=town.record.credit))
    await town.do(t.MintTitle(id="odd", author="author"))
    for _ in range(4):
        await town.step()
    assert "odd" not in town.desk.state.tokens
    assert "takes no titles" in town.follow.refused["odd"]
    town.clock.at += 1
    await town.do(t.MintTitle(id="odd", author="author"))
    assert "odd" in town.desk.state.tokens


@told(finality=3)
async def test_a_move_counts_when_it_is_final_and_not_before(town: TitleTown) -> None:
    await town.mint()
    await town.by(HOLDER, town.move(BUYER))
    await town.step()
    assert town.owner == "author"
    await town.mine(2)
    await town.step()
    assert town.owner == NEWCOMER


@told()
async def test_what_the_chain_took_back_goes_back(town: TitleTown) -> None:
    await town.mint()
    await town.keep_chain()
    await town.by(HOLDER, town.move(BUYER))
    await town.step()
    assert town.owner == NEWCOMER
    await town.reorganise()
    await town.mine(2)
    await town.step()
    assert town.owner == "author"
    assert town.follow.wrong == {}


@told()
async def test_a_token_that_is_gone_changes_nothing_and_says_so(town: TitleTown) -> None:
    await town.keep_chain()
    await town.mint()
    await town.reorganise()
    await town.mine(3)
    await town.step()
    assert "gone" in town.follow.wrong["smol"]
    assert town.owner == "author"


@told()
async def test_a_buyer_who_signs_in_later_finds_what_was_earned(town: TitleTown) -> None:
    """His member is there by his address, unlinked: nobody but he can link his wallet."""
    await town.mint()
    await town.by(HOLDER, town.move(BUYER))
    await town.step()
    member = town.desk.state.members[NEWCOMER]
    assert (member.kind, member.home, member.tier) == ("person", "", 0)
    assert NEWCOMER not in town.desk.state.wallets
    earned = (await town.buy_tokens("r1"))[NEWCOMER]
    await town.do(w.LinkWallet(member=NEWCOMER, address=BUYER.address))
    assert town.desk.state.balances["credit"][NEWCOMER] == earned
    machine.check(town.desk.state)


@told()
async def test_a_wallet_that_is_linked_elsewhere_later_takes_its_title_along(
    town: TitleTown,
) -> None:
    await town.mint()
    await town.by(HOLDER, town.move(BUYER))
    await town.step()
    await town.do(w.LinkWallet(member="uni", address=BUYER.address))
    await town.mine()
    await town.step()
    assert town.owner == "uni"


@told()
async def test_the_markets_own_account_is_its_operator(town: TitleTown) -> None:
    await town.mint()
    await town.by(HOLDER, town.move(ACCOUNT))
    await town.step()
    assert town.owner == "op"


@told()
async def test_an_id_that_somebody_took_is_not_followed_and_others_are(town: TitleTown) -> None:
    await town.mint()
    taken = Member(NEWCOMER, "taken", "organisation")
    await town.do(c.AddMember(member=taken))
    await town.by(HOLDER, town.move(BUYER))
    await town.step()
    assert town.owner == "author"
    assert "taken" in town.follow.wrong["smol"]


@told()
async def test_a_node_that_is_away_changes_nothing(town: TitleTown) -> None:
    await town.mint()
    town.away = True
    with pytest.raises(ChainFailed):
        await town.follow.step()
    town.away = False
    await town.step()
    assert town.owner == "author"


@told()
async def test_nothing_new_asks_the_node_for_nothing(town: TitleTown) -> None:
    await town.mint()
    before = town.desk.number
    for _ in range(3):
        await town.step()
    assert town.desk.number == before


def strangers(count: int) -> list[Account]:
    return [Account(keccak(text=f"stranger {number}")) for number in range(count)]


@told()
async def test_a_title_that_hops_makes_so_many_members_a_minute(town: TitleTown) -> None:
    used = [town.clock.at] * (NEW_PER_MINUTE - 2)
    town.follow._new = used
    await town.mint()
    members = len(town.desk.state.members)
    by = HOLDER
    for to in strangers(3):
        await give_gas(town, to)
        await town.by(by, town.move(to, by))
        await town.step()
        by = to
    assert len(town.desk.state.members) == members + 2
    assert "a minute later" in town.follow.wrong["smol"]
    town.clock.at += 61_000_000
    await town.step()
    assert town.owner == "w-" + by.address[2:]


async def give_gas(town: TitleTown, to: Account) -> None:
    other = Rig("embedded", town.chain, town.profile, OTHER)
    await other.send(to.address, b"", value=10**18)


@told()
async def test_only_the_house_follows(town: TitleTown) -> None:
    await town.mint()
    told = t.FollowTitle(id="smol", holder=BUYER.address, owner="uni", by="a" * 64)
    with pytest.raises(Refused) as refused:
        await town.do(told)
    assert refused.value.why is Why.NOT_ALLOWED


def test_a_record_keeps_its_hashes_whoever_owns_the_title() -> None:
    one = Title("smol", "anna", "model", "Smol", ())
    two = Title("smol", "ben", "model", "Smol", ())
    assert wire.record(one, "m", keccak) == wire.record(two, "m", keccak)
    long = Title("smol", "ben", "model", "ä" * 10_000, ())
    made = wire.record(long, "m", keccak)
    assert len(made.uri) <= wire.URI_MAX
    assert made.number == int.from_bytes(keccak(text="smol"), "big")


def test_the_mint_is_worded_as_the_contract_takes_it() -> None:
    made = wire.record(Title("smol", "anna", "model", "Smol", ()), "m", keccak)
    hashes = (bytes.fromhex(made.terms[2:]), bytes.fromhex(made.waterfall[2:]))
    values = (HOLDER.address, made.number, *hashes, HOLDER.address, 5, made.uri)
    call = ContractCall(HOLDER.address, Abi(ours()["Titles"]).call("mint", *values))
    assert len(call.data) > 200
    assert json.decode(wire.waterfall(Title("x", "a", "model", "X", ()))) == []
