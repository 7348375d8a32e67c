"""A market where members link wallets, for the tests of custody and of permits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from allmende.core import commands as c
from allmende.core import custody_commands as w
from allmende.core import events as e
from allmende.core import wallets
from allmende.core.custody import Closed
from allmende.core.nouns import Key, Policy
from allmende.core.refusals import Why
from allmende.core.state import Wallet
from allmende.core.units import SECOND, Units
from allmende.lab import model
from allmende.lab.floor import Floor
from allmende.lab.world import ADDRESSES, ask, permit, secret

ASK = 202_400_000
"""Pico-credits that a request of World.reserve holds: 1_000 in at 100_000, 256 out at 400_000."""
USED = Units(input=100, output=10)
PRICE = 14_000_000
HOUR = 3_600


class Town(Floor):
    """A floor where wallets may be linked; after each command all of history agrees."""

    def __init__(self, **how: Any) -> None:
        super().__init__(mode=how.pop("mode", "lab"), **how)

    def do(self, command: c.Command) -> Sequence[e.Event]:
        done = super().do(command)
        model.agree(self.state, self.events)
        return done

    def link(self, member: str) -> Wallet:
        self.do(w.LinkWallet(member=member, address=ADDRESSES[member]))
        return self.state.wallets[member]

    def permit(self, member: str, limit: int, **more: Any) -> None:
        more.setdefault("expires", self.now + HOUR * SECOND)
        self.do(w.GrantPermit(member=member, permit=permit(limit, **more)))

    def session(self, member: str, limit: int, lane: int = 1, id_: str = "s1", **more: Any) -> None:
        """A session with a budget and a key of its own name."""
        more.setdefault("expires", self.now + HOUR * SECOND)
        given = permit(limit, lane, **more)
        self.do(w.GrantPermit(member=member, permit=given, budget=id_, parent=member))
        self.do(c.IssueKey(key=Key(id_, secret(id_), member, "spend", id_)))

    def follow(self, member: str, deposited: int, requested: int = 0) -> Sequence[e.Event]:
        return self.do(w.FollowVault(member=member, deposited=deposited, requested=requested))

    def cut(self, member: str) -> Closed:
        self.do(w.CutWallets())
        return self.state.wallets[member].closed

    def pay(self, key: str = "coop", units: Units = USED, **more: Any) -> e.Captured:
        """A request, paid in credit."""
        return self.use(f"r{len(self.events)}", units, key, policy=Policy(pay=("credit",)), **more)

    def wants(self, key: str = "coop") -> c.Reserve:
        return ask(f"r{len(self.events)}", key, policy=Policy(pay=("credit",)))

    def lane(self, member: str, lane: int = 0) -> int:
        return wallets.reached(self.state.wallets[member], lane)


def walleted() -> Town:
    """The co-operative has a wallet, and 50 credits that it had before."""
    town = Town()
    town.link("coop")
    return town


def not_signed(town: Town, command: c.Command, missing: int) -> None:
    refused = town.refuse(command)
    assert refused.why is Why.NOT_SIGNED
    assert refused.facts["missing"] == missing
