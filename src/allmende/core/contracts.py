"""Contracts: the words of the exchange as plain frozen data.

Rule: an instrument is data from its first field to its last; nothing about a contract is
code. Quantities are grains, a hundredth of a standard unit; prices are pico-credits a grain.
Invariant: price times grains is an exact number of pico-credits, whatever the quantity.
Worked number: a lot is 10**8 grains, a million standard units. At 31_000 pico-credits a
grain it costs 3.1 credits; 1_000 input and 250 output tokens at r = 4.21 are
100 * 1_000 + 421 * 250 = 205_250 grains, worth 6_362_750_000 pico-credits.
"""

from __future__ import annotations

from msgspec import Struct

from allmende.core.units import Amount, Instant, Tariff, Zone

GRAINS = 100
"""In one standard unit, so that 0.20 cached and r to two decimals are whole."""
LOT = 1_000_000 * GRAINS
STANDARD = Tariff(input=GRAINS, cached=GRAINS // 5, output=4 * GRAINS, embedding=GRAINS)
"""Grains per token where an instrument names no weights: r = 4."""

SIDES = ("buy", "sell")
TERMS = ("good", "ioc", "fok", "post")
"""Good till time, immediate or cancel, fill or kill, post only."""
GUARDS = ("newest", "oldest")
"""Which of two orders of one owner ends before they trade with each other."""
ALLOCATIONS = ("price", "first", "fair", "common")
"""How scarce lots are shared out in a call: see core.allocation."""
SESSIONS = ("continuous", "call")
SETTLEMENTS = ("physical", "cash")
UNITS = ("token", "second", "query", "licence")
"""What one standard unit is: of a model, a machine, a dataset. A licence is one query, whole."""
SHAPES = ("base", "ratable")
VOUCHERS = ("single", "multi")
"""VAT: place and rate known at issue, or only at redemption (economics.md section 3.1)."""


class Grade(Struct, frozen=True, omit_defaults=True):
    """What is delivered. Physical: hashes or names to check it by. Cash: floors.

    `quality` is points of the index named in `benchmark`, `speed` tokens/s, `latency_ms` to
    the first token at p95, `context` tokens.
    """

    weights: str = ""
    tokenizer: str = ""
    engine: str = ""
    precision: str = ""
    benchmark: str = ""
    quality: int = 0
    speed: int = 0
    latency_ms: int = 0
    context: int = 0


class Instrument(Struct, frozen=True):
    """A standard contract: `issuer` owes grains of `title` between `start` and `end`.

    `offer` delivers it; `price` (pico-credits a grain) is what damages and bonds are figured
    on. `weights` turns usage into grains. `lot` and `step` are grains: what a person calls
    one, and the smallest quantity that trades. `rate` is grains an account may redeem in an
    hour, 0 for any; `context` the longest prompt in tokens, 0 for the offer's own.
    """

    id: str
    issuer: str
    title: str
    model: str
    offer: str
    start: Instant
    end: Instant
    capacity: int
    price: Amount
    zone: Zone
    kind: str = "model"
    unit: str = "token"
    asset: str = "credit"
    weights: Tariff = STANDARD
    lot: int = LOT
    step: int = LOT // 100
    tick: Amount = 100
    session: str = "continuous"
    allocation: str = "price"
    settlement: str = "physical"
    shape: str = "base"
    rate: int = 0
    context: int = 0
    service_ppm: int = 950_000
    penalty_ppm: int = 50_000
    stress_ppm: int = 200_000
    resale_ppm: int = 200_000
    voucher: str = "single"
    grade: Grade = Grade()
    name: str = ""


class Order(Struct, frozen=True, omit_defaults=True):
    """One side of a trade that somebody wants: `grains` at `price` or better, until `until`.

    `request` marks a quote: an answer to that request, outside the book. `session` is the
    connection whose end cancels it, "" for none.
    """

    id: str
    instrument: str
    account: str
    side: str
    price: Amount
    grains: int
    at: Instant
    until: Instant = 0
    session: str = ""
    request: str = ""
    guard: str = "newest"


class QuoteRequest(Struct, frozen=True):
    """Somebody asks for prices on so many grains, and tells nobody which way he would go."""

    id: str
    instrument: str
    account: str
    grains: int
    until: Instant


class Claim(Struct, frozen=True):
    """A holder says that the issuer does not deliver, and stakes credit on it.

    `served` and `faulted` are his requests under the instrument when he said so.
    """

    id: str
    instrument: str
    account: str
    grains: int
    stake: Amount
    due: Instant
    served: int
    faulted: int


class Case(Struct, frozen=True):
    """Something a person is to look at: what it is (`kind`), about whom (a member), in a
    sentence, and the numbers of the events it rests on. `opener` is a key's id, or system.
    """

    id: str
    kind: str
    subject: str
    explanation: str
    evidence: tuple[int, ...]
    opener: str


class Plea(Struct, frozen=True):
    """Force majeure, as an issuer pleads it, and what was found on the three parts."""

    at: Instant
    cause: str
    evidence: str
    external: bool = False
    unavoidable: bool = False
    notified: bool = False
    judged: bool = False

    @property
    def granted(self) -> bool:
        return self.external and self.unavoidable and self.notified
