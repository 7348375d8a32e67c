"""Chain said: what can go wrong between a command and a chain, as a sentence and an exit code.

Rule: 3 where nothing answers, and the same command may go on later; 1 where it may not.
Invariant: whatever is expected to go wrong has a sentence; anything else is a bug and shows itself.
Worked number: a node that is away ends `chain exit` with 3, a ticket of another chain with 1.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from allmende.adapters.chain_contracts import Contract
from allmende.adapters.server import Busy
from allmende.cli.client import Failed, Unreachable
from allmende.core.refusals import Refused
from allmende.ports import Chain, ChainFailed

AWAY = ("unreachable", "timeout", "busy")
EXPECTED = (ValueError, RuntimeError, FileNotFoundError)
"""Of files that people name, and of contracts that do not compile."""


@contextlib.contextmanager
def said() -> Iterator[None]:
    """Around all that a command does. Failed, Unreachable."""
    try:
        yield
    except ChainFailed as failed:
        kind = Unreachable if failed.cause in AWAY else Failed
        again = " Called again, it goes on from there." if kind is Unreachable else ""
        raise kind(f"The chain: {failed.cause}. {failed.detail}.{again}") from None
    except Refused as refused:
        raise Failed(str(refused)) from None
    except Busy as busy:
        raise Failed(f"{busy} A market with --chain embedded deploys by itself.") from None
    except EXPECTED as error:
        raise Failed(str(error)) from None


async def require_ours(chain: Chain, contract: Contract, address: str) -> None:
    """Before anything is asked of a contract, or sent to it: is its code the one compiled here?"""
    if not contract.made(await chain.code(address)):
        raise Failed(f"The code at {address} is not the {contract.name} of this version.")
