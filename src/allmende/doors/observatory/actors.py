"""Actors: what is known of the accounts that earn and spend: country, ultimate parent.

Rule: only what the market's registry of legal entities says; nothing is guessed from a name.
Invariant: an account that nobody registered is unknown, and stays so in every sum.
Worked number: three hosts and two authors of which one host is registered: one actor known.
"""

from __future__ import annotations

from collections.abc import Mapping

from allmende.core.state import State
from allmende.measure.value import Actor


def known(state: State) -> Mapping[str, Actor]:
    """Account -> what the registry knows of it."""
    return {}


def name(state: State, account: str) -> str:
    """A member's name; of what is no member (the commons, a brand, a parent) the id."""
    found = state.members.get(account)
    return found.name if found else account
