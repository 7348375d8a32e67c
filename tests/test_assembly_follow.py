"""What members decide on a chain reaches the desk: read, counted again, in order, once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from assembled import REGISTRAR, Here, assembled, raw
from market import START, HandClock, open_desk, reserve
from msgspec import structs
from test_views_fold import folded

from allmende.adapters.chain.signing import Keys
from allmende.adapters.views import SqliteViews
from allmende.adapters.views_govern import SqliteTold
from allmende.cli.chain_recount import recounted
from allmende.core import events as e
from allmende.core import ledger
from allmende.core.charter_commands import GiveCharter
from allmende.core.commands import Capture, SetParameter, Tick
from allmende.core.refusals import Refused
from allmende.core.units import SECOND, Units
from allmende.custody import ContractCall
from allmende.desk import Desk
from allmende.doors.assembly_follow import AssemblyFollow
from allmende.doors.assembly_page import AssemblyPage
from allmende.doors.assembly_roll import AssemblyRoll, Wanted
from allmende.ports import ChainFailed
from allmende.wire.assembly import Told
from allmende.wire.credential import Credential, credential_digest
from allmende.wire.recount_votes import behind, differences
from allmende.wire.strangers import MARK


def follower(desk: Desk, here: Here, file: Path | str = ":memory:") -> AssemblyFollow:
    store = SqliteTold(file, here.commons["Assembly"].address)
    return AssemblyFollow(desk, HandClock(), here.commons, store)


async def chartered(desk: Desk, follow: AssemblyFollow) -> None:
    charter = follow.charter
    await desk.submit(GiveCharter(assembly=charter.assembly, chain_id=charter.chain_id))


async def story(folder: Path) -> None:
    async with assembled(folder) as here:
        desk, heard = await open_desk(folder), []
        desk.watch(lambda _, events: heard.extend(events))
        follow = follower(desk, here, folder / "assembly.sqlite")
        await two_rules_change(desk, follow, here)
        await a_grant_is_paid_or_noted(desk, follow, here)
        await whoever_starts_again_reads_the_same(desk, follow, here, folder)
        await words_that_are_none_stop_nobody(follow, here)
        await a_recount_finds_what_differs(desk, follow, heard, folder)
        await logs_that_are_left_out_are_noticed(desk, here)
        await what_a_chain_took_back_is_read_again(desk, follow, here)
        credentials_are_signed_for_members(desk, follow)
        await desk.close()


async def two_rules_change(desk: Desk, follow: AssemblyFollow, here: Here) -> None:
    anna, ben = await here.person("anna", shares=30), await here.person("ben", shares=10)
    await here.act(anna, "Assembly", "propose_parameter", "hold_seconds", 60, 0, "shorter")
    await here.act(anna, "Assembly", "propose_parameter", "operator_fee_ppm", 40_000, 0, "less")
    for number in (1, 2):
        await here.act(ben, "Assembly", "vote", number, 1)
    await here.decide(2, [anna], [])
    await follow.step()
    assert not follow.chartered()
    assert desk.state.parameters["operator_fee_ppm"] == 50_000  # nobody gave it a charter
    await chartered(desk, follow)
    await follow.step()
    await follow.step()
    await desk.submit(Tick(at=START + 3_600 * SECOND))  # the test's chain is ahead of its desk
    assert (desk.state.enacted, desk.state.parameters["operator_fee_ppm"]) == (1, 40_000)
    with pytest.raises(Refused, match="by vote"):
        await desk.submit(SetParameter(name="operator_fee_ppm", value=1))


async def a_grant_is_paid_or_noted(desk: Desk, follow: AssemblyFollow, here: Here) -> None:
    await desk.submit(reserve("r"))
    await desk.submit(Capture(hold="r", estimate=Units(input=1_000, output=256)))
    there = ledger.balance(desk.state, ledger.COMMONS, "credit")
    assert there > 0
    carl, dora = await here.person("carl", shares=50), await here.person("dora")
    await here.act(carl, "Assembly", "propose_grant", "author", there + 1, "too much")
    await here.act(carl, "Assembly", "propose_grant", "author", there, "for a dataset")
    for number in (3, 4):
        await here.act(dora, "Assembly", "vote", number, 1)
        await here.act(carl, "Assembly", "vote", number, 1)
    await here.town.later(12)
    for number in (4, 3):  # decided in the order in which they are executed
        await here.act(carl, "Assembly", "queue", number)
        await here.act(carl, "Assembly", "execute", number, [])
    await follow.step()
    assert desk.state.enacted == 3
    assert ledger.balance(desk.state, ledger.COMMONS, "credit") == 0
    assert [d.value for d in follow.book.decisions[1:]] == [there, there + 1]


async def whoever_starts_again_reads_the_same(
    desk: Desk, follow: AssemblyFollow, here: Here, folder: Path
) -> None:
    page = page_of(desk, lambda: follow)
    shown = [page.facts(), page.proposals(), page.proposal(4)]
    assert [len(row["chambers"]) for row in shown[1]] == [2, 2, 2, 1]
    for again in (follower(desk, here, folder / "assembly.sqlite"), follower(desk, here)):
        await again.step()
        assert (again.book.faults, again.book.decisions) == ([], follow.book.decisions)
        told = page_of(desk, lambda again=again: again)
        assert [told.facts(), told.proposals(), told.proposal(4)] == shown
    with pytest.raises(Refused, match="no proposal 99"):
        page.proposal(99)
    with pytest.raises(Refused, match="no assembly"):
        page_of(desk, lambda: None).facts()


async def words_that_are_none_stop_nobody(follow: AssemblyFollow, here: Here) -> None:
    """A text need not be UTF-8, and a name may be one that a terminal should not print."""
    eva = await here.person("eva")
    call = here.commons["Assembly"].call("propose_grant", "NAME" * 9, 5, "TEXT" * 9)
    data = call.data.replace(b"NAME" * 9, b"\xff" * 36).replace(
        b"TEXT" * 9, b"\x1b[31m" + b"\xfe" * 31
    )
    assert (await here.town.by(eva, ContractCall(call.to, data))).ok
    await follow.step()
    its = follow.book.proposals[5]
    assert its.name == MARK * 36
    assert its.text == MARK + "[31m" + MARK * 31


def page_of(desk: Desk, following: Callable[[], AssemblyFollow | None]) -> AssemblyPage:
    return AssemblyPage(desk, NoViews(), HandClock(), following)


class NoViews:
    """What `facts` and proposals never ask."""

    async def rows(self, name: str, /, **_: object) -> list[dict[str, object]]:
        raise AssertionError(name)

    async def caught_up(self, number: int, timeout_s: float = 2.0) -> bool:
        return True


async def a_recount_finds_what_differs(
    desk: Desk, follow: AssemblyFollow, heard: list[e.Event], folder: Path
) -> None:
    founded = [e.Founded(at=START, market=desk.state.market, asset=desk.state.assets["credit"])]
    views = SqliteViews(folded(folder, [*founded, *heard]))
    rows = await AssemblyPage(desk, views, HandClock(), lambda: follow).decisions()
    await views.close()
    assert [row["number"] for row in rows] == [1, 2, 3]
    taken, now = recounted(rows), START + 10**15
    rules, book = desk.state.parameters, follow.book
    assert differences(book, taken, rules, now) == []
    assert (behind(book, taken), behind(book, taken[:1])) == (0, 2)
    other = structs.replace(taken[0].decision, value=1)
    for wrong, parameters, says in (
        (taken, {**rules, "operator_fee_ppm": 50_000}, "40000 was decided"),
        ([taken[1], taken[0], taken[2]], rules, "decision 1: the market took"),
        ([structs.replace(taken[0], decision=other), *taken[1:]], rules, "decision 1"),
        ([structs.replace(taken[0], undone="no mood"), *taken[1:]], rules, "was not carried out"),
        ([*taken, taken[2]], rules, "never decided"),
    ):
        found = differences(book, wrong, parameters, now)
        assert any(says in one for one in found), (says, found)


async def what_a_chain_took_back_is_read_again(
    desk: Desk, follow: AssemblyFollow, here: Here
) -> None:
    """What was kept is of a block that is gone: forgotten once, and then it adds up."""
    store = SqliteTold(":memory:", here.commons["Assembly"].address)
    said = {"account": "0x" + "99" * 20, "amount": 7}
    first = here.commons.record.block
    store.take([Told("Stake", "Staked", said, first, 0, 0, "0x00")], first + 1)
    again = AssemblyFollow(desk, HandClock(), here.commons, store)
    with pytest.raises(ChainFailed, match="lied"):
        await again.step()
    await again.step()
    assert again.book.decisions == follow.book.decisions
    assert again.book.stakes.staked == follow.book.stakes.staked


def credentials_are_signed_for_members(desk: Desk, follow: AssemblyFollow) -> None:
    keys = Keys(None, REGISTRAR, REGISTRAR)  # type: ignore[arg-type]  # it seals nothing here
    roll = AssemblyRoll(desk, None, HandClock(), keys, lambda: follow)  # type: ignore[arg-type]
    wallet = "0x" + "5a" * 20
    made = [roll.credential(Wanted("uni", wallet, days)) for days in (9, 10)]
    assert len({one["member"] for one in made}) == 1  # a member has one hash
    said = Credential(raw(str(made[0]["member"])), raw(wallet), int(str(made[0]["expiry"])))
    where = (follow.charter.chain_id, raw(follow.charter.assembly))
    digest = credential_digest(*where, said, keys.keccak)
    assert keys.recover(digest, raw(str(made[0]["signature"]))) == REGISTRAR.address
    for wanted, says in (
        (Wanted("nobody", wallet), "No member"),
        (Wanted("host", wallet), "is a provider"),
        (Wanted("uni", wallet, 0), "holds 1 to"),
        (Wanted("uni", "0x12"), "address"),
    ):
        with pytest.raises(Refused, match=says):
            roll.credential(wanted)
    absent = AssemblyRoll(desk, None, HandClock(), keys, lambda: None)  # type: ignore[arg-type]
    with pytest.raises(Refused, match="no assembly"):
        absent.credential(Wanted("uni", wallet))


class Forgetful:
    """A node that leaves one kind of log out."""

    def __init__(self, inner: object, without: str) -> None:
        self._inner = inner
        self._without = without

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    async def logs(self, event: str, first: int, last: int) -> list[object]:
        if event == self._without:
            return []
        return list(await self._inner.logs(event, first, last))  # type: ignore[attr-defined]


class Lying:
    def __init__(self, commons: object, without: str) -> None:
        self._commons = commons
        self._without = without

    def __getattr__(self, name: str) -> object:
        return getattr(self._commons, name)

    def __getitem__(self, name: str) -> Forgetful:
        return Forgetful(self._commons[name], self._without)  # type: ignore[index]


async def logs_that_are_left_out_are_noticed(desk: Desk, here: Here) -> None:
    before = desk.state.enacted
    for event in ("Voted", "Decided", "Staked", "Enrolled", "Proposed", "Locked"):
        store = SqliteTold(":memory:", "x")
        lying = AssemblyFollow(desk, HandClock(), Lying(here.commons, event), store)  # type: ignore[arg-type]
        with pytest.raises(ChainFailed) as failed:
            await lying.step()
        assert failed.value.cause == "lied", event
        assert store.upto == -1
    assert desk.state.enacted == before


def test_what_members_decide_reaches_the_desk(tmp_path: Path) -> None:
    asyncio.run(story(tmp_path))
