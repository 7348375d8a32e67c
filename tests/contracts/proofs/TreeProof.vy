# SPDX-License-Identifier: AGPL-3.0-only
# pragma version ==0.4.3
# pragma nonreentrancy off
"""
@title What halmos proves of merkle_sum, for every root, leaf and sibling
@license GNU Affero General Public License v3.0 only
@notice Trees of 2, 3 and 4 leaves; hashes are taken to be free of collisions.
"""

import failing
import merkle_sum


@external
@pure
def check_two_places_never_hold_more_than_the_total_of_2(
    root: bytes32, total: uint256, a: merkle_sum.Leaf, i: uint256, x: merkle_sum.Sibling,
    b: merkle_sum.Leaf, j: uint256, y: merkle_sum.Sibling
):
    if i != j and self._in(root, total, 2, a, i, x, x) and self._in(root, total, 2, b, j, y, y):
        failing._unless(a.balance <= total and b.balance <= total - a.balance)


@external
@pure
def check_two_places_never_hold_more_than_the_total_of_3(
    root: bytes32, total: uint256, a: merkle_sum.Leaf, i: uint256, x: merkle_sum.Sibling,
    x2: merkle_sum.Sibling, b: merkle_sum.Leaf, j: uint256, y: merkle_sum.Sibling, y2: merkle_sum.Sibling
):
    if i != j and self._in(root, total, 3, a, i, x, x2) and self._in(root, total, 3, b, j, y, y2):
        failing._unless(a.balance <= total and b.balance <= total - a.balance)


@external
@pure
def check_two_places_never_hold_more_than_the_total_of_4(
    root: bytes32, total: uint256, a: merkle_sum.Leaf, i: uint256, x: merkle_sum.Sibling,
    x2: merkle_sum.Sibling, b: merkle_sum.Leaf, j: uint256, y: merkle_sum.Sibling, y2: merkle_sum.Sibling
):
    if i != j and self._in(root, total, 4, a, i, x, x2) and self._in(root, total, 4, b, j, y, y2):
        failing._unless(a.balance <= total and b.balance <= total - a.balance)


@external
@pure
def check_one_place_has_one_leaf_of_4(
    root: bytes32, total: uint256, i: uint256, a: merkle_sum.Leaf, x: merkle_sum.Sibling,
    x2: merkle_sum.Sibling, b: merkle_sum.Leaf, y: merkle_sum.Sibling, y2: merkle_sum.Sibling
):
    if self._in(root, total, 4, a, i, x, x2) and self._in(root, total, 4, b, i, y, y2):
        failing._unless(a.account == b.account and a.balance == b.balance and a.spent == b.spent)


@external
@pure
def check_no_place_outside_of_3(
    root: bytes32, total: uint256, i: uint256, a: merkle_sum.Leaf, x: merkle_sum.Sibling, x2: merkle_sum.Sibling
):
    if i >= 3:
        failing._unless(not self._in(root, total, 3, a, i, x, x2))


@external
@pure
def check_that_this_can_fail(root: bytes32, total: uint256, a: merkle_sum.Leaf, x: merkle_sum.Sibling):
    if self._in(root, total, 2, a, 0, x, x):
        failing._unless(a.balance < total)


@internal
@pure
def _in(
    root: bytes32, total: uint256, size: uint256, leaf: merkle_sum.Leaf, index: uint256,
    first: merkle_sum.Sibling, second: merkle_sum.Sibling
) -> bool:
    siblings: DynArray[merkle_sum.Sibling, 32] = [first]
    if size > 2 and not (size == 3 and index == 2):
        siblings.append(second)
    return merkle_sum._is_in(root, total, size, leaf, merkle_sum.Proof(index=index, siblings=siblings))
