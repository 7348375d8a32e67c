# SPDX-License-Identifier: AGPL-3.0-only
# pragma version ==0.4.3
# pragma nonreentrancy off
"""
@title A token that calls back into whoever moves it, for tests
@license GNU Affero General Public License v3.0 only
"""

balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])
target: public(address)
data: public(Bytes[1024])
calls: public(uint256)
successes: public(uint256)


@external
def arm(target_: address, data_: Bytes[1024]):
    self.target = target_
    self.data = data_


@external
def act(target: address, data: Bytes[1024]):
    raw_call(target, data)


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
    if self.target != empty(address):
        ok: bool = False
        said: Bytes[32] = b""
        self.calls += 1
        ok, said = raw_call(self.target, self.data, max_outsize=32, revert_on_failure=False)
        if ok:
            self.successes += 1
    self.balanceOf[owner] -= amount
    self.balanceOf[to] += amount
    return True
