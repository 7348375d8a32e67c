"""Chain RPC: the embedded chain's door for wallets, JSON-RPC at /chain.

Rule: what is on the list below is passed on to the node, everything else is refused by its
name; nobody needs a key, since whoever asks can sign only for himself and the rest is public.
Invariant: a request costs at most BATCH_MAX questions, BODY_MAX bytes to read and ANSWER_MAX to
answer; at most WAITING_MAX requests wait; no question burns more than CALL_GAS of gas.
Worked number: a call that loops for ever is stopped after 3 million gas, 1.5 s of the chain's
thread (py-evm burns 2 million a second).

A browser sends `application/json` to another site only after asking, and is never told that it
may: so a foreign page cannot use a visitor's browser to get behind a firewall. MetaMask's own
requests come from its extension and need no such leave.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from allmende.core.refusals import Refused
from allmende.doors.account import bounded_body
from allmende.ports import Ask, ChainFailed

PATH = "/chain"
ALLOWED = frozenset(
    """eth_accounts eth_blockNumber eth_call eth_chainId eth_estimateGas eth_feeHistory
    eth_gasPrice eth_getBalance eth_getBlockByHash eth_getBlockByNumber eth_getCode eth_getLogs
    eth_getStorageAt eth_getTransactionByHash eth_getTransactionCount eth_getTransactionReceipt
    eth_maxPriorityFeePerGas eth_sendRawTransaction eth_syncing net_version
    web3_clientVersion""".split()
)
BODY_MAX = 262_144
"""Bytes; the largest contract creation is 98 kB in hex."""
BATCH_MAX = 50
ANSWER_MAX = 4_194_304
WAITING_MAX = 32
CALL_GAS = 3_000_000
REST = 3
"""So many times as long as a question took, the chain is the market's own: who challenges a batch
and then asks without end must not keep it from being answered."""
PARSE, INVALID, UNKNOWN, PARAMS, BUSY, SERVER, REVERTED = (
    *(-32700, -32600, -32601, -32602, -32005, -32000),
    3,
)
_CODES = {
    "unknown_method": UNKNOWN,
    "bad_params": PARAMS,
    "busy": BUSY,
    "reverted": REVERTED,
}
_WORDS = {
    "reverted": "execution reverted",
    "nonce_too_low": "nonce too low",
    "underpriced": "transaction underpriced",
    "no_funds": "insufficient funds for gas * price + value",
    "wrong_chain": "invalid chain id for signer",
}
"""What wallets and libraries look for in a message; geth's words."""


class ChainRpc:
    """One per market that has an embedded chain."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._waiting = 0
        self._turn = asyncio.Lock()
        """One of the public's questions at a time: the market's own wait for one at most."""
        self._rest: Callable[[float], Awaitable[None]] = asyncio.sleep

    def routes(self) -> list[Route]:
        return [Route(PATH, self.post, methods=["POST"])]

    async def post(self, request: Request) -> Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            return _reply(_error(None, INVALID, "Send application/json."), 415)
        try:
            body = await bounded_body(request, BODY_MAX)
            asked = msgspec.json.decode(body)
        except Refused as refused:
            return _reply(_error(None, INVALID, str(refused)), refused.why.status)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return _reply(_error(None, PARSE, "This is not JSON."), 400)
        if self._waiting >= WAITING_MAX:
            return _reply(_error(None, BUSY, "Too many questions at once; try again."), 429)
        self._waiting += 1
        try:
            return await self._answer(asked)
        finally:
            self._waiting -= 1

    async def _answer(self, asked: Any) -> Response:
        if not isinstance(asked, list):
            return _reply(await self._one(asked))
        if not 0 < len(asked) <= BATCH_MAX:
            return _reply(_error(None, INVALID, f"A batch has 1 to {BATCH_MAX} questions."), 400)
        told: list[bytes] = []
        room = ANSWER_MAX
        for question in asked:
            answer = await self._one(question)
            if room < len(answer):
                answer = _error(_id(question), BUSY, "The batch's answer is too large.")
            room -= len(answer)
            told.append(answer)
        return _reply(b"[" + b",".join(told) + b"]")

    async def _one(self, question: Any) -> bytes:
        """The answer to one question, whatever it is."""
        number = _id(question)
        if not isinstance(question, dict) or question.get("jsonrpc") != "2.0" or number is None:
            return _error(number, INVALID, "Send jsonrpc 2.0 with id, method and params.")
        method, params = question.get("method"), question.get("params", [])
        if not isinstance(method, str) or method not in ALLOWED:
            return _error(number, UNKNOWN, f"{str(method)[:60]} is not offered here.")
        if not isinstance(params, list):
            return _error(number, PARAMS, "params is a list.")
        try:
            async with self._turn:
                begun = time.perf_counter()
                try:
                    result = await self._ask(method, _bounded(method, params))
                finally:
                    await self._rest(REST * (time.perf_counter() - begun))
        except ChainFailed as failed:
            return _failed(number, failed)
        return msgspec.json.encode({"jsonrpc": "2.0", "id": number, "result": result})


def _bounded(method: str, params: list[Any]) -> list[Any]:
    """The same question, but with an end to what it may burn."""
    if method in ("eth_call", "eth_estimateGas") and params and isinstance(params[0], dict):
        fields = dict(params[0])
        try:
            wanted = int(str(fields.get("gas") or hex(CALL_GAS)), 16)
        except ValueError:
            return params  # the node says what is wrong with it
        return [{**fields, "gas": hex(min(max(wanted, 0), CALL_GAS))}, *params[1:]]
    return params


def _failed(number: Any, failed: ChainFailed) -> bytes:
    word = _WORDS.get(failed.cause, "")
    detail = "" if failed.detail == word else failed.detail
    text = ": ".join(part for part in (word, detail) if part)
    data = "0x" + failed.data.hex() if failed.cause == "reverted" else None
    return _error(number, _CODES.get(failed.cause, SERVER), text, data)


def _id(question: Any) -> Any:
    """A text or a number, else None: we do not answer notifications."""
    number = question.get("id") if isinstance(question, dict) else None
    plain = isinstance(number, int | str) and not isinstance(number, bool)
    return number if plain and len(str(number)) <= 64 else None


def _error(number: Any, code: int, message: str, data: str | None = None) -> bytes:
    error: dict[str, Any] = {"code": code, "message": message[:1_000]}
    if data is not None:
        error["data"] = data
    return msgspec.json.encode({"jsonrpc": "2.0", "id": number, "error": error})


def _reply(body: bytes, status: int = 200) -> Response:
    return Response(body, status, media_type="application/json")
