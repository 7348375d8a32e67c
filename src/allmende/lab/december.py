"""December: rights to a month's tokens, from issue to settlement, with the month played in seconds.

Rule: as in every scene, what is shown happened on the served market, and a promise that is
not kept raises.
Invariant: every lot that was minted is delivered, expired or paid for at the end.
Worked number: a lot at 3.1 credits needs a bond of 3.875; 0.002 lots are 2,000 standard
units, enough for a dozen short answers of the small model.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import openai

from allmende.core.contracts import LOT
from allmende.core.units import credits
from allmende.lab import cast
from allmende.lab.relay import Relay
from allmende.lab.scenes import QUESTION, answer, message, promise, wait_for
from allmende.lab.served import Refusal
from allmende.lab.stage import Stage

GOOD, BAD = "december", "december-cloud"
MODEL, BROKEN = "smol-december", "smol-cloud"
PRICE = 31_000
"""Pico-credits a grain: 3.1 credits a lot."""
DAMAGES = 200_000 * (PRICE * 12 // 10 + PRICE // 20)
"""Nobody else delivers, so a replacement costs as much as the margin of 20 % reaches."""
RESALE = PRICE // 5
WINDOW_S = 8
CALL_S = 1
MEMBERS = (("city", "City of Lindau"), ("coop", "Print co-operative"))
LOTS = "0.002"
"""The university's: 200,000 grains. A chat may need 137,000 at worst, and uses some 14,000."""


def play(stage: Stage) -> None:
    """Issue, auction, book, delivery, default, settlement."""
    with Relay(stage.model.host, stage.model.port, after=0) as dead:
        prepare(stage, dead.url)
        ends = issue(stage)
        auction(stage)
        book(stage)
        delivery(stage)
        default(stage)
        settlement(stage, ends)


def prepare(stage: Stage, dead: str) -> None:
    for id_, name in MEMBERS:
        stage.ask("add_member", id=id_, name=name, kind="organisation")
        stage.ask("deposit", member=id_, amount="100", reference=f"order of {id_}")
    for host in ("campus", "bargain"):
        stage.ask("deposit", member=host, amount="100", reference=f"bond of {host}")
    for name, value in (("call_seconds", CALL_S), ("freeze_seconds", 0), ("settle_seconds", 0)):
        stage.ask("set_parameter", name=name, value=value)
    cast.offer(stage, "campus", MODEL, "DEU", "DEU", "3.10", "12.40")
    cast.offer(stage, "bargain", BROKEN, "USA", "USA", "3.10", "12.40", url=dead)


def issue(stage: Stage) -> datetime:
    stage.tell.step("December's tokens: two providers issue rights, against a bond")
    start = datetime.now(UTC)
    ends = start + timedelta(seconds=WINDOW_S)
    for id_, host, model in ((GOOD, "campus", MODEL), (BAD, "bargain", BROKEN)):
        stage.ask(
            "list_instrument",
            id=id_,
            offer=f"{model}-{host}",
            start=start.isoformat(),
            end=ends.isoformat(),
            capacity="10",
            price="3.1",
            step="0.0001",
            name=f"a million tokens of {model}, by {host}",
        )
        stage.ask("mint_lots", instrument=id_, lots="10")
    held = stage.balances()[f"bond/{GOOD}"]
    promise(held == 38_750_000_000_000, f"10 lots need a bond of 38.75 credits, not {held}")
    stage.tell.good("10 lots of a million tokens each; 38.75 credits of bond for 31 owed")
    try:
        stage.ask("mint_lots", instrument=GOOD, lots="1")
    except Refusal as no:
        promise(no.code == "over_capacity", f"should be over capacity: {no}")
        stage.tell.bad(str(no))
    else:
        promise(False, "an eleventh lot of ten was minted")
    return ends


def order(stage: Stage, account: str, side: str, price: str, lots: str, **more: str) -> Any:
    fields = {"instrument": GOOD, "account": account, "side": side, "price": price, "lots": lots}
    return stage.ask("place_order", **{**fields, **more})


def auction(stage: Stage) -> None:
    tell = stage.tell
    tell.step("An opening auction: one price for all")
    order(stage, "campus", "sell", "3.0", "4")
    order(stage, "city", "buy", "3.2", "3")
    order(stage, "coop", "buy", "3.1", "2")
    order(stage, "bargain", "sell", "3.0", LOTS, instrument=BAD)
    order(stage, "university", "buy", "3.1", LOTS, instrument=BAD)
    wait_for(lambda: rights(stage, "city"), "the auction to uncross", 10)
    promise(rights(stage, "city") == "3", "the city bid most and gets its three lots")
    promise(rights(stage, "coop") == "1", "the co-operative gets what is left")
    tell.say("campus offers 4 lots from 3.0; the city wants 3 to 3.2, the co-operative 2 to 3.1")
    tell.good("4 lots trade at one price: 3 to the city, 1 of 2 to the co-operative")


def book(stage: Stage) -> None:
    tell = stage.tell
    tell.step("The order book: a member sells on to another")
    order(stage, "city", "sell", "3.15", "1")
    with stage.moved():
        order(stage, "university", "buy", "3.2", LOTS, term="ioc")
    promise(rights(stage, "university") == LOTS, "the university has its rights")
    tell.good(f"the university takes {LOTS} of the city's lot at 3.15, the better price of the two")


def delivery(stage: Stage) -> None:
    stage.tell.step("Delivery is an ordinary API call: rights pay first")
    before = stage.balances()["university"]
    for _ in range(2):
        done = answer(stage, "student", MODEL)
        promise(done.right == GOOD, f"the receipt names the lot: {done}")
    promise(stage.balances()["university"] == before, "no credit was spent")
    stage.tell.good(f"{rights(stage, 'university')} of {LOTS} lots are left, no credit was spent")


def default(stage: Stage) -> None:
    stage.tell.step("An issuer that does not deliver")
    try:
        stage.client("student").chat.completions.create(model=BROKEN, messages=QUESTION)
    except openai.APIStatusError as no:
        stage.tell.bad(f"{no.status_code}  {message(no)}")
    else:
        promise(False, "the broken provider answered")
    stage.tell.good("the market's own meter has seen it: nobody needs to testify")


def settlement(stage: Stage, ends: datetime) -> None:
    tell = stage.tell
    tell.step("The window ends: what is left expires, and the bond pays")
    tell.say("waiting for the end of December …")
    unused = grains(rights(stage, "university"))
    before = stage.balances()["university"]
    with stage.moved():
        time.sleep(max(0.0, (ends - datetime.now(UTC)).total_seconds()))
        wait_for(lambda: not stage.market.get("instruments"), "the settlement", 10)
    paid = stage.balances()["university"] - before
    promise(paid == DAMAGES + unused * RESALE, f"the university got {paid}")
    left = [name for name in stage.balances() if name.startswith("bond/")]
    promise(not left, f"no bond should be left: {left}")
    tell.good(
        f"bargain's bond paid the university {credits(DAMAGES)}: its price of 0.0062, as much as "
        "a replacement would cost more (0.00124), and 5 % for the trouble"
    )
    tell.good(
        f"what it left of campus's rights brought {credits(unused * RESALE)} back; the rest of "
        "both bonds is the issuers' again"
    )


def rights(stage: Stage, account: str) -> str:
    """Lots of the good instrument on an account, "" for none."""
    rows = stage.market.get("rights")
    return next((r["lots"] for r in rows if (r["account"], r["instrument"]) == (account, GOOD)), "")


def grains(lots: str) -> int:
    return int(Decimal(lots) * LOT)
