"""Wallet: a member's own wallet in the demo, which knows Ethereum and nothing of Allmende.

Rule: it is web3.py with one key: what it can do here, any wallet can do.
Invariant: a transaction that it sends is in a block and succeeded when `send` returns.
Worked number: moving 250_000_000 base units of a token with 8 decimals moves 2.5 of it.
"""

from __future__ import annotations

import secrets
from typing import Any

from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data
from web3 import HTTPProvider, Web3

ERC20: list[dict[str, Any]] = [
    {
        "type": "function",
        "name": name,
        "stateMutability": kind,
        "inputs": [{"name": f"a{i}", "type": t} for i, t in enumerate(takes)],
        "outputs": [{"name": "", "type": gives}],
    }
    for name, takes, gives, kind in (
        ("symbol", (), "string", "view"),
        ("decimals", (), "uint8", "view"),
        ("balanceOf", ("address",), "uint256", "view"),
        ("transfer", ("address", "uint256"), "bool", "nonpayable"),
        ("approve", ("address", "uint256"), "bool", "nonpayable"),
    )
]
"""What EIP-20 says, as far as the demo needs it."""
WAIT_S = 20


class Wallet:
    """One key at one node. `address` is checksummed, as people see it."""

    def __init__(self, node: str, key: str = "") -> None:
        self.key = key or "0x" + secrets.token_hex(32)
        self._account = Account.from_key(self.key)
        self.address: str = self._account.address
        self._web3 = Web3(HTTPProvider(node, request_kwargs={"proxies": {"http": ""}}))

    def sign_text(self, text: str) -> str:
        """As MetaMask's personal_sign."""
        return "0x" + bytes(self._account.sign_message(encode_defunct(text=text)).signature).hex()

    def sign_typed(self, typed: dict[str, Any]) -> str:
        """As MetaMask's eth_signTypedData_v4."""
        signable = encode_typed_data(full_message=typed)
        return "0x" + bytes(self._account.sign_message(signable).signature).hex()

    def send(self, to: str, data: str, value: int = 0) -> Any:
        """Sign, send, wait: the receipt. RuntimeError if it was reverted."""
        eth = self._web3.eth
        fields = {
            "chainId": eth.chain_id,
            "nonce": eth.get_transaction_count(self._account.address),
            "from": self.address,
            "to": Web3.to_checksum_address(to),
            "data": data,
            "value": value,
        }
        gas = eth.estimate_gas(fields) * 12 // 10  # type: ignore[arg-type]
        tip = 10**6
        fees = {"maxFeePerGas": max(2 * eth.gas_price, tip), "maxPriorityFeePerGas": tip}
        fields |= {"gas": gas, "type": 2, **fees}
        del fields["from"]
        sent = eth.send_raw_transaction(self._account.sign_transaction(fields).raw_transaction)
        done = eth.wait_for_transaction_receipt(sent, timeout=WAIT_S, poll_latency=0.1)
        if done["status"] != 1:
            raise RuntimeError(f"{to} reverted {data[:10]}")
        return done

    def ether(self) -> int:
        """Wei."""
        return self._web3.eth.get_balance(self._account.address)

    def balance(self, token: str) -> int:
        return int(self._token(token).functions.balanceOf(self.address).call())

    def symbol(self, token: str) -> str:
        return str(self._token(token).functions.symbol().call())

    def transfer(self, token: str, to: str, amount: int) -> Any:
        """By the token's own `transfer`, like any wallet."""
        call = self._token(token).functions.transfer(to, amount)
        return self.send(token, str(call._encode_transaction_data()))

    def _token(self, address: str) -> Any:
        return self._web3.eth.contract(address=Web3.to_checksum_address(address), abi=ERC20)
