"""The issue's own story on a served market: December lots from their issue to the last unit."""

from __future__ import annotations

from pathlib import Path

import openai
from msgspec import structs
from served import Market, run, serve

from allmende.core import commands as c
from allmende.core import exchange_commands as x
from allmende.core import ledger, machine
from allmende.core.contracts import Instrument
from allmende.core.nouns import Member
from allmende.core.units import CREDIT, DAY, SECOND, Instant, Zone

LOT = 1_000_000
"""Ten thousand standard units, so that half of one is soon spent."""
PRICE = 31_000


class Story:
    """Three members, two issuers, one clock."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.state = market.desk.state
        self.start = market.clock.now()
        self._orders = 0

    async def do(self, *commands: c.Command) -> None:
        for command in commands:
            at = self.market.clock.now()
            await self.market.desk.submit(structs.replace(command, at=at))

    async def at(self, instant: Instant) -> None:
        self.market.clock.at = instant
        await self.do(c.Tick())

    async def cast(self) -> None:
        await self.do(
            c.SetParameter(name="call_seconds", value=60),
            c.AddMember(member=Member("city", "City", "organisation")),
            c.AddMember(member=Member("coop", "Co-operative", "organisation")),
            c.AddMember(member=Member("cloud", "Cloud", "provider")),
            *(
                c.Deposit(member=name, amount=50 * CREDIT, reference=name)
                for name in ("city", "coop", "host", "cloud")
            ),
        )

    async def issue(self, id_: str, model: str, provider: str, act: str) -> None:
        await self.market.offer(f"{model}-offer", model, act, provider=provider)
        instrument = Instrument(
            id=id_,
            issuer=provider,
            title="t",
            model=model,
            offer=f"{model}-offer",
            start=self.start,
            end=self.start + 31 * DAY,
            capacity=10 * LOT,
            price=PRICE,
            zone=Zone("DEU"),
            lot=LOT,
            step=LOT // 10,
        )
        listing = x.ListInstrument(instrument=instrument)
        await self.do(listing, x.MintLots(instrument=id_, grains=4 * LOT))

    async def order(self, account: str, side: str, price: int, lots: int, id_: str) -> None:
        self._orders += 1
        await self.do(
            x.PlaceOrder(
                id=f"o{self._orders}",
                instrument=id_,
                account=account,
                side=side,
                price=price,
                grains=lots * LOT,
            )
        )

    def rights(self, account: str) -> int:
        return ledger.balance(self.state, account, "december")

    def credit(self, account: str) -> int:
        return ledger.balance(self.state, account, "credit")


async def trade(story: Story) -> None:
    """An auction among three, then the book; the university ends with a lot of each issuer."""
    await story.order("host", "sell", PRICE, 3, "december")
    await story.order("city", "buy", 32_000, 2, "december")
    await story.order("coop", "buy", 31_500, 1, "december")
    await story.order("cloud", "sell", PRICE, 1, "cloudy")
    await story.order("uni", "buy", PRICE, 1, "cloudy")
    await story.at(story.start + 61 * SECOND)
    assert [story.rights(name) for name in ("city", "coop", "uni")] == [2 * LOT, LOT, 0]
    await story.order("city", "sell", 31_500, 1, "december")
    await story.order("uni", "buy", 32_000, 1, "december")
    assert [story.rights(name) for name in ("city", "coop", "uni")] == [LOT, LOT, LOT]


async def spend_half(story: Story) -> int:
    """Requests by the real client until half the lot is used; grains that receipts name."""
    credit = story.credit("uni")
    client = openai.AsyncOpenAI(
        base_url=story.market.url, api_key=story.market.secret, max_retries=0
    )
    async with client:
        while story.rights("uni") > LOT // 2:
            raw = await client.chat.completions.with_raw_response.create(
                model="smol-december", messages=[{"role": "user", "content": "x"}], max_tokens=66
            )
            assert raw.headers["x-allmende-paid-with"] == "december"
    used = sum(receipt.grains for receipt in story.market.receipts)
    assert {receipt.right for receipt in story.market.receipts} == {"december"}
    assert story.credit("uni") == credit
    return used


async def suffer(story: Story) -> None:
    """The other issuer fails; the market's meter sees it."""
    for _ in range(3):
        answer = await story.market.chat("smol-cloudy")
        assert answer.status == 502
    assert story.state.listings["cloudy"].service["uni"].faulted == 3


def test_december_from_issue_to_the_last_unit(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path, mode="limited_network") as market:
            story = Story(market)
            await story.cast()
            await story.issue("december", "smol-december", "host", "fake-66")
            await story.issue("cloudy", "smol-cloudy", "cloud", "fake-before")
            await trade(story)
            used = await spend_half(story)
            await suffer(story)
            before, cloud = story.credit("uni"), story.credit("cloud")
            end = story.start + 31 * DAY
            await story.at(end)
            await story.at(end + 3_600 * SECOND)
            damages = LOT * (PRICE * 120 // 100 + PRICE * 5 // 100)
            resale = (LOT - used) * (PRICE * 20 // 100)
            assert story.credit("uni") == before + damages + resale
            bond = 4 * LOT * PRICE * 125 // 100
            assert story.credit("cloud") == cloud + bond - damages
            await market.settled()
            assert not story.state.listings
            assert sum(story.state.balances["credit"].values()) == 0
            assert not [name for name in story.state.balances["credit"] if "bond" in name]
            again = machine.replay(market.events)
            assert machine.digest(again) == machine.digest(story.state)

    run(work())
