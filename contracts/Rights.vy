# SPDX-License-Identifier: AGPL-3.0-only
# pragma version ==0.4.3
# pragma nonreentrancy off
"""
@title Rights: claims on future usage of one instrument, as an ERC-20
@custom:contract-name Rights
@license GNU Affero General Public License v3.0 only
@author Allmende
@notice One contract an instrument. A base unit is one grain and eight decimals
        make one lot, so a wallet that knows nothing of Allmende shows lots.
        The desk mints what it has taken into its custody and nothing else; a
        holder redeems into an account of the desk, which gives out of custody.
        Rights end: from `end` on they cannot be minted, moved or redeemed, and
        anyone may burn what is left.
        Invariant: the supply equals the sum of balances, never exceeds the
        instrument's issue, and equals minted less redeemed less burnt.
        Worked number: 250_000_000 grains show as 2.5 lots.
@custom:roles owner: sets the desk's minters, hands itself on in two steps.
              minter: the desk; mints against custody, each reference once.
@custom:kill Without a minter nothing new comes; holders redeem until `end`,
             after which the contract is inert by itself. Nobody can freeze,
             seize or burn another's rights before that.
"""

from ethereum.ercs import IERC20
from snekmate.auth import ownable
from snekmate.auth import ownable_2step
from snekmate.tokens import erc20

implements: IERC20
initializes: ownable
initializes: ownable_2step[ownable := ownable]
initializes: erc20[ownable := ownable]

exports: (
    ownable_2step.owner,
    ownable_2step.pending_owner,
    ownable_2step.transfer_ownership,
    ownable_2step.accept_ownership,
    ownable_2step.renounce_ownership,
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
    erc20.is_minter,
    erc20.set_minter,
)

event Minted:
    reference: indexed(bytes32)
    holder: indexed(address)
    grains: uint256

event Redeemed:
    holder: indexed(address)
    account: indexed(bytes32)
    grains: uint256

instrument: public(immutable(bytes32))  # hash of the instrument's id and terms at the desk
end: public(immutable(uint256))  # second from which the rights are void
issue: public(immutable(uint256))  # grains, the most that may ever be outstanding
minted: public(HashMap[bytes32, bool])  # references used


@deploy
def __init__(name: String[25], symbol: String[5], instrument_: bytes32, end_: uint256, issue_: uint256):
    """
    @param instrument_ Hash of the instrument's record at the desk.
    @param end_ Second from which the rights are void.
    @param issue_ Grains that the issuer's bond covers.
    """
    assert end_ > block.timestamp, "rights: ended"
    ownable.__init__()
    ownable_2step.__init__()
    erc20.__init__(name, symbol, 8, name, "1")
    instrument = instrument_
    end = end_
    issue = issue_


@external
def transfer(to: address, amount: uint256) -> bool:
    """
    @notice Moves the caller's grains, until the end.
    """
    self._require_live()
    erc20._transfer(msg.sender, to, amount)
    return True


@external
def transferFrom(owner: address, to: address, amount: uint256) -> bool:
    """
    @notice Moves another's grains within his allowance, until the end.
    """
    self._require_live()
    erc20._spend_allowance(owner, msg.sender, amount)
    erc20._transfer(owner, to, amount)
    return True


@external
def mint(holder: address, grains: uint256, reference: bytes32):
    """
    @notice The desk mints what it took into custody under `reference`, once:
            a repeat of a mint whose answer was lost reverts.
    """
    assert erc20.is_minter[msg.sender], "rights: not the desk"
    self._require_live()
    assert not self.minted[reference], "rights: minted already"
    self.minted[reference] = True
    assert erc20.totalSupply + grains <= issue, "rights: over the issue"
    erc20._mint(holder, grains)
    log Minted(reference=reference, holder=holder, grains=grains)


@external
def redeem(grains: uint256, account: bytes32):
    """
    @notice Burns the caller's grains; the desk credits them to `account`.
    @param account Hash of the account's name at the desk.
    """
    self._require_live()
    assert grains > 0, "rights: nothing"
    erc20._burn(msg.sender, grains)
    log Redeemed(holder=msg.sender, account=account, grains=grains)


@external
def sweep(holder: address):
    """
    @notice After the end anyone burns what a holder has left.
    """
    assert block.timestamp >= end, "rights: not ended"
    erc20._burn(holder, erc20.balanceOf[holder])


@internal
@view
def _require_live():
    assert block.timestamp < end, "rights: ended"
