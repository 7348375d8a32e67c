"""The process of one local model: llama-server, and nothing that could outlive its parent.

Rule: it serves 127.0.0.1 only, says nothing to disk, and ends when its standard input
does, which is the moment its parent ends, kill -9 included; no signal is relied upon.
Invariant: once it serves, its output goes nowhere: llama.cpp's log may hold prompts.
Worked number: 4 slots of 2_048 tokens are one context of 8_192; SmolLM2 with them is
ready in 0.5 s on a quiet core and holds 340 MB, a third of it the mapped file.

The parent writes one JSON line of `Order` and then keeps the pipe open; the child writes
one line, the port, when the model answers.
"""

from __future__ import annotations

import os
import sys

import msgspec
import xllamacpp

from allmende.adapters.local_model import Order


def parameters(order: Order) -> xllamacpp.CommonParams:
    """llama-server's parameters: pages, slots and prompt cache off, they show prompts."""
    p = xllamacpp.CommonParams()
    p.model.path = order.gguf
    p.model_alias = {order.alias}
    p.hostnames = ["127.0.0.1"]
    p.port = order.port
    p.n_parallel = order.slots
    p.n_ctx = order.slots * order.context
    p.embedding = order.embedding
    if order.embedding:
        p.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    if order.threads:
        p.cpuparams.n_threads = order.threads
    if order.secret:
        p.api_keys = [order.secret]
    p.cors_origins = ""
    p.ui = p.endpoint_slots = p.endpoint_props = p.endpoint_metrics = False
    p.cache_ram_mib = 0
    p.warmup = False
    return p


def main() -> None:
    line = sys.stdin.buffer.readline()
    order = msgspec.json.decode(line, type=Order)
    server = xllamacpp.Server(parameters(order))
    port = server.listening_address.rpartition(":")[2]
    os.write(1, f"{port}\n".encode())
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    while sys.stdin.buffer.read(4096):  # until the parent is gone
        pass
    os._exit(0)  # at once: a clean stop would wait for running answers


if __name__ == "__main__":
    main()
