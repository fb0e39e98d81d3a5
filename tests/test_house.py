"""The rules of CONTRIBUTING.md: types, style, direction of imports, sizes, and what must not be in the tree."""

import ast
import re
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

import smsreceipt

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "smsreceipt"
BIN = Path(sys.executable).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
Function = ast.FunctionDef | ast.AsyncFunctionDef


@pytest.mark.parametrize(
    "gate",
    [
        pytest.param(["mypy", "--strict"], marks=pytest.mark.slow),
        ["ruff", "check", "smsreceipt", "tests"],
        ["ruff", "format", "--check", "smsreceipt", "tests"],
        ["lint-imports"],
    ],
    ids=lambda gate: gate[0] + " ".join(gate[1:2]),
)
def test_the_tree_passes(gate: list[str]) -> None:
    run = subprocess.run([BIN / gate[0], *gate[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("model/times.py", "import smsreceipt.decode", "Imports go down only"),
        ("decode/times.py", "import socket", "The core does no I/O"),
        ("runs/pull.py", "import click", "Only cli knows click"),
        ("output/printer.py", "def f(): import rich.text", "Only output.terminal knows rich"),
        ("output/printer.py", "def f(): import pyarrow", "Only those that write and read Parquet know pyarrow"),
        ("output/printer.py", "import jinja2", "Only output.html knows jinja2"),
        ("store/__init__.py", "import apsw", "Only store.sqlite knows apsw"),
        ("runs/pull.py", "import apprise", "Only notify knows apprise"),
        ("store/__init__.py", "import psycopg", "Only store.postgres knows psycopg"),
        ("store/postgres/engine.py", "import smsreceipt.store.sqlite.files", "The engines are neighbours"),
        ("aliyun/clock.py", "def f(): import smsreceipt.aliyun.rpc", "No circles"),
        ("decode/times.py", "if typing.TYPE_CHECKING: import smsreceipt.decode.table", "No circles"),
    ],
)
def test_the_contracts_catch(tmp_path: Path, module: str, line: str, contract: str) -> None:
    shutil.copytree(PACKAGE, tmp_path / "smsreceipt", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "smsreceipt" / module).open("a") as file:
        file.write(f"import typing\n{line}\n")
    run = subprocess.run(
        [BIN / "lint-imports", "--no-cache"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 1, run.stdout
    assert re.search(rf"^{contract}.* BROKEN\b", run.stdout, re.MULTILINE), run.stdout


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Lazy imports and those of types count, and those between a package and its modules, which no contract covers."""
    graph = grimp.build_graph("smsreceipt", cache_dir=None)
    TopologicalSorter({name: graph.find_modules_directly_imported_by(name) for name in graph.modules}).prepare()


def functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(function: Function) -> int:
    return (function.end_lineno or 0) - function.lineno + 1


def lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def test_no_module_is_longer_than_400_lines() -> None:
    assert {str(path.relative_to(ROOT)): lines(path) for path in SOURCES if lines(path) > 400} == {}


def test_no_function_is_longer_than_80_lines_and_half_of_them_are_under_12() -> None:
    sizes = [(length(function), function.name, str(path)) for path in SOURCES for function in functions(path)]
    assert [found for found in sizes if found[0] > 80] == []
    assert statistics.median(size for size, *_ in sizes) < 12


def test_the_command_line_is_at_most_12_percent_of_the_package() -> None:
    cli = sum(lines(path) for path in SOURCES if path.is_relative_to(PACKAGE / "cli"))
    assert cli <= 0.12 * sum(map(lines, SOURCES))


def compared(path: Path) -> Iterator[str]:
    """The texts that the module compares something with."""
    for node in ast.walk(ast.parse(path.read_text())):
        sides: list[ast.expr] = []
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            sides = [node.value]
        for part in (part for side in sides for part in ast.walk(side)):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                yield part.value


def test_only_the_printer_asks_which_output_format_is_wanted() -> None:
    asking = {str(path.relative_to(PACKAGE)) for path in SOURCES if {"table", "json", "csv"} & {*compared(path)}}
    assert asking <= {"output/printer.py", "app.py"}  # App: by default, tables are masked


def test_no_banner_divides_a_module() -> None:
    banner = re.compile(r"^\s*#\s*([-=*#~])\1", re.MULTILINE)
    assert [str(path.relative_to(ROOT)) for path in (*SOURCES, *TESTS) if banner.search(path.read_text())] == []


def test_every_module_and_room_that_contributing_names_exists() -> None:
    named = re.findall(r"`([\w/.-]+(?:\.py|/))`", (ROOT / "CONTRIBUTING.md").read_text())
    places = [str(path.relative_to(ROOT)) + "/" * path.is_dir() for path in (*ROOT.glob("*/"), *TESTS, *SOURCES)]
    places += [f"{path.relative_to(ROOT)}/" for top in (PACKAGE, ROOT / "tests") for path in top.rglob("*/")]
    assert len(named) > 40
    assert [name for name in named if not any(f"/{place}".endswith(f"/{name}") for place in places)] == []


def test_every_exemption_from_a_gate_names_what_it_exempts() -> None:
    blanket = re.compile(r"# type: ignore(?!\[)|# noqa(?!: [A-Z])")
    for path in (*SOURCES, *TESTS):
        if path != Path(__file__):
            assert not blanket.search(path.read_text()), path


def texts() -> Iterator[tuple[Path, str]]:
    """Every text that we ship or keep, by its path; not what tools leave behind."""
    for path in ROOT.rglob("*"):
        first, *_ = parts = path.relative_to(ROOT).parts
        left = {"node_modules", "build", "dist", "__pycache__"} & set(parts) or (
            first.startswith(".") and first != ".ci"
        )
        if not left and path.is_file():
            try:
                yield path, path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue  # payloads that are not UTF-8 on purpose, databases


def test_the_tree_names_no_machine_that_it_was_written_on() -> None:
    for path, text in texts():
        assert f"{ROOT}/" not in text, path


def test_no_promise_is_left_for_later_in_the_code() -> None:
    for path in SOURCES:
        assert not re.search(r"\b(TODO|FIXME|XXX|NotImplementedError)\b", path.read_text()), path


def test_no_pattern_has_a_possessive_or_atomic_group() -> None:
    """Python before 3.11.5 matches them wrongly: https://github.com/python/cpython/issues/106052. Debian 12 has 3.11.2.

    Possessive single characters and sets are right in every version.
    """
    group = re.compile(r"\)(?:[*+?]|\{[0-9,]+\})\+|\(\?>")
    for path in SOURCES:
        assert not group.search(path.read_text()), path


def test_version_and_changelog_agree() -> None:
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert newest[1] == smsreceipt.__version__


def test_ci_runs_the_readmes_test_command() -> None:
    assert "make test" in (ROOT / "README.md").read_text()
    assert re.search(r"^.*\bmake test$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)


def test_every_target_of_the_makefile_that_users_are_told_about_exists() -> None:
    pages = [ROOT / "README.md", ROOT / "README.zh-CN.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    text = "\n".join(page.read_text() for page in pages)
    told = set(re.findall(r"^\s*make ([\w-]+)|`make ([\w-]+)`", text, re.MULTILINE))
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {one or other for one, other in told} <= targets


def test_only_ingest_writes_receipts() -> None:
    assert [path.name for path in SOURCES if re.search(r"\.keep\(", path.read_text())] == ["ingest.py"]
