"""Commits of many receipts: what is written in bulk is what is written one by one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from smsreceipt.ingest import take
from smsreceipt.model import Decoded, Kind, Reached, Source
from smsreceipt.store import Query
from smsreceipt.store.sqlite.keep import Keeper
from smsreceipt.store.sqlite.rows import number
from smsreceipt.store.sqlite.store import SqliteStore, open_store

from .statements import FAILED, NOW, call, decoded, mixed, reply, report

MANY = 497  # more than one INSERT of each size


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    return open_store(tmp_path / "store.db")


def test_many_receipts_in_one_commit_are_each_kept_as_they_are(store: SqliteStore) -> None:
    said = [report(str(n), out_id=f"order-{n}", **(FAILED if n % 7 == 0 else {})) for n in range(MANY)]
    kept = store.keep([decoded(*said[:100]), decoded(*said[100:], origin="another-queue")])
    assert kept.tally.new == len(kept.new) == MANY
    assert list(kept.new) == list(store.list(Query()))
    assert [each.receipt.biz_id for each in kept.new] == [str(n) for n in range(MANY)]
    assert [each.origin for each in kept.new[99:101]] == ["a-queue", "another-queue"]
    assert kept.new[-1].seq == MANY
    store.close()


def test_a_commit_of_repeats_counts_each_and_makes_none(store: SqliteStore) -> None:
    said = [report(str(n)) for n in range(MANY)]
    store.keep([decoded(*said)])
    again = store.keep([decoded(*said, *said[:3])])
    assert (again.tally.new, again.tally.duplicate) == (0, MANY + 3)
    assert list(again.new) == []
    assert not again.new
    assert [each.times_seen for each in store.list(Query())] == [3] * 3 + [2] * (MANY - 3)
    store.close()


def test_new_ones_are_told_among_repeats_and_repeats_that_bring_something(store: SqliteStore) -> None:
    store.keep([decoded(*[report(str(n)) for n in range(20)], source=Source.PUSH)])
    said = [report(str(n)) for n in range(10, 40)] + [report("35"), report("35", sms_size="2")]
    kept = store.keep([decoded(*said)])
    assert [each.receipt.biz_id for each in kept.new] == [str(n) for n in range(20, 40)]
    assert kept.tally.duplicate == 12
    seen = {each.receipt.biz_id: each.times_seen for each in store.list(Query())}
    assert seen == {str(n): 2 if 10 <= n < 20 else 3 if n == 35 else 1 for n in range(40)}
    signed = store._db.execute("SELECT id1 FROM statement WHERE signed = 1").fetchall()
    assert {biz_id for (biz_id,) in signed} == {str(n) for n in range(10, 40)}
    store.close()


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("commits", [1, 2])
def test_the_test_push_is_counted_by_the_body_that_is_shown(store: SqliteStore, first: int, commits: int) -> None:
    push = ("SmsUp", {**reply("1234567890", "内容")[1], "dest_code": "1234"})
    other = ("SmsUp", {**push[1], "dest_code": "9"})
    said = mixed(*((push, other) if first == 0 else (other, push)))
    for batch in [said] if commits == 1 else [said[:1], said[1:]]:
        store.keep(batch)
    (facts,) = store.facts().kinds
    (shown,) = store.list(Query())
    assert (facts.count, facts.tests, facts.statements) == (int(not shown.receipt.test), int(shown.receipt.test), 1)
    store.close()


def test_first_and_last_received_span_all_deliveries_of_a_commit(store: SqliteStore) -> None:
    batch = [
        decoded(report("1"), at=NOW + 5),
        decoded(call(), kind="SecretReport", at=NOW),
        decoded(report("1"), at=NOW - 5),
    ]
    store.keep(batch)
    spans = {facts.kind: (facts.first_received_at, facts.last_received_at) for facts in store.facts().kinds}
    assert spans == {Kind("SmsReport"): (NOW - 5, NOW + 5), Kind("SecretReport"): (NOW, NOW)}
    store.close()


def test_phones_are_indexed_in_larger_lots_while_a_large_file_is_read(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"_PHONES": 20, "_BULK_PHONES": 100, "_BULK": 10}.items():
        monkeypatch.setattr(f"smsreceipt.store.sqlite.keep.{name}", value)

    def indexed_after(begin: int, end: int, *, done: bool | None = None) -> int:
        item = decoded(*(report(str(n), f"1380000{n:04}") for n in range(begin, end)))
        store.keep([item if done is None else _reaching(item, done=done)])
        assert len(list(store.list(Query(phones=[f"1380000{end - 1:04}"])))) == 1  # indexed or not, it is found
        return number(store._db, "SELECT count(*) FROM phone")

    assert [indexed_after(n, n + 30, done=False) for n in range(0, 90, 30)] == [0, 0, 0]
    assert indexed_after(90, 120, done=False) == 120
    assert indexed_after(120, 150, done=False) == 120
    assert indexed_after(150, 180, done=True) == 180  # the end of the file
    assert indexed_after(180, 210) == 180
    assert indexed_after(210, 240) == 180
    assert [indexed_after(n, n + 1) for n in range(240, 243)] == [200, 220, 240]  # small commits: few at a time
    assert indexed_after(243, 244) == 240
    store.close()


def _reaching(item: Decoded, *, done: bool) -> Decoded:
    return replace(item, delivery=replace(item.delivery, reached=Reached("file", 1, "mark", done)))


def test_no_insert_is_too_long_for_the_cache_of_prepared_statements() -> None:
    assert all(len(insert) < 16_384 for _, insert in Keeper(apsw.Connection(":memory:"))._inserts)


@pytest.mark.parametrize(
    "loss",
    [
        "BEFORE INSERT ON statement WHEN new.id1 = '7' BEGIN SELECT RAISE(IGNORE); END",
        "AFTER INSERT ON statement WHEN new.id1 = '7' BEGIN DELETE FROM statement WHERE seq = new.seq; END",
        "BEFORE UPDATE ON statement WHEN new.id1 = '7' BEGIN SELECT RAISE(IGNORE); END",
    ],
    ids=["not inserted", "deleted at once", "repeat not counted"],
)
def test_a_receipt_that_sqlite_does_not_change_a_row_for_undoes_the_commit_and_is_not_acked(
    store: SqliteStore, loss: str
) -> None:
    store.keep([decoded(report("7" if "UPDATE" in loss else "1"))])
    before = [(each.receipt.biz_id, each.times_seen) for each in store.list(Query())]
    store._db.execute(f"CREATE TEMP TRIGGER loss {loss}")
    acked: list[int] = []
    delivered = decoded(*[report(str(n)) for n in range(20)])
    delivered = replace(delivered, delivery=replace(delivered.delivery, ack=lambda: acked.append(1)))
    with pytest.raises(AssertionError, match="SQLite"):
        take([delivered], store)
    assert acked == []
    store._db.execute("DROP TRIGGER loss")
    assert [(each.receipt.biz_id, each.times_seen) for each in store.list(Query())] == before
    store.close()
