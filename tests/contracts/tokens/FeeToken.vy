# SPDX-License-Identifier: AGPL-3.0-only
# pragma version ==0.4.3
"""
@title A token that can misbehave, for tests: it keeps a fee, or answers false.
@license GNU Affero General Public License v3.0 only
"""

balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])
fee: public(uint256)
lies: public(bool)


@external
def misbehave(fee_: uint256, lies_: bool):
    self.fee = fee_
    self.lies = lies_


@external
def mint(to: address, amount: uint256):
    self.balanceOf[to] += amount


@external
def approve(spender: address, amount: uint256) -> bool:
    self.allowance[msg.sender][spender] = amount
    return True


@external
def transfer(to: address, amount: uint256) -> bool:
    return self._move(msg.sender, to, amount)


@external
def transferFrom(owner: address, to: address, amount: uint256) -> bool:
    self.allowance[owner][msg.sender] -= amount
    return self._move(owner, to, amount)


@internal
def _move(owner: address, to: address, amount: uint256) -> bool:
    if self.lies:
        return False
    self.balanceOf[owner] -= amount
    self.balanceOf[to] += amount - min(amount, self.fee)
    return True
