"""Whoever gets exit code 3 gets a sentence that says why, also with -q."""

from __future__ import annotations

import ast
import gzip
import json
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import smsreceipt
from smsreceipt.app import App
from smsreceipt.model import BEIJING, Instant
from smsreceipt.sandbox import Options, PastSend, Sandbox
from tests.aliyun.peer import says, serving
from tests.cli.program import CALL, NOW, Ended, Program, report

PACKAGE = Path(smsreceipt.__file__).parent
NOON = datetime.now(BEIJING).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
DAY = NOON.date().isoformat()
PHONE = "13800000001"
ODD_RECORD = {"Code": "OK", "TotalCount": "1", "SmsSendDetailDTOs": {"SmsSendDetailDTO": [5]}}
#: Runs whose tests stand with their subjects: tests/runs/test_queries.py, tests/runs/test_list_check.py,
#: tests/cli/test_store.py, tests/cli/test_recordings.py, tests/cli/test_stats.py, tests/cli/test_check.py,
#: tests/cli/test_outages.py, tests/cli/test_forget.py.
ELSEWHERE = {
    "runs/forget.py",
    "runs/removing.py",
    "runs/receiving.py",
    "runs/prune.py",
    "runs/reconcile.py",
    "runs/day_totals.py",
    "runs/list_check.py",
    "runs/copy_store.py",
    "runs/recordings.py",
    "runs/fetch_recordings.py",
    "runs/stats.py",
    "runs/export.py",
    "runs/forward.py",
    "runs/check.py",
    "runs/outages.py",
    "runs/unguarded.py",
}
Case = Callable[[Program, Path], Ended]


def saved(folder: Path, *bodies: object) -> str:
    path = folder / "saved.json"
    path.write_text("\n".join(json.dumps(body) for body in bodies))
    return str(path)


def asking(program: Program, url: str, *words: str) -> Ended:
    now = Instant(round(datetime.now(BEIJING).timestamp() * 1000))
    environ = {
        "SMSRECEIPT_DYSMSAPI_ENDPOINT": url,
        "ALIBABA_CLOUD_ACCESS_KEY_ID": "sandbox",
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "sandbox-secret",
    }
    return program("-q", "query-details", "--date", DAY, *words, environ=environ, now=lambda: now)


def asking_the_sandbox(program: Program, *words: str, **options: Any) -> Ended:
    with Sandbox(Options(port=0, seed=3, **options)) as sandbox:
        at = NOON.timestamp()
        sandbox.remember([PastSend(phone=PHONE, biz_id="1^0", sent=at, reported=at + 5)])
        return asking(program, sandbox.url, *words)


def nothing_found(program: Program, _: Path) -> Ended:
    return program("-q", "show", PHONE)


def nothing_came(program: Program, _: Path) -> Ended:
    program.keep("SmsReport", report(), received_at=Instant(NOW - 7_200_000))
    return program("-q", "status", "--max-age", "1h", "--kind", "SmsUp")


def nothing_came_lately(program: Program, _: Path) -> Ended:
    program.keep("SmsReport", report(), received_at=Instant(NOW - 7_200_000))
    return program("-q", "status", "--max-age", "1h", "--kind", "SmsReport")


def a_reject(program: Program, folder: Path) -> Ended:
    return program("-q", "replay", saved(folder, {"unheard": "of"}))


def a_reject_of_a_dry_run(program: Program, folder: Path) -> Ended:
    return program("-q", "replay", "--dry-run", saved(folder, {"unheard": "of"}))


def what_cannot_be_pushed(program: Program, folder: Path) -> Ended:
    return program("-q", "replay", saved(folder, {"unheard": "of"}), "--to", "http://127.0.0.1:9/{kind}")


def a_file_that_is_cut_off(program: Program, folder: Path) -> Ended:
    (folder / "a.gz").write_bytes(gzip.compress(json.dumps([report(out_id=str(n)) for n in range(500)]).encode())[:-90])
    return program("-q", "replay", str(folder / "a.gz"))


def a_parquet_file_that_is_cut_off(program: Program, folder: Path) -> Ended:
    (folder / "a.parquet").write_bytes(b"PAR1" + bytes(500))
    return program("-q", "replay", str(folder / "a.parquet"))


def an_empty_list(program: Program, folder: Path) -> Ended:
    (folder / "sends.csv").write_text("phone,biz_id,send_time\n")
    return program("-q", "sends", "import", str(folder / "sends.csv"))


def a_bad_row(program: Program, folder: Path) -> Ended:
    (folder / "sends.csv").write_text(f"phone,biz_id,send_time\n{PHONE},1^0,someday\n")
    return program("-q", "sends", "import", str(folder / "sends.csv"))


def a_call_without_an_end(program: Program, _: Path) -> Ended:
    program.keep("SecretStartReport", CALL)
    return program("-q", "reconcile", "--calls", "--date", "2026-11-20", "--fail-on-missing")


def a_line_without_a_number(program: Program, folder: Path) -> Ended:
    (folder / "numbers.csv").write_text(f"phone\n{PHONE}\n1.38E+10\n")
    return asking_the_sandbox(program, "--phones-from", str(folder / "numbers.csv"))


def a_number_that_is_refused(program: Program, _: Path) -> Ended:
    return asking_the_sandbox(program, "--phone", "12345")


def pages_that_contradict_each_other(program: Program, _: Path) -> Ended:
    return asking_the_sandbox(program, "--phone", PHONE, faults={"empty": 1.0})


def a_record_that_cannot_be_read(program: Program, _: Path) -> Ended:
    body = json.dumps(ODD_RECORD).encode()
    answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    with serving(says(answer)) as (provider, _seen):
        return asking(program, provider.url, "--phone", PHONE)


def an_alarm(program: Program, _: Path) -> Ended:
    program.keep("SmsReport", b"broken")
    return program("-q", "status", "--check")


def an_alarm_of_watch(program: Program, _: Path) -> Ended:
    program.keep("SmsReport", b"broken")
    return program("-q", "watch", "--once")


def a_queue_that_does_not_answer(program: Program, _: Path) -> Ended:
    with Sandbox(Options(port=0, seed=3)) as sandbox:
        environ = {**sandbox.environment(), "SMSRECEIPT_PULL_QUEUE": "Alicom-Queue-77-SmsReport"}
        return program("-q", "status", "--backlog", environ=environ)


def a_warning_of_doctor(program: Program, _: Path) -> Ended:
    key = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "sandbox", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "sandbox-secret"}
    return program("-q", "doctor", "--offline", environ=key, encoding="gbk")


CASES: list[Case] = [
    an_alarm,
    an_alarm_of_watch,
    a_queue_that_does_not_answer,
    a_warning_of_doctor,
    nothing_found,
    nothing_came,
    nothing_came_lately,
    a_reject,
    a_reject_of_a_dry_run,
    what_cannot_be_pushed,
    a_file_that_is_cut_off,
    a_parquet_file_that_is_cut_off,
    an_empty_list,
    a_bad_row,
    a_call_without_an_end,
    a_line_without_a_number,
    a_number_that_is_refused,
    pages_that_contradict_each_other,
    a_record_that_cannot_be_read,
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_exit_3_has_its_sentence_also_with_q(program: Program, tmp_path: Path, case: Case) -> None:
    ended = case(program, tmp_path)
    assert ended.code == 3
    assert ended.err.strip()
    assert not [line for line in ended.err.splitlines() if line.startswith(("received=", "numbers=", "rows="))]
    assert PHONE not in ended.err
    assert ended.objects is not None  # standard output holds JSON only


def test_every_place_that_sets_exit_3_is_tried(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: set[tuple[str, int]] = set()
    real = App.needs_a_look

    def noted(app: App, why: str) -> None:
        caller = sys._getframe(1)
        tried.add((Path(caller.f_code.co_filename).relative_to(PACKAGE).as_posix(), caller.f_lineno))
        real(app, why)

    monkeypatch.setattr(App, "needs_a_look", noted)
    for number, case in enumerate(CASES):
        folder = tmp_path / str(number)
        folder.mkdir()
        case(Program(folder), folder)
    there = {
        (path.relative_to(PACKAGE).as_posix(), node.lineno)
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "needs_a_look"
    }
    assert {(path, line) for path, line in there - tried if path not in ELSEWHERE} == set()


def test_nothing_else_sets_exit_3() -> None:
    texts = {path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}
    assert {name for name, text in texts.items() if "end_with(3)" in text} == {"app.py"}
    errors = {name for name, text in texts.items() if "exit_code = 3" in text}
    assert errors == {"sources/files/open.py", "sources/files/parquet.py"}
