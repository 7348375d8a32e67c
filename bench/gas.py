"""Gas: what each call of the contracts costs, by the receipts of real chains.

Rule: every number is `gasUsed` of a signed, mined transaction, intrinsic and cold costs
included; what members repeat is counted several times, the first time by itself.
Invariant: the same contracts give the same gas on any machine and on any node.
Worked number: of calls at 100, 60, 60 and 62 gas the first is 100 and the median of the rest 60.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from eth_abi import encode
from eth_account import Account as Wallet
from eth_hash.auto import keccak
from eth_keys import keys
from msgspec import Struct, field
from web3 import Web3

from allmende.adapters import chain_contracts
from allmende.adapters.chain.account import Account, Draft
from allmende.core.units import CREDIT
from allmende.wire import merkle
from allmende.wire import merkle_sum as ms
from allmende.wire import voucher as v
from bench.gas_nodes import CHAIN_ID, START_S, Anvil, Embedded, Node, has_anvil

GAS, WEI, FOREVER = 10_000_000, 10**12, 2**64
WINDOW, RESPONSE, SILENCE = 3_600, 1_800, 10**6
TERMS = (WINDOW, RESPONSE, SILENCE, 0, 10**6, 0, CREDIT, 100 * CREDIT, 3_600, 86_400)
ACCOUNTS = 10_000
SIZES = (10, 100, 1_000, 10_000, 100_000)
"""Requests in a batch; two more go before, so that no measured one is a slot's first."""
ROUNDS = 6


class GasResults(Struct):
    """By node, by call: the gas of each time."""

    date: str
    command: str
    commit: str
    nodes: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def measure(date: str, command: str, commit: str, say: Callable[[str], None]) -> GasResults:
    found = GasResults(date, command, commit)
    with tempfile.TemporaryDirectory() as folder:
        me = Web3.to_checksum_address(Account(KEY.to_bytes()).address)
        nodes: list[Node] = [Embedded(Path(folder), me)]
        if has_anvil():
            nodes.append(Anvil(me))
        else:
            found.notes.append("anvil was not on the PATH: npm install @foundry-rs/anvil.")
        for node in nodes:
            say(f"gas on {node.name}")
            try:
                found.nodes[node.name] = life(Chain(node))
            finally:
                node.close()
    return found


KEY = keys.PrivateKey(keccak(b"bench"))


class Chain:
    """One node, one account that does everything, and the gas of each named step."""

    def __init__(self, node: Node) -> None:
        self._node, self.now = node, START_S
        self._account = Account(KEY.to_bytes())
        self.me = Web3.to_checksum_address(self._account.address)
        self.raw = bytes.fromhex(self.me[2:])
        self._nonce, self.gas = 0, dict[str, list[int]]()

    def send(self, name: str, to: str, data: bytes) -> None:
        self.now += 12
        draft = Draft(
            chain_id=CHAIN_ID, nonce=self._nonce, to=to or "0x", data=data, value=0, gas=GAS,
            max_fee=WEI, tip=0, legacy=False,
        )  # fmt: skip
        used = self._node.mine(bytes(self._account.sign(draft).raw), self.now)
        self._nonce += 1
        self.gas.setdefault(name, []).append(used)

    def make(self, name: str, *args: Any) -> Any:
        import rlp

        made = chain_contracts.load(name, Path(tempfile.gettempdir()) / "allmende-gas")
        kinds = [_kind(e) for e in made.abi if e["type"] == "constructor" for e in e["inputs"]]
        at = keccak(rlp.encode([self.raw, self._nonce]))[12:]
        self.send(f"deploy {name}", "", made.creation + encode(kinds, args))
        return Web3().eth.contract(address=Web3.to_checksum_address(at), abi=made.abi)

    def call(self, contract: Any, what: str, *args: Any, note: str = "") -> None:
        data = bytes.fromhex(contract.encode_abi(what, args=list(args))[2:])
        self.send(f"{contract.name}.{what}{note}", contract.address, data)

    def sign(self, contract: Any, title: str, kind: str, fields: str, said: Any) -> Any:
        """(v, r, s) as a wallet gives it for typed data of a token."""
        types = [dict(zip(("type", "name"), one.split(), strict=True)) for one in fields.split(",")]
        domain = {"name": title, "version": "1", "chainId": CHAIN_ID}
        domain["verifyingContract"] = contract.address
        signed = Wallet.sign_typed_data(KEY.to_bytes(), domain, {kind: types}, said)
        return signed.v, signed.r.to_bytes(32, "big"), signed.s.to_bytes(32, "big")


def _kind(entry: dict[str, Any]) -> str:
    if not entry["type"].startswith("tuple"):
        return str(entry["type"])
    return "(" + ",".join(map(_kind, entry["components"])) + ")"


# A market's life --------------------------------------------------------------------------


class Made(Struct):
    """The four contracts, each with its name."""

    token: Any
    bond: Any
    vault: Any
    rights: Any


OTHER = Web3.to_checksum_address(b"\7" * 20)


def life(chain: Chain) -> dict[str, list[int]]:
    """Deployment, tokens, bonds, batches with a challenge each, withdrawals, the end."""
    made = deploy(chain)
    move_credit(chain, made.token)
    move_rights(chain, made.rights)
    bonds(chain, made)
    last = Batches(chain, made).run()
    chain.now += SILENCE
    chain.call(made.vault, "close")
    chain.call(made.vault, "exit", *last)
    return chain.gas


def deploy(chain: Chain) -> Made:
    token = chain.make("Credit", "Credit", "CRED")
    bond = chain.make("Bond", token.address, 1, 1, 600, 10)
    vault = chain.make("Vault", token.address, bond.address, chain.me, 10_000, TERMS)
    rights = chain.make("Rights", "Lots", "LOTS", bytes(32), START_S * 2, 10**12)
    made = Made(_named(token, "Credit"), _named(bond, "Bond"), _named(vault, "Vault"), rights)
    _named(rights, "Rights")
    chain.call(token, "mint", chain.me, 10**9 * CREDIT)
    for spender in (vault, bond):
        chain.call(token, "approve", spender.address, 2**256 - 1)
    for role in (b"OPERATOR", b"MARKET"):
        chain.call(vault, "grantRole", keccak(role), chain.me)
    for role, who in ((b"SLASHER", vault.address), (b"SLASHER", chain.me), (b"JUDGE", chain.me)):
        chain.call(bond, "grantRole", keccak(role), who)
    chain.call(vault, "list_token")
    return made


def _named(contract: Any, name: str) -> Any:
    contract.name = name
    return contract


def move_credit(chain: Chain, token: Any) -> None:
    me = chain.me
    for number in range(ROUNDS):
        chain.call(token, "transfer", OTHER, CREDIT)
        said = {"owner": me, "spender": OTHER, "value": 9, "nonce": number, "deadline": FOREVER}
        fields = "address owner,address spender,uint256 value,uint256 nonce,uint256 deadline"
        signed = chain.sign(token, "Credit", "Permit", fields, said)
        chain.call(token, "permit", me, OTHER, 9, FOREVER, *signed)
        nonce = bytes([number]) * 32
        move = {"from": me, "to": OTHER, "value": 9, "validAfter": 0, "validBefore": FOREVER}
        fields = "address from,address to,uint256 value,uint256 validAfter,uint256 validBefore"
        kind, said = "TransferWithAuthorization", move | {"nonce": nonce}
        signed = chain.sign(token, "Credit", kind, fields + ",bytes32 nonce", said)
        chain.call(token, "transferWithAuthorization", *move.values(), nonce, *signed)


def move_rights(chain: Chain, rights: Any) -> None:
    for number in range(ROUNDS):
        chain.call(rights, "mint", chain.me, 1_000, bytes([number]) * 32)
        chain.call(rights, "transfer", OTHER, 10)
        chain.call(rights, "redeem", 10, bytes(32))


def bonds(chain: Chain, made: Made) -> None:
    bond, me = made.bond, chain.me
    for number in range(1, ROUNDS + 1):
        chain.call(bond, "bond", me, 1_000 * CREDIT)
        chain.call(bond, "leave", 10 * CREDIT)
        chain.now += 10
        chain.call(bond, "release")
        chain.call(bond, "claim", me, CREDIT, bytes(32))
        chain.call(bond, "judge", number, True)
        chain.call(bond, "collect")
        chain.call(bond, "slash", me, CREDIT, OTHER)


class Batches:
    """One account that earns the credit that it spends in each batch; ten thousand leaves."""

    def __init__(self, chain: Chain, made: Made) -> None:
        self.chain, self.vault = chain, made.vault
        self.balance, self.spent = ROUNDS * 100 * CREDIT, 0
        self.filler = [ms.Leaf(i.to_bytes(20, "big"), 0, 0) for i in range(1, ACCOUNTS)]
        self.shown: Any = ((chain.me, 0, 0), (0, []))
        self.domain = v.Domain(CHAIN_ID, bytes.fromhex(self.vault.address[2:]))
        self.session = keys.PrivateKey(keccak(b"session"))

    def run(self) -> Any:
        """What shows the account's leaf in the last final batch."""
        for _ in range(ROUNDS):
            self.chain.call(self.vault, "deposit", self.chain.me, 100 * CREDIT)
        self.chain.call(self.vault, "cut")
        for requests in (1, 1, *SIZES):
            self.batch(requests)
        return self.shown

    def batch(self, requests: int) -> None:
        """Submitted, challenged both ways, answered, final; then a credit is asked for."""
        chain, vault, before = self.chain, self.vault, self.shown
        self.spent += CREDIT
        tree = ms.levels([ms.Leaf(chain.raw, self.balance, self.spent), *self.filler], keccak)
        self.shown = ((chain.me, self.balance, self.spent), ms.proof(tree, 0))
        receipts = [keccak(number.to_bytes(8, "big")) for number in range(requests)]
        root, note = merkle.root(receipts), f", {requests:,} requests" if requests > 1 else ""
        chain.call(vault, "submit", *tree[-1][0], ACCOUNTS, root, requests, note=note)
        self.challenge(before)
        self.challenge_earnings(root, receipts)
        chain.now += WINDOW
        chain.call(vault, "finalise", note=note)
        chain.call(vault, "ask", *self.shown, CREDIT)
        self.balance -= CREDIT
        chain.call(vault, "cut")
        if asked := len(chain.gas["Vault.ask"]) - 1:
            chain.call(vault, "pay", asked)

    def challenge(self, before: Any) -> None:
        self.chain.call(self.vault, "challenge", *before)
        for lane in (0, 1):
            self.acknowledge(lane)
        number = len(self.chain.gas["Vault.challenge"]) * 2 - 1
        self.chain.call(self.vault, "answer", number, *self.shown)

    def acknowledge(self, lane: int) -> None:
        """Lane 0 the account signs by itself, lane 1 is a session's."""
        key, me = (KEY, self.session)[lane], self.chain.raw
        permit = v.Permit(me, key.public_key.to_canonical_address(), lane, 2**90, bytes(32), 2**40)
        allowed = _signed(KEY, v.permit_digest(self.domain, permit, keccak))
        id_ = v.channel(me, lane, keccak)
        signed = _signed(key, v.voucher_digest(self.domain, id_, self.spent, keccak))
        said = (self.chain.me, Web3.to_checksum_address(permit.key), *permit[2:])
        note = ", by a session key" if lane else ""
        args = (said, allowed if lane else b"", self.spent, signed)
        self.chain.call(self.vault, "acknowledge", *args, note=note)

    def challenge_earnings(self, root: bytes, receipts: list[bytes]) -> None:
        said = v.Promise(self.chain.raw, receipts[0], self.spent, 0)
        signed = _signed(KEY, v.promise_digest(self.domain, said, keccak))
        self.chain.call(self.vault, "challenge_earnings", (self.chain.me, *said[1:]), signed)
        number = len(self.chain.gas["Vault.challenge_earnings"]) * 2
        path, batch = merkle.path(receipts, 0), number // 2
        where = (batch, root, len(receipts), 0, path)
        self.chain.call(self.vault, "answer_earnings", number, *self.shown, *where)


def _signed(key: Any, digest: bytes) -> bytes:
    made = key.sign_msg_hash(digest)
    return bytes(made.to_bytes()[:64] + bytes([made.v + 27]))
