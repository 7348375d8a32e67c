"""How many calls the state machines made, and how many of them a contract refused."""

from __future__ import annotations

from collections import Counter
from typing import Any

import boa

CALLS: Counter[str] = Counter()


def attempt(method: Any, *args: Any, sender: str) -> bool:
    """Call a contract; whether it accepted. What it may accept, the invariants say."""
    return not _done(method, *args, sender=sender).is_error


def refusal(method: Any, *args: Any, sender: str) -> str:
    """Call a contract; why it refused, in its own words, or "" if it accepted."""
    done = _done(method, *args, sender=sender)
    if not done.is_error:
        return ""
    size = int.from_bytes(done.output[36:68], "big")
    return bytes(done.output[68 : 68 + size]).decode() or "without a reason"


def _done(method: Any, *args: Any, sender: str) -> Any:
    """Straight to the EVM: an exception with its trace would cost more than the call."""
    done = boa.env.execute_code(
        to_address=method.contract.address,
        sender=sender,
        data=method.prepare_calldata(*args),
        is_modifying=True,
        contract=method.contract,
    )
    CALLS["calls"] += 1
    CALLS["refused"] += done.is_error
    return done
