"""prune: what goes and what stays, archives that bring it back, refusals, and what a kill leaves."""

from __future__ import annotations

import errno
import gzip
import json
import os
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from pyarrow import parquet

from smsreceipt.folders import flush_folder
from smsreceipt.model import BEIJING, Send, number_of
from smsreceipt.store import SendQuery
from tests import postgres
from tests.cli.program import CALL_ENDED, FAILED, NOW, REPLY, Ended, Program, report

pytestmark = pytest.mark.each_engine
KEYS = ["what", "kind", "period", "identities", "statements", "bytes"]
TODAY = datetime.fromtimestamp(NOW / 1000, BEIJING)


def days_ago(days: int) -> str:
    return (TODAY - timedelta(days=days)).strftime("%Y-%m-%d 10:00:00")


def old(biz_id: str, days: int = 100, **fields: Any) -> dict[str, object]:
    return report(biz_id=biz_id, **{"send_time": days_ago(days), "report_time": days_ago(days), **fields})


def prune(program: Program, *args: str, **seams: Any) -> Ended:
    seams = {"sleep": lambda _: None, **seams}
    return program("prune", "--older-than", "90d", "--yes", *args, **seams)


def listed(program: Program, *args: str) -> list[dict[str, Any]]:
    return program("list", *args).objects


def ids(program: Program) -> list[str]:
    return [each["biz_id"] for each in listed(program)]


def send(biz_id: str, days: int, phone: str = "13800008000") -> Send:
    return Send(phone, biz_id, number_of((TODAY - timedelta(days=days)).date()), None, "", "", "", None)


def test_what_is_old_goes_and_what_is_newer_stays(program: Program) -> None:
    program.keep("SmsReport", old("1^0"), old("2^0", 91), old("3^0", 90), old("4^0", 1))
    program.keep("SmsUp", {**REPLY, "send_time": days_ago(100)})
    ended = prune(program)
    assert ended.code == 0
    assert ids(program) == ["3^0", "4^0"]
    assert [[*each] for each in ended.objects] == [KEYS] * len(ended.objects)
    assert {(e["what"], e["kind"]) for e in ended.objects} == {("receipts", "SmsReport"), ("receipts", "SmsUp")}
    assert sum(each["statements"] for each in ended.objects) == 3
    assert "identities=3 statements=3 sends=0" in ended.err
    assert prune(program).objects == []


def test_a_message_goes_as_a_whole_once_its_newest_statement_is_old(program: Program) -> None:
    program.keep("SmsReport", old("1^0"), old("1^0", 1, **FAILED))
    assert prune(program).objects == []
    assert len(listed(program, "--history")) == 2


def test_a_dry_run_tells_the_same_and_changes_nothing(program: Program) -> None:
    program.keep("SmsReport", old("1^0"), old("2^0"), old("3^0", 1))
    before = listed(program, "--history")
    planned = program("prune", "--older-than", "90d", "--dry-run")
    assert planned.code == 0
    assert "would_delete_identities=2" in planned.err
    assert listed(program, "--history") == before
    assert prune(program).objects == planned.objects


def test_only_some_kinds(program: Program) -> None:
    program.keep("SmsReport", old("1^0"))
    program.keep("SecretReport", {**CALL_ENDED, "call_time": days_ago(100), "release_time": days_ago(100)})
    assert [each["kind"] for each in prune(program, "--kind", "SecretReport").objects] == ["SecretReport"]
    assert ids(program) == ["1^0"]


@pytest.mark.parametrize("name", ["old.ndjson", "old.ndjson.gz", "old.parquet"])
def test_an_archive_is_written_first_and_brings_the_same_list_back(program: Program, name: str) -> None:
    program.keep("SmsReport", old("1^0"), old("2^0", **FAILED), old("2^0"), old("3^0", 1), old("1^0", extra="más\n"))
    program.keep("SmsUp", {**REPLY, "send_time": days_ago(100)})
    program.keep("SecretReport", {**CALL_ENDED, "call_time": days_ago(100), "release_time": days_ago(100)})
    before = [without_arrival(each) for each in listed(program, "--history")]
    path = program.home / name
    ended = prune(program, "--archive", str(path))
    assert ended.code == 0, ended.err
    assert ids(program) == ["3^0"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert rows_in(path) == len(before) - 1  # two lines are two bodies of one statement
    again = program("replay", str(path))
    assert again.code == 0, again.err
    assert sorted(map(str, map(without_arrival, listed(program, "--history")))) == sorted(map(str, before))
    assert prune(program, "--archive", str(program.home / "more.ndjson")).code == 0
    assert ids(program) == ["3^0"]
    assert (prune(program, "--archive", str(path)).code, prune(program, "--archive", str(path)).objects) == (0, [])
    program.keep("SmsReport", old("8^0"))
    assert prune(program, "--archive", str(path)).code == 2
    assert ids(program) == ["3^0", "8^0"]
    (program.home / "theirs.ndjson").touch()
    assert prune(program, "--archive", str(program.home / "theirs.ndjson")).code == 2
    assert prune(program, "--archive", str(program.home / "old.zip")).code == 2


@pytest.mark.parametrize("name", ["old.ndjson", "old.ndjson.gz", "old.parquet"])
def test_an_archive_on_a_full_disk_is_exit_6_and_nothing_is_deleted(
    program: Program, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    program.keep("SmsReport", old("1^0"))
    path = program.home / name

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("smsreceipt.runs.archive.os.fsync", full)
        ended = prune(program, "--archive", str(path))
    assert (ended.code, ids(program)) == (6, ["1^0"])
    assert "cannot be written: No space left on device" in ended.err
    assert [each.name for each in program.home.iterdir() if name in each.name] == []
    assert prune(program, "--archive", str(path)).code == 0


def rows_in(path: Path) -> int:
    if path.suffix == ".parquet":
        return int(parquet.ParquetFile(path).metadata.num_rows)
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return len(text.splitlines())


def without_arrival(shown: dict[str, Any]) -> dict[str, Any]:
    gone = {"seq", "received_at", "source", "origin", "times_seen"}
    return {name: value for name, value in shown.items() if name not in gone}


def test_sends_go_only_if_wanted_and_not_while_the_provider_can_be_asked(program: Program) -> None:
    with closing(program.opened()) as store:
        store.add_sends([send("1^0", 100), send("2^0", 100), send("3^0", 20), send("4^0", 31), send("5^0", 20)])
    program.keep("SmsReport", old("1^0"), old("5^0", 20))
    args = ("prune", "--older-than", "15d", "--force", "--yes")

    def left() -> list[str]:
        with closing(program.opened()) as store:
            return sorted(each.send.biz_id for each in store.sends(SendQuery()))

    assert program(*args, sleep=lambda _: None).code == 0
    assert left() == ["1^0", "2^0", "3^0", "4^0", "5^0"]
    assert program("check").code == 0
    assert [each["biz_id"] for each in program("sends", "list", "--state", "with_receipt").objects] == ["1^0", "5^0"]
    with closing(program.opened()) as store:
        assert sorted(each.send.biz_id for each in store.missing(0, 1 << 30)) == ["2^0", "3^0", "4^0"]
    archive = program.home / "old.ndjson"
    ended = program(*args, "--sends", "--archive", str(archive), sleep=lambda _: None)
    assert left() == ["3^0"]
    assert sum(each["statements"] for each in ended.objects if each["what"] == "sends") == 4
    assert program("sends", "import", str(program.home / "old.sends.ndjson")).code == 0
    assert left() == ["1^0", "2^0", "3^0", "4^0", "5^0"]


def test_less_than_35_days_need_force(program: Program) -> None:
    program.keep("SmsReport", old("1^0", 34))
    refused = program("prune", "--older-than", "30d", "--yes")
    assert (refused.code, "--force" in refused.err) == (2, True)
    assert program("prune", "--older-than", "0d", "--yes", "--force").code == 2
    assert program("prune", "--yes").code == 2
    assert program("prune", "--older-than", "30d", "--force", "--yes", sleep=lambda _: None).code == 0
    assert ids(program) == []


def test_it_asks(program: Program) -> None:
    program.keep("SmsReport", old("1^0"))
    asked = program("prune", "--older-than", "90d")
    assert (asked.code, ids(program)) == (2, ["1^0"])


def test_what_forward_has_not_handed_on_stays(program: Program) -> None:
    program.keep("SmsReport", old("1^0"), old("2^0"), old("3^0"))
    first, second, third = (each["seq"] for each in listed(program))
    with closing(program.opened()) as store:
        store.write_notes("forward", {"a": json.dumps({"seq": third}), "b": json.dumps({"seq": second})})
        parked = {"name": "a", "seq": first, "reason": "422", "parked_at": 1}
        store.write_notes("forward parked", {f"a {first:020}": json.dumps(parked)})
    ended = prune(program)
    assert (ended.code, ids(program)) == (3, ["1^0", "3^0"])
    assert "2 old enough stay: not handed on under the name b (smsreceipt forward drop b, if nobody does);" in ended.err
    assert "parked (smsreceipt forward parked list)" in ended.err
    assert program("forward", "drop", "b", "--yes").code == 0
    assert program("forward", "parked", "drop", "--all", "--yes").code == 0
    assert (prune(program).code, ids(program)) == (0, [])


def test_the_configuration_says_how_old(program: Program) -> None:
    program.keep("SmsReport", old("1^0"))
    config = program.home / "smsreceipt.toml"
    config.write_text('[prune]\nolder-than = "90d"\n')
    config.chmod(0o600)
    assert program("prune", "--yes", "--config", str(config), sleep=lambda _: None).code == 0
    assert ids(program) == []


def test_notes_of_recordings_go_with_their_calls(program: Program) -> None:
    program.keep("SmsReport", old("1^0"))
    topics = [f"recordings {days_ago(days)[:10]}" for days in (91, 90)]
    with closing(program.opened()) as store:
        for topic in topics:
            store.write_notes(topic, {"a": "{}", "b": "{}"})
    assert prune(program, "--kind", "SmsReport").code == 0
    ended = prune(program)
    with closing(program.opened()) as store:
        assert store.note_topics() == topics[1:]
    assert [(each["what"], each["statements"]) for each in ended.objects] == [("notes", 2)]


def test_compact_makes_the_store_small(program: Program) -> None:
    program.keep("SmsReport", *(old(f"{number}^0", extra="x" * 2_000) for number in range(1_000)))
    program.keep("SmsReport", old("new^0", 1))
    before = program("store", "info").objects[0]["size"]
    ended = prune(program, "--compact")
    assert ended.code == 0
    assert f"store_bytes={program('store', 'info').objects[0]['size']}" in ended.err
    assert program("store", "info").objects[0]["size"] < before / 2
    assert ids(program) == ["new^0"]


class Killed(BaseException):
    """Ends the program as a kill does, between two steps."""


@pytest.mark.parametrize("archived", ["", "old.ndjson.gz", "old.parquet"])
def test_a_run_that_is_cut_off_anywhere_is_taken_up(
    program: Program, archived: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    program.keep("SmsReport", *(old(f"{number}^0") for number in range(500)), old("new^0", 1))
    everything = {each["biz_id"]: each["seq"] for each in listed(program)}
    path = program.home / archived
    args = ["--archive", str(path)] if archived else []
    from smsreceipt.runs import archive
    from smsreceipt.runs.removing import Remover

    steps = 0

    def cutting(work: Any) -> Any:
        def cut(*given: Any, **named: Any) -> Any:
            nonlocal steps
            steps -= 1
            if steps == 0:
                raise Killed
            made = work(*given, **named)
            steps -= 1
            if steps == 0:
                raise Killed
            return made

        return cut

    monkeypatch.setattr(Remover, "remove", cutting(Remover.remove))
    monkeypatch.setattr(archive, "_read", cutting(archive._read))
    monkeypatch.setattr(archive, "flush_folder", cutting(flush_folder))
    kills = 0
    for steps_before in range(1, 30):
        steps = steps_before
        try:
            assert prune(program, *args).code == 0
            break
        except Killed:
            kills += 1
    assert kills > 2
    assert ids(program) == ["new^0"]
    if archived:
        assert rows_in(path) == 500
        assert sorted(p.name for p in program.home.iterdir() if p.name.startswith(("old", ".old"))) == [archived]
        assert program("replay", str(path)).code == 0
        assert {each["biz_id"] for each in listed(program)} == everything.keys()


@pytest.mark.parametrize("archived", [False, True])
def test_what_is_told_of_during_the_run_stays(program: Program, archived: bool) -> None:
    program.keep("SmsReport", *(old(f"{number}^0") for number in range(400)))
    paused = 0

    def sleep(_seconds: float) -> None:
        nonlocal paused
        paused += 1
        if paused == 1:
            program.keep("SmsReport", old("399^0", 1, **FAILED))

    args = ["--archive", str(program.home / "old.ndjson")] if archived else []
    ended = prune(program, *args, sleep=sleep)
    assert (ended.code, ids(program)) == (3, ["399^0"])
    assert "1 stay" in ended.err
    assert len(listed(program, "--history")) == 2


@pytest.fixture
def writer(program: Program) -> Iterator[Program]:
    """The program on a server, as a role that may write to the tables and does not own them."""
    program.opened().close()
    owner, role = program.location, f"writer_{urlsplit(program.location).path[1:]}"
    postgres.execute(
        owner,
        f"CREATE ROLE {role} LOGIN",
        f"GRANT USAGE ON SCHEMA smsreceipt TO {role}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA smsreceipt TO {role}",
        f"GRANT SELECT, USAGE ON ALL SEQUENCES IN SCHEMA smsreceipt TO {role}",
    )
    parts = urlsplit(owner)
    program.location = urlunsplit(parts._replace(netloc=f"{role}@{parts.netloc.rpartition('@')[2]}"))
    yield program
    program.location = owner
    postgres.execute(owner, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


@pytest.mark.of_a_file
@pytest.mark.parametrize("program", [pytest.param("postgres", marks=pytest.mark.needs("postgres"))], indirect=True)
def test_a_role_that_does_not_own_the_tables_is_told_that_they_were_not_written_anew(writer: Program) -> None:
    writer.keep("SmsReport", old("1^0"), old("2^0", 1))
    usual = prune(writer)
    assert (usual.code, len(usual.objects)) == (0, 1)
    assert "owner" not in usual.err  # autovacuum will do it
    for words in (
        ("prune", "--older-than", "90d", "--yes", "--compact"),
        ("forget", "13912345678", "--yes", "--compact"),
    ):
        ended = writer(*words, sleep=lambda _: None)
        assert ended.code == 3, ended.err
        assert ended.err.count("the server writes the tables anew for their owner alone") == 1
    many = ("forget", *(f"139000{n:05}" for n in range(21)), "--yes")  # more than are searched for in the files
    assert "for their owner alone" in writer(*many, sleep=lambda _: None).err
    assert ids(writer) == ["2^0"]


def test_an_archive_that_is_a_link_to_itself_is_refused_in_words(program: Program) -> None:
    program.keep("SmsReport", report())
    link = program.home / "loop.ndjson"
    link.symlink_to(link)
    ended = program("prune", "--older-than", "100d", "--archive", str(link), "--yes", sleep=lambda _: None)
    assert ended.code == 2, ended.err
