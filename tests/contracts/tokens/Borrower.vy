# SPDX-License-Identifier: AGPL-3.0-only
# pragma version ==0.4.3
# pragma nonreentrancy off
"""
@title Attackers of an assembly: a flash borrower, and a target that calls back, for tests
@license GNU Affero General Public License v3.0 only
"""

from ethereum.ercs import IERC20

interface IStake:
    def stake(amount: uint256): nonpayable
    def unbond(amount: uint256): nonpayable
    def delegate(voter: address): nonpayable
    def withdraw(): nonpayable

interface IAssembly:
    def vote(number: uint256, choice: uint8): nonpayable

share: IERC20
stake: IStake
assembly: IAssembly
target: address
data: Bytes[4096]
tries: public(uint256)
successes: public(uint256)


@deploy
def __init__(share_: address, stake_: address, assembly_: address):
    self.share = IERC20(share_)
    self.stake = IStake(stake_)
    self.assembly = IAssembly(assembly_)


@external
def flash(lender: address, amount: uint256, number: uint256, leaves: bool):
    """
    @notice Borrows, votes and pays back, all in one transaction.
    """
    extcall self.share.transferFrom(lender, self, amount)
    extcall self.share.approve(self.stake.address, amount)
    extcall self.stake.stake(amount)
    extcall self.assembly.vote(number, 1)
    if leaves:
        extcall self.stake.unbond(amount)
        extcall self.stake.withdraw()
    extcall self.share.transfer(lender, amount)


@external
def vote_twice(lender: address, amount: uint256, number: uint256, friend: address):
    """
    @notice Votes, and hands the stake to a friend for a second vote.
    """
    extcall self.share.transferFrom(lender, self, amount)
    extcall self.share.approve(self.stake.address, amount)
    extcall self.stake.stake(amount)
    extcall self.assembly.vote(number, 1)
    extcall self.stake.delegate(friend)


@external
def arm(target_: address, data_: Bytes[4096]):
    self.target = target_
    self.data = data_


@external
def poke():
    """
    @notice What a proposal calls: it calls back.
    """
    self.tries += 1
    ok: bool = False
    said: Bytes[32] = b""
    ok, said = raw_call(self.target, self.data, max_outsize=32, revert_on_failure=False)
    if ok:
        self.successes += 1


@external
def revert_now():
    raise "borrower: no"
