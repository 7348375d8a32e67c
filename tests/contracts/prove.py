"""What halmos proves of the contracts, for every input and not for many.

    make proofs

halmos is not among our dependencies (it pins its own solvers); it is looked for on the PATH.
It was written for Solidity and asks `forge` for what is compiled, so it gets a forge that does
nothing and files in forge's form made by Vyper. Each file in proofs/ imports a contract's own
source. A proof named `…can_fail` is wrong on purpose: halmos must find its counterexample, or
the other proofs of that file would be worth nothing.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE, CONTRACTS = Path(__file__).parent / "proofs", Path(__file__).parents[2] / "contracts"
MISSING = """halmos is not on the PATH. In a place of its own:
  python3 -m venv /tmp/halmos && /tmp/halmos/bin/pip install halmos==0.3.3
  PATH=/tmp/halmos/bin:$PATH make proofs"""
PATIENCE_MS = "120000"
"""For one question to the solver."""
SOLVERS = {"BondProof": "z3"}
"""Vyper's min() is a product of bits: z3 sees through it at once, yices not in a minute."""


def artifact(name: str, folder: Path) -> dict[str, Any]:
    """A compiled contract as forge would have left it."""
    from vyper.cli.vyper_compile import compile_files
    from vyper.compiler.settings import Settings

    forms = ["abi", "bytecode", "bytecode_runtime", "method_identifiers"]
    settings = Settings(evm_version="cancun")
    source = str(folder / f"{name}.vy")
    done = next(
        iter(compile_files([source], forms, paths=[str(folder)], settings=settings).values())
    )
    node = {"nodeType": "ContractDefinition", "name": name, "contractKind": "contract", "nodes": []}
    return {
        "abi": done["abi"],
        "bytecode": {"object": done["bytecode"], "linkReferences": {}},
        "deployedBytecode": {"object": done["bytecode_runtime"], "linkReferences": {}},
        "methodIdentifiers": {
            what: id_[2:].zfill(8) for what, id_ in done["method_identifiers"].items()
        },
        "metadata": {"compiler": {"version": "0.4.3"}, "output": {"devdoc": {"methods": {}}}},
        "id": 0,
        "ast": {"absolutePath": f"{name}.sol", "nodeType": "SourceUnit", "nodes": [node]},
    }


def lay_out(folder: Path) -> None:
    """Sources, artifacts and the forge that does nothing."""
    for path in (*CONTRACTS.glob("*.vy"), *HERE.glob("*.vy")):
        shutil.copy(path, folder)
    for path in HERE.glob("*Proof.vy"):
        made = folder / "out" / f"{path.stem}.sol"
        made.mkdir(parents=True)
        (made / f"{path.stem}.json").write_text(json.dumps(artifact(path.stem, folder)))
    forge = folder / "forge"
    forge.write_text("#!/bin/sh\n")
    forge.chmod(0o755)


def prove(name: str, folder: Path) -> list[tuple[str, str]]:
    """(verdict, proof) of each proof in a file; RuntimeError with halmos's own words if none."""
    here = os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"}
    how = ["--storage-layout", "generic", "--loop", "33", "--no-status"]
    how += ["--solver", SOLVERS.get(name, "yices"), "--solver-timeout-assertion", PATIENCE_MS]
    command = ["halmos", "--root", str(folder), "--contract", name, *how]
    done = subprocess.run(command, env=here, capture_output=True, text=True)
    found = re.findall(r"\[(PASS|FAIL|TIMEOUT|ERROR)\]\S* (check_\w+)", done.stdout)
    if not found:
        raise RuntimeError(done.stdout[-3_000:] + done.stderr[-3_000:])
    return found


def main() -> int:
    if shutil.which("halmos") is None:
        sys.stderr.write(MISSING + "\n")
        return 2
    wrong = 0
    with tempfile.TemporaryDirectory() as name:
        lay_out(Path(name))
        for path in sorted(HERE.glob("*Proof.vy")):
            for verdict, proof in prove(path.stem, Path(name)):
                meant = "FAIL" if proof.endswith("can_fail") else "PASS"
                wrong += verdict != meant
                odd = "   NOT AS MEANT" if verdict != meant else "   as meant" * (meant == "FAIL")
                said = "proved" if verdict == "PASS" else verdict.lower()
                sys.stdout.write(f"{path.stem:13}{said:8}{proof}{odd}\n")
                sys.stdout.flush()
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
