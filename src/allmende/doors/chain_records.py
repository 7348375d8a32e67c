"""Chain records: which contracts a market has, as files that anyone may read.

Rule: what is told is the record in the data directory, in the same bytes.
Invariant: nothing in it is secret, and nothing that could not be found on the chain again.
Worked number: `null` is the record of a market that has no such contracts.
"""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from allmende.custody import Deployment
from allmende.doors.account import Handler
from allmende.doors.chain_look import Readable
from allmende.institutions import Institutions


class ChainRecords:
    """One per market; the fields are set when the contracts stand."""

    def __init__(self) -> None:
        self.custody: Readable | None = None
        self.institutions: Institutions | None = None
        self.lookups: dict[str, tuple[Handler, str]] = {
            "/api/chain/deployment": (self._custody, "For `allmende chain verify`. Public."),
            "/api/chain/institutions": (self._members, "The members' contracts. Public."),
        }

    async def _custody(self, _: Request) -> Response:
        return _file(None if self.custody is None else self.custody.deployment)

    async def _members(self, _: Request) -> Response:
        return _file(self.institutions)


def _file(record: Deployment | Institutions | None) -> Response:
    text = msgspec.json.format(msgspec.json.encode(record, order="deterministic"))
    return Response(text + b"\n", media_type="application/json")
