"""What a comparison says of every single send, written as it is learnt: JSON lines, or CSV."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

from smsreceipt.app import App
from smsreceipt.errors import OutputError, UsageError
from smsreceipt.output.objects.comparison import DETAILS, Detail
from smsreceipt.output.printer import Printer
from smsreceipt.reconcile import Calendar, Learnt
from smsreceipt.store import opening


class Details:
    """Writes them to a file or, for -, to standard output. Losing either never stops the work."""

    def __init__(self, app: App, where: str | None, calendar: Calendar) -> None:
        self.on_stdout = where == "-"
        self.wanted = bool(where)
        self._app, self._calendar = app, calendar
        self._file = _create(app, where) if where and not self.on_stdout else None
        # A file is data, as what is piped is; what a terminal shows is masked.
        mask = app.mask if self.on_stdout else app.setting("mask") == "mask"
        self._printer = Printer(app, DETAILS, write=self._write, mask=mask, data=True)

    def add(self, learnt: Iterable[Learnt]) -> None:
        """Write what was learnt; nothing unless details are wanted."""
        if self.wanted:
            self._printer.print(map(self._detail, learnt))

    def close(self) -> None:
        """Nothing more comes."""
        if self.wanted:
            self._printer.end()
        if self._file is not None:
            self._guarded(self._file.close)

    def _detail(self, learnt: Learnt) -> Detail:
        return Detail(learnt, self._calendar.days_left(learnt.send.day) if learnt.open else None)

    def _write(self, lines: bytes) -> None:
        if self.on_stdout:
            self._app.report(lines)
        elif self._file is not None:
            file = self._file
            self._guarded(lambda: file.write(lines))

    def _guarded(self, act: Callable[[], object]) -> None:
        try:
            act()
        except OSError as exc:
            fault = OutputError(f"--details: {exc.strerror}", hint="The comparison went on; free that disk, run again.")
            self._app.error(fault)
            self._app.attention(fault.exit_code)
            file, self._file = self._file, None
            if file is not None:
                with contextlib.suppress(OSError):
                    file.close()


def _create(app: App, where: str) -> BinaryIO:
    """The file, for its owner only. Raises UsageError."""
    path = Path(where).expanduser()
    if opening.occupies(app.store_location, path):
        raise UsageError("--details names the store itself")
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
    except OSError as exc:
        raise UsageError(f"--details {where}: {exc.strerror}") from exc
