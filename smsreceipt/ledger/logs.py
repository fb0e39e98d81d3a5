"""What one JSON object says: a send, or a logged request with the provider's answer.

Names are looked for in the object itself, then in the objects that logs put requests and answers into (request,
response, result, body, …), which may be JSON text too. What is in other objects, such as a template's values, is not
looked at: a "code" or a "phone" there is part of somebody's message.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from smsreceipt.ledger.names import known, plain
from smsreceipt.ledger.values import Refused, Said

_REQUESTS = {"request", "req", "requestparams", "params", "param", "parameters", "query", "form", "input", "args",
             "arguments", "payload", "fields", "extra", "context", "message", "event"}  # fmt: skip
_ANSWERS = {"response", "resp", "res", "rsp", "answer", "reply", "result", "output", "body", "data"}
_DEEPEST = 4
_MOST = 1_000  # numbers in one request

_decode = msgspec.json.Decoder().decode
_container = lru_cache(maxsize=4096)(lambda name: plain(name) in _REQUESTS | _ANSWERS)
_answer = lru_cache(maxsize=4096)(lambda name: plain(name) in _ANSWERS)


class Logs:
    """Reads lines of one list; *names* (field -> name) goes before the names that are known."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = {plain(name): field for field, name in names.items()}
        self._fixed = frozenset(names)

    def read(self, line: str) -> list[Said]:
        """What a line says, a Said for each number it names. Raises Refused."""
        try:
            top = _decode(line)
        except msgspec.DecodeError:
            raise Refused("not JSON") from None
        except RecursionError:
            raise Refused("nested too deeply") from None
        if not isinstance(top, dict):
            raise Refused("not a JSON object")
        return _apart(self._found(top))

    def _found(self, top: dict[str, Any]) -> dict[str, Any]:
        """Field -> its value: that of the outermost object, in it that of its first name."""
        found: dict[str, tuple[int, int, Any]] = {}
        for depth, in_answer, values in _levels(top):
            for name, value in values.items():
                place = self._place(name, in_answer)
                if place is None or value is None or value == "" or value == [] or isinstance(value, bool | dict):
                    continue
                field, rank = place
                deep = 0 if name == "Code" else depth  # the provider's own, whatever is wrapped around it
                if field not in found or (deep, rank) < found[field][:2]:
                    found[field] = (deep, rank, value)
        return {field: value for field, (_, _, value) in found.items()}

    def _place(self, name: str, in_answer: bool) -> tuple[str, int] | None:
        if self._names and (mapped := self._names.get(plain(name))):
            return mapped, -1
        place = ("code", 0) if in_answer and name in {"code", "Code"} else known(name)
        return None if place is None or place[0] in self._fixed else place


def _levels(top: dict[str, Any]) -> Iterator[tuple[int, bool, dict[str, Any]]]:
    """The object, then those inside it: how deep, whether in an answer, what it holds."""
    level = [(False, top)]
    for depth in range(_DEEPEST):
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
    """The object that a value is, or that it is the JSON text of."""
    if isinstance(value, str):
        try:
            value = _decode(value)
        except (msgspec.DecodeError, RecursionError):
            return None
    return value if isinstance(value, dict) else None


def _apart(found: dict[str, Any]) -> list[Said]:
    """What is said of each number: a batch has a signature for each, and shares the rest."""
    phones = _several(found.pop("phone", ""))
    signs = _several(found.pop("sign_name", ""), commas=False)
    texts = {field: _text(value) for field, value in found.items()}
    if len(phones) > _MOST:
        raise Refused("more than 1000 numbers in one request")
    if len(signs) == 1:
        signs *= max(len(phones), 1)
    if signs and len(signs) != len(phones):
        raise Refused("not as many signatures as numbers")
    pairs = zip(phones, signs or [""] * len(phones), strict=True)
    return [Said(phone=phone, sign_name=sign, **texts) for phone, sign in pairs]


def _several(value: Any, *, commas: bool = True) -> list[str]:
    """The values of a list, of the JSON text of a list, or of text with commas between them."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = _decode(value)
        except (msgspec.DecodeError, RecursionError):
            raise Refused("a list that is not JSON") from None
    if isinstance(value, list):
        return [_text(each) for each in value]
    text = _text(value)
    if commas and "," in text:
        return [each.strip() for each in text.split(",") if each.strip()]
    return [text] if text or commas else []


def _text(value: Any) -> str:
    """A text, or a number as it is written."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, int | float):
        return str(value)
    raise Refused("a field is neither text nor a number")
