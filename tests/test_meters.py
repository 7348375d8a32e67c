"""Meters: outputs as RAPL, nvidia-smi and Slurm document them, and every way they can be absent.

The texts are written here in the documented formats; none was taken from a machine.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from allmende.adapters import meters
from allmende.adapters.energy import measured_rate
from allmende.adapters.meters import Counter, Missing, Unreadable
from allmende.cli import main as cli
from allmende.core.units import Units, energy


def zone(root: Path, name: str, says: str, uj: str, most: str = "262143328850") -> None:
    folder = root / name
    folder.mkdir(parents=True)
    for file, text in (("name", says), ("energy_uj", uj), ("max_energy_range_uj", most)):
        (folder / file).write_text(text + "\n")


@pytest.fixture
def powercap(tmp_path: Path) -> Path:
    """Two packages, DRAM within one, and zones that are in a package or a control type."""
    zone(tmp_path, "intel-rapl:0", "package-0", "1000000")
    zone(tmp_path, "intel-rapl:0:0", "core", "777")
    zone(tmp_path, "intel-rapl:0:1", "dram", "500000")
    zone(tmp_path, "intel-rapl:1", "package-1", "262143328000")
    zone(tmp_path, "intel-rapl:2", "psys", "9")
    (tmp_path / "intel-rapl").mkdir()
    return tmp_path


def test_packages_and_dram_are_counted_and_nothing_twice(powercap: Path) -> None:
    found = meters.counters(powercap)
    assert [c.name for c in found.values()] == ["package-0", "dram", "package-1"]


def test_a_reading_is_a_difference_and_a_counter_that_ran_over_goes_on(powercap: Path) -> None:
    def later(_: float) -> None:
        (powercap / "intel-rapl:0" / "energy_uj").write_text("251000000")
        (powercap / "intel-rapl:1" / "energy_uj").write_text("149150")

    before = meters.counters(powercap)
    later(0)
    assert meters.between(before, meters.counters(powercap)) == 250_000_000 + 150_000
    reading = meters.rapl(10.0, powercap, lambda _: None)
    assert (reading.method, reading.watts) == ("metered-rapl", (0.0, 0.0))
    assert "no GPU" in reading.boundary


def test_the_worked_number_of_the_module() -> None:
    one = {"0": Counter("package-0", 1_000_000, 10**12)}
    two = {"0": Counter("package-0", 251_000_000, 10**12)}
    assert meters.between(one, two) / 1e6 / 10 == 25.0
    with pytest.raises(Unreadable, match="zones changed"):
        meters.between(one, {})


def test_what_rapl_lacks_is_said(tmp_path: Path, powercap: Path) -> None:
    with pytest.raises(Missing, match=r"No .*nowhere"):
        meters.rapl(1.0, tmp_path / "nowhere")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(Missing, match="no zone of a package"):
        meters.counters(empty)
    (powercap / "intel-rapl:0" / "energy_uj").write_text("-12 J")
    with pytest.raises(Unreadable, match=r"energy_uj: '-12 J' is no number"):
        meters.counters(powercap)
    (powercap / "intel-rapl:0" / "energy_uj").unlink()
    with pytest.raises(Missing, match="cannot be read"):
        meters.counters(powercap)


def test_boards_as_nvidia_smi_writes_them() -> None:
    assert meters.boards("0, 312.45\n1, 298.10\n\n") == {0: 312.45, 1: 298.1}
    said = iter(["0, 300.00\n", "0, 320.00\n"])
    reading = meters.nvml(2.0, lambda _: next(said), lambda _: None)
    assert reading.watts == pytest.approx((310 * 0.95, 310 * 1.05))
    assert reading.method == "metered-nvml"


@pytest.mark.parametrize(
    ("csv", "error", "said"),
    [
        ("0, [N/A]", Missing, "Board 0 reports no power"),
        ("0, 12.5\n1, [Not Supported]", Missing, "Board 1"),
        ("", Missing, "lists no board"),
        ("0, 300 W", Unreadable, "line 1"),
        ("0, 1.5\nNo devices were found", Unreadable, "line 2: 'No devices were found'"),
    ],
)
def test_a_board_without_a_sensor_or_another_form_is_named(csv, error, said) -> None:
    with pytest.raises(error, match=said):
        meters.boards(csv)


def test_a_job_as_sacct_writes_it() -> None:
    both = "4711|3600|9000000\n4711.batch|3600|8000000\n4711.0|3590|1000000\n"
    assert meters.job_energy(both, "4711") == (3_600, 9_000_000)
    steps = "4711|3600|\n4711.batch|3600|8000000\n4711.0|3590|1000000\n"
    assert meters.job_energy(steps, "4711") == (3_600, 9_000_000)
    reading = meters.slurm("4711", lambda _: both)
    assert (reading.watts, reading.seconds) == ((2_500.0, 2_500.0), 3_600)


@pytest.mark.parametrize(
    ("lines", "error", "said"),
    [
        ("", Missing, "no job 4711"),
        ("4711|0|0", Missing, "no job 4711 that ran"),
        ("4711|3600|0", Missing, "AcctGatherEnergyType"),
        ("4711|1:00:00|9000", Unreadable, "line 1"),
        ("4711|3600|9.00M", Unreadable, "'9.00M' is no number of joules"),
        ("4711 3600 9000", Unreadable, "line 1"),
    ],
)
def test_a_job_without_energy_or_another_form_is_named(lines, error, said) -> None:
    with pytest.raises(error, match=said):
        meters.job_energy(lines, "4711")


def test_a_command_that_is_not_there_or_fails_is_named() -> None:
    with pytest.raises(Missing, match="No allmende-has-no-such-tool here"):
        meters.output(("allmende-has-no-such-tool",))
    with pytest.raises(Missing, match="ls failed"):
        meters.output(("ls", "/no/such/folder"))


def test_a_mixed_measurement_is_a_range_that_holds_all_of_it() -> None:
    rate = measured_rate((10.0, 10.0), 30, 10, "DEU")
    assert rate.input_nj == (0, 250_000_000)
    assert rate.output_nj == (250_000_000, 1_000_000_000)
    low, high = energy(rate, Units(input=30, output=10)).uj
    assert low <= 10_000_000 <= high
    vectors = measured_rate((10.0, 10.0), 40, 0, "DEU", (1.2, 1.2))
    assert vectors.input_nj == vectors.output_nj == (300_000_000, 300_000_000)
    for wrong in (((0.0, 1.0), 1, 1), ((2.0, 1.0), 1, 1), ((1.0, 1.0), 0, 0)):
        with pytest.raises(ValueError, match="not a measurement"):
            measured_rate(*wrong, "DEU")


def test_the_command_says_what_is_missing_here_and_fails() -> None:
    done = CliRunner().invoke(cli, ["observatory", "energy", "measure", "--source", "slurm"])
    assert done.exit_code == 1
    assert "slurm: Name the job with --job." in done.output
    assert "Nothing here measures energy" in done.output
    shown = CliRunner().invoke(cli, ["observatory", "energy", "batches", "--active-b", "8"])
    assert "512" in shown.output
    assert "h100-fit" in shown.output
