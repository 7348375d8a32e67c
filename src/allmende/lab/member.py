"""Member: somebody with a wallet in the demo, as the market's pages would see him.

Rule: what a member does here is what the script of /wallet does: sign in, ask for what is ready
to be signed or sent, show it, sign it, send it.
Invariant: its session is a cookie and its wallet a key; neither leaves this object.
Worked number: a first deposit is two transactions, approve and deposit.
"""

from __future__ import annotations

import json
from http.cookiejar import CookieJar
from typing import Any
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, ProxyHandler, Request, build_opener

from allmende.core.identity import wallet_member
from allmende.lab.served import Served, sent
from allmende.lab.wallet import Wallet


class Member:
    """One wallet at one market. `id` is its account there once it has signed in."""

    def __init__(self, market: Served, node: str) -> None:
        """`node` is where its wallet reaches the chain."""
        self.wallet = Wallet(node)
        self.id = wallet_member(self.wallet.address)
        self._url = market.url
        self._opener = build_opener(ProxyHandler({}), HTTPCookieProcessor(CookieJar()))

    def sign_in(self) -> None:
        """EIP-4361: no password, no e-mail."""
        said = self.post("nonce", {"address": self.wallet.address})["message"]
        self.post("login", {"message": said, "signature": self.wallet.sign_text(said)})

    def permit(self, more: str, **terms: Any) -> dict[str, Any]:
        """Sign that so many credits may be spent; of a session the answer has its key."""
        asked: dict[str, Any] = {"more": more, **terms}
        draft = self.get("permit", **asked)
        names = ("lane", "limit", "key", "expires", "models", "keeps")
        signed = {name: draft[name] for name in names}
        signature = self.wallet.sign_typed(draft["typed_data"])
        answer: dict[str, Any] = self.post("permit", {**signed, "signature": signature})
        return answer

    def order(self, what: str, **fields: Any) -> dict[str, Any]:
        """A move or a wrap, by signature alone."""
        typed = self.get(what, **fields)["typed_data"]
        signed = {"message": typed["message"], "signature": self.wallet.sign_typed(typed)}
        answer: dict[str, Any] = self.post(what, signed)
        return answer

    def send(self, what: str, **fields: Any) -> int:
        """What the market made ready, sent by the wallet itself: the gas it took."""
        calls = self.get(what, **fields)["calls"]
        return sum(self.wallet.send(one["to"], one["data"])["gasUsed"] for one in calls)

    def get(self, path: str, **query: Any) -> Any:
        return json.loads(self.fetch(path, **query))

    def fetch(self, path: str, **query: Any) -> bytes:
        lists = {k: ",".join(v) if isinstance(v, list) else v for k, v in query.items()}
        return sent(
            self._opener, Request(self._at(path) + ("?" + urlencode(lists) if lists else ""))
        )

    def post(self, path: str, fields: dict[str, Any]) -> Any:
        head = {"Content-Type": "application/json", "Origin": self._url}
        return json.loads(
            sent(self._opener, Request(self._at(path), json.dumps(fields).encode(), head))
        )

    def _at(self, path: str) -> str:
        return f"{self._url}/api/wallet{'/' + path if path else ''}"
