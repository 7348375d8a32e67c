"""The wallet door: permits, signed moves, calls ready made; and everything that is refused."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from wallets import Purse, WalletDoors

from allmende.adapters.secrets import key_hash
from allmende.core import machine
from allmende.core.commands import SetParameter, Tick
from allmende.core.govern import REMEMBERED_S
from allmende.core.refusals import Refused
from allmende.core.units import CREDIT, SECOND
from allmende.doors.plain import iso
from allmende.doors.settler_says import Asked
from allmende.doors.wallet_permits import DRAFTS_EACH
from allmende.wire.move import Move, Wrap, digest, typed_data
from allmende.wire.voucher import Domain

ANNA, BEN = Purse("anna"), Purse("ben")
A, B = ("w-" + purse.address[2:] for purse in (ANNA, BEN))


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WalletDoors]:
    with WalletDoors(tmp_path_factory.mktemp("market")) as market:
        market.furnish()
        for purse in (ANNA, BEN):
            market.enter(purse)
        market.ask("deposit", member=A, amount="100", reference="wire a")
        market.give(ANNA, 50 * CREDIT)
        yield market
        machine.check(market.market.desk.state)


@pytest.fixture
def anna(doors: WalletDoors) -> str:
    return doors.enter(ANNA)


@pytest.fixture
def ben(doors: WalletDoors) -> str:
    return doors.enter(BEN)


def told(answer: Any) -> tuple[int, str]:
    return answer.status, answer.code


def lanes(doors: WalletDoors, cookie: str) -> dict[int, Any]:
    return {lane["lane"]: lane for lane in doors.got("/api/wallet", cookie)["lanes"]}


# Permits ------------------------------------------------------------------------------


def test_a_permit_gives_a_session_a_key_that_spends_what_it_allows(
    doors: WalletDoors, anna: str
) -> None:
    made = doors.permit(ANNA, anna, more="0.001", models="smol")
    number, secret = made["lane"], made["secret"]
    assert number >= 1
    doors.receipt(f"r-{number}", secret)
    lane = lanes(doors, anna)[number]
    assert (lane["limit"], lane["stands"], lane["keeps"]) == ("0.001", "0.000066", "market")
    key = doors.market.desk.state.keys[key_hash(secret)]
    assert (key.role, key.models, key.member) == ("spend", ("smol",), A)
    for count in range(10):
        doors.receipt(f"r-{number}-{count}", secret)
    with pytest.raises(Refused, match="budget"):  # 0.000274 are left, and 0.0003036 are to hold
        doors.receipt(f"r-{number}-late", secret)


def test_lane_0_pays_for_what_has_no_session(doors: WalletDoors, anna: str) -> None:
    doors.permit(ANNA, anna, lane="0", more="7")
    lane = lanes(doors, anna)[0]
    assert lane["left"] == "7"
    assert lane["keeps"] == "market"
    doors.permit(ANNA, anna, lane="0", more="9")
    assert lanes(doors, anna)[0]["left"] == "9"


def drafted(doors: WalletDoors, cookie: str, query: str) -> tuple[dict[str, Any], Any]:
    draft = doors.got(f"/api/wallet/permit?{query}", cookie)
    kept = ("lane", "limit", "models", "expires", "key", "keeps")
    return {name: draft[name] for name in kept}, draft["typed_data"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("limit", "6"),
        ("lane", 3),
        ("models", ["other"]),
        ("models", []),
        ("expires", "2027-01-01T00:00:00+00:00"),
        ("key", BEN.address),
    ],
)
def test_what_is_granted_is_what_was_signed(
    doors: WalletDoors, anna: str, field: str, value: Any
) -> None:
    fields, typed = drafted(doors, anna, "lane=2&limit=5&models=smol")
    fields |= {field: value, "signature": ANNA.signs(typed), "keeps": "program"}
    assert told(doors.handed("/api/wallet/permit", fields, anna)) == (401, "bad_signature")


def test_a_permit_of_anothers_wallet_or_market_is_none(doors: WalletDoors, anna: str) -> None:
    fields, typed = drafted(doors, anna, "lane=2&limit=5")
    elsewhere = json.loads(json.dumps(typed))
    elsewhere["domain"]["chainId"] = 1
    for signature in (BEN.signs(typed), ANNA.signs(elsewhere), "0x" + "11" * 65, "0x11", None):
        answer = doors.handed("/api/wallet/permit", {**fields, "signature": signature}, anna)
        assert answer.code in ("bad_signature", "bad_value")
    assert 2 not in lanes(doors, anna)


def test_a_permit_of_anothers_member_is_not_granted(
    doors: WalletDoors, anna: str, ben: str
) -> None:
    fields, typed = drafted(doors, anna, "lane=2&limit=5")
    fields["signature"] = ANNA.signs(typed)
    assert told(doors.handed("/api/wallet/permit", fields, ben)) == (401, "bad_signature")
    draft = doors.got("/api/wallet/permit?lane=2&limit=5", ben)
    assert draft["typed_data"]["message"]["account"] == BEN.address


def test_an_expired_permit_is_not_granted(doors: WalletDoors, anna: str) -> None:
    answer = doors.get(
        "/api/wallet/permit?lane=2&limit=5&expires=2020-01-01", headers={"cookie": anna}
    )
    assert told(answer) == (409, "ended")
    at = doors.market.clock.at
    fields, typed = drafted(doors, anna, f"lane=2&limit=5&expires={iso(at + 60 * SECOND)[:19]}")
    signature = ANNA.signs(typed)
    doors.market.clock.at += 61 * SECOND
    answer = doors.handed("/api/wallet/permit", {**fields, "signature": signature}, anna)
    assert told(answer) == (409, "ended")


def test_a_session_ends_with_its_permit(doors: WalletDoors, ben: str) -> None:
    at = doors.market.clock.at
    doors.ask("deposit", member=B, amount="1", reference=f"wire {at}")
    made = doors.permit(BEN, ben, more="1", expires=iso(at + 60 * SECOND)[:19])
    doors.receipt("r-ben", made["secret"])
    doors.market.clock.at += 61 * SECOND
    with pytest.raises(Refused, match="API key"):
        doors.receipt("r-ben-late", made["secret"])
    doors.run(doors.market.desk.submit(Tick(at=doors.now())))
    lane = lanes(doors, doors.enter(BEN))[made["lane"]]
    assert (lane["ended"], lane["left"]) == (True, "0")


def test_a_permit_is_granted_once(doors: WalletDoors, anna: str) -> None:
    for key, code in (("", "bad_value"), (f"&key={BEN.address}", "exists")):
        fields, typed = drafted(doors, anna, f"lane=4&limit=5{key}")
        fields["signature"] = ANNA.signs(typed)
        assert doors.sent("/api/wallet/permit", fields, anna)["lane"] == 4
        assert doors.handed("/api/wallet/permit", fields, anna).code == code


def test_a_lane_with_open_requests_is_not_taken_over(doors: WalletDoors, anna: str) -> None:
    doors.permit(ANNA, anna, lane="5", more="1")
    lane = doors.market.desk.state.wallets[A].lanes[5]
    lane.held += 1
    fields, typed = drafted(doors, anna, "lane=5&limit=2")
    answer = doors.handed("/api/wallet/permit", {**fields, "signature": ANNA.signs(typed)}, anna)
    lane.held -= 1
    assert told(answer) == (429, "capacity")


def test_a_limit_below_where_the_lane_stands_is_refused(doors: WalletDoors, anna: str) -> None:
    made = doors.permit(ANNA, anna, lane="6", more="1")
    doors.receipt("r-six", made["secret"])
    fields, typed = drafted(doors, anna, "lane=6&limit=0.00001")
    answer = doors.handed("/api/wallet/permit", {**fields, "signature": ANNA.signs(typed)}, anna)
    assert told(answer) == (422, "bad_value")
    again = doors.permit(ANNA, anna, lane="6", more="1")
    assert again["limit"] == "1.000066", "more is added to where it stands"
    with pytest.raises(Refused, match="budget"):
        doors.receipt("r-six-old", made["secret"])


@pytest.mark.parametrize(
    "query",
    [
        "lane=16&limit=1",
        "lane=x&limit=1",
        "lane=2",
        "lane=2&limit=1&more=1",
        "lane=2&limit=0",
        "lane=2&limit=-1",
        "lane=2&limit=0.0000000000001",
        "lane=2&limit=" + "9" * 40,
        "lane=2&limit=1&key=0x12",
        "lane=2&limit=1&expires=soon",
        "lane=2&limit=1&colour=red",
        "lane=2&limit=1&models=" + ",".join(f"m{n}" for n in range(51)),
    ],
)
def test_what_is_no_permit_is_refused(doors: WalletDoors, anna: str, query: str) -> None:
    answer = doors.get(f"/api/wallet/permit?{query}", headers={"cookie": anna})
    assert told(answer) == (422, "bad_value"), answer.text


def test_the_market_signs_only_with_keys_that_it_made(doors: WalletDoors, anna: str) -> None:
    fields, typed = drafted(doors, anna, f"lane=7&limit=5&key={BEN.address}")
    assert fields["keeps"] == "program"
    claimed = {**fields, "keeps": "market", "signature": ANNA.signs(typed)}
    assert told(doors.handed("/api/wallet/permit", claimed, anna)) == (422, "bad_value")
    zero, typed = drafted(doors, anna, f"lane=0&limit=5&key={BEN.address}")
    zero["signature"] = ANNA.signs(typed)
    assert told(doors.handed("/api/wallet/permit", zero, anna)) == (422, "bad_value")


def test_who_only_spends_grants_nothing(doors: WalletDoors, anna: str) -> None:
    secret = doors.permit(ANNA, anna, more="1")["secret"]
    assert told(doors.get("/api/wallet/permit?lane=2&limit=1", secret)) == (403, "not_allowed")
    assert doors.get("/api/wallet", secret).status == 200


def test_no_secret_is_in_an_answer_or_a_log(
    doors: WalletDoors, anna: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        made = doors.permit(ANNA, anna, more="1")
        text = doors.get("/api/wallet", headers={"cookie": anna}).text
    sealed = [lane.permit.sealed for lane in doors.market.desk.state.wallets[A].lanes.values()]
    for secret in (made["secret"], *filter(None, sealed), anna.partition("=")[2]):
        assert secret not in text
        assert secret not in caplog.text


# Moves --------------------------------------------------------------------------------


def move(doors: WalletDoors, purse: Purse, cookie: str, to: str, amount: str) -> dict[str, Any]:
    typed = doors.got(f"/api/wallet/move?to={to}&amount={amount}", cookie)["typed_data"]
    return {"message": typed["message"], "signature": purse.signs(typed)}


def available(doors: WalletDoors, member: str) -> int:
    return doors.market.desk.state.balances["credit"].get(member, 0)


def test_a_signed_move_moves_once_whoever_brings_it(doors: WalletDoors, anna: str) -> None:
    doors.permit(ANNA, anna, lane="0", more="20")
    before = available(doors, A), available(doors, B)
    order = move(doors, ANNA, anna, BEN.address, "2.5")
    answer = doors.post("/api/wallet/move", order)
    assert answer.json == {"source": A, "target": B, "asset": "credit"}
    again = doors.post("/api/wallet/move", order)
    assert again.json == answer.json
    after = available(doors, A), available(doors, B)
    assert after == (before[0] - 25 * CREDIT // 10, before[1] + 25 * CREDIT // 10)
    by_id = move(doors, ANNA, anna, "uni", "1")
    assert doors.sent("/api/wallet/move", by_id)["target"] == "uni"


def hand_made(doors: WalletDoors, **other: Any) -> tuple[Move, Domain]:
    fields = {
        "sender": bytes.fromhex(ANNA.address[2:]),
        "to": B,
        "asset": "credit",
        "amount": CREDIT,
        "nonce": 7,
        "deadline": doors.market.clock.at // SECOND + 60,
    }
    return Move(**{**fields, **other}), doors.street.custody.domain


def sent(doors: WalletDoors, order: Move | Wrap, domain: Domain, purse: Purse = ANNA) -> Any:
    typed = typed_data(domain, order)
    fields = {"message": typed["message"], "signature": purse.signs(typed)}
    kind = "move" if isinstance(order, Move) else "wrap"
    return doors.post(f"/api/wallet/{kind}", fields)


def test_a_nonce_stands_for_one_order(doors: WalletDoors, anna: str) -> None:
    doors.permit(ANNA, anna, lane="0", more="20")
    order, domain = hand_made(doors, nonce=11)
    assert sent(doors, order, domain).status == 200
    assert told(sent(doors, order._replace(amount=2), domain)) == (409, "replayed")
    assert sent(doors, order._replace(nonce=12), domain).status == 200


def test_an_order_is_for_one_market_and_chain(doors: WalletDoors) -> None:
    order, domain = hand_made(doors, nonce=21)
    for other in (domain._replace(chain_id=1), domain._replace(vault=b"\1" * 20)):
        assert told(sent(doors, order, other)) == (401, "bad_signature")


def test_an_order_ends(doors: WalletDoors) -> None:
    now_s = doors.market.clock.at // SECOND
    for deadline in (0, now_s - 1, now_s, now_s + 86_401 + 600, 2**255):
        order, domain = hand_made(doors, nonce=31, deadline=deadline)
        assert told(sent(doors, order, domain)) == (422, "bad_value")


def test_an_order_is_void_before_the_desk_forgets_its_nonce(doors: WalletDoors, anna: str) -> None:
    doors.permit(ANNA, anna, lane="0", more="20")
    window = REMEMBERED_S
    lower = SetParameter(at=doors.now(), name="idem_seconds", value=window)
    doors.run(doors.market.desk.submit(lower))  # it is remembered long enough even then
    order, domain = hand_made(doors, nonce=41, deadline=doors.market.clock.at // SECOND + window)
    assert sent(doors, order, domain).status == 200
    before = available(doors, B)
    for more_s in (window - 1, 2, 2):
        doors.market.clock.at += more_s * SECOND
        doors.run(doors.market.desk.submit(Tick(at=doors.now())))
        sent(doors, order, domain)
        assert available(doors, B) == before


def test_nobody_moves_anothers(doors: WalletDoors) -> None:
    order, domain = hand_made(doors, nonce=51)
    assert told(sent(doors, order, domain, purse=BEN)) == (401, "bad_signature")
    stranger = Purse("stranger")
    order = order._replace(sender=bytes.fromhex(stranger.address[2:]))
    assert told(sent(doors, order, domain, purse=stranger)) == (404, "not_found")


def test_a_move_is_bounded_by_lane_0_and_the_account(doors: WalletDoors, ben: str) -> None:
    doors.ask("deposit", member=B, amount="5", reference=f"wire {doors.now()}")
    refused = doors.post("/api/wallet/move", move(doors, BEN, ben, A, "1"))
    assert told(refused) == (402, "not_signed")
    doors.permit(BEN, ben, lane="0", more="1000")
    refused = doors.post("/api/wallet/move", move(doors, BEN, ben, A, "900"))
    assert told(refused) == (402, "no_credit")
    refused = doors.post("/api/wallet/move", move(doors, BEN, ben, "nobody", "1"))
    assert told(refused) == (404, "not_found")


@pytest.mark.parametrize(
    "spoil",
    [
        {"message": None},
        {"message": []},
        {"message": {}},
        {"signature": 5},
        {"signature": "0x" + "zz" * 65},
        {"message": {"amount": "1.5"}},
        {"message": {"amount": -1}},
        {"message": {"amount": 2**256}},
        {"message": {"nonce": 2**64}},
        {"message": {"from": "anna"}},
    ],
)
def test_what_is_no_order_is_refused(doors: WalletDoors, spoil: dict[str, Any]) -> None:
    order, domain = hand_made(doors, nonce=61)
    typed = typed_data(domain, order)
    fields: dict[str, Any] = {"message": typed["message"], "signature": ANNA.signs(typed)}
    if isinstance(spoil.get("message"), dict) and spoil["message"]:
        fields["message"] = {**fields["message"], **spoil["message"]}
    else:
        fields |= spoil
    answer = doors.post("/api/wallet/move", fields)
    assert told(answer)[0] in (401, 422), answer.text


def test_a_wallet_signs_what_our_digest_says(doors: WalletDoors) -> None:
    """eth_account's own EIP-712 against ours, with texts in it."""
    order, domain = hand_made(doors, to="ä \U0001f600 \" ' <b>", asset="")
    wrap = Wrap(order.sender, "smol-2027", 5, b"\2" * 20, 3, 4)
    signing = doors.market.signing
    for one in (order, wrap):
        signature = bytes.fromhex(ANNA.signs(typed_data(domain, one))[2:])
        assert signing.recover(digest(domain, one, signing.keccak), signature) == ANNA.address


# On the chain -------------------------------------------------------------------------


def test_a_deposit_is_two_calls_and_then_one(doors: WalletDoors, anna: str) -> None:
    ready = doors.got("/api/wallet/deposit?amount=5", anna)
    assert [call["what"] for call in ready["calls"]] == ["approve", "deposit"]
    assert {call["chainId"] for call in ready["calls"]} == {hex(31_337)}
    before = doors.got("/api/wallet", anna)
    doors.send(ANNA, ready["calls"])
    after = doors.got("/api/wallet", anna)
    assert float(after["vault"]["deposited"]) == float(before["vault"]["deposited"]) + 5
    assert float(after["wallet"]["credit"]) == float(before["wallet"]["credit"]) - 5
    assert float(after["vault"]["on_the_way"]) >= 5
    too_much = doors.get("/api/wallet/deposit?amount=1000", headers={"cookie": anna})
    assert told(too_much) == (402, "no_credit")


def test_what_is_deposited_can_be_asked_back_and_no_more(doors: WalletDoors, anna: str) -> None:
    doors.send(ANNA, doors.got("/api/wallet/deposit?amount=4", anna)["calls"])
    most = doors.got("/api/wallet", anna)["vault"]["most"]
    assert float(most) >= 4
    more = str(float(most) + 1)
    refused = doors.get(f"/api/wallet/withdraw?amount={more}", headers={"cookie": anna})
    assert told(refused) == (402, "no_credit")
    doors.send(ANNA, doors.got("/api/wallet/withdraw?amount=3", anna)["calls"])
    assert float(doors.got("/api/wallet", anna)["vault"]["most"]) == float(most) - 3


def test_what_is_spent_or_held_cannot_be_asked_for(doors: WalletDoors) -> None:
    """The vault would let it go out; the desk knows better, and says so before gas is paid."""
    purse = Purse("spender")
    cookie = doors.enter(purse)
    member = "w-" + purse.address[2:]
    doors.give(purse, 10 * CREDIT)
    doors.send(purse, doors.got("/api/wallet/deposit?amount=10", cookie)["calls"])
    assert doors.got("/api/wallet", cookie)["vault"]["most"] == "10"
    wallet = doors.market.desk.state.wallets[member]
    wallet.deposited += 10 * CREDIT  # followed, and all but 4 of it spent
    balances = doors.market.desk.state.balances["credit"]
    balances[member] = balances.get(member, 0) + 4 * CREDIT
    assert doors.got("/api/wallet", cookie)["vault"]["most"] == "4"
    wallet.deposited -= 10 * CREDIT
    balances[member] -= 4 * CREDIT


def test_a_withdrawal_is_shown_until_it_is_paid(doors: WalletDoors, anna: str) -> None:
    doors.send(ANNA, doors.got("/api/wallet/deposit?amount=2", anna)["calls"])
    doors.send(ANNA, doors.got("/api/wallet/withdraw?amount=1", anna)["calls"])
    at_s = doors.market.clock.at // SECOND
    number = doors.run(doors.street.custody.look(doors.run(doors.street.custody.newest_block())))
    asked = Asked(number.withdrawal_count, ANNA.address, CREDIT, at_s + 2, covered=False)
    doors.market.settler.asked = [asked, Asked(99, BEN.address, 5, 0, covered=True)]
    (shown,) = doors.got("/api/wallet", anna)["withdrawals"]
    assert (shown["amount"], shown["payable"]) == ("1", False)
    answer = doors.get(f"/api/wallet/pay?id={asked.id}")
    assert told(answer) == (429, "capacity")
    assert told(doors.get("/api/wallet/pay?id=4711")) == (404, "not_found")
    assert told(doors.get("/api/wallet/pay?id=x")) == (422, "bad_value")


def test_the_exit_is_for_the_end(doors: WalletDoors, anna: str) -> None:
    answer = doors.get("/api/wallet/exit", headers={"cookie": anna})
    assert told(answer) == (409, "halted")
    file = doors.get("/api/wallet/ticket", headers={"cookie": anna})
    assert file.json["account"] == ANNA.address
    assert "allmende-exit-0.json" in file.headers["content-disposition"]
    later = doors.get("/api/wallet/ticket?pending=1", headers={"cookie": anna})
    assert later.json["batch"] == 1


def test_visitors_and_members_without_a_wallet_are_told(doors: WalletDoors) -> None:
    for path in ("", "/ticket", "/exit", "/deposit?amount=1", "/withdraw?amount=1", "/move"):
        assert told(doors.get("/api/wallet" + path)) == (401, "unknown_key")
    assert told(doors.get("/api/wallet", doors.admin)) == (404, "not_found")
    assert doors.get("/api/wallet/chain").json["decimals"] == 12


def test_a_chain_that_is_away_is_said(doors: WalletDoors, anna: str) -> None:
    answer = doors.while_away(lambda: doors.get("/api/wallet", headers={"cookie": anna}))
    assert told(answer) == (503, "chain_away")
    assert "Nothing was moved" in answer.json["error"]["message"]


def test_who_drafts_without_end_loses_his_own_drafts_alone(doors: WalletDoors) -> None:
    anna, ben = doors.enter(ANNA), doors.enter(BEN)
    fields, typed = drafted(doors, anna, "lane=15&limit=5")
    lost, by_ben = drafted(doors, ben, "lane=15&limit=5")
    for _ in range(DRAFTS_EACH):
        doors.got("/api/wallet/permit?lane=15&limit=5", ben)
    taken = doors.handed("/api/wallet/permit", {**fields, "signature": ANNA.signs(typed)}, anna)
    assert taken.status == 200
    late = doors.handed("/api/wallet/permit", {**lost, "signature": BEN.signs(by_ben)}, ben)
    assert (late.status, late.code) == (422, "bad_value")
