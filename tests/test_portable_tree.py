"""A member's tree leaves one market and stands in another: all or none, once, without money."""

from __future__ import annotations

import asyncio
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from market import KEY, START, HandClock, Signer, setup

from allmende.core import commands as c
from allmende.core import evidence_commands as v
from allmende.core import machine
from allmende.core import tree_commands as m
from allmende.core.evidence import Evidence
from allmende.core.nouns import Asset, Key, Member, Share, Title
from allmende.core.refusals import Refused, Why
from allmende.core.state import State
from allmende.core.units import CREDIT, DAY, Units
from allmende.desk import Desk
from allmende.lab.faults import Disk, MemoryJournal
from allmende.lab.rig import Rig
from allmende.lab.traders import Traders
from allmende.lab.traffic import Traffic
from allmende.wire import planting
from allmende.wire.journal import events
from allmende.wire.planting import Origin, Stamp
from allmende.wire.tree import Tree, digest, inside, left_behind, open_of, to_bring, tree_of

OPERATOR = "e" * 64
AT = START + DAY
THERE = Origin("Test market", "00" * 32, 9)


def do(state: State, *commands: c.Command) -> State:
    for command in commands:
        for event in machine.decide(state, command):
            machine.apply(state, event)
            machine.check(state)
    return state


def fresh(asset: str = "credit") -> State:
    """Another market, founded a day ago, with an operator's key."""
    found = c.Found(
        at=START,
        market="n",
        name="New",
        mode="closed_loop",
        operator="op",
        public_key="",
        asset=asset,
    )
    key = Key("root", OPERATOR, "op", "operate")
    return do(State(), found, c.IssueKey(at=START, key=key))


def spent_here() -> State:
    """A market where a receipt was paid, evidence filed and an operator's key issued."""
    state = do(State(), *setup())
    evidence = Evidence(
        "iso", "SOV-3", 2, "A claim", "TÜV", START, AT + 9 * DAY, "a" * 64, "host", "o"
    )
    do(
        state,
        c.IssueKey(at=START, key=Key("root", OPERATOR, "op", "operate")),
        c.AddMember(at=START, member=Member("physics", "Physics", "organisation", "uni")),
        c.AddBudget(at=START, id="lab", name="Lab", parent="b", period="term", limit=CREDIT),
        c.SetCarbonCap(at=START, id="lab", cap_ug=10**12),
        c.IssueKey(at=START, key=Key("m", "b" * 64, "physics", "manage")),
        c.RegisterAsset(at=START, id="unis", issuer="uni", name="own"),
        c.Mint(at=START, member="physics", asset="unis", amount=7),
        v.FileEvidence(at=START, by=OPERATOR, evidence=evidence),
        c.Reserve(at=START, id="r", key=KEY, endpoint="chat/completions", model=model(state),
                  input_bound=100, output_bound=10),
        c.Capture(at=START, hold="r", estimate=Units(input=90, output=9)),
    )  # fmt: skip
    return state


def model(state: State) -> str:
    return next(iter(state.models))


def moved(
    state: State, tree: Tree, prefix: str = "", sealed: dict[str, str] | None = None
) -> State:
    plan = planting.plan(state, tree, THERE, Stamp(OPERATOR, AT, prefix), sealed or {})
    return do(state, *(command for _, command in plan.steps))


def stated(tree: Tree, **fields: object) -> dict[str, object]:
    """A tree as it arrives: how far members are known is judged anew."""
    plain = msgspec.to_builtins(msgspec.structs.replace(tree, **fields))
    for member in plain["members"]:
        member["tier"], member["common_good"] = min(member["tier"], 1), False
    plain["evidence"] = sorted(plain["evidence"], key=lambda one: one["id"])
    return plain


ALL = ("uni", "host", "author")


def test_a_tree_arrives_with_what_was_spent_and_without_money() -> None:
    old = spent_here()
    tree = tree_of(old, inside(old, ALL))
    new = moved(fresh(), tree)
    again = tree_of(new, inside(new, ALL))
    assert stated(again) == stated(tree)
    assert new.budgets["b"].spent == old.budgets["b"].spent > 0
    assert new.keys[KEY].budget == "b"
    assert new.evidence["iso"].confirmed_by == ""
    assert all(not any(accounts.values()) for accounts in new.balances.values())
    assert not to_bring(new, inside(new, ALL))
    assert new.trees == {digest(tree): ALL}


def test_what_is_to_be_brought_and_what_stays_is_told() -> None:
    old = spent_here()
    bring = {
        (one.account, one.asset): (one.kind, one.amount)
        for one in to_bring(old, inside(old, ["uni"]))
    }
    assert bring["physics", "unis"] == ("own", 7)
    assert bring["uni", "credit"][0] == "credit"
    do(old, c.IssueKey(at=START, key=Key("own-root", "d" * 64, "uni", "operate")))
    assert any("own-root" in line for line in left_behind(old, ["uni"]))
    assert "own-root" not in {key.id for key in tree_of(old, ["uni"]).keys}
    told = msgspec.json.encode(open_of(old, ["uni", "host"]))
    assert b'sealed_secret":""' in told or b"sealed_secret" not in told


def test_a_limit_is_not_escaped_by_moving() -> None:
    old = spent_here()
    new = moved(fresh(), tree_of(old, inside(old, ALL)))
    do(new, c.Deposit(at=AT, member="uni", amount=CREDIT, reference="brought"))
    do(new, c.SetBudget(at=AT, id="b", limit=old.budgets["b"].spent))
    with pytest.raises(Refused) as refused:
        machine.decide(
            new,
            c.Reserve(
                at=AT,
                id="x",
                key=KEY,
                endpoint="chat/completions",
                model=model(new),
                input_bound=10,
                output_bound=1,
            ),
        )
    assert refused.value.why is Why.BUDGET_SPENT
    with pytest.raises(Refused, match="already"):
        machine.decide(new, m.CarrySpent(at=AT, id="b", spent=0, until=new.budgets["b"].until))


@pytest.mark.parametrize(("spent", "until"), [(-1, 1 << 62), (1, 5), (1, 0), (10**31, 1 << 62)])
def test_what_cannot_have_been_spent_is_refused(spent: int, until: int) -> None:
    state = do(fresh(), c.AddMember(at=AT, member=Member("uni", "U", "organisation")),
               c.AddBudget(at=AT, id="b", name="b", owner="uni"))  # fmt: skip
    with pytest.raises(Refused):
        machine.decide(state, m.CarrySpent(at=AT, id="b", spent=spent, until=until))


def test_ids_that_are_taken_are_refused_or_get_a_prefix() -> None:
    old, new = spent_here(), fresh()
    do(new, c.AddMember(at=AT, member=Member("uni", "Another", "organisation")))
    tree = tree_of(old, inside(old, ALL))
    with pytest.raises(Refused, match="'uni' exists"):
        moved(new, tree)
    new = moved(do(fresh(), c.AddMember(at=AT, member=Member("uni", "A", "person"))), tree, "x-")
    assert {"x-uni", "x-physics", "x-host"} <= new.members.keys()
    assert new.members["x-physics"].home == "x-uni"
    assert new.titles["x-t"].waterfall == (Share("author", "x-author", 100_000),)
    assert new.offers["x-o"].title == "x-t"
    assert new.keys[KEY].id == "x-k"


def test_a_market_credit_has_here_the_name_that_it_has_here() -> None:
    old = spent_here()
    new = moved(fresh("taler"), tree_of(old, inside(old, ALL)))
    assert {node.asset for node in new.budgets.values()} == {"taler"}
    assert new.offers["o"].asset == "taler"


def test_an_offer_whose_key_is_sealed_waits_for_it() -> None:
    old = spent_here()
    offer = msgspec.structs.replace(old.offers["o"], sealed_secret="s1.x")
    do(old, c.PostOffer(at=START, offer=offer))
    tree = tree_of(old, inside(old, ALL))
    assert (tree.sealed, tree.offers[0].sealed_secret) == (("o",), "")
    plan = planting.plan(fresh(), tree, THERE, Stamp(OPERATOR, AT), {})
    assert [line.split(":")[0] for line in plan.left] == ["Offer o", "Evidence iso"]
    assert not moved(fresh(), tree).offers
    assert moved(fresh(), tree, sealed={"o": "s1.new"}).offers["o"].sealed_secret == "s1.new"


FORGED = {
    "a key of a member that is here": {"keys": (Key("x", "c" * 64, "op", "manage"),)},
    "a key that operates": {"keys": (Key("x", "c" * 64, "uni", "operate"),)},
    "a key of a budget that is here": {"keys": (Key("x", "c" * 64, "uni", "spend", "here"),)},
    "a member below one that is here": {"members": (Member("uni", "U", "organisation", "op"),)},
    "a title of one that is here": {"titles": (Title("y", "op", "model", "Y"),)},
    "an asset of one that is here": {"assets": (Asset("z", "op", "Z"),)},
    "an operator": {"members": (Member("uni", "U", "operator"),)},
    "nobody": {"members": ()},
}


@pytest.mark.parametrize("how", FORGED)
def test_a_forged_tree_takes_nothing_of_what_is_here(how: str) -> None:
    tree = Tree("credit", (Member("uni", "U", "organisation"),))
    with pytest.raises(Refused):
        moved(fresh(), msgspec.structs.replace(tree, **FORGED[how]))


@pytest.mark.parametrize("top", ["op", "nobody", "w-" + "0" * 40])
def test_who_cannot_be_exported_is_told_so(top: str) -> None:
    state = spent_here()
    do(state, c.AddMember(at=START, member=Member("w-" + "0" * 40, "Wallet", "person")))
    with pytest.raises(Refused):
        inside(state, [top])


def test_only_an_operator_takes_a_tree_in() -> None:
    state = spent_here()
    for command in (
        m.ReceiveTree(
            at=AT, by="b" * 64, sha256="0" * 64, market="x", public_key="", events=1, members=("a",)
        ),
        m.CarrySpent(at=AT, by="b" * 64, id="lab", spent=1, until=1 << 62),
    ):
        with pytest.raises(Refused) as refused:
            machine.decide(state, command)
        assert refused.value.why is Why.NOT_ALLOWED


def test_commands_together_are_one_frame_or_nothing() -> None:
    disk = Disk()
    add = c.AddMember(at=AT, member=Member("uni", "U", "organisation"))

    async def life() -> None:
        desk = Desk(MemoryJournal(disk), Signer(), HandClock())
        await desk.start()
        await desk.submit_all(setup()[:1])
        before = machine.digest(desk.state)
        with pytest.raises(Refused):
            await desk.submit_all([add, add])
        assert machine.digest(desk.state) == before
        budget = c.AddBudget(at=AT, id="b", name="b", owner="uni")
        done = await desk.submit_all([add, budget])
        assert [type(event).__name__ for event in done] == ["MemberAdded", "BudgetAdded"]
        await desk.close()

    asyncio.run(life())
    assert [len(events(frame.body)) for frame in disk.frames] == [1, 2]


# Of any market --------------------------------------------------------------------------


def lived(seed: int, steps: int = 60) -> State:
    """Whatever a simulated market has come to."""
    rig = Rig()
    traffic = (Traders if seed % 3 else Traffic)(rig, Random(seed))
    if seed % 2:
        traffic.link_wallets(Random(-seed - 1))
    traffic.guard(Random(f"guard {seed}"))
    traffic.cap(Random(f"cap {seed}"))

    async def live() -> None:
        await rig.start()
        await traffic.found()
        for _ in range(steps):
            await traffic.step()
        await rig.finish()

    asyncio.run(live())
    return rig.auditor.state


@settings(max_examples=8)
@given(seed=st.integers(0, 10_000), prefix=st.sampled_from(["", "from-"]))
def test_whatever_a_market_has_come_to_its_members_move_and_nothing_changes(
    seed: int, prefix: str
) -> None:
    old = lived(seed)
    assert old.market
    tops = [m.id for m in old.members.values() if not m.home and m.id != old.market.operator]
    tops = [top for top in tops if not top.startswith("w-")]
    members = inside(old, tops)
    tree = tree_of(old, members)
    assert b"s1." not in msgspec.json.encode(tree)
    new = fresh()
    do(new, c.Tick(at=old.now))
    sealed = dict.fromkeys(tree.sealed, "s1.new")
    plan = planting.plan(new, tree, THERE, Stamp(OPERATOR, old.now, prefix), sealed)
    do(new, *(command for _, command in plan.steps))
    again = tree_of(new, inside(new, [prefix + top for top in tops]))
    filed = {prefix + one.id for one in tree.evidence if one.expires > old.now}
    assert {one.id for one in again.evidence} <= filed
    if not prefix:
        gone = {one.id for one in tree.evidence} - {one.id for one in again.evidence}
        kept = tuple(one for one in tree.evidence if one.id not in gone)
        assert stated(again) == stated(tree, evidence=kept)
    assert [node.spent for node in again.budgets] == [node.spent for node in tree.budgets]
    assert {key.hash for key in again.keys} == {key.hash for key in tree.keys}
