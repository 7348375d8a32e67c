"""A market with a chain: its door, its gas, its limits; and one without, which loads nothing."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from chains import ACCOUNT, ETHER, Rig, anvil
from click.testing import CliRunner
from doors import Doors

from allmende.adapters.chain.account import open_account
from allmende.adapters.chain.beside import ChainBeside
from allmende.adapters.chain.opened import GAS_WEI, OPERATOR_WEI, OpenedChain, gas_for, profile_for
from allmende.adapters.chain.profiles import PROFILES
from allmende.adapters.secrets import open_vault
from allmende.cli import main
from allmende.core.refusals import Refused, Why
from allmende.lab.served import Served
from allmende.ports import Stage

TOOLS = "eth eth_account eth_utils py_ecc web3 vyper boa coincurve allmende.adapters.chain".split()


def ask(doors: Doors, method: str, *params: Any) -> Any:
    question = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    answer = doors.post("/chain", question, headers={"content-type": "application/json"})
    return answer.json.get("result", answer.json.get("error"))


async def until(done: Callable[[], bool]) -> None:
    while not done():
        await asyncio.sleep(0.02)


async def gas(chain: OpenedChain, address: str) -> None:
    """Ask for gas twice, and wait until it is there."""
    send = gas_for(chain.sender, address)
    assert gas_for(chain.sender, address.upper().replace("0X", "0x")).wanted == send.wanted
    key = send.wanted.key

    def final() -> bool:
        found = chain.sender.get(key)
        return found is not None and found.stage is Stage.FINAL

    await until(final)


def test_a_member_gets_gas_and_sends_through_the_markets_door(tmp_path: Path) -> None:
    with Doors(tmp_path, chain="embedded") as doors:
        chain = doors.market.chain
        assert chain is not None
        assert chain.profile.name == "embedded"
        rest = int(ask(doors, "eth_getBalance", chain.account.address), 16)
        assert OPERATOR_WEI * 99 // 100 < rest < OPERATOR_WEI  # the contracts took some gas
        doors.run(gas(chain, ACCOUNT.address))
        assert ask(doors, "eth_getBalance", ACCOUNT.address) == hex(GAS_WEI)
        number = int(ask(doors, "eth_chainId"), 16)
        rig = Rig("embedded", chain.chain, chain.profile)
        signed = doors.run(rig.sign(to=ACCOUNT.address, value=1, gas=21_000, chain_id=number))
        assert ask(doors, "eth_sendRawTransaction", "0x" + signed.raw.hex()) == signed.hash
        assert ask(doors, "eth_getTransactionReceipt", signed.hash)["status"] == "0x1"
        assert "evm_mine" in ask(doors, "evm_mine")["message"]
        before = ask(doors, "eth_getBalance", ACCOUNT.address)
    with Doors(tmp_path, chain="embedded") as again:
        assert int(ask(again, "eth_chainId"), 16) == number
        assert ask(again, "eth_getBalance", ACCOUNT.address) == before


def test_a_market_without_one_has_no_door_and_no_chain(tmp_path: Path) -> None:
    with Doors(tmp_path) as doors:
        assert doors.market.chain is None
        assert doors.market.chain_side.routes() == []
        answer = doors.post("/chain", {}, headers={"content-type": "application/json"})
        assert answer.status in (400, 404)  # a page may be there, and takes no questions


def by_node(tmp_path: Path, url: str, profile: str) -> None:
    """A market on another node sends there, and gives that node's door to nobody."""
    with Doors(tmp_path, chain=url, chain_profile=profile) as doors:
        chain = doors.market.chain
        assert chain is not None
        assert chain.profile is PROFILES[profile]
        doors.run(gas(chain, ACCOUNT.address))
        assert doors.run(chain.chain.balance(ACCOUNT.address)) == GAS_WEI
        assert doors.run(chain.ask("eth_chainId", ())) == hex(doors.run(chain.chain.chain_id()))
        answer = doors.post("/chain", {}, headers={"content-type": "application/json"})
        assert answer.status in (400, 404)  # a page may be there, and takes no questions


def operator(folder: Path) -> str:
    """The account that a market in this folder will have."""
    return open_account(folder / "data", open_vault(folder / "data")).address


def test_a_market_works_with_a_node_elsewhere(tmp_path: Path) -> None:
    """Here the chain beside us is the node; a consortium's profile, since its id is its own."""

    async def work() -> None:
        node = ChainBeside(tmp_path, {operator(tmp_path): ETHER})
        url = await node.start()
        await asyncio.to_thread(by_node, tmp_path, url, "consortium")
        await node.stop()

    asyncio.run(work())


def test_a_market_works_with_anvil(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    binary = os.environ.get("ANVIL") or shutil.which("anvil")
    if binary is None:
        pytest.skip("anvil is neither in ANVIL nor on the PATH (npm install @foundry-rs/anvil)")
    monkeypatch.setenv("PATH", f"{Path(binary).parent}{os.pathsep}{os.environ['PATH']}")

    async def work() -> None:
        async with anvil() as node:
            await node.ask("anvil_setBalance", (operator(tmp_path), hex(ETHER)))
            await asyncio.to_thread(by_node, tmp_path, node.url, "anvil")

    asyncio.run(work())


def test_a_node_that_is_away_ends_nothing_and_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Doors(tmp_path, chain="http://127.0.0.1:1", chain_profile="anvil") as doors:
        chain = doors.market.chain
        assert chain is not None
        gas_for(chain.sender, ACCOUNT.address)
        doors.run(until(lambda: "unreachable" in caplog.text))
        assert doors.get("/api/me", doors.admin).status == 200
    assert caplog.text.count("The chain: unreachable") == 1


@pytest.mark.parametrize(
    ("where", "name"),
    [("embedded", "bnb"), ("http://127.0.0.1:1", ""), ("http://127.0.0.1:1", "embedded")],
)
def test_a_profile_that_does_not_fit_is_refused(where: str, name: str) -> None:
    with pytest.raises(Refused, match="chain_profile") as caught:
        profile_for(where, name)
    assert caught.value.why is Why.BAD_VALUE


# As a process -------------------------------------------------------------------------


def send(url: str, path: str, body: bytes, key: str = "") -> tuple[int, Any]:
    headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
    try:
        with urlopen(Request(url + path, body, headers), timeout=30) as answer:
            return answer.status, json.loads(answer.read())
    except HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_the_market_keeps_pythons_own_recursion_limit(tmp_path: Path) -> None:
    """How deep JSON may be is bounded by it, and the chain's tools would raise it."""
    deep = b"[" * 5_000 + b"]" * 5_000
    with Served(tmp_path / "data", "--no-local-model", "--chain", "embedded") as served:
        key = served.log().split('api_key="')[1].split('"')[0]
        words = ("chain", "status", "--url", served.url, "--data", str(served.data), "--json")
        while "ether" not in (told := json.loads(CliRunner().invoke(main, words).output)):
            pass
        assert told["profile"] == "embedded"
        body = b'{"model":"m","messages":[{"role":"user","content":' + deep + b"}]}"
        status, answer = send(served.url, "/v1/chat/completions", body, key)
        assert (status, answer["error"]["code"]) == (400, "bad_request")
        status, answer = send(served.url, "/chain", deep)
        assert (status, answer["error"]["message"]) == (400, "This is not JSON.")
        served.kill()
        served.start()
        asked = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_chainId"}).encode()
        assert int(send(served.url, "/chain", asked)[1]["result"], 16) == told["chain"]


def loaded(code: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False
    )


def test_nothing_of_the_chain_is_loaded_where_there_is_none_and_no_evm_where_there_is_one(
    tmp_path: Path,
) -> None:
    """After a transaction too: libraries import late."""
    code = f"""
import asyncio, sys
from allmende.main import Market, Settings

async def build(chain):
    market = Market(Settings(data="{tmp_path}/x" + chain, chain=chain))
    if market.chain:
        await market.open()
        from allmende.adapters.chain.opened import gas_for
        send = gas_for(market.chain.sender, "{ACCOUNT.address}")
        while send.stage.value != "final":
            await asyncio.sleep(0.05)
            send = market.chain.sender.get(send.wanted.key)
        await market.close()
    return [name for name in {TOOLS} if name in sys.modules], sys.getrecursionlimit()

for chain in ("", "embedded"):
    print(asyncio.run(build(chain)))
"""
    done = loaded(code)
    assert done.returncode == 0, done.stderr
    without, with_ = done.stdout.splitlines()
    assert without == "([], 1000)"
    assert "'allmende.adapters.chain'" in with_
    assert "'eth'" not in with_
    assert with_.endswith(", 1000)")


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    code = "import sys; sys.modules['eth_account'] = None; from allmende.cli import main; main()"
    done = loaded(code, "serve", "--port", "0", "--data", str(tmp_path), "--chain", "embedded")
    assert done.returncode == 1
    assert "pip install 'allmende[chain]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_chain_that_is_broken_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "chain.sqlite").write_bytes(b"not a database, but long enough to look at" * 100)
    done = loaded(
        "from allmende.cli import main; main()",
        *("serve", "--port", "0", "--data", str(tmp_path), "--chain", "embedded"),
    )
    assert done.returncode == 1
    assert "The chain does not start: failed." in done.stderr
    assert "Traceback" not in done.stderr
