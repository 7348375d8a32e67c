"""Public files of the race: taken whole, or refused by row and column with nothing changed."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from allmende.adapters.price_files import BadFile, PriceFiles, read
from allmende.adapters.race_formats import ALL, CHIPS, CLUSTERS, HIDDEN, MODELS
from allmende.cli import main
from allmende.core.countries import CODES
from allmende.measure.race_countries import NAMES, codes
from allmende.measure.race_data import Part, blocs, split, total

SHARED = Path(__file__).parent.parent.parent / "shared/data"
TODAY = date(2026, 11, 21)
CLUSTER = {
    "Name": "Colossus", "Status": "Existing", "Certainty": "Likely", "H100 equivalents": "100000",
    "Country": "United States of America", "Owner": "xAI", "First Operational Date": "2024-09-02",
    "Decommissioned Date (if applicable)": "", "Power Capacity (MW)": "150",
    "Hardware Cost": "3e9", "Possible Duplicate": "", "Superseded by": "", "Note": "not kept",
}  # fmt: skip
CHIP = {
    "Name": "x", "Chip manufacturer": "AMD", "Owner": "Meta", "End date": "3/31/2024",
    "Compute estimate in H100e (median)": "17633", "H100e (5th percentile)": "11667",
    "H100e (95th percentile)": "26496", "Power in MW (median)": "10",
    "Power in MW (5th percentile)": "6.62", "Power in MW (95th percentile)": "15.04",
    "Total TDP (W)": "10009069",
}  # fmt: skip


def write(path: Path, *rows: dict[str, str]) -> Path:
    lines = [",".join(rows[0]), *(",".join(f'"{cell}"' for cell in row.values()) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def run(*words: object) -> tuple[int, str]:
    found = CliRunner().invoke(main, ["observatory", *map(str, words)])
    return found.exit_code, found.output + found.stderr


def test_a_file_is_told_by_its_columns_and_kept_with_its_hash(tmp_path: Path):
    path = write(tmp_path / "c.csv", CLUSTER)
    code, said = run("import", path, "--data", tmp_path / "data", "--json")
    assert code == 0, said
    [row] = json.loads(said)
    assert (row["format"], row["new"]) == ("clusters", 1)
    [entry] = PriceFiles(tmp_path / "data").imports(CLUSTERS)
    assert entry["sha256"] == row["sha256"]
    [kept] = PriceFiles(tmp_path / "data").load(CLUSTERS)
    assert (kept.owners, kept.countries, kept.since) == (("xAI",), ("USA",), date(2024, 9, 2))


def test_importing_again_changes_nothing(tmp_path: Path):
    hidden = CLUSTER | {"Name": HIDDEN, "Owner": "", "Country": "China"}
    path = write(tmp_path / "c.csv", hidden, CLUSTER, hidden, hidden)
    for new, known in ((4, 0), (0, 4)):
        code, said = run("import", path, "--data", tmp_path / "data")
        assert code == 0, said
        assert f"{new} new, {known} known" in said
    assert len(PriceFiles(tmp_path / "data").load(CLUSTERS)) == 4


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"Country": "Atlantis"}, "Country: 'Atlantis' is no country that is known here"),
        ({"Country": "China,Atlantis"}, "'Atlantis' is no country"),
        ({"H100 equivalents": "many"}, "H100 equivalents: 'many' is no number of H100"),
        ({"H100 equivalents": "nan"}, "'nan' is no number"),
        ({"H100 equivalents": "-3"}, "'-3' is no number"),
        ({"Power Capacity (MW)": "150 MW"}, "'150 MW' is no number of megawatts"),
        ({"Power Capacity (MW)": "150000000"}, "from 0 to 100000"),
        ({"First Operational Date": "2/9/2024"}, "'2/9/2024' is no date"),
        ({"First Operational Date": "1024-09-02"}, "is before 1940-01-01"),
        ({"First Operational Date": "2124-09-02"}, "more than 15 years from now"),
        ({"Decommissioned Date (if applicable)": "2020-01"}, "2020-01 is before 2024-09-02"),
        ({"Status": "Rumoured"}, "Status: 'Rumoured' is none of Existing"),
        ({"Name": ""}, "Name: nothing is said"),
    ],
)
def test_a_bad_cluster_is_named_by_row_and_column(tmp_path: Path, cells: dict[str, str], said: str):
    path = write(tmp_path / "c.csv", CLUSTER, CLUSTER | {"Name": "B"} | cells)
    code, told = run("import", path, "--data", tmp_path / "data")
    assert code == 1
    assert "c.csv:3: " in told
    assert said in told
    assert not PriceFiles(tmp_path / "data").load(CLUSTERS)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"End date": "2024-03-31"}, "is no date such as 3/31/2026"),
        ({"End date": "4/15/2024"}, "is not the last day of a quarter"),
        ({"End date": "2/31/2024"}, "is no date"),
        ({"End date": "3/31/2034"}, "is after today"),
        ({"H100e (5th percentile)": "99999"}, "is not between 99999 (5 %) and 26496 (95 %)"),
        ({"Power in MW (median)": "10.009"} | {"Total TDP (W)": "10009"}, "10009 W"),
        ({"Compute estimate in H100e (median)": ""}, "'' is no number"),
    ],
)
def test_a_bad_chip_row_is_named(tmp_path: Path, cells: dict[str, str], said: str):
    path = write(tmp_path / "c.csv", CHIP | cells)
    with pytest.raises(BadFile, match=r"c\.csv:2: ") as error:
        read(path, TODAY, ALL)
    assert said in str(error.value)


def test_a_key_said_twice_in_two_ways_is_refused(tmp_path: Path):
    path = write(tmp_path / "c.csv", CLUSTER, CLUSTER | {"Owner": "Tesla"})
    with pytest.raises(BadFile, match=r"c\.csv:3: Colossus is said otherwise in line 2"):
        read(path, TODAY, ALL)


def test_one_bad_file_of_several_changes_nothing(tmp_path: Path):
    good, bad = write(tmp_path / "a.csv", CLUSTER), tmp_path / "b.csv"
    write(bad, CHIP | {"End date": "soon"})
    code, said = run("import", good, bad, "--data", tmp_path / "data")
    assert code == 1
    assert "b.csv:2" in said
    assert not PriceFiles(tmp_path / "data").load(CLUSTERS)


def test_a_file_that_contradicts_one_before_it_takes_both_back(tmp_path: Path):
    one = write(tmp_path / "a.csv", CHIP)
    two = write(tmp_path / "b.csv", CHIP | {"Compute estimate in H100e (median)": "17634"})
    code, said = run("import", one, two, "--data", tmp_path / "data")
    assert code == 1
    assert "b.csv:2: AMD Meta 3/31/2024 is kept otherwise" in said
    assert not PriceFiles(tmp_path / "data").load(CHIPS)


def test_a_snapshot_replaces_the_last_one_only_if_asked(tmp_path: Path):
    files = PriceFiles(tmp_path / "data")
    at = datetime(2026, 11, 21, tzinfo=UTC)
    first = write(tmp_path / "a.csv", CLUSTER, CLUSTER | {"Name": "B"})
    files.keep(read(first, TODAY, ALL), "a.csv", at)
    second = read(write(tmp_path / "b.csv", CLUSTER), TODAY, ALL)
    with pytest.raises(BadFile, match=r"B is kept and not in this file"):
        files.keep(second, "b.csv", at)
    assert files.keep(second, "b.csv", at, revise=True).gone == 1
    assert len(files.load(CLUSTERS)) == 1


def test_a_multinational_model_is_nobodys_and_is_not_dropped(tmp_path: Path):
    row = dict.fromkeys((column.name for column in MODELS.columns), "")
    row |= {"Model": "m", "Publication date": "2024-01-02", "Training compute (FLOP)": "1e24"}
    row["Country (from Organization)"] = "China,Multinational,China"
    [model] = read(write(tmp_path / "m.csv", row), TODAY, ALL).records()
    assert model.countries == ("CHN", None)
    assert model.flop == 1e24


def test_every_name_is_one_known_country():
    assert set(NAMES.values()) <= CODES
    assert codes("Korea (Republic of)") == ("KOR",)
    assert codes("Philippines (the)") == ("PHL",)
    assert codes("deu") == ("DEU",)
    assert codes("") == ()


@given(st.lists(st.none() | st.sampled_from("abcd"), max_size=6), st.floats(0, 1e12))
def test_a_split_gives_out_all_of_it(names: list[str | None], amount: float):
    parts = split(names, amount)
    known, unknown = total(parts)
    assert sum(known.values()) + unknown == pytest.approx(amount)
    assert len(parts) == max(1, len(set(names)))


def test_parts_of_the_worked_number():
    assert split(("OpenAI", "Microsoft", "OpenAI"), 12_000.0) == [
        Part("OpenAI", 6_000.0),
        Part("Microsoft", 6_000.0),
    ]
    assert blocs(("DEU", None, "JPN"), {"DEU": "EU"}) == ("EU", None, "JPN")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data folder is not beside us")
def test_the_real_files_are_taken_whole():
    found = {}
    for path in [*sorted(SHARED.glob("epoch_*.csv")), SHARED / "gcp_region_carbon_2024.csv"]:
        one = read(path, TODAY, ALL)
        found[path.name] = (one.format.id, len(one.records()), one.repeats)
    assert found["epoch_gpu_clusters.csv"] == ("clusters", 786, 0)
    assert found["epoch_notable_ai_models_2025-02-24.csv"] == ("models", 895, 0)
    assert sum(rows for what, rows, _ in found.values() if what == "chips") == 156
    assert found["gcp_region_carbon_2024.csv"] == ("carbon", 44, 0)
