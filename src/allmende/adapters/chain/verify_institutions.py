"""Verify institutions: whether the members' contracts are what the record says, in whose hands.

Rule: as for the custody: code byte for byte, then who has which role, the Assembly as the one
admin of all; and whether a sale keeps to the law's counters.
Invariant: whoever put the contracts up has no role on them but those of the daily work.
Worked number: a contract that somebody else still administers is one bad finding that names him.
"""

from __future__ import annotations

from allmende.adapters.chain.abi import Abi
from allmende.adapters.chain.deploy import Contracts
from allmende.adapters.chain.establish import ADMIN, GRANTS, has_roles
from allmende.adapters.chain.findings import Findings
from allmende.adapters.chain.reads import read
from allmende.adapters.rules import NoRules
from allmende.adapters.sale_terms import beyond_the_law, law_of
from allmende.core.offering import Terms
from allmende.custody import Finding
from allmende.institutions import Institutions
from allmende.ports import Chain


async def verify_institutions(
    chain: Chain, record: Institutions, contracts: Contracts
) -> list[Finding]:
    """All findings, the bad ones among them. ChainFailed only if the node does not answer."""
    find = Findings(chain, contracts, record.codes, record.block)
    found = await find.there(record.chain_id, record.genesis)
    if all(finding.ok for finding in found):
        found += [await find.code(name, name, at) for name, at in record.contracts.items()]
    if all(finding.ok for finding in found):  # else it would be the answers of strangers
        for name, at in record.contracts.items():
            if has_roles(contracts[name]):
                wanted = _wanted(name, record)
                found += await find.roles(name, at, wanted, list(wanted))
        if "Sale" in record.contracts:
            found.append(await _sale(chain, record, contracts))
    return found


async def _sale(chain: Chain, record: Institutions, contracts: Contracts) -> Finding:
    """Whether its terms are within the dated rule of the day it begins."""
    told = await read(chain, Abi(contracts["Sale"]), record.contracts["Sale"], "terms")
    terms = Terms(**dict(zip(Terms.__struct_fields__, told, strict=True)))
    decimals = await read(chain, Abi(contracts["Share"]), record.credit, "decimals")
    try:
        beyond, law = beyond_the_law(record.mode, terms, 10**decimals), law_of(terms.start).name
    except NoRules as none:
        return Finding("Sale terms", ok=False, says=f"Sale terms: {none}")
    if beyond:
        says = f"Sale terms: {', '.join(beyond)} allow more than {law}. Do not buy from it."
        return Finding("Sale terms", ok=False, says=says)
    return Finding("Sale terms", ok=True, says=f"Sale terms: within {law}.")


def _wanted(name: str, record: Institutions) -> dict[str, list[str]]:
    """Role -> who should have it, of one contract."""
    people = {name: getattr(record, name) for name in ("founder", "registrar", "guardian")}
    who = {**record.contracts, **people}
    wanted = {ADMIN: [record.contracts["Assembly"]]} if "Assembly" in record.contracts else {}
    for contract, role, to in GRANTS:
        if contract == name and to in who:
            wanted.setdefault(role, []).append(who[to])
    return wanted
