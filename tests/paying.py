"""A served gateway that takes payments, an embedded chain with a real Credit, and payers.

    async with paying(tmp_path) as rig:
        answer = await rig.call(rig.payer)          # by the SDK's own client
        assert answer.status_code == 200

Everything is real but the provider: the SDK's client and verification, the contract, the
chain, the outbox, the desk.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from chains import ACCOUNT, CHAIN_ID, ETHER, NODE, OTHER, Rig, open_chain
from eth_abi import decode, encode
from eth_account import Account as Keys
from eth_account.signers.local import LocalAccount
from eth_utils import keccak
from fake_provider import Script
from served import HELLO, Market, serve
from x402 import x402ClientSync
from x402.http.clients.requests import x402_requests
from x402.mechanisms.evm.exact import ExactEvmScheme
from x402.schemas import PaymentRequirements

from allmende.adapters import chain_contracts
from allmende.adapters.chain.outbox import Outbox
from allmende.adapters.chain.payments import ChainPayments
from allmende.adapters.chain.profiles import EMBEDDED
from allmende.adapters.chain.submitter import Submitter
from allmende.adapters.chain.turns import Turns
from allmende.adapters.chain.x402 import Token
from allmende.core import ledger
from allmende.core.units import CREDIT
from allmende.doors.pay_per_call import PayPerCall
from allmende.ports import Chain, ChainFailed

CACHE = Path(__file__).parents[1] / ".pytest_cache" / "contracts"
SECRET = bytes(range(32))
NETWORK = f"eip155:{CHAIN_ID}"
FUNDS = CREDIT
SIGNATURE, REQUIRED, RESPONSE = "payment-signature", "payment-required", "payment-response"


def person(name: str) -> LocalAccount:
    return Keys.from_key(keccak(text=name))


def now_s() -> int:
    return int(time.time())


def read(header: str) -> Any:
    """What an x402 header says."""
    return json.loads(base64.b64decode(header))


def written(value: object) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


class Line:
    """The way to the chain: it can be cut, or held up until it is `free` again."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self.cut = False
        self.free = asyncio.Event()
        self.free.set()

    def __getattr__(self, name: str) -> Any:
        async def ask(*args: Any, **named: Any) -> Any:
            await self.free.wait()
            if self.cut:
                raise ChainFailed("unreachable", "the line is cut")
            return await getattr(self._chain, name)(*args, **named)

        return ask


@dataclass
class Paying:
    """`payer` has FUNDS on the chain. Calls are the SDK's own, in a thread beside the loop."""

    market: Market
    rig: Rig
    line: Line
    credit: str
    outbox: Outbox
    sender: Turns
    payments: ChainPayments
    door: PayPerCall
    payer: LocalAccount
    folder: Path

    @property
    def url(self) -> str:
        return f"{self.market.url}/chat/completions"

    # --- calling -------------------------------------------------------------------------

    def session(self, payer: LocalAccount) -> requests.Session:
        client = x402ClientSync()
        client.register(NETWORK, ExactEvmScheme(payer))
        entry = {"network": NETWORK, "asset": self.credit, "max_amount_per_payment": str(CREDIT)}
        client.set_spend_controls({"allowed_assets": [entry]})
        return x402_requests(client)

    async def call(self, payer: LocalAccount, model: str = "fake", **fields: Any) -> Any:
        """Unpaid, then paid, as the SDK does it."""
        body = {"model": model, "messages": HELLO, **fields}
        with self.session(payer) as session:
            return await asyncio.to_thread(session.post, self.url, json=body, timeout=30)

    async def post(self, headers: Mapping[str, str], model: str = "fake", **fields: Any) -> Any:
        """As it is, without the SDK."""
        body = {"model": model, "messages": HELLO, **fields}
        return await asyncio.to_thread(
            requests.post, self.url, json=body, headers=dict(headers), timeout=30
        )

    async def bill(self, **fields: Any) -> Any:
        """What a call costs, as the 402 says it."""
        answer = await self.post({}, **fields)
        assert answer.status_code == 402, answer.text
        return read(answer.headers[REQUIRED])

    async def payment(self, payer: LocalAccount, bill: Any = None, **changes: Any) -> Any:
        """What the SDK's client would send for a bill, with changes to what is asked."""
        bill = bill or await self.bill()
        (accepted,) = bill["accepts"]
        accepted = {**accepted, **changes}
        client = ExactEvmScheme(payer)
        inner = client.create_payment_payload(PaymentRequirements.model_validate(accepted))
        return {"x402Version": 2, "accepted": accepted, "payload": inner}

    def resigned(self, payment: Any, **changes: Any) -> Any:
        """The payment with other fields of its authorisation, signed for anew."""
        fields = {**payment["payload"]["authorization"], **changes}
        kinds = ("address", "address", "uint256", "uint256", "uint256", "bytes32")
        names = ("from", "to", "value", "validAfter", "validBefore", "nonce")
        types = [{"name": n, "type": k} for n, k in zip(names, kinds, strict=True)]
        domain = {
            "name": "Credit",
            "version": "1",
            "chainId": CHAIN_ID,
            "verifyingContract": self.credit,
        }
        told = {
            n: int(v) if k == "uint256" else v
            for (n, v), k in zip(((n, fields[n]) for n in names), kinds, strict=True)
        }
        told["nonce"] = bytes.fromhex(fields["nonce"][2:])
        signed = self.payer.sign_typed_data(domain, {"TransferWithAuthorization": types}, told)
        inner = {"authorization": fields, "signature": "0x" + signed.signature.hex()}
        return {**payment, "payload": inner}

    async def pay(self, payment: Any, **fields: Any) -> Any:
        return await self.post({SIGNATURE: written(payment)}, **fields)

    # --- looking -------------------------------------------------------------------------

    async def on_chain(self, address: str) -> int:
        data = keccak(text="balanceOf(address)")[:4] + encode(["address"], [address])
        return int(decode(["uint256"], await self.rig.chain.call(self.credit, data))[0])

    @property
    def member(self) -> str:
        return "w-" + self.payer.address[2:].lower()

    @property
    def balance(self) -> int:
        """The payer's at the desk."""
        return ledger.balance(self.market.desk.state, self.member, "credit")

    async def nothing_moved(self) -> None:
        """Neither on the chain nor at the desk, and nothing is on its way."""
        assert await self.on_chain(self.payer.address) == FUNDS
        assert self.balance == 0
        assert not self.outbox.counts()
        assert not self.market.desk.state.holds

    # --- another process -----------------------------------------------------------------

    async def restart(self) -> None:
        """The door and what is behind it die and come back; desk and chain go on."""
        await self.door.close()
        self.outbox.close()
        self.outbox, self.sender, self.payments = open_payments(
            self.folder, self.market, self.line, self.credit
        )
        await self.open_door()

    async def open_door(self, **options: Any) -> None:
        market = self.market
        self.door = PayPerCall(market.desk, market.clock, self.payments, SECRET, **options)
        await self.door.open()
        market.gateway.pay_per_call = self.door


def open_payments(
    folder: Path, market: Market, chain: Any, credit: str
) -> tuple[Outbox, Turns, ChainPayments]:
    outbox = Outbox(folder / "outbox.sqlite")
    sender = Turns(Submitter(chain, outbox, ACCOUNT, EMBEDDED, market.clock))
    token = Token(CHAIN_ID, credit, ACCOUNT.address, "Credit")
    payments = ChainPayments(chain, sender, outbox.named, EMBEDDED, token, now_s)
    return outbox, sender, payments


async def deploy(rig: Rig, holders: Mapping[str, int]) -> str:
    """A Credit of ACCOUNT's, with so much for each holder: its address."""
    made = chain_contracts.load("Credit", CACHE)
    data = made.creation + encode(["string", "string"], ["Credit", "CRED"])
    credit = (await rig.send(data=data, gas=6_000_000)).contract
    for holder, amount in holders.items():
        mint = keccak(text="mint(address,uint256)")[:4]
        done = await rig.send(credit, mint + encode(["address", "uint256"], [holder, amount]))
        assert done.ok
    return credit


@contextlib.asynccontextmanager
async def paying(
    folder: Path, script: Script = (), mode: str = "lab", **options: Any
) -> AsyncIterator[Paying]:
    """A market with everything open; it must end with no money created or lost."""
    payer = person("a payer of the tests")
    async with serve(folder, script, mode=mode) as market, open_chain(NODE.get(), folder) as rig:
        credit = await deploy(rig, {payer.address: FUNDS})
        await rig.send(OTHER.address, value=ETHER, gas=21_000)
        line = Line(rig.chain)
        outbox, sender, payments = open_payments(folder, market, line, credit)
        door = PayPerCall(market.desk, market.clock, payments, SECRET)
        whole = Paying(market, rig, line, credit, outbox, sender, payments, door, payer, folder)
        await whole.open_door(**options)
        try:
            yield whole
        finally:
            await whole.door.close()
            whole.outbox.close()
