"""What a location leads to before a store is opened there, and what is refused."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import pytest

from smsreceipt.decode import reread
from smsreceipt.errors import StoreLocked, UsageError
from smsreceipt.store import opening
from smsreceipt.store.sqlite.store import open_store
from tests.store.statements import decoded, report


def test_a_url_of_an_unknown_engine_is_refused_without_its_password() -> None:
    url = "mysql://user:secret@host/db"
    for ask in (opening.checked, opening.free_bytes, opening.secret_file):
        with pytest.raises(UsageError, match=r"^this store URL is not supported: mysql://…$") as caught:
            ask(url)
        assert (caught.value.exit_code, caught.value.hint) == (
            2, "Give the path of a file, or postgresql://USER@HOST/DATABASE.",
        )  # fmt: skip


def test_a_location_is_shown_in_its_usual_spelling() -> None:
    assert opening.checked("./a//b.db") == "a/b.db"


def test_the_secrets_of_listen_are_beside_the_file(tmp_path: Path) -> None:
    assert opening.secret_file(f"{tmp_path}/receipts.db") == tmp_path / "receipts.secret"


def test_the_free_bytes_are_those_of_the_disk(tmp_path: Path) -> None:
    free = opening.free_bytes(f"{tmp_path}/not/yet/receipts.db")
    assert free is not None
    assert free > 0


def test_the_file_of_a_store_is_known_by_any_of_its_names(tmp_path: Path) -> None:
    path, link = tmp_path / "receipts.db", tmp_path / "link.db"
    assert not opening.occupies(str(path), path)  # there is none yet
    open_store(path).close()
    link.symlink_to(path)
    assert opening.occupies(str(path), link)
    assert not opening.occupies(str(path), tmp_path / "other.csv")


def test_a_write_waits_as_long_as_was_said_at_opening_for_another_process(tmp_path: Path) -> None:
    path = tmp_path / "receipts.db"
    with (
        closing(open_store(path)) as other,
        closing(opening.open_store(str(path), readonly=False, reread=reread, lock_wait=0.1)) as store,
    ):
        other._db.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        with pytest.raises(StoreLocked):
            store.keep([decoded(report())])
        assert 0.09 < time.monotonic() - began < 4
