"""Airdrops under random runs of calls, against a few lines of Python.

Rounds begin, lines of all of them are claimed by anybody, right and wrong ones, before and after
their deadlines, and what is left is given back. Contract and model accept the same calls, for
the same reason, and no round ever gives more than its total.
"""

from __future__ import annotations

from typing import Any

import boa
from eth_hash.auto import keccak
from fuzzed import refusal
from hypothesis import given, settings
from hypothesis import strategies as st
from test_airdrop import ADMIN, COMMONS, DAY, MOST, Drop
from vault_rig import Person

from allmende.wire import claims

PEOPLE = tuple(Person(name) for name in ("anna", "ben", "carl", "mallory"))
WHO = st.integers(0, len(PEOPLE) - 1)
ROUND = st.sampled_from((1, 1, 1, 2, 2, 3, 0))
LIST = st.dictionaries(WHO, st.integers(1, MOST // 8), min_size=1)
CLAIM = st.tuples(
    st.just("claim"), WHO, ROUND, WHO, st.sampled_from((*[""] * 8, "amount", "index", "proof"))
)
CALLS = st.lists(
    st.tuples(
        st.sampled_from((*[0] * 12, DAY // 2, DAY + 1)),
        st.one_of(
            CLAIM,
            CLAIM,
            CLAIM,
            st.tuples(
                st.just("begin"), st.sampled_from((0, 0, 1)), LIST, st.sampled_from((0, 0, 1))
            ),
            st.tuples(st.just("give_back"), WHO, ROUND),
        ),
    ),
    min_size=5,
    max_size=25,
)
RUNS = settings(max_examples=settings.default.max_examples // 3)


class Model:
    """What a list pays, and to whom."""

    def __init__(self) -> None:
        self.rounds: list[dict[str, Any]] = []
        self.held: dict[str, int] = {}

    def begin(self, lines: list[claims.Line], total: int, until: int, *, may: bool) -> str:
        if not may:
            return "access_control: account is missing role"
        if sum(r["total"] for r in self.rounds) + total > MOST:
            return "airdrop: more than there is to give"
        self.rounds.append({"lines": lines, "total": total, "until": until, "given": 0})
        self.rounds[-1]["taken"] = set()
        return ""

    def claim(self, now: int, number: int, line: claims.Line, *, true: bool) -> str:
        if not 1 <= number <= len(self.rounds):
            return "airdrop: no such round"
        found = self.rounds[number - 1]
        if now > found["until"]:
            return "airdrop: over"
        if line.place in found["taken"]:
            return "claims: claimed already"
        if not true or line not in found["lines"]:
            return "claims: not in the list"
        if found["given"] + line.amount > found["total"]:
            return "airdrop: over the total"
        found["taken"].add(line.place)
        self.give(found, "0x" + line.account.hex(), line.amount)
        return ""

    def give_back(self, now: int, number: int) -> str:
        if not 1 <= number <= len(self.rounds):
            return "airdrop: no such round"
        found = self.rounds[number - 1]
        rest = found["total"] - found["given"]
        if now <= found["until"]:
            return "airdrop: not over"
        if not rest:
            return "airdrop: nothing left"
        self.give(found, COMMONS.address.lower(), rest)
        return ""

    def give(self, found: dict[str, Any], to: str, amount: int) -> None:
        found["given"] += amount
        self.held[to] = self.held.get(to, 0) + amount


def begin(rig: Drop, model: Model, who: int, listed: dict[int, int], less: int) -> None:
    lines = claims.lines({PEOPLE[i].bytes: amount for i, amount in listed.items()})
    total = claims.total(lines) - less if claims.total(lines) > less else 1
    until, sender = boa.env.evm.patch.timestamp + DAY, (ADMIN, *PEOPLE)[who].address
    root = claims.root(lines, keccak)
    told = refusal(rig.drop.begin, root, total, until, sender=sender)
    assert told == model.begin(lines, total, until, may=who == 0)


def claim(rig: Drop, model: Model, who: int, number: int, of: int, wrong: str) -> None:
    known = 1 <= number <= len(model.rounds)
    lines = model.rounds[number - 1]["lines"] if known else claims.lines({PEOPLE[of].bytes: 1})
    line = lines[of % len(lines)]
    shown = claims.proof(claims.levels(lines, keccak), line.place)
    if wrong == "proof":
        shown = (*shown, bytes(32))
    elif wrong:
        name = {"amount": "amount", "index": "place"}[wrong]
        line = line._replace(**{name: getattr(line, name) + 1})
    said = (number, line.place, "0x" + line.account.hex(), line.amount, shown)
    told = refusal(rig.drop.claim, *said, sender=PEOPLE[who].address)
    now = boa.env.evm.patch.timestamp
    assert told == model.claim(now, number, line, true=wrong != "proof")


def sound(rig: Drop, model: Model) -> None:
    for number, found in enumerate(model.rounds, 1):
        assert rig.drop.rounds(number)[2] == found["given"] <= found["total"]
    assert rig.drop.promised() == sum(found["total"] for found in model.rounds) <= MOST
    assert rig.share.totalSupply() == sum(model.held.values())
    for who in (*PEOPLE, COMMONS):
        assert rig.share.balanceOf(who.address) == model.held.get(who.address.lower(), 0)


@given(LIST, CALLS)
@RUNS
def test_every_line_is_paid_once_and_no_round_gives_more_than_it_promised(
    first: dict[int, int], calls: list[tuple[int, tuple[Any, ...]]]
) -> None:
    with boa.env.anchor():
        rig, model = Drop({ADMIN.bytes: 1}), Model()
        model.begin(rig.lines, 1, rig.until, may=True)
        for pause, (what, *rest) in ((0, ("begin", 0, first, 0)), *calls):
            boa.env.evm.patch.timestamp += pause
            if what == "begin":
                begin(rig, model, *rest)
            elif what == "claim":
                claim(rig, model, *rest)
            else:
                number = rest[1]
                told = refusal(rig.drop.give_back, number, sender=PEOPLE[rest[0]].address)
                assert told == model.give_back(boa.env.evm.patch.timestamp, number)
        sound(rig, model)
