# SPDX-License-Identifier: AGPL-3.0-only
# pragma version ==0.4.3
# pragma nonreentrancy on
"""
@title Emission: shares for an epoch's measured useful work
@custom:contract-name Emission
@license GNU Affero General Public License v3.0 only
@author Allmende
@notice Time is cut into epochs: epoch n begins at second n * length of Unix
        time. What an epoch may give out at most is fixed here for good, halved
        every so many epochs, and asks nobody what was burned, sold or staked.
        Who measures publishes one list an epoch, as a root (wire/claims.py)
        with its total and the hash of the rule that it was reckoned by; anybody
        reckons it again from the market's public file. Nothing can be claimed
        in the audit window, and an auditor who finds the list wrong voids it:
        then the epoch may have another one, with a window of its own. After the
        window nobody changes it, and each line is paid once, whoever calls.
        An epoch that was passed over stays unminted.
        Invariant: what an epoch gave out never exceeds its list's total, nor
        that the epoch's pool; `minted` is the sum of what was claimed.
        Worked number: a pool of 100 halved every 2 epochs from epoch 10 on is
        100, 100, 50, 50, 25 in epochs 10 to 14.
@custom:roles PUBLISHER: publishes, within pool and time; it is believed by
              nobody who reckons. AUDITOR: voids in the window, and can do no
              more than delay. DEFAULT_ADMIN: grants both; the Assembly, once
              it is handed over. The contract needs MINTER of the share.
@custom:kill Taking MINTER away ends it. What was claimed cannot be taken back.
"""

import claims
from snekmate.auth import access_control

initializes: access_control
initializes: claims
exports: (
    access_control.hasRole,
    access_control.grantRole,
    access_control.revokeRole,
    access_control.renounceRole,
    access_control.getRoleAdmin,
    access_control.DEFAULT_ADMIN_ROLE,
)

interface Share:
    def mint(to: address, amount: uint256): nonpayable

struct Epoch:
    root: bytes32  # none: not published, or voided
    total: uint256  # base units, the sum of the list
    rule: bytes32  # SHA-256 of the rule's file
    opens: uint256  # second from which it is claimed and no longer voided
    claimed: uint256  # base units

event Published:
    epoch: indexed(uint256)
    root: bytes32
    total: uint256
    rule: bytes32
    opens: uint256

event Voided:
    epoch: indexed(uint256)
    root: bytes32
    auditor: indexed(address)
    why: String[256]

PUBLISHER: public(constant(bytes32)) = keccak256("PUBLISHER")
AUDITOR: public(constant(bytes32)) = keccak256("AUDITOR")

share: public(immutable(address))
length: public(immutable(uint256))  # seconds of an epoch
first: public(immutable(uint256))  # epoch
window: public(immutable(uint256))  # seconds of audit
pool: public(immutable(uint256))  # base units of the first epochs
halving: public(immutable(uint256))  # epochs

epochs: public(HashMap[uint256, Epoch])
voids: public(HashMap[uint256, uint256])  # of each epoch, how many lists were voided
last: public(uint256)  # the newest epoch that was ever published
minted: public(uint256)  # base units, in all


@deploy
def __init__(
    share_: address, length_: uint256, first_: uint256, window_: uint256, pool_: uint256, halving_: uint256
):
    """
    @notice The deployer is the first admin and has no other role.
    @param length_ Seconds of an epoch.
    @param first_ The first epoch that has a pool, above 0.
    @param window_ Seconds between a list and its first claim.
    @param pool_ Base units that each of the first epochs may give out.
    @param halving_ Epochs after which the pool is half as large, again and again.
    """
    assert share_ != empty(address), "emission: no share"
    assert length_ > 0 and window_ > 0 and halving_ > 0, "emission: no time"
    assert first_ > 0, "emission: no first epoch"
    assert pool_ > 0, "emission: no pool"
    access_control.__init__()
    share = share_
    length = length_
    first = first_
    window = window_
    pool = pool_
    halving = halving_


@external
def publish(epoch: uint256, root: bytes32, total: uint256, rule: bytes32):
    """
    @notice One list for an epoch that is over: later than all before, or one whose list was voided.
    @param root Of the list, by wire/claims.py.
    @param total Sum of its amounts: what its root cannot say.
    @param rule SHA-256 of the rule's file.
    """
    access_control._check_role(PUBLISHER, msg.sender)
    assert epoch > self.last or self._voided(epoch), "emission: out of order"
    pool_: uint256 = self._pool_of(epoch)
    assert pool_ > 0, "emission: no pool in that epoch"
    assert block.timestamp // length > epoch, "emission: the epoch is not over"
    assert root != empty(bytes32) and total > 0, "emission: an empty list"
    assert total <= pool_, "emission: over the pool"
    assert rule != empty(bytes32), "emission: no rule"
    opens: uint256 = block.timestamp + window
    self.last = max(self.last, epoch)
    self.epochs[epoch] = Epoch(root=root, total=total, rule=rule, opens=opens, claimed=0)
    log Published(epoch=epoch, root=root, total=total, rule=rule, opens=opens)


@external
def void(epoch: uint256, why: String[256]):
    """
    @notice Takes a wrong list away, in its window. Another one may follow.
    """
    access_control._check_role(AUDITOR, msg.sender)
    known: Epoch = self.epochs[epoch]
    assert known.root != empty(bytes32), "emission: no list"
    assert block.timestamp < known.opens, "emission: the audit window is over"
    self.epochs[epoch] = empty(Epoch)
    self.voids[epoch] += 1
    log Voided(epoch=epoch, root=known.root, auditor=msg.sender, why=why)


@external
def claim(
    epoch: uint256,
    index: uint256,
    account: address,
    amount: uint256,
    proof: DynArray[bytes32, claims.PROOF_MAX],
):
    """
    @notice Gives `account` its line of an epoch's list, whoever calls.
    """
    known: Epoch = self.epochs[epoch]
    assert known.root != empty(bytes32), "emission: no list"
    assert block.timestamp >= known.opens, "emission: in the audit window"
    claims._claim(epoch, known.root, index, account, amount, proof)
    assert amount <= known.total - known.claimed, "emission: over the total"
    self.epochs[epoch].claimed = known.claimed + amount
    self.minted += amount
    extcall Share(share).mint(account, amount)


@external
@view
def claimed(epoch: uint256, index: uint256) -> bool:
    return claims._claimed(epoch, index)


@external
@view
def listed(
    epoch: uint256,
    index: uint256,
    account: address,
    amount: uint256,
    proof: DynArray[bytes32, claims.PROOF_MAX],
) -> bool:
    """
    @notice Whether this line is in an epoch's list, claimed or not.
    """
    return claims._listed(self.epochs[epoch].root, index, account, amount, proof)


@external
@view
def pool_of(epoch: uint256) -> uint256:
    """
    @notice Base units that an epoch gives out at most.
    """
    return self._pool_of(epoch)


@internal
@view
def _pool_of(epoch: uint256) -> uint256:
    if epoch < first:
        return 0
    return pool >> ((epoch - first) // halving)


@internal
@view
def _voided(epoch: uint256) -> bool:
    return self.voids[epoch] > 0 and self.epochs[epoch].root == empty(bytes32)
