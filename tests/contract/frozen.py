"""Runs the program while its clock stands still: `python frozen.py list --json` is `smsreceipt list --json` at NOW.

Every date, age and time of arrival is then the same on every run. The clock is replaced before the program is
imported, because modules keep the functions that they import. Durations are measured by another clock, which runs on.
"""

from __future__ import annotations

import datetime as dt
import runpy
import sys
import time
from typing import Self

#: 2026-11-21 12:00:00 Beijing time, in seconds since 1970.
NOW = 1_795_233_600.0

_datetime = dt.datetime
_gmtime, _localtime = time.gmtime, time.localtime


class _AnyDatetime(type):
    """Counts moments that C code makes as instances too."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _datetime)


class _Frozen(_datetime, metaclass=_AnyDatetime):
    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> Self:
        return cls.fromtimestamp(NOW, tz)


def _stop_the_clock() -> None:
    time.time = lambda: NOW
    time.time_ns = lambda: int(NOW) * 10**9
    time.gmtime = lambda seconds=None, /: _gmtime(NOW if seconds is None else seconds)
    time.localtime = lambda seconds=None, /: _localtime(NOW if seconds is None else seconds)
    dt.datetime = _Frozen  # type: ignore[misc]


if __name__ == "__main__":
    _stop_the_clock()
    del sys.path[0]  # this folder: its modules are none of the program's
    runpy.run_module("smsreceipt", run_name="__main__", alter_sys=True)
