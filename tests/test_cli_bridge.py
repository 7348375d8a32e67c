"""`allmende bridge`: two chains, three validators with nodes of their own, and people who cross."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from chains import ACCOUNT, ETHER, NODE, NODES, Rig, anvil, on, serve
from click.testing import CliRunner
from deployed import CACHE, CREDIT
from eth_utils import keccak
from starlette.applications import Starlette

from allmende.adapters.chain import bridge_acts as acts
from allmende.adapters.chain.abi import Abi
from allmende.adapters.chain.account import Account
from allmende.adapters.chain.bridge import FILE, BridgeRecord
from allmende.adapters.chain.evm import Genesis
from allmende.adapters.chain.node import EmbeddedNode
from allmende.adapters.chain.profiles import ANVIL, EMBEDDED
from allmende.adapters.chain.reader import Reader
from allmende.adapters.chain_contracts import load
from allmende.cli import main
from allmende.doors.chain_rpc import ChainRpc
from allmende.wire.bridging import Side, Transfer, arrival_digest

HOME_ID, AWAY_ID = 31_337, 31_338
PEOPLE = {name: Account(keccak(text=name)) for name in ("anna", "vera", "vito", "viktor")}
VALIDATORS = ("vera", "vito", "viktor")
DEPLOYER = keccak(text="an account of the tests")
CLOCK = 1_790_000_000


class Site:
    """One chain at an address; its clock is moved by hand where it is ours."""

    def __init__(self, rig: Rig, url: str) -> None:
        self.rig, self.url = rig, url


class Clock:
    ahead_s = 0

    def now_s(self) -> int:
        return int(time.time()) + self.ahead_s


@asynccontextmanager
async def embedded(folder: Path, chain_id: int, clock: Clock) -> AsyncIterator[Site]:
    funds = {a.address: 100 * ETHER for a in (ACCOUNT, *PEOPLE.values())}
    node = EmbeddedNode(folder / "chain.sqlite", Genesis(chain_id, funds, CLOCK), clock.now_s)
    rig = Rig("embedded", Reader(node.ask, node.close), EMBEDDED)
    async with serve(Starlette(routes=ChainRpc(node.ask).routes())) as url:
        yield Site(rig, f"{url}/chain")
    await node.close()


@asynccontextmanager
async def foundrys(chain_id: int) -> AsyncIterator[Site]:
    async with anvil(chain_id=chain_id) as node:
        for who in (ACCOUNT, *PEOPLE.values()):
            await node.ask("anvil_setBalance", (who.address, hex(100 * ETHER)))
        yield Site(Rig("anvil", Reader(node.ask, node.close), ANVIL), node.url)


class Town:
    """Both chains, a token at home of which Anna has 100, and whoever types commands."""

    def __init__(self, home: Site, away: Site, clock: Clock, folder: Path) -> None:
        self.home, self.away, self.clock, self.folder = home, away, clock, folder
        self.token = ""
        self.record = folder / FILE

    def key(self, name: str) -> str:
        file = self.folder / f"{name}.key"
        file.touch(mode=0o600)
        secret = DEPLOYER if name == "deployer" else keccak(text=name)
        file.write_text(secret.hex())
        return str(file)

    async def run(self, *words: str, exit_code: int = 0, record: bool = True) -> str:
        where = ("--home-node", self.home.url, "--away-node", self.away.url, "--cache", str(CACHE))
        known = ("--record", str(self.record)) if record else ()
        line = ["bridge", words[0], *where, *known, *words[1:]]
        done = await asyncio.to_thread(CliRunner().invoke, main, line)
        assert done.exit_code == exit_code, (done.output, done.exception)
        for name in PEOPLE:
            assert keccak(text=name).hex() not in done.output + done.stderr
        return done.output + done.stderr

    async def found(self) -> None:
        """A token for Anna, at home."""
        abi, rig = Abi(load("Credit", CACHE)), self.home.rig
        data = abi.creation("Credit", "CRED")
        self.token = (await rig.send(data=data, gas=3_000_000)).contract
        await rig.send(self.token, abi.call("mint", PEOPLE["anna"].address, 100 * CREDIT))

    async def deploy(self, *more: str, exit_code: int = 0) -> str:
        words = ["--threshold", "2", "--per-transfer", "50", "--per-day", "80", "--terms", "demo"]
        for name in VALIDATORS:
            words += ["--validator", PEOPLE[name].address]
        words += ["--token", self.token, "--guardian", PEOPLE["vera"].address]
        words += ["--wallet-key-file", self.key("deployer"), "--data", str(self.folder)]
        return await self.run("deploy", *words, *more, exit_code=exit_code, record=False)

    async def lock(self, amount: str, *more: str, exit_code: int = 0) -> str:
        key = ("--wallet-key-file", self.key("anna"))
        return await self.run("lock", amount, *key, *more, exit_code=exit_code)

    async def sign(self, *names: str, exit_code: int = 0) -> list[str]:
        """Everything that is on its way, by these validators: their new files."""
        out = self.folder / "signed"
        before = set(files(out))
        for name in names:
            key = ("--wallet-key-file", self.key(name), "--out", str(out))
            await self.run("sign", *key, exit_code=exit_code)
        return [file for file in files(out) if file not in before]

    async def redeem(self, *names: str, exit_code: int = 0) -> str:
        key = ("--wallet-key-file", self.key("vito"))
        return await self.run("redeem", *names, *key, exit_code=exit_code)

    async def status(self, exit_code: int = 0) -> dict[str, Any]:
        said = await self.run("status", "--json", exit_code=exit_code)
        told: dict[str, Any] = json.JSONDecoder().raw_decode(said)[0]
        return told

    async def call(self, site: Site, who: str, to: str, function: str, *values: Any) -> bool:
        abi = Abi(load("Bridge", CACHE))
        account = Account(DEPLOYER) if who == "deployer" else PEOPLE[who]
        rig = Rig(site.rig.kind, site.rig.chain, site.rig.profile, account)
        here = await rig.chain.chain_id()
        return (await rig.send(to, abi.call(function, *values), chain_id=here)).ok

    def known(self) -> BridgeRecord:
        return msgspec.json.decode(self.record.read_bytes(), type=BridgeRecord)

    async def balances(self) -> tuple[int, int]:
        """Anna's whole credits at home and away."""
        abi, found = Abi(load("Credit", CACHE)), []
        for site, token in ((self.home, self.token), (self.away, self.known().away.token)):
            data = abi.call("balanceOf", PEOPLE["anna"].address)
            told = await site.rig.chain.call(token, data)
            found.append(int(abi.answer("balanceOf", told)[0]) // CREDIT)
        return found[0], found[1]


def read(file: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(Path(file).read_text())
    return told


def write(file: str, told: dict[str, Any]) -> None:
    Path(file).write_text(json.dumps(told))


def files(folder: Path) -> list[str]:
    return sorted(map(str, folder.glob("*.json")))


@pytest.fixture(params=NODES)
def node(request: pytest.FixtureRequest) -> Iterator[str]:
    with on(request.param):
        yield request.param


def check(folder: Path, test: Callable[[Town], Awaitable[Any]]) -> None:
    async def work() -> None:
        clock = Clock()
        ours = NODE.get() == "embedded"
        for name in ("home", "away"):
            (folder / name).mkdir()
        home = embedded(folder / "home", HOME_ID, clock) if ours else foundrys(HOME_ID)
        away = embedded(folder / "away", AWAY_ID, clock) if ours else foundrys(AWAY_ID)
        async with home as one, away as two, asyncio.timeout(120):
            town = Town(one, two, clock, folder)
            await town.found()
            await test(town)

    asyncio.run(work())


def test_a_transfer_crosses_there_and_back_and_once_and_a_forged_one_is_seen(
    tmp_path: Path, node: str
) -> None:
    async def story(town: Town) -> None:
        await town.deploy()
        assert "grant" not in await town.deploy()  # once more is nothing new
        told = await town.lock("30")
        assert "Transfer 1 from home: 30 CRED" in told
        one, two = await town.sign("vera", "viktor")
        assert "1 of 2 signatures" in await town.redeem(one, exit_code=1)
        assert "30 CRED to" in await town.redeem(one, two)
        assert await town.balances() == (70, 30)
        assert "bridge: paid already" in await town.redeem(one, two, exit_code=1)

        status = await town.status()
        assert (status["locked"], status["minted"]) == ("30 CRED", "30 CRED")
        await town.lock("12", "--from", "away")
        status = await town.status()
        assert (status["minted"], status["on_its_way"]) == ("18 CRED", "12 CRED")
        assert status["waiting"] == ["away 1"]
        await town.redeem(*await town.sign("vito", "vera"))
        assert await town.balances() == (82, 18)
        status = await town.status()
        assert (status["difference"], status["on_its_way"]) == ("0 CRED", "0 CRED")
        await forged(town)

    check(tmp_path, story)


async def forged(town: Town) -> None:
    """Two of three sign a transfer that nobody made: it is paid, and the status ends with 1."""
    known, anna = town.known(), PEOPLE["anna"].address
    said = acts.attestation("arrival", "home", Transfer(7, raw(anna), raw(anna), CREDIT, 2**40))
    sides = [
        Side(one.chain_id, raw(one.bridge), raw(one.token)) for one in (known.home, known.away)
    ]
    digest = arrival_digest(*sides, said.transfer, keccak)
    signed = {PEOPLE[n].address: PEOPLE[n].sign_digest(digest) for n in ("vera", "vito")}
    loot = town.folder / "loot.json"
    signatures = {who: "0x" + one.hex() for who, one in signed.items()}
    loot.write_bytes(msgspec.json.encode(msgspec.structs.replace(said, signatures=signatures)))
    await town.redeem(str(loot))
    status = await town.status(exit_code=1)
    assert (status["ok"], status["difference"]) == (False, "-1 CRED")


def raw(address: str) -> bytes:
    return bytes.fromhex(address[2:])


def test_what_expired_is_signed_for_its_return(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await town.deploy()
        await town.lock("30")
        late = await town.sign("vera", "vito")  # nobody brings them in time
        town.clock.ahead_s += 400
        await town.sign("viktor")  # the away side's newest block is from before: still an arrival
        for site in (town.home, town.away):
            here = await site.rig.chain.chain_id()
            await site.rig.send(ACCOUNT.address, chain_id=here)  # a block that says how late it is
        signed = await town.sign("vera", "viktor")
        assert all("refund-home-1" in file for file in signed)
        assert "bridge: expired" in await town.redeem(*late, exit_code=1)
        assert f"30 CRED to {PEOPLE['anna'].address}" in await town.redeem(*signed)
        assert await town.balances() == (100, 0)
        assert "bridge: no such transfer" in await town.redeem(*signed, exit_code=1)

    check(tmp_path, story)


def test_bad_input_names_what_is_wrong_and_moves_nothing(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        told = await town.deploy("--threshold", "1", exit_code=1)
        assert "of 3 validators 1 cannot be the threshold" in told
        told = await town.deploy("--per-transfer", "90", exit_code=1)
        assert "at most the day's" in told
        told = await town.deploy("--validator", PEOPLE["vera"].address, exit_code=1)
        assert "stands there twice" in told
        told = await town.deploy("--away-node", town.home.url, exit_code=1)
        assert "a chain with the id 31337" in told
        await town.run("status", exit_code=2)  # its record is not there
        await town.deploy()
        assert "over the transfer's limit" in await town.lock("51", exit_code=1)
        assert "above 0" in await town.lock("0", exit_code=1)
        assert (
            "over the day's limit"
            in [
                await town.lock("50"),
                await town.lock("31", exit_code=1),
            ][1]
        )
        key = ("--wallet-key-file", town.key("anna"), "--out", str(town.folder / "x"))
        assert "not one of the validators" in await town.run("sign", *key, exit_code=1)
        told = await town.run("sign", "9", *key, exit_code=1)
        assert "not on its way" in told
        assert "no validator's file" in await town.redeem(str(town.record), exit_code=1)
        one, two = await town.sign("vera", "vito")
        for wrong in ({"amount": -1}, {"kind": "gift"}, {"to": "anna"}, {"nonce": 2**256}):
            broken = str(town.folder / "broken.json")
            write(broken, read(one) | wrong)
            assert "no validator's file" in await town.redeem(broken, exit_code=1)
        raised = read(one) | {"amount": read(one)["amount"] + 1}
        write(one, raised)
        assert "is not its signature" in await town.redeem(one, exit_code=1)
        assert "say different things" in await town.redeem(one, two, exit_code=1)
        assert await town.balances() == (50, 0)

    check(tmp_path, story)


def test_what_is_not_as_it_was_is_seen_and_roles_are_handed_over(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        admin = PEOPLE["viktor"].address
        await town.deploy("--admin", admin)
        known = town.known()
        assert await town.call(town.home, "vera", known.home.bridge, "pause")
        status = await town.status()
        assert status["paused"] == ["home"]
        assert "bridge: paused" in await town.lock("1", exit_code=1)
        rules = ([admin], 1, 1, 1)
        for who, may in (("deployer", False), ("viktor", True)):
            assert await town.call(town.away, who, known.away.bridge, "propose", rules) == may

        told = await town.run("status", "--away-node", town.home.url, exit_code=1)
        assert "NOT the one of the record" in told
        other = msgspec.structs.replace(known.home, bridge=known.home.token)
        town.record.write_bytes(msgspec.json.encode(msgspec.structs.replace(known, home=other)))
        assert "NOT this Bridge" in await town.run("status", exit_code=1)
        key = ("--wallet-key-file", town.key("vera"))
        assert "NOT this Bridge" in await town.run("sign", *key, exit_code=1)

    check(tmp_path, story)


def test_a_second_chain_is_begun_where_there_is_none(tmp_path: Path) -> None:
    """What it serves then, the demo's scene of the bridge shows."""
    (tmp_path / "chain.sqlite").touch()
    for words, exit_code, why in (
        (("--fund", PEOPLE["anna"].address), 1, "has a chain already"),
        (("--fund", "anna", "--data", str(tmp_path / "new")), 2, "anna is not 0x and 40 hex"),
        (("--data", str(tmp_path / "new")), 1, "has no embedded chain"),
    ):
        line = ["chain", "node", "--data", str(tmp_path), *words]
        done = CliRunner().invoke(main, line)
        assert (done.exit_code, why in done.output + done.stderr) == (exit_code, True)
    assert not (tmp_path / "new").exists()
