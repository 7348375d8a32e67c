"""Ensure: the deployment that a data directory works with, made now where that costs nothing.

Rule: on the embedded chain the contracts are put up by themselves when a market opens first; on
any other chain a person does it, because it costs money and cannot be taken back.
Invariant: a record is used on the chain that it was made on, and on no other one, also where
the other one has the same id.
Worked number: the first opening takes some 10 s, most of them Vyper's; the next one 5 ms.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from allmende.adapters import chain_contracts
from allmende.adapters.chain.deploy import Contracts, Plan, deploy, silent
from allmende.adapters.chain.profiles import EMBEDDED, Profile
from allmende.adapters.chain.record import FILE, keep, recall
from allmende.adapters.chain.terms import NORMS, OF_PROFILE
from allmende.custody import Deployment
from allmende.ports import Chain, ChainFailed, Sender

CACHE = "contracts"
"""Folder of the compiled contracts in a data directory."""
PLAY_UNITS = 1_000_000
"""Play credits that the operator of an embedded chain begins with."""


async def ensure_deployed(
    chain: Chain,
    sender: Sender,
    account: str,
    market_key: str,
    profile: Profile,
    folder: Path,
    *,
    norm: str = "",
    cache: Path | None = None,
    told: Callable[[str], None] = silent,
) -> tuple[Deployment, Contracts]:
    """The deployment, and the contracts as they are compiled here.

    `account` (the sender's) becomes operator, guardian, commons and admin of a new one; `norm`
    is a row of terms, else the profile's. Nobody else may step the sender meanwhile.
    ChainFailed: "wrong_deployment" says what to do; RuntimeError if nothing compiles.
    """
    known = recall(folder)
    if known is None and profile is not EMBEDDED:
        raise ChainFailed(
            "wrong_deployment",
            f"nothing is deployed from {folder}: run `allmende chain deploy --data {folder} "
            f"--node URL --profile {profile.name}`, or put back its {FILE}",
        )
    contracts = await chain_contracts.load_all(cache or folder / CACHE)
    if known is not None:
        await same_chain(chain, known)
        return known, contracts
    plan = _own_plan(profile, norm, account, market_key)
    made = await deploy(chain, sender, contracts, plan, told)
    keep(folder, made)
    return made, contracts


def _own_plan(profile: Profile, norm: str, account: str, market_key: str) -> Plan:
    """One account in all roles: where the chain is the operator's, so is everything else."""
    return Plan(
        profile=profile,
        norm=NORMS[norm] if norm else OF_PROFILE[profile.name],
        operator=account,
        market_key=market_key,
        guardian=account,
        commons=account,
        play_units=PLAY_UNITS,
    )


async def same_chain(chain: Chain, known: Deployment) -> None:
    """ChainFailed("wrong_deployment") unless this is the chain that the record is of."""
    chain_id, genesis = await chain.chain_id(), await chain.block(0)
    if chain_id != known.chain_id:
        raise ChainFailed(
            "wrong_deployment",
            f"{FILE} is of chain {known.chain_id}, the node's is {chain_id}: ask another node",
        )
    if genesis is None or genesis.hash != known.genesis:
        raise ChainFailed(
            "wrong_deployment",
            f"{FILE} is of another chain with the id {chain_id}, which began otherwise: ask "
            "another node, or put back the data directory that belongs to this one",
        )
