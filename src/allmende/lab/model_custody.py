"""Model of custody: wallets, lanes and cuts, summed again from all events that ever were.

Rule: what a wallet spent is the price of each request that it paid, and whatever else left its
account in one event; what it earned came in. A request belongs to the session it was made under.
Invariant: from cut to cut neither what was spent nor what was earned falls; lanes add up.
Worked number: a wallet with 5 in, which pays 3 for a request that pays it 1 back, spent 3 and
earned 1, so it has 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from msgspec import Struct, field

from allmende.core import custody_events as w
from allmende.core import events as e
from allmende.core import exchange_events as x
from allmende.core.nouns import Receipt
from allmende.core.state import State, Wallet


class Session(Struct):
    """One permit of a lane above 0, and the requests that were reserved under it."""

    granted: w.PermitGranted
    base: int
    vouched: int
    requests: list[str] = field(default_factory=list)
    ended: bool = False


class Money(Struct):
    """Of one wallet at one time: flows, and what was spent and earned, final or not."""

    deposited: int = 0
    requested: int = 0
    spent: int = 0
    earned: int = 0

    @property
    def balance(self) -> int:
        return self.deposited - self.requested + self.earned - self.spent


def agree(state: State, events: Sequence[e.Event]) -> None:
    """Assert that wallets, sessions and rights on their way are what history makes of them."""
    links = {event.member: event for event in events if isinstance(event, w.WalletLinked)}
    assert state.wallets.keys() == links.keys(), "wallets"
    assert state.addresses == {link.address: member for member, link in links.items()}
    assert state.wraps == wraps(events), "wraps"
    if not links:
        return
    live = _sessions(events)
    assert {s.granted.budget for s in live.values()} == state.sessions.keys(), "sessions"
    for member, link in links.items():
        wallet = state.wallets[member]
        now = money(events, link)
        assert (wallet.deposited, wallet.requested) == (now.deposited, now.requested), "flows"
        waits = [v.owing for v in events if isinstance(v, w.RequestWaits) and v.member == member]
        assert wallet.owing == (waits[-1] if waits else 0), "owing"
        assert wallet.spent == now.spent, f"{member} spent {now.spent}, not {wallet.spent}"
        assert state.balances[link.asset].get(member, 0) == now.balance, f"balance of {member}"
        _lanes_agree(state, wallet, events, link, live)
        _cuts_agree(wallet, events, link)


def wraps(events: Iterable[e.Event]) -> dict[str, object]:
    """Rights on their way: wrapped and not ended."""
    found: dict[str, object] = {}
    for event in events:
        if isinstance(event, w.RightsWrapped):
            found[event.wrap.id] = event.wrap
        elif isinstance(event, w.WrapEnded):
            del found[event.id]
    return found


# Money --------------------------------------------------------------------------------


def money(events: Sequence[e.Event], link: w.WalletLinked, *, final: bool = False) -> Money:
    """What the wallet's account did since it was linked; what it had then, it had earned.

    `final` leaves out receipts that wait for their recount.
    """
    start = events.index(link)
    had = _lines(events[:start], link)
    found = Money(earned=sum(had))
    for event in events[start:]:
        if isinstance(event, w.VaultFollowed):
            if event.member == link.member:
                found.deposited += event.deposited
                found.requested += event.requested
        elif not isinstance(event, e.Captured | e.Finalised):
            net = sum(_lines([event], link))
            found.spent += max(0, -net)
            found.earned += max(0, net)
    for receipt in _standing(events[start:]).values():
        if not (final and receipt.verdict == "pending") and receipt.asset == link.asset:
            found.spent += receipt.price * _pays(receipt, link.member)
            found.earned += sum(p.amount for p in receipt.waterfall if p.account == link.member)
    return found


def _lines(events: Iterable[e.Event], link: w.WalletLinked) -> list[int]:
    return [
        amount
        for event in events
        for account, asset, amount in event.postings
        if (account, asset) == (link.member, link.asset)
    ]


def _standing(events: Iterable[e.Event]) -> dict[str, Receipt]:
    """Each receipt as it stands; a request's id comes once in a life."""
    return {
        event.receipt.id: event.receipt
        for event in events
        if isinstance(event, e.Captured | e.Finalised)
    }


def _pays(receipt: Receipt, member: str) -> bool:
    return not receipt.right and receipt.account == member


def _cuts_agree(wallet: Wallet, events: Sequence[e.Event], link: w.WalletLinked) -> None:
    """The last cut is true, and from each to the next nothing that was final is undone."""
    start = events.index(link)
    cuts = [
        money(events[:number], link, final=True)
        for number, event in enumerate(events, 1)
        if isinstance(event, w.WalletsCut) and number > start
    ]
    for before, after in pairwise([Money(), *cuts]):
        assert after.spent >= before.spent, f"{link.member} spent less than before"
        assert after.earned >= before.earned, f"{link.member} earned less than before"
    last = cuts[-1] if cuts else Money()
    closed = wallet.closed
    assert (closed.deposited, closed.requested) == (last.deposited, last.requested), "cut: flows"
    assert (closed.spent, closed.earned) == (last.spent, last.earned), f"cut of {link.member}"
    assert closed.balance == last.balance >= 0, f"cut of {link.member}"


# Lanes --------------------------------------------------------------------------------


def _sessions(events: Iterable[e.Event]) -> dict[tuple[str, int], Session]:
    """(member, lane) -> its session, with the requests that it pays for."""
    parents: dict[str, str] = {}
    live: dict[tuple[str, int], Session] = {}
    prices: dict[str, int] = {}
    for event in events:
        if isinstance(event, e.BudgetAdded):
            parents[event.id] = event.parent
        elif isinstance(event, e.Reserved):
            for session in live.values():
                under = session.granted.budget in _upward(parents, event.budget)
                if under and not event.right:
                    session.requests.append(event.hold)
        elif isinstance(event, e.Captured | e.Finalised):
            prices[event.receipt.id] = event.receipt.price
        elif isinstance(event, w.PermitGranted) and event.permit.lane:
            parents[event.budget] = event.parent
            place = event.member, event.permit.lane
            old = live.get(place)
            base = old.base + _spent(old, prices) if old else 0
            vouched = event.permit.limit if event.permit.sealed else base
            live[place] = Session(event, base, vouched)
        elif isinstance(event, w.Vouched):
            live[event.member, event.lane].vouched = event.amount
        elif isinstance(event, w.PermitEnded) and event.lane:
            live[event.member, event.lane].ended = True
    return live


def _spent(session: Session, prices: Mapping[str, int]) -> int:
    return sum(prices.get(id_, 0) for id_ in session.requests)


def _upward(parents: Mapping[str, str], budget: str) -> list[str]:
    found = []
    while budget:
        found.append(budget)
        budget = parents[budget]
    return found


def _lanes_agree(
    state: State,
    wallet: Wallet,
    events: Sequence[e.Event],
    link: w.WalletLinked,
    live: Mapping[tuple[str, int], Session],
) -> None:
    """Each session's counters, and for lane 0 that what remains was signed for."""
    held = _held(events)
    prices = {id_: receipt.price for id_, receipt in _standing(events).items()}
    mine = {lane: s for (member, lane), s in live.items() if member == link.member}
    assert wallet.lanes.keys() - {0} == mine.keys(), "lanes"
    rest = wallet.spent + _opened(state, events, link, held)
    for number, session in mine.items():
        lane, open_ = wallet.lanes[number], sum(held.get(id_, 0) for id_ in session.requests)
        spent = _spent(session, prices)
        assert (lane.base, lane.spent, lane.held) == (session.base, spent, open_), f"lane {number}"
        assert (lane.vouched, lane.ended) == (session.vouched, session.ended), f"lane {number}"
        assert lane.base + spent + open_ <= session.vouched <= session.granted.permit.limit
        limit = 0 if session.ended else session.vouched - session.base
        assert state.budgets[session.granted.budget].limit == limit, f"budget of lane {number}"
        rest -= session.base + spent + open_
    zero = [v for v in events if isinstance(v, w.PermitGranted) and not v.permit.lane]
    limits = [v.permit.limit for v in zero if v.member == link.member]
    assert 0 <= rest <= (limits[-1] if limits else 0), f"lane 0 of {link.member} is at {rest}"


def _held(events: Iterable[e.Event]) -> dict[str, int]:
    """Request -> what is set aside of its payer's credit."""
    found: dict[str, int] = {}
    for event in events:
        if isinstance(event, e.Reserved):
            found[event.hold] = event.amount
        elif isinstance(event, e.Captured):
            amount = found.pop(event.receipt.id)
            if event.receipt.verdict == "pending":
                found[event.receipt.id] = amount - event.receipt.price
        elif isinstance(event, e.Voided):
            del found[event.hold]
        elif isinstance(event, e.Finalised):
            del found[event.receipt.id]
    return found


def _opened(
    state: State, events: Sequence[e.Event], link: w.WalletLinked, held: Mapping[str, int]
) -> int:
    """What requests, bids and claims of the member may still take."""
    reserved = {v.hold: v for v in events if isinstance(v, e.Reserved)}
    terms = {v.instrument.id: v.instrument for v in events if isinstance(v, x.Listed)}
    requests = sum(
        amount
        for id_, amount in held.items()
        if reserved[id_].account == link.member
        and not reserved[id_].right
        and state.budgets[reserved[id_].budget].asset == link.asset
    )
    bids = sum(
        working.order.price * working.left
        for working in state.orders.values()
        if (working.order.account, working.order.side) == (link.member, "buy")
        and terms[working.order.instrument].asset == link.asset
    )
    stakes = sum(claim.stake for claim in state.claims.values() if claim.account == link.member)
    return requests + bids + stakes
