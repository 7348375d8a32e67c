"""Client: the command line's own thin HTTP client of a running market.

Every error says what to do next. Exit codes: 1 the market refused, 2 wrong usage (click's),
3 no market answered.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import ProxyHandler, Request, build_opener

import click

TIMEOUT_S, DOWNLOAD_S = 30.0, 900.0
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Failed(click.ClickException):
    """The market or a file said no: what the person at the terminal reads.

    `facts` is the market's error object, where one came.
    """

    def __init__(self, message: str, facts: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.facts = facts or {}


class Unreachable(Failed):
    """No market answered."""

    exit_code = 3


class Client:
    """Talks to the market at `url` with `key`. Raises Failed."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url.rstrip("/")
        self._key = key
        # A proxy that cannot reach this very machine is a common surprise: go straight.
        local = urlsplit(self.url).hostname in LOOPBACK
        self._opener = build_opener(ProxyHandler({})) if local else build_opener()

    def get(self, path: str, **query: object) -> Any:
        """JSON of GET /api/<path>; queries that are None or empty are left out."""
        return json.loads(self.fetch(path, **query))

    def fetch(self, path: str, **query: object) -> bytes:
        with self._open(_request(self._address(path, query), self._headers())) as answer:
            return bytes(answer.read())

    def public(self, path: str, **query: object) -> bytes:
        """The same of what anybody may see: without a key, if there is none."""
        headers = self._headers() if self._key else {}
        with self._open(_request(self._address(path, query), headers)) as answer:
            return bytes(answer.read())

    def download(self, path: str, **query: object) -> bytes:
        """As fetch, of what takes a while to make."""
        request = _request(self._address(path, query), self._headers())
        with self._open(request, DOWNLOAD_S) as answer:
            return bytes(answer.read())

    def lines(self, path: str, **query: object) -> Iterator[bytes]:
        with self._open(_request(self._address(path, query), self._headers())) as answer:
            yield from answer

    def ask(self, command: str, fields: Mapping[str, Any], idem: str = "") -> Any:
        """POST /api/<command>."""
        return self.send(command, json.dumps(dict(fields)).encode(), idem)

    def send(self, command: str, body: bytes, idem: str = "") -> Any:
        """POST /api/<command> with a body of JSON that is written already."""
        headers = {**self._headers(), "Content-Type": "application/json"}
        if idem:
            headers["Idempotency-Key"] = idem
        with self._open(_request(self._address(command, {}), headers, body)) as answer:
            return json.loads(answer.read())

    def _address(self, path: str, query: Mapping[str, object]) -> str:
        told = {name: value for name, value in query.items() if value not in (None, "")}
        return f"{self.url}/api/{quote(path)}" + (f"?{urlencode(told, doseq=True)}" if told else "")

    def _headers(self) -> dict[str, str]:
        if not self._key:
            raise Failed("Which key? Give --key or set ALLMENDE_KEY; `allmende serve` prints one.")
        return {"Authorization": f"Bearer {self._key}"}

    def _open(self, request: Request, timeout_s: float = TIMEOUT_S) -> HTTPResponse:
        try:
            answer: HTTPResponse = self._opener.open(request, timeout=timeout_s)
        except HTTPError as error:
            raise _failed(error) from None
        except (URLError, HTTPException, OSError) as error:
            reason = getattr(error, "reason", error)
            raise Unreachable(
                f"No market answers at {self.url} ({reason}). Start one with `allmende serve`, "
                "or name another with --url or ALLMENDE_URL."
            ) from None
        return answer


def _request(address: str, headers: Mapping[str, str], body: bytes | None = None) -> Request:
    try:
        return Request(address, body, dict(headers))
    except ValueError:
        raise click.UsageError(
            f"{address!r} is no address such as http://127.0.0.1:8700."
        ) from None


def _failed(error: HTTPError) -> Failed:
    """The market's own words, or the status where it had none."""
    with error:
        body = error.read()
    try:
        told = json.loads(body)["error"]
        return Failed(str(told["message"]), told)
    except (ValueError, KeyError, TypeError):
        where = urlsplit(error.url).netloc
        return Failed(f"The server at {where} answered {error.code} {error.reason}.")
