"""What each figure is: its formula, and what one should know about it, in English and Chinese.

The help of `stats`, the page of `report` and the documentation print this.
"""

from __future__ import annotations

from typing import NamedTuple

Pair = tuple[str, str]  #: English and Chinese


class Definition(NamedTuple):
    """One figure."""

    key: str  #: of the JSON object; several that are defined together have a comma between them
    name: Pair
    formula: Pair
    note: Pair = ("", "")


#: What all figures count, before any of them.
SCOPE: Pair = (
    (
        "A message is a number with a BizId and counts once, by its state; test pushes are left out. Its day and hour"
        " are those of sending in Beijing; where that is not known, its day is that of the receipt, and it has no hour."
        " A late receipt changes the day of its message: a day is final after 72 hours."
    ),
    (
        "一个号码加一个 BizId 为一条短信，按当前状态只计一次，测试推送不计入。日期和小时取发送时间（北京时间）；"
        "没有发送时间的取回执的日期，且没有小时。迟到的回执会改变发送当天的数据，所以一天的数据在 72 小时后才最终确定。"
    ),
)

DEFINITIONS: tuple[Definition, ...] = (
    Definition(
        "sent",
        ("sent", "发送量"),
        ("rows of the list of sends", "发送清单中的条数"),
        (
            "null without a list, and so are no_receipt, receipt_rate and delivered_of_sent",
            "没有清单时为 null，no_receipt、receipt_rate、delivered_of_sent 也是",
        ),
    ),
    Definition(
        "reports",
        ("receipts", "有回执"),
        ("delivered + failed + expired + unknown + pending", "已送达 + 失败 + 已过期 + 未知 + 等待回执"),
    ),
    Definition(
        "delivery_rate",
        ("delivery rate", "成功率"),
        ("delivered ÷ (delivered + failed + expired)", "已送达 ÷（已送达 + 失败 + 已过期）"),
        ("unknown and pending are in neither part", "未知和等待回执既不在分子也不在分母"),
    ),
    Definition(
        "delivered_of_sent",
        ("delivered of sent", "到达率"),
        ("delivered ÷ sent", "已送达 ÷ 发送量"),
        ("what is not proven counts against it", "未证实送达的都算没有送达"),
    ),
    Definition(
        "receipt_rate",
        ("receipt rate", "回执率"),
        ("sends with a receipt that is not pending ÷ sent", "回执不是“等待回执”的发送 ÷ 发送量"),
    ),
    Definition(
        "no_receipt",
        ("no receipt", "无回执"),
        ("sends without any receipt", "没有任何回执的发送"),
        ("the console's NoResponded counts billed parts", "控制台的“无响应”按计费条数计"),
    ),
    Definition(
        "unknown_rate",
        ("unknown rate", "未知率"),
        ("unknown ÷ receipts", "未知 ÷ 有回执"),
        ("the provider does not know either: REQUEST_SUCCESS, UNKNOWN", "平台也不知道：REQUEST_SUCCESS、UNKNOWN"),
    ),
    Definition(
        "failures[].share",
        ("share of a code", "回执码占比"),
        ("its messages ÷ (failed + expired + unknown)", "该回执码的条数 ÷（失败 + 已过期 + 未知）"),
    ),
    Definition(
        "latency",
        ("latency", "时延"),
        (
            "reported_at - sent_at of delivered messages, in whole seconds",
            "已送达短信的 reported_at - sent_at，精确到秒",
        ),
        (
            "p95: 95 % took no longer (nearest rank); above 127 s at most 3.1 % too low unless --exact",
            "p95：95 % 的短信不超过该值（最近秩）；超过 127 秒的最多偏小 3.1 %，--exact 除外",
        ),
    ),
    Definition(
        "latency_invalid",
        ("invalid latency", "无效时延"),
        ("delivered messages that were reported before they were sent", "报告时间早于发送时间的已送达短信"),
        ("left out of the latency", "不计入时延"),
    ),
    Definition(
        "parts",
        ("billed parts", "计费条数"),
        ("of the receipt, else of the list of sends, else 1", "取自回执，否则取自发送清单，否则为 1"),
    ),
    Definition(
        "provider",
        ("provider", "平台统计"),
        ("QuerySendStatistics of the same days, in billed parts", "同一时段的 QuerySendStatistics，按计费条数计"),
        ("with --provider, or its last answer", "用 --provider 查询，或取上次的结果"),
    ),
    Definition(
        "parts_gap",
        ("gap", "差额"),
        (
            "the provider's succeeded + failed - parts of delivered, failed, expired",
            "平台统计的成功 + 失败 - 已送达、失败、已过期的计费条数",
        ),
        ("ended at the provider, and no receipt tells of it", "平台已结束而没有回执的条数"),
    ),
    Definition(
        "calls.ended",
        ("ended calls", "已结束通话"),
        ("SecretReport of call_type 0 or 1, by call_time", "call_type 为 0 或 1 的 SecretReport，按 call_time 计"),
        (
            "blocked calls (4) and SMS (2, 3, 5) are in by_type only",
            "被拦截的通话（4）和短信（2、3、5）只在 by_type 中",
        ),
    ),
    Definition(
        "calls.answer_rate",
        ("answered", "接通率"),
        ("connected ÷ ended calls", "已接通 ÷ 已结束通话"),
        ("connected: release_time is later than start_time", "接通：release_time 晚于 start_time"),
    ),
    Definition(
        "calls.talk_seconds",
        ("talk", "通话时长"),
        ("release_time - start_time of connected calls", "已接通通话的 release_time - start_time"),
        (
            "billed_minutes counts each begun minute; short_calls took less than 6 s",
            "billed_minutes 不足一分钟按一分钟计；short_calls 不足 6 秒",
        ),
    ),
    Definition(
        "calls.ring_seconds",
        ("ring", "振铃时长"),
        ("from ring_time to the answer, else to the end of the call", "从 ring_time 到接听，未接听的到通话结束"),
        (
            "left out where ring_time is call_out_time: it did not ring",
            "ring_time 等于 call_out_time 即没有振铃，不计入",
        ),
    ),
    Definition(
        "calls.by_cause",
        ("causes", "释放原因"),
        ("calls by release_cause, who ended them, and outcome", "按 release_cause、挂断方和结果计的通话"),
    ),
    Definition(
        "calls.missing_end",
        ("without an end", "没有结束回执"),
        ("calls with earlier receipts and no SecretReport", "有前序回执但没有 SecretReport 的通话"),
        ("3 hours after their beginning, as reconcile --calls", "通话开始 3 小时后计入，同 reconcile --calls"),
    ),
    Definition(
        "calls.missing_recordings",
        ("recordings missing", "缺少的录音"),
        ("connected calls without the SecretRecording they should have", "应有而没有 SecretRecording 的已接通通话"),
        (
            "those with a record_url, or of a pool that sent any that day; null where there is none",
            "带有 record_url，或其号码池当天发来过录音；都没有录音时为 null",
        ),
    ),
    Definition(
        "replies.opt_outs",
        ("opt-outs", "退订"),
        (
            "replies of only T, TD, TT, N, 0000, 退订, 取消, QX, 拒收, STOP or UNSUBSCRIBE",
            "内容仅为 T、TD、TT、N、0000、退订、取消、QX、拒收、STOP 或 UNSUBSCRIBE 的上行",
        ),
        (
            "in any case, with 。.!！回复 around it; --opt-out adds words",
            "不分大小写，前后可有 。.!！回复；--opt-out 增加词语",
        ),
    ),
    Definition(
        "replies.opt_out_rate",
        ("opt-out rate", "退订率"),
        ("opt-outs ÷ delivered", "退订 ÷ 已送达"),
    ),
    Definition(
        "previous",
        ("before", "对比期"),
        (
            "the same figures of as many days just before, or of the same days a week before",
            "紧邻的同样天数，或一周前同样日期的同样数据",
        ),
        (
            "rates differ in percentage points (pp), counts in per cent",
            "比率的变化以百分点（pp）表示，数量的变化以百分比表示",
        ),
    ),
    Definition(
        "findings",
        ("sudden drop", "骤降"),
        (
            "rate at least 5 points and 4 standard deviations below the same hour before",
            "成功率比对比期同一小时低至少 5 个百分点且 4 个标准差",
        ),
        (
            "of 200 or more messages with an end; --drop-points, --drop-z, --drop-messages",
            "有结果的短信不少于 200 条；--drop-points、--drop-z、--drop-messages",
        ),
    ),
    Definition(
        "carrier, province",
        ("carrier, province", "运营商、省份"),
        ("of the number range", "取自号段"),
        ("a ported number stays with the carrier that got its range", "携号转网的号码仍计入号段所属的运营商"),
    ),
    Definition(
        "template, sign",
        ("template, signature", "模板、签名"),
        ("of the list of sends", "取自发送清单"),
        (
            "receipts do not tell them; answers of QuerySendDetails tell templates",
            "回执中没有；QuerySendDetails 的应答带有模板",
        ),
    ),
)
