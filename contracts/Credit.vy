# SPDX-License-Identifier: AGPL-3.0-only
# pragma version ==0.4.3
# pragma nonreentrancy off
"""
@title Credit: the pay unit of a local chain
@custom:contract-name Credit
@license GNU Affero General Public License v3.0 only
@author Allmende
@notice An ERC-20 with EIP-2612 `permit` (snekmate) and EIP-3009 transfers by
        authorisation, whose nonces are random, so that parallel payments do
        not wait for each other. One base unit is one pico-credit: the chain
        and the desk hold the same integers and nothing is ever rounded.
        Worked number: 3.1 credits are 3_100_000_000_000 base units.
@custom:roles owner: sets minters and may hand itself on, in two steps.
              minter: mints. Nobody can freeze, seize or burn what another holds.
@custom:kill There is no switch. When the owner sets no minter the supply can
             only fall; renouncing the ownership makes that permanent.
"""

from ethereum.ercs import IERC20
from snekmate.auth import ownable
from snekmate.auth import ownable_2step
from snekmate.tokens import erc20
from snekmate.utils import ecdsa

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
    erc20.transfer,
    erc20.transferFrom,
    erc20.approve,
    erc20.permit,
    erc20.nonces,
    erc20.DOMAIN_SEPARATOR,
    erc20.eip712Domain,
    erc20.mint,
    erc20.burn,
    erc20.burn_from,
    erc20.is_minter,
    erc20.set_minter,
)

event AuthorizationUsed:
    authorizer: indexed(address)
    nonce: indexed(bytes32)

event AuthorizationCanceled:
    authorizer: indexed(address)
    nonce: indexed(bytes32)

TRANSFER_WITH_AUTHORIZATION_TYPEHASH: public(constant(bytes32)) = keccak256(
    "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
)
RECEIVE_WITH_AUTHORIZATION_TYPEHASH: public(constant(bytes32)) = keccak256(
    "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
)
CANCEL_AUTHORIZATION_TYPEHASH: public(constant(bytes32)) = keccak256(
    "CancelAuthorization(address authorizer,bytes32 nonce)"
)

# @notice Whether a holder's random nonce was used or cancelled.
authorizationState: public(HashMap[address, HashMap[bytes32, bool]])


@deploy
def __init__(name: String[25], symbol: String[5]):
    """
    @notice The deployer is owner and first minter. The signing domain is
            (name, "1", chain id, this address).
    @param name What a wallet shows.
    @param symbol At most five characters.
    """
    ownable.__init__()
    ownable_2step.__init__()
    erc20.__init__(name, symbol, 12, name, "1")


@external
def transferWithAuthorization(
    owner: address,
    to: address,
    amount: uint256,
    valid_after: uint256,
    valid_before: uint256,
    nonce: bytes32,
    v: uint8,
    r: bytes32,
    s: bytes32,
):
    """
    @notice Moves what `owner` signed for; anyone may submit it, once.
    @dev `valid_after` and `valid_before` are exclusive, as in EIP-3009.
    """
    self._authorized(
        TRANSFER_WITH_AUTHORIZATION_TYPEHASH, owner, to, amount, valid_after, valid_before, nonce, v, r, s
    )


@external
def receiveWithAuthorization(
    owner: address,
    to: address,
    amount: uint256,
    valid_after: uint256,
    valid_before: uint256,
    nonce: bytes32,
    v: uint8,
    r: bytes32,
    s: bytes32,
):
    """
    @notice As above, but only the payee may submit it, so that a contract
            which acts on the payment cannot be front-run.
    """
    assert msg.sender == to, "credit: only the payee"
    self._authorized(
        RECEIVE_WITH_AUTHORIZATION_TYPEHASH, owner, to, amount, valid_after, valid_before, nonce, v, r, s
    )


@external
def cancelAuthorization(authorizer: address, nonce: bytes32, v: uint8, r: bytes32, s: bytes32):
    """
    @notice Makes a nonce unusable, by its holder's signature.
    """
    assert not self.authorizationState[authorizer][nonce], "credit: nonce is used"
    self._require_signed(
        authorizer, keccak256(abi_encode(CANCEL_AUTHORIZATION_TYPEHASH, authorizer, nonce)), v, r, s
    )
    self.authorizationState[authorizer][nonce] = True
    log AuthorizationCanceled(authorizer=authorizer, nonce=nonce)


@internal
def _authorized(
    type_hash: bytes32,
    owner: address,
    to: address,
    amount: uint256,
    valid_after: uint256,
    valid_before: uint256,
    nonce: bytes32,
    v: uint8,
    r: bytes32,
    s: bytes32,
):
    assert block.timestamp > valid_after, "credit: not valid yet"
    assert block.timestamp < valid_before, "credit: no longer valid"
    assert not self.authorizationState[owner][nonce], "credit: nonce is used"
    self._require_signed(
        owner,
        keccak256(abi_encode(type_hash, owner, to, amount, valid_after, valid_before, nonce)),
        v,
        r,
        s,
    )
    self.authorizationState[owner][nonce] = True
    log AuthorizationUsed(authorizer=owner, nonce=nonce)
    erc20._transfer(owner, to, amount)


@internal
@view
def _require_signed(signer: address, struct_hash: bytes32, v: uint8, r: bytes32, s: bytes32):
    digest: bytes32 = erc20.eip712_domain_separator._hash_typed_data_v4(struct_hash)
    found: address = ecdsa._recover_vrs(
        digest, convert(v, uint256), convert(r, uint256), convert(s, uint256)
    )
    assert found == signer, "credit: not the holder's signature"
