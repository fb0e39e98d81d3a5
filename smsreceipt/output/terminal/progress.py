"""One line that lives on a terminal's standard error while receipts come in."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

from rich.cells import set_cell_size

from smsreceipt.output.words import elapsed

_PERIOD = 0.1  # seconds; more often only costs, nobody reads faster
_BAR = 20  # columns


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

    def update(
        self,
        *,
        received: int,
        new: int,
        duplicate: int,
        rejected: int,
        rate: float,
        read: tuple[int, int] | None = None,
    ) -> None:
        """Show these counts, and *rate* in receipts a second, unless something was shown a moment ago.

        *read*: of how many bytes so many are read, where that is known.
        """
        words = ("收到", "新增", "重复", "无法解析") if self._chinese else ("received", "new", "duplicate", "rejected")

        def line(seconds: float) -> str:
            counts = zip(words, (received, new, duplicate, rejected), strict=True)
            told = "  ".join(f"{word} {count:,}" for word, count in counts)
            return f"{self._bytes(read, seconds)}{told}  {rate:,.0f}/s  {elapsed(round(seconds * 1000))}"

        self.show(line)

    def _bytes(self, read: tuple[int, int] | None, seconds: float) -> str:
        """A bar of the bytes that are read, and what time the rest takes."""
        if read is None or not read[1]:
            return ""
        done, whole = min(read), read[1]
        full = round(_BAR * done / whole)
        left = elapsed(round((whole - done) * seconds / done) * 1000, chinese=self._chinese) if done else "?"
        words = f"剩余 {left}" if self._chinese else f"{left} left"
        return f"[{'#' * full}{'-' * (_BAR - full)}] {done * 100 // whole}% {_size(done)}/{_size(whole)}  {words}  "

    def asked(self, calls: int, planned: int, found: int) -> None:
        """Show how many of the *planned* calls are done, how many receipts they found, and what time the rest takes."""
        planned = max(planned, calls, 1)

        def line(seconds: float) -> str:
            full = round(_BAR * calls / planned)
            rate = calls / max(seconds, 0.001)
            left = elapsed(round((planned - calls) / rate) * 1000, chinese=self._chinese) if calls else "?"
            head = f"[{'#' * full}{'-' * (_BAR - full)}] {calls:,}/{planned:,}  {rate:,.0f}/s"
            return (
                f"{head}  {found:,} 条找到  剩余 {left}" if self._chinese else f"{head}  {found:,} found  {left} left"
            )

        self.show(line)

    def upgraded(self, done: int, total: int) -> None:
        """Show how many of the receipts that an older version stored are upgraded, and what time the rest takes."""

        def line(seconds: float) -> str:
            full = round(_BAR * done / total)
            left = elapsed(round((total - done) * seconds / done) * 1000, chinese=self._chinese)
            head = f"[{'#' * full}{'-' * (_BAR - full)}] {done:,}/{total:,}  "
            return head + (f"升级数据库  剩余 {left}" if self._chinese else f"upgrading the store  {left} left")

        self.show(line)

    def show(self, line: Callable[[float], str]) -> None:
        """Show what *line* makes of the seconds since the beginning, unless something was shown a moment ago."""
        now = self._clock()
        if self._stream is None or now - self._drawn_at < _PERIOD:
            return
        self._drawn_at = now
        # One column stays free: a full line would wrap, and a wrapped line cannot be taken back.
        self._put("\r" + set_cell_size(line(now - self._began), max(self._width - 1, 1)))
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


def _size(count: int) -> str:
    """Bytes as a person reads them."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"
