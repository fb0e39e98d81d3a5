"""The names of a send's fields in the provider's API and SDKs, in its console's exports, and in logs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

#: Field -> its names, normalised; the first one that a row has takes precedence.
_NAMES = {
    "phone": "phone mobile phonenumber phonenumbers phonenumberjson phonenum mobilephone mobilenumber mobileno"
    " telephone tel recipient receiver to 手机号 手机号码 接收号码 电话 电话号码 号码",
    "biz_id": "bizid 回执id 发送回执id",
    "sent_at": "sentat sendtime senttime sendat senddate sentdate timestamp time datetime ts createdat createtime"
    " createdtime date day 发送时间 提交时间 时间 发送日期 日期",
    "out_id": "outid externalid 外部流水号 外部流水扩展字段",
    "template_code": "templatecode templateid 模板code 模版code 模板编号",
    "sign_name": "signname signnamejson 签名 签名名称 短信签名",
    "parts": "parts smssize smsquantity 计费条数",
    "content": "content smscontent text 内容 短信内容",
}
_RANKS = {
    name: (field, rank) for field, names in _NAMES.items() for rank, name in enumerate(names.split())
}  #: name -> its field, and its index among the field's names

#: The fields of --map. content gives the number of billed parts and is not kept; code gives whether it was sent.
FIELDS = (*_NAMES, "code")


def normalised(name: str) -> str:
    """The name without case, blanks, _, - and leading @, so that SendDate, send_date and "Send Date" are equal."""
    return name.strip().casefold().replace("_", "").replace("-", "").replace(" ", "").lstrip("@")


@lru_cache(maxsize=4096)
def field_of(name: str) -> tuple[str, int] | None:
    """The field with this name, and the name's index among the field's names; None for an unknown name.

    "Code" is known only in the API's spelling, because a column "code" may hold a verification code.
    """
    return ("code", 0) if name.strip() == "Code" else _RANKS.get(normalised(name))


def columns(names: Iterable[str], mapping: Mapping[str, str]) -> dict[str, int]:
    """Field -> the index of its column. *mapping* (field -> name) takes precedence over the known names."""
    found: dict[str, tuple[int, int]] = {}
    for index, name in enumerate(names):
        place = _mapped(name, mapping) or field_of(name)
        if place is None or (place[0] in mapping and place[1] >= 0):
            continue
        field, rank = place
        if field not in found or rank < found[field][0]:
            found[field] = (rank, index)
    return {field: index for field, (_, index) in found.items()}


def _mapped(name: str, mapping: Mapping[str, str]) -> tuple[str, int] | None:
    for field, wanted in mapping.items():
        if normalised(name) == normalised(wanted):
            return field, -1
    return None
