"""State: what decisions need, and nothing else, as plain data.

Rule: members, budgets, offers, open business, parameters and running sums live here;
history lives in the journal. Only `apply` writes to it.
Invariant: memory grows with members and open business, never with the past.
Worked number: a million settled receipts leave in an open batch at most 20 peaks of 32
bytes and one net amount per account.
"""

from __future__ import annotations

from msgspec import Struct, field

from allmende.core import events
from allmende.core.abroad import Ended, Foreign, Passage, Peering
from allmende.core.charter import Charter
from allmende.core.checks import Check
from allmende.core.contracts import Case, Claim, Instrument, Order, Plea, QuoteRequest
from allmende.core.custody import Closed, Permit, Wrap
from allmende.core.drills import Drill
from allmende.core.evidence import Filed, Floor, Signed
from allmende.core.nouns import Asset, Hold, Key, Market, Member, Offer, Provisional, Title
from allmende.core.sortition import Jury
from allmende.core.titles import Token
from allmende.core.units import Amount, Instant, Tariff


class Budget(Struct):
    """A node of the tree: what may be spent per period, and what was, in pico-credits.

    `owner` is the member whose account pays; `until` ends the running period. `cap_ug` is the
    most CO2 per period, `ug_spent` and `ug_held` what was caused and may be, in micrograms, and
    `ug_base` both together when the cap was set or the period began.
    """

    id: str
    name: str
    owner: str
    parent: str
    asset: str
    period: str
    limit: Amount | None
    spent: Amount = 0
    held: Amount = 0
    until: Instant = 0
    cap_ug: int | None = None
    ug_spent: int = 0
    ug_held: int = 0
    ug_base: int = 0


class Trading(Struct):
    """How an offer is doing: open holds, faults in a row, off the book until."""

    in_flight: int = 0
    faults: int = 0
    down_until: Instant = 0


class OpenBatch(Struct):
    """Final receipts since the last batch: Merkle peaks (leaves, hash) and net amounts."""

    number: int = 1
    since: Instant = 0
    receipts: int = 0
    peaks: list[tuple[int, bytes]] = field(default_factory=list)
    net: dict[str, dict[str, Amount]] = field(default_factory=dict)
    """asset -> account -> pico-credits"""


class Scheduled(Struct, frozen=True):
    name: str
    value: int
    effective: Instant


class Served(Struct, frozen=True):
    """What a command with an idempotency key led to, until the window has passed."""

    at: Instant
    digest: str
    events: tuple[events.Any, ...]


class Tally(Struct):
    """Receipts so far: captured = provisional + open batch + batched."""

    captured: int = 0
    batched: int = 0


class Working(Struct):
    """An order that is not over. `left` grains; `aside` says that they are set aside."""

    order: Order
    left: int
    aside: bool = False


class Side(Struct):
    """Resting orders of one side: prices ascending, and beside each its ids in time order."""

    prices: list[Amount] = field(default_factory=list)
    queues: list[dict[str, None]] = field(default_factory=list)


class Service(Struct):
    """One account's requests under one instrument: answered, and failed by the provider.

    `owed` is the grains it held when it was last failed, and `missed` the end of the outage
    that it last met; `used` grains in the running `hour` (hours since 1970), for its rate.
    """

    served: int = 0
    faulted: int = 0
    owed: int = 0
    missed: Instant = 0
    hour: int = 0
    used: int = 0


class Listing(Struct):
    """An instrument and how it is doing. Quantities are grains.

    `value` is the tariff that its grains are worth. `call_until` is when the running call
    uncrosses, 0 in continuous trading; `reference` is what the circuit breaker measures
    from, `last` the last trade. Of what was `delivered` the issuer's `own` tree used a part,
    which proves nothing. `redeeming` is set aside by requests; `turnover` and `volume` are
    what an index is figured from.
    """

    instrument: Instrument
    value: Tariff
    reference: Amount
    call_until: Instant = 0
    last: Amount = 0
    issued: int = 0
    delivered: int = 0
    own: int = 0
    redeeming: int = 0
    trades: int = 0
    bids: Side = field(default_factory=Side)
    asks: Side = field(default_factory=Side)
    service: dict[str, Service] = field(default_factory=dict)
    first_fault: Instant = 0
    plea: Plea | None = None
    turnover: Amount = 0
    volume: int = 0


class Lane(Struct):
    """One counter of a wallet. `base` is where it stood when its session began, `spent` and
    `held` what the session has added; of lane 0 they stay 0, see wallets.general.

    `vouched` is what the session's own program has signed, with its `voucher`.
    """

    permit: Permit
    base: Amount = 0
    budget: str = ""
    spent: Amount = 0
    held: Amount = 0
    vouched: Amount = 0
    voucher: str = ""
    ended: bool = False


class Wallet(Struct):
    """A member's address on the chain, and what its account did since it was linked.

    `deposited` and `requested` are the vault's totals as far as they were followed, `owing` is
    what was asked for there and was not yet free to be taken; `spent` is what left the account
    any other way; `coming` is what of its earnings is provisional, and so set aside; `closed` the
    account as the last cut noted it.
    """

    address: str
    asset: str
    deposited: Amount = 0
    requested: Amount = 0
    owing: Amount = 0
    spent: Amount = 0
    coming: Amount = 0
    lanes: dict[int, Lane] = field(default_factory=dict)
    closed: Closed = Closed()


class Checking(Struct):
    """A check that is open, with what verifiers sealed and then told."""

    check: Check
    commits: dict[str, str] = field(default_factory=dict)
    """verifier -> hash"""
    verdicts: dict[str, str] = field(default_factory=dict)
    """verifier -> what it said"""


class State(Struct):
    market: Market | None = None
    now: Instant = 0
    parameters: dict[str, int] = field(default_factory=dict)
    scheduled: list[Scheduled] = field(default_factory=list)
    assets: dict[str, Asset] = field(default_factory=dict)
    balances: dict[str, dict[str, Amount]] = field(default_factory=dict)
    """asset -> account -> pico-credits"""
    held: dict[str, dict[str, Amount]] = field(default_factory=dict)
    """asset -> account -> pico-credits set aside by open holds"""
    references: set[str] = field(default_factory=set)
    """Outside payments already credited, and training already attested."""
    members: dict[str, Member] = field(default_factory=dict)
    budgets: dict[str, Budget] = field(default_factory=dict)
    keys: dict[str, Key] = field(default_factory=dict)
    """by the SHA-256 of the secret"""
    key_hashes: dict[str, str] = field(default_factory=dict)
    """key id -> hash"""
    arrivals: dict[str, Instant] = field(default_factory=dict)
    """key id -> theoretical arrival time of its rate limit"""
    titles: dict[str, Title] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    """title -> its token on the chain, or on its way there"""
    offers: dict[str, Offer] = field(default_factory=dict)
    models: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """model name -> its standing offers"""
    trading: dict[str, Trading] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    provisional: dict[str, Provisional] = field(default_factory=dict)
    batch: OpenBatch = field(default_factory=OpenBatch)
    tally: Tally = field(default_factory=Tally)
    served: dict[str, Served] = field(default_factory=dict)
    listings: dict[str, Listing] = field(default_factory=dict)
    delivering: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """model -> its unsettled physical instruments, nearest expiry first"""
    indexing: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """model -> its unsettled cash instruments"""
    orders: dict[str, Working] = field(default_factory=dict)
    requests: dict[str, QuoteRequest] = field(default_factory=dict)
    claims: dict[str, Claim] = field(default_factory=dict)
    exposure: dict[str, Amount] = field(default_factory=dict)
    """top of a member's tree -> pico-credits of its open buy orders"""
    proved: dict[str, int] = field(default_factory=dict)
    """provider -> grains of rights it delivered, verified"""
    cases: dict[str, Case] = field(default_factory=dict)
    """those that nobody has decided yet"""
    wallets: dict[str, Wallet] = field(default_factory=dict)
    """by the member that has it"""
    addresses: dict[str, str] = field(default_factory=dict)
    """address -> member"""
    sessions: dict[str, tuple[str, int]] = field(default_factory=dict)
    """budget -> the member and the lane of its session"""
    evidence: dict[str, Filed] = field(default_factory=dict)
    """by its id, until it is withdrawn or has expired"""
    filings: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """provider/objective -> its evidence"""
    footings: dict[str, str] = field(default_factory=dict)
    """offer -> digest of what evidence on it rests on"""
    assessments: dict[str, dict[str, Signed]] = field(default_factory=dict)
    """floors.subject -> regime -> what a person signed"""
    floors: dict[str, Floor] = field(default_factory=dict)
    """by budget"""
    wraps: dict[str, Wrap] = field(default_factory=dict)
    """rights on their way to a wallet, not yet minted there"""
    drills: dict[str, Drill] = field(default_factory=dict)
    """those that are running"""
    juries: dict[str, Jury] = field(default_factory=dict)
    """called, and not yet drawn"""
    juries_called: int = 0
    """so far, which numbers them"""
    payees: dict[str, str] = field(default_factory=dict)
    """address that rewards are for -> whose it is"""
    checks: dict[str, Checking] = field(default_factory=dict)
    """those that are open"""
    trees: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """SHA-256 of a tree that came from another market -> its tops here"""
    cut_batch: int = 0
    """The last batch that the last cut has."""
    registry_version: int = 0
    registry_sha256: str = ""
    """Of the registry of actors, whose rows are in the journal and the read models."""
    charter: Charter | None = None
    """Who decides on the rules, if it is not the operator."""
    enacted: int = 0
    """The last decision that was taken from there."""
    peers: dict[str, Peering] = field(default_factory=dict)
    """other markets, by their id here"""
    passages: dict[str, Passage] = field(default_factory=dict)
    """peer/number -> what is on its way there, and not answered"""
    foreign: dict[str, Foreign] = field(default_factory=dict)
    """other markets' assets that are held here, by their id here"""
    ended: dict[str, Ended] = field(default_factory=dict)
    """peer/right -> what a right's grains brought whose window ended while they were abroad"""
