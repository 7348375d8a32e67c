"""Sessions whose key the market does not have: a voucher with each request, and what is refused."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from doors import Answer
from fake_provider import FakeProvider
from msgspec import structs
from wallets import Purse, WalletDoors

from allmende.core import machine
from allmende.core.commands import PostOffer, Tick
from allmende.core.nouns import Offer
from allmende.core.units import CREDIT, SECOND, Tariff, Zone
from allmende.wire.voucher import Domain, channel, voucher_digest

ANNA, OTHER = Purse("anna"), Purse("another agent")
NUMBERS = itertools.count()
MEMBER = "w-" + ANNA.address[2:]
HEADER = "x-allmende-voucher"
TARIFF = Tariff(CREDIT // 10**6, None, CREDIT // 10**6)
"""A token is a millionth of a credit; a request holds some 1_100 of them, and uses 9."""


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WalletDoors]:
    with WalletDoors(tmp_path_factory.mktemp("market")) as market:
        market.furnish()
        market.enter(ANNA)
        market.ask("deposit", member=MEMBER, amount="1000", reference="wire a")
        provider = FakeProvider(())
        market.run(provider.__aenter__())
        market.run(offer(market, provider.url))
        yield market
        market.run(provider.__aexit__(None, None, None))
        machine.check(market.market.desk.state)


async def offer(doors: WalletDoors, url: str) -> None:
    terms = Offer(
        *("fake", "host", "t", "fake", "credit", TARIFF, Zone("DEU"), url),
        upstream_model="fake",
        allow_private=True,
        max_output=20,
    )
    await doors.market.desk.submit(PostOffer(at=doors.now(), offer=terms))


class Session:
    """A lane whose key is the agent's. `say` is the header that names an amount."""

    def __init__(self, doors: WalletDoors, limit: str = "50", **asked: str) -> None:
        self.doors = doors
        cookie = doors.enter(ANNA)
        self.agent = Purse(f"agent {next(NUMBERS)}")
        made = doors.permit(ANNA, cookie, more=limit, key=self.agent.address, **asked)
        self.lane, self.secret = made["lane"], made["secret"]

    @property
    def stands(self) -> Any:
        return self.doors.market.desk.state.wallets[MEMBER].lanes[self.lane]

    def say(
        self, amount: int, by: Purse | None = None, lane: int = -1, domain: Domain | None = None
    ) -> str:
        keccak = self.doors.market.signing.keccak
        number = self.lane if lane < 0 else lane
        id_ = channel(bytes.fromhex(ANNA.address[2:]), number, keccak)
        where = domain or self.doors.street.custody.domain
        digest = voucher_digest(where, id_, amount, keccak)
        return f"{amount}:{(by or self.agent).key.sign_digest(digest).hex()}"

    async def chat(self, voucher: str = "", **headers: str) -> Answer:
        body = b'{"model":"fake","max_tokens":8,"messages":[{"role":"user","content":"Hello."}]}'
        fields = {**headers, "content-length": str(len(body))}
        if voucher:
            fields[HEADER] = voucher
        return await self.doors.call("POST", "/v1/chat/completions", body, self.secret, fields)

    def ask(self, voucher: str = "", **headers: str) -> Answer:
        return self.doors.run(self.chat(voucher, **headers))


@pytest.fixture
def session(doors: WalletDoors) -> Iterator[Session]:
    made = Session(doors)
    yield made
    state = doors.market.desk.state
    assert not state.holds
    for lane in state.wallets[MEMBER].lanes.values():
        lane.ended = True  # the next test's session takes a lane from the front again


def test_without_a_voucher_it_is_told_what_to_sign(session: Session) -> None:
    answer = session.ask()
    error = answer.json["error"]
    assert (answer.status, error["code"], error["lane"]) == (402, "not_signed", session.lane)
    needed = int(error["voucher"])
    assert session.ask(session.say(needed - 1)).code == "not_signed"
    assert session.ask(session.say(needed)).status == 200
    assert 0 < session.stands.spent <= needed


def test_each_request_brings_a_larger_one(session: Session) -> None:
    for number in range(1, 4):
        assert session.ask(session.say(number * CREDIT)).status == 200
    assert session.stands.vouched == 3 * CREDIT
    assert session.stands.voucher == "0x" + session.say(3 * CREDIT).split(":")[1]


def test_a_stale_voucher_takes_nothing_back_and_gives_nothing(session: Session) -> None:
    needed = int(session.ask().json["error"]["voucher"])
    first, second = session.say(needed), session.say(needed + 20 * CREDIT // 10**6)
    assert session.ask(first).status == 200
    assert session.ask(second).status == 200
    served = 0
    while (answer := session.ask(first)).status == 200:
        served += 1
    assert served == 1, "what was signed once more is still good for it"
    assert session.stands.vouched == needed + 20 * CREDIT // 10**6
    assert answer.code == "not_signed"
    assert int(answer.json["error"]["voucher"]) > session.stands.vouched


def test_two_at_once_are_paid_by_the_larger_whichever_comes_first(session: Session) -> None:
    small, large = session.say(CREDIT // 10), session.say(CREDIT // 5)

    async def both(*vouchers: str) -> list[int]:
        answers = await asyncio.gather(*(session.chat(voucher) for voucher in vouchers))
        return [answer.status for answer in answers]

    assert session.doors.run(both(large, small)) == [200, 200]
    lane = session.stands
    assert lane.vouched == CREDIT // 5
    more = [session.say(lane.vouched + n * CREDIT // 10) for n in range(1, 6)]
    assert session.doors.run(both(*more)) == [200] * 5
    assert lane.vouched == CREDIT // 5 + CREDIT // 2
    assert lane.spent <= lane.vouched


def test_of_many_at_once_no_more_are_served_than_was_signed(session: Session) -> None:
    voucher = session.say(int(session.ask().json["error"]["voucher"]) * 2)

    async def crowd() -> list[int]:
        answers = await asyncio.gather(*(session.chat(voucher) for _ in range(12)))
        return [answer.status for answer in answers]

    statuses = session.doors.run(crowd())
    assert statuses.count(200) >= 2
    assert set(statuses) == {200, 402}
    assert session.stands.spent <= session.stands.vouched


@pytest.mark.parametrize("who", ["other", "owner", "house"])
def test_a_forged_voucher_is_refused(session: Session, who: str) -> None:
    by = {"other": OTHER, "owner": ANNA, "house": Purse("an account of the tests")}[who]
    answer = session.ask(session.say(CREDIT, by=by))
    assert (answer.status, answer.code) == (401, "bad_signature")
    assert session.stands.vouched == session.stands.base


def test_a_voucher_of_another_lane_market_or_chain_is_refused(session: Session) -> None:
    domain = session.doors.street.custody.domain
    for voucher in (
        session.say(CREDIT, lane=(session.lane + 1) % 16),
        session.say(CREDIT, domain=domain._replace(chain_id=1)),
        session.say(CREDIT, domain=domain._replace(vault=b"\1" * 20)),
        f"{2 * CREDIT}:{session.say(CREDIT).split(':')[1]}",
    ):
        assert session.ask(voucher).code == "bad_signature"
    assert session.stands.vouched == session.stands.base


def test_what_the_desk_could_not_show_to_the_vault_is_refused(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token of 18 decimals: a signature over an amount between two pico-credits would be worth
    nothing there, and its owner could challenge what he spent under it."""
    custody = session.doors.street.custody
    fine = structs.replace(custody.deployment, decimals=18)
    monkeypatch.setattr(custody, "deployment", fine)
    between = session.ask(session.say(CREDIT * 10**6 + 1))
    assert (between.status, between.code) == (422, "bad_value")
    assert "steps of 1000000" in between.body.decode()
    assert session.ask(session.say(CREDIT * 10**6)).status == 200
    assert session.stands.vouched == CREDIT


def test_nobody_vouches_beyond_the_permit(session: Session) -> None:
    limit = session.stands.permit.limit
    answer = session.ask(session.say(limit + 1))
    assert (answer.status, answer.code) == (402, "not_signed")
    assert "ends at" in answer.json["error"]["message"]
    assert session.stands.vouched == session.stands.base
    assert session.ask(session.say(limit)).status == 200


def test_at_the_permits_end_it_is_told_that_no_voucher_helps(doors: WalletDoors) -> None:
    small = Session(doors, limit="0.001")
    answer = small.ask(small.say(CREDIT // 1_000))
    assert answer.code == "not_signed"
    assert "its permit ends" in answer.json["error"]["message"]


def test_an_expired_permit_takes_no_voucher(doors: WalletDoors) -> None:
    at = doors.market.clock.at
    made = Session(doors, expires="2040-01-01")
    state = doors.market.desk.state
    doors.market.clock.at = 2_300_000_000 * SECOND
    answer = made.ask(made.say(CREDIT))
    assert answer.status == 401, "the session's key ended with it"
    doors.run(doors.market.desk.submit(Tick(at=doors.now())))
    assert state.wallets[MEMBER].lanes[made.lane].ended
    doors.market.clock.at = at


@pytest.mark.parametrize(
    "voucher",
    [
        *("5", "5:", ":00", "x:" + "00" * 65, "5:" + "00" * 64, "5:" + "zz" * 65),
        *("-5:" + "00" * 65, "9" * 40 + ":" + "00" * 65, "1e9:" + "00" * 65, "5:0x" + "00" * 66),
    ],
)
def test_what_is_no_voucher_is_refused(session: Session, voucher: str) -> None:
    answer = session.ask(voucher)
    assert (answer.status, answer.code) == (422, "bad_value")


def test_what_is_no_signature_is_refused(session: Session) -> None:
    for signature in ("00" * 65, "ff" * 65, "11" * 64 + "1b"):
        assert session.ask(f"5:{signature}").code == "bad_signature"
    big = 2**128
    assert session.ask(f"{big}:{'11' * 65}").code == "not_signed"


def test_keys_of_other_sessions_bring_none(doors: WalletDoors, session: Session) -> None:
    cookie = doors.enter(ANNA)
    sealed = doors.permit(ANNA, cookie, more="1")
    for secret in (sealed["secret"], doors.key("uni", budget="lab")):
        session.secret = secret
        answer = session.ask(session.say(CREDIT))
        assert (answer.status, answer.code) == (422, "bad_value")
        assert "leave x-allmende-voucher out" in answer.json["error"]["message"]


def test_a_malformed_request_takes_no_voucher(session: Session) -> None:
    voucher = session.say(CREDIT)
    fields = {HEADER: voucher, "content-length": "2"}
    call = session.doors.call("POST", "/v1/chat/completions", b"{}", session.secret, fields)
    assert session.doors.run(call).status == 422
    assert session.stands.vouched == session.stands.base


def test_what_a_program_vouched_for_is_in_the_journal_and_shown(
    doors: WalletDoors, session: Session
) -> None:
    """The settler shows it to the Vault: without it the request would be the house's loss."""
    voucher = session.say(2 * CREDIT)
    session.ask(voucher)
    shown = {lane["lane"]: lane for lane in doors.got("/api/wallet", doors.enter(ANNA))["lanes"]}
    assert shown[session.lane]["signed"] == "2"
    assert shown[session.lane]["keeps"] == "program"
    text = b"".join(frame.body for frame in doors.market.journal.frames())
    assert voucher.split(":")[1].encode() in text
    assert hashlib.sha256(session.secret.encode()).hexdigest().encode() in text
    assert session.secret.encode() not in text
