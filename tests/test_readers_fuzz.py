"""Files of users and of the house, mutated: read, or refused by the one stated error."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from allmende.adapters import anchors, meters
from allmende.adapters.anchors import BadAnchors
from allmende.adapters.price_files import BadFile
from allmende.adapters.price_files import read as read_public
from allmende.adapters.race_formats import ALL
from allmende.adapters.rules import BadRules, read_rules
from allmende.cli import main
from allmende.cli.client import Failed
from allmende.cli.observatory_access import denials_of, needs_of
from allmende.cli.observatory_saving import saving_of
from allmende.wire import actors, evidence

HERE = Path(__file__).parent.parent
TODAY = date(2026, 11, 21)
EVIDENCE = (
    "id,provider,offer,framework,objective,level,claim,issuer,issued,expires,document,rests_on\n"
    f"e1,host,,csf,SOV-1,2,audited,TÜV,2026-01-01,2027-01-01T00:00:00+01:00,{'a' * 64},\n"
    f"e2,host,o1,csf,SOV-2,SEAL-3,audited,TÜV,2026-01-01,2027-01-01,{'b' * 64},e1\n"
)
CLUSTERS = (
    "Name,Status,Certainty,H100 equivalents,Country,Owner,First Operational Date,"
    "Decommissioned Date (if applicable),Power Capacity (MW),Hardware Cost,Possible Duplicate,"
    "Superseded by\n"
    "Colossus,Existing,Likely,100000,United States of America,xAI,2024-09-02,,150,3e9,,\n"
    "Other,Planned,Likely,1e5,China,,2027-01-01,,1,,,\n"
)
GOLD = "Date,Price\n2024-01-31,2034.04\n2024-02-29,2023.24\n"
NASTY = (
    *(
        "",
        "-1",
        "nan",
        "inf",
        "1e400",
        "9" * 5_000,
        "0x10",
        "１２",
        "=1",
        "\x00",
        "\ud7ff",
        "\u2028",
    ),
    *("2026-13-01", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", '"', "\r", "é" * 300),
    *("[" * 2_000, "{", "null", "true", "100%", "51 %", "1,5", "ZZZ", "DEU", "…"),
)


def registry() -> bytes:
    return (HERE / "docs/examples/actors-public.csv").read_bytes()


def as_json(data: bytes) -> bytes:
    return actors.to_json(actors.read([("a.csv", data)]).registry).encode()


def path_of(folder: Path, data: bytes, name: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def into_rules(folder: Path, data: bytes) -> object:
    path_of(folder, data, "r/eu/csf@2025-10-20.toml")
    return read_rules(folder / "r")


def held(folder: Path, data: bytes) -> object:
    return anchors.held(anchors.published(path_of(folder, data, "a.toml")))


def package(name: str) -> bytes:
    return (HERE / "src/allmende" / name).read_bytes()


Errors = type[Exception] | tuple[type[Exception], ...]
READERS: dict[str, tuple[Callable[[], bytes], Callable[[Path, bytes], object], Errors]] = {
    "evidence": (
        EVIDENCE.encode,
        lambda _, data: evidence.read("e.csv", data),
        evidence.BadEvidence,
    ),
    "registry": (registry, lambda _, data: actors.read([("a.csv", data)]), actors.BadRegistry),
    "registry as JSON": (
        lambda: as_json(registry()),
        lambda _, data: actors.read([("a.json", data)]),
        actors.BadRegistry,
    ),
    "clusters": (
        CLUSTERS.encode,
        lambda folder, data: read_public(path_of(folder, data, "c.csv"), TODAY, ALL),
        BadFile,
    ),
    "gold": (
        GOLD.encode,
        lambda folder, data: read_public(path_of(folder, data, "g.csv"), TODAY, ALL),
        BadFile,
    ),
    "rules": (lambda: package("rules/eu/csf@2025-10-20.toml"), into_rules, BadRules),
    "anchors": (lambda: package("anchors/metrics.toml"), held, BadAnchors),
    "saving": (
        lambda: CliRunner().invoke(main, ["observatory", "saving", "--example"]).output.encode(),
        lambda folder, data: saving_of(path_of(folder, data, "s.toml")),
        Failed,
    ),
    "needs": (
        lambda: b"account,need\nuni,100\nlab,2.5\n",
        lambda folder, data: needs_of(path_of(folder, data, "n.csv")),
        Failed,
    ),
    "slurm": (
        lambda: b"4711|3600|9000000\n4711.batch|3600|8000000\n",
        lambda _, data: meters.job_energy(data.decode(errors="replace"), "4711"),
        (meters.Unreadable, meters.Missing),
    ),
    "nvidia-smi": (
        lambda: b"0, 312.45\n1, 298.10\n",
        lambda _, data: meters.boards(data.decode(errors="replace")),
        (meters.Unreadable, meters.Missing),
    ),
}


@st.composite
def mutated(draw: st.DrawFn, data: bytes) -> bytes:
    """Some pieces cut, doubled, or put in from a list of nasty ones."""
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        to = min(len(data), at + draw(st.integers(0, 12)))
        kind = draw(st.sampled_from(("cell", "cell", "cell", "cut", "double", "byte")))
        if kind == "cell":
            data = cell(data, at, draw(st.sampled_from(NASTY)).encode())
        elif kind == "cut":
            data = data[:at] + data[to:]
        elif kind == "double":
            data = data[:to] + data[at:]
        else:
            data = data[:at] + bytes([draw(st.integers(0, 255))]) + data[at:]
    return data


def cell(data: bytes, at: int, new: bytes) -> bytes:
    """With another value where a value stands about here."""
    marks = b",\n|=[]"
    begin = max(data.rfind(bytes([mark]), 0, at) for mark in marks) + 1
    ends = [found for mark in marks if (found := data.find(bytes([mark]), begin)) >= 0]
    return data[:begin] + new + data[min(ends, default=len(data)) :]


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_mutated_file_is_read_or_refused_by_its_own_error(
    name: str, data: st.DataObject, tmp_path: Path
) -> None:
    make, read, error = READERS[name]
    wrong = data.draw(mutated(make()))
    try:
        found = read(tmp_path, wrong)
    except error as refused:
        found = str(refused)
    assert found, "what is neither read nor refused in words"


@pytest.mark.parametrize("name", READERS)
def test_the_files_as_they_are_can_be_read(name: str, tmp_path: Path) -> None:
    make, read, _ = READERS[name]
    assert read(tmp_path, make())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("account,need\nuni,1\nuni,2\n", "n.csv:3: 'uni' stands there twice"),
        ("account,need\nuni,nan\n", "n.csv:2: need is 'nan'"),
        ("account,need\nuni,-1\n", "n.csv:2: need is '-1'"),
        ("account,need\n\nuni\n", "n.csv:3: no need"),
        ("member,need\nuni,1\n", "n.csv:2: no account; columns are account, need"),
        ("account,need\n", "n.csv:1: no account"),
        ('account,need\n"uni,1\n', "n.csv: unexpected end"),
    ],
)
def test_a_row_of_needs_that_is_wrong_is_named(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(Failed, match=re.escape(said)):
        needs_of(path_of(tmp_path, text.encode(), "n.csv"))


def test_more_denied_than_asked_is_named(tmp_path: Path) -> None:
    with pytest.raises(Failed, match=r"d\.csv:3: 6 of 5 were denied"):
        denials_of(path_of(tmp_path, b"group,asked,denied\na,5,1\nb,5,6\n", "d.csv"))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("why = 'free'", "why is 'free'"),
        ("operating = [0, inf]", "operating is [0, inf]"),
        ("months = true", "months is True"),
    ],
)
def test_a_saving_is_not_made_of_what_is_no_number(line: str, said: str, tmp_path: Path) -> None:
    example = CliRunner().invoke(main, ["observatory", "saving", "--example"]).output
    name = line.split()[0]
    kept = [row for row in example.splitlines() if not row.startswith(f"{name} ")]
    with pytest.raises(Failed, match=re.escape(said)):
        saving_of(path_of(tmp_path, "\n".join([line, *kept]).encode(), "s.toml"))


@pytest.mark.parametrize("watts", ["nan", "inf", "-3", ""])
def test_a_board_without_a_number_of_watts_is_named(watts: str) -> None:
    with pytest.raises(meters.Unreadable, match="line 2"):
        meters.boards(f"0, 312.45\n1, {watts}\n")
