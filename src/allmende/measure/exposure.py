"""Exposure: how far a country's law reaches an offer, by control and not by place.

Rule: E0 nobody within reach; E1 a supplier with the update path or less; E2 an operator, but
the keys are elsewhere and an attested machine keeps it out; E3 an operator that can read, which
is all normal hosting. The kill switch is an axis of its own: whether it can be stopped from there.
Whoever is registered in the country, or controlled from it through any chain, is within reach.
Invariant: a result is a proposal with its reasons, and a range where something was not told;
learning more only narrows it. Nothing is decided from it: a named person signs an assessment.
Worked number: machines in DEU, provider a GmbH of which a company in the USA has 100 %: E3 and
kill switch 2 for the USA, whatever the place. With keys at the customer and an attested machine E2.

Sources: 18 U.S.C. 2713; reference economics.md 2.6. The dated laws: rules/us/cloud-act, rules/cn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from allmende.core.actors import CUSTOMER, GRADES, Supply
from allmende.core.holdings import Link
from allmende.core.registry import percent
from allmende.measure.control import Control
from allmende.measure.dated import Rules
from allmende.measure.exposure_facts import Facts, Party, facts
from allmende.measure.exposure_words import Step, sentence

Range = tuple[int, int]
_RUNS: Mapping[str, Range] = {"": (3, 3), "data": (3, 3), "updates": (3, 3), "none": (3, 3)}
_WORKS: Mapping[str, Range] = {"": (1, 3), "data": (3, 3), "updates": (1, 1), "none": (1, 1)}
EXPOSES: Mapping[str, Mapping[str, Range]] = {
    "provider": _RUNS,
    "operator": _RUNS,
    "cloud": _WORKS,
    "subprocessor": _WORKS,
    "software": {"": (0, 3), "data": (3, 3), "updates": (1, 1), "none": (0, 0)},
    "chip": {"": (0, 1), "data": (3, 3), "updates": (1, 1), "none": (0, 0)},
}
"""Role of whoever is within reach -> its access -> exposure, lowest and highest."""
STOPS: Mapping[str, Mapping[str, Range]] = {
    **dict.fromkeys(("provider", "operator", "cloud"), dict.fromkeys(_RUNS, (2, 2))),
    **dict.fromkeys(("subprocessor", "chip"), dict.fromkeys(_RUNS, (1, 1))),
    "software": {"": (0, 1), "data": (1, 1), "updates": (1, 1), "none": (0, 0)},
}
"""The same for the kill switch. Chips need export licences and drivers, whatever they read."""


class Law(NamedTuple):
    """A country whose law may reach, and the law's name by language."""

    country: str
    names: Mapping[str, str]


def law(country: str, rules: Iterable[Rules] = ()) -> Law:
    """The dated law of a country if there is one, else its law as such."""
    for one in rules:
        if one.values.get("country") == country and "en" in one.values:
            return Law(country, {"en": one.values["en"], "de": one.values["de"]})
    return Law(country, {"en": f"the law of {country}", "de": f"das Recht von {country}"})


class Proposal(NamedTuple):
    """Exposure and kill switch as ranges, with the reasons. Fail closed: take the high ends."""

    offer: str
    law: Law
    exposure: Range
    kill_switch: Range
    grade: str
    """The weakest grade among the rows that it rests on."""
    steps: tuple[Step, ...]

    def sentences(self, language: str = "en") -> list[str]:
        return [sentence(step, self.law.names, language) for step in self.steps]

    def reasoning(self, language: str = "en") -> str:
        """All of it, as the text that a person may sign."""
        return " ".join(self.sentences(language))


def propose(control: Control, told: Facts, under: Law) -> Proposal:
    """How far a law reaches an offer, as far as it is known, and why."""
    found = _Reasoning(control, told, under)
    found.who()
    found.silence()
    found.seal()
    return found.proposal()


class _Reasoning:
    """Gathers steps and ranges for one offer and one law."""

    def __init__(self, control: Control, told: Facts, under: Law) -> None:
        self._control, self._told, self._law = control, told, under
        self._reach = control.reach(under.country)
        self._may = control.may_reach(under.country)
        self._exposure: list[Range] = [(0, 0)]
        self._kill: list[Range] = [(0, 0)]
        self._grades: list[str] = []
        self._steps = [Step("place", {"offer": told.offer, "country": told.country})]

    def who(self) -> None:
        """Everybody who has a part in the offer, and how the law comes to them."""
        told = self._told
        if not told.actor:
            self._unregistered()
        else:
            where = self._control.jurisdiction(told.actor)
            self._say("provider", actor=self._name(told.actor), country=where)
            if told.declared and told.declared not in self._control.laws(told.actor):
                self._say("differs", provider=told.provider, country=told.declared)
        for party in told.parties:
            self._grades.append(party.grade)
            if party.actor in self._reach:
                self._reached(party)
            elif party.actor in self._may:
                self._perhaps(party)
            elif party.role == "provider":
                self._say("free", actor=self._name(party.actor))

    def silence(self) -> None:
        """Layers of which nobody told anything."""
        for role in self._told.untold:
            self._say("untold", role=role)
            self._add(role, (0, EXPOSES[role][""][1]), (0, STOPS[role][""][1]))

    def seal(self) -> None:
        """Keys elsewhere and an attested machine make of E3 an E2; keys alone do not."""
        keys, enclave = self._told.keys, self._told.enclave
        if not keys or max(high for _, high in self._exposure) < 3:
            return
        self._grades += [row.grade for row in (*keys, *enclave)]
        names = {name: self._names(rows) for name, rows in (("keys", keys), ("enclave", enclave))}
        if not enclave:
            self._say("unsealed", keys=names["keys"])
            return
        holders = {row.supplier for row in (*keys, *enclave)} - {CUSTOMER}
        reached, perhaps = bool(holders & set(self._reach)), bool(holders & self._may)
        self._say("leaky" if perhaps else "sealed", **names)
        self._exposure = [
            (low if reached else min(low, 2), high if perhaps else min(high, 2))
            for low, high in self._exposure
        ]

    def proposal(self) -> Proposal:
        exposure, kill = _worst(self._exposure), _worst(self._kill)
        self._conclude("level", exposure)
        self._conclude("stop", kill)
        grade = max(self._grades, key=GRADES.index, default=GRADES[-1])
        self._say("sign", grade=grade)
        steps = tuple(self._steps)
        return Proposal(self._told.offer, self._law, exposure, kill, grade, steps)

    def _unregistered(self) -> None:
        """Nobody but the provider says who it is: it may be reached, or surely is."""
        told = self._told
        self._grades.append("declared" if told.declared else "memory")
        says = {"provider": told.provider}
        if told.declared:
            self._say("declared", **says, country=told.declared)
        else:
            self._say("nobody", **says)
        sure = told.declared == self._law.country
        self._add("provider", (3 if sure else 0, 3), (2 if sure else 0, 2))

    def _reached(self, party: Party) -> None:
        hand = self._reach[party.actor][0]
        if hand == party.actor:
            name = self._name(party.actor)
            self._say("home", actor=name, country=self._law.country)
        for link in self._control.chain(hand, party.actor):
            self._link(link)
        name = self._name(party.actor)
        self._say("reached", actor=name, role=party.role, access=party.access)
        exposes, stops = EXPOSES[party.role][party.access], STOPS[party.role][party.access]
        self._add(party.role, exposes, stops)

    def _perhaps(self, party: Party) -> None:
        """Within reach if votes of which nobody told are held there."""
        hidden = self._control.unrecorded_ppm(party.actor)
        says = {"actor": self._name(party.actor), "role": party.role}
        if hidden:
            self._say("may", **says, share=percent(hidden), country=self._law.country)
        else:
            self._say("above", **says, country=self._law.country)
        high = EXPOSES[party.role][party.access][1], STOPS[party.role][party.access][1]
        self._add(party.role, (0, high[0]), (0, high[1]))

    def _link(self, link: Link) -> None:
        through = [hand for hand in link.through if hand != link.holder]
        top = through[0] if len(link.through) == 1 and through else link.holder
        says = {
            "holder": self._name(top),
            "country": self._control.jurisdiction(top),
            "entity": self._name(link.entity),
        }
        self._grades += [
            stake.grade
            for stake in self._control.holders.get(link.entity, ())
            if stake.holder in link.through
        ]
        if link.contract:
            self._say("contract", **says)
        elif len(link.through) == 1:
            self._say("votes", **says, share=percent(link.votes_ppm))
        else:
            names = ", ".join(map(self._name, through))
            self._say("joint", **says, share=percent(link.votes_ppm), through=names)

    def _add(self, role: str, exposes: Range, stops: Range) -> None:
        self._exposure.append(exposes)
        self._kill.append(stops)

    def _conclude(self, key: str, found: Range) -> None:
        low, high = map(str, found)
        if low == high:
            self._say(key, level=high)
        else:
            self._say(f"{key}s", low=low, level=high)

    def _say(self, key: str, **says: str) -> None:
        step = Step(key, says)
        if step not in self._steps:
            self._steps.append(step)

    def _name(self, actor: str) -> str:
        found = self._control.actors.get(actor)
        return found.name if found else actor

    def _names(self, rows: Iterable[Supply]) -> str:
        return ", ".join(dict.fromkeys(self._name(row.supplier) for row in rows))


def _worst(ranges: Iterable[Range]) -> Range:
    lows, highs = zip(*ranges, strict=True)
    return max(lows), max(highs)


def proposals(
    control: Control, offers: Iterable[Mapping[str, Any]], laws: Iterable[Law]
) -> Iterator[Proposal]:
    """Every offer under every law."""
    under = list(laws)
    for offer in offers:
        told = facts(control, offer)
        for one in under:
            yield propose(control, told, one)
