"""Title follow: tokens of titles are minted, and the desk learns who has them.

Rule: the contract at the final block says who has a token; each mint is one transaction under a
key that names when it was asked for, and the contract mints a title once.
Invariant: a title's owner at the desk is who had the token at the last final block that was read;
whatever is read again changes nothing.
Worked number: 250 titles are three questions to the node whenever there is a new final block.

An address without a member gets one, as a wallet that signs in would: "w-" and its digits, of the
lowest tier. It earns there, and who signs in with the wallet finds it. No wallet is linked for
that: only its owner's signature does that.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import NamedTuple

from allmende.core import identity
from allmende.core.commands import AddMember
from allmende.core.nouns import Member
from allmende.core.refusals import Refused, Why
from allmende.core.title_commands import EndTitleMint, FollowTitle
from allmende.core.titles import Token
from allmende.core.units import SECOND, Instant
from allmende.custody import NOBODY
from allmende.desk import Desk
from allmende.doors.settler_sends import refused as never
from allmende.institutions import Commons
from allmende.ports import Clock, Sender, Stage, Wanted
from allmende.wire import title as wire
from allmende.wire.merkle_sum import Keccak

LOOKS = 100
"""Titles in one question; contracts/Titles.vy takes no more."""
NEW_PER_MINUTE = 60
"""Members that come by holding a title: each is in the journal for ever."""
CONTRACT = "Titles"

log = logging.getLogger(__name__)


class Held(NamedTuple):
    """A title's token as it was seen. `price` in base units, 0 is no ask; `buyer` NOBODY: all."""

    holder: str
    price: int
    buyer: str


class TitleFollow:
    """One per market with a Titles contract; `await step()` now and then, one at a time."""

    def __init__(
        self,
        desk: Desk,
        clock: Clock,
        commons: Commons,
        sender: Sender,
        keccak: Keccak,
        house: Mapping[str, str],
    ) -> None:
        """`house` are the market's own addresses, with the member that they stand for."""
        self._desk = desk
        self._clock = clock
        self._commons = commons
        self._titles = commons[CONTRACT]
        self._sender = sender
        self._keccak = keccak
        self._house = house
        self._new: list[Instant] = []
        self.block = -1
        """The final block that was read last."""
        self.held: dict[str, Held] = {}
        """Title -> its token there; those that are not minted are left out."""
        self.refused: dict[str, str] = {}
        """Title -> why its token was not minted when it was last asked for."""
        self.wrong: dict[str, str] = {}
        """Title -> why it is not followed now; for a person."""

    async def step(self) -> None:
        """Do what is due. ChainFailed; one title's trouble does not keep the others waiting."""
        tokens = self._desk.state.tokens
        final = await self._commons.final_block() if tokens else self.block
        waiting = any(not token.minted for token in tokens.values())
        if not tokens or (final == self.block and not waiting and not self.wrong):
            return
        held = await self._look(list(tokens), final)
        for id_, token in list(tokens.items()):
            try:
                await self._one(id_, token, held.get(id_), final)
            except Refused as refused:
                self._alarm(id_, str(refused))
        self.held, self.block = held, final

    def number(self, id_: str) -> int:
        return wire.number(id_, self._keccak)

    async def _look(self, ids: list[str], at: int) -> dict[str, Held]:
        found: dict[str, Held] = {}
        for first in range(0, len(ids), LOOKS):
            page = ids[first : first + LOOKS]
            seen = await self._titles.get("look", at, [self.number(id_) for id_ in page])
            found |= {id_: Held(*one) for id_, one in zip(page, seen, strict=True)}
        return {id_: one for id_, one in found.items() if one.holder != NOBODY}

    async def _one(self, id_: str, token: Token, held: Held | None, final: int) -> None:
        if not token.minted:
            if held is None:
                await self._mint(id_, token, final)
                return
            await self._desk.submit(EndTitleMint(at=self._clock.now(), id=id_, minted=True))
        if held is None:
            self._alarm(id_, f"the token of {id_} is gone: the chain took back what was final")
            return
        await self._follow(id_, held.holder)
        self.wrong.pop(id_, None)

    # --- minting -------------------------------------------------------------------------

    async def _mint(self, id_: str, token: Token, final: int) -> None:
        """Have it sent; give it up where it can never happen."""
        key = f"mint title {id_} {token.asked}"
        send = self._sender.get(key)
        if send is None:
            self.refused.pop(id_, None)
            self._sender.put(self._wanted(key, id_, token))
        elif never(send, final):
            why = send.detail if send.stage is Stage.FAILED else f"{send.hash} was reverted"
            log.warning("Titles: the token of %s is not minted: %s", id_, why)
            self.refused[id_] = why
            ended = EndTitleMint(at=self._clock.now(), id=id_, minted=False, why=why)
            await self._desk.submit(ended)

    def _wanted(self, key: str, id_: str, token: Token) -> Wanted:
        state = self._desk.state
        assert state.market is not None
        said = wire.record(state.titles[id_], state.market.id, self._keccak)
        call = self._titles.call(
            *("mint", token.holder, said.number, said.terms, said.waterfall),
            *(token.author, token.royalty_ppm, said.uri),
        )
        return Wanted(key, call.to, call.data)

    # --- following -----------------------------------------------------------------------

    async def _follow(self, id_: str, holder: str) -> None:
        """Tell the desk where that is new. Refused where the holder can be nobody here."""
        state = self._desk.state
        owner = self._house.get(holder) or state.addresses.get(holder)
        owner = owner or identity.wallet_member(holder)
        if (state.titles[id_].owner, state.tokens[id_].holder) == (owner, holder):
            return
        known = state.members.get(owner)
        if known is None:
            self._admit(owner, holder)
        elif owner == identity.wallet_member(holder) and (known.kind, known.home) != ("person", ""):
            raise Refused(Why.EXISTS, f"The id {owner} is taken, so nobody here is {holder}.")
        at = self._clock.now()
        await self._desk.submit(FollowTitle(at=at, id=id_, holder=holder, owner=owner))

    def _admit(self, owner: str, holder: str) -> None:
        at = self._clock.now()
        self._new = [before for before in self._new if before > at - 60 * SECOND]
        if len(self._new) >= NEW_PER_MINUTE:
            raise Refused(Why.RATE, "Titles go to many new addresses at once; a minute later.")
        self._new.append(at)
        self._desk.post(AddMember(at=at, member=Member(owner, holder, "person", tier=0)))

    def _alarm(self, id_: str, said: str) -> None:
        if self.wrong.get(id_) != said:
            log.error("Titles: %s", said)
        self.wrong[id_] = said
