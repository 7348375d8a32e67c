"""Two cores over a channel that drops, doubles and reorders what they say.

Rule: members of both send credit and rights there and back at any time; lines change, windows
end, operators suspend and resume; any message may arrive late, twice or never.
Invariant: after every step what is kept for the other market is what its members hold and what
is on its way, for each asset in each direction; and in the end everything comes home.
"""

from __future__ import annotations

import contextlib

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from two_markets import NAMES, Lands

from allmende.core import abroad_commands as bc
from allmende.core import borders
from allmende.core import commands as c
from allmende.core.contracts import LOT
from allmende.core.refusals import Refused
from allmende.core.units import CREDIT, SECOND

places = st.integers(0, 1)
members = st.sampled_from(["uni", "uni", "coop", "rhine"])
receivers = st.sampled_from(["uni", "coop", "rhine", "nobody"])
parts = st.sampled_from([1, 1, 2, 3, 7, 1_000])
"""Of what the sender has."""
picks = st.integers(0, 10**6)


class Federation(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.lands = Lands(line=10**6 * CREDIT)
        self.lands.send(0, "uni", "coop", "credit", 40 * CREDIT)
        self.lands.send(1, "uni", "uni", "december-b", LOT)
        self.lands.settle()

    @rule(place=places, source=members, receiver=receivers, right=st.booleans(), part=parts)
    def send_out(self, place: int, source: str, receiver: str, right: bool, part: int) -> None:
        """What is the sender's market's own."""
        asset = self.lands.lands[place].instrument.id if right else "credit"
        self._send(place, source, receiver, asset, part)

    @rule(place=places, pick=picks, receiver=receivers, part=parts)
    def send_home(self, place: int, pick: int, receiver: str, part: int) -> None:
        """What is the other market's, by somebody who has it."""
        land = self.lands.lands[place]
        holders = [
            (asset, account)
            for asset in land.state.foreign
            for account, amount in land.balances(asset).items()
            if amount > 0 and account in land.state.members
        ]
        if holders:
            asset, source = holders[pick % len(holders)]
            self._send(place, source, receiver, asset, part)

    def _send(self, place: int, source: str, receiver: str, asset: str, part: int) -> None:
        amount = self.lands.lands[place].balances(asset).get(source, 0) // part or 1
        with contextlib.suppress(Refused):
            self.lands.send(place, source, receiver, asset, amount, seconds=120)

    @rule(index=picks, keep=st.booleans())
    def deliver(self, index: int, keep: bool) -> None:
        self.lands.deliver(index, keep=keep)

    @rule(count=st.integers(1, 8))
    def deliver_in_order(self, count: int) -> None:
        for _ in range(count):
            self.lands.deliver(0)

    @rule()
    def hear_everything(self) -> None:
        for place in (0, 1):
            self.lands.again(place)
        for _ in range(2 * len(self.lands.wire)):
            self.lands.deliver(0)

    @rule(index=picks)
    def drop(self, index: int) -> None:
        if self.lands.wire:
            self.lands.wire.pop(index % len(self.lands.wire))

    @rule(place=places)
    def say_again(self, place: int) -> None:
        self.lands.again(place)

    @rule(place=places, limit=st.sampled_from([0, CREDIT, *[10**6 * CREDIT] * 4]))
    def change_line(self, place: int, limit: int) -> None:
        self.lands.line(place, limit)

    @rule(place=places, seldom=st.sampled_from([True, *[False] * 5]))
    def suspend_or_resume(self, place: int, seldom: bool) -> None:
        if seldom:
            self.lands.lands[place].do(bc.SuspendPeer(id=NAMES[1 - place]))
        else:
            self.resume(place)

    def resume(self, place: int) -> None:
        self.lands.lands[place].do(bc.ResumePeer(id=NAMES[1 - place]))

    @rule(place=places, seconds=st.sampled_from([1, 61, 121]))
    def wait(self, place: int, seconds: int) -> None:
        land = self.lands.lands[place]
        land.now += seconds * SECOND
        land.do(c.Tick())

    @rule(place=places, seldom=st.sampled_from([True, *[False] * 5]))
    def end_window(self, place: int, seldom: bool) -> None:
        land = self.lands.lands[place]
        if seldom and land.instrument.id in land.state.listings:
            late = max(land.now, land.instrument.end + 62 * SECOND)
            for one in self.lands.lands:
                one.now = max(one.now, late)
            land.do(c.Tick())
            assert land.instrument.id not in land.state.listings

    @rule(place=places, part=parts)
    def pass_on(self, place: int, part: int) -> None:
        """Foreign credit moves among members as any other."""
        land = self.lands.lands[place]
        asset = f"credit@{NAMES[1 - place]}"
        amount = land.balances(asset).get("coop", 0) // part
        if amount:
            land.do(c.Transfer(source="coop", target="uni", asset=asset, amount=amount))

    @invariant()
    def is_conserved(self) -> None:
        self.lands.check()

    def teardown(self) -> None:
        """When all are heard, whoever holds something of the other market sends it home."""
        for place in (0, 1):
            self.resume(place)
        late = max(land.now for land in self.lands.lands)
        for land in self.lands.lands:
            land.now = late
        self.lands.settle()
        for place, land in enumerate(self.lands.lands):
            for asset in list(land.state.foreign):
                for holder, amount in list(land.balances(asset).items()):
                    if amount > 0:
                        self.lands.send(place, holder, "uni", asset, amount)
        self.lands.settle()
        self.lands.check()
        for place, land in enumerate(self.lands.lands):
            assert not borders.drawn(land.state, NAMES[1 - place])
            for asset in list(land.state.balances):
                assert not land.balances(asset).get(f"federation/{NAMES[1 - place]}", 0)
            assert sum(land.balances("credit").values()) == 0
            assert not land.state.ended


TestFederation = Federation.TestCase
TestFederation.settings = settings(
    max_examples=settings().max_examples // 2, stateful_step_count=60
)
