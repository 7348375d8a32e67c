"""Federation, witness: the heads that we saw of each market, held against each other.

Rule: every statement is kept, and stands open until hashes show it on the one chain that we know
of its market; where it cannot be there, the proof of a split view is made on the spot.
Invariant: what is linked is one history; while anything is open, nothing is taken on that
market's word.
Worked number: told 12 frames by C where A had shown us 10: two links later it is linked, or A
signed two histories.
"""

from __future__ import annotations

from allmende.core.units import Instant
from allmende.federation import Heard, Known, Memory
from allmende.wire import heads
from allmende.wire.heads import NoProof, Split, Statement, Stretch


class Witness:
    """One per market."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def sure(self, market: str) -> bool:
        """Whether all that we heard of a market is one history."""
        return self._memory.end(market) is not None and not self._memory.open(market)

    def hear(self, said: Statement, source: str, at: Instant) -> Split | None:
        """Take a genuine statement in. `source` is who told, "" the market itself."""
        against = self._memory.against(said)
        self._memory.keep(Heard(said, source, at, linked=False))
        if against is not None:
            return heads.split(against, said)
        return self._place(said)

    def _place(self, said: Statement) -> Split | None:
        """On the chain, against it, or not to be seen yet."""
        memory, market = self._memory, said.public_key
        known = memory.frame(market, said.frames)
        if known is None and memory.end(market) is None:  # the first that we hear of it
            known = Known(said.frames, bytes.fromhex(said.head))
            memory.extend(market, [known])
        if known is None:
            return None
        if known.head.hex() == said.head:
            memory.link(said)
            return None
        anchor = memory.anchor(market, said.frames)
        if anchor is None:
            return None
        stretch = memory.stretch(market, said.frames, anchor.frames)
        return _sound(heads.split(said, anchor, stretch))

    def learn(self, said: Statement, stretch: Stretch) -> Split | None:
        """Links that lead on from the end of the chain to a statement that was heard.

        Raises ValueError if they do not.
        """
        end = self._memory.end(said.public_key)
        if end is None or stretch.after != end.frames or not heads.leads_to(stretch, said):
            raise ValueError("links that lead nowhere")
        if stretch.prev != end.head.hex():
            shown = self._memory.anchor(said.public_key, end.frames)
            return None if shown is None else _sound(heads.split(shown, said, stretch))
        self._memory.extend(said.public_key, _frames(stretch))
        return self.settle(said.public_key)

    def learn_back(self, market: str, stretch: Stretch) -> Split | None:
        """Links that lead to the beginning of the chain. Raises ValueError if they do not."""
        begin = self._memory.begin(market)
        if begin is None or stretch.upto != begin.frames:
            raise ValueError("links that lead nowhere")
        found = heads.heads(stretch)
        if not found or found[-1] != begin.head:
            raise ValueError("links that lead to another head")
        first = Known(stretch.after, bytes.fromhex(stretch.prev))
        self._memory.rebase(market, [first, *_frames(stretch)])
        return self.settle(market)

    def settle(self, market: str) -> Split | None:
        """Look at what is open, now that more is known."""
        found = None
        for said in self._memory.open(market):
            found = found or self._place(said)
        return found


def _frames(stretch: Stretch) -> list[Known]:
    pairs = zip(stretch.links, heads.heads(stretch), strict=True)
    return [
        Known(stretch.after + place, head, bytes.fromhex(link.body), bytes.fromhex(link.leaves))
        for place, (link, head) in enumerate(pairs, 1)
    ]


def _sound(split: Split) -> Split | None:
    """The proof, if it is one: nobody is accused of what does not verify."""
    try:
        heads.verdict(split)
    except NoProof:
        return None
    return split
