"""What the figures of the page mean."""

from __future__ import annotations

from smsreceipt.output.html.words import Words

#: Terms and their meanings, in the order of the page.
DEFINITIONS = (
    (
        Words("Message", "短信"),
        Words(
            "one send to one number; a long message is one, with several billed parts",
            "一次发送给一个号码计一条；长短信计一条、多个计费条数",
        ),
    ),
    (
        Words("Day and hour", "日期与小时"),
        Words(
            "of sending, Beijing time; a receipt that comes late changes the day on which its message was sent",
            "按发送时间（北京时间）；迟到的回执会改变其发送日的数字",
        ),
    ),
    (
        Words("Delivery rate", "成功率"),
        Words(
            "delivered ÷ (delivered + failed + expired); unknown and pending are left out",
            "成功 ÷（成功＋失败＋过期）；未知与等待回执不计入",
        ),
    ),
    (
        Words("Reached", "到达率"),
        Words("delivered ÷ sent; all that is not proven counts against it", "成功 ÷ 发送量；未证实送达的均计为未到达"),
    ),
    (
        Words("Receipt rate", "回执率"),
        Words(
            "sends with a receipt that tells an end or unknown ÷ sends", "有成功、失败、过期或未知回执的发送 ÷ 发送量"
        ),
    ),
    (
        Words("Latency", "送达时延"),
        Words(
            "from sending to the carrier's report, of delivered messages, in whole seconds; "
            "p95: 95 of 100 took at most so long",
            "成功短信从发送到运营商报告的时间，精度为秒；p95：95%的短信不超过该值",
        ),
    ),
    (
        Words("Sudden drop", "骤降"),
        Words(
            "an hour with 200 or more ended messages whose rate is at least 5 points and 4 standard deviations lower "
            "than in the same hour of the period compared with",
            "该小时有结果的短信不少于200条，成功率比对比周期同一小时低至少5个百分点且4个标准差",
        ),
    ),
    (
        Words("Answer rate", "接通率"),
        Words("connected calls ÷ calls that ended", "接通的通话 ÷ 已结束的通话"),
    ),
    (
        Words("Opt-out", "退订"),
        Words("a reply of only T, TD, N, 退订, STOP or the like", "仅回复 T、TD、N、退订、STOP 等的上行"),
    ),
)
