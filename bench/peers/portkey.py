"""Portkey: a Node gateway; provider and address come with each request's headers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.peers.base import NotRun, Peer, run

_PACKAGE = {
    "private": True,
    "dependencies": {"@portkey-ai/gateway": "1.15.2"},
    # Newer ones make its streams fail: "TypeError: immutable", Portkey-AI/gateway#1389.
    "overrides": {"@hono/node-server": "1.14.1"},
}


class Portkey(Peer):
    name = "portkey"
    title = "Portkey"
    version = "1.15.2"

    @property
    def program(self) -> Path:
        return self.home / "node_modules/@portkey-ai/gateway/build/start-server.js"

    def installed(self) -> bool:
        manifest = self.home / "package.json"
        return self.program.exists() and manifest.read_text() == json.dumps(_PACKAGE)

    def install(self) -> None:
        if not shutil.which("npm"):
            raise NotRun("needs Node and npm")
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir(parents=True)
        (self.home / "package.json").write_text(json.dumps(_PACKAGE))
        run(["npm", "install", "--silent", "--no-audit", "--no-fund"], cwd=self.home)

    def command(self, port: int, upstream: str) -> Sequence[str]:
        return ["node", str(self.program), f"--port={port}", "--headless"]

    def env(self, upstream: str) -> Mapping[str, str]:
        return {"NODE_ENV": "production"}

    def headers(self, upstream: str) -> dict[str, str]:
        return {
            "authorization": "Bearer none",
            "x-portkey-provider": "openai",
            "x-portkey-custom-host": f"{upstream}/v1",
        }
