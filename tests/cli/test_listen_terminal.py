"""What a person sees of `listen` on a terminal of 80 columns."""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.cli.program import REPLY, report
from tests.cli.test_pull_terminal import screen

PUSHES = {"SmsReport": [report("13800000001", "1^0")], "SmsUp": [REPLY]}


def on_terminal(folder: Path, pushes: Mapping[str, Sequence[object]], **environ: str) -> list[str]:
    """The screen that is left after these pushes to a new listener, and a Ctrl-C."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    own = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LC_ALL", "LC_MESSAGES"}}
    variables = {**own, "PYTHONPATH": str(Path(__file__).parents[2]), "TERM": "xterm", "LANG": "C.UTF-8", **environ}
    words = ["listen", "--store", str(folder / "s.db"), "--bind", "127.0.0.1:0", "--metrics-bind", "off"]
    command = [sys.executable, "-m", "smsreceipt", *words, "--min-free", "0"]
    with subprocess.Popen(command, env=variables, stdin=theirs, stdout=theirs, stderr=theirs) as run:
        os.close(theirs)
        shown = _read(ours, rb"127\.0\.0\.1:\d+[;\xef]")
        port = int(re.findall(rb"127\.0\.0\.1:(\d+)", shown)[0])
        secret = (folder / "s.secret").read_text().splitlines()[-1]
        for kind, objects in pushes.items():
            assert _post(port, f"/{secret}/{kind}", objects) == 200
        shown += _read(ours, rb"568585703") if pushes else b""
        run.send_signal(signal.SIGINT)
        shown += _read(ours, None)
        os.close(ours)
        run.wait(30)
    return screen(shown.decode().replace("\r\n", "\n"))


def _post(port: int, path: str, objects: Sequence[object]) -> int:
    for _again in range(100):  # 503 until the store is open
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            connection.request("POST", path, json.dumps(objects))
            if (status := connection.getresponse().status) != 503:
                return status
        time.sleep(0.1)
    return 503


def _read(terminal: int, until: bytes | None) -> bytes:
    """What comes until this pattern, or until the last process that has the terminal is gone."""
    shown, limit = b"", time.monotonic() + 30
    while time.monotonic() < limit and not (until and re.search(until, shown)):
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                shown += os.read(terminal, 65536)
            except OSError:
                return shown
    return shown


@pytest.mark.parametrize("lang", ["C.UTF-8", "zh_CN.UTF-8"])
def test_lines_are_wrapped_between_words(tmp_path: Path, lang: str) -> None:
    lines = on_terminal(tmp_path, {}, LANG=lang)
    first = next(n for n, line in enumerate(lines) if "GlobeSmsReport" in line)
    last = next(n for n, line in enumerate(lines) if line.endswith("VoiceReport"))
    assert last > first
    assert all(line.endswith((",", "、")) for line in lines[first:last])


def test_the_summary_is_a_sentence(tmp_path: Path) -> None:
    said = " ".join(on_terminal(tmp_path, PUSHES))
    assert re.search(
        r"received 2 in \d+\.\d s \(\d+/s\): 1 delivered, 1 other; 2 pushes, the slowest answered in \d+ ms$", said
    )
    assert "received=" not in said


def test_the_summary_in_chinese(tmp_path: Path) -> None:
    said = "".join(on_terminal(tmp_path, PUSHES, LANG="zh_CN.UTF-8"))
    assert re.search(r"已送达 1，其他 1；推送 2 次，最慢的应答 \d+ ?毫秒$", said)
