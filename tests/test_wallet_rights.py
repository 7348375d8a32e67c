"""Rights by a wallet's word: moved at the desk, and sent out of it, once and as it was signed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from wallets import Purse, WalletDoors

from allmende.core import commands as c
from allmende.core import exchange_commands as x
from allmende.core import machine
from allmende.core.contracts import LOT, Instrument
from allmende.core.custody import CHAIN
from allmende.core.units import CREDIT, DAY, SECOND, Zone
from allmende.wire.move import Wrap, typed_data

ANNA, BEN = Purse("anna"), Purse("ben")
A, B = ("w-" + purse.address[2:] for purse in (ANNA, BEN))
RIGHT = "december"


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WalletDoors]:
    with WalletDoors(tmp_path_factory.mktemp("market")) as market:
        market.furnish()
        for purse in (ANNA, BEN):
            market.enter(purse)
        market.run(issue(market))
        yield market
        machine.check(market.market.desk.state)


async def issue(doors: WalletDoors) -> None:
    """Ten lots in Anna's hands."""
    at = doors.now()
    terms = Instrument(
        id=RIGHT,
        issuer="host",
        title="t",
        model="smol",
        offer="o",
        start=at,
        end=at + DAY,
        capacity=20 * LOT,
        price=10_000,
        zone=Zone("DEU"),
    )
    for command in (
        c.Deposit(at=at, member="host", amount=90 * CREDIT, reference="bond"),
        x.ListInstrument(at=at, instrument=terms),
        x.MintLots(at=at, instrument=RIGHT, grains=10 * LOT),
        c.Transfer(at=at, source="host", target=A, asset=RIGHT, amount=10 * LOT),
    ):
        await doors.market.desk.submit(command)


@pytest.fixture
def anna(doors: WalletDoors) -> str:
    return doors.enter(ANNA)


def held(doors: WalletDoors, account: str) -> int:
    return doors.market.desk.state.balances[RIGHT].get(account, 0)


def order(doors: WalletDoors, cookie: str, path: str) -> dict[str, Any]:
    draft = doors.got(f"/api/wallet/{path}", cookie)
    typed = draft["typed_data"]
    return {"message": typed["message"], "signature": ANNA.signs(typed), "draft": draft}


def test_lots_are_moved_in_lots(doors: WalletDoors, anna: str) -> None:
    before = held(doors, A), held(doors, B)
    signed = order(doors, anna, f"move?to={BEN.address}&asset={RIGHT}&amount=1.5")
    assert signed["draft"]["amount"] == "1.5"
    assert signed["message"]["amount"] == str(3 * LOT // 2)
    doors.sent("/api/wallet/move", signed)
    assert (held(doors, A), held(doors, B)) == (before[0] - 3 * LOT // 2, before[1] + 3 * LOT // 2)


def test_rights_go_out_to_the_wallet_that_was_signed_for_and_once(
    doors: WalletDoors, anna: str
) -> None:
    before = held(doors, A), held(doors, CHAIN)
    signed = order(doors, anna, f"wrap?instrument={RIGHT}&lots=2")
    assert signed["message"]["to"] == ANNA.address
    answer = doors.sent("/api/wallet/wrap", signed)
    wrap = doors.market.desk.state.wraps[answer["id"]]
    assert (wrap.account, wrap.grains, wrap.to) == (A, 2 * LOT, ANNA.address)
    assert doors.sent("/api/wallet/wrap", signed) == answer
    assert (held(doors, A), held(doors, CHAIN)) == (before[0] - 2 * LOT, before[1] + 2 * LOT)


def test_a_wrap_is_replayed_never(doors: WalletDoors, anna: str) -> None:
    """Not even when the desk has forgotten its idempotency key: its id stands for good."""
    domain = doors.street.custody.domain
    giver, to = (bytes.fromhex(purse.address[2:]) for purse in (ANNA, BEN))

    def send(grains: int, deadline_s: int) -> Any:
        one = Wrap(giver, RIGHT, grains, to, 5, doors.market.clock.at // SECOND + deadline_s)
        typed = typed_data(domain, one)
        return doors.post(
            "/api/wallet/wrap", {"message": typed["message"], "signature": ANNA.signs(typed)}
        )

    assert send(LOT, 60).status == 200
    assert send(2 * LOT, 60).code == "replayed"
    for key in list(doors.market.desk.state.served):
        del doors.market.desk.state.served[key]
    assert send(LOT, 60).code == "exists"


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("instrument=nothing&lots=1", 404, "no_instrument"),
        (f"instrument={RIGHT}&lots=0", 422, "bad_value"),
        (f"instrument={RIGHT}&lots=0.000000001", 422, "off_tick"),
        (f"instrument={RIGHT}&lots=x", 422, "bad_value"),
        (f"instrument={RIGHT}&lots=1&to=0x12", 422, "bad_value"),
        (f"instrument={RIGHT}", 422, "bad_value"),
    ],
)
def test_what_is_no_wrap_is_refused(
    doors: WalletDoors, anna: str, query: str, status: int, code: str
) -> None:
    answer = doors.get(f"/api/wallet/wrap?{query}", headers={"cookie": anna})
    assert (answer.status, answer.code) == (status, code)


def test_a_wrap_is_the_owners_and_within_what_he_has(doors: WalletDoors, anna: str) -> None:
    signed = order(doors, anna, f"wrap?instrument={RIGHT}&lots=1")
    for spoilt in (
        {**signed, "message": {**signed["message"], "to": BEN.address}},
        {**signed, "message": {**signed["message"], "grains": str(2 * LOT)}},
        {**signed, "message": {**signed["message"], "from": BEN.address}},
    ):
        answer = doors.post("/api/wallet/wrap", spoilt)
        assert (answer.status, answer.code) == (401, "bad_signature")
    much = order(doors, anna, f"wrap?instrument={RIGHT}&lots=1000")
    assert doors.post("/api/wallet/wrap", much).status == 402
