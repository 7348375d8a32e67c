"""Check commands: what can be asked of verifiers.

Rule: an operator opens a check, verifiers commit and reveal under their own managers' keys, and
nobody decides its outcome: time does.
Invariant: none of them moves money.
Worked number: OpenCheck(commit_seconds=600, reveal_seconds=300) takes commitments for ten minutes
and verdicts in the five after them.
"""

from __future__ import annotations

from allmende.core.commands import Command


class OpenCheck(Command, frozen=True):
    """Ask verifiers about `subject` (a receipt, case or offer), the work of member `about`."""

    id: str
    subject: str
    about: str
    commit_seconds: int = 3_600
    reveal_seconds: int = 3_600


class Commit(Command, frozen=True):
    """A verifier's sealed verdict: see checks.sealed."""

    check: str
    verifier: str
    hash: str


class Reveal(Command, frozen=True):
    """What was sealed, once nobody can commit any more."""

    check: str
    verifier: str
    verdict: str
    salt: str
