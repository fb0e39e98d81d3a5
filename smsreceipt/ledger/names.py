"""What the fields of a send are called: by the provider's API and its SDKs, in its console's exports, and in logs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

#: Field -> the names it goes by, in lower case without blanks, _, - and @; the first that a row has counts.
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
}  #: name -> its field, and its place among the field's names

#: Fields that --map can name; content only tells the billed parts and is not kept, code only whether it was sent.
FIELDS = (*_NAMES, "code")


def plain(name: str) -> str:
    """The name as it is compared: SendDate, send_date and "Send Date" are one."""
    return name.strip().casefold().replace("_", "").replace("-", "").replace(" ", "").lstrip("@")


@lru_cache(maxsize=4096)
def known(name: str) -> tuple[str, int] | None:
    """The field that goes by this name, and how early among its names; None for any other name.

    "Code" counts only as the API spells it: a column "code" may well hold what was sent to somebody.
    """
    return ("code", 0) if name.strip() == "Code" else _RANKS.get(plain(name))


def columns(names: Iterable[str], said: Mapping[str, str]) -> dict[str, int]:
    """Field -> the index of its column. *said* (field -> name) goes before what the names tell."""
    found: dict[str, tuple[int, int]] = {}
    for index, name in enumerate(names):
        place = _said(name, said) or known(name)
        if place is None or (place[0] in said and place[1] >= 0):
            continue
        field, rank = place
        if field not in found or rank < found[field][0]:
            found[field] = (rank, index)
    return {field: index for field, (_, index) in found.items()}


def _said(name: str, said: Mapping[str, str]) -> tuple[str, int] | None:
    for field, wanted in said.items():
        if plain(name) == plain(wanted):
            return field, -1
    return None
