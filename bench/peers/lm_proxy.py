"""lm-proxy: a small Python proxy, FastAPI on uvicorn, one worker."""

from __future__ import annotations

from collections.abc import Sequence

from bench.peers.base import PythonPeer

_CONFIG = """
host = "127.0.0.1"
port = {port}
[connections.up]
api_type = "open_ai"
api_base = "{upstream}/v1/"
api_key = "none"
[routing]
"*" = "up.*"
[groups.default]
api_keys = ["sk-bench"]
"""


class LmProxy(PythonPeer):
    name = "lm-proxy"
    title = "lm-proxy"
    version = "3.3.2"
    package = "lm-proxy==3.3.2"
    role = "checks one fixed key; no accounting"
    paced_each = 1

    def command(self, port: int, upstream: str) -> Sequence[str]:
        config = self.write("lm-proxy.toml", _CONFIG.format(upstream=upstream, port=port))
        return [self.bin("lm-proxy"), "--config", str(config)]
