"""Leaving: a member's own export, with all that proves what happened.

Rule: who may act for a member may take its tree: its manager, a manager above it, an operator.
What others own is in it only where it is on the member's own receipts.
Invariant: the same names and fields as the market's own journal, every amount an integer; no
secret is in it, neither a key nor a provider's sealed one.
Worked number: an export of 10_000 receipts reads and hashes each frame and each batch once.

docs/portability.md says the format field by field.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from importlib.metadata import version
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from allmende.core.identity import allow
from allmende.core.refusals import Refused, Why
from allmende.desk import Desk
from allmende.doors import lookups
from allmende.doors.account import viewer_of
from allmende.doors.browser import Doorman
from allmende.doors.counter import Counter
from allmende.doors.history import PAGE_MAX, History
from allmende.doors.sight import Viewer
from allmende.ports import Views
from allmende.wire import portable, tree
from allmende.wire.portable import Entry, Manifest
from allmende.wire.snapshot import fingerprint

HISTORY = ("movements", "orders", "fills", "claims", "settlements")
"""Read models that go along as they are, newest first."""
IN_MEMORY, CHUNK = 1 << 23, 1 << 16
BREATH = 50
"""Receipts between two looks at other requests."""

Row = dict[str, Any]


class Growing(Protocol):
    def write(self, chunk: bytes, /) -> object: ...


class Pack(Protocol):
    """A file of named entries, and a manifest of them."""

    entries: dict[str, Entry]

    def add(self, name: str, chunks: Iterable[bytes]) -> None: ...
    def entry(self, name: str) -> AbstractContextManager[Growing]: ...
    def close(self, manifest: Manifest) -> None: ...


class Leaving:
    """One per market. `pack`, if there is one, makes an open file one of named entries."""

    def __init__(
        self,
        desk: Desk,
        counter: Counter,
        views: Views,
        history: History,
        doorman: Doorman,
        pack: Callable[[IO[bytes]], Pack] | None,
    ) -> None:
        self._desk = desk
        self._counter = counter
        self._views = views
        self._history = history
        self._doorman = doorman
        self._pack = pack
        self.lookups: Mapping[str, tuple[Callable[[Request], Any], str]] = {
            "/api/export_member": (self.api, "A member's own export: ?member=ID. Its managers."),
        }

    def routes(self) -> list[Route]:
        return [Route("/members/{id}/export", self.page)]

    async def api(self, request: Request) -> Response:
        """`member` once or more often."""
        viewer = viewer_of(self._counter, request)
        return await self._file(viewer, request.query_params.getlist("member"))

    async def page(self, request: Request) -> Response:
        viewer = self._doorman.viewer(request)
        if viewer is None:
            raise Refused(Why.UNKNOWN_KEY)
        return await self._file(viewer, [request.path_params["id"]])

    async def _file(self, viewer: Viewer, tops: list[str]) -> Response:
        for top in tops:  # before anything is said of who is there
            allow(self._desk.state, viewer.key.hash, top, self._counter.now())
        found = tree.inside(self._desk.state, tops)
        await self._history.fresh()
        file = await self._made(found, tuple(dict.fromkeys(tops)))
        headers = {
            "content-disposition": f'attachment; filename="{tops[0]}.zip"',
            "cache-control": "no-store",
        }
        return StreamingResponse(_chunks(file), media_type="application/zip", headers=headers)

    async def _made(self, members: list[str], tops: tuple[str, ...]) -> IO[bytes]:
        """The whole export, in a file that is gone when it is closed."""
        with ExitStack() as stack:
            file: IO[bytes] = stack.enter_context(SpooledTemporaryFile(IN_MEMORY))
            if self._pack is None:
                raise Refused(Why.NOT_FOUND, "This market packs no exports.")
            pack, manifest = self._pack(file), self._now(members, tops)
            for name, data in self._entries(members):
                pack.add(name, [data])
            await self._happened(pack, members)
            pack.close(msgspec.structs.replace(manifest, entries=pack.entries))
            file.seek(0)
            stack.pop_all()
        return file

    async def _happened(self, pack: Pack, members: list[str]) -> None:
        """Histories, newest first; receipts are those that they paid or that paid them."""
        for name in HISTORY:
            with pack.entry(f"{name}.jsonl") as entry:
                async for row in self._rows(name, accounts=members):
                    entry.write(msgspec.json.encode(row) + b"\n")
        prover, told = self._history.prover(), 0
        with pack.entry(portable.RECEIPTS) as entry:
            async for row in self._rows("receipts", accounts=members, providers=members):
                entry.write(await prover.line(row) + b"\n")
                told += 1
                if told % BREATH == 0:
                    await asyncio.sleep(0)

    def _now(self, members: list[str], tops: tuple[str, ...]) -> Manifest:
        """Of the state as it is now, which the entries that follow at once are of as well."""
        desk = self._desk
        return Manifest(
            format=portable.MEMBER,
            software=version("allmende"),
            state=fingerprint().decode(),
            market=lookups.market(desk.state),
            events=desk.number,
            head=desk.head.hex(),
            digest=tree.digest(tree.tree_of(desk.state, members)),
            members=tops,
            entries={},
        )

    def _entries(self, members: list[str]) -> Iterator[tuple[str, bytes]]:
        state = self._desk.state
        yield portable.TREE, tree.encode(tree.tree_of(state, members))
        opened = msgspec.json.encode(tree.open_of(state, members))
        yield portable.OPEN, msgspec.json.format(opened, indent=1) + b"\n"
        rules = msgspec.json.encode(lookups.parameters(state))
        yield portable.PARAMETERS, msgspec.json.format(rules, indent=1) + b"\n"

    async def _rows(self, name: str, **grants: list[str]) -> AsyncIterator[Row]:
        """All rows of a read model, page by page."""
        before: dict[str, int] = {}
        while True:
            found = await self._views.rows(name, limit=PAGE_MAX, **grants, **before)
            rows: list[Row] = [dict(row) for row in found]
            for row in rows:
                yield row
            if len(rows) < PAGE_MAX:
                return
            before = {"before": rows[-1]["number"]}


async def _chunks(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        while chunk := file.read(CHUNK):
            yield chunk
