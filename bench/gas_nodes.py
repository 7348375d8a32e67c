"""Nodes that mine one signed transaction and say what it cost: ours, and anvil where it is.

Rule: both run the rules of Prague; a transaction that reverts stops the run.
Invariant: a block's second is given with the transaction, so no clock is read.
Worked number: a plain transfer costs 21_000 gas on either.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from http.client import HTTPConnection
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

from allmende.adapters.chain.evm import Evm, Genesis

CHAIN_ID, START_S, RICH = 31_337, 1_800_000_000, 10**30


class Node(Protocol):
    name: str

    def mine(self, raw: bytes, at_s: int) -> int:
        """The gas that a transaction used in a block of its own. AssertionError if it reverted."""
        ...

    def close(self) -> None: ...


class Embedded:
    """The chain that a market carries with it."""

    def __init__(self, folder: Path, rich: str) -> None:
        self.name = f"py-evm {metadata.version('py-evm')}"
        self._now = START_S
        born = Genesis(chain_id=CHAIN_ID, balances={rich: RICH}, time_s=START_S)
        self._evm = Evm(folder / "chain.sqlite", born, lambda: self._now)

    def mine(self, raw: bytes, at_s: int) -> int:
        self._now = at_s
        self._evm.send(raw)
        receipt = self._evm.block_receipts(self._evm.block(self._evm.head()))[-1]
        assert receipt.state_root == b"\1", "reverted"
        return int(receipt.gas_used)

    def close(self) -> None:
        self._evm.close()


class Anvil:
    """Foundry's node, a process of its own."""

    def __init__(self, rich: str) -> None:
        said = subprocess.run(["anvil", "--version"], capture_output=True, text=True, check=True)
        self.name = "anvil " + said.stdout.split()[2].partition("-")[0]
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = ["anvil", "--silent", "--hardfork", "prague", "--port", str(port)]
        where = ["--chain-id", str(CHAIN_ID), "--timestamp", str(START_S)]
        self._process = subprocess.Popen([*command, *where])
        self._wire = HTTPConnection("127.0.0.1", port, timeout=60)
        while not _listens(port):
            assert self._process.poll() is None, "anvil ended"
            time.sleep(0.02)
        self._ask("anvil_setBalance", rich, hex(RICH))

    def mine(self, raw: bytes, at_s: int) -> int:
        self._ask("evm_setNextBlockTimestamp", at_s)
        hash_ = self._ask("eth_sendRawTransaction", "0x" + raw.hex())
        while not (receipt := self._ask("eth_getTransactionReceipt", hash_)):
            time.sleep(0.001)
        assert receipt["status"] == "0x1", "reverted"
        return int(receipt["gasUsed"], 16)

    def _ask(self, method: str, *params: Any) -> Any:
        asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        self._wire.request("POST", "/", json.dumps(asked), {"Content-Type": "application/json"})
        said = json.loads(self._wire.getresponse().read())
        assert "error" not in said, said
        return said["result"]

    def close(self) -> None:
        self._wire.close()
        self._process.terminate()
        self._process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def has_anvil() -> bool:
    return shutil.which("anvil") is not None
