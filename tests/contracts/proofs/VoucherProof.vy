# SPDX-License-Identifier: AGPL-3.0-only
# pragma version ==0.4.3
# pragma nonreentrancy off
"""
@title What halmos proves of vouchers, for every permit, amount and signature of 65 bytes
@license GNU Affero General Public License v3.0 only
"""

import failing
import vouchers
from snekmate.utils import eip712_domain_separator as eip712

initializes: eip712
initializes: vouchers[eip712 := eip712]
exports: vouchers.acknowledge

GRACE: constant(uint256) = 1  # the second in which halmos lives is 1


@deploy
def __init__():
    eip712.__init__("Allmende Vault", "1")
    vouchers.__init__(GRACE)


@external
def check_a_voucher_counts_what_it_adds_and_within_its_permit(
    permit: vouchers.Permit, amount: uint128, before: uint256, signed: uint256, r: bytes32, s: bytes32
):
    vouchers.lanes[permit.account][permit.lane] = before
    vouchers.signed[permit.account] = signed
    if self._shown(permit, amount, r, s):
        total: uint256 = convert(amount, uint256)
        failing._unless(total > before)
        failing._unless(vouchers.lanes[permit.account][permit.lane] == total)
        failing._unless(vouchers.signed[permit.account] == signed + (total - before))
        failing._unless(permit.lane < 16)
        failing._unless(permit.key == permit.account or total <= permit.limit)
        failing._unless(permit.key == permit.account or block.timestamp - GRACE <= permit.expiry)


@external
def check_a_voucher_touches_no_other_lane_and_nobody_else(
    permit: vouchers.Permit, amount: uint128, r: bytes32, s: bytes32, other: address, lane: uint256
):
    was: uint256 = vouchers.lanes[other][lane]
    all_: uint256 = vouchers.signed[other]
    if self._shown(permit, amount, r, s):
        failing._unless(other == permit.account or vouchers.signed[other] == all_)
        failing._unless(
            (other == permit.account and lane == permit.lane) or vouchers.lanes[other][lane] == was
        )


@external
def check_that_this_can_fail(permit: vouchers.Permit, amount: uint128, r: bytes32, s: bytes32):
    failing._unless(not self._shown(permit, amount, r, s))


@external
def check_that_a_session_can_fail(permit: vouchers.Permit, amount: uint128, r: bytes32, s: bytes32):
    if permit.key != permit.account:
        failing._unless(not self._shown(permit, amount, r, s))


@internal
def _shown(permit: vouchers.Permit, amount: uint128, r: bytes32, s: bytes32) -> bool:
    signature: Bytes[65] = concat(r, s, 0x1b)
    data: Bytes[612] = abi_encode(
        permit, signature, amount, signature,
        method_id=method_id("acknowledge((address,address,uint256,uint256,bytes32,uint256),bytes,uint128,bytes)"),
    )
    return raw_call(self, data, revert_on_failure=False)
