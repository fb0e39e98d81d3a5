"""Alarms as sentences in both languages, and the command to run next. None holds a number or text of anybody."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from smsreceipt.insight.alarms.rules import Rule
from smsreceipt.insight.alarms.state import Alarm

COMMANDS: Mapping[Rule, str] = {
    Rule.SILENCE: "smsreceipt status",
    Rule.RATE: "smsreceipt stats --date today --by carrier",
    Rule.LATENCY: "smsreceipt stats --date today --by carrier --sort p95",
    Rule.CODE: "smsreceipt stats --date today --by code",
    Rule.BACKLOG: "smsreceipt pull",
    Rule.REJECTS: "smsreceipt rejects list",
    Rule.CONFLICTS: "smsreceipt list --conflicts",
    Rule.NO_RECEIPT: "smsreceipt reconcile --from 7d --to today",
    Rule.OPTOUT: "smsreceipt list --kind SmsUp --date today",
    Rule.DISK: "smsreceipt status",
    Rule.FRESH: "smsreceipt status",
}


def command(alarm: Alarm) -> str:
    """What to run next."""
    if alarm.rule is Rule.CODE and alarm.dimension not in {None, "", "other"}:
        return f"smsreceipt explain {alarm.dimension}"
    return "smsreceipt outages" if alarm.of_listener else COMMANDS[alarm.rule]


def english(alarm: Alarm) -> str:
    """One sentence."""
    if not alarm.firing:
        return f"cleared: {_cleared(alarm)[0].format(_of(alarm))}"
    return _FIRING[alarm.rule][0](alarm)


def chinese(alarm: Alarm) -> str:
    """One sentence."""
    if not alarm.firing:
        return f"已恢复：{_cleared(alarm)[1].format(_of(alarm))}"
    return _FIRING[alarm.rule][1](alarm)


def _cleared(alarm: Alarm) -> tuple[str, str]:
    """What is over, in both languages."""
    return _NOT_REFUSED if alarm.of_listener else _CLEARED[alarm.rule]


def _of(alarm: Alarm) -> str:
    return alarm.dimension or ""


def percent(share: float) -> str:
    """A share, with two digits."""
    return f"{share * 100:.2f} %"


def duration(seconds: float, *, zh: bool = False) -> str:
    """A time in its largest unit, or in two."""
    whole = round(seconds)
    names = ("天", "小时", "分钟", "秒") if zh else ("d", "h", "min", "s")
    parts = [(whole // 86400, names[0]), (whole // 3600 % 24, names[1]), (whole // 60 % 60, names[2])]
    shown = [f"{amount} {name}" for amount, name in parts if amount][:2]
    return " ".join(shown) or f"{whole} {names[3]}"


def size(count: float) -> str:
    """Bytes in binary units, as --rule takes them."""
    for unit, bits in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if count >= 1 << bits:
            return f"{count / (1 << bits):.1f} {unit}"
    return f"{count:.0f} B"


def _usual(alarm: Alarm) -> str:
    return "" if alarm.usual is None else f", usually {percent(alarm.usual)} at this hour"


def _usual_zh(alarm: Alarm) -> str:
    return "" if alarm.usual is None else f"，平时同一时段为 {percent(alarm.usual)}"


def _latency(alarm: Alarm) -> str:
    usual = "" if alarm.usual is None else f", usually {alarm.usual:.0f} s at this hour"
    return f"slow: 95 % of {alarm.count:,} messages within {alarm.value:.0f} s{usual}"


def _latency_zh(alarm: Alarm) -> str:
    usual = "" if alarm.usual is None else f"，平时同一时段为 {alarm.usual:.0f} 秒"
    return f"变慢：{alarm.count:,} 条短信的 P95 时延为 {alarm.value:.0f} 秒{usual}"


def _backlog(alarm: Alarm) -> str:
    waited = duration(alarm.value)
    if alarm.of_listener:
        return f"backlog: {alarm.dimension} answered 503 to {alarm.count:,} pushes within {waited}; they may be lost"
    return f"backlog: the oldest message of {alarm.dimension} has waited {waited}"


def _backlog_zh(alarm: Alarm) -> str:
    waited = duration(alarm.value, zh=True)
    if alarm.of_listener:
        return f"积压：{alarm.dimension} 在 {waited}内对 {alarm.count:,} 次推送返回 503，可能已丢失"
    return f"积压：队列 {alarm.dimension} 中最早的消息已等待 {waited}"


_NOT_REFUSED = ("{} answers no push with 503", "{} 不再返回 503")
_Sentence = Callable[[Alarm], str]
_FIRING: Mapping[Rule, tuple[_Sentence, _Sentence]] = {
    Rule.SILENCE: (
        lambda it: f"silence: no {it.dimension} for {duration(it.value)}, usually {it.usual:.0f} in this hour",
        lambda it: f"中断：已有 {duration(it.value, zh=True)}没有 {it.dimension}，平时这一小时约 {it.usual:.0f} 条",
    ),
    Rule.RATE: (
        lambda it: f"delivery rate {percent(it.value)} of {it.count:,} messages{_usual(it)}",
        lambda it: f"成功率 {percent(it.value)}（{it.count:,} 条）{_usual_zh(it)}",
    ),
    Rule.LATENCY: (_latency, _latency_zh),
    Rule.CODE: (
        lambda it: f"code {it.dimension}: {percent(it.value)} of messages ({it.count:,}){_usual(it)}",
        lambda it: f"回执码 {it.dimension}：占 {percent(it.value)}（{it.count:,} 条）{_usual_zh(it)}",
    ),
    Rule.BACKLOG: (
        _backlog,
        _backlog_zh,
    ),
    Rule.REJECTS: (
        lambda it: f"rejects: {it.value:,.0f}; what came could not be decoded",
        lambda it: f"拒收 {it.value:,.0f} 条：收到的内容无法解析",
    ),
    Rule.CONFLICTS: (
        lambda it: f"conflicts: {it.value:,.0f} new statements contradict others",
        lambda it: f"新增 {it.value:,.0f} 条相互矛盾的回执",
    ),
    Rule.NO_RECEIPT: (
        lambda it: f"no receipt for {percent(it.value)} of the sends of four days ago ({it.count:,})",
        lambda it: f"四天前的发送中有 {percent(it.value)}（{it.count:,} 条）没有回执",
    ),
    Rule.OPTOUT: (
        lambda it: f"opt-outs: {percent(it.value)} of a day's delivered messages ({it.count:,})",
        lambda it: f"退订：占当日送达短信的 {percent(it.value)}（{it.count:,} 条）",
    ),
    Rule.DISK: (
        lambda it: f"disk: {size(it.value)} free for the store, less than {size(it.threshold)}",
        lambda it: f"磁盘：存储所在磁盘剩余 {size(it.value)}，低于 {size(it.threshold)}",
    ),
    Rule.FRESH: (
        lambda it: f"a pull runs, but nothing was stored for {duration(it.value)}",
        lambda it: f"pull 正在运行，但已有 {duration(it.value, zh=True)}没有新内容入库",
    ),
}
_CLEARED: Mapping[Rule, tuple[str, str]] = {
    Rule.SILENCE: ("{} arrives again", "{} 重新到达"),
    Rule.RATE: ("the delivery rate is as usual", "成功率恢复正常"),
    Rule.LATENCY: ("the latency is as usual", "时延恢复正常"),
    Rule.CODE: ("code {} is as rare as usual", "回执码 {} 恢复到平时水平"),
    Rule.BACKLOG: ("{} has no backlog", "队列 {} 已无积压"),
    Rule.REJECTS: ("rejects were retried or dropped", "拒收已处理"),
    Rule.CONFLICTS: ("no new conflict for a day", "一天内没有新的矛盾回执"),
    Rule.NO_RECEIPT: ("sends have their receipts", "发送均有回执"),
    Rule.OPTOUT: ("opt-outs are as rare as they should be", "退订率恢复正常"),
    Rule.DISK: ("the disk has space again", "磁盘空间恢复"),
    Rule.FRESH: ("receipts are stored again", "重新有内容入库"),
}
