# SPDX-License-Identifier: AGPL-3.0-only
# pragma version ==0.4.3
# pragma nonreentrancy off
"""
@title How a proof fails: as Solidity's assert does, which is what halmos looks for
@license GNU Affero General Public License v3.0 only
"""


@internal
@pure
def _unless(holds: bool):
    if not holds:
        raw_revert(abi_encode(convert(1, uint256), method_id=0x4e487b71))
