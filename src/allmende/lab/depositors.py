"""Depositors: members with wallets beside all other traffic, and a vault that somebody follows.

Rule: the vault is two totals a member, which nobody at the desk can change; what the desk is told
of them comes late, twice, or when the credit is spent or in business.
Invariant: the same seed gives the same commands in the same order.
Worked number: in a market of 300 steps with wallets some 120 are also a depositor's.
"""

from __future__ import annotations

from random import Random
from typing import Protocol

from msgspec import structs

from allmende.core import commands as c
from allmende.core import custody_commands as w
from allmende.core import events as e
from allmende.core import wallets
from allmende.core.custody import CHAIN, GENERAL, Permit
from allmende.core.nouns import Key
from allmende.core.state import Wallet
from allmende.core.units import CREDIT, DAY, MINUTE, Amount, Instant
from allmende.lab.rig import Rig
from allmende.lab.world import ADDRESSES, SESSION, secret

OWNERS = ("uni", "coop")
"""Whose budgets sessions spend from."""
MODES = ("open", "lab")
"""Those that have withdrawal."""
LASTS: tuple[Instant, ...] = (MINUTE, DAY, DAY, 40 * DAY)
OFTEN = 0.4


class People(Protocol):
    """The market's other traffic, as far as depositors need it."""

    rig: Rig
    spenders: list[str]

    def at(self) -> Instant: ...
    def name(self, kind: str) -> str: ...


class Depositors:
    """Some of the market's members, at random."""

    def __init__(self, people: People, rng: Random) -> None:
        self.people = people
        self.rng = rng
        self.vault: dict[str, tuple[Amount, Amount]] = {}
        """Member -> what it put in, and asked for, in all."""

    async def step(self) -> None:
        """Now and then one thing that may happen."""
        if self.rng.random() < OFTEN:
            name = self.rng.choices([*_ACTIONS], [*_ACTIONS.values()])[0]
            await getattr(self, name)()

    async def _ask(self, command: c.Command) -> list[e.Event]:
        """What it led to; nothing if it was refused, or if the power went."""
        asked = structs.replace(command, at=self.people.at())
        return list(await self.people.rig.ask(asked) or ())

    def _wallet(self) -> tuple[str, Wallet | None]:
        member = self.rng.choice((*self.people.rig.state.wallets, *ADDRESSES))
        return member, self.people.rig.state.wallets.get(member)

    # Wallets --------------------------------------------------------------------------

    async def link(self) -> None:
        """Mostly with what it needs to go on as before."""
        member = self.rng.choice(tuple(ADDRESSES))
        linked = await self._ask(w.LinkWallet(member=member, address=ADDRESSES[member]))
        if linked and self.rng.random() < 0.8:
            given = self._permit(GENERAL, 10**6 * CREDIT)
            await self._ask(w.GrantPermit(member=member, permit=given))

    async def permit(self) -> None:
        """More for lane 0; it may be too little for what is open."""
        member, wallet = self._wallet()
        reached = wallets.reached(wallet, GENERAL) if wallet else 0
        given = self._permit(GENERAL, reached + self.rng.choice((0, 10**9, CREDIT, 10**6 * CREDIT)))
        await self._ask(w.GrantPermit(member=member, permit=given))

    async def session(self) -> None:
        """A session on a new lane or one that is taken over, with a key of its own."""
        member, lane, id_ = self.rng.choice(OWNERS), self.rng.randint(1, 3), self.people.name("s")
        wallet = self.people.rig.state.wallets.get(member)
        reached = wallets.reached(wallet, lane) if wallet else 0
        given = self._permit(lane, reached + self.rng.choice((10**9, 10**10, CREDIT)))
        asked = w.GrantPermit(member=member, permit=given, budget=id_, parent=member)
        key = Key(id_, secret(id_), member, "spend", id_)
        if await self._ask(asked) and await self._ask(c.IssueKey(key=key)):
            self.people.spenders.append(id_)
            if not given.sealed:
                await self.vouch()

    def _permit(self, lane: int, limit: Amount) -> Permit:
        rng = self.rng
        expires = self.people.rig.clock.now() + rng.choice(LASTS)
        sealed = "sealed" if lane == GENERAL or rng.random() < 0.6 else ""
        return Permit(lane, SESSION, limit, (), expires, "0x", sealed)

    async def vouch(self) -> None:
        sessions = [*self.people.rig.state.sessions.values()]
        if sessions:
            member, lane = self.rng.choice(sessions)
            at = self.people.rig.state.wallets[member].lanes[lane].vouched
            amount = at + self.rng.choice((0, 10**8, 10**9))
            await self._ask(w.Vouch(member=member, lane=lane, amount=amount, signature="0x"))

    # The vault ------------------------------------------------------------------------

    async def pay_in(self) -> None:
        member, _ = self._wallet()
        into, out = self.vault.get(member, (0, 0))
        self.vault[member] = into + self.rng.randint(1, 5 * CREDIT), out

    async def take_out(self) -> None:
        """Some of what the member has, all of it, or what it had before it was spent."""
        member, _ = self._wallet()
        into, out = self.vault.get(member, (0, 0))
        has = self.people.rig.state.balances["credit"].get(member, 0)
        self.vault[member] = into, out + self.rng.choice((has // 3, has, has + 10**9))

    async def follow(self) -> None:
        """The desk is told; what it cannot take any more is contested, or asked for again."""
        member, wallet = self._wallet()
        into, out = self.vault.get(member, (0, 0))
        if self.rng.random() < 0.1:
            into = into // 2  # a node that lies, or lost its memory
        done = await self._ask(w.FollowVault(member=member, deposited=into, requested=out))
        again = w.FollowVault(member=member, deposited=into, requested=out)
        if done and wallet is not None and wallet.requested == out:
            assert not await self._ask(again), "told twice, it acted twice"
        elif wallet is not None and self.rng.random() < 0.5:
            self.vault[member] = self.vault.get(member, (0, 0))[0], wallet.requested

    async def cut(self) -> None:
        if self.rng.random() < 0.7:
            await self._ask(c.CloseBatch())
        await self._ask(w.CutWallets())

    # Rights ---------------------------------------------------------------------------

    async def wrap(self) -> None:
        """Some rights of whoever has any, on their way to anybody."""
        state, rng = self.people.rig.state, self.rng
        held = [
            (account, id_, grains)
            for id_ in state.listings
            for account, grains in state.balances.get(id_, {}).items()
            if account in state.members and grains > 0
        ]
        if held:
            account, id_, grains = rng.choice(held)
            to, grains = rng.choice(tuple(ADDRESSES.values())), grains // rng.randint(1, 4)
            wrap = self.people.name("w")
            await self._ask(
                w.WrapRights(id=wrap, account=account, instrument=id_, grains=grains, to=to)
            )

    async def end_wrap(self) -> None:
        wraps = [*self.people.rig.state.wraps]
        if wraps:
            minted = self.rng.random() < 0.7
            await self._ask(w.EndWrap(id=self.rng.choice(wraps), minted=minted))

    async def unwrap(self) -> None:
        """What was burnt; now and then a burning that was told before."""
        state, rng = self.people.rig.state, self.rng
        there = [id_ for id_ in state.listings if state.balances.get(id_, {}).get(CHAIN, 0)]
        if there:
            id_ = rng.choice(there)
            grains = state.balances[id_][CHAIN] // rng.randint(1, 3)
            reference = self.people.name("burn") if rng.random() < 0.9 else "burn"
            owner = rng.choice(OWNERS)
            await self._ask(
                w.UnwrapRights(account=owner, instrument=id_, grains=grains, reference=reference)
            )


_ACTIONS = {
    "link": 4, "permit": 5, "session": 8, "vouch": 8, "pay_in": 6, "take_out": 4, "follow": 12,
    "cut": 5, "wrap": 6, "end_wrap": 6, "unwrap": 4,
}  # fmt: skip
