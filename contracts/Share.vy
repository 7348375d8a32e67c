# SPDX-License-Identifier: AGPL-3.0-only
# pragma version ==0.4.3
# pragma nonreentrancy off
"""
@title Share: who has a say in a market, and a part of what it earns
@custom:contract-name Share
@license GNU Affero General Public License v3.0 only
@author Allmende
@notice An ERC-20 with EIP-2612 `permit` (snekmate). Its supply never exceeds a
        cap that nobody can change. Contracts of the house give it out by their
        own rules: the sale, the airdrop and the emission have the role MINTER.
        Where the market's mode forbids transfers between members, shares still
        go into and out of the house's own contracts (role HOUSE), such as the
        stake: each of those gives back to whom it took from, or to whom its
        rule names. What a holder burns is gone, and makes room under the cap.
        Invariant: the supply equals the sum of balances and never exceeds the
        cap. Worked number: with a cap of 100 and 70 out, 31 more are refused.
@custom:roles MINTER: gives out within the cap. HOUSE: a contract of the house,
              see above; grant it to no contract that passes on to anybody.
              DEFAULT_ADMIN: grants these; the Assembly, once it is handed over.
@custom:kill Without a minter the supply can only fall. Nobody can freeze, seize
             or burn what another holds.
"""

import modes
from ethereum.ercs import IERC20
from snekmate.auth import access_control
from snekmate.auth import ownable
from snekmate.tokens import erc20

implements: IERC20
initializes: access_control
initializes: modes
initializes: ownable
initializes: erc20[ownable := ownable]

exports: (
    modes.mode,
    access_control.supportsInterface,
    access_control.hasRole,
    access_control.grantRole,
    access_control.revokeRole,
    access_control.renounceRole,
    access_control.getRoleAdmin,
    access_control.DEFAULT_ADMIN_ROLE,
    erc20.name,
    erc20.symbol,
    erc20.decimals,
    erc20.totalSupply,
    erc20.balanceOf,
    erc20.allowance,
    erc20.approve,
    erc20.permit,
    erc20.nonces,
    erc20.DOMAIN_SEPARATOR,
    erc20.eip712Domain,
    erc20.burn,
)

MINTER: public(constant(bytes32)) = keccak256("MINTER")
HOUSE: public(constant(bytes32)) = keccak256("HOUSE")

cap: public(immutable(uint256))  # base units, the most that there may ever be at one time


@deploy
def __init__(mode_: uint8, cap_: uint256):
    """
    @notice The deployer is the first admin and has no other role.
    @param mode_ The market's, see modes.
    @param cap_ Base units; 18 decimals make one share.
    """
    assert cap_ > 0, "share: no cap"
    modes.__init__(mode_)
    access_control.__init__()
    ownable.__init__()
    erc20.__init__("Allmende Share", "SHARE", 18, "Allmende Share", "1")
    ownable._transfer_ownership(empty(address))  # snekmate's token wants one; here are roles
    cap = cap_


@external
def transfer(to: address, amount: uint256) -> bool:
    """
    @notice Moves the caller's shares: to or from a contract of the house always,
            between members where the mode has 'transfer'.
    """
    self._require_may(msg.sender, to)
    erc20._transfer(msg.sender, to, amount)
    return True


@external
def transferFrom(owner: address, to: address, amount: uint256) -> bool:
    """
    @notice Moves another's shares within his allowance, under the same rule.
    """
    self._require_may(owner, to)
    erc20._spend_allowance(owner, msg.sender, amount)
    erc20._transfer(owner, to, amount)
    return True


@external
def mint(to: address, amount: uint256):
    """
    @notice Gives out new shares, as far as the cap goes.
    """
    access_control._check_role(MINTER, msg.sender)
    assert amount <= cap - erc20.totalSupply, "share: over the cap"
    erc20._mint(to, amount)


@internal
@view
def _require_may(owner: address, to: address):
    if not (access_control.hasRole[HOUSE][owner] or access_control.hasRole[HOUSE][to]):
        modes._require_transfer()
