"""Actors: legal entities, who holds how much of whom, and who supplies what.

Rule: an actor is a legal entity and not a brand; a stake says what one holds of another, in
votes and in what it earns; a supply says what stands behind an actor, a provider or an offer.
Invariant: a registry is a whole: it is imported, replaced and exported as one version. Its
rows are encoded with every field, so that equal rows have one digest.
Worked number: 49 % is votes_ppm=490_000, which is no majority; 500_001 is one.
"""

from __future__ import annotations

from msgspec import Struct

ROLES = ("chip", "cloud", "owner", "host", "application", "network", "software")
"""What an actor does: makes chips, runs data centres, owns models, serves them, makes
programs with them, carries the traffic, writes the software that serving needs."""
FORMS = ("company", "public", "foundation", "cooperative", "person")
"""A company may have holders of whom nobody told; the others have no majority holder."""
SCOPES = ("actor", "provider", "offer")
"""What a supply is for: all of an actor's doing, one account's offers, or one offer."""
LAYERS = (
    *("chip", "cloud", "network", "software", "operator", "subprocessor"),
    *("keys", "enclave"),
)
"""Of a supply. `operator` runs it by contract; `keys` holds the keys of what is encrypted;
`enclave` attests that the machine keeps its operator out; `network` is a cable's name."""
ACCESS = ("", "none", "updates", "data")
"""What a supplier can reach: unknown, nothing, the update path, or contents in the clear."""
CUSTOMER = "customer"
"""Who holds the keys, or attests, where it is whoever asks."""
NOBODY = "none"
"""As a supplier: it is known that there is none, which is more than that nobody told."""
GRADES = ("seen", "declared", "memory")
"""How well a row is known: somebody saw the source; whom it is about says so; from memory."""


class Actor(Struct, frozen=True):
    """A legal entity. `jurisdiction` is where it is registered, ISO 3166 alpha-3.

    `lei` is its ISO 17442 code, `brand` the name that people know it by, `accounts` this
    market's members that it stands behind; `date` (2026-11-20) is of when the row is true.
    """

    id: str
    name: str
    jurisdiction: str
    roles: tuple[str, ...] = ()
    form: str = "company"
    brand: str = ""
    lei: str = ""
    accounts: tuple[str, ...] = ()
    website: str = ""
    source: str = ""
    date: str = ""
    grade: str = "memory"


class Stake(Struct, frozen=True):
    """What `holder` has of `entity`: millionths of the votes and of the profit.

    `contract` says that an agreement gives control, whatever the votes.
    """

    holder: str
    entity: str
    votes_ppm: int = 0
    economic_ppm: int = 0
    contract: bool = False
    source: str = ""
    date: str = ""
    grade: str = "memory"


class Supply(Struct, frozen=True):
    """`supplier` is an actor, or "none"; in layer network a cable's name, in keys and enclave
    also "customer"."""

    scope: str
    subject: str
    layer: str
    supplier: str
    access: str = ""
    source: str = ""
    date: str = ""
    grade: str = "memory"


class Registry(Struct, frozen=True):
    """Everything that is known of actors at one time."""

    actors: tuple[Actor, ...] = ()
    stakes: tuple[Stake, ...] = ()
    supplies: tuple[Supply, ...] = ()
