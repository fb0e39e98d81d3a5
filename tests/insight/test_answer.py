"""The object of `stats --json` from a few receipts, on each engine."""

from __future__ import annotations

from contextlib import closing
from datetime import date

import pytest

from smsreceipt.insight.answer import groups, stats
from smsreceipt.insight.question import Compare, Dimension, Question
from smsreceipt.insight.stats import Cell, Stats, as_json
from smsreceipt.model import Instant, Send, number_of
from smsreceipt.model.facts import UNKNOWN
from smsreceipt.store import Store
from tests.store.engines import Engine
from tests.store.statements import FAILED, PHONE, WAITING, call, decoded, mixed, reply, report

DAY = number_of(date(2026, 11, 20))
NOW = Instant(1_795_600_000_000)
QUESTION = Question(first_day=DAY, last_day=DAY)


class Places:
    version = "test"

    def __call__(self, phone: str) -> tuple[str, str]:
        return ("mobile", "beijing") if phone.startswith("138") else (UNKNOWN, UNKNOWN)


def send(biz_id: str, template: str = "SMS_1") -> Send:
    return Send(PHONE, biz_id, DAY, None, "", template, "Sign", 2)


def fill(store: Store) -> None:
    """Two delivered, one failed, one unknown, one of the day before; a call, a reply that opts out."""
    store.keep([
        decoded(report("1"), report("2", phone="13300001111", report_time="2026-11-20 15:50:55", sms_size="3")),
        decoded(report("3", **FAILED), report("4", **WAITING)),
        decoded(report("0", send_time="2026-11-19 15:49:55")),
    ])  # fmt: skip
    store.keep(mixed(call(ring_time="2026-11-20 10:00:05", release_dir=2), reply(content="退订。")))
    store.add_sends([send("1"), send("3"), send("9", "SMS_2")])


def answered(engine: Engine, question: Question = QUESTION) -> Stats:
    with closing(engine.empty()) as store:
        fill(store)
        with store.snapshot():
            return stats(store, question, NOW, place=Places())


def test_the_figures_of_a_day(engine: Engine) -> None:
    found = as_json(answered(engine))
    assert found["from"] == found["to"] == "2026-11-20"
    assert found["final"]
    assert found["compared_with"] == {"from": "2026-11-19", "to": "2026-11-19"}
    sms = found["sms"]
    assert (sms["reports"], sms["delivered"], sms["failed"], sms["unknown"]) == (4, 2, 1, 1)
    assert (sms["delivery_rate"], sms["unknown_rate"]) == (0.666667, 0.25)
    assert sms["latency_histogram"] == [(3, 1), (60, 1)]
    assert (sms["latency"]["p50"], sms["latency"]["max"], sms["latency"]["within_10s"]) == (3, 60, 0.5)
    assert (sms["sent"], sms["no_receipt"], sms["receipt_rate"]) == (3, 1, 0.666667)
    assert sms["parts"] == 2 + 3 + 2 + 1  # of the ledger, of the receipt, of the ledger, unknown
    assert found["previous"]["reports"] == 1
    assert [(row["code"], row["count"], row["share"]) for row in found["failures"]] == [
        ("MOBILE_IN_BLACK", 1, 0.5),
        ("UNKNOWN", 1, 0.5),
    ]
    assert [(row["carrier"], row["reports"]) for row in found["by"]["carrier"]] == [("mobile", 3), (UNKNOWN, 1)]
    assert [(row["hour"], row["reports"], row["previous_rate"]) for row in found["by"]["hour"]] == [(15, 4, 1.0)]
    assert {row["template"]: row["reports"] for row in found["by"]["template"]} == {"SMS_1": 2, "": 2}
    assert found["by"]["template"][0]["source"] == "ledger"
    assert len(found["trend"]) == 14
    assert found["trend"][-1]["delivered"] == 2
    assert [row["parts"] for row in found["trend"][-3:]] == [0, 1, 8]  # as sms.parts of each day


def test_calls_and_replies(engine: Engine) -> None:
    found = answered(engine)
    assert found.calls is not None
    assert found.replies is not None
    assert (found.calls.ended, found.calls.connected, found.calls.answer_rate) == (1, 1, 1.0)
    assert (found.calls.talk_seconds.sum, found.calls.billed_minutes, found.calls.ring_seconds.p50) == (185, 4, 7)
    assert [(each.code, each.side) for each in found.calls.by_cause] == [("16", "callee")]
    assert (found.replies.replies, found.replies.opt_outs, found.replies.opt_out_rate) == (1, 1, 0.5)


def test_without_a_list_of_sends_what_needs_one_is_unknown(engine: Engine) -> None:
    with closing(engine.empty()) as store:
        store.keep([decoded(report("1"))])
        sms = stats(store, QUESTION, NOW).sms
    assert sms is not None
    assert (sms.sent, sms.no_receipt, sms.receipt_rate, sms.delivered_of_sent) == (None, None, None, None)


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ((Dimension.DAY,), [{"day": "2026-11-20"}]),
        ((Dimension.WEEKDAY,), [{"weekday": 5}]),
        ((Dimension.CODE, Dimension.HOUR), [{"code": "DELIVERED", "hour": 15}, {"code": "MOBILE_IN_BLACK", "hour": 15},
                                            {"code": "UNKNOWN", "hour": 15}]),
        ((Dimension.TEMPLATE,), [{"template": ""}, {"template": "SMS_1"}]),
    ],
)  # fmt: skip
def test_groups(engine: Engine, by: tuple[Dimension, ...], expected: list[dict[str, object]]) -> None:
    with closing(engine.empty()) as store:
        fill(store)
        found = groups(store, Question(first_day=DAY, last_day=DAY, by=by, compare=Compare.NONE))
    names = {each.value for each in Dimension}
    assert [{name: value for name, value in as_json(row).items() if name in names} for row in found] == expected


def test_a_group_has_the_keys_of_its_dimensions_only() -> None:
    assert list(as_json(Cell(hour=None)))[:2] == ["hour", "reports"]
