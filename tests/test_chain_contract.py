"""The Chain port: the embedded node, anvil and the fake keep the same promises."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from chains import (
    ACCOUNT,
    CHAIN_ID,
    ETHER,
    KINDS,
    OTHER,
    TALLIED,
    Rig,
    count,
    name,
    open_chain,
    tally,
    tally_code,
)

from allmende.ports import ChainFailed

pytestmark = pytest.mark.parametrize("kind", KINDS)


def check(kind: str, folder: Path, test) -> None:  # type: ignore[no-untyped-def]
    async def work() -> None:
        async with open_chain(kind, folder) as rig:
            await asyncio.wait_for(test(rig), 30)

    asyncio.run(work())


def test_blocks_are_a_chain_from_block_zero(kind: str, tmp_path: Path) -> None:
    async def test(rig: Rig) -> None:
        await rig.send(OTHER.address, value=1)
        await rig.send(OTHER.address, value=1)
        head = await rig.chain.block()
        assert head is not None
        assert head.number == 2
        assert await rig.chain.block(2) == head
        before = await rig.chain.block(1)
        assert before is not None
        assert head.parent == before.hash
        assert before.time_s < head.time_s or rig.kind == "anvil"
        assert await rig.chain.block(3) is None
        assert await rig.chain.chain_id() == CHAIN_ID

    check(kind, tmp_path, test)


def test_a_transfer_moves_what_it_says_and_costs_what_it_says(kind: str, tmp_path: Path) -> None:
    async def test(rig: Rig) -> None:
        before = await rig.chain.balance(ACCOUNT.address)
        mined = await rig.send(OTHER.address, value=5, gas=21_000)
        assert mined.ok
        assert mined.gas == 21_000
        assert await rig.chain.balance(OTHER.address) == 5
        assert await rig.chain.balance(ACCOUNT.address) == before - 5 - mined.paid
        assert await rig.chain.nonce(ACCOUNT.address) == 1
        block = await rig.chain.block(mined.block)
        assert block is not None
        assert block.hash == mined.block_hash

    check(kind, tmp_path, test)


def test_a_legacy_transaction_is_taken_too(kind: str, tmp_path: Path) -> None:
    async def test(rig: Rig) -> None:
        assert (await rig.send(OTHER.address, value=5, legacy=1)).ok

    check(kind, tmp_path, test)


def test_a_contract_is_created_called_and_heard(kind: str, tmp_path: Path) -> None:
    async def test(rig: Rig) -> None:
        address = await rig.deploy()
        assert await rig.chain.code(address) == tally_code()[1]
        assert await rig.chain.code(OTHER.address) == b""
        for key in ("a", "b", "a"):
            mined = await rig.send(address, tally(name(key)))
        assert await rig.chain.call(address, count(name("a"))) == (2).to_bytes(32, "big")
        then = await rig.chain.call(address, count(name("a")), at=mined.block - 1)
        assert then == (1).to_bytes(32, "big")
        logs = await rig.chain.logs(address, 0, mined.block, [TALLIED])
        assert [log.topics[1] for log in logs] == ["0x" + name(k).hex() for k in ("a", "b", "a")]
        assert logs[-1].transaction == mined.hash
        wanted = [TALLIED, "0x" + name("b").hex()]
        assert len(await rig.chain.logs(address, 0, mined.block, wanted)) == 1
        assert await rig.chain.logs(OTHER.address, 0, mined.block) == []

    check(kind, tmp_path, test)


def test_what_a_contract_refuses_is_told_with_its_reason(kind: str, tmp_path: Path) -> None:
    async def test(rig: Rig) -> None:
        address = await rig.deploy()
        with pytest.raises(ChainFailed, match="no key") as called:
            await rig.chain.call(address, tally(b""))
        assert called.value.cause == "reverted"
        with pytest.raises(ChainFailed, match="no key"):
            await rig.chain.estimate(ACCOUNT.address, address, tally(b""))
        mined = await rig.send(address, tally(b""))
        assert not mined.ok
        assert mined.paid > 0

    check(kind, tmp_path, test)


def test_an_estimate_suffices(kind: str, tmp_path: Path) -> None:
    async def test(rig: Rig) -> None:
        address = await rig.deploy()
        for key in ("a", "a", "b"):
            data = tally(name(key))
            gas = await rig.chain.estimate(ACCOUNT.address, address, data)
            mined = await rig.send(address, data, gas=gas)
            assert mined.ok
            assert mined.gas <= gas < 3 * mined.gas

    check(kind, tmp_path, test)


def test_sending_the_same_bytes_again_sends_nothing(kind: str, tmp_path: Path) -> None:
    async def test(rig: Rig) -> None:
        signed = await rig.sign(OTHER.address, value=5)
        assert await rig.chain.send(signed.raw) == signed.hash
        await rig.wait(signed.hash)
        assert await rig.chain.send(signed.raw) == signed.hash
        assert await rig.chain.balance(OTHER.address) == 5
        assert await rig.chain.nonce(ACCOUNT.address) == 1

    check(kind, tmp_path, test)


@pytest.mark.parametrize(
    ("cause", "fields"),
    [
        ("nonce_too_low", {"nonce": 0}),
        ("no_funds", {"value": 1_000 * ETHER}),
        ("underpriced", {"max_fee": 1, "tip": 1}),
        ("wrong_chain", {"chain_id": CHAIN_ID + 1}),
    ],
)
def test_what_cannot_be_sent_has_one_cause_everywhere(
    kind: str, cause: str, fields: dict[str, int], tmp_path: Path
) -> None:
    async def test(rig: Rig) -> None:
        await rig.send(OTHER.address, value=1)
        signed = await rig.sign(OTHER.address, **{"value": 7, **fields})
        with pytest.raises(ChainFailed) as failed:
            await rig.chain.send(signed.raw)
        assert failed.value.cause == cause
        assert await rig.chain.balance(OTHER.address) == 1
        assert await rig.chain.mined(signed.hash) is None

    check(kind, tmp_path, test)


def test_a_nonce_out_of_turn_waits_and_is_replaced_for_more(kind: str, tmp_path: Path) -> None:
    async def test(rig: Rig) -> None:
        fee = 3 * await rig.chain.price()
        cheap = await rig.sign(OTHER.address, nonce=1, value=1, max_fee=fee, tip=10**6)
        await rig.chain.send(cheap.raw)
        assert await rig.chain.mined(cheap.hash) is None
        less = await rig.sign(OTHER.address, nonce=1, value=2, max_fee=fee - 1, tip=10**6 - 1)
        with pytest.raises(ChainFailed) as failed:
            await rig.chain.send(less.raw)
        assert failed.value.cause == "underpriced"
        dear = await rig.sign(OTHER.address, nonce=1, value=3, max_fee=2 * fee, tip=2 * 10**6)
        await rig.chain.send(dear.raw)
        await rig.send(OTHER.address, nonce=0, value=10)
        assert (await rig.wait(dear.hash)).ok
        assert await rig.chain.mined(cheap.hash) is None
        assert await rig.chain.balance(OTHER.address) == 13

    check(kind, tmp_path, test)


def test_bytes_that_are_no_transaction_are_refused(kind: str, tmp_path: Path) -> None:
    async def test(rig: Rig) -> None:
        for raw in (b"", b"\x02", b"\xc0", b"hello"):
            with pytest.raises(ChainFailed):
                await rig.chain.send(raw)
        assert await rig.chain.nonce(ACCOUNT.address) == 0

    check(kind, tmp_path, test)
