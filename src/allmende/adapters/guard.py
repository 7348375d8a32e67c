"""The guard: which addresses a provider's URL may lead to.

Rule: whoever registers a provider must not make this server talk to its own network. The
URL is checked when it is registered, its host is looked up and judged when it is called,
and the connection goes to the very address that was judged: there is no second look-up
that could answer differently (DNS rebinding), and redirects are never followed.
Invariant: an address passes only if it is public unicast, also after taking out any IPv4
address that it carries inside; where the operator allows private ones, still never a cloud's
metadata service, multicast, or an unspecified or reserved address.
Worked number: ::ffff:7f00:1, 2002:7f00:1:: and 64:ff9b::7f00:1 all carry 127.0.0.1, and
all are refused.

Source of the ranges: IANA special-purpose registries as in `ipaddress`; RFC 6052 (NAT64),
RFC 3056 (6to4), RFC 4380 (Teredo), RFC 5214 (ISATAP).
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from time import monotonic
from urllib.parse import urlsplit

from msgspec import Struct

from allmende.core.refusals import Refused, Why
from allmende.ports import UpstreamFailed

Address = IPv4Address | IPv6Address
Lookup = Callable[[str, int], Awaitable[list[str]]]

PIN_S = 60.0
"""How long one look-up's answer is used."""
PINS_MAX = 4096

_HOST = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?\Z")
_REST = re.compile(r"[\x21-\x7e]*\Z")
_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_SPECIAL = (
    IPv4Network("192.0.0.0/24"),  # in part "global" to Python before 3.11.10
    IPv6Network("64:ff9b:1::/48"),
    IPv6Network("3fff::/20"),
    IPv6Network("5f00::/16"),
)
"""Not public, whatever an older `ipaddress` believes."""
_COMPATIBLE = IPv6Network("::/96")
_METADATA = frozenset(
    map(
        ip_address,
        ("169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "fd00:ec2::254"),
    )
)
"""Where clouds hand out a machine's credentials; no provider lives there."""
_NEVER = (IPv4Network("240.0.0.0/4"), IPv4Network("0.0.0.0/8"))


class Target(Struct, frozen=True):
    """A provider's base URL, taken apart. `base` is path without trailing slash."""

    tls: bool
    host: str
    port: int
    base: str
    query: str = ""

    @property
    def authority(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"


def check_url(url: str, allow_private: bool = False) -> Target:
    """Judge a provider's URL without any look-up. Raises Refused(BAD_VALUE)."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _bad(f"not a URL: {error}") from None
    host = (parts.hostname or "").lower()
    if parts.scheme not in ("http", "https"):
        raise _bad("the URL must begin with http:// or https://")
    if "@" in parts.netloc:
        raise _bad("the URL must not carry a user name or password")
    if "#" in url or "\\" in url or not _REST.match(url):
        raise _bad("the URL must be plain ASCII, without fragment, backslash or spaces")
    tls = parts.scheme == "https"
    port = (443 if tls else 80) if port is None else port
    _check_host(host, allow_private)
    _check_port(port, allow_private)
    return Target(tls, host, port, parts.path.rstrip("/"), parts.query)


def _check_host(host: str, allow_private: bool) -> None:
    literal = _literal(host)
    if literal is None and not _HOST.match(host):
        raise _bad("the URL names no valid host")
    if literal is not None and not allowed(literal, allow_private):
        raise _bad(f"{host} is not an address that this market calls")


def _check_port(port: int, allow_private: bool) -> None:
    if port == 0 or (port < 1024 and port not in (80, 443) and not allow_private):
        raise _bad(f"port {port} is not one that this market calls")


def _bad(detail: str) -> Refused:
    return Refused(Why.BAD_VALUE, detail, field="url")


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def allowed(address: Address, allow_private: bool = False) -> bool:
    """Whether `address`, and every IPv4 address inside it, may be called."""
    return all(_allowed_alone(each, allow_private) for each in _with_embedded(address))


def _allowed_alone(address: Address, allow_private: bool) -> bool:
    if address in _METADATA or address.is_multicast or address.is_unspecified:
        return False
    if isinstance(address, IPv4Address) and any(address in network for network in _NEVER):
        return False
    if allow_private:
        return True
    if any(address in network for network in _SPECIAL):
        return False
    if isinstance(address, IPv6Address) and (address.is_site_local or address.scope_id):
        return False
    # `is_global` is the registry's word and leaves out carrier NAT (100.64/10), which
    # `is_private` lets through; NAT64 is judged by the address inside.
    return address.is_global or address in _NAT64[0]


def _with_embedded(address: Address) -> Iterator[Address]:
    """The address itself, unless it merely wraps an IPv4 one, and every IPv4 one inside."""
    if isinstance(address, IPv4Address):
        yield address
        return
    low = int(address) & 0xFFFF_FFFF
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
        return
    yield address
    if any(address in network for network in _NAT64):
        yield IPv4Address(low)
    if address in _COMPATIBLE and low > 1:
        yield IPv4Address(low)
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if (int(address) >> 32) & 0xFDFF_FFFF == 0x0000_5EFE:
        yield IPv4Address(low)


async def lookup(host: str, port: int) -> list[str]:
    """Every address of a host, as the operating system says. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Guard:
    """Looks up hosts, judges and pins. One per process; `lookup` is the world's DNS."""

    def __init__(self, lookup: Lookup = lookup, pin_s: float = PIN_S) -> None:
        self._lookup = lookup
        self._pin_s = pin_s
        self._pins: dict[tuple[str, int], tuple[float, tuple[str, ...]]] = {}
        self._pending: dict[tuple[str, int], asyncio.Task[tuple[str, ...]]] = {}

    async def admit(self, url: str, allow_private: bool = False) -> Target:
        """`check_url`, and the look-up too: for registration. Raises Refused(BAD_VALUE)."""
        target = check_url(url, allow_private)
        try:
            await self.resolve(target, allow_private)
        except UpstreamFailed as failed:
            raise _bad(failed.detail) from None
        return target

    async def resolve(self, target: Target, allow_private: bool = False) -> tuple[str, ...]:
        """Addresses to connect to, all of them judged. Raises UpstreamFailed.

        Causes: "refused_address" if even one is not allowed (a name that points both
        outside and inside is an attack or a mistake), "connect" if there is none.
        """
        found: tuple[str, ...] = (target.host,)
        if _literal(target.host) is None:
            found = await self._addresses(target.host, target.port)
        if not all(allowed(ip_address(text), allow_private) for text in found):
            raise UpstreamFailed("refused_address", f"{target.host} leads to a refused address")
        return found

    async def _addresses(self, host: str, port: int) -> tuple[str, ...]:
        until, found = self._pins.get((host, port), (0.0, ()))
        if monotonic() < until:
            return found
        task = self._pending.get((host, port))
        if task is None:
            task = asyncio.create_task(self._fetch(host, port))
            self._pending[host, port] = task
            task.add_done_callback(lambda _: self._pending.pop((host, port), None))
        return await asyncio.shield(task)

    async def _fetch(self, host: str, port: int) -> tuple[str, ...]:
        try:
            found = tuple(await self._lookup(host, port))
        except (OSError, UnicodeError) as error:
            raise UpstreamFailed("connect", f"{host} cannot be looked up: {error}") from None
        if not found:
            raise UpstreamFailed("connect", f"{host} has no address")
        if len(self._pins) >= PINS_MAX:
            self._pins.clear()
        self._pins[host, port] = (monotonic() + self._pin_s, found)
        return found
