"""Members with shares on an EVM inside the test: Share, Stake, Assembly, and a registrar.

Everything is handed over as in a deployment: the Assembly is the admin of all of it.
"""

from __future__ import annotations

from typing import Any

import boa
from boa.contracts.abi.abi_contract import ABIContract
from eth_abi import encode
from eth_hash.auto import keccak
from msgspec import structs
from vault_rig import Person, deploy

from allmende.adapters.chain import voting
from allmende.core.identity import FEATURES
from allmende.core.parameters import PARAMETERS, RANKS
from allmende.core.tally import MEMBERS, STAKE, Terms

SHARE = 10**18
ORDINARY, MONEY, MISSION = range(3)
NO, YES, ABSTAIN = range(3)
STATUS = ("open", "queued", "executed", "cancelled", "passed", "defeated", "expired")
VOTING, DELAY, WINDOW = 1_000, 500, 2_000
MISSION_DELAY = 5_000
UNBONDING = 300
DEPOSIT = 10
FOREVER = 2**256 - 1
BOTH = STAKE | MEMBERS
CLASSES = {
    "ordinary": Terms(STAKE, False, 200_000, 1, 0, 0, 500_000, VOTING, DELAY, WINDOW),
    "money": Terms(BOTH, False, 200_000, 1, 200_000, 2, 500_000, VOTING, DELAY, WINDOW),
    "mission": Terms(BOTH, False, 200_000, 1, 400_000, 3, 666_666, VOTING, MISSION_DELAY, WINDOW),
}
NOTHING: list[Any] = []
CREDENTIAL = keccak(b"Credential(bytes32 member,address wallet,uint256 expiry)")
DOMAIN = keccak(
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)


def member(name: str) -> bytes:
    """The salted hash of one."""
    return bytes(keccak(b"salt " + name.encode()))


class Town:
    """One deployment. `now` is the chain's second."""

    def __init__(self, classes: dict[str, Terms] | None = None, token: Any = None) -> None:
        self.admin, self.registrar = Person("admin"), Person("registrar")
        self.commons = Person("the commons")
        root = self.admin.address
        self.classes = CLASSES | (classes or {})
        self.share = token or deploy("Share", list(FEATURES).index("lab"), 10**30, by=root)
        self.credit = deploy("Credit", "Credit", "CRED", by=root)
        addresses = (self.share.address, self.credit.address)
        self.stake = deploy("Stake", *addresses, UNBONDING, by=root)
        rules = [
            (name, rule.unit, RANKS.index(rule.rank), rule.least, rule.most)
            for name, rule in PARAMETERS.items()
        ]
        terms = [structs.astuple(self.classes[rank]) for rank in RANKS]
        self.assembly = deploy(
            *("Assembly", self.stake.address, self.credit.address, self.commons.address),
            *(DEPOSIT, 5, MONEY, keccak(voting.MISSION.encode()), terms, rules),
            by=root,
        )
        if token is None:
            self.share.grantRole(keccak(b"MINTER"), root, sender=root)
        self.stake.grantRole(keccak(b"LOCKER"), self.assembly.address, sender=root)
        self.assembly.grantRole(keccak(b"REGISTRAR"), self.registrar.address, sender=root)
        for contract in (self.stake, self.assembly):
            contract.grantRole(bytes(32), self.assembly.address, sender=root)
            contract.renounceRole(bytes(32), root, sender=root)

    @property
    def now(self) -> int:
        return int(boa.env.evm.patch.timestamp)

    def later(self, seconds: int) -> None:
        boa.env.time_travel(seconds=seconds)

    def give(self, person: Person, shares: int, credit: int = 100) -> None:
        """Mint to a wallet, which approves the stake and the assembly."""
        root = self.admin.address
        self.share.mint(person.address, shares, sender=root)
        self.credit.mint(person.address, credit, sender=root)
        self.share.approve(self.stake.address, FOREVER, sender=person.address)
        for to in (self.stake.address, self.assembly.address):
            self.credit.approve(to, FOREVER, sender=person.address)

    def staked(self, person: Person, shares: int) -> Person:
        self.give(person, shares)
        if shares:
            self.stake.stake(shares, sender=person.address)
        return person

    def enrol(
        self,
        name: str,
        wallet: Person,
        *,
        expiry: int = 0,
        by: Person | None = None,
        chain_id: int | None = None,
        assembly: str | None = None,
    ) -> bytes:
        """The member votes from this wallet. Returns its credential's signature."""
        until = expiry or self.now + 10**6
        signature = self.credential(name, wallet, until, by=by, chain_id=chain_id, at=assembly)
        self.assembly.enrol(member(name), until, signature, sender=wallet.address)
        return signature

    def credential(
        self,
        name: str,
        wallet: Person,
        expiry: int,
        *,
        by: Person | None = None,
        chain_id: int | None = None,
        at: str | None = None,
    ) -> bytes:
        chain = boa.env.evm.chain.chain_id if chain_id is None else chain_id
        contract = at or self.assembly.address
        domain = keccak(
            DOMAIN
            + keccak(b"Allmende Assembly")
            + keccak(b"1")
            + encode(["uint256", "address"], [chain, contract])
        )
        struct = keccak(
            CREDENTIAL
            + encode(["bytes32", "address", "uint256"], [member(name), wallet.address, expiry])
        )
        return (by or self.registrar).sign(keccak(b"\x19\x01" + domain + struct))

    # Proposals ----------------------------------------------------------------------------

    def propose(self, by: Person, name: str = "hold_seconds", value: int = 60) -> int:
        """A parameter's change; its number."""
        self.assembly.propose_parameter(name, value, 0, "why not", sender=by.address)
        return int(self.assembly.proposal_count())

    def propose_calls(self, by: Person, *calls: tuple[str, bytes]) -> int:
        self.assembly.propose_calls(list(calls), "calls", sender=by.address)
        return int(self.assembly.proposal_count())

    def vote(self, number: int, *votes: tuple[Person, int]) -> None:
        for person, choice in votes:
            self.assembly.vote(number, choice, sender=person.address)

    def pass_(self, number: int, calls: list[Any] | None = None) -> None:
        """After its votes: queue it and execute it as soon as that can be."""
        self.queue(number)
        self.later(max(0, self.proposal(number)["eta"] - self.now))
        self.assembly.execute(number, calls or NOTHING)

    def queue(self, number: int) -> None:
        self.later(max(0, self.proposal(number)["ends"] - self.now))
        self.assembly.queue(number)

    def proposal(self, number: int) -> dict[str, Any]:
        names = (
            *("kind", "rank", "state", "proposer", "opened", "ends", "eta", "expires"),
            *("staked", "members", "deposit", "name", "value", "effective", "content"),
        )
        return dict(zip(names, self.assembly.proposals(number), strict=True))

    def status(self, number: int) -> str:
        return STATUS[self.assembly.status(number)]

    def count(self, number: int, chamber: int) -> tuple[int, int, int]:
        """(turnout, yes, no)"""
        return tuple(self.assembly.counts(number, chamber))  # type: ignore[return-value]

    def sums(self, people: tuple[Person, ...]) -> None:
        """The stake's invariants, over everybody there is."""
        stake = self.stake
        positions = [stake.positions(person.address) for person in people]
        staked = sum(position[0] for position in positions)
        leaving = sum(position[3] for position in positions)
        votes = sum(stake.votes(person.address) for person in people)
        assert stake.staked() == staked == votes + stake.asleep()
        assert stake.held() == staked + leaving
        assert self.share.balanceOf(stake.address) == stake.held()
        assert stake.paid() <= stake.funded()
        assert self.credit.balanceOf(stake.address) == stake.funded() - stake.paid()


def call(contract: ABIContract, function: str, *values: Any) -> tuple[str, bytes]:
    """As the Assembly makes it."""
    return contract.address, getattr(contract, function).prepare_calldata(*values)
