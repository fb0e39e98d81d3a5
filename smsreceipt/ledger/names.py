"""The names of a send's fields: in the provider's API, SDKs and console, in frameworks, databases and logs."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from smsreceipt.errors import UsageError
from smsreceipt.language import _

#: Field -> its names, normalised; the first one that a row has takes precedence.
_NAMES = {
    "phone": "phone mobile phonenumber phonenumbers phonenumberjson phonenum phoneno phones mobiles mobilephone"
    " mobilenumber mobileno telephone tel telno cellphone msisdn recipient receiver receivephone receivermobile"
    " receiverphone receivemobile recipientphone destination destnumber usermobile userphone to 手机号 手机号码 手机"
    " 接收手机号 接收手机号码 接收手机 接收号码 接收者手机号 接收人手机号 接收人号码 收信号码 目标号码 用户手机号"
    " 客户手机号 会员手机号 移动电话 联系电话 电话 电话号码 号码 接收方 接收人",
    "biz_id": "bizid 回执id 发送回执id 短信回执id 发送流水号 短信流水号 apiserialno smsbizid sendbizid aliyunbizid"
    " serialno receiptid bid 回执编号 回执号 回执编码 短信回执编号 短信回执号 短信回执编码 发送回执编号 发送回执"
    " 业务流水号 业务id 流水号",
    "sent_at": "sentat sendtime senttime sendat senddate sentdate sendtimestamp gmtsend submittime submitat requesttime"
    " timestamp time datetime ts createdat createtime createdtime createdate createddate createdon gmtcreate"
    " gmtcreated addtime addedat inserttime insertedat ctime logtime eventtime asctime realtimetimestamp date day"
    " 发送时间 短信发送时间 下发时间 提交时间 请求时间 创建时间 添加时间 时间 发送日期 提交日期 日期",
    "out_id": "outid outerid externalid 外部流水号 外部流水扩展字段 外部流水id 外部id 外部编号",
    "template_code": "templatecode templateid apitemplateid smstemplatecode smstemplateid 模板code 模版code 模板编号"
    " 模版编号 模板id 模版id 模板编码 短信模板code 短信模板编号",
    "sign_name": "signname signnamejson smssignname smssign 签名 签名名称 短信签名 短信签名名称",
    "parts": "parts smssize smsquantity smscount billedparts 计费条数 短信条数 拆分条数",
    "content": "content smscontent text 内容 短信内容 发送内容",
}
_RANKS = {
    name: (field, rank) for field, names in _NAMES.items() for rank, name in enumerate(names.split())
}  #: name -> its field, and its index among the field's names
_DERIVED = 1_000  # added to the rank of a name that is only a part of the column's name

#: The fields of --map. content gives the number of billed parts and is not kept; code gives whether it was sent.
FIELDS = (*_NAMES, "code")

_IGNORED = re.compile(r"""[\s_\-"'`*:]""")
_REMARK = re.compile(r"[(\[【<]([^()\[\]【】<>]*)[)\]】>]")
_SEGMENTS = re.compile(r"[/|\n]")
_LATIN = re.compile(r"[ -~]+")


@lru_cache(maxsize=4096)
def normalised(name: str) -> str:
    """The name without case, width, blanks, quotes, _, - and a leading @: SendDate, send_date, "Send Date" are one."""
    if not name.isascii():
        name = unicodedata.normalize("NFKC", name.replace("\ufeff", ""))
    return _IGNORED.sub("", name).casefold().lstrip("@")


@lru_cache(maxsize=4096)
def field_of(name: str) -> tuple[str, int] | None:
    """The field with this name, and the name's index among the field's names; None for an unknown name.

    A name may have remarks in brackets, the name of its table before a dot, or be in two languages. "Code" is known
    only in the API's spelling, because a column "code" may hold a verification code.
    """
    if name.strip().rpartition(".")[2] == "Code":
        return "code", 0
    if found := _RANKS.get(normalised(name)):
        return found
    for part in _parts(unicodedata.normalize("NFKC", name)):
        if found := _RANKS.get(normalised(part)):
            return found[0], _DERIVED + found[1]
    return None


def _parts(name: str) -> Iterator[str]:
    """The parts of a column's name that may be the name of a field."""
    if len(name) > 100 or "templateparam" in normalised(name):  # the values of a template are part of a message
        return
    plain = _REMARK.sub("", name)
    yield plain
    yield plain.rpartition(".")[2]
    yield from _REMARK.findall(name)
    yield from _SEGMENTS.split(plain)
    if not plain.isascii():
        yield _LATIN.sub("", plain)
        yield from _LATIN.findall(plain)


def columns(names: Sequence[str], mapping: Mapping[str, str]) -> dict[str, int]:
    """Field -> the index of its column. *mapping* (field -> name) takes precedence over the known names.

    Raises UsageError where two columns have the name that a field is taken from.
    """
    found: dict[str, list[tuple[int, int]]] = {}
    for field, wanted in mapping.items():
        exact = [index for index, name in enumerate(names) if name.strip() == wanted]
        same = exact or [index for index, name in enumerate(names) if normalised(name) == normalised(wanted)]
        found[field] = [(-1, index) for index in same]
    for index, name in enumerate(names):
        if (place := field_of(name)) is not None and place[0] not in mapping:
            found.setdefault(place[0], []).append((place[1], index))
    chosen: dict[str, int] = {}
    for field, places in found.items():
        best = [index for rank, index in places if rank == min(places)[0]]
        if len(best) > 1:
            _refuse_twice(field, [names[index].strip() for index in best])
        if best:
            chosen[field] = best[0]
    return chosen


def _refuse_twice(field: str, names: Iterable[str]) -> None:
    unlike = sorted(set(names))
    listed = _(" and ").join(repr(name) for name in unlike)
    if len(unlike) > 1:
        raise UsageError(
            _("two columns could be {field}: {columns}", field=field, columns=listed),
            hint=_("Name one: --map {field}=COLUMN.", field=field),
        )
    raise UsageError(
        _("two columns could be {field}: both are called {column}", field=field, column=listed),
        hint=_("Rename one of them, or leave it out."),
    )
