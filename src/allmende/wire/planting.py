"""Planting: the commands that make a tree of another market stand in this one.

Rule: an import is commands, which an operator gives: members, budgets with what was spent, keys by
their hashes, titles, offers, evidence as claims. Of money there is none among them.
Invariant: the same tree, market and prefix give the same commands; what cannot be made is told,
and what would only half work (an offer without its provider's key) is not made.
Worked number: prefix "uni-" makes member `physics` of the tree `uni-physics`, in every place.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from msgspec import Struct, structs

from allmende.core import commands as c
from allmende.core import evidence_commands as v
from allmende.core import tree_commands as m
from allmende.core.evidence import NO_FLOOR, Evidence
from allmende.core.nouns import Offer, Share
from allmende.core.refusals import Refused, Why
from allmende.core.state import State
from allmende.core.units import Instant
from allmende.wire.tree import Node, Tree, digest

PREFIX_MAX = 32


class Origin(NamedTuple):
    """Where a tree is from, as its file says."""

    market: str
    public_key: str
    events: int


class Stamp(NamedTuple):
    """Who imports, when, what goes before every id, and (there, here) which assets are called what:
    others than the market's credit and those of the tree keep their names."""

    by: str
    at: Instant
    prefix: str = ""
    assets: tuple[tuple[str, str], ...] = ()


class Plan(Struct, frozen=True):
    """Commands with what each is for, in order; and what of the tree is not made, in sentences."""

    steps: tuple[tuple[str, c.Command], ...]
    left: tuple[str, ...]


class _Names:
    """The ids of a tree, and how they are called here; other ids stay what they are."""

    def __init__(self, tree: Tree, stamp: Stamp, asset: str) -> None:
        prefix = stamp.prefix
        self._own = {
            "member": {one.id for one in tree.members},
            "budget": {one.id for one in tree.budgets},
            "title": {one.id for one in tree.titles},
            "offer": {one.id for one in tree.offers},
            "evidence": {one.id for one in tree.evidence},
        }
        own = {one.id: prefix + one.id for one in tree.assets}
        self._assets = {tree.asset: asset, **dict(stamp.assets), **own}
        self.prefix = prefix

    def of(self, kind: str, id_: str) -> str:
        return self.prefix + id_ if id_ in self._own[kind] else id_

    def asset(self, id_: str) -> str:
        return self._assets.get(id_, id_)


def plan(state: State, tree: Tree, origin: Origin, stamp: Stamp, sealed: Mapping[str, str]) -> Plan:
    """`sealed` are the providers' keys that were given anew, under this market's seal, by offer.

    Refused where the tree is none.
    """
    if len(stamp.prefix) > PREFIX_MAX or not tree.members:
        raise Refused(Why.BAD_VALUE, f"A tree has members, a prefix {PREFIX_MAX} characters.")
    _require_closed(tree)
    for key in tree.keys:
        if key.hash in state.keys:
            here = state.keys[key.hash].id
            raise Refused(Why.EXISTS, f"The key {key.id!r} works here already, as {here!r}.")
    names = _Names(tree, stamp, next(iter(state.assets)))
    tops = tuple(names.of("member", one.id) for one in tree.members if not one.home)
    received = m.ReceiveTree(sha256=digest(tree), members=tops, **origin._asdict())
    wanting = [one for one in tree.sealed if one not in sealed]
    claims, unproved = _evidence(tree, stamp.at, set(wanting))
    steps = [
        ("the tree", received),
        *_members(tree, names),
        *(step for node in tree.budgets for step in _budget(node, names)),
        *_titles(tree, names),
        *_offers(tree, names, sealed),
        *(_filed(one, names) for one in claims),
        *_keys(tree, names),
    ]
    left = [f"Offer {id_}: give its provider's key, or post it anew." for id_ in wanting]
    stamped = ((what, structs.replace(step, by=stamp.by, at=stamp.at)) for what, step in steps)
    return Plan(tuple(stamped), (*left, *unproved))


def _require_closed(tree: Tree) -> None:
    """Who takes a tree in gives nothing of its own away with it: whatever a file says, its keys,
    budgets and offers are of members that come with it. Refused."""
    members, budgets = {one.id for one in tree.members}, {one.id for one in tree.budgets}
    parts = (
        ("member", members, [(one.id, one.home) for one in tree.members]),
        ("asset", members, [(one.id, one.issuer) for one in tree.assets]),
        ("budget", members, [(one.id, one.owner) for one in tree.budgets]),
        ("budget", budgets, [(one.id, one.parent) for one in tree.budgets]),
        ("key", members, [(one.id, one.member) for one in tree.keys]),
        ("key", budgets, [(one.id, one.budget) for one in tree.keys]),
        ("title", members, [(one.id, one.owner) for one in tree.titles]),
        ("offer", members, [(one.id, one.provider) for one in tree.offers]),
        ("evidence", members, [(one.id, one.provider) for one in tree.evidence]),
        ("evidence", {one.id for one in tree.offers}, [(e.id, e.offer) for e in tree.evidence]),
    )
    for kind, known, pairs in parts:
        for id_, other in pairs:
            if other and other not in known:
                raise Refused(Why.BAD_VALUE, f"{kind} {id_!r} is of {other!r}, not of this tree.")
    operates = [one.id for one in tree.keys if one.role == "operate"]
    if operates or any(one.kind == "operator" for one in tree.members):
        raise Refused(Why.NOT_ALLOWED, f"No tree brings who operates here: {operates}.")


Steps = Iterator[tuple[str, c.Command]]


def _members(tree: Tree, names: _Names) -> Steps:
    """How far a member is known, and whether it serves all, is for each market to say."""
    for one in tree.members:
        new = structs.replace(
            one,
            id=names.of("member", one.id),
            home=names.of("member", one.home),
            tier=min(one.tier, 1),
            common_good=False,
        )
        yield f"member {new.id!r}", c.AddMember(member=new)
    for asset in tree.assets:
        id_, issuer = names.asset(asset.id), names.of("member", asset.issuer)
        made = c.RegisterAsset(id=id_, issuer=issuer, name=asset.name)
        yield f"asset {id_!r}", made


def _budget(node: Node, names: _Names) -> Steps:
    """With what was spent, before any cap: what stood when it was set may stand."""
    id_ = names.of("budget", node.id)
    what = f"budget {id_!r}"
    yield (
        what,
        c.AddBudget(
            id=id_,
            name=node.name,
            owner="" if node.parent else names.of("member", node.owner),
            parent=names.of("budget", node.parent),
            asset=names.asset(node.asset),
            period=node.period,
            limit=node.limit,
        ),
    )
    if node.until:
        until, caused = node.until, node.ug_spent
        yield what, m.CarrySpent(id=id_, spent=node.spent, until=until, ug_spent=caused)
    if node.cap_ug is not None:
        yield what, c.SetCarbonCap(id=id_, cap_ug=node.cap_ug)
    if node.floor != NO_FLOOR:
        floor = node.floor
        demands = floor.min_seal, floor.max_exposure, floor.max_kill_switch
        yield f"the floor of {what}", v.SetFloor(id_, *demands)


def _titles(tree: Tree, names: _Names) -> Steps:
    for title in tree.titles:
        new = structs.replace(
            title,
            id=names.of("title", title.id),
            owner=names.of("member", title.owner),
            waterfall=tuple(_share(share, names) for share in title.waterfall),
        )
        yield f"title {new.id!r}", c.RegisterTitle(title=new)


def _share(share: Share, names: _Names) -> Share:
    return structs.replace(share, account=names.of("member", share.account))


def posted(tree: Tree, given: Collection[str]) -> list[Offer]:
    """The offers that can serve: those that need no provider's key, or whose key is given."""
    return [one for one in tree.offers if one.id not in tree.sealed or one.id in given]


def _offers(tree: Tree, names: _Names, sealed: Mapping[str, str]) -> Steps:
    for offer in posted(tree, sealed):
        new = structs.replace(
            offer,
            id=names.of("offer", offer.id),
            provider=names.of("member", offer.provider),
            title=names.of("title", offer.title),
            asset=names.asset(offer.asset),
            sealed_secret=sealed.get(offer.id, ""),
        )
        yield f"offer {new.id!r}", c.PostOffer(offer=new)


def _keys(tree: Tree, names: _Names) -> Steps:
    for key in tree.keys:
        new = structs.replace(
            key,
            id=names.prefix + key.id,
            member=names.of("member", key.member),
            budget=names.of("budget", key.budget),
        )
        yield f"key {new.id!r}", c.IssueKey(key=new)


def _evidence(tree: Tree, at: Instant, gone: set[str]) -> tuple[list[Evidence], list[str]]:
    """What can be filed, grounds first; and sentences on what cannot."""
    waiting = {one.id: one for one in tree.evidence}
    ready: dict[str, Evidence] = {}

    def fit(one: Evidence) -> bool:
        grounds = all(id_ in ready for id_ in one.rests_on)
        return one.expires > at and one.offer not in gone and grounds

    while found := [one for one in waiting.values() if fit(one)]:
        for one in found:
            ready[one.id] = waiting.pop(one.id)
    told = [
        f"Evidence {id_}: it has expired, or what it speaks of or rests on is not here."
        for id_ in waiting
    ]
    return list(ready.values()), told


def _filed(evidence: Evidence, names: _Names) -> tuple[str, c.Command]:
    new = structs.replace(
        evidence,
        id=names.of("evidence", evidence.id),
        provider=names.of("member", evidence.provider),
        offer=names.of("offer", evidence.offer),
        rests_on=tuple(names.of("evidence", id_) for id_ in evidence.rests_on),
    )
    made = v.FileEvidence(evidence=new)
    return f"evidence {new.id!r}", made
