"""Verify: whether what stands on the chain is what the record says and what we compile.

Rule: every claim of the record is asked of the chain; code is compared byte for byte, and what
the constructors set is then asked of that code, which is known to tell the truth.
Invariant: `verify` changes nothing, and says of each thing what is and what should be.
Worked number: 33 findings without an instrument: 5 about chain and code, 18 about what the
constructors set, 8 about roles, 2 about whether a batch could be submitted now.

Roles cannot be listed, so everybody who was ever given one is found in the logs, and asked for
by state. A node that hides logs hides a stranger's role: verify through a second node too.
"""

from __future__ import annotations

from typing import Any

from msgspec import structs

from allmende.adapters.chain.abi import Abi
from allmende.adapters.chain.calls import role_id
from allmende.adapters.chain.deploy import Contracts
from allmende.adapters.chain.reads import logs, read
from allmende.adapters.chain.words import hexed
from allmende.custody import Deployment, Finding
from allmende.ports import Chain, ChainFailed

ROLES = ("DEFAULT_ADMIN", "OPERATOR", "MARKET", "GUARDIAN", "SLASHER", "JUDGE")


async def verify(chain: Chain, deployment: Deployment, contracts: Contracts) -> list[Finding]:
    """All findings, the bad ones among them. ChainFailed only if the node does not answer."""
    checking = _Verifying(chain, deployment, contracts)
    found = await checking.chain()
    if all(finding.ok for finding in found):
        found += await checking.codes()
    if all(finding.ok for finding in found):  # else it would be the answers of strangers
        for check in (checking.terms, checking.roles, checking.ready):
            found += await check()
    return found


class _Verifying:
    def __init__(self, chain: Chain, deployment: Deployment, contracts: Contracts) -> None:
        self._chain = chain
        self._made = deployment
        self._contracts = contracts
        self._abi = {name: Abi(contract) for name, contract in contracts.items()}

    async def chain(self) -> list[Finding]:
        made, genesis = self._made, await self._chain.block(0)
        chain_id = await self._chain.chain_id()
        return [
            _same("chain id", chain_id, made.chain_id, "ask a node of the right chain"),
            _same("first block", genesis and genesis.hash, made.genesis, "ask another node"),
        ]

    # --- code ----------------------------------------------------------------------------

    async def codes(self) -> list[Finding]:
        made = self._made
        wanted = {"Bond": made.bond, "Vault": made.vault}
        if made.own_credit:
            wanted["Credit"] = made.credit
        found = [await self._code(name, name, address) for name, address in wanted.items()]
        for instrument, address in made.rights.items():
            found.append(await self._code(f"Rights of {instrument}", "Rights", address))
        return found

    async def _code(self, what: str, name: str, address: str) -> Finding:
        contract, there = self._contracts[name], await self._chain.code(address)
        audited = self._made.codes.get(name)
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

    # --- what the constructors set -------------------------------------------------------

    async def terms(self) -> list[Finding]:
        made = self._made
        said = structs.asdict(made.terms)
        terms = await self._get("Vault", made.vault, "terms") or [None] * len(said)
        wrong = "the Vault at this address is another deployment's: do not use it"
        found = [
            _same(f"term {name}", told, value, wrong)
            for (name, value), told in zip(said.items(), terms, strict=True)
        ]
        asked = [
            ("Vault", made.vault, "token", made.credit),
            ("Vault", made.vault, "bond", made.bond),
            ("Vault", made.vault, "commons", made.commons),
            ("Vault", made.vault, "grace", made.grace),
            ("Bond", made.bond, "token", made.credit),
            ("Bond", made.bond, "unbonding", made.bond_terms.unbonding),
            ("Bond", made.bond, "judging", made.bond_terms.judging),
            ("Credit", made.credit, "decimals", made.decimals),
        ]
        for name, address, function, value in asked:
            told = await self._get(name, address, function)
            found.append(_same(f"{name}.{function}", told, value, wrong))
        return found

    # --- roles ---------------------------------------------------------------------------

    async def roles(self) -> list[Finding]:
        made = self._made
        vault = {
            "DEFAULT_ADMIN": made.admin,
            "OPERATOR": made.operator,
            "MARKET": made.market_key,
            "GUARDIAN": made.guardian,
        }
        bond = {"DEFAULT_ADMIN": made.admin, "SLASHER": made.vault}
        found = await self._roles("Vault", made.vault, vault)
        found += await self._roles("Bond", made.bond, bond)
        if made.own_credit:
            found += await self._minters("Credit", made.credit)
        for instrument, address in made.rights.items():
            found += await self._minters(f"Rights of {instrument}", address)
        return found

    async def _roles(self, name: str, address: str, wanted: dict[str, str]) -> list[Finding]:
        names = {hexed(role_id(role)): role for role in ROLES}
        held: dict[str, list[str]] = {role: [] for role in wanted}
        for role, account in await self._ever(name, address, "RoleGranted", ("role", "account")):
            if await self._get(name, address, "hasRole", bytes.fromhex(role[2:]), account):
                held.setdefault(names.get(role, role), []).append(account)
        todo = "an admin must revoke or grant it, see docs/runbook-chain.md"
        return [
            _same(f"{name} role {role}", sorted(have), _wanted(wanted, role), todo)
            for role, have in sorted(held.items())
            if have or role in wanted
        ]

    async def _minters(self, what: str, address: str) -> list[Finding]:
        todo = "its owner must call set_minter"
        owner = await self._get("Credit", address, "owner")
        ever = await self._ever("Credit", address, "RoleMinterChanged", ("minter",))
        minters = [a for (a,) in ever if await self._get("Credit", address, "is_minter", a)]
        return [
            _same(f"{what} owner", owner, self._made.operator, todo),
            _same(f"{what} minters", sorted(minters), [self._made.operator], todo),
        ]

    async def _ever(
        self, name: str, address: str, event: str, fields: tuple[str, ...]
    ) -> list[tuple[str, ...]]:
        """What stood in these fields of any such log, once each."""
        head, abi = await self._chain.block(), self._abi[name]
        assert head is not None
        first, topic = self._made.block, abi.topic(event)
        found = await logs(self._chain, address, topic, first, head.number)
        told = [abi.log(event, log) for log in found]
        return sorted({tuple(one[field] for field in fields) for one in told})

    # --- whether it can work -------------------------------------------------------------

    async def ready(self) -> list[Finding]:
        made = self._made
        listed = await self._get("Vault", made.vault, "listed")
        bonded = await self._get("Bond", made.bond, "secures", made.operator) or 0
        enough = bonded >= made.terms.penalty
        says = f"The operator's bond secures {bonded} base units, a penalty is {made.terms.penalty}"
        more = "" if enough else ": no batch can be submitted; bond more"
        return [
            _same("token listed", listed, True, "the admin must call list_token"),
            Finding("bond", ok=enough, says=f"{says}{more}."),
        ]

    async def _get(self, name: str, address: str, function: str, *values: Any) -> Any:
        """None if the contract does not answer so: then it is a finding, not a failure."""
        try:
            return await read(self._chain, self._abi[name], address, function, *values)
        except ChainFailed as failed:
            if failed.cause != "garbled":
                raise
            return None


def _wanted(wanted: dict[str, str], role: str) -> list[str]:
    return [wanted[role]] if role in wanted else []


def _same(what: str, told: Any, wanted: Any, todo: str) -> Finding:
    if told == wanted:
        return Finding(what, ok=True, says=f"{what}: {_shown(told)}.")
    says = f"{what}: the chain says {_shown(told)}, the record {_shown(wanted)}; {todo}."
    return Finding(what, ok=False, says=says)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "nobody"
    return "nothing" if value is None else str(value)
