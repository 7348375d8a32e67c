"""Treasury: one Safe on one chain, put up, looked at, and told what its owners have signed.

Rule: a Safe is believed when its code and the one that it stands for are Safe's own, byte for
byte, and when no module can pass its owners by; who signed is found from the signatures.
Invariant: nothing is sent that fewer than the threshold of the present owners have signed.
Worked number: putting one up where Safe has none yet takes three transactions and 6.3 million
gas, most of it for the code; where it has, one of 283_000.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct, structs

from allmende.adapters.chain.abi import Abi
from allmende.adapters.chain.hand import Hand
from allmende.adapters.chain.reads import read
from allmende.adapters.chain.safe import (
    KNOWN,
    MASTER_COPY,
    VERSION,
    Payment,
    Proposal,
    Setup,
    address_of,
    checked,
    creation,
    digest,
    execution,
    signers,
)
from allmende.adapters.chain.words import hexed
from allmende.adapters.chain_contracts import Contract
from allmende.custody import ContractCall, Finding
from allmende.ports import Chain, ChainFailed, Mined

FILE = "treasury.json"
"""Its name in a data directory."""
GAS = {"Safe": 5_900_000, "Factory": 900_000}
"""Of creating each; public nodes estimate no transaction of that size."""
FIRST = "0x" + "00" * 19 + "01"
MODULES_MAX = 10


class Treasury(Struct, frozen=True, kw_only=True):
    """What was put where: `<data>/treasury.json`. Addresses are "" until they are final."""

    chain_id: int
    genesis: str
    owners: tuple[str, ...]
    threshold: int
    salt: int
    singleton: str = ""
    factory: str = ""
    safe: str = ""

    @property
    def setup(self) -> Setup:
        return Setup(self.owners, self.threshold, self.salt)


class SafeSeen(Struct, frozen=True):
    """A Safe at the newest block. `wei` is its own ether."""

    safe: str
    owners: tuple[str, ...]
    threshold: int
    nonce: int
    modules: tuple[str, ...]
    wei: int


async def begun(chain: Chain, setup: Setup) -> Treasury:
    """The record before anything was sent. ValueError for owners that cannot be."""
    setup, genesis = checked(setup), await chain.block(0)
    if genesis is None:
        raise ChainFailed("lagging", "the node has no blocks")
    return Treasury(
        chain_id=await chain.chain_id(),
        genesis=genesis.hash,
        owners=setup.owners,
        threshold=setup.threshold,
        salt=setup.salt,
    )


async def deploy_safe(
    chain: Chain,
    hand: Hand,
    contracts: Mapping[str, Contract],
    record: Treasury,
    kept: Callable[[Treasury], None],
) -> Treasury:
    """Goes on from what the record says; `kept` is called whenever there is more to keep."""
    for field, name in (("singleton", "Safe"), ("factory", "Factory")):
        if not getattr(record, field):
            there = await _put(chain, hand, contracts[name], name)
            record = structs.replace(record, **{field: there})
            kept(record)
    places = (record.factory, record.singleton, record.setup)
    safe = address_of(contracts, *places)
    if not await chain.code(safe):
        await _sent(hand, "the Safe", creation(contracts, *places))
    record = structs.replace(record, safe=safe)
    kept(record)
    return record


async def _put(chain: Chain, hand: Hand, contract: Contract, name: str) -> str:
    """Safe's own where it stands already, else ours of the same bytes."""
    if contract.made(await chain.code(KNOWN[name])):
        return KNOWN[name]
    data = Abi(contract).creation()
    return (await _sent(hand, f"Safe's {name.lower()}", ContractCall("", data), GAS[name])).contract


async def _sent(hand: Hand, what: str, call: ContractCall, gas: int = 0) -> Mined:
    done = await hand.send(what, call, gas)
    if done is None or not done.ok:
        raise ChainFailed("reverted", f"{what}: it is not in the chain; call this again")
    return done


# Looking ----------------------------------------------------------------------------------


async def look(chain: Chain, contracts: Mapping[str, Contract], safe: str) -> SafeSeen:
    """ChainFailed("garbled") if what is there does not answer as a Safe."""
    abi = Abi(contracts["Safe"])
    modules, _ = await read(chain, abi, safe, "getModulesPaginated", FIRST, MODULES_MAX)
    return SafeSeen(
        safe=safe,
        owners=tuple(await read(chain, abi, safe, "getOwners")),
        threshold=int(await read(chain, abi, safe, "getThreshold")),
        nonce=int(await read(chain, abi, safe, "nonce")),
        modules=tuple(modules),
        wei=await chain.balance(safe),
    )


async def compared(
    chain: Chain, contracts: Mapping[str, Contract], safe: str
) -> tuple[list[Finding], SafeSeen | None]:
    """Whether it is Safe's code and nobody passes its owners by; None if it is no Safe."""
    code = await chain.code(safe)
    if not contracts["Proxy"].made(code):
        says = f"What stands at {safe} is no Safe proxy {VERSION}; do not pay to it."
        return [Finding("proxy", ok=False, says=says)], None
    singleton = hexed((await chain.call(safe, MASTER_COPY))[-20:])
    same = contracts["Safe"].made(await chain.code(singleton))
    says = f"It stands for {singleton}, whose code is {'' if same else 'NOT '}Safe {VERSION}."
    found = [
        Finding("proxy", ok=True, says=f"{safe} is a Safe proxy, byte for byte."),
        Finding("code", ok=same, says=says),
    ]
    if not same:
        return found, None
    seen = await look(chain, contracts, safe)
    owners = f"{seen.threshold} of {len(seen.owners)} owners sign: {', '.join(seen.owners)}."
    none = "No module passes the owners by."
    modules = (
        f"Modules that need no signature: {', '.join(seen.modules)}." if seen.modules else none
    )
    found += [
        Finding("owners", ok=True, says=owners),
        Finding("modules", ok=not seen.modules, says=modules),
    ]
    return found, seen


# Paying -----------------------------------------------------------------------------------


def merged(proposals: list[Proposal]) -> Proposal:
    """One with everybody's signatures. ValueError if they are not of the same payment."""
    first = proposals[0]
    if any(one.payment != first.payment for one in proposals):
        raise ValueError("the files are of different payments; execute them one after the other")
    signed = {owner: text for one in proposals for owner, text in one.signatures.items()}
    return structs.replace(first, signatures=signed)


def fit(seen: SafeSeen, chain_id: int, payment: Payment) -> None:
    """ValueError says why this payment cannot be made by this Safe now."""
    if payment.chain_id != chain_id or payment.safe != seen.safe:
        raise ValueError(
            f"it is of the Safe {payment.safe} on chain {payment.chain_id}, not of {seen.safe} on "
            f"{chain_id}: name the node of that chain"
        )
    if payment.nonce != seen.nonce:
        passed = "was executed, or another one in its place" if payment.nonce < seen.nonce else ""
        raise ValueError(
            f"its number is {payment.nonce} and the Safe's next one is {seen.nonce}: it "
            + (passed or "waits for the ones before it")
        )


async def execute(
    chain: Chain, hand: Hand, contracts: Mapping[str, Contract], proposal: Proposal
) -> Mined:
    """Once it is final. ValueError before anything is paid for."""
    payment = proposal.payment
    seen = await look(chain, contracts, payment.safe)
    fit(seen, await chain.chain_id(), payment)
    signed = {who: text for who, text in signers(proposal).items() if who in seen.owners}
    if len(signed) < seen.threshold:
        missing = [owner for owner in seen.owners if owner not in signed]
        raise ValueError(
            f"{len(signed)} of {seen.threshold} signatures are there: these have not signed: "
            f"{', '.join(missing)}"
        )
    call = ContractCall(payment.safe, execution(contracts, payment, signed))
    return await _sent(hand, f"payment {payment.nonce}", call)


async def agrees(chain: Chain, contracts: Mapping[str, Contract], payment: Payment) -> bool:
    """Whether the Safe itself has the same digest."""
    none = "0x" + "00" * 20
    values = (payment.to, payment.value, payment.call().data, 0, 0, 0, 0, none, none, payment.nonce)
    asked = (Abi(contracts["Safe"]), payment.safe, "getTransactionHash", *values)
    return bool(await read(chain, *asked) == hexed(digest(payment)))
