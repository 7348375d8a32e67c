"""A receipt file proves itself offline; every change to it is found and named."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import market
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from allmende.adapters.sqlite_journal import SqliteJournal
from allmende.core import commands as c
from allmende.core import events as e
from allmende.core.nouns import Receipt
from allmende.core.settle import receipt_leaf
from allmende.core.units import Units
from allmende.wire import journal, receipt
from allmende.wire.merkle import Places


async def trade(folder: Path, receipts: int) -> None:
    desk = await market.open_desk(folder)
    units = Units(200, 0, 60)
    holds = [market.reserve(f"r{n}", output_bound=60) for n in range(receipts)]
    await asyncio.gather(*(desk.submit(hold) for hold in holds))
    ends = [
        c.Capture(at=market.START, hold=hold.id, estimate=units, reported=units) for hold in holds
    ]
    await asyncio.gather(*(desk.submit(end) for end in ends))
    await desk.submit(c.CloseBatch(at=market.START))
    await desk.close()


def files(folder: Path, *, closed: bool) -> list[bytes]:
    """Receipt files, made from nothing but the journal."""
    frames = list(SqliteJournal(folder / "journal.sqlite", readonly=True).frames())
    found: list[tuple[Receipt, journal.Frame]] = []
    last: tuple[e.BatchClosed, journal.Frame] | None = None
    for frame in frames:
        for event in journal.events(frame.body):
            if isinstance(event, e.Captured):
                found.append((event.receipt, frame))
            elif isinstance(event, e.BatchClosed):
                last = event, frame
    assert last is not None
    places, place = Places([receipt_leaf(one) for one, _ in found]), receipt.closing(*last)
    out = []
    for one, frame in found:
        leaf = receipt_leaf(one)
        batch = receipt.in_batch(places, leaf, last[0], place) if closed else None
        own = receipt.anchor(frame, leaf)
        out.append(receipt.encode(market.Signer().public.hex(), one, own, batch))
    return out


def failed(data: bytes, key: str | None = None) -> set[str]:
    return {check.name for check in receipt.verify(data, key) if not check.ok}


@pytest.mark.parametrize("receipts", [1, 2, 13])
@pytest.mark.parametrize("closed", [False, True])
def test_every_receipt_proves_itself(tmp_path: Path, receipts: int, closed: bool) -> None:
    asyncio.run(trade(tmp_path, receipts))
    made = files(tmp_path, closed=closed)
    assert len(made) == receipts
    for data in made:
        assert failed(data) == failed(data, market.Signer().public.hex()) == set()


def test_every_forgery_is_found(tmp_path: Path) -> None:
    asyncio.run(trade(tmp_path, 5))
    data = files(tmp_path, closed=True)[2]
    assert failed(data, "00" * 32) >= {"signature", "batch signature"}

    def forged(change: object, *path: str) -> bytes:
        file = json.loads(data)
        inside = file
        for step in path[:-1]:
            inside = inside[step]
        assert inside.get(path[-1]) != change
        inside[path[-1]] = change
        return json.dumps(file).encode()

    assert failed(forged(1, "receipt", "price")) >= {"price", "waterfall", "signature", "batch"}
    assert "signature" in failed(forged("FRA", "receipt", "zone", "country"))
    assert "fields" in failed(forged("by me", "receipt", "remark"))
    assert "signature" in failed(forged(3, "anchor", "index"))
    assert "batch" in failed(forged(3, "batch", "index"))
    assert "batch root" in failed(forged([], "batch", "closed", "net"))
    assert "batch signature" in failed(forged(7, "batch", "closed", "number"))


def test_a_provider_may_countersign(tmp_path: Path) -> None:
    asyncio.run(trade(tmp_path, 1))
    file = json.loads(files(tmp_path, closed=True)[0])
    key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    leaf = receipt_leaf(msgspec.convert(file["receipt"], Receipt))
    word = {
        "public_key": key.public_key().public_bytes_raw().hex(),
        "signature": key.sign(leaf).hex(),
    }
    signed = json.dumps({**file, "countersignature": word}).encode()
    assert "provider signature" in {check.name for check in receipt.verify(signed) if check.ok}
    word["signature"] = key.sign(b"something else").hex()
    forged = json.dumps({**file, "countersignature": word}).encode()
    assert failed(forged) == {"provider signature"}


def test_what_is_no_receipt_file_is_said_so() -> None:
    for data in (b"", b"{}", b"\xff\xfe", b'{"format": 1}'):
        with pytest.raises(ValueError, match="not a receipt file"):
            receipt.verify(data)


def with_chain(folder: Path) -> bytes:
    """The first of three receipts, as a vault's batch 7 has them and one more."""
    asyncio.run(trade(folder, 3))
    made = [receipt.read(data) for data in files(folder, closed=True)]
    leaves = [b"\1" * 32, *(receipt_leaf(one) for _, one in made)]
    file, one = made[0]
    place = receipt.chained(31337, "0x" + "11" * 32, "0x" + "22" * 20, 7, leaves, leaves[1])
    return receipt.encode(file.public_key, one, file.anchor, file.batch, place)


def test_a_file_may_say_where_it_is_on_a_chain(tmp_path: Path) -> None:
    data = with_chain(tmp_path)
    assert failed(data) == set()
    said = {check.name: check.detail for check in receipt.verify(data)}
    assert "receipt 2 of 4 in the vault's batch 7" in said["chain"]
    for field, value in (("index", 2), ("receipts", 2), ("path", []), ("receipts_root", "0x")):
        changed = json.loads(data)
        changed["chain"][field] = value
        assert failed(json.dumps(changed).encode()) == {"chain"}, field


def test_a_batch_of_the_market_may_be_a_batch_of_the_vault(tmp_path: Path) -> None:
    file, _ = receipt.read(with_chain(tmp_path))
    assert receipt.place(file) == file.chain
    plain = receipt.read(files(tmp_path, closed=True)[0])[0]
    found = receipt.place(plain)
    assert found is not None
    assert plain.batch is not None
    assert (found.batch, found.receipts) == (0, 3)
    assert found.receipts_root == "0x" + plain.batch.closed.receipts_root.hex()
    assert receipt.place(receipt.read(files(tmp_path, closed=False)[0])[0]) is None
