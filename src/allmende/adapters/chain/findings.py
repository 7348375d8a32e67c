"""Findings: what stands on a chain, held against what a record says of it.

Rule: code is compared byte for byte; roles cannot be listed, so everybody who was ever given one
is found in the logs, and asked for by state.
Invariant: nothing is changed, and a contract that does not answer is a finding, not a failure.
Worked number: a role that two accounts ever had and one has now is one finding about one account.

A node that hides logs hides a stranger's role: verify through a second node too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from allmende.adapters.chain.abi import Abi
from allmende.adapters.chain.calls import role_id
from allmende.adapters.chain.deploy import Contracts
from allmende.adapters.chain.reads import logs, read
from allmende.adapters.chain.words import hexed
from allmende.custody import Finding
from allmende.ports import Chain, ChainFailed


class Findings:
    """Of contracts that were put up from block `first` on. ChainFailed only if no node answers."""

    def __init__(
        self, chain: Chain, contracts: Contracts, codes: Mapping[str, str], first: int
    ) -> None:
        """`codes` are the record's: contract -> SHA-256."""
        self._chain = chain
        self._contracts = contracts
        self._codes = codes
        self._first = first
        self._abi = {name: Abi(contract) for name, contract in contracts.items()}

    async def there(self, chain_id: int, genesis: str) -> list[Finding]:
        """Whether it is this chain at all."""
        first = await self._chain.block(0)
        wrong = "ask a node of the right chain"
        return [
            same("chain id", await self._chain.chain_id(), chain_id, wrong),
            same("first block", first and first.hash, genesis, "ask another node"),
        ]

    async def code(self, what: str, name: str, address: str) -> Finding:
        contract, there = self._contracts[name], await self._chain.code(address)
        audited = self._codes.get(name)
        if audited != contract.code_hash:
            says = (
                f"{what}: {audited} was deployed, the sources here compile to "
                f"{contract.code_hash}. Verify with the version of Allmende that deployed it."
            )
        elif not there:
            says = f"{what}: there is no contract at {address}."
        elif not contract.made(there):
            says = f"{what}: other code is at {address}. Do not use it; somebody made it himself."
        else:
            return Finding(what, ok=True, says=f"{what}: {address} has the code {audited}.")
        return Finding(what, ok=False, says=says)

    async def roles(
        self, name: str, address: str, wanted: Mapping[str, Sequence[str]], words: Sequence[str]
    ) -> list[Finding]:
        """Who has which role now; `words` are the roles there are, `wanted` who should."""
        names = {hexed(role_id(role)): role for role in words}
        held: dict[str, list[str]] = {role: [] for role in wanted}
        for role, account in await self.ever(name, address, "RoleGranted", ("role", "account")):
            if await self.get(name, address, "hasRole", bytes.fromhex(role[2:]), account):
                held.setdefault(names.get(role, role), []).append(account)
        todo = "an admin must revoke or grant it, see docs/runbook-chain.md"
        return [
            same(f"{name} role {role}", sorted(have), sorted(wanted.get(role, ())), todo)
            for role, have in sorted(held.items())
            if have or role in wanted
        ]

    async def ever(
        self, name: str, address: str, event: str, fields: tuple[str, ...]
    ) -> list[tuple[str, ...]]:
        """What stood in these fields of any such log, once each."""
        head, abi = await self._chain.block(), self._abi[name]
        assert head is not None
        first, topic = self._first, abi.topic(event)
        found = await logs(self._chain, address, topic, first, head.number)
        told = [abi.log(event, log) for log in found]
        return sorted({tuple(one[field] for field in fields) for one in told})

    async def get(self, name: str, address: str, function: str, *values: Any) -> Any:
        """None if the contract does not answer so: then it is a finding, not a failure."""
        try:
            return await read(self._chain, self._abi[name], address, function, *values)
        except ChainFailed as failed:
            if failed.cause != "garbled":
                raise
            return None


def same(what: str, told: Any, wanted: Any, todo: str) -> Finding:
    if told == wanted:
        return Finding(what, ok=True, says=f"{what}: {shown(told)}.")
    says = f"{what}: the chain says {shown(told)}, the record {shown(wanted)}; {todo}."
    return Finding(what, ok=False, says=says)


def shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "nobody"
    return "nothing" if value is None else str(value)
