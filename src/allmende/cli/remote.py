"""Remote: what every command that talks to a running market has in common."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Concatenate, ParamSpec

import click

from allmende.cli.client import Client
from allmende.cli.show import out_json, pairs, table

P = ParamSpec("P")


class Market:
    """A running market and how its answers are to be shown."""

    def __init__(self, client: Client, as_json: bool) -> None:
        self.client = client
        self.as_json = as_json

    def rows(self, path: str, columns: Sequence[str], empty: str, **query: object) -> None:
        """Show the rows of GET /api/<path>."""
        rows = self.client.get(path, **query)
        if self.as_json:
            out_json(rows)
        else:
            table(rows, columns, empty)

    def one(self, path: str, names: Sequence[str] = ()) -> None:
        row = self.client.get(path)
        if self.as_json:
            out_json(row)
        else:
            pairs(row, names)

    def ask(self, command: str, fields: Mapping[str, Any], done: str) -> None:
        """Send a command; say `done` in a sentence, or show its events as JSON."""
        self.say(self.client.ask(command, fields), done)

    def say(self, answer: Any, done: str) -> None:
        if self.as_json:
            out_json(answer)
        else:
            click.echo(done)


def remote(command: Callable[Concatenate[Market, P], None]) -> Callable[P, None]:
    """Give a command --url, --key and --json, and the market as its first argument."""

    @click.option("--url", help="The market's address [ALLMENDE_URL, http://127.0.0.1:8700].")
    @click.option("--key", "own_key", help="Your key there [ALLMENDE_KEY].")
    @click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        url, key = kwargs.pop("url"), kwargs.pop("own_key")
        as_json = bool(kwargs.pop("as_json"))
        command(Market(connect(url, key), as_json), *args, **kwargs)

    return wrapped


def connect(url: object, key: object) -> Client:
    """A client for --url and --key, or what the environment says."""
    from allmende.main import Unset, settings  # starts fast without

    try:
        found = settings({"url": url, "key": key})
    except Unset as error:
        raise click.UsageError(str(error)) from None
    return Client(found.url, found.key)


def given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that were given; the market's defaults stand for the others."""
    return {name: value for name, value in fields.items() if value is not None}
