"""Borders: which markets this one deals with, and what it has there and of them.

Rule: a market never pays a peer's members more than what it sent there, and never holds more of
a peer's word than the operator's line for it; whatever the peer does, no more is at stake.
Invariant: what is on its way and what ended rights brought is on the peer's account, all of it;
of an asset of the peer itself only what is on its way home.
Worked number: with a line of 10 and 8 outstanding of it, 3 that come are refused for 1.
"""

from __future__ import annotations

from collections.abc import Sequence

from allmende.core import ledger
from allmende.core.abroad import ABROAD, AT, CREDIT, GRAINS, Ended, Foreign, Peering, account, local
from allmende.core.facts import move
from allmende.core.nouns import ISSUER, SYSTEM, Market, Posting
from allmende.core.refusals import Refused, Why
from allmende.core.state import State
from allmende.core.units import Amount, credits

AMOUNT_MAX = 10**30
WHY_MAX = 300
"""Characters of a reason."""


def house(by: str) -> None:
    """Refuse all but the house: it alone checks what another market says."""
    if by != SYSTEM:
        raise Refused(Why.NOT_ALLOWED, "That comes from another market, not from a key.")


def own(state: State) -> Market:
    assert state.market is not None
    return state.market


def find(state: State, id_: str) -> Peering:
    """A peer that was not removed. Refused(NOT_FOUND)."""
    found = state.peers.get(id_)
    if found is None or found.removed:
        there = ", ".join(p.peer.id for p in state.peers.values() if not p.removed) or "none"
        raise Refused(Why.NOT_FOUND, f"No peer {id_!r}; there are: {there}.")
    return found


def by_key(state: State, public_key: str) -> Peering:
    """Whoever has this key, removed or not. Refused(NOT_FOUND)."""
    for found in state.peers.values():
        if found.peer.public_key == public_key:
            return found
    raise Refused(Why.NOT_FOUND, f"No peer has the key {public_key[:16]}…; an operator adds peers.")


def require_good(found: Peering) -> None:
    """Refuse where nothing is taken from a peer, or sent to it."""
    if found.proof:
        raise Refused(
            Why.HALTED,
            f"{found.peer.name} signed two histories (proof {found.proof[:16]}…): nothing is "
            "taken from it or sent to it any more.",
        )
    if found.suspended:
        raise Refused(Why.HALTED, f"An operator suspended {found.peer.name}.")


def on_way(state: State, peer: str, asset: str) -> int:
    """What of an asset, as it is called here, is on its way to a peer."""
    prefix = f"{peer}/"
    return sum(
        said.amount
        for key, said in state.passages.items()
        if key.startswith(prefix) and here(state, peer, said.home, said.asset) == asset
    )


def here(state: State, peer: str, home: str, asset: str) -> str:
    """What an asset of `home` is called in this market."""
    return asset if home == own(state).public_key else local(asset, peer)


def there(state: State, peer: str, asset: str) -> int:
    """What of our own asset a peer may send back: it took it, and it did not come home yet."""
    ended = sum(
        end.amount
        for key, end in state.ended.items()
        if key.startswith(f"{peer}/") and end.asset == asset
    )
    return ledger.balance(state, account(peer), asset) - on_way(state, peer, asset) - ended


def ended_there(state: State, peer: str, right: str) -> int:
    """Grains of an ended right that a peer may still send back."""
    end = state.ended.get(f"{peer}/{right}")
    return 0 if end is None else end.grains - on_way(state, peer, right)


def outstanding(state: State, asset: str) -> int:
    """What members here hold of another market's asset, or have on its way home."""
    return -ledger.balance(state, ISSUER + asset, asset)


def drawn(state: State, peer: str) -> Amount:
    """Pico-credits of a peer's line that are used."""
    return sum(
        outstanding(state, asset) * foreign.price
        for asset, foreign in state.foreign.items()
        if foreign.peer == peer
    )


def require_line(state: State, found: Peering, worth: Amount) -> None:
    missing = drawn(state, found.peer.id) + worth - found.peer.limit
    if missing > 0:
        raise Refused(
            Why.OVER_LIMIT,
            f"It is {credits(missing)} credits over the line of {credits(found.peer.limit)} "
            "that its operator set for you.",
            missing=missing,
        )


def known_as(state: State, peer: str, asset: str) -> tuple[str, str, str, int, int]:
    """(home's key, id there, unit, price, lot) of what a member would send. Refused(NOT_FOUND)."""
    market, foreign = own(state), state.foreign.get(asset)
    if foreign is not None:
        if foreign.peer != peer:
            raise Refused(Why.NOT_ALLOWED, f"{asset} goes home to {foreign.peer!r}, nowhere else.")
        home = state.peers[peer].peer.public_key
        return home, foreign.asset, foreign.unit, foreign.price, foreign.lot
    listing, found = state.listings.get(asset), state.assets.get(asset)
    if listing is not None:
        terms = listing.instrument
        return market.public_key, asset, GRAINS, terms.price, terms.lot
    if found is None or found.issuer != market.operator:
        raise Refused(
            Why.NOT_ALLOWED, f"Abroad go the market's own credit and rights, and not {asset!r}."
        )
    return market.public_key, asset, CREDIT, 1, 0


def brought(state: State, peer: str, right: str, member: str, grains: int) -> tuple[Posting, ...]:
    """A part of what an ended right's grains brought; the last one gets the remainder."""
    end_ = state.ended[f"{peer}/{right}"]
    amount = end_.amount * grains // end_.grains
    return move(account(peer), member, end_.asset, amount) if amount else ()


def less(state: State, key: str, grains: int, lines: Sequence[Posting]) -> None:
    """Grains of an ended right came home, and what they brought was paid."""
    if not grains:
        return
    was = state.ended[key]
    paid = sum(line.amount for line in lines if line.amount > 0)
    if was.grains > grains:
        state.ended[key] = Ended(was.grains - grains, was.asset, was.amount - paid)
    else:
        del state.ended[key]


def check(state: State) -> None:
    if not state.peers:
        assert not (state.passages or state.foreign or state.ended), "something of no peer"
        return
    for peer in state.peers:
        where = account(peer)
        for asset, balances in state.balances.items():
            if asset in state.foreign:
                due = on_way(state, peer, asset) if state.foreign[asset].peer == peer else 0
                assert balances.get(where, 0) == due, f"{where} has {asset} that is not on its way"
            else:
                assert there(state, peer, asset) >= 0, f"{where} is short of {asset}"
    for asset, foreign in state.foreign.items():
        _check_foreign(state, asset, foreign)
    for key, end in state.ended.items():
        peer, _, right = key.partition("/")
        assert end.amount >= 0 < end.grains >= on_way(state, peer, right), f"ended {key}"
    accounts = {name for found in state.balances.values() for name in found if ABROAD in name}
    strays = accounts - set(map(account, state.peers))
    assert not strays, f"accounts of nobody: {strays}"
    for key, said in state.passages.items():
        peer = key.partition("/")[0]
        assert said.number <= state.peers[peer].sent, f"passage {key} was never sent"


def _check_foreign(state: State, asset: str, foreign: Foreign) -> None:
    assert asset == local(foreign.asset, foreign.peer) and AT in asset, f"{asset} is whose?"
    assert foreign.peer in state.peers, f"{asset} is of no peer"
    assert outstanding(state, asset) >= 0, f"{asset} is less than nothing"
