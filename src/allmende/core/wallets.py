"""Wallets: what a member with a wallet of its own has signed for, and what it has spent.

Rule: no debit without a signature. What leaves such a member's account is at most what its
permits allow: a session's by the budget that came with its permit, all else by lane 0.
Invariant: spent and held on a lane <= its permit's limit; the sum over lanes is what the
account spent since it was linked, a request at its whole price, whoever was paid out of it.
Worked number: lane 0 at most 10, 4 spent and 3 in open orders: a hold of 4 is 1 too much.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from allmende.core import budgets
from allmende.core.custody import CHAIN, GENERAL, Closed
from allmende.core.nouns import Hold, Posting, Receipt, paid, payer
from allmende.core.refusals import Refused, Why
from allmende.core.state import Lane, State, Wallet
from allmende.core.units import Amount, Instant, credits

HEX = "0123456789abcdef"


def find(state: State, member: str) -> Wallet:
    found = state.wallets.get(member)
    if found is None:
        raise Refused(Why.NOT_FOUND, f"No wallet is linked to {member!r}.")
    return found


def require_address(text: str) -> None:
    """Refuse what is not an address in lower case, or is nobody's."""
    digits = text[2:]
    plain = text.startswith("0x") and len(digits) == 40 and not set(digits) - set(HEX)
    if not plain or not digits.strip("0"):
        raise Refused(Why.BAD_VALUE, f"{text[:60]!r} is no address: 0x and 40 of 0-9 a-f.")


def require(state: State, account: str, asset: str, amount: Amount, budget: str = "") -> None:
    """Refuse a debit that the owner of the account's wallet has not signed for, or of what he
    asked to take out.

    A session's `budget` never allows more than its permit, so it needs no look here.
    """
    wallet = state.wallets.get(account)
    if wallet is None or wallet.asset != asset or amount <= 0:
        return
    if wallet.owing:
        _require_beyond(state, account, wallet, amount)
    if session(state, budget):
        return
    lane = wallet.lanes.get(GENERAL)
    allowed = 0 if lane is None or lane.ended else lane.permit.limit
    missing = general(wallet, opened(state, account)) + amount - allowed
    if missing > 0:
        raise Refused(
            Why.NOT_SIGNED,
            f"{wallet.address} allows {credits(allowed)} {asset} in all; {credits(missing)} are "
            "missing. Its owner signs a permit for more at /wallet.",
            missing=missing,
            asset=asset,
        )


def _require_beyond(state: State, account: str, wallet: Wallet, amount: Amount) -> None:
    """Whoever lets one request follow another must not keep back what he asked for, and with it
    the batch of everybody."""
    held = state.held.get(wallet.asset, {}).get(account, 0)
    free = state.balances[wallet.asset].get(account, 0) - held
    missing = amount + wallet.owing - free
    if missing > 0:
        raise Refused(
            Why.NO_CREDIT,
            f"{wallet.address} asked the vault for {credits(wallet.owing)} {wallet.asset} more "
            "than is free: whatever comes free goes there first.",
            missing=missing,
            asset=wallet.asset,
        )


def until(state: State, account: str, asset: str, wanted: Instant, at: Instant) -> Instant:
    """How long an order or a claim may debit the account: no longer than lane 0 is signed for.

    What a permit allowed can be proved to the chain only for a while after it expired.
    """
    wallet = state.wallets.get(account)
    lane = wallet.lanes.get(GENERAL) if wallet is not None and wallet.asset == asset else None
    if wallet is None or lane is None or lane.ended:
        return wanted  # if it needs a signature, `require` says that there is none
    if lane.permit.expires <= at:
        raise Refused(Why.NOT_SIGNED, f"The permit of {wallet.address} has expired; sign anew.")
    return min(wanted, lane.permit.expires)


def opened(state: State, member: str) -> Amount:
    """What open requests, orders and claims of a wallet's account may still take of it."""
    wallet = state.wallets[member]
    return state.held.get(wallet.asset, {}).get(member, 0) - wallet.coming


def general(wallet: Wallet, held: Amount) -> Amount:
    """What lane 0 has spent and holds: all but the sessions'. `held` is the account's in all,
    see `opened`."""
    return (
        wallet.spent + held - sum(lane.base + lane.spent + lane.held for lane in sessions(wallet))
    )


def sessions(wallet: Wallet) -> list[Lane]:
    return [lane for number, lane in wallet.lanes.items() if number != GENERAL]


def session(state: State, budget: str) -> Lane | None:
    """The session that a budget, or one above it, belongs to."""
    if not budget or not state.sessions:
        return None
    for node in budgets.path(state, budget):
        found = state.sessions.get(node.id)
        if found is not None:
            return state.wallets[found[0]].lanes[found[1]]
    return None


def reached(wallet: Wallet, number: int) -> Amount:
    """Where a lane stands: what a voucher for it must name at least."""
    if number == GENERAL:
        return wallet.spent - sum(lane.base + lane.spent for lane in sessions(wallet))
    lane = wallet.lanes.get(number)
    return 0 if lane is None else lane.base + lane.spent


# Applying -----------------------------------------------------------------------------


def charge(
    state: State,
    hold: Hold,
    at: Instant,
    *,
    held: Amount,
    spent: Amount,
    of: Instant | None = None,
    ug_held: int = 0,
    ug_spent: int = 0,
) -> None:
    """Add to what the budget of a hold, its wallet and its session's lane have held and spent;
    the CO2 is the budget's alone."""
    budgets.charge(
        state,
        hold.budget,
        at,
        held=held,
        spent=spent,
        of=of,
        ug_held=ug_held,
        ug_spent=ug_spent,
    )
    wallet = state.wallets.get(payer(hold.account, hold.right))
    if wallet is None or wallet.asset != hold.offer.asset:
        return
    wallet.spent += spent
    lane = session(state, hold.budget)
    if lane is not None:
        lane.held += held
        lane.spent += spent


def coming(state: State, account: str, asset: str, amount: Amount) -> None:
    """Earned provisionally, and set aside until it is final (negative)."""
    wallet = state.wallets.get(account)
    if wallet is not None and wallet.asset == asset:
        wallet.coming += amount


def moved(state: State, postings: Sequence[Posting]) -> None:
    """Note what left wallets' accounts, taking what one event does to each together."""
    for account, amount in _net(state, postings).items():
        state.wallets[account].spent -= min(0, amount)


def _net(state: State, postings: Sequence[Posting]) -> dict[str, Amount]:
    net: dict[str, Amount] = {}
    for account, asset, amount in postings:
        wallet = state.wallets.get(account)
        if wallet is not None and wallet.asset == asset:
            net[account] = net.get(account, 0) + amount
    return net


def closed(state: State, waiting: Iterable[Receipt]) -> dict[str, Closed]:
    """Each wallet's account without the receipts that are not final."""
    spent: dict[str, Amount] = {}
    moved_: dict[str, Amount] = {}
    for receipt in waiting:
        source = payer(receipt.account, receipt.right)
        wallet = state.wallets.get(source)
        if wallet is not None and wallet.asset == receipt.asset:
            spent[source] = spent.get(source, 0) + receipt.price
        for account, amount in _net(state, paid(receipt)).items():
            moved_[account] = moved_.get(account, 0) + amount
    return {
        member: Closed(
            wallet.deposited,
            wallet.requested,
            wallet.spent - spent.get(member, 0),
            state.balances[wallet.asset].get(member, 0) - moved_.get(member, 0),
        )
        for member, wallet in state.wallets.items()
    }


# Checking -----------------------------------------------------------------------------


def check(state: State) -> None:
    coming_: dict[str, Amount] = {}
    for rest in state.provisional.values():
        for payment in rest.receipt.waterfall:
            key = f"{payment.account}/{rest.receipt.asset}"
            coming_[key] = coming_.get(key, 0) + payment.amount
    for member, wallet in state.wallets.items():
        assert state.addresses[wallet.address] == member, f"address of {member}"
        due = coming_.get(f"{member}/{wallet.asset}", 0)
        assert wallet.coming == due, f"{member} has {wallet.coming} coming, not {due}"
        _check_lanes(state, member, wallet)
        closed_ = wallet.closed
        assert wallet.owing >= 0, f"{member} is owed less than nothing"
        assert closed_.earned >= 0 <= closed_.spent, f"{member} in its batch: {closed_}"
    going: dict[str, int] = {}
    for wrap in state.wraps.values():
        going[wrap.instrument] = going.get(wrap.instrument, 0) + wrap.grains
    for id_ in going.keys() & state.listings.keys():
        assert state.balances[id_].get(CHAIN, 0) >= going[id_], f"wrapped rights of {id_}"
    for budget, (member, number) in state.sessions.items():
        assert state.wallets[member].lanes[number].budget == budget, f"session of {budget}"


def _check_lanes(state: State, member: str, wallet: Wallet) -> None:
    """No lane is beyond what was signed for, what it holds included."""
    for lane in sessions(wallet):
        assert lane.held >= 0 <= lane.spent, f"a session of {member}: {lane}"
        at = lane.base + lane.spent + lane.held
        assert at <= lane.vouched <= lane.permit.limit, f"a session of {member} is at {at}"
    zero = wallet.lanes.get(GENERAL)
    at = general(wallet, opened(state, member))
    assert 0 <= reached(wallet, GENERAL) <= at, f"lane 0 of {member} holds less than nothing"
    assert at <= (0 if zero is None else zero.permit.limit), f"lane 0 of {member} is at {at}"
