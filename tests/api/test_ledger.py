"""`smsreceipt.Ledger`: what was noted is never lost, and the program that notes never waits for the store."""

from __future__ import annotations

import os
import threading
import time
from contextlib import closing
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import smsreceipt
from smsreceipt.api import ledger as module
from smsreceipt.errors import UsageError
from smsreceipt.runs.noted import Spool
from tests.cli.program import Program
from tests.torture import ledger as torture

OK = {"Code": "OK", "Message": "OK", "RequestId": "A", "BizId": "900619746936498440^0"}


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY", 0.01)


def listed(program: Program) -> list[str]:
    return [each["phone"] for each in program("sends", "list").objects]


def noted(program: Program) -> list[Path]:
    return sorted(Path(f"{program.store}.noted").glob("*.ndjson"))


@pytest.mark.each_engine
def test_a_noted_send_is_in_the_store(program: Program) -> None:
    with smsreceipt.Ledger(program.location) as ledger:
        assert ledger.note(OK, phone_numbers="13800000001, 13800000002", template_code="SMS_1") == 2
        ledger.note(OK | {"BizId": "2^0"}, phone_numbers=["+86 13800000003"], sent_at=date(2026, 11, 20), parts=2)
    sends = program("sends", "list").objects
    assert sorted(each["phone"] for each in sends) == ["13800000001", "13800000002", "13800000003"]
    assert {each["template_code"] for each in sends} == {"SMS_1", None}


class Sdk:
    """A response object as the SDKs make them."""

    def __init__(self, **fields: Any) -> None:
        self._fields = fields

    def to_map(self) -> dict[str, Any]:
        return self._fields


@pytest.mark.parametrize(
    "response",
    [
        OK, b'{"Code":"OK","BizId":"1^0"}', '{"Code":"OK","BizId":"1^0"}', Sdk(**OK), Sdk(headers={}, body=OK),
        SimpleNamespace(headers={}, body=Sdk(**OK)), {"ResponseCode": "OK", "MessageId": "123456789"},
    ],
)  # fmt: skip
def test_responses_of_all_kinds(program: Program, response: object) -> None:
    with smsreceipt.Ledger(program.location) as ledger:
        assert ledger.note(response, phone_numbers="13800000001") == 1
    assert listed(program) == ["13800000001"]


@pytest.mark.parametrize("response", [{"Code": "OK"}, "OK", None, 7, b"\xff"])
def test_what_is_no_response_is_refused(program: Program, response: object) -> None:
    with smsreceipt.Ledger(program.location) as ledger, pytest.raises(smsreceipt.SmsReceiptError):
        ledger.note(response, phone_numbers="13800000001")


def test_what_was_not_sent_is_not_noted(program: Program) -> None:
    with smsreceipt.Ledger(program.location) as ledger:
        assert ledger.note({"Code": "isv.BUSINESS_LIMIT_CONTROL"}, phone_numbers="13800000001") == 0
        with pytest.raises(smsreceipt.SmsReceiptError, match="a send cannot be kept"):
            ledger.note(OK, phone_numbers="nobody")
    assert listed(program) == []


def test_a_locked_store_delays_nobody_and_loses_nothing(program: Program) -> None:
    program.keep("SmsReport", b"{}")
    with closing(program.opened()) as store, smsreceipt.Ledger(program.location) as ledger:
        store._db.execute("BEGIN IMMEDIATE")  # type: ignore[attr-defined]
        began = time.monotonic()
        for n in range(50):
            ledger.note(OK, phone_numbers=f"138{n:08}")
        took = time.monotonic() - began
        store._db.execute("ROLLBACK")  # type: ignore[attr-defined]
    assert took < 3
    assert len(listed(program)) == 50
    assert noted(program) == []


def test_batches_are_flushed_at_their_end(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    flushes: list[Spool] = []
    original = Spool.flush

    def counted(spool: Spool) -> None:
        flushes.append(spool)
        original(spool)

    monkeypatch.setattr(Spool, "flush", counted)
    monkeypatch.setattr(module, "EVERY", 100.0)
    ledger = smsreceipt.Ledger(program.location)
    with ledger.batch():
        for n in range(20):
            ledger.note(OK, phone_numbers=f"138{n:08}")
        assert not flushes
        assert len(noted(program)[0].read_text().splitlines()) == 20
    assert len(flushes) == 1
    assert ledger.flush() == 20
    assert len(listed(program)) == 20


def test_a_disk_that_takes_half_a_line_has_none_of_it(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    with smsreceipt.Ledger(program.location) as ledger:
        monkeypatch.setattr(module, "EVERY", 100.0)
        ledger.note(OK, phone_numbers="13800000001")
        monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:5]))
        with pytest.raises(smsreceipt.SmsReceiptError, match="no space left"):
            ledger.note(OK, phone_numbers="13800000002")
        monkeypatch.undo()
        ledger.note(OK, phone_numbers="13800000003")
    assert sorted(listed(program)) == ["13800000001", "13800000003"]


def test_threads_and_forks_note_side_by_side(program: Program) -> None:
    with smsreceipt.Ledger(program.location) as ledger:
        ledger.note(OK, phone_numbers="13800000000")
        threads = [
            threading.Thread(target=lambda n=n: [ledger.note(OK, phone_numbers=f"138{n}{m:07}") for m in range(20)])
            for n in range(4)
        ]
        for each in threads:
            each.start()
        if not (child := os.fork()):
            code = 1
            try:
                fresh = smsreceipt.Ledger(program.location)
                fresh.note(OK, phone_numbers="13900000000")
                fresh.close()
                code = 0
            finally:
                os._exit(code)
        for each in threads:
            each.join()
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    found = listed(program)
    assert len(found) == len(set(found)) == 81
    assert "13900000000" in found


def test_what_a_kill_left_is_found_by_reconcile_and_by_the_next_ledger(program: Program) -> None:
    for take in (lambda: program("reconcile", "--date", "2026-11-20", "--no-totals"), None):
        folder = Path(f"{program.store}.noted")
        folder.mkdir(exist_ok=True)
        row = f'{{"phone_number":"1380000000{int(bool(take))}","biz_id":"1^0","sent_at":"2026-11-20T10:00:00+08:00"}}\n'
        (folder / "7-dead.ndjson").write_text(row + '{"phone_number":"13800')
        if take:
            take()
        else:
            with smsreceipt.Ledger(program.location) as ledger:
                ledger.flush()
        assert noted(program) == []
    assert sorted(listed(program)) == ["13800000000", "13800000001"]


def test_a_file_in_use_is_not_taken_over(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY", 100.0)
    first, second = smsreceipt.Ledger(program.location), smsreceipt.Ledger(program.location)
    first.note(OK, phone_numbers="13800000001")
    assert second.flush() == 0
    first.note(OK, phone_numbers="13800000002")
    assert first.flush() == 2
    first.close()
    second.close()


def test_noted_files_are_private(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY", 100.0)
    ledger = smsreceipt.Ledger(program.location)
    ledger.note(OK, phone_numbers="13800000001")
    [path] = noted(program)
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    ledger.close()


@pytest.mark.slow
def test_kills_lose_no_noted_send() -> None:
    assert torture.torture(3, bug="note-later").lost
    verdict = torture.torture(6)
    assert verdict.good, verdict


def test_numbers_may_be_integers(program: Program) -> None:
    with smsreceipt.Ledger(program.store) as ledger:
        assert ledger.note({"Code": "OK", "BizId": "1^0"}, phone_numbers=[13800008000, "13800008001"]) == 2  # type: ignore[list-item]
    assert [each["phone"] for each in program("sends", "list").objects] == ["13800008000", "13800008001"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"phone_numbers": "1380000\udcff"},
        {"phone_numbers": None},
        {"phone_numbers": [["13800008000"]]},
        {"out_id": "\udcff"},
        {"sign_name": b"x"},
        {"sent_at": "2026-11-20"},
    ],
    ids=str,
)
def test_what_is_no_text_and_no_time_is_refused_in_words(program: Program, wrong: dict[str, Any]) -> None:
    with smsreceipt.Ledger(program.store) as ledger, pytest.raises(smsreceipt.SmsReceiptError, match="cannot be kept"):
        ledger.note({"Code": "OK", "BizId": "1^0"}, **{"phone_numbers": "13800008000", **wrong})


def test_a_folder_is_refused_before_anything_is_noted(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(UsageError, match="is a directory"):
        smsreceipt.Ledger(folder)
    assert not [*folder.iterdir(), *tmp_path.glob("*.noted")]
