"""Said: the sentences of figures and findings, as keys with facts, in English and German.

Rule: whoever computes gives a key and what fills its blanks, never a sentence of one language;
numbers stay numbers until the reader's language is known, floats with two decimals at most.
Invariant: every key is here in both languages, with the same blanks.
Worked number: Said("merger", {"after": 7279, "more": 3521, "share": 84.0}) is "HHI 7279 after it,
3521 more; together 84 %" and "HHI danach 7279, 3521 mehr; zusammen 84 %".
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from allmende.measure.written import number

SENTENCES: Mapping[str, Mapping[str, str]] = {
    "en": {
        "few": "It rests on too few receipts to be shown to everybody.",
        # Concentration, distribution and reliance: why there is no figure, and of what it is one.
        "nothing_sold": "Nothing was sold, so nobody has a share of it.",
        "nothing_sold_maybe": "Nothing may have been sold, so nobody has a share of it.",
        "no_seller": "No seller is known, so their number may be anything.",
        "no_quality": "No model that was sold has a quality.",
        "no_score": "No model that was sold here has a score; bring your own with "
        "`allmende index import`.",
        "quality_partly": "It cannot be told of all of it who sold it, so it is not counted by "
        "quality.",
        "poorest": "The poorest two fifths have nothing, so there is no ratio to them.",
        "nobody": "Nobody has anything, so there is nothing to be shared unequally.",
        "no_layer": "No layer is given.",
        "critical": "Nobody has said which workloads are critical.",
        "nothing_paid": "Nothing was paid through the platform.",
        "earned": "actors that earned: {count}",
        "used": "members that used: {count}",
        # Votes.
        "no_stake": "Nobody has any stake.",
        "no_majority": "Nobody can have more than all of it.",
        "no_swing": "No coalition reaches this quota, so nobody ever decides.",
        "no_vote": "No proposal that it decides on is over yet.",
        "no_proposal": "Nobody of them proposed anything that is over.",
        # Access.
        "no_denials": "Refusals are not journalled, because they are no facts of the market; a "
        "running market counts them on /observe/access, or give counts with --denials.",
        "few_groups": "Fewer than two groups asked, so there is nothing to compare.",
        "all_refused": "Every group was refused every time.",
        "alarm": "{least} against {best}: ALARM, below {limit}.",
        "no_alarm": "{least} against {best}: not below {limit}.",
        "asked": "requests of this process that were let in or denied; not malformed ones, nor "
        "failures of a provider",
        # Mergers.
        "merger": "HHI {after} after it, {more} more; together {share} %",
        "merger_range": "HHI {after} to {most} after it, {more} more; together {share} %",
        "share_small": "a share this small is itself a sign of no concern",
        "share_large": "a share this large may itself be evidence of dominance",
        "share_level": "the draft calls the share {level}",
        # Climate.
        "unstated": "{count} tokens, and no offer stated its energy.",
        "unused": "Nothing was used.",
        "no_output": "No output tokens whose energy is stated.",
        "no_water": "No offer stated it.",
        "some_water": "Of {share} % of the energy; for the rest no offer states water.",
        "climate": "{receipts} final receipts, {prompt} tokens in and {output} out; {unstated} "
        "tokens state no energy",
        # Claims: how a number was computed.
        "claim_energy": "2.1e25 FLOP on A100s at 30 to 40 % use, 0.4 to 0.81 kW, PUE 1.1 to 1.2: "
        "{low} to {high} GWh over {gpt3} MWh; 50 times would be {said} GWh",
        "claim_tokens": "13 trillion (leak) over 300 billion",
        "claim_price": "{before} to {after} USD per million at 80 % input, 20 % output, in 17 "
        "months",
        "claim_cloud": "HHI of 29, 20 and 13 %, the other 38 % unknown, each of them at most 13 %",
        "claim_gold_none": "no gold is imported: allmende index import FILE, then --data its "
        "directory",
        "claim_gold_short": "the imported gold ends before it could float",
        "claim_gold": "{start} to {end}: {first} to {last} USD an ounce; deepest fall {fall} % "
        "({peak} to {trough})",
        "claim_volatility": "volatility {share} % a year",
    },
    "de": {
        "few": "Das beruht auf zu wenigen Belegen, um allen gezeigt zu werden.",
        "nothing_sold": "Es wurde nichts verkauft, also hat niemand einen Anteil daran.",
        "nothing_sold_maybe": "Vielleicht wurde nichts verkauft; dann hat niemand einen Anteil.",
        "no_seller": "Kein Verkäufer ist bekannt, also kann ihre Zahl jede sein.",
        "no_quality": "Kein verkauftes Modell hat eine Qualität.",
        "no_score": "Kein Modell, das hier verkauft wurde, hat eine Wertung; bringen Sie eigene "
        "mit: `allmende index import`.",
        "quality_partly": "Nicht von allem lässt sich sagen, wer es verkauft hat, daher wird es "
        "nicht nach Qualität gezählt.",
        "poorest": "Die ärmsten zwei Fünftel haben nichts, also gibt es kein Verhältnis zu ihnen.",
        "nobody": "Niemand hat etwas, also kann nichts ungleich verteilt sein.",
        "no_layer": "Keine Ebene ist gegeben.",
        "critical": "Niemand hat gesagt, welche Anwendungen kritisch sind.",
        "nothing_paid": "Über die Plattform wurde nichts bezahlt.",
        "earned": "Empfänger, die verdient haben: {count}",
        "used": "Mitglieder, die etwas genutzt haben: {count}",
        "no_stake": "Niemand hat einen Einsatz hinterlegt.",
        "no_majority": "Niemand kann mehr als alles haben.",
        "no_swing": "Keine Koalition erreicht diese Schwelle, also entscheidet nie jemand.",
        "no_vote": "Noch ist kein Vorschlag entschieden, über den sie mitentscheidet.",
        "no_proposal": "Niemand von ihnen hat etwas vorgeschlagen, das entschieden ist.",
        "no_denials": "Ablehnungen stehen in keinem Journal, denn sie sind keine Tatsachen des "
        "Marktes; ein laufender Markt zählt sie auf /observe/access, sonst --denials.",
        "few_groups": "Weniger als zwei Gruppen haben gefragt, also gibt es nichts zu vergleichen.",
        "all_refused": "Jede Gruppe wurde jedes Mal abgelehnt.",
        "alarm": "{least} gegen {best}: ALARM, unter {limit}.",
        "no_alarm": "{least} gegen {best}: nicht unter {limit}.",
        "asked": "Anfragen an diesen Prozess, zugelassen oder abgelehnt; ohne fehlerhafte und "
        "ohne Ausfälle eines Anbieters",
        "merger": "HHI danach {after}, {more} mehr; zusammen {share} %",
        "merger_range": "HHI danach {after} bis {most}, {more} mehr; zusammen {share} %",
        "share_small": "ein so kleiner Anteil spricht schon selbst gegen Bedenken",
        "share_large": "ein so großer Anteil kann schon selbst Marktbeherrschung belegen",
        "share_level": "der Entwurf nennt den Anteil {level}",
        "unstated": "{count} Tokens, und kein Angebot hat ihre Energie angegeben.",
        "unused": "Es wurde nichts genutzt.",
        "no_output": "Keine erzeugten Tokens, deren Energie angegeben ist.",
        "no_water": "Kein Angebot hat es angegeben.",
        "some_water": "Von {share} % der Energie; für den Rest gibt kein Angebot Wasser an.",
        "climate": "{receipts} endgültige Belege, {prompt} Tokens hinein und {output} heraus; "
        "{unstated} Tokens ohne angegebene Energie",
        "claim_energy": "2,1e25 FLOP auf A100 bei 30 bis 40 % Auslastung, 0,4 bis 0,81 kW, PUE "
        "1,1 bis 1,2: {low} bis {high} GWh durch {gpt3} MWh; das 50-Fache wären {said} GWh",
        "claim_tokens": "13 Billionen (Leck) durch 300 Milliarden",
        "claim_price": "{before} zu {after} USD je Million bei 80 % Eingabe und 20 % Ausgabe, in "
        "17 Monaten",
        "claim_cloud": "HHI von 29, 20 und 13 %, die anderen 38 % unbekannt, jeder von ihnen "
        "höchstens 13 %",
        "claim_gold_none": "es ist kein Gold importiert: allmende index import FILE, dann --data "
        "mit dessen Verzeichnis",
        "claim_gold_short": "das importierte Gold endet, bevor sein Preis frei war",
        "claim_gold": "{start} bis {end}: {first} zu {last} USD je Unze; tiefster Fall {fall} % "
        "({peak} bis {trough})",
        "claim_volatility": "Schwankung {share} % im Jahr",
    },
}
GERMAN: Mapping[str, str] = {
    "person": "Person",
    "organisation": "Organisation",
    "provider": "Anbieter",
    "operator": "Betreiber",
    "low": "niedrig",
    "moderate": "mäßig",
    "material": "erheblich",
    "high": "hoch",
    "very high": "sehr hoch",
}
"""Kinds of members, and what the Commission's draft calls a share."""
WORDS = ("level", "least", "best")
"""Facts that are such words."""


class Said(Struct, frozen=True):
    """Which sentence, and what fills it."""

    key: str
    facts: Mapping[str, str | int | float] = {}

    def text(self, language: str = "en") -> str:
        """The sentence. KeyError for a key that is none."""
        facts = {name: _written(name, one, language) for name, one in self.facts.items()}
        return SENTENCES[language][self.key].format(**facts)


def together(parts: tuple[Said, ...], language: str = "en") -> str:
    """Several, one after another."""
    return "; ".join(part.text(language) for part in parts)


def _written(name: str, fact: str | int | float, language: str) -> str:
    if isinstance(fact, str):
        return GERMAN.get(fact, fact) if name in WORDS and language == "de" else fact
    text = f"{fact:.2f}".rstrip("0").rstrip(".") if isinstance(fact, float) else str(fact)
    return number(text, language)
