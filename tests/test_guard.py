"""Which addresses a provider's URL may lead to."""

from __future__ import annotations

import asyncio
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allmende.adapters.guard import Guard, Target, allowed, check_url
from allmende.core.refusals import Refused, Why
from allmende.ports import UpstreamFailed

PUBLIC = "93.184.216.34"


@pytest.mark.parametrize(
    ("url", "target", "authority"),
    [
        ("https://a.example.org/v1/", Target(True, "a.example.org", 443, "/v1"), "a.example.org"),
        ("http://example.org:8080", Target(False, "example.org", 8080, ""), "example.org:8080"),
        ("https://EXAMPLE.org/a?v=1", Target(True, "example.org", 443, "/a", "v=1"), "example.org"),
        (f"http://{PUBLIC}/v1", Target(False, PUBLIC, 80, "/v1"), PUBLIC),
        ("http://[2606:4700::1]/v1", Target(False, "2606:4700::1", 80, "/v1"), "[2606:4700::1]"),
    ],
)  # fmt: skip
def test_a_good_url_is_taken_apart(url: str, target: Target, authority: str) -> None:
    assert check_url(url) == target
    assert target.authority == authority


@pytest.mark.parametrize(
    "url",
    [
        "", "api.example.org/v1", "ftp://example.org/", "file:///etc/passwd", "gopher://x/",
        "http://", "http:///v1", "http://user@example.org/", "http://user:pw@example.org/",
        "http://@example.org/", "http://example.org/v1#x", "http://example.org/#",
        "http://exa mple.org/", "http://example.org\\@10.0.0.1/", "http://example.org/\r\nX: y",
        "http://example.org/\x00", "http://exämple.org/", "http://-x.org/", "http://x_.-/",
        "http://example.org:0/", "http://example.org:99999/", "http://example.org:x/",
        "http://example.org:22/", "http://example.org:25/", "http://[::1", "http://[::1%25eth0]/",
        "http://127.0.0.1/", "http://10.1.2.3/v1", "http://169.254.169.254/latest",
        "http://[::ffff:127.0.0.1]/", "http://[fe80::1]/", "http://0.0.0.0/", "http://[::]/",
        "http://" + "a" * 300 + ".org/",
    ],
)  # fmt: skip
def test_a_bad_url_is_refused_at_registration(url: str) -> None:
    with pytest.raises(Refused) as refused:
        check_url(url)
    assert refused.value.why is Why.BAD_VALUE


PRIVATE = [
    "127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "192.0.0.8",
    "198.18.0.1", "203.0.113.9", "::1", "fc00::1", "fd12::1", "fe80::1", "fe80::1%1", "fec0::1",
    "2001:db8::1", "169.254.1.1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "64:ff9b:1::a00:1",
    "2002:a00:1::", "::10.0.0.1", "2001:0:a00:1::f5ff:fffe", "fe80::5efe:10.0.0.1",
    "2a00:1::5efe:10.0.0.1", "3fff::1",
]  # fmt: skip
NEVER = [
    "0.0.0.0", "0.1.2.3", "::", "224.0.0.1", "239.1.1.1", "ff02::1", "ff0e::1", "240.0.0.1",
    "255.255.255.255", "169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16",
    "fd00:ec2::254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::",
    "::ffff:0.0.0.0", "::169.254.169.254",
]  # fmt: skip


@pytest.mark.parametrize("text", PRIVATE)
def test_private_addresses_need_the_operators_word(text: str) -> None:
    assert not allowed(ip_address(text))
    assert allowed(ip_address(text), allow_private=True)


@pytest.mark.parametrize("text", NEVER)
def test_some_addresses_are_never_called(text: str) -> None:
    assert not allowed(ip_address(text))
    assert not allowed(ip_address(text), allow_private=True)


@pytest.mark.parametrize("text", [PUBLIC, "2606:4700::1", "64:ff9b::5db8:d822", "::ffff:8.8.8.8"])
def test_public_addresses_pass(text: str) -> None:
    assert allowed(ip_address(text))


@given(st.integers(2, 2**32 - 1).map(IPv4Address))
def test_wrapping_an_address_never_makes_it_allowed(inner: IPv4Address) -> None:
    number = int(inner)
    wrapped = [
        IPv6Address(0xFFFF << 32 | number),
        IPv6Address(0x64_FF9B << 96 | number),
        IPv6Address(0x2002 << 112 | number << 80),
        IPv6Address(number),
    ]
    for address in wrapped:
        for private in (False, True):
            assert allowed(inner, private) or not allowed(address, private)


class Names:
    """A name server that answers what the test says, one answer per question."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked += 1
        await asyncio.sleep(0)
        if not self.answers:
            raise OSError("no such name")
        return self.answers.pop(0)


def test_a_name_is_judged_by_where_it_leads() -> None:
    async def run() -> None:
        guard = Guard(Names([PUBLIC], [PUBLIC, "10.0.0.1"], []), pin_s=0)
        target = check_url("https://example.org/v1")
        assert await guard.resolve(target) == (PUBLIC,)
        with pytest.raises(UpstreamFailed, match="refused_address"):
            await guard.resolve(target)
        for _ in ("no address", "no such name"):
            with pytest.raises(UpstreamFailed, match="connect"):
                await guard.resolve(target)

    asyncio.run(run())


def test_a_rebinding_name_keeps_its_first_answer_then_is_refused() -> None:
    async def run() -> None:
        names = Names([PUBLIC], ["127.0.0.1"])
        guard = Guard(names, pin_s=60)
        target = check_url("https://rebind.example/v1")
        assert [await guard.resolve(target) for _ in range(3)] == [(PUBLIC,)] * 3
        assert names.asked == 1
        guard._pins.clear()  # a minute later
        with pytest.raises(UpstreamFailed, match="refused_address"):
            await guard.resolve(target)

    asyncio.run(run())


def test_a_kept_private_answer_is_still_refused_to_others() -> None:
    async def run() -> None:
        guard = Guard(Names(["10.0.0.7"]))
        target = check_url("http://inside.example/v1")
        assert await guard.resolve(target, allow_private=True) == ("10.0.0.7",)
        with pytest.raises(UpstreamFailed, match="refused_address"):
            await guard.resolve(target)

    asyncio.run(run())


def test_many_who_ask_at_once_share_one_look_up() -> None:
    async def run() -> None:
        names = Names([PUBLIC])
        guard = Guard(names)
        target = check_url("https://example.org/")
        found = await asyncio.gather(*(guard.resolve(target) for _ in range(50)))
        assert set(found) == {(PUBLIC,)}
        assert names.asked == 1

    asyncio.run(run())


def test_registration_says_no_to_numbers_in_disguise() -> None:
    async def run() -> None:
        guard = Guard()  # the system's own resolver reads all of these as 127.0.0.1
        for host in ("localhost", "2130706433", "0x7f.1", "0177.0.0.1", "127.1"):
            with pytest.raises(Refused):
                await guard.admit(f"http://{host}:8080/v1")
        assert (await guard.admit("http://localhost:8080/v1", True)).host == "localhost"

    asyncio.run(run())
