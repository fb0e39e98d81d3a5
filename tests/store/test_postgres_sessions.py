"""What is particular to a store on a server: lost connections, other writers, readers beside them, other schemas."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest

from smsreceipt.decode import reread
from smsreceipt.errors import StoreDamaged, StoreLocked, StoreUnavailable
from smsreceipt.model import Decoded, Instant, Send, Source
from smsreceipt.store import NO_TIME, Query, SendQuery, Store, opening
from smsreceipt.store.postgres import leases
from smsreceipt.store.postgres.store import PostgresStore
from smsreceipt.store.postgres.writer import Writer
from tests import postgres
from tests.store.contract import POOL
from tests.store.engines import ENGINES
from tests.store.expected import Expected, numberless, timeless
from tests.store.statements import FAILED, NOW, PHONE, decoded, report

pytestmark = pytest.mark.needs("postgres")
ALL = Query(history=True)


@pytest.fixture
def url() -> Iterator[str]:
    with postgres.database() as url:
        yield url


def opened(url: str, *, readonly: bool = False, lock_wait: float = 5.0) -> PostgresStore:
    store = opening.open_store(url, readonly=readonly, reread=reread, lock_wait=lock_wait)
    assert isinstance(store, PostgresStore)
    return store


@pytest.fixture
def store(url: str) -> Iterator[PostgresStore]:
    with closing(opened(url)) as store:
        yield store


def lose(db: psycopg.Connection[Any]) -> None:
    """Have the server end a connection."""
    db.execute("SELECT pg_terminate_backend(pg_backend_pid())")


def test_a_blank_database_is_an_empty_store_for_readers(url: str) -> None:
    postgres.execute(url, "DROP SCHEMA IF EXISTS smsreceipt CASCADE")
    with closing(opened(url, readonly=True)) as reader:
        assert [*reader.list(ALL), *reader.rejects(), *reader.sends(SendQuery())] == []
        assert reader.count(ALL, 9) == 0
        assert (reader.facts().exists, reader.facts().kinds) == (False, ())
        with reader.snapshot():
            assert list(reader.missing(0, 99_999)) == []
    with closing(psycopg.connect(url)) as db:
        assert db.execute("SELECT to_regnamespace('smsreceipt')::text").fetchone() == (None,)


def test_processes_that_set_up_one_database_at_once_make_one_store(url: str) -> None:
    postgres.execute(url, "DROP SCHEMA IF EXISTS smsreceipt CASCADE")
    failures: list[BaseException] = []

    def run(n: int) -> None:
        try:
            with closing(opened(url)) as store:
                store.keep([decoded(report(str(n)))])
        except BaseException as exc:  # noqa: BLE001 - shown by the test
            failures.append(exc)

    in_threads(run, 4)
    assert failures == []
    with closing(opened(url, readonly=True)) as reader:
        assert len(list(reader.list(ALL))) == 4


def in_threads(run: Callable[[int], None], count: int) -> None:
    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("committed", [True, False])
def test_a_commit_whose_answer_is_lost_is_neither_lost_nor_made_twice(
    store: PostgresStore, committed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.keep([decoded(report("1"))])
    lost: list[int] = []
    commit = Writer._commit

    def answerless(db: psycopg.Connection[Any]) -> None:
        if not lost:
            lost.append(1)
            if committed:
                commit(db)
            lose(db)
        commit(db)

    monkeypatch.setattr(Writer, "_commit", staticmethod(answerless))
    kept = store.keep([decoded(report("1"), report("2"))])
    assert lost == [1]
    assert (kept.tally.new, kept.tally.duplicate) == (1, 1)
    assert [(each.receipt.biz_id, each.times_seen) for each in store.list(ALL)] == [("1", 2), ("2", 1)]
    assert store.keep([decoded(report("2"))]).tally.duplicate == 1


def test_what_was_confirmed_and_is_gone_is_no_commit(store: PostgresStore, url: str, monkeypatch: Any) -> None:
    """After a restored backup, or the promotion of a replica that was behind, the writer's row is another or gone."""
    store.keep([decoded(report("1"))])
    commit = Writer._commit

    def answerless(db: psycopg.Connection[Any]) -> None:
        commit(db)
        postgres.execute(url, "DELETE FROM smsreceipt.writer")
        lose(db)

    monkeypatch.setattr(Writer, "_commit", staticmethod(answerless))
    with pytest.raises(StoreDamaged, match="does not hold what it confirmed"):
        store.keep([decoded(report("2"))])
    monkeypatch.undo()
    postgres.execute(url, "DELETE FROM smsreceipt.writer")
    store.keep([decoded(report("3"))])  # with a row of its own again
    postgres.execute(url, "UPDATE smsreceipt.writer SET batch = batch - 1")
    with pytest.raises(StoreDamaged, match="does not hold what it confirmed"):
        store.keep([decoded(report("4"))])


def test_a_connection_that_is_lost_between_two_uses_is_made_again(store: PostgresStore, url: str) -> None:
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    others += " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    for n in range(3):
        assert store.keep([decoded(report(str(n)))]).tally.new == 1
        assert len(list(store.list(ALL))) == n + 1
        postgres.execute(url, others)
    assert store.facts().last_seq == 3


def test_a_row_that_another_writer_holds_is_waited_for(store: PostgresStore, url: str) -> None:
    store.keep([decoded(report("1"))])
    with closing(opened(url, lock_wait=0.2)) as other, closing(psycopg.connect(url)) as db:
        db.execute("SELECT * FROM smsreceipt.statement FOR UPDATE")
        with pytest.raises(StoreLocked, match="locked by another process"):
            other.keep([decoded(report("1"), report("2"))])
        db.rollback()
        assert other.keep([decoded(report("1"), report("2"))]).tally.new == 1
    assert [each.times_seen for each in store.list(ALL)] == [2, 1]


def test_no_reader_is_shown_a_seq_after_a_larger_one(store: PostgresStore, url: str) -> None:
    """A writer that began earlier and commits later holds back what others wrote meanwhile."""
    store.keep([decoded(report("1"))])
    with closing(psycopg.connect(url)) as slow:
        slow.execute("INSERT INTO smsreceipt.writer VALUES (gen_random_uuid(), '', 0, 0)")
        slow.commit()
        begin = (
            "SELECT first_seqs FROM smsreceipt.begin_write((SELECT id FROM smsreceipt.writer WHERE host = ''), 1, 1,"
        )
        (held,) = slow.execute(f"{begin} false, 5000)").fetchone() or ([],)
        (new,) = store.keep([decoded(report("2"))]).new
        assert new.seq == held[0] + 1
        shown = [each.receipt.biz_id for each in store.list(ALL)]
        assert (shown, store.count(ALL, 9), store.facts().last_seq) == (["1"], 1, held[0] - 1)
        slow.commit()
    assert [each.receipt.biz_id for each in store.list(Query(after=held[0] - 1))] == ["2"]


def test_a_follower_misses_nothing_of_several_writers(url: str) -> None:
    opened(url).close()
    seen: list[int] = []
    writing = threading.Event()

    def follow() -> None:
        with closing(opened(url, readonly=True)) as reader:
            over = False
            while not over:
                over = writing.is_set()
                seen.extend(each.seq or 0 for each in reader.list(Query(history=True, after=seen[-1] if seen else 0)))

    def write(n: int) -> None:
        with closing(opened(url)) as store:
            for turn in range(40):
                store.keep([decoded(*(report(f"{n}-{turn}-{each}") for each in range(1 + turn % 3)))])

    follower = threading.Thread(target=follow)
    follower.start()
    in_threads(write, 3)
    writing.set()
    follower.join()
    assert len(seen) == len(set(seen)) == 3 * sum(1 + turn % 3 for turn in range(40))
    assert seen == sorted(seen)


def test_writers_that_meet_in_the_same_identities_agree_with_one(url: str) -> None:
    opened(url).close()
    given: list[list[Decoded]] = []
    failures: list[BaseException] = []
    lock = threading.Lock()

    def write(n: int) -> None:
        dice = random.Random(n)
        try:
            with closing(opened(url, lock_wait=20)) as store:
                for _ in range(12):
                    batch = [dice.choice(POOL) for _ in range(dice.choice((1, 5, 40)))]
                    assert store.keep(batch).tally.balanced
                    with lock:
                        given.append(batch)
        except BaseException as exc:  # noqa: BLE001 - shown by the test
            failures.append(exc)

    in_threads(write, 4)
    assert failures == []
    expected = Expected()
    for batch in given:
        expected.keep(batch)
    with closing(opened(url)) as store:
        for found, wanted in (
            (store.list(ALL), expected.history()),
            (store.list(Query()), expected.current()),
            (store.list(Query(conflicts=True)), expected.conflicts()),
        ):
            assert timeless(found) == timeless(each.stored(0) for each in wanted)
        seen = Counter(each.times_seen for each in store.list(ALL))
        assert seen == Counter(len(each.seen) for each in expected.history())
        assert store.facts().kinds == expected.kinds()
        assert store.check()


def test_the_database_itself_refuses_a_second_state(store: PostgresStore, url: str) -> None:
    store.keep([decoded(report("1"))])
    with pytest.raises(psycopg.errors.UniqueViolation):
        postgres.execute(url, "INSERT INTO smsreceipt.statement SELECT * FROM smsreceipt.statement")


def test_a_statement_that_is_there_twice_is_found_by_check(store: PostgresStore, url: str) -> None:
    store.keep([decoded(report("1")), decoded(report("1", **FAILED))])
    assert store.check()
    postgres.execute(
        url, "UPDATE smsreceipt.statement SET said = (SELECT said FROM smsreceipt.statement WHERE current)"
    )
    with pytest.raises(StoreDamaged):
        store.check()


def test_values_that_no_index_takes_are_kept_and_found(store: PostgresStore) -> None:
    dice = random.Random(1)
    long = "".join(chr(dice.randrange(0x4E00, 0x9FA5)) for _ in range(20_000))
    said = report(long, out_id=long, err_code=long, success=False)
    assert store.keep([decoded(said, origin=long)]).tally.new == 1
    assert store.add_sends([Send(PHONE, long, 20_777, None, long, long, long, None)]).new == 1
    for query in (Query(biz_ids=[long]), Query(out_ids=[long]), Query(codes=[long]), Query(ids=[long])):
        (found,) = store.list(query)
        assert (found.receipt.out_id, found.template_code, found.origin) == (long, long, long)
        assert list(store.list(Query(biz_ids=[long[:-1]]))) == []
    (send,) = store.sends(SendQuery(out_ids=[long]))
    assert send.settled


def use(url: str, *, readonly: bool) -> None:
    with closing(opened(url, readonly=readonly)) as store:
        list(store.list(ALL))
        store.keep([decoded(report())])


@pytest.mark.parametrize(
    ("harm", "kind"),
    [
        ("UPDATE smsreceipt.meta SET version = 99", StoreDamaged),
        ("UPDATE smsreceipt.meta SET version = 0", StoreDamaged),
        ("DELETE FROM smsreceipt.meta", StoreDamaged),
        ("ALTER TABLE smsreceipt.statement DROP COLUMN body", StoreDamaged),
        ("DROP TABLE smsreceipt.meta", StoreDamaged),
    ],
)
@pytest.mark.parametrize("readonly", [True, False])
def test_a_schema_that_is_not_ours_is_7(url: str, harm: str, kind: type[Exception], readonly: bool) -> None:
    postgres.execute(url, "DROP SCHEMA IF EXISTS smsreceipt CASCADE")
    opened(url).close()
    postgres.execute(url, harm)
    with pytest.raises(kind) as caught:
        use(url, readonly=readonly)
    assert getattr(caught.value, "exit_code", 0) == 7
    postgres.execute(url, "DROP SCHEMA smsreceipt CASCADE")


def test_a_server_that_would_lose_commits_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that does not wait for the disk is made to wait."""
    name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
    postgres.execute(url, f"ALTER DATABASE {name} SET synchronous_commit = off")
    told: list[str] = []
    commit = Writer._commit

    def asks(db: psycopg.Connection[Any]) -> None:
        told.extend(value for (value,) in db.execute("SHOW synchronous_commit"))
        commit(db)

    monkeypatch.setattr(Writer, "_commit", staticmethod(asks))
    with closing(opened(url)) as store:
        store.keep([decoded(report())])
    postgres.execute(url, f"ALTER DATABASE {name} RESET synchronous_commit")
    assert told == ["on"]


def test_a_role_that_may_only_read_reads_and_is_told_so_when_it_writes(url: str) -> None:
    with closing(opened(url)) as store:
        store.keep([decoded(report())])
    role = f"reader_{psycopg.conninfo.conninfo_to_dict(url)['dbname']}"
    postgres.execute(
        url, f"CREATE ROLE {role} LOGIN", f"GRANT USAGE ON SCHEMA smsreceipt TO {role}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA smsreceipt TO {role}",
        f"GRANT SELECT ON SEQUENCE smsreceipt.seq TO {role}",
    )  # fmt: skip
    try:
        as_reader = psycopg.conninfo.conninfo_to_dict(url)
        host = as_reader.get("host")
        other = f"postgresql://{role}@/{as_reader['dbname']}?host={host}"
        with closing(opened(other, readonly=True)) as reader:
            assert len(list(reader.list(Query()))) == reader.facts().last_seq == 1
        with closing(opened(other)) as store, pytest.raises(StoreUnavailable, match="may not be used for this"):
            store.keep([decoded(report("2"))])
    finally:
        postgres.execute(url, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_reading_goes_on_while_others_write(store: PostgresStore, url: str) -> None:
    for n in range(3):
        store.keep([decoded(*(report(f"{n}-{each}") for each in range(1_000)))])
    found = store.list(ALL)
    next(found)
    store.keep([decoded(*(report(f"{n}-{each}", **FAILED) for n in range(3) for each in range(1_000)))])
    assert len(list(found)) == 2_999
    with store.snapshot():
        assert store.count(ALL, 10_000) == 6_000
        with closing(opened(url)) as other:
            other.keep([decoded(report("later"))])
        assert store.count(ALL, 10_000) == len(list(store.list(ALL))) == 6_000
    assert store.count(ALL, 10_000) == 6_001
    abandoned = store.list(ALL)
    next(abandoned)


def test_a_consumer_on_another_machine_is_gone_when_it_falls_silent(
    store: PostgresStore, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(leases, "_namespace", lambda: "another-host pid:[1]")
        store.acquire_lease("q")
    with closing(opened(url)) as other:
        assert not other.acquire_lease("q").after_unclean
        assert not other.acquire_lease("p").after_unclean
        postgres.execute(url, "UPDATE smsreceipt.lease SET seen_at = seen_at - 100000 WHERE process LIKE 'another%'")
        lease = other.acquire_lease("q")
        assert lease.after_unclean
        other.release_lease(lease, settled=True)
        assert not other.acquire_lease("q").after_unclean


def test_a_clock_that_is_put_back_leaves_no_consumer_that_seems_alive(store: PostgresStore, url: str) -> None:
    with closing(opened(url)) as other:
        other.acquire_lease("q")
        postgres.execute(url, "UPDATE smsreceipt.lease SET process = 'elsewhere 1 1', seen_at = seen_at + 3600000")
        assert store.acquire_lease("q").after_unclean


def test_hidden_messages_are_waited_for_as_long_whatever_the_clocks_say(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine that stopped is an hour ahead, the one that starts an hour behind."""
    hour, now = 3_600_000, leases._now()
    lease = store.acquire_lease("q")
    monkeypatch.setattr(leases, "_now", lambda: now + hour)
    store.release_lease(lease, settled=True, hidden_until=Instant(now + hour + 30_000))
    monkeypatch.setattr(leases, "_now", lambda: now - hour)
    found = store.acquire_lease("q")
    assert 20_000 < found.hidden_until - (now - hour) <= 30_000
    assert not found.after_unclean
    monkeypatch.setattr(leases, "_HIDDEN", 1_000)
    assert store.acquire_lease("q").hidden_until == NO_TIME  # the server's clock was put back by much


def test_a_consumer_says_at_intervals_that_it_is_there(store: PostgresStore, url: str) -> None:
    heart = leases.Heart(store._connections, interval=0.01)
    lease = store.acquire_lease("q")
    postgres.execute(url, "UPDATE smsreceipt.lease SET seen_at = 1")
    heart.watch(lease.number)
    with closing(psycopg.connect(url, autocommit=True)) as db:
        for _ in range(300):
            if db.execute("SELECT seen_at FROM smsreceipt.lease WHERE seen_at > 1").fetchall():
                break
            threading.Event().wait(0.01)
        else:
            pytest.fail("no heartbeat came")
    heart.close()


def test_both_engines_tell_the_same_of_the_same_deliveries() -> None:
    dice = random.Random(5)
    given = [dice.choice(POOL) for _ in range(150)]
    found: list[Any] = []
    for engine in ENGINES.values():
        with closing(engine.empty()) as store:
            for item in given:
                store.keep([item])
            store.add_sends([Send(PHONE, "900^0", 20_777, NOW, "o", "SMS_1", "sign", 2)])
            queries = (Query(), ALL, Query(conflicts=True), Query(ids=["900", "call-1"]), Query(phones=[PHONE]))
            found.append([[numberless(store.list(query)) for query in queries], kinds_and_sends(store)])
    assert found[0] == found[1]


def kinds_and_sends(store: Store) -> tuple[object, ...]:
    facts = store.facts()
    days = (20_700, 20_900)
    gaps, parts = list(store.call_gaps(*days)), list(store.day_parts(*days))
    return facts.kinds, facts.sends, facts.open_sends, facts.rejects, facts.conflicts, gaps, parts


@pytest.mark.parametrize("sizes", ["12", "21"])
def test_a_new_statement_keeps_its_first_origin_whichever_body_it_shows(store: PostgresStore, sizes: str) -> None:
    said = [report("1", **FAILED), *(report("1", sms_size=size) for size in sizes)]
    store.keep([decoded(each, origin=origin) for each, origin in zip(said, "abc", strict=True)])
    assert [each.origin for each in store.list(ALL)] == ["a", "b"]


def test_a_forged_signature_of_a_repeat_within_one_batch_counts_once(store: PostgresStore) -> None:
    batch = [
        decoded(report("1"), source=source, at=Instant(NOW + n)) for n, source in enumerate([Source.PUSH, Source.MNS])
    ]
    kept = store.keep(batch)
    assert (kept.tally.new, kept.tally.duplicate) == (1, 1)
    (found,) = store.list(ALL)
    assert (found.times_seen, found.signed, found.source) == (2, True, Source.PUSH)
