"""Signed heads: what proves two histories, what does not, and what a witness makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from histories import Histories, History
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from allmende.adapters.heads import SqliteHeads
from allmende.doors.federation_witness import Witness
from allmende.federation import Known
from allmende.wire import gossip, heads, passage
from allmende.wire.heads import Link, NoProof, Split, Statement, Stretch

FRAMES = 12
MARKET = Histories(b"a", FRAMES)
LIE = MARKET.fork(5)
OTHER = Histories(b"b", FRAMES)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[SqliteHeads]:
    with closing(SqliteHeads(tmp_path / "heads.sqlite")) as found:
        yield found


def split(one: int = 6, other: int = 9) -> Split:
    """The truth of `one` frames against the lie of `other`."""
    shown, lied = MARKET.statement(MARKET.truth, one), MARKET.statement(LIE, other)
    return heads.split(shown, lied, LIE.stretch(one, other) if one != other else None)


# What a proof proves ------------------------------------------------------------------


@pytest.mark.parametrize("other", [6, 7, FRAMES])
def test_two_heads_that_cannot_both_be_are_a_proof(other: int) -> None:
    said = heads.verdict(heads.read(heads.encode(split(6, other))))
    assert "Market 'm'" in said
    assert "signed two histories" in said


def test_numbers_that_run_backwards_are_a_proof_by_themselves() -> None:
    one, other = MARKET.statement(MARKET.truth, 6), MARKET.statement(MARKET.truth, 9, number=12)
    assert "two histories" in heads.verdict(heads.split(other, one))
    same = MARKET.statement(MARKET.truth, 6, number=13)
    assert "two histories" in heads.verdict(heads.split(one, same))


@pytest.mark.parametrize(
    "wrong",
    [
        {"format": "x"},
        {"stretch": None},
        {"one": MARKET.statement(LIE, 6)},
        {"one": OTHER.statement(OTHER.truth, 6)},
        {"other": structs.replace(MARKET.statement(LIE, 9), number=19)},
        {"other": structs.replace(MARKET.statement(LIE, 9), public_key="zz")},
        {"other": structs.replace(MARKET.statement(LIE, 9), signature="00" * 64)},
        {"stretch": LIE.stretch(6, 8)},
        {"stretch": MARKET.truth.stretch(6, 9)},
        {"stretch": structs.replace(LIE.stretch(6, 9), prev="00")},
        {"stretch": structs.replace(LIE.stretch(6, 9), links=(Link("x", ""),) * 3)},
        {"stretch": structs.replace(LIE.stretch(6, 9), after=5)},
    ],
)
def test_whatever_is_changed_in_a_proof_it_proves_nothing(wrong: dict[str, Any]) -> None:
    with pytest.raises(NoProof):
        heads.verdict(structs.replace(split(), **wrong))


def test_one_history_is_no_split_however_it_is_shown() -> None:
    one, other = MARKET.statement(MARKET.truth, 6), MARKET.statement(MARKET.truth, 9)
    with pytest.raises(NoProof, match="one history"):
        heads.verdict(heads.split(one, other, MARKET.truth.stretch(6, 9)))
    with pytest.raises(NoProof):
        heads.verdict(heads.split(one, structs.replace(one, at=0)))
    later = MARKET.statement(MARKET.truth, 6, at=99)
    with pytest.raises(NoProof):
        heads.verdict(heads.split(one, later))


@given(st.binary(max_size=300))
def test_rubbish_is_nothing_that_markets_say(data: bytes) -> None:
    for read in (heads.read, passage.read, gossip.read_told, gossip.read_wanted):
        with pytest.raises(ValueError, match="not "):
            read(data)


# What a witness makes of them ---------------------------------------------------------


def learn(witness: Witness, memory: SqliteHeads, history: History, said: Statement) -> Any:
    """As a market does that is asked for the links to a statement."""
    end = memory.end(said.public_key)
    assert end is not None
    return witness.learn(said, history.stretch(end.frames, said.frames))


def test_a_head_is_linked_when_its_links_are_there(memory: SqliteHeads) -> None:
    witness = Witness(memory)
    first, last = MARKET.statement(MARKET.truth, 4), MARKET.statement(MARKET.truth, 9)
    assert witness.hear(first, "", 1) is None
    assert witness.sure(MARKET.public_key)
    assert witness.hear(last, "c", 2) is None
    assert not witness.sure(MARKET.public_key)
    assert learn(witness, memory, MARKET.truth, last) is None
    assert witness.sure(MARKET.public_key)
    between = MARKET.statement(MARKET.truth, 7)
    assert witness.hear(between, "d", 3) is None
    assert witness.sure(MARKET.public_key)
    assert [heard.source for heard in memory.newest(MARKET.public_key)] == ["c", "d", ""]


def test_older_frames_are_linked_backwards(memory: SqliteHeads) -> None:
    witness, key = Witness(memory), MARKET.public_key
    witness.hear(MARKET.statement(MARKET.truth, 9), "", 1)
    witness.hear(MARKET.statement(MARKET.truth, 4), "c", 2)
    assert not witness.sure(key)
    assert witness.learn_back(key, MARKET.truth.stretch(6, 9)) is None
    assert witness.learn_back(key, MARKET.truth.stretch(2, 6)) is None
    assert witness.sure(key)
    assert memory.stretch(key, 2, 9) == MARKET.truth.stretch(2, 9)
    witness.hear(MARKET.statement(LIE, 8), "d", 3)
    with pytest.raises(ValueError, match="nowhere"):
        witness.learn_back(key, LIE.stretch(1, 8))


def test_a_lie_about_the_past_is_proved_at_once(memory: SqliteHeads) -> None:
    witness = Witness(memory)
    witness.hear(MARKET.statement(MARKET.truth, 4), "", 1)
    last = MARKET.statement(MARKET.truth, 10)
    witness.hear(last, "", 2)
    learn(witness, memory, MARKET.truth, last)
    found = witness.hear(MARKET.statement(LIE, 8), "c", 3)
    assert found is not None
    assert "two histories" in heads.verdict(found)
    assert not witness.sure(MARKET.public_key)


def test_a_lie_about_what_is_to_come_is_proved_by_whoever_has_its_links(
    memory: SqliteHeads,
) -> None:
    witness = Witness(memory)
    witness.hear(MARKET.statement(MARKET.truth, 7), "", 1)
    lied = MARKET.statement(LIE, 10)
    assert witness.hear(lied, "c", 2) is None
    with pytest.raises(ValueError, match="nowhere"):
        witness.learn(lied, MARKET.truth.stretch(7, 10))
    found = learn(witness, memory, LIE, lied)
    assert found is not None
    assert "two histories" in heads.verdict(found)


def test_a_lie_from_before_we_knew_it_is_proved_when_the_past_is_shown(
    memory: SqliteHeads,
) -> None:
    witness, key = Witness(memory), MARKET.public_key
    witness.hear(MARKET.statement(MARKET.truth, 9), "", 1)
    assert witness.hear(MARKET.statement(LIE, 7), "c", 2) is None
    found = witness.learn_back(key, MARKET.truth.stretch(6, 9))
    assert found is not None
    assert "two histories" in heads.verdict(found)


@given(
    fork=st.integers(0, FRAMES - 1),
    told=st.lists(st.tuples(st.booleans(), st.integers(1, FRAMES)), min_size=1, max_size=12),
)
def test_one_history_is_never_accused_and_two_are_always_found(
    tmp_path_factory: pytest.TempPathFactory, fork: int, told: list[tuple[bool, int]]
) -> None:
    """Statements come in any order, and whoever signed one shows its links."""
    histories = MARKET.truth, MARKET.fork(fork)
    folder = tmp_path_factory.mktemp("heads")
    with closing(SqliteHeads(folder / "heads.sqlite")) as memory:
        witness, found = Witness(memory), []
        for lies, frames in told:
            history = histories[lies]
            found.append(witness.hear(MARKET.statement(history, frames), "", 1))
            found += shown(witness, memory, history, frames)
        proofs = [one for one in found if one is not None]
        for proof in proofs:
            assert "two histories" in heads.verdict(proof)
        different = {histories[lies].heads[frames] for lies, frames in told if frames > fork} & set(
            histories[1].heads[fork + 1 :]
        )
        both = different and any(not lies and frames > fork for lies, frames in told)
        assert bool(proofs) == bool(both)
        if not both:
            assert witness.sure(MARKET.public_key)


def shown(witness: Witness, memory: SqliteHeads, history: History, frames: int) -> list[Any]:
    """Links forth or back to a statement that was heard, by the market that signed it."""
    key = MARKET.public_key
    begin, end = memory.begin(key), memory.end(key)
    assert begin is not None
    assert end is not None
    if frames > end.frames:
        said = MARKET.statement(history, frames)
        return [witness.learn(said, history.stretch(end.frames, frames))]
    if frames < begin.frames:
        stretch = history.stretch(frames, begin.frames)
        if heads.heads(stretch)[-1] == begin.head:
            return [witness.learn_back(key, stretch)]
        return [witness.learn_back(key, other) for other in backwards(history, frames, begin)]
    return []


def backwards(history: History, frames: int, begin: Known) -> list[Stretch]:
    """The other history's links, which the market has shown to somebody else."""
    for other in (MARKET.truth, *(MARKET.fork(at) for at in range(FRAMES))):
        stretch = other.stretch(frames, begin.frames)
        if heads.heads(stretch)[-1] == begin.head:
            return [stretch]
    return []


# What is remembered -------------------------------------------------------------------


def test_memory_is_there_after_it_was_closed(tmp_path: Path) -> None:
    for _ in range(2):
        with closing(SqliteHeads(tmp_path / "heads.sqlite")) as memory:
            witness = Witness(memory)
            witness.hear(MARKET.statement(MARKET.truth, 3), "c", 1)
            memory.prove("d1", split(), 5)
    with closing(SqliteHeads(tmp_path / "heads.sqlite")) as memory:
        assert witness.hear is not None
        assert memory.newest(MARKET.public_key)[0].source == "c"
        assert memory.proofs() == [("d1", split(), 5)]
        assert memory.proof("d2") is None


def test_old_statements_are_thinned_and_what_they_prove_stays(
    memory: SqliteHeads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("allmende.adapters.heads.DENSE", 3)
    monkeypatch.setattr("allmende.adapters.heads.THIN", 4)
    witness, key = Witness(memory), MARKET.public_key
    for frames in range(1, FRAMES + 1):
        said = MARKET.statement(MARKET.truth, frames)
        witness.hear(said, "", 1)
        if frames > 1:
            learn(witness, memory, MARKET.truth, said)
    memory.thin(key)
    left = [frames for frames in range(1, FRAMES + 1) if memory.at(key, frames)]
    assert left == [1, 4, 8, 9, 10, 11, 12]
    found = witness.hear(MARKET.statement(LIE, 6), "c", 2)
    assert found is not None
    assert found.other.frames == 8


def test_what_is_old_is_forgotten_up_to_a_statement(memory: SqliteHeads) -> None:
    witness, key = Witness(memory), MARKET.public_key
    for frames in (1, 4, 8, 12):
        said = MARKET.statement(MARKET.truth, frames)
        witness.hear(said, "", 1)
        if frames > 1:
            learn(witness, memory, MARKET.truth, said)
    memory.prune(key, kept=6)
    begin = memory.begin(key)
    assert begin is not None
    assert begin.frames == 4
    found = witness.hear(MARKET.statement(LIE, 6), "c", 2)
    assert found is not None
