"""Tree: a member with all that belongs to it, as data that another market can take in.

Rule: what can be made anew elsewhere is in the tree; what is owed here (money, rights, open
business) is told beside it, to be brought or to be closed; what nobody may carry is named.
Invariant: no secret is in it, neither a key nor a provider's sealed one.
Worked number: a university with 30 institutes is one tree of 31 members; its top has no home.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Struct, structs

from allmende.core import identity
from allmende.core.evidence import Evidence, Floor
from allmende.core.nouns import Asset, Key, Member, Offer, Title
from allmende.core.refusals import Refused, Why
from allmende.core.state import Budget, State
from allmende.core.units import Amount, Instant

_ENCODE = msgspec.json.Encoder(order="deterministic").encode


class Node(Struct, frozen=True):
    """A budget and what its running period, which ends at `until`, has spent and caused."""

    id: str
    name: str
    owner: str
    parent: str
    asset: str
    period: str
    limit: Amount | None
    spent: Amount = 0
    until: Instant = 0
    cap_ug: int | None = None
    ug_spent: int = 0
    floor: Floor = Floor()


class Tree(Struct, frozen=True):
    """Parents come before children. `asset` is what the market's own credit is called there;
    `sealed` are the offers whose provider's key must be given anew."""

    asset: str
    members: tuple[Member, ...]
    assets: tuple[Asset, ...] = ()
    budgets: tuple[Node, ...] = ()
    keys: tuple[Key, ...] = ()
    titles: tuple[Title, ...] = ()
    offers: tuple[Offer, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    sealed: tuple[str, ...] = ()


class Bring(Struct, frozen=True):
    """What an account has in the other market and no import brings: `amount` of `asset`, of which
    `held` is set aside there. `kind` is credit, own (an organisation's credit), foreign (a claim on
    a third market) or right."""

    account: str
    asset: str
    kind: str
    amount: Amount
    held: Amount


def inside(state: State, tops: Iterable[str]) -> list[str]:
    """The members of these trees, each after its home. Refused."""
    wanted = list(dict.fromkeys(tops))
    if not wanted:
        raise Refused(Why.BAD_VALUE, "Name the member whose tree it is.")
    for top in wanted:
        identity.find_member(state, top)
        assert state.market is not None
        if top == state.market.operator:
            raise Refused(Why.BAD_VALUE, f"{top!r} is the market itself: export the market.")
        if _walletlike(top):
            raise Refused(Why.BAD_VALUE, f"{top!r} is a wallet's: it signs in elsewhere by itself.")
    return [id_ for id_ in state.members if any(identity.within(state, id_, t) for t in wanted)]


def tree_of(state: State, members: Iterable[str]) -> Tree:
    """The tree of members that `inside` gave."""
    mine = dict.fromkeys(members)
    own = [state.members[id_] for id_ in mine]
    nodes = [_node(state, node) for node in state.budgets.values() if _moves(state, node, mine)]
    budgets = {node.id for node in nodes}
    offers = [one for one in state.offers.values() if one.provider in mine]
    standing = {"", *(one.id for one in offers)}
    return Tree(
        next(iter(state.assets)),
        tuple(one if one.home in mine else structs.replace(one, home="") for one in own),
        tuple(one for one in state.assets.values() if one.issuer in mine),
        tuple(nodes),
        tuple(key for key in state.keys.values() if key.member in mine and _goes(key, budgets)),
        tuple(title for title in state.titles.values() if title.owner in mine),
        tuple(structs.replace(one, sealed_secret="") for one in offers),
        tuple(one for one in _evidence_of(state, mine) if one.offer in standing),
        tuple(one.id for one in offers if one.sealed_secret),
    )


def _node(state: State, node: Budget) -> Node:
    same = {name: getattr(node, name) for name in Node.__struct_fields__ if name != "floor"}
    return Node(**same, floor=state.floors.get(node.id, Floor()))


def _moves(state: State, node: Budget, members: Iterable[str]) -> bool:
    """A session's budget is its wallet's, which signs a new one."""
    return node.owner in members and node.id not in state.sessions and not _walletlike(node.id)


def _goes(key: Key, budgets: set[str]) -> bool:
    """A key that operates is of this market alone; one of another's budget stays with it."""
    return key.role != "operate" and not _walletlike(key.id) and key.budget in ("", *budgets)


def _walletlike(id_: str) -> bool:
    return id_.startswith(identity.WALLETS)


def digest(tree: Tree) -> str:
    """SHA-256 of its deterministic JSON, in hex: one tree is one import."""
    return hashlib.sha256(_ENCODE(tree)).hexdigest()


def encode(tree: Tree) -> bytes:
    return msgspec.json.format(_ENCODE(tree), indent=1) + b"\n"


# What does not move -----------------------------------------------------------------------


def to_bring(state: State, members: Iterable[str]) -> list[Bring]:
    """What these accounts have here: of credit, of organisations' own credit, of rights."""
    mine = dict.fromkeys(members)
    market = next(iter(state.assets))
    found = []
    for asset, accounts in state.balances.items():
        kind = "own" if asset in state.assets else "right"
        if asset == market or asset in state.foreign:
            kind = "credit" if asset == market else "foreign"
        for account in mine:
            amount, held = accounts.get(account, 0), state.held.get(asset, {}).get(account, 0)
            if amount or held:
                found.append(Bring(account, asset, kind, amount, held))
    return found


def left_behind(state: State, members: Iterable[str]) -> Iterator[str]:
    """What of these members is not in the tree, in sentences."""
    mine = dict.fromkeys(members)
    tree = tree_of(state, mine)
    moved = {key.id for key in tree.keys}
    shown = {one.id for one in tree.evidence}
    for key in state.keys.values():
        if key.member in mine and key.id not in moved:
            yield f"Key {key.id}: it operates here, is a wallet's, or spends from another's budget."
    for offer in tree.sealed:
        yield f"The provider's key of offer {offer}: it is sealed, and must be given anew."
    for one in _evidence_of(state, mine):
        if one.id not in shown:
            yield f"Evidence {one.id}: its offer {one.offer} does not stand."
    yield from _of_this_market(state, mine)


def _evidence_of(state: State, mine: Iterable[str]) -> list[Evidence]:
    return [f.evidence for f in state.evidence.values() if f.evidence.provider in mine]


def _of_this_market(state: State, mine: dict[str, None]) -> Iterator[str]:
    """What others here owe, know or signed."""
    issued = [i for i, one in state.listings.items() if one.instrument.issuer in mine]
    tokens = [i for i in state.tokens if state.titles[i].owner in mine]
    payees = [f"{member}, {to}" for to, member in state.payees.items() if member in mine]
    wallets = sorted(state.wallets.keys() & mine.keys())
    people = [state.members[id_] for id_ in mine]
    known = [f"{one.id} (tier {one.tier})" for one in people if one.tier > 1 or one.common_good]
    signed = [one.id for one in _evidence_of(state, mine) if state.evidence[one.id].confirmed_by]
    for what, names, why in (
        ("Instrument", issued, "what is owed on it is owed here"),
        ("The token of title", tokens, "it stays on its chain"),
        ("Where rewards go of", payees, "the other market is told anew"),
        ("The wallet of", wallets, "link it anew; what the vault has of it, it takes out itself"),
        ("How far one is known:", known, "the other market judges anew"),
        ("Who confirmed evidence", signed, "a person of the other market looks again"),
    ):
        yield from (f"{what} {name}: {why}." for name in names)


class Open(Struct, frozen=True):
    """Business of these members that was open here: told, not moved. Each is as in the state."""

    holds: tuple[msgspec.Raw, ...]
    provisional: tuple[msgspec.Raw, ...]
    orders: tuple[msgspec.Raw, ...]
    instruments: tuple[msgspec.Raw, ...]
    wallets: tuple[msgspec.Raw, ...]
    evidence: tuple[msgspec.Raw, ...]
    assessments: tuple[msgspec.Raw, ...]
    bring: tuple[Bring, ...]
    left: tuple[str, ...]


def open_of(state: State, members: Iterable[str]) -> Open:
    mine = dict.fromkeys(members)
    signed = [one for regimes in state.assessments.values() for one in regimes.values()]
    holds = [
        structs.replace(hold, offer=structs.replace(hold.offer, sealed_secret=""))
        for hold in state.holds.values()
        if hold.account in mine
    ]
    pending = [one.receipt for one in state.provisional.values()]
    return Open(
        _raw(holds),
        _raw(one for one in pending if one.account in mine or one.provider in mine),
        _raw(one for one in state.orders.values() if one.order.account in mine),
        _raw(o.instrument for o in state.listings.values() if o.instrument.issuer in mine),
        _raw(wallet for member, wallet in state.wallets.items() if member in mine),
        _raw(one for one in state.evidence.values() if one.evidence.provider in mine),
        _raw(one for one in signed if one.assessment.provider in mine),
        tuple(to_bring(state, mine)),
        tuple(left_behind(state, mine)),
    )


def _raw(values: Iterable[Struct]) -> tuple[msgspec.Raw, ...]:
    plain = (msgspec.to_builtins(value, str_keys=True) for value in values)
    return tuple(msgspec.Raw(_ENCODE(value)) for value in plain)
