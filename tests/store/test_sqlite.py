"""The SQLite store keeps the contract, on a disk and in memory."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from smsreceipt.store import Store
from smsreceipt.store.sqlite.store import open_reader, open_store
from tests.store.contract import StoreContract

_SERIAL = count()


class TestSqlite(StoreContract):
    @pytest.fixture(autouse=True)
    def _folder(self) -> Iterator[None]:
        self.folder = Path(tempfile.mkdtemp())
        yield
        shutil.rmtree(self.folder)

    def store(self) -> Store:
        return open_store(self.folder / f"{next(_SERIAL)}.db")


class TestInMemory(StoreContract):
    """What readers are given where there is no file yet."""

    def store(self) -> Store:
        return open_reader(Path("there-is-no-such-file.db"))


class TestWithPhonesFiled(StoreContract):
    """Phones are filed apart once there are many statements: here, after every third."""

    @pytest.fixture(autouse=True)
    def _soon(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("smsreceipt.store.sqlite.keep._PHONES", 3, raising=False)

    def store(self) -> Store:
        return open_reader(Path("there-is-no-such-file.db"))
