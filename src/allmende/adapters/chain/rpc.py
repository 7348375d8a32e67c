"""RPC: any other node, by JSON-RPC over HTTP.

Rule: a request goes out once; whoever asked decides whether to ask again. What a node says
went wrong becomes one of the port's causes by its own words, which differ from node to node.
Invariant: the node's address is in no error: providers of nodes put their keys into it.
Worked number: an answer of more than 16 MiB is not read to its end.

Sources of the words: go-ethereum core/txpool/errors.go and core/error.go, Besu
TransactionInvalidReason, Foundry anvil eth/error.rs; read in 2026.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import count
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import msgspec

from allmende.adapters.chain.reader import Reader
from allmende.adapters.chain.words import reason
from allmende.ports import Call, ChainFailed, Upstream, UpstreamFailed

ANSWER_MAX = 1 << 24
PATIENCE_S = 20.0
REVERTED = 3
"""go-ethereum's code for it; the message is then often the contract's own."""

_CAUSES = tuple(
    (re.compile(pattern, re.IGNORECASE), cause)
    for pattern, cause in (
        (r"revert", "reverted"),  # first: a contract's own words follow, and can be any of these
        (r"already known|already imported|known transaction", "known"),
        (r"nonce.{0,12}too low|nonce below|nonce is too low", "nonce_too_low"),
        (r"underpriced|fee.{0,24}(less than|below|too low)|gas price.{0,12}too low", "underpriced"),
        (r"insufficient|exceeds.{0,24}balance|upfront cost|doesn't have enough", "no_funds"),
        (r"chain.?id|wrong chain|replay.protected", "wrong_chain"),
    )
)


class HttpNode:
    """JSON-RPC at one address. `private` lets that be one of this machine's networks."""

    def __init__(self, upstream: Upstream, url: str, *, private: bool = False) -> None:
        self._upstream = upstream
        self._base, self._last = _split(url)
        self._private = private
        self._ids = count(1)

    async def ask(self, method: str, params: Sequence[Any] = ()) -> Any:
        """The result as JSON values. ChainFailed."""
        number = next(self._ids)
        question = {"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)}
        reply = _reply(await self._post(msgspec.json.encode(question)))
        if "error" in reply:
            raise _failed(reply["error"])
        if reply.get("id") != number or "result" not in reply:
            raise ChainFailed("garbled", f"the node did not answer {method}")
        return reply["result"]

    async def _post(self, body: bytes) -> bytes:
        call = Call(
            url=self._base,
            path=self._last,
            body=body,
            allow_private=self._private,
            first_byte_s=PATIENCE_S,
            idle_s=PATIENCE_S,
        )
        try:
            answer = await self._upstream.open(call)
            text = await answer.read(ANSWER_MAX)
        except UpstreamFailed as failed:
            cause = "timeout" if failed.cause == "timeout" else "unreachable"
            raise ChainFailed(cause, f"the node does not answer: {failed.cause}") from None
        if answer.status == 429 or answer.status >= 500:
            raise ChainFailed("busy", f"the node answers {answer.status}")
        return text

    async def close(self) -> None:
        """Nothing of ours is open; the upstream belongs to whoever gave it."""


def chain_at(upstream: Upstream, url: str, *, private: bool = False) -> Reader:
    """ports.Chain at this address."""
    node = HttpNode(upstream, url, private=private)
    return Reader(node.ask, node.close)


def _split(url: str) -> tuple[str, str]:
    """(the address without its last step, that step): the upstream joins them by one slash."""
    parts = urlsplit(url)
    base, _, last = parts.path.rpartition("/")
    return urlunsplit((parts.scheme, parts.netloc, base, parts.query, "")), last


def _reply(text: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise ChainFailed("garbled", "the node did not answer with a JSON object") from None


def _failed(error: Any) -> ChainFailed:
    """The node's error in the port's words."""
    if not isinstance(error, dict):
        return ChainFailed("garbled", "the node's error is not an object")
    text, code = str(error.get("message", ""))[:300], error.get("code")
    data = _data(error.get("data"))
    if code in (-32601, -32602):
        return ChainFailed("unknown_method" if code == -32601 else "bad_params", text)
    if code == -32005:
        return ChainFailed("busy", text)
    cause = next((cause for words, cause in _CAUSES if words.search(text)), "failed")
    if code == REVERTED or reason(data):  # whatever a contract says, it is not the node's word
        cause = "reverted"
    return ChainFailed(cause, reason(data) or text if cause == "reverted" else text, data)


def _data(told: Any) -> bytes:
    """What the contract gave back, if the node passed it on."""
    if isinstance(told, dict):  # some nodes wrap it once more
        told = told.get("data")
    text = told if isinstance(told, str) else ""
    return bytes.fromhex(text[2:]) if re.fullmatch(r"0x([0-9a-fA-F]{2})*", text) else b""
