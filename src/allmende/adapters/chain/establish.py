"""Establish: puts up the members' contracts, gives each its roles, and hands all of it over.

Rule: every step is one wanted transaction under a fixed key, as in `deploy`: doing it again finds
what is there and goes on. In the end the Assembly is the admin of every contract, and who
put them up keeps the roles of the daily work and no other.
Invariant: a contract is granted a role before it is handed over, and none after; the record is
written when all of it is final.
Worked number: SHARES_MOST is 10 million shares; what the sale, the airdrop and the emission
give out together never exceeds it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from msgspec import Struct

from allmende.adapters import chain_contracts
from allmende.adapters.chain.abi import Abi
from allmende.adapters.chain.calls import role_id
from allmende.adapters.chain.deploy import Contracts, silent
from allmende.adapters.chain.distribution import AIRDROPS_MOST, sale_values
from allmende.adapters.chain.drive import Driver
from allmende.adapters.chain.emitting import emission_values
from allmende.adapters.chain.institutions import FILE, keep, recall
from allmende.adapters.chain.profiles import Profile
from allmende.adapters.chain.terms import NORMS, OF_PROFILE, Norm
from allmende.adapters.chain.voting import assembly_values, stake_values
from allmende.adapters.chain_contracts import Contract
from allmende.core.identity import FEATURES
from allmende.core.offering import Terms as SaleTerms
from allmende.custody import ContractCall, Deployment
from allmende.institutions import Institutions
from allmende.ports import Chain, ChainFailed, Sender

SHARE = 10**18
"""Base units in one share."""
SHARES_MOST = 10_000_000 * SHARE
ADMIN = "DEFAULT_ADMIN"

Made: TypeAlias = Mapping[str, str]


class Founding(Struct, frozen=True, kw_only=True):
    """For whom, and on what terms. Addresses are lower-case 0x text."""

    profile: Profile
    norm: str
    """A row of terms; "" for the profile's."""
    mode: str
    registrar: str
    """Whose key signs credentials, of members and of buyers."""
    deployment: Deployment
    """What stands already. Its operator sends all of this."""
    sale: SaleTerms | None = None
    """How shares are sold; None where they are not."""

    @property
    def terms(self) -> Norm:
        return NORMS[self.norm] if self.norm else OF_PROFILE[self.profile.name]

    def mode_number(self) -> int:
        """As modes.vy counts them."""
        return list(FEATURES).index(self.mode)


class Creation(NamedTuple):
    """A contract, and what its constructor is given; None where there is to be none."""

    name: str
    values: Callable[[Founding, Made], Sequence[Any] | None]


class Grant(NamedTuple):
    """`role` on `contract` for another contract, "founder", "registrar" or "guardian"."""

    contract: str
    role: str
    to: str


CREATIONS: tuple[Creation, ...] = (
    Creation("Share", lambda f, made: (f.mode_number(), SHARES_MOST)),
    Creation(
        "Stake", lambda f, made: stake_values(f.terms.name, made["Share"], f.deployment.credit)
    ),
    Creation(
        "Assembly",
        lambda f, made: assembly_values(
            *(f.terms.name, made["Stake"], f.deployment.credit),
            *(f.deployment.decimals, f.deployment.commons),
        ),
    ),
    Creation("Titles", lambda f, made: (f.mode_number(), f.deployment.credit)),
    Creation("Airdrop", lambda f, made: (made["Share"], f.deployment.commons, AIRDROPS_MOST)),
    Creation("Sale", lambda f, made: _sale(f, made)),
    Creation("Emission", lambda f, made: emission_values(f.terms, made["Share"])),
)
GRANTS: tuple[Grant, ...] = (
    Grant("Share", "MINTER", "Airdrop"),
    Grant("Share", "MINTER", "Sale"),
    Grant("Airdrop", "GIVER", "founder"),
    Grant("Sale", "ISSUER", "registrar"),
    Grant("Share", "HOUSE", "Stake"),
    Grant("Stake", "LOCKER", "Assembly"),
    Grant("Assembly", "REGISTRAR", "registrar"),
    Grant("Titles", "REGISTRAR", "founder"),
    Grant("Share", "MINTER", "Emission"),
    Grant("Emission", "PUBLISHER", "founder"),
    Grant("Emission", "AUDITOR", "guardian"),
    Grant("Emission", "AUDITOR", "Assembly"),
)
NAMES = tuple(creation.name for creation in CREATIONS)


async def establish(
    chain: Chain,
    sender: Sender,
    contracts: Contracts,
    founding: Founding,
    told: Callable[[str], None] = silent,
) -> Institutions:
    """Returns when all of it is final. Nobody else may step the sender meanwhile. ChainFailed."""
    driver, founder = Driver(sender, founding.profile, told), founding.deployment.operator
    made = {
        "founder": founder,
        "registrar": founding.registrar,
        "guardian": founding.deployment.guardian,
    }
    for name, values in CREATIONS:
        given = values(founding, made)
        if given is not None:
            data = Abi(contracts[name]).creation(*given)
            made[name] = await driver.created(_key(f"create {name}"), founder, data)
    for step, call in _steps(contracts, founding, made):
        driver.want(_key(step), call)
    done = await driver.final()
    last = await chain.block(max(send.block or 0 for send in done.values()))
    if last is None:
        raise ChainFailed("lagging", "the node does not have the last block yet")
    return Institutions(
        chain_id=founding.deployment.chain_id,
        genesis=founding.deployment.genesis,
        block=min(send.block or 0 for send in done.values()),
        mode=founding.mode,
        founder=founder,
        registrar=founding.registrar,
        guardian=founding.deployment.guardian,
        credit=founding.deployment.credit,
        contracts={name: made[name] for name in NAMES if name in made},
        codes={name: contracts[name].code_hash for name in sorted(NAMES) if name in made},
        made_at=last.time_s,
    )


async def ensure_established(
    chain: Chain,
    sender: Sender,
    founding: Founding,
    folder: Path,
    cache: Path,
    *,
    create: bool,
    told: Callable[[str], None] = silent,
) -> tuple[Institutions, Contracts] | None:
    """What stands there, put up now if `create`; None if nothing does. ChainFailed;
    RuntimeError if nothing compiles."""
    known = recall(folder)
    if known is None and not create:
        return None
    contracts = await chain_contracts.load_all(cache, NAMES)
    if known is None:
        known = await establish(chain, sender, contracts, founding, told)
        keep(folder, known)
    if known.mode != founding.mode:
        raise ChainFailed(
            "wrong_deployment",
            f"{FILE} is of a market of mode {known.mode}, this one's is {founding.mode}",
        )
    there = founding.deployment
    if (known.chain_id, known.genesis) != (there.chain_id, there.genesis):
        raise ChainFailed(
            "wrong_deployment",
            f"{FILE} is of chain {known.chain_id}, the contracts are on {there.chain_id}: put "
            "back the data directory that belongs together",
        )
    return known, contracts


def _sale(founding: Founding, made: Made) -> Sequence[Any] | None:
    terms, there = founding.sale, founding.deployment
    if terms is None:
        return None
    where = made["Share"], there.credit, there.commons
    return sale_values(founding.mode_number(), *where, terms)


def _key(step: str) -> str:
    return f"establish: {step}"


def _steps(contracts: Contracts, founding: Founding, made: Made) -> list[tuple[str, ContractCall]]:
    """The roles, and the founder's last act as admin of anything."""
    steps = [
        (f"grant {role} of {name} to {to}", _grant(contracts, made, name, role, made[to]))
        for name, role, to in GRANTS
        if name in made and to in made
    ]
    there = [name for name in NAMES if name in made and has_roles(contracts[name])]
    for name in there if "Assembly" in made else ():
        given = _grant(contracts, made, name, ADMIN, made["Assembly"])
        left = _renounce(contracts, made, name, founding.deployment.operator)
        steps += [(f"{name} to the Assembly", given), (f"{name} given away", left)]
    return steps


def has_roles(contract: Contract) -> bool:
    """Whether it is administered at all."""
    return any(entry.get("name") == "grantRole" for entry in contract.abi)


def _grant(contracts: Contracts, made: Made, name: str, role: str, to: str) -> ContractCall:
    return ContractCall(made[name], Abi(contracts[name]).call("grantRole", role_id(role), to))


def _renounce(contracts: Contracts, made: Made, name: str, who: str) -> ContractCall:
    data = Abi(contracts[name]).call("renounceRole", role_id(ADMIN), who)
    return ContractCall(made[name], data)
