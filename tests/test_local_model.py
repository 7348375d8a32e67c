"""A real model in its own process: it answers, it dies, it comes back, it never stays."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from loops import on_both_loops

from allmende.adapters.guard import Guard
from allmende.adapters.local_model import LocalModel, LocalModelFailed, packaged_gguf
from allmende.adapters.upstream import HttpUpstream
from allmende.ports import Call, UpstreamFailed

GGUF = packaged_gguf()

Ask = Callable[[LocalModel, str, dict[str, Any]], Awaitable[bytes]]


@contextlib.asynccontextmanager
async def asking() -> AsyncIterator[Ask]:
    upstream = HttpUpstream(Guard())

    async def ask(model: LocalModel, path: str, body: dict[str, Any]) -> bytes:
        call = Call(model.url, path, msgspec.json.encode(body), model.secret, allow_private=True)
        answer = await upstream.open(call)
        raw = await answer.read(10**6)
        assert answer.status == 200, raw
        return raw

    try:
        yield ask
    finally:
        await upstream.close()


def chat(**more: Any) -> dict[str, Any]:
    said = [{"role": "user", "content": "Say hello."}]
    return {"model": "smollm2", "messages": said, "max_tokens": 6, "temperature": 0, **more}


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")  # where there is one, a zombie shows
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


async def gone(pid: int) -> None:
    async with asyncio.timeout(20):
        while alive(pid):
            await asyncio.sleep(0.02)


def test_it_chats_streams_asks_for_its_key_and_comes_back_where_it_was() -> None:
    async def run() -> None:
        model = LocalModel(GGUF, context=512, alias="smollm2", secret="sk-local")
        await model.start()
        async with asking() as ask:
            answer = msgspec.json.decode(await ask(model, "/chat/completions", chat()))
            assert answer["choices"][0]["message"]["content"]
            assert answer["usage"]["completion_tokens"] <= 6
            assert answer["model"] == "smollm2", "the path of the file is nobody's business"
            streamed = await ask(model, "/chat/completions", chat(stream=True))
            assert streamed.endswith(b"data: [DONE]\n\n")
            assert await ask(model, "/chat/completions", chat()), "the one after a stream"

            url, pid = model.url, model.pid
            os.kill(pid, signal.SIGKILL)
            await gone(pid)
            while not model.restarts:
                await asyncio.sleep(0.01)
            await model.up()
            assert (model.url, model.restarts) == (url, 1)
            assert model.pid not in (0, pid)
            assert await ask(model, "/chat/completions", chat())
            pid, model.secret = model.pid, "wrong"
            with pytest.raises(AssertionError, match="Invalid API Key"):
                await ask(model, "/chat/completions", chat())
        await model.stop()
        await model.stop()
        assert not alive(pid)
        assert model.pid == 0

    on_both_loops(run)


def test_it_embeds() -> None:
    async def run() -> None:
        model = LocalModel(GGUF, embedding=True, slots=2, context=256)
        await model.start()
        async with asking() as ask:
            raw = await ask(model, "/embeddings", {"model": "m", "input": ["a cat", "a dog"]})
            answer = msgspec.json.decode(raw)
            assert [len(each["embedding"]) for each in answer["data"]] == [576, 576]
            length = math.dist(answer["data"][0]["embedding"], [0.0] * 576)
            assert length == pytest.approx(1.0, abs=1e-3)
            assert answer["usage"]["prompt_tokens"] > 2
        await model.stop()

    on_both_loops(run)


def test_no_process_outlives_a_parent_that_was_killed() -> None:
    parent = textwrap.dedent(f"""
        import asyncio, pathlib
        from allmende.adapters.local_model import LocalModel
        async def run():
            model = LocalModel(pathlib.Path({str(GGUF)!r}), context=256, slots=1)
            await model.start()
            print(model.pid, flush=True)
            await asyncio.Event().wait()
        asyncio.run(run())
    """)
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE)
    with process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        assert alive(pid)
        process.kill()
    asyncio.run(gone(pid))


def test_what_is_no_model_says_so(tmp_path: Path) -> None:
    async def run() -> None:
        missing = LocalModel(tmp_path / "missing.gguf")
        with pytest.raises(LocalModelFailed, match="is not a file"):
            await missing.start()
        await missing.stop()
        bad = tmp_path / "bad.gguf"
        bad.write_bytes(b"not a model")
        broken = LocalModel(bad)
        with pytest.raises(LocalModelFailed, match=r"bad did not start: .+"):
            await broken.start()
        assert broken.pid == 0
        async with asking() as ask:
            with pytest.raises(UpstreamFailed):
                await ask(broken, "/chat/completions", chat())

    on_both_loops(run)


def test_a_package_without_weights_is_named() -> None:
    with pytest.raises(LocalModelFailed, match="not-there is not installed"):
        packaged_gguf("not-there")
    with pytest.raises(LocalModelFailed, match=r"holds no \.gguf"):
        packaged_gguf("pytest")
