"""Ledger: accounts, postings and what is set aside.

Rule: money moves only by postings; set aside is what open holds may take and what
provisional receipts may still take back.
Invariant: the balances of an asset sum to zero; no account but an issuer's is below what
it has set aside; what is set aside equals the open business.
Worked number: a deposit of 5 credits posts -5e12 pico to `issuer/credit` and +5e12 to the
member; a hold of 1 credit then leaves 4 available, and moves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from allmende.core.nouns import Posting
from allmende.core.refusals import Refused, Why
from allmende.core.state import State
from allmende.core.units import Amount, credits

ISSUER = "issuer/"
COMMONS = "commons"
"""Where the levy goes."""


def issuer_account(asset: str) -> str:
    """The account that stands below zero by exactly what is outstanding."""
    return ISSUER + asset


def balance(state: State, account: str, asset: str) -> Amount:
    """Pico-credits on the account, those set aside included."""
    return state.balances.get(asset, {}).get(account, 0)


def available(state: State, account: str, asset: str) -> Amount:
    """Pico-credits that a new hold or transfer could take."""
    return balance(state, account, asset) - state.held.get(asset, {}).get(account, 0)


def require(state: State, account: str, asset: str, amount: Amount) -> None:
    """Refuse with what is missing unless `amount` pico-credits are available."""
    missing = amount - available(state, account, asset)
    if missing > 0:
        raise Refused(
            Why.NO_CREDIT,
            f"{credits(missing)} {asset} are missing on the account of {account!r}: it needs "
            f"{credits(amount)} at worst and has {credits(amount - missing)} available.",
            missing=missing,
            asset=asset,
        )


def post(state: State, postings: Sequence[Posting]) -> None:
    """Apply postings. A sum other than zero or a member below zero is a bug, and stops."""
    total: dict[str, Amount] = {}
    for account, asset, amount in postings:
        balances = state.balances.setdefault(asset, {})
        balances[account] = balances.get(account, 0) + amount
        total[asset] = total.get(asset, 0) + amount
    assert not any(total.values()), f"postings do not sum to zero: {total}"
    for account, asset, _ in postings:
        after = state.balances[asset][account]
        assert after >= 0 or account.startswith(ISSUER), f"{account} below zero: {after}"


def set_aside(state: State, account: str, asset: str, amount: Amount) -> None:
    """Add `amount` (negative: release) to what open holds keep of the account."""
    held = state.held.setdefault(asset, {})
    after = held.get(account, 0) + amount
    assert after >= 0, f"{account} would have {after} set aside"
    if after:
        held[account] = after
    else:
        held.pop(account, None)


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
    rows = [(h.account, h.offer.asset, h.amount) for h in state.holds.values()]
    rows += [(p.receipt.account, p.receipt.asset, p.held) for p in state.provisional.values()]
    for rest in state.provisional.values():
        rows += [(p.account, rest.receipt.asset, p.amount) for p in rest.receipt.waterfall]
    for account, asset, amount in rows:
        if amount:
            held = total.setdefault(asset, {})
            held[account] = held.get(account, 0) + amount
    return total
