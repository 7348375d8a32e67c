# SPDX-License-Identifier: AGPL-3.0-only
# pragma version ==0.4.3
"""
@title Claims: a list of who gets how much, as one hash, each line taken once
@custom:contract-name claims
@license GNU Affero General Public License v3.0 only
@author Allmende
@notice A leaf is keccak(keccak(index, account, amount)), each in 32 bytes; hashing
        twice keeps a node of the tree from being shown as a leaf. Above it pairs
        are sorted, so a proof is a list of hashes and has no sides (snekmate's
        merkle_proof_verification). A line is taken once by its index, in the
        round that its contract names: an airdrop has one, an emission one each epoch.
        `wire/claims.py` makes the trees and the proofs.
        Invariant: what was claimed in a round never exceeds the sum of its lines.
        Worked number: a list of 1,000 has proofs of 10 hashes.
"""

from snekmate.utils import merkle_proof_verification

event Claimed:
    round: indexed(uint256)
    index: uint256
    account: indexed(address)
    amount: uint256

PROOF_MAX: constant(uint256) = 32  # hashes: more lines than anybody can write

taken: HashMap[uint256, HashMap[uint256, uint256]]  # round -> index // 256 -> a bit an index


@internal
def _claim(
    round: uint256,
    root: bytes32,
    index: uint256,
    account: address,
    amount: uint256,
    proof: DynArray[bytes32, PROOF_MAX],
):
    """
    @notice Takes a line, once, if it is in the list under `root`. Paying is the caller's.
    """
    assert not self._claimed(round, index), "claims: claimed already"
    assert self._listed(root, index, account, amount, proof), "claims: not in the list"
    self.taken[round][index // 256] |= 1 << (index % 256)
    log Claimed(round=round, index=index, account=account, amount=amount)


@internal
@view
def _claimed(round: uint256, index: uint256) -> bool:
    return (self.taken[round][index // 256] >> (index % 256)) & 1 == 1


@internal
@pure
def _listed(
    root: bytes32,
    index: uint256,
    account: address,
    amount: uint256,
    proof: DynArray[bytes32, PROOF_MAX],
) -> bool:
    leaf: bytes32 = keccak256(abi_encode(keccak256(abi_encode(index, account, amount))))
    return root != empty(bytes32) and merkle_proof_verification._verify(proof, root, leaf)
