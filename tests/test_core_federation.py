"""Two markets' cores: what leaves, comes, is refused, comes back, and ends meanwhile."""

from __future__ import annotations

import pytest
from msgspec import structs
from two_markets import KEYS, Lands

from allmende.core import abroad_commands as bc
from allmende.core import abroad_events as be
from allmende.core import commands as c
from allmende.core import exchange_commands as x
from allmende.core import machine
from allmende.core.abroad import Peer, leaf
from allmende.core.contracts import LOT
from allmende.core.refusals import Refused, Why
from allmende.core.units import CREDIT, DAY, SECOND
from allmende.lab.floor import Floor
from allmende.lab.world import secret


def refused(lands: Lands, place: int, command: c.Command) -> Refused:
    """What a core says no with; and it changed nothing."""
    state = lands.lands[place].state
    before = machine.digest(state)
    with pytest.raises(Refused) as found:
        machine.decide(state, structs.replace(command, at=lands.lands[place].now))
    assert machine.digest(state) == before
    return found.value


def test_credit_goes_there_and_comes_back():
    lands = Lands()
    a, b = lands.lands
    lands.send(0, "uni", "coop", "credit", 5 * CREDIT)
    lands.check()
    lands.settle()
    assert a.balances("credit")["federation/b"] == 5 * CREDIT
    assert b.balances("credit@a") == {"issuer/credit@a": -5 * CREDIT, "coop": 5 * CREDIT}
    assert b.state.assets["credit@a"].name == "credit of A"
    before = a.balances("credit")["coop"]
    lands.send(1, "coop", "coop", "credit@a", 5 * CREDIT)
    assert b.balances("credit@a")["federation/a"] == 5 * CREDIT
    lands.settle()
    lands.check()
    assert a.balances("credit")["federation/b"] == 0
    assert a.balances("credit")["coop"] == before + 5 * CREDIT
    assert not any(b.balances("credit@a").values())


def test_a_right_goes_there_and_is_redeemed_at_home():
    lands = Lands()
    a, b = lands.lands
    lands.send(0, "uni", "coop", "december-a", LOT)
    lands.settle()
    assert b.balances("december-a@a")["coop"] == LOT
    assert b.state.foreign["december-a@a"].price == a.instrument.price
    b.do(c.Transfer(source="coop", target="uni", asset="december-a@a", amount=LOT // 2))
    lands.send(1, "uni", "uni", "december-a@a", LOT // 2)
    lands.settle()
    lands.check()
    assert a.rights("uni") == LOT + LOT // 2


def test_what_the_other_market_refuses_comes_back_with_its_reason():
    lands = Lands(line=3 * CREDIT)
    a, b = lands.lands
    before = dict(a.balances("credit"))
    lands.send(0, "uni", "coop", "credit", 4 * CREDIT)
    lands.send(0, "uni", "nobody", "credit", CREDIT)
    lands.settle()
    ends = [event for event in a.events if isinstance(event, be.PassageEnded)]
    assert [event.taken for event in ends] == [False, False]
    assert "1 credits over the line of 3" in ends[0].why
    assert "No member 'nobody'" in ends[1].why
    assert {k: v for k, v in a.balances("credit").items() if v} == {
        k: v for k, v in before.items() if v
    }
    assert not b.state.foreign
    lands.check()


def test_what_is_refused_at_home_stays_where_it_was():
    lands = Lands()
    a, b = lands.lands
    lands.send(0, "uni", "coop", "credit", 5 * CREDIT)
    lands.settle()
    lands.send(1, "coop", "nobody", "credit@a", 2 * CREDIT)
    lands.settle()
    assert b.balances("credit@a")["coop"] == 5 * CREDIT
    assert a.balances("credit")["federation/b"] == 5 * CREDIT
    lands.check()


def test_what_an_ended_right_brought_is_fetched_in_parts_to_the_last_pico():
    lands = Lands()
    a, b = lands.lands
    lands.send(0, "uni", "coop", "december-a", LOT)
    lands.settle()
    a.close()
    b.now = a.now
    paid, before = a.state.ended["b/december-a"].amount, a.balances("credit")["uni"]
    for grains, part in ((LOT // 3, paid * (LOT // 3) // LOT), (LOT // 7, None), (1, None)):
        lands.send(1, "coop", "uni", "december-a@a", grains)
        lands.settle()
        got = a.balances("credit")["uni"] - before
        assert got == part or part is None
        assert a.state.ended["b/december-a"].amount == paid - got
    lands.send(1, "coop", "uni", "december-a@a", b.balances("december-a@a")["coop"])
    lands.settle()
    assert a.balances("credit")["uni"] == before + paid
    assert not a.state.ended


def test_silence_gives_nothing_back_and_lateness_does():
    lands = Lands()
    a, b = lands.lands
    said = lands.send(0, "uni", "coop", "credit", CREDIT, seconds=60)
    lands.wire.clear()
    a.now = b.now = said.until
    a.do(c.Tick())
    assert a.balances("credit")["federation/b"] == CREDIT
    lands.settle()
    assert a.balances("credit")["federation/b"] == 0
    assert not b.state.foreign


def test_a_passage_is_taken_once_in_its_order_and_by_whom_it_names():
    lands = Lands()
    a = lands.lands[0]
    first = lands.send(0, "uni", "coop", "credit", CREDIT)
    second = lands.send(0, "uni", "coop", "credit", 2 * CREDIT)
    take = lambda said: bc.ReceiveFrom(passage=said, frames=1, head="")  # noqa: E731
    assert refused(lands, 1, take(second)).why is Why.HALTED
    lands.deliver(0)
    assert refused(lands, 1, take(first)).why is Why.EXISTS
    elsewhere = structs.replace(second, target="cc" * 32)
    assert "another market" in str(refused(lands, 1, take(elsewhere)))
    stranger = structs.replace(second, source="cc" * 32)
    assert refused(lands, 1, take(stranger)).why is Why.NOT_FOUND
    assert refused(lands, 1, structs.replace(take(second), by=secret("root"))).why is not None
    assert a.state.passages.keys() == {"b/1", "b/2"}
    lands.check()


def test_nobody_answers_for_another_or_about_something_else():
    lands = Lands()
    said = lands.send(0, "uni", "coop", "credit", CREDIT)
    lands.deliver(0)
    answer = lands.answers[1][1]
    end = lambda found: bc.EndPassage(answer=found, frames=1, head="")  # noqa: E731
    other = leaf(structs.replace(said, amount=7)).hex()
    for wrong in (
        structs.replace(answer, source="cc" * 32),
        structs.replace(answer, target="cc" * 32),
        structs.replace(answer, number=2),
        structs.replace(answer, passage=other, taken=False),
    ):
        assert refused(lands, 0, end(wrong)).why in (Why.NOT_FOUND, Why.BAD_VALUE)


def test_a_peer_sends_home_no_more_than_it_was_sent():
    lands = Lands()
    a, _ = lands.lands
    lands.send(0, "uni", "coop", "credit", CREDIT)
    lands.settle()
    lands.send(0, "uni", "coop", "credit", CREDIT)  # on its way, so not there yet
    lands.wire.clear()
    honest = lands.send(1, "coop", "uni", "credit@a", CREDIT)
    greedy = structs.replace(honest, amount=2 * CREDIT)
    events = a.do(bc.ReceiveFrom(passage=greedy, frames=1, head=""))
    assert isinstance(events[0], be.RefusedFrom)
    assert "are with you" in events[0].answer.why
    assert a.balances("credit")["federation/b"] == 2 * CREDIT


def test_a_peer_cannot_send_a_third_ones_asset_or_ours_as_its_own():
    lands = Lands()
    _, b = lands.lands
    said = lands.send(0, "uni", "coop", "credit", CREDIT)
    for number, wrong in enumerate(
        (
            structs.replace(said, home="cc" * 32),
            structs.replace(said, asset="credit@x"),
            structs.replace(said, price=0),
            structs.replace(said, lot=5),
            structs.replace(said, amount=-CREDIT),
        ),
        1,
    ):
        wrong = structs.replace(wrong, number=number)
        (event,) = b.do(bc.ReceiveFrom(passage=wrong, frames=1, head=""))
        assert isinstance(event, be.RefusedFrom)
    machine.check(b.state)


def test_rights_whose_window_ended_abroad_bring_home_what_they_brought():
    lands = Lands()
    a, b = lands.lands
    lands.send(0, "uni", "coop", "december-a", LOT)
    lands.settle()
    lands.send(0, "uni", "coop", "december-a", LOT // 2)
    lands.wire.clear()  # on its way when the window ends
    settled = a.close()
    paid = sum(line.amount for line in settled.lines if line.account == "federation/b" and
               line.asset == "credit")  # fmt: skip
    assert a.state.ended["b/december-a"].amount == paid > 0
    lands.check()
    b.now = a.now
    before = a.balances("credit")["uni"]
    lands.settle()  # the second came too late, and is its sender's again: as credit
    lands.send(1, "coop", "uni", "december-a@a", LOT)
    lands.settle()
    lands.check()
    assert a.balances("credit")["uni"] == before + paid
    assert not a.state.ended
    assert a.balances("credit")["federation/b"] == 0


def test_an_instruments_name_is_its_own_for_good_once_it_was_abroad():
    lands = Lands()
    a, _ = lands.lands
    lands.send(0, "uni", "coop", "december-a", LOT)
    lands.settle()
    a.close()
    later = structs.replace(a.instrument, start=a.now, end=a.now + DAY)
    assert refused(lands, 0, x.ListInstrument(instrument=later)).why is Why.EXISTS


def test_a_suspended_peer_gets_and_gives_nothing_and_nothing_is_lost():
    lands = Lands()
    a = lands.lands[0]
    lands.send(0, "uni", "coop", "credit", 2 * CREDIT)
    lands.settle()
    said = lands.send(0, "uni", "coop", "credit", CREDIT)
    back = lands.send(1, "coop", "uni", "credit@a", CREDIT)
    a.do(bc.SuspendPeer(id="b", proof="ff" * 32))
    assert a.do(bc.SuspendPeer(id="b", proof="ee" * 32)) == []
    send = bc.SendAbroad(source="uni", peer="b", receiver="coop", asset="credit", amount=1)
    assert "signed two histories" in str(refused(lands, 0, send))
    take = bc.ReceiveFrom(passage=back, frames=1, head="")
    assert refused(lands, 0, take).why is Why.HALTED
    lands.deliver(0)
    end = bc.EndPassage(answer=lands.answers[1][2], frames=1, head="")
    assert refused(lands, 0, end).why is Why.HALTED
    assert refused(lands, 0, bc.ResumePeer(id="b")).why is Why.HALTED
    assert refused(lands, 0, bc.RemovePeer(id="b")).why is Why.OWED
    (event,) = a.do(bc.ReturnPassage(id="b", number=said.number))
    assert isinstance(event, be.PassageEnded)
    assert a.balances("credit")["federation/b"] == 2 * CREDIT
    machine.check(a.state)


def test_an_operator_suspends_and_resumes_without_a_proof():
    lands = Lands()
    lands.send(0, "uni", "coop", "credit", CREDIT)
    b = lands.lands[1]
    b.do(bc.SuspendPeer(id="a"))
    said = lands.lands[0].state.passages["b/1"]
    assert refused(lands, 1, bc.ReceiveFrom(passage=said, frames=1, head="")).why is Why.HALTED
    assert refused(lands, 1, bc.ReturnPassage(id="a", number=1)).why is Why.NOT_ALLOWED
    b.do(bc.ResumePeer(id="a"))
    lands.settle()
    assert b.balances("credit@a")["coop"] == CREDIT


def test_a_removed_peer_is_still_answered_and_its_numbers_stay():
    lands = Lands()
    a, b = lands.lands
    lands.send(0, "uni", "coop", "credit", CREDIT)
    b.do(bc.RemovePeer(id="a"))
    lands.settle()
    assert a.balances("credit")["federation/b"] == 0
    lands.line(1, CREDIT)
    lands.send(0, "uni", "coop", "credit", CREDIT)
    lands.settle()
    assert b.state.peers["a"].answered == 2


def test_foreign_credit_is_minted_by_nobody_here():
    lands = Lands()
    lands.send(0, "uni", "coop", "credit", CREDIT)
    lands.settle()
    mint = c.Mint(member="uni", asset="credit@a", amount=1)
    assert "another market's" in str(refused(lands, 1, mint))
    deposit = c.Deposit(member="uni", asset="credit@a", amount=1, reference="r")
    assert refused(lands, 1, deposit).why is Why.NOT_ALLOWED
    onward = bc.SendAbroad(source="coop", peer="a", receiver="x", asset="nothing", amount=1)
    assert refused(lands, 1, onward).why is Why.NOT_ALLOWED


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"public_key": "xyz"}, Why.BAD_VALUE),
        ({"id": "c", "public_key": KEYS[0]}, Why.BAD_VALUE),
        ({"public_key": "cc" * 32}, Why.EXISTS),
        ({"id": "b2"}, Why.EXISTS),
        ({"limit": -1}, Why.BAD_VALUE),
        ({"name": ""}, Why.BAD_VALUE),
        ({"id": "no/id"}, Why.BAD_VALUE),
    ],
)
def test_a_peer_that_cannot_be_is_refused(wrong: dict[str, object], why: Why):
    lands = Lands()
    peer = structs.replace(Peer("b", "B", KEYS[1], "http://x", CREDIT), **wrong)
    assert refused(lands, 0, bc.AddPeer(peer=peer)).why is why


def test_peers_are_an_operators_and_of_modes_that_transfer():
    lands = Lands()
    peer = Peer("c", "C", "cc" * 32, "http://x", CREDIT)
    by = secret("ada")
    assert refused(lands, 0, bc.AddPeer(peer=peer, by=by)).why is Why.NOT_ALLOWED
    closed = Floor(mode="closed_loop")
    with pytest.raises(Refused) as found:
        machine.decide(closed.state, bc.AddPeer(at=closed.now, peer=peer))
    assert found.value.why is Why.MODE_FORBIDS
    assert "limited_network" in str(found.value)


def test_what_was_sent_waits_for_a_market_that_takes_it():
    lands = Lands()
    a = lands.lands[0]
    a.do(bc.HearPeer(id="b", accepts=False))
    send = bc.SendAbroad(source="uni", peer="b", receiver="coop", asset="credit", amount=1)
    assert "has not said" in str(refused(lands, 0, send))
    a.do(bc.HearPeer(id="b", accepts=True))
    for wrong in ({"amount": 0}, {"seconds": 5}, {"receiver": "no body"}, {"amount": 10**20}):
        assert refused(lands, 0, structs.replace(send, **wrong)).why in (
            Why.BAD_VALUE,
            Why.NO_CREDIT,
        )
    a.now += 60 * SECOND
    a.do(send)
    assert a.state.peers["b"].sent == 1


def test_a_right_in_lots_of_less_than_nothing_is_refused():
    lands = Lands()
    _, b = lands.lands
    said = lands.send(0, "uni", "coop", "december-a", LOT)
    (event,) = b.do(bc.ReceiveFrom(passage=structs.replace(said, lot=-5), frames=1, head=""))
    assert isinstance(event, be.RefusedFrom)
