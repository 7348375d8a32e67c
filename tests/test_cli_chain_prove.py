"""`allmende chain prove, ticket`: a receipt file held against a chain; a ticket taken home."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from chains import CHAIN_ID, serve
from click.testing import CliRunner
from deployed import CACHE
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from test_receipt import files, trade
from vault_town import ANNA, BERT, Town, vault_town

from allmende.cli import main
from allmende.core.settle import receipt_leaf
from allmende.ticket import encode
from allmende.wire import receipt

OTHERS = [bytes([n]) * 32 for n in (7, 8)]


def made(folder: Path) -> list[bytes]:
    """Three receipt files of a batch that the market closed."""
    folder.mkdir()
    asyncio.run(trade(folder, 3))
    return files(folder, closed=True)


def leaf(data: bytes) -> bytes:
    return receipt_leaf(receipt.read(data)[1])


def check(folder: Path, test: Callable[[Town, list[bytes]], Awaitable[None]]) -> None:
    papers = made(folder / "market")

    async def work() -> None:
        async with vault_town(folder) as town, asyncio.timeout(60):
            await town.give(ANNA, 4)
            await test(town, papers)

    asyncio.run(work())


async def prove(town: Town, data: bytes, *words: str, good: bool = False) -> str:
    file = town.folder / "receipt.json"
    file.write_bytes(data)
    line = ["chain", "prove", str(file), "--node", town.url, "--cache", str(CACHE), *words]
    done = await asyncio.to_thread(CliRunner().invoke, main, line)
    assert done.exit_code == (0 if good else 1), (done.output, done.exception)
    return done.output + done.stderr


def placed(town: Town, data: bytes, leaves: list[bytes], batch: int = 1, **other: Any) -> bytes:
    """The same file, saying where the vault has it."""
    file, one = receipt.read(data)
    fields = {"chain_id": CHAIN_ID, "genesis": town.made.genesis, "vault": town.made.vault}
    place = receipt.chained(**{**fields, **other}, batch=batch, leaves=leaves, leaf=leaf(data))
    return receipt.encode(file.public_key, one, file.anchor, file.batch, place)


def test_a_receipt_is_proved_by_the_chain_part_of_its_file(tmp_path: Path) -> None:
    async def story(town: Town, papers: list[bytes]) -> None:
        leaves = [OTHERS[0], *map(leaf, papers), OTHERS[1]]
        files_ = [placed(town, data, leaves) for data in papers]
        await town.submit((ANNA, 4, 0), receipts=leaves)
        assert "Batch 1 is not final" in await prove(town, files_[0])
        await town.finalise()
        for place, data in enumerate(files_):
            told = await prove(town, data, "--vault", town.made.vault, good=True)
            assert f"receipt {place + 2} of 5 in its final batch 1" in told
            assert "you named it" in told
        told = await prove(town, files_[0], good=True)
        assert "compare it with the one that the market publishes" in told
        rows = json.loads(await prove(town, files_[0], "--json", good=True))
        assert all(row["ok"] for row in rows)
        assert {"signature", "batch", "chain", "vault", "code"} <= {row["what"] for row in rows}

    check(tmp_path, story)


def test_a_batch_of_the_market_alone_is_found_without_the_chain_part(tmp_path: Path) -> None:
    async def story(town: Town, papers: list[bytes]) -> None:
        await town.batch((ANNA, 4, 0))
        await town.batch((ANNA, 4, 0), receipts=[leaf(data) for data in papers])
        await town.batch((ANNA, 4, 0))
        assert "names no vault" in await prove(town, papers[1])
        told = await prove(town, papers[1], "--vault", town.made.vault, good=True)
        assert "receipt 2 of 3 in its final batch 2" in told

    check(tmp_path, story)


def test_what_the_chain_does_not_have_is_not_proved(tmp_path: Path) -> None:
    async def story(town: Town, papers: list[bytes]) -> None:
        leaves = [leaf(data) for data in papers]
        await town.batch((ANNA, 4, 0), receipts=leaves[:2])
        vault = ("--vault", town.made.vault)
        assert "No final batch of this vault" in await prove(town, papers[0], *vault)
        told = await prove(town, placed(town, papers[0], leaves))
        assert "does not have this as receipt 1 of 3" in told
        good = placed(town, papers[0], leaves[:2])
        await prove(town, good, good=True)
        told = await prove(town, placed(town, papers[0], leaves[:2], genesis="0x" + "11" * 32))
        assert "begun with" in told
        told = await prove(town, placed(town, papers[0], leaves[:2], vault=town.made.bond))
        assert "is not the Vault" in told
        told = await prove(town, good, "--vault", town.made.bond)
        assert "you named" in told
        changed = good.replace(b'"provider": "host"', b'"provider": "anna"')
        assert changed != good
        assert " BAD" in await prove(town, changed)
        open_ = files(town.folder / "market", closed=False)[0]
        assert "in no closed batch yet" in await prove(town, open_, *vault)
        assert "not a receipt file" in await prove(town, b"{}")

    check(tmp_path, story)


def test_a_node_whose_answers_contradict_each_other_lies(tmp_path: Path) -> None:
    async def story(town: Town, papers: list[bytes]) -> None:
        leaves = [leaf(data) for data in papers]
        await town.batch((ANNA, 4, 0), receipts=leaves)
        good = placed(town, papers[0], leaves)
        asked: list[str] = []

        async def answer(params: Any) -> Any:
            asked.append(params[0]["input"])
            told = await town.node.ask("eth_call", params)
            return told if len(asked) < 2 else "0x" + "00" * 32

        town.lies["eth_call"] = answer
        assert "lied" in await prove(town, good)

    check(tmp_path, story)


def test_a_ticket_is_fetched_checked_and_kept(tmp_path: Path) -> None:
    async def work() -> None:
        async with vault_town(tmp_path) as town:
            await town.give(ANNA, 4)
            await town.batch((ANNA, 3, 0), (BERT, 1, 0))
            data = encode(await town.ticket(ANNA))
            asked: list[str] = []
            answers = [data, data.replace(b'"3000', b'"9000')]

            async def answer(request: Request) -> Response:
                assert request.headers["authorization"] == "Bearer secret"
                asked.append(request.url.query)
                return Response(answers.pop(0), media_type="application/json")

            async with serve(Starlette(routes=[Route("/api/wallet/ticket", answer)])) as url:
                out = tmp_path / "kept.json"
                line = ["chain", "ticket", "--url", url, "--key", "secret", "--out", str(out)]
                done = await asyncio.to_thread(CliRunner().invoke, main, line)
                assert done.exit_code == 0, done.output
                assert f"{ANNA.address} in batch 1 of {town.made.vault}" in done.output
                assert out.read_bytes() == data
                line.append("--pending")
                changed = await asyncio.to_thread(CliRunner().invoke, main, line)
                assert asked == ["", "pending=1"]
                assert changed.exit_code == 1
                assert "was changed" in changed.output + changed.stderr
                assert out.read_bytes() == data

    asyncio.run(work())
