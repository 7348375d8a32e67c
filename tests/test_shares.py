"""Shares at the doors and at the terminal: vouchers, purchases and lists, on a real chain."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from bridge import BUYER, HOLDER
from chains import ACCOUNT
from click.testing import CliRunner
from deployed import CACHE
from eth_utils import keccak
from market import START
from sold import COMMONS, PRICE, SECRETS, SHARE, ShareTown, sold

from allmende.adapters.sale_terms import DAY
from allmende.cli import main
from allmende.cli.client import Failed
from allmende.core.identity import lacks
from allmende.core.units import SECOND

KEYS = {HOLDER: "a holder", BUYER: "a buyer"}
Story = Callable[[ShareTown], Awaitable[None]]


def told(folder: Path, story: Story, mode: str = "open", **terms: Any) -> None:
    async def work() -> None:
        async with sold(folder, mode, **terms) as town, asyncio.timeout(60):
            await story(town)

    asyncio.run(work())


async def ask(town: ShareTown, path: str, role: str = "operate", **fields: Any) -> Any:
    return await asyncio.to_thread(town.client(role).ask, f"shares/{path}", fields)


async def voucher(town: ShareTown, role: str = "operate", **other: Any) -> Any:
    return await ask(town, "voucher", role, **{"member": "author", "state": "DEU", **other})


async def refused(town: ShareTown, role: str = "operate", **other: Any) -> str:
    with pytest.raises(Failed) as no:
        await voucher(town, role, **other)
    return no.value.message


async def run(town: ShareTown, *words: str, by: Any = None, code: int = 0) -> str:
    """`allmende share words…` by a wallet, or by the operator's key."""
    more = ["--url", town.url, "--key", SECRETS["operate"]]
    if by is not None:
        file = town.folder / f"{KEYS[by]}.key"
        file.touch(mode=0o600)
        file.write_text(keccak(text=KEYS[by]).hex())
        more += ["--node", f"{town.url}/chain", "--cache", str(CACHE)]
        more += ["--wallet-key-file", str(file)]
    done = await asyncio.to_thread(CliRunner().invoke, main, ["share", *words, *more])
    assert done.exit_code == code, done.output + done.stderr
    return done.output + done.stderr


# Sale -------------------------------------------------------------------------------------


def test_a_purchase_by_voucher_is_taken_back_to_the_last_unit(tmp_path: Path) -> None:
    async def story(town: ShareTown) -> None:
        file = tmp_path / "voucher.json"
        await run(town, "sale", "voucher", "author", "DEU", "--shares", "3", "--out", str(file))
        had = await town.credit(HOLDER.address)
        said = await run(town, "sale", "buy", "3", "--voucher", str(file), by=HOLDER)
        assert "Purchase 1: 3 shares" in said
        assert await town.credit(HOLDER.address) == had - 3 * PRICE
        shown = await run(town, "balance", HOLDER.address)
        assert "open" in shown
        status = await run(town, "sale", "status")
        assert "DEU" in status
        assert "148" in status
        no = await run(town, "sale", "release", "1", by=HOLDER, code=1)
        assert "sale: may still be taken back" in no
        no = await run(town, "sale", "refund", "1", by=BUYER, code=1)
        assert "sale: not the buyer" in no
        await run(town, "sale", "refund", "1", by=HOLDER)
        assert await town.credit(HOLDER.address) == had
        assert "sale: ended already" in await run(town, "sale", "refund", "1", by=HOLDER, code=1)
        no = await run(town, "sale", "buy", "1", "--voucher", str(file), by=BUYER, code=1)
        assert "The voucher is for" in no

    told(tmp_path, story)


def test_after_its_time_a_purchase_is_released_to_buyer_and_commons(tmp_path: Path) -> None:
    async def story(town: ShareTown) -> None:
        words = ("sale", "buy", "5", "--member", "author", "--state", "DEU")
        await run(town, *words, by=HOLDER)
        town.clock.at = town.terms.decided_at * SECOND
        await run(town, "sale", "release", "1", by=BUYER)  # anybody may
        assert await town.shares(HOLDER.address) == 5 * SHARE
        assert await town.credit(COMMONS) == 5 * PRICE
        sale = (await asyncio.to_thread(town.client().get, "shares"))["sale"]
        assert (sale["word"], sale["held"], sale["sold"]) == ("done", "0", 5)

    told(tmp_path, story, "lab")


def test_a_door_refuses_for_the_reason_of_the_contract(tmp_path: Path) -> None:
    async def story(town: ShareTown) -> None:
        for shares, why in (
            (11, "over the hard cap"),
            (9, "over the person's cap"),
            (0, "nothing"),
        ):
            assert f"sale: {why}" in await refused(town, shares=shares)
        words = ("sale", "buy", "8", "--member", "author", "--state", "DEU")
        await run(town, *words, by=HOLDER)
        assert "sale: over the hard cap" in await refused(town, member="host", shares=3)
        assert "sale: over the person's cap" in await refused(town)
        town.clock.at = town.terms.end * SECOND
        assert "sale: over" in await refused(town, member="host")

    told(tmp_path, story)


def test_no_voucher_beyond_the_persons_and_the_euro_of_the_law(tmp_path: Path) -> None:
    async def story(town: ShareTown) -> None:
        words = ("sale", "buy", "1", "--member", "author", "--state", "DEU")
        await run(town, *words, by=HOLDER)
        # 250,000 euro a credit: four shares of 2 credits are over a million
        assert "sale: over the limit of proceeds" in await refused(town, member="host", shares=2)
        await voucher(town, member="host", shares=1)

    told(tmp_path, story, euro_rate=250_000_000_000)


def test_who_gets_no_voucher(tmp_path: Path) -> None:
    async def story(town: ShareTown) -> None:
        assert "operator's key" in await refused(town, "manage")
        assert "No wallet is linked to 'uni'" in await refused(town, member="uni")
        assert "No member 'nobody'" in await refused(town, member="nobody")
        assert "three letters such as DEU" in await refused(town, state="Germany")
        assert "three letters such as DEU" in await refused(town, state="XXX")
        assert "hours is 1 to 720" in await refused(town, hours=0)
        told_ = await voucher(town)
        again = await voucher(town)
        assert told_["voucher"]["person"] == again["voucher"]["person"]  # counted once
        other = await voucher(town, member="host")
        assert other["voucher"]["person"] != told_["voucher"]["person"]
        assert "author" not in json.dumps(told_)

    told(tmp_path, story)


def test_in_the_lab_a_member_says_itself_where_it_is_from(tmp_path: Path) -> None:
    async def story(town: ShareTown) -> None:
        await voucher(town, "manage")
        assert "Acting for 'host'" in await refused(town, "manage", member="host")

    told(tmp_path, story, "lab")


def test_a_mode_without_sales_says_the_same_at_desk_and_contract(tmp_path: Path) -> None:
    async def story(town: ShareTown) -> None:
        assert lacks("limited_network", "sale") in await refused(town)

    told(tmp_path, story, "limited_network")


# Airdrops ---------------------------------------------------------------------------------


async def begun(town: ShareTown) -> Path:
    """A round of 40 shares for the holder and 2.5 for the buyer."""
    listed = town.folder / "list.csv"
    listed.write_text(f"address,shares\n{HOLDER.address},40\n{BUYER.address},2.5\n")
    assert "42.5 shares for 2" in await run(town, "airdrop", "begin", str(listed), "--days", "90")
    for _ in range(2):
        await town.sender.step()
    no = await run(town, "airdrop", "begin", str(listed), code=1)
    assert "has begun already" in no
    return listed


def test_a_list_is_claimed_once_by_whoever_sends_it(tmp_path: Path) -> None:
    async def story(town: ShareTown) -> None:
        listed = str(await begun(town))
        await run(town, "airdrop", "claim", listed, "--account", BUYER.address, by=HOLDER)
        assert await town.shares(BUYER.address) == 5 * SHARE // 2
        no = await run(town, "airdrop", "claim", listed, by=BUYER, code=1)
        assert "claims: claimed already" in no
        await run(town, "airdrop", "claim", listed, by=HOLDER)
        assert await town.shares(HOLDER.address) == 40 * SHARE
        assert "42.5" in await run(town, "airdrop", "status")

    told(tmp_path, story, "limited_network")


def test_a_round_that_cannot_be_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    async def story(town: ShareTown) -> None:
        later = START // SECOND + DAY
        good = {"root": "0x" + "11" * 32, "total": str(SHARE), "deadline": later}
        for wrong, says in (
            ({"root": "0x11"}, "root is 0x and 64"),
            ({"total": "1.5"}, "a number of base units"),
            ({"total": str(101 * SHARE)}, "100 whole shares are left"),
            ({"deadline": later - DAY}, "airdrop: over"),
        ):
            with pytest.raises(Failed, match=says):
                await ask(town, "airdrop", **{**good, **wrong})
        with pytest.raises(Failed, match="operator's key"):
            await ask(town, "airdrop", "manage", **good)
        revoke = town.commons["Airdrop"].call(
            "revokeRole", "0x" + keccak(text="GIVER").hex(), ACCOUNT.address
        )
        await town.by(ACCOUNT, revoke)
        with pytest.raises(Failed, match="by a vote"):
            await ask(town, "airdrop", **good)

    told(tmp_path, story)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "nobody gets anything"),
        ("0x" + "11" * 20 + ",1\nnonsense", "line 2: not an address"),
        ("0x" + "11" * 20 + ",1\n0x" + "11" * 20 + ",2", "line 2: 0x1111"),
        ("0x" + "11" * 20 + ",-1", "line 1: not an address"),
        ("0x" + "00" * 20 + ",1", "not all of them zero"),
    ],
)
def test_a_list_that_is_none_says_in_which_line(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "list.csv"
    file.write_text(text)
    done = CliRunner().invoke(main, ["share", "airdrop", "root", str(file)])
    assert done.exit_code == 1
    assert says in done.stderr


def test_a_line_of_a_list_is_shown_with_its_proof(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text(f"# for the first members\n{HOLDER.address};1\n{BUYER.address}\t0.5\n")
    words = ["share", "airdrop", "proof", str(file), HOLDER.address]
    made = json.loads(CliRunner().invoke(main, words).output)
    assert (made["amount"], len(made["proof"])) == (str(SHARE), 1)
    words[-1] = ACCOUNT.address
    assert "is not on the list" in CliRunner().invoke(main, words).stderr
