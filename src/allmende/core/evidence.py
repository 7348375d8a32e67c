"""Evidence: what a provider can show of its sovereignty, and what people demand, as frozen data.

Rule: evidence speaks of one objective, of an offer or (where `offer` is empty) of all that a
provider sells; an assessment is a named person's word on one country's reach.
Invariant: neither is ever averaged with another, and what nobody vouches for is worst.
Worked number: levels 2, 1, 3, 2, 1, 3, 3 and 2 on the eight objectives are an overall level of 1.

Source: EU Cloud Sovereignty Framework v1.2.1 (objectives, SEAL 0 to 4); 18 U.S.C. 2713.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from allmende.core.units import Instant

CSF = "csf"
OBJECTIVES = {CSF: tuple(f"SOV-{number}" for number in range(1, 9))}
"""Framework -> its objectives: strategic, legal, data and AI, operational, supply chain,
technology, security, environment."""
LEVEL_MAX = 4
EXPOSURE_MAX = 3
"""E0: no entity within reach; E1: software vendor without data; E2: operator without plaintext;
E3: operator with plaintext or keys. Who is not assessed is E3."""
KILL_SWITCH_MAX = 2
"""0 none, 1 by licence or update, 2 direct. Who is not assessed is 2."""
KILL_SWITCHES = ("none", "indirect", "direct")
LAWS = {"USA": "US", "CHN": "CN"}
"""Country -> the short name of its regime; every other regime is named by alpha-3."""

Pairs: TypeAlias = tuple[tuple[str, int], ...]
"""Objective or regime -> number, sorted by name."""


class Evidence(Struct, frozen=True):
    """What shows that an offer, or all of a provider's, reaches `level` on an objective.

    `document` is the SHA-256 of what was shown; `rests_on` names evidence without which this is
    none. It counts from `issued` on and before `expires`.
    """

    id: str
    objective: str
    level: int
    claim: str
    issuer: str
    issued: Instant
    expires: Instant
    document: str
    provider: str = ""
    offer: str = ""
    framework: str = CSF
    rests_on: tuple[str, ...] = ()


class Filed(Struct, frozen=True):
    """Evidence on the file. Until somebody has confirmed it, it is a claim and counts nothing.

    `filed_by`, `confirmed_by` are ids of keys; `footing` is what the offer was when confirmed.
    """

    evidence: Evidence
    at: Instant
    filed_by: str
    confirmed_by: str = ""
    footing: str = ""


class Assessment(Struct, frozen=True):
    """How far a country's law reaches: `exposure` to disclosure, `kill_switch` to being stopped.

    `signer` is the person who answers for it, with the `reasoning` spelled out.
    """

    regime: str
    exposure: int
    kill_switch: int
    reasoning: str
    signer: str
    expires: Instant
    provider: str = ""
    offer: str = ""


class Signed(Struct, frozen=True):
    """An assessment with the id of the key that signed it, and what the offer was then."""

    assessment: Assessment
    at: Instant
    key: str
    footing: str = ""


class Floor(Struct, frozen=True):
    """What every request below a budget demands."""

    min_seal: Pairs = ()
    max_exposure: Pairs = ()
    max_kill_switch: Pairs = ()


NO_FLOOR = Floor()
