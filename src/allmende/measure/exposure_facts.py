"""What was told of an offer: who has a part in it, with which access, and what keeps them out.

Rule: what the registry says of the offer itself comes before what it says of its provider, and
that before what it says of the actor behind it. Who is in no row is not told, which is not none.
Invariant: nobody who was told is left out, and nobody is made up.
Worked number: a provider with a row for its cloud, none for software, and "none" for
subprocessors: two parties, and software among the untold.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any, NamedTuple

from allmende.core.actors import NOBODY, Supply
from allmende.measure.control import Control, supplied

SUPPLIED = ("operator", "cloud", "subprocessor", "software", "chip")
MUST_TELL = ("cloud", "subprocessor", "software", "chip")
"""Where silence is not the same as none."""


class Party(NamedTuple):
    role: str
    actor: str
    access: str
    grade: str


class Facts(NamedTuple):
    """What was told of one offer. `actor` is "" where its provider is not in the registry."""

    offer: str
    provider: str
    actor: str
    country: str
    declared: str
    """Country from which the provider says that it is controlled; "" if it does not."""
    parties: tuple[Party, ...]
    untold: tuple[str, ...]
    keys: tuple[Supply, ...]
    enclave: tuple[Supply, ...]


def facts(control: Control, offer: Mapping[str, Any]) -> Facts:
    """What the registry and the offer itself tell. An offer is as /api/offers gives it."""
    zone = offer["zone"]
    id_, provider = str(offer.get("id") or offer["offer"]), str(offer["provider"])
    actor = control.behind.get(provider, "")
    rows = {
        layer: supplied(control, layer, id_, provider, actor)
        for layer in (*SUPPLIED, "keys", "enclave")
    }
    parties = [Party("provider", actor, "data", control.actors[actor].grade)] if actor else []
    if zone["operator"] in control.actors and zone["operator"] != actor:
        parties.append(Party("operator", zone["operator"], "data", "declared"))
    parties += [
        Party(layer, row.supplier, row.access, row.grade)
        for layer in SUPPLIED
        for row in rows[layer]
        if row.supplier != NOBODY
    ]
    untold = tuple(layer for layer in MUST_TELL if not rows[layer])
    keys, enclave = (
        tuple(row for row in rows[layer] if row.supplier != NOBODY) for layer in ("keys", "enclave")
    )
    return Facts(
        *(id_, provider, actor, zone["country"], zone["parent_country"]),
        *(tuple(parties), untold, keys, enclave),
    )


RUNS = ("provider", "operator")
TOUCHES = (*RUNS, "cloud", "subprocessor", "software")


def union_facts(control: Control, told: Facts, inside: Container[str]) -> dict[str, bool | None]:
    """What the registry says of a union's conditions (rules/eu/cada), None where it does not:
    audits, certificates and personnel are for evidence to show."""
    provider = control.jurisdiction(told.actor)
    return {
        "eu_establishment": provider in inside if provider else None,
        "eu_infrastructure": told.country in inside,
        "control_excluded": _free(control, told, inside, RUNS),
        "no_control": _free(control, told, inside, TOUCHES),
    }


def _free(
    control: Control, told: Facts, inside: Container[str], roles: Container[str]
) -> bool | None:
    """Whether nobody outside controls any party in these roles; None where it may be."""
    parties = [party.actor for party in told.parties if party.role in roles]
    if any(country not in inside for actor in parties for country in control.laws(actor)):
        return False
    somebody = control.may_reach("")
    open_ = any(actor in somebody for actor in parties)
    silent = not told.actor or any(role in roles for role in told.untold)
    return None if open_ or silent else True
