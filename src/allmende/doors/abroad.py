"""Abroad: what a market says of its peers, and what members may send there, as people write it.

Rule: credit is written as credits, rights as lots, whichever market's they are. Peers, lines and
heads are public; what is on its way is its sender's and the operators'.
Invariant: nothing here names a member to a visitor.
Worked number: 50_000_000 grains of a right of peer b in lots of 10**8 read "0.5" of
december@b.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from allmende.core import borders, ledger
from allmende.core.abroad import GRAINS, Passage, Peering
from allmende.core.state import State
from allmende.core.units import credits
from allmende.doors import lots, sight
from allmende.doors.plain import iso
from allmende.doors.sight import Viewer

Row = dict[str, Any]


def sent(state: State, fields: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields of a command that sends abroad, and its amount where it is told in lots."""
    rest = dict(fields)
    if "lots" not in rest:
        return rest, {}
    grains = lots.quantity(rest.pop("lots"), lot_of(state, str(rest.get("asset", ""))) or 1)
    return rest, {"amount": grains}


def lot_of(state: State, asset: str) -> int:
    """Grains in a lot of a right, ours or a peer's; 0 of credit."""
    if asset in state.listings:
        return state.listings[asset].instrument.lot
    foreign = state.foreign.get(asset)
    return 0 if foreign is None else foreign.lot


def measured(amount: int, lot: int) -> str:
    return lots.text(amount, lot) if lot else credits(amount)


def peer(state: State, found: Peering) -> Row:
    """A peer as anybody may see it."""
    one = found.peer
    return {
        "id": one.id,
        "name": one.name,
        "public_key": one.public_key,
        "limit": credits(one.limit),
        "drawn": credits(borders.drawn(state, one.id)),
        "accepts": found.accepts,
        "suspended": found.suspended,
        "proof": found.proof,
        "held": [
            {"asset": asset, "amount": measured(borders.outstanding(state, asset), foreign.lot)}
            for asset, foreign in state.foreign.items()
            if foreign.peer == one.id and borders.outstanding(state, asset)
        ],
        "there": there(state, one.id),
        "on_way": sum(key.startswith(f"{one.id}/") for key in state.passages),
    }


def there(state: State, id_: str) -> list[Row]:
    """What of our own is with a peer."""
    own = (asset for asset in state.balances if asset not in state.foreign)
    amounts = {asset: borders.there(state, id_, asset) for asset in own}
    return [
        {"asset": asset, "amount": measured(amount, lot_of(state, asset))}
        for asset, amount in amounts.items()
        if amount > 0
    ]


def passages(state: State, viewer: Viewer | None) -> list[Row]:
    """What is on its way, as far as a viewer may see it."""
    if viewer is None or not viewer.manages:
        return []
    return [
        _passage(key.partition("/")[0], said)
        for key, said in state.passages.items()
        if sight.member(state, viewer, said.sender)
    ]


def _passage(to: str, said: Passage) -> Row:
    return {
        "peer": to,
        "number": said.number,
        "asset": said.asset,
        "amount": measured(said.amount, said.lot),
        "sender": said.sender,
        "receiver": said.receiver,
        "at": iso(said.at),
        "until": iso(said.until),
    }


def rights(state: State, viewer: Viewer) -> list[Row]:
    """Other markets' rights that members whom the viewer sees hold here."""
    return [
        {"account": account, "asset": asset, "amount": measured(amount, foreign.lot)}
        for asset, foreign in state.foreign.items()
        if foreign.unit == GRAINS
        for account in sight.members(state, viewer)
        if (amount := ledger.balance(state, account, asset)) > 0
    ]
