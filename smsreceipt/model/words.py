"""Words that people type: which known one they meant."""

from __future__ import annotations

from collections.abc import Iterable

_NEAR = 0.75  # of 1, which is the same word; "list" and "limit" have 0.67


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that *word* is a misspelling of; "" where none is near. Case and leading dashes do not count."""
    from difflib import get_close_matches  # not for --help

    plain = {_plain(each): each for each in known}
    found = get_close_matches(_plain(word), plain, 1, _NEAR)
    return plain[found[0]] if found else ""


def _plain(word: str) -> str:
    return word.lstrip("-").replace("_", "-").casefold()
