"""The language of what people read: English unless Chinese is chosen, for the whole process.

Messages are written in English where they are made, as ``_("{n:,} rows of {file}", n=n, file=file)``. Translations are
in locale/zh/LC_MESSAGES/smsreceipt.po, which is read when the first one is needed. A message without one stays English.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping

ENGLISH, CHINESE = "en", "zh"
LANGUAGES = (ENGLISH, CHINESE)
#: Without pathlib, which `--help` does not need otherwise.
CATALOGUE = os.path.join(os.path.dirname(__file__), "locale", "zh", "LC_MESSAGES", "smsreceipt.po")  # noqa: PTH118, PTH120

_NAMES = {
    **dict.fromkeys(("cn", "chs", "chinese", "中文", "汉语", "简体中文"), CHINESE),
    **dict.fromkeys(("english", "英文", "英语"), ENGLISH),
}

_QUOTED = r'"[^"\\]*(?:\\.[^"\\]*)*"'
_TEXT = rf"({_QUOTED}(?:\s+{_QUOTED})*)\s+"
_ENTRY = rf"^msgid {_TEXT}(?:msgid_plural {_TEXT})?msgstr(?:\[0\])? {_TEXT}"
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r"}


class _State:
    chosen = ENGLISH
    catalogue: dict[str, str] | None = None


def use(language: str) -> None:
    """Choose the language of this process, "en" or "zh". Raises ValueError for another one."""
    if language not in LANGUAGES:
        raise ValueError(language)
    _State.chosen = language


@contextlib.contextmanager
def using(language: str) -> Iterator[None]:
    """Inside, that language is chosen; after it, the one before."""
    before = _State.chosen
    use(language)
    try:
        yield
    finally:
        _State.chosen = before


def chosen() -> str:
    """The language that is chosen: "en" or "zh"."""
    return _State.chosen


def is_chinese() -> bool:
    """Whether Chinese is chosen."""
    return _State.chosen == CHINESE


def named(word: str) -> str:
    """The language that somebody names: zh, zh-CN, zh_CN.UTF-8, EN, chinese, 中文; "" for what is none."""
    plain = word.strip().lower()
    if plain.startswith(LANGUAGES) and not plain[2:3].isalnum():
        return plain[:2]
    return _NAMES.get(plain, "")


def of_locale(environ: Mapping[str, str]) -> str:
    """The language that the locale asks for: LANGUAGE, a list, then LC_ALL, LC_MESSAGES, LANG.

    LANGUAGE does not count where the locale is C, as in every program with gettext. What is no Chinese is English.
    """
    locale = next((environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environ.get(name)), "")
    listed = [] if locale in {"C", "POSIX"} else [each for each in environ.get("LANGUAGE", "").split(":") if each]
    for each in listed or [locale]:
        if each.lower().startswith(LANGUAGES):
            return CHINESE if each.lower().startswith(CHINESE) else ENGLISH
    return ENGLISH


def _(message: str, /, **values: object) -> str:
    """The message in the chosen language, its {named} places filled; without values it is not formatted."""
    if _State.chosen == ENGLISH:
        return message.format(**values) if values else message
    return _filled(message, translation(message), values)


def n_(one: str, many: str, n: int, /, **values: object) -> str:
    """As _, for a message that differs in English by the number *n*, which fills {n}."""
    message = one if n == 1 else many
    if _State.chosen == ENGLISH:
        return message.format(n=n, **values)
    return _filled(message, translation(one), {"n": n, **values})


def N_(message: str) -> str:  # noqa: N802 - gettext's name for it
    """The message itself: marks a constant for translation by _ when it is printed."""
    return message


#: What systems say about files and sockets, as far as users meet it.
_OF_SYSTEM = {
    N_("Address already in use"),
    N_("Bad file descriptor"),
    N_("Cannot assign requested address"),
    N_("Connection refused"),
    N_("Disk quota exceeded"),
    N_("Exec format error"),
    N_("File exists"),
    N_("File name too long"),
    N_("Input/output error"),
    N_("Is a directory"),
    N_("No space left on device"),
    N_("No such device or address"),
    N_("No such file or directory"),
    N_("Not a directory"),
    N_("Operation not permitted"),
    N_("Permission denied"),
    N_("Read-only file system"),
    N_("Too many levels of symbolic links"),
    N_("Too many open files"),
}


def of_system(exc: OSError) -> str:
    """What the system says about an error, in the chosen language; the name of its class where that is nothing."""
    told = os.strerror(exc.errno) if exc.errno else ""
    return _(told if told in _OF_SYSTEM else exc.strerror or type(exc).__name__)


def listed(names: Iterable[str]) -> str:
    """The names one after another, as the chosen language separates them."""
    return ("、" if is_chinese() else ", ").join(names)


def _filled(message: str, translated: str | None, values: Mapping[str, object]) -> str:
    if not values:
        return translated or message
    with contextlib.suppress(LookupError, ValueError, AttributeError):  # a bad translation must not end a command
        if translated:
            return translated.format(**values)
    return message.format(**values)


def translation(message: str) -> str | None:
    """The Chinese for a message, with its places; None where there is none."""
    catalogue = _State.catalogue
    if catalogue is None:
        catalogue = {}
        with contextlib.suppress(OSError, ValueError), open(CATALOGUE, encoding="utf-8") as file:  # noqa: PTH123
            catalogue = catalogue_of(file.read())
        _State.catalogue = catalogue  # only when it is whole: another thread may look now
    return catalogue.get(message)


def catalogue_of(text: str) -> dict[str, str]:
    """The translations in a .po file, by their English; of a plural, by the singular."""
    found = {}
    for message, _plural, translated in re.findall(_ENTRY, text, re.MULTILINE):
        if (key := _unquoted(message)) and (value := _unquoted(translated)):
            found[key] = value
    return found


def _unquoted(text: str) -> str:
    text = "".join(line.strip()[1:-1] for line in text.splitlines())
    return re.sub(r"\\(.)", lambda match: _ESCAPED.get(match[1], match[1]), text) if "\\" in text else text
