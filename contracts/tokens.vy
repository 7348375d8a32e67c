# SPDX-License-Identifier: AGPL-3.0-only
# pragma version ==0.4.3
# pragma nonreentrancy off
"""
@title Moving any ERC-20 exactly
@custom:contract-name tokens
@license GNU Affero General Public License v3.0 only
@author Allmende
@notice What is said to move, moves: a token that answers false, keeps a fee,
        or moves more or less than it was asked is refused by reverting.
        A token that answers nothing at all (an old habit) is accepted when
        the balances are right.
"""

from ethereum.ercs import IERC20


@internal
def _pull(token: address, owner: address, amount: uint256):
    """
    @notice Takes `amount` from `owner`, to the unit.
    """
    before: uint256 = staticcall IERC20(token).balanceOf(self)
    assert extcall IERC20(token).transferFrom(owner, self, amount, default_return_value=True), "token: false"
    assert staticcall IERC20(token).balanceOf(self) == before + amount, "token: took a fee"


@internal
def _push(token: address, to: address, amount: uint256):
    """
    @notice Pays `amount` to `to`, to the unit.
    """
    before: uint256 = staticcall IERC20(token).balanceOf(self)
    assert extcall IERC20(token).transfer(to, amount, default_return_value=True), "token: false"
    assert staticcall IERC20(token).balanceOf(self) == before - amount, "token: took a fee"


@internal
def _probe(token: address, owner: address):
    """
    @notice The listing's test: two units come in and one goes back, exactly.
            The other stays as the house's own and is in nobody's account.
    """
    assert token.is_contract, "token: no contract"
    self._pull(token, owner, 2)
    before: uint256 = staticcall IERC20(token).balanceOf(owner)
    self._push(token, owner, 1)
    assert staticcall IERC20(token).balanceOf(owner) == before + 1, "token: took a fee"
