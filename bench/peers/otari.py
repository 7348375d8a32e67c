"""Otari's ancestor with PostgreSQL budgets: the gateway that accounts for what it forwards.

Otari itself is published as source and images only; `any-llm-sdk[gateway]` 1.14.0 is its last
release on PyPI, under the name it had before. Its database is part of its process tree and
of its core.
"""

from __future__ import annotations

import json
import os
import shutil
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import procs
from bench.peers.base import NotRun, PythonPeer, run

_CONFIG = """
master_key: sk-bench-master
auto_migrate: true
bootstrap_api_key: false
providers:
  openai:
    api_key: none
    api_base: {upstream}/v1
pricing:
  "openai:bench":
    input_price_per_million: 0.15
    output_price_per_million: 0.60
"""
_START = '{postgres} -D {data} -p {database} -k "" -h 127.0.0.1 & exec {gateway}'
_BINARIES = "/usr/lib/postgresql"


class Otari(PythonPeer):
    name = "otari"
    title = "Otari (any-llm) + PostgreSQL"
    version = "1.14.0"
    package = "any-llm-sdk[gateway,openai]==1.14.0"
    role = (
        "checks key and budget and books the spend in PostgreSQL, which is in its figures; with "
        "two requests of one member in flight it never answers again (one holds the row, the "
        "other the event loop), so only one in flight is measured"
    )
    model = "openai:bench"
    skips = frozenset({"64", "16", "burst", "paced"})

    def __init__(self) -> None:
        self.database = 0
        self.key = ""

    @property
    def data(self) -> Path:
        return self.work / "postgres"

    def prepare(self, upstream: str) -> None:
        """A fresh database, and in it a budget, a user under it and the user's key."""
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True)
        self.data.mkdir()
        if os.geteuid() == 0:
            shutil.chown(self.data, "postgres")
        run([*_as_postgres(), _postgres("initdb"), "-D", str(self.data), "-A", "trust"])
        self.database = procs.free_port()
        port = procs.free_port()
        process = self.start(0, port, upstream)
        try:
            procs.await_port(port, 60)
            budget = self._post(port, "budgets", {"max_budget": 1_000_000})
            member = {"user_id": "bench", "budget_id": budget["budget_id"]}
            self._post(port, "users", member)
            self.key = self._post(port, "keys", {"user_id": "bench"})["key"]
        finally:
            procs.stop(process)

    def _post(self, port: int, noun: str, body: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/v1/{noun}",
            json.dumps(body).encode(),
            {"authorization": "Bearer sk-bench-master", "content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            told: dict[str, Any] = json.load(answer)
            return told

    def command(self, port: int, upstream: str) -> Sequence[str]:
        config = self.write("gateway.yaml", _CONFIG.format(upstream=upstream))
        gateway = [self.bin("any-llm-gateway"), "serve", "--config", str(config)]
        gateway += ["--host", "127.0.0.1", "--port", str(port), "--log-level", "30"]
        script = _START.format(
            postgres=" ".join([*_as_postgres(), _postgres("postgres")]),
            data=self.data,
            database=self.database,
            gateway=" ".join(gateway),
        )
        wait = f"until {_postgres('pg_isready')} -q -h 127.0.0.1 -p {self.database}"
        return ["sh", "-c", script.replace("& exec", f"& {wait}; do sleep 0.05; done; exec")]

    def env(self, upstream: str) -> Mapping[str, str]:
        where = f"postgresql+psycopg2://postgres@127.0.0.1:{self.database}/postgres"
        return {"GATEWAY_DATABASE_URL": where, "DATABASE_URL": where}

    def headers(self, upstream: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key}"}


def _as_postgres() -> list[str]:
    """PostgreSQL refuses to run as root; elsewhere it runs as whoever asks."""
    if os.geteuid():
        return []
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]


def _postgres(program: str) -> str:
    found = sorted(Path(_BINARIES).glob(f"*/bin/{program}"))
    if not found:
        raise NotRun("needs PostgreSQL's server (Debian's package postgresql)")
    return str(found[-1])
