"""One rule, three times: the lab's slow model, the desk's fold, and what the contract pays.

An epoch's work is drawn, reckoned by both, published, and every line is claimed.
"""

from __future__ import annotations

from functools import cache

import boa
from emission_rig import HALVING, MALLORY, POOL, PUBLISHER, RULE, WINDOW, List, Mine
from eth_hash.auto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from useful_work import RULE as SAID
from vault_rig import Person

from allmende.core.rewards import Closed, Facts, Hours, Line, Rule, Verdict, points, pool_of
from allmende.lab import model_rewards
from allmende.wire import merkle
from allmende.wire.rewards import decode, encode, reckon

WORKERS = tuple(Person(f"worker {number}") for number in range(5))
PAYEES = ["0x" + person.bytes.hex() for person in WORKERS]
UNITS = st.tuples(*(st.integers(0, 50) for _ in range(5)))
WORK = st.lists(st.tuples(st.integers(0, 4), UNITS, st.integers(0, 9)), min_size=1, max_size=8)
TEXT = b"""[values]
epoch_seconds = 1000
first_epoch = 1
pool_shares = 1
halving_epochs = 2
owner_cap_ppm = 1000000
full_points = 1
[values.points]
input = 1
cached = 1
output = 1
embedding = 1
query = 1
check = 1
training_hour = 1
"""


@cache
def mine() -> Mine:
    return Mine()


@given(
    WORK,
    st.tuples(*(st.integers(0, 4) for _ in WORKERS)),
    st.integers(0, 10**6),
    st.integers(1, 10**6),
    st.integers(0, 4),
)
@settings(max_examples=max(10, settings.default.max_examples // 6))
def test_lab_desk_and_contract_give_the_same_claimable_sums(
    work: list[tuple[int, tuple[int, ...], int]],
    owned: tuple[int, ...],
    cap_ppm: int,
    full: int,
    epoch: int,
) -> None:
    rig = mine()
    with boa.env.anchor():
        rule = structs.replace(
            SAID,
            epoch_seconds=1_000,
            first_epoch=rig.first,
            pool=POOL,
            halving_epochs=HALVING,
            owner_cap_ppm=cap_ppm,
            full_points=full,
            training_hour=500,
        )
        facts = told(rig.first + epoch, work, owned)
        assert decode(encode(facts, TEXT)) == (facts, TEXT)
        check(rig, rule, facts, epoch)


def told(epoch: int, work: list[tuple[int, tuple[int, ...], int]], owned: tuple[int, ...]) -> Facts:
    """One batch with a receipt of each piece of work, and its hours."""
    leaves = [keccak(bytes([number])) for number in range(len(work))]
    by_owner = sorted(zip(owned, PAYEES, strict=True), reverse=True)
    first = dict(by_owner)  # of each owner the lowest payee comes last, and stays
    used = {PAYEES[who] for who, _, _ in work}
    return Facts(
        market="m",
        epoch=epoch,
        owners={payee: first[owner] for owner, payee in by_owner},
        batches=(Closed(1, len(work), merkle.root(leaves).hex()),),
        lines=tuple(
            Line(1, leaf.hex(), "", PAYEES[who], units)
            for leaf, (who, units, _) in zip(leaves, work, strict=True)
        ),
        verdicts=tuple(Verdict("c", "", payee, len(used)) for payee in sorted(used)),
        training=tuple(Hours("t", "", PAYEES[who], hours) for who, _, hours in work),
    )


def check(rig: Mine, rule: Rule, facts: Facts, epoch: int) -> None:
    found = reckon(facts, rule, keccak)
    assert found.pool == pool_of(rule, facts.epoch) == rig.emission.pool_of(facts.epoch)
    slow = model_rewards.shared(rule, found.pool, points(rule, facts), facts.owners)
    assert {"0x" + line.account.hex(): line.amount for line in found.lines} == slow
    if not found.lines:
        return
    rig.end(epoch)
    words = (facts.epoch, found.root, found.total, RULE)
    rig.emission.publish(*words, sender=PUBLISHER.address)
    rig.later(WINDOW)
    tree = List(
        {who: slow["0x" + who.bytes.hex()] for who in WORKERS if "0x" + who.bytes.hex() in slow}
    )
    assert tree.root == found.root
    for who in WORKERS:
        amount = slow.get("0x" + who.bytes.hex(), 0)
        if amount:
            rig.claim(epoch, tree.line(who), by=MALLORY)
        assert rig.has(who) == amount
    assert rig.emission.minted() == found.total == sum(slow.values())
