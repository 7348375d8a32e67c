"""Foundry's node behind titanoboa's interface, so that the same tests run on another EVM.

Every call that may change something is asked first (what it answers, or why it reverts) and
then sent and mined; that both agree is asserted each time. A view is asked only. Time stands
still between calls, as it does in titanoboa, and anchors are the node's snapshots.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from types import SimpleNamespace
from typing import Any

from boa.contracts.call_trace import TraceFrame
from boa.environment import Env
from boa.util.abi import Address
from boa.vm.gas_meters import NoGasMeter

CHAIN_ID, BORN_S, GAS = 31_337, 1_800_000_000, 16_000_000
"""The gas is what Osaka allows one transaction, almost."""
MISSING = "anvil is not on the PATH (npm install @foundry-rs/anvil, see .ci/run)"


class Node:
    """An anvil of our own, on a free port, that signs for anybody and takes no fee."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        fees = ("--base-fee", "0", "--gas-price", "0", "--auto-impersonate")
        where = ("--port", str(port), "--chain-id", str(CHAIN_ID), "--timestamp", str(BORN_S))
        self._process = subprocess.Popen(["anvil", "--silent", *where, *fees])
        self._wire = HTTPConnection("127.0.0.1", port, timeout=60)
        while not self._listens(port):
            assert self._process.poll() is None, "anvil ended"
            time.sleep(0.02)
        self.ask("anvil_setBlockTimestampInterval", 0)
        self.now = BORN_S

    @staticmethod
    def _listens(port: int) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def close(self) -> None:
        self._wire.close()
        self._process.terminate()
        self._process.wait()

    def ask(self, method: str, *params: Any) -> Any:
        """The result of one method; RuntimeError if the node refuses."""
        said = self._said(method, params)
        if "error" in said:
            raise RuntimeError(f"{method}: {said['error']}")
        return said["result"]

    def call(self, fields: dict[str, str]) -> tuple[bytes, bool]:
        """What a call answers, and whether it fails; nothing changes."""
        said = self._said("eth_call", (fields, "latest"))
        if "error" not in said:
            return _raw(said["result"]), False
        error = said["error"]
        assert "data" in error or "EVM error" in error["message"], error
        return _raw(error.get("data") or "0x"), True

    def mine(self, fields: dict[str, str]) -> dict[str, Any]:
        """The receipt of a transaction. (eth_sendTransactionSync sometimes waits for a block
        that is there already.)"""
        hash_ = self.ask("eth_sendTransaction", fields)
        for _ in range(10_000):
            if receipt := self.ask("eth_getTransactionReceipt", hash_):
                return dict(receipt)
            time.sleep(0.001)
        raise RuntimeError(f"{hash_} is never mined")

    def _said(self, method: str, params: tuple[Any, ...]) -> dict[str, Any]:
        asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        self._wire.request("POST", "/", json.dumps(asked), {"Content-Type": "application/json"})
        return dict(json.loads(self._wire.getresponse().read()))

    def travel(self, to: int) -> None:
        """The next block has this second, and so has every one after it."""
        self.ask("evm_setNextBlockTimestamp", to)
        self.ask("evm_mine")
        self.now = to


class Done:
    """What is left of a call: as much of titanoboa's computation as contracts look at."""

    _gas_meter_class = NoGasMeter
    children = ()

    def __init__(self, to: bytes, data: bytes, output: bytes, failed: bool) -> None:
        self.msg = SimpleNamespace(code_address=to, data=data, is_create=not to)
        self.output, self.is_error = output, failed
        self.error = RuntimeError(output.decode(errors="replace"))
        self.net_gas_used, self.logs = 0, list[Any]()

    def mined(self, receipt: dict[str, Any]) -> None:
        self.net_gas_used = int(receipt["gasUsed"], 16)
        self.logs = receipt["logs"]
        assert (receipt["status"] == "0x1") == (not self.is_error), "asked and sent differ"

    @property
    def call_trace(self) -> TraceFrame:
        return TraceFrame(self, None, 0, [])

    def get_log_entries(self) -> list[tuple[bytes, tuple[int, ...], bytes]]:
        return [
            (_raw(log["address"]), tuple(int(t, 16) for t in log["topics"]), _raw(log["data"]))
            for log in self.logs
        ]

    def get_raw_log_entries(self) -> list[tuple[int, bytes, list[int], bytes]]:
        found = enumerate(self.get_log_entries())
        return [(number, at, list(topics), data) for number, (at, topics, data) in found]


class Patch:
    """What titanoboa lets one change about the world."""

    def __init__(self, node: Node) -> None:
        self._node = node

    @property
    def timestamp(self) -> int:
        return self._node.now

    @timestamp.setter
    def timestamp(self, to: int) -> None:
        if to != self._node.now:
            self._node.travel(to)

    @property
    def chain_id(self) -> int:
        return int(self._node.ask("eth_chainId"), 16)

    @chain_id.setter
    def chain_id(self, to: int) -> None:
        self._node.ask("anvil_setChainId", to)


class Machine:
    """`boa.env.evm`, as far as it is used."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.chain, self.patch = SimpleNamespace(chain_id=CHAIN_ID), Patch(node)

    def get_code(self, address: Address) -> bytes:
        return _raw(self._node.ask("eth_getCode", str(address), "latest"))


class AnvilEnv(Env):
    """`boa.env`, as far as the contracts' tests use it."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self.node, self.evm, self.nickname = node, Machine(node), "anvil"

    def deploy(self, sender: Any = None, bytecode: bytes = b"", **_: Any) -> tuple[Any, Any]:
        done, receipt = self._send("", self._get_sender(sender), bytecode)
        return Address(receipt["contractAddress"]), done

    def execute_code(
        self,
        to_address: Any = b"",
        sender: Any = None,
        data: bytes = b"",
        is_modifying: bool = True,
        **_: Any,
    ) -> Done:
        to, by = str(Address(to_address)), self._get_sender(sender)
        if is_modifying:
            return self._send(to, by, data)[0]
        return Done(_raw(to), data, *self.node.call(_fields(to, by, data)))

    def _send(self, to: str, by: Address, data: bytes) -> tuple[Done, dict[str, Any]]:
        fields = _fields(to, by, data)
        done = Done(_raw(to), data, *self.node.call(fields))
        receipt = self.node.mine(fields)
        done.mined(receipt)
        return done, receipt

    def set_code(self, address: Any, code: bytes) -> None:
        self.node.ask("anvil_setCode", str(Address(address)), "0x" + code.hex())

    @contextmanager
    def _anchor(self) -> Iterator[None]:
        kept, now = self.node.ask("evm_snapshot"), self.node.now
        try:
            yield
        finally:
            assert self.node.ask("evm_revert", kept)
            self.node.now = now

    def time_travel(self, seconds: int | None = None, **_: Any) -> None:
        assert seconds is not None
        self.node.travel(self.node.now + seconds)


def on_the_path() -> bool:
    return shutil.which("anvil") is not None


def _fields(to: str, by: Address, data: bytes) -> dict[str, str]:
    fields = {"from": str(by), "data": "0x" + data.hex(), "gas": hex(GAS), "gasPrice": "0x0"}
    return fields | {"to": to} if to else fields


def _raw(text: str) -> bytes:
    return bytes.fromhex(text[2:])
