"""Capacity withholding: an idle cheap offer leaves the book, and its owner's dear one serves.

Rule: a gainful absence is that of an offer which was idle and not faulty, while a dearer one
of the same provider and model served, or after which it came back dearer. One alert where
gainful absences are so many more than the provider's other ones that a coin would not do it.
Invariant: maintenance of cheap and dear offers alike is not alerted; nor is the absence of
what was busy, or failed.
Worked number: 9 absences, all of the cheap offer and all gainful: a fair coin does that once
in 512 times.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from allmende.core.units import CREDIT
from allmende.measure.provision import Absence
from allmende.measure.surveillance.alert import Alert, binomial_tail, evidence
from allmende.measure.tape import Tape

IDLE_MAX = 0.25
"""Of the capacity, in the ten minutes before."""
CHANCE_MAX = 0.002
"""Nine of nine. Fewer one-sided absences are not told from a run of luck."""


def withheld(tape: Tape) -> Iterator[Alert]:
    """Alerts "withholding", by provider and model."""
    groups: dict[tuple[str, str], list[Absence]] = defaultdict(list)
    for absence in tape.provision.absences:
        groups[absence.offer.provider, absence.offer.model].append(absence)
    for (provider, model), absences in sorted(groups.items()):
        gainful = [absence for absence in absences if _gainful(absence)]
        if gainful and binomial_tail(len(gainful), len(absences)) <= CHANCE_MAX:
            yield _alert(provider, model, gainful, absences)


def _gainful(absence: Absence) -> bool:
    idle = absence.busy <= IDLE_MAX * absence.offer.capacity
    return idle and not absence.faulted and (absence.served > 0 or absence.dearer)


def _alert(provider: str, model: str, gainful: list[Absence], absences: list[Absence]) -> Alert:
    served = sum(absence.served for absence in gainful)
    earned = sum(absence.earned for absence in gainful) / CREDIT
    dearer = sum(absence.dearer for absence in gainful)
    numbers = [n for a in gainful for n in (a.seq, a.back, *a.receipts)]
    return Alert(
        kind="withholding",
        instrument="",
        accounts=(provider,),
        score=len(gainful) / len(absences) * len(gainful),
        explanation=(
            f"{len(gainful)} of {len(absences)} times that {provider} took an offer of {model} "
            f"off the book it was idle and cheaper than another of its own, which then served "
            f"{served} requests for {earned:.6f} credits; {dearer} came back dearer."
        ),
        evidence=evidence(numbers),
    )
