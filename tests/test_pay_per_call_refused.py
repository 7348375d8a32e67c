"""Pay per call refused: whatever is wrong with a payment, it is said, and nothing moves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from chains import ACCOUNT, OTHER
from eth_abi import encode
from eth_utils import keccak
from hypothesis import given
from hypothesis import strategies as st
from paying import (
    FUNDS,
    NETWORK,
    REQUIRED,
    SECRET,
    SIGNATURE,
    Paying,
    now_s,
    paying,
    person,
    read,
    written,
)
from served import run, serve

from allmende.adapters.chain.x402 import HEADER_MAX, Till, Token
from allmende.core import commands as c
from allmende.core import custody_commands as w
from allmende.core.nouns import Member
from allmende.core.refusals import Refused, Why
from allmende.core.units import CREDIT, Tariff
from allmende.doors.pay_per_call import PayPerCall
from allmende.pay import Unpaid

ELSEWHERE = "0x" + "12" * 20
Spoil = Callable[[Paying], Awaitable[Any]]


def asked(**changes: Any) -> Spoil:
    """A payment by the SDK, for a bill that is not ours."""

    async def made(rig: Paying) -> Any:
        return await rig.payment(rig.payer, **changes)

    return made


def signed(**changes: Any) -> Spoil:
    """A payment with other fields, signed for by its payer."""

    async def made(rig: Paying) -> Any:
        return rig.resigned(await rig.payment(rig.payer), **changes)

    return made


def forged(**changes: Any) -> Spoil:
    """A payment whose fields are not those that were signed."""

    async def made(rig: Paying) -> Any:
        payment = await rig.payment(rig.payer)
        payment["payload"]["authorization"] |= changes
        return payment

    return made


def shaped(change: Callable[[Any], Any]) -> Spoil:
    async def made(rig: Paying) -> Any:
        return change(await rig.payment(rig.payer))

    return made


async def stranger(rig: Paying) -> Any:
    return await rig.payment(person("somebody without anything"))


async def by_operator(rig: Paying) -> Any:
    payment = await rig.payment(rig.payer)
    payment["payload"]["authorization"]["from"] = ACCOUNT.address
    return payment


async def of_another(rig: Paying) -> Any:
    payment = await rig.payment(person("somebody without anything"))
    payment["payload"]["authorization"]["from"] = rig.payer.address
    return payment


async def cancelled(rig: Paying) -> Any:
    """One whose nonce its payer has made unusable."""
    payment = await rig.payment(rig.payer)
    nonce = bytes.fromhex(payment["payload"]["authorization"]["nonce"][2:])
    domain = {
        "name": "Credit", "version": "1", "chainId": int(NETWORK.split(":")[1]),
        "verifyingContract": rig.credit,
    }  # fmt: skip
    kinds = [{"name": "authorizer", "type": "address"}, {"name": "nonce", "type": "bytes32"}]
    told = {"authorizer": rig.payer.address, "nonce": nonce}
    word = rig.payer.sign_typed_data(domain, {"CancelAuthorization": kinds}, told)
    rig.rig.account = OTHER
    name = keccak(text="cancelAuthorization(address,bytes32,uint8,bytes32,bytes32)")[:4]
    r, s = word.r.to_bytes(32, "big"), word.s.to_bytes(32, "big")
    types = ["address", "bytes32", "uint8", "bytes32", "bytes32"]
    done = await rig.rig.send(
        rig.credit, name + encode(types, [rig.payer.address, nonce, word.v, r, s])
    )
    assert done.ok
    return payment


EVM = "invalid_exact_evm_"
PAYLOAD = f"{EVM}payload_"
SPOILT = {
    "another network": (asked(network="eip155:1"), "network_mismatch"),
    "another token": (asked(asset=ELSEWHERE), "invalid_asset"),
    "another domain": (asked(extra={"name": "Other", "version": "1"}), f"{PAYLOAD}signature"),
    "another payee": (asked(payTo=ELSEWHERE), f"{PAYLOAD}recipient_mismatch"),
    "another scheme": (shaped(lambda p: p | {"accepted": p["accepted"] | {"scheme": "upto"}}),
                       "unsupported_scheme"),
    "too small": (asked(amount="227849999"), "amount_too_small"),
    "by the operator to himself": (by_operator, f"{PAYLOAD}authorization_value_mismatch"),
    "nothing": (asked(amount="0"), f"{PAYLOAD}authorization_value_mismatch"),
    "more than there is": (asked(amount=str(FUNDS + 1)), f"{EVM}insufficient_balance"),
    "no balance": (stranger, f"{EVM}insufficient_balance"),
    "expired": (signed(validBefore="1000"), f"{PAYLOAD}authorization_valid_before"),
    "nearly expired": (signed(validBefore=str(now_s() + 3)),
                       f"{PAYLOAD}authorization_valid_before"),
    "valid for years": (signed(validBefore=str(2**64)), f"{PAYLOAD}authorization_valid_before"),
    "not yet valid": (signed(validAfter=str(now_s() + 10**6)),
                      f"{PAYLOAD}authorization_valid_after"),
    "a cancelled nonce": (cancelled, f"{EVM}nonce_already_used"),
    "an amount not signed": (forged(value="300000000"), f"{PAYLOAD}signature"),
    "a nonce not signed": (forged(nonce="0x" + "11" * 32), f"{PAYLOAD}signature"),
    "another's signature": (of_another, f"{PAYLOAD}signature"),
    "a number with a sign": (forged(value="-1"), "invalid_payload"),
    "a number beyond 256 bits": (forged(value="9" * 78), "invalid_payload"),
    "no number": (forged(validBefore=None), "invalid_payload"),
    "a short nonce": (forged(nonce="0x11"), "invalid_payload"),
    "no address": (forged(**{"from": "0x" + "zz" * 20}), "invalid_payload"),
    "a contract's signature": (shaped(lambda p: p | {"payload": p["payload"] | {
                               "signature": "0x" + "11" * 200}}), "invalid_payload"),
    "no authorisation": (shaped(lambda p: p | {"payload": {"permit2Authorization": {}}}),
                         "invalid_payload"),
    "nothing accepted": (shaped(lambda p: {"x402Version": 2, "payload": p["payload"]}),
                         "invalid_payload"),
    "version 1": (shaped(lambda p: {"x402Version": 1, "scheme": "exact", "network": NETWORK,
                                    "payload": p["payload"]}), "invalid_x402_version"),
    "version 3": (shaped(lambda p: p | {"x402Version": 3}), "invalid_x402_version"),
    "a list": (shaped(lambda p: [p]), "invalid_payload"),
}  # fmt: skip


def test_what_is_wrong_with_a_payment_is_said_and_nothing_moves(tmp_path: Path) -> None:
    async def work() -> None:
        async with paying(tmp_path) as rig:
            for name, (spoil, reason) in SPOILT.items():
                answer = await rig.pay(await spoil(rig))
                assert answer.status_code == 402, f"{name}: {answer.text}"
                error = answer.json()["error"]
                told = (error["code"], error["reason"])
                assert told == ("payment_required", reason), f"{name}: {answer.text}"
                bill = read(answer.headers[REQUIRED])
                assert (bill["error"], bill["accepts"][0]["amount"]) == (reason, "227850000")
                await rig.nothing_moved()
            assert (await rig.call(rig.payer)).status_code == 200

    run(work())


HEADERS = {
    "no base64": "§" * 10,
    "no JSON": "AAAA",
    "too much": "A" * (HEADER_MAX + 4),
    "nothing": "",
    "deep": "W1tb" * 2_000,  # [[[[
}


def test_a_header_that_is_no_payment_is_refused(tmp_path: Path) -> None:
    async def work() -> None:
        async with paying(tmp_path) as rig:
            for name, header in HEADERS.items():
                answer = await rig.post({SIGNATURE: header.encode().decode("latin-1")})
                assert answer.status_code == 402, name
                assert answer.json()["error"]["reason"] == "invalid_payload", name
                assert REQUIRED in answer.headers
            await rig.nothing_moved()

    run(work())


def test_two_payments_with_one_request_are_refused(tmp_path: Path) -> None:
    async def work() -> None:
        async with paying(tmp_path) as rig:
            body = b'{"model": "fake", "messages": [{"role": "user", "content": "x"}]}'
            head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
            head += f"content-length: {len(body)}\r\n"
            for _ in range(2):
                head += f"{SIGNATURE}: {written(await rig.payment(rig.payer))}\r\n"
            answer = await rig.market.raw(head.encode() + b"\r\n" + body)
            assert (answer.status, answer.error["code"]) == (400, "bad_request")
            await rig.nothing_moved()

    run(work())


def test_a_used_nonce_pays_for_nothing_more(tmp_path: Path) -> None:
    async def work() -> None:
        async with paying(tmp_path) as rig:
            first = await rig.payment(rig.payer)
            assert (await rig.pay(first)).status_code == 200
            nonce = first["payload"]["authorization"]["nonce"]
            again = rig.resigned(await rig.payment(rig.payer), nonce=nonce, value="300000000")
            answer = await rig.pay(again)
            assert (answer.status_code, answer.json()["error"]["code"]) == (409, "replayed")
            assert await rig.on_chain(rig.payer.address) == FUNDS - 227_850_000

    run(work())


@pytest.mark.parametrize("paid", [False, True])
def test_what_is_wrong_with_the_request_is_said_as_to_anybody(tmp_path: Path, paid: bool) -> None:
    async def work() -> None:
        async with paying(tmp_path) as rig:
            headers = {SIGNATURE: written(await rig.payment(rig.payer))} if paid else {}
            for model, wish, code in (
                ("nobody-sells-this", {}, "unknown_model"),
                ("fake", {"allmende": {"zones": ["USA"]}}, "no_offer"),
                ("fake", {"allmende": {"nonsense": 1}}, "bad_value"),
                ("fake", {"n": 10**6}, "bad_value"),
            ):
                answer = await rig.post(headers, model, **wish)
                assert answer.json()["error"]["code"] == code
            await rig.nothing_moved()

    run(work())


def test_a_chain_that_is_away_is_said_and_nothing_moves(tmp_path: Path) -> None:
    async def work() -> None:
        async with paying(tmp_path) as rig:
            payment = await rig.payment(rig.payer)
            rig.line.cut = True
            assert (await rig.post({})).status_code == 402  # a bill needs no chain
            answer = await rig.pay(payment)
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "chain_away")
            assert answer.headers["retry-after"] == "5"
            rig.line.cut = False
            await rig.nothing_moved()
            assert (await rig.pay(payment)).status_code == 200

    run(work())


def test_what_costs_nothing_needs_a_key(tmp_path: Path) -> None:
    async def work() -> None:
        async with paying(tmp_path) as rig:
            await rig.market.offer("free", "free", tariff=Tariff(0, None, 0))
            answer = await rig.post({}, "free")
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unknown_key")

    run(work())


# --- whose account ----------------------------------------------------------------------


async def squat(rig: Paying, member: Member | None, budget: c.AddBudget | None) -> None:
    desk, at = rig.market.desk, rig.market.clock.now()
    if member is not None:
        await desk.submit(c.AddMember(at=at, member=member))
    if budget is not None:
        await desk.submit(budget)


def test_an_id_that_a_manager_took_beforehand_gets_no_payers_money(tmp_path: Path) -> None:
    async def work() -> None:
        async with paying(tmp_path) as rig:
            payment = await rig.payment(rig.payer)
            await squat(rig, Member(rig.member, "Mine", "person", "uni"), None)
            answer = await rig.pay(payment)
            assert (answer.status_code, answer.json()["error"]["code"]) == (409, "exists")
            await rig.nothing_moved()

    run(work())


def test_a_budget_that_a_manager_named_so_is_not_the_payers(tmp_path: Path) -> None:
    async def work() -> None:
        async with paying(tmp_path) as rig:
            payment = await rig.payment(rig.payer)
            await squat(rig, None, c.AddBudget(id=rig.member, name="Mine", owner="uni"))
            assert (await rig.pay(payment)).status_code == 409
            await rig.nothing_moved()

    run(work())


@pytest.mark.parametrize("own", [True, False])
def test_a_wallet_with_an_account_is_sent_to_its_keys(tmp_path: Path, own: bool) -> None:
    """Its own, or one that it was linked to."""

    async def work() -> None:
        async with paying(tmp_path) as rig:
            payment = await rig.payment(rig.payer)
            member = rig.member if own else "anna"
            await squat(rig, Member(member, "Signed in", "person"), None)
            link = w.LinkWallet(
                at=rig.market.clock.now(), member=member, address=rig.payer.address.lower()
            )
            await rig.market.desk.submit(link)
            answer = await rig.pay(payment)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not_allowed")
            await rig.nothing_moved()

    run(work())


def test_a_member_that_signed_in_before_is_the_payer(tmp_path: Path) -> None:
    async def work() -> None:
        async with paying(tmp_path) as rig:
            await squat(rig, Member(rig.member, "Signed in", "person"), None)
            assert (await rig.call(rig.payer)).status_code == 200
            assert rig.market.desk.state.members[rig.member].name == "Signed in"

    run(work())


def test_an_operator_can_stop_a_payer_by_his_budget(tmp_path: Path) -> None:
    async def work() -> None:
        async with paying(tmp_path) as rig:
            assert (await rig.call(rig.payer)).status_code == 200
            await rig.market.desk.submit(c.SetBudget(id=rig.member, limit=0))
            before = await rig.on_chain(rig.payer.address)
            answer = await rig.pay(await rig.payment(rig.payer))
            assert (answer.status_code, answer.json()["error"]["code"]) == (402, "budget_spent")
            assert await rig.on_chain(rig.payer.address) == before

    run(work())


def test_credit_given_to_the_guest_is_nobodys_discount(tmp_path: Path) -> None:
    async def work() -> None:
        async with paying(tmp_path) as rig:
            bill = await rig.bill()
            for amount in (1_000, CREDIT):
                gift = c.Transfer(
                    at=rig.market.clock.now(), source="uni", target="pay-per-call",
                    asset="credit", amount=amount,
                )  # fmt: skip
                await rig.market.desk.submit(gift)
                assert await rig.bill() == bill
            assert rig.market.receipts == []

    run(work())


# --- where ------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["closed_loop", "limited_network"])
def test_a_mode_without_wallets_refuses_to_open(tmp_path: Path, mode: str) -> None:
    async def work() -> None:
        async with serve(tmp_path, mode=mode) as market:
            token = Token(1, ELSEWHERE, ELSEWHERE, "Credit")
            door = PayPerCall(market.desk, market.clock, Till(None, token, now_s), SECRET)
            with pytest.raises(Refused) as refused:
                await door.open()
            assert refused.value.why is Why.MODE_FORBIDS
            assert "open, lab" in str(refused.value)
            head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
            answer = await market.raw(head + b"content-length: 0\r\n\r\n")
            assert (answer.status, answer.error["code"]) == (401, "unknown_key")
            assert "pay-per-call" not in market.desk.state.members

    run(work())


TILL = Till(None, Token(1, ELSEWHERE, OTHER.address, "Coin"), now_s)
WORDS = st.sampled_from(
    "x402Version payload accepted authorization signature scheme network asset amount payTo extra "
    "maxTimeoutSeconds from to value validAfter validBefore nonce exact eip155:1 0x 0".split()
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | WORDS,
    lambda part: st.lists(part, max_size=4) | st.dictionaries(WORDS | st.text(), part, max_size=8),
    max_leaves=20,
)
ACCEPTED = {
    "scheme": "exact", "network": "eip155:1", "asset": ELSEWHERE, "amount": "1",
    "payTo": OTHER.address, "maxTimeoutSeconds": 60,
}  # fmt: skip
SIGNED = {
    "authorization": {
        "from": ELSEWHERE, "to": OTHER.address, "value": "1", "validAfter": "0",
        "validBefore": "1", "nonce": "0x" + "11" * 32,
    },
    "signature": "0x" + "11" * 65,
}  # fmt: skip


@given(st.binary(max_size=200) | JSON.map(lambda value: written(value).encode()))
def test_whatever_a_header_says_it_is_a_payment_or_none(header: bytes) -> None:
    with pytest.raises(Unpaid):
        TILL.read(header, 600)


@given(st.sampled_from([*ACCEPTED, *SIGNED, *SIGNED["authorization"]]), JSON)
def test_whatever_stands_in_one_field_nothing_else_is_raised(field: str, value: Any) -> None:
    """The whole of it is expired, so nothing is a payment."""
    inner = {**SIGNED, "authorization": {**SIGNED["authorization"]}}
    told = {"x402Version": 2, "accepted": {**ACCEPTED}, "payload": inner}
    for part in (told["accepted"], inner, inner["authorization"]):
        if field in part:
            part[field] = value
    with pytest.raises(Unpaid):
        TILL.read(written(told).encode(), 600)


def test_amounts_are_rounded_up_to_the_tokens_unit(tmp_path: Path) -> None:
    token = Token(1, ELSEWHERE, ELSEWHERE, "Coin", "2", decimals=6)
    till = Till(None, token, now_s)
    asked_for = read(till.wanted(303_600_000, 620, "/v1/x", "").decode())["accepts"][0]
    assert (asked_for["amount"], asked_for["maxTimeoutSeconds"]) == ("304", 310)
    assert asked_for["extra"] == {"name": "Coin", "version": "2"}
    assert till.unit == 10**6
