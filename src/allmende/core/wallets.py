"""Wallets: what a member with a wallet of its own has signed for, and what it has spent.

Rule: no debit without a signature. What leaves such a member's account is at most what its
permits allow: a session's by the budget that came with its permit, all else by lane 0.
Invariant: spent on a lane <= its permit's limit; the sum over lanes is what the account spent
since it was linked.
Worked number: lane 0 at most 10, 4 spent and 3 in open orders: a hold of 4 is 1 too much.
"""

from __future__ import annotations

from collections.abc import Sequence

from allmende.core import budgets
from allmende.core.custody import CHAIN, GENERAL, Closed
from allmende.core.nouns import Hold, Posting, payer
from allmende.core.refusals import Refused, Why
from allmende.core.state import Lane, State, Wallet
from allmende.core.units import Amount, Instant, credits


def require(state: State, account: str, asset: str, amount: Amount, budget: str = "") -> None:
    """Refuse a debit that the owner of the account's wallet has not signed for.

    A session's `budget` never allows more than its permit, so it needs no look here.
    """
    wallet = state.wallets.get(account)
    if wallet is None or wallet.asset != asset or amount <= 0 or session(state, budget):
        return
    lane = wallet.lanes.get(GENERAL)
    allowed = 0 if lane is None or lane.ended else lane.permit.limit
    missing = general(wallet, state.held.get(asset, {}).get(account, 0)) + amount - allowed
    if missing > 0:
        raise Refused(
            Why.NOT_SIGNED,
            f"{wallet.address} allows {credits(allowed)} {asset} in all; {credits(missing)} are "
            "missing. Its owner signs a permit for more at /wallet.",
            missing=missing,
            asset=asset,
        )


def general(wallet: Wallet, held: Amount) -> Amount:
    """What lane 0 has spent and holds: all but the sessions'. `held` is the account's in all."""
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
        return general(wallet, 0) + sum(lane.held for lane in sessions(wallet))
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
) -> None:
    """Add to what the budget of a hold, and its session's lane, have held and spent."""
    budgets.charge(state, hold.budget, at, held=held, spent=spent, of=of)
    if payer(hold.account, hold.right) not in state.wallets:
        return
    lane = session(state, hold.budget)
    if lane is not None:
        lane.held += held
        lane.spent += spent


def moved(state: State, postings: Sequence[Posting], corrects: str = "") -> None:
    """Note what left wallets' accounts. A correction `corrects` what its payer spent, and only
    lowers what payees have earned."""
    for account, amount in _net(state, postings).items():
        if account == corrects or (amount < 0 and not corrects):
            state.wallets[account].spent -= amount


def _net(state: State, postings: Sequence[Posting]) -> dict[str, Amount]:
    net: dict[str, Amount] = {}
    for account, asset, amount in postings:
        wallet = state.wallets.get(account)
        if wallet is not None and wallet.asset == asset:
            net[account] = net.get(account, 0) + amount
    return net


def closed(state: State, paid: Sequence[Sequence[Posting]]) -> dict[str, Closed]:
    """Each wallet's account without what is provisional; `paid` are those receipts' postings."""
    spent: dict[str, Amount] = {}
    moved_: dict[str, Amount] = {}
    for postings in paid:
        for account, amount in _net(state, postings).items():
            moved_[account] = moved_.get(account, 0) + amount
            spent[account] = spent.get(account, 0) + max(0, -amount)
    return {
        member: Closed(
            wallet.deposited,
            wallet.requested,
            wallet.spent - spent.get(member, 0),
            state.balances[wallet.asset].get(member, 0) - moved_.get(member, 0),
        )
        for member, wallet in state.wallets.items()
    }


def check(state: State) -> None:
    for member, wallet in state.wallets.items():
        assert state.addresses[wallet.address] == member, f"address of {member}"
        for number, lane in wallet.lanes.items():
            at = reached(wallet, number)
            assert 0 <= at <= lane.permit.limit, f"lane {number} of {member} is at {at}"
            assert lane.held >= 0 <= lane.spent, f"lane {number} of {member}: {lane}"
        closed_ = wallet.closed
        assert closed_.earned >= 0 <= closed_.spent, f"{member} in its batch: {closed_}"
    going: dict[str, int] = {}
    for wrap in state.wraps.values():
        going[wrap.instrument] = going.get(wrap.instrument, 0) + wrap.grains
    for id_ in going.keys() & state.listings.keys():
        assert state.balances[id_].get(CHAIN, 0) >= going[id_], f"wrapped rights of {id_}"
    for budget, (member, number) in state.sessions.items():
        assert state.wallets[member].lanes[number].budget == budget, f"session of {budget}"
