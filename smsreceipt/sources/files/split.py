"""Split a stream of bytes into the payloads in it, byte for byte, in whatever form they were saved.

White space, commas, brackets of arrays and byte order marks between two payloads mean nothing: an array needs no
beginning, and reading can resume after any payload. A payload is an object, which ends where its braces close, or
anything else, which ends with its line.

Valid JSON is cut by a parser, a window at a time; all else is cut token by token, which is slower. Both ways cut in the
same places: a parser that accepts a window has proved where its values end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from smsreceipt.sources.files.brackets import TEXT, Brackets, Occurrences

CAP = 1 << 20  #: bytes of one payload; longer ones are cut, since no receipt is as long

_OPEN, _CLOSE, _ARRAY, _LESS = 0x7B, 0x7D, 0x5B, 0x3C
_BOM = b"\xef\xbb\xbf"
_BETWEEN = re.compile(rb"[ \t\r\n,\]]*+(?:\xef\xbb\xbf[ \t\r\n,\]]*+)*")
#: Where reading goes on after a broken object: at a line that begins, unindented, as a payload may.
_EDGE = re.compile(rb"\n(?=[^ \t\r\n}\]])")
_SCALAR = re.compile(rb"(?:" + TEXT + rb'"|-?\d++(?:\.\d++)?(?:[eE][-+]?\d++)?|true|false|null)(?=[ \t]*+[,\]])')
#: A text at the end of the bytes so far: with more bytes it may become a scalar, whatever it holds.
_BEGUN_TEXT = re.compile(TEXT + rb'\\?(?:"[ \t\r]*+)?\Z')
_NEIGHBOUR = re.compile(rb",[ \t]*\{")
#: A text that fills its line, whatever it holds: JSON that was written into a JSON string.
_TEXT_LINE = re.compile(TEXT + rb'"(?=[ \t\r]*+\n)')
_LAST_TEXT = re.compile(TEXT + rb'"(?=[ \t\r]*+\Z)')
_XML = re.compile(rb"(?:<\?xml[^<>]*+>\s*+)?(?:<!--[^<>]*+-->\s*+)?<(Messages?)[\s>]")
_XML_BEGUN = re.compile(rb"<(?:\?(?:x(?:m(?:l[^<>]*+(?:>\s*+(?:<[A-Za-z]*+)?)?)?)?)?|M[a-z]*+)?\Z")
_BASE64_LINES = re.compile(rb"(?:[A-Za-z0-9+/]{8,}+={0,2}\r?\n)+")
_MAX_LEVELS = 8  # of arrays in arrays that are taken apart at once
_BOUNDARIES = (b"},{", b"}, {", b"},\n", b"},\r\n")

_values = msgspec.json.Decoder(msgspec.Raw).decode_lines
_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode


class _Record(msgspec.Struct):
    """What is read of a line of `smsreceipt list --json`; a Raw field stays as it is written."""

    seq: int | None
    kind: str
    identity: msgspec.Raw
    body: msgspec.Raw
    biz_id: str | None = None


_record = msgspec.json.Decoder(_Record).decode
_RECORD_MARK = b'"identity"'
#: A row of QuerySendDetails has this field, and not the BizId of its send. So may a receipt: decoding tells.
_ROW_MARKS = (b'honeNum"', b'hone_num"')
_ROW_END = b'um"'  #: the end of both: most bodies are searched once


class Run(NamedTuple):
    """Payloads that follow each other and are of one kind."""

    kind: str | None  #: of the record that held them
    biz_id: str  #: of the record, where the body may be a row of a query, which holds none itself
    frames: list[bytes]


@dataclass(frozen=True, slots=True)
class Cut:
    """The payloads of one stretch of the stream, and where that stretch is."""

    runs: list[Run]
    start: int
    end: int
    text: bytes

    def offsets(self) -> list[int]:
        """The byte offset of each payload, in the order of the runs. Slow, since it searches: for rejects only."""
        found, at = [], 0
        for run in self.runs:
            for frame in run.frames:
                at = self.text.index(frame, at)
                found.append(self.start + at)
                at += len(frame)
        return found


class Cutter:
    """Takes a stream block by block and returns its payloads. At most one incomplete payload is held back."""

    def __init__(self, offset: int = 0, *, cap: int = CAP) -> None:
        """*offset* is that of the first byte; no payload is longer than *cap* bytes."""
        self._start, self._cap = offset, cap
        self._rest = b""

    def feed(self, block: bytes) -> Cut:
        """Return the payloads that are complete with *block*."""
        return self._cut(self._rest + block if self._rest else block, final=False)

    def finish(self) -> Cut:
        """Return the rest, at the end of the stream."""
        return self._cut(self._rest, final=True)

    def _cut(self, text: bytes, *, final: bool) -> Cut:
        scan = _Scan(text, self._cap, final=final)
        end = scan.run()
        cut = Cut(scan.runs, self._start, self._start + end, text)
        self._start += end
        self._rest = text[end:]
        return cut


class _Scan:
    """One pass over the bytes that have come."""

    def __init__(self, text: bytes, cap: int, *, final: bool) -> None:
        self.runs: list[Run] = []
        self._text, self._cap, self._final = text, cap, final
        self._window = cap  # bytes that the parser gets at once; fewer after it refused
        self._brackets = Brackets(text)
        self._newlines = Occurrences(text, b"\n")
        self._xml_ends = {name: Occurrences(text, b"</%b>" % name) for name in (b"Message", b"Messages")}

    def run(self) -> int:
        """Cut until no complete payload is left; return the offset reached."""
        text, size = self._text, len(self._text)
        at = 0
        while True:
            at = _between(text, at)
            if at == size or (not self._final and size - at < 3 and _BOM.startswith(text[at:])):
                return at
            head = text[at]
            if head in (_OPEN, _ARRAY):
                end = self._parsed(at)
                if not end and head == _ARRAY:
                    at += 1
                    continue
                end = end or self._object(at)
            else:
                end = self._lines(at) or self._xml(at) or self._line(at)
            if end <= 0:
                return at
            at = end

    def _parsed(self, at: int) -> int:
        """Cut as much as the parser accepts; 0: nothing."""
        if self._window < 64:
            self._window = min(512, self._cap)  # the bytes that it refused are passed soon
            return 0
        text, limit = self._text, min(at + self._window, len(self._text))
        cut = limit if limit == len(text) and self._final else text.rfind(b"\n", at, limit) + 1
        end = self._take(at, cut) if cut > at else 0
        if not end and text[at] == _OPEN:
            cut = max(text.rfind(mark, at, limit) for mark in _BOUNDARIES) + 1
            end = self._take(at, cut, array=True) if cut > at else 0
        if not end and (edge := text.rfind(b"\n{", at, limit) + 1) > at:
            end = self._take(at, edge)
        if end:
            self._window = min(self._window * 4, self._cap)
            return end
        self._window = min(self._window, limit - at) // 8
        return 0

    def _take(self, at: int, end: int, *, array: bool = False) -> int:
        """Have the parser cut these bytes into values, or into elements of an array. 0: it refuses."""
        text = self._text[at:end]
        try:
            frames = list(map(bytes, _elements(b"[" + text + b"]") if array else _values(text)))
            heads = {frame[0] for frame in frames}
            for _ in range(_MAX_LEVELS):
                if _ARRAY not in heads:
                    break
                frames = _flat(frames)
                heads = {frame[0] for frame in frames}
        except (ValueError, RecursionError):
            return 0
        if heads - {_OPEN}:
            return 0
        self._add(frames, records=_RECORD_MARK in text)
        return end

    def _object(self, at: int) -> int:
        """Cut one object, or a broken one; 0: it is not complete yet."""
        text = self._text
        limit = min(len(text), at + self._cap)
        complete = self._final or len(text) - at > self._cap
        end = self._brackets.closing(at, limit, final=complete)
        if end > 0:
            frame = text[at:end]
            self._add([frame], records=_RECORD_MARK in frame)
            return end
        edge = _EDGE.search(text, at, limit) if end < 0 or complete else None
        if edge is None and not complete:
            return 0
        return self._add_rest(at, edge.end() if edge else limit)

    def _lines(self, at: int) -> int:
        """Cut whole lines of base64, the saved bodies of queue messages, at once; 0: there are none."""
        found = _BASE64_LINES.match(self._text, at, at + self._cap)
        if not found:
            return 0
        self._add(found[0].replace(b"\r\n", b"\n").split(b"\n")[:-1])
        return found.end()

    def _xml(self, at: int) -> int:
        """Cut one message of the queue, or several in one element, as XML; 0: there is none; -1: not complete yet."""
        text = self._text
        if text[at] != _LESS:
            return 0
        limit = min(len(text), at + self._cap)
        complete = self._final or len(text) - at > self._cap
        found = _XML.match(text, at, limit)
        if not found:
            return -1 if not complete and _XML_BEGUN.match(text, at, limit) else 0
        ends = self._xml_ends[found[1]]
        end = ends.find(found.end(), limit)
        if end < 0:
            return 0 if complete else -1
        end += len(ends.word)
        self._add([text[at:end]])
        return end

    def _line(self, at: int) -> int:
        """Cut one scalar of an array, or all up to the end of the line; 0: it is not complete yet."""
        text = self._text
        limit = min(len(text), at + self._cap)
        scalar = _SCALAR.match(text, at, limit) or _TEXT_LINE.match(text, at, limit)
        if scalar is None and self._final and limit == len(text):
            scalar = _LAST_TEXT.match(text, at, limit)
        if scalar:
            self._add([scalar[0]])
            return scalar.end()
        newline = self._newlines.find(at, limit)
        end = newline if newline >= 0 else limit
        incomplete = newline < 0 and not self._final and len(text) - at <= self._cap
        if incomplete and _BEGUN_TEXT.match(text, at):
            return 0
        if neighbour := _NEIGHBOUR.search(text, at, end):
            return self._add_rest(at, neighbour.start())
        if incomplete:
            return 0
        return self._add_rest(at, end)

    def _add_rest(self, at: int, end: int) -> int:
        self._add([self._text[at:end].rstrip()])
        return end

    def _add(self, frames: list[bytes], *, records: bool = False) -> None:
        if not records:
            self._extend(frames)
            return
        last = self.runs[-1] if self.runs else None
        for frame in frames:
            try:
                record = _record(frame)
                body = bytes(record.body)
            except (ValueError, RecursionError):
                kind, biz_id, body = None, "", frame
            else:
                kind, biz_id = record.kind, ""
                if body[0] != _OPEN:
                    kind, body = None, frame
                elif _ROW_END in body and (_ROW_MARKS[0] in body or _ROW_MARKS[1] in body):
                    biz_id = record.biz_id or ""
            if last is None or kind != last.kind or biz_id != last.biz_id:
                last = Run(kind, biz_id, [])
                self.runs.append(last)
            last.frames.append(body)

    def _extend(self, frames: list[bytes]) -> None:
        """Add payloads that are no records."""
        runs = self.runs
        if runs and runs[-1].kind is None and not runs[-1].biz_id:
            runs[-1].frames.extend(frames)
        elif frames:
            runs.append(Run(None, "", frames))


def _between(text: bytes, at: int) -> int:
    found = _BETWEEN.match(text, at)
    return found.end() if found else at


def _flat(frames: list[bytes]) -> list[bytes]:
    """Arrays taken apart by one level."""
    flat: list[bytes] = []
    for frame in frames:
        if frame[0] == _ARRAY:
            flat.extend(map(bytes, _elements(frame)))
        else:
            flat.append(frame)
    return flat
