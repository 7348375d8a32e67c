"""The custody port on real nodes: what is read is what the contracts hold, block by block."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from chains import ACCOUNT, NODES, OTHER
from deployed import CREDIT, Town, contracts, deployed
from eth_utils import keccak
from msgspec import structs

from allmende.adapters.chain import reads
from allmende.adapters.chain.abi import Abi
from allmende.adapters.chain.account import Account
from allmende.adapters.chain.custody import ChainCustody
from allmende.adapters.chain.rights import deploy_rights
from allmende.adapters.clock import SystemClock
from allmende.core.contracts import Instrument
from allmende.core.units import SECOND, Zone
from allmende.custody import NOTHING, Custody
from allmende.ports import Chain, ChainFailed, Log
from allmende.wire import merkle, voucher
from allmende.wire import merkle_sum as ms

ANNA, BERT = (Account(keccak(text=name)) for name in ("anna", "bert"))


def check(kind: str, folder: Path, test: Callable[[Town], Awaitable[None]]) -> None:
    async def work() -> None:
        async with deployed(kind, folder) as town, asyncio.timeout(60):
            await test(town)

    asyncio.run(work())


def raw(address: str) -> bytes:
    return bytes.fromhex(address[2:])


class Book:
    """Leaves and the tree over them, as a settler keeps them."""

    def __init__(self, *leaves: tuple[Account, int, int]) -> None:
        self.leaves = [ms.Leaf(raw(who.address), has, spent) for who, has, spent in leaves]
        self.tree = ms.levels(self.leaves, keccak)
        self.top = self.tree[-1][0]

    def at(self, place: int) -> tuple[ms.Leaf, ms.Proof]:
        return self.leaves[place], ms.proof(self.tree, place)


async def give(town: Town, who: Account, amount: int) -> None:
    c, vault = town.custody, town.deployment.vault
    await town.do(c.approve(vault, amount))
    await town.do(c.deposit(who.address, amount))


async def submit(town: Town, book: Book, receipts: Sequence[bytes] = ()) -> None:
    root = "0x" + merkle.root(list(receipts)).hex()
    top = "0x" + book.top.hash.hex()
    await town.do(town.custody.submit(top, book.top.sum, len(book.leaves), root, len(receipts)))


async def finalise(town: Town) -> None:
    await town.later(town.deployment.terms.window)
    await town.do(town.custody.finalise())


async def sign(town: Town, who: Account, lane: int, amount: int) -> None:
    permit = voucher.Permit(raw(who.address), raw(who.address), lane, 2**128 - 1, bytes(32), 2**40)
    channel = voucher.channel(permit.account, lane, keccak)
    digest = voucher.voucher_digest(town.custody.domain, channel, amount, keccak)
    signed = who.sign_digest(digest)
    await town.do(town.custody.acknowledge(permit, bytes(65), amount, signed))


@pytest.mark.parametrize("kind", NODES)
def test_a_batch_from_the_first_deposit_to_a_paid_withdrawal(kind: str, tmp_path: Path) -> None:
    async def test(town: Town) -> None:
        c = town.custody
        await give(town, ANNA, 10 * CREDIT)
        before = await town.now()
        await town.do(c.cut())
        seen = await town.seen()
        assert (seen.epoch, seen.backed, seen.cover) == (2, 10 * CREDIT, 10 * CREDIT)
        assert not seen.final
        assert not seen.pending
        assert (await c.look(before)).epoch == 1
        book = Book((ANNA, 7 * CREDIT, 3 * CREDIT), (BERT, 3 * CREDIT, 0))
        receipt = keccak(b"a receipt")
        await submit(town, book, [receipt])
        seen = await town.seen()
        assert (seen.pending.number, seen.pending.size, seen.pending.cut) == (1, 2, 1)
        assert seen.pending.root == "0x" + book.top.hash.hex()
        assert seen.pending.operator == ACCOUNT.address
        await finalise(town)
        seen = await town.seen()
        assert (seen.final.number, seen.epoch, seen.voids) == (1, 3, 0)
        assert await c.receipts_of(1, seen.block) != NOTHING
        assert await c.receipts_of(2, seen.block) == NOTHING
        await town.do(c.settle(*book.at(0)))
        assert await c.settled(ANNA.address, await town.now()) == 3 * CREDIT
        mined = await town.by(BERT, c.ask(*book.at(1), CREDIT))
        assert mined.ok
        asked = await c.withdrawal(1, mined.block)
        assert asked is not None
        assert (asked.account, asked.amount, asked.epoch) == (BERT.address, CREDIT, 3)
        assert await c.flows(BERT.address, 0, 3, mined.block) == (0, CREDIT)
        assert await c.requested(BERT.address, mined.block) == CREDIT
        assert await c.withdrawal(2, mined.block) is None
        await town.do(c.cut())
        await submit(town, Book((ANNA, 7 * CREDIT, 3 * CREDIT), (BERT, 2 * CREDIT, 0)))
        await finalise(town)
        await town.do(c.pay(1))
        at = await town.now()
        assert await c.credit_balance(BERT.address, at) == CREDIT
        assert (await c.look(at)).backed == 9 * CREDIT

    check(kind, tmp_path, test)


@pytest.mark.parametrize("kind", NODES)
def test_a_challenge_is_seen_answered_and_its_stake_collected(kind: str, tmp_path: Path) -> None:
    async def test(town: Town) -> None:
        c, stake = town.custody, town.deployment.terms.stake
        await give(town, ANNA, 10 * CREDIT)
        await town.do(c.cut())
        book = Book((ANNA, 7 * CREDIT, 3 * CREDIT), (BERT, 3 * CREDIT, 0))
        await town.do(c.transfer(BERT.address, stake))
        await town.by(BERT, c.approve(town.deployment.vault, stake))
        await submit(town, book)
        nothing = ms.Leaf(raw(ANNA.address), 0, 0), ms.Proof(0, ())
        mined = await town.by(BERT, c.challenge_leaf(*nothing))
        found = await c.challenge(1, mined.block)
        assert found is not None
        assert (found.account, found.least, found.challenger, found.receipt) == (
            ANNA.address, 10 * CREDIT, BERT.address, NOTHING,
        )  # fmt: skip
        assert (await town.seen()).open_challenges == 1
        await sign(town, ANNA, 4, 3 * CREDIT)
        at = await town.now()
        assert (await c.lane(ANNA.address, 4, at), await c.signed(ANNA.address, at)) == (
            3 * CREDIT, 3 * CREDIT,
        )  # fmt: skip
        await town.do(c.answer(1, *book.at(0)))
        at = await town.now()
        assert await c.challenge(1, at) is None
        assert await c.owed(ACCOUNT.address, at) == stake
        await town.do(c.collect())
        await finalise(town)

    check(kind, tmp_path, test)


@pytest.mark.parametrize("kind", NODES)
def test_a_false_batch_is_voided_and_the_bond_pays(kind: str, tmp_path: Path) -> None:
    """Rehearses docs/runbook-chain.md, "A false batch is pending"."""

    async def test(town: Town) -> None:
        c, terms = town.custody, town.deployment.terms
        await give(town, ANNA, 10 * CREDIT)
        await town.do(c.cut())
        await town.do(c.transfer(ANNA.address, terms.stake))
        await town.by(ANNA, c.approve(town.deployment.vault, terms.stake))
        await submit(town, Book((BERT, 10 * CREDIT, 0)))
        nothing = ms.Leaf(raw(ANNA.address), 0, 0), ms.Proof(0, ())
        assert (await town.by(ANNA, c.challenge_leaf(*nothing))).ok
        await town.later(terms.response + 1)
        assert (await town.by(BERT, c.void(1))).ok
        seen = await town.seen()
        assert (seen.pending.number, seen.voids, seen.open_challenges) == (0, 1, 0)
        at = await town.now()
        assert await c.owed(ANNA.address, at) == terms.stake + terms.penalty // 2
        assert await c.owed(town.deployment.commons, at) == terms.penalty // 2
        await submit(town, Book((ANNA, 10 * CREDIT, 0)))
        await finalise(town)
        assert (await town.seen()).voids == 0

    check(kind, tmp_path, test)


def test_a_promise_is_challenged_and_its_receipt_shown(tmp_path: Path) -> None:
    async def test(town: Town) -> None:
        c, stake = town.custody, town.deployment.terms.stake
        await give(town, ANNA, 10 * CREDIT)
        await town.do(c.cut())
        leaves = [keccak(bytes([n])) for n in range(3)]
        book = Book((ANNA, 7 * CREDIT, 3 * CREDIT), (BERT, 3 * CREDIT, 0))
        await town.do(c.transfer(BERT.address, stake))
        await town.by(BERT, c.approve(town.deployment.vault, stake))
        await submit(town, book, leaves)
        said = voucher.Promise(raw(BERT.address), leaves[1], 3 * CREDIT, 0)
        signed = OTHER.sign_digest(voucher.promise_digest(c.domain, said, keccak))
        assert (await town.by(BERT, c.challenge_earnings(said, signed))).ok
        path = merkle.path(leaves, 1)
        root = "0x" + merkle.root(leaves).hex()
        await town.do(c.answer_earnings(1, *book.at(1), 1, root, 3, 1, path))
        assert (await town.seen()).open_challenges == 0

    check("embedded", tmp_path, test)


@pytest.mark.parametrize("kind", NODES)
def test_after_silence_anyone_closes_and_a_member_leaves_with_his_leaf(
    kind: str, tmp_path: Path
) -> None:
    """The rehearsal of docs/runbook-chain.md, "The operator is silent"."""

    async def test(town: Town) -> None:
        c = town.custody
        await give(town, ANNA, 10 * CREDIT)
        await town.do(c.cut())
        book = Book((ANNA, 7 * CREDIT, 3 * CREDIT), (BERT, 3 * CREDIT, 0))
        await submit(town, book)
        await finalise(town)
        await give(town, BERT, CREDIT)
        await town.later(town.deployment.terms.silence + 1)
        assert (await town.by(BERT, c.close())).ok
        assert (await town.by(BERT, c.exit(*book.at(1)))).ok
        at = await town.now()
        assert (await c.look(at)).closed
        assert await c.credit_balance(BERT.address, at) == 4 * CREDIT
        assert await c.exited(BERT.address, at) == (True, True)
        assert await c.exited(ANNA.address, at) == (False, False)

    check(kind, tmp_path, test)


@pytest.mark.parametrize("kind", NODES)
def test_accounts_flows_allowance_and_bond(kind: str, tmp_path: Path) -> None:
    async def test(town: Town) -> None:
        c, made = town.custody, town.deployment
        await give(town, ANNA, 5 * CREDIT)
        await town.do(c.cut())
        await give(town, ANNA, 7 * CREDIT)
        await give(town, BERT, CREDIT)
        await town.do(c.approve(made.vault, 3))
        at = await town.now()
        assert await c.accounts(made.block, at) == {ANNA.address, BERT.address}
        assert await c.accounts(made.block, made.block + 1) == set()
        assert await c.flows(ANNA.address, 0, 2, at) == (12 * CREDIT, 0)
        assert await c.flows(ANNA.address, 1, 2, at) == (7 * CREDIT, 0)
        assert await c.flows(ANNA.address, 2, 2, at) == (0, 0)
        assert await c.deposited(ANNA.address, at) == 12 * CREDIT
        assert await c.allowance(ACCOUNT.address, made.vault, at) == 3
        assert await c.bonded(ACCOUNT.address, at) == 4 * made.terms.penalty
        assert await c.secures(ACCOUNT.address, at) == 4 * made.terms.penalty
        assert await c.credit_balance(made.vault, at) == 13 * CREDIT + 1  # the listing's one unit

    check(kind, tmp_path, test)


@pytest.mark.parametrize("kind", NODES)
def test_a_right_is_minted_once_and_redeemed_to_an_account(kind: str, tmp_path: Path) -> None:
    async def test(town: Town) -> None:
        c = town.custody
        address = await deploy_rights(town.sender, contracts(), town.rig.profile, INSTRUMENT)
        with pytest.raises(KeyError):
            c.mint_right("i", ANNA.address, 1, NOTHING)
        c.add_rights("i", address)
        reference = "0x" + keccak(text="claim 1").hex()
        await town.do(c.mint_right("i", ANNA.address, 250_000_000, reference))
        at = await town.now()
        assert await c.minted("i", reference, at)
        assert not await c.minted("i", NOTHING, at)
        account = "0x" + keccak(text="anna").hex()
        mined = await town.by(ANNA, c.redeem("i", 50_000_000, account))
        at = await town.now()
        assert await c.supply("i", at) == await c.right_balance("i", ANNA.address, at)
        assert await c.supply("i", at) == 200_000_000
        (back,) = await c.redemptions("i", 0, at)
        assert (back.holder, back.account, back.grains) == (ANNA.address, account, 50_000_000)
        assert (back.transaction, back.block) == (mined.hash, mined.block)
        assert await c.redemptions("i", 0, mined.block - 1) == []

    check(kind, tmp_path, test)


INSTRUMENT = Instrument(
    id="i", issuer="op", title="t", model="m", offer="o", start=0, end=2**33 * SECOND,
    capacity=10**9, price=100, zone=Zone("DEU"), name="Qwen2.5 Coder tokens, May 2027",
)  # fmt: skip


# --- nodes that are not what they seem ---------------------------------------------------


class Crooked:
    """A chain that passes everything on, but for what is put in its place."""

    def __init__(self, chain: Chain, **instead: Any) -> None:
        self._chain = chain
        self._instead = instead

    def __getattr__(self, name: str) -> Any:
        return self._instead.get(name) or getattr(self._chain, name)


def seen_through(town: Town, **instead: Any) -> ChainCustody:
    chain: Any = Crooked(town.rig.chain, **instead)
    return ChainCustody(chain, town.deployment, contracts(), town.rig.profile, SystemClock())


async def cause(reading: Awaitable[object]) -> str:
    with pytest.raises(ChainFailed) as failed:
        await reading
    return failed.value.cause


@pytest.mark.parametrize(
    "told",
    [b"", b"\x01", bytes(31), bytes(33), bytes(64), b"\xff" * 31 + b"\x01", bytes(2_000)],
    ids=["nothing", "a byte", "short", "long", "two words", "no bool", "much"],
)
def test_an_answer_of_other_bytes_is_garbled(told: bytes, tmp_path: Path) -> None:
    async def test(town: Town) -> None:
        async def call(to: str, data: bytes, *, at: int | None = None) -> bytes:
            return told

        odd = seen_through(town, call=call)
        assert await cause(odd.exited(ANNA.address, 1)) == "garbled"
        assert await cause(odd.look(1)) == "garbled"
        assert await cause(odd.withdrawal(1, 1)) == "garbled"

    check("embedded", tmp_path, test)


def test_another_contract_at_the_address_is_garbled(tmp_path: Path) -> None:
    async def test(town: Town) -> None:
        other = structs.replace(town.deployment, vault=town.deployment.bond)
        profile = town.rig.profile
        odd = ChainCustody(town.rig.chain, other, contracts(), profile, SystemClock())
        assert await cause(odd.look(await town.now())) == "garbled"
        early = town.deployment.block - 1
        assert await cause(town.custody.look(early)) == "garbled"

    check("embedded", tmp_path, test)


def test_a_block_that_changes_while_it_is_read_is_not_believed(tmp_path: Path) -> None:
    async def test(town: Town) -> None:
        count = 0

        async def block(number: int | None = None) -> object:
            nonlocal count
            count += 1
            found = await town.rig.chain.block(number)
            assert found is not None
            return structs.replace(found, hash="0x" + f"{count:064x}")

        odd = seen_through(town, block=block)
        assert await cause(odd.look(await town.now())) == "lagging"
        assert await cause(town.custody.look(10**6)) == "lagging"

    check("embedded", tmp_path, test)


def test_finality_counts_the_newest_block(tmp_path: Path) -> None:
    async def test(town: Town) -> None:
        newest = await town.custody.newest_block()
        for finality, final in ((1, newest), (4, newest - 3), (10**6, 0)):
            profile = structs.replace(town.rig.profile, finality=finality, lag_s=60)
            made = (town.rig.chain, town.deployment, contracts(), profile, SystemClock())
            custody: Custody = ChainCustody(*made)
            assert await custody.final_block() == final
            seen = await custody.look(newest)
            assert seen.now_s == seen.time_s  # where blocks come by themselves

    check("embedded", tmp_path, test)


# --- logs in pages -----------------------------------------------------------------------


class Pages:
    """A node that gives logs of at most `most` blocks at once, one log a block."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.searched: list[int] = []

    async def logs(
        self, address: str, first: int, last: int, topics: Sequence[str] = ()
    ) -> list[Log]:
        if last - first >= self.most:
            raise ChainFailed("failed", "query returned more than 10000 results")
        self.searched += range(first, last + 1)
        return [Log(address, tuple(topics), b"", n, "", "", 0) for n in (first, last)]


@pytest.mark.parametrize("most", [16, 100, 2_000, 9_999, 10**9])
def test_every_block_is_searched_once_whatever_a_node_allows(most: int) -> None:
    pages: Any = Pages(most)
    found = asyncio.run(reads.logs(pages, "0x", "0x1", 5, 200_000))
    assert pages.searched == list(range(5, 200_001))
    assert [log.block for log in found] == sorted(log.block for log in found)


def test_a_node_that_allows_hardly_anything_is_said_to() -> None:
    pages: Any = Pages(1)
    with pytest.raises(ChainFailed, match="10000 results"):
        asyncio.run(reads.logs(pages, "0x", "0x1", 0, 100))
    assert pages.searched == []


# --- words -------------------------------------------------------------------------------


def test_numbers_that_do_not_fit_are_no_calls() -> None:
    vault = Abi(contracts()["Vault"])
    assert len(vault.call("owed", ANNA.address)) == 36
    for amount in (-1, 2**256):
        with pytest.raises(OverflowError):
            vault.call("deposit", ANNA.address, amount)


def test_a_log_of_another_event_is_garbled() -> None:
    vault = Abi(contracts()["Vault"])
    good = (vault.topic("Finalised"), "0x" + (7).to_bytes(32, "big").hex())
    assert vault.log("Finalised", Log("", good, b"", 1, "", "", 0)) == {"number": 7}
    for topics, data in ((good[:1], b""), (good, bytes(32)), ((good[1], good[1]), b"")):
        with pytest.raises(ChainFailed, match="Finalised"):
            vault.log("Finalised", Log("", topics, data, 1, "", "", 0))
