"""Runs command lines in copies of a process that has imported the program, which spares a start for each.

`python -m tests.copies --serve FD` is that process: FD is a socket, a request is a line of JSON, the answer is a line
with the exit code.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import runpy
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn, TypedDict

ROOT = Path(__file__).parents[1]
_PATIENCE = 60  # seconds until a command that hangs is killed
#: What is not imported before it is needed: the program itself, and what brings large libraries that few commands use.
_LEFT_OUT = ("__main__", ".parquet", ".xlsx")
#: Parts of other packages that are imported late, which a user who must not look where Python lies could not.
_LATE = ("encodings.idna", "platformdirs.unix", "rich.table")


class Request(TypedDict):
    """A command line that is to be run: its words, its folder, its whole environment and the files of its streams."""

    words: Sequence[str]
    folder: str
    environment: Mapping[str, str]
    streams: Sequence[str]
    user: int | None


class Copies:
    """The process, and what asks it; to be closed."""

    def __init__(self, *script: str) -> None:
        """*script*: the arguments of Python with which it is run instead of this module."""
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, *(script or ("-m", "tests.copies")), "--serve", str(theirs.fileno())],
                cwd=ROOT,
                env={"PATH": os.environ["PATH"], "TZ": "UTC", "LANG": "C.UTF-8", "PYTHONUTF8": "1"},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        ours.settimeout(2 * _PATIENCE)
        self._ours, self._lines = ours, ours.makefile("rw")

    def run(
        self,
        words: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        stdin: bytes = b"",
        user: int | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run `smsreceipt WORDS` in *folder* with this environment and no other; *user*: the uid to run as."""
        with TemporaryDirectory(prefix="streams-") as place:
            streams = [Path(place, name) for name in ("stdin", "stdout", "stderr")]
            streams[0].write_bytes(stdin)
            asked = Request(
                words=words, folder=str(folder), environment=environment, streams=[*map(str, streams)], user=user
            )
            self._lines.write(json.dumps(asked) + "\n")
            self._lines.flush()
            code = int(self._lines.readline())
            return subprocess.CompletedProcess(words, code, streams[1].read_bytes(), streams[2].read_bytes())

    def close(self) -> None:
        """End the process."""
        self._lines.close()
        self._ours.close()
        self._process.wait(_PATIENCE)


def serve(descriptor: int) -> None:
    """Run each command line that is asked for in a copy of this process, until the socket is closed."""
    import smsreceipt

    sys.dont_write_bytecode = True  # other users must not
    for name in (*_LATE, *(each.name for each in pkgutil.walk_packages(smsreceipt.__path__, "smsreceipt."))):
        if not name.endswith(_LEFT_OUT):
            importlib.import_module(name)
    gc.freeze()  # no copy looks through what was imported
    with socket.socket(fileno=descriptor) as served, served.makefile("rw") as lines:
        for line in lines:
            request: Request = json.loads(line)
            if (child := os.fork()) == 0:
                _become(request)
                _end_with(run())
            _, status = os.waitpid(child, 0)
            lines.write(f"{os.waitstatus_to_exitcode(status)}\n")
            lines.flush()


def run() -> int:
    """Run `smsreceipt` with the words of this process; returns its exit code."""
    try:
        runpy.run_module("smsreceipt", run_name="__main__", alter_sys=True)
    except SystemExit as exc:
        return int(exc.code or 0)
    return 0


def _become(request: Request) -> None:
    """Give this process the streams, the environment, the folder, the user and the words of a request."""
    modes = (os.O_RDONLY, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream, (file, mode) in enumerate(zip(request["streams"], modes, strict=True)):
        opened = os.open(file, mode)
        os.dup2(opened, stream)
        os.close(opened)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    signal.alarm(_PATIENCE)
    if (user := request["user"]) is not None:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
    sys.argv[1:] = request["words"]


def _end_with(code: int) -> NoReturn:
    """End this copy without taking apart all that was imported; the program has written out its streams."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    os._exit(code)


if __name__ == "__main__":
    serve(int(sys.argv[2]))
