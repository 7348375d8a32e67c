"""Credit, Rights, Share and Bond under long random runs of calls, against a few lines of Python.

A run is a list of calls by anybody to anybody; the contract and the model accept the same ones,
and after each run every balance is the same. One example is up to eighty calls. Everybody begins
with something, and who has a role calls more often, so that many calls are accepted.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import Any

import boa
from eth_hash.auto import keccak
from fuzzed import attempt
from hypothesis import given, settings
from hypothesis import strategies as st
from vault_rig import JUDGING, UNBONDING, Market, Person, deploy

PEOPLE = tuple(Person(name) for name in ("admin", "anna", "ben", "mallory"))
ADMIN = PEOPLE[0]
WHO = st.integers(0, len(PEOPLE) - 1)
AMOUNT = st.integers(0, 300)
ISSUE = 1_000
RUNS = settings(max_examples=max(180, 2 * settings.default.max_examples))
FEW = settings(max_examples=settings.default.max_examples // 3)
BOND_RUNS = settings(max_examples=2 * settings.default.max_examples)
START = 250
OPEN = 2
"""A mode in which members transfer to each other."""
MOSTLY_ADMIN = st.sampled_from((0, 0, 0, 1, 2, 3))


@cache
def credit() -> Any:
    return deploy("Credit", "Credit", "CRED", by=ADMIN.address)


@cache
def rights() -> Any:
    end = boa.env.evm.patch.timestamp + 10**9
    return deploy("Rights", "Lots", "LOTS", keccak(b"i"), end, ISSUE, by=ADMIN.address)


@cache
def share() -> Any:
    made = deploy("Share", OPEN, ISSUE, by=ADMIN.address)
    made.grantRole(keccak(b"MINTER"), ADMIN.address, sender=ADMIN.address)
    return made


class Ledger:
    """What an ERC-20 is."""

    def __init__(self) -> None:
        self.balance: dict[int, int] = defaultdict(int)
        self.allowed: dict[tuple[int, int], int] = defaultdict(int)
        self.minted: set[int] = set()

    def transfer(self, who: int, to: int, amount: int) -> bool:
        if self.balance[who] < amount:
            return False
        self.balance[who] -= amount
        self.balance[to] += amount
        return True

    def move(self, who: int, owner: int, to: int, amount: int) -> bool:
        if self.allowed[owner, who] < amount or not self.transfer(owner, to, amount):
            return False
        self.allowed[owner, who] -= amount
        return True

    def burn(self, who: int, amount: int) -> bool:
        if self.balance[who] < amount:
            return False
        self.balance[who] -= amount
        return True


TOKEN_CALLS = st.lists(
    st.one_of(
        st.tuples(st.just("mint"), MOSTLY_ADMIN, WHO, AMOUNT, st.integers(0, 20)),
        st.tuples(st.just("transfer"), WHO, WHO, AMOUNT),
        st.tuples(st.just("approve"), WHO, WHO, AMOUNT),
        st.tuples(st.just("move"), WHO, WHO, WHO, AMOUNT),
        st.tuples(st.just("burn"), WHO, AMOUNT),
    ),
    min_size=20,
    max_size=80,
)


def on_the_chain(token: Any, call: tuple[Any, ...], is_rights: bool) -> bool:
    what, who, *rest = call
    by = PEOPLE[who].address
    if what == "mint":
        to, amount, number = rest
        more = (number.to_bytes(32, "big"),) if is_rights else ()
        return attempt(token.mint, PEOPLE[to].address, amount, *more, sender=by)
    if what == "transfer":
        return attempt(token.transfer, PEOPLE[rest[0]].address, rest[1], sender=by)
    if what == "approve":
        return attempt(token.approve, PEOPLE[rest[0]].address, rest[1], sender=by)
    if what == "move":
        owner, to = PEOPLE[rest[0]].address, PEOPLE[rest[1]].address
        return attempt(token.transferFrom, owner, to, rest[2], sender=by)
    if is_rights:
        return attempt(token.redeem, rest[0], bytes(32), sender=by)
    return attempt(token.burn, rest[0], sender=by)


def in_the_model(ledger: Ledger, call: tuple[Any, ...], is_rights: bool, capped: bool) -> bool:
    what, who, *rest = call
    if what == "transfer":
        return ledger.transfer(who, *rest)
    if what == "approve":
        ledger.allowed[who, rest[0]] = rest[1]
        return True
    if what == "move":
        return ledger.move(who, *rest)
    if what == "burn":
        return not (is_rights and not rest[0]) and ledger.burn(who, rest[0])
    to, amount, number = rest
    supply = sum(ledger.balance.values())
    if who != 0 or (capped and supply + amount > ISSUE):
        return False
    if is_rights and number in ledger.minted:
        return False
    ledger.minted.add(number)
    ledger.balance[to] += amount
    return True


def run(
    token: Any, calls: list[tuple[Any, ...]], *, is_rights: bool = False, capped: bool = False
) -> None:
    with boa.env.anchor():
        ledger = Ledger()
        begin = [("mint", 0, who, START, 100 + who) for who in range(len(PEOPLE) - 1)]
        for call in (*begin, *calls):
            accepted = on_the_chain(token, call, is_rights)
            assert accepted == in_the_model(ledger, call, is_rights, capped), call
        held = [token.balanceOf(person.address) for person in PEOPLE]
        assert held == [ledger.balance[i] for i in range(len(PEOPLE))]
        assert token.totalSupply() == sum(held)


@given(TOKEN_CALLS)
@RUNS
def test_credit_is_a_ledger(calls: list[tuple[Any, ...]]) -> None:
    run(credit(), calls)


@given(TOKEN_CALLS)
@RUNS
def test_rights_are_a_ledger_within_their_issue(calls: list[tuple[Any, ...]]) -> None:
    run(rights(), calls, is_rights=True, capped=True)


@given(TOKEN_CALLS)
@FEW
def test_the_share_is_a_ledger_within_its_cap(calls: list[tuple[Any, ...]]) -> None:
    run(share(), calls, capped=True)


# The bond ---------------------------------------------------------------------------------


@cache
def market() -> Market:
    made = Market()
    for role in (b"JUDGE", b"SLASHER"):
        made.bond.grantRole(keccak(role), ADMIN.address, sender=ADMIN.address)
    for person in PEOPLE:
        made.give(person, 10_000, made.bond.address)
    return made


BOND_CALLS = st.lists(
    st.one_of(
        st.tuples(st.just("bond"), WHO, WHO, AMOUNT),
        st.tuples(st.just("leave"), WHO, AMOUNT),
        st.tuples(st.just("release"), WHO),
        st.tuples(st.just("slash"), MOSTLY_ADMIN, WHO, AMOUNT, WHO),
        st.tuples(st.just("claim"), WHO, WHO, AMOUNT),
        st.tuples(st.just("judge"), MOSTLY_ADMIN, st.integers(1, 8), st.booleans()),
        st.tuples(st.just("lapse"), WHO, st.integers(1, 8)),
        st.tuples(st.just("collect"), WHO),
        st.tuples(st.just("wait"), st.sampled_from([1, JUDGING, UNBONDING])),
    ),
    min_size=20,
    max_size=80,
)


@given(BOND_CALLS)
@BOND_RUNS
def test_a_bond_holds_what_it_owes_and_slashes_no_more_than_there_is(
    calls: list[tuple[Any, ...]],
) -> None:
    desk = market()
    with boa.env.anchor():
        for what, *rest in calls:
            if what == "wait":
                boa.env.time_travel(seconds=rest[0])
                continue
            by, args = PEOPLE[rest[0]].address, list(rest[1:])
            if what in ("bond", "slash", "claim"):
                args[0] = PEOPLE[args[0]].address
            if what == "slash":
                args[2] = PEOPLE[args[2]].address
            if what == "claim":
                args.append(bytes(32))
            TRIES.get(what, attempt_it)(desk, what, args, by)
        everyone_is_covered(desk.bond, desk.token)


def attempt_it(desk: Market, what: str, args: list[Any], by: str) -> bool:
    return attempt(getattr(desk.bond, what), *args, sender=by)


def slash(desk: Market, what: str, args: list[Any], by: str) -> None:
    """Pays the beneficiary what there is, and no more than was asked."""
    account, amount, to = args
    before, had = desk.bond.collateral(account)[0], desk.token.balanceOf(to)
    accepted = attempt_it(desk, what, args, by)
    assert accepted == (by == ADMIN.address)
    paid = before - desk.bond.collateral(account)[0]
    assert paid == (min(before, amount) if accepted else 0)
    assert desk.token.balanceOf(to) == had + paid


def judge(desk: Market, what: str, args: list[Any], by: str) -> None:
    """Takes no more than was claimed from whom it was claimed, and gives the stake away."""
    claimant, accused, amount, stake, *_ = desk.bond.claims(args[0])
    before, owed = desk.bond.collateral(accused)[0], desk.bond.owed(claimant)
    if not attempt_it(desk, what, args, by):
        return
    assert by == ADMIN.address
    paid = before - desk.bond.collateral(accused)[0]
    assert paid == (min(before, amount) if args[1] else 0)
    won = paid + stake if args[1] else stake if claimant == accused else 0
    assert desk.bond.owed(claimant) == owed + won


TRIES = {"slash": slash, "judge": judge}


def everyone_is_covered(bond: Any, token: Any) -> None:
    bonded, owed, claimed = 0, 0, 0
    for person in PEOPLE:
        its = bond.collateral(person.address)
        bonded, claimed = bonded + its[0], claimed + its[3]
        owed += bond.owed(person.address)
        assert its[1] <= its[0], "more is leaving than is bonded"
    open_ = [bond.claims(number) for number in range(1, bond.claim_count() + 1)]
    assert claimed == sum(claim[2] for claim in open_)
    assert token.balanceOf(bond.address) == bond.held() == bonded + owed + sum(c[3] for c in open_)
