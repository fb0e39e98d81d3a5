"""`smsreceipt store`: facts, upgrades, copies between the engines."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Protocol

import pytest

from smsreceipt.app import App
from smsreceipt.decode import reread
from smsreceipt.insight.answer import stats
from smsreceipt.insight.question import Question
from smsreceipt.insight.stats import as_json
from smsreceipt.model import Answer, Asked, Instant, Reached, Send, Source, beijing_day
from smsreceipt.output.records import json_line
from smsreceipt.runs import copy_store
from smsreceipt.store import Store, opening
from smsreceipt.store.copies import CopiedStatement
from tests import postgres
from tests.cli.program import NOW, Ended, Program, report
from tests.store import statements
from tests.store.statements import bad, decoded
from tests.store.test_attribution import POOL, give

PG = pytest.param("postgres", marks=pytest.mark.needs("postgres"))
MANY = statements.pool(400)


class Locations(Protocol):
    def __call__(self, engine: str) -> str:
        """The location of a new empty store."""


@pytest.fixture
def locations(tmp_path: Path) -> Iterator[Locations]:
    with ExitStack() as stack:
        made = iter(range(100))

        def new(engine: str) -> str:
            if engine == "postgres":
                return stack.enter_context(postgres.database())
            return str(tmp_path / f"store-{next(made)}.db")

        yield new


def opened(location: str) -> Store:
    return opening.open_store(location, readonly=False, reread=reread)


def fill(location: str, seed: int) -> None:
    """Everything that a store can hold, in some order: the dice decide which bodies and attributions there are."""
    dice = random.Random(seed)
    events = [*POOL]
    dice.shuffle(events)
    with closing(opened(location)) as store:
        store.keep(MANY[:200])
        for event in events:
            give(store, [event])
        store.keep([*MANY[200:], decoded(bad("a"), bad("b"), bad("a"), origin="elsewhere")])
        sends = [event for event in events if isinstance(event, Send)]
        store.keep([], asked=[Asked(sends[0].biz_id, sends[0].phone, NOW, Answer.WAITING)])
        half = Reached("a file", 700, "mark", done=False)
        delivery = decoded(statements.report("77"), source=Source.REPLAY).delivery
        store.keep([decoded_with(delivery, half)])
        store.write_notes("alarms", {"rate": f"of {seed}", "silence": "1"})
        store.write_notes("cursors", {"main": "7"})


def decoded_with(delivery: Any, reached: Reached) -> Any:
    from dataclasses import replace

    from smsreceipt.decode import decode

    return decode(replace(delivery, reached=reached))


def content(program: Program, location: str) -> list[Any]:
    """What the commands show of a store: receipts with their seqs, sends, rejects, counters."""

    def shown(*args: str) -> list[dict[str, Any]]:
        return program("--store", location, *args, "-o", "json").objects

    (status,) = shown("status")
    with closing(opened(location)) as store:
        unfinished = store.unfinished()
    return [
        shown("list", "--history"), shown("list"), shown("list", "--conflicts"), shown("sends", "list"),
        shown("rejects", "list"), status["kinds"], status["open_sends"], unfinished,
    ]  # fmt: skip


def later(location: str, program: Program) -> list[Any]:
    """What is shown, apart from seqs, after more has come."""
    with closing(opened(location)) as store:
        give(store, list(reversed(POOL)))
        store.keep([*MANY[100:300], decoded(bad("a"))])
    receipts, *rest = content(program, location)
    without = [{**each, "seq": 0} for each in receipts]
    return [sorted(without, key=repr), *rest[2:]]


@pytest.mark.parametrize("target", ["sqlite", PG])
@pytest.mark.parametrize("source", ["sqlite", PG])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_copy_shows_and_does_what_the_store_does(
    program: Program, locations: Locations, source: str, target: str, seed: int
) -> None:
    here, there = locations(source), locations(target)
    fill(here, seed)
    ended = program("store", "copy", here, there)
    assert ended.code == 0, ended.err
    before = content(program, here)
    assert content(program, there) == before
    assert len(before[0]) > 200
    assert before[2]
    assert before[3]
    assert len(before[4]) > 2
    assert f"receipts={program('--store', here, 'store', 'info').objects[0]['statements']} resumed=0" in ended.err
    with closing(opened(there)) as copy:
        assert {topic: dict(copy.notes(topic)) for topic in copy.note_topics()} == {
            "alarms": {"rate": f"of {seed}", "silence": "1"},
            "cursors": {"main": "7"},
        }
    assert later(there, program) == later(here, program)


@pytest.mark.parametrize("target", ["sqlite", PG])
@pytest.mark.parametrize("source", ["sqlite", PG])
def test_a_copy_counts_anew_what_the_store_had_counted(
    program: Program, locations: Locations, source: str, target: str
) -> None:
    here, there = locations(source), locations(target)
    fill(here, 1)

    def figures(location: str) -> dict[str, Any]:
        return program("--store", location, "stats", "--from", "2026-11-01", "--json").objects[0]

    before = figures(here)
    assert before["sms"]["delivered"] > 0
    assert before["tally"]["folded"]
    program("store", "copy", here, there)
    with closing(opened(there)) as copy:
        assert copy.folded().to_seq == 0
        uncounted = stats(copy, Question(first_day=beijing_day(NOW) - 20, last_day=beijing_day(NOW) - 1), NOW)
    after = figures(there)
    assert after["tally"]["folded"]
    assert after | {"tally": before["tally"]} == before  # where seqs end differs from engine to engine
    assert json.loads(json_line(as_json(uncounted)))["sms"] == after["sms"]


class Cut(BaseException):
    """A kill between two commits."""


class Cutting:
    """A store whose process is killed after some commits."""

    def __init__(self, store: Store, commits: list[None]) -> None:
        self._store, self._commits = store, commits

    def __getattr__(self, name: str) -> Any:
        if name.startswith("import_"):
            if not self._commits:
                raise Cut
            self._commits.pop()
        return getattr(self._store, name)


def cut_off(tmp_path: Path, source: str, target: str, commits: int) -> bool:
    """Copy with so many commits; whether that was cut off."""
    left = [None] * commits

    def opener(location: str, readonly: bool, lock_wait: float, insecure: bool) -> Any:
        store = opening.open_store(location, readonly=readonly, reread=reread, lock_wait=lock_wait, insecure=insecure)
        return store if readonly else Cutting(store, left)

    app = App({}, tmp_path, None, None, None, opener=opener)
    try:
        copy_store.run(app, source, target)
    except Cut:
        return True
    return False


@pytest.mark.parametrize("target", ["sqlite", PG])
def test_a_copy_that_was_cut_off_anywhere_is_taken_up(
    program: Program, locations: Locations, tmp_path: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copy_store, "_AT_ONCE", 60)
    here, there = locations("sqlite"), locations(target)
    fill(here, 3)
    times = 0
    while cut_off(tmp_path, here, there, 2 + times // 4):
        times += 1
        assert times < 100
    assert times >= 4
    assert content(program, there) == content(program, here)
    again = program("store", "copy", here, there)
    assert (again.code, "is in use" in again.err) == (2, True)


@pytest.mark.parametrize("target", ["sqlite", PG])
def test_a_store_in_use_is_refused_and_left_as_it_is(program: Program, locations: Locations, target: str) -> None:
    here, there = locations("sqlite"), locations(target)
    fill(here, 1)
    with closing(opened(there)) as store:
        store.keep([decoded(statements.report("1"))])
    before = content(program, there)
    ended = program("store", "copy", here, there)
    assert ended.code == 2
    assert "is in use: it holds 1 receipts" in ended.err
    assert "empty database" in ended.err
    assert content(program, there) == before


@pytest.mark.parametrize("target", ["sqlite", PG])
def test_a_write_into_an_unfinished_copy_is_noticed(
    program: Program, locations: Locations, tmp_path: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copy_store, "_AT_ONCE", 60)
    here, there = locations("sqlite"), locations(target)
    fill(here, 1)
    assert cut_off(tmp_path, here, there, 3)
    with closing(opened(there)) as store:
        store.keep([decoded(statements.report("from-elsewhere"))])
    ended = program("store", "copy", here, there)
    assert (ended.code, "another process wrote into the store" in ended.err) == (2, True)


def test_an_unfinished_copy_of_another_store_is_refused(program: Program, locations: Locations, tmp_path: Path) -> None:
    here, other, there = (locations("sqlite") for _ in range(3))
    fill(here, 1)
    with closing(opened(other)) as store:
        store.keep([decoded(statements.report("1"))])
    assert cut_off(tmp_path, here, there, 2)
    ended = program("store", "copy", other, there)
    assert (ended.code, "unfinished copy of another store" in ended.err) == (2, True)


class Losing(Cutting):
    """A store that does not write what it is given last."""

    def import_statements(self, copied: Sequence[CopiedStatement], reached: Reached) -> None:
        self._store.import_statements(copied[:-1], reached)


@pytest.mark.parametrize("target", ["sqlite", PG])
def test_a_copy_that_lacks_something_is_not_believed(program: Program, locations: Locations, target: str) -> None:
    def opener(location: str, readonly: bool, lock_wait: float, insecure: bool) -> Any:
        store = opening.open_store(location, readonly=readonly, reread=reread, lock_wait=lock_wait, insecure=insecure)
        return store if readonly else Losing(store, [None] * 100)

    here, there = locations("sqlite"), locations(target)
    fill(here, 1)
    ended = program("store", "copy", here, there, opener=opener)
    assert (ended.code, "differs" in ended.err, "in its receipts" in ended.err) == (7, True, True)
    assert "receipts=" not in ended.err


def test_what_is_not_there_is_not_copied(program: Program, tmp_path: Path) -> None:
    ended = program("store", "copy", str(tmp_path / "none.db"), str(tmp_path / "copy.db"))
    assert (ended.code, "there is no store at" in ended.err) == (2, True)
    assert not (tmp_path / "copy.db").exists()
    program.keep("SmsReport", report())
    itself = program("store", "copy", program.location, program.location)
    assert (itself.code, "into itself" in itself.err) == (2, True)


@pytest.mark.parametrize("target", ["sqlite", PG])
@pytest.mark.parametrize("source", ["sqlite", PG])
def test_numbers_that_were_forgotten_stay_forgotten_in_a_copy(
    program: Program, locations: Locations, source: str, target: str
) -> None:
    here, there, keyless = locations(source), locations(target), locations(target)
    with closing(opened(here)) as store:
        store.keep(MANY[:20])
    number = "13800008000"
    assert program("--store", here, "forget", number, "--yes").code == 0
    ended = program("store", "copy", here, there)
    assert (ended.code, "key of forgotten numbers is copied to " in ended.err) == (0, True), ended.err
    program.stdin = json.dumps(report()).encode()
    assert " forgotten=1 " in program("--store", there, "replay", "-", "--kind", "SmsReport").err
    logs = [program("--store", each, "forget", "--log").err for each in (here, there)]
    keys = [Path(re.findall(r"key: (.*)", log)[0]) for log in logs]
    assert keys[1].stat().st_mode & 0o777 == 0o600
    assert keys[0] != keys[1]
    keys[0].unlink()
    ended = program("store", "copy", here, keyless)
    assert (ended.code, "key of forgotten numbers is not copied" in ended.err) == (3, True)


def test_a_copy_proves_what_was_forgotten_also_where_that_was_lifted(program: Program, locations: Locations) -> None:
    here, there = locations("sqlite"), locations("sqlite")
    with closing(opened(here)) as store:
        store.keep(MANY[:20])
    number = "13800008000"
    assert program("--store", here, "forget", number, "--yes").code == 0
    assert program("--store", here, "forget", number, "--again").code == 0
    assert program("store", "copy", here, there).code == 0
    proof = program("--store", there, "forget", "--log", number)
    assert (proof.code, len(proof.objects)) == (0, 1), proof.err


def test_receipts_that_come_during_a_copy_are_told_of(program: Program, locations: Locations) -> None:
    here, there = locations("sqlite"), locations("sqlite")
    fill(here, 1)

    class Meanwhile(Cutting):
        def import_sends(self, sends: Any) -> None:
            with closing(opened(here)) as store:
                store.keep([decoded(statements.report("late"))])
            self._store.import_sends(sends)

    def opener(location: str, readonly: bool, lock_wait: float, insecure: bool) -> Any:
        store = opening.open_store(location, readonly=readonly, reread=reread, lock_wait=lock_wait, insecure=insecure)
        return store if readonly else Meanwhile(store, [None] * 100)

    ended = program("store", "copy", here, there, opener=opener)
    assert (ended.code, "was written to during the copy" in ended.err) == (3, True)


@pytest.mark.each_engine
def test_info_tells_what_the_store_is(program: Program) -> None:
    program.keep("SmsReport", report(), report("13800008001"), b"broken")
    (found,) = program("store", "info").objects
    assert {name: found[name] for name in ("exists", "horizon", "receipts", "statements", "rejects", "sends")} == {
        "exists": True, "horizon": found["horizon"], "receipts": 2, "statements": 2, "rejects": 1, "sends": 0,
    }  # fmt: skip
    assert found["horizon"] >= 2
    table = program("store", "info", terminal=True).out
    assert found["engine"] in table
    assert f"seq {found['horizon']}" in table


@pytest.mark.needs("postgres")
def test_info_tells_who_writes(program: Program, locations: Locations) -> None:
    location = locations("postgres")
    with closing(opened(location)) as store:
        store.keep([decoded(statements.report("1"))])
        (found,) = program("--store", location, "store", "info").objects
        assert len(found["writers"]) == 1
        assert set(found["writers"][0]) == {"host", "last_wrote_at"}
        assert "WRITER ON HOST" in program("--store", location, "store", "info", terminal=True, now=_now).out
    assert program("--store", location, "store", "info").objects[0]["writers"] == []


def _now() -> Instant:
    import time

    return Instant(time.time_ns() // 1_000_000)


@pytest.mark.each_engine
def test_upgrade_makes_a_store_and_leaves_a_current_one(program: Program) -> None:
    def ran() -> Ended:
        ended = program("store", "upgrade")
        assert ended.code == 0, ended.err
        return ended

    (schema,) = {each["schema"] for each in program("store", "info").objects}
    first = ran()
    assert f"schema={schema}" in first.err
    again = ran()
    assert ("up to date" in again.err, f"schema_before={schema} schema={schema}" in again.err) == (True, True)


@pytest.mark.needs("postgres")
def test_an_older_schema_in_postgres_is_upgraded_by_this_alone(locations: Locations) -> None:
    import psycopg

    from smsreceipt.store.postgres import schema

    location = locations("postgres")
    opened(location).close()
    steps = {2: "CREATE TABLE smsreceipt.later (n integer)", 3: "ALTER TABLE smsreceipt.later ADD COLUMN m integer"}
    with closing(psycopg.connect(location, autocommit=True)) as db:
        with pytest.raises(psycopg.errors.SyntaxError):
            schema.upgrade(db, location, to=3, step={2: steps[2], 3: "ALTER"}.__getitem__)
        assert schema.version_of(db, location) == 2  # each step is whole or not there
        with pytest.raises(Exception, match="knows 1"):  # what this program does with a newer one
            schema.upgrade(db, location, to=3, step=steps.__getitem__)
        assert schema.version_of(db, location) == 3
        db.execute("DROP TABLE smsreceipt.later; UPDATE smsreceipt.meta SET version = 1")


def test_the_script_for_citus_distributes_every_large_table(program: Program) -> None:
    import re

    script = program("store", "citus-sql").out
    named = re.findall(r"create_\w+_table\('smsreceipt\.(\w+)'", script)
    assert sorted(named) == ["body", "kind", "reject", "road", "send", "statement", "tie"]


@pytest.mark.needs("postgres")
def test_the_roles_of_the_docs_are_enough(program: Program, locations: Locations) -> None:
    import re

    import psycopg

    page = (Path(__file__).parents[2] / "docs/en/machines.md").read_text()
    roles, grants = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    location = locations("postgres")
    database = location.partition("?")[0].rpartition("/")[2]

    def at(role: str) -> str:
        return f"{location}{'&' if '?' in location else '?'}options=-c%20role%3D{role}"

    names = ("sms_owner", "sms_writer", "sms_reader")
    with closing(psycopg.connect(location, autocommit=True)) as db:
        db.execute("DROP SCHEMA IF EXISTS smsreceipt CASCADE")
        db.execute(roles.replace("DATABASE receipts", f"DATABASE {database}"))
        try:
            assert program("--store", at("sms_owner"), "store", "upgrade").code == 0
            with closing(psycopg.connect(at("sms_owner"), autocommit=True)) as owner:
                owner.execute(grants)
            with closing(opened(at("sms_writer"))) as store:
                store.keep([decoded(statements.report("1"), bad())])
                give(store, POOL)
                store.release_lease(store.acquire_lease("a-queue"), settled=True)
            read = program("--store", at("sms_reader"), "list", "-o", "json")
            assert (read.code, len(read.objects) > 3) == (0, True), read.err
            assert program("--store", at("sms_reader"), "store", "info").objects[0]["rejects"] == 1
            refused = program("--store", at("sms_reader"), "rejects", "drop", "--all", "--yes")
            assert refused.code == 6, refused.err
            assert program("store", "copy", at("sms_owner"), locations("sqlite")).code == 0
        finally:
            db.execute("DROP SCHEMA IF EXISTS smsreceipt CASCADE")
            db.execute(f"REVOKE ALL ON DATABASE {database} FROM sms_owner")
            for name in names:
                db.execute(f"DROP ROLE {name}")
