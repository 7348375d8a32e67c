"""LiteLLM's proxy: Python, FastAPI on uvicorn, one worker, without its database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.peers.base import PythonPeer, run

_CONFIG = """
model_list:
  - model_name: bench
    litellm_params:
      model: openai/bench
      api_base: {upstream}/v1
      api_key: none
general_settings:
  master_key: sk-bench
"""
_NEEDS = """
from importlib.metadata import requires
from pip._vendor.packaging.requirements import Requirement
for text in requires("litellm"):
    need = Requirement(text)
    kept = need.marker is None or any(need.marker.evaluate({"extra": e}) for e in ("", "proxy"))
    if kept and need.name != "litellm-proxy-extras":
        need.marker = None
        print("certifi" if need.name == "certifi" else need)
"""
"""Its requirements with certifi's bound lifted, which asks for a newer one than is published
here, and without the migrations of the database that is not used."""


class LiteLLM(PythonPeer):
    name = "litellm"
    title = "LiteLLM"
    version = "1.109.1"
    package = "litellm==1.109.1"
    role = "checks one fixed key; no accounting"
    paced_each = 1

    def fetch(self) -> None:
        self.pip("install", "--no-deps", self.package)
        needs = self.home / "requirements.txt"
        needs.write_text(run([self.bin("python"), "-c", _NEEDS]))
        self.pip("install", "-r", str(needs))

    def command(self, port: int, upstream: str) -> Sequence[str]:
        config = self.write("litellm.yaml", _CONFIG.format(upstream=upstream))
        where = ["--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
        return [self.bin("litellm"), "--config", str(config), *where]

    def env(self, upstream: str) -> Mapping[str, str]:
        """Its table of prices from its own package, nothing fetched; quiet."""
        return {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
