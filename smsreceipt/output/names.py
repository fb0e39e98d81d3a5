"""The values that messages are grouped by, as people call them."""

from __future__ import annotations

from msgspec import UnsetType

from smsreceipt.codes import regions
from smsreceipt.codes.segments import CARRIERS, Carrier
from smsreceipt.insight.question import Dimension
from smsreceipt.output.display import CATEGORIES_ZH, Display

NO_LIST = "(no list of sends)"  #: the template or signature of messages that no list of sends tells of
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_WEEKDAYS_ZH = ("周一", "周二", "周三", "周四", "周五", "周六", "周日")
#: The heads of columns, in English and Chinese.
HEADS = {
    Dimension.DAY: ("DAY", "日期"),
    Dimension.HOUR: ("HOUR", "小时"),
    Dimension.WEEKDAY: ("WEEKDAY", "星期"),
    Dimension.CODE: ("CODE", "回执码"),
    Dimension.CATEGORY: ("CATEGORY", "类别"),
    Dimension.CARRIER: ("CARRIER", "运营商"),
    Dimension.PROVINCE: ("PROVINCE", "省份"),
    Dimension.TEMPLATE: ("TEMPLATE", "模板"),
    Dimension.SIGN: ("SIGNATURE", "签名"),
    Dimension.POOL: ("POOL", "号码池"),
    Dimension.KIND: ("KIND", "消息类型"),
    Dimension.ORIGIN: ("ORIGIN", "来源"),
}


def value_of(dimension: Dimension, value: object) -> object:
    """The value as JSON and CSV have it."""
    if isinstance(value, UnsetType):
        return None
    return NO_LIST if value == "" and dimension in {Dimension.TEMPLATE, Dimension.SIGN} else value


def name_of(dimension: Dimension, value: object, display: Display) -> str:
    """The value in the user's language."""
    named = value_of(dimension, value)
    if named == NO_LIST:
        return display.localized(NO_LIST, "（无发送清单）")
    if dimension is Dimension.CARRIER:
        return display.localized(*CARRIERS.get(Carrier(str(named)), (str(named), str(named))))
    if dimension is Dimension.PROVINCE:
        return display.localized(str(named), regions.chinese_names().get(str(named), str(named)))
    if dimension is Dimension.HOUR:
        return display.localized("no time", "无发送时间") if named is None else f"{named:02}:00"
    if dimension is Dimension.WEEKDAY and isinstance(named, int):
        return display.localized(_WEEKDAYS[named - 1], _WEEKDAYS_ZH[named - 1])
    if dimension is Dimension.CATEGORY:
        return display.localized(str(named or "-"), CATEGORIES_ZH.get(str(named), str(named or "-")))
    return str(named or "-")
