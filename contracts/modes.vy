# SPDX-License-Identifier: AGPL-3.0-only
# pragma version ==0.4.3
"""
@title What a market's mode allows, as the desk has it
@custom:contract-name modes
@license GNU Affero General Public License v3.0 only
@author Allmende
@notice What is lawful differs, so a market has a mode, for good, and a mode has
        features. The table is that of `core/identity.FEATURES`, and a refusal
        is its sentence, word by word: tests/contracts/test_modes.py holds the
        two against each other.
        Worked number: in mode 0, closed_loop, nobody transfers: "Mode
        closed_loop lacks 'transfer'; these have it: limited_network, open, lab."
"""

CLOSED_LOOP: constant(uint8) = 0
LIMITED_NETWORK: constant(uint8) = 1
OPEN: constant(uint8) = 2
LAB: constant(uint8) = 3

mode: public(immutable(uint8))


@deploy
def __init__(mode_: uint8):
    assert mode_ <= LAB, "modes: no such mode"
    mode = mode_


@internal
@view
def _require_transfer():
    """
    @notice What a holder has may go to another one.
    """
    if mode == CLOSED_LOOP:
        raise "Mode closed_loop lacks 'transfer'; these have it: limited_network, open, lab."


@internal
@view
def _require_sale():
    """
    @notice Shares may be offered for sale.
    """
    if mode == CLOSED_LOOP:
        raise "Mode closed_loop lacks 'sale'; these have it: open, lab."
    if mode == LIMITED_NETWORK:
        raise "Mode limited_network lacks 'sale'; these have it: open, lab."
