"""Exposure in sentences: what each step of the reasoning says, in English and in German.

Rule: a step is a key with its facts; a sentence names actors, countries and shares as they
stand in the registry. The same steps make both languages.
Invariant: every key that `exposure` uses is here in both languages, with the same blanks.
Worked number: ("votes", holder="Big", country="USA", entity="Leaf", share="60 %") is "Big (USA)
has 60 % of the votes of Leaf."
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from allmende.core.actors import CUSTOMER

LANGUAGES = ("en", "de")
LEVELS = {
    "en": (
        "E0: nobody within reach owns it, runs it, works for it or can change its programs",
        "E1: a supplier within reach can change or end programs, and reads nothing",
        "E2: an operator is within reach, and can read nothing in the clear",
        "E3: an operator within reach can read contents or has the keys",
    ),
    "de": (
        "E0: niemand in Reichweite besitzt es, betreibt es, arbeitet zu oder kann Programme ändern",
        "E1: ein Zulieferer in Reichweite kann Programme ändern oder beenden und liest nichts",
        "E2: ein Betreiber ist in Reichweite und kann nichts im Klartext lesen",
        "E3: ein Betreiber in Reichweite kann Inhalte lesen oder hat die Schlüssel",
    ),
}
STOPS = {
    "en": (
        "0, none: no order from there stops it",
        "1, indirect: an end of licences, updates or supplies from there would wear it out",
        "2, direct: an order from there can stop it at once",
    ),
    "de": (
        "0, keiner: keine Anordnung von dort hält es an",
        "1, mittelbar: ein Ende von Lizenzen, Updates oder Lieferungen von dort zehrt es aus",
        "2, unmittelbar: eine Anordnung von dort kann es sofort anhalten",
    ),
}
ROLES = {
    "en": {
        "provider": "provider",
        "operator": "operator by contract",
        "cloud": "cloud",
        "subprocessor": "subprocessor",
        "software": "supplier of software",
        "chip": "maker of the chips",
    },
    "de": {
        "provider": "Anbieter",
        "operator": "Betreiber nach Vertrag",
        "cloud": "Cloud",
        "subprocessor": "Unterauftragnehmer",
        "software": "Lieferant von Software",
        "chip": "Hersteller der Chips",
    },
}
ACCESS = {
    "en": {
        "data": "can read contents in the clear",
        "updates": "has the update path and no contents",
        "none": "has neither contents nor the update path",
        "": "has an access that nobody told",
    },
    "de": {
        "data": "kann Inhalte im Klartext lesen",
        "updates": "hat den Weg der Updates und keine Inhalte",
        "none": "hat weder Inhalte noch den Weg der Updates",
        "": "hat einen Zugang, den niemand genannt hat",
    },
}
SENTENCES = {
    "en": {
        "place": "{offer} is processed in {country}. That decides nothing: {law} asks who has "
        "control, and not where the machines are.",
        "provider": "Its provider is {actor}, registered in {country}.",
        "home": "{actor} is itself registered in {country}.",
        "votes": "{holder} ({country}) has {share} of the votes of {entity}.",
        "joint": "{holder} ({country}) has, with {through}, which it controls, {share} of the "
        "votes of {entity}.",
        "contract": "{holder} ({country}) controls {entity} by contract.",
        "reached": "So {law} reaches {actor}, {role}, which {access}.",
        "free": "By what was told, {law} does not reach the provider, {actor}.",
        "may": "Of {share} of the votes of {actor} ({role}) nobody told who has them: its control "
        "from {country} is not excluded.",
        "above": "Who controls {actor} ({role}) is not told to the top: its control from {country} "
        "is not excluded.",
        "declared": "{provider} is not in the registry. It says itself that it is controlled from "
        "{country}; nobody has checked that.",
        "differs": "{provider} says that it is controlled from {country}; the registry does not.",
        "nobody": "{provider} is not in the registry, and does not say who controls it.",
        "untold": "Nobody told of its {role}: reach through one is not excluded.",
        "sealed": "The keys are held by {keys}, and that the machine keeps its operator out is "
        "attested to {enclave}: contents are not in the clear for whoever runs it.",
        "unsealed": "The keys are held by {keys}, but no attested machine keeps its operator out: "
        "while a request is served, contents are in the clear.",
        "leaky": "The keys are held by {keys} and the machine is attested to {enclave}; one of "
        "them is, or may be, within reach itself.",
        "level": "How far {law} reaches: {level}.",
        "levels": "How far {law} reaches: between {low} – and {level}.",
        "stop": "Kill switch: {level}. Encryption does not help against it.",
        "stops": "Kill switch: between {low} – and {level}. Encryption does not help against it.",
        "sign": "This is computed from what was told, with grade {grade}, and is no legal advice. "
        "It counts only once a named person has signed an assessment.",
    },
    "de": {
        "place": "{offer} wird in {country} verarbeitet. Das entscheidet nichts: {law} fragt, wer "
        "die Kontrolle hat, und nicht, wo die Maschinen stehen.",
        "provider": "Anbieter ist {actor}, eingetragen in {country}.",
        "home": "{actor} ist selbst in {country} eingetragen.",
        "votes": "{holder} ({country}) hat {share} der Stimmen von {entity}.",
        "joint": "{holder} ({country}) hat zusammen mit {through}, von ihm kontrolliert, {share} "
        "der Stimmen von {entity}.",
        "contract": "{holder} ({country}) kontrolliert {entity} durch Vertrag.",
        "reached": "Damit erreicht {law} {actor} ({role}); wer das ist, {access}.",
        "free": "Nach allem, was genannt wurde, erreicht {law} den Anbieter {actor} nicht.",
        "may": "Von {share} der Stimmen von {actor} ({role}) hat niemand genannt, wem sie gehören: "
        "Kontrolle aus {country} ist nicht ausgeschlossen.",
        "above": "Wer {actor} ({role}) kontrolliert, ist nicht bis oben genannt: Kontrolle aus "
        "{country} ist nicht ausgeschlossen.",
        "declared": "{provider} steht nicht im Register. Er sagt selbst, dass er aus {country} "
        "kontrolliert wird; geprüft hat das niemand.",
        "differs": "{provider} sagt, dass er aus {country} kontrolliert wird; das Register sagt "
        "das nicht.",
        "nobody": "{provider} steht nicht im Register und sagt nicht, wer ihn kontrolliert.",
        "untold": "Niemand hat genannt: {role}. Ein Zugriff auf diesem Weg ist nicht "
        "ausgeschlossen.",
        "sealed": "Die Schlüssel hat {keys}; dass die Maschine ihren Betreiber aussperrt, ist "
        "gegenüber {enclave} bezeugt: Wer sie betreibt, sieht keinen Klartext.",
        "unsealed": "Die Schlüssel hat {keys}, aber keine bezeugte Maschine sperrt ihren Betreiber "
        "aus: Während eine Anfrage läuft, liegen Inhalte im Klartext.",
        "leaky": "Die Schlüssel hat {keys}, die Maschine ist gegenüber {enclave} bezeugt; einer "
        "davon ist selbst in Reichweite oder könnte es sein.",
        "level": "So weit reicht {law}: {level}.",
        "levels": "So weit reicht {law}: zwischen {low} – und {level}.",
        "stop": "Not-Aus: {level}. Verschlüsselung hilft dagegen nicht.",
        "stops": "Not-Aus: zwischen {low} – und {level}. Verschlüsselung hilft dagegen nicht.",
        "sign": "Das ist aus dem berechnet, was genannt wurde (Güte: {grade}), und keine "
        "Rechtsberatung. Es gilt erst, wenn ein namentlich genannter Mensch eine Einschätzung "
        "unterschrieben hat.",
    },
}
GRADES = {
    "en": {"seen": "seen", "declared": "declared", "memory": "from memory"},
    "de": {"seen": "gesehen", "declared": "Selbstauskunft", "memory": "aus dem Gedächtnis"},
}
CUSTOMERS = {"en": "the customer", "de": "der Kunde"}
_VOCABULARY: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "role": ROLES,
    "access": ACCESS,
    "grade": GRADES,
}


class Step(NamedTuple):
    """One step of the reasoning: which sentence, and what fills it."""

    key: str
    facts: Mapping[str, str]


def sentence(step: Step, law: Mapping[str, str], language: str) -> str:
    """A step in words. `law` has the law's name in each language."""
    facts = {**step.facts, "law": law[language]}
    for name, words in _VOCABULARY.items():
        if name in facts:
            facts[name] = words[language][facts[name]]
    levels = LEVELS if step.key.startswith("level") else STOPS
    for name in ("low", "level"):
        if name in facts:
            facts[name] = levels[language][int(facts[name])]
    for name in ("keys", "enclave"):
        if name in facts:
            told = facts[name].split(", ")
            facts[name] = ", ".join(CUSTOMERS[language] if n == CUSTOMER else n for n in told)
    return SENTENCES[language][step.key].format(**facts).replace("..", ".")  # "Inc.." is "Inc."
