"""The submitter: each thing wanted is in the chain once, whatever happens on the way.

The fake chain knows how often it holds a tally; that, and never what the submitter believes,
is what these tests count.
"""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from chains import (
    ACCOUNT,
    CHAIN_ID,
    ETHER,
    OTHER,
    name,
    tally,
    tally_code,
)
from fake_chain import BASE_FEE, FakeChain
from hypothesis import given
from hypothesis import strategies as st
from killing import Death, Killed
from market import HandClock

from allmende.adapters.chain.account import Draft
from allmende.adapters.chain.oddities import SECOND
from allmende.adapters.chain.outbox import Outbox
from allmende.adapters.chain.profiles import ETHEREUM, PROFILES, Profile
from allmende.adapters.chain.submitter import Submitter
from allmende.core.refusals import Refused, Why
from allmende.ports import ChainFailed, Send, Sender, Stage, Wanted

TEST = msgspec.structs.replace(ETHEREUM, chain_id=CHAIN_ID, finality=4, patience_s=60, lag_s=0)


class Desk:
    """A submitter on a fake chain with a Tally, and a clock that is moved by hand."""

    def __init__(self, folder: Path, profile: Profile = TEST) -> None:
        self.chain = FakeChain(CHAIN_ID, {ACCOUNT.address: 100 * ETHER, OTHER.address: ETHER})
        self.profile = profile
        self.clock = HandClock(1_790_000_000 * SECOND)
        self.path = folder / "outbox.sqlite"
        asyncio.run(self._deploy())
        self.chain.auto = False
        self.restart()

    async def _deploy(self) -> None:
        self.tally = await self.foreign(tally_code()[0], nonce=0)

    async def foreign(self, data: bytes = b"", nonce: int = 0, to: str = "", fee: int = 2) -> str:
        """A transaction of our account that the outbox knows nothing of: what it created."""
        draft = Draft(
            chain_id=CHAIN_ID, nonce=nonce, to=to, data=data, value=0, gas=5_000_000,
            max_fee=fee * BASE_FEE, tip=10**6, legacy=False,
        )  # fmt: skip
        mined = await self.chain.mined(await self.chain.send(ACCOUNT.sign(draft).raw))
        return mined.contract if mined else ""

    def restart(self) -> None:
        """As after a crash: only the file is left."""
        self.outbox = Outbox(self.path)
        self.submitter = Submitter(self.chain, self.outbox, ACCOUNT, self.profile, self.clock)

    def want(self, key: str, **other: Any) -> Send:
        return self.outbox.put(Wanted(key, self.tally, tally(name(key)), **other))

    def step(self, seconds: int = 12) -> None:
        self.clock.at += seconds * SECOND
        asyncio.run(self.submitter.step())

    def fails(self, seconds: int = 12) -> str:
        with pytest.raises(ChainFailed) as failed:
            self.step(seconds)
        return failed.value.cause

    def mine(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            self.chain.mine()

    def stage(self, key: str) -> Stage:
        found = self.outbox.get(key)
        assert found is not None
        return found.stage

    def times(self, key: str) -> int:
        return self.chain.times(name(key))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_what_is_wanted_is_sent_once_and_final_at_the_profiles_depth(desk: Desk) -> None:
    desk.want("a")
    desk.step()
    assert desk.stage("a") == Stage.OPEN
    desk.mine(3)
    desk.step()
    assert desk.stage("a") == Stage.OPEN
    desk.mine()
    desk.step()
    done = desk.outbox.get("a")
    assert done is not None
    assert done.stage == Stage.FINAL
    assert done.ok
    assert desk.chain.blocks[-1].block.number - (done.block or 0) + 1 == TEST.finality
    assert desk.times("a") == 1


def test_it_is_the_ports_sender(desk: Desk) -> None:
    sender: Sender = desk.submitter
    assert sender.put(Wanted("a", desk.tally, tally(name("a")))).stage == Stage.WAITING
    asyncio.run(sender.step())
    assert sender.get("a") == desk.outbox.get("a")
    assert sender.get("b") is None


def test_wanting_again_is_nothing_new_and_wanting_otherwise_is_refused(desk: Desk) -> None:
    desk.want("a")
    desk.step()
    assert desk.want("a").stage == Stage.OPEN
    with pytest.raises(Refused) as refused:
        desk.outbox.put(Wanted("a", OTHER.address))
    assert refused.value.why == Why.REPLAYED
    with pytest.raises(Refused):
        desk.outbox.put(Wanted("gap:1", OTHER.address))


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted("a", "0x12"),
        Wanted("a", OTHER.address.upper()),
        Wanted("a", ""),
        Wanted("a", OTHER.address, value=-1),
        Wanted("a", OTHER.address, gas=20_999),
        Wanted("a", OTHER.address, b"\1" * 100, gas=24_999),
        Wanted("a", OTHER.address, gas=2**24 + 1),
        Wanted("a", OTHER.address, b"\1" * 100_001),
    ],
)
def test_what_no_node_would_take_is_refused_before_it_stands_in_line(
    desk: Desk, wanted: Wanted
) -> None:
    with pytest.raises(Refused) as refused:
        desk.outbox.put(wanted)
    assert refused.value.why == Why.BAD_VALUE
    assert desk.outbox.counts() == {}


def test_nonces_follow_the_order_in_which_things_were_wanted(desk: Desk) -> None:
    keys = [f"k{n}" for n in range(20)]
    for key in keys:
        desk.want(key)
    for _ in range(4):
        desk.step()
        desk.mine()
    sends = [desk.outbox.get(key) for key in keys]
    assert [send.nonce for send in sends if send] == list(range(1, 21))
    assert all(desk.times(key) == 1 for key in keys)


def test_a_transaction_that_waits_offers_more_and_only_one_is_mined(desk: Desk) -> None:
    desk.want("a")
    desk.step()
    first = desk.outbox.attempts("a")[0]
    desk.chain.base_fee *= 5
    desk.step()
    assert len(desk.outbox.attempts("a")) == 1
    desk.step(60)
    dear = desk.outbox.attempts("a")[0]
    assert dear.max_fee >= 2 * desk.chain.base_fee
    assert dear.max_fee > first.max_fee
    desk.mine(4)
    desk.step()
    done = desk.outbox.get("a")
    assert done is not None
    assert (done.stage, done.hash, desk.times("a")) == (Stage.FINAL, dear.hash, 1)


def test_the_first_signature_may_win_although_more_was_offered(desk: Desk) -> None:
    desk.want("a")
    desk.step()
    first = desk.outbox.attempts("a")[0]
    desk.step(60)
    desk.chain.forget()
    asyncio.run(desk.chain.send(first.raw))
    desk.mine(4)
    desk.step()
    done = desk.outbox.get("a")
    assert done is not None
    assert (done.stage, done.hash, desk.times("a")) == (Stage.FINAL, first.hash, 1)


def test_no_offer_is_above_the_limit_and_the_rest_waits(desk: Desk) -> None:
    desk.want("a")
    desk.step()
    desk.chain.base_fee = 2 * TEST.fee_max
    assert desk.fails(3_600) == "fee_cap"
    desk.want("b")
    assert desk.fails() == "fee_cap"
    assert desk.stage("b") == Stage.WAITING
    desk.chain.base_fee = BASE_FEE
    desk.step()
    desk.mine(4)
    desk.step()
    assert all(attempt.max_fee <= TEST.fee_max for attempt in desk.outbox.attempts("a"))
    assert (desk.times("a"), desk.times("b")) == (1, 1)


def test_a_dropped_transaction_is_sent_again(desk: Desk) -> None:
    desk.want("a")
    desk.step()
    desk.chain.forget()
    desk.mine()
    assert desk.times("a") == 0
    desk.step()
    desk.mine()
    assert desk.times("a") == 1


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_reorganisation_before_finality_loses_nothing(desk: Desk, depth: int, keep: bool) -> None:
    desk.want("a")
    desk.step()
    desk.mine(3)
    desk.step()
    desk.chain.reorganise(depth, keep=keep)
    for _ in range(6):
        desk.step()
        desk.mine()
    desk.step()
    assert (desk.stage("a"), desk.times("a")) == (Stage.FINAL, 1)


def test_what_was_final_and_is_gone_is_opened_and_sent_again(desk: Desk) -> None:
    for key in ("a", "b"):
        desk.want(key)
        desk.step()
        desk.mine(4)
    desk.step()
    assert desk.stage("b") == Stage.FINAL
    desk.chain.reorganise(8, keep=False)
    assert desk.times("a") == 0
    desk.step()
    assert desk.stage("a") == Stage.OPEN
    for _ in range(5):
        desk.mine()
        desk.step()
    assert [desk.stage(k) for k in "ab"] == [Stage.FINAL] * 2
    assert [desk.times(k) for k in "ab"] == [1, 1]


def test_another_chain_or_another_deployment_is_refused_before_anything_is_sent(
    desk: Desk, tmp_path: Path
) -> None:
    desk.step()
    desk.want("a")
    desk.chain.id = CHAIN_ID + 1
    assert desk.fails() == "wrong_chain"
    desk.submitter = Submitter(desk.chain, desk.outbox, ACCOUNT, PROFILES["embedded"], desk.clock)
    assert desk.fails() == "wrong_chain"
    desk.chain = FakeChain(CHAIN_ID, {ACCOUNT.address: ETHER}, time_s=1)
    desk.chain.blocks[0].block = msgspec.structs.replace(desk.chain.blocks[0].block, hash="0x00")
    desk.restart()
    assert desk.fails() == "wrong_deployment"
    assert desk.stage("a") == Stage.WAITING
    assert desk.outbox.attempts("a") == []


def test_an_outbox_belongs_to_one_account(desk: Desk) -> None:
    desk.step()
    desk.submitter = Submitter(desk.chain, desk.outbox, OTHER, TEST, desk.clock)
    assert desk.fails() == "wrong_account"


def test_unpaid_gas_says_how_much_is_missing_and_takes_no_nonce(desk: Desk) -> None:
    desk.want("a")
    desk.chain.blocks[-1].world.balances[ACCOUNT.address] = 10
    with pytest.raises(ChainFailed, match="more") as failed:
        desk.step()
    assert failed.value.cause == "no_funds"
    assert desk.outbox.next_nonce() == 1
    desk.chain.blocks[-1].world.balances[ACCOUNT.address] = ETHER
    desk.step()
    desk.mine()
    assert desk.times("a") == 1


def test_what_would_be_reverted_is_told_and_stands_in_nobodys_way(desk: Desk) -> None:
    desk.outbox.put(Wanted("bad", desk.tally, tally(b"")))
    desk.want("good")
    desk.step()
    bad = desk.outbox.get("bad")
    assert bad is not None
    assert (bad.stage, bad.nonce) == (Stage.FAILED, None)
    assert "no key" in bad.detail
    desk.mine()
    assert desk.times("good") == 1
    desk.outbox.retry("bad")
    assert desk.stage("bad") == Stage.WAITING


def test_what_would_be_reverted_holds_up_nobody_behind_it(desk: Desk) -> None:
    """A payer with one coin signs two payments: the second waits for the first to be final, a
    quarter of an hour on Ethereum, and an answer to a challenge must not wait with it."""
    desk.want("first")
    for number in range(20):
        desk.outbox.put(Wanted(f"bad {number}", desk.tally, tally(b"")))
    desk.want("answer")
    desk.step()
    assert [desk.stage(key) for key in ("first", "answer")] == [Stage.OPEN, Stage.OPEN]
    assert desk.stage("bad 0") == Stage.WAITING  # it may need what went before it
    desk.want("later")
    desk.step()
    desk.mine(4)
    desk.step()
    assert desk.stage("bad 19") == Stage.FAILED
    assert [desk.times(key) for key in ("first", "answer", "later")] == [1, 1, 1]


def test_what_needs_what_is_not_mined_yet_is_sent_after_it(desk: Desk) -> None:
    desk.chain.lies = {"gas"}
    desk.want("first", gas=100_000)
    desk.want("second")
    desk.step()
    assert desk.stage("second") == Stage.WAITING
    desk.chain.lies = set()
    desk.step()
    desk.mine(4)
    desk.step()
    assert [desk.times(key) for key in ("first", "second")] == [1, 1]


def test_what_would_take_more_gas_than_there_is_fails_and_can_be_tried_again(desk: Desk) -> None:
    desk.want("a")
    desk.chain.lies = {"gas"}
    desk.step()
    assert desk.stage("a") == Stage.FAILED
    desk.chain.lies = set()
    desk.outbox.retry("a")
    desk.step()
    desk.mine()
    assert desk.times("a") == 1


def test_what_is_reverted_in_the_chain_is_final_and_not_ok(desk: Desk) -> None:
    desk.outbox.put(Wanted("bad", desk.tally, tally(b""), gas=100_000))
    desk.step()
    desk.mine(4)
    desk.step()
    bad = desk.outbox.get("bad")
    assert bad is not None
    assert (bad.stage, bad.ok) == (Stage.FINAL, False)


def test_a_node_that_is_away_or_lags_is_waited_for(desk: Desk) -> None:
    desk.want("a")
    desk.chain.away = True
    assert desk.fails() == "unreachable"
    desk.chain.away = False
    desk.step()
    desk.mine(4)
    desk.step()
    desk.chain.hidden = 4
    assert desk.fails() == "lagging"
    desk.chain.hidden = 0
    desk.step()
    assert (desk.stage("a"), desk.times("a")) == (Stage.FINAL, 1)


def test_old_blocks_are_not_the_newest(desk: Desk) -> None:
    desk.profile = msgspec.structs.replace(TEST, lag_s=100)
    desk.restart()
    assert desk.fails(1_000) == "lagging"


def test_a_node_that_lies_about_blocks_or_counts_makes_us_wait_not_send_twice(desk: Desk) -> None:
    desk.want("a")
    desk.step()
    desk.mine(4)
    for lie in ("block", "mined"):
        desk.chain.lies = {lie}
        desk.step()
        assert desk.stage("a") == Stage.OPEN
    desk.chain.lies = {"nonce"}
    desk.want("b")
    desk.step()
    assert desk.stage("b") == Stage.WAITING
    assert desk.fails(100_000) == "nonce_taken"
    desk.chain.lies = set()
    desk.step()
    desk.mine(4)
    desk.step()
    assert [desk.times(k) for k in "ab"] == [1, 1]


def test_final_is_what_two_nodes_agree_on(desk: Desk, tmp_path: Path) -> None:
    other = FakeChain(CHAIN_ID, {})
    desk.submitter = Submitter(desk.chain, desk.outbox, ACCOUNT, TEST, desk.clock, [other])
    desk.want("a")
    desk.step()
    desk.mine(4)
    assert desk.fails() == "lied"
    assert desk.stage("a") == Stage.OPEN
    other.blocks = desk.chain.blocks
    desk.step()
    assert desk.stage("a") == Stage.FINAL


def test_a_nonce_taken_by_others_stops_us_until_a_person_says_so(desk: Desk) -> None:
    desk.want("a")
    desk.step()
    desk.chain.forget()
    asyncio.run(desk.foreign(nonce=1, to=OTHER.address, fee=9))
    desk.mine()
    desk.want("b")
    desk.step()
    assert desk.stage("b") == Stage.WAITING
    assert desk.fails(100_000) == "nonce_taken"
    assert asyncio.run(desk.submitter.adopt()) == ["a"]
    for _ in range(5):
        desk.step()
        desk.mine()
    desk.step()
    assert [(desk.stage(k), desk.times(k)) for k in "ab"] == [(Stage.FINAL, 1)] * 2


def test_an_old_copy_of_the_outbox_is_noticed_before_it_sends(desk: Desk, tmp_path: Path) -> None:
    desk.step()
    desk.outbox.close()
    old = desk.path.read_bytes()
    desk.restart()
    desk.want("a")
    desk.step()
    desk.mine(4)
    desk.step()
    desk.outbox.close()
    desk.path = tmp_path / "copy.sqlite"
    desk.path.write_bytes(old)
    desk.restart()
    desk.want("a")
    desk.step()
    assert desk.fails(100_000) == "nonce_taken"
    assert desk.times("a") == 1


def test_a_gap_that_others_left_is_closed(desk: Desk) -> None:
    asyncio.run(desk.foreign(nonce=1, to=OTHER.address))
    desk.mine()
    desk.want("a")
    desk.step()
    desk.chain.forget()
    desk.chain.reorganise(1, keep=False)
    desk.step()
    desk.mine()
    assert desk.times("a") == 0
    desk.step(10_000)
    desk.step()
    desk.mine(4)
    desk.step()
    assert (desk.stage("a"), desk.times("a")) == (Stage.FINAL, 1)


# --- everything at once -----------------------------------------------------------------


def die() -> None:
    raise Killed


def test_death_between_any_two_steps_neither_doubles_nor_forgets(tmp_path: Path) -> None:
    points = 0
    for at in range(1, 1_000):
        folder = tmp_path / str(at)
        folder.mkdir()
        desk, death = Desk(folder), Death(at, die)
        desk.want("a")
        desk.want("b")
        chain, outbox = death.watch(desk.chain), death.watch(desk.outbox)
        desk.submitter = Submitter(chain, outbox, ACCOUNT, TEST, desk.clock)
        try:
            for _ in range(6):
                desk.step(70)
                desk.mine()
        except Killed:
            points += 1
        else:
            break
        desk.outbox.close()
        desk.restart()
        for _ in range(7):
            desk.step(70)
            desk.mine()
        assert [(desk.stage(k), desk.times(k)) for k in "ab"] == [(Stage.FINAL, 1)] * 2, at
    assert 150 < points < 999


@given(st.integers(0, 2**32))
def test_any_weather_ends_with_each_thing_once(tmp_path_factory: Any, seed: int) -> None:
    chance = random.Random(seed)
    desk = Desk(tmp_path_factory.mktemp("weather"))
    desk.step()
    keys = [f"k{n}" for n in range(chance.randint(1, 24))]
    unwanted = list(keys)
    for _ in range(chance.randint(5, 40)):
        _weather(desk, chance)
        if unwanted and chance.random() < 0.6:
            desk.want(unwanted.pop())
        _try(desk, chance.choice([1, 12, 70]))
        assert all(desk.times(key) <= 1 for key in keys)
    desk.chain.away, desk.chain.hidden, desk.chain.lies = False, 0, set()
    desk.chain.base_fee = BASE_FEE
    for key in unwanted:
        desk.want(key)
    for _ in range(12):
        desk.step(70)
        desk.mine()
    assert {key: (desk.stage(key), desk.times(key)) for key in keys} == dict.fromkeys(
        keys, (Stage.FINAL, 1)
    )


def _weather(desk: Desk, chance: random.Random) -> None:
    chain = desk.chain
    act = chance.randrange(12)
    if act < 5:
        desk.mine(chance.randint(1, 3))
    elif act == 5:
        chain.forget()
    elif act == 6 and len(chain.blocks) > 3:
        chain.reorganise(chance.randint(1, len(chain.blocks) - 2), keep=chance.random() < 0.5)
    elif act == 7:
        chain.away = not chain.away
    elif act == 8:
        chain.hidden = chance.choice([0, 0, 1, 3])
    elif act == 9:
        chain.base_fee = BASE_FEE * chance.choice([1, 2, 7])
    elif act == 10:
        chain.lies = (
            {chance.choice(["mined", "block", "nonce"])} if chance.random() < 0.5 else set()
        )
    else:
        desk.outbox.close()
        desk.restart()


def _try(desk: Desk, seconds: int) -> None:
    """A step that may fail for what the weather explains, and for nothing else."""
    try:
        desk.step(seconds)
    except ChainFailed as failed:
        if failed.cause not in {"unreachable", "lagging", "nonce_taken"}:
            raise
