"""Main's duties: what is done again and again beside a market, and is not ended by a mistake.

Rule: a duty that fails is said once, shown as an alarm, and done again: a market on a chain has to
answer challenges whatever else is wrong with it. Only the desk's own end ends a duty.
Invariant: what is wrong now stands in `wrong` under its duty's name, until that went well again.
Worked number: a trees.sqlite that is locked for a minute is one traceback in the log, sixty
tries, and an alarm that goes by itself.

A bug in the desk has stopped the desk, and with it the market, before it comes here; a bug beside
it leaves the books as they are, and the pending batch would be void if nobody went on.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from allmende.desk import Stopped
from allmende.doors.settler_says import Alarm
from allmende.ports import ChainFailed

PERSONAL = frozenset(
    {"fee_cap", "lied", "no_funds", "nonce_taken"}
    | {"wrong_account", "wrong_chain", "wrong_deployment"}
)
"""Causes that do not go by themselves."""

log = logging.getLogger(__name__)


class Duties:
    """One per market with a chain."""

    def __init__(self) -> None:
        self.wrong: dict[str, Alarm] = {}
        """Duty -> what a person should know of it."""
        self._said: dict[str, str] = {}
        """Duty -> why it failed when it was last tried."""

    async def once(self, name: str, duty: Callable[[], Awaitable[object]]) -> None:
        """Try it. Raises Stopped, and nothing else."""
        try:
            await duty()
        except ChainFailed as failed:
            personal = failed.cause in PERSONAL
            if self._said.get(name) != failed.cause:
                log.warning("%s: %s. %s", name, failed.cause, failed.detail)
            self._note(name, failed.cause, "sender" if personal else "", failed.detail)
        except Stopped:
            raise
        except Exception as bug:
            said = repr(bug)
            if self._said.get(name) != said:
                log.exception("%s failed, and is tried again", name)
            self._note(name, said, "broken", said)
        else:
            self._note(name, "", "", "")

    def _note(self, name: str, said: str, word: str, detail: str) -> None:
        self._said[name] = said
        if word:
            self.wrong[name] = Alarm(word, f"{name}: {detail}")
        else:
            self.wrong.pop(name, None)
