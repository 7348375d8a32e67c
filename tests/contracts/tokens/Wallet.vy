# SPDX-License-Identifier: AGPL-3.0-only
# pragma version ==0.4.3
"""
@title A wallet that is a contract and answers for its owner's signatures (EIP-1271), for tests
@license GNU Affero General Public License v3.0 only
"""

from snekmate.utils import ecdsa

owner: public(address)


@deploy
def __init__(owner_: address):
    self.owner = owner_


@external
@view
def isValidSignature(digest: bytes32, signature: Bytes[65]) -> bytes4:
    return 0x1626ba7e if ecdsa._recover_sig(digest, signature) == self.owner else 0xffffffff


@external
def hand_on(owner_: address):
    assert msg.sender == self.owner, "wallet: not the owner"
    self.owner = owner_


@external
def act(target: address, data: Bytes[4096]):
    assert msg.sender == self.owner, "wallet: not the owner"
    raw_call(target, data)
