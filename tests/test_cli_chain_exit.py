"""`allmende chain check, exit, challenge, withdraw`: with a ticket and a node alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from chains import ACCOUNT, ETHER, OTHER, Rig
from click.testing import CliRunner, Result
from deployed import CACHE, CREDIT, contracts
from eth_utils import keccak
from killing import Death, Killed
from vault_town import ANNA, BERT, SECRETS, WATCHER, Town, key_file, vault_town

from allmende.adapters.chain.account import Account
from allmende.adapters.chain.hand import Hand
from allmende.adapters.chain.leaving import Leaving
from allmende.adapters.chain.leaving_acts import Acts
from allmende.adapters.chain.profiles import EMBEDDED
from allmende.adapters.clock import SystemClock
from allmende.cli import main


def check(folder: Path, test: Callable[[Town], Awaitable[None]]) -> None:
    async def work() -> None:
        async with vault_town(folder) as town, asyncio.timeout(60):
            await test(town)

    asyncio.run(work())


async def run(town: Town, *words: str, exit_code: int = 0) -> Result:
    """As typed in another terminal; no secret may be in what it says."""
    line = ["chain", *words, "--node", town.url, "--cache", str(CACHE)]
    done = await asyncio.to_thread(CliRunner().invoke, main, line)
    assert done.exit_code == exit_code, (done.output, done.exception)
    for secret in SECRETS.values():
        assert secret.hex() not in done.output + done.stderr
    return done


async def said(town: Town, *words: str, exit_code: int = 0) -> str:
    done = await run(town, *words, exit_code=exit_code)
    return done.output + done.stderr


async def anna_and_bert(town: Town) -> tuple[str, str]:
    """Anna put in 10 and spent 3 at Bert's, and put in 2 more since: her ticket and key."""
    await town.give(ANNA, 10)
    await town.give(BERT, 1)
    await town.batch((ANNA, 7, 3), (BERT, 4, 0))
    await town.give(ANNA, 2)
    return await town.file(ANNA), key_file(town.folder, "anna")


def read(file: str) -> str:
    return Path(file).read_text()


def write(file: str, text: str) -> None:
    Path(file).write_text(text)


# Exit -------------------------------------------------------------------------------------


def test_a_member_leaves_with_a_ticket_and_a_node_alone(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        ticket, key = await anna_and_bert(town)
        exit_ = ("exit", ticket, "--wallet-key-file", key)
        told = await said(town, "check", ticket)
        assert "of batch 1, the final one" in told
        assert f"An exit would pay 9 CRED to {ANNA.address}" in told
        told = await said(town, *exit_, exit_code=1)
        assert "The market is open" in told
        assert "come back after" in told
        await town.silence()
        told = await said(town, *exit_)
        assert "anybody may close the market" in told
        assert "closed with batch 1" in told
        assert "had 0 CRED in its wallet and has 9 CRED" in told
        assert await town.purse(ANNA) == 9 * CREDIT
        again = json.loads((await run(town, *exit_, "--json")).output)
        assert (again["before"], again["after"]) == (9 * CREDIT, 9 * CREDIT)
        told = await said(town, "check", ticket)
        assert "Paid out; 0 CRED are left" in told

    check(tmp_path, story)


def test_a_member_without_a_leaf_takes_its_deposits_out(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        await anna_and_bert(town)
        await town.give(WATCHER, 5)
        ticket = await town.file(WATCHER)
        await town.silence()
        key = key_file(town.folder, "a watcher")
        told = await said(town, "exit", ticket, "--wallet-key-file", key)
        assert "has 5 CRED" in told
        assert await town.purse(WATCHER) == 5 * CREDIT

    check(tmp_path, story)


def test_an_old_ticket_says_so_and_pays_the_later_deposits_if_told(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        old, key = await anna_and_bert(town)
        await town.batch((ANNA, 9, 3), (BERT, 4, 0))
        new = await town.file(ANNA, "new.json")
        await town.give(ANNA, 1)
        told = await said(town, "check", old, exit_code=1)
        assert "of batch 1, the final one is 2" in told
        await town.silence()
        exit_ = ("exit", old, "--wallet-key-file", key)
        told = await said(town, *exit_, exit_code=1)
        assert "is not of batch 2" in told
        assert "has 1 CRED" in await said(town, *exit_, "--deposits-only")
        assert "has 10 CRED" in await said(town, "exit", new, "--wallet-key-file", key)
        assert await town.purse(ANNA) == 10 * CREDIT

    check(tmp_path, story)


def test_a_pending_batch_that_is_due_is_made_final_first(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        _, key = await anna_and_bert(town)
        await town.submit((ANNA, 9, 3), (BERT, 4, 0))
        ticket = await town.file(ANNA)
        told = await said(town, "check", ticket)
        assert "of batch 2, which is still pending" in told
        await town.silence()
        exit_ = ("exit", ticket, "--wallet-key-file", key)
        told = await said(town, *exit_, exit_code=1)
        assert "batch 2 is final" in told
        await town.silence()
        assert "has 9 CRED" in await said(town, *exit_)

    check(tmp_path, story)


def test_exit_waits_where_it_is_told_to_watch(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        ticket, key = await anna_and_bert(town)
        watching = asyncio.create_task(
            said(town, "exit", ticket, "--wallet-key-file", key, "--watch")
        )
        await asyncio.sleep(0)
        await town.silence()
        assert "has 9 CRED" in await watching

    check(tmp_path, story)


def test_what_was_asked_for_before_the_end_is_paid_with_the_exit(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        ticket, key = await anna_and_bert(town)
        told = await said(town, "withdraw", ticket, "4", "--wallet-key-file", key)
        assert "Asked for: 4 CRED (number 1)" in told
        await town.batch((ANNA, 5, 3), (BERT, 4, 0))
        ticket = await town.file(ANNA)
        await town.silence()
        assert "has 9 CRED" in await said(town, "exit", ticket, "--wallet-key-file", key)

    check(tmp_path, story)


def test_dying_at_any_call_pays_each_member_once(tmp_path: Path) -> None:
    crowd = [Account(keccak(text=f"one of many {n}")) for n in range(40)]

    async def leave(town: Town, who: Account, point: int) -> bool:
        """Whether it died."""
        death = Death(point, lambda: (_ for _ in ()).throw(Killed))
        chain = death.watch(town.chain)
        ticket = await town.ticket(who)
        leaving = Leaving(chain, ticket, contracts(), EMBEDDED, SystemClock())
        hand = Hand(chain, who, EMBEDDED, SystemClock(), lambda _: None)
        try:
            await leaving.begin()
            await Acts(leaving, hand, lambda _: None, watch=False).exit()
        except (Killed, BaseExceptionGroup):  # alone, or from among questions asked at once
            return True
        return False

    async def story(town: Town) -> None:
        await town.give(ANNA, 80)
        await town.batch((ANNA, 0, 80), *((who, 2, 0) for who in crowd))
        await town.silence()
        await town.by(OTHER, town.custody.close())
        for place, who in enumerate(crowd):
            await gas(town, who)
            died = await leave(town, who, 37 * place + 1)
            assert not await leave(town, who, 0)
            assert await town.purse(who) == 2 * CREDIT, place
            if not died:
                break
        assert 4 < place < len(crowd) - 1

    check(tmp_path, story)


async def gas(town: Town, who: Account) -> None:
    await Rig("embedded", town.chain, EMBEDDED, ACCOUNT).send(who.address, value=ETHER // 100)


# Keys and gas -----------------------------------------------------------------------------


def test_keys_are_refused_that_others_can_read_or_that_are_none(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        ticket, _ = await anna_and_bert(town)
        exit_ = ("exit", ticket, "--wallet-key-file")
        shown = key_file(town.folder, "anna", 0o644)
        assert "chmod 600" in await said(town, *exit_, shown, exit_code=1)
        other = key_file(town.folder, "bert")
        told = await said(town, *exit_, other, exit_code=1)
        assert f"The key is of {BERT.address}" in told
        write(other, "a mnemonic of twelve words, say")
        told = await said(town, *exit_, other, exit_code=1)
        assert "is no wallet key" in told
        assert "mnemonic" not in told

    check(tmp_path, story)


def test_a_wallet_without_gas_is_told_how_much_is_missing(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        ticket, key = await anna_and_bert(town)
        await town.silence()
        away = await town.chain.balance(ANNA.address)
        rig = type(town.rig)("embedded", town.chain, EMBEDDED, ANNA)
        price = await town.chain.price()
        await rig.send(OTHER.address, value=away - 21_000 * price, gas=21_000, max_fee=price)
        told = await said(town, "exit", ticket, "--wallet-key-file", key, exit_code=1)
        assert "no_funds" in told
        assert "send it" in told
        assert "wei more" in told
        assert await town.purse(ANNA) == 0

    check(tmp_path, story)


# The wrong chain --------------------------------------------------------------------------


def test_another_chain_or_deployment_is_named(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        ticket, _ = await anna_and_bert(town)

        async def with_(**other: Any) -> str:
            file = await town.file(ANNA, "other.json", **other)
            return await said(town, "check", file, exit_code=1)

        assert "chain: the node's is 31337, the ticket's 5" in await with_(chain_id=5)
        assert "first block: the node's is" in await with_(genesis="0x" + "11" * 32)
        assert "There is no contract at" in await with_(vault="0x" + "11" * 20)
        assert "Other code than the Vault" in await with_(vault=town.made.credit)
        assert "The vault pays in" in await with_(token=town.made.bond)
        write(ticket, read(ticket).replace('"balance": "7', '"balance": "8'))
        assert "was changed" in await said(town, "check", ticket, exit_code=1)

    check(tmp_path, story)


def test_a_node_that_is_away_or_lies_is_told_apart(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        ticket, _ = await anna_and_bert(town)
        has_leaf = (
            "0x"
            + keccak(text="has_leaf((address,uint256,uint256),(uint256,(bytes32,uint256)[]))")[
                :4
            ].hex()
        )

        async def answer(params: Any) -> Any:
            if params[0]["input"].startswith(has_leaf):
                return "0x" + "00" * 32
            return await town.node.ask("eth_call", params)

        town.lies["eth_call"] = answer
        assert "lied" in await said(town, "check", ticket, exit_code=1)
        town.lies["eth_call"] = "0x"
        assert "garbled" in await said(town, "check", ticket, exit_code=1)
        url, town.url = town.url, "http://127.0.0.1:1"
        await said(town, "check", ticket, exit_code=3)
        town.url = url

    check(tmp_path, story)


# Challenge and withdrawal -----------------------------------------------------------------


def test_a_watcher_voids_a_batch_that_hides_a_leaf(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        ticket, _ = await anna_and_bert(town)
        key = key_file(town.folder, "a watcher")
        challenge = ("challenge", ticket, "--wallet-key-file", key)
        assert "nothing to challenge" in await said(town, *challenge, exit_code=1)
        await town.submit((BERT, 13, 0))
        assert "send it 1 CRED" in await said(town, *challenge, exit_code=1)
        await town.by(ACCOUNT, town.custody.transfer(WATCHER.address, CREDIT))
        told = await said(town, *challenge)
        assert "Challenge 1 of batch 2 stands" in told
        assert "Challenge 1 of batch 2 stands" in await said(town, *challenge)
        assert await town.purse(WATCHER) == 0
        await town.later(town.made.terms.response)
        told = await said(town, *challenge)
        assert "Batch 2 is void. 6 CRED were collected" in told
        assert await town.purse(WATCHER) == 6 * CREDIT, "the stake, and half of the penalty"

    check(tmp_path, story)


def test_a_watcher_learns_that_the_operator_answered(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        ticket, _ = await anna_and_bert(town)
        old = await town.ticket(ANNA)
        await town.by(ACCOUNT, town.custody.settle(old.leaf, old.proof))
        await town.submit((ANNA, 9, 3), (BERT, 4, 0))
        await town.by(ACCOUNT, town.custody.transfer(WATCHER.address, CREDIT))
        key = key_file(town.folder, "a watcher")
        watching = asyncio.create_task(
            said(town, "challenge", ticket, "--wallet-key-file", key, "--watch")
        )
        while await town.custody.challenge(1, await town.custody.newest_block()) is None:
            await asyncio.sleep(0.02)
        shown = await town.ticket(ANNA)
        await town.by(ACCOUNT, town.custody.answer(1, shown.leaf, shown.proof))
        assert "The operator answered" in await watching

    check(tmp_path, story)


def test_a_withdrawal_is_asked_for_once_and_paid_when_it_is_covered(tmp_path: Path) -> None:
    async def story(town: Town) -> None:
        ticket, key = await anna_and_bert(town)
        withdraw = ("withdraw", ticket, "2.5", "--wallet-key-file", key)
        assert "Asked for: 2.5 CRED (number 1)" in await said(town, *withdraw)
        assert "You asked before" in await said(town, *withdraw)
        seen = await town.custody.look(await town.custody.newest_block())
        assert seen.withdrawal_count == 1
        for amount in ("0", "0.0000000000001", "ten", "1e9", "1.2.3", "9" * 90):
            told = await said(town, *withdraw[:2], amount, *withdraw[3:], exit_code=1)
            assert "is no amount of CRED" in told
        told = await said(town, *withdraw[:2], "50", *withdraw[3:], "--again", exit_code=1)
        assert "more than there is" in told
        watching = asyncio.create_task(said(town, *withdraw, "--watch"))
        await town.submit((ANNA, 6.5, 3), (BERT, 4, 0))
        await town.finalise()
        assert "Paid; the wallet has 2.5 CRED" in await watching

    check(tmp_path, story)


@pytest.mark.parametrize("name", ["ticket", "check", "exit", "challenge", "withdraw", "prove"])
def test_every_command_says_what_it_does(name: str) -> None:
    done = CliRunner().invoke(main, ["chain", name, "--help"])
    assert done.exit_code == 0
    assert "--json" in done.output
