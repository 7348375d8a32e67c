"""MLflow's gateway: Python, FastAPI on uvicorn, one worker."""

from __future__ import annotations

from collections.abc import Sequence

from bench.peers.base import PythonPeer

_CONFIG = """
endpoints:
  - name: bench
    endpoint_type: llm/v1/chat
    model:
      provider: openai
      name: bench
      config:
        openai_api_key: none
        openai_api_base: {upstream}/v1
"""


class Mlflow(PythonPeer):
    name = "mlflow"
    title = "MLflow"
    version = "3.17.2"
    package = "mlflow[genai]==3.17.2"

    def command(self, port: int, upstream: str) -> Sequence[str]:
        config = self.write("mlflow.yaml", _CONFIG.format(upstream=upstream))
        where = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
        return [self.bin("mlflow"), "gateway", "start", "--config-path", str(config), *where]
