"""Peers: every gateway in the table, in its order."""

from __future__ import annotations

from bench.peers.allmende import Allmende, AllmendeRecounting, AllmendeRights
from bench.peers.base import NotRun, Peer
from bench.peers.litellm import LiteLLM
from bench.peers.lm_proxy import LmProxy
from bench.peers.mlflow import Mlflow
from bench.peers.nginx import Nginx
from bench.peers.otari import Otari
from bench.peers.portkey import Portkey
from bench.peers.tensorzero import TensorZero

__all__ = ["NotRun", "Peer", "every"]


def every() -> list[Peer]:
    others = [Nginx(), TensorZero(), Mlflow(), Portkey(), LmProxy(), LiteLLM(), Otari()]
    return [*others, Allmende(), AllmendeRights(), AllmendeRecounting()]
