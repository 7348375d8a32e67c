# SPDX-License-Identifier: AGPL-3.0-only
# pragma version ==0.4.3
# pragma optimize codesize
# pragma nonreentrancy on
"""
@title Vault: custody, settlement and exit that need no trust in the operator
@custom:contract-name Vault
@license GNU Affero General Public License v3.0 only
@author Allmende
@notice Members deposit; the operator settles whole batches of requests by the
        root of a Merkle-sum tree of balances. One batch is pending at a time
        and is final when its window passed and every challenge was answered.
        A leaf is (account, balance, spent). Balance plus spent can only grow,
        by deposits and earnings, or shrink by what the account itself asked to
        take out; spent is at most what the account signed. So a wrong leaf is
        one that the operator cannot answer for, whether it is false or hidden.
        Flows are counted in epochs: a batch covers the epochs closed before it
        was built, so nothing that happens later can make it wrong.
        Invariant: what is backed covers the final balances, the deposits after
        its cut, and the withdrawals under way, and every one is paid once.
        Worked number: 10_000 requests in one batch cost one submission.
@custom:roles OPERATOR: closes epochs, submits batches, contests withdrawals.
              MARKET: the desk's key that promises earnings to providers.
              GUARDIAN: pauses, shortly and seldom.
              DEFAULT_ADMIN: grants these; in production a timelock. None of
              them can move, freeze for good or dilute what a member owns.
@custom:kill An operator that is silent for `silence` seconds, or has
             `VOIDS` batches voided without a final one between them, is closed
             out by anyone: then everyone exits with the last final root.
             There is no other end, no upgrade and no sweeping of funds.
"""

import merkle_sum
import tokens
import vouchers
from ethereum.ercs import IERC20
from snekmate.auth import access_control
from snekmate.utils import ecdsa
from snekmate.utils import eip712_domain_separator as eip712

initializes: access_control
initializes: eip712
initializes: vouchers[eip712 := eip712]
exports: (
    access_control.hasRole,
    access_control.grantRole,
    access_control.revokeRole,
    access_control.renounceRole,
    access_control.getRoleAdmin,
    access_control.DEFAULT_ADMIN_ROLE,
    eip712.eip712Domain,
    vouchers.acknowledge,
    vouchers.channel,
    vouchers.lanes,
    vouchers.signed,
    vouchers.grace,
    vouchers.LANES,
)

interface IBond:
    def token() -> address: view
    def secures(account: address) -> uint256: view
    def slash(account: address, amount: uint256, beneficiary: address) -> uint256: nonpayable

struct Terms:
    window: uint256  # seconds in which a batch can be challenged
    response: uint256  # seconds to answer a challenge
    silence: uint256  # seconds without a final batch until anyone may close
    delay: uint256  # seconds from asking to taking out
    rate_ppm: uint256  # of what is backed, per day
    rate_floor: uint256  # base units that may always leave per day
    stake: uint256  # base units that a challenge costs if it is answered
    penalty: uint256  # base units that a voided batch costs the operator
    pause_max: uint256  # seconds
    pause_gap: uint256  # seconds from a pause's end to the next one

struct Batch:
    number: uint256  # 0 is none
    root: bytes32
    total: uint256  # sum of balances
    size: uint256  # leaves
    cut: uint256  # last epoch that it covers
    receipts_root: bytes32
    receipts: uint256
    at: uint256
    operator: address

struct Challenge:
    batch: uint256
    challenger: address
    account: address
    least: uint256  # what balance plus spent must reach
    receipt: bytes32  # leaf hash that must be in a receipts' tree, or empty
    deadline: uint256

struct Withdrawal:
    account: address
    amount: uint256  # still to pay
    epoch: uint256
    at: uint256
    room: uint256  # what could be asked for then
    spent: uint256  # what the account's final leaf had spent then

struct Promise:
    provider: address
    receipt: bytes32  # the receipt's leaf hash, as in the desk's batch
    earned: uint256  # base units, cumulative, this receipt included
    by: uint256  # batches submitted from this second on have it

event Deposited:
    account: indexed(address)
    amount: uint256
    epoch: uint256

event Cut:
    epoch: indexed(uint256)

event Submitted:
    number: indexed(uint256)
    root: bytes32
    total: uint256
    size: uint256
    cut: uint256
    receipts_root: bytes32
    receipts: uint256

event Finalised:
    number: indexed(uint256)

event Challenged:
    id: indexed(uint256)
    batch: indexed(uint256)
    account: indexed(address)
    least: uint256
    receipt: bytes32
    deadline: uint256

event Answered:
    id: indexed(uint256)
    balance: uint256
    spent: uint256

event Voided:
    batch: indexed(uint256)
    challenge: indexed(uint256)
    slashed: uint256

event Asked:
    id: indexed(uint256)
    account: indexed(address)
    amount: uint256
    epoch: uint256

event Contested:
    id: indexed(uint256)
    amount: uint256

event Paid:
    id: indexed(uint256)
    account: indexed(address)
    amount: uint256

event Paused:
    until: uint256

event Closed:
    final: indexed(uint256)

event Exited:
    account: indexed(address)
    amount: uint256

OPERATOR: public(constant(bytes32)) = keccak256("OPERATOR")
MARKET: public(constant(bytes32)) = keccak256("MARKET")
GUARDIAN: public(constant(bytes32)) = keccak256("GUARDIAN")
VOIDS: public(constant(uint256)) = 3
EPOCHS: constant(uint256) = 8  # most that a final batch may lag behind
DAY: constant(uint256) = 86_400
PPM: constant(uint256) = 1_000_000
PROMISE_TYPEHASH: constant(bytes32) = keccak256(
    "Promise(address provider,bytes32 receipt,uint256 earned,uint256 by)"
)

token: public(immutable(address))
bond: public(immutable(IBond))
commons: public(immutable(address))  # gets what a penalty leaves over
terms: public(immutable(Terms))

listed: public(bool)
closed: public(bool)
paused_until: public(uint256)
epoch: public(uint256)  # open; flows go here
backed: public(uint256)  # deposited and not paid out; stakes are apart
reserved: public(uint256)  # asked for and not paid out
cover: public(uint256)  # backed less reserved when the last epoch closed

slots: Batch[3]  # 1 and 2, the final batch and the pending one, change places: nothing is copied
turn: uint256  # which of them is final; never 0, because a word that was 0 costs more
final_at: public(uint256)
batch_count: public(uint256)
voids: public(uint256)  # since the last final batch
receipts_of: public(HashMap[uint256, bytes32])  # final batch -> keccak(root, number of receipts)

deposits: public(HashMap[address, HashMap[uint256, uint256]])  # by epoch
requests: public(HashMap[address, HashMap[uint256, uint256]])  # by epoch
deposited: public(HashMap[address, uint256])  # in all
requested: public(HashMap[address, uint256])  # in all
settled: public(HashMap[address, uint256])  # spent, as shown in a final batch

challenges: public(HashMap[uint256, Challenge])
challenge_count: public(uint256)
open_challenges: public(uint256)
withdrawals: public(HashMap[uint256, Withdrawal])
withdrawal_count: public(uint256)
day_started: uint256
day_limit: uint256
day_paid: uint256
owed: public(HashMap[address, uint256])  # stakes and rewards to collect
leaf_paid: public(HashMap[address, bool])
deposits_paid: public(HashMap[address, bool])


@deploy
def __init__(token_: address, bond_: address, commons_: address, grace: uint256, terms_: Terms):
    """
    @param token_ The pay unit; must also be the bond's.
    @param bond_ The operator's collateral; must grant this contract SLASHER.
    @param commons_ Gets the half of a penalty that the challenger does not.
    @param grace Seconds in which vouchers of an expired permit may be shown.
    @param terms_ Every window and amount, for good. The operator has at least
           three whole rounds, a pause in between, before he counts as silent.
    """
    turn: uint256 = terms_.window + terms_.response
    assert terms_.window > 0 and terms_.response > 0 and terms_.stake > 0, "vault: free challenges"
    assert terms_.silence > 3 * turn + terms_.pause_max, "vault: silence too short"
    assert grace >= turn and terms_.pause_gap >= terms_.pause_max, "vault: terms"
    assert staticcall IBond(bond_).token() == token_, "vault: other collateral"
    access_control.__init__()
    eip712.__init__("Allmende Vault", "1")
    vouchers.__init__(grace)
    token = token_
    bond = IBond(bond_)
    commons = commons_
    terms = terms_
    self.epoch = 1
    self.turn = 1
    self.final_at = block.timestamp


# Listing and flows ------------------------------------------------------------------------


@external
def list_token():
    """
    @notice The admin tries the token with two of its units; one that answers
            false or keeps a fee reverts here, and nothing can be deposited.
    """
    access_control._check_role(access_control.DEFAULT_ADMIN_ROLE, msg.sender)
    assert not self.listed, "vault: listed"
    tokens._probe(token, msg.sender)
    self.listed = True
    self.final_at = block.timestamp


@external
def deposit(account: address, amount: uint256):
    """
    @notice Takes the caller's `amount` for `account`. It counts at once, in
            whatever batch is final, and cannot be left out of a later one.
    """
    self._require_open()
    assert self.listed, "vault: token not listed"
    assert amount > 0 and account != empty(address), "vault: nothing"
    tokens._pull(token, msg.sender, amount)
    self.backed += amount
    self.deposits[account][self.epoch] += amount
    self.deposited[account] += amount
    log Deposited(account=account, amount=amount, epoch=self.epoch)


@external
def ask(leaf: merkle_sum.Leaf, proof: merkle_sum.Proof, amount: uint256) -> uint256:
    """
    @notice The caller asks for `amount` of what the final batch and later
            deposits give him. It is paid when a final batch covers the request
            and the delay has passed.
    @param leaf His leaf of the final batch; balance and spent 0 for none.
    @return The withdrawal's number.
    """
    self._require_open()
    assert leaf.account == msg.sender and amount > 0, "vault: not yours"
    self._require_final(leaf, proof)
    into: uint256 = 0
    out: uint256 = 0
    into, out = self._flows(leaf.account, self.slots[self.turn].cut, self.epoch)
    assert amount + out <= leaf.balance + into, "vault: more than there is"
    self.requests[leaf.account][self.epoch] += amount
    self.requested[leaf.account] += amount
    self.reserved += amount
    self.withdrawal_count += 1
    self.withdrawals[self.withdrawal_count] = Withdrawal(
        account=leaf.account,
        amount=amount,
        epoch=self.epoch,
        at=block.timestamp,
        room=leaf.balance + into - out,
        spent=leaf.spent,
    )
    log Asked(id=self.withdrawal_count, account=leaf.account, amount=amount, epoch=self.epoch)
    return self.withdrawal_count


@external
def contest(id: uint256):
    """
    @notice The operator reduces a request by what its account has signed to
            have spent since the leaf it was made with (see `acknowledge`).
            Not once a batch covers it, so no leaf changes under a challenge.
    """
    access_control._check_role(OPERATOR, msg.sender)
    found: Withdrawal = self.withdrawals[id]
    assert found.epoch > max(self.slots[self.turn].cut, self.slots[3 - self.turn].cut), "vault: covered"
    signed: uint256 = vouchers.signed[found.account]
    assert signed > found.spent, "vault: nothing signed"
    allowed: uint256 = found.room - min(found.room, signed - found.spent)
    assert allowed < found.amount, "vault: fits"
    less: uint256 = found.amount - allowed
    self.withdrawals[id].amount = allowed
    self.requests[found.account][found.epoch] -= less
    self.requested[found.account] -= less
    self.reserved -= less
    if found.epoch < self.epoch:
        self.cover += less
    log Contested(id=id, amount=allowed)


@external
def pay(id: uint256):
    """
    @notice Pays a withdrawal that is covered, due and within the day's limit;
            in parts where the limit is reached. Anyone may call it.
    """
    self._require_running()
    found: Withdrawal = self.withdrawals[id]
    assert found.amount > 0, "vault: nothing to pay"
    assert found.epoch <= self.slots[self.turn].cut, "vault: not covered yet"
    amount: uint256 = found.amount
    if not self.closed:
        assert block.timestamp >= found.at + terms.delay, "vault: too early"
        amount = self._within_day(amount)
    self.withdrawals[id].amount = found.amount - amount
    self.reserved -= amount
    self.backed -= amount
    tokens._push(token, found.account, amount)
    log Paid(id=id, account=found.account, amount=amount)


# Batches ----------------------------------------------------------------------------------


@external
def cut():
    """
    @notice The operator closes the epoch, so that the next batch covers it.
    """
    access_control._check_role(OPERATOR, msg.sender)
    self._require_open()
    assert self.slots[3 - self.turn].number == 0, "vault: a batch is pending"
    assert self.epoch < self.slots[self.turn].cut + EPOCHS - VOIDS, "vault: submit first"
    log Cut(epoch=self.epoch)
    self._cut()


@external
def submit(root: bytes32, total: uint256, size: uint256, receipts_root: bytes32, receipts: uint256) -> uint256:
    """
    @notice The operator settles: balances after everything up to the last cut.
    @param root Of the Merkle-sum tree of (account, balance, spent).
    @param total Sum of its balances, base units; must be backed.
    @param size Its leaves.
    @param receipts_root The desk's RFC 6962 root over the batch's receipts.
    @param receipts How many.
    @return The batch's number.
    """
    access_control._check_role(OPERATOR, msg.sender)
    self._require_open()
    assert self.slots[3 - self.turn].number == 0, "vault: a batch is pending"
    assert total <= self.cover, "vault: not backed"
    assert self.epoch > 1 and size < 2**32 and receipts < 2**32, "vault: shape"
    assert staticcall bond.secures(msg.sender) >= terms.penalty, "vault: bond too small"
    number: uint256 = self.batch_count + 1
    covered: uint256 = self.epoch - 1
    self.batch_count = number
    self.slots[3 - self.turn] = Batch(
        number=number,
        root=root,
        total=total,
        size=size,
        cut=covered,
        receipts_root=receipts_root,
        receipts=receipts,
        at=block.timestamp,
        operator=msg.sender,
    )
    log Submitted(
        number=number,
        root=root,
        total=total,
        size=size,
        cut=covered,
        receipts_root=receipts_root,
        receipts=receipts,
    )
    return number


@external
def finalise():
    """
    @notice Makes the pending batch final, and closes the epoch for the next.
    """
    self._finalise()


# Challenges -------------------------------------------------------------------------------


@external
def challenge(leaf: merkle_sum.Leaf, proof: merkle_sum.Proof) -> uint256:
    """
    @notice Asks the operator to show an account's leaf of the pending batch,
            and to have its signatures for all that it says was spent. The
            caller stakes; the loser pays.
    @param leaf The account's leaf of the final batch; balance and spent 0 for
           none. A higher leaf asks for more, so show the true one.
    @return The challenge's number.
    """
    self._require_final(leaf, proof)
    into: uint256 = 0
    out: uint256 = 0
    into, out = self._flows(leaf.account, self.slots[self.turn].cut, self.slots[3 - self.turn].cut)
    gross: uint256 = leaf.balance + leaf.spent + into
    assert gross > out, "vault: nothing at stake"
    return self._challenge(leaf.account, gross - out, empty(bytes32))


@external
def challenge_earnings(promise: Promise, signature: Bytes[65]) -> uint256:
    """
    @notice A provider, or anyone for him, holds the market to what it signed:
            the receipt is in this batch or a final one, and its earnings are
            in the provider's leaf.
    @return The challenge's number.
    """
    digest: bytes32 = eip712._hash_typed_data_v4(
        keccak256(
            abi_encode(PROMISE_TYPEHASH, promise.provider, promise.receipt, promise.earned, promise.by)
        )
    )
    assert access_control.hasRole[MARKET][ecdsa._recover_sig(digest, signature)], "vault: not promised"
    assert promise.receipt != empty(bytes32), "vault: no receipt"
    assert self.slots[3 - self.turn].at >= promise.by, "vault: not in this batch"
    late_in: uint256 = 0
    late_out: uint256 = 0
    late_in, late_out = self._flows(promise.provider, self.slots[3 - self.turn].cut, self.epoch)
    gross: uint256 = promise.earned + self.deposited[promise.provider] - late_in
    out: uint256 = self.requested[promise.provider] - late_out
    assert gross > out, "vault: nothing at stake"
    return self._challenge(promise.provider, gross - out, promise.receipt)


@external
def answer(id: uint256, leaf: merkle_sum.Leaf, proof: merkle_sum.Proof):
    """
    @notice Shows the leaf that a challenge asked for; its stake is the
            operator's then. Anyone may answer.
    """
    assert self.challenges[id].receipt == empty(bytes32), "vault: show the receipt too"
    self._answer(id, leaf, proof)


@external
def answer_earnings(
    id: uint256,
    leaf: merkle_sum.Leaf,
    proof: merkle_sum.Proof,
    batch: uint256,
    receipts_root: bytes32,
    receipts: uint256,
    index: uint256,
    path: DynArray[bytes32, 32],
):
    """
    @notice Shows the leaf, and the receipt in the tree of the pending or of a
            final batch.
    """
    held: bytes32 = self.receipts_of[batch]
    if batch == self.slots[3 - self.turn].number:
        held = self._pending_receipts()
    assert held == keccak256(abi_encode(receipts_root, receipts)), "vault: other receipts"
    assert merkle_sum._has_receipt(
        receipts_root, receipts, self.challenges[id].receipt, index, path
    ), "vault: receipt not in it"
    self._answer(id, leaf, proof)


@external
def settle(leaf: merkle_sum.Leaf, proof: merkle_sum.Proof):
    """
    @notice Shows a leaf of the final batch: what nobody challenged in it is
            settled, and needs no signature any more.
    """
    self._require_final(leaf, proof)
    self.settled[leaf.account] = max(self.settled[leaf.account], leaf.spent)


@external
def void(id: uint256):
    """
    @notice Ends a batch whose challenge was not answered in time. The
            operator's bond pays the penalty: half to the challenger, the rest
            to the commons, so that nobody gains by voiding his own.
    @dev The bond is called first and may fail, the batch is void regardless;
         whoever leaves it too little gas leaves too little for the rest.
    """
    found: Challenge = self.challenges[id]
    assert found.batch != 0 and found.batch == self.slots[3 - self.turn].number, "vault: not pending"
    assert block.timestamp > found.deadline, "vault: may still be answered"
    before: uint256 = staticcall IERC20(token).balanceOf(self)
    ok: bool = raw_call(
        bond.address,
        abi_encode(
            self.slots[3 - self.turn].operator,
            terms.penalty,
            self,
            method_id=method_id("slash(address,uint256,address)"),
        ),
        revert_on_failure=False,
    )
    slashed: uint256 = staticcall IERC20(token).balanceOf(self) - before if ok else 0
    reward: uint256 = slashed // 2
    self.owed[found.challenger] += terms.stake + reward
    self.owed[commons] += slashed - reward
    self.challenges[id] = empty(Challenge)
    self.slots[3 - self.turn].number = 0
    self.slots[3 - self.turn].cut = 0
    self.open_challenges = 0
    self.voids += 1
    self._cut()
    log Voided(batch=found.batch, challenge=id, slashed=slashed)
    if self.voids >= VOIDS:
        self._close()


@external
def reclaim(id: uint256):
    """
    @notice Returns the stake of a challenge whose batch ended for another's.
    """
    found: Challenge = self.challenges[id]
    assert found.batch != 0 and found.batch != self.slots[3 - self.turn].number, "vault: still open"
    self.challenges[id] = empty(Challenge)
    self.owed[found.challenger] += terms.stake


@external
def collect():
    """
    @notice Takes out the caller's stakes and rewards.
    """
    amount: uint256 = self.owed[msg.sender]
    assert amount > 0, "vault: nothing owed"
    self.owed[msg.sender] = 0
    tokens._push(token, msg.sender, amount)


# The end ----------------------------------------------------------------------------------


@external
def pause():
    """
    @notice The guardian stops deposits, requests, batches and payments for
            `pause_max` seconds, and cannot again for `pause_gap` after that.
            Challenges, answers and the closing go on.
    """
    access_control._check_role(GUARDIAN, msg.sender)
    assert self.paused_until == 0 or block.timestamp >= self.paused_until + terms.pause_gap, "vault: too soon"
    self.paused_until = block.timestamp + terms.pause_max
    log Paused(until=self.paused_until)


@external
def close():
    """
    @notice Anyone ends the market after the operator's stated silence. A
            pending batch that could be final is made final first.
    """
    assert not self.closed, "vault: closed"
    if self.slots[3 - self.turn].number != 0 and self._can_finalise():
        self._finalise()
    else:
        assert block.timestamp > self.final_at + terms.silence, "vault: not silent"
        self._close()


@external
def exit(leaf: merkle_sum.Leaf, proof: merkle_sum.Proof):
    """
    @notice After the end: pays the caller the balance that he proves in the
            final batch, once, and his deposits after its cut, once.
    @param leaf Balance and spent 0 where he has no leaf, for the deposits alone.
    """
    assert self.closed, "vault: still open"
    self._require_running()
    assert leaf.account == msg.sender, "vault: not yours"
    self._require_final(leaf, proof)
    amount: uint256 = 0
    if leaf.balance > 0 and not self.leaf_paid[msg.sender]:
        self.leaf_paid[msg.sender] = True
        amount = leaf.balance
    if not self.deposits_paid[msg.sender]:
        self.deposits_paid[msg.sender] = True
        amount += self._flows(msg.sender, self.slots[self.turn].cut, self.epoch)[0]
    assert amount > 0, "vault: nothing left"
    self.backed -= amount
    tokens._push(token, msg.sender, amount)
    log Exited(account=msg.sender, amount=amount)


# Looking ----------------------------------------------------------------------------------


@external
@view
def final() -> Batch:
    """
    @notice The last final batch; number 0 before the first.
    """
    return self.slots[self.turn]


@external
@view
def pending() -> Batch:
    """
    @notice The batch that may be challenged now; all zeros if there is none.
    """
    if self.slots[3 - self.turn].number == 0:
        return empty(Batch)
    return self.slots[3 - self.turn]


@external
@view
def has_receipt(
    batch: uint256,
    receipts_root: bytes32,
    receipts: uint256,
    receipt: bytes32,
    index: uint256,
    path: DynArray[bytes32, 32],
) -> bool:
    """
    @notice Whether a receipt's leaf hash is in a final batch.
    """
    if self.receipts_of[batch] != keccak256(abi_encode(receipts_root, receipts)):
        return False
    return merkle_sum._has_receipt(receipts_root, receipts, receipt, index, path)


@external
@view
def has_leaf(leaf: merkle_sum.Leaf, proof: merkle_sum.Proof) -> bool:
    """
    @notice Whether a leaf is in the final batch.
    """
    return merkle_sum._is_in(self.slots[self.turn].root, self.slots[self.turn].total, self.slots[self.turn].size, leaf, proof)


# Inside -----------------------------------------------------------------------------------


@internal
@view
def _require_running():
    assert block.timestamp >= self.paused_until, "vault: paused"


@internal
@view
def _require_open():
    self._require_running()
    assert not self.closed, "vault: closed"


@internal
@view
def _require_final(leaf: merkle_sum.Leaf, proof: merkle_sum.Proof):
    if leaf.balance > 0 or leaf.spent > 0:
        assert merkle_sum._is_in(
            self.slots[self.turn].root, self.slots[self.turn].total, self.slots[self.turn].size, leaf, proof
        ), "vault: not in the final batch"


@internal
@view
def _flows(account: address, after: uint256, until: uint256) -> (uint256, uint256):
    into: uint256 = 0
    out: uint256 = 0
    for i: uint256 in range(EPOCHS + 1):
        at: uint256 = after + 1 + i
        if at > until:
            return into, out
        into += self.deposits[account][at]
        out += self.requests[account][at]
    raise "vault: too many epochs"


@internal
def _cut():
    self.cover = self.backed - self.reserved
    self.epoch += 1


@internal
@view
def _pending_receipts() -> bytes32:
    return keccak256(
        abi_encode(self.slots[3 - self.turn].receipts_root, self.slots[3 - self.turn].receipts)
    )


@internal
@view
def _can_finalise() -> bool:
    return self.open_challenges == 0 and block.timestamp >= self.slots[3 - self.turn].at + terms.window


@internal
def _finalise():
    assert self.slots[3 - self.turn].number != 0, "vault: nothing pending"
    assert not self.closed, "vault: closed"
    assert self._can_finalise(), "vault: not final yet"
    self.final_at = block.timestamp
    self.voids = 0
    self.receipts_of[self.slots[3 - self.turn].number] = self._pending_receipts()
    log Finalised(number=self.slots[3 - self.turn].number)
    self.slots[self.turn].number = 0
    self.turn = 3 - self.turn
    self._cut()


@internal
def _close():
    self.closed = True
    self.slots[3 - self.turn].number = 0
    self.slots[3 - self.turn].cut = 0
    self.open_challenges = 0
    log Closed(final=self.slots[self.turn].number)


@internal
def _challenge(account: address, least: uint256, receipt: bytes32) -> uint256:
    assert not self.closed and self.slots[3 - self.turn].number != 0, "vault: nothing pending"
    assert block.timestamp < self.slots[3 - self.turn].at + terms.window, "vault: window is over"
    tokens._pull(token, msg.sender, terms.stake)
    self.open_challenges += 1
    self.challenge_count += 1
    deadline: uint256 = block.timestamp + terms.response
    self.challenges[self.challenge_count] = Challenge(
        batch=self.slots[3 - self.turn].number,
        challenger=msg.sender,
        account=account,
        least=least,
        receipt=receipt,
        deadline=deadline,
    )
    log Challenged(
        id=self.challenge_count,
        batch=self.slots[3 - self.turn].number,
        account=account,
        least=least,
        receipt=receipt,
        deadline=deadline,
    )
    return self.challenge_count


@internal
def _answer(id: uint256, leaf: merkle_sum.Leaf, proof: merkle_sum.Proof):
    found: Challenge = self.challenges[id]
    assert found.batch != 0 and found.batch == self.slots[3 - self.turn].number, "vault: not pending"
    assert block.timestamp <= found.deadline, "vault: too late"
    assert leaf.account == found.account, "vault: another's leaf"
    assert merkle_sum._is_in(
        self.slots[3 - self.turn].root, self.slots[3 - self.turn].total, self.slots[3 - self.turn].size, leaf, proof
    ), "vault: not in the pending batch"
    assert leaf.balance + leaf.spent >= found.least, "vault: something is missing"
    assert leaf.spent <= max(
        vouchers.signed[leaf.account], self.settled[leaf.account]
    ), "vault: not signed"
    self.challenges[id] = empty(Challenge)
    self.open_challenges -= 1
    self.owed[self.slots[3 - self.turn].operator] += terms.stake
    log Answered(id=id, balance=leaf.balance, spent=leaf.spent)


@internal
def _within_day(amount: uint256) -> uint256:
    if block.timestamp >= self.day_started + DAY:
        self.day_started = block.timestamp
        self.day_paid = 0
        self.day_limit = max(terms.rate_floor, self.backed * terms.rate_ppm // PPM)
    part: uint256 = min(amount, self.day_limit - self.day_paid)
    assert part > 0, "vault: the day's limit"
    self.day_paid += part
    return part
