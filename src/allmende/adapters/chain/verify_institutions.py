"""Verify institutions: whether the members' contracts are what the record says, in whose hands.

Rule: as for the custody: code byte for byte, then who has which role, the Assembly as the one
admin of all.
Invariant: whoever put the contracts up has no role on them but those of the daily work.
Worked number: a contract that somebody else still administers is one bad finding that names him.
"""

from __future__ import annotations

from allmende.adapters.chain.deploy import Contracts
from allmende.adapters.chain.establish import ADMIN, GRANTS, has_roles
from allmende.adapters.chain.findings import Findings
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
    return found


def _wanted(name: str, record: Institutions) -> dict[str, list[str]]:
    """Role -> who should have it, of one contract."""
    people = {name: getattr(record, name) for name in ("founder", "registrar", "guardian")}
    who = {**record.contracts, **people}
    wanted = {ADMIN: [record.contracts["Assembly"]]} if "Assembly" in record.contracts else {}
    for contract, role, to in GRANTS:
        if contract == name and to in who:
            wanted.setdefault(role, []).append(who[to])
    return wanted
