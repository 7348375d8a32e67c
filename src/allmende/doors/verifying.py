"""Verifying: the chain is held against the record again and again, and all pages say what it told.

Rule: what was found stays until it is found otherwise; a node that is away finds nothing, neither
that all is well nor that it is not.
Invariant: while the last answer that we had said that something does not match, `trouble` says so.
Worked number: every 10 minutes; when nobody answered, again after one.

What does not match first is what `trouble` names: on another chain the code says nothing, and
under other code the terms are the answers of strangers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from allmende.core.units import Instant
from allmende.custody import Finding
from allmende.institutions import MEMBERS
from allmende.ports import ChainFailed, Clock

EVERY_S = 600
AWAY_S = 60
GROUPS = ("chain", "code", "terms", "roles", "other", "ready")
"""In which findings are told; pages have a sentence for each, good and bad."""
CODE = ("Vault", "Bond", "Credit", *MEMBERS)

Verify: TypeAlias = Callable[[], Awaitable[Sequence[Finding]]]
"""Holds the chain against the record. ChainFailed if the node does not answer."""

log = logging.getLogger(__name__)


class Verifying:
    """One per market; `run` beside it."""

    def __init__(self, verify: Verify, clock: Clock, every_s: int = EVERY_S) -> None:
        self._verify = verify
        self._clock = clock
        self._every_s = every_s
        self.findings: tuple[Finding, ...] = ()
        self.at: Instant | None = None
        """When they were found; None before the first time."""
        self.away = ""
        """The cause why the last try found nothing; "" if it did."""

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.once()
            await asyncio.sleep(min(self._every_s, AWAY_S) if self.away else self._every_s)

    async def once(self) -> None:
        """Look now."""
        before = self.trouble()
        try:
            self.findings = tuple(await self._verify())
        except ChainFailed as failed:
            if not self.away:
                log.warning("The chain cannot be verified: %s. %s", failed.cause, failed.detail)
            self.away = failed.cause
            return
        except Exception:
            if self.away != "failed":
                log.exception("The chain cannot be verified")
            self.away = "failed"
            return
        self.at, self.away = self._clock.now(), ""
        if self.trouble() not in ("", before):
            for one in self.bad():
                log.error("Verify: %s", one.says)

    def bad(self) -> list[Finding]:
        return [one for one in self.findings if not one.ok]

    def trouble(self) -> str:
        """The first group in which something does not match, "" if all does."""
        groups = {group_of(one) for one in self.bad()}
        return next((group for group in GROUPS if group in groups), "")


def group_of(finding: Finding) -> str:
    """Which of GROUPS a finding is of."""
    what = finding.what
    if what in ("chain id", "first block"):
        return "chain"
    if " role " in what or what.endswith((" owner", " minters")):
        return "roles"
    if what in CODE or what.startswith("Rights of "):
        return "code"
    if what.startswith(("term ", "Vault.", "Bond.", "Credit.")):
        return "terms"
    return "ready" if what in ("token listed", "bond") else "other"
