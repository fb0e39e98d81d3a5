import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import Program


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Keep the environment and the files of the user who runs the tests out."""
    for name in os.environ:
        if name.startswith(("SMSRECEIPT_", "ALIBABA_CLOUD_")):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    monkeypatch.chdir(home)
    before = os.umask(0o022)  # a configuration that a group may change is refused
    yield
    os.umask(before)


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)
