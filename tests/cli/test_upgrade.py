"""A store of an older version: every command reads it right; one that writes fills it first and shows its progress."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import apsw
import pytest

from smsreceipt.errors import StoreLocked
from smsreceipt.store import Store
from smsreceipt.store.sqlite.store import open_store
from tests.cli.listening import Listen
from tests.cli.program import Program, report
from tests.store.test_upgrade import OLD, old_store


def marked(path: Path) -> int:
    with closing(apsw.Connection(str(path))) as db:
        ((count,),) = db.execute("SELECT count(*) FROM statement WHERE billed_parts = -2").fetchall()
        assert isinstance(count, int)
        return count


@pytest.fixture
def old(program: Program) -> Program:
    old_store(program.store, 4)
    return program


@pytest.mark.parametrize("words", ["replay saved", "rejects retry --all", "sends import sent.csv"])
def test_commands_that_write_fill_an_old_store_first(old: Program, words: str) -> None:
    Path("saved").touch()
    Path("sent.csv").write_text("biz_id,phone,sent_at\n7,13800008000,2026-11-20\n")
    assert old(*words.split()).code == 0
    assert marked(old.store) == 0
    assert [each["parts"] for each in old("list").objects] == [2, None, None, None, None, 2]


@pytest.mark.parametrize("words", ["rejects drop 1234", "sends forget --before 2026-11-01 --yes"])
def test_small_corrections_do_not_wait_for_it(old: Program, words: str) -> None:
    assert old(*words.split()).code in {0, 2}  # there is no such reject
    assert marked(old.store) == len(OLD)
    assert [each["talk_seconds"] for each in old("list").objects] == [None, None, None, 185, None, None]


def test_listen_does_not_wait_for_it(tmp_path: Path) -> None:
    store = tmp_path / "receipts.db"
    old_store(store, 4)
    with Listen(store) as listen:
        assert listen.push(report()) == 200
        assert listen.stop() == 143
        assert [each["parts"] for each in listen.printed] == [1]
    assert marked(store) == len(OLD)


def test_a_terminal_sees_how_far_it_is(old: Program) -> None:
    ended = old("rejects", "retry", "--all", stderr_is_tty=True)
    assert "[####################] 6/6  upgrading the store" in ended.err


def test_another_writer_is_no_reason_to_fail(program: Program) -> None:
    class Busy:
        def __call__(self, location: str, *_: object) -> Store:
            store = open_store(Path(location))

            def locked(_: object) -> None:
                raise StoreLocked("busy")

            store.backfill = locked  # type: ignore[method-assign, assignment]
            return store

    assert program("rejects", "retry", "--all", opener=Busy()).code == 0
