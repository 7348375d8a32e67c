"""Bridge deploy: both sides put up, linked, and handed over, from one wallet on two chains.

Rule: after each creation the record is kept; every other step is done only if the chain does not
have it yet, so that a deployment broken off goes on from where it was.
Invariant: the wallet that deploys keeps no role once an admin is named.
Worked number: six transactions and 8.1 million gas, 3.1 of them at home; handing over takes two
more on each side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from eth_abi.abi import encode
from msgspec import Struct, structs

from allmende.adapters.chain.abi import Abi
from allmende.adapters.chain.bridge import AWAY, HOME, BridgeRecord, End, Rules, SideRecord
from allmende.adapters.chain.calls import role_id
from allmende.adapters.chain.hand import Hand
from allmende.adapters.chain.institutions import ChainInstitution
from allmende.adapters.chain.profiles import Profile
from allmende.adapters.chain.tokens import Erc20
from allmende.adapters.chain_contracts import Contract
from allmende.custody import NOBODY, ContractCall
from allmende.ports import Chain, ChainFailed

DAY = 86_400
GAS = {HOME: 4_000_000, AWAY: 6_500_000}
"""Of creating each; public nodes estimate no transaction of that size."""
DECIMALS = 12
"""Of Credit, and so of the wrapped token: base units are the same on both sides."""
NAME_MAX, SYMBOL_MAX = 25, 5
ADMIN, GUARDIAN = "DEFAULT_ADMIN", "GUARDIAN"


class Norm(Struct, frozen=True):
    """A bridge's windows in seconds, for good; see contracts/Bridge.vy."""

    validity: int
    delay: int
    pause_max: int
    pause_gap: int
    why: str

    def terms(self) -> tuple[int, ...]:
        return (self.validity, self.delay, self.pause_max, self.pause_gap)


NORMS = {
    "careful": Norm(
        *(3 * DAY, 7 * DAY, DAY, 3 * DAY),
        "a transfer outlives a pause and a weekend's queue at the day's limit; who distrusts new "
        "validators has a week to cross back; chosen 2026-11",
    ),
    "demo": Norm(*(300, 5, 60, 60), "for demonstrations and tests, where nobody waits"),
}


class BridgePlan(Struct, frozen=True, kw_only=True):
    """Who attests, who pauses, who is asked, and how much may cross. Base units."""

    token: str
    norm: Norm
    rules: Rules
    guardian: str
    admin: str
    """Of both sides; NOBODY leaves it with the wallet that deploys."""


class Site(Struct, frozen=True):
    """A chain, and our wallet there."""

    chain: Chain
    profile: Profile
    hand: Hand

    async def record(self) -> SideRecord:
        genesis = await self.chain.block(0)
        if genesis is None:
            raise ChainFailed("lagging", "the node has no blocks")
        here = await self.chain.chain_id()
        return SideRecord(chain_id=here, genesis=genesis.hash, profile=self.profile.name)


def checked(rules: Rules) -> Rules:
    """In the contract's order. ValueError says what the contract would refuse."""
    validators = tuple(sorted({one.lower() for one in rules.validators}))
    if len(validators) != len(rules.validators) or NOBODY in validators:
        raise ValueError("a validator stands there twice, or is nobody")
    if not len(validators) < 2 * rules.threshold <= 2 * len(validators):
        raise ValueError(
            f"of {len(validators)} validators {rules.threshold} cannot be the threshold: it is "
            "more than half of them, and at most all"
        )
    if not 0 < rules.per_transfer <= rules.per_day:
        raise ValueError("a transfer's limit is above zero and at most the day's")
    return rules._replace(validators=validators)


async def begun(
    home: Site, away: Site, contracts: Mapping[str, Contract], token: str
) -> BridgeRecord:
    """The record before anything was sent. ValueError for a token that cannot cross."""
    sides = await home.record(), await away.record()
    if sides[0].chain_id == sides[1].chain_id:
        raise ValueError(
            f"both nodes lead to a chain with the id {sides[0].chain_id}: what is signed for one "
            "of two such chains holds on the other, so there is no bridge between them"
        )
    unit = await Erc20(home.chain, token).unit()
    if unit.decimals != DECIMALS:
        raise ValueError(
            f"{unit.symbol} has {unit.decimals} decimals and the wrapped Credit {DECIMALS}: "
            "wallets would show other amounts on each side"
        )
    return BridgeRecord(
        home=sides[0],
        away=sides[1],
        symbol=unit.symbol,
        decimals=unit.decimals,
        code=contracts["Bridge"].code_hash,
    )


async def deploy_bridge(
    home: Site,
    away: Site,
    contracts: Mapping[str, Contract],
    plan: BridgePlan,
    record: BridgeRecord,
    kept: Callable[[BridgeRecord], None],
) -> BridgeRecord:
    """Goes on from what the record says; `kept` is called whenever there is more to keep."""
    sites = {HOME: home, AWAY: away}
    for name, site in sites.items():
        side: SideRecord = getattr(record, name)
        if not side.bridge:
            made = await _create(name, site, contracts, plan, record, side)
            record = structs.replace(record, **{name: made})
            kept(record)
    for name, site in sites.items():
        side, peer = getattr(record, name), record.away if name == HOME else record.home
        end = End(name, site.chain, site.profile, contracts, side)
        for what, call in await _missing(end, site.hand, plan, peer):
            await _sent(site.hand, f"{name}: {what}", call)
    return record


async def _create(
    name: str,
    site: Site,
    contracts: Mapping[str, Contract],
    plan: BridgePlan,
    record: BridgeRecord,
    side: SideRecord,
) -> SideRecord:
    code = b"" if name == HOME else _wrapped(contracts["Credit"], record.symbol)
    token = plan.token if name == HOME else NOBODY
    rules = (list(plan.rules.validators), *plan.rules[1:])
    data = Abi(contracts["Bridge"]).creation(token, code, plan.norm.terms(), rules)
    done = await _sent(site.hand, f"{name}: the bridge", ContractCall("", data), GAS[name])
    there = ChainInstitution(site.chain, contracts["Bridge"], done.contract)
    token = await there.get("token", None)
    return structs.replace(side, bridge=done.contract, token=token, block=done.block)


def _wrapped(credit: Contract, symbol: str) -> bytes:
    """What creates the token of the away side: a Credit, named for the one at home."""
    name, short = f"Bridged {symbol}"[:NAME_MAX], f"b{symbol}"[:SYMBOL_MAX]
    return credit.creation + bytes(encode(["string", "string"], [name, short]))


async def _missing(
    end: End, hand: Hand, plan: BridgePlan, peer: SideRecord
) -> list[tuple[str, ContractCall]]:
    """What one side does not have yet, in order: the admin's own role goes last."""
    steps = []
    call = end.bridge.call
    mine = await _has(end, ADMIN, hand.address)
    if await end.get("peer", None) == NOBODY:
        steps.append(("link", call("link", peer.chain_id, peer.bridge)))
    grants = [(GUARDIAN, plan.guardian)]
    if plan.admin != NOBODY and plan.admin != hand.address:
        grants.append((ADMIN, plan.admin))
    for role, who in grants:
        if not await _has(end, role, who):
            steps.append((f"grant {role}", call("grantRole", _role(role), who)))
    if mine and len(grants) == 2:  # an admin is named, who is another one
        steps.append(("give away admin", call("revokeRole", _role(ADMIN), hand.address)))
    return steps


async def _has(end: End, role: str, who: str) -> bool:
    return bool(await end.get("hasRole", None, _role(role), who))


def _role(role: str) -> Any:
    return "0x" + role_id(role).hex()


async def _sent(hand: Hand, what: str, call: ContractCall, gas: int = 0) -> Any:
    done = await hand.send(what, call, gas)
    if done is None or not done.ok:
        raise ChainFailed("reverted", f"{what}: it is not in the chain; call this again")
    return done
