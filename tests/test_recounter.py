"""The recounter port: the worker process and the inline one pass the same tests."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from recorded import STREAM, THREE

from allmende.adapters import recount_worker
from allmende.adapters.local_model import packaged_gguf
from allmende.adapters.recounter import InlineRecounter, ProcessRecounter
from allmende.core.units import Units
from allmende.ports import Job, Recounter

SMOLLM = f"gguf:{packaged_gguf()}"
REQUEST = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Say hi"}]}).encode()
Kind = Callable[[], Recounter]


def job(receipt: str, vocabulary: str = SMOLLM, **more: Any) -> Job:
    fields: dict[str, Any] = {
        "endpoint": "chat/completions",
        "stream": False,
        "request": REQUEST,
        "response": THREE,
        "limit": 6,
    }
    return Job(receipt=receipt, vocabulary=vocabulary, **(fields | more))


def run(kind: Kind, steps: Callable[[Any], Awaitable[None]]) -> None:
    async def through() -> None:
        recounter = kind()
        try:
            await steps(recounter)
        finally:
            await recounter.close()

    asyncio.run(through())


@pytest.fixture(params=[ProcessRecounter, InlineRecounter])
def kind(request: pytest.FixtureRequest) -> Kind:
    made: Kind = request.param
    return made


def test_it_counts_each_job_in_order(kind: Kind) -> None:
    async def steps(recounter: Recounter) -> None:
        assert await recounter.count([]) == []
        assert await recounter.count(
            [
                job("r1"),
                job("r2", "o200k_base"),
                job("r3", stream=True, response=STREAM, limit=3),
                job("r4", "cl100k_base", endpoint="embeddings", request=b'{"input":"one two"}'),
            ]
        ) == [
            ("r1", Units(input=32, output=18)),
            ("r2", Units(input=9, output=18)),
            ("r3", Units(input=32, output=3)),
            ("r4", Units(embedding=2)),
        ]

    run(kind, steps)


def test_what_it_cannot_count_is_none_and_the_rest_is_counted(kind: Kind, tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.gguf"
    garbage.write_bytes(b"GGUF" + b"\xff" * 99)
    empty = tmp_path / "empty.gguf"
    empty.touch()

    async def steps(recounter: Recounter) -> None:
        jobs = [
            job("unknown", "p50k_base"),
            job("missing", "gguf:/nowhere/to/be/found.gguf"),
            job("garbage", f"gguf:{garbage}"),
            job("empty", f"gguf:{empty}"),
            job("endpoint", endpoint="audio/speech"),
            job("request", request=b"\xff"),
            job("prompt", request=b'{"messages":[{"content":[{"type":"image_url"}]}]}'),
            job("response", response=b"<html>"),
        ]
        assert await recounter.count(jobs) == [(each.receipt, None) for each in jobs]
        assert await recounter.count([job("fine")]) == [("fine", Units(input=32, output=18))]

    run(kind, steps)


def test_it_knows_vocabularies_by_name(kind: Kind) -> None:
    async def steps(recounter: Recounter) -> None:
        assert [recounter.knows(name) for name in (SMOLLM, "o200k_base", "cl100k_base")] == [
            True
        ] * 3
        assert not any(map(recounter.knows, ["", "gguf:", "gguf:/nowhere.gguf", "p50k_base"]))

    run(kind, steps)


def test_it_can_be_closed_twice_and_used_again(kind: Kind) -> None:
    async def steps(recounter: Recounter) -> None:
        for _ in range(2):
            assert (await recounter.count([job("r")]))[0][1] == Units(input=32, output=18)
            await recounter.close()
            await recounter.close()

    run(kind, steps)


def worker_of(recounter: ProcessRecounter) -> int:
    assert recounter._worker is not None
    return recounter._worker.pid


def test_a_worker_that_dies_is_replaced() -> None:
    async def steps(recounter: ProcessRecounter) -> None:
        await recounter.count([job("r0")])
        os.kill(worker_of(recounter), signal.SIGSTOP)
        lost = asyncio.create_task(recounter.count([job("r1"), job("r2")]))
        await asyncio.sleep(0.05)
        os.kill(worker_of(recounter), signal.SIGKILL)
        assert await lost == [("r1", None), ("r2", None)]
        assert await recounter.count([job("r3")]) == [("r3", Units(input=32, output=18))]

    run(ProcessRecounter, steps)


def test_a_worker_that_hangs_is_replaced() -> None:
    async def steps(recounter: ProcessRecounter) -> None:
        await recounter.count([job("r0")])
        recounter._timeout_s = 0.05
        os.kill(worker_of(recounter), signal.SIGSTOP)
        assert await recounter.count([job("r1")]) == [("r1", None)]
        recounter._timeout_s = 60
        assert await recounter.count([job("r2")]) == [("r2", Units(input=32, output=18))]

    run(ProcessRecounter, steps)


def test_a_cancelled_count_does_not_answer_the_next_one() -> None:
    async def steps(recounter: ProcessRecounter) -> None:
        await recounter.count([job("r0")])
        os.kill(worker_of(recounter), signal.SIGSTOP)
        given_up = asyncio.create_task(recounter.count([job("r1")]))
        await asyncio.sleep(0.05)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        assert await recounter.count([job("r2")]) == [("r2", Units(input=32, output=18))]

    run(ProcessRecounter, steps)


def test_the_loop_is_free_while_the_worker_loads_and_counts() -> None:
    async def steps(recounter: ProcessRecounter) -> None:
        counts = asyncio.create_task(recounter.count([job(str(n)) for n in range(50)]))
        turns = 0
        while not counts.done():
            await asyncio.sleep(0)
            turns += 1
        assert len(await counts) == 50
        assert turns > 100

    run(ProcessRecounter, steps)


def test_many_callers_are_served_in_turn() -> None:
    async def steps(recounter: ProcessRecounter) -> None:
        batches = [recounter.count([job(f"{n}a"), job(f"{n}b")]) for n in range(10)]
        for n, counts in enumerate(await asyncio.gather(*batches)):
            assert [receipt for receipt, _ in counts] == [f"{n}a", f"{n}b"]

    run(ProcessRecounter, steps)


def test_the_tokenizers_stay_in_the_worker() -> None:
    """Only where a vocabulary is built is a tokenizer imported; the parent never builds one."""
    script = (
        "import sys, allmende.adapters.recounter as r\n"
        "assert r.ProcessRecounter().knows('o200k_base')\n"
        "print(sorted({'tokenizers', 'bpe_openai', 'huggingface_hub'} & set(sys.modules)))\n"
    )

    async def printed() -> bytes:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE
        )
        return (await process.communicate())[0]

    assert asyncio.run(printed()) == b"[]\n"


def test_a_worker_ends_with_its_input() -> None:
    async def returned() -> int:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", recount_worker.__name__), stdin=asyncio.subprocess.PIPE
        )
        await process.communicate(b"")
        return await process.wait()

    assert asyncio.run(returned()) == 0
