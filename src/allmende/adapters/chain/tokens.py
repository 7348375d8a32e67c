"""Tokens: any ERC-20, as far as its standard goes, and a payment of one in words.

Rule: what a token says of itself is its word; only `decimals` is needed to write an amount.
Invariant: amounts are base units here, and whole ones in words only.
Worked number: 2_500_000 base units of a token with 6 decimals are 2.5.
"""

from __future__ import annotations

from typing import Any

from allmende.adapters.chain.abi import Abi
from allmende.adapters.chain.leaving import Token
from allmende.adapters.chain.reads import read
from allmende.adapters.chain.safe import Payment
from allmende.adapters.chain_contracts import Contract
from allmende.custody import ContractCall
from allmende.ports import Chain

_FUNCTIONS = (
    ("symbol", (), "string"),
    ("decimals", (), "uint8"),
    ("totalSupply", (), "uint256"),
    ("balanceOf", ("address",), "uint256"),
    ("allowance", ("address", "address"), "uint256"),
    ("approve", ("address", "uint256"), "bool"),
    ("transfer", ("address", "uint256"), "bool"),
)
"""Name, what it takes, what it gives: EIP-20."""
TRANSFER = bytes.fromhex("a9059cbb")
WORD = 32


class Erc20:
    """One token on one chain."""

    def __init__(self, chain: Chain, address: str) -> None:
        self.address = address
        self._chain = chain
        self._abi = Abi(_standard())

    async def get(self, function: str, *values: Any, at: int | None = None) -> Any:
        """ChainFailed("garbled") if what is there is no such token."""
        return await read(self._chain, self._abi, self.address, function, *values, at=at)

    async def unit(self) -> Token:
        return Token(str(await self.get("symbol")), int(await self.get("decimals")))

    async def balance(self, owner: str, at: int | None = None) -> int:
        return int(await self.get("balanceOf", owner, at=at))

    def transfer(self, to: str, amount: int) -> ContractCall:
        return ContractCall(self.address, self._abi.call("transfer", to, amount))

    def approve(self, spender: str, amount: int) -> ContractCall:
        return ContractCall(self.address, self._abi.call("approve", spender, amount))


def spoken(payment: Payment) -> str:
    """What a payment does, as far as its bytes say it."""
    data = payment.call().data
    if not data:
        return f"{payment.value} wei to {payment.to}"
    if data[:4] == TRANSFER and len(data) == 4 + 2 * WORD and not payment.value:
        to, amount = data[16 : 4 + WORD].hex(), int.from_bytes(data[-WORD:], "big")
        return f"{amount} base units of the token {payment.to} to 0x{to}"
    return f"calls {payment.to} with {payment.value} wei and {payment.data}"


def _standard() -> Contract:
    """What EIP-20 says of every token."""
    abi = [
        {
            "type": "function",
            "name": name,
            "inputs": [{"name": f"a{i}", "type": kind} for i, kind in enumerate(takes)],
            "outputs": [{"name": "", "type": gives}],
        }
        for name, takes, gives in _FUNCTIONS
    ]
    return Contract(
        name="ERC-20",
        abi=abi,
        creation=b"",
        runtime=b"",
        code_hash="",
        source_hash="",
        immutables=0,
    )
