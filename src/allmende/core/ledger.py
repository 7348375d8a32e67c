"""Ledger: accounts, postings and what is set aside.

Rule: money moves only by postings; set aside is what open holds may take and what
provisional receipts may still take back.
Invariant: the balances of an asset sum to zero; no account but an issuer's is below what
it has set aside; what is set aside equals the open business.
Worked number: a deposit of 5 credits posts -5e12 pico to `issuer/credit` and +5e12 to the
member; a hold of 1 credit then leaves 4 available, and moves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from allmende.core import wallets
from allmende.core.abroad import GRAINS
from allmende.core.contracts import Order
from allmende.core.nouns import BOND, ISSUER, Posting, Receipt, payer
from allmende.core.refusals import Refused, Why
from allmende.core.state import State
from allmende.core.units import Amount, credits

COMMONS = "commons"
"""Where the levy goes."""


def issuer_account(asset: str) -> str:
    """The account that stands below zero by exactly what is outstanding."""
    return ISSUER + asset


def bond_account(instrument: str) -> str:
    """The account that keeps what secures an instrument."""
    return BOND + instrument


def balance(state: State, account: str, asset: str) -> Amount:
    """Pico-credits on the account, those set aside included."""
    return state.balances.get(asset, {}).get(account, 0)


def available(state: State, account: str, asset: str) -> Amount:
    """Pico-credits that a new hold or transfer could take."""
    return balance(state, account, asset) - state.held.get(asset, {}).get(account, 0)


def require(state: State, account: str, asset: str, amount: Amount, budget: str = "") -> None:
    """Refuse with what is missing unless `amount` pico-credits are available, and signed for
    where the account's owner has a wallet."""
    missing = amount - available(state, account, asset)
    if missing > 0:
        said = "{} grains of".format if _counted(state, asset) else credits
        raise Refused(
            Why.NO_CREDIT,
            f"{said(missing)} {asset} are missing on the account of {account!r}: it needs "
            f"{said(amount)} at worst and has {said(amount - missing)} available.",
            missing=missing,
            asset=asset,
        )
    wallets.require(state, account, asset, amount, budget)


def _counted(state: State, asset: str) -> bool:
    """Whether it is a right, ours or another market's."""
    foreign = state.foreign.get(asset)
    return asset in state.listings or (foreign is not None and foreign.unit == GRAINS)


def post(state: State, postings: Sequence[Posting], *, spent: bool = True) -> None:
    """Apply postings. A sum other than zero or a member below zero is a bug, and stops.

    `spent`: what leaves a wallet's account is noted there; False where another notes it.
    """
    total: dict[str, Amount] = {}
    for account, asset, amount in postings:
        balances = state.balances.setdefault(asset, {})
        balances[account] = balances.get(account, 0) + amount
        total[asset] = total.get(asset, 0) + amount
    assert not any(total.values()), f"postings do not sum to zero: {total}"
    for account, asset, _ in postings:
        after = state.balances[asset][account]
        assert after >= 0 or account.startswith(ISSUER), f"{account} below zero: {after}"
    if spent and state.wallets:
        wallets.moved(state, postings)


def set_aside(state: State, account: str, asset: str, amount: Amount) -> None:
    """Add `amount` (negative: release) to what open holds keep of the account."""
    held = state.held.setdefault(asset, {})
    after = held.get(account, 0) + amount
    assert after >= 0, f"{account} would have {after} set aside"
    if after:
        held[account] = after
    else:
        held.pop(account, None)


def set_aside_earned(state: State, receipt: Receipt, times: int = 1) -> None:
    """What a provisional receipt's payees got, until it is final (`times` -1)."""
    for payment in receipt.waterfall:
        set_aside(state, payment.account, receipt.asset, times * payment.amount)
        wallets.coming(state, payment.account, receipt.asset, times * payment.amount)


def check(state: State) -> None:
    """Balances sum to zero, nobody is below what is set aside, holds add up."""
    for asset, balances in state.balances.items():
        assert sum(balances.values()) == 0, f"{asset} does not sum to zero"
        for account, amount in balances.items():
            if account.startswith(ISSUER):
                assert amount <= 0, f"{account} issued less than nothing"
            else:
                aside = state.held.get(asset, {}).get(account, 0)
                assert amount >= aside >= 0, f"{account}: {amount} under {aside} set aside"
    assert _held_by_business(state) == {a: h for a, h in state.held.items() if h}, "holds"


def _held_by_business(state: State) -> dict[str, dict[str, Amount]]:
    total: dict[str, dict[str, Amount]] = {}
    for account, asset, amount in (*_of_requests(state), *_of_trading(state)):
        if amount:
            held = total.setdefault(asset, {})
            held[account] = held.get(account, 0) + amount
    return total


def _of_requests(state: State) -> Iterator[Posting]:
    for hold in state.holds.values():
        yield Posting(payer(hold.account, hold.right), hold.offer.asset, hold.amount)
        yield Posting(hold.account, hold.right, hold.grains)
    for rest in state.provisional.values():
        receipt = rest.receipt
        yield Posting(payer(receipt.account, receipt.right), receipt.asset, rest.held)
        yield Posting(receipt.account, receipt.right, rest.grains)
        for payment in receipt.waterfall:
            yield Posting(payment.account, receipt.asset, payment.amount)


def _of_trading(state: State) -> Iterator[Posting]:
    for working in state.orders.values():
        if working.aside:
            yield order_aside(state, working.order, working.left)
    for claim in state.claims.values():
        asset = state.listings[claim.instrument].instrument.asset
        yield Posting(claim.account, asset, claim.stake)


def order_aside(state: State, order: Order, grains: int) -> Posting:
    """What `grains` of a resting order keep aside: the buyer's credit, the seller's rights."""
    if order.side == "sell":
        return Posting(order.account, order.instrument, grains)
    asset = state.listings[order.instrument].instrument.asset
    return Posting(order.account, asset, order.price * grains)
