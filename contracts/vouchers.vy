# SPDX-License-Identifier: AGPL-3.0-only
# pragma version ==0.4.3
# pragma nonreentrancy on
"""
@title Vouchers: what an account has signed that it spent
@custom:contract-name vouchers
@license GNU Affero General Public License v3.0 only
@author Allmende
@notice An account permits session keys {lane, limit, models, expiry}; a key
        signs the cumulative amount of its lane after each request. Lanes are
        independent, so parallel sessions never wait for each other, and there
        are 16, so that showing all of an account's signatures is bounded. A
        new session takes its lane over by signing the lane's amount first.
        A voucher is x402's batch-settlement type in this contract's domain.
        Invariant: `signed` of an account is the sum of its lanes, each of
        which only grows and never exceeds what its holder allowed.
        Worked number: lanes at 5 and 7, a voucher of 9 for the first: 16 signed.
"""

from snekmate.utils import ecdsa
from snekmate.utils import eip712_domain_separator as eip712
from snekmate.utils import signature_checker

uses: eip712

struct Permit:
    account: address
    key: address
    lane: uint256
    limit: uint256  # most that the lane may reach under this permit, base units
    models: bytes32  # hash of the list of models, enforced by the gateway
    expiry: uint256  # second after which the gateway takes no voucher of the key

event Acknowledged:
    account: indexed(address)
    lane: uint256
    amount: uint256

LANES: public(constant(uint256)) = 16
PERMIT_TYPEHASH: constant(bytes32) = keccak256(
    "Permit(address account,address key,uint256 lane,uint256 limit,bytes32 models,uint256 expiry)"
)
CHANNEL_TYPEHASH: constant(bytes32) = keccak256("Channel(address account,uint256 lane)")
VOUCHER_TYPEHASH: constant(bytes32) = keccak256("Voucher(bytes32 channelId,uint128 maxClaimableAmount)")

grace: public(immutable(uint256))  # seconds after a permit's expiry to show its vouchers
lanes: public(HashMap[address, HashMap[uint256, uint256]])
signed: public(HashMap[address, uint256])
permitted: HashMap[bytes32, bool]  # digests of permits that a contract has confirmed, for good


@deploy
def __init__(grace_: uint256):
    grace = grace_


@external
def acknowledge(permit: Permit, permit_signature: Bytes[65], amount: uint128, signature: Bytes[65]):
    """
    @notice Shows a voucher. Anyone may; only a higher amount than before counts.
    @dev An account signs for itself with `permit.key == permit.account`, and
         needs no permit then. Wallets that are contracts permit by EIP-1271;
         what they confirmed once holds for good, as an account's own signature
         does, even if the account becomes a contract later (EIP-7702). Else
         one could spend, take the permit back, and challenge.
    @param amount The lane's cumulative amount, base units.
    """
    assert permit.lane < LANES, "voucher: no such lane"
    total: uint256 = convert(amount, uint256)
    before: uint256 = self.lanes[permit.account][permit.lane]
    assert total > before, "voucher: stale"
    if permit.key != permit.account:
        assert total <= permit.limit, "voucher: over the limit"
        assert block.timestamp - grace <= permit.expiry, "voucher: expired"
        digest: bytes32 = eip712._hash_typed_data_v4(
            keccak256(
                abi_encode(
                    PERMIT_TYPEHASH,
                    permit.account,
                    permit.key,
                    permit.lane,
                    permit.limit,
                    permit.models,
                    permit.expiry,
                )
            )
        )
        if not self._signed_by(permit.account, digest, permit_signature) and not self.permitted[digest]:
            assert signature_checker._is_valid_ERC1271_signature_now(
                permit.account, digest, permit_signature
            ), "voucher: no permit"
            self.permitted[digest] = True
    voucher: bytes32 = keccak256(
        abi_encode(VOUCHER_TYPEHASH, self._channel(permit.account, permit.lane), amount)
    )
    assert (
        ecdsa._recover_sig(eip712._hash_typed_data_v4(voucher), signature) == permit.key
    ), "voucher: not the key's"
    self.lanes[permit.account][permit.lane] = total
    self.signed[permit.account] += total - before
    log Acknowledged(account=permit.account, lane=permit.lane, amount=total)


@external
@view
def channel(account: address, lane: uint256) -> bytes32:
    """
    @notice The channel id that vouchers of a lane name.
    """
    return self._channel(account, lane)


@internal
@pure
def _signed_by(account: address, digest: bytes32, signature: Bytes[65]) -> bool:
    """
    @dev Never reverts: what is no signature of a key may be one of a contract.
    """
    if len(signature) != 65 or account == empty(address):
        return False
    v: uint256 = convert(slice(signature, 64, 1), uint256)
    return ecrecover(digest, v, extract32(signature, 0), extract32(signature, 32)) == account


@internal
@pure
def _channel(account: address, lane: uint256) -> bytes32:
    return keccak256(abi_encode(CHANNEL_TYPEHASH, account, lane))
