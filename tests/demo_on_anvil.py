"""The chain's demo on another EVM than ours: on anvil it keeps every promise too.

It takes more than two minutes, so `make anvil` runs it and `make test` does not. ANVIL may name
a binary that is not on the PATH.
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

BINARY = os.environ.get("ANVIL") or shutil.which("anvil")
BOUND_S = 900
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
        "6 credits paid, 6 credits back; nobody was asked",
        "each line pays once, to whom it names, whoever asks",
        "the root on the chain is the one that anybody finds in the public file",
        "eva got 1 credit and fritz 9, in one transaction with the title",
        "the next receipt pays gina",
        "20 went there and 5 came back: 15 CRED locked, 15 CRED minted",
        "one signature paid nothing, two paid 2.5 credits",
        "This market's rules change by vote",
        "bob tries a second vote: refused",
        "the next request pays the operator 0.00000032 credits, and not 0.0000004",
        "Every outcome follows from its votes. The market did what was decided.",
        "ada's wallet: 30 → 49.84",
        "19.84 credits, by a proof and without anybody's consent",
    ):
        assert promised in text, promised
    settled = re.search(r"batch (\d+): ([\d,]+) receipts, 2 accounts", text)
    assert settled is not None
    assert int(settled[2].replace(",", "")) >= 10_000
    assert re.search(r"took \d+ s, on anvil/v[\d.]+, chain 31337\.", text)
