"""Opened: the chain that a market works with, whichever it is, in one object.

Rule: "embedded" is the chain beside the market, everything else the address of a node; from
here on nobody asks which.
Invariant: an embedded chain begins with all of its ether on the operator's account, so what
gas costs there is the operator's gift and never a wall.
Worked number: 3 * 10**16 wei, a member's first gas, pay 15 million gas while the base fee is
still 1 gwei (a Safe takes 6), and 15 billion once it has come down to the tip.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from allmende.adapters.chain.account import Account, open_account
from allmende.adapters.chain.beside import ChainBeside
from allmende.adapters.chain.outbox import FILE, Outbox
from allmende.adapters.chain.profiles import EMBEDDED, PROFILES, Profile
from allmende.adapters.chain.reader import Reader
from allmende.adapters.chain.rpc import HttpNode, chain_at
from allmende.adapters.chain.submitter import Submitter
from allmende.adapters.chain.turns import Turns
from allmende.adapters.secrets import Vault
from allmende.core.refusals import Refused, Why
from allmende.ports import Ask, Chain, Clock, Send, Sender, Stage, Upstream, Wanted

OPERATOR_WEI = 10**24
"""What the operator has on a new embedded chain: gas for thirty million members."""
GAS_WEI = 3 * 10**16
"""What `gas_for` sends."""


class OpenedChain:
    """`await open()`, use the fields, `await close()`. They are there before `open`.

    `where` is "embedded" or a node's address, `profile` a name from PROFILES or "" for the
    embedded chain's. The upstream stays the caller's.
    """

    chain: Chain
    ask: Ask
    account: Account
    sender: Sender
    profile: Profile
    embedded: bool

    def __init__(
        self, folder: Path, vault: Vault, clock: Clock, upstream: Upstream, where: str, profile: str
    ) -> None:
        """Refused(BAD_VALUE) for a profile that does not fit; SecretBroken."""
        self.embedded = where == EMBEDDED.name
        self.profile = profile_for(where, profile)
        self.account = open_account(folder, vault)
        self._beside: ChainBeside | None = None
        if self.embedded:
            self._beside = ChainBeside(folder, {self.account.address: OPERATOR_WEI})
            self.ask = self._beside.ask
            self.chain = Reader(self.ask, self._beside.stop)
        else:
            self.ask = HttpNode(upstream, where, private=True).ask
            self.chain = chain_at(upstream, where, private=True)
        self._outbox = Outbox(folder / FILE)
        submitter = Submitter(self.chain, self._outbox, self.account, self.profile, clock)
        self.sender = Turns(submitter)

    async def open(self) -> None:
        """Returns when an embedded chain answers; another node may be away. ChainFailed."""
        if self._beside is not None:
            await self._beside.start()

    async def close(self) -> None:
        """When nobody asks or sends any more."""
        await self.chain.close()
        self._outbox.close()

    def named(self, prefix: str) -> Iterator[Send]:
        """All that was to be sent under keys that begin so."""
        return self._outbox.named(prefix)

    def under_way(self) -> bool:
        """Whether anything waits to be sent or to become final."""
        return any(self._outbox.at(stage) for stage in (Stage.WAITING, Stage.OPEN))


def profile_for(where: str, name: str) -> Profile:
    """The profile of this name, which only the embedded chain may leave out."""
    embedded = where == EMBEDDED.name
    name = name or (EMBEDDED.name if embedded else "")
    if name not in PROFILES or embedded != (name == EMBEDDED.name):
        kinds = [other for other in PROFILES if embedded == (other == EMBEDDED.name)]
        raise Refused(
            Why.BAD_VALUE,
            f"With {'the embedded chain' if embedded else 'the address of a node'} the setting "
            f"chain_profile is one of these: {', '.join(kinds)}.",
            field="chain_profile",
        )
    return PROFILES[name]


def gas_for(sender: Sender, address: str) -> Send:
    """A first bit of gas for an address, once: how far it has come. Refused(BAD_VALUE)."""
    address = address.lower()
    return sender.put(Wanted(f"gas {address}", address, value=GAS_WEI))
