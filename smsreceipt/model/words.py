"""Words that people type: which known one they meant, and whether they can be stored."""

from __future__ import annotations

from collections.abc import Iterable

_NEAR = 0.75  # of 1, which is the same word; "list" and "limit" have 0.67


def is_utf8(word: str) -> bool:
    """Whether a word can be written as UTF-8: it holds no half character, as words of another encoding do."""
    return word.isascii() or word.encode("utf-8", "ignore").decode() == word


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that *word* is a misspelling of; "" where none is near. Case and leading dashes do not count."""
    from difflib import get_close_matches  # not for --help

    plain = {_plain(each): each for each in known}
    found = get_close_matches(_plain(word), plain, 1, _NEAR)
    return plain[found[0]] if found else ""


def _plain(word: str) -> str:
    return word.lstrip("-").replace("_", "-").casefold()
