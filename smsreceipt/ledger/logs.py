"""Reads the sends in one JSON object: a send itself, or a logged request with the provider's answer.

The fields are searched in the object and in the objects in which logs put requests and answers (request, response,
result, body, …), also where these are JSON text. Other objects are ignored: in a template's values, for example, a
"code" or a "phone" is part of a message.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from smsreceipt.ledger.names import field_of, normalised
from smsreceipt.ledger.values import InvalidValue, RawSend

_REQUESTS = {"request", "req", "requestparams", "params", "param", "parameters", "query", "form", "input", "args",
             "arguments", "payload", "fields", "extra", "context", "message", "event"}  # fmt: skip
_ANSWERS = {"response", "resp", "res", "rsp", "answer", "reply", "result", "output", "body", "data"}
_MAX_DEPTH = 4
_MAX_PHONES = 1_000  # in one request

_decode = msgspec.json.Decoder().decode
_container = lru_cache(maxsize=4096)(lambda name: normalised(name) in _REQUESTS | _ANSWERS)
_answer = lru_cache(maxsize=4096)(lambda name: normalised(name) in _ANSWERS)


class Logs:
    """Reads the lines of one list; *names* (field -> name) takes precedence over the known names."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = {normalised(name): field for field, name in names.items()}
        self._fixed = frozenset(names)

    def read(self, line: str) -> list[RawSend]:
        """The sends in a line, one for each number. Raises InvalidValue."""
        try:
            top = _decode(line)
        except msgspec.DecodeError:
            raise InvalidValue("not JSON") from None
        except RecursionError:
            raise InvalidValue("nested too deeply") from None
        if not isinstance(top, dict):
            raise InvalidValue("not a JSON object")
        return _per_phone(self._found(top))

    def _found(self, top: dict[str, Any]) -> dict[str, Any]:
        """Field -> value. The outermost object takes precedence, then the order of a field's names."""
        found: dict[str, tuple[int, int, Any]] = {}
        for depth, in_answer, values in _levels(top):
            for name, value in values.items():
                place = self._place(name, in_answer)
                if place is None or value is None or value == "" or value == [] or isinstance(value, bool | dict):
                    continue
                field, rank = place
                deep = 0 if name == "Code" else depth  # the provider's code takes precedence at any depth
                if field not in found or (deep, rank) < found[field][:2]:
                    found[field] = (deep, rank, value)
        return {field: value for field, (_, _, value) in found.items()}

    def _place(self, name: str, in_answer: bool) -> tuple[str, int] | None:
        if self._names and (mapped := self._names.get(normalised(name))):
            return mapped, -1
        place = ("code", 0) if in_answer and name in {"code", "Code"} else field_of(name)
        return None if place is None or place[0] in self._fixed else place


def _levels(top: dict[str, Any]) -> Iterator[tuple[int, bool, dict[str, Any]]]:
    """The object and those inside it, outermost first: depth, whether it is in an answer, members."""
    level = [(False, top)]
    for depth in range(_MAX_DEPTH):
        inner: list[tuple[bool, dict[str, Any]]] = []
        for in_answer, values in level:
            yield depth, in_answer, values
            for name, value in values.items():
                if type(value) is str and not value.startswith("{"):
                    continue
                if _container(name) and (held := _object(value)) is not None:
                    inner.append((in_answer or _answer(name), held))
        if not inner:
            return
        level = inner


def _object(value: Any) -> dict[str, Any] | None:
    """The JSON object in a value, which may be the text of one."""
    if isinstance(value, str):
        try:
            value = _decode(value)
        except (msgspec.DecodeError, RecursionError):
            return None
    return value if isinstance(value, dict) else None


def _per_phone(found: dict[str, Any]) -> list[RawSend]:
    """One send for each number. In a batch each has its own signature; the other fields are shared."""
    phones = _items(found.pop("phone", ""))
    signs = _items(found.pop("sign_name", ""), commas=False)
    texts = {field: _text(value) for field, value in found.items()}
    if len(phones) > _MAX_PHONES:
        raise InvalidValue("more than 1000 numbers in one request")
    if len(signs) == 1:
        signs *= max(len(phones), 1)
    if signs and len(signs) != len(phones):
        raise InvalidValue("not as many signatures as numbers")
    pairs = zip(phones, signs or [""] * len(phones), strict=True)
    return [RawSend(phone=phone, sign_name=sign, **texts) for phone, sign in pairs]


def _items(value: Any, *, commas: bool = True) -> list[str]:
    """The items of a list, of the JSON text of a list, or of a text with commas."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = _decode(value)
        except (msgspec.DecodeError, RecursionError):
            raise InvalidValue("a list that is not JSON") from None
    if isinstance(value, list):
        return [_text(each) for each in value]
    text = _text(value)
    if commas and "," in text:
        return [each.strip() for each in text.split(",") if each.strip()]
    return [text] if text or commas else []


def _text(value: Any) -> str:
    """A text without surrounding blanks, or a number as text. Raises InvalidValue for anything else."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, int | float):
        return str(value)
    raise InvalidValue("a field is neither text nor a number")
