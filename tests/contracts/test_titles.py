"""Titles: the standards as a plain wallet knows them, the market inside, attacks upon it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import boa
import pytest
from boa.contracts.abi.abi_contract import ABIContractFactory
from eth_account import Account
from eth_hash.auto import keccak
from fuzzed import attempt
from hypothesis import given
from hypothesis import strategies as st
from titles_rig import (
    ADMIN,
    ANNA,
    AUTHOR,
    BEN,
    CARL,
    MONEY,
    REGISTRAR,
    SMOL,
    TERMS,
    TOKENS,
    WATERFALL,
    Shop,
    time_s,
    token_id,
)
from vault_rig import ZERO, Person, contract, deploy, refused

from allmende.core.units import split

INTERFACES = {
    "ERC-165": "01ffc9a7",
    "ERC-721": "80ac58cd",
    "metadata": "5b5e139f",
    "enumeration": "780e9d63",
    "permit": "589c5ce2",
    "ERC-2981": "2a55205a",
}


@pytest.fixture(scope="module")
def opened() -> Iterator[Shop]:
    with boa.env.anchor():
        yield Shop()


@pytest.fixture
def shop(opened: Shop) -> Iterator[Shop]:
    """Anna has the title; the author gets a tenth of each sale."""
    with boa.env.anchor():
        opened.mint(ANNA.address)
        yield opened


def entry(name: str, takes: str, gives: str = "", how: str = "view") -> dict[str, Any]:
    return {
        "type": "function",
        "name": name,
        "stateMutability": how,
        "inputs": [{"name": f"a{i}", "type": kind} for i, kind in enumerate(takes.split())],
        "outputs": [{"name": "", "type": kind} for kind in gives.split()],
    }


WALLET = [
    entry("name", "", "string"),
    entry("symbol", "", "string"),
    entry("tokenURI", "uint256", "string"),
    entry("balanceOf", "address", "uint256"),
    entry("ownerOf", "uint256", "address"),
    entry("getApproved", "uint256", "address"),
    entry("isApprovedForAll", "address address", "bool"),
    entry("approve", "address uint256", how="payable"),
    entry("setApprovalForAll", "address bool", how="nonpayable"),
    entry("transferFrom", "address address uint256", how="payable"),
    entry("safeTransferFrom", "address address uint256", how="payable"),
    entry("supportsInterface", "bytes4", "bool"),
    entry("royaltyInfo", "uint256 uint256", "address uint256"),
]
"""ERC-165, ERC-721 and ERC-2981, and nothing of ours."""


@pytest.fixture
def wallet(shop: Shop) -> Any:
    return ABIContractFactory("ERC721", WALLET).at(shop.titles.address)


# The standards ----------------------------------------------------------------------------


def test_a_wallet_that_knows_nothing_of_us_sees_a_title(shop: Shop, wallet: Any) -> None:
    assert (wallet.name(), wallet.symbol()) == ("Allmende Titles", "TITLE")
    assert wallet.ownerOf(SMOL) == ANNA.address
    assert (wallet.balanceOf(ANNA.address), wallet.balanceOf(BEN.address)) == (1, 0)
    assert wallet.royaltyInfo(SMOL, 1_009) == (AUTHOR.address, 100)
    for name, id_ in INTERFACES.items():
        assert wallet.supportsInterface(bytes.fromhex(id_)), name
    assert not wallet.supportsInterface(bytes.fromhex("ffffffff"))
    assert (shop.titles.totalSupply(), shop.titles.tokenByIndex(0)) == (1, SMOL)
    assert shop.titles.tokenOfOwnerByIndex(ANNA.address, 0) == SMOL


def test_what_is_nobodys_is_refused_and_not_answered_with_nobody(wallet: Any) -> None:
    for ask in (wallet.ownerOf, wallet.getApproved, wallet.tokenURI):
        with refused("erc721: invalid token ID"):
            ask(7)
    with refused("erc721: the zero address is not a valid owner"):
        wallet.balanceOf(ZERO)


def test_a_title_moves_by_its_owner_by_approval_and_by_an_operator(wallet: Any) -> None:
    wallet.transferFrom(ANNA.address, BEN.address, SMOL, sender=ANNA.address)
    wallet.approve(CARL.address, SMOL, sender=BEN.address)
    wallet.transferFrom(BEN.address, ANNA.address, SMOL, sender=CARL.address)
    assert wallet.getApproved(SMOL) == ZERO  # one approval, one move
    with refused("erc721: caller is not token owner or approved"):
        wallet.transferFrom(ANNA.address, CARL.address, SMOL, sender=CARL.address)
    wallet.setApprovalForAll(CARL.address, True, sender=ANNA.address)
    wallet.safeTransferFrom(ANNA.address, CARL.address, SMOL, sender=CARL.address)
    assert wallet.ownerOf(SMOL) == CARL.address
    assert wallet.balanceOf(ANNA.address) == 0


def test_wrong_moves_change_nothing(wallet: Any) -> None:
    for owner, to, by, says in (
        (BEN, BEN, ANNA, "erc721: transfer from incorrect owner"),
        (ANNA, BEN, BEN, "erc721: caller is not token owner or approved"),
    ):
        for move in (wallet.transferFrom, wallet.safeTransferFrom):
            with refused(says):
                move(owner.address, to.address, SMOL, sender=by.address)
    with refused("erc721: transfer to the zero address"):
        wallet.transferFrom(ANNA.address, ZERO, SMOL, sender=ANNA.address)
    with refused("titles: not to this contract"):
        wallet.transferFrom(ANNA.address, wallet.address, SMOL, sender=ANNA.address)
    assert wallet.ownerOf(SMOL) == ANNA.address


def test_ether_that_comes_with_a_transfer_is_refused(wallet: Any, evm: str) -> None:
    """The standard has it payable; what is sent along would stay here for ever."""
    if evm != "py-evm":
        pytest.skip("on the node calls are made without ether")
    boa.env.set_balance(ANNA.address, 10**18)
    for move in (wallet.transferFrom, wallet.safeTransferFrom):
        with refused("titles: no ether"):
            move(ANNA.address, BEN.address, SMOL, sender=ANNA.address, value=1)
    assert wallet.ownerOf(SMOL) == ANNA.address


def test_a_contract_is_asked_and_told_what_came(shop: Shop, wallet: Any) -> None:
    taker = shop.taker()
    move = shop.titles.safeTransferFrom
    move(ANNA.address, taker.address, SMOL, b"a present", sender=ANNA.address)
    assert (wallet.ownerOf(SMOL), taker.told()) == (taker.address, b"a present")


@pytest.mark.parametrize("how", ["no function", "wrong answer", "reverts"])
def test_a_wallet_that_refuses_titles_gets_none_and_nothing_is_lost(how: str, shop: Shop) -> None:
    titles, to = shop.titles, deploy("Wallet", ANNA.address, sources=TOKENS)
    if how != "no function":
        to = shop.taker()
        to.refuse(b"\xff" * 4 if how == "wrong answer" else b"\x15\x0b\x7a\x02", how == "reverts")
    says = "titles: that wallet takes no titles"
    titles.ask(SMOL, 100, ZERO, sender=ANNA.address)
    with refused(says):
        titles.safeTransferFrom(ANNA.address, to.address, SMOL, sender=ANNA.address)
    with refused(says):
        shop.mint(to.address, token_id("other"))
    if how != "no function":
        with refused(says):
            titles.buy(SMOL, 100, sender=to.address)
        assert shop.token.balanceOf(to.address) == MONEY
    assert (titles.ownerOf(SMOL), titles.asks(SMOL)) == (ANNA.address, (100, ZERO))
    assert titles.totalSupply() == 1
    titles.transferFrom(ANNA.address, to.address, SMOL, sender=ANNA.address)  # as the standard is
    assert titles.ownerOf(SMOL) == to.address


def test_an_approval_by_signature_ends_with_the_next_transfer(shop: Shop) -> None:
    """ERC-4494 says so, snekmate's library does not: else it would be good again on return."""
    titles, ends = shop.titles, time_s() + 3_600
    vrs = signed(shop, ANNA, BEN, titles.nonces(SMOL), ends)
    titles.transferFrom(ANNA.address, CARL.address, SMOL, sender=ANNA.address)
    titles.transferFrom(CARL.address, ANNA.address, SMOL, sender=CARL.address)
    with refused("erc721: invalid signature"):
        titles.permit(BEN.address, SMOL, ends, *vrs)
    titles.permit(BEN.address, SMOL, ends, *signed(shop, ANNA, BEN, titles.nonces(SMOL), ends))
    titles.transferFrom(ANNA.address, BEN.address, SMOL, sender=BEN.address)
    assert titles.ownerOf(SMOL) == BEN.address


def signed(
    shop: Shop, owner: Person, spender: Person, nonce: int, deadline: int
) -> tuple[int, bytes, bytes]:
    names = ("spender", "tokenId", "nonce", "deadline")
    kinds = ("address", *("uint256",) * 3)
    message = dict(zip(names, (spender.address, SMOL, nonce, deadline), strict=True))
    domain = {
        "name": "Allmende Titles",
        "version": "1",
        "chainId": boa.env.evm.patch.chain_id,
        "verifyingContract": shop.titles.address,
    }
    fields = [{"name": n, "type": k} for n, k in zip(names, kinds, strict=True)]
    done = Account.sign_typed_data(keccak(owner.name.encode()), domain, {"Permit": fields}, message)
    return done.v, done.r.to_bytes(32, "big"), done.s.to_bytes(32, "big")


# Registering ------------------------------------------------------------------------------


def test_a_title_is_minted_once_by_the_registrar_and_by_nobody_else(shop: Shop) -> None:
    with refused("erc721: token already minted"):
        shop.mint(BEN.address)
    for who in (ANNA, ADMIN):
        with refused("access_control: account is missing role"):
            more = (AUTHOR.address, 0, "")
            shop.titles.mint(who.address, 7, TERMS, WATERFALL, *more, sender=who.address)
    assert shop.titles.records(SMOL) == (TERMS, WATERFALL)
    assert shop.titles.ownerOf(SMOL) == ANNA.address


def test_a_royalty_is_bounded_and_somebodys(shop: Shop) -> None:
    with refused("titles: royalty too high"):
        shop.mint(BEN.address, 7, shop.titles.ROYALTY_MAX() + 1)
    for nobody in (ZERO, shop.titles.address, shop.token.address):
        with refused("titles: no author"):
            shop.mint(BEN.address, 7, 1, nobody)
    assert shop.titles.totalSupply() == 1


def test_nobody_can_change_a_royalty_a_record_or_an_owner(shop: Shop) -> None:
    """Not by a call of the libraries that was left open: what there is stands in the ABI."""
    writes = {
        entry["name"]
        for entry in contract_abi()
        if entry["type"] == "function" and entry["stateMutability"] in ("nonpayable", "payable")
    }
    assert writes == {
        *("approve", "ask", "buy", "grantRole", "mint", "permit", "renounceRole", "revokeRole"),
        *("safeTransferFrom", "setApprovalForAll", "transferFrom", "withdraw_ask"),
    }


def contract_abi() -> list[dict[str, Any]]:
    return contract("Titles").abi


# The market -------------------------------------------------------------------------------


def test_a_sale_pays_the_author_and_the_seller_to_the_unit(shop: Shop) -> None:
    shop.titles.ask(SMOL, 101, ZERO, sender=ANNA.address)
    shop.titles.buy(SMOL, 101, sender=BEN.address)
    assert shop.titles.ownerOf(SMOL) == BEN.address
    assert shop.has(ANNA, BEN, AUTHOR) == [91, -101, 10]
    assert shop.titles.asks(SMOL) == (0, ZERO)
    assert shop.token.balanceOf(shop.titles.address) == 0


def test_an_author_who_sells_or_buys_pays_the_royalty_to_himself(shop: Shop) -> None:
    shop.titles.ask(SMOL, 100, ZERO, sender=ANNA.address)
    shop.titles.buy(SMOL, 100, sender=AUTHOR.address)
    shop.titles.ask(SMOL, 50, ZERO, sender=AUTHOR.address)
    shop.titles.buy(SMOL, 50, sender=BEN.address)
    assert shop.has(ANNA, BEN, AUTHOR) == [90, -50, -40]


def test_only_the_holder_asks_and_withdraws(shop: Shop) -> None:
    for who in (BEN, REGISTRAR, ADMIN):
        with refused("titles: not the holder"):
            shop.titles.ask(SMOL, 1_000, ZERO, sender=who.address)
        with refused("titles: not the holder"):
            shop.titles.withdraw_ask(SMOL, sender=who.address)
    with refused("titles: no ask"):
        shop.titles.withdraw_ask(SMOL, sender=ANNA.address)
    shop.titles.ask(SMOL, 1_000, ZERO, sender=ANNA.address)
    shop.titles.withdraw_ask(SMOL, sender=ANNA.address)
    with refused("titles: no ask"):
        shop.titles.buy(SMOL, 1_000, sender=BEN.address)


def test_an_ask_may_be_for_one_buyer_alone(shop: Shop) -> None:
    shop.titles.ask(SMOL, 100, BEN.address, sender=ANNA.address)
    with refused("titles: for another buyer"):
        shop.titles.buy(SMOL, 100, sender=CARL.address)
    shop.titles.buy(SMOL, 100, sender=BEN.address)
    assert shop.titles.ownerOf(SMOL) == BEN.address


def test_who_cannot_pay_gets_nothing(shop: Shop) -> None:
    shop.titles.ask(SMOL, MONEY + 1, ZERO, sender=ANNA.address)
    with refused("erc20: transfer amount exceeds balance"):
        shop.titles.buy(SMOL, MONEY + 1, sender=BEN.address)
    shop.token.approve(shop.titles.address, 0, sender=BEN.address)
    shop.titles.ask(SMOL, 10, ZERO, sender=ANNA.address)
    with refused("erc20: insufficient allowance"):
        shop.titles.buy(SMOL, 10, sender=BEN.address)
    assert shop.titles.ownerOf(SMOL) == ANNA.address
    assert shop.has(ANNA, BEN, AUTHOR) == [0, 0, 0]


@given(price=st.integers(1, MONEY), ppm=st.integers(0, 250_000))
def test_the_split_of_a_sale_is_the_desks_own_to_the_unit(price: int, ppm: int) -> None:
    """Lines of a waterfall and of a sale round alike, and both sum to the price."""
    (royalty,), rest = split(price, (ppm,))
    shop = standing()
    with boa.env.anchor():
        shop.mint(ANNA.address, ppm=ppm)
        assert shop.titles.royaltyInfo(SMOL, price) == (AUTHOR.address, royalty)
        asked = attempt(shop.titles.ask, SMOL, price, ZERO, sender=ANNA.address)
        assert asked == (royalty > 0 or ppm == 0)
        if asked:
            shop.titles.buy(SMOL, price, sender=BEN.address)
            assert shop.has(AUTHOR, ANNA, BEN) == [royalty, rest, -price]


@cache
def standing() -> Shop:
    return Shop()


# Who must not profit ----------------------------------------------------------------------


def test_a_buyer_cannot_be_overcharged_by_an_ask_that_was_raised_before_him(shop: Shop) -> None:
    shop.titles.ask(SMOL, 100, ZERO, sender=ANNA.address)
    shop.titles.ask(SMOL, 101, ZERO, sender=ANNA.address)  # mined before Ben's
    with refused("titles: price is higher"):
        shop.titles.buy(SMOL, 100, sender=BEN.address)
    assert shop.has(ANNA, BEN) == [0, 0]


def test_an_ask_dies_with_any_transfer_and_does_not_come_back(shop: Shop) -> None:
    titles = shop.titles
    titles.ask(SMOL, 100, ZERO, sender=ANNA.address)
    titles.transferFrom(ANNA.address, CARL.address, SMOL, sender=ANNA.address)
    with refused("titles: no ask"):
        titles.buy(SMOL, 100, sender=BEN.address)
    titles.transferFrom(CARL.address, ANNA.address, SMOL, sender=CARL.address)
    with refused("titles: no ask"):
        titles.buy(SMOL, 100, sender=BEN.address)
    titles.ask(SMOL, 100, ZERO, sender=ANNA.address)
    titles.transferFrom(ANNA.address, ANNA.address, SMOL, sender=ANNA.address)
    with refused("titles: no ask"):
        titles.buy(SMOL, 100, sender=BEN.address)
    assert titles.ownerOf(SMOL) == ANNA.address


def test_a_price_of_nothing_and_one_too_small_for_its_royalty_are_refused(shop: Shop) -> None:
    for price, says in (
        (0, "not a price"),
        (9, "price without its royalty"),
        (2**128, "not a price"),
    ):
        with refused(f"titles: {says}"):
            shop.titles.ask(SMOL, price, ZERO, sender=ANNA.address)
    shop.titles.ask(SMOL, 10, ZERO, sender=ANNA.address)
    shop.titles.buy(SMOL, 10, sender=BEN.address)
    assert shop.has(AUTHOR) == [1]


def test_a_proxy_of_the_sellers_own_pays_the_royalty_too(shop: Shop) -> None:
    """Through a contract between seller and buyer, the sale here costs its tenth all the same."""
    proxy, titles = shop.taker(), shop.titles
    titles.safeTransferFrom(ANNA.address, proxy.address, SMOL, sender=ANNA.address)
    proxy.act(titles.address, titles.ask.prepare_calldata(SMOL, 1_000, ZERO))
    titles.buy(SMOL, 1_000, sender=BEN.address)
    assert shop.has(AUTHOR, BEN) == [100, -1_000]
    assert shop.token.balanceOf(proxy.address) == MONEY + 900
    with refused("titles: it is yours"):  # nor is a history of prices made by buying of oneself
        titles.ask(SMOL, 5_000, ZERO, sender=BEN.address)
        titles.buy(SMOL, 5_000, sender=BEN.address)


@pytest.mark.parametrize("entry", ["buy", "mint", "safeTransferFrom"])
@pytest.mark.parametrize("again", ["buy", "ask", "withdraw_ask", "transferFrom", "mint", "look"])
def test_a_receiver_that_calls_back_gets_nowhere(entry: str, again: str, shop: Shop) -> None:
    titles, thief, other = shop.titles, shop.taker(), token_id("other")
    calls = {
        "buy": (other, 1_000),
        "ask": (SMOL, 1_000, ZERO),
        "withdraw_ask": (SMOL,),
        "transferFrom": (thief.address, BEN.address, SMOL),
        "mint": (thief.address, 7, TERMS, WATERFALL, AUTHOR.address, 0, ""),
        "look": ([SMOL],),
    }
    titles.grantRole(keccak(b"REGISTRAR"), thief.address, sender=ADMIN.address)
    shop.mint(BEN.address, other)
    titles.ask(other, 1_000, ZERO, sender=BEN.address)
    titles.ask(SMOL, 100, ZERO, sender=ANNA.address)
    thief.arm(titles.address, getattr(titles, again).prepare_calldata(*calls[again]))
    came = SMOL
    if entry == "buy":
        thief.act(titles.address, titles.buy.prepare_calldata(SMOL, 100))
    elif entry == "mint":
        came = token_id("third")
        shop.mint(thief.address, came)
    else:
        titles.safeTransferFrom(ANNA.address, thief.address, SMOL, sender=ANNA.address)
    assert (thief.calls(), thief.successes()) == (1, 0)
    assert (titles.ownerOf(came), titles.ownerOf(other)) == (thief.address, BEN.address)
    assert titles.asks(came) == (0, ZERO)
    assert shop.has(ANNA, BEN, AUTHOR) == ([90, 0, 10] if entry == "buy" else [0, 0, 0])
    assert shop.token.balanceOf(titles.address) == 0


def test_a_pay_unit_that_calls_back_or_keeps_a_fee_buys_nothing() -> None:
    with boa.env.anchor():
        token = deploy("ReentrantToken", sources=TOKENS)
        shop = Shop(token=token)
        shop.mint(ANNA.address)
        shop.titles.ask(SMOL, 100, ZERO, sender=ANNA.address)
        token.arm(shop.titles.address, shop.titles.buy.prepare_calldata(SMOL, 100))
        shop.titles.buy(SMOL, 100, sender=BEN.address)
        assert (token.calls(), token.successes()) == (3, 0)
        assert shop.has(ANNA, BEN, AUTHOR) == [90, -100, 10]
        fees = deploy("FeeToken", sources=TOKENS)
        shop = Shop(token=fees)
        shop.mint(ANNA.address)
        shop.titles.ask(SMOL, 100, ZERO, sender=ANNA.address)
        fees.misbehave(1, False)
        with refused("token: took a fee"):
            shop.titles.buy(SMOL, 100, sender=BEN.address)
        assert shop.titles.ownerOf(SMOL) == ANNA.address


def test_in_a_closed_loop_a_title_is_minted_and_stays() -> None:
    with boa.env.anchor():
        shop = Shop(mode=0)
        shop.mint(ANNA.address)
        titles, by = shop.titles, ANNA.address
        says = "Mode closed_loop lacks 'transfer'; these have it: limited_network, open, lab."
        for try_ in (
            lambda: titles.transferFrom(by, BEN.address, SMOL, sender=by),
            lambda: titles.safeTransferFrom(by, BEN.address, SMOL, sender=by),
            lambda: titles.ask(SMOL, 100, ZERO, sender=by),
            lambda: titles.buy(SMOL, 100, sender=BEN.address),
        ):
            with refused(says):
                try_()
        assert titles.ownerOf(SMOL) == by
        assert titles.look([SMOL, 7]) == [(by, 0, ZERO), (ZERO, 0, ZERO)]
