"""Files of actors: what was written reads back, and every fault has file, line and field."""

from __future__ import annotations

import json

import msgspec
import pytest
from house import ROOT
from hypothesis import given
from hypothesis import strategies as st
from test_core_actors import SMALL

from allmende.core.actors import ACCESS, GRADES, ROLES, Actor, Registry, Stake, Supply
from allmende.core.countries import CODES
from allmende.core.registry import Known, canonical, wrong
from allmende.wire.actors import BadRegistry, check, columns_of, read, share, to_csv, to_json

KNOWN = Known("2026-11-20", {"rhine"}, {"cheap"})
TEXTS = st.text(
    st.characters(exclude_categories=("C", "Z")) | st.just(" "), min_size=1, max_size=20
)
TEXT = TEXTS.map(str.strip).filter(lambda text: text and text[0] not in "=+-@'")
PPM = st.integers(0, 100_000)
ROWS = {
    "source": TEXT,
    "date": st.dates(min_value=__import__("datetime").date(1990, 1, 1),
                     max_value=__import__("datetime").date(2026, 11, 20)).map(str),
    "grade": st.sampled_from(GRADES),
}  # fmt: skip


@st.composite
def registries(draw: st.DrawFn) -> Registry:
    ids = draw(st.lists(st.text("abcXYZ019-_.", min_size=1, max_size=9),
                        min_size=1, max_size=6, unique=True))  # fmt: skip
    actors = [
        draw(st.builds(
            Actor, id=st.just(id_), name=TEXT, jurisdiction=st.sampled_from(sorted(CODES)),
            roles=st.lists(st.sampled_from(ROLES), unique=True).map(tuple),
            form=st.sampled_from(("company", "public")), brand=TEXT | st.just(""),
            accounts=st.just(("rhine",) if id_ == ids[0] else ()), **ROWS))
        for id_ in ids
    ]  # fmt: skip
    pairs = [(one, other) for one in ids for other in ids if one < other]
    stakes = [
        draw(st.builds(Stake, holder=st.just(one), entity=st.just(other), votes_ppm=PPM,
                       economic_ppm=st.integers(1, 100_000), **ROWS))
        for one, other in draw(st.lists(st.sampled_from(pairs), unique=True) if pairs
                               else st.just([]))
    ]  # fmt: skip
    supplies = [
        draw(st.builds(Supply, scope=st.just("actor"), subject=st.just(id_),
                       layer=st.just("network"), supplier=TEXT, access=st.sampled_from(ACCESS),
                       **ROWS))
        for id_ in ids[:2]
    ]  # fmt: skip
    return canonical(Registry(tuple(actors), tuple(stakes), tuple(supplies)))


@given(registries())
def test_csv_and_json_are_read_back_as_they_were(registry: Registry) -> None:
    assert wrong(registry, KNOWN) == []
    for text in (to_csv(registry), to_json(registry)):
        found = read([("file", text.encode())])
        assert found.registry == registry
        check(found, KNOWN)


def narrow(registry: Registry) -> list[tuple[str, bytes]]:
    """One file a table, as people keep them."""
    wide = to_csv(registry).splitlines()
    head = wide[0].split(",")
    files = []
    for word, kind in (("actor", Actor), ("stake", Stake), ("supply", Supply)):
        places = [head.index(column) for column in columns_of(kind)]
        lines = [line.split(",") for line in wide[:1] + [w for w in wide if w.startswith(word)]]
        text = "\n".join(",".join(line[place] for place in places) for line in lines)
        files.append((f"{word}s.csv", text.encode("utf-8-sig")))
    return files


def test_three_files_and_one_say_the_same() -> None:
    assert read(narrow(SMALL)).registry == SMALL
    assert read([("a.csv", to_csv(SMALL).replace("\n", "\r\n").encode())]).registry == SMALL


ACTORS = "id,name,jurisdiction,source,date\n"
STAKES = "holder,entity,votes,source,date\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (ACTORS + "a,A,GER,s,2026-01-01\n", "f:2: jurisdiction: 'GER' is no ISO 3166"),
        (ACTORS + "a,A,DEU,s\n", "f:2: 4 columns, and the first line names 5"),
        (ACTORS + "a,,DEU,s,2026-01-01\n", "f:2: name: nothing is said"),
        (ACTORS + "\na,A,DEU,s,01.02.2026\n", "f:3: date: '01.02.2026' is no date such"),
        (ACTORS + "a,A,DEU,s,2027-01-01\n", "f:2: date: 2027-01-01 is not between"),
        (ACTORS + "a,A,DEU,s,2026-01-01\n" * 2, "f:3: id: 'a' is actor 1 already"),
        (ACTORS + 'a,"A,DEU,s,2026-01-01\n', "f:.*unexpected end"),
        (STAKES + "a,b,49,s,2026-01-01\n", "f:2: votes: '49' has no unit that is known: write"),
        (STAKES + "a,b,0.49,s,2026-01-01\n", "f:2: votes: '0.49' has no unit"),
        (STAKES + "a,b,49.00001 %,s,2026-01-01\n", "f:2: votes: .* has no unit"),
        (STAKES + 'a,b,"49,5 %",s,2026-01-01\n', "f:2: votes: .* has no unit"),
        ("id,name,country\n", "f:1: the first line does not know 'country'"),
        ("id,name\n", "f:1: the first line names no table's columns"),
        ("id,id,name\n", "f:1: the first line names 'id' twice"),
        ("", "f:1: the first line"),
        ("kind," + ACTORS + "bank,a,A,DEU,s,2026-01-01\n", "f:2: kind: 'bank' is none of actor"),
        ("{", "f: not JSON"),
        ('{"people": []}', "f: 'people' is none of actors, stakes, supplies"),
        ('{"actors": [{"id": "a"}]}', "f: actors row 1: .*missing required field `name`"),
        ('{"actors": [{"id": "a", "nom": "b"}]}', "f: actors row 1: nom: there is no such"),
        ('{"stakes": [{"holder": "a", "entity": "b", "votes_ppm": 0.5}]}', "stakes row 1: .*int"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_file_line_and_field(text: str, says: str) -> None:
    with pytest.raises(BadRegistry, match=says):
        check(read([("f", text.encode())]), KNOWN)


def test_what_is_not_text_is_named_and_all_files_are_looked_at() -> None:
    files = [("x", b"\xff"), ("y", (STAKES + "a,b,49,s,2026-01-01\n").encode())]
    with pytest.raises(BadRegistry) as error:
        read(files)
    assert [fault.split(":")[0] for fault in error.value.faults] == ["x", "y"]


def test_stakes_over_the_whole_are_named_where_they_stand() -> None:
    rows = json.loads(msgspec.json.encode(SMALL))
    rows["stakes"][1] |= {"holder": "mine", "entity": "leaf"}
    actors = {**rows, "stakes": []}
    stakes = "".join(f"{h},leaf,{v} %,s,2026-01-01\n" for h, v in (("big", 60), ("mine", 41)))
    files = [("a.json", json.dumps(actors).encode()), ("s.csv", (STAKES + stakes).encode())]
    with pytest.raises(BadRegistry, match=r"s\.csv:3: votes: .*'leaf' is held by 101 %"):
        check(read(files), KNOWN)


def test_a_share_has_a_unit() -> None:
    told = ("49 %", "49%", "49.0001 %", "490000 ppm", "49", "1e2 %", "-1 %", "half")
    assert [share(cell) for cell in told] == [490_000, 490_000, 490_001, 490_000, *[None] * 4]


@pytest.mark.parametrize("path", ["docs/examples/actors-public.csv", "src/allmende/lab/actors.csv"])
def test_the_registries_that_come_with_the_house_are_in_order(path: str) -> None:
    found = read([(path, (ROOT / path).read_bytes())])
    check(found, Known("2026-11-21"))
    registry = found.registry
    assert {row.grade for row in (*registry.actors, *registry.stakes)} <= {"memory", "declared"}
    assert to_csv(canonical(registry)).encode() == (ROOT / path).read_bytes()
