"""One line that lives on a terminal's standard error while receipts come in."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

from rich.cells import set_cell_size

from smsreceipt.view.look import elapsed

_PERIOD = 0.1  # seconds; more often only costs, nobody reads faster


class Progress:
    """Counts and rate of a run. Draws nothing where *stream* is None, and never raises for the terminal's sake.

    Without a thread: it is drawn when it is told something new. Call :meth:`clear` before anything else is written to
    the same terminal; the next update draws it again.
    """

    def __init__(
        self, stream: TextIO | None, *, width: int, chinese: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream, self._width, self._chinese, self._clock = stream, width, chinese, clock
        self._began = clock()
        self._drawn_at = -1.0
        self._visible = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()

    def update(self, *, received: int, new: int, duplicate: int, rejected: int, rate: float) -> None:
        """Show these counts, and *rate* in receipts a second, unless something was shown a moment ago."""
        now = self._clock()
        if self._stream is None or now - self._drawn_at < _PERIOD:
            return
        self._drawn_at = now
        words = ("收到", "新增", "重复", "无法解析") if self._chinese else ("received", "new", "duplicate", "rejected")
        counts = "  ".join(
            f"{word} {count:,}" for word, count in zip(words, (received, new, duplicate, rejected), strict=True)
        )
        line = f"{counts}  {rate:,.0f}/s  {elapsed(round((now - self._began) * 1000))}"
        # One column stays free: a full line would wrap, and a wrapped line cannot be taken back.
        self._put("\r" + set_cell_size(line, max(self._width - 1, 1)))
        self._visible = True

    def clear(self) -> None:
        """Take the line back."""
        if self._visible:
            self._visible = False
            self._drawn_at = -1.0
            self._put("\r" + " " * max(self._width - 1, 1) + "\r")

    def _put(self, text: str) -> None:
        if self._stream is not None:
            with contextlib.suppress(OSError, ValueError):
                self._stream.write(text)
                self._stream.flush()
