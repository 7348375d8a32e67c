"""`allmende treasury`: a Safe put up, proposed to, signed and executed, by node and key file."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from chains import ACCOUNT, ETHER, NODE, NODES, OTHER, Rig, on, serve_chain
from click.testing import CliRunner
from deployed import CACHE
from eth_utils import keccak

from allmende.adapters.chain.abi import Abi
from allmende.adapters.chain.account import Account
from allmende.adapters.chain.safe import Proposal, digest
from allmende.adapters.chain.treasury import FILE
from allmende.adapters.chain_contracts import load
from allmende.cli import main

NAMES = ("olga", "otto", "omar")
OWNERS = {name: Account(keccak(text=name)) for name in NAMES}
PAYER = keccak(text="an account of the tests")
ANNA = "0x" + "aa" * 20


@pytest.fixture(params=NODES)
def node(request: pytest.FixtureRequest) -> Iterator[str]:
    with on(request.param):
        yield request.param


class Town:
    """A chain behind an address, and whoever types commands at it."""

    def __init__(self, rig: Rig, url: str, folder: Path) -> None:
        self.rig, self.url, self.folder = rig, url, folder
        self.keys = {name: self.key(name, keccak(text=name)) for name in NAMES}
        self.payer = self.key("payer", PAYER)

    def key(self, name: str, secret: bytes) -> str:
        file = self.folder / f"{name}.key"
        file.touch(mode=0o600)
        file.write_text(secret.hex())
        return str(file)

    async def run(self, *words: str, exit_code: int = 0, node: bool = True) -> str:
        where = ("--node", self.url, "--cache", str(CACHE)) if node else ()
        line = ["treasury", *words, *where]
        done = await asyncio.to_thread(CliRunner().invoke, main, line)
        assert done.exit_code == exit_code, (done.output, done.exception)
        return done.output + done.stderr

    async def deploy(self, *more: str, exit_code: int = 0) -> str:
        owners = [word for one in OWNERS.values() for word in ("--owner", one.address)]
        where = ("--data", str(self.folder), "--wallet-key-file", self.payer)
        return await self.run(
            "deploy", *owners, "--threshold", "2", *where, *more, exit_code=exit_code
        )

    async def safe(self) -> str:
        await self.deploy("--json")
        return str(json.loads((self.folder / FILE).read_text())["safe"])

    async def propose(self, name: str, *words: str, exit_code: int = 0) -> str:
        out = str(self.folder / name)
        await self.run(
            "propose", "--data", str(self.folder), *words, "--out", out, exit_code=exit_code
        )
        return out

    async def sign(self, file: str, name: str, *more: str, exit_code: int = 0) -> str:
        key = ("--wallet-key-file", self.keys[name])
        return await self.run("sign", file, *key, *more, exit_code=exit_code, node=False)

    async def execute(self, *files: str, exit_code: int = 0) -> str:
        key = ("--wallet-key-file", self.payer)
        return await self.run("execute", *files, *key, exit_code=exit_code)

    async def credit(self, holder: str) -> str:
        """A Credit of which the Safe has 100 units."""
        abi = Abi(load("Credit", CACHE))
        data = abi.creation("Credit", "CRED")
        token = (await self.rig.send(data=data, gas=3_000_000)).contract
        await self.rig.send(token, abi.call("mint", holder, 100 * 10**12))
        return token

    async def balance(self, token: str, holder: str) -> int:
        abi = Abi(load("Credit", CACHE))
        told = await self.rig.chain.call(token, abi.call("balanceOf", holder))
        return int(abi.answer("balanceOf", told)[0])


def read(file: str) -> Proposal:
    return msgspec.json.decode(Path(file).read_bytes(), type=Proposal)


def check(folder: Path, test: Callable[[Town], Awaitable[Any]]) -> None:
    async def work() -> None:
        async with serve_chain(NODE.get(), folder) as (rig, url), asyncio.timeout(90):
            await test(Town(rig, url, folder))

    asyncio.run(work())


def test_two_of_three_owners_pay_out_and_one_does_not(tmp_path: Path, node: str) -> None:
    async def story(town: Town) -> None:
        safe = await town.safe()
        assert safe == await town.safe()  # once more is nothing new
        token = await town.credit(safe)
        told = await town.run("show", "--data", str(town.folder))
        assert "2 of 3 owners sign" in told
        assert "No module passes the owners by" in told

        pay = ("--to", ANNA, "--amount", "2.5", "--token", token, "--says", "a prize")
        file = await town.propose("prize.json", *pay)
        told = await town.sign(file, "olga")
        assert "2500000000000 base units of the token" in told
        told = await town.execute(file, exit_code=1)
        assert "1 of 2 signatures are there" in told
        other = await town.propose("prize2.json", *pay)  # what otto has got
        await town.sign(other, "otto", "--out", str(town.folder / "otto.json"))
        told = await town.execute(file, str(town.folder / "otto.json"))
        assert "Payment 0 is made" in told
        assert await town.balance(token, ANNA) == 2_500_000_000_000
        told = await town.execute(file, str(town.folder / "otto.json"), exit_code=1)
        assert "its number is 0 and the Safe's next one is 1" in told

        # any call, as `allmende chain call … --json` prints it
        data = Abi(load("Credit", CACHE)).call("transfer", ANNA, 3)
        call = town.folder / "call.json"
        call.write_text(json.dumps({"to": token, "data": "0x" + data.hex()}))
        file = await town.propose("c.json", "--call", str(call))
        for name in ("omar", "otto"):
            await town.sign(file, name)
        await town.execute(file)
        assert await town.balance(token, ANNA) == 2_500_000_000_003

        await town.rig.send(safe, value=ETHER // 10, gas=100_000)
        ether = await town.propose("ether.json", "--to", ANNA, "--amount", "0.05")
        for name in ("omar", "olga"):
            await town.sign(ether, name)
        await town.execute(ether)
        assert await town.rig.chain.balance(ANNA) == ETHER // 20

    check(tmp_path, story)


def test_what_is_signed_is_what_the_file_says_and_for_one_chain(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.safe()
        file = await town.propose("p.json", "--to", ANNA, "--amount", "1")
        for name in ("olga", "otto"):
            await town.sign(file, name)
        whole = read(file)

        def changed(name: str, **fields: Any) -> str:
            told = msgspec.to_builtins(whole)
            told["payment"] |= fields
            copy = town.folder / name
            copy.write_bytes(msgspec.json.encode(told))
            return str(copy)

        raised = changed("raised.json", value=2 * ETHER)
        assert "is not its signature" in await town.execute(raised, exit_code=1)
        for wrong in ({"value": -1}, {"to": "anna"}, {"data": "0xx"}, {"nonce": 2**256}):
            broken = changed("broken.json", **wrong)
            assert "no proposal" in await town.execute(broken, exit_code=1)
        payment = msgspec.structs.replace(whole.payment, chain_id=8_453)
        signed = {
            one.address: "0x" + one.sign_digest(digest(payment)).hex() for one in OWNERS.values()
        }
        elsewhere = town.folder / "elsewhere.json"
        elsewhere.write_bytes(
            msgspec.json.encode(Proposal(payment=payment, says="", signatures=signed))
        )
        assert "on chain 8453" in await town.execute(str(elsewhere), exit_code=1)
        later = await town.propose("later.json", "--to", ANNA, "--amount", "1", "--number", "7")
        for name in ("olga", "otto"):
            await town.sign(later, name)
        assert "waits for the ones before it" in await town.execute(later, exit_code=1)
        assert "different payments" in await town.execute(file, later, exit_code=1)
        stranger = town.key("stranger", bytes(OTHER.sign_digest(bytes(32))[:32]))
        town.keys["stranger"] = stranger
        alone = await town.propose("alone.json", "--to", ANNA, "--amount", "1")
        await town.sign(alone, "olga")
        await town.sign(alone, "stranger")  # whose signature counts for nothing
        assert "1 of 2 signatures" in await town.execute(alone, exit_code=1)

    check(tmp_path, story)


def test_bad_input_names_what_is_wrong_and_sends_nothing(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        key = ("--wallet-key-file", town.payer, "--data", str(town.folder))
        told = await town.run("deploy", "--owner", ANNA, "--threshold", "2", *key, exit_code=1)
        assert "of 1 owners 2 cannot sign" in told
        told = await town.run("show", "--safe", ANNA, exit_code=1)
        assert "no Safe proxy" in told
        empty = ("--data", str(town.folder / "empty"))
        told = await town.run("show", *empty, exit_code=1)
        assert "No Safe is known here" in told
        out = ("--out", str(town.folder / "x.json"))
        told = await town.run("propose", "--safe", ANNA, *out, exit_code=2)
        assert "Say --to and --amount" in told
        told = await town.run(
            *("propose", "--safe", ANNA, "--to", ANNA, "--amount", "1", *out), exit_code=1
        )
        assert "no Safe proxy" in told
        assert "no proposal" in await town.execute(town.payer, exit_code=1)
        assert await town.rig.chain.nonce(ACCOUNT.address) == 0

    check(tmp_path, story)
