"""Runs the program with a frozen clock: `python frozen.py list --json` is `smsreceipt list --json` at NOW.

The wall clock is replaced before the program is imported, because modules bind what they import. The monotonic clock
is not replaced: time-outs and durations are real.

`python frozen.py --serve FD` imports the program once and runs command lines in copies of itself, which spares
hundreds of starts. FD is a socket; a request is a line of JSON, the answer is a line with the exit code.
"""

from __future__ import annotations

import datetime as dt
import gc
import importlib
import json
import os
import pkgutil
import runpy
import socket
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn, Self, TypedDict

#: 2026-11-21 12:00:00 Beijing time, in seconds since 1970.
NOW = 1_795_233_600.0

#: What is not imported before it is needed: the program itself, and what brings large libraries that few commands use.
_LEFT_OUT = ("__main__", ".parquet", ".xlsx", ".postgres.arrays")

_datetime = dt.datetime
_gmtime, _localtime = time.gmtime, time.localtime


class _AnyDatetime(type):
    """Makes isinstance() accept datetimes that were created by C code."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _datetime)


class _Frozen(_datetime, metaclass=_AnyDatetime):
    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> Self:
        return cls.fromtimestamp(NOW, tz)


def _freeze() -> None:
    time.time = lambda: NOW
    time.time_ns = lambda: int(NOW) * 10**9
    time.gmtime = lambda seconds=None, /: _gmtime(NOW if seconds is None else seconds)
    time.localtime = lambda seconds=None, /: _localtime(NOW if seconds is None else seconds)
    dt.datetime = _Frozen  # type: ignore[misc]


class Request(TypedDict):
    """A command line that is to be run: its words, its folder, its whole environment and the files of its streams."""

    words: list[str]
    folder: str
    environment: dict[str, str]
    streams: tuple[str, str, str]


def _serve(served: socket.socket) -> None:
    """Run each command line that is asked for in a process of its own."""
    import smsreceipt

    for module in pkgutil.walk_packages(smsreceipt.__path__, "smsreceipt."):
        if not module.name.endswith(_LEFT_OUT):
            importlib.import_module(module.name)
    gc.freeze()  # no copy looks through what was imported
    with served, served.makefile("rw") as lines:
        for line in lines:
            request: Request = json.loads(line)
            if (child := os.fork()) == 0:
                _become(request)
                _end_with(_run())
            _, status = os.waitpid(child, 0)
            lines.write(f"{os.waitstatus_to_exitcode(status)}\n")
            lines.flush()


def _become(request: Request) -> None:
    """Give this process the folder, the environment, the streams and the words of a request."""
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    modes = (os.O_RDONLY, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream, (file, mode) in enumerate(zip(request["streams"], modes, strict=True)):
        opened = os.open(file, mode)
        os.dup2(opened, stream)
        os.close(opened)
    sys.argv[1:] = request["words"]


def _end_with(code: int) -> NoReturn:
    """End this copy without taking apart all that was imported; the program has written out its streams."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    os._exit(code)


def _run() -> int:
    """Run `smsreceipt` with the words of this process; returns its exit code."""
    try:
        runpy.run_module("smsreceipt", run_name="__main__", alter_sys=True)
    except SystemExit as exc:
        return int(exc.code or 0)
    return 0


if __name__ == "__main__":
    _freeze()
    sys.path[0] = str(Path(__file__).parents[2])  # the package of this checkout, whatever is installed
    if sys.argv[1:2] == ["--serve"]:
        _serve(socket.socket(fileno=int(sys.argv[2])))
    else:
        sys.exit(_run())
