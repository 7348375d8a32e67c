"""Proving: whether a receipt is in a final batch of a vault, asked with a file and a node.

Rule: the code at the vault's address is held against ours, then the contract itself is asked,
at one final block; what it answers is held against what the file proves by itself.
Invariant: "proved" means that the vault's own note of that batch is keccak(root, number), and
the receipt's leaf hash stands under that root.
Worked number: in a batch of 10_000 receipts the path has 14 hashes and the question 600 bytes.

Whether this is the market's vault, a chain cannot say: anybody may put one up. Compare it with
what the market publishes.
"""

from __future__ import annotations

from typing import Any

from msgspec import structs

from allmende.adapters.chain.abi import Abi, word
from allmende.adapters.chain.deploy import Contracts
from allmende.adapters.chain.profiles import Profile
from allmende.adapters.chain.reads import read
from allmende.adapters.chain.signing import Keys
from allmende.adapters.chain.words import hexed
from allmende.custody import NOTHING, Finding
from allmende.ports import Chain, ChainFailed
from allmende.wire.receipt import Chained

BATCHES_MAX = 2_000
"""Newest batches of a vault that are searched where a file does not say which it is."""


class Proving:
    """`place` has the vault; batch 0 is to be found."""

    def __init__(self, chain: Chain, contracts: Contracts, profile: Profile, place: Chained):
        self._chain = chain
        self._contract = contracts["Vault"]
        self._abi = Abi(self._contract)
        self._profile = profile
        self._place = place

    async def proved(self, leaf: bytes) -> list[Finding]:
        """Up to the first that is not ok. ChainFailed."""
        for look in (self._of_chain, self._code):
            finding = await look()
            if not finding.ok:
                return [finding]
        head = await self._chain.block()
        at = max(0, (0 if head is None else head.number) - self._profile.finality + 1)
        number = self._place.batch or await self._search(at)
        if not number:
            says = (
                "No final batch of this vault is that batch of the market alone. Fetch the receipt "
                "again: the market then says where the chain has it."
            )
            return [finding, Finding("batch", ok=False, says=says)]
        return [finding, await self._asked(number, leaf, at)]

    async def _of_chain(self) -> Finding:
        place = self._place
        if not place.genesis:
            return Finding("chain", ok=True, says="The file names no chain; the node's is taken.")
        genesis, chain_id = await self._chain.block(0), await self._chain.chain_id()
        ok = genesis is not None and (chain_id, genesis.hash) == (place.chain_id, place.genesis)
        begin = "" if genesis is None else f", begun with {genesis.hash}"
        says = f"The node's chain is {chain_id}{begin}"
        want = "" if ok else f"; the file's is {place.chain_id}, begun with {place.genesis}"
        return Finding("chain", ok=ok, says=f"{says}{want}.")

    async def _code(self) -> Finding:
        where = self._place.vault
        ok = self._contract.made(await self._chain.code(where))
        says = f"The code at {where} is {'' if ok else 'not '}the Vault {self._contract.code_hash}."
        return Finding("code", ok=ok, says=says)

    async def _search(self, at: int) -> int:
        """The batch that has this root and number; 0 if none of the newest has."""
        newest = int(await self._get("batch_count", at=at))
        for number in range(newest, max(0, newest - BATCHES_MAX), -1):
            if await self._get("receipts_of", number, at=at) == self._noted():
                return number
        return 0

    async def _asked(self, number: int, leaf: bytes, at: int) -> Finding:
        place = self._place
        told = await self._get("receipts_of", number, at=at)
        if told == NOTHING:
            says = f"Batch {number} is not final at block {at}: ask again later."
            return Finding("batch", ok=False, says=says)
        path = [word(beside) for beside in place.path]
        tree = (word(place.receipts_root), place.receipts, leaf, place.index, path)
        yes = bool(await self._get("has_receipt", number, *tree, at=at))
        if yes != (told == self._noted()):
            raise ChainFailed("lied", "its has_receipt and its receipts_of contradict each other")
        said = f"receipt {place.index + 1} of {place.receipts} in its final batch {number}"
        says = f"The vault {'has' if yes else 'does not have'} this as {said}, at block {at}."
        return Finding("batch", ok=yes, says=says)

    def _noted(self) -> str:
        """What the vault notes of a batch with these receipts."""
        count = self._place.receipts.to_bytes(32, "big")
        return hexed(Keys.keccak(word(self._place.receipts_root) + count))

    async def _get(self, function: str, *values: Any, at: int) -> Any:
        return await read(self._chain, self._abi, self._place.vault, function, *values, at=at)


def at_vault(place: Chained, vault: str) -> Chained:
    """The place with the vault filled in. ValueError if there is none, or another."""
    known = place.vault or vault
    if not known:
        raise ValueError("The file names no vault: give the market's with --vault.")
    if vault and known != vault:
        raise ValueError(f"The file is about the vault {known}, you named {vault}.")
    return structs.replace(place, vault=known)
