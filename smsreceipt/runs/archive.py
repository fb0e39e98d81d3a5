"""Files into which rows are written before they are deleted: JSON lines or Parquet, read again and counted."""

from __future__ import annotations

import contextlib
import gzip
import os
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Generic, TypeVar, cast

import msgspec

from smsreceipt.errors import OutputError, UsageError
from smsreceipt.folders import flush_folder
from smsreceipt.language import _
from smsreceipt.output.columns import View
from smsreceipt.output.files.formats import About, Format, require
from smsreceipt.output.files.parts import writing
from smsreceipt.output.records import json_lines
from smsreceipt.permissions import unusable
from smsreceipt.sources.files import parquet

T = TypeVar("T")
Line = TypeVar("Line", bound=msgspec.Struct)

_ENDINGS = (".ndjson", ".jsonl", ".json")
_PARQUET = ".parquet"
_PIECE = 1 << 20
#: The columns of a Parquet archive that name one body of one statement. The digest stands for the body.
_KEY = ("seq", "kind", "identity", "biz_id", "digest")


def checked(path: Path) -> Path:
    """The path of an archive. Raises UsageError for a name that tells no format that can be written."""
    if path.name.endswith(_PARQUET):
        require(Format.PARQUET)
    elif not path.name.removesuffix(".gz").endswith(_ENDINGS):
        raise UsageError(
            _("{file}: the name of an archive ends with .ndjson, .ndjson.gz or .parquet", file=path),
            hint=_("For example --archive receipts.ndjson.gz"),
        )
    return path


def beside(path: Path, word: str) -> Path:
    """The archive of the sends that go with an archive of receipts: receipts.sends.ndjson.gz.

    Beside a Parquet file too: `sends import` reads no Parquet.
    """
    stem = path.name.partition(".")[0]
    ending = ".ndjson.gz" if path.name.endswith(_PARQUET) else path.name[len(stem) :]
    return path.with_name(f"{stem}.{word}{ending}")


class Archive(Generic[T]):
    """One archive. It has its name only when it is whole."""

    def __init__(self, path: Path, view: View[T]) -> None:
        self.path = path
        self._view = view

    def write(self, pieces: Iterable[Sequence[T]]) -> int:
        """Write the rows, 0600, flush the file and its directory to the disk, read it again, and return their number.

        Raises UsageError where it cannot be made, FileFull where the disk is full, OutputError where it does not hold
        what was written.
        """
        part = self.path.with_name(f".{self.path.name}.part")
        with contextlib.ExitStack() as stack:
            try:
                part.unlink(missing_ok=True)
                descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
                stack.callback(part.unlink, missing_ok=True)
                with writing(self.path), os.fdopen(descriptor, "wb") as file:
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
        if self.path.name.endswith(_PARQUET):
            return self._write_parquet(file, pieces)
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

    def _write_parquet(self, file: BinaryIO, pieces: Iterable[Sequence[T]]) -> tuple[int, bytes]:
        from smsreceipt.output.files.parquet import ParquetWriter

        count, digest = 0, sha256()
        keys = self._view.only(_KEY)
        writer = ParquetWriter(self._view, file, About("receipts"))
        try:
            for piece in filter(None, pieces):
                writer.write(piece)
                digest.update(
                    b"".join([msgspec.json.encode(msgspec.structs.astuple(keys.record(row))) for row in piece])
                )
                count += len(piece)
            writer.close()
        except BaseException:
            writer.abandon()
            raise
        file.flush()
        return count, digest.digest()


def _opened(path: Path, name: str) -> BinaryIO:
    return cast("BinaryIO", gzip.open(path)) if name.endswith(".gz") else path.open("rb")


def _read(path: Path) -> tuple[int, bytes]:
    """The number of lines, and the digest of all of them. Of Parquet: of the rows, and of what names their bodies."""
    count, digest = 0, sha256()
    if path.name.removesuffix(".part").endswith(_PARQUET):
        for *key, body in parquet.rows(path, (*_KEY, "body")):
            if sha256(body.encode()).hexdigest() != key[-1]:
                return count, b""
            digest.update(msgspec.json.encode(key))
            count += 1
        return count, digest.digest()
    with _opened(path, path.name.removesuffix(".part")) as file:
        while piece := file.read(_PIECE):
            count += piece.count(b"\n")
            digest.update(piece)
    return count, digest.digest()


def lines(path: Path, line: type[Line]) -> Iterator[Line]:
    """Yield the lines of an archive, as a struct of some of their keys.

    Raises UsageError where the file is no whole archive.
    """
    try:
        if path.name.endswith(_PARQUET):
            for values in parquet.rows(path, line.__struct_fields__):
                yield line(*values)
            return
        with _opened(path, path.name) as file:
            yield from map(msgspec.json.Decoder(line).decode, file)
    except (OSError, EOFError, msgspec.DecodeError, msgspec.ValidationError, parquet.ParquetDamaged) as exc:
        raise UsageError(
            _("{file} is not a whole archive of this command", file=path), hint=_("Nothing more was deleted.")
        ) from exc
