"""Calls: what can be asked of the contracts, as bytes for the outbox or for a wallet.

Rule: only words are made here; who sends them, when and at what fee is the sender's.
Invariant: leaves, proofs and signatures go in as `wire` has them, and stand in the call as
contracts/merkle_sum.vy and contracts/vouchers.vy read them.
Worked number: `answer` in a tree of 10_000 accounts is 4 bytes and 36 words: 14 siblings of two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eth_utils.crypto import keccak
from msgspec import structs

from allmende.adapters.chain.abi import Abi, word
from allmende.adapters.chain.words import hexed
from allmende.adapters.chain_contracts import Contract
from allmende.custody import ContractCall, Deployment
from allmende.wire.merkle_sum import Leaf, Proof
from allmende.wire.voucher import Permit, Promise


class ContractCalls:
    """custody.Calls of one deployment. Pure."""

    def __init__(self, deployment: Deployment, contracts: Mapping[str, Contract]) -> None:
        self.deployment = deployment
        self._abi = {name: Abi(contract) for name, contract in contracts.items()}

    def add_rights(self, instrument: str, address: str) -> None:
        rights = {**self.deployment.rights, instrument: address}
        self.deployment = structs.replace(self.deployment, rights=rights)

    # --- the operator's ------------------------------------------------------------------

    def cut(self) -> ContractCall:
        return self._vault("cut")

    def submit(
        self, root: str, total: int, size: int, receipts_root: str, receipts: int
    ) -> ContractCall:
        return self._vault("submit", word(root), total, size, word(receipts_root), receipts)

    def contest(self, id_: int) -> ContractCall:
        return self._vault("contest", id_)

    def mint_right(self, instrument: str, holder: str, grains: int, reference: str) -> ContractCall:
        return self._right(instrument, "mint", holder, grains, word(reference))

    # --- anyone's ------------------------------------------------------------------------

    def finalise(self) -> ContractCall:
        return self._vault("finalise")

    def pay(self, id_: int) -> ContractCall:
        return self._vault("pay", id_)

    def answer(self, id_: int, leaf: Leaf, proof: Proof) -> ContractCall:
        return self._vault("answer", id_, _leaf(leaf), proof)

    def answer_earnings(
        self,
        id_: int,
        leaf: Leaf,
        proof: Proof,
        batch: int,
        receipts_root: str,
        receipts: int,
        index: int,
        path: Sequence[bytes],
    ) -> ContractCall:
        tree = (word(receipts_root), receipts, index, list(path))
        return self._vault("answer_earnings", id_, _leaf(leaf), proof, batch, *tree)

    def acknowledge(
        self, permit: Permit, permit_signature: bytes, amount: int, signature: bytes
    ) -> ContractCall:
        said = (hexed(permit.account), hexed(permit.key), *permit[2:])
        return self._vault("acknowledge", said, permit_signature, amount, signature)

    def settle(self, leaf: Leaf, proof: Proof) -> ContractCall:
        return self._vault("settle", _leaf(leaf), proof)

    def deposit(self, account: str, amount: int) -> ContractCall:
        return self._vault("deposit", account, amount)

    def challenge_leaf(self, leaf: Leaf, proof: Proof) -> ContractCall:
        return self._vault("challenge", _leaf(leaf), proof)

    def challenge_earnings(self, promise: Promise, signature: bytes) -> ContractCall:
        said = (hexed(promise.provider), *promise[1:])
        return self._vault("challenge_earnings", said, signature)

    def void(self, id_: int) -> ContractCall:
        return self._vault("void", id_)

    def reclaim(self, id_: int) -> ContractCall:
        return self._vault("reclaim", id_)

    def collect(self) -> ContractCall:
        return self._vault("collect")

    def close(self) -> ContractCall:
        return self._vault("close")

    # --- a member's own ------------------------------------------------------------------

    def ask(self, leaf: Leaf, proof: Proof, amount: int) -> ContractCall:
        return self._vault("ask", _leaf(leaf), proof, amount)

    def exit(self, leaf: Leaf, proof: Proof) -> ContractCall:
        return self._vault("exit", _leaf(leaf), proof)

    def approve(self, spender: str, amount: int) -> ContractCall:
        return self._credit("approve", spender, amount)

    def transfer(self, to: str, amount: int) -> ContractCall:
        return self._credit("transfer", to, amount)

    def redeem(self, instrument: str, grains: int, account: str) -> ContractCall:
        return self._right(instrument, "redeem", grains, word(account))

    # --- roles ---------------------------------------------------------------------------

    def bond_for(self, account: str, amount: int) -> ContractCall:
        return ContractCall(self.deployment.bond, self._abi["Bond"].call("bond", account, amount))

    def list_token(self) -> ContractCall:
        return self._vault("list_token")

    def pause(self) -> ContractCall:
        return self._vault("pause")

    def grant(self, contract: str, role: str, to: str) -> ContractCall:
        # both contracts have their roles from the same module
        return ContractCall(contract, self._abi["Vault"].call("grantRole", role_id(role), to))

    def revoke(self, contract: str, role: str, of: str) -> ContractCall:
        return ContractCall(contract, self._abi["Vault"].call("revokeRole", role_id(role), of))

    def mint_credit(self, to: str, amount: int) -> ContractCall:
        return self._credit("mint", to, amount)

    # --- where to ------------------------------------------------------------------------

    def _vault(self, function: str, *values: Any) -> ContractCall:
        return ContractCall(self.deployment.vault, self._abi["Vault"].call(function, *values))

    def _credit(self, function: str, *values: Any) -> ContractCall:
        return ContractCall(self.deployment.credit, self._abi["Credit"].call(function, *values))

    def _right(self, instrument: str, function: str, *values: Any) -> ContractCall:
        data = self._abi["Rights"].call(function, *values)
        return ContractCall(self.deployment.rights[instrument], data)


def role_id(role: str) -> bytes:
    """The hash that stands for a role; the admin's is zeros."""
    return bytes(32) if role == "DEFAULT_ADMIN" else keccak(text=role)


def _leaf(leaf: Leaf) -> tuple[str, int, int]:
    return hexed(leaf.account), leaf.balance, leaf.spent
