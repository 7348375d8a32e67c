"""Control: who is behind whom, whose law reaches which offer, and what evidence shows.

Rule: the page computes proposals from the registry of actors and says so; what counts beside
them is what named persons have signed. Both stand side by side and are never mixed.
Invariant: everything here is public: the registry, the offers, evidence and assessments; where
the registry is silent a result is a range, and says what is missing.
Worked number: three offers and two dated laws are six proposals, each with its sentences.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from allmende.core import floors
from allmende.core.actors import Registry
from allmende.core.countries import CODES
from allmende.core.evidence import CSF, OBJECTIVES
from allmende.core.refusals import Refused, Why
from allmende.core.registry import percent
from allmende.core.state import State
from allmende.core.units import SECOND
from allmende.doors import lookups
from allmende.doors.observatory.frame import Asked, Found, Row, Sources, Table
from allmende.measure import dated
from allmende.measure.control import Control, behind
from allmende.measure.dated import Rules
from allmende.measure.exposure import Law, Proposal, law, proposals
from allmende.measure.exposure_words import LANGUAGES
from allmende.measure.flags import Flags, flags
from allmende.measure.sovereignty import Seals, seals

Handler = Callable[[Request], Awaitable[Response]]
Lookup = tuple[Handler, str]


class Signed(NamedTuple):
    """What persons have signed of an offer under a law; nobody signed: the worst, and no names."""

    exposure: int
    kill_switch: int
    signers: tuple[str, ...]


class ControlPage:
    """The section, and the same as JSON."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self.lookups: dict[str, Lookup] = {
            "/api/exposure": (
                self.exposure,
                "How far a law reaches each offer, and why: law (USA), offer, lang. Public.",
            ),
            "/api/behind": (self.behind, "What stands behind each offer, by the registry. Public."),
        }

    async def gather(self, asked: Asked) -> Found:
        registry, version = await self._sources.history.registry()
        state, now = self._sources.desk.state, self._sources.clock.now()
        control = Control(registry)
        under = self._laws(registry)
        chosen = asked.choice("law", list(under), "USA")
        offers = lookups.offers(state, None, now)
        found = list(proposals(control, offers, [under[chosen]]))
        shown = {offer["id"]: self._seals(state, offer["id"], now) for offer in offers}
        signed = {offer["id"]: signed_of(state, offer["id"], chosen, now) for offer in offers}
        shows = {
            "registry": version,
            "law": chosen,
            "laws": [(country, one.names) for country, one in under.items()],
            "actors": [self._actor(control, actor.id) for actor in registry.actors],
            "proposals": [
                {
                    "offer": one.offer,
                    "exposure": one.exposure,
                    "kill_switch": one.kill_switch,
                    "grade": one.grade,
                    "says": {language: one.sentences(language) for language in LANGUAGES},
                    "signed": signed[one.offer],
                    "seals": shown[one.offer],
                }
                for one in found
            ],
        }
        return Found(shows, _tables(control, found, signed, shown))

    async def exposure(self, request: Request) -> Response:
        """Proposals as JSON, with their reasons in one language."""
        await self._sources.history.fresh()
        registry, _ = await self._sources.history.registry()
        asked = request.query_params
        country, language = asked.get("law", "USA"), asked.get("lang", "en")
        if country not in CODES or language not in LANGUAGES:
            raise Refused(Why.BAD_VALUE, "law is a country as USA, lang is en or de.")
        offers = [
            offer
            for offer in lookups.offers(self._sources.desk.state, None, self._sources.clock.now())
            if offer["id"] == asked.get("offer", offer["id"])
        ]
        if not offers:
            raise Refused(Why.NOT_FOUND, "No such offer stands.")
        found = proposals(Control(registry), offers, [law(country, self._sources.rules)])
        return _reply([_told(one, language) for one in found])

    async def behind(self, request: Request) -> Response:
        await self._sources.history.fresh()
        registry, _ = await self._sources.history.registry()
        offers = lookups.offers(self._sources.desk.state, None, self._sources.clock.now())
        return _reply([row._asdict() for row in behind(Control(registry), offers)])

    def _laws(self, registry: Registry) -> dict[str, Law]:
        """The dated laws first, then every country that an actor is registered in."""
        dated_ = [r.values["country"] for r in self._sources.rules if "country" in r.values]
        countries = [*dated_, *sorted({actor.jurisdiction for actor in registry.actors}), "USA"]
        return {country: law(country, self._sources.rules) for country in countries}

    def _actor(self, control: Control, id_: str) -> dict[str, Any]:
        actor = control.actors[id_]
        return {
            "id": id_,
            "name": actor.name,
            "country": actor.jurisdiction,
            "roles": actor.roles,
            "accounts": actor.accounts,
            "grade": actor.grade,
            "parents": [control.actors[top].name for top in control.ultimates(id_)],
            "laws": control.laws(id_),
            "unrecorded": percent(control.unrecorded_ppm(id_)),
            "flags": self._flags(control, id_),
        }

    def _flags(self, control: Control, id_: str) -> Flags | None:
        rule, union = self._rule("fr/secnumcloud"), self._rule("eu/members")
        if rule is None or union is None or not control.holders.get(id_):
            return None
        return flags(control, id_, union.values["countries"], rule)

    def _seals(self, state: State, offer: str, now: int) -> Seals | None:
        """What valid evidence shows; None without the framework's weights."""
        rule = self._rule("eu/csf")
        if rule is None:
            return None
        found = {
            name: floors.seal(state, state.offers[offer], name, now) for name in OBJECTIVES[CSF]
        }
        return seals(rule, {name: seal.level for name, seal in found.items() if seal.evidence})

    def _rule(self, act: str) -> Rules | None:
        today: date = datetime.fromtimestamp(self._sources.clock.now() // SECOND, UTC).date()
        try:
            return dated.in_force(self._sources.rules, act, today)
        except dated.NoRules:  # the page is then without that part, and shows the rest
            return None


def signed_of(state: State, offer: str, country: str, now: int) -> Signed:
    found = floors.reach(state, state.offers[offer], floors.regime(country), now)
    names = tuple(dict.fromkeys(one.assessment.signer for one in found.signed))
    return Signed(found.exposure, found.kill_switch, names)


def _told(one: Proposal, language: str) -> dict[str, Any]:
    return {
        "offer": one.offer,
        "law": one.law.country,
        "exposure": {"low": one.exposure[0], "high": one.exposure[1]},
        "kill_switch": {"low": one.kill_switch[0], "high": one.kill_switch[1]},
        "grade": one.grade,
        "reasoning": one.sentences(language),
    }


def _reply(value: Any) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")


def _tables(
    control: Control,
    found: Sequence[Proposal],
    signed: Mapping[str, Signed],
    shown: Mapping[str, Seals | None],
) -> dict[str, Table]:
    """The same as files: shares in millionths, reasons in English."""
    exposure: list[Row] = [
        {
            "offer": one.offer,
            "law": one.law.country,
            "exposure_low": one.exposure[0],
            "exposure_high": one.exposure[1],
            "kill_switch_low": one.kill_switch[0],
            "kill_switch_high": one.kill_switch[1],
            "signed_exposure": signed[one.offer].exposure,
            "signed_kill_switch": signed[one.offer].kill_switch,
            "signers": ", ".join(signed[one.offer].signers),
            "grade": one.grade,
            "reasoning": one.reasoning("en"),
        }
        for one in found
    ]
    return {
        "actors": Table(_actors(control)),
        "exposure": Table(exposure),
        "seals": Table(
            [row for offer, seal in shown.items() if seal for row in _seal(offer, seal)]
        ),
    }


def _actors(control: Control) -> list[Row]:
    return [
        {
            "id": actor.id,
            "name": actor.name,
            "jurisdiction": actor.jurisdiction,
            "parents": " ".join(control.ultimates(actor.id)),
            "laws": " ".join(control.laws(actor.id)),
            "roles": " ".join(actor.roles),
            "accounts": " ".join(actor.accounts),
            "unrecorded_ppm": control.unrecorded_ppm(actor.id),
            "grade": actor.grade,
        }
        for actor in control.registry.actors
    ]


def _seal(offer: str, found: Seals) -> Iterator[Row]:
    for one in found.objectives:
        yield {
            "offer": offer,
            "rules": found.rules,
            "objective": one.id,
            "weight": one.weight,
            "level": one.level,
            "score_low": one.low,
            "score_high": one.high,
        }
