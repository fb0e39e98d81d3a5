"""Stores of every earlier schema: they open, are upgraded, list the same, also while an older program still writes."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest

from smsreceipt.decode import decode, reread
from smsreceipt.errors import StoreLocked, StoreUnavailable
from smsreceipt.model import (
    Decoded,
    Delivery,
    Instant,
    Kind,
    Outcome,
    Receipt,
    Send,
    Source,
    StoredReceipt,
    beijing_day,
)
from smsreceipt.store import Imported, Query
from smsreceipt.store.sqlite import backfill, migrations
from smsreceipt.store.sqlite.batch import InsertBatch
from smsreceipt.store.sqlite.call_tallies import TRIGGERS as OF_CALLS
from smsreceipt.store.sqlite.columns import ADDED, COLUMNS
from smsreceipt.store.sqlite.migrations import APPLICATION_ID, SCHEMA, _add_columns, sql
from smsreceipt.store.sqlite.rows import number, rows
from smsreceipt.store.sqlite.store import SqliteStore, open_reader, open_store
from smsreceipt.store.sqlite.tally_changes import TRIGGERS
from tests.store.statements import FAILED, NOW, PHONE, Said, call, decoded, frame, mixed, pool, report
from tests.store.test_attribution import POOL as ATTRIBUTIONS
from tests.store.test_attribution import give

ALL = Query(history=True)
DAY = beijing_day(Instant(1_795_160_995_000))
#: The columns of the first schema, as every program up to schema 4 wrote them.
OLD_COLUMNS = (
    "seq, kind, lead, parts, id1, id2, id3, id4, outcome, code, reported_at, detail, sent_at, received_at, day, phone,"
    " biz_id, out_id, call_id, road, signed, test, native, digest, body"
)
OLD_INSERT = (
    f"INSERT INTO statement ({OLD_COLUMNS}, times_seen, conflict, current)"  # noqa: S608
    f" VALUES ({', '.join('?' * (OLD_COLUMNS.count(',') + 1))}, 1, 0, 1)"
)


def answer(biz_id: str, content: str) -> Decoded:
    """A row of QuerySendDetails that was asked for by its BizId: an SmsReport whose body is not one."""
    fields = {"PhoneNum": PHONE, "SendStatus": 3, "ErrCode": "DELIVERED", "TemplateCode": "SMS_1", "Content": content,
              "SendDate": "2026-11-20 15:49:55", "ReceiveDate": "2026-11-20 15:49:58", "OutId": ""}  # fmt: skip
    asked = Delivery((frame(fields),), Kind("SmsReport"), Source.QUERY, "QuerySendDetails", NOW, biz_id=biz_id)
    return decode(asked)


UNANSWERED: Said = ("SecretReport", {name: text for name, text in call("c2")[1].items() if name != "start_time"})
#: What the old store holds, and the fields that its schema did not have.
OLD = [
    *mixed(report("1", sms_size="2"), report("2"), report("3", sms_size="x", **FAILED), call("c1"), UNANSWERED),
    answer("4", "很" * 71),
]
FIELDS = [(2, None), (None, None), (None, None), (None, 185), (None, None), (2, None)]


def old_rows(batch: Sequence[Decoded]) -> Iterator[tuple[Any, ...]]:
    """The values that an old program would have bound."""
    kinds = {"SmsReport": 1, "SecretReport": 2}
    made = InsertBatch(batch, 0, lambda kind, _: kinds[kind], lambda _: 1)
    for seq in range(1, len(made) + 1):
        row = made.row(seq)
        yield tuple(row[name] for name in OLD_COLUMNS.split(", "))


def old_store(path: Path, schema: int = 1, batch: Sequence[Decoded] = OLD) -> None:
    """A store as a program of that schema left it, with receipts."""
    db = apsw.Connection(str(path))
    db.pragma("journal_mode", "wal")
    for step in range(1, schema + 1):
        db.execute(sql(f"{step:04}.sql"))
        if added := [column for column in COLUMNS if column.since == step > 1]:
            _add_columns(db, step, added)
    db.pragma("application_id", APPLICATION_ID)
    db.pragma("user_version", schema)
    db.execute("INSERT INTO road VALUES (1, 'mns', 'a-queue')")
    for number_, kind in enumerate(("SmsReport", "SecretReport"), 1):
        db.execute("INSERT INTO kind VALUES (?, ?, 0, 0, 0, 5, 5)", (number_, kind))
    for row in old_rows(batch):
        db.execute(OLD_INSERT, row)
        db.execute("UPDATE kind SET identities = identities + 1, statements = statements + 1 WHERE id = ?", (row[1],))
    db.execute("INSERT INTO phone SELECT phone, seq FROM statement")
    db.execute("UPDATE counter SET last_seq = (SELECT max(seq) FROM statement), phones_to = last_seq")
    db.execute("UPDATE counter SET phones_to = last_seq")
    db.close()
    path.chmod(0o600)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "receipts.db"


def fields(receipts: Iterator[StoredReceipt]) -> list[tuple[int | None, int | None]]:
    return [(each.receipt.parts, each.receipt.talk_seconds) for each in receipts]


def marked(store: SqliteStore) -> int:
    return number(store._db, "SELECT count(*) FROM statement WHERE billed_parts = -2 OR talk_seconds = -2")


def upgraded(path: Path, **more: Any) -> SqliteStore:
    return open_store(path, reread=reread, **more)


class Counting:
    """Reads bodies again, and counts them."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, kind: Kind, body: bytes) -> Receipt | None:
        self.count += 1
        return reread(kind, body)


every_schema = pytest.mark.parametrize("schema", [1, 2, 3, 4, 5])


@every_schema
def test_a_reader_of_a_store_before_its_upgrade_says_older_schema(path: Path, schema: int) -> None:
    old_store(path, schema)
    before = path.read_bytes()
    with pytest.raises(StoreUnavailable, match="has an older schema") as caught:
        open_reader(path, reread=reread)
    assert caught.value.exit_code == 6
    assert path.read_bytes() == before


@every_schema
def test_an_upgraded_store_lists_what_a_new_one_would_at_once_and_after_the_backfill(path: Path, schema: int) -> None:
    old_store(path, schema)
    with closing(open_store(path.with_name("new.db"))) as new:
        new.keep(OLD)
        expected = [each.receipt for each in new.list(ALL)]
    with closing(upgraded(path)) as store:
        assert fields(store.list(ALL)) == FIELDS
        assert [each.receipt for each in store.list(ALL)] == expected
        assert marked(store) == len(OLD)
        with closing(open_reader(path, reread=reread)) as reader:
            assert [each.receipt for each in reader.list(ALL)] == expected
        shown: list[tuple[int, int]] = []
        store.backfill(lambda done, total: shown.append((done, total)))
        assert shown == [(6, 6)]
        assert marked(store) == 0
    counting = Counting()
    with closing(open_reader(path, reread=counting)) as reader:
        assert [each.receipt for each in reader.list(ALL)] == expected
        assert reader.facts().schema == SCHEMA
    assert counting.count == 1  # the answer of a query is read for its template


@every_schema
def test_an_upgraded_store_goes_on_like_any_other(path: Path, schema: int) -> None:
    old_store(path, schema)
    with closing(upgraded(path)) as store:
        store.backfill()
        assert store.keep([decoded(report("2"))]).tally.duplicate == 1
        assert store.keep([decoded(report("9", sms_size="3"))]).new[0].seq == 8
        sends = [Send(PHONE, biz_id, DAY, None, "", "", "", None) for biz_id in ("1", "8")]
        assert store.add_sends(sends) == Imported(new=2)
        assert [each.send.biz_id for each in store.missing(DAY, DAY)] == ["8"]
    with closing(open_reader(path)) as reader:
        assert reader.facts().open_sends == 1
        assert fields(reader.list(Query(biz_ids=["9"]))) == [(3, None)]


def test_an_upgrade_leaves_a_sound_file_and_is_seen_by_who_has_it_open(path: Path) -> None:
    old_store(path)
    open_already = apsw.Connection(str(path))
    assert open_already.execute("PRAGMA foreign_key_list(phone)").fetchall()
    with closing(upgraded(path)) as store:
        for check, sound in (("integrity_check", [("ok",)]), ("foreign_key_check", []), ("writable_schema", [(0,)])):
            assert store._db.execute(f"PRAGMA {check}").fetchall() == sound
    assert not open_already.execute("PRAGMA foreign_key_list(phone)").fetchall()
    assert open_already.execute("SELECT phone, seq FROM phone WHERE seq = 1").fetchall() == [(PHONE, 1)]
    assert open_already.execute("SELECT DISTINCT billed_parts FROM statement").fetchall() == [(-2,)]
    open_already.close()


@every_schema
def test_an_upgraded_store_is_like_a_new_one(tmp_path: Path, schema: int) -> None:
    old_store(tmp_path / "old.db", schema)
    schemas = []
    for name in ("old.db", "new.db"):
        with closing(open_store(tmp_path / name)) as store:
            schemas.append(sorted(rows(store._db, "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")))
    assert schemas[0] == schemas[1]


def test_an_upgrade_that_is_cut_off_leaves_the_old_schema(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old_store(path)
    monkeypatch.setattr(migrations, "sql", lambda name: sql(name) + "; SELECT nonsense;")
    with pytest.raises(Exception, match="damaged"):
        open_store(path)
    monkeypatch.undo()
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    assert db.pragma("user_version") == 1
    db.close()
    with closing(open_store(path)) as store:
        assert store.count(Query(), 10) == len(OLD)


def kill_here(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed(work: Callable[[], None]) -> None:
    """Do it in a process of its own, which must be killed by it."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL


def test_a_program_that_is_killed_while_it_adds_columns_leaves_the_old_schema(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_store(path, 4)
    add = migrations._add_columns

    def cut_off(*step: Any) -> None:
        add(*step)
        kill_here()

    monkeypatch.setattr(migrations, "_add_columns", cut_off)
    killed(lambda: open_store(path).close())
    monkeypatch.undo()
    with pytest.raises(StoreUnavailable, match="has an older schema"):
        open_reader(path)
    with closing(upgraded(path)) as store:
        assert fields(store.list(ALL)) == FIELDS


@pytest.mark.parametrize("after", range(6))
@pytest.mark.parametrize("committed", [True, False])
def test_a_backfill_that_is_killed_is_resumed_where_it_stopped(
    path: Path, monkeypatch: pytest.MonkeyPatch, after: int, *, committed: bool
) -> None:
    old_store(path, 4)
    monkeypatch.setattr(backfill, "BATCH", 1)
    write = backfill.write

    def work() -> None:
        done = 0

        def cut_off(*batch: Any) -> None:
            nonlocal done
            write(*batch)
            done += 1
            if not committed and done > after:
                kill_here()

        monkeypatch.setattr(backfill, "write", cut_off)
        with closing(upgraded(path)) as store:
            store.backfill(lambda done, _: kill_here() if committed and done > after else None)

    killed(work)
    counting = Counting()
    with closing(open_store(path, reread=counting)) as store:
        assert fields(store.list(ALL)) == FIELDS
        counting.count = 0
        store.backfill()
        assert counting.count == len(OLD) - after - committed
        assert marked(store) == 0
        assert fields(store.list(ALL)) == FIELDS


def test_an_older_program_that_still_runs_may_add_receipts_which_are_read_until_the_next_backfill(path: Path) -> None:
    old_store(path, 4)
    older = apsw.Connection(str(path))
    with closing(upgraded(path)) as store:
        store.backfill()
        values = dict(zip(OLD_COLUMNS.split(", "), next(old_rows([decoded(report("10", sms_size="4"))])), strict=True))
        older.execute(OLD_INSERT, tuple((values | {"seq": 7}).values()))
        older.execute("UPDATE counter SET last_seq = 7")
        assert fields(store.list(Query(biz_ids=["10"]))) == [(4, None)]
        store.keep([decoded(report("11", sms_size="5"))])
        assert marked(store) == 1
    counting = Counting()
    with closing(open_store(path, reread=counting)) as store:
        store.backfill()
        assert (counting.count, marked(store)) == (1, 0)
        assert fields(store.list(Query(after=6))) == [(4, None), (5, None)]
    older.close()


def test_an_older_program_that_shows_another_body_makes_readers_read_it(path: Path) -> None:
    old_store(path, 4)
    older = apsw.Connection(str(path))
    (other,) = decoded(report("1", sms_size="3")).receipts
    with closing(upgraded(path)) as store:
        store.backfill()
        older.execute("UPDATE statement SET digest = ?, body = ? WHERE seq = 1", (other.digest, other.body))
        assert fields(store.list(Query(biz_ids=["1"]))) == [(3, None)]
    older.close()


@pytest.mark.parametrize("sizes", ["12", "21", "11"])
def test_a_statement_has_the_fields_of_the_body_that_it_shows(path: Path, sizes: str) -> None:
    bodies = [report(sms_size=size, err_msg=text) for size, text in zip(sizes, "ab", strict=True)]
    with closing(open_store(path)) as store:
        for each in bodies:
            store.keep([decoded(each)])
        (shown,) = (each.receipt for each in store.list(ALL))
        assert shown.parts == decoded(shown.body).receipts[0].parts
        assert marked(store) == 0


def test_a_row_that_shows_another_body_meanwhile_is_left_alone_by_the_backfill(path: Path) -> None:
    old_store(path, 4)
    (other,) = decoded(report("1", sms_size="3")).receipts
    with closing(upgraded(path)) as store:
        batch = backfill.read(store._db, reread)
        assert batch
        with closing(apsw.Connection(str(path))) as older:
            older.execute("UPDATE statement SET digest = ?, body = ? WHERE seq = 1", (other.digest, other.body))
        with store._transaction():
            backfill.write(store._db, batch)
        assert fields(store.list(ALL)) == [(3, None), *FIELDS[1:]]


def test_a_body_that_is_refused_today_keeps_its_marker_and_holds_nothing_up(path: Path) -> None:
    old_store(path, 4)
    with closing(open_store(path, reread=lambda _kind, _body: None)) as store:
        store.backfill()
        assert marked(store) == len(OLD)
        assert fields(store.list(ALL)) == [(None, None)] * len(OLD)


def test_many_may_upgrade_the_same_store_at_once(path: Path) -> None:
    old_store(path)
    barrier = threading.Barrier(4)

    def upgrade(_: int) -> int:
        barrier.wait(10)
        with closing(upgraded(path)) as store:
            store.backfill()
            store.keep([decoded(report("1"))])
            return marked(store)

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(upgrade, range(4))) == [0] * 4
    with closing(open_reader(path)) as reader:
        assert fields(reader.list(ALL)) == FIELDS
        assert [each.times_seen for each in reader.list(Query(biz_ids=["1"]))] == [5]


def test_a_backfill_gives_way_to_a_writer(path: Path) -> None:
    old_store(path, 4)
    with closing(upgraded(path, lock_wait=0.02)) as store, closing(apsw.Connection(str(path))) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreLocked):
            store.backfill()
        other.execute("ROLLBACK")
        store.backfill()
        assert marked(store) == 0


def as_schema_4(path: Path) -> None:
    """Take away what later schemas added."""
    db = apsw.Connection(str(path))
    for name, _ in (*TRIGGERS, *OF_CALLS):
        db.execute(f"DROP TRIGGER {name}")
    for name in ("tally_to", "tally_aim", "tally_place", "tally_turn"):
        db.execute(f"ALTER TABLE counter DROP COLUMN {name}")
    db.execute("DROP INDEX tie_report")
    for table in ("day_tally", "tally_change", "call_tally", "call_change", "call_state"):
        db.execute(f"DROP TABLE {table}")
    for column in ADDED:
        db.execute(f"DROP TRIGGER unread_{column.name}")
        db.execute(f"ALTER TABLE statement DROP COLUMN {column.name}")
    db.execute("DROP TABLE backfill")
    db.execute("DROP TABLE note")
    db.pragma("user_version", 4)
    db.close()


@pytest.mark.parametrize("filled", [True, False])
def test_whatever_a_store_holds_is_listed_the_same_after_its_upgrade(path: Path, *, filled: bool) -> None:
    queries = Query(), ALL, Query(conflicts=True)
    with closing(open_store(path, reread=reread)) as store:
        store.keep(pool(200))
        give(store, ATTRIBUTIONS)
        assert backfill.read(store._db, reread) is None
        expected = [list(store.list(query)) for query in queries]
    as_schema_4(path)
    with closing(upgraded(path)) as store:
        if filled:
            store.backfill()
            assert marked(store) == 0
        assert [list(store.list(query)) for query in queries] == expected
        give(store, ATTRIBUTIONS)
        give(store, [event for event in ATTRIBUTIONS if isinstance(event, Send)])
        assert store._db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_the_parts_of_a_day_are_the_same_before_and_after_the_backfill(path: Path) -> None:
    old_store(path, 4)
    with closing(upgraded(path)) as store:
        store.add_sends([Send(PHONE, "2", DAY, None, "", "", "", 7)])
        before = list(store.day_parts(DAY, DAY))
        assert before[0].parts == {Outcome.DELIVERED: 2 + 7 + 2, Outcome.FAILED: 1}
        store.backfill()
        assert list(store.day_parts(DAY, DAY)) == before
