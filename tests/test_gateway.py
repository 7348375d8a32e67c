"""The gateway's whole table: every status it can give, and what it passes on untouched."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from fake_answers import Act
from served import HELLO, SECRET, Answer, close, dumps, parse, run, serve

from allmende.core import commands as c
from allmende.core.units import CREDIT, DAY, MINUTE, SECOND, Tariff, Units, Zone
from allmende.doors.gateway import Limits

CHAT = {"model": "fake", "messages": HELLO}


def refused(answer: Answer, status: int, code: str, about: object = "") -> dict[str, Any]:
    assert answer.status == status, (about, answer)
    error: dict[str, Any] = answer.error
    assert error["code"] == code, (about, error)
    assert error.keys() >= {"message", "type", "param", "code"}
    assert error["message"]
    return error


def test_an_answer_carries_its_receipt_and_is_else_untouched(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            answer = await market.chat()
            (receipt,) = market.receipts
            said = answer.json
            assert answer.status == 200
            assert said.pop("allmende")["receipt"] == receipt.id
            assert said["choices"][0]["message"]["content"] == " word" * 4
            assert said["usage"] == {"prompt_tokens": 6, "completion_tokens": 4, "total_tokens": 10}
            assert answer.headers["x-allmende-receipt"] == receipt.id
            assert answer.headers["x-allmende-price"] == "0.0000033"
            assert answer.headers["x-allmende-provider"] == "host"
            assert answer.headers["x-allmende-verdict"] == receipt.verdict == "unchecked"
            assert receipt.price == 6 * 150_000 + 4 * 600_000
            assert answer.slip["zone"]["country"] == "DEU"

    run(work())


def test_only_the_holder_of_the_key_can_open_the_hashes(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            body = dumps(CHAT)
            answer = await market.ask("chat/completions", body)
            (receipt,) = market.receipts
            sent = answer.body[: answer.body.rindex(b',"allmende"')] + b"}"
            for content, said in ((body, receipt.prompt_hash), (sent, receipt.answer_hash)):
                salted = receipt.id.encode() + content
                assert said == hmac.new(SECRET.encode(), salted, hashlib.sha256).hexdigest()

    run(work())


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"authorization": "Bearer nobody"}, "unknown_key"),
        ({"authorization": "Basic abc"}, "unknown_key"),
        ({"authorization": "Bearer "}, "unknown_key"),
        ({"authorization": ""}, "unknown_key"),
        ({"authorization": "Bearer " + "x" * 2_000}, "unknown_key"),
        ({"authorization": "Bearer \xe9"}, "unknown_key"),
    ],
)
def test_401_for_whoever_is_not_known(tmp_path: Path, headers: dict[str, str], code: str) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            for path, method in (("chat/completions", "POST"), ("models", "GET")):
                answer = await market.ask(path, CHAT, method=method, headers=headers)
                refused(answer, 401, code)
                assert answer.headers["www-authenticate"] == "Bearer"
            assert not market.provider.seen

    run(work())


def test_expired_and_revoked_keys_stop_at_once(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            brief = await market.key("sk-brief", expires=market.clock.now() + DAY)
            assert (await market.chat(secret=brief)).status == 200
            market.clock.at += DAY
            refused(await market.chat(secret=brief), 401, "unknown_key")
            other = await market.key("sk-other")
            id_ = "key-" + hashlib.sha256(other.encode()).hexdigest()[:8]
            await market.desk.submit(c.RevokeKey(at=market.clock.now(), id=id_))
            refused(await market.chat(secret=other), 401, "unknown_key")

    run(work())


def test_a_stranger_is_refused_before_the_body_is_read(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            start = (
                b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
                b"authorization: Bearer nobody\r\ncontent-length: 5000000\r\n\r\n"
            )
            refused(await market.raw(start), 401, "unknown_key")

    run(work())


def test_the_key_may_come_as_x_api_key(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            body = dumps(CHAT)
            start = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
            fields = b"x-api-key: %b\r\ncontent-length: %d\r\n\r\n" % (SECRET.encode(), len(body))
            assert (await market.raw(start + fields + body)).status == 200

    run(work())


@pytest.mark.parametrize("name", ["x-allmende-policy: zones=DEU", "authorization: Bearer x"])
def test_a_header_given_twice_is_refused(tmp_path: Path, name: str) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            key, _, value = name.partition(": ")
            twice = f"{value}\r\n{key}: {value}"
            answer = await market.chat(headers={key: twice})
            refused(answer, 400, "bad_request")

    run(work())


def test_402_says_how_much_is_missing(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            poor = await market.key("sk-poor", budget="b")
            await market.desk.submit(c.SetBudget(at=market.clock.now(), id="b", limit=1_000_000))
            answer = await market.chat(secret=poor)
            error = refused(answer, 402, "budget_spent")
            bound = len(dumps(CHAT)) + 1024 + 16
            worst = bound * 150_000 + 100 * 600_000
            assert error["missing"] == f"{(worst - 1_000_000) / CREDIT:.12f}".rstrip("0")
            assert error["budget"] == "b"
            assert not market.provider.seen

    run(work())


def test_403_for_what_the_key_may_not(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            narrow = await market.key("sk-narrow", models=("fake-66",))
            error = refused(await market.chat(secret=narrow), 403, "model_not_in_key")
            assert error["param"] == "model"
            manager = await market.key("sk-manager", role="manage", budget="")
            refused(await market.chat(secret=manager), 403, "not_allowed")

    run(work())


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("POST", "nothing", 404, "not_found"),
        ("GET", "", 404, "not_found"),
        ("GET", "models/none", 404, "unknown_model"),
        ("GET", "chat/completions", 405, "method_not_allowed"),
        ("DELETE", "embeddings", 405, "method_not_allowed"),
        ("POST", "models", 405, "method_not_allowed"),
        ("PUT", "models/fake", 405, "method_not_allowed"),
        ("POST", "chat/completions/", 404, "not_found"),
        ("POST", "%2e%2e/x", 404, "not_found"),
    ],
)
def test_paths_and_methods(tmp_path: Path, method: str, path: str, status: int, code: str) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            answer = await market.ask(path, CHAT, method=method)
            refused(answer, status, code)
            if status == 405:
                assert answer.headers["allow"] in ("POST", "GET")

    run(work())


BAD_BODIES: list[tuple[bytes, int, str]] = [
    (b"", 400, "bad_request"),
    (b"{", 400, "bad_request"),
    (b"\xff\xfe", 400, "bad_request"),
    (b"[]", 422, "bad_value"),
    (b"{}", 422, "bad_value"),
    (b'{"model":"fake"}', 422, "bad_value"),
    (b'{"model":7,"messages":[]}', 422, "bad_value"),
    (b'{"model":"fake","messages":"x"}', 422, "bad_value"),
    (b'{"model":"fake","messages":[],"max_tokens":-1}', 422, "bad_value"),
    (b'{"model":"fake","messages":[],"max_tokens":1e30}', 422, "bad_value"),
    (b'{"model":"fake","messages":[],"max_tokens":"many"}', 422, "bad_value"),
    (b'{"model":"fake","messages":[],"n":0}', 422, "bad_value"),
    (b'{"model":"fake","messages":[],"n":100000}', 422, "bad_value"),
    (b'{"model":"fake","messages":[],"stream":"yes"}', 422, "bad_value"),
    (b'{"model":"fake","messages":[],"previous_response_id":"x"}', 422, "bad_value"),
    (b'{"model":"fake","messages":[],"allmende":{"zone":"DEU"}}', 422, "bad_value"),
    (b'{"model":"no","messages":[]}', 404, "unknown_model"),
    (b'{"model":"' + b"x" * 100_000 + b'","messages":[]}', 404, "unknown_model"),
    (b'{"model":"fake","messages":' + b"[" * 100_000, 400, "bad_request"),
]


def test_bad_bodies_are_refused_and_cost_nothing(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            before = market.desk.number
            for body, status, code in BAD_BODIES:
                refused(await market.ask("chat/completions", body), status, code, body[:60])
            assert market.desk.number == before
            assert not market.provider.seen

    run(work())


def test_413_for_a_body_declared_or_sent_too_large(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path, limits=Limits(body_bytes=1_000)) as market:
            refused(await market.ask("chat/completions", b" " * 1_001), 413, "too_large")
            chunked = {"transfer-encoding": "chunked"}
            head = f"authorization: Bearer {SECRET}\r\nconnection: close\r\n"
            head += "".join(f"{k}: {v}\r\n" for k, v in chunked.items())
            start = f"POST /v1/embeddings HTTP/1.1\r\nhost: x\r\n{head}\r\n".encode()
            refused(await market.raw(start + b"400\r\n" + b" " * 1024 + b"\r\n"), 413, "too_large")

    run(work())


def test_408_for_a_body_that_never_comes(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path, limits=Limits(upload_s=0.05)) as market:
            head = f"authorization: Bearer {SECRET}\r\ncontent-length: 50\r\nconnection: close\r\n"
            start = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n{head}\r\n".encode()
            refused(await market.raw(start + b'{"model"'), 408, "timeout")

    run(work())


def test_an_upload_broken_off_leaves_nothing(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            before = market.desk.number
            for part in (b"", b'{"model"'):
                _, writer = await asyncio.open_connection("127.0.0.1", market.port)
                head = f"authorization: Bearer {SECRET}\r\ncontent-length: 50\r\n"
                start = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n{head}\r\n".encode()
                writer.write(start + part)
                await asyncio.sleep(0.02)
                await close(writer)
            await asyncio.sleep(0.05)
            assert market.desk.number == before
            assert (await market.chat()).status == 200

    run(work())


def test_a_compressed_body_is_refused_with_the_reason(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            answer = await market.chat(headers={"content-encoding": "gzip"})
            assert "Content-Encoding" in refused(answer, 400, "bad_request")["message"]

    run(work())


def test_an_idempotency_key_serves_once(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            once = {"idempotency-key": "order-1"}
            first = await market.chat(headers=once)
            error = refused(await market.chat(headers=once), 409, "already_served")
            assert error["receipt"] == first.slip["receipt"]
            again = await market.chat(headers=once, max_tokens=3)
            refused(again, 409, "replayed")
            assert again.headers["x-should-retry"] == "false"
            other = await market.key("sk-else")
            assert (await market.chat(headers=once, secret=other)).status == 200
            too_long = {"idempotency-key": "x" * 300}
            refused(await market.chat(headers=too_long), 422, "bad_value")
            assert len(market.receipts) == 2

    run(work())


def test_429_for_the_key_that_asks_too_often(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            slow = await market.key("sk-slow", per_minute=2)
            answers = [await market.chat(secret=slow) for _ in range(3)]
            assert [answer.status for answer in answers] == [200, 200, 429]
            refused(answers[2], 429, "rate")
            assert int(answers[2].headers["retry-after"]) == 30
            market.clock.at += MINUTE
            assert (await market.chat(secret=slow)).status == 200

    run(work())


def test_429_when_every_offer_is_busy(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            await market.offer("one", "narrow", "fake-late", capacity=1)
            first = asyncio.create_task(market.chat("narrow"))
            await _until(lambda: bool(market.desk.state.holds))
            answer = await market.chat("narrow")
            assert refused(answer, 429, "capacity")["conditions"] == {"busy": 1}
            assert answer.headers["retry-after"] == "1"
            assert (await first).status == 200

    run(work())


def test_422_for_a_meter_without_a_price(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            await market.offer("half", "half", tariff=Tariff(input=1))
            refused(await market.chat("half"), 422, "unpriced")
            await market.offer("free", "free", tariff=Tariff(0, 0, 0))
            assert (await market.chat("free")).headers["x-allmende-price"] == "0"

    run(work())


def test_503_says_which_condition_refused_how_many(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            await market.offer("dear", "m", tariff=Tariff(9_000_000, None, 9_000_000))
            await market.offer("far", "m", zone=Zone("USA"))
            answer = await market.chat(
                "m", headers={"x-allmende-policy": "max-price=2.5; not-zones=USA"}
            )
            error = refused(answer, 503, "no_offer")
            assert error["conditions"] == {"max_rate": 1, "zone": 1}
            assert not market.provider.seen

    run(work())


def test_503_when_closing(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            await market.gateway.close(0)
            refused(await market.chat(), 503, "closing")

    run(work())


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("", "cheap"), ("zones=FRA", "french"), ("not-zones=DEU,USA", "french"),
        ("control=DEU", "cheap"), ("not-control=USA", "cheap"), ("control=USA", "foreign"),
        ("providers=author", "french"), ("order=foreign,french", "foreign"),
        ("max-price=0.5;zones=DEU,FRA,SWE", "cheap"),
    ],
)  # fmt: skip
def test_a_policy_reroutes(tmp_path: Path, policy: str, expected: str) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            await market.offer("cheap", "m", tariff=Tariff(1, None, 1))
            await market.offer("french", "m", provider="author", zone=Zone("FRA"))
            parent = Zone("DEU", "Op", "Corp", "USA")
            await market.offer("foreign", "m", zone=parent)
            answer = await market.chat("m", headers={"x-allmende-policy": policy})
            assert answer.slip["offer"] == expected
            if policy:
                names = [part.strip().partition("=") for part in policy.split(";")]
                field = {name.replace("-", "_"): value for name, _, value in names}
                again = await market.chat("m", allmende=field)
                assert again.slip["offer"] == expected
                assert "allmende" not in market.provider.seen[-1].body

    run(work())


def test_what_the_market_does_not_know_reaches_the_provider_as_it_came(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            extra = {
                "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
                "tool_choice": "auto",
                "response_format": {"type": "json_schema", "json_schema": {"name": "x"}},
                "n": 2,
                "x_new": [1, {"deep": None}, 1e-7, "é\u2028"],
                "temperature": 0.30000000000000004,
            }
            answer = await market.chat("fake-66", max_tokens=5, **extra)
            (seen,) = market.provider.seen
            assert len(answer.json["choices"]) == 2
            sent = {"model": "fake-66", "messages": HELLO, "max_tokens": 5, **extra}
            assert seen.body == sent
            assert seen.path == "/v1/chat/completions"
            assert answer.slip["units"] == {"input": 6, "output": 10}
            assert b"0.30000000000000004" in seen.raw

    run(work())


def test_the_providers_key_goes_to_the_provider_and_the_callers_does_not(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            await market.offer("locked", "locked", sealed_secret="sealed:their-key")
            assert (await market.chat("locked")).status == 200
            (seen,) = market.provider.seen
            assert seen.headers["authorization"] == "Bearer their-key"
            assert SECRET not in str(seen.headers) + seen.raw.decode()

    run(work())


def test_every_endpoint(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            asks: dict[str, dict[str, Any]] = {
                "chat/completions": {"messages": HELLO},
                "completions": {"prompt": "Say some words."},
                "responses": {"input": "Say some words."},
            }
            for path, fields in asks.items():
                for stream in (False, True):
                    answer = await market.ask(path, {"model": "fake", "stream": stream, **fields})
                    assert answer.status == 200, (path, stream, answer)
                    assert answer.slip["units"]["output"] == 4, (path, stream)
            answer = await market.ask("embeddings", {"model": "fake", "input": ["a b", "c"]})
            assert answer.slip["units"] == {"embedding": 3}
            assert answer.slip["price"] == "0.00000006"
            assert {r.endpoint for r in market.receipts} == {*asks, "embeddings"}

    run(work())


def test_models_are_those_that_the_key_can_buy(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            narrow = await market.key("sk-two", models=("fake", "fake-66"))
            answer = await market.ask("models", method="GET", secret=narrow)
            assert [model["id"] for model in answer.json["data"]] == ["fake", "fake-66"]
            one = await market.ask("models/fake", method="GET", secret=narrow)
            (offer,) = one.json["allmende"]["offers"]
            assert offer["price"] == {"input": "0.15", "output": "0.6", "embedding": "0.02"}
            assert (one.json["object"], one.json["owned_by"]) == ("model", "author")
            hidden = await market.ask("models/fake-400", method="GET", secret=narrow)
            refused(hidden, 404, "unknown_model")
            await market.desk.submit(c.WithdrawOffer(at=market.clock.now(), id="fake"))
            gone = await market.ask("models/fake", method="GET", secret=narrow)
            refused(gone, 404, "unknown_model")

    run(work())


def test_many_requests_on_one_connection(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            body = dumps(CHAT)
            head = f"host: x\r\nauthorization: Bearer {SECRET}\r\ncontent-length: {len(body)}\r\n"
            one = f"POST /v1/chat/completions HTTP/1.1\r\n{head}\r\n".encode() + body
            reader, writer = await asyncio.open_connection("127.0.0.1", market.port)
            writer.write(one * 3)  # pipelined
            for _ in range(3):
                start = await reader.readuntil(b"\r\n\r\n")
                length = int(start.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                answer = parse(start + await reader.readexactly(length))
                assert json.loads(answer.body)["allmende"]["outcome"] == "complete"
            await close(writer)
            assert len(market.receipts) == 3

    run(work())


def test_three_faults_take_an_offer_off_the_book_for_a_while(tmp_path: Path) -> None:
    async def work() -> None:
        async with serve(tmp_path) as market:
            market.provider.script = {"flaky": Act(status=503)}
            await market.offer("flaky", "flaky", "flaky")
            for _ in range(3):
                refused(await market.chat("flaky"), 502, "upstream_failed")
            error = refused(await market.chat("flaky"), 503, "no_offer")
            assert error["conditions"] == {"down": 1}
            assert len(market.provider.seen) == 3
            market.clock.at += 2 * SECOND
            market.provider.script = {"flaky": Act()}
            assert (await market.chat("flaky")).status == 200
            assert market.receipts[0].units == Units(input=6, output=4)

    run(work())


def test_a_caller_cannot_talk_an_offer_off_the_book(tmp_path: Path) -> None:
    """A 500 may be the request's own doing: it is not paid, and it is nobody's fault."""

    async def work() -> None:
        async with serve(tmp_path) as market:
            market.provider.script = {"touchy": Act(status=500)}
            await market.offer("touchy", "touchy", "touchy")
            for _ in range(5):
                refused(await market.chat("touchy"), 502, "upstream_failed")
            assert market.desk.state.trading["touchy"].faults == 0
            market.provider.script = {"touchy": Act()}
            assert (await market.chat("touchy")).status == 200

    run(work())


async def _until(true: Any) -> None:
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.005)
