"""Institutions: the members' contracts, read at one block and put into words by their ABI.

Rule: one way for all of them: a function's name and its values go in, what the contract answers
comes out as the ABI says.
Invariant: whatever is read at a final block is the same for whoever reads it.
Worked number: the record of eight contracts takes about 2 kB.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from allmende.adapters.chain.abi import Abi, word
from allmende.adapters.chain.profiles import Profile
from allmende.adapters.chain.reads import logs
from allmende.adapters.chain.record import keep_record, recall_record
from allmende.adapters.chain_contracts import Contract
from allmende.custody import ContractCall
from allmende.institutions import Institutions, Seen
from allmende.ports import Chain, ChainFailed

FILE = "institutions.json"
"""Its name in a data directory."""


def keep(folder: Path, record: Institutions) -> None:
    """Durable when it returns."""
    keep_record(folder / FILE, record)


def recall(folder: Path) -> Institutions | None:
    """None before they were put up. ChainFailed("wrong_deployment") if it is garbled."""
    return recall_record(folder / FILE, Institutions)


class ChainInstitution:
    """institutions.Institution."""

    def __init__(self, chain: Chain, contract: Contract, address: str) -> None:
        self.name = contract.name
        self.address = address
        self._chain = chain
        self._abi = Abi(contract)

    async def get(self, function: str, at: int | None, *values: Any) -> Any:
        told = await self._chain.call(self.address, self._abi.call(function, *_in(values)), at=at)
        answer = self._abi.answer(function, told)
        return answer[0] if len(answer) == 1 else answer

    def call(self, function: str, *values: Any) -> ContractCall:
        return ContractCall(self.address, self._abi.call(function, *_in(values)))

    async def logs(self, event: str, first: int, last: int) -> list[Seen]:
        found = await logs(self._chain, self.address, self._abi.topic(event), first, last)
        return [Seen(log, self._abi.log(event, log)) for log in found]


class ChainCommons:
    """institutions.Commons. Ends with the chain that it was given."""

    def __init__(
        self,
        chain: Chain,
        record: Institutions,
        contracts: Mapping[str, Contract],
        profile: Profile,
    ) -> None:
        self.record = record
        self._chain = chain
        self._profile = profile
        self._there = {
            name: ChainInstitution(chain, contracts[name], address)
            for name, address in record.contracts.items()
        }

    def __getitem__(self, name: str) -> ChainInstitution:
        return self._there[name]

    def __contains__(self, name: str) -> bool:
        return name in self._there

    async def newest_block(self) -> int:
        found = await self._chain.block()
        if found is None:
            raise ChainFailed("lagging", "the node has no blocks")
        return found.number

    async def final_block(self) -> int:
        return max(0, await self.newest_block() - self._profile.finality + 1)

    async def time_s(self, at: int) -> int:
        found = await self._chain.block(at)
        if found is None:
            raise ChainFailed("lagging", f"the node does not have block {at} yet")
        return found.time_s


def _in(values: Any) -> Any:
    """Hashes as the ABI takes them: 0x and 64 digits become bytes, in lists and tuples too."""
    if isinstance(values, tuple | list):
        return type(values)(map(_in, values))
    if isinstance(values, str) and len(values) == 66 and values.startswith("0x"):
        return word(values)
    return values
