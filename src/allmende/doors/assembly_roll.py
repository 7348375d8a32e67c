"""Assembly, roll: credentials by which wallets vote as members.

Rule: an operator says which member has which wallet; the market's chain key, the registrar, signs
it. Who it is stands nowhere on the chain: the member is a hash, salted with what only this
market can make.
Invariant: one member has one hash, so it counts once, however many credentials it was given.
Worked number: POST /api/assembly/credential {"member": "ada", "wallet": "0x…", "days": 90}.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from allmende.core.identity import find_member
from allmende.core.refusals import Refused, Why
from allmende.core.units import SECOND
from allmende.desk import Desk
from allmende.doors.account import fields_of, reply, viewer_of
from allmende.doors.assembly_follow import AssemblyFollow
from allmende.doors.counter import Counter
from allmende.doors.sight import require_operator
from allmende.doors.wallet_kit import address_of, read
from allmende.ports import Clock
from allmende.signing import Signing
from allmende.wire.credential import Credential, credential_digest, member_hash

PATH = "/api/assembly/credential"
SALT = b"Allmende Assembly: members' salt"
DAY_S, DAYS_MAX = 86_400, 3_650
KINDS = ("person", "organisation")
"""Members that have a vote; a provider or an operator has one as the person that it is."""


class Wanted(Struct, frozen=True, forbid_unknown_fields=True):
    member: str
    wallet: str
    days: int = 365


class AssemblyRoll:
    """One per market on a chain."""

    def __init__(
        self,
        desk: Desk,
        counter: Counter,
        clock: Clock,
        keys: Signing,
        following: Callable[[], AssemblyFollow | None],
    ) -> None:
        self._desk = desk
        self._counter = counter
        self._clock = clock
        self._keys = keys
        self._following = following

    def routes(self) -> list[Route]:
        return [Route(PATH, self.give, methods=["POST"])]

    async def give(self, request: Request) -> Response:
        require_operator(viewer_of(self._counter, request))
        return reply(self.credential(read(Wanted, await fields_of(request))))

    def credential(self, wanted: Wanted) -> dict[str, object]:
        """Refused for whom it is not."""
        follow = self._following()
        if follow is None:
            raise Refused(Why.NOT_FOUND, "This market has no assembly, or it does not stand yet.")
        member = find_member(self._desk.state, wanted.member)
        if member.kind not in KINDS:
            raise Refused(Why.NOT_ALLOWED, f"{member.id!r} is a {member.kind}; {KINDS} vote.")
        if not 1 <= wanted.days <= DAYS_MAX:
            raise Refused(Why.BAD_VALUE, f"A credential holds 1 to {DAYS_MAX} days.")
        expiry = self._clock.now() // SECOND + wanted.days * DAY_S
        wallet = address_of(wanted.wallet)
        said = Credential(self.hash(member.id), bytes.fromhex(wallet[2:]), expiry)
        charter = follow.charter
        where = (charter.chain_id, bytes.fromhex(charter.assembly[2:]))
        signed = self._keys.sign_market(credential_digest(*where, said, self._keys.keccak))
        return {
            "member": "0x" + said.member.hex(),
            "wallet": wallet,
            "expiry": expiry,
            "assembly": charter.assembly,
            "chain_id": charter.chain_id,
            "signature": "0x" + signed.hex(),
        }

    def hash(self, member: str) -> bytes:
        """A member's on the chain. The salt is a signature, which nobody else can make."""
        keccak = self._keys.keccak
        return member_hash(keccak(self._keys.sign_market(keccak(SALT))), member, keccak)
