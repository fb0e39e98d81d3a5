"""The demo's commands sign with the sandbox's key, whatever the user's own surroundings say."""

import contextlib
import io
import json
import os
import pty
import shlex
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from smsreceipt.app import App
from smsreceipt.demo.runner import Runner, typed
from smsreceipt.sandbox import Options, Sandbox

REPORT = {
    "phone_number": "13800000001",
    "send_time": "2026-11-20 15:49:55",
    "report_time": "2026-11-20 15:49:58",
    "success": True,
    "err_code": "DELIVERED",
    "err_msg": "用户接收成功",
    "sms_size": "1",
}


def test_the_users_own_profile_takes_no_part(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SMSRECEIPT_PROFILE", "work")
    monkeypatch.setenv("ALIBABA_CLOUD_PROFILE", "work")
    monkeypatch.setenv("ALIBABA_CLOUD_SECURITY_TOKEN", "token")
    monkeypatch.setenv("SMSRECEIPT_PULL_QUEUE", "Alicom-Queue-1-SmsReport")
    Path("smsreceipt.toml").write_text('profile = "work"\n')
    app = App({}, tmp_path, None, None, None)
    with Sandbox(Options(port=0)) as sandbox:
        # Two, and these two: of some generated ones it is chance how many are reports.
        sandbox.put_object("SmsReport", *({**REPORT, "biz_id": f"90000000000000000{n}^0"} for n in range(2)))
        runner = Runner(app, tmp_path, sandbox.environment())
        words = ["pull", "--uid", "1000000001", "--type", "SmsReport", "--peek", "--max", "2"]
        assert runner.run(words, printed=False).count(b"\n") == 2


def test_paragraphs_and_commands_fit_the_terminal_and_commands_can_be_copied(tmp_path: Path) -> None:
    said = io.StringIO()
    runner = Runner(App({}, tmp_path, None, None, said, columns=40), tmp_path)
    runner.note("word " * 30)
    assert max(map(len, said.getvalue().splitlines())) <= 40
    words = ["status", "--flag", *(word for n in range(9) for word in (f"--option-{n}", "a value")), "--json", "> file"]
    lines = typed(words, 38)
    assert max(map(len, lines)) <= 40
    assert all(line.endswith(" \\") for line in lines[:-1])
    assert not any(line.rstrip(" \\").endswith(tuple("0123456789")) for line in lines), "a value on its own"
    joined = "\n".join(lines).replace("\\\n", "")
    assert shlex.split(joined) == ["$", "smsreceipt", *words[:-1], ">", "file"]


def test_a_command_writes_where_it_says(tmp_path: Path) -> None:
    said = io.StringIO()
    runner = Runner(App({}, tmp_path, None, None, said), tmp_path)
    runner.run(["status"], into="status.ndjson")
    assert said.getvalue() == "\n$ smsreceipt status --json > status.ndjson\n"
    assert json.loads((tmp_path / "status.ndjson").read_text())["store"]


def test_a_command_in_the_background_draws_no_live_line_over_the_demo(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    script = (
        "import io, pathlib, sys, time; from smsreceipt.app import App; from smsreceipt.demo.runner import Runner\n"
        "folder = pathlib.Path(sys.argv[1]); runner = Runner(App({}, folder, None, None, io.StringIO()), folder)\n"
        "words = ['listen', '--bind', '127.0.0.1:0', '--metrics-bind', 'off', '--min-free', '0']\n"
        "with runner.run_in_background(words, into='pushed.ndjson'): time.sleep(4)"
    )
    environment = {**os.environ, "TERM": "xterm", "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stderr=theirs, env=environment) as run:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # the last process that had the terminal is gone
            while piece := os.read(ours, 65536):
                shown += piece
        os.close(ours)
    assert run.returncode == 0
    assert b"listening on" in shown
    assert b"\r" not in shown.replace(b"\r\n", b"\n")


@pytest.mark.slow
def test_the_demo_accounts_for_every_send_within_80_columns(tmp_path: Path) -> None:
    environ = {**os.environ, "COLUMNS": "80", "TMPDIR": str(tmp_path), "SMSRECEIPT_OUTPUT": "table"}
    done = subprocess.run(
        [sys.executable, "-m", "smsreceipt", "demo"], check=False, env=environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    *_, onward, last = done.stderr.strip().split("\n\n")
    ends = " ".join(last.split())
    assert ends == "Done: 300 SMS sent, 300 accounted for: 270 delivered, 27 failed, 3 still waiting for their carrier."
    assert "refused=0" in done.stderr
    assert "seen 2 times" in done.stdout
    assert "came by query QuerySendDetails" in done.stdout
    assert max(map(wide, done.stdout.splitlines())) <= 80
    assert "receipts=3 sends=0 rejects=0 notes=0 recordings=1" in done.stderr
    assert not [*tmp_path.rglob("*.mp3")]
    typed = [line for line in done.stderr.splitlines() if line.startswith(("$ smsreceipt", "    --"))]
    assert len(typed) > 12
    assert max(map(len, typed)) <= 80
    pasted = [line.removeprefix("$ ") for line in onward.splitlines() if line.startswith("$ ")]
    script = "\n".join([*pasted, "kill $!"]).replace("--generate 1000", "--port 0 --generate 20")
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (bin_folder / "smsreceipt").write_text(f'#!/bin/sh\nexec {sys.executable} -m smsreceipt "$@"\n')
    (bin_folder / "smsreceipt").chmod(0o700)
    environ |= {"PATH": f"{bin_folder}{os.pathsep}{environ['PATH']}", "PYTHONPATH": str(Path(__file__).parents[2])}
    looked = subprocess.run(["sh", "-ec", script], check=False, env=environ, capture_output=True, text=True, cwd="/")
    assert looked.returncode == 0, looked.stderr
    assert "order-10" in looked.stdout, "what the demo stored"
    assert "received=20 " in looked.stderr


def wide(line: str) -> int:
    """The columns that a line takes."""
    return sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in line)
