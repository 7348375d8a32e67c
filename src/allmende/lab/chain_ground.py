"""Chain ground: the chain that the demo's market stands on, its own or a node's.

Rule: after the contracts are up the scenes ask nobody which chain it is; what differs stands here.
Invariant: an anvil that was started here ends with the block that started it; a node that was
there before goes on.
Worked number: on a node the operator begins with 100 ether, of which some 0.05 are spent.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

from msgspec import Struct

from allmende.lab.served import free_port

EMBEDDED, ANVIL = "embedded", "anvil"
START_S = 20.0
FUNDS_WEI = 10**20
TERMS, MODE = "demo", "open"
LINE = "The chain answers at "


class Where(Struct, frozen=True):
    """`node` is EMBEDDED, ANVIL for one of our own, or a node's address; `profile` is of that."""

    node: str = EMBEDDED
    profile: str = ANVIL


class Ground(Struct, frozen=True):
    """A chain with contracts of the operator of a data directory, or one that will have them."""

    name: str
    options: tuple[str, ...]
    """For `allmende serve`."""
    url: str = ""
    """Where wallets reach it; "" for the market's own door."""
    profile: str = ""

    def node(self, market: str) -> str:
        return self.url or f"{market}/chain"

    def verified(self, data: Path, market: str) -> tuple[str, ...]:
        """Options of `allmende chain verify`."""
        return ("--data", str(data), *(("--node", self.url) if self.url else ("--url", market)))

    def read(self, node: str) -> tuple[str, ...]:
        """Options of whatever reads the chain through a node."""
        return ("--node", node, *(("--profile", self.profile) if self.profile else ()))


def checked(where: Where) -> Where:
    """ValueError says what to do where there is nothing to stand on."""
    if where.node == ANVIL and shutil.which(ANVIL) is None:
        raise ValueError(
            "anvil is not on the PATH: npm install -g @foundry-rs/anvil, or name the address of "
            "a node that runs, as --node http://127.0.0.1:8545"
        )
    if where.node in (EMBEDDED, ANVIL):
        return where
    if not where.node.startswith(("http://", "https://")):
        raise ValueError(f"--node is anvil or the http address of a node, not {where.node!r}")
    try:
        _ask(where.node, "eth_chainId")
    except (OSError, ValueError) as error:
        raise ValueError(f"no node answers at {where.node}: {error}") from None
    return where


@contextmanager
def ground(where: Where, data: Path, run: Callable[..., str], *, members: bool) -> Iterator[Ground]:
    """`run` is for commands that people shall see; `members` puts up their contracts as well."""
    if where.node == EMBEDDED:
        yield Ground("the embedded chain", ("--chain", EMBEDDED, "--chain-terms", TERMS))
        return
    with _node(where.node) as url:
        operator = _operator(data)
        _fund(url, operator)
        whose = ("--data", str(data), "--node", url, "--profile", where.profile)
        roles = () if where.profile == ANVIL else ("--guardian", operator, "--commons", operator)
        run("chain", "deploy", *whose, "--terms", TERMS, *roles, lines=4)
        if members:
            run("chain", "establish", *whose, "--terms", TERMS, "--mode", MODE, lines=4)
        options = ("--chain", url, "--chain-profile", where.profile, "--chain-terms", TERMS)
        yield Ground(_name(url), options, url, where.profile)


@contextmanager
def left(found: Ground, data: Path) -> Iterator[str]:
    """Where the chain answers when the market is off: the address of a node.

    The embedded one is served as anybody with a copy of its blocks could.
    """
    if found.url:
        yield found.url
        return
    words = [sys.executable, "-m", "allmende.cli", "chain", "node", "--data", str(data)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            said = process.stdout.readline().strip()
            if not said.startswith(LINE):
                raise RuntimeError(f"the chain did not start: {said}")
            yield said.removeprefix(LINE)
        finally:
            process.terminate()


# Nodes --------------------------------------------------------------------------------


@contextmanager
def _node(node: str) -> Iterator[str]:
    if node != ANVIL:
        yield node
        return
    port = free_port()
    process = subprocess.Popen([ANVIL, "--silent", "--host", "127.0.0.1", "--port", str(port)])
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(url, process)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            _ask(url, "eth_chainId")
        except OSError:  # it does not listen yet
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"anvil did not start at {url}; it ended with {process.poll()}")


def _ask(url: str, method: str, *params: Any) -> dict[str, Any]:
    """A JSON-RPC answer, errors included. OSError."""
    asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    request = Request(url, json.dumps(asked).encode(), {"Content-Type": "application/json"})
    with build_opener(ProxyHandler({})).open(request, timeout=START_S) as answer:
        told: dict[str, Any] = json.loads(answer.read())
    return told


def _operator(data: Path) -> str:
    words = [sys.executable, "-m", "allmende.cli", "chain", "keys", "--data", str(data), "--json"]
    done = subprocess.run(words, stdout=subprocess.PIPE, check=True)
    return str(json.loads(done.stdout)["operator"])


def _fund(url: str, operator: str) -> None:
    """Ether for the operator: by anvil's own word, or from an account that a dev node signs for."""
    if "error" not in _ask(url, "anvil_setBalance", operator, hex(FUNDS_WEI)):
        return
    rich = _ask(url, "eth_accounts").get("result") or [operator]
    gift = {"from": rich[0], "to": operator, "value": hex(FUNDS_WEI)}
    answer = _ask(url, "eth_sendTransaction", gift)
    if "error" in answer:
        raise RuntimeError(
            f"the node at {url} gives the demo's operator no ether ({answer['error']}): use one "
            "for development, such as anvil"
        )
    deadline = time.monotonic() + START_S
    while int(_ask(url, "eth_getBalance", operator, "latest")["result"], 16) == 0:
        if time.monotonic() > deadline:
            raise RuntimeError(f"the node at {url} does not mine the ether for {operator}")
        time.sleep(0.1)


def _name(url: str) -> str:
    version = _ask(url, "web3_clientVersion").get("result", "a node")
    return f"{version}, chain {int(_ask(url, 'eth_chainId')['result'], 16)}"
