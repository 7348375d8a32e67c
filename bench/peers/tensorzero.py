"""TensorZero: the compiled (Rust) gateway inside its PyPI package, started as its client does.

The package starts the gateway's HTTP server in a Python process that then only waits; the
interpreter's few megabytes are in its memory, no Python is in its request path.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.peers.base import PythonPeer

_CONFIG = """
[gateway]
observability.enabled = false
[models.bench]
routing = ["up"]
[models.bench.providers.up]
type = "openai"
model_name = "bench"
api_base = "{upstream}/v1/"
api_key_location = "none"
"""
_START = """
import threading
from pathlib import Path
from tensorzero import _start_http_gateway
gateway = _start_http_gateway(config_file="tensorzero.toml", clickhouse_url=None,
                              postgres_url=None, valkey_url=None, async_setup=False)
Path("address").write_text(gateway.base_url)
threading.Event().wait()
"""


class TensorZero(PythonPeer):
    name = "tensorzero"
    title = "TensorZero"
    version = "2026.6.0"
    package = "tensorzero==2026.6.0"
    model = "tensorzero::model_name::bench"

    def command(self, port: int, upstream: str) -> Sequence[str]:
        self.write("tensorzero.toml", _CONFIG.format(upstream=upstream))
        (self.work / "address").unlink(missing_ok=True)
        return [self.bin("python"), "-c", _START]

    def url(self, port: int) -> str:
        """It picks its own port and tells us in a file."""
        told = self.work / "address"
        address = told.read_text() if told.exists() else ""
        return f"{address}/chat/completions" if address else ""
