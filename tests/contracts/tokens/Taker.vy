# SPDX-License-Identifier: AGPL-3.0-only
# pragma version ==0.4.3
# pragma nonreentrancy off
"""
@title A wallet that takes titles, or does not, and calls back when it is asked, for tests
@license GNU Affero General Public License v3.0 only
"""

ACCEPTS: constant(bytes4) = 0x150b7a02

target: public(address)
data: public(Bytes[1024])
answer: public(bytes4)
angry: public(bool)
calls: public(uint256)
successes: public(uint256)
told: public(Bytes[1024])


@deploy
def __init__():
    self.answer = ACCEPTS


@external
def arm(target: address, data: Bytes[1024]):
    self.target = target
    self.data = data


@external
def refuse(answer: bytes4, angry: bool):
    self.answer = answer
    self.angry = angry


@external
def act(target: address, data: Bytes[1024]):
    raw_call(target, data)


@external
def onERC721Received(operator: address, owner: address, token_id: uint256, data: Bytes[1024]) -> bytes4:
    assert not self.angry, "taker: not this one"
    self.told = data
    if self.target != empty(address):
        ok: bool = False
        said: Bytes[64] = b""
        self.calls += 1
        ok, said = raw_call(self.target, self.data, max_outsize=64, revert_on_failure=False)
        if ok:
            self.successes += 1
    return self.answer
