"""Verify: whether what stands on the chain is what the record says and what we compile.

Rule: every claim of the record is asked of the chain; code is compared byte for byte, and what
the constructors set is then asked of that code, which is known to tell the truth.
Invariant: `verify` changes nothing, and says of each thing what is and what should be.
Worked number: 33 findings without an instrument: 5 about chain and code, 18 about what the
constructors set, 8 about roles, 2 about whether a batch could be submitted now.
"""

from __future__ import annotations

from msgspec import structs

from allmende.adapters.chain.deploy import Contracts
from allmende.adapters.chain.findings import Findings, same
from allmende.custody import Deployment, Finding
from allmende.ports import Chain

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
        self._made = deployment
        self._find = Findings(chain, contracts, deployment.codes, deployment.block)

    async def chain(self) -> list[Finding]:
        return await self._find.there(self._made.chain_id, self._made.genesis)

    # --- code ----------------------------------------------------------------------------

    async def codes(self) -> list[Finding]:
        made = self._made
        wanted = {"Bond": made.bond, "Vault": made.vault}
        if made.own_credit:
            wanted["Credit"] = made.credit
        found = [await self._find.code(name, name, address) for name, address in wanted.items()]
        for instrument, address in made.rights.items():
            found.append(await self._find.code(f"Rights of {instrument}", "Rights", address))
        return found

    # --- what the constructors set -------------------------------------------------------

    async def terms(self) -> list[Finding]:
        made = self._made
        said = structs.asdict(made.terms)
        terms = await self._find.get("Vault", made.vault, "terms") or [None] * len(said)
        wrong = "the Vault at this address is another deployment's: do not use it"
        found = [
            same(f"term {name}", told, value, wrong)
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
            told = await self._find.get(name, address, function)
            found.append(same(f"{name}.{function}", told, value, wrong))
        return found

    # --- roles ---------------------------------------------------------------------------

    async def roles(self) -> list[Finding]:
        made = self._made
        vault = {
            "DEFAULT_ADMIN": [made.admin],
            "OPERATOR": [made.operator],
            "MARKET": [made.market_key],
            "GUARDIAN": [made.guardian],
        }
        bond = {"DEFAULT_ADMIN": [made.admin], "SLASHER": [made.vault]}
        found = await self._find.roles("Vault", made.vault, vault, ROLES)
        found += await self._find.roles("Bond", made.bond, bond, ROLES)
        if made.own_credit:
            found += await self._minters("Credit", made.credit)
        for instrument, address in made.rights.items():
            found += await self._minters(f"Rights of {instrument}", address)
        return found

    async def _minters(self, what: str, address: str) -> list[Finding]:
        todo = "its owner must call set_minter"
        owner = await self._find.get("Credit", address, "owner")
        ever = await self._find.ever("Credit", address, "RoleMinterChanged", ("minter",))
        minters = [a for (a,) in ever if await self._find.get("Credit", address, "is_minter", a)]
        return [
            same(f"{what} owner", owner, self._made.operator, todo),
            same(f"{what} minters", sorted(minters), [self._made.operator], todo),
        ]

    # --- whether it can work -------------------------------------------------------------

    async def ready(self) -> list[Finding]:
        made = self._made
        listed = await self._find.get("Vault", made.vault, "listed")
        bonded = await self._find.get("Bond", made.bond, "secures", made.operator) or 0
        enough = bonded >= made.terms.penalty
        says = f"The operator's bond secures {bonded} base units, a penalty is {made.terms.penalty}"
        more = "" if enough else ": no batch can be submitted; bond more"
        return [
            same("token listed", listed, True, "the admin must call list_token"),
            Finding("bond", ok=enough, says=f"{says}{more}."),
        ]
