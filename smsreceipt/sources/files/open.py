"""Find the files to replay, open them read-only without following links, and unpack them. They are never changed."""

from __future__ import annotations

import codecs
import os
import select
import shlex
import stat
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from smsreceipt.errors import SmsReceiptError, UsageError
from smsreceipt.language import N_, _, of_system
from smsreceipt.permissions import unusable
from smsreceipt.sources.files import parquet

BLOCK = 256 * 1024  #: bytes read or unpacked at once: about a thousand receipts
RATIO = 100  #: unpacked bytes for each packed one; more is taken for a decompression bomb
UNPACKED = 64 << 30  #: bytes that one file may unpack to

_GZIP = b"\x1f\x8b"
_SQLITE = b"SQLite format 3\0"
#: How archives begin: zip, xz, zstd, bzip2, 7z, rar, lz4, compress.
_ARCHIVES = (
    *(b"PK\3\4", b"PK\5\6", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"BZh", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\7"),
    *(b"\x04\x22\x4d\x18", b"\x1f\x9d"),
)
_TAR_AT = 257  # where a tar archive names itself
_WIDE_SHARE = 0.3  # of the units of UTF-16 that are ASCII, at least: JSON has its punctuation and names
_SLACK = 1 << 20  # bytes beyond RATIO: small files of one repeated receipt pack better than real ones
_PREFIX = 4096
_POLL = 0.2  # seconds between two checks for a stop


class FileDamaged(SmsReceiptError):
    """A file ends too early, is packed wrongly, or is no text. What was read of it before is valid."""

    exit_code = 3


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file to replay."""

    path: Path
    parts: tuple[str, ...]  #: of the path as the user wrote it, with folders below it

    @property
    def name(self) -> str:
        """The path as text; bytes that are not UTF-8 are escaped."""
        return os.fsencode(self.path).decode("utf-8", "backslashreplace")

    def size(self) -> int:
        """Its bytes on disk; 0 if it is gone, which shows when it is opened."""
        try:
            return self.path.lstat().st_size
        except OSError:
            return 0


def find(names: Sequence[str], tell: Callable[[str], None]) -> list[FoundFile]:
    """The files that *names* name, and those in folders among them, sorted by path.

    *tell* gets a line for each file of a folder that is left out. Raises UsageError for a name that is neither a file
    nor a folder, before anything is read.
    """
    found: list[FoundFile] = []
    for name in names:
        path = Path(name)
        if not name:  # Path("") is the current folder
            raise UsageError(_("an empty name is no file"), hint=_("Is a variable of the shell unset?"))
        try:
            mode = path.lstat().st_mode
        except OSError as exc:
            raise unusable(f"{FoundFile(path, ()).name}", exc, path) from exc
        if stat.S_ISDIR(mode):
            found += _below(path, tell)
        elif stat.S_ISREG(mode):
            found.append(FoundFile(path, path.parts))
        else:
            raise UsageError(
                _("{name} is neither a file nor a folder", name=FoundFile(path, ()).name),
                hint=_("Links are not followed: name the file itself, or pipe it in: smsreceipt replay - < FILE."),
            )
    return found


def _below(folder: Path, tell: Callable[[str], None]) -> list[FoundFile]:
    found: list[FoundFile] = []

    def unreadable(exc: OSError) -> None:
        raise unusable(f"{FoundFile(Path(exc.filename), ()).name}", exc, exc.filename) from exc

    for here, _folders, names in os.walk(folder, onerror=unreadable):
        for name in names:
            path = Path(here, name)
            if _is_file(path):
                found.append(FoundFile(path, path.parts))
            else:
                tell(_("{name} is no regular file: left out", name=FoundFile(path, ()).name))
    return sorted(found, key=lambda each: each.path)


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:  # it is gone
        return False


class InputFile:
    """An open file, or standard input, that gives its bytes unpacked, in blocks."""

    def __init__(self, stream: BinaryIO, name: str, *, waits: bool = False) -> None:
        """*waits*: bytes may arrive at any time, and those that have arrived are not held back."""
        self.name = name
        self.size = 0  #: bytes on disk; 0 if unknown
        self.read = 0  #: bytes read, as they are on disk
        self.waits = waits
        self._stream = stream
        self._head = b""
        self.identity = ""

    @classmethod
    def of(cls, named: FoundFile) -> InputFile:
        """Open a regular file for reading. Raises UsageError."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            stream = os.fdopen(os.open(named.path, flags), "rb", buffering=0)
        except OSError as exc:
            raise unusable(_("{name} cannot be read", name=named.name), exc, named.path) from exc
        opened = cls(stream, named.name)
        found = os.fstat(stream.fileno())
        if not stat.S_ISREG(found.st_mode):
            stream.close()
            raise UsageError(_("{name} is no regular file any more", name=named.name))
        opened.size = found.st_size
        opened._head = opened._next(_PREFIX)
        opened.identity = f"{found.st_dev}:{found.st_ino}:{sha256(opened._head).hexdigest()}"
        return opened

    def close(self) -> None:
        """Close the file; standard input stays open."""
        if not self.waits:
            self._stream.close()

    def blocks(self, skip: int = 0, stopped: Callable[[], bool] = lambda: False) -> Iterator[bytes]:
        """The unpacked bytes from *skip* on, until *stopped* returns True. Raises FileDamaged and UsageError."""
        head = self._head
        if not self.waits:
            self.read = self._stream.seek(len(head))
        while len(head) < _PREFIX and (more := self._wait(_PREFIX - len(head), stopped)):
            head += more
            if self.waits and len(head) > len(_GZIP):
                break
        if head.startswith(_GZIP):
            yield from _from(self._unpacked(head, stopped), skip)
            return
        if head.startswith(parquet.MAGIC):
            yield from _from(self._rows(stopped), skip)
            return
        if head.startswith(_SQLITE):
            raise FileDamaged(
                _("{name} is a database: nothing of it was read", name=self.name),
                hint=_(
                    "From a store: smsreceipt list --store {file} --history --json | smsreceipt replay -",
                    file=shlex.quote(self.name),
                ),
            )
        if _is_not_utf8(head):
            raise FileDamaged(
                _("{name} is no text: nothing of it was read", name=self.name),
                hint=_("Receipts are UTF-8. Convert UTF-16 with iconv; unpack archives other than .gz first."),
            )
        if skip > len(head):
            self.read = self._stream.seek(skip)
            head = b""
        if head and not self.waits:
            head += self._wait(BLOCK, stopped)
        if head[skip:]:
            yield head[skip:]
        while block := self._wait(BLOCK, stopped):
            yield block

    def _unpacked(self, head: bytes, stopped: Callable[[], bool]) -> Iterator[bytes]:
        """Unpack gzip members that follow each other, as gzip does."""
        packed, total = zlib.decompressobj(wbits=31), 0
        block = head
        while block:
            try:
                out = packed.decompress(block, BLOCK)
            except zlib.error as exc:
                raise self._bad(N_("{name} is packed wrongly, after {read:,} bytes")) from exc
            total += len(out)
            self._refuse_bomb(total, self.read)
            if out:
                yield out
            block = packed.unconsumed_tail
            if packed.eof:
                block = packed.unused_data.lstrip(b"\0")
                block = block or self._wait(BLOCK, stopped)
                packed = zlib.decompressobj(wbits=31) if block else packed
            elif not block:
                block = self._wait(BLOCK, stopped)
        if not packed.eof and not stopped():
            raise self._bad(N_("{name} ends too early, after {read:,} bytes"))

    def _rows(self, stopped: Callable[[], bool]) -> Iterator[bytes]:
        """The receipts of a Parquet file as lines."""
        if self.waits:
            raise UsageError(
                _("{name}: a Parquet file cannot be read from a pipe", name=self.name), hint=_("Name the file.")
            )
        total = 0
        for share, block in parquet.lines(self._stream, self.name):
            total += len(block)
            self._refuse_bomb(total, self.size)
            self.read = round(self.size * share)
            yield block
            if stopped():
                return

    def _refuse_bomb(self, total: int, packed: int) -> None:
        """Raise FileDamaged where so many packed bytes have become more than receipts can."""
        if total > min(UNPACKED, packed * RATIO + _SLACK):
            raise self._bad(N_("{name} unpacks to more than receipts can, after {read:,} bytes"))

    def _bad(self, message: str) -> FileDamaged:
        return FileDamaged(
            _(message, name=self.name, read=self.read),
            hint=_("What was read before that is kept."),
        )

    def _wait(self, size: int, stopped: Callable[[], bool]) -> bytes:
        """The next bytes; none at the end or after a stop."""
        if self.waits:
            while not stopped() and not self._ready():
                pass
        return b"" if stopped() else self._next(size)

    def _ready(self) -> bool:
        try:
            return bool(select.select([self._stream], [], [], _POLL)[0])
        except (OSError, ValueError):  # it has no descriptor, and never blocks
            return True

    def _next(self, size: int) -> bytes:
        try:
            if self.waits:
                block = self._stream.read1(size) if hasattr(self._stream, "read1") else self._stream.read(size)
            else:
                block = self._stream.read(size)
        except OSError as exc:
            raise UsageError(_("{name} cannot be read: {reason}", name=self.name, reason=of_system(exc))) from exc
        self.read += len(block)
        return block


def _is_not_utf8(head: bytes) -> bool:
    """Whether a file that begins so is UTF-16, UTF-32 or an archive. A NUL alone is damage to one line of a text."""
    if b"\0" not in head:
        return False
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE, *_ARCHIVES)):
        return True
    if head[_TAR_AT:].startswith(b"ustar"):
        return True
    units = -(-len(head) // 2)
    high, low = (head[place::2].count(0) / units for place in (0, 1))
    return max(high, low) > _WIDE_SHARE and (min(high, low) < _WIDE_SHARE / 3 or _is_utf32(head))


def _is_utf32(head: bytes) -> bool:
    """Whether three of each four bytes are NUL, and the same three."""
    counts = sorted(head[place::4].count(0) * 4 / len(head) for place in range(4))
    return counts[0] < _WIDE_SHARE / 3 and counts[1] > _WIDE_SHARE


def _from(blocks: Iterator[bytes], skip: int) -> Iterator[bytes]:
    for block in blocks:
        if skip >= len(block):
            skip -= len(block)
        else:
            yield block[skip:]
            skip = 0
