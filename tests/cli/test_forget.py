"""forget: nothing that carries the number is left, in no field, form or file; neighbours stay; nothing comes back."""

from __future__ import annotations

import base64
import json
import os
import re
from contextlib import closing
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import pytest

import smsreceipt
from smsreceipt.api.values import line_of
from smsreceipt.decode import decode, reread
from smsreceipt.model import Delivery, Kind, Send, Source
from smsreceipt.model.receipts import Reached
from smsreceipt.runs import noted
from smsreceipt.runs.noted import Spool
from smsreceipt.store import SendQuery, Store, opening
from tests.cli.program import CALL, CALL_ENDED, FAILED, NOW, REPLY, Ended, Program, report

pytestmark = pytest.mark.each_engine
CANARY = "13912345678"
OTHER = "13800008000"
ESCAPED = "".join(f"\\u00{ord(digit):02x}" for digit in CANARY)
WIDE = CANARY.translate({digit: digit + 0xFEE0 for digit in range(0x30, 0x3A)})
B64 = base64.b64encode(json.dumps(report(phone=CANARY)).encode()).decode()


def forget(program: Program, *args: str, **seams: Any) -> Ended:
    return program("forget", *args, "--yes", sleep=lambda _: None, **seams)


def plant(program: Program, *, others: bool = True) -> int:
    """The number in every field of every kind, in every form; and as much about others. How many identities are its."""
    call = {**CALL_ENDED, "phone_no": OTHER, "peer_no": "13700001111", "secret_no": "17000000001"}
    planted: list[tuple[str, dict[str, object]]] = [
        ("SmsReport", report(phone=CANARY, biz_id="1^0")),
        ("SmsReport", report(biz_id="2^0", out_id=CANARY)),
        ("SmsReport", report(biz_id="3^0", err_msg=f"to {CANARY}")),
        ("SmsReport", report(biz_id="4^0", extra=f"+86 {CANARY}")),
        ("SmsReport", report(biz_id="5^0", extra=f"{CANARY[:3]}-{CANARY[3:7]}-{CANARY[7:]}")),
        ("SmsReport", report(biz_id="6^0", extra=B64)),
        ("SmsUp", {**REPLY, "content": f"打 {WIDE}", "sequence_id": 3}),
        ("SmsUp", {**REPLY, "content": f"{CANARY[:3]} {CANARY[3:]}", "sequence_id": 4}),
        ("SmsReport", report(phone=CANARY, biz_id="7^0")),
        ("SmsReport", report(phone=CANARY, biz_id="7^0", **FAILED)),
        ("SmsReport", report(biz_id=f"{CANARY}^0")),
        ("DypnsSmsVerifyReport", report(phone=CANARY, biz_id="8^0")),
        ("SmsUp", {**REPLY, "phone_number": CANARY, "sequence_id": 1}),
        ("SmsUp", {**REPLY, "content": f"我的新号码是{CANARY}", "sequence_id": 2}),
        *(
            ("SecretReport", {**call, "call_id": f"c-{name}", name: CANARY})
            for name in ("phone_no", "peer_no", "secret_no", "out_id", "sub_id", "call_out_no")
        ),
        ("SecretSmsIntercept", {"id": "i1", "receive_no": CANARY, "start_time": "2026-11-20 10:00:00"}),
        ("AnotherKind", {"deep": [{"number": int(CANARY)}]}),
        ("GlobeSmsReport", {"message_id": "m1", "to": CANARY, "send_date": "2026-11-20 10:00:00", "status": "1"}),
    ]
    for number, (kind, body) in enumerate(planted):
        ours = report(biz_id=f"other-{number}^0") if kind == "SmsReport" else None
        program.keep(kind, *([ours, body, report(biz_id=f"more-{number}^0")] if ours and others else [body]))
    program.keep("SmsReport", report(biz_id="9^0"), report(biz_id="9^0", extra=CANARY))  # a further body
    program.keep("SmsReport", json.dumps(report(biz_id="10^0", extra="@")).replace("@", ESCAPED).encode())
    for bad in (f'{{"phone_number":"{CANARY}",', f'{{"phone":"{ESCAPED}",', B64[:-5] + "!", f"a,{CANARY},b"):
        program.keep("SmsReport", bad.encode())
    program.keep("SmsReport", f'{{"phone_number":"{CANARY}",'.encode("utf-16"))
    note_sends(program, ("23^0", CANARY), *([("24^0", OTHER)] if others else [])).close()
    if others:
        program.keep("SmsReport", f'{{"phone_number":"{OTHER}",'.encode())
    with closing(program.opened()) as store:
        store.add_sends([send("1^0", CANARY), send("20^0", CANARY), send("21^0", OTHER, out_id=CANARY)])
        if others:
            store.add_sends([send("22^0", OTHER)])
        store.write_notes("some state", {"a": json.dumps({"x": CANARY}), CANARY: "1", "b": "2"})
    return len({str(body.get("biz_id") or body) for _, body in planted}) + 2


def plant_nameless(program: Program) -> None:
    """What belongs to planted calls and names nobody; and the number as the name of a file with what is of others."""
    call = {"pool_key": CALL_ENDED["pool_key"], "call_time": CALL_ENDED["call_time"]}
    program.keep("SecretAsrReport", {"callId": "c-peer_no", "statusCode": "0", "sentences": [], "bizDuration": 9})
    program.keep("SecretRecording", {**call, "call_id": "c-phone_no", "sub_id": 1})
    program.keep("SmsReport", report(biz_id="11^0"), source=Source.REPLAY, origin=f"/data/{CANARY}.json")
    program.keep("SmsReport", b"{", source=Source.REPLAY, origin=f"/data/{CANARY}.csv")


def note_sends(program: Program, *sends: tuple[str, str]) -> Spool:
    """Note sends as a program does, which has not stored them yet."""
    program("sends", "list")  # opens the app
    spool = Spool(noted.folder_of(program.app))
    at = datetime(2026, 11, 20, 10, 0)
    lines = [line_of(smsreceipt.Send(phone=phone, biz_id=biz_id, sent_at=at)) for biz_id, phone in sends]
    spool.append(b"".join(lines))
    return spool


def send(biz_id: str, phone: str, out_id: str = "") -> Send:
    return Send(phone, biz_id, 20_777, None, out_id, "", "", None)


def remains(program: Program, *needles: bytes) -> list[str]:
    """Where the number is left: in the files of the store and beside it, or in the tables of the database."""
    needles = needles or (
        CANARY.encode(),
        WIDE.encode(),
        ESCAPED.encode(),
        CANARY.encode("utf-16-le"),
        B64[20:-20].encode(),
    )
    files = [file for file in program.home.rglob("*") if file.is_file()]
    found = [f"{file.name}: {needle!r}" for file in files for needle in needles if needle in file.read_bytes()]
    if program.location == str(program.store):
        return found
    import psycopg

    with psycopg.connect(program.location) as db:
        tables = db.execute(
            "SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
            " WHERE nspname = 'smsreceipt' AND relkind = 'r'"
        ).fetchall()
        for (table,) in tables:
            for (row,) in db.execute(f"SELECT to_jsonb(t)::text FROM smsreceipt.{table} AS t"):  # noqa: S608
                texts = [row.encode(), *(bytes.fromhex(part) for part in re.findall(r"\\\\x((?:[0-9a-f]{2})+)", row))]
                found += [f"{table}: {needle!r}" for needle in needles for text in texts if needle in text]
    return found


def test_nothing_of_it_is_left_and_neighbours_stay(program: Program) -> None:
    plant(program)
    plant_nameless(program)
    everything = program("list", "--history").objects
    others = [
        each
        for each in everything
        if each["biz_id"] == "11^0"
        or (
            CANARY not in json.dumps(each)
            and each["biz_id"] not in {"5^0", "6^0", "9^0"}
            and each["kind"] not in {"SecretAsrReport", "SecretRecording"}
            and each["body"].get("sequence_id") not in {3, 4}
        )
    ]
    assert remains(program)
    planned = program("forget", CANARY, "--dry-run")
    assert program("list", "--history").objects == everything
    assert " 0 B" not in program("forget", CANARY, "--dry-run", "-o", "table").out, "a size that was not measured"
    ended = forget(program, CANARY)
    assert ended.code == 0, ended.err
    assert remains(program) == []
    left = program("list", "--history").objects
    assert [{**each, "origin": ""} for each in left] == [{**each, "origin": ""} for each in others]
    (renamed,) = (each["origin"] for each in left if each["biz_id"] == "11^0")
    assert renamed.startswith("forgotten ")
    assert ended.objects == planned.objects
    assert len(program("rejects", "list").objects) == 1
    with closing(program.opened()) as store:
        assert sorted(each.send.biz_id for each in store.sends(SendQuery())) == ["22^0", "24^0"]
        assert store.notes("some state") == {"b": "2"}
        assert store.check()
    assert CANARY not in ended.err + ended.out
    assert "not reached" in ended.err
    assert program("check").code == 0
    again = forget(program, CANARY)
    assert (again.code, again.objects) == (0, [])


def test_a_file_whose_name_holds_the_number_may_be_replayed_and_forgotten_again(program: Program) -> None:
    for biz_id in ("1^0", "2^0"):
        program.keep("SmsReport", report(biz_id=biz_id), source=Source.REPLAY, origin=f"/data/{CANARY}.json")
        ended = forget(program, CANARY)
        assert ended.code == 0, ended.err
        assert remains(program) == []
    assert all(each["origin"].startswith("forgotten ") for each in program("list").objects)


def test_the_file_of_a_replay_that_was_cut_off_is_forgotten(program: Program) -> None:
    with closing(program.opened()) as store:
        delivery = Delivery(
            (), Kind("SmsReport"), Source.REPLAY, "", NOW, reached=Reached(f"/data/{CANARY}.json", 7, "m", done=False)
        )
        store.keep([decode(delivery)])
        assert store.unfinished()
    assert remains(program)
    assert forget(program, CANARY).code == 0
    assert remains(program) == []


def test_a_cursor_of_forward_whose_seq_has_the_digits_stays(program: Program) -> None:
    program.keep("SmsReport", report())
    note = json.dumps({"seq": 6234567, "id": "1" * 12, "moved_at": 1, "holder": ""})
    with closing(program.opened()) as store:
        store.write_notes("forward", {"orders": note})
    assert forget(program, "6234567").code in {0, 3}
    with closing(program.opened()) as store:
        assert store.notes("forward") == {"orders": note}


def test_a_number_within_longer_ones_does_not_ask_for_another_run(program: Program) -> None:
    program.keep("SmsReport", report(phone=CANARY, biz_id="1^0"), report(biz_id=f"77{CANARY}00^0"))
    ended = forget(program, CANARY)
    assert ended.code == 0, ended.err
    assert program.location != str(program.store) or "within longer numbers" in ended.err
    assert [each["biz_id"] for each in program("list").objects] == [f"77{CANARY}00^0"]


def test_nothing_of_it_is_left_in_figures_that_were_counted_before(program: Program) -> None:
    program.keep("SmsReport", report(biz_id="1^0", success=False, err_code=CANARY), report(biz_id="2^0"))
    by_code = ("stats", "--date", "2026-11-20", "--by", "code")
    assert CANARY in program(*by_code).out
    assert any("day_tally" in each for each in remains(program)) or program.location == str(program.store)
    assert forget(program, CANARY).code == 0
    assert remains(program) == []
    assert program("check").code == 0
    assert CANARY not in program(*by_code).out


def test_what_is_older_does_not_come_back_and_what_is_newer_does(program: Program) -> None:
    plant(program, others=False)
    assert forget(program, CANARY).code == 0
    assert program("list", "--history").objects == []
    plant(program, others=False)
    assert [each["biz_id"] for each in program("list", "--history").objects] == ["9^0"]  # its body without the number
    assert program("rejects", "list").objects == []
    file = program.home / "saved.ndjson"
    newer = {"send_time": "2026-11-21 14:00:00", "report_time": "2026-11-21 14:00:01"}
    lines = [
        report(phone=CANARY, biz_id="1^0"),
        report(biz_id="31^0"),
        report(phone=CANARY, biz_id="32^0") | newer,
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    ended = program("replay", str(file))
    assert ended.code == 0
    assert "received=3 new=2 duplicate=0 rejected=0 forgotten=1" in ended.err
    assert {each["biz_id"] for each in ended.objects} == {"31^0", "32^0"}
    lifted = program("forget", CANARY, OTHER, "--again", sleep=lambda _: None)
    assert "lifted=1 not_forgotten=1" in lifted.err
    assert "received=3 new=1 duplicate=2 rejected=0 " in program("replay", str(file)).err


def test_older_sends_do_not_come_back_and_newer_ones_do(program: Program, caplog: pytest.LogCaptureFixture) -> None:
    """A list that is imported every night names the number again."""
    plant(program)
    assert forget(program, CANARY).code == 0
    rows = (
        f"+86 {CANARY},1^0,2026-11-20 14:00:00,\n"
        f"{CANARY},2^0,2026-11-21,\n"
        f"{CANARY},3^0,2026-11-21 14:00:00,\n"
        f"{OTHER},4^0,2026-11-20 14:00:00,{CANARY}\n"
        f"{OTHER},5^0,2026-11-20 14:00:00,order-5\n"
    )
    program.stdin = f"phone,biz_id,sent_at,out_id\n{rows}".encode()
    ended = program("sends", "import", "-")
    assert ended.code == 0, ended.err
    assert "rows=5 new=2 known=0 completed=0 bad=0 refused=0 forgotten=3 " in ended.err
    kept = {each["biz_id"] for each in program("sends", "list").objects}
    assert kept == {"3^0", "5^0", "22^0", "24^0"}
    at = datetime.fromisoformat("2026-11-20T14:00:00+08:00")
    with smsreceipt.open(program.location) as store:
        assert store.add_sends([smsreceipt.Send(phone=CANARY, biz_id="6^0", sent_at=at)]) == 0
    note_sends(program, ("7^0", CANARY)).close()
    with smsreceipt.Ledger(program.location) as ledger:
        ledger.flush()
    assert kept == {each["biz_id"] for each in program("sends", "list").objects}
    Path(re.findall(r"key: (.*)", program("forget", "--log").err)[0]).unlink()
    caplog.set_level("INFO", logger="smsreceipt")
    with smsreceipt.open(program.location) as store:
        assert store.add_sends([smsreceipt.Send(phone=CANARY, biz_id="6^0", sent_at=at)]) == 1
    note_sends(program, ("7^0", CANARY)).close()
    with smsreceipt.Ledger(program.location) as ledger:
        ledger.flush()
    assert sum("key is not on this machine" in line for line in caplog.messages) == 2
    unguarded = program("sends", "import", "-")
    assert (unguarded.code, "key is not on this machine" in unguarded.err) == (3, True)


def test_the_log_of_a_store_that_has_forgotten_nothing_is_empty(program: Program) -> None:
    program.keep("SmsReport", report(phone=CANARY))
    ended = program("forget", "--log", CANARY)
    assert (ended.code, ended.out) == (0, "")


def test_the_log_proves_it_without_the_number(program: Program) -> None:
    plant(program)
    plant_nameless(program)
    ended = forget(program, CANARY)
    assert ended.code == 0
    told = program("forget", "--log")
    (line,) = told.objects
    assert [*line] == ["at", "forgotten", "statements", "sends", "rejects", "notes", "in_force"]
    assert f"receipts={line['statements']} " in ended.err  # with what names nobody, such as the notice of a recording
    assert (line["sends"], line["rejects"], line["notes"], line["in_force"]) == (4, 6, 2, True)
    assert len(line["forgotten"]) == 64
    assert program("forget", "--log", CANARY).objects == [line]
    assert program("forget", "--log", OTHER).objects == []
    assert CANARY not in told.out + told.err
    key = Path(re.findall(r"key: (.*)", told.err)[0])
    assert key.stat().st_mode & 0o777 == 0o600
    program("forget", CANARY, "--again", sleep=lambda _: None)
    assert program("forget", "--log").objects == [{**line, "in_force": False}]


def test_without_its_key_receipts_are_stored_and_a_person_is_told(program: Program) -> None:
    program.keep("SmsReport", report(phone=CANARY))
    assert forget(program, CANARY).code == 0
    Path(re.findall(r"key: (.*)", program("forget", "--log").err)[0]).unlink()
    file = program.home / "saved.json"
    file.write_text(json.dumps(report(phone=CANARY)))
    ended = program("replay", str(file))
    assert (ended.code, len(ended.objects)) == (3, 1)
    assert "key is not on this machine" in ended.err
    assert forget(program, CANARY).code == 6


def test_zeros_are_told_what_is_wrong_with_them(program: Program) -> None:
    ended = forget(program, "13800008000", "00000000000")
    assert (ended.code, ended.err.partition("\n")[0]) == (
        2,
        "error: number 2 is no phone number: it is one digit repeated",
    )


@pytest.mark.parametrize("words", [["00000000000"], ["12"], ["138abc"], ["-"], [], ["1" * 16]])
def test_what_is_no_number_is_refused(program: Program, words: list[str]) -> None:
    program.keep("SmsReport", report())
    program.stdin = b"\n \n"
    assert forget(program, *words).code == 2
    assert len(program("list").objects) == 1


def test_it_asks(program: Program) -> None:
    program.keep("SmsReport", report(phone=CANARY))
    assert program("forget", CANARY).code == 2
    assert len(program("list").objects) == 1


@pytest.mark.parametrize("separator", [",", "，", "、", "\n"])
def test_several_numbers_in_one_word(program: Program, separator: str) -> None:
    program.keep("SmsReport", *(report(phone=f"1390000000{number}", biz_id=f"{number}^0") for number in range(3)))
    program.stdin = f"13900000000{separator}13900000001".encode()
    assert forget(program, "-").code == 0
    assert [each["phone"] for each in program("list").objects] == ["13900000002"]


def test_many_numbers_from_standard_input(program: Program) -> None:
    program.keep("SmsReport", *(report(phone=f"139{number:08}", biz_id=f"{number}^0") for number in range(1_500)))
    program.stdin = "\n".join(f"+86139{number:08}" for number in range(1, 1_201)).encode()
    ended = forget(program, "-")
    assert ended.code == 0, ended.err
    assert len(program("list").objects) == 300
    assert len(program("forget", "--log").objects) == 1_200
    assert "receipts=1200" in ended.err


def test_answers_and_their_attributions_go(program: Program) -> None:
    row = {"PhoneNum": CANARY, "SendDate": "2026-11-20 10:00:00", "TemplateCode": "SMS_1", "SendStatus": 3}
    with closing(program.opened()) as store:
        store.add_sends([send("40^0", CANARY)])
    program.keep("SendDetail", row, source=Source.QUERY)
    program.keep("SendDetail", {**row, "PhoneNum": OTHER}, source=Source.QUERY)
    assert forget(program, CANARY).code == 0
    assert remains(program) == []
    assert [each["phone"] for each in program("list", "--history").objects] == [OTHER]


def recorded(program: Program, *call_ids: str) -> list[Path]:
    """Calls of the number whose recordings were fetched, and their files."""
    files = [program.home / "recordings" / f"POOL-{call_id}.mp3" for call_id in call_ids]
    files[0].parent.mkdir(exist_ok=True)
    for call_id, file in zip(call_ids, files, strict=True):
        call = {"pool_key": "POOL", "phone_no": CANARY, "call_id": call_id, "call_time": "2026-11-20 10:00:00"}
        program.keep("SecretReport", {**CALL_ENDED, **call})
        program.keep("SecretStartReport", {**CALL, **call})
        file.write_bytes(b"a voice")
        with closing(program.opened()) as store:
            note = {"state": "fetched", "at": 1, "file": str(file)}
            store.write_notes("recordings 2026-11-20", {f"POOL-{call_id}": json.dumps(note)})
    return files


def test_the_recordings_of_its_calls_are_deleted_and_no_others(program: Program) -> None:
    gone, absent = recorded(program, "c77", "c78")
    absent.unlink()
    other = program.home / "other.mp3"
    other.write_bytes(b"another voice")
    with closing(program.opened()) as store:
        note = json.dumps({"state": "fetched", "at": 1, "file": str(other)})
        store.write_notes("recordings 2026-11-20", {"POOL-c7": note, "POOL-c777": note, "PO-c77": note})
    planned = program("forget", CANARY, "--dry-run")
    assert gone.exists()
    ended = forget(program, CANARY)
    assert ended.code == 0, ended.err
    assert ended.objects == planned.objects
    assert [each["statements"] for each in ended.objects if each["what"] == "recordings"] == [1]
    assert "recordings=1" in ended.err
    assert str(absent) in ended.err
    assert str(gone) not in ended.err
    assert (gone.exists(), other.exists()) == (False, True)
    with closing(program.opened()) as store:
        assert [*store.notes("recordings 2026-11-20")] == ["PO-c77", "POOL-c7", "POOL-c777"]


def test_a_recording_that_cannot_be_deleted_is_named_and_its_call_waits_for_it(program: Program) -> None:
    stuck, gone = recorded(program, "c77", "c78")
    stuck.unlink()
    stuck.mkdir()
    (stuck / "in the way").touch()
    ended = forget(program, CANARY)
    assert ended.code == 3
    assert f"the recording {stuck} cannot be deleted" in ended.err
    assert not gone.exists()
    assert [each["call_id"] for each in program("list", "--history").objects] == ["c77"] * 2
    (stuck / "in the way").unlink()
    stuck.rmdir()
    stuck.touch()
    assert forget(program, CANARY).code == 0
    assert not stuck.exists()
    assert remains(program) == []


def test_what_a_running_program_has_noted_is_waited_for(program: Program) -> None:
    program.keep("SmsReport", report(phone=CANARY))
    running = note_sends(program, ("1^0", CANARY), ("2^0", OTHER))
    ended = forget(program, CANARY)
    assert ended.code == 3
    assert f"a program that runs has not stored yet what it sent: {running.path}" in ended.err
    assert program("list").objects == []

    def end(_: float) -> None:
        if running.size:
            running.close()
            running.size = 0

    assert program("forget", CANARY, "--yes", sleep=end).code == 0
    assert remains(program) == []
    assert [each["biz_id"] for each in program("sends", "list").objects] == ["2^0"]


class Killed(BaseException):
    """Ends the program as a kill does, between two steps."""


def test_a_run_that_is_cut_off_anywhere_is_taken_up(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    from smsreceipt.runs.removing import Remover

    plant(program)
    plant_nameless(program)
    voices = recorded(program, "c77", "c78")
    steps, real = 0, Remover.remove

    def cut(*given: Any) -> Any:
        nonlocal steps
        steps -= 1
        if steps == 0:
            raise Killed
        made = real(*given)
        steps -= 1
        if steps == 0:
            raise Killed
        return made

    monkeypatch.setattr(Remover, "remove", cut)
    for steps_before in range(1, 60):
        steps = steps_before
        try:
            assert forget(program, CANARY).code == 0
            break
        except Killed:
            continue
    else:
        pytest.fail("it never came to its end")
    assert remains(program) == []
    assert not any(file.exists() for file in voices)
    assert len(program("rejects", "list").objects) == 1


def test_the_harness_finds_what_is_left(program: Program) -> None:
    program.keep("SmsReport", report(biz_id="1^0", extra=CANARY))
    assert remains(program)
    program.keep("SmsReport", b"{" + CANARY.encode("utf-16-le"))
    assert remains(program, CANARY.encode("utf-16-le"))


@pytest.mark.of_a_file
def test_who_has_the_store_open_goes_on_and_who_reads_it_is_told_of(program: Program) -> None:
    def impatient(location: str, readonly: bool, _lock_wait: float, insecure: bool) -> Store:
        return opening.open_store(location, readonly=readonly, reread=reread, lock_wait=0.5, insecure=insecure)

    plant(program)
    listener = program.opened()
    with closing(listener):
        listener.write_notes("x", {"a": "1"})
        assert forget(program, CANARY, "--compact").code == 0
        assert remains(program) == []
        for text in ("2", "3"):
            listener.write_notes("x", {"a": text})
        program.keep("SmsReport", report(phone=CANARY, biz_id="50^0", send_time="2026-11-21 14:00:00"))
        with listener.snapshot():
            listener.notes("x")
            ended = forget(program, CANARY, opener=impatient)
            assert ended.code == 3
            assert "another process may still read what was deleted" in ended.err
        assert forget(program, CANARY).code == 0
        assert remains(program) == []
        listener.write_notes("x", {"a": "4"})


def test_a_person_sees_what_would_go_before_the_question(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    program.keep("SmsReport", report(phone=CANARY, biz_id="1^0"))
    with TemporaryFile() as screen, open(screen.fileno(), "wb", closefd=False) as buffered:
        seen = list[int]()

        def answer(_: str) -> str:
            seen.append(os.fstat(screen.fileno()).st_size)
            return "n"

        monkeypatch.setattr("click.termui.visible_prompt_func", answer)
        program("forget", CANARY, stdin_is_tty=True, terminal=True, stdout=buffered)
        assert seen != [0]  # not only in a buffer
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _: "n")
    asked = program("forget", CANARY, stdin_is_tty=True, terminal=True)
    assert asked.code == 130
    assert re.search(r"SmsReport .* 1\b", asked.out)
    assert CANARY not in asked.out + asked.err
    assert len(program("list").objects) == 1
    piped = program("forget", CANARY, stdin_is_tty=True)
    assert (piped.code, piped.out) == (130, "")
