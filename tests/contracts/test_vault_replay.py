"""What was signed or sent once, shown again: elsewhere, or after a reorganisation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boa
import pytest
from eth_hash.auto import keccak
from fuzzed import attempt
from vault_rig import CREDIT, Batch, Market, Person, on_chain, refused

from allmende.wire import voucher as v

ANNA, BEN, HOST, MALLORY = (Person(name) for name in ("anna", "ben", "host", "mallory"))
KEY = Person("session")


@pytest.fixture
def market() -> Iterator[Market]:
    with boa.env.anchor():
        market = Market().open()
        market.deposit(ANNA, 10 * CREDIT)
        market.vault.cut(sender=market.operator.address)
        yield market


# Elsewhere --------------------------------------------------------------------------------


def test_vouchers_and_permits_of_one_chain_are_void_on_another(market: Market) -> None:
    with on_chain(8_453):
        with refused("voucher: not the key's"):
            market.acknowledge(ANNA, 5)
        with refused("voucher: no permit"):
            market.acknowledge(ANNA, 5, key=KEY)
        market.acknowledge(ANNA, 5, domain=market.domain._replace(chain_id=8_453))
    with refused("voucher: not the key's"):
        market.acknowledge(ANNA, 6, domain=market.domain._replace(chain_id=8_453))
    assert market.vault.signed(ANNA.address) == 5


def test_promises_of_one_chain_or_deployment_are_void_on_another(market: Market) -> None:
    other = Market().open()
    other.deposit(ANNA, 10 * CREDIT)
    other.settle()
    other.submit()
    promise = market.promise(HOST, market.spend(ANNA, HOST, CREDIT))
    market.submit()
    market.give(HOST, market.terms["stake"])
    with on_chain(56), refused("vault: not promised"):
        market.vault.challenge_earnings(*promise, sender=HOST.address)
    other.give(HOST, other.terms["stake"])
    with refused("vault: not promised"):
        other.vault.challenge_earnings(*promise, sender=HOST.address)
    market.vault.challenge_earnings(*promise, sender=HOST.address)
    assert market.vault.open_challenges() == 1


def test_a_session_of_one_deployment_is_none_of_another(market: Market) -> None:
    other = Market()
    said, allowed, *_ = other.voucher(ANNA, 5, key=KEY)
    id_ = v.channel(ANNA.bytes, 0, keccak)
    signed = KEY.sign(v.voucher_digest(market.domain, id_, 5, keccak))
    with refused("voucher: no permit"):
        market.vault.acknowledge(said, allowed, 5, signed)
    other.vault.acknowledge(*other.voucher(ANNA, 5, key=KEY))
    assert (market.vault.signed(ANNA.address), other.vault.signed(ANNA.address)) == (0, 5)


def test_a_leaf_of_one_deployment_is_none_of_another(market: Market) -> None:
    other = Market().open()
    other.deposit(MALLORY, 90 * CREDIT)
    other.settle()
    market.settle()
    with refused("vault: not in the final batch"):
        market.vault.ask(*other.final.show(MALLORY), CREDIT, sender=MALLORY.address)
    market.close()
    with refused("vault: not in the final batch"):
        market.vault.exit(*other.final.show(MALLORY), sender=MALLORY.address)
    assert market.vault.backed() == 10 * CREDIT


# A reorganisation -------------------------------------------------------------------------


class Tape:
    """Transactions as they were signed: whoever has one may send it again."""

    def __init__(self) -> None:
        self.sent: list[tuple[Any, ...]] = []

    def do(self, by: Person, method: Any, *args: Any) -> None:
        self.sent.append((by, method, args))
        assert attempt(method, *args, sender=by.address), method

    def wait(self, seconds: int) -> None:
        self.sent.append((None, None, seconds))
        boa.env.time_travel(seconds=seconds)


def live(market: Market) -> tuple[Tape, dict[bytes, Batch]]:
    """A life with everything in it: an answered challenge, a void, withdrawals, the end."""
    tape, vault, operator, terms = Tape(), market.vault, market.operator, market.terms
    roots: dict[bytes, Batch] = {}

    def submit(batch: Batch) -> None:
        roots[batch.top.hash] = batch
        none = keccak(b"no receipts")
        tape.do(operator, vault.submit, *batch.top, len(batch.leaves), none, 0)

    nothing = (0, [])
    tape.do(ANNA, vault.deposit, ANNA.address, 10 * CREDIT)
    tape.do(BEN, vault.deposit, BEN.address, 5 * CREDIT)
    for person in (ANNA, BEN):
        market.know(person)
    tape.do(operator, vault.cut)
    market.spend(ANNA, HOST, 3 * CREDIT)
    first = Batch(market.leaves(), [])
    submit(first)
    tape.do(MALLORY, vault.challenge, (ANNA.address, 0, 0), nothing)
    tape.do(operator, vault.acknowledge, *market.voucher(ANNA, 3 * CREDIT))
    tape.do(operator, vault.answer, 1, *first.show(ANNA))
    tape.wait(terms["window"])
    tape.do(BEN, vault.finalise)
    tape.do(HOST, vault.ask, *first.show(HOST), 3 * CREDIT)
    tape.do(BEN, vault.deposit, BEN.address, 2 * CREDIT)
    tape.do(ANNA, vault.ask, *first.show(ANNA), 2 * CREDIT)
    tape.do(operator, vault.cut)
    second = Batch(market.leaves(), [])
    submit(second)
    tape.do(BEN, vault.challenge, *first.show(BEN))
    tape.wait(terms["response"] + 1)
    tape.do(MALLORY, vault.void, 2)
    submit(second)
    tape.wait(terms["window"])
    tape.do(MALLORY, vault.finalise)
    tape.wait(terms["delay"])
    for id_ in (1, 2):
        tape.do(MALLORY, vault.pay, id_)
    tape.do(BEN, vault.collect)
    tape.wait(terms["silence"] + 1)
    tape.do(MALLORY, vault.close)
    tape.do(BEN, vault.exit, *second.show(BEN))
    return tape, roots


def test_no_reorganisation_at_any_block_pays_anyone_twice() -> None:
    """Each transaction in turn is lost, or comes after the next one; all others are sent again."""
    with boa.env.anchor():
        market = Market().open()
        for person in (ANNA, BEN, HOST, MALLORY):
            market.give(person, 50 * CREDIT)
        with boa.env.anchor():
            tape, roots = live(market)
            assert play_out(market, roots) == 2  # Anna leaves, the operator collects a stake
        for place in range(len(tape.sent)):
            before, it, after = tape.sent[:place], tape.sent[place], tape.sent[place + 1 :]
            for order in ([*before, *after], [*before, *after[:1], it, *after[1:]]):
                again(market, order, roots)


def again(market: Market, order: list[tuple[Any, ...]], roots: dict[bytes, Batch]) -> None:
    with boa.env.anchor():
        for by, method, args in order:
            if by is None:
                boa.env.time_travel(seconds=args)
            else:
                attempt(method, *args, sender=by.address)
        play_out(market, roots)


def play_out(market: Market, roots: dict[bytes, Batch]) -> int:
    """Everybody takes what he can; how much was accepted. Nobody has more than is his."""
    vault, token, terms = market.vault, market.token, market.terms
    accepted = 0
    for _ in range(2):  # what is pending may become final first
        boa.env.time_travel(seconds=terms["silence"] + 1)
        accepted += attempt(vault.close, sender=MALLORY.address)
    assert vault.closed()
    final = roots.get(vault.final()[1], Batch([], []))
    people = (ANNA, BEN, HOST, MALLORY, market.operator)
    for id_ in range(1, vault.challenge_count() + 1):
        accepted += attempt(vault.reclaim, id_, sender=MALLORY.address)
    for _ in range(2):
        for id_ in range(1, vault.withdrawal_count() + 1):
            accepted += attempt(vault.pay, id_, sender=MALLORY.address)
        for person in people:
            accepted += attempt(vault.exit, *final.show(person), sender=person.address)
            accepted += attempt(vault.collect, sender=person.address)
    for person in people:  # whoever was due something has it: nothing is left to ask for
        assert not attempt(vault.exit, *final.show(person), sender=person.address)
    left = vault.backed() + vault.owed(market.commons.address) + 1
    assert token.balanceOf(vault.address) == left
    reward = terms["penalty"] // 2
    most = {ANNA: 0, BEN: reward, HOST: 3 * CREDIT, MALLORY: reward}
    for person, more in most.items():
        assert token.balanceOf(person.address) <= 50 * CREDIT + more
    return accepted
