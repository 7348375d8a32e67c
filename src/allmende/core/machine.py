"""Machine: decide, apply, check. It routes to the seven stages and combines them.

Rule: `decide` reads and never writes; `apply` writes and never refuses; both look only at
what they are given, so the same journal gives the same state everywhere.
Invariant: `check` holds after every event.
Worked number: replaying the 9 events of an empty demo market twice gives one digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from msgspec import structs

from allmende.core import (
    borders,
    budgets,
    floors,
    govern,
    govern_charter,
    govern_drills,
    govern_floors,
    govern_juries,
    govern_peers,
    identity,
    issue,
    issue_rewards,
    issue_rights,
    issue_titles,
    issue_trees,
    ledger,
    observe_actors,
    orders,
    rights,
    settle,
    settle_custody,
    settle_federation,
    settle_rights,
    settle_sending,
    spend,
    spend_permits,
    spend_rights,
    trade,
    trade_calls,
    trade_orders,
    trade_quotes,
    verify,
    verify_cases,
    verify_checks,
    verify_evidence,
    wallets,
)
from allmende.core import commands as c
from allmende.core import events as e
from allmende.core.refusals import Refused, Why
from allmende.core.state import Served, State

STAGES = (
    *(govern, govern_drills, govern_floors, govern_juries, govern_charter, govern_peers),
    *(identity, issue, issue_rights, issue_titles, issue_trees, issue_rewards, verify_evidence),
    *(trade, trade_calls, trade_quotes, trade_orders),
    *(
        settle,
        settle_custody,
        spend_permits,
        spend,
        spend_rights,
        verify,
        verify_cases,
        verify_checks,
        settle_rights,
        settle_federation,
        settle_sending,
    ),
    observe_actors,
)
"""In the order in which they see a command or an event that several of them handle. Settle
closes a due batch before spend and verify finalise what then belongs to the next one."""

_ENCODE = msgspec.json.Encoder(order="deterministic").encode


def _table(name: str) -> dict[type, tuple[Callable[..., Any], ...]]:
    table: dict[type, tuple[Callable[..., Any], ...]] = {}
    for stage in STAGES:
        for kind, handler in getattr(stage, name).items():
            table[kind] = (*table.get(kind, ()), handler)
    return table


DECIDE = _table("DECIDE")
APPLY = _table("APPLY")
UNFOUNDED = (c.Found, c.Tick, c.Restart)
"""What a market can take before it exists."""


def decide(state: State, command: c.Command) -> list[e.Event]:
    """The facts that a command leads to. Raises Refused; never changes `state`."""
    if state.market is None and not isinstance(command, UNFOUNDED):
        raise Refused(Why.NOT_FOUND, "This market is not founded yet.")
    found: list[e.Event] = []
    for handler in DECIDE[type(command)]:
        found += handler(state, command)
    if not command.idem:
        return found
    scope, print_ = _scope(command), fingerprint(command)
    return [structs.replace(event, idem=scope, digest=print_) for event in found]


def repeated(state: State, command: c.Command) -> list[e.Event] | None:
    """What this very command led to before, None if it is new.

    Raises Refused(REPLAYED) if its idempotency key came with other contents, and
    ALREADY_SERVED for a request, whose answer is not kept.
    """
    served = state.served.get(_scope(command)) if command.idem else None
    if served is None:
        return None
    if served.digest != fingerprint(command):
        raise Refused(Why.REPLAYED, f"Key {command.idem!r} stands for another command.")
    if isinstance(served.events[0], e.Reserved):
        receipt = served.events[0].hold
        raise Refused(Why.ALREADY_SERVED, f"See receipt {receipt}.", receipt=receipt)
    return list(served.events)


def apply(state: State, event: e.Event) -> None:
    """Fold one fact into the state. Total: it never refuses what was decided."""
    for handler in APPLY[type(event)]:
        handler(state, event)
    if event.at > state.now:
        state.now = event.at
    if event.idem:
        _remember(state, event)


def _remember(state: State, event: e.Event) -> None:
    """One more of the facts that a repetition of their command is told."""
    before = state.served.get(event.idem)
    same = before is not None and (before.at, before.digest) == (event.at, event.digest)
    events = before.events if before is not None and same else ()
    state.served[event.idem] = Served(event.at, event.digest, (*events, event))  # type: ignore[arg-type]


def check(state: State) -> None:
    """The invariants, asserted. Linear in the state: for tests, audits and simulation."""
    parts = (ledger, budgets, wallets, trade, orders, rights, settle, govern, govern_drills, floors)
    for part in (*parts, issue_titles, borders):
        part.check(state)


def replay(events: Iterable[e.Event], state: State | None = None) -> State:
    """Fold a journal."""
    state = State() if state is None else state
    for event in events:
        apply(state, event)
    return state


def digest(state: State) -> str:
    """SHA-256 of the state's deterministic JSON, in hex. Lanes are numbers, JSON's names text."""
    held = msgspec.to_builtins(state.wallets, str_keys=True, order="deterministic")
    return hashlib.sha256(_ENCODE((structs.replace(state, wallets={}), held))).hexdigest()


def _scope(command: c.Command) -> str:
    """Idempotency keys of one actor never meet those of another."""
    actor = command.key if isinstance(command, c.Reserve) else command.by
    return f"{actor}/{command.idem}"


def fingerprint(command: c.Command) -> str:
    """Digest of what a command asks, without when it came and what differs by chance."""
    if isinstance(command, c.Reserve):
        command = structs.replace(command, id="", prompt_hash="", exclude=())
    return hashlib.sha256(_ENCODE(structs.replace(command, at=0))).hexdigest()
