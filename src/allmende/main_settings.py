"""Main's settings: their names, types, defaults and meanings, and where they come from.

Rule: the environment is read here and nowhere else; what is given on the command line beats it.
Invariant: a setting that is of the wrong kind ends the start with its name.
Worked number: ALLMENDE_PORT=9000 and no --port serves at 9000; --port 9001 beats it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, structs

PREFIX = "ALLMENDE_"


class Settings(Struct, frozen=True, kw_only=True):
    """Every setting: its name, type, default and meaning. docs/settings.md lists the same."""

    data: Annotated[str, Meta(description="Directory of the journal, the keys and the views.")] = (
        "data"
    )
    host: Annotated[str, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(description="Port to listen on; 0 takes a free one.")] = 8700
    name: Annotated[str, Meta(description="Name of a new market.")] = "Allmende"
    market: Annotated[str, Meta(description="Id of a new market, also its operator's.")] = (
        "allmende"
    )
    mode: Annotated[
        str,
        Meta(description="Mode of a new market: closed_loop, limited_network, open or lab."),
    ] = "closed_loop"
    country: Annotated[
        str, Meta(description="Where this machine computes, as ISO 3166 alpha-3.")
    ] = "DEU"
    allow_private: Annotated[
        bool, Meta(description="Let operators post offers at private addresses.")
    ] = False
    local_model: Annotated[
        bool, Meta(description="Serve the small model that is installed beside us, if it is.")
    ] = True
    starter: Annotated[
        bool,
        Meta(description="Give a new market an organisation with 100 credits of play money."),
    ] = True
    drain: Annotated[
        int, Meta(ge=0, description="Seconds that running answers may take when we stop.")
    ] = 10
    min_cell: Annotated[
        int, Meta(ge=0, description="Receipts that a figure for everybody rests on at least.")
    ] = 20
    secure: Annotated[
        bool, Meta(description="Browsers reach us by https (a proxy in front): Secure cookies.")
    ] = False
    chain: Annotated[
        str, Meta(description="The chain to settle on: embedded, a node's address, or none.")
    ] = ""
    chain_profile: Annotated[
        str, Meta(description="Which kind of chain a node's address leads to: `chain profiles`.")
    ] = ""
    chain_terms: Annotated[
        str, Meta(description="Windows and amounts of new contracts; none: the profile's own.")
    ] = ""
    institutions: Annotated[
        bool,
        Meta(description="Put up the members' contracts on the embedded chain: shares, votes, …."),
    ] = False
    bridge_node: Annotated[
        str, Meta(description="A node of the bridge's other chain, for the chain's page.")
    ] = ""
    settle_every: Annotated[
        int, Meta(ge=1, description="Seconds that a batch is left open before it is submitted.")
    ] = 60
    federate_every: Annotated[
        int,
        Meta(ge=0, description="Seconds between two looks at the heads of peer markets; 0: none."),
    ] = 10
    pay_per_call: Annotated[
        bool, Meta(description="Serve callers without a key who pay on the chain for each call.")
    ] = False
    pay_per_call_least: Annotated[
        str, Meta(description="Credits that such a payment is over at least: each costs you gas.")
    ] = "0"
    public: Annotated[
        str, Meta(description="Where browsers reach us, as https://…: wallets sign in there.")
    ] = ""
    url: Annotated[str, Meta(description="Where the command line finds a running market.")] = (
        "http://127.0.0.1:8700"
    )
    key: Annotated[str, Meta(description="The key that the command line uses there.")] = ""


class Unset(Exception):
    """A setting that cannot be: says which, and where it came from."""


def settings(given: Mapping[str, Any] | None = None) -> Settings:
    """Settings from `given` (None: not given), then the environment, then the defaults."""
    values = {name: value for name, value in (given or {}).items() if value is not None}
    for field in structs.fields(Settings):
        text = os.environ.get(PREFIX + field.name.upper(), "")
        if text and field.name not in values:
            values[field.name] = _typed(field, text)
    try:
        return msgspec.convert(values, Settings)
    except msgspec.ValidationError as error:
        raise Unset(str(error)) from None


def _typed(field: structs.FieldInfo, text: str) -> Any:
    try:
        return msgspec.convert(text, field.type, strict=False)
    except msgspec.ValidationError:
        name = PREFIX + field.name.upper()
        raise Unset(f"{name}={text!r} is not what this setting takes.") from None
