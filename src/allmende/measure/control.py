"""Control: who has the say over a legal entity, through however many others.

Rule: an actor controls another if it and those whom it controls have together more than half
of the votes, or a contract that gives control; this is carried on until nothing is added.
Invariant: it ends on every graph, cycles included; holding half of the votes is no control.
Worked number: Top holds 60 % of Mid, Mid 30 % and Top itself 21 % of Leaf: 51 %, so Top
controls Leaf, although neither stake alone would do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import msgspec

from allmende.core.actors import NOBODY, Actor, Registry, Stake, Supply
from allmende.core.holdings import HALF, Link, by_holder, chain, spread
from allmende.core.units import PPM


class Control:
    """The graph of one registry. Figures are computed when first asked for."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.actors: dict[str, Actor] = {actor.id: actor for actor in registry.actors}
        self.holdings = by_holder(registry.stakes)
        self.holders: dict[str, list[Stake]] = {}
        for stake in registry.stakes:
            self.holders.setdefault(stake.entity, []).append(stake)
        self.supplies: dict[tuple[str, str, str], list[Supply]] = {}
        """(scope, subject, layer) -> its rows"""
        for row in registry.supplies:
            self.supplies.setdefault((row.scope, row.subject, row.layer), []).append(row)
        self._reach: dict[str, dict[str, tuple[str, ...]]] = {}
        self._may_reach: dict[str, frozenset[str]] = {}
        self._controlled: dict[str, dict[str, Link]] = {}

    @cached_property
    def behind(self) -> dict[str, str]:
        """account -> the actor that stands behind it"""
        return {account: actor.id for actor in self.registry.actors for account in actor.accounts}

    def controlled(self, holder: str) -> dict[str, Link]:
        """All that `holder` controls, in the order in which it follows, and how."""
        if holder not in self._controlled:
            self._controlled[holder] = spread(self.holdings, holder)
        return self._controlled[holder]

    def controllers(self, entity: str) -> tuple[str, ...]:
        """All that control `entity`, not itself."""
        return self._controllers.get(entity, ())

    def ultimates(self, entity: str) -> tuple[str, ...]:
        """Who controls it and is controlled by nobody; itself where nobody controls it.

        More than one where a contract says otherwise than the votes: the votes' first.
        In a cycle of control all control each other, and its first by name stands for it.
        """
        hands = (entity, *self.controllers(entity))
        tops = {self._tops[hand] for hand in hands if hand in self._tops} or {entity}
        return tuple(sorted(tops, key=lambda top: (self._by_contract(top, entity), top)))

    def ultimate(self, entity: str) -> str:
        return self.ultimates(entity)[0]

    def chain(self, top: str, entity: str) -> tuple[Link, ...]:
        """The steps from `top` down to `entity`; empty where it does not control it."""
        return () if top == entity else chain(self.controlled(top), top, entity)

    def reach(self, jurisdiction: str) -> dict[str, tuple[str, ...]]:
        """entity -> those registered in `jurisdiction` that are it or control it."""
        if jurisdiction in self._reach:
            return self._reach[jurisdiction]
        found: dict[str, tuple[str, ...]] = {}
        for entity in self.actors:
            held = (entity, *self.controllers(entity))
            hands = tuple(a for a in held if self.jurisdiction(a) == jurisdiction)
            if hands:
                found[entity] = hands
        self._reach[jurisdiction] = found
        return found

    def may_reach(self, jurisdiction: str) -> frozenset[str]:
        """Those that `jurisdiction` reaches, and those that it would if votes of which nobody
        told were held there: the most that can be so."""
        if jurisdiction not in self._may_reach:
            found, more = set(self.reach(jurisdiction)), {""}
            while more:
                more = {e for e in self.actors if e not in found and self._may(e, found)}
                found |= more
            self._may_reach[jurisdiction] = frozenset(found)
        return self._may_reach[jurisdiction]

    def _may(self, entity: str, hands: set[str]) -> bool:
        stakes = [s for s in self.holders.get(entity, ()) if s.holder in hands]
        votes = self.unrecorded_ppm(entity) + sum(stake.votes_ppm for stake in stakes)
        return votes > HALF or any(stake.contract for stake in stakes)

    def jurisdiction(self, actor: str) -> str:
        found = self.actors.get(actor)
        return found.jurisdiction if found else ""

    def laws(self, actor: str) -> tuple[str, ...]:
        """Countries whose law reaches it: its own first, then of all that control it."""
        hands = (actor, *self.controllers(actor))
        return tuple(dict.fromkeys(filter(None, map(self.jurisdiction, hands))))

    def unrecorded_ppm(self, entity: str) -> int:
        """Votes of which nobody told who has them; none of a form that has no holders."""
        actor = self.actors.get(entity)
        if actor is not None and actor.form != "company":
            return 0
        return PPM - sum(stake.votes_ppm for stake in self.holders.get(entity, ()))

    @cached_property
    def _controllers(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for holder in sorted(self.holdings):
            for entity in spread(self.holdings, holder):
                if entity != holder:
                    found.setdefault(entity, []).append(holder)
        return {entity: tuple(holders) for entity, holders in found.items()}

    @cached_property
    def _tops(self) -> dict[str, str]:
        """Those that nobody controls but whom they control themselves -> the first of these."""
        above = {entity: frozenset(hands) for entity, hands in self._controllers.items()}
        found = {}
        for entity in (*self.actors, *self.holdings, *self.holders):
            hands = above.get(entity, frozenset())
            if all(entity in above.get(hand, ()) for hand in hands):
                found[entity] = min({entity, *hands})
        return found

    def _by_contract(self, top: str, entity: str) -> bool:
        return any(link.contract and link.votes_ppm <= HALF for link in self.chain(top, entity))


class Behind(NamedTuple):
    """What stands behind one offer, as far as it is known. Countries are alpha-3, "" unknown.

    `basis` says where parent and control come from: "registry", "declared" (the provider's
    own offer says so) or "unknown". Suppliers are actors' ids, cables their names; an empty
    tuple is "nobody told", not "none".
    """

    offer: str
    provider: str
    actor: str
    parent: str
    parents: tuple[str, ...]
    country: str
    control: tuple[str, ...]
    """Countries whose law reaches it: of its actor, and of all that control that."""
    basis: str
    chips: tuple[str, ...]
    clouds: tuple[str, ...]
    cables: tuple[str, ...]
    software: tuple[str, ...]


def behind(control: Control, offers: Iterable[Mapping[str, Any]]) -> list[Behind]:
    """One row per offer. An offer is a mapping with `id` (or `offer`), `provider` and `zone`
    (country, operator, parent, parent_country), as /api/offers gives it."""
    return [_behind(control, offer) for offer in offers]


def _behind(control: Control, offer: Mapping[str, Any]) -> Behind:
    zone = offer["zone"]
    id_, provider = str(offer.get("id") or offer["offer"]), str(offer["provider"])
    actor = control.behind.get(provider, "")
    if actor:
        parents = control.ultimates(actor)
        countries = control.laws(actor)
        basis = "registry"
    else:
        parents = (zone["parent"] or provider,)
        countries = (zone["parent_country"],) if zone["parent_country"] else ()
        basis = "declared" if countries else "unknown"
    named = {
        layer: suppliers(control, layer, id_, provider, actor)
        for layer in ("chip", "cloud", "network", "software")
    }
    return Behind(
        offer=id_,
        provider=provider,
        actor=actor,
        parent=parents[0],
        parents=parents,
        country=zone["country"],
        control=countries,
        basis=basis,
        chips=named["chip"],
        clouds=named["cloud"],
        cables=named["network"],
        software=named["software"],
    )


def supplied(
    control: Control, layer: str, offer: str, provider: str, actor: str
) -> tuple[Supply, ...]:
    """What is said of a layer: of the offer itself, else of its provider, else of the actor
    behind that. Empty where nobody told; one row of NOBODY where there is none."""
    for scope, subject in (("offer", offer), ("provider", provider), ("actor", actor)):
        found = control.supplies.get((scope, subject, layer))
        if found:
            return tuple(found)
    return ()


def suppliers(
    control: Control, layer: str, offer: str, provider: str, actor: str
) -> tuple[str, ...]:
    """Who supplies a layer of an offer, as far as it is known."""
    rows = supplied(control, layer, offer, provider, actor)
    return tuple(row.supplier for row in rows if row.supplier != NOBODY)


def who(control: Control, actor: str) -> dict[str, Any] | None:
    """An actor and what follows for it, as plain data; None where there is none of this id."""
    found = control.actors.get(actor)
    if found is None:
        return None
    return {
        "actor": msgspec.to_builtins(found),
        "ultimate": list(control.ultimates(actor)),
        "chains": {
            top: [link._asdict() for link in control.chain(top, actor)]
            for top in control.ultimates(actor)
        },
        "jurisdictions": list(control.laws(actor)),
        "controls": list(control.controlled(actor)),
        "holders": [msgspec.to_builtins(s) for s in control.holders.get(actor, ())],
        "holds": [msgspec.to_builtins(s) for s in control.holdings.get(actor, ())],
        "unrecorded_ppm": control.unrecorded_ppm(actor),
        "supplies": [
            msgspec.to_builtins(row)
            for row in control.registry.supplies
            if actor in (row.supplier, row.subject if row.scope == "actor" else "")
        ],
    }
