"""`watch`: what it prints and tells, how it ends, and what it never says."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from smsreceipt.insight.alarms import texts
from smsreceipt.model import BEIJING, Instant
from tests.cli.program import NOW, Ended, Program, report
from tests.notify import peers
from tests.notify.peers import PATHS, SECRET, TOKEN, running

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
PHONE, TEXT, OUT_ID = "13800001234", "canary 您的验证码是 246810", "canary-order"
ROBOT = ("--notify", "dingtalk:env:ROBOT")


def clock(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, BEIJING):%Y-%m-%d %H:%M:%S}"


def keep(program: Program, at: int, delivered: int, failed: int, code: str = "UNDELIV") -> None:
    """Messages that were sent at *at*, with receipts 4 s later."""
    times = {"send_time": clock(at), "report_time": clock(at + 4000), "out_id": OUT_ID}
    bodies = [
        report(PHONE[:-4] + f"{n:04}", f"{at}{n}^0", **times)
        | ({} if n < delivered else {"success": False, "err_code": code, "err_msg": TEXT})
        for n in range(delivered + failed)
    ]
    program.keep("SmsReport", *bodies, received_at=Instant(at + 5000))


def usual_week(program: Program) -> None:
    for day in range(7, 0, -1):
        keep(program, NOW - day * DAY - 13 * MINUTE, 97, 3)


def at(minutes: float) -> dict[str, Any]:
    return {"now": lambda: Instant(round(NOW + minutes * MINUTE))}


def record(ended: Ended) -> list[tuple[str, str]]:
    return [(each["rule"], each["state"]) for each in ended.objects]


@pytest.mark.each_engine
def test_a_drop_is_told_once_and_once_when_it_is_over(program: Program) -> None:
    usual_week(program)
    keep(program, NOW - 10 * MINUTE, 150, 100)
    with running(peers.dingtalk, now=lambda: NOW / 1000) as robot:
        seams: dict[str, Any] = {"environ": {"ROBOT": f"{robot.url(PATHS['dingtalk'])} {SECRET}"}}
        first = program("watch", "--once", *ROBOT, **seams)
        again = program("watch", "--once", *ROBOT, **seams, **at(2))
        repeated = program("watch", "--once", *ROBOT, **seams, **at(8), columns=80)
        keep(program, NOW + 30 * MINUTE, 240, 5)
        half = program("watch", "--once", *ROBOT, "--rule", "silence=off", **seams, **at(40))
        keep(program, NOW + 48 * MINUTE, 240, 5)
        over = program("watch", "--once", *ROBOT, "--rule", "silence=off", **seams, **at(58))
    assert (first.code, again.code, repeated.code, half.code, over.code) == (3, 3, 3, 3, 0)
    assert record(first) == [("rate", "firing"), ("code", "firing")]
    assert record(again) == record(repeated) == record(half) == []
    assert sorted(record(over)) == [("code", "cleared"), ("rate", "cleared")]
    told = first.objects[0]
    assert told == {
        "at": "2026-11-21T12:00:00+08:00",
        "rule": "rate",
        "state": "firing",
        "value": 0.6,
        "threshold": 0.92,
        "window": 900,
        "dimension": None,
        "text_en": "delivery rate 60.00 % of 250 messages, usually 97.00 % at this hour",
        "text_zh": "成功率 60.00 %（250 条），平时同一时段为 97.00 %",
        "command": "smsreceipt stats --date today --by carrier",
    }
    assert first.objects[1]["command"] == "smsreceipt explain UNDELIV"
    assert first.err.startswith("2 alarms: delivery rate 60.00 %")
    assert [got.json["markdown"]["title"] for got in robot.accepted] == [
        "smsreceipt: 2 alarms",
        "smsreceipt: 2 cleared",
    ]


def test_nothing_about_people_is_told(program: Program, tmp_path: Path) -> None:
    usual_week(program)
    keep(program, NOW - 10 * MINUTE, 150, 100, code=PHONE)
    keep(program, NOW - 9 * MINUTE, 150, 100, code=TEXT)
    program.keep("SmsUp", b'{"phone_number": "' + PHONE.encode() + b'", "content": "' + TEXT.encode())
    told = tmp_path / "told"
    ended = program("watch", "--once", "-vv", "--notify", f"exec:tee -a {told}")
    table = program(
        "watch", "--once", "--rule", "rejects=2", "-o", "table", "--notify", f"exec:tee -a {told}", **at(61)
    )
    nagios = program("watch", "--nagios")
    shown = ended.out + ended.err + table.out + table.err + told.read_text() + nagios.out
    assert [each["dimension"] for each in ended.objects if each["rule"] == "code"] == ["other"]
    for secret in (PHONE[:7], "246810", "canary", OUT_ID, "验证码"):
        assert secret not in shown
    with closing(program.opened()) as store:
        notes = json.dumps([*store.notes("watch").items()], ensure_ascii=False)
    assert PHONE[:7] not in notes
    assert TEXT not in notes


def test_no_address_is_said_or_stored(program: Program) -> None:
    program.keep("SmsUp", b"{")
    with running(lambda _robot, _got: (200, {"errcode": 310000, "errmsg": SECRET})) as robot:
        seams: dict[str, Any] = {"environ": {"ROBOT": f"{robot.url(PATHS['dingtalk'])} {SECRET}"}}
        ended = program("watch", "--once", "-vv", "--debug", *ROBOT, **seams)
        tried = program("watch", "--test", *ROBOT, **seams)
    assert ended.code == tried.code == 5
    assert "error: dingtalk:env:ROBOT: 127.0.0.1:" in ended.err
    assert tried.objects[0]["told"] is False
    with closing(program.opened()) as store:
        notes = str(store.notes("watch"))
    for secret in (TOKEN, SECRET):
        assert secret not in ended.out + ended.err + tried.out + tried.err + notes
    assert "dingtalk:env:ROBOT" in notes


def test_a_robot_that_is_down_is_told_later_and_keeps_nobody_from_the_others(program: Program, tmp_path: Path) -> None:
    program.keep("SmsUp", b"{")
    told = tmp_path / "told"
    words = ("watch", "--once", *ROBOT, "--notify", f"exec:tee -a {told}")
    down = program(*words, environ={"ROBOT": "http://127.0.0.1:1/robot/send?access_token=x"})
    assert down.code == 5
    assert len(told.read_text().splitlines()) == 1
    with running(peers.dingtalk, now=lambda: NOW / 1000) as robot:
        up = program(*words, environ={"ROBOT": f"{robot.url(PATHS['dingtalk'])} {SECRET}"}, **at(2))
    assert (up.code, len(robot.accepted)) == (3, 1)
    assert len(told.read_text().splitlines()) == 1


@pytest.mark.each_engine
def test_of_several_watchers_one_tells(program: Program, tmp_path: Path) -> None:
    program.keep("SmsUp", b"{")
    told = tmp_path / "told"
    words = [sys.executable, "-m", "smsreceipt", "--store", program.location, "watch", "--once", "--insecure-db"]
    running = [
        subprocess.Popen([*words, "--notify", f"exec:tee -a {told}"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for _ in range(4)
    ]
    lines = [each.communicate()[0] for each in running]
    assert {each.returncode for each in running} == {3}
    assert len(told.read_text().splitlines()) == 1
    assert sum(line.count(b"\n") for line in lines) == 1


def test_after_a_kill_between_telling_and_noting_it_is_told_once_more(program: Program, tmp_path: Path) -> None:
    program.keep("SmsUp", b"{")
    told = tmp_path / "told"
    words = ["watch", "--once", "--notify", f"shell:cat >> {told}; test -e {tmp_path}/no || kill -9 $PPID"]
    run = [sys.executable, "-m", "smsreceipt", "--store", program.location, *words]
    assert subprocess.run(run, capture_output=True, check=False).returncode == -signal.SIGKILL
    (tmp_path / "no").touch()  # kills nobody any more
    later = Instant(time.time_ns() // 1_000_000)
    for minutes, lines in ((1, 1), (6, 2), (8, 2), (30, 2)):
        ended = program(*words, now=lambda: Instant(later + minutes * MINUTE))  # noqa: B023 - called at once
        assert (ended.code, ended.out) == (3, "")
        assert len(told.read_text().splitlines()) == lines, minutes


def test_the_robot_is_asked_for_a_test_message(program: Program) -> None:
    with running(peers.feishu, now=lambda: NOW / 1000) as robot:
        seams: dict[str, Any] = {"environ": {"ROBOT": f"{robot.url(PATHS['feishu'])} {SECRET}"}}
        ended = program("watch", "--test", "--lang", "zh", "--notify", "feishu:env:ROBOT", **seams)
    assert ended.code == 0
    assert (ended.objects[0]["robot"], ended.objects[0]["told"]) == ("feishu:env:ROBOT", True)
    assert robot.accepted[0].json["card"]["header"]["title"]["content"] == "smsreceipt：测试"


def test_without_a_robot_there_is_nothing_to_test(program: Program) -> None:
    ended = program("watch", "--test")
    assert (ended.code, ended.out) == (2, "")
    assert "hint: Name one: --notify" in ended.err


def test_nagios_gets_one_line_and_its_own_codes(program: Program, tmp_path: Path) -> None:
    fine = program("watch", "--nagios")
    assert (fine.code, fine.out, fine.err) == (0, "SMSRECEIPT OK - no alarm | alarms=0\n", "")
    program.keep("SmsUp", b"{")
    warned = program("watch", "--nagios")
    assert (warned.code, warned.out.split(" - ")[0]) == (1, "SMSRECEIPT WARNING")
    critical = program("watch", "--nagios", "--rule", "disk=900000GiB")
    assert (critical.code, critical.out.split(" - ")[0]) == (2, "SMSRECEIPT CRITICAL")
    (tmp_path / "broken").write_bytes(b"x" * 5000)
    unknown = program("--store", str(tmp_path / "broken"), "watch", "--nagios")
    assert (unknown.code, unknown.out.split(" - ")[0]) == (3, "SMSRECEIPT UNKNOWN")


@pytest.mark.each_engine
def test_each_look_counts_what_came_so_that_figures_need_no_scan(program: Program) -> None:
    keep(program, NOW - 13 * MINUTE, 30, 3)
    with closing(program.opened()) as store:
        assert (store.folded().rest, store.folded().complete) == (33, False)
    program("watch", "--once", **at(0))
    with closing(program.opened()) as store:
        assert (store.folded().rest, store.folded().complete) == (0, True)


def test_an_empty_store_is_not_made(program: Program) -> None:
    ended = program("watch", "--once")
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    assert not program.store.exists()


def test_status_checks_without_noting(program: Program) -> None:
    program.keep("SmsUp", b"{")
    ended = program("status", "--check")
    assert ended.code == 3
    assert ended.objects[0]["alarms"][0]["rule"] == "rejects"
    assert ended.err == "1 alarm: rejects: 1; what came could not be decoded\n"
    with closing(program.opened()) as store:
        assert store.notes("watch") == {}
    assert "alarms" not in program("status").objects[0]
    assert program("status", "--check", terminal=True, environ={"LANG": "zh_CN.UTF-8"}).err.startswith("1 项告警：拒收")


def test_the_configuration_sets_rules_for_both(program: Program, tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text('[watch]\nrule = ["rejects=5"]\nnotify = ["exec:true"]\nrepeat = "2h"\n')
    program.keep("SmsUp", b"{")
    assert program("--config", str(config), "watch", "--once").code == 0
    assert program("--config", str(config), "status", "--check").code == 0
    config.write_text('[watch]\nrule = ["rejects=none"]\n')
    refused = program("--config", str(config), "watch", "--once")
    assert (refused.code, "is no threshold: rejects=10 or rejects=off" in refused.err) == (2, True)


@pytest.mark.parametrize("terminal", [False, True])
def test_on_a_terminal_a_change_is_a_sentence_with_the_next_command(program: Program, terminal: bool) -> None:
    program.keep("SmsUp", b"{")
    ended = program("watch", "--once", "--no-color", terminal=terminal, environ={"LC_ALL": "zh_CN.UTF-8"})
    if terminal:
        assert ended.out.splitlines() == [
            "11-21 12:00:00  ! 拒收 1 条：收到的内容无法解析",
            "                  smsreceipt rejects list",
        ]
    else:
        assert record(ended) == [("rejects", "firing")]


def test_a_queue_that_cannot_be_asked_is_an_error_and_the_other_rules_are_judged(
    program: Program, tmp_path: Path
) -> None:
    config = tmp_path / "c.toml"
    config.write_text('[queues]\n"Alicom-Queue-1000000001-SmsReport" = "SmsReport"\n')
    program.keep("SmsUp", b"{")
    ended = program("--config", str(config), "watch", "--once")
    assert ended.code == 4
    assert record(ended) == [("rejects", "firing")]
    assert program("--config", str(config), "watch", "--once", "--rule", "backlog=off").code == 3


def test_it_goes_on_until_it_is_stopped(program: Program, tmp_path: Path) -> None:
    told = tmp_path / "told"
    words = ["--store", program.location, "watch", "--every", "1s", "--notify", f"exec:tee -a {told}"]
    watching = subprocess.Popen(
        [sys.executable, "-m", "smsreceipt", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        time.sleep(1.5)
        program.keep("SmsUp", b"{")
        assert watching.stdout is not None
        line = json.loads(watching.stdout.readline())
        assert (line["rule"], line["state"]) == ("rejects", "firing")
        deadline = time.monotonic() + 10
        while not told.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        program("rejects", "drop", "--all", "--yes")
        assert json.loads(watching.stdout.readline())["state"] == "cleared"
    finally:
        watching.send_signal(signal.SIGTERM)
        rest, err = watching.communicate(timeout=20)
    assert (watching.returncode, rest) == (143, "")
    assert err.startswith("watching every 1 s, until stopped: silence, rate, ")
    assert err.count("\n") == 1
    assert len(told.read_text().splitlines()) == 1  # the rest waits for its minute


def test_a_person_is_told_that_there_is_no_alarm_and_cron_is_not(program: Program) -> None:
    looked = program("watch", "--once", "--rule", "all=off", "--rule", "rejects", stderr_is_tty=True)
    assert (looked.code, looked.out, looked.err) == (0, "", "no alarm: rejects\n")
    assert program("watch", "--once").err == ""


@pytest.mark.parametrize("command", sorted({*texts.COMMANDS.values()} - {"smsreceipt pull"}))
def test_the_command_of_an_alarm_can_be_run_as_it_is(program: Program, command: str) -> None:
    program.keep("SmsReport", report())
    ended = program(*command.split()[1:])
    assert ended.code != 2, ended.err
