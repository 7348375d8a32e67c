"""The embedded chain's file, the operator's key, the rows of the profiles."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from chains import ACCOUNT, CHAIN_ID, ETHER, OTHER, TALLIED, name, open_node, tally, tally_code

from allmende.adapters.chain.account import KEY_FILE, Account, Draft, open_account
from allmende.adapters.chain.evm import BLOCK_GAS, Evm, Genesis
from allmende.adapters.chain.fees import Fees
from allmende.adapters.chain.node import EmbeddedNode
from allmende.adapters.chain.outbox import Attempt
from allmende.adapters.chain.profiles import GWEI, PROFILES, Profile
from allmende.adapters.secrets import SecretBroken, open_vault
from allmende.ports import Block, ChainFailed

HERE = Path(__file__).parent


def signed(nonce: int, account: Account = ACCOUNT, **other: Any) -> str:
    fields: dict[str, Any] = {
        "chain_id": CHAIN_ID, "to": OTHER.address, "data": b"", "value": 1, "gas": 21_000,
        "max_fee": 10 * GWEI, "tip": 10**6, "legacy": False,
    }  # fmt: skip
    return "0x" + account.sign(Draft(nonce=nonce, **{**fields, **other})).raw.hex()


def send(node: EmbeddedNode, raw: str) -> str:
    return str(node.answer("eth_sendRawTransaction", [raw]))


def cause(node: EmbeddedNode, method: str, *params: Any) -> str:
    with pytest.raises(ChainFailed) as failed:
        node.answer(method, params)
    return failed.value.cause


def close(node: EmbeddedNode) -> None:
    asyncio.run(node.close())


# --- the file ---------------------------------------------------------------------------


def test_a_chain_goes_on_where_it_was(tmp_path: Path) -> None:
    node = open_node(tmp_path)
    done = send(node, signed(0))
    send(node, signed(2))
    told = node.answer("eth_getBlockByNumber", ["latest", True])
    close(node)
    node = open_node(tmp_path)
    assert node.answer("eth_getBlockByNumber", ["latest", True]) == told
    assert node.answer("eth_getTransactionReceipt", [done])["status"] == "0x1"
    assert node.answer("eth_getTransactionCount", [ACCOUNT.address]) == "0x1"
    send(node, signed(1))
    assert node.answer("eth_getTransactionCount", [ACCOUNT.address]) == "0x3"
    close(node)


def test_a_file_holds_one_chain(tmp_path: Path) -> None:
    close(open_node(tmp_path))
    with pytest.raises(ChainFailed, match=f"chain {CHAIN_ID}"):
        Evm(tmp_path / "chain.sqlite", Genesis(1, {}, 0), lambda: 0)
    evm = Evm(tmp_path / "chain.sqlite", Genesis(None, {}, 0), lambda: 0)
    assert evm.chain_id == CHAIN_ID
    with pytest.raises(ChainFailed) as failed:
        open_node(tmp_path)
    assert failed.value.cause == "busy"
    evm.close()


def test_chains_that_nobody_numbered_have_different_numbers(tmp_path: Path) -> None:
    ids = []
    for name_ in "ab":
        evm = Evm(tmp_path / name_, Genesis(None, {ACCOUNT.address: ETHER}, 0), lambda: 0)
        ids.append(evm.chain_id)
        with pytest.raises(ChainFailed, match="signed for chain"):
            evm.send(bytes.fromhex(signed(0)[2:]))
        evm.close()
    assert ids[0] != ids[1]
    assert all(10**12 <= chain_id < 2**52 for chain_id in ids)


CHILD = """
import sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from chains import open_node
from test_chain_node import send, signed
node = open_node(Path(sys.argv[2]))
first = int(node.answer("eth_getTransactionCount", ["{account}"]), 16)
for nonce in range(first, first + 10_000):
    send(node, signed(nonce))
    print(nonce, flush=True)
"""


def test_kill_9_at_any_moment_leaves_whole_blocks_and_whatever_was_promised(
    tmp_path: Path,
) -> None:
    code = CHILD.replace("{account}", ACCOUNT.address)
    for lines in (1, 5, 9):
        child = subprocess.Popen(
            [sys.executable, "-c", code, str(HERE), str(tmp_path)], stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        for _ in range(lines):
            told = int(child.stdout.readline())
        os.kill(child.pid, signal.SIGKILL)
        told = max([told, *(int(line) for line in child.stdout.read().split())])
        child.stdout.close()
        child.wait()
        node = open_node(tmp_path)
        count = int(node.answer("eth_getTransactionCount", [ACCOUNT.address]), 16)
        assert count in (told + 1, told + 2)
        assert int(node.answer("eth_blockNumber"), 16) == count
        assert int(node.answer("eth_getBalance", [OTHER.address]), 16) == count
        parent = "0x" + "00" * 32
        for number in range(count + 1):
            block = node.answer("eth_getBlockByNumber", [hex(number)])
            assert block["parentHash"] == parent
            parent = block["hash"]
        close(node)


# --- what waits -------------------------------------------------------------------------


def test_a_replacement_offers_a_tenth_more_in_both_fees(tmp_path: Path) -> None:
    node = open_node(tmp_path)
    send(node, signed(1))
    for fees in ({"max_fee": 11 * GWEI}, {"max_fee": 11 * GWEI - 1, "tip": 1_100_000}):
        assert cause(node, "eth_sendRawTransaction", signed(1, **fees)) == "underpriced"
    better = send(node, signed(1, max_fee=11 * GWEI, tip=1_100_000))
    send(node, signed(0))
    assert node.answer("eth_getTransactionByHash", [better])["blockNumber"] == "0x2"
    close(node)


def test_only_so_many_of_one_account_wait(tmp_path: Path) -> None:
    node = open_node(tmp_path)
    for nonce in range(1, 65):
        send(node, signed(nonce))
    assert cause(node, "eth_sendRawTransaction", signed(65)) == "busy"
    assert node.answer("eth_getTransactionCount", [ACCOUNT.address, "pending"]) == "0x0"
    send(node, signed(0))
    assert node.answer("eth_getTransactionCount", [ACCOUNT.address]) == hex(65)
    close(node)


def test_what_can_no_longer_be_paid_for_is_dropped_and_stops_nobody(tmp_path: Path) -> None:
    node = open_node(tmp_path)
    send(node, signed(0, to=OTHER.address, value=ETHER))
    poor = send(node, signed(1, OTHER, to=ACCOUNT.address, value=ETHER // 2))
    send(node, signed(0, OTHER, to=ACCOUNT.address, value=ETHER * 3 // 4))
    assert node.answer("eth_getTransactionByHash", [poor]) is None
    assert node.answer("eth_getTransactionCount", [OTHER.address, "pending"]) == "0x1"
    send(node, signed(1))
    close(node)


def test_gas_that_no_block_has_is_refused(tmp_path: Path) -> None:
    node = open_node(tmp_path)
    for gas in (BLOCK_GAS + 1, 20_999):
        assert cause(node, "eth_sendRawTransaction", signed(0, gas=gas)) == "bad_transaction"
    close(node)


# --- what is told -----------------------------------------------------------------------


def test_logs_are_found_by_address_topic_and_place(tmp_path: Path) -> None:
    node = open_node(tmp_path)
    made = send(node, signed(0, to="", data=tally_code()[0], gas=1_000_000, value=0))
    tally_at = node.answer("eth_getTransactionReceipt", [made])["contractAddress"]
    for n, key in enumerate("abab"):
        send(node, signed(n + 1, to=tally_at, data=tally(name(key)), gas=200_000, value=0))
    everything = {"fromBlock": "0x0"}
    b = "0x" + name("b").hex()
    a = "0x" + name("a").hex()

    def found(**fields: Any) -> list[str]:
        logs = node.answer("eth_getLogs", [{**everything, **fields}])
        return [log["topics"][1] for log in logs]

    assert found() == [a, b, a, b]
    assert found(address=[tally_at, OTHER.address], topics=[None, b]) == [b, b]
    assert found(topics=[[TALLIED, a], [a, b]]) == [a, b, a, b]
    assert found(topics=[TALLIED, a, None]) == []
    assert found(fromBlock="0x3", toBlock="0x4") == [b, a]
    block = node.answer("eth_getBlockByNumber", ["0x2"])
    assert found(blockHash=block["hash"]) == [a]
    close(node)


def test_a_search_for_logs_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("allmende.adapters.chain.node.LOGS_BLOCKS", 2)
    node = open_node(tmp_path)
    for nonce in range(3):
        send(node, signed(nonce))
    assert node.answer("eth_getLogs", [{"fromBlock": "0x2"}]) == []
    assert cause(node, "eth_getLogs", {"fromBlock": "0x1"}) == "bad_params"
    close(node)


def test_questions_without_a_block_see_the_time_of_now(tmp_path: Path) -> None:
    """Between two transactions no block appears here; a window must close all the same."""
    now = [2_000_000_000]
    genesis = Genesis(CHAIN_ID, {ACCOUNT.address: ETHER}, 1_790_000_000)
    node = EmbeddedNode(tmp_path / "chain.sqlite", genesis, lambda: now[0])
    answers_time = {"input": "0x4260005260206000f3"}  # TIMESTAMP, as what it would create
    told = int(node.answer("eth_call", [answers_time]), 16)
    assert told == now[0]
    answers_number = {"input": "0x4360005260206000f3"}
    assert int(node.answer("eth_call", [answers_number]), 16) == 1
    assert int(node.answer("eth_call", [answers_number, "0x0"]), 16) == 0
    then = int(node.answer("eth_call", [answers_time, "0x0"]), 16)
    assert then == 1_790_000_000
    now[0] = 1
    send(node, signed(0))
    block = node.answer("eth_getBlockByNumber", ["latest"])
    assert int(block["timestamp"], 16) == 1_790_000_001
    close(node)


# --- the key ----------------------------------------------------------------------------


def test_the_operators_key_is_made_once_sealed_and_private(tmp_path: Path) -> None:
    vault = open_vault(tmp_path)
    account = open_account(tmp_path, vault)
    assert open_account(tmp_path, vault).address == account.address
    file = tmp_path / KEY_FILE
    assert file.stat().st_mode & 0o077 == 0
    assert file.read_text().startswith("s1.")
    (tmp_path / "signer.key").write_text(file.read_text())
    file.write_text(vault.seal("00" * 32, "another secret"))
    with pytest.raises(SecretBroken):
        open_account(tmp_path, vault)


def test_a_signature_is_the_same_twice_and_another_on_another_chain() -> None:
    assert signed(0) == signed(0)
    assert signed(0) != signed(0, chain_id=CHAIN_ID + 1)


# --- profiles and fees ------------------------------------------------------------------


@pytest.mark.parametrize("profile", PROFILES.values(), ids=list(PROFILES))
def test_a_profile_has_what_the_submitter_needs_and_says_from_where(profile: Profile) -> None:
    assert profile.fees in ("eip1559", "legacy")
    assert profile.finality >= 1
    assert profile.bump_percent >= 10
    assert 0 <= profile.tip_min < profile.fee_max
    assert profile.source
    assert len(profile.read) == 7
    assert profile.settle_s >= profile.patience_s > 0


def test_the_worked_numbers_of_the_fees() -> None:
    profile = PROFILES["ethereum"]
    head = Block(1, "", "", 0, base_fee=10 * GWEI)
    fees = Fees(profile)
    assert fees.first(head, 12 * GWEI) == (24 * GWEI, 2 * GWEI)
    last = Attempt("", b"", 0, 24, 2, 0)
    low = Fees(PROFILES["consortium"])
    assert low.bumped(last, Block(1, "", "", 0, 0), 12) == (28, 28)
    for price in (profile.fee_max + 1, 10**30):
        with pytest.raises(ChainFailed) as failed:
            fees.first(head, price)
        assert failed.value.cause == "fee_cap"


def test_a_free_chain_costs_nothing() -> None:
    assert Fees(PROFILES["consortium"]).first(Block(1, "", "", 0, 0), 0) == (0, 0)
