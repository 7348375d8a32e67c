"""Evidence, assessments and floors by command, against a market that really runs."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from allmende.cli import main
from allmende.lab.served import Served

Run = Callable[..., Result]
PAPER = {
    "objective": "SOV-3", "level": "2", "claim": "Data stay in Sweden.", "issuer": "Auditors",
    "issued": "2020-01-01", "expires": "2099-01-01", "document": "ab" * 32,
}  # fmt: skip


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("market")
    with Served(folder / "data", "--no-local-model", "--no-starter") as served:
        yield served


@pytest.fixture(scope="module")
def run(market: Served) -> Run:
    """`allmende words…` with the administrator's key; must exit with `code`."""

    def run_(*words: str, code: int = 0) -> Result:
        given = {"ALLMENDE_URL": market.url, "ALLMENDE_KEY": market.key}
        result = CliRunner().invoke(main, list(words), env=given)
        assert result.exit_code == code, result.output + result.stderr
        return result

    run_("member", "add", "host", "--kind", "provider", "--name", "Nordic Host")
    run_("member", "add", "uni")
    run_("deposit", "uni", "5", "--reference", "1")
    run_("budget", "add", "uni", "--owner", "uni")
    run_("budget", "add", "lab", "--parent", "uni")
    run_("title", "add", "t", "--owner", "host")
    words = ["offer", "post", "o", "--provider", "host", "--title", "t", "--model", "m"]
    words += ["--address", "https://8.8.8.8/v1", "--country", "SWE", "--input", "0.15"]
    run_(*words, "--output", "0.6", "--secret", "sk-1")
    return run_


def observatory(run: Run, *words: str, code: int = 0) -> str:
    done = run("observatory", *words, code=code)
    return done.output + done.stderr


def paper(**more: str) -> list[str]:
    told = {**PAPER, **more}
    return [word for name, value in told.items() for word in (f"--{name}", value)]


def test_a_document_is_filed_confirmed_shown_and_withdrawn(run: Run, tmp_path: Path) -> None:
    report = tmp_path / "report.pdf"
    report.write_bytes(b"what was shown")
    words = paper(document=str(report), offer="o")
    assert "filed as a claim" in observatory(run, "evidence", "file", "p1", *words)
    (row,) = json.loads(observatory(run, "evidence", "list", "--json"))
    assert (row["standing"], row["document"]) == (
        "claimed",
        hashlib.sha256(b"what was shown").hexdigest(),
    )
    assert level(run) == 0
    observatory(run, "evidence", "confirm", "p1")
    assert level(run) == 2
    assert "Data stay in Sweden" in observatory(run, "evidence", "show", "o")
    observatory(run, "evidence", "withdraw", "p1")
    assert level(run) == 0
    assert "No evidence" in observatory(run, "evidence", "list")


def level(run: Run, objective: str = "SOV-3") -> int:
    (row,) = json.loads(observatory(run, "evidence", "show", "o", "--json"))
    return int(next(o["level"] for o in row["objectives"] if o["objective"] == objective))


def test_who_vouches_for_itself_is_refused(run: Run) -> None:
    words = paper(issuer="nordic host", offer="o")
    assert "circular" in observatory(run, "evidence", "file", "p2", *words, code=1)


def test_a_person_signs_and_takes_it_back(run: Run) -> None:
    words = ["assess", "us", "--provider", "host", "--exposure", "1", "--kill-switch", "1"]
    assert "needs --reasoning" in observatory(run, *words, code=2)
    words += ["--reasoning", "Updates come from there.", "--signer", "Ada Lovelace"]
    observatory(run, *words, "--expires", "2099-01-01")
    shown = observatory(run, "evidence", "show", "o")
    assert "E1/1" in shown
    assert "signed by Ada Lovelace (key " in shown
    assert "E3/2?" in shown, "nobody assessed CN"
    observatory(run, "assess", "US", "--provider", "host", "--withdraw")
    assert "E1/1" not in observatory(run, "evidence", "show", "o")


def test_a_proposal_comes_with_reasons_and_signs_nothing(run: Run) -> None:
    said = observatory(run, "assess", "US", "--offer", "o", "--propose")
    assert "o and US: E0 to 3, kill switch 0 to 2" in said, "no registry was imported"
    assert "Nothing is signed" in said
    assert json.loads(observatory(run, "evidence", "show", "o", "--json"))[0]["regimes"][0] == {
        "regime": "US", "exposure": 3, "kill_switch": 2, "assessed": False, "signed": [],
    }  # fmt: skip
    observatory(run, "assess", "US", "--offer", "none", "--propose", code=1)


def test_floors_are_set_and_add_up(run: Run) -> None:
    observatory(run, "floor", "uni", "--min-seal", "SOV-3:2", "--max-exposure", "US:1")
    observatory(run, "floor", "lab", "--min-seal", "SOV-1:1")
    rows = {row["budget"]: row for row in json.loads(observatory(run, "floor", "--json"))}
    assert rows["lab"]["own"]["min_seal"] == "SOV-1:1"
    assert rows["lab"]["holds"] == {
        "min_seal": "SOV-1:1,SOV-3:2", "max_exposure": "US:1", "max_kill_switch": "",
    }  # fmt: skip
    observatory(run, "floor", "uni", "--none")
    assert "SOV-3:2" not in observatory(run, "floor")
    assert "SOV-1 to SOV-8" in observatory(run, "floor", "lab", "--min-seal", "SOV-9:1", code=1)
    observatory(run, "floor", "lab", code=2)
    observatory(run, "floor", "lab", "--none")


def test_the_commands_in_the_docs_run(run: Run, tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent / "docs/sovereignty.md").read_text()
    (tmp_path / "report.pdf").write_bytes(b"what was shown")
    (tmp_path / "file.csv").write_text(HEAD + line("d1", objective="SOV-8"))
    names = {
        "PAPER": "d0", "OFFER": "o", "PROVIDER": "host", "BUDGET": "lab",
        "REPORT.pdf": str(tmp_path / "report.pdf"), "FILE.csv": str(tmp_path / "file.csv"),
    }  # fmt: skip
    commands = [told for told in page.splitlines() if told.startswith("allmende observatory ")]
    assert len(commands) == 12
    for told in commands:
        _, *words = shlex.split(told)
        run(*(names.get(word, word) for word in words))


HEAD = "id,offer,objective,level,claim,issuer,issued,expires,document,rests_on\n"


def line(id_: str, level: str = "2", **more: str) -> str:
    told = {**PAPER, "level": level, "rests_on": "", "offer": "o", **more}
    names = HEAD.strip().split(",")[1:]
    return ",".join([id_, *(told[name] for name in names)]) + "\n"


def test_a_whole_file_is_imported(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "good.csv"
    file.write_text(HEAD + line("c1") + "\n" + line("c2", "1", objective="SOV-1", rests_on="c1"))
    assert "2 pieces" in observatory(run, "evidence", "import", str(file))
    observatory(run, "evidence", "confirm", "c1", "c2")
    assert level(run, "SOV-1") == 1
    rows = [{**PAPER, "id": "j1", "provider": "host", "objective": "SOV-2", "level": 4}]
    (tmp_path / "good.json").write_text(json.dumps(rows))
    assert "1 pieces" in observatory(run, "evidence", "import", str(tmp_path / "good.json"))


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([line("x1"), line("x2", "9")], "bad.csv:3: level: '9' is no level of 0 to 4"),
        ([line("x1", issued="2027-02-30")], "bad.csv:2: issued: '2027-02-30' is no date"),
        ([line("x1", issuer="")], "bad.csv:2: issuer: missing"),
        (["x1,o\n"], "bad.csv:2: 2 fields, where the first line has 10"),
        (['x1,"o\n'], "bad.csv:2"),
        ([], "there is no row"),
        ([line("x1", objective="SOV-4"), line("x2", "3", objective="SOV-4")],
         "bad.csv:3: It contradicts 'x1'"),
        ([line("x1", objective="SOV-4", rests_on="x2"),
          line("x2", objective="SOV-5", rests_on="x1")], "bad.csv:2: This is circular"),
        ([line("x1", objective="SOV-4", expires="2021-01-01")],
         "bad.csv:2: This evidence has expired"),
        ([line("x1", objective="SOV-4", rests_on="gone")], "bad.csv:2: It rests on 'gone'"),
        ([line("x1", objective="SOV-4"), line("x1", objective="SOV-5")], "bad.csv:3: 'x1' exists"),
    ],
)  # fmt: skip
def test_every_bad_row_is_named_and_nothing_is_imported(
    run: Run, tmp_path: Path, rows: list[str], says: str
) -> None:
    before = observatory(run, "evidence", "list")
    file = tmp_path / "bad.csv"
    file.write_text(HEAD + "".join(rows))
    told = observatory(run, "evidence", "import", str(file), code=1)
    assert "Nothing was imported" in told or "no row" in told
    assert says in told
    assert observatory(run, "evidence", "list") == before
