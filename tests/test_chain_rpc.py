"""The door for wallets, and the adapter for other nodes: one talks to the other here."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from chains import ACCOUNT, CHAIN_ID, ETHER, OTHER, Rig, open_node, serve, tally
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from web3 import Web3
from web3.exceptions import ContractLogicError

from allmende.adapters.chain.node import EmbeddedNode
from allmende.adapters.chain.profiles import EMBEDDED
from allmende.adapters.chain.reader import Reader
from allmende.adapters.chain.rpc import HttpNode, chain_at
from allmende.adapters.guard import Guard
from allmende.adapters.upstream import HttpUpstream
from allmende.doors.chain_rpc import (
    ALLOWED,
    BATCH_MAX,
    BODY_MAX,
    BUSY,
    INVALID,
    PARSE,
    UNKNOWN,
    WAITING_MAX,
    ChainRpc,
)
from allmende.ports import ChainFailed

JSON = {"content-type": "application/json"}


def with_door(folder: Path, test: Callable[[str, EmbeddedNode], Coroutine[Any, Any, None]]) -> None:
    async def work() -> None:
        node = open_node(folder)
        async with serve(Starlette(routes=ChainRpc(node.ask).routes())) as url:
            await asyncio.wait_for(test(url, node), 60)
        await node.close()

    asyncio.run(work())


async def post(url: str, body: bytes, headers: dict[str, str] = JSON) -> tuple[int, Any]:
    """(status, JSON) of a raw request to the door."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = [f"POST /chain HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\nconnection: close"]
    head += [f"{key}: {value}" for key, value in headers.items()]
    writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + body)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    top, _, rest = answer.partition(b"\r\n\r\n")
    return int(top.split()[1]), json.loads(rest)


async def ask(url: str, method: str, *params: Any) -> Any:
    body = json.dumps({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
    _, told = await post(url, body.encode())
    assert told["id"] == 7
    return told


def test_a_wallets_library_deploys_calls_and_reads_through_the_door(tmp_path: Path) -> None:
    """web3.py with its middleware, as strict about shapes as any wallet."""

    async def test(url: str, node: EmbeddedNode) -> None:
        rig = Rig("embedded", Reader(node.ask, node.close), EMBEDDED)
        address = await rig.deploy()
        await asyncio.to_thread(with_web3, f"{url}/chain", address)
        assert await rig.chain.balance(OTHER.address) == 3

    with_door(tmp_path, test)


def with_web3(url: str, address: str) -> None:
    web3 = Web3(Web3.HTTPProvider(url))
    assert web3.is_connected()
    assert web3.eth.chain_id == CHAIN_ID
    to = Web3.to_checksum_address(OTHER.address)
    sender = Web3.to_checksum_address(ACCOUNT.address)
    nonce = web3.eth.get_transaction_count(sender, "pending")
    fees = web3.eth.fee_history(2, "latest", [50])
    assert len(fees["baseFeePerGas"]) == len(fees["reward"]) + 1
    draft: Any = {"from": sender, "to": to, "value": 3, "nonce": nonce, "chainId": CHAIN_ID}
    draft |= {"maxFeePerGas": 3 * web3.eth.gas_price, "maxPriorityFeePerGas": 10**6}
    draft["gas"] = web3.eth.estimate_gas(draft)
    signed = ACCOUNT._key.sign_transaction({k: v for k, v in draft.items() if k != "from"})
    done = web3.eth.wait_for_transaction_receipt(
        web3.eth.send_raw_transaction(signed.raw_transaction), poll_latency=0.01
    )
    assert done["status"] == 1
    sent = web3.eth.get_transaction(done["transactionHash"])
    assert (sent["from"], sent["value"], sent["nonce"]) == (sender, 3, nonce)
    block = web3.eth.get_block("latest", full_transactions=True)
    assert block["hash"] == done["blockHash"]
    contract: Any = Web3.to_checksum_address(address)
    with pytest.raises(ContractLogicError, match="no key"):
        web3.eth.call({"to": contract, "data": Web3.to_hex(tally(b""))})
    found = web3.eth.get_logs({"fromBlock": 0, "toBlock": "latest", "address": contract})
    assert found == []
    assert web3.eth.get_code(contract)
    assert web3.eth.get_balance(sender) < 100 * ETHER


def test_what_is_not_on_the_list_is_refused_by_its_name(tmp_path: Path) -> None:
    async def test(url: str, node: EmbeddedNode) -> None:
        for method in ("anvil_setBalance", "eth_sign", "eth_sendTransaction", "debug_traceCall",
                       "evm_mine", "personal_unlockAccount", "eth_newFilter"):  # fmt: skip
            told = await ask(url, method)
            assert told["error"]["code"] == UNKNOWN
            assert method in told["error"]["message"]
        assert (await ask(url, "eth_accounts"))["result"] == []

    with_door(tmp_path, test)


def test_the_door_offers_what_the_node_has_and_nothing_else(tmp_path: Path) -> None:
    node = open_node(tmp_path)
    known = {m for m in ALLOWED if _cause(node, m) != "unknown_method"}
    assert known == ALLOWED
    asyncio.run(node.close())


def _cause(node: EmbeddedNode, method: str) -> str:
    try:
        node.answer(method, [])
    except ChainFailed as failed:
        return failed.cause
    return ""


@pytest.mark.parametrize(
    ("cause", "detail", "text"),
    [
        ("reverted", "no key", "execution reverted: no key"),
        ("reverted", "execution reverted", "execution reverted"),
        ("nonce_too_low", "next is 5, this has 4", "nonce too low: next is 5, this has 4"),
        ("failed", "odd", "odd"),
    ],
)
def test_what_went_wrong_is_said_in_the_words_that_wallets_look_for(
    cause: str, detail: str, text: str
) -> None:
    async def ask(method: str, params: Any = ()) -> Any:
        raise ChainFailed(cause, detail)

    async def work() -> None:
        async with serve(Starlette(routes=ChainRpc(ask).routes())) as url:
            _, told = await post(url, b'{"jsonrpc": "2.0", "id": 1, "method": "eth_chainId"}')
            assert told["error"]["message"] == text

    asyncio.run(work())


def test_bodies_and_batches_are_bounded(tmp_path: Path) -> None:
    async def test(url: str, node: EmbeddedNode) -> None:
        one = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}
        status, told = await post(url, json.dumps([one] * BATCH_MAX).encode())
        assert (status, len(told)) == (200, BATCH_MAX)
        for batch in ([], [one] * (BATCH_MAX + 1)):
            status, told = await post(url, json.dumps(batch).encode())
            assert (status, told["error"]["code"]) == (400, INVALID)
        status, told = await post(url, b" " * (BODY_MAX + 1))
        assert (status, told["error"]["code"]) == (413, INVALID)
        status, told = await post(url, json.dumps(one).encode(), {"content-type": "text/plain"})
        assert (status, told["error"]["code"]) == (415, INVALID)
        status, told = await post(url, b"{")
        assert (status, told["error"]["code"]) == (400, PARSE)

    with_door(tmp_path, test)


def test_a_call_that_never_ends_is_ended_and_logs_are_bounded(tmp_path: Path) -> None:
    async def test(url: str, node: EmbeddedNode) -> None:
        forever = {"input": "0x5b600056", "gas": hex(10**12)}
        told = await ask(url, "eth_estimateGas", forever)
        assert "OutOfGas" in told["error"]["message"]
        told = await ask(url, "eth_getLogs", {"fromBlock": "0x0", "toBlock": hex(10**6)})
        assert told["result"] == []
        told = await ask(url, "eth_getBlockByNumber", hex(10**6), False)
        assert told["result"] is None

    with_door(tmp_path, test)


def test_only_so_many_wait_at_once_and_the_node_hears_one_of_them() -> None:
    async def work() -> None:
        gate, heard = asyncio.Event(), [0, 0]

        async def slow(method: str, params: Any) -> Any:
            heard[0] += 1
            heard[1] = max(heard)
            await gate.wait()
            heard[0] -= 1
            return "0x1"

        question = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_chainId"}).encode()
        async with serve(Starlette(routes=ChainRpc(slow).routes())) as url:
            waiting = [asyncio.create_task(post(url, question)) for _ in range(WAITING_MAX)]
            while True:
                status, told = await asyncio.wait_for(_first(post(url, question), gate), 10)
                if status == 429:
                    break
            gate.set()
            assert {status for status, _ in await asyncio.gather(*waiting)} == {200}
            assert told["error"]["code"] == BUSY
            assert heard[1] == 1

    asyncio.run(work())


async def _first(asked: Coroutine[Any, Any, Any], gate: asyncio.Event) -> Any:
    """The answer if it comes while the others wait; one that was let in waits with them."""
    done, _ = await asyncio.wait({asyncio.ensure_future(asked)}, timeout=0.2)
    return done.pop().result() if done else (0, None)


JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.sampled_from(
        ["0x", "0x0", "0x1", "latest", "pending", "0x" + "11" * 20, "0x" + "22" * 32, "0xzz"]
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["to", "from", "data", "input", "gas", "value", "topics", "address",
                         "fromBlock", "toBlock", "blockHash", "x"]), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


def test_no_question_breaks_the_node(tmp_path: Path) -> None:
    node = open_node(tmp_path)

    @given(st.sampled_from(sorted(ALLOWED)), st.lists(JSONISH, max_size=4))
    def any_question(method: str, params: list[Any]) -> None:
        with contextlib.suppress(ChainFailed):
            json.dumps(node.answer(method, params))

    @given(st.binary(max_size=80))
    def any_bytes(raw: bytes) -> None:
        with pytest.raises(ChainFailed):
            node.answer("eth_sendRawTransaction", ["0x" + raw.hex()])
        with pytest.raises(ChainFailed):
            node.answer("eth_sendRawTransaction", ["0x02" + raw.hex()])

    any_question()
    any_bytes()
    assert node.answer("eth_blockNumber") == "0x0"
    asyncio.run(node.close())


NAMES = """number hash parentHash timestamp baseFeePerGas gasUsed transactionHash blockNumber
    blockHash status effectiveGasPrice contractAddress address topics data logIndex""".split()
ANSWERS = JSONISH | st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, JSONISH))


@given(ANSWERS | st.lists(ANSWERS, max_size=3))
def test_whatever_a_node_answers_becomes_a_value_or_a_cause(answer: Any) -> None:
    async def ask(method: str, params: Any) -> Any:
        return answer

    async def close() -> None: ...

    chain, other = Reader(ask, close), OTHER.address
    questions = (
        chain.chain_id, chain.block, lambda: chain.block(1), chain.price,
        lambda: chain.balance(other), lambda: chain.nonce(other), lambda: chain.code(other),
        lambda: chain.call(other, b""), lambda: chain.estimate(other, "", b""),
        lambda: chain.mined("0x" + "22" * 32), lambda: chain.logs(other, 0, 1),
        lambda: chain.send(b""),
    )  # fmt: skip
    understood = 0
    for question in questions:
        try:
            asyncio.run(question())
        except ChainFailed as failed:
            understood += failed.cause in ("garbled", "lied")
        else:
            understood += 1
    assert understood == len(questions)


# --- nodes that are not as they should be -----------------------------------------------


def asked_of(answers: Any, test: Callable[[Reader], Coroutine[Any, Any, Any]]) -> ChainFailed:
    """What the adapter says when the node always answers with this (bytes, or a function)."""

    async def handler(request: Request) -> Response:
        question = json.loads(await request.body())
        told = answers(question) if callable(answers) else answers
        if isinstance(told, bytes):
            return Response(told, media_type="application/json")
        if isinstance(told, int):
            return Response(b"{}", told)
        return Response(json.dumps({"jsonrpc": "2.0", "id": question["id"], **told}))

    async def work() -> ChainFailed:
        upstream = HttpUpstream(Guard())
        async with serve(Starlette(routes=[Route("/secret", handler, methods=["POST"])])) as url:
            chain = chain_at(upstream, f"{url}/secret", private=True)
            with pytest.raises(ChainFailed) as failed:
                await test(chain)
            await chain.close()
            await upstream.close()
        assert "secret" not in f"{failed.value!r}"
        return failed.value

    return asyncio.run(work())


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (b"<html>", "garbled"),
        (b"[]", "garbled"),
        (b'{"jsonrpc": "2.0", "id": 99, "result": "0x1"}', "garbled"),
        (503, "busy"),
        (429, "busy"),
        ({"result": "7"}, "garbled"),
        ({"result": "0x007"}, "garbled"),
        ({"result": None}, "garbled"),
        ({"result": 7}, "garbled"),
        ({}, "garbled"),
        ({"error": "no"}, "garbled"),
        ({"error": {"code": -32601, "message": "no such"}}, "unknown_method"),
        ({"error": {"code": -32005, "message": "limit"}}, "busy"),
        ({"error": {"code": -32000, "message": "something else"}}, "failed"),
    ],
)
def test_a_node_that_answers_nonsense_is_understood(answer: Any, cause: str) -> None:
    assert asked_of(answer, lambda chain: chain.chain_id()).cause == cause


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ("nonce too low: next nonce 5, tx nonce 4", "nonce_too_low"),
        ("replacement transaction underpriced", "underpriced"),
        ("max fee per gas less than block base fee", "underpriced"),
        ("insufficient funds for gas * price + value: balance 0", "no_funds"),
        ("Upfront cost exceeds account balance", "no_funds"),
        ("invalid chain id for signer: have 1 want 56", "wrong_chain"),
        ("execution reverted: no key", "reverted"),
        ("execution reverted: erc20: insufficient allowance", "reverted"),
        ("execution reverted: nonce too low", "reverted"),
    ],
)
def test_every_nodes_words_become_one_cause(words: str, cause: str) -> None:
    answer = {"error": {"code": -32000, "message": words}}
    assert asked_of(answer, lambda chain: chain.send(b"\x02")).cause == cause


def test_what_a_contract_says_is_not_taken_for_the_nodes_word() -> None:
    """A transaction that reverts fails alone; one for which money is missing stops the line."""
    words = "erc20: insufficient allowance"
    said = "0x08c379a0" + f"{32:064x}{len(words):064x}" + words.encode().hex().ljust(64, "0")
    for error in ({"code": 3, "message": words}, {"code": -32000, "message": words, "data": said}):
        failed = asked_of({"error": error}, lambda chain: chain.estimate(ACCOUNT.address, "", b""))
        assert (failed.cause, failed.detail) == ("reverted", words)


def block(number: int, **other: Any) -> dict[str, Any]:
    name_ = "0x" + f"{number:064x}"
    return {"number": hex(number), "hash": name_, "parentHash": name_, "timestamp": "0x1", **other}


def test_a_node_that_answers_another_question_is_told_to_lie() -> None:
    lies: list[tuple[Any, Callable[[Reader], Coroutine[Any, Any, Any]]]] = [
        ({"result": block(8)}, lambda chain: chain.block(7)),
        ({"result": "0x" + "11" * 32}, lambda chain: chain.send(b"\x02")),
        ({"result": hex(2**64)}, lambda chain: chain.nonce(OTHER.address)),
    ]
    for answer, question in lies:
        assert asked_of(answer, question).cause == "lied"


def test_a_node_that_is_not_there_is_unreachable() -> None:
    async def work() -> str:
        upstream = HttpUpstream(Guard())
        with pytest.raises(ChainFailed) as failed:
            await HttpNode(upstream, "http://127.0.0.1:1/key", private=True).ask("eth_chainId")
        await upstream.close()
        return f"{failed.value.cause} {'key' in repr(failed.value)}"

    assert asyncio.run(work()) == "unreachable False"


def test_a_market_imports_nothing_of_the_chain() -> None:
    """It starts where the extra is not installed."""
    code = "import sys, allmende.main; print([m for m in ('eth', 'rlp', 'vyper', 'web3', "
    code += "'eth_utils', 'eth_account', 'coincurve') if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_the_chain_is_the_markets_own_for_longer_than_the_publics() -> None:
    """Or whoever challenges a batch asks so much at once that nobody gets to answer for it."""
    told: list[tuple[str, float]] = []

    async def ask(method: str, params: Any = ()) -> str:
        told.append(("ask", 0.0))
        await asyncio.sleep(0)
        return "0x1"

    async def rest(seconds: float) -> None:
        told.append(("rest", seconds))

    async def work() -> None:
        door = ChainRpc(ask)
        door._rest = rest
        question = {"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber"}
        await asyncio.gather(door._answer([question] * 2), door._answer(question))

    asyncio.run(work())
    assert [what for what, _ in told] == ["ask", "rest"] * 3
    assert all(seconds > 0 for what, seconds in told if what == "rest")
