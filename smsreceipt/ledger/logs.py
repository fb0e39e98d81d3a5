"""Reads the sends in one JSON object: a send itself, or a logged request with the provider's answer.

The fields are searched in the object and in the objects in which logs, collectors and databases put requests, answers
and rows (request, response, body, log, _source, …), also where these are JSON text. Other objects are ignored: in a
template's values, for example, a "code" or a "phone" is part of a message. An object with RequestId and Code is the
provider's answer wherever it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from smsreceipt.language import _
from smsreceipt.ledger.cells import InvalidValue, cell
from smsreceipt.ledger.names import field_of, normalised
from smsreceipt.ledger.refusals import refused
from smsreceipt.ledger.values import RawSend

_REQUESTS = {"request", "req", "requestparams", "params", "param", "parameters", "query", "form", "input", "args",
             "arguments", "payload", "fields", "extra", "context", "message", "event", "msg", "log", "source",
             "jsonpayload", "textpayload", "content", "record", "row", "item"}  # fmt: skip
_ANSWERS = {"response", "resp", "res", "rsp", "answer", "reply", "result", "output", "body", "data"}
_LISTS = {"records", "rows", "data", "hits", "items", "list", "results", "result"}
_TABLES = {"records", "rows", "hits"}  # that may be empty
_MAX_DEPTH = 5
_MAX_SHAPES = 1_000  # remembered
_MAX_PHONES = 1_000  # in one request
_PHONES = re.compile(r"[,;，；、|\n]+")
_EMPTY: tuple[Any, ...] = ("", None, [])
_HOLDERS = (dict, list)

#: Numbers with a fraction or an exponent stay the text that was written, because rounding would lose digits.
decode = msgspec.json.Decoder(float_hook=str).decode
NOT_JSON = (msgspec.DecodeError, RecursionError, UnicodeError)  #: what decode raises
_container = lru_cache(maxsize=4096)(lambda name: normalised(name) in _REQUESTS | _ANSWERS)
_answer = lru_cache(maxsize=4096)(lambda name: normalised(name) in _ANSWERS)

_Shape = list[tuple[str, str]]  # name in the object, field


class Row:
    """The fields of one object, and what they say."""

    def __init__(self, top: dict[str, Any], found: dict[str, Any]) -> None:
        self._top = top
        self.found = found  #: field -> value

    def sends(self, time: str) -> list[RawSend]:
        """One send for each number; *time* is for an object that has none. Raises InvalidValue."""
        if time and "sent_at" not in self.found:
            self.found["sent_at"] = time
        return _per_phone(dict(self.found))

    def refused(self) -> bool:
        """Whether the provider refused the call, told by fields beside those of a send."""
        return refused(pair for _, _, values in _levels(self._top) for pair in values.items())


class Logs:
    """Reads the objects of one list; *names* (field -> name) takes precedence over the known names."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = {normalised(name): field for field, name in names.items()}
        self._fixed = frozenset(names)
        self._shapes: dict[tuple[str, ...], _Shape | None] = {}

    def rows(self, top: dict[str, Any]) -> Iterator[Row]:
        """The rows in an object: itself, or those of the list in it."""
        found = self._found(top)
        if "phone" not in found and "biz_id" not in found and (inner := _list_in(top)) is not None:
            for each in inner:
                yield Row(each, self._found(each))
        else:
            yield Row(top, found)

    def _found(self, top: dict[str, Any]) -> dict[str, Any]:
        """Field -> value. The outermost object takes precedence, then the order of a field's names."""
        if (plain := self._plain(top)) is not None:
            return plain
        found: dict[str, tuple[int, int, Any]] = {}
        for depth, in_answer, values in _levels(top):
            for name, value in values.items():
                place = self._place(name, in_answer)
                if place is None or (not value and value in _EMPTY) or type(value) is bool:
                    continue
                if isinstance(value, dict) and (value := _extended(value)) is None:
                    continue
                field, rank = place
                if field == "content" and str(value).startswith("{"):  # the line that a collector found
                    continue
                deep = 0 if name == "Code" else depth  # the provider's code takes precedence at any depth
                if field not in found or (deep, rank) < found[field][:2]:
                    found[field] = (deep, rank, value)
        values = {field: value for field, (_, _, value) in found.items()}
        if ("biz_id" not in values or "code" not in values) and (answer := _answer_in(top, 0)):
            for field, name in (("biz_id", "bizid"), ("code", "code")):
                if field not in values and field not in self._fixed and (said := answer.get(name)):
                    values[field] = said
        return values

    def _plain(self, top: dict[str, Any]) -> dict[str, Any] | None:
        """As _found, of an object that holds only texts, none of which holds an object; None of any other.

        Most rows are such, and have the same names: which of these are fields is found out once.
        """
        try:
            if "{" in "".join(top.values()):
                return None
        except TypeError:
            return None
        names = tuple(top)
        if names not in self._shapes:
            if len(self._shapes) == _MAX_SHAPES:
                self._shapes.clear()
            self._shapes[names] = self._shape(names)
        shape = self._shapes[names]
        if shape is None:
            return None
        return {field: value for name, field in shape if (value := top[name])}

    def _shape(self, names: Iterable[str]) -> _Shape | None:
        """The names that are fields; None where the values decide which is: two names of one field, or an answer."""
        places = [(name, place[0]) for name in names if (place := self._place(name, False)) is not None]
        fields = {field for _, field in places}
        answer = any(name.lower() == "requestid" for name in names)
        return None if answer or len(fields) < len(places) else places

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
                if type(value) is str and "{" not in value:
                    continue
                if _container(name) and (held := _object(value)) is not None:
                    inner.append((in_answer or _answer(name), held))
        if not inner:
            return
        level = inner


def _object(value: Any) -> dict[str, Any] | None:
    """The JSON object in a value, which may be text that ends with one."""
    if isinstance(value, str):
        try:
            value = decode(value[value.find("{") : value.rfind("}") + 1])
        except NOT_JSON:
            return None
    return value if isinstance(value, dict) else None


def _answer_in(value: Any, depth: int) -> dict[str, Any] | None:
    """The provider's answer anywhere inside, its names in lower case."""
    if type(value) is str:
        value = _object(value)
    members: Iterable[Any] = ()
    if type(value) is dict:
        names = {name.lower(): member for name, member in value.items()} if len(value) < 50 else {}
        if "requestid" in names and isinstance(names.get("code"), str):
            return names
        members = value.values()
    elif type(value) is list:
        members = value
    if depth < 8:
        for member in members:
            may_hold = '"' in member and "{" in member if type(member) is str else type(member) in _HOLDERS
            if may_hold and (found := _answer_in(member, depth + 1)):
                return found
    return None


def _list_in(top: dict[str, Any], depth: int = 0) -> list[dict[str, Any]] | None:
    """The objects of the list that an export or an answer of a search holds, if it holds one."""
    for name, value in top.items():
        if normalised(name) not in _LISTS:
            continue
        if isinstance(value, list) and all(isinstance(each, dict) for each in value):
            if value or normalised(name) in _TABLES:
                return value
        elif isinstance(value, dict) and depth < 2 and (found := _list_in(value, depth + 1)) is not None:
            return found
    return None


def _extended(value: dict[str, Any]) -> Any:
    """The value of MongoDB's Extended JSON, such as {"$numberLong": "7"}; None of any other object."""
    while isinstance(value, dict):
        if len(value) != 1:
            return None
        ((name, value),) = value.items()
        if name == "$timestamp" and isinstance(value, dict):
            value = value.get("t")  # type: ignore[assignment]
        elif not name.startswith("$"):
            return None
    return value


def _per_phone(found: dict[str, Any]) -> list[RawSend]:
    """One send for each number. In a batch each has its own signature; the other fields are shared."""
    phones = items(found.pop("phone", ""))
    signs = items(found.pop("sign_name", ""), commas=False)
    texts = {field: _text(value) for field, value in found.items()}
    if len(phones) > _MAX_PHONES:
        raise InvalidValue(_("more than 1000 numbers in one request"))
    if len(signs) == 1:
        signs *= max(len(phones), 1)
    if signs and len(signs) != len(phones):
        raise InvalidValue(_("not as many signatures as numbers"))
    pairs = zip(phones, signs or [""] * len(phones), strict=True)
    return [RawSend(phone=phone, sign_name=sign, **texts) for phone, sign in pairs]


def items(value: Any, *, commas: bool = True) -> list[str]:
    """The items of a list, of the JSON text of a list, or of a text with commas, semicolons or the like."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = decode(value)
        except NOT_JSON:
            raise InvalidValue(_("a list that is not JSON")) from None
    if isinstance(value, list):
        return [_text(each) for each in value]
    text = _text(value)
    if commas and _PHONES.search(text):
        return [each.strip() for each in _PHONES.split(cell(text)) if each.strip()]
    return [text] if text or commas else []


def _text(value: Any) -> str:
    """A text without surrounding blanks, or a number as text. Raises InvalidValue for anything else."""
    if type(value) is str:
        return value.strip()
    if isinstance(value, dict):
        value = _extended(value)
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, (int, float)):
        return str(value)
    raise InvalidValue(_("a field is neither text nor a number"))
