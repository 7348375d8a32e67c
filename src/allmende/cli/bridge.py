"""Bridge: a federated bridge of two chains, whose validators can take whatever is locked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from allmende.cli.bridge_reach import run, unit, with_record
from allmende.cli.chain_exit import show
from allmende.cli.client import Failed
from allmende.cli.lazy import Mixed
from allmende.cli.show import out_json, pairs

try:
    from allmende.adapters.chain.bridge import Both, BridgeRecord
except ImportError as missing:
    raise Failed(f"The chain needs the extra `chain`, which is not installed: {missing}.") from None

MORE = {
    "deploy": "bridge_deploy",
    **dict.fromkeys(("lock", "sign", "redeem"), "bridge_cross"),
}
"""Commands in modules of their own: see lazy.Mixed."""


@click.group(cls=Mixed, more=MORE)
def bridge() -> None:
    """A federated bridge: m of n validators can take everything that is locked."""


@bridge.command()
@with_record
def status(record: Path | None, as_json: bool, **nodes: Any) -> None:
    """What is locked, minted and on its way, the limits that are left, and whether it all fits.

    Exit code 1 if more is minted than locked, or if anything is not as it was deployed.
    """

    async def work(both: Both, known: BridgeRecord) -> dict[str, Any]:
        found = await both.findings()
        good = all(one.ok for one in found)
        return {"findings": found, "ok": good, **(await _standing(both, known) if good else {})}

    told = run(record, **nodes, work=work, look=False)
    if as_json:
        out_json(msgspec.to_builtins(told))
    else:
        show(told["findings"])
        pairs({name: value for name, value in told.items() if name not in ("ok", "findings")})
    if not told["ok"]:
        raise Failed(
            "More is minted than is locked, or the bridge is not what it was: do not use it, and "
            "have its guardian pause both sides."
        )


async def _standing(both: Both, known: BridgeRecord) -> dict[str, Any]:
    seen, text = await both.standing(), unit(known).text
    sides, rules = (seen.home, seen.away), seen.home.rules
    return {
        "ok": seen.backed,
        "locked": text(seen.locked),
        "minted": text(seen.minted),
        "difference": text(seen.locked - seen.minted),
        "on_its_way": text(sum(one.transfer.amount for one in seen.flying)),
        "waiting": [f"{one.source} {one.transfer.nonce}" for one in seen.flying],
        "validators": f"{rules.threshold} of {len(rules.validators)}",
        "left_of_the_day": [
            f"{side.name} {way} {text(left)}"
            for side in sides
            for way, left in (("out", side.out_left), ("in", side.in_left))
        ],
        "paused": [side.name for side in sides if side.paused_until > side.time_s],
    }
