"""Delivery by ordinary API calls: rights pay for what the `openai` client asks."""

from __future__ import annotations

import asyncio
from pathlib import Path

import openai
from msgspec import structs
from served import Market, run, serve

from allmende.core import commands as c
from allmende.core import exchange_commands as x
from allmende.core import ledger, machine
from allmende.core.contracts import LOT, Instrument
from allmende.core.units import CREDIT, DAY, Zone


async def december(market: Market, act: str = "fake", lots: int = 2, **terms: object) -> Instrument:
    """An instrument on the offer `sold`, with lots in the hands of the university."""
    offer = await market.offer("sold", "smol-december", act)
    at = market.clock.now()
    fields = {
        "id": "december",
        "issuer": "host",
        "title": "t",
        "model": offer.model,
        "offer": offer.id,
        "start": at,
        "end": at + DAY,
        "capacity": 10 * LOT,
        "price": 10_000,
        "zone": Zone("DEU"),
    }
    instrument = Instrument(**{**fields, **terms})
    for command in (
        c.Deposit(member="host", amount=50 * CREDIT, reference="bond"),
        x.ListInstrument(instrument=instrument),
        x.MintLots(instrument="december", grains=lots * LOT),
        x.PlaceOrder(
            id="ask", instrument="december", account="host", side="sell", price=10_000,
            grains=lots * LOT,
        ),
        x.PlaceOrder(
            id="bid", instrument="december", account="uni", side="buy", price=10_000,
            grains=lots * LOT,
        ),
    ):  # fmt: skip
        await market.desk.submit(_at(command, at))
    market.clock.at = instrument.start + 61_000_000
    await market.desk.submit(c.Tick(at=market.clock.now()))
    assert rights(market) == lots * LOT, "the opening call has traded"
    return instrument


def _at(command: c.Command, at: int) -> c.Command:
    return structs.replace(command, at=at)


def rights(market: Market, account: str = "uni") -> int:
    return ledger.balance(market.desk.state, account, "december")


def test_the_openai_client_spends_a_lot_and_the_receipt_names_it(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            await december(market)
            credit = ledger.balance(market.desk.state, "uni", "credit")
            client = openai.AsyncOpenAI(base_url=market.url, api_key=market.secret, max_retries=0)
            async with client:
                raw = await client.chat.completions.with_raw_response.create(
                    model="smol-december", messages=[{"role": "user", "content": "hi"}]
                )
            assert raw.headers["x-allmende-paid-with"] == "december"
            (receipt,) = market.receipts
            assert receipt.right == "december"
            assert rights(market) == 2 * LOT - receipt.grains
            assert receipt.price == receipt.grains * 10_000
            assert ledger.balance(market.desk.state, "uni", "credit") == credit
            await market.settled()

    run(work())


def test_a_stream_pays_with_rights_too_and_a_caller_may_choose_credit(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            await december(market)
            streamed = await market.chat("smol-december", stream=True)
            assert streamed.headers["x-allmende-paid-with"] == "december"
            assert streamed.slip["right"] == "december"
            plain = await market.chat("smol-december", headers={"x-allmende-policy": "pay=credit"})
            assert "x-allmende-paid-with" not in plain.headers
            assert [bool(receipt.right) for receipt in market.receipts] == [True, False]

    run(work())


def test_parallel_requests_on_one_lot_never_redeem_more_than_is_there(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            await december(market, lots=1, lot=10_000_000, step=1_000_000, capacity=LOT)
            answers = await asyncio.gather(*(market.chat("smol-december") for _ in range(40)))
            assert {answer.status for answer in answers} == {200}
            await market.settled()
            used = sum(receipt.grains for receipt in market.receipts)
            assert rights(market) == LOT - used >= 0
            assert market.desk.state.listings["december"].delivered == used

    run(work())


def test_a_provider_that_fails_is_replaced_at_its_bonds_cost(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            await december(market, "fake-before")
            other = await market.offer("other", "smol-december")
            credit = ledger.balance(market.desk.state, "uni", "credit")
            answer = await market.chat("smol-december")
            assert answer.status == 200
            (receipt,) = market.receipts
            assert (receipt.offer, receipt.right) == (other.id, "december")
            assert ledger.balance(market.desk.state, "uni", "credit") == credit
            service = market.desk.state.listings["december"].service["uni"]
            assert (service.served, service.faulted) == (0, 1)

    run(work())


def test_the_window_ends_and_replay_agrees(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            instrument = await december(market)
            await market.chat("smol-december")
            for after in (0, 3_600_000_000):
                market.clock.at = instrument.end + after
                await market.desk.submit(c.Tick(at=market.clock.now()))
            assert not market.desk.state.listings
            await market.settled()
            again = machine.replay(market.events)
            assert machine.digest(again) == machine.digest(market.desk.state)

    run(work())
