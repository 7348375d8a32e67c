"""Commands: everything that can be asked of a market, in the imperative.

Rule: a command brings its own time (`at`, microseconds UTC), its actor (`by`) and, where
it matters, ids; the core never makes any of them up.
Invariant: deciding the same command on the same state gives the same events.
Worked number: Reserve(input_bound=1_024, output_bound=256, choices=3) asks for room for
1_024 prompt tokens and 768 output tokens.
"""

from __future__ import annotations

from msgspec import Struct

from allmende.core.actors import Registry
from allmende.core.nouns import SYSTEM, Key, Member, Offer, Policy, Title
from allmende.core.units import Amount, EnergyRate, Instant, Units


class Command(Struct, frozen=True, kw_only=True, tag=str.lower):
    """`idem` is an idempotency key: the same one with the same contents acts once."""

    at: Instant = 0
    by: str = SYSTEM
    idem: str = ""


class Found(Command, frozen=True):
    """Open the market: its first command, and only once."""

    market: str
    name: str
    mode: str
    operator: str
    public_key: str
    asset: str = "credit"


class AddMember(Command, frozen=True):
    member: Member


class AddBudget(Command, frozen=True):
    """A node of the budget tree. A root names the `owner` whose account pays."""

    id: str
    name: str
    owner: str = ""
    parent: str = ""
    asset: str = "credit"
    period: str = "total"
    limit: Amount | None = None


class SetBudget(Command, frozen=True):
    id: str
    limit: Amount | None


class SetCarbonCap(Command, frozen=True):
    """The most micrograms of CO2-equivalent per period of a budget; None: no cap."""

    id: str
    cap_ug: int | None


class IssueKey(Command, frozen=True):
    key: Key


class RevokeKey(Command, frozen=True):
    id: str


class RegisterAsset(Command, frozen=True):
    """An organisation's own credit, minted by it alone."""

    id: str
    issuer: str
    name: str


class Deposit(Command, frozen=True):
    """Market credit against a payment made outside; `reference` may be used once."""

    member: str
    amount: Amount
    reference: str
    asset: str = "credit"


class Mint(Command, frozen=True):
    """An organisation's own asset, by its issuer."""

    member: str
    asset: str
    amount: Amount


class Transfer(Command, frozen=True):
    source: str
    target: str
    asset: str
    amount: Amount


class RegisterTitle(Command, frozen=True):
    title: Title


class PostOffer(Command, frozen=True):
    """A new offer, or new terms under an id that its provider already has."""

    offer: Offer


class RestateEnergy(Command, frozen=True):
    """What an offer takes in energy, carbon and water; all else of it stays, its secret too."""

    id: str
    energy: EnergyRate


class WithdrawOffer(Command, frozen=True):
    id: str


class Reserve(Command, frozen=True):
    """Choose the best offer under the policy and set the worst case aside.

    `key` is the SHA-256 of the caller's secret. Bounds are tokens: `input_bound` for the
    whole prompt, `output_bound` per choice (0: as much as the offer gives).
    """

    id: str
    key: str
    endpoint: str
    model: str
    input_bound: int
    output_bound: int = 0
    choices: int = 1
    images: int = 0
    policy: Policy = Policy()
    exclude: tuple[str, ...] = ()
    prompt_hash: str = ""
    contents: str = ""
    """Digest of the body, for the idempotency check only; not journalled."""


class Checkpoint(Command, frozen=True):
    """What a long stream has delivered so far, in the buyer's favour."""

    hold: str
    units: Units


class Capture(Command, frozen=True):
    """A request ended with something delivered.

    `reported` is the provider's usage, `estimate` the meter's own where that is missing;
    `pending` says that our own count is still to come.
    """

    hold: str
    estimate: Units
    outcome: str = "complete"
    reported: Units | None = None
    pending: bool = False
    answer_hash: str = ""


class Void(Command, frozen=True):
    """Nothing was delivered. `fault` says whether the provider is to blame."""

    hold: str
    cause: str
    fault: bool = False


class Recount(Command, frozen=True):
    """Our own counts for provisional receipts; None where we could not count."""

    counts: tuple[tuple[str, Units | None], ...]


class CloseBatch(Command, frozen=True):
    """Close the open batch now, whatever its size."""


class SetParameter(Command, frozen=True):
    """Change a rule of the market, within its bounds, from `effective` on."""

    name: str
    value: int
    effective: Instant = 0


class ImportActors(Command, frozen=True):
    """Replace the registry of legal entities, as a whole; `source` names its files."""

    registry: Registry
    source: str


class Tick(Command, frozen=True):
    """Time passes: holds and idempotency keys expire, parameters take effect."""


class Restart(Command, frozen=True):
    """The process came back: no request of before can still be running, so close its hold."""
