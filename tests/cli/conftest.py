import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import postgres
from tests.cli.program import Program


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the environment and the files of the user who runs the tests out; only the cache is shared."""
    for name in os.environ:
        if name.startswith(("SMSRECEIPT_", "ALIBABA_CLOUD_")):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.chdir(home)
    before = os.umask(0o022)  # a configuration that a group may change is refused
    yield
    os.umask(before)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests that are marked so, or whose module is, on each engine of the store."""
    marks = {mark.name for mark in metafunc.definition.iter_markers()}
    if "program" in metafunc.fixturenames and "each_engine" in marks and "of_a_file" not in marks:
        engines = ["sqlite", pytest.param("postgres", marks=pytest.mark.needs("postgres"))]
        metafunc.parametrize("program", engines, indirect=True)


@pytest.fixture
def program(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Program]:
    """The program with a store in a file, or in a database."""
    program = Program(tmp_path)
    if getattr(request, "param", "sqlite") == "sqlite":
        yield program
        return
    with postgres.database() as program.location:
        yield program
