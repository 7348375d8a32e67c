"""Charter: by whom a market is governed, and what was decided there, as frozen data.

Rule: a market has at most one charter, for good: a contract on one chain, whose decisions
are numbered.
Invariant: a decision's number, kind, name, value and time are as the contract told them.
Worked number: Decision(3, "parameter", "operator_fee_ppm", 40_000, at) is the third one: 4 %.
"""

from __future__ import annotations

from msgspec import Struct

from allmende.core.units import Instant

PARAMETER, GRANT = "parameter", "grant"
KINDS = {1: PARAMETER, 2: GRANT, 3: "calls", 4: "text"}
"""As the Assembly numbers them. The first two reach the desk."""


class Charter(Struct, frozen=True):
    """`assembly` is a contract's address, in lower case."""

    assembly: str
    chain_id: int


class Decision(Struct, frozen=True):
    """`name` is a parameter's or a member's; `value` the parameter's, or pico-credits."""

    number: int
    kind: str
    name: str
    value: int
    effective: Instant
    proposal: int = 0
