"""Calling providers: kept connections, time-outs, second attempts, hang-ups and TLS."""

from __future__ import annotations

import asyncio
import datetime
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fake_answers import ACTS, Act
from fake_provider import FakeProvider, Script
from loops import on_both_loops

from allmende.adapters.guard import Guard
from allmende.adapters.upstream import HttpUpstream
from allmende.ports import Call, Upstream, UpstreamFailed

Test = Callable[[FakeProvider, HttpUpstream], Awaitable[None]]


def against(script: Script, test: Test) -> None:
    async def run() -> None:
        upstream = HttpUpstream(Guard(), sweep_s=0.02)
        async with FakeProvider(script) as provider:
            try:
                await test(provider, upstream)
            finally:
                await upstream.close()

    on_both_loops(run)


def call(provider: FakeProvider, *, stream: bool = False, model: str = "m", **more: object) -> Call:
    body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": "a b c"}]}
    call = Call(provider.url, "/chat/completions", msgspec.json.encode(body), allow_private=True)
    return msgspec.structs.replace(call, **more)


async def fetch(upstream: Upstream, call: Call) -> bytes:
    return await (await upstream.open(call)).read(10**6)


def test_a_request_arrives_as_it_was_sent() -> None:
    async def test(provider: FakeProvider, upstream: HttpUpstream) -> None:
        answer = await upstream.open(call(provider, secret="sk-1"))
        assert (answer.status, answer.content_type) == (200, "application/json")
        body = msgspec.json.decode(await answer.read(10**6))
        assert body["choices"][0]["message"]["content"] == " word" * 4
        seen = provider.seen[0]
        assert seen.path == "/v1/chat/completions"
        assert seen.raw == call(provider).body
        assert seen.headers["authorization"] == "Bearer sk-1"
        assert seen.headers["accept-encoding"] == "identity"
        assert seen.headers["host"] == f"127.0.0.1:{provider.port}"

    against(Act(), test)


def test_one_connection_serves_many_requests_one_after_the_other() -> None:
    async def test(provider: FakeProvider, upstream: HttpUpstream) -> None:
        for secret in ("", "one", "two"):
            await fetch(upstream, call(provider, secret=secret))
        assert [seen.connection for seen in provider.seen] == [1, 1, 1]
        assert "authorization" not in provider.seen[0].headers
        assert provider.seen[2].headers["authorization"] == "Bearer two"

    against(Act(), test)


def test_sixteen_at_a_time_open_sixteen_connections() -> None:
    async def test(provider: FakeProvider, upstream: HttpUpstream) -> None:
        for _ in range(5):
            await asyncio.gather(*(fetch(upstream, call(provider)) for _ in range(16)))
        assert (len(provider.seen), provider.connections) == (80, 16)

    against(Act(first_s=0.01), test)


def test_small_writes_are_not_held_back() -> None:
    async def test(provider: FakeProvider, upstream: HttpUpstream) -> None:
        await fetch(upstream, call(provider))
        (origin,) = upstream._origins.values()
        transport = origin.idle[0]._transport
        assert transport is not None
        sock = transport.get_extra_info("socket")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    against(Act(), test)


def test_events_arrive_one_by_one_and_end_the_connection() -> None:
    async def test(provider: FakeProvider, upstream: HttpUpstream) -> None:
        answer = await upstream.open(call(provider, stream=True))
        assert answer.content_type == "text/event-stream"
        pieces = [piece async for piece in answer]
        assert len(pieces) >= 3, "paced events are not held back"
        assert b"".join(pieces).endswith(b"data: [DONE]\n\n")
        await fetch(upstream, call(provider))
        assert [seen.connection for seen in provider.seen] == [1, 2]

    against(Act(events=4, delay_s=0.02), test)


def test_a_provider_that_drops_what_follows_a_stream_is_learned() -> None:
    async def run() -> None:
        upstream = HttpUpstream(Guard(), reuse_after_stream=True)
        well, dead = Act(), Act(fault="before")
        async with FakeProvider([well, well, dead, well, well]) as provider:
            for _ in range(4):
                assert (await fetch(upstream, call(provider, stream=True))).endswith(b"[DONE]\n\n")
            assert [seen.connection for seen in provider.seen] == [1, 1, 1, 2, 3]
            await upstream.close()

    on_both_loops(run)


@pytest.mark.parametrize(
    ("model", "cause"),
    [
        ("fake-before", "cut"),
        ("fake-garbage", "garbage"),
        ("fake-headers", "garbage"),
        ("fake-redirect", "redirect"),
        ("fake-gzip", "compressed"),
        ("fake-mid", "cut"),
    ],
)
def test_a_broken_provider_has_one_cause(model: str, cause: str) -> None:
    async def test(provider: FakeProvider, upstream: HttpUpstream) -> None:
        with pytest.raises(UpstreamFailed) as failed:
            await fetch(upstream, call(provider, model=model))
        assert failed.value.cause == cause
        assert len(provider.seen) == 1, "a fresh connection is not tried twice"

    against(ACTS, test)


def test_a_status_is_the_callers_business() -> None:
    async def test(provider: FakeProvider, upstream: HttpUpstream) -> None:
        for status in (400, 401, 429, 500):
            answer = await upstream.open(call(provider, model=f"fake-{status}"))
            assert answer.status == status
            assert b"fake error" in await answer.read(1000)

    against(ACTS, test)


def test_a_kept_connection_that_was_given_up_is_tried_once_more() -> None:
    async def test(provider: FakeProvider, upstream: HttpUpstream) -> None:
        await fetch(upstream, call(provider))
        assert b"word" in await fetch(upstream, call(provider))
        assert [seen.connection for seen in provider.seen] == [1, 1, 2]

    against([Act(), Act(fault="before"), Act()], test)


def test_no_third_attempt_and_none_once_time_or_bytes_passed() -> None:
    async def cut(script: list[Act], attempts: int) -> None:
        upstream = HttpUpstream(Guard(), sweep_s=0.02, stale_s=0.15)
        async with FakeProvider(script) as provider:
            await fetch(upstream, call(provider))
            with pytest.raises(UpstreamFailed, match="cut"):
                await fetch(upstream, call(provider))
            assert len(provider.seen) == 1 + attempts
            await upstream.close()

    dead = Act(fault="before")
    on_both_loops(lambda: cut([Act(), dead, dead], attempts=2))
    on_both_loops(lambda: cut([Act(), Act(fault="mid"), Act()], attempts=1))
    on_both_loops(lambda: cut([Act(), Act(fault="before", first_s=0.2), Act()], attempts=1))


def test_silence_ends_in_a_timeout_before_and_between_bytes() -> None:
    async def test(provider: FakeProvider, upstream: HttpUpstream) -> None:
        with pytest.raises(UpstreamFailed, match=r"timeout.*first byte"):
            await upstream.open(call(provider, model="fake-stall", first_byte_s=0.1))
        answer = await upstream.open(
            call(provider, model="fake-stall-mid", stream=True, idle_s=0.1)
        )
        with pytest.raises(UpstreamFailed, match=r"timeout.*between bytes"):
            await answer.read(10**6)
        await provider.settled()
        assert all(seen.aborted for seen in provider.seen)

    against(ACTS, test)


def test_a_paced_stream_outlives_the_idle_limit_as_a_whole() -> None:
    async def test(provider: FakeProvider, upstream: HttpUpstream) -> None:
        await fetch(upstream, call(provider, stream=True, idle_s=0.2))
        assert provider.seen[0].events_sent == 12

    against(Act(events=12, delay_s=0.04), test)


def test_a_reader_that_takes_its_time_is_no_timeout() -> None:
    async def test(provider: FakeProvider, upstream: HttpUpstream) -> None:
        answer = await upstream.open(call(provider, model="fake-endless", stream=True, idle_s=0.1))
        await asyncio.sleep(0.4)
        assert await anext(answer)
        answer.abort()

    against(ACTS, test)


def test_an_abort_stops_the_provider_ten_times_out_of_ten() -> None:
    async def test(provider: FakeProvider, upstream: HttpUpstream) -> None:
        for _ in range(10):
            answer = await upstream.open(call(provider, model="fake-endless", stream=True))
            await anext(answer)
            answer.abort()
        await provider.settled()
        assert [seen.aborted for seen in provider.seen] == [True] * 10

    against({"fake-endless": Act(fault="endless", delay_s=0.01)}, test)


def test_a_cancelled_call_stops_the_provider_too() -> None:
    async def test(provider: FakeProvider, upstream: HttpUpstream) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(fetch(upstream, call(provider, model="fake-stall")), 0.1)
        await provider.settled()
        assert provider.seen[0].aborted

    against(ACTS, test)


def test_kept_connections_do_not_outstay() -> None:
    async def run() -> None:
        upstream = HttpUpstream(Guard(), sweep_s=0.02, idle_s=0.1)
        async with FakeProvider(Act()) as provider, asyncio.timeout(5):
            await fetch(upstream, call(provider))
            while provider.open:
                await asyncio.sleep(0.02)
            await fetch(upstream, call(provider))
            assert provider.connections == 2
            await upstream.close()

    on_both_loops(run)


def test_closing_aborts_what_is_open_and_refuses_what_comes() -> None:
    async def test(provider: FakeProvider, upstream: HttpUpstream) -> None:
        waiting = asyncio.create_task(fetch(upstream, call(provider, model="fake-stall")))
        while not provider.seen:
            await asyncio.sleep(0.01)
        await upstream.close()
        await upstream.close()
        with pytest.raises(UpstreamFailed, match="aborted"):
            await waiting
        with pytest.raises(UpstreamFailed, match="aborted"):
            await upstream.open(call(provider))

    against(ACTS, test)


def test_addresses_that_are_not_allowed_are_never_connected_to() -> None:
    async def test(provider: FakeProvider, upstream: HttpUpstream) -> None:
        await fetch(upstream, call(provider))
        for url in (provider.url, f"http://localhost:{provider.port}/v1", "ftp://x/"):
            with pytest.raises(UpstreamFailed, match="refused_address"):
                await upstream.open(call(provider, url=url, allow_private=False))
        assert (len(provider.seen), provider.connections) == (1, 1)

    against(Act(), test)


def test_a_connection_goes_to_the_judged_address_without_a_second_look_up() -> None:
    async def run() -> None:
        asked: list[str] = []

        async def names(host: str, port: int) -> list[str]:
            asked.append(host)
            return ["127.0.0.1"]

        upstream = HttpUpstream(Guard(names), sweep_s=0.02)
        async with FakeProvider(Act()) as provider:
            url = f"http://nowhere.invalid:{provider.port}/v1"
            for _ in range(3):
                await fetch(upstream, call(provider, url=url))
            assert asked == ["nowhere.invalid"]
            assert provider.seen[0].headers["host"] == f"nowhere.invalid:{provider.port}"
            await upstream.close()

    on_both_loops(run)


def test_a_dead_address_is_followed_by_the_next() -> None:
    async def run() -> None:
        async def names(host: str, port: int) -> list[str]:
            return ["::1", "127.0.0.1"]

        upstream = HttpUpstream(Guard(names), sweep_s=0.02)
        async with FakeProvider(Act()) as provider:
            url = f"http://two.invalid:{provider.port}/v1"
            await fetch(upstream, call(provider, url=url))
            await fetch(upstream, call(provider, url=url))
            assert provider.connections == 1
            await upstream.close()

    on_both_loops(run)


def test_nobody_listening_is_a_connect_failure() -> None:
    async def test(provider: FakeProvider, upstream: HttpUpstream) -> None:
        async with FakeProvider() as other:
            gone = other.url
        with pytest.raises(UpstreamFailed) as failed:
            await upstream.open(call(provider, url=gone))
        assert failed.value.cause == "connect"

    against(Act(), test)


@pytest.mark.parametrize("more", [{"secret": "a\r\nX: y"}, {"path": "/a b"}, {"secret": "ä"}])
def test_nothing_smuggles_a_header(more: dict[str, Any]) -> None:
    async def test(provider: FakeProvider, upstream: HttpUpstream) -> None:
        with pytest.raises(UpstreamFailed, match="bad_call"):
            await upstream.open(call(provider, **more))
        assert not provider.connections

    against(Act(), test)


def test_a_failure_never_carries_the_secret() -> None:
    async def test(provider: FakeProvider, upstream: HttpUpstream) -> None:
        for model in ("fake-before", "fake-garbage", "fake-redirect"):
            with pytest.raises(UpstreamFailed) as failed:
                await upstream.open(call(provider, model=model, secret="sk-hidden"))
            assert "sk-hidden" not in repr(failed.value)

    against(ACTS, test)


def certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for localhost: (certificate, key)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, format_ = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "cert.pem").write_bytes(made.public_bytes(pem))
    plain = serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(pem, format_, plain))
    return folder / "cert.pem", folder / "key.pem"


def test_tls_is_checked_against_the_name_and_kept(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(cert, key)
    trusting = ssl.create_default_context(cafile=str(cert))

    async def run() -> None:
        strict = HttpUpstream(Guard(), sweep_s=0.02)
        upstream = HttpUpstream(Guard(), sweep_s=0.02, tls=trusting)
        async with FakeProvider(Act(), tls=server) as provider, asyncio.timeout(10):
            for _ in range(3):
                assert b"word" in await fetch(upstream, call(provider))
            assert provider.connections == 1
            with pytest.raises(UpstreamFailed, match=r"tls.*CERTIFICATE_VERIFY_FAILED"):
                await strict.open(call(provider))
            with pytest.raises(UpstreamFailed, match="tls"):  # the name is not in it
                await upstream.open(call(provider, url=f"https://127.0.0.1:{provider.port}/v1"))
            await upstream.close()
            await strict.close()
            assert len(provider.seen) == 3

    on_both_loops(run)
