"""Chain contracts: Vyper sources compiled at first use, and what a deployment must look like.

Rule: bytecode is never in the repository. It is compiled into a cache whose key is the hash of
all sources, of the compiler's version and of the library's; whatever changes is compiled anew.
Invariant: the same key gives the same bytes, and a deployed contract is ours exactly when its
code begins with the compiled code: what follows are the immutables that its constructor set.
Worked number: the Vault compiles in about 4 s, once, and with its immutables nearly fills
the 24.6 kB that EIP-170 allows.

Needs the extra `chain`. The sources are found in a checkout, beside `src`.
"""

from __future__ import annotations

import hashlib
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

SOURCES = Path(__file__).parents[3] / "contracts"
NAMES = ("Bond", "Credit", "Rights", "Vault")
EVM_VERSION = "cancun"
"""Ethereum, BNB Smart Chain, the large L2s, anvil and py-evm all run it."""
CODE_LIMIT = 24_576
"""Bytes of deployed code that a chain accepts, EIP-170."""


class Contract(Struct, frozen=True):
    """One compiled contract. Hashes are SHA-256 in hex."""

    name: str
    abi: list[dict[str, Any]]
    creation: bytes
    """What is sent to create it, without the constructor's arguments."""
    runtime: bytes
    """What the chain keeps, without the immutables."""
    code_hash: str
    """Of `runtime`: what an audit names."""
    source_hash: str
    """Of all sources and versions that it was compiled from."""

    def made(self, deployed: bytes, immutables: int | None = None) -> bool:
        """Whether deployed code is this contract, with whatever immutables.

        `immutables` is how many bytes of those there may be, where that is known.
        """
        rest = len(deployed) - len(self.runtime)
        return deployed.startswith(self.runtime) and immutables in (None, rest)


def source_hash(sources: Path = SOURCES) -> str:
    """Of every file below `sources`, and of what compiles them. FileNotFoundError if none."""
    found = sorted(sources.glob("*.vy*"))
    if not found:
        raise FileNotFoundError(f"no contracts in {sources}")
    digest = hashlib.sha256()
    for part in (metadata.version("vyper"), metadata.version("snekmate"), EVM_VERSION):
        digest.update(part.encode() + b"\0")
    for path in found:
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def load(name: str, cache: Path, sources: Path = SOURCES) -> Contract:
    """A contract from the cache, compiled now if it is not there.

    ImportError without the extra `chain`; ValueError if the source does not compile.
    """
    key = source_hash(sources)
    kept = cache / f"{name}-{key[:24]}.json"
    if kept.is_file():
        return msgspec.json.decode(kept.read_bytes(), type=Contract)
    made = _compile(sources / f"{name}.vy", key)
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=cache, delete=False) as file:
        file.write(msgspec.json.encode(made))
    Path(file.name).replace(kept)  # atomic: two processes may compile, neither reads a half
    return made


def _compile(source: Path, key: str) -> Contract:
    from vyper.cli.vyper_compile import compile_files
    from vyper.compiler.settings import Settings
    from vyper.exceptions import VyperException

    forms = ["abi", "bytecode", "bytecode_runtime"]
    settings = Settings(evm_version=EVM_VERSION)
    try:
        done = compile_files([str(source)], forms, paths=[str(source.parent)], settings=settings)
    except VyperException as error:
        raise ValueError(f"{source.name} does not compile: {error}") from error
    found = next(iter(done.values()))
    runtime = bytes.fromhex(found["bytecode_runtime"][2:])
    return Contract(
        name=source.stem,
        abi=found["abi"],
        creation=bytes.fromhex(found["bytecode"][2:]),
        runtime=runtime,
        code_hash=hashlib.sha256(runtime).hexdigest(),
        source_hash=key,
    )
