"""Pages: the market as people see it, in the order of a token's life.

Rule: a page gathers what its viewer may see and renders it on the server; its forms post
to the very commands that programs use.
Invariant: everything is escaped; a page works without a script, which only copies, and
adds receipts as they happen.
Worked number: the whole look is one style sheet and one script of some sixty lines.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from allmende.core.refusals import Refused, Why
from allmende.doors import assets, forms, lookups, words
from allmende.doors.account import events
from allmende.doors.browser import LANGUAGE, Doorman, form, require_own_page
from allmende.doors.chain_page import ChainPage
from allmende.doors.counter import Counter
from allmende.doors.gather import Gather, Seen
from allmende.doors.gather_market import GatherMarket
from allmende.doors.gather_orders import GatherOrders
from allmende.doors.history import History
from allmende.doors.live import Live
from allmende.doors.observatory.observatory import Observatory
from allmende.doors.page import Page as Page
from allmende.doors.sight import Viewer

YEAR_S = 31_536_000
STAGES = {
    "issue": ("members", ("members",)),
    "trade": ("offers", ("offers", "market")),
    "spend": ("budgets", ("budgets", "keys", "receipts")),
    "verify": ("verify", ("verify",)),
    "settle": ("settle", ("settle", "chain")),
    "govern": ("govern", ("govern", "govern/simulation", "govern/levy", "govern/juries")),
    "observe": ("observe", ()),
}
"""Stage -> the page it leads to, and the pages that belong to it; observing has its sections."""
ABOVE = {
    "receipt": "receipts",
    **dict.fromkeys(("instrument", "trade", "issue", "order"), "market"),
}
"""A page that no navigation lists -> the one that leads to it."""


class Pages:
    """The pages of one market."""

    def __init__(
        self,
        counter: Counter,
        history: History,
        gather: Gather,
        exchange: tuple[GatherMarket, GatherOrders],
        chain: ChainPage,
        observatory: Observatory,
        live: Live,
        doorman: Doorman,
        govern: Mapping[str, Page],
        more: Mapping[str, Page] | None = None,
    ) -> None:
        """`more` are pages that not every market has; they belong to settling."""
        self._counter = counter
        self._history = history
        self._trouble = chain.trouble
        self._live = live
        self._doorman = doorman
        self._words = words.load()
        self._assets = assets.assets()
        self._templates = assets.templates()
        seeing = {
            name: Page(path, shows, open=True)
            for name, (path, shows) in observatory.pages().items()
        }
        self._observatory = observatory
        self._pages = {**_pages(gather, exchange, chain), **seeing, **govern, **(more or {})}
        head, listed = STAGES["settle"]
        self._stages = {
            **STAGES,
            "settle": (head, (*listed, *(more or {}))),
            "observe": ("observe", tuple(seeing)),
        }

    def routes(self) -> list[Route]:
        found = [Route(page.path, self._shows(name)) for name, page in self._pages.items()]
        return [
            *found,
            Route("/sign-in", self.sign_in, methods=["GET", "POST"]),
            Route("/sign-out", self.sign_out, methods=["POST"]),
            Route("/do/{command}", self.do, methods=["POST"]),
            Route("/live", self.live),
            *self._observatory.routes(),
            Route("/receipts/{id}/file", self.file),
            Route("/static/{name}", self.static),
        ]

    def _shows(self, name: str) -> Callable[[Request], Awaitable[Response]]:
        async def show(request: Request) -> Response:
            return await self._show(name, request)

        return show

    # --- reading -------------------------------------------------------------------------

    async def _show(
        self, name: str, request: Request, place: forms.Place | None = None, **more: Any
    ) -> Response:
        """A page, or the way to sign in where it needs a key. `place`: a form on it was sent."""
        page, viewer = self._pages[name], self._doorman.viewer(request)
        if viewer is None and not page.open:
            return _to_sign_in(request.url.path, request.url.query)
        seen = Seen(viewer, dict(request.query_params), request.path_params)
        if place is not None:
            seen = Seen(viewer, place.query, place.path)
        found = await page.gather(seen)
        return self._render(name, request, viewer, **{**found, **more})

    def _render(
        self,
        name: str,
        request: Request,
        viewer: Viewer | None,
        status: int = 200,
        **context: Any,
    ) -> Response:
        asked = request.query_params.get("lang", "")
        language = self._language(request)
        head = ABOVE.get(name, name)
        stage = next((stage for stage, (_, pages) in self._stages.items() if head in pages), "")
        text = self._templates.get_template(f"{name}.html").render(
            t=self._words[language],
            languages=words.LANGUAGES,
            page=head,
            stage=stage,
            stages=self._stages,
            viewer=viewer,
            market=lookups.market(self._counter.state),
            base_url=self._base_url(request),
            path=request.url.path,
            done=request.query_params.get("done", ""),
            trouble=self._trouble(),
            version={asset: found.version for asset, found in self._assets.items()},
            **{"error": None, "values": {}, **context},
        )
        response = HTMLResponse(text, status, headers={"cache-control": "no-store"})
        if asked in words.LANGUAGES:
            response.set_cookie(LANGUAGE, asked, max_age=YEAR_S, samesite="lax")
        return response

    def _base_url(self, request: Request) -> str:
        """Where programs reach us, as this browser did."""
        scheme = "https" if self._doorman.secure else request.url.scheme
        return f"{scheme}://{request.url.netloc}"

    def _language(self, request: Request) -> str:
        return words.choose(
            request.query_params.get("lang", ""),
            request.cookies.get(LANGUAGE, ""),
            request.headers.get("accept-language", ""),
        )

    async def told(self, request: Request, refused: Refused) -> Response:
        """A refusal as a page."""
        viewer = self._doorman.viewer(request)
        return self._render("refused", request, viewer, refused.why.status, error=refused)

    async def live(self, request: Request) -> Response:
        """Receipts as they happen, each as the line that the page shows."""
        viewer = self._doorman.viewer(request)
        if viewer is None:
            raise Refused(Why.UNKNOWN_KEY)
        language = self._words[self._language(request)]
        template = self._templates.get_template("line.html")

        def line(row: dict[str, Any]) -> bytes:
            html = template.render(t=language, row=row)
            return msgspec.json.encode({"id": row["id"], "html": html})

        last = request.headers.get("last-event-id", "")
        return events(await self._live.listen(viewer, last, line))

    async def file(self, request: Request) -> Response:
        """A receipt's proof, to keep."""
        viewer = self._doorman.viewer(request)
        if viewer is None:
            return _to_sign_in(request.url.path)
        data = await self._history.receipt_file(viewer, request.path_params["id"])
        return Response(data, media_type="application/json")

    async def static(self, request: Request) -> Response:
        asset = self._assets.get(request.path_params["name"])
        if asset is None:
            raise Refused(Why.NOT_FOUND)
        kept = "public, max-age=31536000, immutable"
        return Response(asset.body, media_type=asset.kind, headers={"cache-control": kept})

    # --- doing ---------------------------------------------------------------------------

    async def do(self, request: Request) -> Response:
        """A form's command; a refusal is told on the page that the form stands on."""
        name = request.path_params["command"]
        if name not in forms.PAGES and name not in forms.EXCHANGE:
            raise Refused(Why.NOT_FOUND)
        viewer = self._doorman.viewer(request)
        if viewer is None:
            return RedirectResponse(f"/sign-in?next=/{forms.PAGES.get(name, 'market')}", 303)
        sent = await form(request)
        place = forms.place(name, sent)
        if place.page not in self._pages:  # not every market has all of them
            raise Refused(Why.NOT_FOUND)
        try:
            fields = forms.fields(name, sent)
            answer = await self._counter.do(name, fields, viewer, sent.get("_idem", ""))
        except Refused as refused:
            kept = {key: value for key, value in sent.items() if key != "secret"}
            more = {"error": refused, "status": refused.why.status, "values": {name: kept}}
            return await self._show(place.page, request, place, **more)
        if "secret" in answer:
            return self._render("secret", request, viewer, answer=answer)
        return RedirectResponse(place.done(name, answer), 303)

    async def sign_in(self, request: Request) -> Response:
        to = _inside(request.query_params.get("next", "/"))
        if request.method == "GET":
            return self._render("sign_in", request, self._doorman.viewer(request), to=to)
        sent = await form(request)
        try:
            viewer = self._counter.viewer(sent.get("key", ""))
        except Refused as refused:
            return self._render("sign_in", request, None, 401, to=to, error=refused)
        response = RedirectResponse(_inside(sent.get("next", "/")), 303)
        self._doorman.sign_in(request, response, viewer)
        return response

    async def sign_out(self, request: Request) -> Response:
        require_own_page(request)
        response = RedirectResponse("/", 303)
        self._doorman.sign_out(request, response)
        return response


def _to_sign_in(path: str, query: str = "") -> Response:
    """Sign in, and then come back here."""
    to = f"{path}?{query}" if query else path
    return RedirectResponse(f"/sign-in?{urlencode({'next': to})}", 303)


def _inside(path: str) -> str:
    """A path of this market, whatever was asked: nobody is sent elsewhere after signing in."""
    plain = path.startswith("/") and not path.startswith("//") and "\\" not in path
    return path if plain and path.isprintable() else "/"


def _pages(
    gather: Gather, exchange: tuple[GatherMarket, GatherOrders], chain: ChainPage
) -> dict[str, Page]:
    """Those that every market has."""
    market, orders = exchange
    return {
        "home": Page("/", gather.home, open=True),
        "members": Page("/members", gather.members),
        "offers": Page("/offers", gather.offers, open=True),
        "budgets": Page("/budgets", gather.budgets),
        "keys": Page("/keys", gather.keys),
        "receipts": Page("/receipts", gather.receipts),
        "receipt": Page("/receipts/{id}", gather.receipt),
        "verify": Page("/verify", gather.verify, open=True),
        "settle": Page("/settle", gather.settle, open=True),
        "chain": Page("/chain", chain.page, open=True),
        "market": Page("/market", market.market, open=True),
        "instrument": Page("/market/{id}", market.instrument, open=True),
        "trade": Page("/market/{id}/trade", orders.trade),
        "issue": Page("/market/{id}/issue", orders.issue),
        "order": Page("/market/{id}/orders/{order}", orders.order),
    }
