# SPDX-License-Identifier: AGPL-3.0-only
# pragma version ==0.4.3
# pragma nonreentrancy on
"""
@title Airdrop: shares for everybody on a list, once
@custom:contract-name Airdrop
@license GNU Affero General Public License v3.0 only
@author Allmende
@notice A list is published as a file, and a round begins with its root. Whoever is
        on it claims until the round's deadline; anybody may do it for him, and the
        shares still go to him. What nobody claimed goes to the commons afterwards,
        and nowhere else. All rounds together promise no more than `most`, which
        nobody can change. Shares are minted as they are claimed. A gift is no sale:
        it needs no feature of the mode.
        Invariant: a round gives out no more than its total, each index once, and all
        totals are at most `most`.
        Worked number: of 100 listed and 60 claimed 40 go to the commons.
@custom:roles GIVER: begins rounds; at the founding the founder, so that there is
              somebody who can vote. DEFAULT_ADMIN: grants it; the Assembly, once it
              is handed over. The contract needs MINTER of the share.
@custom:kill Without a GIVER no round begins. Nothing that was claimed can be taken
             back, and no round can be changed or ended early.
"""

import claims
from snekmate.auth import access_control

initializes: access_control
initializes: claims
exports: (
    access_control.supportsInterface,
    access_control.hasRole,
    access_control.grantRole,
    access_control.revokeRole,
    access_control.renounceRole,
    access_control.getRoleAdmin,
    access_control.DEFAULT_ADMIN_ROLE,
)

interface Share:
    def mint(to: address, amount: uint256): nonpayable

struct Round:
    root: bytes32  # of the list, by wire/claims.py
    total: uint256  # base units, the sum of the list: what its root cannot say
    given: uint256  # base units, what was claimed and what went to the commons
    deadline: uint256  # last second to claim

event Begun:
    round: indexed(uint256)
    root: bytes32
    total: uint256
    deadline: uint256

event Returned:
    round: indexed(uint256)
    commons: indexed(address)
    amount: uint256

GIVER: public(constant(bytes32)) = keccak256("GIVER")

share: public(immutable(address))
commons: public(immutable(address))
most: public(immutable(uint256))  # base units that all rounds together may promise
promised: public(uint256)  # base units that they do
count: public(uint256)  # rounds; they are numbered from 1
rounds: public(HashMap[uint256, Round])


@deploy
def __init__(share_: address, commons_: address, most_: uint256):
    """
    @notice The deployer is the first admin and no giver.
    @param commons_ Who gets what nobody claimed.
    @param most_ Base units.
    """
    assert commons_ != empty(address), "airdrop: no commons"
    access_control.__init__()
    share = share_
    commons = commons_
    most = most_


@external
def begin(root: bytes32, total: uint256, deadline: uint256) -> uint256:
    """
    @notice A list, for everybody on it until the deadline. Publish it before.
    @return The round's number.
    """
    access_control._check_role(GIVER, msg.sender)
    assert root != empty(bytes32) and total > 0, "airdrop: an empty list"
    assert deadline > block.timestamp, "airdrop: over"
    assert total <= most - self.promised, "airdrop: more than there is to give"
    self.promised += total
    self.count += 1
    self.rounds[self.count] = Round(root=root, total=total, given=0, deadline=deadline)
    log Begun(round=self.count, root=root, total=total, deadline=deadline)
    return self.count


@external
def claim(round: uint256, index: uint256, account: address, amount: uint256, proof: DynArray[bytes32, claims.PROOF_MAX]):
    """
    @notice Gives `account` its line of the list, whoever calls.
    """
    found: Round = self._round(round)
    assert block.timestamp <= found.deadline, "airdrop: over"
    claims._claim(round, found.root, index, account, amount, proof)
    self._give(round, account, amount)


@external
def give_back(round: uint256):
    """
    @notice After the deadline: what nobody claimed goes to the commons. Anybody may call.
    """
    found: Round = self._round(round)
    assert block.timestamp > found.deadline, "airdrop: not over"
    rest: uint256 = found.total - found.given
    assert rest > 0, "airdrop: nothing left"
    log Returned(round=round, commons=commons, amount=rest)
    self._give(round, commons, rest)


@external
@view
def claimed(round: uint256, index: uint256) -> bool:
    return claims._claimed(round, index)


@external
@view
def listed(round: uint256, index: uint256, account: address, amount: uint256, proof: DynArray[bytes32, claims.PROOF_MAX]) -> bool:
    """
    @notice Whether this line is in the round's list, claimed or not.
    """
    return claims._listed(self.rounds[round].root, index, account, amount, proof)


@internal
@view
def _round(number: uint256) -> Round:
    found: Round = self.rounds[number]
    assert found.total > 0, "airdrop: no such round"
    return found


@internal
def _give(round: uint256, to: address, amount: uint256):
    self.rounds[round].given += amount
    assert self.rounds[round].given <= self.rounds[round].total, "airdrop: over the total"
    extcall Share(share).mint(to, amount)
