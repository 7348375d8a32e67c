"""Safe: the contracts of a treasury, which are Safe's own and not ours, and what its owners sign.

Rule: bytecode and ABI are those of Safe 1.4.1 in the wheel of safe-eth-py, read as files; none of
that package's code is run. What stands on a chain is compared with them byte for byte.
Invariant: the digest is what Safe's `getTransactionHash` answers; a transaction holds for one
chain, one Safe and one nonce, so that it is executed once.
Worked number: of three owners two sign 65 bytes each; 130 bytes, sorted by owner, pay out.

Source: safe-global/safe-smart-account v1.4.1, Safe.sol and SafeProxyFactory.sol.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib import resources
from typing import Any, NamedTuple

import msgspec
from eth_utils.crypto import keccak
from msgspec import Struct

from allmende.adapters.chain.abi import Abi, word
from allmende.adapters.chain.signing import Keys, recovered
from allmende.adapters.chain.words import ADDRESS, hexed
from allmende.adapters.chain_contracts import Contract
from allmende.custody import NOBODY, ContractCall
from allmende.wire.voucher import Fields, struct_hash

PACKAGE, FOLDER, VERSION = "safe_eth", "eth/contracts/abis", "1.4.1"
FILES = {"Safe": "Safe_V1_4_1", "Factory": "ProxyFactory_V1_4_1", "Proxy": "Proxy_V1_4_1"}
KNOWN = {
    "Safe": "0x29fcb43b46531bca003ddc8fcb67ffe91900c762",
    "Factory": "0x4e1dcf7ad4e460cfd30791ccc4f9c8a4f820ec67",
}
"""Where Safe put them on most chains; used where the code there is the same, byte for byte."""
MASTER_COPY = bytes.fromhex("a619486e")
"""What a proxy itself answers: for which Safe it stands."""
SAFE_TX: Fields = (
    ("to", "address"),
    ("value", "uint256"),
    ("data", "bytes"),
    ("operation", "uint8"),
    ("safeTxGas", "uint256"),
    ("baseGas", "uint256"),
    ("gasPrice", "uint256"),
    ("gasToken", "address"),
    ("refundReceiver", "address"),
    ("nonce", "uint256"),
)
DOMAIN: Fields = (("chainId", "uint256"), ("verifyingContract", "address"))


class Setup(NamedTuple):
    """Of a Safe that is to be made. The same one gets the same address, once on each chain."""

    owners: tuple[str, ...]
    threshold: int
    salt: int = 0


class Payment(Struct, frozen=True, kw_only=True):
    """A call that the treasury is to make. `value` in wei; never a delegatecall."""

    chain_id: int
    safe: str
    nonce: int
    to: str
    value: int
    data: str

    def call(self) -> ContractCall:
        return ContractCall(self.to, bytes.fromhex(self.data[2:]))


class Proposal(Struct, frozen=True, kw_only=True):
    """What owners hand to each other as a file: a payment, and who has signed it."""

    payment: Payment
    says: str
    """For people, by whoever proposed it; what is signed is the payment alone."""
    signatures: dict[str, str] = {}
    """Owner -> 65 bytes."""


def artifacts() -> dict[str, Contract]:
    """Safe's three contracts. FileNotFoundError says what to install."""
    try:
        folder = resources.files(PACKAGE).joinpath(FOLDER)
        texts = {n: folder.joinpath(f"{file}.json").read_bytes() for n, file in FILES.items()}
    except (ModuleNotFoundError, FileNotFoundError) as missing:
        raise FileNotFoundError(f"a treasury needs the package safe-eth-py ({missing})") from None
    return {name: _contract(name, text) for name, text in texts.items()}


def _contract(name: str, text: bytes) -> Contract:
    told: Mapping[str, Any] = msgspec.json.decode(text)
    runtime = bytes.fromhex(told["deployedBytecode"][2:])
    return Contract(
        name=name,
        abi=[entry for entry in told["abi"] if "name" in entry or entry["type"] == "constructor"],
        creation=bytes.fromhex(told["bytecode"][2:]),
        runtime=runtime,
        code_hash=hashlib.sha256(runtime).hexdigest(),
        source_hash=hashlib.sha256(text).hexdigest(),
        immutables=0,
    )


# Making one -------------------------------------------------------------------------------


def checked(setup: Setup) -> Setup:
    """Addresses in lower case. ValueError says what cannot be."""
    owners = tuple(owner.lower() for owner in setup.owners)
    if len(set(owners)) != len(owners):
        raise ValueError("an owner stands there twice")
    if NOBODY in owners or not 1 <= setup.threshold <= len(owners):
        raise ValueError(
            f"of {len(owners)} owners {setup.threshold} cannot sign: a threshold is from 1 to the "
            "number of owners"
        )
    return setup._replace(owners=owners)


def initializer(contracts: Mapping[str, Contract], setup: Setup) -> bytes:
    """No module, no handler, no payment: owners and threshold, and nothing else."""
    rest = (NOBODY, b"", NOBODY, NOBODY, 0, NOBODY)
    return Abi(contracts["Safe"]).call("setup", list(setup.owners), setup.threshold, *rest)


def creation(
    contracts: Mapping[str, Contract], factory: str, singleton: str, setup: Setup
) -> ContractCall:
    made = initializer(contracts, setup)
    data = Abi(contracts["Factory"]).call("createProxyWithNonce", singleton, made, setup.salt)
    return ContractCall(factory, data)


def address_of(
    contracts: Mapping[str, Contract], factory: str, singleton: str, setup: Setup
) -> str:
    """Where `creation` puts it, by EIP-1014."""
    salt = keccak(keccak(initializer(contracts, setup)) + setup.salt.to_bytes(32, "big"))
    code = keccak(Abi(contracts["Proxy"]).creation(singleton))
    return hexed(keccak(b"\xff" + bytes.fromhex(factory[2:]) + salt + code)[-ADDRESS:])


# Signing ----------------------------------------------------------------------------------


def digest(payment: Payment) -> bytes:
    """What an owner signs, EIP-712. ValueError for what is no address or no bytes."""
    none = bytes(ADDRESS)
    values: dict[str, int | bytes] = {
        "to": _raw(payment.to),
        "value": payment.value,
        "data": Keys.keccak(payment.call().data),
        "nonce": payment.nonce,
        "gasToken": none,
        "refundReceiver": none,
        **dict.fromkeys(("operation", "safeTxGas", "baseGas", "gasPrice"), 0),
    }
    domain = {"chainId": payment.chain_id, "verifyingContract": _raw(payment.safe)}
    separator = struct_hash("EIP712Domain", DOMAIN, domain, Keys.keccak)
    said = struct_hash("SafeTx", SAFE_TX, values, Keys.keccak)
    return Keys.keccak(b"\x19\x01" + separator + said)


def signers(proposal: Proposal) -> dict[str, bytes]:
    """Whoever has signed it, by address. ValueError names one whose signature is not its own."""
    found = {}
    for owner, text in proposal.signatures.items():
        signature = bytes.fromhex(text.removeprefix("0x"))
        if recovered(digest(proposal.payment), signature) != owner:
            raise ValueError(f"what stands there for {owner} is not its signature of this payment")
        found[owner] = signature
    return found


def execution(
    contracts: Mapping[str, Contract], payment: Payment, signed: dict[str, bytes]
) -> bytes:
    """The call of the Safe, with the signatures in the order that it demands."""
    joined = b"".join(signed[owner] for owner in sorted(signed, key=lambda one: int(one, 16)))
    values = (payment.to, payment.value, payment.call().data, 0, 0, 0, 0, NOBODY, NOBODY, joined)
    return Abi(contracts["Safe"]).call("execTransaction", *values)


def _raw(address: str) -> bytes:
    return word("0x" + address.removeprefix("0x").rjust(64, "0"))[-ADDRESS:]
