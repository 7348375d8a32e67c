"""Reward events: payees that were named, and training that was attested.

Rule: they say what a reckoning of rewards needs, and nothing follows from them here.
Invariant: none of them moves money.
Worked number: a member that names a payee and then another has two events; the last one counts.
"""

from __future__ import annotations

from typing import TypeAlias

from allmende.core.facts import Event


class PayeeNamed(Event, frozen=True):
    """`address` is lower-case, "" for none any more."""

    member: str
    address: str


class TrainingAttested(Event, frozen=True):
    """`attester` is the id of a person's key."""

    id: str
    member: str
    client: str
    hours: int
    document: str
    attester: str


Any: TypeAlias = PayeeNamed | TrainingAttested
