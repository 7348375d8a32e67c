"""Chain contracts: Vyper sources compiled at first use, and what a deployment must look like.

Rule: bytecode is never in the repository. It is compiled into a cache whose key is the hash of
all sources, of the compiler's version and of the library's; whatever changes is compiled anew.
Invariant: the same key gives the same bytes, and a deployed contract is ours exactly when its
code begins with the compiled code: what follows are the immutables that its constructor set.
Worked number: the Vault compiles in about 4 s, once, and with its immutables nearly fills
the 24.6 kB that EIP-170 allows.

Needs the extra `chain`. The sources are beside `src` in a checkout; links below
`src/allmende/contracts` put them into a wheel.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
import tempfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

_CHECKOUT = Path(__file__).parents[3] / "contracts"
_INSTALLED = Path(__file__).parents[1] / "contracts"
SOURCES = _CHECKOUT if (_CHECKOUT / "Vault.vy").is_file() else _INSTALLED
NAMES = ("Bond", "Credit", "Rights", "Vault")
"""What custody and settlement need."""
AT_ONCE = 2
"""Processes that compile."""
EVM_VERSION = "cancun"
"""Ethereum, BNB Smart Chain, the large L2s, anvil and py-evm all run it."""
FORM = 2
"""Of the cache's files; counted up when Contract changes."""
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
    immutables: int
    """Bytes that its constructor adds to the runtime."""

    def made(self, deployed: bytes) -> bool:
        """Whether deployed code is this contract, with whatever immutables."""
        exact = len(deployed) == len(self.runtime) + self.immutables
        return exact and deployed.startswith(self.runtime)


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
    kept = _kept(cache, name, key)
    if kept.is_file():
        return msgspec.json.decode(kept.read_bytes(), type=Contract)
    made = _compile(sources / f"{name}.vy", key)
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=cache, delete=False) as file:
        file.write(msgspec.json.encode(made))
    Path(file.name).replace(kept)  # atomic: two processes may compile, neither reads a half
    return made


async def load_all(cache: Path, names: Sequence[str] = NAMES) -> dict[str, Contract]:
    """These contracts. Whatever is not in the cache is compiled in processes of their own,
    whose 100 MB end with them; RuntimeError says why it could not."""
    key = source_hash()
    missing = [name for name in names if not _kept(cache, name, key).is_file()]
    async with asyncio.TaskGroup() as group:
        children = [
            group.create_task(_compiled(cache, missing[first::AT_ONCE]))
            for first in range(min(AT_ONCE, len(missing)))
        ]
    said = next(filter(None, (child.result() for child in children)), "")
    if said:
        raise RuntimeError(f"The contracts do not compile: {said[-2_000:]}")
    return {name: load(name, cache) for name in names}


async def _compiled(cache: Path, names: Sequence[str]) -> str:
    """Put these into the cache; "" or what went wrong."""
    command = [sys.executable, "-m", __name__, str(cache), *names]
    child = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    try:
        _, said = await child.communicate()
    finally:
        if child.returncode is None:  # the market closes meanwhile
            child.kill()
            await child.communicate()
    return said.decode() or "no reason given" if child.returncode else ""


def _kept(cache: Path, name: str, key: str) -> Path:
    return cache / f"{name}-{key[:24]}-{FORM}.json"


def _compile(source: Path, key: str) -> Contract:
    from vyper.cli.vyper_compile import compile_files
    from vyper.compiler.settings import Settings
    from vyper.exceptions import VyperException

    forms = ["abi", "bytecode", "bytecode_runtime", "layout"]
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
        immutables=_sized(found["layout"].get("code_layout", {})),
    )


def _sized(layout: dict[str, Any]) -> int:
    """Bytes of all immutables, those of imported modules included."""
    if isinstance(layout.get("length"), int):
        return int(layout["length"])
    return sum(map(_sized, layout.values()))


def _main(cache: str, *names: str) -> None:
    for name in names:
        load(name, Path(cache))


if __name__ == "__main__":
    _main(*sys.argv[1:])
