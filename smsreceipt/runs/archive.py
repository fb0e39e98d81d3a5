"""Files into which rows are written before they are deleted: JSON lines, on the disk, read again and counted."""

from __future__ import annotations

import contextlib
import gzip
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Generic, TypeVar, cast

import msgspec

from smsreceipt.errors import OutputError, UsageError
from smsreceipt.folders import flush_folder
from smsreceipt.language import _
from smsreceipt.output.columns import View
from smsreceipt.output.records import json_lines
from smsreceipt.permissions import unusable

T = TypeVar("T")
Line = TypeVar("Line")

_ENDINGS = (".ndjson", ".jsonl", ".json")
_PIECE = 1 << 20


def checked(path: Path) -> Path:
    """The path of an archive. Raises UsageError for a name that tells no format that is written."""
    name = path.name.removesuffix(".gz")
    if not name.endswith(_ENDINGS):
        raise UsageError(
            _("{file}: the name of an archive ends with .ndjson or .ndjson.gz", file=path),
            hint=_("For example --archive receipts.ndjson.gz"),
        )
    return path


def beside(path: Path, word: str) -> Path:
    """The archive of the sends that go with an archive of receipts: receipts.sends.ndjson.gz."""
    stem = path.name.partition(".")[0]
    return path.with_name(f"{stem}.{word}{path.name[len(stem) :]}")


class Archive(Generic[T]):
    """One archive. It has its name only when it is whole."""

    def __init__(self, path: Path, view: View[T]) -> None:
        self.path = path
        self._view = view

    def write(self, pieces: Iterable[Sequence[T]]) -> int:
        """Write the rows, 0600, flush the file and its directory to the disk, read it again, and return their number.

        Raises UsageError where it cannot be written, OutputError where it does not hold what was written.
        """
        part = self.path.with_name(f".{self.path.name}.part")
        with contextlib.ExitStack() as stack:
            try:
                part.unlink(missing_ok=True)
                descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
                stack.callback(part.unlink, missing_ok=True)
                with os.fdopen(descriptor, "wb") as file:
                    count, written = self._write(file, pieces)
                    os.fsync(file.fileno())
                if _read(part) != (count, written):
                    raise OutputError(_("{file} does not hold what was written: nothing was deleted", file=self.path))
                os.link(part, self.path)
                flush_folder(self.path.parent)
            except OSError as exc:
                raise unusable(_("the archive {file} cannot be written", file=self.path), exc, self.path) from exc
        return count

    def _write(self, file: BinaryIO, pieces: Iterable[Sequence[T]]) -> tuple[int, bytes]:
        count, digest = 0, sha256()
        with contextlib.ExitStack() as stack:
            packed = self.path.name.endswith(".gz")
            out = stack.enter_context(gzip.GzipFile("", "wb", 6, file, mtime=0)) if packed else file
            for piece in pieces:
                lines = json_lines([self._view.record(row) for row in piece])
                out.write(lines)
                digest.update(lines)
                count += len(piece)
        file.flush()
        return count, digest.digest()


def _opened(path: Path, name: str) -> BinaryIO:
    return cast("BinaryIO", gzip.open(path)) if name.endswith(".gz") else path.open("rb")


def _read(path: Path) -> tuple[int, bytes]:
    """The number of lines, and the digest of all of them."""
    count, digest = 0, sha256()
    with _opened(path, path.name.removesuffix(".part")) as file:
        while piece := file.read(_PIECE):
            count += piece.count(b"\n")
            digest.update(piece)
    return count, digest.digest()


def lines(path: Path, decode: Callable[[bytes], Line]) -> Iterator[Line]:
    """Yield what *decode* makes of the lines. Raises UsageError where the file is no whole archive."""
    try:
        with _opened(path, path.name) as file:
            yield from map(decode, file)
    except (OSError, EOFError, msgspec.DecodeError, msgspec.ValidationError) as exc:
        raise UsageError(
            _("{file} is not a whole archive of this command", file=path), hint=_("Nothing more was deleted.")
        ) from exc
