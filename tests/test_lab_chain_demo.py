"""The chain's demo on another EVM than ours: on anvil it keeps every promise too.

That one is in test_lab_demo.py. ANVIL may name a binary that is not on the PATH.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from allmende.cli import main
from allmende.lab.chain_ground import ANVIL, Where, checked

BINARY = os.environ.get("ANVIL") or shutil.which("anvil")
BOUND_S = 300
"""Far above what it takes: a demo that hangs is a failure and not a wait."""


def demo(path: str) -> tuple[int, str]:
    """In a session of its own, so that a demo which hangs ends with all that it started."""
    words = [sys.executable, "-m", "allmende.cli", "chain", "demo", "--node", "anvil"]
    process = subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PATH": path},
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=BOUND_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    return process.returncode, said


@pytest.mark.skipif(
    BINARY is None,
    reason="anvil is neither on the PATH nor in ANVIL (npm install -g @foundry-rs/anvil)",
)
def test_on_anvil_the_demo_runs_to_its_end() -> None:
    path = f"{Path(str(BINARY)).parent}{os.pathsep}{os.environ['PATH']}"
    code, said = demo(path)
    text = " ".join(said.split())
    assert code == 0, said
    for promised in (
        "findings: what stands there is what was compiled here",
        "Sign-In with Ethereum",
        "ada at the desk: 0 → 20",
        "the receipt names words, no credit was spent",
        "served for 0.000016 credits; no key, no account, no ether",
        "The vault has this as receipt",
        "is not proved; see above",
        "close: in block",
        "ada's wallet: 30 → 49.84",
        "19.84 credits, by a proof and without anybody's consent",
    ):
        assert promised in text, promised
    settled = re.search(r"batch (\d+): ([\d,]+) receipts, 2 accounts", text)
    assert settled is not None
    assert int(settled[2].replace(",", "")) >= 10_000
    assert re.search(r"took \d+ s, on anvil/v[\d.]+, chain 31337\.", text)


def test_a_node_that_is_not_there_is_said_before_anything_begins() -> None:
    for node, said in (
        ("anvill", "--node is anvil or the http address of a node, not 'anvill'"),
        ("http://127.0.0.1:1", "no node answers at http://127.0.0.1:1"),
    ):
        done = CliRunner().invoke(main, ["chain", "demo", "--node", node])
        assert done.exit_code == 2
        assert said in done.output
    done = CliRunner().invoke(main, ["chain", "demo", "--node", "anvil", "--profile", "tulip"])
    assert done.exit_code == 2
    assert "chain_profile" in done.output


def test_without_anvil_it_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ValueError, match="npm install -g @foundry-rs/anvil"):
        checked(Where(ANVIL))
