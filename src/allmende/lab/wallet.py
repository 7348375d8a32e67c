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
from x402 import x402ClientSync
from x402.http.clients.requests import x402_requests
from x402.mechanisms.evm.exact import ExactEvmScheme

ERC20: list[dict[str, Any]] = [
    {
        "type": "function",
        "name": name,
        "stateMutability": kind,
        "inputs": [{"name": f"a{i}", "type": t} for i, t in enumerate(takes)],
        "outputs": [{"name": "", "type": gives}] if gives else [],
    }
    for name, takes, gives, kind in (
        ("symbol", (), "string", "view"),
        ("balanceOf", ("address",), "uint256", "view"),
        ("transfer", ("address", "uint256"), "bool", "nonpayable"),
        ("redeem", ("uint256", "bytes32"), "", "nonpayable"),
    )
]
"""What EIP-20 says, as far as the demo needs it, and the one call that brings rights back."""
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

    def act(self, to: str, function: str, *values: Any) -> Any:
        """Call a contract's function, named with its types as vote(uint256,uint8)."""
        kinds = function.partition("(")[2].removesuffix(")").split(",")
        words = self._web3.codec.encode([kind for kind in kinds if kind], values)
        return self.send(to, "0x" + (bytes(Web3.keccak(text=function)[:4]) + words).hex())

    def ether(self) -> int:
        """Wei."""
        return self._web3.eth.get_balance(self._account.address)

    def balance(self, token: str) -> int:
        return int(self._token(token).functions.balanceOf(self.address).call())

    def symbol(self, token: str) -> str:
        return str(self._token(token).functions.symbol().call())

    def transfer(self, token: str, to: str, amount: int) -> Any:
        """By the token's own `transfer`, like any wallet."""
        call = self._token(token).functions.transfer(Web3.to_checksum_address(to), amount)
        return self.send(token, str(call._encode_transaction_data()))

    def redeem(self, token: str, amount: int, account: str) -> Any:
        """Give rights back to the desk, for an account there."""
        call = self._token(token).functions.redeem(amount, Web3.keccak(text=account))
        return self.send(token, str(call._encode_transaction_data()))

    def pay_and_post(self, url: str, body: dict[str, Any], chain_id: int, token: str) -> Any:
        """POST by x402: asked for a payment, it signs one of at most 0.01 credit; the answer."""
        network = f"eip155:{chain_id}"
        client = x402ClientSync()
        client.register(network, ExactEvmScheme(self._account))
        cap = {"network": network, "asset": token, "max_amount_per_payment": str(10**10)}
        client.set_spend_controls({"allowed_assets": [cap]})  # type: ignore[arg-type]
        with x402_requests(client) as session:
            session.trust_env = False
            return session.post(url, json=body, timeout=60)

    def _token(self, address: str) -> Any:
        return self._web3.eth.contract(address=Web3.to_checksum_address(address), abi=ERC20)
