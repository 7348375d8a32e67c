"""Counter: where whoever holds a key gets something done, from a program or from a page.

Rule: the API and the pages hand in the same names and fields here, and nowhere else does
a door make a command. Secrets are made or sealed on the spot.
Invariant: a new key's secret is in one answer and nowhere else; a provider's secret
leaves here sealed.
Worked number: issue_key {"member": "anna", "budget": "lab"} answers with an id, a secret
of 47 characters, and one event that knows its SHA-256.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from allmende.core import identity
from allmende.core.events import BatchClosed, Event
from allmende.core.refusals import Refused, Why
from allmende.core.state import State
from allmende.core.units import EnergyRate
from allmende.desk import Desk
from allmende.doors import abroad, asks, lots, market_asks
from allmende.doors.plain import outward
from allmende.doors.sight import Viewer
from allmende.ports import Clock

IDEM_MAX = 200
"""Characters of an idempotency key."""
SECRET_MAX = 4_096
"""Characters of a provider's key."""


class Tools(Struct, frozen=True):
    """What only the outside can do, handed in by `main`.

    `admit` judges a provider's URL (Refused if it leads where it must not); `energy` is
    the rate of a model of so many billion parameters, active and in all, in a country.
    """

    new_key: Callable[[], tuple[str, str]]
    seal: Callable[[str], str]
    admit: Callable[[str, bool], Awaitable[object]]
    energy: Callable[[float, float, str], EnergyRate]
    allow_private: bool = False


class Counter:
    """One per market."""

    def __init__(self, desk: Desk, clock: Clock, tools: Tools) -> None:
        self._desk = desk
        self._clock = clock
        self._tools = tools

    @property
    def state(self) -> State:
        return self._desk.state

    def now(self) -> int:
        return self._clock.now()

    def viewer(self, secret: str) -> Viewer:
        """Whoever holds this API key. Refused(UNKNOWN_KEY)."""
        hash_ = hashlib.sha256(secret.encode(errors="replace")).hexdigest()
        return Viewer(identity.key(self.state, hash_, self.now()))

    async def do(
        self, name: str, fields: Mapping[str, Any], viewer: Viewer, idem: str = ""
    ) -> dict[str, Any]:
        """Done and durable: the events, and for a new key its id and secret. Refused."""
        name = asks.find(name)
        if len(idem) > IDEM_MAX:
            raise Refused(Why.BAD_VALUE, f"An idempotency key has at most {IDEM_MAX} characters.")
        answer: dict[str, Any] = {}
        fields = asks.flat(name, fields)
        given: dict[str, Any] = {}
        if name == "issue_key":
            fields, given, answer = self._with_secret(fields)
        elif name == "post_offer":
            fields, given = await self._sealed(fields, viewer)
        elif name == "add_peer":
            private = fields.get("allow_private", False)
            await self.admit(str(fields.get("url", "")), private, viewer)
        elif name == "send_abroad":
            fields, given = abroad.sent(self.state, fields)
        elif name in asks.EXCHANGE:
            return await self._trade(name, fields, viewer, idem)
        command = asks.command(
            name, fields, by=viewer.key.hash, at=self.now(), idem=idem, given=given
        )
        events = await self._desk.submit(command)
        return {**answer, "events": [outward(_public(event)) for event in events]}

    async def _trade(
        self, name: str, fields: Mapping[str, Any], viewer: Viewer, idem: str
    ) -> dict[str, Any]:
        """A command of the exchange: in lots, and with what the caller left to us."""
        whole, answer = market_asks.complete(self.state, name, fields, viewer, idem)
        lot, instrument = lots.lot_of(self.state, whole), lots.instrument_of(self.state, whole)
        command = asks.command(name, whole, by=viewer.key.hash, at=self.now(), idem=idem, lot=lot)
        try:
            events = await self._desk.submit(command)
        except Refused as refused:
            raise lots.explained(refused, instrument) from None
        plain = (market_asks.told(self.state, _public(event), lot, viewer) for event in events)
        return {**answer, "events": [outward(event) for event in plain]}

    def _with_secret(
        self, fields: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        secret, hash_ = self._tools.new_key()
        id_ = fields.get("id") or f"key-{hash_[:10]}"
        return (
            {"role": "spend", **fields, "id": id_},
            {"hash": hash_},
            {"id": id_, "secret": secret},
        )

    async def _sealed(
        self, fields: Mapping[str, Any], viewer: Viewer
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """An offer with its address judged, its secret sealed and its energy worked out."""
        rest = dict(fields)
        secret, active = rest.pop("secret", ""), rest.pop("active_b", None)
        total = rest.pop("total_b", active)
        await self.admit(str(rest.get("url", "")), rest.get("allow_private", False), viewer)
        given: dict[str, Any] = {"sealed_secret": self.sealed(secret)}
        if active is not None and "energy" not in rest:
            given["energy"] = self._energy(active, total, rest.get("zone"))
        return {"asset": _market_asset(self.state), **rest}, given

    async def admit(self, url: str, private: object, viewer: Viewer) -> None:
        """Whether an offer or a peer may stand at this address. Refused."""
        if private and not (self._tools.allow_private and viewer.operates):
            raise Refused(
                Why.NOT_ALLOWED,
                "Private addresses need an operator's key in a market started with "
                "--allow-private.",
            )
        await self._tools.admit(url, private is True)

    def sealed(self, secret: object) -> str:
        """A provider's key as it may be written down; "" for none. Refused(BAD_VALUE)."""
        if not isinstance(secret, str) or len(secret) > SECRET_MAX:
            raise Refused(Why.BAD_VALUE, f"secret is a text of at most {SECRET_MAX} characters.")
        return self._tools.seal(secret) if secret else ""

    def _energy(self, active: object, total: object, zone: object) -> dict[str, Any]:
        country = zone.get("country", "") if isinstance(zone, dict) else ""
        try:
            rate = self._tools.energy(float(str(active)), float(str(total)), str(country))
        except (ValueError, OverflowError):
            raise Refused(
                Why.BAD_VALUE, "active_b and total_b are billions of parameters, as 8 or 0.135."
            ) from None
        found: dict[str, Any] = msgspec.to_builtins(rate)
        return found


def _market_asset(state: State) -> str:
    """The asset that came with the market: what an offer is paid in if it names none."""
    return next(iter(state.assets))


def _public(event: Event) -> dict[str, Any]:
    """An event as its author may see it: without hashes of keys and sealed secrets."""
    plain: dict[str, Any] = msgspec.to_builtins(event, builtin_types=(bytes,))
    for noun in ("key", "offer"):
        if isinstance(plain.get(noun), dict):
            plain[noun].pop("hash", None)
            plain[noun].pop("sealed_secret", None)
    plain.pop("registry", None)  # all of it, and its author has it
    if isinstance(event, BatchClosed):
        plain["net"] = [posting._asdict() for posting in event.net]
    return {key: value for key, value in plain.items() if key not in ("idem", "digest")}
