"""Where a line of text may be broken, and how many columns of a terminal it takes."""

from __future__ import annotations

import unicodedata

#: Chinese text may be broken between any two characters, but a line must not start or end with these.
_NEVER_FIRST = frozenset("，。、；：！？）】》」』”’％…,.;:!?)]}%")
_NEVER_LAST = frozenset("（【《「『“‘([{")


def columns(text: str) -> int:
    """The columns that a text takes on a terminal; Chinese characters take two."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(char: str) -> int:
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def breakable(before: str, after: str) -> bool:
    """Whether a line may end after the character *before* and the next one start with *after*."""
    if after.isspace() or before in _NEVER_LAST or after in _NEVER_FIRST:
        return False
    return before.isspace() or _columns(before) > 1 or _columns(after) > 1


def cuts(text: str, width: int) -> list[int]:
    """The places at which the text is broken into lines of at most *width* columns."""
    found = []
    start = fits = used = 0
    for index, char in enumerate(text):
        if index > start and breakable(text[index - 1], char):
            fits = index
        wide = _columns(char)
        while used + wide > width and not char.isspace():
            start = fits if fits > start else index
            found.append(start)
            used = columns(text[start:index])
        used += wide
    return found


def lines(text: str, width: int) -> list[str]:
    """The text in lines of at most *width* columns, broken at blanks and between Chinese characters."""
    places = cuts(text, width)
    return [text[a:b].rstrip() for a, b in zip([0, *places], [*places, len(text)], strict=True)]
