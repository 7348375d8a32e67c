"""The public file of an epoch: read back the same, alone enough, and believed in nothing."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import msgspec
import pytest
from eth_hash.auto import keccak
from useful_work import Busy

from allmende.adapters import reward_rules
from allmende.core import commands as c
from allmende.core.observe_rewards import Work
from allmende.core.rewards import Facts, epoch_at
from allmende.core.settle import receipt_leaf
from allmende.core.units import Units
from allmende.wire import rewards as wire

TODAY = date(2026, 11, 21)
RULE = reward_rules.packaged(reward_rules.ACT, TODAY)
LAB = reward_rules.packaged(reward_rules.LAB, TODAY)


def facts(text: bytes = LAB) -> Facts:
    """Three receipts in two batches of one epoch."""
    busy, rule = Busy(), wire.rule_of(text)
    busy.pay("rhine")
    busy.serve("a", counted=Units(input=100, output=50))
    busy.serve("b")
    busy.do(c.CloseBatch())
    busy.serve("c", counted=Units(input=100, output=50))
    busy.do(c.CloseBatch())
    work = Work(rule, epoch_at(rule, busy.now), receipt_leaf)
    for event in busy.events:
        work.feed(event)
    return work.facts()


def test_the_rules_files_are_in_order_and_found_by_their_terms():
    rule = wire.rule_of(RULE)
    assert (rule.epoch_seconds, rule.output, rule.pool) == (604_800, 400, 25_000 * wire.SHARE)
    for text in (RULE, LAB):
        assert reward_rules.of_terms(*reward_rules.terms(wire.rule_of(text))) == text
    assert reward_rules.of_terms(7, 1, 1, 1) is None
    assert reward_rules.named("lab/rewards", TODAY) == LAB


def test_a_rule_from_a_file_is_read_and_a_bad_one_named(tmp_path: Path):
    file = tmp_path / "mine.toml"
    file.write_bytes(LAB.replace(b"query = 10000", b"query = 1"))
    assert wire.rule_of(reward_rules.named(str(file), TODAY)).query == 1
    for old, new, field in (
        (b"query = 10000", b"query = 1.5", "query"),
        (b"query = 10000", b"", "query"),
        (b"owner_cap_ppm = 250000", b"owner_cap_ppm = 1000001", "owner_cap_ppm"),
        (b"epoch_seconds = 3", b"epoch_seconds = 0", "epoch_seconds"),
        (b"[values.points]", b"[points]", "points"),
    ):
        with pytest.raises(ValueError, match=field):
            wire.rule_of(LAB.replace(old, new))


def test_the_file_alone_gives_the_list_that_the_journal_gives():
    told = facts()
    read, rule = wire.decode(wire.encode(told, LAB))
    assert (read, rule) == (told, LAB)
    journal = wire.reckon(told, wire.rule_of(LAB), keccak)
    assert wire.reckon(read, wire.rule_of(rule), keccak) == journal
    assert journal.root
    assert journal.total == 6 * wire.SHARE  # 60,000 of 10,000,000 points of a pool of 1,000
    assert wire.shares(journal.total) == "6"
    assert [batch.receipts for batch in read.batches] == [2, 1]


def test_an_epoch_of_nothing_has_no_root():
    told = facts()
    empty = Facts(
        market="m", epoch=told.epoch, owners={}, batches=(), lines=(), verdicts=(), training=()
    )
    assert wire.reckon(empty, wire.rule_of(LAB), keccak)[2:] == ([], 0, b"")


def broken(change) -> bytes:
    plain = msgspec.json.decode(wire.encode(facts(), LAB))
    change(plain, plain["facts"])
    return msgspec.json.encode(plain)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d, f: d.update(kind="x"), "not a file of facts"),
        (lambda d, f: d.update(rule=d["rule"] + "\n"), "not the one of its hash"),
        (lambda d, f: f["lines"].pop(), "have not its receipts' root"),
        (lambda d, f: f["lines"].reverse(), "have not its receipts' root"),
        (lambda d, f: f["lines"].append(f["lines"][0]), "have not its receipts' root"),
        (lambda d, f: f["lines"][0].__setitem__(1, "00" * 32), "have not its receipts' root"),
        (lambda d, f: f["lines"][0].__setitem__(0, 7), "has no place"),
        (lambda d, f: f["lines"][0].__setitem__(3, "0x" + "00" * 20), "no payee"),
        (lambda d, f: f["lines"][0].__setitem__(4, [1, 1]), "units"),
        (lambda d, f: f["lines"][0].__setitem__(4, [-1, 0, 0, 0, 0]), "units"),
        (lambda d, f: f["lines"][1].__setitem__(2, "because"), "no reason"),
        (lambda d, f: f["lines"][1].__setitem__(2, ""), "units"),
        (lambda d, f: f["batches"].reverse(), "not in order"),
        (lambda d, f: f["owners"].update({"0x1": "0x1"}), "owners"),
        (lambda d, f: f["training"].append(["t", "", "", -1]), "hours"),
        (lambda d, f: f["verdicts"].append(["c", "", "", 0]), "were right"),
        (lambda d, f: f.pop("epoch"), "not a file of facts"),
    ],
)
def test_what_does_not_fit_in_a_file_is_told_and_never_reckoned_with(change, says: str):
    with pytest.raises(wire.BadFacts, match=says):
        wire.decode(broken(change))


def test_bytes_that_are_no_file_are_told():
    for data in (b"", b"[]", b"\xff", b"{" * 10_000):
        with pytest.raises(wire.BadFacts, match="not a file of facts"):
            wire.decode(data)
