# SPDX-License-Identifier: AGPL-3.0-only
# pragma version ==0.4.3
# pragma nonreentrancy on
"""
@title Bridge: one side of a federated lock and mint between two chains
@custom:contract-name Bridge
@license GNU Affero General Public License v3.0 only
@author Allmende
@notice Home locks an ERC-20, away mints as much of a wrapped Credit that this
        contract has created and alone can mint. What left here is paid there
        on the word of `threshold` of the validators, once and before its
        deadline; what was not paid there by then returns here, by their word
        again. It is federated and nothing better: so many validators together
        can take whatever is locked, day by day within the limits.
        Invariant: with honest validators, locked at home = minted away + what
        is on its way, so minted never exceeds locked.
        Worked number: 2 of 3 validators, a limit of 100 per day: 60 leave at
        23:59, and of 60 more at 00:01 the second 20 are refused.
@custom:roles validators: attest; they are no role, but part of the rules.
              GUARDIAN: pauses, shortly and seldom, and ends a pause.
              DEFAULT_ADMIN: links the two sides once, proposes rules (they
              hold after `delay`), ends a pause, grants roles; in production
              the Assembly or a Safe.
@custom:kill Nobody can take the locked tokens out but by attested transfers.
             If the validators are gone for good the admin proposes others.
"""

import tokens
from ethereum.ercs import IERC20
from snekmate.auth import access_control
from snekmate.utils import ecdsa
from snekmate.utils import eip712_domain_separator as eip712

initializes: access_control
initializes: eip712

exports: (
    eip712.eip712Domain,
    access_control.supportsInterface,
    access_control.hasRole,
    access_control.grantRole,
    access_control.revokeRole,
    access_control.renounceRole,
    access_control.getRoleAdmin,
    access_control.DEFAULT_ADMIN_ROLE,
)

interface Wrapped:
    def mint(owner: address, amount: uint256): nonpayable
    def burn_from(owner: address, amount: uint256): nonpayable

struct Terms:
    validity: uint256  # seconds from leaving here to the last one in which it is paid there
    delay: uint256  # seconds from proposing rules until they can hold
    pause_max: uint256  # seconds
    pause_gap: uint256  # seconds from a pause's end to the next one

struct Rules:
    validators: DynArray[address, VALIDATORS_MAX]  # ascending
    threshold: uint256  # so many of them attest: more than half
    per_transfer: uint256  # base units
    per_day: uint256  # base units in any 24 hours, out and in each

struct Transfer:
    nonce: uint256  # counted by the side that it leaves
    sender: address
    to: address
    amount: uint256  # base units
    deadline: uint256  # last second in which it is paid

event Linked:
    chain_id: uint256
    peer: address

event Departed:
    nonce: indexed(uint256)
    sender: indexed(address)
    to: indexed(address)
    amount: uint256
    deadline: uint256

event Arrived:
    nonce: indexed(uint256)
    sender: indexed(address)
    to: indexed(address)
    amount: uint256

event Refunded:
    nonce: indexed(uint256)
    sender: indexed(address)
    amount: uint256

event Proposed:
    rules: bytes32
    holds_from: uint256
    validators: DynArray[address, VALIDATORS_MAX]
    threshold: uint256
    per_transfer: uint256
    per_day: uint256

event Dropped:
    rules: bytes32

event Changed:
    rules: bytes32

event Paused:
    until: uint256

event Unpaused:
    by: indexed(address)

GUARDIAN: public(constant(bytes32)) = keccak256("GUARDIAN")
VALIDATORS_MAX: constant(uint256) = 16
CODE_MAX: constant(uint256) = 24_576  # bytes of the wrapped token's creation
AMOUNT_MAX: constant(uint256) = 2**128 - 1  # base units: sums of days never overflow
SPAN: constant(uint256) = 14_400  # seconds; the day's limit is kept in spans
SPANS: constant(uint256) = 7  # any 24 hours touch no more
ARRIVAL_TYPEHASH: constant(bytes32) = keccak256(
    "Arrival(uint256 sourceChain,address source,uint256 nonce,address token,address sender,address to,uint256 amount,uint256 deadline)"
)
REFUND_TYPEHASH: constant(bytes32) = keccak256(
    "Refund(uint256 targetChain,address target,uint256 nonce,address token,address sender,uint256 amount)"
)

token: public(immutable(address))
home: public(immutable(bool))  # True locks and unlocks, False mints and burns
terms: public(immutable(Terms))

peer_chain: public(uint256)  # id of the other side's chain...
peer: public(address)  # ...and its contract; set once
rules: Rules
proposed: public(bytes32)  # hash of the rules that are proposed, empty for none
holds_from: public(uint256)  # second from which they can hold
outstanding: public(uint256)  # base units locked at home, or minted away
departures: public(HashMap[uint256, bytes32])  # nonce -> hash of what left; empty: none, or refunded
departure_count: public(uint256)
arrived: public(HashMap[uint256, bool])  # by the other side's nonce
moved: HashMap[bool, HashMap[uint256, uint256]]  # inwards? -> span -> base units
paused_until: public(uint256)
pausable_from: public(uint256)


@deploy
def __init__(token_: address, wrapped: Bytes[CODE_MAX], terms_: Terms, rules: Rules):
    """
    @param token_ At home what is locked; away empty.
    @param wrapped Away the creation code of Credit with its arguments: this
           contract creates it, so nobody else ever mints it. At home empty.
    @param terms_ Windows in seconds, for good.
    @param rules The first ones hold at once.
    """
    assert terms_.validity > terms_.pause_max and terms_.pause_gap >= terms_.pause_max, "bridge: terms"
    assert (token_ == empty(address)) == (len(wrapped) > 0), "bridge: home or away"
    access_control.__init__()
    eip712.__init__("Allmende Bridge", "1")
    self._check(rules)
    self.rules = rules
    terms = terms_
    home = len(wrapped) == 0
    found: address = token_
    if len(wrapped) > 0:
        found = raw_create(wrapped)
    assert found.is_contract, "bridge: no token"
    token = found


@external
def link(chain_id: uint256, peer_: address):
    """
    @notice Says where the other side is, once and for good. Nothing moves
            before. A peer that is the wrong one pays nothing and is paid nothing.
    """
    access_control._check_role(access_control.DEFAULT_ADMIN_ROLE, msg.sender)
    assert self.peer == empty(address), "bridge: linked"
    assert peer_ != empty(address) and chain_id != 0, "bridge: no peer"
    # one account may have put up both, each as its first, so that both have the same address
    assert chain_id != chain.id or peer_ != self, "bridge: no peer"
    self.peer_chain = chain_id
    self.peer = peer_
    log Linked(chain_id=chain_id, peer=peer_)


# Transfers


@external
def depart(to: address, amount: uint256) -> uint256:
    """
    @notice Locks (home) or burns (away) the caller's `amount`, to be paid to
            `to` on the other side within `validity` seconds. The caller has
            approved this contract.
    @return The transfer's nonce.
    """
    self._open()
    assert to != empty(address) and amount > 0, "bridge: nothing, or to nobody"
    assert amount <= self.rules.per_transfer, "bridge: over the transfer's limit"
    self._count(False, amount)
    nonce: uint256 = self.departure_count + 1
    deadline: uint256 = block.timestamp + terms.validity
    self.departure_count = nonce
    self.departures[nonce] = keccak256(abi_encode(nonce, msg.sender, to, amount, deadline))
    if home:
        self.outstanding += amount
        tokens._pull(token, msg.sender, amount)
    else:
        self.outstanding -= amount
        extcall Wrapped(token).burn_from(msg.sender, amount)
    log Departed(nonce=nonce, sender=msg.sender, to=to, amount=amount, deadline=deadline)
    return nonce


@external
def arrive(transfer: Transfer, signatures: DynArray[Bytes[65], VALIDATORS_MAX]):
    """
    @notice Pays what left the other side. Anyone may bring the signatures.
    @param signatures Of at least `threshold` validators over `Arrival`, in the
           ascending order of their addresses.
    """
    self._open()
    assert not self.arrived[transfer.nonce], "bridge: paid already"
    assert block.timestamp <= transfer.deadline, "bridge: expired"
    assert transfer.amount <= self.rules.per_transfer, "bridge: over the transfer's limit"
    self._attested(
        keccak256(
            abi_encode(
                ARRIVAL_TYPEHASH,
                self.peer_chain,
                self.peer,
                transfer.nonce,
                token,
                transfer.sender,
                transfer.to,
                transfer.amount,
                transfer.deadline,
            )
        ),
        signatures,
    )
    self._count(True, transfer.amount)
    self.arrived[transfer.nonce] = True
    self._pay(transfer.to, transfer.amount)
    log Arrived(nonce=transfer.nonce, sender=transfer.sender, to=transfer.to, amount=transfer.amount)


@external
def refund(transfer: Transfer, signatures: DynArray[Bytes[65], VALIDATORS_MAX]):
    """
    @notice Returns to its sender what left here and was not paid in time.
            Validators sign `Refund` when a final block of the other side is
            later than the deadline and it was not paid there: then it never can be.
    @dev No limit per transfer: limits may have been lowered since. For the same
         reason one that is larger than a day's limit counts as a whole day.
    """
    self._open()
    assert self.departures[transfer.nonce] == keccak256(
        abi_encode(transfer.nonce, transfer.sender, transfer.to, transfer.amount, transfer.deadline)
    ), "bridge: no such transfer"
    assert block.timestamp > transfer.deadline, "bridge: not expired"
    self._attested(
        keccak256(
            abi_encode(
                REFUND_TYPEHASH,
                self.peer_chain,
                self.peer,
                transfer.nonce,
                token,
                transfer.sender,
                transfer.amount,
            )
        ),
        signatures,
    )
    self._count(True, min(transfer.amount, self.rules.per_day))
    self.departures[transfer.nonce] = empty(bytes32)
    self._pay(transfer.sender, transfer.amount)
    log Refunded(nonce=transfer.nonce, sender=transfer.sender, amount=transfer.amount)


# Rules


@external
def propose(rules: Rules):
    """
    @notice Other validators, threshold and limits, to hold after `delay`;
            replaces what was proposed before.
    """
    access_control._check_role(access_control.DEFAULT_ADMIN_ROLE, msg.sender)
    self._check(rules)
    self.proposed = keccak256(abi_encode(rules))
    self.holds_from = block.timestamp + terms.delay
    log Proposed(
        rules=self.proposed,
        holds_from=self.holds_from,
        validators=rules.validators,
        threshold=rules.threshold,
        per_transfer=rules.per_transfer,
        per_day=rules.per_day,
    )


@external
def drop():
    """
    @notice Takes back what was proposed.
    """
    access_control._check_role(access_control.DEFAULT_ADMIN_ROLE, msg.sender)
    assert self.proposed != empty(bytes32), "bridge: nothing proposed"
    log Dropped(rules=self.proposed)
    self.proposed = empty(bytes32)


@external
def change(rules: Rules):
    """
    @notice Makes the proposed rules hold, once their delay is over. Anyone may.
    """
    assert self.proposed != empty(bytes32), "bridge: nothing proposed"
    assert self.proposed == keccak256(abi_encode(rules)), "bridge: not what was proposed"
    assert block.timestamp >= self.holds_from, "bridge: too soon"
    self.proposed = empty(bytes32)
    self.rules = rules
    log Changed(rules=keccak256(abi_encode(rules)))


@external
@view
def the_rules() -> Rules:
    """
    @notice Those that hold now.
    """
    return self.rules


@external
@view
def day_left(inwards: bool) -> uint256:
    """
    @notice Base units that may still go that way now.
    """
    used: uint256 = self._moved(inwards)
    return self.rules.per_day - min(used, self.rules.per_day)


# Pause


@external
def pause():
    """
    @notice The guardian stops all transfers for `pause_max` seconds, and
            cannot again for `pause_gap` after that. Nothing expires by it that
            could not be paid before or returns after.
    """
    access_control._check_role(GUARDIAN, msg.sender)
    assert block.timestamp >= self.pausable_from, "bridge: too soon"
    self.paused_until = block.timestamp + terms.pause_max
    self.pausable_from = self.paused_until + terms.pause_gap
    log Paused(until=self.paused_until)


@external
def unpause():
    """
    @notice Guardian or admin end a pause early; the next one is no sooner for it.
    """
    if not access_control.hasRole[GUARDIAN][msg.sender]:
        access_control._check_role(access_control.DEFAULT_ADMIN_ROLE, msg.sender)
    assert block.timestamp < self.paused_until, "bridge: not paused"
    self.paused_until = block.timestamp
    log Unpaused(by=msg.sender)


# Internal


@internal
@view
def _open():
    assert self.peer != empty(address), "bridge: not linked"
    assert block.timestamp >= self.paused_until, "bridge: paused"


@internal
@view
def _attested(struct_hash: bytes32, signatures: DynArray[Bytes[65], VALIDATORS_MAX]):
    assert len(signatures) >= self.rules.threshold, "bridge: too few signatures"
    digest: bytes32 = eip712._hash_typed_data_v4(struct_hash)
    last: uint256 = 0
    for signature: Bytes[65] in signatures:
        assert len(signature) == 65, "bridge: no signature"
        signer: address = ecdsa._recover_sig(digest, signature)
        assert convert(signer, uint256) > last, "bridge: signers not ascending"
        assert signer in self.rules.validators, "bridge: not a validator"
        last = convert(signer, uint256)


@internal
def _count(inwards: bool, amount: uint256):
    assert self._moved(inwards) + amount <= self.rules.per_day, "bridge: over the day's limit"
    self.moved[inwards][block.timestamp // SPAN] += amount


@internal
@view
def _moved(inwards: bool) -> uint256:
    span: uint256 = block.timestamp // SPAN
    total: uint256 = 0
    for back: uint256 in range(SPANS):
        total += self.moved[inwards][span - back]
    return total


@internal
def _pay(to: address, amount: uint256):
    if home:
        assert amount <= self.outstanding, "bridge: more than is locked"
        self.outstanding -= amount
        tokens._push(token, to, amount)
    else:
        self.outstanding += amount
        extcall Wrapped(token).mint(to, amount)


@internal
@pure
def _check(rules: Rules):
    assert rules.threshold <= len(rules.validators), "bridge: threshold"
    assert 2 * rules.threshold > len(rules.validators), "bridge: threshold"
    assert 0 < rules.per_transfer and rules.per_transfer <= rules.per_day, "bridge: limits"
    assert rules.per_day <= AMOUNT_MAX, "bridge: limits"
    last: uint256 = 0
    for validator: address in rules.validators:
        assert convert(validator, uint256) > last, "bridge: validators not ascending"
        last = convert(validator, uint256)
