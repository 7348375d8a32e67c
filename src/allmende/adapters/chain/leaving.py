"""Leaving: what a ticket is worth on a chain, asked with nothing but the ticket and a node.

Rule: first the node's chain and the code at the ticket's addresses are held against what we
compile; only then is anything asked there, all of it at one block.
Invariant: what `standing` calls payable is what `exit` pays if it is called on that block.
Worked number: a leaf of 5 and 2 deposited after its cut pay 7; with a ticket of an older batch
2, and the 5 when the right ticket is there.

There is no deployment record here and no market; what the record would add (who has which role)
decides nothing about leaving.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct, structs

from allmende.adapters.chain.abi import Abi
from allmende.adapters.chain.custody import ChainCustody
from allmende.adapters.chain.deploy import Contracts
from allmende.adapters.chain.profiles import PROFILES, Profile
from allmende.adapters.chain.reads import read
from allmende.adapters.chain.signing import Keys
from allmende.core.units import SECOND
from allmende.custody import BondTerms, Deployment, Finding, OnChainBatch, Terms
from allmende.ports import Chain, ChainFailed, Clock
from allmende.ticket import Ticket
from allmende.wire.merkle_sum import Leaf, Node, Proof, fits

OPEN, SILENT, CLOSED = "open", "silent", "closed"
FINAL, PENDING, OTHER = "final", "pending", "other"
NO_PROOF = Proof(0, ())


class Token(Struct, frozen=True):
    """The pay unit. Amounts of it are base units until `text` shows them."""

    symbol: str
    decimals: int

    def text(self, amount: int) -> str:
        whole, rest = divmod(amount, 10**self.decimals)
        part = f".{rest:0{self.decimals}d}".rstrip("0").rstrip(".") if rest else ""
        return f"{whole}{part} {self.symbol}"


class Standing(Struct, frozen=True):
    """Where a member and its ticket stand at one block. Amounts are base units, times seconds."""

    block: int
    time_s: int
    now_s: int
    """What the next block will have at least."""
    state: str
    paused_until: int
    closes_at: int
    """From then on anybody may close."""
    final: int
    pending: int
    ticket: str
    """Of the final batch, of the pending one, or of another."""
    leaf: int
    """What the ticket's leaf would pay now, and has not yet."""
    deposits: int
    """What was deposited after the final batch's cut, and has not been paid out."""
    leaf_paid: bool
    deposits_paid: bool
    wallet: int
    """In the account's own wallet."""

    @property
    def payable(self) -> int:
        return self.leaf + self.deposits


class Leaving:
    """One ticket on one chain, after `begin`."""

    custody: ChainCustody
    token: Token

    def __init__(
        self, chain: Chain, ticket: Ticket, contracts: Contracts, profile: Profile, clock: Clock
    ) -> None:
        self.chain = chain
        self._ticket = ticket
        self._contracts = contracts
        self.profile = profile
        self._clock = clock
        self._abi = {name: Abi(contract) for name, contract in contracts.items()}

    async def begin(self) -> list[Finding]:
        """Look at chain and code. `custody` and `token` are there if all of it is ok."""
        found = await self._of_chain()
        if _ok(found):
            found.append(await self._code("Vault", self._ticket.vault))
        if _ok(found):
            bond, token = await self._get("Vault", "bond"), await self._get("Vault", "token")
            found.append(await self._code("Bond", bond))
            same = token == self._ticket.token
            says = f"The vault pays in {token}{'' if same else f', not {self._ticket.token}'}."
            found.append(Finding("pay unit", ok=same, says=says))
            if same:
                self.custody = await self._custody(bond, token)
        return found

    async def newest(self) -> int:
        return await self.custody.newest_block()

    async def standing(self, at: int | None = None) -> Standing:
        """At the newest final block, or at another."""
        at = await self.custody.final_block() if at is None else at
        account, leaf = self._ticket.account, self._ticket.leaf
        seen = await self.custody.look(at)
        self._fresh(seen.time_s)
        paid = await self.custody.exited(account, at)
        flows = await self.custody.flows(account, seen.final.cut, seen.epoch, at)
        kind = await self._kind(seen.final, seen.pending, at)
        closes_at = seen.final_at + self.custody.deployment.terms.silence
        now_s = max(seen.now_s, seen.time_s)
        open_or_silent = SILENT if now_s > closes_at else OPEN
        return Standing(
            block=at,
            time_s=seen.time_s,
            now_s=now_s,
            state=CLOSED if seen.closed else open_or_silent,
            paused_until=seen.paused_until if seen.paused_until > now_s else 0,
            closes_at=closes_at,
            final=seen.final.number,
            pending=seen.pending.number,
            ticket=kind,
            leaf=0 if paid[0] or kind != FINAL else leaf.balance,
            deposits=0 if paid[1] else flows[0],
            leaf_paid=paid[0],
            deposits_paid=paid[1],
            wallet=await self.custody.credit_balance(account, at),
        )

    def proof(self, standing: Standing) -> tuple[Leaf, Proof]:
        """What to exit, ask or challenge with: the ticket's leaf if it is final, else none."""
        if standing.ticket == FINAL:
            return self._ticket.leaf, self._ticket.proof
        return Leaf(self._ticket.leaf.account, 0, 0), NO_PROOF

    # --- looking -------------------------------------------------------------------------

    async def _kind(self, final: OnChainBatch, pending: OnChainBatch, at: int) -> str:
        """Which batch the ticket is of. Where we and the contract differ, the node lies."""
        leaf = (self._ticket.account, *self._ticket.leaf[1:])
        said = await self._get("Vault", "has_leaf", leaf, self._ticket.proof, at=at)
        if said != self._fits(final):
            raise ChainFailed("lied", "its has_leaf and its final batch contradict each other")
        empty = self._ticket.leaf.balance == self._ticket.leaf.spent == 0
        if said or (empty and final.number == self._ticket.batch):
            return FINAL
        return PENDING if pending and self._fits(pending) else OTHER

    def _fits(self, batch: OnChainBatch) -> bool:
        top = Node(bytes.fromhex(batch.root[2:]), batch.total)
        return fits(top, batch.size, self._ticket.leaf, self._ticket.proof, Keys.keccak)

    def _fresh(self, time_s: int) -> None:
        """ChainFailed("lagging") where blocks should come and did not."""
        behind = self.profile.finality * self.profile.block_ms // 1_000
        late_s = self._clock.now() // SECOND - time_s - behind
        if self.profile.lag_s and late_s > self.profile.lag_s:
            raise ChainFailed("lagging", f"the node is {late_s} s behind; ask another one")

    async def _of_chain(self) -> list[Finding]:
        chain_id, genesis = await self.chain.chain_id(), await self.chain.block(0)
        there, first = self._ticket, "" if genesis is None else genesis.hash
        return [
            _same("chain", chain_id, there.chain_id, f"a node of chain {there.chain_id}"),
            _same("first block", first, there.genesis, "a node of the chain that began so"),
        ]

    async def _code(self, name: str, address: str) -> Finding:
        code, ours = await self.chain.code(address), self._contracts[name]
        if not code:
            return Finding(name, ok=False, says=f"There is no contract at {address}.")
        if not ours.made(code):
            says = (
                f"Other code than the {name} of this version ({ours.code_hash}) is at {address}. "
                "Use the version of Allmende that deployed it; if it is this one, it is a fraud."
            )
            return Finding(name, ok=False, says=says)
        return Finding(name, ok=True, says=f"{name} at {address} has the code {ours.code_hash}.")

    async def _custody(self, bond: str, token: str) -> ChainCustody:
        ticket, at = self._ticket, ("credit", "bond", "vault")
        self.token = await self._token(token)
        made = Deployment(
            **dict(zip(at, (token, bond, ticket.vault), strict=True)),
            **dict.fromkeys(("admin", "operator", "market_key", "guardian"), ""),
            profile=self.profile.name,
            chain_id=ticket.chain_id,
            genesis=ticket.genesis,
            block=0,
            commons=await self._get("Vault", "commons"),
            rights={},
            own_credit=False,
            decimals=self.token.decimals,
            terms=Terms(*await self._get("Vault", "terms")),
            bond_terms=BondTerms(0, 0, 0, 0),
            grace=await self._get("Vault", "grace"),
            codes={},
            source_hash="",
            made_at=0,
        )
        return ChainCustody(self.chain, made, self._contracts, self.profile, self._clock)

    async def _token(self, address: str) -> Token:
        told = []
        for function in ("symbol", "decimals"):
            try:
                told.append(await read(self.chain, self._abi["Credit"], address, function))
            except ChainFailed as failed:
                if failed.cause != "garbled":  # older tokens say their symbol in other types
                    raise
                told.append("base units" if function == "symbol" else 0)
        return Token(str(told[0])[:20], min(int(told[1]), 36))

    async def _get(self, name: str, function: str, *values: Any, at: int | None = None) -> Any:
        where = (self.chain, self._abi[name], self._ticket.vault, function)
        return await read(*where, *values, at=at)


def profile_of(chain_id: int, name: str) -> Profile:
    """By name, else by the chain's id. A chain that nobody knows is final at once: then it is
    one that its owner runs. ValueError for a name that is none."""
    if name and name not in PROFILES:
        raise ValueError(f"no profile {name!r}: one of {', '.join(PROFILES)}")
    if name:
        return PROFILES[name]
    known = [profile for profile in PROFILES.values() if profile.chain_id == chain_id]
    return known[0] if known else structs.replace(PROFILES["embedded"], name=f"chain {chain_id}")


def _same(what: str, told: Any, wanted: Any, todo: str) -> Finding:
    ok = told == wanted
    said = f"{what}: {told}" if ok else f"{what}: the node's is {told}, the ticket's {wanted}; name"
    return Finding(what, ok=ok, says=f"{said}." if ok else f"{said} {todo} with --node.")


def _ok(found: list[Finding]) -> bool:
    return all(finding.ok for finding in found)
