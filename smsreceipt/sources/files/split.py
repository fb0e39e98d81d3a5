"""From a stream of bytes to the payloads in it, byte for byte, whatever was saved how.

Between two payloads may stand white space, commas, brackets of arrays and byte order marks, all of which say nothing;
so an array needs no beginning, and reading can be taken up after any payload. A payload is an object, which ends where
its braces close, or anything else, which ends with its line.

What is valid JSON is cut by a parser at its speed, a window at a time; only what is not is looked at token by token.
Both roads cut in the same places: a parser that takes a window has proved where its values end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

CAP = 1 << 20  #: bytes of one payload; whatever is longer is cut here, since no receipt is

_OPEN, _CLOSE, _ARRAY = 0x7B, 0x7D, 0x5B
_BOM = b"\xef\xbb\xbf"
_BETWEEN = re.compile(rb"[ \t\r\n,\]]*+(?:\xef\xbb\xbf[ \t\r\n,\]]*+)*")
_TEXT = rb'"[^"\\\n]*+(?:\\[^\n][^"\\\n]*+)*'  # without its end
_TOKEN = re.compile(_TEXT + rb'("?)|[][{}]')
#: Where reading is taken up after something broken: a line that begins at its left edge with what may begin a payload.
_EDGE = re.compile(rb"\n(?=[^ \t\r\n}\]])")
_SCALAR = re.compile(rb"(?:" + _TEXT + rb'"|-?\d++(?:\.\d++)?(?:[eE][-+]?\d++)?|true|false|null)(?=[ \t]*+[,\]])')
#: A text at the end of what has come: more bytes may make a scalar of it, whatever it holds.
_BEGUN_TEXT = re.compile(_TEXT + rb'\\?(?:"[ \t]*+)?\Z')
_NEIGHBOUR = re.compile(rb",[ \t]*\{")
_BASE64_LINES = re.compile(rb"(?:[A-Za-z0-9+/]{8,}+={0,2}\r?\n)+")
_BOUNDARIES = (b"},{", b"}, {", b"},\n", b"},\r\n")

_values = msgspec.json.Decoder(msgspec.Raw).decode_lines
_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode


class _Record(msgspec.Struct):
    """A line of `smsreceipt list --json`, as far as it says what its body is. Raw: neither looked at nor changed."""

    seq: msgspec.Raw
    kind: str
    identity: msgspec.Raw
    body: msgspec.Raw
    biz_id: str | None = None


class _Row(msgspec.Struct):
    """What only an answer has, of the bodies that are shown for a receipt: it does not say which send it is about."""

    PhoneNum: msgspec.Raw


_record = msgspec.json.Decoder(_Record).decode
_row = msgspec.json.Decoder(_Row).decode
_RECORD_MARK = b'"identity"'
_ROW_MARK = b'"PhoneNum"'


class Run(NamedTuple):
    """Payloads that follow each other and are of one kind."""

    kind: str | None  #: as a record told it
    biz_id: str  #: as the record told it whose body is a query's answer: that itself does not
    frames: list[bytes]


@dataclass(frozen=True, slots=True)
class Cut:
    """What was cut out of one stretch of the stream, and where that stretch is."""

    runs: list[Run]
    start: int
    end: int
    text: bytes

    def offsets(self) -> list[int]:
        """Where each payload begins, in the order of the runs. For rejects only: it searches."""
        found, at = [], 0
        for run in self.runs:
            for frame in run.frames:
                at = self.text.index(frame, at)
                found.append(self.start + at)
                at += len(frame)
        return found


class Cutter:
    """Takes a stream block by block and gives its payloads. It holds back at most one payload that is not complete."""

    def __init__(self, offset: int = 0, *, cap: int = CAP) -> None:
        """*offset* is that of the first byte to come; no payload is longer than *cap*."""
        self._start, self._cap = offset, cap
        self._rest = b""

    def feed(self, block: bytes) -> Cut:
        """What is complete now that *block* has come."""
        return self._cut(self._rest + block if self._rest else block, final=False)

    def finish(self) -> Cut:
        """The rest: the stream has come to its end."""
        return self._cut(self._rest, final=True)

    def _cut(self, text: bytes, *, final: bool) -> Cut:
        scan = _Scan(text, self._cap, final=final)
        end = scan.run()
        cut = Cut(scan.runs, self._start, self._start + end, text)
        self._start += end
        self._rest = text[end:]
        return cut


class _Scan:
    """One pass over the bytes that are there."""

    def __init__(self, text: bytes, cap: int, *, final: bool) -> None:
        self.runs: list[Run] = []
        self._text, self._cap, self._final = text, cap, final
        self._window = cap  # bytes that the parser is shown at once; fewer where it refuses

    def run(self) -> int:
        """Cut until nothing more is complete; how far that is."""
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
                end = self._lines(at) or self._line(at)
            if not end:
                return at
            at = end

    # -- valid JSON, by the parser ---------------------------------------------------------------------------------

    def _parsed(self, at: int) -> int:
        """Cut as much as the parser takes; 0: nothing."""
        if self._window < 64:
            self._window = min(512, self._cap)  # what it refused is behind us soon
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
        if text[at] == _OPEN:
            self._window = min(self._window, limit - at) // 8
        return 0

    def _take(self, at: int, end: int, *, array: bool = False) -> int:
        """Have the parser cut what stands between: values, or elements of an array. 0: it refuses."""
        text = self._text[at:end]
        try:
            frames = list(map(bytes, _elements(b"[" + text + b"]") if array else _values(text)))
            heads = {frame[0] for frame in frames}
            while _ARRAY in heads:
                frames = _flat(frames)
                heads = {frame[0] for frame in frames}
        except (ValueError, RecursionError):
            return 0
        if heads - {_OPEN}:
            return 0
        self._add(frames, records=_RECORD_MARK in text)
        return end

    # -- everything else, token by token ---------------------------------------------------------------------------

    def _object(self, at: int) -> int:
        """Cut one object, or what is left of one; 0: it is not complete yet."""
        text = self._text
        limit = min(len(text), at + self._cap)
        complete = self._final or len(text) - at > self._cap
        end = _closing(text, at, limit, final=complete)
        if end > 0:
            frame = text[at:end]
            self._add([frame], records=_RECORD_MARK in frame)
            return end
        edge = _EDGE.search(text, at, limit) if end < 0 or complete else None
        if edge is None and not complete:
            return 0
        return self._add_rest(at, edge.end() if edge else limit)

    def _lines(self, at: int) -> int:
        """Cut whole lines of base64 at once, as saved bodies of queue messages are; 0: there are none."""
        found = _BASE64_LINES.match(self._text, at, at + self._cap)
        if not found:
            return 0
        self._add(found[0].replace(b"\r\n", b"\n").split(b"\n")[:-1])
        return found.end()

    def _line(self, at: int) -> int:
        """Cut what is no object: one scalar of an array, or all up to the end of the line; 0: not complete yet."""
        text = self._text
        limit = min(len(text), at + self._cap)
        if scalar := _SCALAR.match(text, at, limit):
            self._add([scalar[0]])
            return scalar.end()
        newline = text.find(b"\n", at, limit)
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
            self._extend(None, "", frames)
            return
        for frame in frames:
            try:
                record = _record(frame)
            except (ValueError, RecursionError):
                self._extend(None, "", [frame])
            else:
                body = bytes(record.body)
                asked = record.biz_id or "" if _ROW_MARK in body and _is_row(body) else ""
                self._extend(record.kind, asked, [body])

    def _extend(self, kind: str | None, biz_id: str, frames: list[bytes]) -> None:
        runs = self.runs
        if runs and runs[-1].kind == kind and runs[-1].biz_id == biz_id:
            runs[-1].frames.extend(frames)
        elif frames:
            runs.append(Run(kind, biz_id, frames))


def _is_row(body: bytes) -> bool:
    try:
        _row(body)
    except (ValueError, RecursionError):
        return False
    return True


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


def _closing(text: bytes, at: int, limit: int, *, final: bool) -> int:
    """Where the object that begins at *at* ends; 0: not before *limit*; -1: never, it is broken.

    Broken is an object with a line break in a text, with brackets that do not match, or with an object or array in a
    place where only a name can stand: there it was cut off, and what follows is somebody else's.
    """
    open_: list[int] = []
    for token in _TOKEN.finditer(text, at, limit):
        char = text[token.start()]
        if char == 0x22:
            if not token[1]:
                return -1 if b"\n" in text[token.end() : token.end() + 2] else -final
        elif char in (_OPEN, _ARRAY):
            if open_ and open_[-1] == _OPEN and _before(text, token.start()) != 0x3A:
                return -1
            open_.append(char)
        else:
            if open_.pop() != char - 2:
                return -1
            if not open_:
                return token.end()
    return -final


def _before(text: bytes, at: int) -> int:
    """The last byte before *at* that is no white space."""
    at -= 1
    while text[at] in b" \t\r\n":
        at -= 1
    return text[at]
