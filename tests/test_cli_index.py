"""`allmende index`: imports that refuse by line and column, and figures that say what they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from views_history import frames, write

from allmende.adapters.price_files import BadFile, PriceFiles, read
from allmende.adapters.price_formats import FORMATS, TOKENS
from allmende.cli import main
from allmende.core import commands as c
from allmende.core import events as e
from allmende.core import machine
from allmende.core.nouns import Key, Member, Offer, Title
from allmende.core.state import State
from allmende.core.units import CREDIT, DAY, SECOND, Tariff, Units, Zone
from allmende.main import JOURNAL

SHARED = Path(__file__).parent.parent.parent / "shared/data"
TOKEN_HEADER = ",".join(TOKENS.names)
OLD = "2023-11-01,litellm,0.12.8,gpt-4,openai,chat,30.0,60.0,,"
NEW = "2024-10-17,tokencost,0.1.14,gpt-4o-2024-08-06,openai,chat,2.5,10.0,1.25,128000"
TODAY = date(2030, 12, 31)
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def run_(*words: str, code: int = 0) -> Result:
        result = CliRunner().invoke(main, ["index", *words, "--data", str(tmp_path / "data")])
        assert result.exit_code == code, result.output + result.stderr
        return result

    return run_


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., str]:
    def file_(*lines: str, name: str = "prices.csv") -> str:
        path = tmp_path / name
        path.write_text("\n".join([*lines, ""]))
        return str(path)

    return file_


def quarter(model: str, rates: dict[str, tuple[float, ...]]) -> list[str]:
    """A model's input prices at hosts from January 2025, a month each."""
    return [
        f"2025-{n:02}-03,list,1,{host}/{model},{host},chat,{rate},{rate * 2},,8000"
        for host, series in rates.items()
        for n, rate in enumerate(series, 1)
    ]


HOSTS = {"x": (1.0, 0.5, 0.5), "y": (1.0, 0.5, 0.5), "z": (1.0, 0.5, 0.4)}
GOLD = ["Date,Price", "2025-01-01,2000", "2025-02-01,2200", "2025-03-01,1980"]


# Import ---------------------------------------------------------------------------------


def test_an_import_says_what_it_read_and_again_changes_nothing(run: Run, file, tmp_path: Path):
    path = file(TOKEN_HEADER, OLD, NEW, NEW)
    said = run("import", path).stdout
    assert "2 rows, 2 models, 1 providers, 2 days, 2023-11-01 to 2024-10-17" in said
    assert "2 new, 0 known, 0 revised, 1 repeated" in said
    kept = (tmp_path / "data/prices/tokens.csv").read_bytes()
    again = json.loads(run("import", path, "--json").stdout)
    assert (again["new"], again["known"], again["revised"]) == (0, 2, 0)
    assert (tmp_path / "data/prices/tokens.csv").read_bytes() == kept
    log = (tmp_path / "data/prices/imports.jsonl").read_text().splitlines()
    assert len(log) == 1, "an import that changes nothing is not written down"
    assert run("import", str(tmp_path / "data/prices/tokens.csv")).stdout.count("2 known") == 1


def test_columns_may_stand_in_another_order_and_gold_is_told_from_tokens(run: Run, file):
    swapped = [",".join(reversed(line.split(","))) for line in (TOKEN_HEADER, OLD)]
    assert "a history of token prices" in run("import", file(*swapped)).stdout
    assert "gold by the month, 3 rows" in run("import", file(*GOLD)).stdout


def test_every_wrong_line_is_named_with_its_column_and_nothing_is_kept(
    run: Run, file, tmp_path: Path
):
    bad = [
        "2024-13-01,l,1,m,h,chat,1,1,,",
        "2999-01-01,l,1,m,h,chat,1,1,,",
        "1999-01-01,l,1,m,h,chat,1,1,,",
        "2024-01-01,l,1,,h,chat,1,1,,",
        "2024-01-01,l,1,m,h,chat,-1,1,,",
        "2024-01-01,l,1,m,h,chat,1,nan,,",
        "2024-01-01,l,1,m,h,chat,1,1,1e400,",
        "2024-01-01,l,1,m,h,chat,1,1,,8k",
        "2024-01-01,l,1,m,h,chat,,,,",
        "2024-01-01,l,1,m,h,chat,1,1",
    ]
    path = file(TOKEN_HEADER, OLD, *bad)
    said = run("import", path, code=1).stderr
    columns = (
        *("date", "date", "date", "model", "input_usd_per_mtok", "output_usd_per_mtok"),
        *("cache_read_usd_per_mtok", "max_input_tokens", "m has no price", "8 columns"),
    )
    for line, column in enumerate(columns, 3):
        assert f"{path}:{line}: {column}" in said
    assert not (tmp_path / "data").exists()


def test_many_wrong_lines_are_counted_after_the_first(run: Run, file):
    said = run("import", file(TOKEN_HEADER, *["x" + OLD] * 25), code=1).stderr
    assert "... and 5 more" in said


def test_a_file_that_contradicts_itself_is_refused(run: Run, file):
    path = file(TOKEN_HEADER, OLD, OLD.replace("30.0", "31.0"))
    assert f"{path}:3: 2023-11-01 litellm gpt-4 is said otherwise in line 2" in (
        run("import", path, code=1).stderr
    )


def test_what_is_kept_is_corrected_only_by_a_revision(run: Run, file, tmp_path: Path):
    run("import", file(TOKEN_HEADER, OLD, NEW))
    changed = file(TOKEN_HEADER, OLD.replace("30.0", "31.0"), name="changed.csv")
    said = run("import", changed, code=1).stderr
    assert f"{changed}:2: 2023-11-01 litellm gpt-4 is kept otherwise" in said
    assert "input_usd_per_mtok 30.0, and here 31.0" in said
    assert "--revise" in said
    assert "1 revised" in run("import", changed, "--revise").stdout
    assert run("fall").stdout.splitlines()[0].startswith("36.80 4.00")
    log = (tmp_path / "data/prices/imports.jsonl").read_text().splitlines()
    assert [json.loads(line)["revised"] for line in log] == [0, 1]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "names no columns"),
        (b"a,b\n1,2\n", "Known: a history of token prices"),
        (b"Date,Cost\n", "lacks Price and does not know 'Cost'"),
        (b"Date,Price,Price\n", "names Price twice"),
        (b"Date,Price\n", "nothing below the first line"),
        (b"Date,Price\n2025-01-01,0\n", "Price: 0 is not above 0"),
        (b"Date,Price\n2025-01-01,3,5\n", ":2: 3 columns"),
        (b"Date,Price\n\xff\n", "byte 12 is not UTF-8 text"),
        (b'Date,Price\n"2025-01-01,1\n', "unexpected end of data"),
        (b"PK\x03\x04\x00\x00", "names no columns"),
    ],
)
def test_a_file_that_is_none_is_refused_in_words(run: Run, tmp_path: Path, text: bytes, says: str):
    path = tmp_path / "file.csv"
    path.write_bytes(text)
    assert says in run("import", str(path), code=1).stderr


@given(st.binary(max_size=80), st.sampled_from(FORMATS))
def test_no_bytes_do_more_than_be_refused(tmp_path_factory, rest: bytes, format_):
    path = tmp_path_factory.getbasetemp() / "fuzz.csv"
    path.write_bytes(",".join(format_.names).encode() + b"\n" + rest)
    try:
        found = read(path, TODAY).records()
    except BadFile as refused:
        found = list(refused.complaints)
    assert found


def test_a_damaged_history_is_said_to_be_damaged(run: Run, file, tmp_path: Path):
    run("import", file(TOKEN_HEADER, OLD))
    (tmp_path / "data/prices/tokens.csv").write_text(TOKEN_HEADER + "\n2024-01-01,l,1,m\n")
    assert "is damaged" in run("show", code=1).stderr


# Fall -----------------------------------------------------------------------------------


def test_the_published_fall_is_printed_exactly_from_the_packaged_prices(run: Run):
    first, second, *rest = run("fall").stdout.splitlines()
    assert first == "36.00 4.00 -78.8"
    assert "two different models" in second
    assert "no index of constant quality" in second
    assert sum("genai-prices" in line for line in rest) == 2


def test_the_fall_is_from_the_imported_history_where_there_is_one(run: Run, file):
    run("import", file(TOKEN_HEADER, OLD, NEW.replace("10.0", "5.0")))
    said = run("fall").stdout
    assert said.splitlines()[0] == "36.00 3.00 -82.7"
    assert "first seen 2024-10-17 (tokencost 0.1.14)" in said
    assert run("fall", "--packaged").stdout.startswith("36.00 4.00 -78.8\n")
    told = json.loads(run("fall", "--json").stdout)
    assert (told["before"], told["after"], told["months"]) == (36.0, 3.0, 17)


def test_a_history_without_the_models_is_passed_over_and_said_to_be(run: Run, file):
    run("import", file(TOKEN_HEADER, OLD))
    said = run("fall").stdout
    assert said.startswith("36.00 4.00 -78.8\n")
    assert "The imported history lacks one of them" in said


def test_a_fall_that_cannot_be_is_refused(run: Run):
    unknown = ("--new", "no-such-model@2024-01-01")
    assert "Neither an imported history nor" in run("fall", *unknown, code=1).stderr
    assert "MODEL@DATE" in run("fall", "--old", "gpt-4", code=2).stderr
    assert "add up to 110" in run("fall", "--blend", "80/30", code=2).stderr
    same = ("--new", "gpt-4@2023-03-20")
    assert "no month after" in run("fall", *same, code=1).stderr


# Series ---------------------------------------------------------------------------------


def test_the_matched_series_is_a_table_with_its_rule_and_its_source(run: Run, file):
    run("import", file(TOKEN_HEADER, *quarter("m", HOSTS)))
    said = run("show").stdout
    assert "chained monthly Fisher" in said
    assert "9 dated prices of 3 listings" in said
    assert "sha256" in said
    told = json.loads(run("show", "--json").stdout)["imported"]
    assert [row["80/20"] for row in told["months"]] == [100.0, 50.0, 50.0]
    assert [row["coverage"] for row in told["months"]] == [0.0, 1.0, 1.0]
    assert told["trend"]["geks"] == 50.0


def test_a_file_can_be_shown_without_importing_it(run: Run, file, tmp_path: Path):
    path = file(TOKEN_HEADER, *quarter("m", HOSTS))
    assert "not imported" in run("show", "--file", path).stdout
    assert not (tmp_path / "data").exists()
    assert "needs a history of token prices" in run("show", "--file", file(*GOLD), code=1).stderr


def test_too_few_hosts_are_said_and_not_hidden(run: Run, file):
    run("import", file(TOKEN_HEADER, *quarter("m", {"x": HOSTS["x"]})))
    assert "--hosts 1 shows what there is" in run("show").stdout
    rows = json.loads(run("show", "--hosts", "1", "--json").stdout)["imported"]["months"]
    assert [row["80/20"] for row in rows] == [100.0, 50.0, 50.0]
    assert "one host or more" in run("show", "--hosts", "0", code=2).stderr


def test_nothing_to_show_says_what_to_do(run: Run):
    for words in (("show",), ("tasks",), ("hedonic",), ("quality", "exam", "1"), ("gold",)):
        said = run(*words, code=1).stderr
        assert "No gold is kept" in said or "allmende index import FILE" in said


def market(folder: Path) -> None:
    """Two months of a model at three hosts, who halve their prices; recounted, and one not."""
    start = 1_790_812_800 * SECOND  # 2026-10-01
    state, events = State(), list[e.Event]()

    def submit(*commands: c.Command) -> None:
        for command in commands:
            for event in machine.decide(state, command):
                machine.apply(state, event)
                events.append(event)

    submit(
        c.Found(at=start, market="m", name="M", mode="lab", operator="op", public_key="00" * 32),
        c.AddMember(at=start, member=Member("uni", "University", "organisation")),
        *(c.AddMember(at=start, member=Member(h, h.upper(), "provider")) for h in "xyz"),
        c.Deposit(at=start, member="uni", amount=CREDIT, reference="1"),
        c.AddBudget(at=start, id="b", name="all", owner="uni"),
        c.IssueKey(at=start, key=Key("k", "1" * 64, "uni", "spend", "b")),
        c.RegisterTitle(at=start, title=Title("t", "x", "model", "T")),
    )
    units = Units(input=1_000, output=100)
    for month, rate in enumerate((200_000, 100_000)):
        for place, host in enumerate("xyz"):
            at = start + (35 * month + place) * DAY
            id_ = f"{host}{month}"
            tariff = Tariff(rate, None, 4 * rate)
            where = "https://8.8.8.8/v1"
            offer = Offer(id_, host, "t", "smol", "credit", tariff, Zone("DEU"), where)
            submit(
                c.PostOffer(at=at, offer=offer),
                *_served(at, f"r{id_}", units),
                c.Recount(at=at, counts=((f"r{id_}", units),)),
                *_served(at, f"u{id_}", units, pending=False),
                c.WithdrawOffer(at=at, id=id_),
            )
    folder.mkdir(parents=True)
    write(folder / JOURNAL, frames(events)).close()


def _served(at: int, id_: str, units: Units, pending: bool = True) -> tuple[c.Command, ...]:
    return (
        c.Reserve(
            at=at,
            id=id_,
            key="1" * 64,
            endpoint="chat/completions",
            model="smol",
            input_bound=2_000,
            output_bound=200,
        ),
        c.Capture(
            at=at, hold=id_, estimate=units, reported=units, outcome="complete", pending=pending
        ),
    )


def test_a_markets_own_verified_receipts_make_an_index(run: Run, tmp_path: Path):
    market(tmp_path / "data")
    said = run("show").stdout
    assert "This market's receipts" in said
    assert "6 receipts left out: not counted by us, or counted otherwise" in said
    told = json.loads(run("show", "--json").stdout)
    assert "imported" not in told
    assert [row["80/20"] for row in told["market"]["months"]] == [100.0, 50.0]
    assert [row["hosts"] for row in told["market"]["months"]] == [0, 3]


# Quality, hedonic, tasks ------------------------------------------------------------------


def test_without_scores_and_runs_it_says_what_is_missing_and_invents_none(run: Run, file):
    run("import", file(TOKEN_HEADER, *quarter("m", HOSTS)))
    for words, columns in (
        (("quality", "exam", "50"), "date,benchmark,model,score,source"),
        (("hedonic", "--benchmark", "exam"), "date,benchmark,model,score,source"),
        (("tasks",), "date,suite,model,attempts,solved"),
    ):
        said = run(*words, code=1).stderr
        assert "is not made up" in said
        assert columns in said
    assert "months with models" in run("hedonic", code=1).stderr


def test_constant_quality_from_scores_with_their_source(run: Run, file):
    rates = dict.fromkeys("xyz", (1.0, 0.5, 0.2))
    run("import", file(TOKEN_HEADER, *quarter("m", rates)))
    header = "date,benchmark,model,score,source"
    run("import", file(header, "2025-01-01,exam,m,60,our run 7", name="scores.csv"))
    said = run("quality", "exam", "50").stdout
    assert "lowest 80/20 price" in said
    assert "95 % interval" in said
    assert "No model with a price has reached 61" in run("quality", "exam", "61", code=1).stderr
    assert "there are: exam" in run("quality", "gpqa", "1", code=1).stderr
    told = json.loads(run("quality", "exam", "50", "--json").stdout)
    assert [best["value"] for best in told["months"]] == pytest.approx([1.2, 0.6, 0.24])


def test_a_solved_task_is_priced_from_imported_runs(run: Run, file):
    run("import", file(TOKEN_HEADER, *quarter("m", HOSTS)))
    header = "date,suite,model,attempts,solved,input_tokens,cached_tokens,output_tokens,source"
    bad = file(header, "2025-01-09,s,m,5,7,2000000,0,1000000,us", name="runs.csv")
    assert "solved: 7 of 5 attempts" in run("import", bad, code=1).stderr
    run("import", file(header, "2025-01-09,s,m,10,8,2000000,0,1000000,us", name="runs.csv"))
    (row,) = json.loads(run("tasks", "--json").stdout)
    assert row["cost"] == pytest.approx((2 * 1.0 + 2.0) / 8)
    assert "per task" in run("tasks", "s").stdout
    assert "there are: s" in run("tasks", "other", code=1).stderr


def test_hedonic_reports_its_fit_and_what_it_does_not_know(run: Run, file):
    rows = [
        f"2025-{n:02}-03,list,1,h/m{m},h,chat,{(1 + m) * 0.9**n},{(1 + m) * 0.9**n},"
        f"{0.1 if m % 2 else ''},{1000 * 2**m}"
        for n in range(1, 7)
        for m in range(6)
    ]
    run("import", file(TOKEN_HEADER, *rows))
    said = run("hedonic", "--window", "3").stdout
    assert "R2" in said
    assert "No score of any model is in it" in said
    told = json.loads(run("hedonic", "--window", "3", "--json").stdout)
    assert [v for _, v in told["line"]] == pytest.approx([100 * 0.9**n for n in range(6)])
    assert set(told["spread"]) == {"ln_context", "cached_price"}


# Gold -----------------------------------------------------------------------------------


def test_gold_and_tokens_stand_side_by_side(run: Run, file):
    run("import", file(TOKEN_HEADER, *quarter("m", HOSTS)))
    assert "No gold is kept" in run("gold", code=1).stderr
    run("import", file(*GOLD))
    said = run("gold").stdout
    assert "2025-02  110.00" in said
    told = json.loads(run("gold", "--json").stdout)
    assert told["figures"]["gold"]["drawdown"] == pytest.approx(0.1)
    assert [v for _, v in told["lines"]["TPI-M, 3 hosts"]] == pytest.approx([100, 50, 50])
    assert "this needs gold by the month" in (
        run("gold", "--file", file(TOKEN_HEADER, OLD), code=1).stderr
    )


# The real files -------------------------------------------------------------------------


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data folder is not beside us")
def test_the_real_histories_are_read_shown_and_fall_as_published(run: Run, tmp_path: Path):
    said = run("import", str(SHARED / "token_price_history_2023_2026.csv")).stdout
    assert "6,415 rows, 4,393 models" in said
    assert "2,322 rows, 1833-01-01 to 2026-06-01" in (
        run("import", str(SHARED / "gold_monthly.csv")).stdout
    )
    assert run("fall").stdout.startswith("36.00 4.00 -78.8\n")
    told = json.loads(run("show", "--json").stdout)["imported"]
    last = told["months"][-1]
    assert last["month"] == "2026-11-20"
    assert last["models"] > 100
    assert abs(last["80/20"] - last["tornqvist"]) < 1
    gold = json.loads(run("gold", "--json").stdout)["figures"]
    assert gold["gold, all its months"]["drawdown"] > 0.5, "gold is not flat"
    assert len(PriceFiles(tmp_path / "data").load(TOKENS)) == 6_415
