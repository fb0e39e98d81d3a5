"""Runs the program with a frozen clock: `python frozen.py list --json` is `smsreceipt list --json` at NOW.

The wall clock is replaced before the program is imported, because modules bind what they import. The monotonic clock
is not replaced: time-outs and durations are real.

`python frozen.py --serve FD` does so for the command lines that tests/copies.py asks for.
"""

from __future__ import annotations

import datetime as dt
import sys
import time
from pathlib import Path
from typing import Self

#: 2026-11-21 12:00:00 Beijing time, in seconds since 1970.
NOW = 1_795_233_600.0

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


if __name__ == "__main__":
    _freeze()
    sys.path[0] = str(Path(__file__).parents[2])  # the package of this checkout, whatever is installed
    from tests import copies

    if sys.argv[1:2] == ["--serve"]:
        copies.serve(int(sys.argv[2]))
    else:
        sys.exit(copies.run())
