# SPDX-License-Identifier: AGPL-3.0-only
# pragma version ==0.4.3
# pragma nonreentrancy off
"""
@title What halmos proves of Credit's signed transfers, for every signature
@license GNU Affero General Public License v3.0 only
"""

import Credit
import failing

initializes: Credit
exports: (Credit.transferWithAuthorization, Credit.balanceOf, Credit.authorizationState)


@deploy
def __init__():
    Credit.__init__("Credit", "CRED")


@external
def check_an_authorisation_moves_once(
    owner: address, to: address, has: uint256, had: uint256, amount: uint256, after: uint256,
    before: uint256, nonce: bytes32, v: uint8, r: bytes32, s: bytes32
):
    Credit.erc20.balanceOf[to] = had
    Credit.erc20.balanceOf[owner] = has
    data: Bytes[292] = abi_encode(
        owner, to, amount, after, before, nonce, v, r, s,
        method_id=method_id(
            "transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)"
        ),
    )
    used: bool = Credit.authorizationState[owner][nonce]
    if raw_call(self, data, revert_on_failure=False):
        failing._unless(not used and Credit.authorizationState[owner][nonce])
        failing._unless(block.timestamp > after and block.timestamp < before)
        failing._unless(owner == to or Credit.erc20.balanceOf[owner] == has - amount)
        failing._unless(owner == to or Credit.erc20.balanceOf[to] == had + amount)
        failing._unless(not raw_call(self, data, revert_on_failure=False))


@external
def check_that_this_can_fail(
    owner: address, to: address, has: uint256, amount: uint256, nonce: bytes32, v: uint8, r: bytes32, s: bytes32
):
    Credit.erc20.balanceOf[owner] = has
    data: Bytes[292] = abi_encode(
        owner, to, amount, empty(uint256), max_value(uint256), nonce, v, r, s,
        method_id=method_id(
            "transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)"
        ),
    )
    failing._unless(not raw_call(self, data, revert_on_failure=False))
