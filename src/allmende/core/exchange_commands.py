"""Exchange commands: what can be asked of rights, order books and bonds.

Rule: as all commands, they bring their own time, actor and ids.
Invariant: none of them names what it costs; the machine works that out from the state.
Worked number: PlaceOrder(side="buy", price=31_000, grains=10**8) asks for one lot at 3.1
credits or less.
"""

from __future__ import annotations

from allmende.core.commands import Command
from allmende.core.contracts import Instrument
from allmende.core.units import Amount, Instant, Units


class ListInstrument(Command, frozen=True):
    """A standard contract, by its issuer. Trading opens with a call auction."""

    instrument: Instrument


class MintLots(Command, frozen=True):
    """Grains of an instrument into the issuer's account, against a bond."""

    instrument: str
    grains: int


class RetireLots(Command, frozen=True):
    """The issuer takes back grains that it holds itself, and their bond."""

    instrument: str
    grains: int


class PlaceOrder(Command, frozen=True):
    """Grains at `price` (pico-credits a grain) or better. See contracts.TERMS and GUARDS.

    A market order is `ioc` with its protection as the price.
    """

    id: str
    instrument: str
    account: str
    side: str
    price: Amount
    grains: int
    term: str = "good"
    until: Instant = 0
    session: str = ""
    guard: str = "newest"


class AmendOrder(Command, frozen=True):
    """Fewer grains at the same price keep the place in the queue; anything else loses it."""

    id: str
    price: Amount
    grains: int


class CancelOrder(Command, frozen=True):
    id: str


class CancelOrders(Command, frozen=True):
    """All orders of an account, or those of one instrument or one session of it."""

    account: str
    instrument: str = ""
    session: str = ""


class OpenCall(Command, frozen=True):
    """Collect orders until `until`, then uncross at one price. By an operator."""

    instrument: str
    until: Instant


class RequestQuotes(Command, frozen=True):
    """Ask everybody for two-sided or one-sided prices on so many grains."""

    id: str
    instrument: str
    account: str
    grains: int
    until: Instant


class Quote(Command, frozen=True):
    """Answer a request: `side` is what the quoter would do."""

    id: str
    request: str
    account: str
    side: str
    price: Amount
    until: Instant = 0


class AcceptQuote(Command, frozen=True):
    id: str


class Redeem(Command, frozen=True):
    """Use rights to machine time or a dataset now; a model's are used by calling its API."""

    id: str
    instrument: str
    account: str
    units: Units
    evidence: str = ""


class ClaimDefault(Command, frozen=True):
    """Say that an issuer does not deliver, on so many grains, and stake credit on it."""

    id: str
    instrument: str
    account: str
    grains: int


class PleadForceMajeure(Command, frozen=True):
    """By the issuer: what happened, and where it can be read."""

    instrument: str
    cause: str
    evidence: str


class JudgeForceMajeure(Command, frozen=True):
    """By an operator: was it outside the issuer's control, and could it not be avoided?"""

    instrument: str
    external: bool
    unavoidable: bool


class SetTier(Command, frozen=True):
    """How far a member is known, and so what it may have open; and whether it serves the
    common good, and so comes first where scarce lots are allotted so. By an operator."""

    member: str
    tier: int
    common_good: bool = False


class OpenCase(Command, frozen=True):
    """Ask a person to look: `evidence` lists event numbers. By an operator or the house."""

    id: str
    kind: str
    subject: str
    explanation: str
    evidence: tuple[int, ...]


class DecideCase(Command, frozen=True):
    """A person's word on a case, and why. Never by the house itself."""

    id: str
    decision: str
    reason: str
