"""The rules of the house as functions: a source file in, complaints out.

Each rule is a row in RULES: what it says, where it holds, how it looks, and a source that
breaks it. test_house.py runs every rule over the house and over its own bad example, so a
rule that could never complain fails too.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
STAGES = (
    *("issue", "trade", "spend", "verify", "settle", "govern", "observe"),
    *("issue_rights", "issue_titles", "issue_trees", "trade_orders", "trade_calls", "trade_quotes"),
    *("spend_rights", "settle_rights", "verify_cases"),
    *("spend_permits", "settle_custody", "govern_drills", "govern_juries", "govern_charter"),
    *("verify_evidence", "govern_floors"),
    *("observe_actors", "observe_rewards", "verify_checks", "issue_rewards"),
    *("settle_federation", "settle_sending", "govern_peers"),
)
ROOMS = ("doors", "lab", "adapters")
STAGE_MAY = (
    *("units", "nouns", "commands", "events", "refusals"),
    *("state", "ledger", "identity", "budgets", "book", "carbon", "waterfall"),
    *("contracts", "facts", "exchange_commands", "exchange_events"),
    *("allocation", "damages", "delivery", "matching", "orders"),
    *("rights", "trade_terms", "uncross", "wallets"),
    *("custody", "custody_commands", "custody_events"),
    *("titles", "title_commands", "title_events"),
    *("drills", "drill_commands", "drill_events", "drilling"),
    *("evidence", "evidence_commands", "evidence_events", "filing", "floors"),
    *("tree_commands", "tree_events"),
    *("actors", "registry"),
    *("sortition", "jury_commands", "jury_events"),
    *("checks", "check_commands", "check_events", "ownership", "rewards"),
    *("reward_commands", "reward_events"),
    *("abroad", "abroad_commands", "abroad_events", "borders"),
    *("charter", "charter_commands", "charter_events", "parameters"),
)
PURE = frozenset(
    """__future__ abc base64 bisect calendar collections copy dataclasses datetime decimal enum
    fractions functools hashlib heapq hmac itertools math msgspec operator re string struct
    types typing""".split()
)
"""All that core may import besides itself. Of datetime only the calendar: see no_world."""
WORLDLY_CALLS = ("open", "print", "input", "exec", "eval", "__import__", "breakpoint", "hash", "id")
"""hash() and id() differ from run to run, so a replay could too."""
WORLDLY_METHODS = ("now", "utcnow", "today", "urandom", "getenv", "monotonic", "perf_counter")
FILE_LINES, FUNCTION_LINES = 300, 40


class Source(NamedTuple):
    module: str
    text: str

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)


class Rule(NamedTuple):
    says: str
    holds_in: Callable[[str], bool]
    complaints: Callable[[Source], Iterator[str]]
    bad: Source


def sources(root: Path = ROOT / "src") -> list[Source]:
    """Every Python file below `root`, named as it is imported."""
    return [
        Source(".".join(p.relative_to(root).with_suffix("").parts), p.read_text())
        for p in sorted(root.rglob("*.py"))
    ]


def imports(source: Source) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of all imports; `from a import b` is both a and a.b."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module, "relative imports are refused by ruff"
            yield node.lineno, node.module
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def below(*packages: str) -> Callable[[str], bool]:
    return lambda module: module.startswith(tuple(f"allmende.{p}" for p in packages))


def pure_imports(source: Source) -> Iterator[str]:
    for line, name in imports(source):
        root = name.partition(".")[0]
        if root not in PURE and not f"{name}.".startswith("allmende.core."):
            yield f"{line}: {name} is not for core"


def stage_imports(source: Source) -> Iterator[str]:
    for line, name in imports(source):
        head, _, rest = name.partition("allmende.core.")
        if not head and rest and rest.partition(".")[0] not in STAGE_MAY:
            yield f"{line}: a stage does not know {name}"


def no_float(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
            yield f"{node.lineno}: the number {node.value}"
        elif isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            yield f"{node.lineno}: true division"
        elif isinstance(node, ast.Name) and node.id in ("float", "round"):
            yield f"{node.lineno}: {node.id}"


def no_world(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.Global):
            yield f"{node.lineno}: {type(node).__name__}"
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in WORLDLY_CALLS or called.rpartition(".")[2] in WORLDLY_METHODS:
                yield f"{node.lineno}: {called}()"


def rooms_apart(source: Source) -> Iterator[str]:
    own = source.module.split(".")[1]
    for line, name in imports(source):
        if any(f"{name}.".startswith(f"allmende.{room}.") for room in ROOMS if room != own):
            yield f"{line}: {own} does not know {name}"


def no_type_checking(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        if "TYPE_CHECKING" in (getattr(node, "id", ""), getattr(node, "attr", "")):
            assert isinstance(node, ast.expr)
            yield f"{node.lineno}: an import only for types hides a cycle"


def no_import_effects(source: Source) -> Iterator[str]:
    for node in source.tree.body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'":
            continue
        if isinstance(node, ast.With | ast.AsyncWith | ast.For | ast.While):
            yield f"{node.lineno}: {type(node).__name__} at import"
        for inner in _at_import(node):
            if isinstance(inner, ast.Expr) and isinstance(inner.value, ast.Call):
                yield f"{inner.lineno}: {ast.unparse(inner)} at import"


def _at_import(node: ast.AST) -> Iterator[ast.AST]:
    """What runs when the module is imported: everything but the bodies of functions."""
    yield node
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        for child in ast.iter_child_nodes(node):
            yield from _at_import(child)


def settings_in_main(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        name = getattr(node, "attr", "") or getattr(node, "id", "") or getattr(node, "arg", "")
        if name in ("environ", "environb", "getenv", "envvar", "auto_envvar_prefix"):
            yield f"{getattr(node, 'lineno', 0)}: {name}"
    yield from (f"{line}: {name}" for line, name in imports(source) if name == "os.environ")


def says_why(source: Source) -> Iterator[str]:
    docstring = ast.get_docstring(source.tree) or ""
    for word in ("Rule:", "Invariant:", "Worked number:"):
        if word not in docstring:
            yield f"1: the docstring has no line '{word}'"


def functions(source: Source) -> Iterator[tuple[str, int]]:
    """(line and name, length in lines) of each function, signature and docstring included."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno
            yield f"{node.lineno}: {node.name}", node.end_lineno - node.lineno + 1


def small(source: Source) -> Iterator[str]:
    lines = source.text.count("\n")
    if lines > FILE_LINES:
        yield f"1: {lines} lines; what idea is missing?"
    for name, length in functions(source):
        if length > FUNCTION_LINES:
            yield f"{name} has {length} lines"


def tests_assert(source: Source) -> Iterator[str]:
    """A test asserts, expects a refusal or a revert, or calls one of its file that does."""
    bodies = {n.name: n for n in ast.walk(source.tree) if isinstance(n, _FUNCTION)}
    sure = {"raises", "check", "refused"}
    while new := {f for f, body in bodies.items() if f not in sure and _asserts(body, sure)}:
        sure |= new
    for name in bodies:
        if name.startswith("test_") and name not in sure:
            yield f"{bodies[name].lineno}: {name} asserts nothing"


_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


def _asserts(body: ast.AST, sure: set[str]) -> bool:
    for node in ast.walk(body):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Name | ast.Attribute):
            name = node.id if isinstance(node, ast.Name) else node.attr
            if name in sure:
                return True
    return False


def no_mocks(source: Source) -> Iterator[str]:
    for line, name in imports(source):
        if name.split(".")[-1] == "mock" or name.startswith("unittest.mock"):
            yield f"{line}: a mock; write a fake that passes the port's contract"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and node.attr in ("perf_counter", "process_time"):
            yield f"{node.lineno}: a timing; it belongs in bench/"


def _stage(module: str) -> bool:
    return module in {f"allmende.core.{stage}" for stage in STAGES}


def _explains(module: str) -> bool:
    rooms = below("core", "wire", "desk", "ports", "adapters", "doors")
    return rooms(module) and not module.endswith(("__init__", "__main__"))


def _not_main(module: str) -> bool:
    return _everywhere(module) and module != "allmende.main_settings"


def _everywhere(module: str) -> bool:
    return module.startswith("allmende")


def _test(module: str) -> bool:
    return module.split(".")[-1].startswith("test_")


RULES = (
    Rule("core imports no world", below("core"), pure_imports,
         Source("allmende.core.spend", "def f():\n    from os import path")),
    Rule("a stage knows only the core's vocabulary", _stage, stage_imports,
         Source("allmende.core.spend", "from allmende.core import trade")),
    Rule("core has no float", below("core"), no_float,
         Source("allmende.core.units", "def half(x): return x / 2")),
    Rule("core and wire have no clock, chance, disk or event loop", below("core", "wire"),
         no_world, Source("allmende.wire.login", "def f(d): return d.datetime.now()")),
    Rule("doors, lab and adapters do not import each other", below(*ROOMS), rooms_apart,
         Source("allmende.doors.pages", "import allmende.adapters.sqlite")),
    Rule("no import hides behind TYPE_CHECKING", _everywhere, no_type_checking,
         Source("allmende.desk", "import typing\nif typing.TYPE_CHECKING: import os")),
    Rule("importing does nothing", _everywhere, no_import_effects,
         Source("allmende.cli", "import logging\ntry:\n    logging.basicConfig()\nfinally: x = 1")),
    Rule("settings are read in main alone", _not_main, settings_in_main,
         Source("allmende.cli", "import os\nport = os.environ['PORT']")),
    Rule("a module opens with its rule, invariant and worked number", _explains, says_why,
         Source("allmende.core.spend", '"""Rule: no. Invariant: none."""')),
    Rule("files and functions are small", _everywhere, small,
         Source("allmende.cli", "def f():\n" + "    x = 1\n" * FUNCTION_LINES)),
    Rule("a test asserts", _test, tests_assert,
         Source("test_x", "def check_not(): pass\ndef test_x(): check_not()")),
    Rule("tests use fakes, not mocks, and time nothing", _test, no_mocks,
         Source("test_x", "from unittest import mock")),
)  # fmt: skip
