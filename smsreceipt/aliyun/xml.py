"""A parser for the queue service's XML in any form: any order, white space, attributes, CDATA, references.

Document types and entity declarations are refused before parsing, so no entity is expanded or fetched.
"""

from __future__ import annotations

import re
from xml.parsers import expat

from smsreceipt.language import _

from .faults import BadAnswer

_DECLARATION = re.compile(rb"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_DECLARED = re.compile(rb"""\s*<\?xml\s[^>]*?\bencoding\s*=\s*["']([^"'>]*)["']""")
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
#: Declared names in lower case --> codecs. The service writes UTF-8; proxies and imitations may re-encode.
_ENCODINGS = {
    "": "utf-8",
    **dict.fromkeys(("utf-8", "utf8", "us-ascii", "ascii"), "utf-8"),
    **dict.fromkeys(("gbk", "gb2312", "gb18030", "cp936", "x-gbk"), "gb18030"),
    **dict.fromkeys(("iso-8859-1", "latin1", "latin-1"), "latin-1"),
    **dict.fromkeys(("windows-1252", "cp1252"), "cp1252"),
    **dict.fromkeys(("big5", "cp950"), "cp950"),
}
_BARE = re.compile("&(?!(?:lt|gt|amp|quot|apos|#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6});)")
#: Control characters that XML forbids --> private-use characters that stand for them during parsing.
_FORBIDDEN = {code: 0xE000 + code for code in range(32) if code not in b"\t\n\r"}


def _refuse_declarations(body: bytes) -> None:
    """Raise BadAnswer when *body* has a DOCTYPE or an entity declaration."""
    if b"<!" in body and _DECLARATION.search(body):
        raise BadAnswer(_("the answer declares a document type or an entity"))


def _in_utf8(body: bytes) -> bytes:
    """*body* in UTF-8, from the encoding that its byte order mark or its declaration names.

    UTF-8 itself is not checked here. Raises BadAnswer for an encoding that is not known or does not fit the bytes.
    """
    mark, encoding = next((each for each in _BOMS if body.startswith(each[0])), (b"", ""))
    body = body[len(mark) :]
    if not mark:
        declared = _DECLARED.match(body)
        encoding = _ENCODINGS.get(declared[1].decode("latin-1").strip().lower() if declared else "", "")
    if not encoding:
        raise BadAnswer(_("the answer declares an encoding that is not known"))
    if encoding == "utf-8":
        return body
    try:
        return body.decode(encoding).encode()
    except UnicodeError:
        raise BadAnswer(_("the answer is not in its encoding, {encoding}", encoding=encoding)) from None


def records(body: bytes, root: str, item: str) -> list[dict[str, bytes]]:
    """Return the children of every *item* element as name -> text in UTF-8.

    The document element is *root*, which contains the items, or one *item*; with an empty *root* only the latter.
    Raises BadAnswer when the document is truncated, not well formed, or has another document element.
    """
    body = _in_utf8(body)
    _refuse_declarations(body)
    if not body.rstrip(b"\0 \t\r\n").endswith(b">"):
        raise BadAnswer(_("the answer is cut or no XML"))
    reader = _Reader(root, item)
    try:
        reader.parse(body)
    except expat.ExpatError:
        # One text that XML forbids must not cost the others: parse each byte as a character, then convert back.
        reader = _Reader(root, item, raw=True)
        try:
            reader.parse(_repaired(body))
        except expat.ExpatError:
            raise BadAnswer(_("the answer is cut or not well-formed XML")) from None
    return reader.found


def _repaired(body: bytes) -> bytes:
    """The document with the forbidden characters of its texts replaced or escaped."""
    text = body.decode("latin-1").translate(_FORBIDDEN)
    if "<![CDATA[" not in text:
        text = _BARE.sub("&amp;", text).replace("]]>", "]]&gt;")
    return text.encode()


class _Reader:
    """Collects the fields of one document that is at most three elements deep."""

    def __init__(self, root: str, item: str, *, raw: bool = False) -> None:
        self.found: list[dict[str, bytes]] = []
        self._root = root
        self._item = item
        self._raw = raw
        self._depth = 0
        self._items_at = 0
        self._text: list[str] = []
        self._fields: dict[str, bytes] = {}

    def parse(self, body: bytes) -> None:
        parser = expat.ParserCreate("utf-8")  # whatever is declared: _in_utf8 has converted it
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text.append
        parser.StartDoctypeDeclHandler = self._refuse
        parser.Parse(body, True)

    def _refuse(self, *_said: object) -> None:
        raise BadAnswer(_("the answer declares a document type or an entity"))

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth == 1:
            self._items_at = 1 if name == self._item else 2
            if name not in {self._item, self._root}:
                raise BadAnswer(_("the answer is another document than was asked for"))
        if self._depth == self._items_at:
            self._fields = {}
        if self._depth <= self._items_at + 1:
            self._text.clear()

    def _end(self, name: str) -> None:
        if self._depth == self._items_at + 1:
            self._fields[name] = self._bytes("".join(self._text))
        elif self._depth == self._items_at:
            if name != self._item:
                raise BadAnswer(_("the answer is another document than was asked for"))
            self.found.append(self._fields)
        self._depth -= 1

    def _bytes(self, text: str) -> bytes:
        if not self._raw:
            return text.encode()
        return b"".join(_byte(ord(char)) for char in text)


def _byte(code: int) -> bytes:
    """The byte that was parsed as the character *code*; for a character reference, its UTF-8."""
    if code < 256:
        return bytes((code,))
    return bytes((code - 0xE000,)) if 0xE000 <= code < 0xE020 else chr(code).encode()
