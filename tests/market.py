"""A small founded market on a real desk and a real SQLite journal, for tests."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from allmende.adapters.sqlite_journal import SqliteJournal
from allmende.core import commands as c
from allmende.core.nouns import Key, Member, Offer, Share, Title
from allmende.core.units import CREDIT, SECOND, Instant, Tariff, Zone
from allmende.desk import Desk

KEY = "a" * 64
START: Instant = 1_790_000_000 * SECOND


class Signer:
    """Ed25519 with a key made here."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
        self.public = self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


class HandClock:
    """Stands until it is moved."""

    def __init__(self, at: Instant = START) -> None:
        self.at = at

    def now(self) -> Instant:
        return self.at


def setup(public_key: str = "", mode: str = "closed_loop") -> list[c.Command]:
    """Commands that found a market with one payer, one host, one author and one offer."""
    return [
        c.Found(
            at=START,
            market="m",
            name="Test market",
            mode=mode,
            operator="op",
            public_key=public_key,
        ),
        c.AddMember(at=START, member=Member("uni", "University", "organisation")),
        c.AddMember(at=START, member=Member("host", "Host", "provider")),
        c.AddMember(at=START, member=Member("author", "Author", "person")),
        c.Deposit(at=START, member="uni", amount=10 * CREDIT, reference="wire 1"),
        c.AddBudget(at=START, id="b", name="all", owner="uni", limit=5 * CREDIT // 1000),
        c.IssueKey(at=START, key=Key("k", KEY, "uni", "spend", "b")),
        c.RegisterTitle(
            at=START,
            title=Title("t", "author", "model", "T", (Share("author", "author", 100_000),)),
        ),
        c.PostOffer(
            at=START,
            offer=Offer(
                "o",
                "host",
                "t",
                "smol",
                "credit",
                Tariff(150_000, None, 600_000),
                Zone("DEU"),
                "http://127.0.0.1:1/v1",
            ),
        ),
    ]


def reserve(id_: str, at: Instant = START, **more: object) -> c.Reserve:
    """Worst case: 1_000 input at 150_000 and 256 output at 600_000 pico = 303_600_000."""
    fields: dict[str, object] = {"input_bound": 1_000, "output_bound": 256, **more}
    return c.Reserve(
        at=at,
        id=id_,
        key=KEY,
        endpoint="chat/completions",
        model="smol",
        **fields,  # type: ignore[arg-type]
    )


async def open_desk(folder: Path, **options: object) -> Desk:
    """A started desk on `folder`, founded if it is new."""
    signer = Signer()
    desk = Desk(SqliteJournal(folder / "journal.sqlite"), signer, HandClock(), **options)  # type: ignore[arg-type]
    await desk.start()
    if desk.state.market is None:
        for command in setup(signer.public.hex()):
            await desk.submit(command)
    return desk
