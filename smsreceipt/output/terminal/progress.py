"""The live line with counts on a terminal's standard error.

It is not rich.progress, whose live display hides the cursor: a process that a second signal ends at once, or that is
killed, would leave the terminal without one. A drawing also takes it 40 times as long.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Self, TextIO

from smsreceipt.output.breaks import columns
from smsreceipt.output.formatting import elapsed

_PERIOD = 0.1  # seconds between two drawings
_BAR = 20  # terminal columns
_QUIET = 1.0  # seconds without a message after which the line says what the run waits for


class LiveLine:
    """The last line of a terminal, which is overwritten in place. Used by any thread; it has no thread itself.

    It is never drawn where *stream* is None, and an error of the stream is ignored.
    """

    def __init__(self, stream: TextIO | None, width: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock  #: seconds
        self._stream, self._width = stream, width
        self._lock = threading.RLock()
        self._drawn_at = -1.0
        self._visible = self._suspended = False

    @property
    def width(self) -> int:
        """Terminal columns that a drawing has; the last column stays free, because a full line would wrap."""
        return max(self._width - 1, 1)

    @property
    def drawn(self) -> bool:
        """Whether there is a terminal to draw on."""
        return self._stream is not None

    @property
    def due(self) -> bool:
        """Whether the last drawing is long enough ago for the next one."""
        return self._stream is not None and self.clock() - self._drawn_at >= _PERIOD

    def draw(self, text: str) -> None:
        """Show the text, cut to the width of the terminal."""
        from rich.cells import set_cell_size  # not needed where nothing is drawn

        with self._lock:
            if not self._suspended:
                self._drawn_at = self.clock()
                self._visible = True
                self._put("\r" + set_cell_size(text, self.width))

    def clear(self) -> None:
        """Remove the line from the terminal; the next drawing shows it again."""
        with self._lock:
            if self._visible:
                self._visible = False
                self._drawn_at = -1.0
                self._put("\r" + " " * self.width + "\r")

    @contextlib.contextmanager
    def cleared(self) -> Iterator[None]:
        """Inside, the line is removed, and drawings by other threads wait."""
        with self._lock:
            self.clear()
            yield

    def suspend(self) -> None:
        """Remove the line and ignore drawings until resume is called."""
        with self._lock:
            self.clear()
            self._suspended = True

    def resume(self) -> None:
        """Accept drawings again."""
        self._suspended = False

    def _put(self, text: str) -> None:
        if self._stream is not None:
            with contextlib.suppress(OSError, ValueError):
                self._stream.write(text)
                self._stream.flush()


class Progress:
    """The progress of one run, as text for the live line. The line is removed when the context ends."""

    def __init__(self, line: LiveLine, *, chinese: bool = False) -> None:
        self._line, self._chinese = line, chinese
        self._began = self._came = line.clock()
        self._received = 0
        self.awaited = ("", "")  #: what a run waits for when nothing comes, in English and Chinese

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._line.clear()

    def update(self, received: int, counts: Iterable[tuple[str, int]], *, read: tuple[int, int] | None = None) -> None:
        """Show how many were received, at which rate, what became of them, and *read*: bytes so far and in all.

        *counts*: numbers and their names. What does not fit the terminal is left out, from the end.
        """
        if received != self._received:
            self._received, self._came = received, self._line.clock()

        def line(seconds: float) -> str:
            took = elapsed(round(seconds) * 1000, chinese=self._chinese)
            waits = [*filter(None, [self.awaited[self._chinese]])] if self._line.clock() - self._came > _QUIET else []
            if not received:
                nothing = "尚未收到消息" if self._chinese else "nothing received yet"
                return self._fitting([*self._bytes(read, seconds), nothing, *waits, took])
            head = f"{'收到' if self._chinese else 'received'} {received:,}"
            rate = f"{received / max(seconds, 0.001):,.0f}/s"
            rest = (f"{word} {count:,}" for word, count in counts)
            return self._fitting([*waits, *self._bytes(read, seconds), head, rate, *rest, took])

        self.show(line)

    def _fitting(self, items: Sequence[str]) -> str:
        """The first items, as many as fit, two blanks apart."""
        line = ""
        for item in items:
            longer = f"{line}  {item}" if line else item
            if columns(longer) > self._line.width:
                break
            line = longer
        return line

    def _bytes(self, read: tuple[int, int] | None, seconds: float) -> list[str]:
        """A bar of the bytes read, and the time that the rest takes."""
        if read is None or not read[1]:
            return []
        done, whole = min(read), read[1]
        full = round(_BAR * done / whole)
        left = elapsed(round((whole - done) * seconds / done) * 1000, chinese=self._chinese) if done else "?"
        words = f"剩余 {left}" if self._chinese else f"{left} left"
        return [f"[{'#' * full}{'-' * (_BAR - full)}] {done * 100 // whole}% {_size(done)}/{_size(whole)}", words]

    def asked(self, calls: int, planned: int, found: int) -> None:
        """Show how many of the *planned* calls are done, the receipts they found, and the time that the rest takes."""
        planned = max(planned, calls, 1)

        def line(seconds: float) -> str:
            full = round(_BAR * calls / planned)
            rate = calls / max(seconds, 0.001)
            left = elapsed(round((planned - calls) / rate) * 1000, chinese=self._chinese) if calls else "?"
            head = f"[{'#' * full}{'-' * (_BAR - full)}] {calls:,}/{planned:,}  {rate:,.0f}/s"
            return (
                f"{head}  找到 {found:,} 条  剩余 {left}" if self._chinese else f"{head}  {found:,} found  {left} left"
            )

        self.show(line)

    def upgraded(self, done: int, total: int) -> None:
        """Show how many of the receipts of an older version are upgraded, and the time that the rest takes."""
        self.counted(done, total, ("upgrading the store", "升级存储"))

    def counted(self, done: int, total: int, words: tuple[str, str]) -> None:
        """Show how much of a known number is done, *words* for what is done, and the time that the rest takes."""
        whole = max(total, done, 1)

        def line(seconds: float) -> str:
            full = round(_BAR * done / whole)
            left = elapsed(round((whole - done) * seconds / done) * 1000, chinese=self._chinese) if done else "?"
            head = f"[{'#' * full}{'-' * (_BAR - full)}] {done:,}/{whole:,}  {words[self._chinese]}  "
            return head + (f"剩余 {left}" if self._chinese else f"{left} left")

        self.show(line)

    def exported(self, rows: int, size: int) -> None:
        """Show how many rows are exported, and the bytes that they take."""
        word = "行" if self._chinese else "rows"

        def line(seconds: float) -> str:
            rate = rows / max(seconds, 0.001)
            return f"{rows:,} {word}  {_size(size)}  {rate:,.0f}/s  {elapsed(round(seconds * 1000))}"

        self.show(line)

    def show(self, line: Callable[[float], str]) -> None:
        """Show what *line* makes of the seconds since the beginning, at most ten times a second."""
        if self._line.due:
            self._line.draw(line(self._line.clock() - self._began))


def _size(count: int) -> str:
    """A number of bytes in binary units."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"
