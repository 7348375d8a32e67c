"""Rights as any wallet sees them: web3.py, the ERC-20 interface of the standard, and nothing of
ours; until their last holder gives them back and spends them with an ordinary API call."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from bridge import BUYER, HOLDER, hashed
from chains import ACCOUNT, CHAIN_ID, ETHER, Rig
from chains import serve as serve_app
from click.testing import CliRunner
from deployed import CACHE, contracts, plan, sender
from eth_account import Account as Wallet
from eth_utils import keccak
from served import Market, run, serve
from starlette.applications import Starlette
from test_gateway_rights import december, rights
from web3 import Web3
from web3.contract import Contract

from allmende.adapters.chain.custody import ChainCustody
from allmende.adapters.chain.deploy import deploy
from allmende.adapters.chain.evm import Genesis
from allmende.adapters.chain.node import EmbeddedNode
from allmende.adapters.chain.profiles import EMBEDDED
from allmende.adapters.chain.reader import Reader
from allmende.adapters.chain.record import keep
from allmende.adapters.chain.rights_need import RightsOnNeed
from allmende.cli import main
from allmende.core import commands as c
from allmende.core import custody_commands as w
from allmende.core import machine
from allmende.core.contracts import LOT
from allmende.core.units import SECOND
from allmende.doors.chain_rpc import ChainRpc
from allmende.doors.settler_rights import RightsBridge

ADDRESS, UINT = "address", "uint256"
ERC20 = [
    {
        "type": "function",
        "name": name,
        "stateMutability": "view" if gives != "bool" else "nonpayable",
        "inputs": [{"name": f"_{n}", "type": kind} for n, kind in enumerate(takes)],
        "outputs": [{"name": "", "type": gives}],
    }
    for name, takes, gives in (
        ("name", (), "string"),
        ("symbol", (), "string"),
        ("decimals", (), "uint8"),
        ("totalSupply", (), UINT),
        ("balanceOf", (ADDRESS,), UINT),
        ("transfer", (ADDRESS, UINT), "bool"),
        ("approve", (ADDRESS, UINT), "bool"),
        ("transferFrom", (ADDRESS, ADDRESS, UINT), "bool"),
        ("allowance", (ADDRESS, ADDRESS), UINT),
    )
]
"""EIP-20, as written there."""
REDEEM = [
    {
        "type": "function",
        "name": "redeem",
        "stateMutability": "nonpayable",
        "inputs": [{"name": "grains", "type": UINT}, {"name": "account", "type": "bytes32"}],
        "outputs": [],
    }
]
FIRST, SECOND_ = (Wallet.from_key(keccak(text=name)) for name in ("a holder", "a buyer"))


class Shown:
    """A token in the wallets of two people."""

    def __init__(self, url: str, address: str) -> None:
        self.web3 = Web3(Web3.HTTPProvider(url))
        at = Web3.to_checksum_address(address)
        self.token: Contract = self.web3.eth.contract(at, abi=ERC20)
        self.ours: Contract = self.web3.eth.contract(at, abi=REDEEM)

    def balance(self, who: Any) -> int:
        return int(self.token.functions.balanceOf(who.address).call())

    def send(self, who: Any, function: Any) -> int:
        """What a wallet does with a call that its owner has confirmed: its status."""
        draft = function.build_transaction(
            {
                "from": who.address,
                "chainId": CHAIN_ID,
                "nonce": self.web3.eth.get_transaction_count(who.address),
            }
        )
        signed = who.sign_transaction(draft)
        hash_ = self.web3.eth.send_raw_transaction(signed.raw_transaction)
        return int(self.web3.eth.wait_for_transaction_receipt(hash_, timeout=20)["status"])


class Chained:
    """The market's chain and bridge."""

    def __init__(self, market: Market, folder: Path) -> None:
        funds = {a.address: 100 * ETHER for a in (ACCOUNT, HOLDER, BUYER)}
        genesis = Genesis(CHAIN_ID, funds, market.clock.now() // SECOND)
        now_s: Callable[[], int] = lambda: market.clock.at // SECOND  # noqa: E731
        self.market, self.folder = market, folder
        self.node = EmbeddedNode(folder / "chain.sqlite", genesis, now_s)
        self.chain = Reader(self.node.ask, self.node.close)

    async def open(self) -> None:
        rig = Rig("embedded", self.chain, EMBEDDED)
        self.sender, clock = sender(rig, self.folder), self.market.clock
        made = await deploy(self.chain, self.sender, contracts(), plan(rig))
        keep(self.folder, made)
        custody = ChainCustody(self.chain, made, contracts(), EMBEDDED, clock)
        ensure = RightsOnNeed(self.sender, contracts(), self.folder)
        self.bridge = RightsBridge(self.market.desk, clock, custody, self.sender, ensure, keccak)

    async def settle(self) -> None:
        for _ in range(4):
            await self.bridge.step()
            await self.sender.step()
        machine.check(self.market.desk.state)

    @property
    def contract(self) -> str:
        return self.bridge.status()[0].contract


@contextlib.asynccontextmanager
async def chained(market: Market, folder: Path) -> AsyncIterator[tuple[Chained, str]]:
    chain = Chained(market, folder)
    await chain.open()
    async with serve_app(Starlette(routes=ChainRpc(chain.node.ask).routes())) as url:
        yield chain, f"{url}/chain"
    await chain.chain.close()


def pass_on(shown: Shown) -> None:
    """Two people with wallets, and neither Allmende nor the desk has a part in it."""
    token = shown.token.functions
    assert (token.name().call(), token.decimals().call()) == ("december", 8)
    assert token.symbol().call().startswith("R")
    assert token.totalSupply().call() == shown.balance(FIRST) == 2 * LOT
    assert shown.send(FIRST, token.transfer(SECOND_.address, LOT // 2)) == 1
    assert shown.send(FIRST, token.approve(SECOND_.address, LOT)) == 1
    assert token.allowance(FIRST.address, SECOND_.address).call() == LOT
    taken = token.transferFrom(FIRST.address, SECOND_.address, LOT // 2)
    assert shown.send(SECOND_, taken) == 1
    assert token.allowance(FIRST.address, SECOND_.address).call() == LOT // 2
    assert (shown.balance(FIRST), shown.balance(SECOND_)) == (LOT, LOT)


def test_a_right_goes_from_wallet_to_wallet_and_back_and_pays_for_a_call(tmp_path: Path) -> None:
    async def work() -> None:
        async with (
            serve(tmp_path, mode="lab") as market,
            chained(market, tmp_path) as (chain, url),
        ):
            await december(market)
            await market.desk.submit(
                c.AddBudget(at=market.clock.now(), id="own", name="own", owner="author")
            )
            secret = await market.key("sk-of-the-buyer", member="author", budget="own")
            refused = await market.chat("smol-december", secret=secret)
            assert refused.status == 402, "it has neither credit nor rights"
            wrapped = w.WrapRights(
                at=market.clock.now(), id="w1", account="uni", instrument="december",
                grains=2 * LOT, to=HOLDER.address,
            )  # fmt: skip
            await market.desk.submit(wrapped)
            await chain.settle()
            assert (rights(market), rights(market, "chain")) == (0, 2 * LOT)
            shown = Shown(url, chain.contract)
            await asyncio.to_thread(pass_on, shown)
            redeem = shown.ours.functions.redeem(LOT, hashed("author"))
            assert await asyncio.to_thread(shown.send, SECOND_, redeem) == 1
            await chain.settle()
            assert (rights(market, "author"), rights(market, "chain")) == (LOT, LOT)
            assert await asyncio.to_thread(shown.balance, SECOND_) == 0
            paid = await market.chat("smol-december", secret=secret)
            assert paid.status == 200
            assert paid.headers["x-allmende-paid-with"] == "december"
            (receipt,) = market.receipts
            assert (receipt.right, receipt.account) == ("december", "author")
            assert rights(market, "author") == LOT - receipt.grains
            await market.settled()

    run(work())


def test_the_command_redeems_and_says_what_is_left(tmp_path: Path) -> None:
    key = tmp_path / "wallet.key"
    key.write_text(keccak(text="a holder").hex())
    key.chmod(0o600)

    async def work() -> None:
        async with (
            serve(tmp_path, mode="lab") as market,
            chained(market, tmp_path) as (chain, url),
        ):
            await december(market)

            async def redeem(*words: str, exit_code: int = 0) -> str:
                line = ["chain", "redeem", *words, "--node", url, "--cache", str(CACHE)]
                line += ["--wallet-key-file", str(key)]
                done = await asyncio.to_thread(CliRunner().invoke, main, line)
                assert done.exit_code == exit_code, (done.output, done.exception)
                return done.output + done.stderr

            wrapped = w.WrapRights(
                at=market.clock.now(), id="w1", account="uni", instrument="december",
                grains=2 * LOT, to=HOLDER.address,
            )  # fmt: skip
            await market.desk.submit(wrapped)
            await chain.settle()
            assert "is not the Rights" in await redeem(ACCOUNT.address, "1", "uni", exit_code=1)
            told = await redeem(chain.contract, "3", "uni", exit_code=1)
            assert "has 2 lots, not 3 lots" in told
            told = await redeem(chain.contract, "0.5", "author")
            assert "0.5 lots are burnt for 'author'" in told
            assert "1.5 lots are left, void from" in told
            await chain.settle()
            assert rights(market, "author") == LOT // 2

    run(work())
