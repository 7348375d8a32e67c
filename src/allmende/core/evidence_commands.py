"""Evidence commands: what can be asked of sovereignty: claims, confirmations, sign-offs, floors.

Rule: a provider may claim, a person with an operator's key confirms and signs; the house itself
does neither.
Invariant: filing alone changes no routing.
Worked number: FileEvidence of SOV-3 at level 3 leaves an offer at 0 until ConfirmEvidence.
"""

from __future__ import annotations

from allmende.core.commands import Command
from allmende.core.evidence import Assessment, Evidence, Pairs


class FileEvidence(Command, frozen=True):
    """Put evidence on the file as a claim. It counts once a person has confirmed it."""

    evidence: Evidence


class ImportEvidence(Command, frozen=True):
    """Many at once, all or nothing; rows that contradict each other or the file are refused."""

    rows: tuple[Evidence, ...]


class ConfirmEvidence(Command, frozen=True):
    """A person has seen the document. Again, where the offer has changed since."""

    id: str


class WithdrawEvidence(Command, frozen=True):
    id: str


class Assess(Command, frozen=True):
    """A person signs how far a country's law reaches. It replaces what stood before."""

    assessment: Assessment


class WithdrawAssessment(Command, frozen=True):
    """Nobody stands behind it any more: from now on the worst counts."""

    regime: str
    provider: str = ""
    offer: str = ""


class SetFloor(Command, frozen=True):
    """What every request below a budget demands, beside what the budgets above it do.

    It replaces this budget's own floor; one that demands nothing takes it away.
    """

    budget: str
    min_seal: Pairs = ()
    max_exposure: Pairs = ()
    max_kill_switch: Pairs = ()
