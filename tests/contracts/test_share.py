"""The share: its cap, who gives it out, and where it goes in which mode."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boa
import pytest
from eth_hash.auto import keccak
from vault_rig import Person, deploy, refused

from allmende.core.identity import FEATURES

ADMIN, ANNA, BEN, SALE, STAKE = (
    Person(name) for name in ("admin", "anna", "ben", "the sale", "the stake")
)
CAP = 100
MODES = tuple(FEATURES)


def made(mode: str) -> Any:
    """A share of which Anna has 70; the sale mints it and the stake is of the house."""
    share = deploy("Share", MODES.index(mode), CAP, by=ADMIN.address)
    for role, who in ((b"MINTER", SALE), (b"HOUSE", STAKE)):
        share.grantRole(keccak(role), who.address, sender=ADMIN.address)
    share.mint(ANNA.address, 70, sender=SALE.address)
    return share


@pytest.fixture
def share() -> Iterator[Any]:
    with boa.env.anchor():
        yield made("open")


def test_the_cap_is_never_exceeded_and_what_is_burnt_makes_room(share: Any) -> None:
    assert share.cap() == CAP
    for amount in (31, 2**256 - 1):
        with refused("share: over the cap"):
            share.mint(BEN.address, amount, sender=SALE.address)
    share.mint(BEN.address, 30, sender=SALE.address)
    share.burn(10, sender=ANNA.address)
    share.mint(BEN.address, 10, sender=SALE.address)
    assert (share.balanceOf(ANNA.address), share.balanceOf(BEN.address)) == (60, 40)
    assert share.totalSupply() == CAP


def test_only_minters_mint_and_only_the_admin_makes_them(share: Any) -> None:
    for who in (ADMIN, ANNA, STAKE):
        with refused("access_control"):
            share.mint(who.address, 1, sender=who.address)
    with refused("access_control"):
        share.grantRole(keccak(b"MINTER"), ANNA.address, sender=ANNA.address)
    share.revokeRole(keccak(b"MINTER"), SALE.address, sender=ADMIN.address)
    with refused("access_control"):
        share.mint(ANNA.address, 1, sender=SALE.address)


def test_nobody_burns_or_moves_what_is_anothers(share: Any) -> None:
    with refused("erc20: "):
        share.burn(1, sender=SALE.address)
    for who in (ADMIN, SALE, STAKE):  # no role replaces an allowance
        with refused("erc20: insufficient allowance"):
            share.transferFrom(ANNA.address, who.address, 1, sender=who.address)
    for name in ("owner", "set_minter", "burn_from", "transfer_ownership"):
        assert not hasattr(share, name)


def test_where_members_may_not_transfer_the_stake_still_works() -> None:
    with boa.env.anchor():
        share = made("closed_loop")
        lacks = "Mode closed_loop lacks 'transfer'; these have it: limited_network, open, lab."
        with refused(lacks):
            share.transfer(BEN.address, 1, sender=ANNA.address)
        share.approve(BEN.address, 5, sender=ANNA.address)
        with refused(lacks):
            share.transferFrom(ANNA.address, BEN.address, 5, sender=BEN.address)
        share.approve(STAKE.address, 50, sender=ANNA.address)
        share.transferFrom(ANNA.address, STAKE.address, 50, sender=STAKE.address)
        share.transfer(ANNA.address, 20, sender=STAKE.address)
        assert (share.balanceOf(ANNA.address), share.balanceOf(STAKE.address)) == (40, 30)


def test_a_share_without_a_cap_or_a_mode_is_not_deployed() -> None:
    with boa.env.anchor():
        with pytest.raises(AssertionError, match="share: no cap"):
            deploy("Share", 2, 0)
        with pytest.raises(AssertionError, match="no such mode"):
            deploy("Share", len(MODES), 1)
