# SPDX-License-Identifier: AGPL-3.0-only
# pragma version ==0.4.3
# pragma nonreentrancy on
"""
@title Airdrop: shares for everybody on a list, once
@custom:contract-name Airdrop
@license GNU Affero General Public License v3.0 only
@author Allmende
@notice The list is published as a file, and its root is here for good. Whoever is
        on it claims until the deadline; anybody may do it for him, and the shares
        still go to him. What nobody claimed goes to the commons afterwards, and
        nowhere else. Shares are minted as they are claimed, so the list is as good
        as the room under the share's cap; `total` is in the open for everybody to
        hold against it. A gift is no sale: it needs no feature of the mode.
        Invariant: what was given out never exceeds `total`, and each index pays once.
        Worked number: of 100 listed and 60 claimed 40 go to the commons.
@custom:roles None. The contract needs MINTER of the share.
@custom:kill Taking MINTER away ends it; nothing that was claimed can be taken back.
"""

import claims

initializes: claims

interface Share:
    def mint(to: address, amount: uint256): nonpayable

event Returned:
    commons: indexed(address)
    amount: uint256

ROUND: constant(uint256) = 0

share: public(immutable(address))
root: public(immutable(bytes32))
total: public(immutable(uint256))  # base units, the sum of the list
deadline: public(immutable(uint256))  # second until which the listed may claim
commons: public(immutable(address))
given: public(uint256)  # base units, what was claimed and what went to the commons


@deploy
def __init__(share_: address, root_: bytes32, total_: uint256, deadline_: uint256, commons_: address):
    """
    @param root_ Of the list, by wire/claims.py.
    @param total_ Sum of the list's amounts: what its root cannot say.
    @param deadline_ Unix second.
    @param commons_ Who gets what nobody claimed.
    """
    assert root_ != empty(bytes32) and total_ > 0, "airdrop: an empty list"
    assert deadline_ > block.timestamp, "airdrop: over"
    assert commons_ != empty(address), "airdrop: no commons"
    share = share_
    root = root_
    total = total_
    deadline = deadline_
    commons = commons_


@external
def claim(index: uint256, account: address, amount: uint256, proof: DynArray[bytes32, claims.PROOF_MAX]):
    """
    @notice Gives `account` its line of the list, whoever calls.
    """
    assert block.timestamp <= deadline, "airdrop: over"
    claims._claim(ROUND, root, index, account, amount, proof)
    self._give(account, amount)


@external
def give_back():
    """
    @notice After the deadline: what nobody claimed goes to the commons. Anybody may call.
    """
    assert block.timestamp > deadline, "airdrop: not over"
    rest: uint256 = total - self.given
    assert rest > 0, "airdrop: nothing left"
    log Returned(commons=commons, amount=rest)
    self._give(commons, rest)


@external
@view
def claimed(index: uint256) -> bool:
    return claims._claimed(ROUND, index)


@external
@view
def listed(index: uint256, account: address, amount: uint256, proof: DynArray[bytes32, claims.PROOF_MAX]) -> bool:
    """
    @notice Whether this line is in the list, claimed or not.
    """
    return claims._listed(root, index, account, amount, proof)


@internal
def _give(to: address, amount: uint256):
    self.given += amount
    assert self.given <= total, "airdrop: over the total"
    extcall Share(share).mint(to, amount)
