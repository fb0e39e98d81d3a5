"""Readers of one field: each takes the accepted spellings of a value, and refuses any other instead of coercing it.

A specification names a field, or the names that it has in different transports: "order_id|orderId". The first of
them that is neither absent, null nor empty counts.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import TypeVar

from smsreceipt.decode import times
from smsreceipt.decode.refusal import Refused
from smsreceipt.decode.strict import Fields, Number, canonical
from smsreceipt.model import Instant, Reason, normalise_phone

_T = TypeVar("_T")
#: JSON's spellings in quotes, Python's True and False, and 1 and 0, as databases export a boolean.
_TRUTHS = {"true": True, "false": False, "1": True, "0": False}


def text_of(spec: str) -> Callable[[Fields], str]:
    """A reader of text: a JSON string, or a number in its decimal spelling; "" where there is none."""
    name, *others = spec.split("|")

    def read(fields: Fields) -> str:
        value = fields.get(name)
        if type(value) is int:
            return str(value)
        return value if type(value) is str else _plain(value)

    def read_first(fields: Fields) -> str:
        for each in (name, *others):
            value = fields.get(each)
            if text := value if type(value) is str else _plain(value):
                return text
        return ""

    return read_first if others else read


def phone_of(spec: str) -> Callable[[Fields], str]:
    """A reader of a phone number: a JSON string or integer; normalised; "" where there is none."""
    name, *others = spec.split("|")
    if others:
        return _first([phone_of(name), *map(phone_of, others)], "")

    def read(fields: Fields) -> str:
        value = fields.get(name)
        if type(value) is str and len(value) == 11 and value.isascii() and value.isdigit():
            return value
        return _phone(value)

    return read


def instant_of(spec: str) -> Callable[[Fields], Instant | None]:
    """A reader of a time: text in one of the spellings of times.py, or a number since 1970."""
    name, *others = spec.split("|")
    if others:
        return _first([instant_of(name), *map(instant_of, others)], None)
    instant = times.instant

    def read(fields: Fields) -> Instant | None:
        value = fields.get(name)
        written = value if type(value) is str else _plain(value)
        return instant(written) if written else None

    return read


def truth_of(name: str) -> Callable[[Fields], bool]:
    """A reader of a boolean that must be there: true or false, in any of the spellings of _TRUTHS."""

    def read(fields: Fields) -> bool:
        value = fields.get(name)
        if value is True or value is False:
            return value
        if value is None or value == "":
            raise Refused(Reason.MISSING)
        meant = _TRUTHS.get(str(value).lower()) if isinstance(value, (str, int)) else None
        if meant is None:
            raise Refused(Reason.TYPE)
        return meant

    return read


def digest_of(names: tuple[str, ...]) -> Callable[[Fields], str]:
    """A reader of the hex SHA-256 of a text, or of the canonical JSON of several fields; "" where there is none."""
    if len(names) == 1:
        text = text_of(names[0])
        return lambda fields: sha256(written.encode()).hexdigest() if (written := text(fields)) else ""

    def read(fields: Fields) -> str:
        values: list[object] = [fields.get(name) for name in names]
        return sha256(canonical(values).encode()).hexdigest() if any(values) else ""

    return read


def nothing(_: Fields) -> str:
    """The reader of a text that the dialect does not have."""
    return ""


def never(_: Fields) -> None:
    """The reader of a time that the dialect does not have."""


def _first(readers: list[Callable[[Fields], _T]], absent: _T) -> Callable[[Fields], _T]:
    def read(fields: Fields) -> _T:
        for reader in readers:
            if value := reader(fields):
                return value
        return absent

    return read


def _plain(value: object) -> str:
    if value is None:
        return ""
    if type(value) is int or type(value) is Number:
        return str(value)
    raise Refused(Reason.TYPE)


def _phone(value: object) -> str:
    if value is None or value == "":
        return ""
    if type(value) is not str and type(value) is not int:
        raise Refused(Reason.TYPE)
    phone = normalise_phone(str(value))
    if not (phone.isascii() and phone.isdigit()):
        raise Refused(Reason.TYPE)
    return phone
