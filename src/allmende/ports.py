"""Ports: the seams between the market and the world, each one small Protocol.

Rule: desk and doors speak to the outside only through these; `main` plugs adapters in.
Invariant: every port has one fake that passes the same contract tests as the adapter.
Worked number: a journal of 1_000 frames of 64 events answers `frames(63_999)` with the
one frame that holds event 64_000.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from enum import Enum
from typing import Any, Protocol, TypeAlias

from msgspec import Struct

from allmende.core.units import Instant, Units
from allmende.wire.journal import Frame


class Journal(Protocol):
    """Append-only frames. `append` returns only when the frame survives a power cut."""

    def append(self, frame: Frame) -> None: ...
    def frames(self, after: int = 0) -> Iterator[Frame]:
        """Frames holding events numbered above `after`, in order (events count from 1)."""

    def snapshot(self, upto: int, head: bytes, state: bytes) -> None: ...
    def latest_snapshot(self) -> tuple[int, bytes, bytes] | None:
        """(number of the last event folded in, head at it, state bytes) or None."""

    def close(self) -> None: ...


class Clock(Protocol):
    def now(self) -> Instant: ...


class Signer(Protocol):
    """Ed25519. `public` is the raw 32-byte key, signatures are 64 bytes."""

    public: bytes

    def sign(self, message: bytes) -> bytes: ...


class UpstreamFailed(Exception):
    """The provider did not answer as HTTP should. `cause` is one word for the journal."""

    def __init__(self, cause: str, detail: str = "") -> None:
        super().__init__(cause, detail)
        self.cause = cause
        self.detail = detail


class Call(Struct, frozen=True):
    """One request to a provider: where, what, how long to wait (seconds)."""

    url: str
    """Base URL, e.g. http://127.0.0.1:8080/v1; `path` is appended."""
    path: str
    body: bytes
    secret: str = ""
    """The provider's API key, sent as a bearer token and nowhere else."""
    allow_private: bool = False
    first_byte_s: float = 120.0
    idle_s: float = 60.0


class Answer(Protocol):
    """An answer whose head has arrived. Iterate the body once; `abort` at any moment."""

    status: int
    content_type: str

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Body bytes as they come, de-chunked. Raises UpstreamFailed if cut short."""

    async def read(self, limit: int) -> bytes:
        """The whole body. Raises UpstreamFailed("too_large") past `limit` bytes."""

    def abort(self) -> None:
        """Close the connection now, so that the provider stops. Safe to call twice."""


class Upstream(Protocol):
    async def open(self, call: Call) -> Answer:
        """Send, wait for the response head. Raises UpstreamFailed before the first byte."""

    async def close(self) -> None: ...


class Job(Struct, frozen=True):
    """What a recount needs, in memory only: never journalled, never logged."""

    receipt: str
    vocabulary: str
    endpoint: str
    stream: bool
    request: bytes
    response: bytes
    limit: int
    """Output tokens allowed per choice."""


class Recounter(Protocol):
    def knows(self, vocabulary: str) -> bool: ...
    async def count(self, jobs: Sequence[Job]) -> list[tuple[str, Units | None]]:
        """(receipt, our own count or None where we cannot count) for each job."""

    async def close(self) -> None: ...


class Views(Protocol):
    """Read models: SQL tables folded from the journal; pages and commands read them."""

    async def rows(self, name: str, /, **arguments: object) -> list[dict[str, object]]:
        """Rows of a named query, plain JSON values; amounts are decimal text of pico-credits."""

    async def caught_up(self, number: int, timeout_s: float = 2.0) -> bool:
        """Wait until the tables contain the event with this number."""


class ChainFailed(Exception):
    """A chain did not do what was asked. `cause` is one word; `data` is what a contract said.

    The node: unreachable, timeout, busy, garbled, lied, lagging, unknown_method, bad_params,
    failed. Another chain than before: wrong_chain, wrong_deployment. The transaction: reverted,
    nonce_too_low, nonce_taken, underpriced, fee_cap, no_funds, bad_transaction.
    """

    def __init__(self, cause: str, detail: str = "", data: bytes = b"") -> None:
        super().__init__(cause, detail)
        self.cause = cause
        self.detail = detail
        self.data = data


class Block(Struct, frozen=True):
    """Hashes and addresses are lower-case 0x text here and below, fees wei per gas."""

    number: int
    hash: str
    parent: str
    time_s: int
    base_fee: int
    """0 on a chain without EIP-1559."""


class Mined(Struct, frozen=True):
    """A transaction that is in a block. That block may still be reorganised away."""

    hash: str
    block: int
    block_hash: str
    ok: bool
    gas: int
    paid: int
    """Wei for all of the gas."""
    contract: str = ""
    """Address of what it created."""


class Log(Struct, frozen=True):
    address: str
    topics: tuple[str, ...]
    data: bytes
    block: int
    block_hash: str
    transaction: str
    index: int


class Chain(Protocol):
    """One EVM chain as one node tells it. Every method may raise ChainFailed."""

    async def chain_id(self) -> int: ...
    async def block(self, number: int | None = None) -> Block | None:
        """The block with this number, or the newest; None if there is none yet."""

    async def balance(self, address: str) -> int:
        """Wei, at the newest block."""

    async def nonce(self, address: str) -> int:
        """How many transactions of this account are in blocks, at the newest one."""

    async def code(self, address: str) -> bytes: ...
    async def call(self, to: str, data: bytes, *, at: int | None = None) -> bytes:
        """What the contract answers, at block `at` or now. ChainFailed("reverted")."""

    async def estimate(self, sender: str, to: str, data: bytes, value: int = 0) -> int:
        """Gas it would take now; `to` is empty to create. ChainFailed("reverted")."""

    async def price(self) -> int:
        """Wei per gas that the node suggests to pay now, base fee included."""

    async def send(self, raw: bytes) -> str:
        """Hand over a signed transaction: its hash. The same one may be sent again."""

    async def mined(self, transaction: str) -> Mined | None:
        """What became of it, if it is in a block that the node holds for the chain's."""

    async def logs(
        self, address: str, first: int, last: int, topics: Sequence[str] = ()
    ) -> list[Log]:
        """Of blocks `first` to `last`, both included, in order."""

    async def close(self) -> None: ...


Ask: TypeAlias = Callable[[str, Sequence[Any]], Awaitable[Any]]
"""Ethereum's JSON-RPC as a node speaks it: method and parameters to the result, as JSON values.
Raises ChainFailed. Beside Chain, because wallets ask for more than the market does."""


class Stage(Enum):
    """waiting -> open -> final, and failed where it never came to a nonce."""

    WAITING = "waiting"
    OPEN = "open"
    FINAL = "final"
    FAILED = "failed"


class Wanted(Struct, frozen=True):
    """A transaction to be sent once. `key` is the caller's; no `to` creates a contract."""

    key: str
    to: str
    data: bytes = b""
    value: int = 0
    gas: int = 0
    """Gas limit; 0 has it estimated."""


class Send(Struct, frozen=True):
    """How far one wanted transaction has come."""

    wanted: Wanted
    stage: Stage
    nonce: int | None
    detail: str
    """Why it failed."""
    hash: str
    """Of the signature that is in the chain, once that is final; block, ok, contract too."""
    block: int | None
    block_hash: str
    ok: bool
    """False for one that is in the chain and was reverted there: gas paid, nothing done."""
    contract: str


class Sender(Protocol):
    """Sends each wanted transaction from one account exactly once. Durable over any crash."""

    def put(self, wanted: Wanted) -> Send:
        """Write it down; again is nothing new. Refused(REPLAYED) if the key meant other things."""

    def get(self, key: str) -> Send | None: ...
    async def step(self) -> None:
        """Look at the chain and do what is due; call it now and then. ChainFailed says what
        stands in the way now; nothing is lost, the next step begins from the chain again."""
