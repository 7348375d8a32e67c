# SPDX-License-Identifier: AGPL-3.0-only
# pragma version ==0.4.3
# pragma optimize codesize
# pragma nonreentrancy on
"""
@title Assembly: proposals, votes in two chambers, a timelock, decisions
@custom:contract-name Assembly
@license GNU Affero General Public License v3.0 only
@author Allmende
@notice What is proposed belongs to a class (ordinary, money, ... the last is
        the mission), and the class says which chambers decide, with which
        quorum and threshold, how long is voted and how long passes until it
        holds. The chamber of stake counts shares that stay locked to the
        proposal's end, or their square root by member; the chamber of members
        counts heads, by a credential that a registrar signed. The mission needs
        both, a supermajority and a delay that is never shorter than it was.
        A call to a contract, to this one too, is of the mission unless a
        decision of that class said otherwise. Nobody can change or undo a vote.
        Decisions about parameters and grants are numbered; the desk takes them
        in that order, once each. core/tally.py is this rule in a few lines.
        Invariant: what was voted never exceeds the locked stake, nor heads the
        members. Worked number: of 100 staked, 30 yes and 10 no; quorum 20 %,
        more than half: passed in the chamber of stake.
@custom:roles REGISTRAR: signs credentials and strikes members. It is trusted
              for one member one vote, and for nothing else. DEFAULT_ADMIN:
              grants it; this contract itself, once it is handed over.
@custom:kill There is none. Without a registrar no member joins any more; those
             that are there vote until their credentials expire.
"""

import tokens
from snekmate.auth import access_control
from snekmate.utils import ecdsa
from snekmate.utils import eip712_domain_separator as eip712

initializes: access_control
initializes: eip712
exports: (
    access_control.hasRole,
    access_control.grantRole,
    access_control.revokeRole,
    access_control.renounceRole,
    access_control.getRoleAdmin,
    access_control.DEFAULT_ADMIN_ROLE,
    eip712.eip712Domain,
)

interface IStake:
    def votes(account: address) -> uint256: view
    def staked() -> uint256: view
    def lock(voter: address, until: uint256): nonpayable

struct Terms:
    chambers: uint8  # 1 by stake, 2 by members, 3 both
    quadratic: bool  # the chamber of stake counts square roots, by member
    stake_quorum_ppm: uint256  # of what was staked when it was proposed...
    stake_least: uint256  # ...and not less than these base units
    member_quorum_ppm: uint256  # of the members that there were then...
    members_least: uint256  # ...and not fewer than these
    threshold_ppm: uint256  # more than this part of yes and no is yes
    voting: uint256  # seconds
    delay: uint256  # seconds from the end of voting to the execution
    window: uint256  # seconds in which it can be executed

struct Rule:
    name: String[64]  # of a parameter at the desk
    unit: String[16]
    rank: uint8
    least: uint256
    most: uint256

struct Bounds:
    unit: String[16]
    ranked: uint256  # one more than the class; 0 is no parameter
    least: uint256
    most: uint256

struct Call:
    target: address
    data: Bytes[1024]

struct Proposal:
    kind: uint8
    rank: uint8
    state: uint8  # OPEN, QUEUED, EXECUTED or CANCELLED; see `status`
    proposer: address
    opened: uint256
    ends: uint256  # second from which nobody votes any more
    eta: uint256  # second from which it may be executed
    expires: uint256  # second from which it may not
    staked: uint256  # when it was proposed
    members: uint256  # likewise
    deposit: uint256  # that is still here
    name: String[64]  # of a parameter, or the member of a grant
    value: uint256  # of the parameter, or pico-credits of the grant
    effective: uint256  # second from which a parameter holds; if earlier, the execution
    content: bytes32  # hash of the calls, or of the text

struct Count:
    turnout: uint256  # staked base units, or heads
    yes: uint256  # by weight
    no: uint256

struct Member:
    wallet: address
    expiry: uint256  # second from which it does not vote; later credentials only

# Texts are bytes in events: what is no UTF-8 must not keep anybody from reading the others.
event Proposed:
    number: indexed(uint256)
    proposer: indexed(address)
    kind: uint8
    rank: uint8
    name: Bytes[64]
    value: uint256
    effective: uint256
    calls: DynArray[Call, 4]
    text: Bytes[512]
    staked: uint256
    members: uint256
    opened: uint256
    terms: Terms

event Voted:
    number: indexed(uint256)
    voter: indexed(address)
    member: indexed(bytes32)  # none if he voted as a holder of stake only
    choice: uint8
    by_stake: bool  # whether this vote counts in the chamber of stake...
    by_member: bool  # ...and in that of members
    stake: uint256  # base units

event Cancelled:
    number: indexed(uint256)

event Queued:
    number: indexed(uint256)
    eta: uint256
    expires: uint256

event Executed:
    number: indexed(uint256)

event Decided:
    number: indexed(uint256)  # of the decision: 1, 2, 3 ...
    proposal: indexed(uint256)
    kind: uint8
    name: Bytes[64]
    value: uint256
    effective: uint256

event Enrolled:
    member: indexed(bytes32)
    wallet: indexed(address)
    expiry: uint256

event Struck:
    member: indexed(bytes32)

event Ruled:
    name: Bytes[64]
    rank: uint8
    least: uint256
    most: uint256

event Classed:
    rank: uint8
    terms: Terms

event CallClassed:
    target: indexed(address)
    selector: bytes4
    rank: uint8

event MissionSet:
    mission: bytes32

event DepositSettled:
    number: indexed(uint256)
    to: indexed(address)
    amount: uint256

REGISTRAR: public(constant(bytes32)) = keccak256("REGISTRAR")
CREDENTIAL_TYPEHASH: constant(bytes32) = keccak256(
    "Credential(bytes32 member,address wallet,uint256 expiry)"
)
PPM: constant(uint256) = 1_000_000
SPAN_MAX: constant(uint256) = 365 * 86_400  # seconds from proposing to executing; Stake locks 400 days
AHEAD_MAX: constant(uint256) = 3650 * 86_400  # seconds until a parameter holds
SUPERMAJORITY_PPM: constant(uint256) = 666_666  # that the mission needs at least

PARAMETER: constant(uint8) = 1
GRANT: constant(uint8) = 2
CALLS: constant(uint8) = 3
TEXT: constant(uint8) = 4

OPEN: constant(uint8) = 0
QUEUED: constant(uint8) = 1
EXECUTED: constant(uint8) = 2
CANCELLED: constant(uint8) = 3
PASSED: constant(uint8) = 4
DEFEATED: constant(uint8) = 5
EXPIRED: constant(uint8) = 6

STAKE: constant(uint8) = 1
MEMBERS: constant(uint8) = 2
NO: constant(uint8) = 0
YES: constant(uint8) = 1
ABSTAIN: constant(uint8) = 2

stake: public(immutable(address))
token: public(immutable(address))  # of deposits
commons: public(immutable(address))  # gets the deposits of what nobody came to vote on
deposit: public(immutable(uint256))  # base units
propose_least: public(immutable(uint256))  # votes by stake; a member needs none
money: public(immutable(uint8))  # the class of grants

classes: public(DynArray[Terms, 8])
rules: public(HashMap[String[64], Bounds])
call_classes: HashMap[address, HashMap[bytes4, uint256]]  # one more than the class
mission: public(bytes32)  # hash of the market's mission as a text

proposals: public(HashMap[uint256, Proposal])
terms: public(HashMap[uint256, Terms])  # as they were when it was proposed
counts: public(HashMap[uint256, HashMap[uint8, Count]])  # number -> chamber
voted: public(HashMap[uint256, HashMap[uint8, HashMap[bytes32, bool]]])  # wallet or member
proposal_count: public(uint256)
decision_count: public(uint256)

members: public(HashMap[bytes32, Member])
member_of: public(HashMap[address, bytes32])
member_count: public(uint256)


@deploy
def __init__(
    stake_: address,
    token_: address,
    commons_: address,
    deposit_: uint256,
    propose_least_: uint256,
    money_: uint8,
    mission_: bytes32,
    classes_: DynArray[Terms, 8],
    rules_: DynArray[Rule, 64],
):
    """
    @notice The deployer is the first admin: it grants REGISTRAR, grants
            DEFAULT_ADMIN to this contract and renounces its own.
    @param money_ The class of grants out of the commons.
    @param mission_ Hash of a text; only the last class changes it.
    @param classes_ From ordinary to the mission, which is the last.
    @param rules_ The desk's parameters with their classes and bounds.
    """
    assert stake_.is_contract and token_.is_contract, "assembly: no contract"
    access_control.__init__()
    eip712.__init__("Allmende Assembly", "1")
    stake = stake_
    token = token_
    commons = commons_
    deposit = deposit_
    propose_least = propose_least_
    money = money_
    self.mission = mission_
    assert len(classes_) > 1 and convert(money_, uint256) < len(classes_), "assembly: no such class"
    for its: Terms in classes_:
        self._require_sound(its)
        self.classes.append(its)
    self._require_mission(classes_[len(classes_) - 1], 0)
    for its: Rule in rules_:
        self._rule(its)


# Members ---------------------------------------------------------------------------------


@external
def enrol(member: bytes32, expiry: uint256, signature: Bytes[65]):
    """
    @notice The caller votes as `member`, by a registrar's signature over
            Credential(member, wallet, expiry) in this contract's domain. A
            later expiry replaces an earlier one, which is void then: so a
            member changes wallets, and has one at any time.
    @param member A salted hash; who it is stays with the registrar.
    """
    assert block.timestamp < expiry, "assembly: credential expired"
    assert member != empty(bytes32), "assembly: no member"
    its: Member = self.members[member]
    assert expiry > its.expiry, "assembly: credential replaced"
    other: bytes32 = self.member_of[msg.sender]
    assert other == empty(bytes32) or other == member, "assembly: wallet of another member"
    digest: bytes32 = eip712._hash_typed_data_v4(
        keccak256(abi_encode(CREDENTIAL_TYPEHASH, member, msg.sender, expiry))
    )
    signer: address = ecdsa._recover_sig(digest, signature)
    assert signer != empty(address), "assembly: malformed signature"
    assert access_control.hasRole[REGISTRAR][signer], "assembly: not by a registrar"
    if its.wallet == empty(address):
        self.member_count += 1
    else:
        self.member_of[its.wallet] = empty(bytes32)
    self.member_of[msg.sender] = member
    self.members[member] = Member(wallet=msg.sender, expiry=expiry)
    log Enrolled(member=member, wallet=msg.sender, expiry=expiry)


@external
def strike(member: bytes32):
    """
    @notice Takes a member off the roll: a registrar at any time, anyone once
            its credential has expired. What it voted stands.
    """
    its: Member = self.members[member]
    assert its.wallet != empty(address), "assembly: no member"
    if block.timestamp < its.expiry:
        access_control._check_role(REGISTRAR, msg.sender)
    self.member_of[its.wallet] = empty(bytes32)
    self.members[member].wallet = empty(address)  # the expiry stays: old credentials are void
    self.member_count -= 1
    log Struck(member=member)


# Proposing -------------------------------------------------------------------------------


@external
def propose_parameter(name: String[64], setting: uint256, effective: uint256, text: String[512]) -> uint256:
    """
    @notice Proposes to set a parameter of the market, within its bounds.
    @param setting What it is set to.
    @param effective Second from which it holds; 0 is at its execution.
    @param text What for, or where it is discussed.
    @return The proposal's number.
    """
    rule: Bounds = self.rules[name]
    assert rule.ranked > 0, "assembly: no such parameter"
    assert effective <= block.timestamp + AHEAD_MAX, "assembly: too far ahead"
    if setting < rule.least or setting > rule.most:
        said: String[256] = concat(
            name, " is ", uint2str(rule.least), " to ", uint2str(rule.most), " ", rule.unit, "."
        )
        raise said
    nothing: DynArray[Call, 4] = []
    return self._propose(PARAMETER, convert(rule.ranked - 1, uint8), name, setting, effective, nothing, text)


@external
def propose_grant(member: String[64], amount: uint256, text: String[512]) -> uint256:
    """
    @notice Proposes to give `amount` pico-credits of the commons to a member of
            the market.
    """
    assert len(member) > 0, "assembly: no member"
    assert amount > 0, "assembly: nothing"
    nothing: DynArray[Call, 4] = []
    return self._propose(GRANT, money, member, amount, 0, nothing, text)


@external
def propose_calls(calls: DynArray[Call, 4], text: String[512]) -> uint256:
    """
    @notice Proposes calls to contracts, made by this one, all or none.
    """
    assert len(calls) > 0, "assembly: nothing"
    rank: uint8 = 0
    for call: Call in calls:
        assert call.target.is_contract, "assembly: no contract"
        rank = max(rank, self._class_of(call))
    return self._propose(CALLS, rank, "", 0, 0, calls, text)


@external
def propose_text(rank: uint8, text: String[512]) -> uint256:
    """
    @notice Proposes a text, which binds nobody but by its words.
    """
    assert convert(rank, uint256) < len(self.classes), "assembly: no such class"
    assert len(text) > 0, "assembly: nothing"
    nothing: DynArray[Call, 4] = []
    return self._propose(TEXT, rank, "", 0, 0, nothing, text)


@external
def cancel(number: uint256):
    """
    @notice Ends a proposal; its proposer only, before the voting ends.
    """
    its: Proposal = self._open(number)
    assert msg.sender == its.proposer, "assembly: only its proposer"
    self.proposals[number].state = CANCELLED
    log Cancelled(number=number)


# Voting ----------------------------------------------------------------------------------


@external
def vote(number: uint256, choice: uint8):
    """
    @notice Votes in every chamber that decides this proposal and in which the
            caller has a vote and has not cast it: with all stake that he votes
            with, which is locked to the proposal's end, and as a member.
    @param choice 0 no, 1 yes, 2 abstain, which counts for the quorum only.
    """
    its: Proposal = self._open(number)
    assert choice <= ABSTAIN, "assembly: no such choice"
    rule: Terms = self.terms[number]
    member: bytes32 = self._member(msg.sender)
    by_member: bool = False
    by_stake: bool = False
    has_vote: bool = False
    if rule.chambers & MEMBERS != 0 and member != empty(bytes32):
        has_vote = True
        by_member = self._once(number, MEMBERS, member)
    votes: uint256 = 0
    if rule.chambers & STAKE != 0 and (not rule.quadratic or member != empty(bytes32)):
        votes = staticcall IStake(stake).votes(msg.sender)
        if votes > 0:
            has_vote = True
            by_stake = self._once(number, STAKE, convert(msg.sender, bytes32))
            if by_stake and rule.quadratic:
                by_stake = self._once(number, STAKE, member)
    assert has_vote, "assembly: no vote here"
    assert by_member or by_stake, "assembly: voted already"
    if by_member:
        self._add(number, MEMBERS, choice, 1, 1)
    if by_stake:
        self._add(number, STAKE, choice, votes, isqrt(votes) if rule.quadratic else votes)
        extcall IStake(stake).lock(msg.sender, its.eta)
    log Voted(
        number=number,
        voter=msg.sender,
        member=member if by_member or rule.quadratic else empty(bytes32),
        choice=choice,
        by_stake=by_stake,
        by_member=by_member,
        stake=votes if by_stake else 0,
    )


@external
@view
def status(number: uint256) -> uint8:
    """
    @notice 0 open, 1 queued, 2 executed, 3 cancelled, 4 passed and not yet
            queued, 5 defeated, 6 expired.
    """
    return self._status(number)


# Deciding --------------------------------------------------------------------------------


@external
def queue(number: uint256):
    """
    @notice Says on the chain that a proposal passed. Anyone, once the voting is
            over. Its delay runs from that end, when all could know.
    """
    assert self._status(number) == PASSED, "assembly: did not pass"
    its: Proposal = self.proposals[number]
    self.proposals[number].state = QUEUED
    log Queued(number=number, eta=its.eta, expires=its.expires)


@external
def execute(number: uint256, calls: DynArray[Call, 4]):
    """
    @notice Does what was decided. Anyone, from its `eta` until it expires. If a
            call reverts nothing has happened, and it can be tried again.
    @param calls As they were proposed; none for all but calls.
    """
    assert self._status(number) == QUEUED, "assembly: not queued, or expired"
    its: Proposal = self.proposals[number]
    assert block.timestamp >= its.eta, "assembly: not yet"
    if its.kind == CALLS:
        assert keccak256(abi_encode(calls)) == its.content, "assembly: other calls"
    else:
        assert len(calls) == 0, "assembly: other calls"
    self.proposals[number].state = EXECUTED
    log Executed(number=number)
    if its.kind == PARAMETER or its.kind == GRANT:
        self.decision_count += 1
        log Decided(
            number=self.decision_count,
            proposal=number,
            kind=its.kind,
            name=convert(its.name, Bytes[64]),
            value=its.value,
            effective=max(its.effective, block.timestamp),
        )
    for call: Call in calls:
        raw_call(call.target, call.data)


@external
def settle_deposit(number: uint256):
    """
    @notice Returns a proposer's deposit once voting is over, if enough voted in
            a chamber that decides or he took it back; else the commons get it.
    """
    its: Proposal = self.proposals[number]
    assert its.deposit > 0, "assembly: nothing"
    assert its.state != OPEN or block.timestamp >= its.ends, "assembly: still open"
    rule: Terms = self.terms[number]
    to: address = commons
    if its.state == CANCELLED or self._reached(number, STAKE, rule) or self._reached(number, MEMBERS, rule):
        to = its.proposer
    self.proposals[number].deposit = 0
    tokens._push(token, to, its.deposit)
    log DepositSettled(number=number, to=to, amount=its.deposit)


# What only a decision changes: called by `execute`, and so open to it -----------------------


@external
@reentrant
def set_mission(text_hash: bytes32):
    """
    @notice The market's mission is another text.
    """
    self._only_itself()
    self.mission = text_hash
    log MissionSet(mission=text_hash)


@external
@reentrant
def set_class(rank: uint8, its: Terms):
    """
    @notice Changes what a class asks for. The mission's stays a supermajority
            of both chambers, and its delay is never shortened.
    """
    self._only_itself()
    self._require_sound(its)
    last: uint256 = len(self.classes) - 1
    if convert(rank, uint256) == last:
        self._require_mission(its, self.classes[last].delay)
    self.classes[rank] = its
    log Classed(rank=rank, terms=its)


@external
@reentrant
def set_rule(rule: Rule):
    """
    @notice Registers a parameter of the market, or changes its class or bounds.
    """
    self._only_itself()
    self._rule(rule)


@external
@reentrant
def set_call_class(target: address, selector: bytes4, rank: uint8):
    """
    @notice From now on such calls are of this class and not of the mission.
            Calls to this contract and to the stake always are.
    """
    self._only_itself()
    assert convert(rank, uint256) < len(self.classes), "assembly: no such class"
    assert target != self and target != stake, "assembly: of the mission"
    self.call_classes[target][selector] = convert(rank, uint256) + 1
    log CallClassed(target=target, selector=selector, rank=rank)


# Within ----------------------------------------------------------------------------------


@internal
def _propose(
    kind: uint8,
    rank: uint8,
    name: String[64],
    amount: uint256,
    effective: uint256,
    calls: DynArray[Call, 4],
    text: String[512],
) -> uint256:
    votes: uint256 = staticcall IStake(stake).votes(msg.sender)
    may: bool = votes > 0 and votes >= propose_least
    assert may or self._member(msg.sender) != empty(bytes32), "assembly: too little stake to propose"
    rule: Terms = self.classes[rank]
    self.proposal_count += 1
    number: uint256 = self.proposal_count
    ends: uint256 = block.timestamp + rule.voting
    its: Proposal = Proposal(
        kind=kind,
        rank=rank,
        state=OPEN,
        proposer=msg.sender,
        opened=block.timestamp,
        ends=ends,
        eta=ends + rule.delay,
        expires=ends + rule.delay + rule.window,
        staked=staticcall IStake(stake).staked(),
        members=self.member_count,
        deposit=deposit,
        name=name,
        value=amount,
        effective=effective,
        content=keccak256(abi_encode(calls)) if kind == CALLS else keccak256(text),
    )
    self.proposals[number] = its
    self.terms[number] = rule
    if deposit > 0:
        tokens._pull(token, msg.sender, deposit)
    log Proposed(
        number=number,
        proposer=msg.sender,
        kind=kind,
        rank=rank,
        name=convert(name, Bytes[64]),
        value=amount,
        effective=effective,
        calls=calls,
        text=convert(text, Bytes[512]),
        staked=its.staked,
        members=its.members,
        opened=block.timestamp,
        terms=rule,
    )
    return number


@internal
@view
def _open(number: uint256) -> Proposal:
    its: Proposal = self.proposals[number]
    assert its.proposer != empty(address), "assembly: no such proposal"
    assert its.state == OPEN and block.timestamp < its.ends, "assembly: voting is over"
    return its


@internal
@view
def _member(wallet: address) -> bytes32:
    """
    @notice Whose vote this wallet has; none if its credential has expired.
    """
    found: bytes32 = self.member_of[wallet]
    if found != empty(bytes32) and block.timestamp < self.members[found].expiry:
        return found
    return empty(bytes32)


@internal
def _once(number: uint256, chamber: uint8, who: bytes32) -> bool:
    """
    @notice Whether this is its first vote there; it is its last.
    """
    if self.voted[number][chamber][who]:
        return False
    self.voted[number][chamber][who] = True
    return True


@internal
def _add(number: uint256, chamber: uint8, choice: uint8, turnout: uint256, weight: uint256):
    self.counts[number][chamber].turnout += turnout
    if choice == YES:
        self.counts[number][chamber].yes += weight
    elif choice == NO:
        self.counts[number][chamber].no += weight


@internal
@view
def _status(number: uint256) -> uint8:
    its: Proposal = self.proposals[number]
    assert its.proposer != empty(address), "assembly: no such proposal"
    if its.state == EXECUTED or its.state == CANCELLED or block.timestamp < its.ends:
        return its.state
    rule: Terms = self.terms[number]
    if not (self._passed(number, STAKE, rule) and self._passed(number, MEMBERS, rule)):
        return DEFEATED
    if block.timestamp >= its.expires:
        return EXPIRED
    return QUEUED if its.state == QUEUED else PASSED


@internal
@view
def _passed(number: uint256, chamber: uint8, rule: Terms) -> bool:
    """
    @notice Whether a chamber agrees; one that has no say does.
    """
    if rule.chambers & chamber == 0:
        return True
    found: Count = self.counts[number][chamber]
    enough: bool = found.yes * PPM > rule.threshold_ppm * (found.yes + found.no)
    return enough and self._reached(number, chamber, rule)


@internal
@view
def _reached(number: uint256, chamber: uint8, rule: Terms) -> bool:
    """
    @notice Whether enough voted, in a chamber that has a say.
    """
    turnout: uint256 = self.counts[number][chamber].turnout
    if rule.chambers & chamber == 0 or turnout == 0:
        return False
    if chamber == STAKE:
        rather: bool = turnout * PPM >= rule.stake_quorum_ppm * self.proposals[number].staked
        return rather and turnout >= rule.stake_least
    enough: bool = turnout * PPM >= rule.member_quorum_ppm * self.proposals[number].members
    return enough and turnout >= rule.members_least


@internal
@view
def _class_of(call: Call) -> uint8:
    """
    @notice Of a call: the mission's, unless a decision said otherwise.
    """
    if len(call.data) >= 4:
        selector: bytes4 = convert(slice(call.data, 0, 4), bytes4)
        known: uint256 = self.call_classes[call.target][selector]
        if known > 0:
            return convert(known - 1, uint8)
    return convert(len(self.classes) - 1, uint8)


@internal
def _rule(rule: Rule):
    assert len(rule.name) > 0 and rule.least <= rule.most, "assembly: no such bounds"
    assert convert(rule.rank, uint256) < len(self.classes), "assembly: no such class"
    self.rules[rule.name] = Bounds(
        unit=rule.unit, ranked=convert(rule.rank, uint256) + 1, least=rule.least, most=rule.most
    )
    log Ruled(name=convert(rule.name, Bytes[64]), rank=rule.rank, least=rule.least, most=rule.most)


@internal
@view
def _only_itself():
    assert msg.sender == self, "assembly: only by a decision"


@internal
@pure
def _require_sound(its: Terms):
    """
    @notice A class under which something can be decided, but not by nobody.
    """
    assert its.chambers > 0 and its.chambers <= STAKE | MEMBERS, "assembly: no such chamber"
    assert its.stake_quorum_ppm <= PPM and its.member_quorum_ppm <= PPM, "assembly: no such quorum"
    assert its.threshold_ppm >= PPM // 2 and its.threshold_ppm < PPM, "assembly: no such threshold"
    assert its.voting > 0 and its.window > 0, "assembly: no time"
    longest: uint256 = max(max(its.voting, its.delay), its.window)
    assert longest <= SPAN_MAX and its.voting + its.delay <= SPAN_MAX, "assembly: too long"


@internal
@pure
def _require_mission(its: Terms, delay: uint256):
    both: bool = its.chambers == STAKE | MEMBERS and its.members_least > 0
    assert both and its.threshold_ppm >= SUPERMAJORITY_PPM, "assembly: the mission needs more"
    assert its.delay >= delay, "assembly: the mission takes longer"
