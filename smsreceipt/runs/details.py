"""Writes the results of a comparison for single sends, as they come: JSON lines or CSV."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from typing import BinaryIO

from smsreceipt.app import App
from smsreceipt.config import expanded
from smsreceipt.errors import OutputError, UsageError
from smsreceipt.language import _, of_system
from smsreceipt.output.objects.comparison import DETAILS, Detail
from smsreceipt.output.printer import Printer
from smsreceipt.permissions import unusable
from smsreceipt.reconcile import Calendar, Finding
from smsreceipt.store import opening


class Details:
    """Writes the results to a file or, for -, to standard output. A failure to write does not stop the comparison."""

    def __init__(self, app: App, where: str | None, calendar: Calendar) -> None:
        """*where*: the file, "-", or None for no details. Raises UsageError if the file cannot be created."""
        self.on_stdout = where == "-"
        self.wanted = bool(where)
        self._app, self.calendar = app, calendar  #: the calendar of the comparison
        self._file = _create(app, where) if where and not self.on_stdout else None
        mask = app.mask if self.on_stdout else app.mask_data
        self._printer = Printer(app, DETAILS, write=self._write, mask=mask, data=True)

    def add(self, findings: Iterable[Finding]) -> None:
        """Write results, if details are wanted."""
        if self.wanted:
            self._printer.print(map(self._detail, findings))

    def close(self) -> None:
        """Finish the file. Details are complete only after this."""
        if self.wanted:
            self._printer.end()
        if self._file is not None:
            self._guarded(self._file.close)

    def _detail(self, finding: Finding) -> Detail:
        return Detail(finding, self.calendar.days_left(finding.send.day) if finding.open else None)

    def _write(self, lines: bytes) -> None:
        if self.on_stdout:
            self._app.report(lines)
        elif self._file is not None:
            file = self._file
            self._guarded(lambda: file.write(lines))

    def _guarded(self, action: Callable[[], object]) -> None:
        try:
            action()
        except OSError as exc:
            hint = _("The comparison went on; free that disk, run again.")
            fault = OutputError(_("{what}: {reason}", what="--details", reason=of_system(exc)), hint=hint)
            self._app.error(fault)
            self._app.end_with(fault.exit_code)
            file, self._file = self._file, None
            if file is not None:
                with contextlib.suppress(OSError):
                    file.close()


def _create(app: App, where: str) -> BinaryIO:
    """The new file, which only its owner can read. Raises UsageError."""
    path = expanded(where)
    if opening.occupies(app.store_location, path):
        raise UsageError(_("--details names the store itself"))
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
    except OSError as exc:
        raise unusable(f"--details {where}", exc, path, write=True) from exc
