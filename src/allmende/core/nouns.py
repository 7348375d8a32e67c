"""Nouns: the words of DESIGN section 2 as plain frozen data, shared by commands, events, state.

Rule: a noun carries no behaviour; whoever changes one writes an event with a new one.
Invariant: every noun encodes to JSON and back without loss (integers are unbounded).
Worked number: an offer of 150_000 pico-credits per input token reads "0.15 credits per
million tokens" wherever a person sees it.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct

from allmende.core.evidence import Pairs
from allmende.core.units import Amount, Energy, EnergyRate, Instant, Tariff, Units, Water, Zone

SYSTEM = "system"
"""The actor of commands that the desk's own house issues; no door can name it."""

MEMBER_KINDS = ("organisation", "person", "provider", "operator")
PERIODS = ("total", "month", "term")
ROLES = ("spend", "manage", "operate")
ISSUER = "issuer/"
"""Accounts that stand below zero by what is outstanding of an asset or a right."""
BOND = "bond/"
"""Accounts that keep what secures an instrument."""
TITLE_KINDS = ("model", "machine", "dataset")
ENDPOINTS = ("chat/completions", "completions", "embeddings", "responses")
OUTCOMES = ("complete", "client_left", "provider_cut", "limit", "crash", "expired")
VERDICTS = ("pending", "agrees", "disagrees", "unreported", "unchecked")


class Posting(NamedTuple):
    """`amount` pico-credits of `asset` into (positive) or out of (negative) `account`."""

    account: str
    asset: str
    amount: Amount


class Market(Struct, frozen=True):
    """Who this market is. `public_key` is the hex of its raw Ed25519 key."""

    id: str
    name: str
    mode: str
    operator: str
    public_key: str


class Member(Struct, frozen=True):
    """An account holder. `home` is the organisation it belongs to, "" at a tree's root.

    `tier` says how far it is known, and so what it may have open; `common_good` that it comes
    first where lots are allotted so.
    """

    id: str
    name: str
    kind: str
    home: str = ""
    tier: int = 1
    common_good: bool = False


class Asset(Struct, frozen=True):
    """A pay unit. Its issuer's account `issuer/<id>` carries minus what is outstanding."""

    id: str
    issuer: str
    name: str


class Key(Struct, frozen=True):
    """What an API key may do. The secret itself is never here: `hash` is its SHA-256.

    `max_rate` is pico-credits per unit on any meter, `per_minute` requests; None is no limit.
    """

    id: str
    hash: str
    member: str
    role: str
    budget: str = ""
    models: tuple[str, ...] = ()
    max_rate: Amount | None = None
    expires: Instant | None = None
    per_minute: int | None = None
    name: str = ""


class Share(Struct, frozen=True):
    """`ppm` millionths of every receipt's price go to `account` in its `role`."""

    role: str
    account: str
    ppm: int


class Title(Struct, frozen=True):
    """The unique record of a model, machine or dataset, and who is paid out of its use."""

    id: str
    owner: str
    kind: str
    name: str
    waterfall: tuple[Share, ...] = ()
    evidence: str = ""
    licence: str = ""


class Offer(Struct, frozen=True):
    """A provider's standing ask. `model` is what callers name, `upstream_model` what we send.

    `sealed_secret` is the provider's key under the market's own seal, never clear text.
    `vocabulary` names what we recount with ("" means that we cannot).
    """

    id: str
    provider: str
    title: str
    model: str
    asset: str
    tariff: Tariff
    zone: Zone
    url: str
    endpoints: tuple[str, ...] = ENDPOINTS
    upstream_model: str = ""
    sealed_secret: str = ""
    allow_private: bool = False
    capacity: int = 64
    context: int = 131_072
    max_output: int = 4_096
    energy: EnergyRate = EnergyRate()
    vocabulary: str = ""
    evidence: str = ""
    first_byte_s: int = 120
    idle_s: int = 60


class Policy(Struct, frozen=True, omit_defaults=True):
    """What the caller demands of an offer; an empty field demands nothing.

    `max_rate` pico-credits per unit, `max_cost` pico-credits for this request at worst,
    `max_ug` micrograms of CO2 at worst; countries are ISO 3166 alpha-3; `order` lists
    offers or providers to try first; `sort` is "price" or "carbon". `pay` lists instruments whose
    rights pay, in that order, or is ("credit",); empty is nearest expiry first, then credit.
    `min_seal` is per objective, `max_exposure` and `max_kill_switch` per regime: see `floors`.
    """

    max_rate: Amount | None = None
    max_cost: Amount | None = None
    max_ug: int | None = None
    zones: tuple[str, ...] = ()
    not_zones: tuple[str, ...] = ()
    control: tuple[str, ...] = ()
    not_control: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    sort: str = "price"
    pay: tuple[str, ...] = ()
    min_seal: Pairs = ()
    max_exposure: Pairs = ()
    max_kill_switch: Pairs = ()


class Hold(Struct, frozen=True):
    """Credit set aside for one request at its worst case, until capture, void or expiry.

    `bound` is the most units it may use; `checkpoint` what was delivered when last heard.
    Where a `right` pays, `grains` of it are set aside too, the `tariff` is what they are worth,
    and the credit is the bond's: see `payer`. `ug` is the CO2 set aside, at worst as well.
    """

    id: str
    at: Instant
    deadline: Instant
    key: str
    budget: str
    account: str
    amount: Amount
    offer: Offer
    tariff: Tariff
    endpoint: str
    bound: Units
    prompt_hash: str
    idem: str = ""
    checkpoint: Units | None = None
    right: str = ""
    grains: int = 0
    ug: int = 0


class Payment(Struct, frozen=True, array_like=True, gc=False):
    """One line of a waterfall."""

    role: str
    account: str
    amount: Amount


class Receipt(Struct, frozen=True, omit_defaults=True):
    """One delivered request: what, where, for how much, and who earned it.

    `units` is what was charged, on the `basis` named; `counted` is our own count and
    `reported` the provider's; hashes are HMAC-SHA256 under the caller's own key, so only
    its holder can open them. JSON in this field order, without spaces, is the canonical form.
    Where rights paid, `grains` of instrument `right` left the account, and the credit came
    out of `payer`, the issuer's bond.
    """

    id: str
    market: str
    at: Instant
    account: str
    budget: str
    key: str
    provider: str
    offer: str
    title: str
    model: str
    endpoint: str
    zone: Zone
    asset: str
    tariff: Tariff
    units: Units
    price: Amount
    waterfall: tuple[Payment, ...]
    energy: Energy
    basis: str
    verdict: str
    outcome: str
    reported: Units | None = None
    counted: Units | None = None
    prompt_hash: str = ""
    answer_hash: str = ""
    right: str = ""
    grains: int = 0
    payer: str = ""
    water: Water | None = None


def payer(account: str, right: str) -> str:
    """Whose credit pays: the bond's where the account's rights do, else its own."""
    return BOND + right if right else account


def paid(receipt: Receipt) -> tuple[Posting, ...]:
    """What a receipt posts: its price out of the payer, the waterfall into the payees.

    Rights that paid go back to where they came from.
    """
    asset = receipt.asset
    lines = [Posting(payer(receipt.account, receipt.right), asset, -receipt.price)]
    lines += [Posting(p.account, asset, p.amount) for p in receipt.waterfall]
    if receipt.right:
        lines.append(Posting(receipt.account, receipt.right, -receipt.grains))
        lines.append(Posting(ISSUER + receipt.right, receipt.right, receipt.grains))
    return tuple(lines)


class Provisional(Struct, frozen=True):
    """A captured receipt that waits for its recount.

    `held` of the payer's hold, `grains` of its right, `ug` of its CO2, and what the payees got
    stay set aside until then; `shares` is the waterfall at capture, under which a correction is
    split too.
    """

    receipt: Receipt
    hold: Hold
    held: Amount
    deadline: Instant
    shares: tuple[Share, ...]
    grains: int = 0
    ug: int = 0
