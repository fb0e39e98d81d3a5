"""Find ends in bytes that need not be valid JSON, and look at each byte a bounded number of times."""

from __future__ import annotations

import re

#: A JSON text without its closing quote; a line break ends it.
TEXT = rb'"[^"\\\n]*+(?:\\[^\n][^"\\\n]*+)*'

_OPEN, _ARRAY, _COLON, _QUOTE = 0x7B, 0x5B, 0x3A, 0x22
_REST_OF_TEXT = re.compile(rb'[^"\\\n]*+(?:\\[^\n][^"\\\n]*+)*("?)')
_TOKEN = re.compile(TEXT + rb'("?)|[][{}]')
_BROKEN = -1
_RESTARTS = 8  # scans that may begin inside of a text of an earlier scan and find no end either


class Occurrences:
    """Where a word stands next. The answer is remembered: a word that is not there is searched for once."""

    def __init__(self, text: bytes, word: bytes) -> None:
        self._text, self.word = text, word
        self._next = -1

    def find(self, at: int, limit: int) -> int:
        """The first place from *at* on, wholly before *limit*; -1: there is none. *at* must not go back."""
        if self._next < at:
            found = self._text.find(self.word, at)
            self._next = found if found >= 0 else len(self._text)
        return self._next if self._next + len(self.word) <= limit else -1


class Brackets:
    """Where objects end. Objects without an end may lie in each other: one scan finds the ends of all of them."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._open: list[int] = []  # where the brackets stand that are open
        self._ends: dict[int, int] = {}  # of each bracket of the scan; 0: not found yet
        self._next = 0  # where the scan goes on
        self._in_text = False  # whether that is inside of a text
        self._furthest = 0  # that any scan has reached
        self._restarts = 0

    def closing(self, at: int, limit: int, *, final: bool) -> int:
        """The end of the object that begins at *at*; 0: not before *limit*; -1: it is broken, or *final* and not ended.

        An object is broken by a line break in a text, by brackets that do not match, and by an object or array where
        only a name may be: there it was cut off, and another payload follows. Neither *at* nor *limit* may go back.
        """
        if at not in self._ends:
            limit = self._restart(at, limit)
        if not self._ends[at]:
            self._scan(at, limit)
        return self._ends[at] or -final

    def _restart(self, at: int, limit: int) -> int:
        """Begin a scan at *at*; return its limit, which is the end of the line after many scans in vain."""
        self._furthest = max(self._furthest, self._next)
        if at >= self._furthest:
            self._restarts = 0
        else:  # the scan before took it for a part of a text
            self._restarts += 1
            if self._restarts > _RESTARTS:
                newline = self._text.find(b"\n", at, limit)
                limit = newline if newline >= 0 else limit
        self._open, self._ends, self._next, self._in_text = [at], {at: 0}, at + 1, False
        return limit

    def _scan(self, at: int, limit: int) -> None:
        """Go on until the end of the object at *at* is known, or *limit* is reached."""
        text, open_, ends = self._text, self._open, self._ends
        if self._in_text:
            rest = _REST_OF_TEXT.match(text, self._next, limit)
            if rest is None or not rest[1]:
                self._text_without_end(rest.end() if rest else self._next)
                return
            self._next, self._in_text = rest.end(), False
        for token in _TOKEN.finditer(text, self._next, limit):
            start, end = token.span()
            char = text[start]
            if char == _QUOTE:
                if token[1]:
                    continue
                self._text_without_end(end)
                return
            if char in (_OPEN, _ARRAY):
                if text[open_[-1]] == _OPEN and _before(text, start) != _COLON:
                    self._break()
                    self._next = start
                    return
                open_.append(start)
                ends[start] = 0
            else:
                if text[open_[-1]] != char - 2:
                    self._break()
                    self._next = start
                    return
                ends[open_.pop()] = end
                if ends[at]:
                    self._next = end
                    return
        self._next = max(self._next, limit)

    def _text_without_end(self, reached: int) -> None:
        """A text ends with its line, or goes on beyond the limit of the scan."""
        if b"\n" in self._text[reached : reached + 2]:
            self._break()
        self._next, self._in_text = reached, True

    def _break(self) -> None:
        self._ends.update(dict.fromkeys(self._open, _BROKEN))
        self._open.clear()


def _before(text: bytes, at: int) -> int:
    """The last byte before *at* that is not white space."""
    at -= 1
    while text[at] in b" \t\r\n":
        at -= 1
    return text[at]
