"""Pay per call: by the SDK's own client, on a real contract; each payment once, or not at all."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chains import ACCOUNT, NODES, OTHER, on
from fake_answers import Act
from paying import FUNDS, NETWORK, RESPONSE, SIGNATURE, Paying, paying, person, read, written
from served import HELLO, close, dumps, run

from allmende.core import events as e
from allmende.core.units import credits
from allmende.pay import Unpaid


@pytest.fixture(autouse=True, params=NODES)
def node(request: pytest.FixtureRequest) -> Iterator[None]:
    with on(request.param):
        yield


async def until(true: Callable[[], bool], within_s: float = 5.0) -> None:
    async with asyncio.timeout(within_s):
        while not true():
            await asyncio.sleep(0.01)


def deposits(rig: Paying) -> list[e.Deposited]:
    return [x for x in rig.market.events if isinstance(x, e.Deposited) and "x402" in x.reference]


async def spent(rig: Paying) -> int:
    """What the payer paid on the chain, which is what the operator got and the desk credited."""
    await rig.market.settled()
    paid = FUNDS - await rig.on_chain(rig.payer.address)
    assert paid == await rig.on_chain(ACCOUNT.address)
    assert paid == sum(deposit.amount for deposit in deposits(rig))
    return paid


# --- what works -------------------------------------------------------------------------


def test_the_sdks_client_pays_and_is_served_as_anybody(tmp_path: Path) -> None:
    async def work() -> None:
        async with paying(tmp_path) as rig:
            answer = await rig.call(rig.payer)
            assert answer.status_code == 200, answer.text
            told = read(answer.headers[RESPONSE])
            assert (told["success"], told["payer"]) == (True, rig.payer.address)
            mined = await rig.rig.chain.mined(told["transaction"])
            assert mined is not None
            assert mined.ok
            (receipt,) = rig.market.receipts
            assert answer.headers["x-allmende-receipt"] == receipt.id
            assert answer.json()["allmende"]["price"] == "0.0000033"
            assert (receipt.account, receipt.price) == (rig.member, 3_300_000)
            assert await spent(rig) == int(told["amount"])
            assert rig.balance == int(told["amount"]) - receipt.price
            member = rig.market.desk.state.members[rig.member]
            assert (member.kind, member.tier, member.home) == ("person", 0, "")

    run(work())


def test_a_bill_is_what_would_be_held_for_anybody(tmp_path: Path) -> None:
    async def work() -> None:
        async with paying(tmp_path) as rig:
            for wish in ({}, {"max_tokens": 7}, {"n": 3}):
                bill = await rig.bill(**wish)
                await rig.post({"authorization": f"Bearer {rig.market.secret}"}, **wish)
                held = [x.amount for x in rig.market.events if isinstance(x, e.Reserved)]
                assert int(bill["accepts"][0]["amount"]) == held[-1]
                assert bill["accepts"][0]["payTo"].lower() == ACCOUNT.address
            await rig.nothing_moved()

    run(work())


def test_streams_are_paid_before_they_begin(tmp_path: Path) -> None:
    async def work() -> None:
        async with paying(tmp_path) as rig:
            answer = await rig.call(rig.payer, stream=True)
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert read(answer.headers[RESPONSE])["success"]
            assert b"data: [DONE]" in answer.content
            await spent(rig)
            (receipt,) = rig.market.receipts
            assert receipt.account == rig.member

    run(work())


def test_every_endpoint_takes_payments(tmp_path: Path) -> None:
    bodies = {
        "completions": {"prompt": "Say some words."},
        "embeddings": {"input": "Some words."},
        "responses": {"input": "Say some words."},
    }

    async def work() -> None:
        async with paying(tmp_path) as rig:
            for path, body in bodies.items():
                with rig.session(rig.payer) as session:
                    url, whole = f"{rig.market.url}/{path}", {"model": "fake", **body}
                    answer = await asyncio.to_thread(session.post, url, json=whole, timeout=30)
                assert answer.status_code == 200, answer.text
            assert [receipt.endpoint for receipt in rig.market.receipts] == list(bodies)
            await spent(rig)

    run(work())


def test_whoever_knows_what_is_missing_pays_no_more(tmp_path: Path) -> None:
    async def work() -> None:
        async with paying(tmp_path) as rig:
            first = await rig.pay(await rig.payment(rig.payer))
            assert first.status_code == 200
            little = await rig.pay(await rig.payment(rig.payer, amount="1"))
            assert little.status_code == 402
            assert little.json()["error"]["reason"] == "amount_too_small"
            bill = read(little.headers["payment-required"])
            assert int(bill["accepts"][0]["amount"]) == 3_300_000
            second = await rig.pay(await rig.payment(rig.payer, bill))
            assert second.status_code == 200
            assert len(rig.market.receipts) == 2
            assert rig.balance == await spent(rig) - 2 * 3_300_000
            stranger = await rig.payment(person("somebody"), amount="1")
            answer = await rig.pay(stranger)
            assert answer.json()["error"]["reason"] == "invalid_exact_evm_insufficient_balance"
            assert int(read(answer.headers["payment-required"])["accepts"][0]["amount"]) > 3_300_000

    run(work())


def test_no_payment_is_smaller_than_the_operator_says(tmp_path: Path) -> None:
    least = 10**9  # four times what the call may cost

    async def work() -> None:
        async with paying(tmp_path) as rig:
            await rig.door.close()
            await rig.open_door(least=least)
            worst = await rig.payment(rig.payer, amount="227850000")
            little = await rig.pay(worst)
            assert little.json()["error"]["reason"] == "amount_too_small"
            (asked,) = read(little.headers["payment-required"])["accepts"]
            assert int(asked["amount"]) == least
            assert (rig.balance, await spent(rig)) == (0, 0)
            assert (await rig.pay(await rig.payment(rig.payer))).status_code == 200
            assert rig.balance == least - 3_300_000  # the rest is the payer's
            again = await rig.pay(await rig.payment(rig.payer, amount="1"))
            assert again.json()["error"]["missing"] == credits(least)

    run(work())


def test_a_key_is_asked_for_nothing_new(tmp_path: Path) -> None:
    async def work() -> None:
        async with paying(tmp_path) as rig:
            assert (await rig.market.chat()).status == 200
            wrong = await rig.market.chat(secret="sk-wrong")
            assert (wrong.status, wrong.error["code"]) == (401, "unknown_key")
            api_key = await rig.post({"x-api-key": rig.market.secret})
            assert api_key.status_code == 200
            payment = written(await rig.payment(rig.payer))
            both = {"authorization": f"Bearer {rig.market.secret}", SIGNATURE: payment}
            assert (await rig.post(both)).status_code == 200
            assert {receipt.account for receipt in rig.market.receipts} == {"uni"}
            await rig.nothing_moved()

    run(work())


def test_the_documents_client_pays(tmp_path: Path) -> None:
    page = (Path(__file__).parents[1] / "docs/pay-per-call.md").read_text()

    async def work() -> None:
        program = page.partition("```python\n")[2].partition("```")[0]
        async with paying(tmp_path) as rig:
            for written_, real in (
                ("http://127.0.0.1:8700", rig.market.url.removesuffix("/v1")),
                ("smollm2-135m-instruct", "fake"),
                ('CREDIT = "eip155:31337", "0x..."', f'CREDIT = "{NETWORK}", "{rig.credit}"'),
                ('WALLET_KEY = "0x..."', f'WALLET_KEY = "{rig.payer.key.hex()}"'),
            ):
                assert written_ in program
                program = program.replace(written_, real)
            said = await asyncio.to_thread(output, program)
            assert said == " word word word word 0.000003"
            await spent(rig)

    run(work())


def output(code: str) -> str:
    """What a program prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.rstrip("\n")


# --- once -------------------------------------------------------------------------------


def test_a_payment_is_served_once(tmp_path: Path) -> None:
    async def work() -> None:
        async with paying(tmp_path) as rig:
            payment = await rig.payment(rig.payer)
            assert (await rig.pay(payment)).status_code == 200
            again = await rig.pay(payment)
            assert (again.status_code, again.json()["error"]["code"]) == (409, "already_served")
            assert again.json()["error"]["receipt"] == rig.market.receipts[0].id
            await rig.restart()
            assert (await rig.pay(payment)).status_code == 409
            assert await spent(rig) == int(payment["accepted"]["amount"])
            assert len(rig.market.receipts) == len(deposits(rig)) == 1

    run(work())


def test_of_two_requests_with_one_payment_one_is_served(tmp_path: Path) -> None:
    async def work() -> None:
        async with paying(tmp_path) as rig:
            payment = await rig.payment(rig.payer)
            answers = await asyncio.gather(*(rig.pay(payment) for _ in range(4)))
            assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
            assert await spent(rig) == int(payment["accepted"]["amount"])
            assert len(rig.market.receipts) == 1

    run(work())


def test_many_payments_at_once_are_all_served(tmp_path: Path) -> None:
    async def work() -> None:
        async with paying(tmp_path) as rig:
            answers = await asyncio.gather(*(rig.call(rig.payer) for _ in range(8)))
            assert [answer.status_code for answer in answers] == [200] * 8
            sent = {read(answer.headers[RESPONSE])["transaction"] for answer in answers}
            assert len(sent) == len(rig.market.receipts) == 8
            await spent(rig)

    run(work())


def test_a_payment_belongs_to_the_request_that_it_came_with(tmp_path: Path) -> None:
    """Its signature is on the chain for all to read; only the first request may have it."""
    script = [Act(fault="before"), Act()]

    async def work() -> None:
        async with paying(tmp_path, script) as rig:
            payment = await rig.payment(rig.payer)
            failed = await rig.pay(payment)
            assert failed.status_code == 502
            assert read(failed.headers[RESPONSE])["success"]
            assert rig.balance == int(payment["accepted"]["amount"])
            thief = await rig.pay(payment, max_tokens=1)
            assert (thief.status_code, thief.json()["error"]["code"]) == (409, "replayed")
            demand = {SIGNATURE: written(payment), "x-allmende-policy": "zones=DEU"}
            assert (await rig.post(demand)).status_code == 409
            retry = await rig.pay(payment)
            assert retry.status_code == 200, retry.text
            assert len(rig.market.receipts) == len(deposits(rig)) == 1
            await spent(rig)

    run(work())


# --- crashes and hang-ups ---------------------------------------------------------------


def test_a_death_between_chain_and_desk_loses_nothing(tmp_path: Path) -> None:
    async def work() -> None:
        async with paying(tmp_path, wait_s=1.0) as rig:
            real, died = rig.payments.look, asyncio.Event()

            async def dies(payment: Any) -> str | None:
                if await real(payment) is None:
                    return None
                died.set()
                await asyncio.Event().wait()
                return None

            rig.payments.look = dies  # type: ignore[method-assign]
            payment = await rig.payment(rig.payer)
            answer = await rig.pay(payment)
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "chain_away")
            assert answer.headers["retry-after"] == "5"
            assert died.is_set()
            assert (rig.balance, rig.market.receipts) == (0, [])
            await rig.restart()
            await until(lambda: rig.balance == int(payment["accepted"]["amount"]))
            assert (await rig.pay(payment)).status_code == 200
            assert len(deposits(rig)) == len(rig.market.receipts) == 1
            await spent(rig)

    run(work())


def test_a_chain_that_goes_away_after_the_look_is_waited_for(tmp_path: Path) -> None:
    async def work() -> None:
        async with paying(tmp_path, wait_s=0.2) as rig:
            real = rig.payments.verify

            async def verified(payment: Any) -> None:
                await real(payment)
                rig.line.cut = True

            rig.payments.verify = verified
            payment = await rig.payment(rig.payer)
            assert (await rig.pay(payment)).status_code == 503
            assert rig.outbox.counts() == {"waiting": 1}
            await rig.restart()
            rig.line.cut = False
            await until(lambda: rig.balance == int(payment["accepted"]["amount"]))
            assert (await rig.pay(payment)).status_code == 200
            await spent(rig)

    run(work())


def test_who_hangs_up_while_he_pays_keeps_his_credit(tmp_path: Path) -> None:
    async def work() -> None:
        async with paying(tmp_path) as rig:
            payment = await rig.payment(rig.payer)
            body = dumps({"model": "fake", "messages": HELLO})
            head = (
                f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n"
            )
            head += f"{SIGNATURE}: {written(payment)}\r\n\r\n"
            real = rig.payments.verify

            async def verified(told: Any) -> None:
                await real(told)
                rig.line.free.clear()

            rig.payments.verify = verified
            _, writer = await asyncio.open_connection("127.0.0.1", rig.market.port)
            writer.write(head.encode() + body)
            await until(lambda: rig.outbox.counts() == {"waiting": 1})
            await close(writer)
            await asyncio.sleep(0.1)  # four sweeps: the hang-up is noticed, or it is not
            rig.line.free.set()
            await until(lambda: rig.balance == int(payment["accepted"]["amount"]))
            await spent(rig)
            assert rig.market.receipts == []
            assert rig.market.provider.seen == []

    run(work())


def test_one_that_somebody_else_handed_in_first_is_credited(tmp_path: Path) -> None:
    async def work() -> None:
        async with paying(tmp_path) as rig:
            rig.rig.account = OTHER
            good, other = await rig.payment(rig.payer), await rig.payment(rig.payer)
            for shown in (good, other):
                payment = rig.payments.read(written(shown).encode(), 600)
                rig.payments.begin(payment, bytes(32))
                done = await rig.rig.send(rig.credit, payment.call)
                assert done.ok
                while (found := await rig.payments.look(payment)) is None:
                    continue
                assert found == done.hash
            assert rig.outbox.counts() == {"failed": 2}
            await rig.restart()
            await until(lambda: len(deposits(rig)) == 2)
            await spent(rig)

    run(work())


def test_a_nonce_that_went_elsewhere_is_no_payment(tmp_path: Path) -> None:
    async def work() -> None:
        async with paying(tmp_path) as rig:
            rig.rig.account = OTHER
            shown = await rig.payment(rig.payer)
            elsewhere = await rig.payment(rig.payer, payTo=OTHER.address)
            nonce = shown["payload"]["authorization"]["nonce"]
            elsewhere = rig.resigned(elsewhere, nonce=nonce)
            payment = rig.payments.read(written(shown).encode(), 600)
            other = rig.payments.read(written(elsewhere).encode(), 600)
            assert payment.reference == other.reference
            rig.payments.begin(payment, bytes(32))
            assert (await rig.rig.send(rig.credit, other.call)).ok
            await rig.sender.step()
            with pytest.raises(Unpaid, match="nonce is used"):
                await rig.payments.look(payment)
            await rig.restart()
            await asyncio.sleep(0)
            assert deposits(rig) == []

    run(work())
