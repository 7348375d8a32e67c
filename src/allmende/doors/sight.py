"""Sight: who sees what of other people's business.

Rule: an operator's key sees the whole market; a manager's key the tree of organisations
below its member; a spender's key its own budget with those above it, and the receipts it
caused itself. Offers, titles, parameters and totals are public.
Invariant: nothing here reads a secret, and nobody sees more than the rule says.
Worked number: a spender in `lab/anna` sees three budgets (anna, lab, root) of ninety.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from allmende.core import budgets, identity
from allmende.core.nouns import Key
from allmende.core.refusals import Refused, Why
from allmende.core.state import Budget, State


class Viewer(Struct, frozen=True):
    """Someone with a good key. `key.hash` is the actor (`by`) of its commands."""

    key: Key

    @property
    def operates(self) -> bool:
        return self.key.role == "operate"

    @property
    def manages(self) -> bool:
        return self.key.role in ("manage", "operate")


def member(state: State, viewer: Viewer, id_: str) -> bool:
    """Whether `viewer` may see a member, its balance and its keys."""
    if viewer.operates:
        return True
    if viewer.manages:
        return id_ in state.members and identity.within(state, id_, viewer.key.member)
    return id_ == viewer.key.member


def members(state: State, viewer: Viewer) -> Iterator[str]:
    return (id_ for id_ in state.members if member(state, viewer, id_))


def visible_budgets(state: State, viewer: Viewer) -> Iterator[Budget]:
    """Budgets in the order in which they were made, so parents come before children."""
    own = {node.id for node in budgets.path(state, viewer.key.budget)}
    for node in state.budgets.values():
        if node.id in own or (viewer.manages and member(state, viewer, node.owner)):
            yield node


def key(state: State, viewer: Viewer, of: Key) -> bool:
    """A spender sees its own key; managers those of their tree."""
    return of.id == viewer.key.id or (viewer.manages and member(state, viewer, of.member))


def receipt(state: State, viewer: Viewer, account: str, key_id: str) -> bool:
    """Whether `viewer` may read a receipt paid by `account`, caused by the key `key_id`.

    A provider's manager also reads what its offers earned: pass the provider as account.
    """
    return key_id == viewer.key.id or (viewer.manages and member(state, viewer, account))


def require_operator(viewer: Viewer) -> None:
    if not viewer.operates:
        raise Refused(Why.NOT_ALLOWED, "That needs an operator's key.")
