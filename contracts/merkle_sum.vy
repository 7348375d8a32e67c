# SPDX-License-Identifier: AGPL-3.0-only
# pragma version ==0.4.3
# pragma nonreentrancy off
"""
@title Merkle-sum tree of balances, and the tree of receipts
@custom:contract-name merkle_sum
@license GNU Affero General Public License v3.0 only
@author Allmende
@notice A leaf is what an account owns and what it has spent so far; a node
        commits to the sums of both its children, so that whatever leaves can
        be proved under one root, their balances add up to no more than its
        total. The shape is RFC 6962's: a last node without a neighbour moves
        up as it is. src/allmende/wire/merkle_sum.py writes the same bytes.
        Worked number: a proof in a tree of 10_000 leaves has 14 siblings.
"""

DEPTH: constant(uint256) = 32

struct Sibling:
    hash: bytes32
    sum: uint256

struct Leaf:
    account: address
    balance: uint256
    spent: uint256

struct Proof:
    index: uint256
    siblings: DynArray[Sibling, 32]


@internal
@pure
def _leaf_hash(leaf: Leaf) -> bytes32:
    return keccak256(concat(0x00, abi_encode(leaf.account, leaf.balance, leaf.spent)))


@internal
@pure
def _node_hash(left: bytes32, left_sum: uint256, right: bytes32, right_sum: uint256) -> bytes32:
    return keccak256(concat(0x01, abi_encode(left, left_sum, right, right_sum)))


@internal
@pure
def _is_in(root: bytes32, total: uint256, size: uint256, leaf: Leaf, proof: Proof) -> bool:
    """
    @notice Whether `leaf` stands at `proof.index` of the tree of `size` leaves.
    @dev Sums are added with overflow checks; the number of siblings must be exact.
    """
    if proof.index >= size:
        return False
    top: bytes32 = self._leaf_hash(leaf)
    sum: uint256 = leaf.balance
    index: uint256 = proof.index
    last: uint256 = size - 1
    used: uint256 = 0
    for _: uint256 in range(DEPTH):
        if last == 0:
            break
        if index % 2 == 1 or index < last:
            if used == len(proof.siblings):
                return False
            beside: Sibling = proof.siblings[used]
            used += 1
            if index % 2 == 1:
                top = self._node_hash(beside.hash, beside.sum, top, sum)
            else:
                top = self._node_hash(top, sum, beside.hash, beside.sum)
            sum += beside.sum
        index //= 2
        last //= 2
    return last == 0 and used == len(proof.siblings) and top == root and sum == total


@internal
@pure
def _has_receipt(
    root: bytes32, size: uint256, leaf: bytes32, index: uint256, path: DynArray[bytes32, 32]
) -> bool:
    """
    @notice RFC 6962 with SHA-256, as the desk's core builds it: whether a
            receipt's leaf hash stands at `index` of `size`.
    """
    if index >= size:
        return False
    top: bytes32 = leaf
    place: uint256 = index
    last: uint256 = size - 1
    used: uint256 = 0
    for _: uint256 in range(DEPTH):
        if last == 0:
            break
        if place % 2 == 1 or place < last:
            if used == len(path):
                return False
            if place % 2 == 1:
                top = sha256(concat(0x01, path[used], top))
            else:
                top = sha256(concat(0x01, top, path[used]))
            used += 1
        place //= 2
        last //= 2
    return last == 0 and used == len(path) and top == root
