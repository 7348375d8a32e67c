"""Refusals: the one enum of why not.

Rule: whatever a person may ask and not get is `Refused(why)`, with an HTTP status,
a code that programs match and a sentence that people understand.
Invariant: a refusal changes nothing; `decide` raises before it returns an event.
Worked number: a hold of 0.02 credits against 0.015 available is NO_CREDIT, 402,
`missing=5_000_000_000` pico-credits.
"""

from __future__ import annotations

from enum import Enum
from typing import Any


class Why(Enum):
    """(HTTP status, whether the same request may succeed later, sentence)."""

    BAD_REQUEST = (400, False, "The request is malformed.")
    BAD_VALUE = (422, False, "A value is outside what is allowed.")
    UNKNOWN_KEY = (401, False, "This API key is unknown, revoked or expired.")
    BAD_SIGNATURE = (401, False, "That is not signed as it must be.")
    NO_CREDIT = (402, True, "The account does not hold enough credit.")
    BUDGET_SPENT = (402, True, "A budget above this key does not allow it.")
    NOT_SIGNED = (402, True, "The owner of the account's wallet has not signed for that much.")
    CARBON_CAP = (403, True, "A carbon cap above this key does not allow it.")
    NOT_ALLOWED = (403, False, "This key may not do that.")
    MODE_FORBIDS = (403, False, "This market's mode does not have that feature.")
    MODEL_NOT_IN_KEY = (403, False, "This key is not valid for that model.")
    UNKNOWN_MODEL = (404, False, "No offer sells that model.")
    NOT_FOUND = (404, False, "There is no such thing here.")
    TIMEOUT = (408, True, "The request did not arrive in time.")
    EXISTS = (409, False, "That id is already taken.")
    REPLAYED = (409, False, "That idempotency key was used with other contents.")
    ALREADY_SERVED = (409, False, "That idempotency key was already served.")
    TOO_LARGE = (413, False, "The request is larger than this market takes.")
    UNPRICED = (422, False, "No offer names a price for what this request would use.")
    RATE = (429, True, "This key asks more often than it may.")
    CAPACITY = (429, True, "Every offer that fits is busy.")
    HOLD_CLOSED = (409, False, "That hold is no longer open.")
    UPSTREAM_FAILED = (502, True, "The provider failed before it answered.")
    NO_OFFER = (503, True, "No offer meets the policy.")
    NO_INSTRUMENT = (404, False, "There is no such instrument here.")
    NO_ORDER = (404, False, "That order is not working here.")
    OVER_CAPACITY = (409, False, "That is more than the declared capacity.")
    NO_BOND = (402, True, "The bond does not cover it.")
    OVER_LIMIT = (403, True, "A limit of this market does not allow it.")
    OFF_TICK = (422, False, "The price or the quantity is off its steps.")
    HALTED = (409, True, "That is not possible at the moment.")
    ENDED = (409, False, "That is over.")
    WOULD_TRADE = (409, True, "The order would trade at once, or with its own owner.")
    UNFILLED = (409, True, "The book cannot fill the whole order now.")
    OWED = (409, False, "Rights stand against it that are not delivered yet.")
    CLOSING = (503, True, "The market is shutting down.")

    @property
    def status(self) -> int:
        return self.value[0]

    @property
    def transient(self) -> bool:
        return self.value[1]

    @property
    def sentence(self) -> str:
        return self.value[2]

    @property
    def code(self) -> str:
        return self.name.lower()


class Refused(Exception):
    """An expected no. `detail` says what is missing; `facts` carries it for programs.

    Facts in use: `missing` (pico-credits), `asset`, `budget`, `retry_after_us`,
    `conditions` (which policy condition refused how many offers), `receipt`; `cures` (offer ->
    what it lacks of a floor), `rows` (row of an import -> what is wrong); of a carbon cap
    `missing_ug`, `room_ug`, `fits_output` (tokens) and `lost` (pico-credits at worst).
    """

    def __init__(self, why: Why, detail: str = "", **facts: Any) -> None:
        super().__init__(why, detail)
        self.why = why
        self.detail = detail
        self.facts = facts

    def __str__(self) -> str:
        return f"{self.why.sentence} {self.detail}".strip()
