"""Rights on need: an instrument's contract is created when its rights first leave the desk.

Rule: one creation an instrument, under the fixed key of adapters.chain.rights; the record is
written when that is final, and only then is the address told.
Invariant: after a crash at any point the same call finds the same creation and goes on; a newer
compiler changes nothing about one that was already wanted.
Worked number: on the embedded chain the first call wants it and answers "", the second, after a
step of the sender, has the address.
"""

from __future__ import annotations

from pathlib import Path

from msgspec import structs

from allmende.adapters.chain.deploy import Contracts
from allmende.adapters.chain.record import keep, recall
from allmende.adapters.chain.rights import rights_wanted
from allmende.core.contracts import Instrument
from allmende.ports import ChainFailed, Sender, Stage


class RightsOnNeed:
    """doors.settler_rights.EnsureContract for one data directory."""

    def __init__(self, sender: Sender, contracts: Contracts, folder: Path) -> None:
        self._sender = sender
        self._contracts = contracts
        self._folder = folder

    async def __call__(self, instrument: Instrument) -> str:
        """ChainFailed("reverted") where it can never be created: the instrument has ended."""
        known = recall(self._folder)
        if known is not None and instrument.id in known.rights:
            return known.rights[instrument.id]
        wanted = rights_wanted(self._contracts, instrument)
        send = self._sender.get(wanted.key) or self._sender.put(wanted)
        if send.stage is Stage.FAILED or (send.stage is Stage.FINAL and not send.ok):
            why = send.detail or f"{send.hash} was reverted"
            raise ChainFailed("reverted", f"the rights of {instrument.id} get no contract: {why}")
        if send.stage is not Stage.FINAL:
            return ""
        if known is not None:
            rights = {**known.rights, instrument.id: send.contract}
            keep(self._folder, structs.replace(known, rights=rights))
        return send.contract
