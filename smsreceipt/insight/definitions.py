"""What each figure is: its formula and its meaning, in both languages. The help, the page and the docs print this."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Definition:
    """One figure."""

    key: str  #: of the JSON object
    formula: str
    text_en: str
    text_zh: str


#: What all figures count, before any of them.
SCOPE = Definition(
    "message",
    "(biz_id, number)",
    "A message is one BizId and number, counted once, by its state; test pushes are left out. Its day"
    " and hour are those"
    " of sent_at in Beijing; without it, the day of reported_at, else of received_at, and no hour. A"
    " day is final 72 hours"
    " after its end.",
    "一条消息即一个 BizId 与号码，按其最终状态只计一次，测试推送不计。日期和小时取北京时间的 sent_at；"
    "没有时取 reported_at"
    " 的日期，再没有取 received_at 的日期，且没有小时。一天结束 72 小时后数字才最终确定。",
)

DEFINITIONS: tuple[Definition, ...] = (
    Definition(
        "sent",
        "rows of the list of sends",
        "What the list of sends holds of the period; unknown without a list, and so are no_receipt, receipt_rate and"
        " delivered_of_sent.",
        "发送清单中该时段的条数；没有发送清单时未知，no_receipt、receipt_rate、delivered_of_sent 也随之未知。",
    ),
    Definition(
        "reports",
        "delivered + failed + expired + unknown + pending",
        "Messages with a receipt.",
        "有回执的消息数。",
    ),
    Definition(
        "delivery_rate",
        "delivered / (delivered + failed + expired)",
        "Success rate. Unknown and pending messages are in neither part.",
        "成功率。unknown 和 pending 既不计入分子，也不计入分母。",
    ),
    Definition(
        "delivered_of_sent",
        "delivered / sent",
        "Arrival rate: whatever is not proven to be delivered counts against it.",
        "到达率：凡是没有证明已送达的，都算未到达。",
    ),
    Definition(
        "receipt_rate",
        "sends with a receipt that is delivered, failed, expired or unknown / sent",
        "Share of the sends that have a receipt.",
        "回执率：有回执的发送所占的比例。",
    ),
    Definition(
        "no_receipt",
        "sends without any receipt",
        "The console calls it NoResponded, and counts parts, not messages.",
        "控制台称为“无响应”，但控制台按计费条数计，这里按消息计。",
    ),
    Definition(
        "unknown_rate",
        "unknown / reports",
        "The provider itself does not know: REQUEST_SUCCESS, UNKNOWN and others.",
        "平台自己也不知道结果：REQUEST_SUCCESS、UNKNOWN 等。",
    ),
    Definition(
        "failures[].share",
        "count / (failed + expired + unknown)",
        "Share of one outcome and code among the messages that were not delivered.",
        "某一结果和代码在未送达消息中的占比。",
    ),
    Definition(
        "latency",
        "reported_at - sent_at, delivered only",
        "In whole seconds, as the provider tells them. Percentiles are nearest ranks: of n values the"
        " ceil(n * p / 100)-th"
        " smallest. Above 127 s a value counts as the lower edge of its bucket, at most 3.1 % less; --exact"
        " reads every"
        " receipt. Negative ones are left out and counted in latency_invalid. within_10s is the share of at"
        " most 10 s.",
        "平台给出的整秒数，只计已送达的。百分位取最近秩：n 个值中第 ceil(n * p / 100) 小的值。超过 127"
        " 秒的按所在分段的下限计，"
        "最多偏小 3.1 %；--exact 逐条读取回执。负值不计入，另计在 latency_invalid 中。within_10s 为 10"
        " 秒以内的占比。",
    ),
    Definition(
        "parts",
        "sum of the billed parts",
        "Of the receipt (sms_size), else of the list of sends, else 1.",
        "计费条数：取回执中的 sms_size，没有则取发送清单，再没有按 1 计。",
    ),
    Definition(
        "provider",
        "QuerySendStatistics",
        "The provider's own totals of the same days, in billed parts; only where they were asked for.",
        "平台自己对同一时段的统计，按计费条数计；仅在查询过时才有。",
    ),
    Definition(
        "parts_gap",
        "provider.succeeded + provider.failed - parts of delivered, failed and expired",
        "Parts that ended by the provider and have no receipt.",
        "平台认为已有结果、但没有回执的计费条数。",
    ),
    Definition(
        "calls.ended",
        "SecretReport with call_type 0 or 1",
        "Calls whose end was reported, by call_time. Blocked calls (4) and SMS (2, 3, 5) are in by_type only.",
        "已报告结束的通话，按 call_time 计。被拦截的通话（4）和短信（2、3、5）只在 by_type 中。",
    ),
    Definition(
        "calls.answer_rate",
        "connected / ended",
        "Answer-seizure ratio. Connected: release_time is later than start_time.",
        "接通率。接通：release_time 晚于 start_time。",
    ),
    Definition(
        "calls.talk_seconds",
        "release_time - start_time, connected only",
        "The mean is the average call duration. billed_minutes is the sum of each call's minutes, rounded"
        " up; short_calls"
        " lasted less than 6 s.",
        "通话时长，均值即平均通话时长。billed_minutes 为每通电话向上取整的分钟数之和；short_calls 为不足 6 秒的通话。",
    ),
    Definition(
        "calls.ring_seconds",
        "start_time (or release_time, if not connected) - ring_time",
        "Calls whose ring_time is call_out_time did not ring and are left out.",
        "振铃时长。ring_time 等于 call_out_time 表示没有振铃，不计入。",
    ),
    Definition(
        "calls.by_cause",
        "count of each release_cause, side and outcome",
        "The side is who ended the call: platform, caller or callee.",
        "按释放原因、挂断方和结果计数。挂断方：平台、主叫或被叫。",
    ),
    Definition(
        "calls.missing_end",
        "calls with earlier receipts and no SecretReport",
        "As reconcile --calls lists them, three hours after the call began.",
        "有前序回执但没有 SecretReport 的通话，与 reconcile --calls 相同；通话开始三小时后才计入。",
    ),
    Definition(
        "calls.missing_recordings",
        "connected calls without a SecretRecording that should have one",
        "Those with a record_url, and those of a pool that sent any recording on that day; unknown where none did.",
        "应有而没有 SecretRecording 的已接通通话：带有 record_url 的，或其号码池当天发来过录音的；"
        "当天都没有录音时未知。",
    ),
    Definition(
        "replies.opt_outs",
        "replies whose text is a word of opting out",
        "Compared after NFKC, in upper case, without blanks and 。.!！回复 around it; the words are a setting.",
        "退订回复：正文经 NFKC、转大写并去掉空白和 。.!！回复 后等于退订词；退订词可在配置中设置。",
    ),
    Definition(
        "replies.opt_out_rate",
        "opt_outs / delivered",
        "Share of the delivered messages.",
        "退订数占已送达消息的比例。",
    ),
    Definition(
        "previous",
        "the same figures of the period before",
        "As many days just before, or the same days a week earlier. Changes of rates are in percentage"
        " points, those of"
        " counts in percent.",
        "上一时段的同样数字：紧邻的同样天数，或一周前的同样日期。比率的变化以百分点计，数量的变化以百分比计。",
    ),
    Definition(
        "carrier, province",
        "number range",
        "The carrier to which the range was given, not the one that serves a ported number; the province where it was"
        " given out.",
        "号段所属的运营商，携号转网的号码仍计入原运营商；省份为号段的发放地。",
    ),
    Definition(
        "template, sign",
        "the list of sends",
        "Receipts do not tell them; a template may also come from an answer of QuerySendDetails.",
        "回执本身不带模板和签名，来自发送清单；模板也可能来自 QuerySendDetails 的应答。",
    ),
)
