"""`replay`: what was saved, however it was saved, is in the store once; and how it ends."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import CALL, CALL_ENDED, FAILED, REPLY, Ended, Program, report

pytestmark = pytest.mark.each_engine

PROGRAM = [sys.executable, "-m", "smsreceipt"]
CHANGING = ("seq", "received_at", "source", "origin", "times_seen")


def compact(body: object) -> str:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def some(count: int, first: int = 0) -> list[dict[str, object]]:
    return [report(f"138{n:08}", f"{n}^0") for n in range(first, first + count)]


def summary(ended: Ended) -> dict[str, int]:
    last = ended.err.splitlines()[-1]
    assert re.fullmatch(r"received=\d+ new=\d+ duplicate=\d+ rejected=\d+ seconds=\d+\.\d rate=\d+", last), ended.err
    found = {name: int(float(value)) for name, value in (pair.split("=") for pair in last.split())}
    assert found["received"] == found["new"] + found["duplicate"] + found["rejected"]
    return found


def save(path: Path, *bodies: Mapping[str, object], text: str = "") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text or "".join(compact(body) + "\n" for body in bodies), "utf-8")
    return str(path)


FORMS: dict[str, Callable[[Sequence[object]], str]] = {
    "lines": lambda bodies: "".join(compact(body) + "\n" for body in bodies),
    "crlf": lambda bodies: "".join(compact(body) + "\r\n" for body in bodies),
    "array": compact,
    "pretty": lambda bodies: json.dumps(bodies, indent=2),
    "objects": lambda bodies: "\n".join(json.dumps(body, indent=4) for body in bodies),
    "arrays": lambda bodies: "".join(compact(bodies[n : n + 3]) + "\n" for n in range(0, len(bodies), 3)),
    "base64": lambda bodies: "".join(b64encode(compact(body).encode()).decode() + "\n" for body in bodies),
    "bom": lambda bodies: "\ufeff" + compact(bodies),
}


@pytest.mark.of_a_file
@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_receipts(program: Program, tmp_path: Path, form: str) -> None:
    bodies = [*some(7), report("13800000001", "1^0", **FAILED), REPLY, CALL, CALL_ENDED]
    program.keep(None, *bodies)
    expected = [{key: each[key] for key in each if key not in CHANGING} for each in program("list", "--json").objects]
    program.store.unlink()
    ended = program("replay", save(tmp_path / "saved", text=FORMS[form](bodies)), "--json")
    assert (ended.code, summary(ended)["new"]) == (0, len(bodies))
    listed = program("list", "--json").objects
    assert [{key: each[key] for key in each if key not in CHANGING} for each in listed] == expected
    assert {(each["source"], each["origin"]) for each in listed} == {("replay", str(tmp_path / "saved"))}
    assert {each["seq"] for each in ended.objects} == {*range(1, len(bodies) + 1)}


def test_the_records_of_list_give_the_very_same_statements(program: Program, tmp_path: Path) -> None:
    bodies: list[Mapping[str, object] | bytes] = [
        *some(3),
        REPLY,
        {**CALL_ENDED, "note": "a\u202eb"},
        b'{"biz_id" : "9^0", "success" : true,\n "n": 1.50}',
    ]
    program.keep(None, *bodies)
    program.keep("DypnsSmsVerifyReport", report(biz_id="8^0"))
    program.keep("MyOwnKind", {"anything": [1, {"a": None}]})
    first = program("list", "--json", "--history")
    saved = tmp_path / "SmsUp.json"  # what the record says counts for more
    saved.write_bytes(first.raw)
    again = program("replay", str(saved))
    assert (again.code, again.raw) == (0, b"")
    assert summary(again)["duplicate"] == len(first.objects) == 8
    fresh = Program(tmp_path / "fresh")
    fresh.stdin = first.raw
    fresh("replay", "-")
    copied = fresh("list", "--json", "--history").objects
    assert [{key: each[key] for key in each if key not in CHANGING} for each in copied] == [
        {key: each[key] for key in each if key not in CHANGING} for each in first.objects
    ]
    assert {each["origin"] for each in copied} == {"-"}


@pytest.mark.of_a_file
@pytest.mark.parametrize("native", [False, True], ids=["asked for only", "asked for, then pushed"])
def test_what_was_asked_for_survives_one_store_after_the_other(
    program: Program, tmp_path: Path, *, native: bool
) -> None:
    row = {"PhoneNum": "13800008000", "SendStatus": 3, "ErrCode": "DELIVERED", "SendDate": "2026-11-20 10:00:00",
           "ReceiveDate": "2026-11-20 10:00:03", "TemplateCode": "SMS_1", "OutId": "PhoneNum"}  # fmt: skip
    pushed = {"phone_number": "13800008000", "biz_id": "77^0", "out_id": "PhoneNum", "success": True,
              "err_code": "DELIVERED", "send_time": row["SendDate"], "report_time": row["ReceiveDate"]}  # fmt: skip
    record = {"seq": 1, "kind": "SmsReport", "identity": ["77^0", "13800008000"], "source": "query", "biz_id": "77^0"}
    program.stdin = compact({**record, "body": pushed if native else row}).encode()
    for generation in range(3):
        program.location = str(tmp_path / f"{generation}.db")
        ended = program("replay", "-", "--json")
        assert (ended.code, summary(ended)["new"]) == (0, 1)
        (found,) = ended.objects
        assert (found["identity"], found["outcome"]) == (["77^0", "13800008000"], "delivered")
        program.stdin = program("list", "--json").raw


def test_a_folder_mixed_with_everything_and_replayed_twice(program: Program, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    save(folder / "a" / "2026.json", *some(10))
    save(folder / "DypnsSmsVerifyReport" / "1.json", report(biz_id="v^0"))
    (folder / "b.ndjson.gz").write_bytes(gzip.compress(compact(some(10, 5)).encode()))
    ended = program("replay", str(folder))
    assert ended.code == 0
    assert {name: summary(ended)[name] for name in ("received", "new", "duplicate")} == {
        "received": 21,
        "new": 16,
        "duplicate": 5,
    }
    assert {each["kind"] for each in program("list", "--json").objects} == {"SmsReport", "DypnsSmsVerifyReport"}
    again = program("replay", str(folder))
    assert (again.code, again.raw, summary(again)["duplicate"]) == (0, b"", 21)
    assert {each["times_seen"] for each in program("list", "--json").objects} == {2, 4}


def test_bad_elements_are_rejects_with_file_and_offset_and_cost_their_neighbours_nothing(
    program: Program, tmp_path: Path
) -> None:
    good = [compact(body) for body in some(4)]
    parts = [good[0], '{"biz_id":"x', good[1], "hello, world", good[2], '{"unheard":"of"}', b64encode(b"[7]").decode()]
    text = "\n".join([*parts, "[" + good[3], ',{"phone_number":'])
    saved = save(tmp_path / "saved", text=text)
    ended = program("replay", saved)
    assert (ended.code, summary(ended)["new"], summary(ended)["rejected"]) == (3, 4, 5)
    raw = text.encode()
    places = {
        raw.index(b'{"biz_id":"x\n'): "json",
        raw.index(b"hello"): "base64",
        raw.index(b'{"unheard'): "kind-unknown",
        raw.index(parts[-1].encode()): "not-object",
        raw.rindex(b'{"phone_number":'): "json",
    }
    found = {each["origin"]: each["reason"] for each in program("rejects", "list", "--json").objects}
    assert found == {f"{saved}:{place}": reason for place, reason in places.items()}
    again = program("replay", saved)
    assert (again.code, summary(again)["rejected"], summary(again)["duplicate"]) == (0, 5, 4)
    with_kind = program("replay", saved, "--kind", "myOwn")
    assert (with_kind.code, summary(with_kind)["new"]) == (3, 5)  # of that kind, all of them; rejects of it are new


def test_kind_comes_from_the_option_before_the_name_before_the_fields(program: Program, tmp_path: Path) -> None:
    saved = save(tmp_path / "dypnssmsverifyreport-1.json", *some(2))
    program("replay", saved)
    program("replay", saved, "--kind", "smsreport")
    program("replay", save(tmp_path / "other.json", *some(2, 10)))
    assert [each["kind"] for each in program("list", "--json").objects] == [
        *["DypnsSmsVerifyReport"] * 2,
        *["SmsReport"] * 4,
    ]


def test_dry_run_tells_what_would_be_stored_and_stores_nothing(program: Program, tmp_path: Path) -> None:
    saved = save(tmp_path / "saved", *some(3), REPLY, {"unheard": "of"})
    ended = program("replay", saved, "--dry-run", "--json")
    assert ended.code == 3
    assert ended.objects == [
        {"kind": "SmsReport", "receipts": 3, "rejected": {}},
        {"kind": "SmsUp", "receipts": 1, "rejected": {}},
        {"kind": None, "receipts": 0, "rejected": {"kind-unknown": 1}},
    ]
    assert "received=5 receipts=4 rejected=1" in ended.err
    assert not program.store.exists()
    table = program("replay", saved, "--dry-run", terminal=True).out
    assert "SmsUp" in table
    assert "1 × kind-unknown: nothing tells its message type" in table
    assert program("replay", saved, "--dry-run", "-o", "csv").out.splitlines()[0] == "kind,receipts,rejected"


def test_progress_tells_the_bytes_on_a_terminal(program: Program, tmp_path: Path) -> None:
    saved = save(tmp_path / "saved", *some(30))
    ended = program("replay", saved, "--json", stderr_is_tty=True, columns=200)
    assert re.search(r"\[#{20}\] 100% (\d+) KiB/\1 KiB  0 s left  received 30  [\d,]+/s  delivered 30", ended.err)


def test_the_file_stays_as_it_is(program: Program, tmp_path: Path) -> None:
    saved = Path(save(tmp_path / "saved", *some(3)))
    saved.chmod(0o400)
    before = (saved.read_bytes(), saved.stat().st_mtime_ns, saved.stat().st_mode)
    assert program("replay", str(saved)).code == 0
    assert (saved.read_bytes(), saved.stat().st_mtime_ns, saved.stat().st_mode) == before


def test_what_is_not_there_is_2_before_anything_is_read(program: Program, tmp_path: Path) -> None:
    saved = save(tmp_path / "saved", *some(3))
    ended = program("replay", saved, str(tmp_path / "absent"))
    assert (ended.code, program.store.exists()) == (2, False)
    assert "absent: No such file or directory" in ended.err
    link = tmp_path / "link"
    link.symlink_to(saved)
    assert "Links are not followed" in program("replay", str(link)).err
    unset = program("replay", "")
    assert (unset.code, "an empty name is no file" in unset.err) == (2, True)
    assert program("replay").code == 2
    (tmp_path / "empty").mkdir()
    nothing = program("replay", str(tmp_path / "empty"))
    assert (nothing.code, summary(nothing)["received"]) == (0, 0)
    assert "no files there" in nothing.err


class _Removes(io.StringIO):
    """Standard error; whatever is said there, a file goes."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file

    def write(self, text: str) -> int:
        self._file.unlink(missing_ok=True)
        return super().write(text)


def test_a_file_that_goes_before_its_turn_is_2_and_the_others_are_read(program: Program, tmp_path: Path) -> None:
    gone = save(tmp_path / "a", *some(3))
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "folder" / "pipe")  # which is told when the file is found already
    err = _Removes(Path(gone))
    ended = program("replay", gone, str(tmp_path / "folder"), save(tmp_path / "b", *some(3)), stderr=err)
    assert (ended.code, len(ended.objects)) == (2, 3)
    assert f"{gone} cannot be read: No such file or directory" in err.getvalue()


def test_a_file_that_ends_too_early_is_3_and_the_others_are_read(program: Program, tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(compact(some(500)).encode())[:-500])
    ended = program("replay", str(tmp_path / "a.gz"), save(tmp_path / "b", *some(3, 1000)))
    assert ended.code == 3
    assert f"error: {tmp_path / 'a.gz'} ends too early, after " in ended.err
    assert 3 < summary(ended)["new"] < 503


def test_a_reader_that_goes_away_is_141_and_the_work_is_done(program: Program, tmp_path: Path) -> None:
    saved = save(tmp_path / "saved", *some(5000))
    words = [*PROGRAM, "--store", program.location, "replay", saved, "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        assert run.stdout
        run.stdout.readline()
        run.stdout.close()
        assert run.wait(30) == 141
    assert len(program("list", "--json").objects) == 5000


def test_a_signal_stops_it_with_the_place_kept_and_the_next_run_goes_on_there(program: Program, tmp_path: Path) -> None:
    saved = save(tmp_path / "saved", *some(20_000))
    words = [*PROGRAM, "--store", program.location, "replay", saved, "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout
        assert run.stderr
        run.stdout.readline()
        run.send_signal(signal.SIGTERM)
        drain = threading.Thread(target=run.stdout.read)
        drain.start()
        err = run.stderr.read()
        drain.join()
        assert run.wait(20) == 143
    stopped = summary(Ended(143, b"", err))
    assert 0 < stopped["new"] < 20_000
    ended = program("replay", saved)
    assert ended.code == 0
    assert "taken up at byte" in ended.err
    assert summary(ended)["new"] == summary(ended)["received"] == 20_000 - stopped["new"]
    whole = program("replay", saved)  # a file that was read to its end is read in full again
    assert (whole.code, summary(whole)["duplicate"], "taken up" in whole.err) == (0, 20_000, False)


def test_no_resume_begins_at_the_beginning(program: Program, tmp_path: Path) -> None:
    saved = Path(save(tmp_path / "saved", *some(5_000)))
    words = [*PROGRAM, "--store", program.location, "replay", str(saved), "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
        assert run.stdout
        run.stdout.readline()
        run.kill()
    ended = program("replay", str(saved), "--no-resume")
    assert summary(ended)["received"] == 5_000
    assert summary(ended)["duplicate"] > 0


def test_standard_input_that_never_ends_is_stopped_too(program: Program) -> None:
    words = [*PROGRAM, "--store", program.location, "replay", "-", "--json"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        assert run.stdin
        assert run.stdout
        assert run.stderr
        run.stdin.write((compact(report()) + "\n").encode())
        run.stdin.flush()
        assert json.loads(run.stdout.readline())["source"] == "replay"  # what has come is stored at once
        os.kill(run.pid, signal.SIGINT)
        assert run.wait(10) == 130
        assert b"received=1 new=1" in run.stderr.read()


@pytest.mark.of_a_file
def test_a_store_that_cannot_be_written_is_6(program: Program, tmp_path: Path) -> None:
    saved = save(tmp_path / "saved", *some(3))
    assert program("replay", saved, "--min-free", "1000000GiB").code == 6


@pytest.mark.parametrize("words", [("--batch", "0"), ("--rate", "0"), ("--retry-scale", "-1")])
def test_options_that_cannot_be_are_2(program: Program, tmp_path: Path, words: tuple[str, ...]) -> None:
    assert program("replay", save(tmp_path / "saved", *some(1)), *words).code == 2


def test_standard_input_that_is_closed_is_2(program: Program) -> None:
    words = [*PROGRAM, "--store", program.location, "replay", "-"]
    run = subprocess.run(["sh", "-c", '"$@" <&-', "sh", *words], capture_output=True, check=False)
    assert (run.returncode, b"standard input is closed" in run.stderr) == (2, True)


def test_masked_records_are_no_receipts_again(program: Program, tmp_path: Path) -> None:
    program.keep(None, *some(1))
    saved: Any = tmp_path / "masked"
    saved.write_bytes(program("list", "--json", "--mask").raw)
    ended = program("replay", str(saved))
    assert (ended.code, summary(ended)["rejected"]) == (3, 1)


def test_a_message_type_that_may_be_a_slip_is_doubted_aloud(program: Program, tmp_path: Path) -> None:
    saved = save(tmp_path / "saved.json", *some(1))
    assert "did you mean SmsReport?" in program("replay", saved, "--kind", "SmsReports", "--dry-run").err
    assert "warning" not in program("replay", saved, "--kind", "smsreport", "--dry-run").err


TABLES = {
    "number-first": "phone,biz_id,sent_at\n13800000001,900619746936498450^0,2026-11-20 03:09:00\n",
    "quoted": '"phone","biz_id","sent_at"\n"13800000001","900619746936498450^0","2026-11-20 03:09:00"\n',
    "chinese": "手机号,发送流水号,发送时间\n13800000001,900619746936498450^0,2026/11/20 3:09\n",
    "id-first": "biz_id,phone,sent_at\n900619746936498450^0,13800000001,2026-11-20 03:09:00\n",
    "json": '{"phone":"13800000001","biz_id":"900619746936498450^0","sent_at":"2026-11-20 03:09:00"}\n',
    "array": '[{"phone":"13800000001","biz_id":"900619746936498450^0","sent_at":"2026-11-20"}]',
}


def refused_with_a_hint_that_works(program: Program, path: Path, said: str) -> None:
    """A replay of this file says so, stores nothing, and its hint can be pasted."""
    ended = program("replay", str(path))
    assert ended.code == 2
    assert said in ended.err
    assert program("rejects", "list", "--json").objects == []
    hint = ended.err.splitlines()[1].partition("smsreceipt ")[2]
    assert program(*shlex.split(hint)).code == 0


@pytest.mark.of_a_file
@pytest.mark.parametrize("text", TABLES.values(), ids=TABLES)
def test_a_list_of_sends_is_told_and_leaves_no_rejects(program: Program, tmp_path: Path, text: str) -> None:
    path = tmp_path / "what was sent.txt"
    path.write_text(text)
    refused_with_a_hint_that_works(program, path, "is a list of sends, and has no receipt")


@pytest.mark.of_a_file
@pytest.mark.parametrize("words", [["-o", "csv"], ["-o", "excel"], ["-o", "excel", "--lang", "zh"]])
def test_receipts_as_csv_are_told_and_leave_no_rejects(program: Program, tmp_path: Path, words: list[str]) -> None:
    program.keep("SmsReport", report())
    path = tmp_path / "receipts.csv"
    path.write_bytes(program("list", *words).raw)
    refused_with_a_hint_that_works(program, path, "has receipts as CSV")
    assert program("replay", "receipts.ndjson", "--store", "other.db").code == 0
    [read] = program("list", "--json", "--store", "other.db").objects
    assert read["identity"] == program("list", "--json").objects[0]["identity"]


@pytest.mark.of_a_file
def test_a_store_is_told_and_leaves_no_rejects(program: Program) -> None:
    program.keep("SmsReport", report())
    ended = program("replay", program.location, "--store", "other.db")
    assert ended.code == 3
    assert "is a database: nothing of it was read" in ended.err
    assert f"smsreceipt list --store {program.location} --history --json | smsreceipt replay -" in ended.err
    assert program("rejects", "list", "--json", "--store", "other.db").objects == []


@pytest.mark.of_a_file
def test_a_damaged_receipt_is_a_reject_and_no_list_of_sends(program: Program, tmp_path: Path) -> None:
    path = tmp_path / "damaged.csv"
    path.write_text("phone,biz_id,err_code\n13800000001,900619746936498450^0,DELIVERED\n")
    assert program("replay", str(path)).code == 3
    assert program("rejects", "list", "--json").objects
