# SPDX-License-Identifier: AGPL-3.0-only
# pragma version ==0.4.3
# pragma nonreentrancy on
"""
@title Sale: whole shares at one price, by voucher, with a way back
@custom:contract-name Sale
@license GNU Affero General Public License v3.0 only
@author Allmende
@notice Who may buy says the market by a voucher: which person it is, of which
        state, with which wallet, until when. The person is a pseudonym, so nobody
        is named here, and one person is one whatever wallets he has.
        A purchase is undone by its buyer within `refund` seconds and pays back
        exactly what it cost. After that, if the sale reached its soft cap, it is
        completed: in one step the money goes to the commons and the shares to the
        buyer. If it did not, it is undone, by anybody and for ever. Nothing is
        decided before the last purchase can no longer be taken back.
        The counters are the law's: less than `persons_below` persons a state, who
        stay counted when they take their money back, because an offer was made to
        them; and `proceeds_max`, the euro limit at the stated rate, over the whole
        sale, which is not longer than `period`.
        `core/offering.py` is this rule once more, for desk and lab.
        Invariant: the pay units held are the sum of all open purchases, and so are
        the shares; every purchase ends once, by a refund or by its completion.
        Worked number: at a price of 2, three shares cost 6; only whole ones are
        sold, so nothing is rounded.
@custom:roles ISSUER: a key that signs vouchers. DEFAULT_ADMIN: grants it; the
              Assembly, once it is handed over. The contract needs MINTER of the share.
@custom:kill Without an ISSUER nobody buys; refunds and completions go on. Nobody
             can change a term, and nobody's money goes anywhere but back or on.
"""

import modes
import tokens
from ethereum.ercs import IERC20
from snekmate.auth import access_control
from snekmate.utils import ecdsa
from snekmate.utils import eip712_domain_separator as eip712

initializes: access_control
initializes: eip712
initializes: modes

exports: (
    modes.mode,
    eip712.eip712Domain,
    access_control.supportsInterface,
    access_control.hasRole,
    access_control.grantRole,
    access_control.revokeRole,
    access_control.renounceRole,
    access_control.getRoleAdmin,
    access_control.DEFAULT_ADMIN_ROLE,
)

interface Share:
    def mint(to: address, amount: uint256): nonpayable
    def burn(amount: uint256): nonpayable

struct Terms:
    price: uint256  # base units of the pay unit for a whole share
    soft_cap: uint256  # whole shares; 0: the sale succeeds whatever is sold
    hard_cap: uint256  # whole shares
    person_cap: uint256  # whole shares that one person may hold open or completed
    start: uint256  # second from which one may buy...
    end: uint256  # ...and before which
    refund: uint256  # seconds after a purchase to take it back
    persons_below: uint256  # persons of one state stay below it
    count_qualified: bool  # whether qualified investors are counted among them
    proceeds_max: uint256  # base units
    euro_rate: uint256  # micro-euro a whole pay unit, as stated: what proceeds_max was made with
    period: uint256  # seconds that the sale takes at most: the 12 months of the limit

struct Voucher:
    wallet: address
    person: bytes32  # pseudonym of a member, by the market
    state: bytes32  # ISO 3166-1 alpha-3, ASCII, from the left
    qualified: bool
    deadline: uint256  # last second

struct Purchase:
    buyer: address
    person: bytes32
    shares: uint256  # whole ones
    paid: uint256  # base units
    until: uint256  # last second in which the buyer may take it back
    ended: uint256  # OPEN, REFUNDED or COMPLETED

event Bought:
    number: indexed(uint256)
    buyer: indexed(address)
    person: indexed(bytes32)
    state: bytes32
    shares: uint256
    paid: uint256
    until: uint256

event Refunded:
    number: indexed(uint256)
    buyer: indexed(address)
    paid: uint256

event Completed:
    number: indexed(uint256)
    buyer: indexed(address)
    shares: uint256
    paid: uint256

ISSUER: public(constant(bytes32)) = keccak256("ISSUER")
VOUCHER_TYPEHASH: constant(bytes32) = keccak256(
    "Voucher(address wallet,bytes32 person,bytes32 state,bool qualified,uint256 deadline)"
)
OPEN: constant(uint256) = 0
REFUNDED: constant(uint256) = 1
COMPLETED: constant(uint256) = 2
ONE: constant(uint256) = 10**18  # base units of a whole share

share: public(immutable(address))
credit: public(immutable(address))  # the pay unit
beneficiary: public(immutable(address))
terms: public(immutable(Terms))

sold: public(uint256)  # whole shares, those taken back not included
raised: public(uint256)  # base units, likewise
held: public(uint256)  # base units of open purchases
count: public(uint256)  # purchases ever made; they are numbered from 1
purchases: public(HashMap[uint256, Purchase])
bought: public(HashMap[bytes32, uint256])  # person -> whole shares, those taken back not included
persons: public(HashMap[bytes32, uint256])  # state -> persons counted
counted: public(HashMap[bytes32, HashMap[bytes32, bool]])  # state -> person


@deploy
def __init__(mode_: uint8, share_: address, credit_: address, beneficiary_: address, terms_: Terms):
    """
    @param mode_ The market's; without 'sale' nobody buys.
    @param beneficiary_ Who gets the proceeds: the commons.
    """
    assert terms_.price > 0 and terms_.hard_cap > 0, "sale: nothing to sell"
    assert terms_.soft_cap <= terms_.hard_cap, "sale: the soft cap is over the hard one"
    assert terms_.start < terms_.end and terms_.end > block.timestamp, "sale: over"
    assert terms_.end - terms_.start <= terms_.period, "sale: longer than its period"
    assert terms_.hard_cap <= max_value(uint256) // ONE // terms_.price, "sale: too large"
    assert beneficiary_ != empty(address), "sale: no beneficiary"
    modes.__init__(mode_)
    access_control.__init__()
    eip712.__init__("Allmende Sale", "1")
    share = share_
    credit = credit_
    beneficiary = beneficiary_
    terms = terms_


@external
def buy(voucher: Voucher, signature: Bytes[65], shares: uint256) -> uint256:
    """
    @notice Buys whole shares for the caller, who has approved their price.
    @return The purchase's number.
    """
    modes._require_sale()
    assert block.timestamp >= terms.start, "sale: not begun"
    assert block.timestamp < terms.end, "sale: over"
    assert shares > 0, "sale: nothing"
    self._require_voucher(voucher, signature)
    assert shares <= terms.hard_cap - self.sold, "sale: over the hard cap"
    assert shares + self.bought[voucher.person] <= terms.person_cap, "sale: over the person's cap"
    self._count(voucher)
    paid: uint256 = shares * terms.price
    assert self.raised + paid <= terms.proceeds_max, "sale: over the limit of proceeds"
    self.sold += shares
    self.raised += paid
    self.held += paid
    self.bought[voucher.person] += shares
    self.count += 1
    until: uint256 = block.timestamp + terms.refund
    self.purchases[self.count] = Purchase(
        buyer=msg.sender, person=voucher.person, shares=shares, paid=paid, until=until, ended=OPEN
    )
    log Bought(
        number=self.count,
        buyer=msg.sender,
        person=voucher.person,
        state=voucher.state,
        shares=shares,
        paid=paid,
        until=until,
    )
    tokens._pull(credit, msg.sender, paid)
    extcall Share(share).mint(self, shares * ONE)
    return self.count


@external
def refund(number: uint256):
    """
    @notice Undoes a purchase: its buyer within his time; anybody, for him, once the sale failed.
    """
    found: Purchase = self._open(number)
    if not self._failed():
        assert msg.sender == found.buyer, "sale: not the buyer"
        assert block.timestamp <= found.until, "sale: too late to take back"
    self.purchases[number].ended = REFUNDED
    self.sold -= found.shares
    self.raised -= found.paid
    self.held -= found.paid
    self.bought[found.person] -= found.shares
    log Refunded(number=number, buyer=found.buyer, paid=found.paid)
    extcall Share(share).burn(found.shares * ONE)
    tokens._push(credit, found.buyer, found.paid)


@external
def complete(number: uint256):
    """
    @notice The money on to the commons, the shares to the buyer. Anybody may call.
    """
    found: Purchase = self._open(number)
    assert block.timestamp > found.until, "sale: may still be taken back"
    assert terms.soft_cap == 0 or self._decided(), "sale: not decided"
    assert not self._failed(), "sale: failed"
    self.purchases[number].ended = COMPLETED
    self.held -= found.paid
    log Completed(number=number, buyer=found.buyer, shares=found.shares, paid=found.paid)
    tokens._push(share, found.buyer, found.shares * ONE)
    tokens._push(credit, beneficiary, found.paid)


@external
@view
def decided() -> bool:
    """
    @notice Whether no purchase can be made or taken back any more, so that it is known
            whether the soft cap was reached.
    """
    return self._decided()


@external
@view
def failed() -> bool:
    return self._failed()


@internal
@view
def _decided() -> bool:
    return block.timestamp >= terms.end + terms.refund


@internal
@view
def _failed() -> bool:
    return self._decided() and self.sold < terms.soft_cap


@internal
@view
def _open(number: uint256) -> Purchase:
    found: Purchase = self.purchases[number]
    assert found.buyer != empty(address), "sale: no such purchase"
    assert found.ended == OPEN, "sale: ended already"
    return found


@internal
@view
def _require_voucher(voucher: Voucher, signature: Bytes[65]):
    assert msg.sender == voucher.wallet, "sale: another's voucher"
    assert block.timestamp <= voucher.deadline, "sale: the voucher has expired"
    digest: bytes32 = eip712._hash_typed_data_v4(
        keccak256(
            abi_encode(
                VOUCHER_TYPEHASH,
                voucher.wallet,
                voucher.person,
                voucher.state,
                voucher.qualified,
                voucher.deadline,
            )
        )
    )
    signer: address = ecdsa._recover_sig(digest, signature)
    assert access_control.hasRole[ISSUER][signer], "sale: not the market's voucher"


@internal
def _count(voucher: Voucher):
    """
    @dev Once a person and a state; never uncounted.
    """
    if self.counted[voucher.state][voucher.person] or (voucher.qualified and not terms.count_qualified):
        return
    assert self.persons[voucher.state] + 1 < terms.persons_below, "sale: no more persons of this state"
    self.persons[voucher.state] += 1
    self.counted[voucher.state][voucher.person] = True
