"""Observatory: who gains, who depends on whom, and what it costs: its pages and their data.

Rule: a section is gathered once per request, for a page or for one of its tables as a file.
Invariant: the same address, viewer and moment give page and file the same rows.
Worked number: ten sections are ten tabs under /observe and one route for all their files.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from allmende.core.refusals import Refused, Why
from allmende.doors.browser import Doorman
from allmende.doors.gather import Seen
from allmende.doors.observatory import files, windows
from allmende.doors.observatory.frame import Asked, Found, Parquet, Section, Sources, Table
from allmende.doors.observatory.sections import sections

OVERVIEW = "overview"


class Observatory:
    """One per market. Without `parquet` (an extra) tables leave as CSV only."""

    def __init__(self, sources: Sources, doorman: Doorman, parquet: Parquet | None = None) -> None:
        self._sources = sources
        self._doorman = doorman
        self._parquet = parquet
        self._sections = {section.name: section for section in sections(sources)}

    def pages(self) -> dict[str, tuple[str, Callable[[Seen], Awaitable[dict[str, Any]]]]]:
        """Name of the page (and of its template and tab) -> path and what it shows."""
        return {_page(name): (f"/{_page(name)}", self._shows(name)) for name in self._sections}

    def routes(self) -> list[Route]:
        return [Route("/observe/data/{file}", self.data)]

    async def data(self, request: Request) -> Response:
        """A table as a file: <section>.<table>.csv or .parquet, in the window of the address."""
        name, _, rest = request.path_params["file"].partition(".")
        table_name, _, kind = rest.partition(".")
        if name not in self._sections or kind not in files.KINDS:
            raise Refused(Why.NOT_FOUND)
        seen = Seen(self._doorman.viewer(request), dict(request.query_params), {})
        _, found = await self._gathered(self._sections[name], seen)
        table = found.tables.get(table_name)
        if table is None:
            raise Refused(Why.NOT_FOUND, f"Tables of {name}: {', '.join(found.tables)}.")
        if kind == "parquet":
            body = await self._as_parquet(table)
        else:
            body = files.to_csv(table)
        headers = {
            "content-disposition": f'attachment; filename="{name}.{table_name}.{kind}"',
            "cache-control": "no-store",
        }
        return Response(body, media_type=files.KINDS[kind], headers=headers)

    async def _as_parquet(self, table: Table) -> bytes:
        if self._parquet is None:
            raise Refused(Why.NOT_FOUND, "This market writes no Parquet; take the .csv.")
        return await asyncio.to_thread(self._parquet, table.rows, table.amounts)

    def _shows(self, name: str) -> Callable[[Seen], Awaitable[dict[str, Any]]]:
        async def show(seen: Seen) -> dict[str, Any]:
            section = self._sections[name]
            asked, found = await self._gathered(section, seen)
            return {
                **found.shows,
                "section": name,
                "window": asked.window if section.windowed else None,
                "tables": list(found.tables),
                "kinds": ("csv", "parquet") if self._parquet else ("csv",),
                "asked": dict(seen.query),
                "min_cell": 0 if asked.operates else self._sources.min_cell,
            }

        return show

    async def _gathered(self, section: Section, seen: Seen) -> tuple[Asked, Found]:
        await self._sources.history.fresh()
        asked = Asked(seen, windows.window(seen.query, self._sources.clock.now()))
        return asked, await section.gather(asked)


def _page(name: str) -> str:
    return "observe" if name == OVERVIEW else f"observe/{name}"
