"""What a comparison says of every single send, as it is learnt: one object a line, or CSV."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from smsreceipt.app import App
from smsreceipt.errors import OutputError, UsageError
from smsreceipt.model import iso_beijing
from smsreceipt.output.records import csv_lines, json_line, mask_numbers, mask_phone

if TYPE_CHECKING:
    from smsreceipt.reconcile import Calendar, Finding

_PIECE = 1_000  # objects that are written at once
KEYS = ("class", "phone", "biz_id", "date", "sent_at", "out_id", "outcome", "code", "days_left", "reason")


class Details:
    """Writes them to a file or, for -, to standard output. Losing either never stops the work."""

    def __init__(self, app: App, where: str | None, calendar: Calendar) -> None:
        self.on_stdout = where == "-"
        self.wanted = bool(where)
        self._app, self._calendar = app, calendar
        self._csv = app.output == "csv"
        # A file is data, as what is piped is; what a terminal shows is masked.
        self._mask = app.mask if self.on_stdout else app.setting("mask") == "mask"
        self._file = _create(app, where) if where and not self.on_stdout else None
        if self._csv and self.wanted:
            self._write(csv_lines([KEYS]))

    def add(self, learnt: Iterable[Finding]) -> None:
        """Write what was learnt; nothing unless details are wanted."""
        if not self.wanted:
            return
        rest = map(self._object, learnt)
        while objects := list(islice(rest, _PIECE)):
            self._write(
                csv_lines(each.values() for each in objects) if self._csv else b"".join(map(json_line, objects))
            )

    def close(self) -> None:
        """Nothing more comes."""
        if self._file is not None:
            self._guarded(self._file.close)

    def _object(self, learnt: Finding) -> dict[str, object]:
        from smsreceipt.model import date_of

        send = learnt.send
        phone, out_id = (mask_phone(send.phone), mask_numbers(send.out_id)) if self._mask else (send.phone, send.out_id)
        values = (
            learnt.found.value,
            phone,
            send.biz_id,
            date_of(send.day).isoformat(),
            None if send.sent_at is None else iso_beijing(send.sent_at),
            out_id or None,
            learnt.outcome,
            learnt.code or None,
            self._calendar.days_left(send.day) if learnt.open else None,
            learnt.note or None,
        )
        return dict(zip(KEYS, values, strict=True))

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
    if path.exists() and app.store_path.exists() and path.samefile(app.store_path):
        raise UsageError("--details names the store itself")
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
    except OSError as exc:
        raise UsageError(f"--details {where}: {exc.strerror}") from exc
