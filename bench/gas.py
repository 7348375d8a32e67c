"""`python -m bench.gas`: what each call of the contracts costs, by the receipts of a real chain.

Rule: every number is `gasUsed` of a signed, mined transaction on the embedded chain (py-evm,
Prague), intrinsic and cold costs included; calls that members repeat are medians of five.
Invariant: the same contracts give the same gas on any machine; no clock is read.
Worked number: at 10,000 requests a batch, submission and end together are the whole cost.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from eth_abi import encode
from eth_hash.auto import keccak
from eth_keys import keys
from web3 import Web3

from allmende.adapters import chain_contracts
from allmende.adapters.chain.account import Account, Draft
from allmende.adapters.chain.evm import Evm, Genesis
from allmende.core.units import CREDIT
from allmende.wire import merkle_sum as ms
from allmende.wire import voucher as v

START_S, GAS, WEI = 1_800_000_000, 10_000_000, 10**12
WINDOW, RESPONSE, SILENCE = 3_600, 1_800, 100_000
TERMS = (WINDOW, RESPONSE, SILENCE, 0, 10**6, 0, CREDIT, 100 * CREDIT, 3_600, 86_400)
ACCOUNTS = 10_000
SIZES = (10, 100, 1_000, 10_000, 100_000)
ROUNDS = 5


class Chain:
    """One chain, one account that does everything, and the gas of each named step."""

    def __init__(self, folder: Path) -> None:
        self.now = START_S
        self.key = keys.PrivateKey(keccak(b"bench"))
        self.account = Account(self.key.to_bytes())
        self.me = Web3.to_checksum_address(self.account.address)
        born = Genesis(chain_id=31_337, balances={self.me: 10**30}, time_s=START_S)
        self.evm = Evm(folder / "chain.sqlite", born, lambda: self.now)
        self.nonce, self.gas = 0, dict[str, list[int]]()

    def send(self, name: str, to: str, data: bytes) -> str:
        """Mine one transaction; the address that it made, if any."""
        self.now += 12
        draft = Draft(
            chain_id=31_337, nonce=self.nonce, to=to or "0x", data=data, value=0, gas=GAS,
            max_fee=WEI, tip=0, legacy=False,
        )  # fmt: skip
        self.evm.send(bytes(self.account.sign(draft).raw))
        self.nonce += 1
        receipt = self.evm.block_receipts(self.evm.block(self.evm.head()))[-1]
        assert receipt.state_root == b"\1", f"{name} reverted"
        self.gas.setdefault(name, []).append(receipt.gas_used)
        return str(Web3.to_checksum_address(_created(self.me, self.nonce - 1)))

    def make(self, name: str, *args: Any) -> Any:
        made = chain_contracts.load(name, Path(tempfile.gettempdir()) / "allmende-gas")
        kinds = [_kind(e) for e in made.abi if e["type"] == "constructor" for e in e["inputs"]]
        at = self.send(f"deploy {name}", "", made.creation + encode(kinds, args))
        return Web3().eth.contract(address=Web3.to_checksum_address(at), abi=made.abi)

    def call(self, contract: Any, name: str, *args: Any, said: str = "") -> None:
        data = bytes.fromhex(contract.encode_abi(name, args=list(args))[2:])
        self.send(said or name, contract.address, data)


def _created(sender: str, nonce: int) -> bytes:
    import rlp

    return keccak(rlp.encode([bytes.fromhex(sender[2:]), nonce]))[12:]


def _kind(entry: dict[str, Any]) -> str:
    if not entry["type"].startswith("tuple"):
        return str(entry["type"])
    return "(" + ",".join(map(_kind, entry["components"])) + ")"


def measure(chain: Chain) -> None:
    """A market's life: listing, batches with a challenge each, withdrawals, the end."""
    me, raw = chain.me, bytes.fromhex(chain.me[2:])
    token = chain.make("Credit", "Credit", "CRED")
    bond = chain.make("Bond", token.address, 1, 1, 1, 10)
    vault = chain.make("Vault", token.address, bond.address, me, 10_000, TERMS)
    rights = chain.make("Rights", "Lots", "LOTS", bytes(32), START_S * 2, 10**12)
    other = Web3.to_checksum_address(b"\7" * 20)
    chain.call(token, "mint", me, 10**9 * CREDIT)
    for spender in (vault, bond):
        chain.call(token, "approve", spender.address, 2**256 - 1)
    for _ in range(ROUNDS):
        chain.call(token, "transfer", other, CREDIT, said="Credit.transfer")
    for number in range(ROUNDS):
        chain.call(rights, "mint", me, 1_000, bytes([number]) * 32, said="Rights.mint")
        chain.call(rights, "transfer", other, 10, said="Rights.transfer")
        chain.call(rights, "redeem", 10, bytes(32), said="Rights.redeem")
    for role in (b"OPERATOR", b"MARKET"):
        chain.call(vault, "grantRole", keccak(role), me)
    chain.call(bond, "grantRole", keccak(b"SLASHER"), vault.address)
    chain.call(bond, "bond", me, 1_000 * CREDIT, said="Bond.bond")
    chain.call(vault, "list_token")
    for _ in range(ROUNDS):
        chain.call(vault, "deposit", me, 100 * CREDIT, said="Vault.deposit")
    chain.call(vault, "cut", said="Vault.cut")
    balance, spent, permit = 500 * CREDIT, 0, (me, me, 0, 0, bytes(32), 0)
    domain, lane = v.Domain(31_337, bytes.fromhex(vault.address[2:])), v.channel(raw, 0, keccak)
    shown: Any = ((me, 0, 0), (0, []))
    filler = [ms.Leaf(i.to_bytes(20, "big"), 0, 0) for i in range(1, ACCOUNTS)]
    for number in range(1, ROUNDS + 1):
        balance, spent = balance - CREDIT, spent + CREDIT
        tree = ms.levels([ms.Leaf(raw, balance, spent), *filler], keccak)
        top, receipts = tree[-1][0], bytes([number]) * 32
        chain.call(vault, "submit", *top, ACCOUNTS, receipts, 10_000, said="Vault.submit")
        chain.call(vault, "challenge", *shown, said="Vault.challenge, 10,000 leaves")
        signature = chain.key.sign_msg_hash(v.voucher_digest(domain, lane, spent, keccak))
        said = signature.to_bytes()[:64] + bytes([signature.v + 27])
        chain.call(vault, "acknowledge", permit, b"", spent, said, said="Vault.acknowledge")
        shown = ((me, balance, spent), ms.proof(tree, 0))
        chain.call(vault, "answer", number, *shown, said="Vault.answer, 10,000 leaves")
        chain.now += WINDOW
        chain.call(vault, "finalise", said="Vault.finalise")
        chain.call(vault, "ask", *shown, CREDIT, said="Vault.ask, 10,000 leaves")
        balance -= CREDIT
        chain.call(vault, "cut", said="Vault.cut")
        if number > 1:
            chain.call(vault, "pay", number - 1, said="Vault.pay")
    chain.now += SILENCE
    chain.call(vault, "close", said="Vault.close")
    chain.call(vault, "exit", *shown, said="Vault.exit, 10,000 leaves")


def table(gas: dict[str, list[int]]) -> str:
    rows = [f"| {name} | {round(median(found)):,} | {len(found)} |" for name, found in gas.items()]
    batch = round(median(gas["Vault.submit"][1:]) + median(gas["Vault.finalise"][1:]))
    per = [f"| {size:,} | {batch / size:,.2f} |" for size in SIZES]
    head = ["| call | gas, median | of |", "|---|---|---|"]
    cost = ["", f"A batch costs {batch:,} gas, whatever is in it:", ""]
    return "\n".join([*head, *rows, *cost, "| requests | gas each |", "|---|---|", *per])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        chain = Chain(Path(folder))
        measure(chain)
        chain.evm.close()
        print(table(chain.gas))
