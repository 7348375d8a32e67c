# SPDX-License-Identifier: AGPL-3.0-only
# pragma version ==0.4.3
# pragma nonreentrancy off
"""
@title What halmos proves of Bond, for every bond and every amount
@license GNU Affero General Public License v3.0 only
"""

import Bond
import failing

initializes: Bond


@deploy
def __init__():
    Bond.__init__(self, 1, 1, 1, 10)


@external
def check_a_slash_never_exceeds_the_bond(account: address, its: Bond.Collateral, amount: uint256, to: address):
    Bond.collateral[account] = its
    failing._unless(Bond._slash(account, amount, to) <= its.bonded)


@external
def check_a_slash_never_exceeds_what_was_asked(
    account: address, its: Bond.Collateral, amount: uint256, to: address
):
    Bond.collateral[account] = its
    failing._unless(Bond._slash(account, amount, to) <= amount)


@external
def check_what_is_slashed_is_no_longer_bonded(
    account: address, its: Bond.Collateral, amount: uint256, to: address
):
    Bond.collateral[account] = its
    paid: uint256 = Bond._slash(account, amount, to)
    failing._unless(Bond.collateral[account].bonded == its.bonded - paid)


@external
def check_no_more_is_leaving_than_is_bonded(
    account: address, its: Bond.Collateral, amount: uint256, to: address
):
    Bond.collateral[account] = its
    Bond._slash(account, amount, to)
    failing._unless(Bond.collateral[account].leaving <= Bond.collateral[account].bonded)


@external
def check_a_slash_touches_nobody_else(
    account: address, other: address, its: Bond.Collateral, amount: uint256, to: address
):
    if account != other:
        Bond.collateral[other] = its
        Bond._slash(account, amount, to)
        failing._unless(Bond.collateral[other].bonded == its.bonded)


@external
def check_that_this_can_fail(account: address, its: Bond.Collateral, amount: uint256, to: address):
    Bond.collateral[account] = its
    failing._unless(Bond._slash(account, amount, to) == amount)
