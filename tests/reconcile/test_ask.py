"""One job, asked: whatever the provider says, every send has its class and every row is kept."""

import json
from collections import Counter
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smsreceipt.aliyun.rpc import ApiError
from smsreceipt.errors import AuthError, ProviderError
from smsreceipt.model import Answer, Delivery, Instant, Send
from smsreceipt.reconcile import Class, Job, JobResult, do_job
from smsreceipt.sources.query.client import Halted, Question, Rows
from tests.reconcile.provider import NOW, PHONE, Provider, Record, at, record_of, send

SENDS = [send(f"{hour}^0", f"2026-11-19 {hour}:00:00") for hour in (10, 11, 12)]


def by_biz_id(sent: Send) -> Job:
    return Job(sent.phone, sent.day, (sent,), 1)


def by_number(*sends: Send, others: tuple[Send, ...] = ()) -> Job:
    return Job(sends[0].phone, sends[0].day, sends, 1, by_number=True, others=others)


def ask(job: Job, provider: Provider, now: Instant = NOW) -> JobResult:
    return do_job(job, provider, lambda: now)


def classes(result: JobResult) -> list[Class]:
    return [finding.found for finding in result.findings]


def delivered(result: JobResult) -> list[Delivery]:
    return [each.delivery for each in result.decoded]


def kept(result: JobResult) -> list[tuple[str, str, str]]:
    """(kind, BizId, the BizId that the row's text names) of each row that is to be kept."""
    return [
        (str(delivery.kind), delivery.biz_id, json.loads(frame)["Content"].removeprefix("【签名】内容"))
        for delivery in delivered(result)
        for frame in delivery.frames
    ]


@pytest.mark.parametrize(
    ("status", "code", "found", "answer"),
    [
        (3, "DELIVERED", Class.DELIVERED, Answer.ANSWERED),
        (3, "", Class.DELIVERED, Answer.ANSWERED),
        (2, "MOBILE_IN_BLACK", Class.FAILED, Answer.ANSWERED),
        (1, "", Class.STILL_WAITING, Answer.WAITING),
        (7, "", Class.STILL_WAITING, Answer.WAITING),
    ],
)
def test_a_row_settles_its_send_or_says_that_it_waits(status: int, code: str, found: Class, answer: Answer) -> None:
    sent = send()
    result = ask(by_biz_id(sent), Provider([record_of(sent, status=status, code=code)]))
    assert classes(result) == [found]
    assert [(note.biz_id, note.phone, note.at, note.answer) for note in result.asked] == [("1^0", PHONE, NOW, answer)]
    assert kept(result) == [("SmsReport", "1^0", "1^0")]


def test_of_two_rows_about_one_send_the_final_one_counts_and_both_are_kept() -> None:
    sent = send()
    rows = [record_of(sent, status=1), record_of(sent, status=2, code="MOBILE_IN_BLACK")]
    result = ask(by_biz_id(sent), Provider(rows))
    assert [(finding.found, finding.code) for finding in result.findings] == [(Class.FAILED, "MOBILE_IN_BLACK")]
    assert len(kept(result)) == 2


def test_no_row_is_no_record_and_final_once_the_day_is_long_over() -> None:
    sent = send()
    result = ask(by_biz_id(sent), Provider())
    assert classes(result) == [Class.NO_RECORD]
    assert result.asked[0].answer is Answer.NO_RECORD
    assert result.findings[0].final_no_record
    fresh = ask(by_biz_id(sent), Provider(), at("2026-11-20 13:00:00"))
    assert not fresh.findings[0].final_no_record


def test_near_midnight_the_other_day_is_asked_only_when_the_first_comes_back_empty() -> None:
    sent = send(when="2026-11-19 23:58:00")
    there = Provider([record_of(sent)])
    assert classes(ask(by_biz_id(sent), there)) == [Class.DELIVERED]
    assert len(there.questions) == 1
    beside = Provider([record_of(sent, filed=date(2026, 11, 20))])
    assert classes(ask(by_biz_id(sent), beside)) == [Class.DELIVERED]
    assert beside.questions == [
        Question(PHONE, date(2026, 11, 19), "1^0"),
        Question(PHONE, date(2026, 11, 20), "1^0"),
    ]


def test_one_call_by_number_settles_all_that_times_tell_apart() -> None:
    result = ask(by_number(*SENDS), provider := Provider([record_of(each) for each in SENDS]))
    assert provider.questions == [Question(PHONE, date(2026, 11, 19))]
    assert classes(result) == [Class.DELIVERED] * 3
    assert kept(result) == [("SmsReport", each.biz_id, each.biz_id) for each in SENDS]


def test_rows_of_sends_that_have_their_receipt_are_statements_too() -> None:
    known = send("15^0", "2026-11-19 15:00:00")
    result = ask(by_number(*SENDS, others=(known,)), Provider([record_of(each) for each in [*SENDS, known]]))
    assert ("SmsReport", "15^0", "15^0") in kept(result)
    assert [note.biz_id for note in result.asked] == [each.biz_id for each in SENDS]


def test_rows_that_the_ledger_does_not_know_make_sure_of_the_rest_by_biz_id_and_are_kept() -> None:
    unknown = Record("99^0", at("2026-11-19 10:00:20"))
    provider = Provider([*(record_of(each) for each in SENDS), unknown])
    result = ask(by_number(*SENDS), provider)
    assert [question.biz_id for question in provider.questions] == ["", "10^0"]
    assert sorted(classes(result)) == [Class.DELIVERED] * 3
    assert sorted(kept(result)) == [
        ("SendDetail", "", "99^0"),
        *(("SmsReport", each.biz_id, each.biz_id) for each in SENDS),
    ]


def test_that_there_is_no_record_is_said_only_once_the_biz_id_was_asked_about() -> None:
    result = ask(by_number(*SENDS), provider := Provider([record_of(SENDS[0])]))
    assert [question.biz_id for question in provider.questions] == ["", "11^0", "12^0"]
    assert {finding.send.biz_id: finding.found for finding in result.findings} == {
        "10^0": Class.DELIVERED, "11^0": Class.NO_RECORD, "12^0": Class.NO_RECORD,
    }  # fmt: skip


@pytest.mark.parametrize("absent", range(4))
def test_a_ledger_whose_times_are_late_by_just_the_time_between_sends_takes_no_row_for_anothers(absent: int) -> None:
    sends = [send(f"{serial}^0", f"2026-11-19 10:{5 * serial:02}:00") for serial in range(4)]
    records = [
        replace(record_of(each), moment=record_of(each).moment + 300_000, status=2, code=f"CODE{serial}")
        for serial, each in enumerate(sends)
        if serial != absent
    ]
    result = ask(by_number(*sends), Provider(records))
    assert {finding.send.biz_id: finding.code for finding in result.findings} == {
        each.biz_id: f"CODE{serial}" if serial != absent else "" for serial, each in enumerate(sends)
    }
    assert Counter(classes(result)) == {Class.FAILED: 3, Class.NO_RECORD: 1}
    assert sorted(kept(result)) == [("SmsReport", record.biz_id, record.biz_id) for record in records]


def test_near_midnight_no_day_is_asked_about_twice() -> None:
    late = send("23^0", "2026-11-19 23:57:00")
    result = ask(by_number(*SENDS, late), provider := Provider([record_of(each) for each in SENDS]))
    assert provider.questions[1:] == [
        Question(PHONE, date(2026, 11, 20), "23^0"),
        Question(PHONE, date(2026, 11, 19), "23^0"),
    ]
    assert Counter(classes(result)) == {Class.DELIVERED: 3, Class.NO_RECORD: 1}


def test_what_a_broken_off_job_heard_is_kept_and_what_it_did_not_make_sure_of_stays_open() -> None:
    def halt(question: Question, rows: Rows) -> Rows:
        if question.biz_id:
            raise Halted
        return rows

    result = ask(by_number(*SENDS), Provider([record_of(each) for each in SENDS[:2]], trouble=halt))
    assert classes(result) == [Class.UNASKED] * 3
    assert not result.asked
    assert kept(result) == [("SendDetail", "", each.biz_id) for each in SENDS[:2]]


def test_a_ledger_whose_clock_is_wrong_costs_calls_and_no_answers() -> None:
    late = [replace(record_of(each), moment=record_of(each).moment + 600_000) for each in SENDS]
    result = ask(by_number(*SENDS), provider := Provider(late))
    assert [question.biz_id for question in provider.questions] == ["", *(each.biz_id for each in SENDS)]
    assert classes(result) == [Class.DELIVERED] * 3
    assert {kind for kind, _, _ in kept(result)} == {"SmsReport"}


def test_by_number_too_the_other_day_is_asked_for_what_went_out_near_midnight() -> None:
    late = send("23^0", "2026-11-19 23:57:00")
    records = [*(record_of(each) for each in SENDS), record_of(late, filed=date(2026, 11, 20))]
    result = ask(by_number(*SENDS, late), provider := Provider(records))
    assert provider.questions[1:] == [Question(PHONE, date(2026, 11, 20), "23^0")]
    assert classes(result) == [Class.DELIVERED] * 4


def test_an_answer_that_contradicts_itself_never_means_no_record() -> None:
    shaky = Provider(trouble=lambda _question, rows: rows._replace(stable=False))
    result = ask(by_number(*SENDS), shaky)
    assert classes(result) == [Class.UNASKED] * 3
    assert not result.asked
    assert result.unstable == 4
    assert len(shaky.questions) == 4


def test_a_row_that_cannot_be_read_is_kept_and_settles_nothing() -> None:
    broken = Provider(trouble=lambda _question, rows: rows._replace(rows=(b'{"PhoneNum":"13800008000"}',)))
    result = ask(by_biz_id(send()), broken)
    assert classes(result) == [Class.UNASKED]
    assert [delivery.frames for delivery in delivered(result)] == [(b'{"PhoneNum":"13800008000"}',)]


def test_where_a_row_cannot_be_read_none_of_those_without_one_has_no_record() -> None:
    def spoil(question: Question, rows: Rows) -> Rows:
        spoilt = rows.rows[0].replace(b'"SendStatus":3,', b"") if rows.rows else b""
        return rows if question.biz_id not in {"", "10^0"} else rows._replace(rows=(spoilt, *rows.rows[1:]))

    provider = Provider([record_of(each) for each in SENDS], spoil)
    result = ask(by_number(*SENDS), provider)
    assert [question.biz_id for question in provider.questions] == ["", "10^0"]
    assert Counter(classes(result)) == {Class.DELIVERED: 2, Class.UNASKED: 1}


def test_rows_about_another_number_settle_nothing_and_are_kept() -> None:
    other = replace(record_of(SENDS[0]), phone="13900001111")
    provider = Provider(trouble=lambda _question, rows: rows._replace(rows=(other.row(),)))
    assert classes(ask(by_biz_id(SENDS[0]), provider)) == [Class.UNASKED]
    result = ask(by_number(*SENDS), provider)
    assert classes(result) == [Class.UNASKED] * 3


def test_a_day_that_passed_out_of_reach_meanwhile_is_not_taken_for_no_record() -> None:
    sent = send(when="2026-10-22 10:00:00")
    midnight = at("2026-11-22 00:00:00")
    times = iter([Instant(midnight - 1), Instant(midnight - 1), midnight])
    result = do_job(by_biz_id(sent), provider := Provider(), lambda: next(times))
    assert len(provider.questions) == 1
    assert classes(result) == [Class.UNASKED]
    assert not result.asked
    gone = do_job(by_biz_id(sent), provider := Provider(), lambda: midnight)
    assert not provider.questions
    assert classes(gone) == [Class.UNASKED]


@pytest.mark.parametrize("raised", [AuthError("no"), ProviderError("no"), ApiError(200, "isv.X", "", "")])
def test_what_was_answered_before_a_failure_is_kept(raised: Exception) -> None:
    def third(question: Question, rows: Rows) -> Rows:
        if question.biz_id == "11^0":
            raise raised
        return rows

    provider = Provider([record_of(each) for each in SENDS], trouble=third)
    result = ask(Job(PHONE, SENDS[0].day, tuple(SENDS), 3), provider)
    assert classes(result) == [Class.DELIVERED, Class.UNASKED, Class.UNASKED]
    assert result.failure is raised
    assert len(result.asked) == len(result.decoded) == 1


def test_a_halt_is_no_failure() -> None:
    def halt(_question: Question, _rows: Rows) -> Rows:
        raise Halted

    result = ask(by_biz_id(send()), Provider(trouble=halt))
    assert (result.failure, result.halted, classes(result)) == (None, True, [Class.UNASKED])


@given(st.sets(st.integers(0, 700), min_size=2, max_size=12), st.data())
def test_no_row_is_lost_and_no_send_has_two_classes(minutes: set[int], data: st.DataObject) -> None:
    sends = [send(f"{m}^0", Instant(at("2026-11-19 00:05:01") + m * 120_000), out_id=f"{m % 3}" if m % 2 else "")
             for m in sorted(minutes)]  # fmt: skip
    known = data.draw(st.lists(st.sampled_from(sends), unique=True))
    # A row of an unknown send beside a send without a record would be taken for its row: the ledger is at fault then.
    moment = record_of(known[0]).moment if known else at("2026-11-19 23:50:00")
    unknown = [Record(f"x{serial}", moment + serial) for serial in range(data.draw(st.integers(0, 3)))]
    records = [*(record_of(each) for each in known), *unknown]
    missing = data.draw(st.lists(st.sampled_from(sends), unique=True, min_size=1))
    others = tuple(each for each in sends if each not in missing)
    result = ask(by_number(*missing, others=others), Provider(records))
    assert sorted(named for _, _, named in kept(result)) == sorted(record.biz_id for record in records)
    assert sorted(finding.send.biz_id for finding in result.findings) == sorted(each.biz_id for each in missing)
    truth = {each.biz_id for each in known}
    for finding in result.findings:
        assert (finding.found is Class.DELIVERED) == (finding.send.biz_id in truth), finding
