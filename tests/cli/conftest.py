import os
from pathlib import Path

import pytest

from tests.cli.program import Program


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable and no file of whoever runs the tests takes part."""
    for name in os.environ:
        if name.startswith(("SMSRECEIPT_", "ALIBABA_CLOUD_")):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    monkeypatch.chdir(home)


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)
