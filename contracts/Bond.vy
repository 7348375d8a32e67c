# SPDX-License-Identifier: AGPL-3.0-only
# pragma version ==0.4.3
# pragma nonreentrancy on
"""
@title Bond: collateral of the operator and of providers
@custom:contract-name Bond
@license GNU Affero General Public License v3.0 only
@author Allmende
@notice An account locks collateral; leaving takes longer than an audit plus a
        dispute can, and what is leaving can still be slashed. Only a final
        dispute (a contract such as the Vault) or a vote (the governor's
        timelock) slashes; a claim waits for such a verdict, costs a stake that
        the loser pays, and lapses if nobody decides in time.
        Invariant: the collateral held equals the sum of all bonds, open stakes
        and what verdicts owe, and a slash never exceeds the bond.
        Worked number: of a bond of 100 a slash of 130 pays 100.
@custom:roles SLASHER: a contract whose disputes are final, or a vote.
              JUDGE: a vote or an arbiter; decides claims.
              DEFAULT_ADMIN: grants these; in production a timelock.
@custom:kill Nothing stops an account from leaving except open claims on it,
             and each of those lapses. Revoke SLASHER and JUDGE, and within
             `unbonding` plus `judging` everyone is out in full.
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

struct Collateral:
    bonded: uint256  # base units that secure, those that are leaving included
    leaving: uint256  # of these, how many may be taken out...
    leaves_at: uint256  # ...from this second on
    claimed: uint256  # sum of open claims

struct Claim:
    claimant: address
    accused: address
    amount: uint256
    stake: uint256
    evidence: bytes32
    lapses_at: uint256

event Bonded:
    account: indexed(address)
    amount: uint256

event Leaving:
    account: indexed(address)
    amount: uint256
    leaves_at: uint256

event Released:
    account: indexed(address)
    amount: uint256

event Slashed:
    account: indexed(address)
    amount: uint256
    beneficiary: indexed(address)

event Claimed:
    number: indexed(uint256)
    claimant: indexed(address)
    accused: indexed(address)
    amount: uint256
    evidence: bytes32

event ClaimEnded:
    number: indexed(uint256)
    upheld: bool
    paid: uint256

SLASHER: public(constant(bytes32)) = keccak256("SLASHER")
JUDGE: public(constant(bytes32)) = keccak256("JUDGE")
STAKE_PARTS: constant(uint256) = 20  # a claim stakes 1/20 of its amount, rounded up

token: public(immutable(address))
unbonding: public(immutable(uint256))  # seconds
judging: public(immutable(uint256))  # seconds until a claim lapses

collateral: public(HashMap[address, Collateral])
claims: public(HashMap[uint256, Claim])
claim_count: public(uint256)
owed: public(HashMap[address, uint256])  # by verdicts, not yet collected
held: public(uint256)  # base units: the sum of all bonds, open stakes and what is owed


@deploy
def __init__(token_: address, audit: uint256, dispute: uint256, judging_: uint256, unbonding_: uint256):
    """
    @param audit Seconds in which a receipt may still be checked.
    @param dispute Seconds that the longest dispute can take, the Vault's windows included.
    @param judging_ Seconds in which a claim must be decided.
    @param unbonding_ Seconds from asking to leaving; more than the others together.
    """
    assert unbonding_ > audit + dispute, "bond: leaves before the dispute ends"
    access_control.__init__()
    token = token_
    unbonding = unbonding_
    judging = judging_


@external
def bond(account: address, amount: uint256):
    """
    @notice Locks the caller's `amount` as collateral of `account`.
    """
    assert amount > 0, "bond: nothing"
    tokens._pull(token, msg.sender, amount)
    self.held += amount
    self.collateral[account].bonded += amount
    log Bonded(account=account, amount=amount)


@external
def leave(amount: uint256):
    """
    @notice Announces that `amount` of the caller's bond is leaving; replaces an
            earlier announcement and starts its time afresh. 0 calls it off.
    """
    mine: Collateral = self.collateral[msg.sender]
    assert amount <= mine.bonded, "bond: more than is bonded"
    self.collateral[msg.sender].leaving = amount
    self.collateral[msg.sender].leaves_at = block.timestamp + unbonding
    log Leaving(account=msg.sender, amount=amount, leaves_at=block.timestamp + unbonding)


@external
def release():
    """
    @notice Takes out what was announced, once its time is over. What open
            claims ask for stays.
    """
    mine: Collateral = self.collateral[msg.sender]
    assert mine.leaving > 0, "bond: nothing is leaving"
    assert block.timestamp >= mine.leaves_at, "bond: still unbonding"
    kept: uint256 = min(mine.claimed, mine.bonded)
    amount: uint256 = min(mine.leaving, mine.bonded - kept)
    assert amount > 0, "bond: under claim"
    self.collateral[msg.sender].leaving = mine.leaving - amount
    self.collateral[msg.sender].bonded = mine.bonded - amount
    self.held -= amount
    tokens._push(token, msg.sender, amount)
    log Released(account=msg.sender, amount=amount)


@external
@view
def secures(account: address) -> uint256:
    """
    @notice Base units of an account's bond that are not leaving. Open claims do
            not count: a slash comes before them, and who only claims must not
            be able to keep an operator's batches back.
    """
    its: Collateral = self.collateral[account]
    return its.bonded - its.leaving


@external
def slash(account: address, amount: uint256, beneficiary: address) -> uint256:
    """
    @notice Pays up to `amount` out of a bond. Only a final dispute or a vote.
    @return What was paid: never more than the bond.
    """
    access_control._check_role(SLASHER, msg.sender)
    paid: uint256 = self._slash(account, amount, beneficiary)
    self.held -= paid
    if paid > 0:
        tokens._push(token, beneficiary, paid)
    return paid


@external
def claim(accused: address, amount: uint256, evidence: bytes32) -> uint256:
    """
    @notice Asks for `amount` of another's bond and stakes a twentieth of it.
            The claimed part cannot leave until the verdict, or until the claim
            lapses; what has finished unbonding cannot be claimed any more, so
            nobody is kept in by one claim after another.
    @param evidence The hash of what the judge is to see.
    @return The claim's number.
    """
    its: Collateral = self.collateral[accused]
    gone: uint256 = its.leaving if block.timestamp >= its.leaves_at else 0
    assert 0 < amount and its.claimed + amount + gone <= its.bonded, "bond: not its size"
    stake: uint256 = (amount + STAKE_PARTS - 1) // STAKE_PARTS
    tokens._pull(token, msg.sender, stake)
    self.held += stake
    self.collateral[accused].claimed += amount
    self.claim_count += 1
    self.claims[self.claim_count] = Claim(
        claimant=msg.sender,
        accused=accused,
        amount=amount,
        stake=stake,
        evidence=evidence,
        lapses_at=block.timestamp + judging,
    )
    log Claimed(number=self.claim_count, claimant=msg.sender, accused=accused, amount=amount, evidence=evidence)
    return self.claim_count


@external
def judge(number: uint256, upheld: bool):
    """
    @notice Ends a claim: upheld pays the claimant and returns the stake,
            rejected gives the stake to the accused.
    """
    access_control._check_role(JUDGE, msg.sender)
    found: Claim = self._end(number)
    assert block.timestamp < found.lapses_at, "bond: lapsed"
    paid: uint256 = 0
    if upheld:
        paid = self._slash(found.accused, found.amount, found.claimant)
        self.owed[found.claimant] += paid + found.stake
    else:
        self.owed[found.accused] += found.stake
    log ClaimEnded(number=number, upheld=upheld, paid=paid)


@external
def lapse(number: uint256):
    """
    @notice Ends a claim that nobody decided in time; the stake returns.
    """
    found: Claim = self._end(number)
    assert block.timestamp >= found.lapses_at, "bond: not lapsed"
    self.owed[found.claimant] += found.stake
    log ClaimEnded(number=number, upheld=False, paid=0)


@external
def collect():
    """
    @notice Takes out what verdicts gave the caller. Pulled and not pushed, so
            that nobody can block a verdict by refusing its money.
    """
    amount: uint256 = self.owed[msg.sender]
    assert amount > 0, "bond: nothing owed"
    self.owed[msg.sender] = 0
    self.held -= amount
    tokens._push(token, msg.sender, amount)


@internal
def _end(number: uint256) -> Claim:
    found: Claim = self.claims[number]
    assert found.claimant != empty(address), "bond: no such claim"
    self.claims[number] = empty(Claim)
    self.collateral[found.accused].claimed -= found.amount
    return found


@internal
def _slash(account: address, amount: uint256, beneficiary: address) -> uint256:
    its: Collateral = self.collateral[account]
    paid: uint256 = min(amount, its.bonded)
    self.collateral[account].bonded = its.bonded - paid
    self.collateral[account].leaving = min(its.leaving, its.bonded - paid)
    log Slashed(account=account, amount=paid, beneficiary=beneficiary)
    return paid
