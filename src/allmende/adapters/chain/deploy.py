"""Deploy: puts the contracts on a chain, gives everybody his role, and says what is where.

Rule: every step is one wanted transaction under a fixed key, so it is sent once whatever
happens between two steps; doing it again finds what is there and goes on.
Invariant: the record is made from transactions that are final; an address in it is the one
that its nonce gives and that the chain says was created.
Worked number: 12 transactions and 9.4 million gas with a Credit of our own; on Ethereum they
take some blocks, and 13 minutes more until the last is final.

A creation's address follows from sender and nonce, so the next step need not wait until the
creation is final. While one waits for another that is not mined, its estimate is reverted, and
the submitter lets it wait: see Submitter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from msgspec import Struct, structs

from allmende.adapters.chain.abi import Abi
from allmende.adapters.chain.calls import ContractCalls
from allmende.adapters.chain.drive import Driver
from allmende.adapters.chain.profiles import Profile
from allmende.adapters.chain.reads import read
from allmende.adapters.chain.terms import BOND_PENALTIES, Norm
from allmende.adapters.chain_contracts import Contract
from allmende.core.refusals import Refused, Why
from allmende.custody import ContractCall, Deployment
from allmende.ports import Chain, ChainFailed, Sender

NAME, SYMBOL, DECIMALS = "Allmende Credit", "CRED", 12
DECIMALS_MAX = 36
PROBE = 2
"""Base units that the listing's test takes."""

Contracts: TypeAlias = Mapping[str, Contract]


class Plan(Struct, frozen=True, kw_only=True):
    """Who gets which role, and on what terms. Addresses are lower-case 0x text."""

    profile: Profile
    norm: Norm
    operator: str
    """Whose account sends all of this."""
    market_key: str
    guardian: str
    commons: str
    token: str = ""
    """An ERC-20 that is there; "" creates a Credit."""
    play_units: int = 0
    """Whole credits that the operator gets of a Credit that is created."""
    admin: str = ""
    """Gets the granting of roles, which the operator gives away; "" leaves it with him."""
    attempt: int = 1
    """Another number begins anew, where a step of the last attempt was refused for good."""

    def key(self, step: str) -> str:
        return f"deploy {self.attempt}: {step}"


def silent(line: str) -> None:
    """For whoever does not want to hear."""


async def deploy(
    chain: Chain,
    sender: Sender,
    contracts: Contracts,
    plan: Plan,
    told: Callable[[str], None] = silent,
) -> Deployment:
    """Returns when all of it is final. Nobody else may step the sender meanwhile.

    ChainFailed says what stands in the way; call it again, then it goes on from there.
    Refused(BAD_VALUE) for a token that is none; (REPLAYED) if an earlier plan was another.
    """
    genesis = await chain.block(0)
    if genesis is None:
        raise ChainFailed("lagging", "the node has no blocks")
    decimals = await _decimals(chain, contracts, plan)
    await _afford(chain, sender, contracts, plan, decimals)
    driver = Driver(sender, plan.profile, told)
    made = await _create(driver, contracts, plan, decimals)
    draft = _draft(plan, contracts, made, decimals)
    draft = structs.replace(draft, chain_id=await chain.chain_id(), genesis=genesis.hash)
    for step, call in _steps(ContractCalls(draft, contracts), plan, draft):
        driver.want(plan.key(step), call)
    done = await driver.final()
    for step, address in made.items():
        there = done[plan.key(step)].contract if plan.key(step) in done else address
        if there != address:
            raise ChainFailed("nonce_taken", f"{step} stands at {there}, not at {address}")
    return await _dated(chain, draft, [send.block or 0 for send in done.values()])


async def _dated(chain: Chain, draft: Deployment, blocks: list[int]) -> Deployment:
    """With its first block, and the time of its last one."""
    last = await chain.block(max(blocks))
    if last is None:
        raise ChainFailed("lagging", f"the node does not have block {max(blocks)} yet")
    return structs.replace(draft, block=min(blocks), made_at=last.time_s)


# The pay unit -----------------------------------------------------------------------------


async def _decimals(chain: Chain, contracts: Contracts, plan: Plan) -> int:
    if not plan.token:
        return DECIMALS
    try:
        found = int(await read(chain, Abi(contracts["Credit"]), plan.token, "decimals"))
    except ChainFailed as failed:
        if failed.cause != "garbled":
            raise
        found = -1
    if not 0 <= found <= DECIMALS_MAX:
        text = f"{plan.token} is no token that we can use: it does not say its decimals."
        raise Refused(Why.BAD_VALUE, text, field="token")
    return found


async def _afford(
    chain: Chain, sender: Sender, contracts: Contracts, plan: Plan, decimals: int
) -> None:
    """Before anything is paid for: can the operator bond himself in this token?"""
    if not plan.token or sender.get(plan.key("bond")) is not None:
        return
    needed = BOND_PENALTIES * plan.norm.terms(10**decimals).penalty + PROBE
    asked = (Abi(contracts["Credit"]), plan.token, "balanceOf", plan.operator)
    has = int(await read(chain, *asked))
    if has < needed:
        raise ChainFailed(
            "no_funds",
            f"the operator's bond and the listing's test take {needed} base units of "
            f"{plan.token}, and {plan.operator} has {has}: send it {needed - has} more",
        )


# The steps --------------------------------------------------------------------------------


async def _create(
    driver: Driver, contracts: Contracts, plan: Plan, decimals: int
) -> dict[str, str]:
    """Where the contracts are, or will be once they are mined."""
    norm, made = plan.norm, {"credit": plan.token}
    if not plan.token:
        data = Abi(contracts["Credit"]).creation(NAME, SYMBOL)
        made["credit"] = await driver.created(plan.key("credit"), plan.operator, data)
    data = Abi(contracts["Bond"]).creation(made["credit"], *structs.astuple(norm.bond))
    made["bond"] = await driver.created(plan.key("bond"), plan.operator, data)
    terms = structs.astuple(norm.terms(10**decimals))
    values = (made["credit"], made["bond"], plan.commons, norm.grace, terms)
    data = Abi(contracts["Vault"]).creation(*values)
    made["vault"] = await driver.created(plan.key("vault"), plan.operator, data)
    return made


def _steps(calls: ContractCalls, plan: Plan, made: Deployment) -> list[tuple[str, ContractCall]]:
    bond = BOND_PENALTIES * made.terms.penalty
    play = bond + PROBE + plan.play_units * 10**made.decimals
    mint = [("mint play credit", calls.mint_credit(plan.operator, play))]
    steps = [
        ("grant OPERATOR", calls.grant(made.vault, "OPERATOR", made.operator)),
        ("grant MARKET", calls.grant(made.vault, "MARKET", made.market_key)),
        ("grant GUARDIAN", calls.grant(made.vault, "GUARDIAN", made.guardian)),
        ("grant SLASHER", calls.grant(made.bond, "SLASHER", made.vault)),
        ("approve the listing", calls.approve(made.vault, PROBE)),
        ("list the token", calls.list_token()),
        ("approve the bond", calls.approve(made.bond, bond)),
        ("bond the operator", calls.bond_for(made.operator, bond)),
    ]
    return [*(mint if made.own_credit else []), *steps, *_hand_over(calls, plan, made)]


def _hand_over(
    calls: ContractCalls, plan: Plan, made: Deployment
) -> list[tuple[str, ContractCall]]:
    """The operator's last act as admin."""
    if made.admin == plan.operator:
        return []
    steps = []
    for name, address in (("vault", made.vault), ("bond", made.bond)):
        steps += [
            (f"grant admin of {name}", calls.grant(address, "DEFAULT_ADMIN", made.admin)),
            (f"give away admin of {name}", calls.revoke(address, "DEFAULT_ADMIN", plan.operator)),
        ]
    return steps


def _draft(plan: Plan, contracts: Contracts, made: Mapping[str, str], decimals: int) -> Deployment:
    """The record, but for what only the chain can say."""
    return Deployment(
        profile=plan.profile.name,
        chain_id=0,
        genesis="",
        block=0,
        admin=plan.admin or plan.operator,
        operator=plan.operator,
        market_key=plan.market_key,
        guardian=plan.guardian,
        commons=plan.commons,
        credit=made["credit"],
        bond=made["bond"],
        vault=made["vault"],
        rights={},
        own_credit=not plan.token,
        decimals=decimals,
        terms=plan.norm.terms(10**decimals),
        bond_terms=plan.norm.bond,
        grace=plan.norm.grace,
        codes={name: contract.code_hash for name, contract in sorted(contracts.items())},
        source_hash=contracts["Vault"].source_hash,
        made_at=0,
    )
