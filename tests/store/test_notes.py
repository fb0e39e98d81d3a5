"""Notes, the small state of commands, survive, are compared before they are written, and are copied."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from smsreceipt.store import Store
from smsreceipt.store.sqlite.store import open_reader, open_store
from tests.store.engines import Engine


@pytest.fixture
def store(engine: Engine) -> Iterator[Store]:
    with closing(engine.empty()) as opened:
        yield opened


def test_notes_are_written_replaced_and_deleted_by_topic(store: Store) -> None:
    assert store.notes("alarms") == {}
    assert store.write_notes("alarms", {"silence": "1", "rate": "2"})
    assert store.write_notes("cursors", {"silence": "7"})
    assert store.write_notes("alarms", {"silence": "3", "rate": None, "absent": None})
    assert store.notes("alarms") == {"silence": "3"}
    assert store.note_topics() == ["alarms", "cursors"]


def test_nothing_is_written_if_one_note_is_not_as_expected(store: Store) -> None:
    assert store.write_notes("alarms", {"rate": "1"}, expected={"rate": None})
    assert not store.write_notes("alarms", {"rate": "2", "silence": "2"}, expected={"rate": None})
    assert not store.write_notes("alarms", {"rate": "2"}, expected={"rate": "1", "silence": "1"})
    assert store.notes("alarms") == {"rate": "1"}
    assert store.write_notes("alarms", {"rate": "2"}, expected={"rate": "1", "silence": None})
    assert store.notes("alarms") == {"rate": "2"}


def test_notes_outlive_the_store(tmp_path: Path) -> None:
    with closing(open_store(tmp_path / "receipts.db")) as store:
        store.write_notes("alarms", {"rate": "1"})
    with closing(open_reader(tmp_path / "receipts.db")) as reader:
        assert reader.notes("alarms") == {"rate": "1"}
