"""Where exported files go: one file, or a folder with a file for each day."""

from __future__ import annotations

import contextlib
import os
import stat
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Self

from smsreceipt.errors import UsageError
from smsreceipt.language import _
from smsreceipt.output.files.formats import Format
from smsreceipt.output.files.parts import Part, lock
from smsreceipt.permissions import unusable


def checked(named: str | Path, *, force: bool) -> Path:
    """The path of a file that may be written. Raises UsageError if there is something that must not be replaced.

    Where the name is a symbolic link, the path is that of its target.
    """
    path = Path(os.path.realpath(named))
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return path
    except OSError as exc:
        raise unusable(_("{name} cannot be written", name=named), exc, path, write=True) from exc
    if stat.S_ISDIR(mode):
        raise UsageError(
            _("{name} is a folder", name=named),
            hint=_("Name a file in it; or say --split-by day for a file a day."),
        )
    if not stat.S_ISREG(mode):
        raise UsageError(_("{file} is no regular file", file=named), hint=_("Say --output - and redirect it: > FILE."))
    if not force:
        raise UsageError(_("{name} exists", name=named), hint=_("Say --force to replace it, or name another file."))
    return path


class Folder:
    """A folder with a file for each day; for Parquet in folders called day=2026-11-24, as Hive names partitions.

    Only one process at a time writes to it. Folders that were made for nothing are removed again when the context ends.
    """

    def __init__(self, named: str, subject: str, wanted: Format, *, force: bool) -> None:
        """*subject* is in the names of the files: receipts. *force*: files that exist may be replaced."""
        self._root, self._subject, self._format, self._force = Path(named), subject, wanted, force
        self._made: list[Path] = []

    def __enter__(self) -> Self:
        if self._root.exists() and not self._root.is_dir():
            raise UsageError(_("{name} is a file, and --split-by day needs a folder", name=self._root))
        self._make(self._root)
        self._descriptor = os.open(self._root, os.O_RDONLY | os.O_CLOEXEC)
        try:
            lock(self._descriptor, self._root)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        os.close(self._descriptor)
        for folder in reversed(self._made):
            with contextlib.suppress(OSError):  # it holds something
                folder.rmdir()

    def path(self, day: date) -> Path:
        """The file of a day. Raises UsageError if there is one that must not be replaced."""
        return checked(self._named(day), force=self._force)

    def part(self, day: date) -> Part:
        """The part of the file of a day."""
        path = self.path(day)
        self._make(path.parent)
        return Part(path)

    def _named(self, day: date) -> Path:
        if self._format is Format.PARQUET:
            return self._root / f"day={day.isoformat()}" / f"{self._subject}.parquet"
        return self._root / f"{self._subject}-{day.isoformat()}.{self._format}"

    def _make(self, folder: Path) -> None:
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            return
        except OSError as exc:
            raise unusable(_("the folder {folder} cannot be made", folder=folder), exc, folder, write=True) from exc
        self._made.append(folder)
