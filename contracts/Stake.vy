# SPDX-License-Identifier: AGPL-3.0-only
# pragma version ==0.4.3
# pragma nonreentrancy on
"""
@title Stake: shares that vote, earn, and stay while their vote is counted
@custom:contract-name Stake
@license GNU Affero General Public License v3.0 only
@author Allmende
@notice Whoever stakes shares votes with them, or lets another vote. What is
        funded flows evenly to the staked shares, at the same cost however many
        there are. After a vote the voter is locked to the proposal's end: all
        stake that he votes with stays where it is, so no share votes twice,
        under whatever name, and none leaves before what it decided. Who left
        his shares to another calls them back at any time: they stop voting for
        the other at once and are free when the lock of that moment is over.
        What votes badly is not slashed here; what provides badly is, see Bond.
        Invariant: votes plus what sleeps is what is staked; staked plus leaving
        is what is held; what is paid never exceeds what was funded.
        Worked number: 30 and 10 are staked and 8 flow: they earn 6 and 2.
@custom:roles LOCKER: locks a voter, for at most `LOCK_MAX`; the Assembly.
              DEFAULT_ADMIN: grants it; the Assembly, once it is handed over.
@custom:kill Nobody can take a stake or stop it from leaving for longer than its
             lock and `unbonding`. Without a LOCKER everybody leaves at will.
"""

import tokens
from snekmate.auth import access_control

initializes: access_control
exports: (
    access_control.supportsInterface,
    access_control.hasRole,
    access_control.grantRole,
    access_control.revokeRole,
    access_control.renounceRole,
    access_control.getRoleAdmin,
    access_control.DEFAULT_ADMIN_ROLE,
)

struct Position:
    amount: uint256  # base units of shares that are staked
    voter: address  # who votes with them; nobody while they sleep
    wakes_at: uint256  # second from which what was called back is free
    leaving: uint256  # base units on their way out...
    leaves_at: uint256  # ...that may be withdrawn from this second on

struct Earning:
    mark: uint256  # of `per_share`, up to which it was added up
    owed: uint256  # base units of the reward token

event Staked:
    account: indexed(address)
    amount: uint256

event Delegated:
    account: indexed(address)
    voter: indexed(address)

event Recalled:
    account: indexed(address)
    voter: indexed(address)
    wakes_at: uint256

event Unbonding:
    account: indexed(address)
    amount: uint256
    leaves_at: uint256

event Withdrawn:
    account: indexed(address)
    amount: uint256

event Locked:
    voter: indexed(address)
    until: uint256

event Funded:
    by: indexed(address)
    amount: uint256
    until: uint256

event Rewarded:
    account: indexed(address)
    amount: uint256

LOCKER: public(constant(bytes32)) = keccak256("LOCKER")
LOCK_MAX: public(constant(uint256)) = 400 * 86_400  # seconds
SCALE: constant(uint256) = 10**36  # parts of a base unit, for rewards per share
FUNDED_MAX: constant(uint256) = 2**128 - 1  # base units; times SCALE it is still a number

share: public(immutable(address))
reward: public(immutable(address))
unbonding: public(immutable(uint256))  # seconds; also how long what is funded flows

positions: public(HashMap[address, Position])
votes: public(HashMap[address, uint256])  # base units that an account votes with
locked_until: public(HashMap[address, uint256])
staked: public(uint256)  # base units that earn
held: public(uint256)  # base units: what is staked and what is leaving
asleep: public(uint256)  # of what is staked, what votes for nobody

funded: public(uint256)  # base units of the reward token, ever
paid: public(uint256)
flowing: public(uint256)  # of these, what was not given to anybody when it was last looked
flows_until: public(uint256)
flowed_at: public(uint256)
per_share: public(uint256)  # base units of reward that a staked base unit earned, times SCALE
earnings: HashMap[address, Earning]


@deploy
def __init__(share_: address, reward_: address, unbonding_: uint256):
    """
    @notice The deployer is the first admin.
    @param share_ What is staked.
    @param reward_ What is earned: any exact ERC-20, the share itself too.
    @param unbonding_ Seconds from asking to leaving; 1 day to 1 year in earnest.
    """
    assert 0 < unbonding_ and unbonding_ <= LOCK_MAX, "stake: no such unbonding"
    assert share_.is_contract and reward_.is_contract, "stake: no contract"
    access_control.__init__()
    share = share_
    reward = reward_
    unbonding = unbonding_
    self.flowed_at = block.timestamp


# Staking ---------------------------------------------------------------------------------


@external
def stake(amount: uint256):
    """
    @notice Stakes the caller's shares. They vote with whoever voted for him
            before, at first himself; what joins a locked voter waits with him.
    """
    assert amount > 0, "stake: nothing"
    self._settle(msg.sender)
    mine: Position = self.positions[msg.sender]
    if mine.voter == empty(address) and mine.wakes_at == 0:
        mine.voter = msg.sender
        self.positions[msg.sender].voter = msg.sender
        log Delegated(account=msg.sender, voter=msg.sender)
    self.positions[msg.sender].amount = mine.amount + amount
    if mine.voter == empty(address):
        self.asleep += amount
    else:
        self.votes[mine.voter] += amount
    self.staked += amount
    self.held += amount
    tokens._pull(share, msg.sender, amount)
    log Staked(account=msg.sender, amount=amount)


@external
def delegate(voter: address):
    """
    @notice From now on `voter` votes with all that the caller has staked; with
            his own address he votes himself. Not passed on: who votes for you
            does so even if his own shares vote with somebody else.
    """
    assert voter != empty(address), "stake: nobody"
    mine: Position = self._free(msg.sender)
    self._take_votes(mine, mine.amount)
    self.positions[msg.sender].voter = voter
    self.positions[msg.sender].wakes_at = 0
    self.votes[voter] += mine.amount
    log Delegated(account=msg.sender, voter=voter)


@external
def recall():
    """
    @notice Takes the caller's shares from a voter who is locked: he votes with
            them no more, and they are free when his lock of now is over,
            however often he votes meanwhile. Then `delegate` or `unbond`.
    """
    mine: Position = self.positions[msg.sender]
    assert mine.voter != empty(address) and mine.voter != msg.sender, "stake: not with another"
    wakes_at: uint256 = max(self.locked_until[mine.voter], block.timestamp)
    self.votes[mine.voter] -= mine.amount
    self.asleep += mine.amount
    self.positions[msg.sender].voter = empty(address)
    self.positions[msg.sender].wakes_at = wakes_at
    log Recalled(account=msg.sender, voter=mine.voter, wakes_at=wakes_at)


@external
def unbond(amount: uint256):
    """
    @notice Takes `amount` out of the caller's stake. It votes and earns no more
            and may be withdrawn after `unbonding`; what was leaving already
            starts afresh.
    """
    mine: Position = self._free(msg.sender)
    assert 0 < amount and amount <= mine.amount, "stake: more than is staked"
    self._settle(msg.sender)
    self._take_votes(mine, amount)
    self.staked -= amount
    leaves_at: uint256 = block.timestamp + unbonding
    self.positions[msg.sender].amount = mine.amount - amount
    self.positions[msg.sender].leaving = mine.leaving + amount
    self.positions[msg.sender].leaves_at = leaves_at
    log Unbonding(account=msg.sender, amount=amount, leaves_at=leaves_at)


@external
def withdraw():
    """
    @notice Pays the caller what has left.
    """
    mine: Position = self.positions[msg.sender]
    assert mine.leaving > 0, "stake: nothing is leaving"
    assert block.timestamp >= mine.leaves_at, "stake: still unbonding"
    self.positions[msg.sender].leaving = 0
    self.held -= mine.leaving
    tokens._push(share, msg.sender, mine.leaving)
    log Withdrawn(account=msg.sender, amount=mine.leaving)


@external
def lock(voter: address, until: uint256):
    """
    @notice All stake that `voter` votes with stays until then. A lock is never
            shortened.
    """
    access_control._check_role(LOCKER, msg.sender)
    assert until <= block.timestamp + LOCK_MAX, "stake: locks too long"
    if until > self.locked_until[voter]:
        self.locked_until[voter] = until
        log Locked(voter=voter, until=until)


# Rewards ---------------------------------------------------------------------------------


@external
def fund(amount: uint256):
    """
    @notice Gives `amount` of the caller's reward token to the staked shares. It
            flows for `unbonding`, so whoever comes for it stays for it; what
            still flows is neither lost nor held up by a little more. While
            nobody stakes, time stands still.
    """
    assert amount > 0, "stake: nothing"
    self._flow()
    self.funded += amount
    rest: uint256 = self.flowing
    assert self.funded <= FUNDED_MAX, "stake: too much"
    left: uint256 = self.flows_until - min(self.flows_until, block.timestamp)
    self.flowing = rest + amount
    self.flows_until = block.timestamp + max((rest * left + amount * unbonding) // (rest + amount), 1)
    tokens._pull(reward, msg.sender, amount)
    log Funded(by=msg.sender, amount=amount, until=self.flows_until)


@external
def claim() -> uint256:
    """
    @notice Pays what the caller has earned until now.
    @return How much, which may be nothing.
    """
    self._settle(msg.sender)
    amount: uint256 = self.earnings[msg.sender].owed
    if amount > 0:
        self.earnings[msg.sender].owed = 0
        self.paid += amount
        tokens._push(reward, msg.sender, amount)
        log Rewarded(account=msg.sender, amount=amount)
    return amount


@external
@view
def earned(account: address) -> uint256:
    """
    @notice What `claim` would pay now.
    """
    given: uint256 = self._given()
    grown: uint256 = self.per_share
    if given > 0:
        grown += given * SCALE // self.staked
    its: Earning = self.earnings[account]
    return its.owed + self.positions[account].amount * (grown - its.mark) // SCALE


# Within ----------------------------------------------------------------------------------


@internal
@view
def _free(account: address) -> Position:
    """
    @notice A position whose stake may move: nobody is locked who votes with it.
    """
    its: Position = self.positions[account]
    until: uint256 = its.wakes_at
    if its.voter != empty(address):
        until = self.locked_until[its.voter]
    assert block.timestamp >= until, "stake: locked by a vote"
    return its


@internal
def _take_votes(its: Position, amount: uint256):
    if its.voter == empty(address):
        self.asleep -= amount
    else:
        self.votes[its.voter] -= amount


@internal
@view
def _given() -> uint256:
    """
    @notice What has flowed since it was last looked. Nothing to nobody.
    """
    if self.staked == 0 or self.flowing == 0 or self.flows_until <= self.flowed_at:
        return 0
    passed: uint256 = min(block.timestamp, self.flows_until) - self.flowed_at
    return self.flowing * passed // (self.flows_until - self.flowed_at)


@internal
def _flow():
    """
    @notice Adds what has flowed to every staked share at once.
    """
    if self.staked == 0:
        self.flows_until += block.timestamp - self.flowed_at
    given: uint256 = self._given()
    if given > 0:
        self.flowing -= given
        self.per_share += given * SCALE // self.staked
    self.flowed_at = block.timestamp


@internal
def _settle(account: address):
    """
    @notice Before a stake changes: what it earned until now is owed.
    """
    self._flow()
    its: Earning = self.earnings[account]
    grown: uint256 = self.positions[account].amount * (self.per_share - its.mark) // SCALE
    self.earnings[account] = Earning(mark=self.per_share, owed=its.owed + grown)
