"""The text of a list: unpacked, decoded, in lines."""

from __future__ import annotations

import codecs
import contextlib
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import BinaryIO, cast

from smsreceipt.errors import UsageError
from smsreceipt.language import N_, _, of_system
from smsreceipt.ledger.values import UNDECODABLE

LONGEST_LINE = 1 << 20  #: characters; longer lines come in pieces
SHEET = b"PK\x03\x04"  #: how a zip archive begins, and so a spreadsheet
#: First bytes --> what they mean, and the program that unpacks it.
_UNSUPPORTED = {
    b"BZ": (N_("the list is compressed with bzip2"), "bzcat"),
    b"\xfd7": (N_("the list is compressed with xz"), "xzcat"),
    b"\x28\xb5": (N_("the list is compressed with zstd"), "zstdcat"),
    b"\xd0\xcf": (N_("the list is a spreadsheet of an old format"), ""),
}
_SAMPLE_LINES = 1_000  # that tell the encoding, from the first that is not ASCII
_SAMPLE_CHARACTERS = 1 << 20  # and so many at most
_COMMON = 0.75  # of the characters of a line of Chinese are in GB 2312; hardly half are if it is misread UTF-8
_DAMAGES = (EOFError, zlib.error, OSError)
_UTF_16 = {b"\xff\xfe", b"\xfe\xff"}


def unpacked(stream: BinaryIO) -> io.BufferedReader:
    """The stream, decompressed where it is gzipped. Raises UsageError for other formats."""
    buffered = stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(cast("io.RawIOBase", stream))
    magic = buffered.peek(2)[:2]
    if magic in _UNSUPPORTED:
        what, unpacker = _UNSUPPORTED[magic]
        hint = _("Save the sheet as .xlsx, or as CSV (UTF-8).")
        if unpacker:
            hint = _("Unpack it on the way: {program} FILE | smsreceipt sends import -", program=unpacker)
        raise UsageError(_(what), hint=hint)
    if magic == b"\x1f\x8b":
        return io.BufferedReader(cast("io.RawIOBase", gzip.GzipFile(fileobj=buffered)))
    return buffered


def is_sheet(stream: io.BufferedReader) -> bool:
    """Whether the list is a spreadsheet. Raises UsageError for a list that is damaged where it begins."""
    try:
        return stream.peek(4)[:4] == SHEET
    except _DAMAGES as exc:
        raise _damaged(exc) from exc


def lines(stream: io.BufferedReader, encoding: str | None) -> Iterator[str]:
    """The lines as text, cut at 1 MiB. Bytes that are invalid in the encoding become characters of UNDECODABLE.

    Without an *encoding*, a byte order mark tells UTF-16, the lines tell GB18030, and everything else is UTF-8. Raises
    UsageError.
    """
    if encoding is not None:
        return _decoded(stream, encoding)
    try:
        marked = stream.peek(2)[:2] in _UTF_16
    except _DAMAGES as exc:
        raise _damaged(exc) from exc
    return _decoded(stream, "utf-16") if marked else _utf_8_or_gb18030(_decoded(stream, "utf-8"))


def _decoded(stream: io.BufferedReader, encoding: str) -> Iterator[str]:
    text = None
    try:
        utf8 = encoding.lower().replace("_", "-") in {"utf-8", "utf8", "utf-8-sig"}
        text = io.TextIOWrapper(
            stream,
            encoding="utf-8-sig" if utf8 else encoding,
            errors="surrogateescape" if utf8 else "replace",
            newline="",
        )
        while line := text.readline(LONGEST_LINE):
            yield line
    except LookupError:
        raise UsageError(
            _("no encoding is called {encoding!r}", encoding=encoding), hint=_("For example gb18030 or utf-16.")
        ) from None
    except UnicodeError as exc:
        raise UsageError(
            _("the list is not in {encoding}, or not to its end", encoding=encoding),
            hint=_("Of UTF-16 without a mark: utf-16-le or utf-16-be."),
        ) from exc
    except _DAMAGES as exc:
        raise _damaged(exc) from exc
    finally:
        if text is not None:
            with contextlib.suppress(ValueError):  # the caller has closed it
                text.detach()


def _damaged(exc: Exception) -> UsageError:
    if isinstance(exc, OSError) and not isinstance(exc, gzip.BadGzipFile):
        return UsageError(_("the list cannot be read: {reason}", reason=of_system(exc)))
    return UsageError(
        _("the list ends in the middle, or is damaged"),
        hint=_("What was read so far is in the ledger; importing the whole file later changes nothing of it."),
    )


def _utf_8_or_gb18030(text: Iterator[str]) -> Iterator[str]:
    """The lines of *text*, which was read as UTF-8; read as GB18030 if that is what they are.

    The first line that is not ASCII and those after it tell: they are GB18030 if more of them are Chinese in GB18030
    and no UTF-8 than are UTF-8. So a damaged byte in a list that is UTF-8 costs its row only.
    """
    for line in text:
        if line.isascii():
            yield line
            continue
        sample, size = [line], len(line)
        while len(sample) < _SAMPLE_LINES and size < _SAMPLE_CHARACTERS and (following := next(text, "")):
            sample.append(following)
            size += len(following)
        rest = chain(sample, text)
        yield from _as_gb18030(rest) if _is_gb18030(sample) else rest


def _is_gb18030(sample: Sequence[str]) -> bool:
    votes = 0
    for line in sample:
        if UNDECODABLE.search(line):
            votes += _is_chinese(line.encode("utf-8", "surrogateescape"))
        else:
            votes -= not line.isascii()
    return votes > 0


def _is_chinese(line: bytes) -> bool:
    """Whether a line is valid GB18030, with characters that are nearly all common ones."""
    try:
        found = [char for char in line.decode("gb18030") if not char.isascii()]
    except UnicodeDecodeError:
        return False
    return len("".join(found).encode("gb2312", "ignore")) >= 2 * _COMMON * len(found)


def _as_gb18030(text: Iterator[str]) -> Iterator[str]:
    """Lines that were read as UTF-8, read as GB18030; every byte counts as it was."""
    decoder = codecs.getincrementaldecoder("gb18030")("replace")  # pieces of a long line may end within a character
    for line in text:
        yield decoder.decode(line.encode("utf-8", "surrogateescape"))
    if rest := decoder.decode(b"", final=True):
        yield rest
