"""Two cores and an unreliable channel between them: no keys, no net, no proofs.

    lands = Lands()
    lands.send(0, "uni", "coop", "credit", CREDIT)
    lands.deliver(0)              # the oldest message; it may be delivered again
    lands.settle()                # until nothing is on its way

What would be proved elsewhere is believed here: the cores must be right with any order of
messages, and with any number of copies of each.
"""

from __future__ import annotations

from msgspec import structs

from allmende.core import abroad_commands as bc
from allmende.core import abroad_events as be
from allmende.core import borders, ledger, machine
from allmende.core import commands as c
from allmende.core.abroad import Answer, Passage, Peer, account
from allmende.core.contracts import LOT
from allmende.core.refusals import Refused, Why
from allmende.core.units import CREDIT, Amount
from allmende.lab.floor import DECEMBER, Floor

KEYS = "aa" * 32, "bb" * 32
NAMES = "a", "b"
LINE = 100 * CREDIT


class Land(Floor):
    """A floor with a key of its own, and rights in members' hands."""

    def __init__(self, place: int) -> None:
        super().__init__(structs.replace(DECEMBER, id=f"december-{NAMES[place]}"))
        assert self.state.market is not None
        self.state.market = structs.replace(self.state.market, public_key=KEYS[place])
        self.mint(6)
        self.do(c.Transfer(source="rhine", target="uni", asset=self.instrument.id, amount=2 * LOT))

    def balances(self, asset: str) -> dict[str, Amount]:
        return self.state.balances.get(asset, {})


class Lands:
    """`wire` is what was said and may arrive: (who gets it, what)."""

    def __init__(self, line: Amount = LINE) -> None:
        self.lands = [Land(0), Land(1)]
        self.wire: list[tuple[int, Passage | Answer]] = []
        self.answers: list[dict[int, Answer]] = [{}, {}]
        """By each, to the other's passages."""
        for place, land in enumerate(self.lands):
            self.line(place, line)
            land.do(bc.HearPeer(id=NAMES[1 - place], accepts=True))

    def line(self, place: int, limit: Amount) -> None:
        """What `place` takes of the other."""
        other = 1 - place
        peer = Peer(NAMES[other], NAMES[other].upper(), KEYS[other], "http://x", limit)
        self.lands[place].do(bc.AddPeer(peer=peer))

    def send(
        self, place: int, source: str, receiver: str, asset: str, amount: Amount, seconds: int = 600
    ) -> Passage:
        """Raises Refused."""
        (event,) = self.lands[place].do(
            bc.SendAbroad(
                source=source,
                peer=NAMES[1 - place],
                receiver=receiver,
                asset=asset,
                amount=amount,
                seconds=seconds,
            )
        )
        assert isinstance(event, be.SentAbroad)
        self.wire.append((1 - place, event.passage))
        return event.passage

    def again(self, place: int) -> None:
        """All that is on its way from `place` is said once more."""
        for said in self.lands[place].state.passages.values():
            self.wire.append((1 - place, said))

    def deliver(self, index: int, *, keep: bool = False) -> None:
        """A message arrives; `keep`: and may arrive again."""
        if not self.wire:
            return
        index %= len(self.wire)
        to, said = self.wire[index] if keep else self.wire.pop(index)
        if isinstance(said, Passage):
            self._passage(to, said)
        else:
            self._answer(to, said)

    def _passage(self, to: int, said: Passage) -> None:
        land = self.lands[to]
        done = land.attempt(bc.ReceiveFrom(passage=said, frames=1, head=""))
        if isinstance(done, Refused):
            assert done.why in (Why.EXISTS, Why.HALTED), done
        else:
            event = done[-1]
            assert isinstance(event, be.ReceivedFrom | be.RefusedFrom)
            self.answers[to][said.number] = event.answer
        if said.number in self.answers[to]:
            self.wire.append((1 - to, self.answers[to][said.number]))

    def _answer(self, to: int, said: Answer) -> None:
        done = self.lands[to].attempt(bc.EndPassage(answer=said, frames=1, head=""))
        if isinstance(done, Refused):
            assert done.why in (Why.NOT_FOUND, Why.HALTED), done

    def settle(self) -> None:
        """Say all again, in order, until everything is answered."""
        self.wire.clear()
        for place in (0, 1, 0, 1):
            self.again(place)
            while self.wire:
                self.deliver(0)
        assert not any(land.state.passages for land in self.lands)

    def check(self) -> None:
        for land in self.lands:
            machine.check(land.state)
        for place in (0, 1):
            for asset in ("credit", self.lands[place].instrument.id):
                self._conserved(place, asset)

    def _conserved(self, place: int, asset: str) -> None:
        """What is kept at home for the other market = what is held there and is on its way."""
        home, other = self.lands[place], self.lands[1 - place]
        there, here = NAMES[1 - place], f"{asset}@{NAMES[place]}"
        ended = home.state.ended.get(f"{there}/{asset}")
        kept = ledger.balance(home.state, account(there), asset) if ended is None else ended.grains
        if asset == "credit":  # what ended rights brought waits there too
            kept -= sum(e.amount for e in home.state.ended.values() if e.asset == asset)
        held = borders.outstanding(other.state, here)
        going = sum(
            said.amount
            for said in home.state.passages.values()
            if said.home == KEYS[place] and said.asset == asset
            if not (said.number in (a := self.answers[1 - place]) and a[said.number].taken)
        )
        arrived = sum(
            said.amount
            for said in other.state.passages.values()
            if said.home == KEYS[place] and said.asset == asset
            if said.number in (a := self.answers[place]) and a[said.number].taken
        )
        assert kept + arrived == held + going, f"{asset} of {NAMES[place]}"
