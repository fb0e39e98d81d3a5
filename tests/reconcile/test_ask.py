"""One job, asked: whatever the provider says, every send has its class and every row is kept."""

import json
from collections import Counter
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smsreceipt.aliyun.rpc import ApiError
from smsreceipt.errors import AuthError, ProviderError
from smsreceipt.model import Answer, Delivery, Instant, Send
from smsreceipt.reconcile import Class, Done, Job, inquire
from smsreceipt.sources.query.client import Halted, Question, Rows
from tests.reconcile.provider import NOW, PHONE, Provider, Record, at, record_of, send

SENDS = [send(f"{hour}^0", f"2026-11-19 {hour}:00:00") for hour in (10, 11, 12)]


def narrow(sent: Send) -> Job:
    return Job(sent.phone, sent.day, (sent,), 1)


def wide(*sends: Send, others: tuple[Send, ...] = ()) -> Job:
    return Job(sends[0].phone, sends[0].day, sends, 1, wide=True, others=others)


def ask(job: Job, provider: Provider, now: Instant = NOW) -> Done:
    return inquire(job, provider, lambda: now)


def classes(done: Done) -> list[Class]:
    return [learnt.found for learnt in done.learnt]


def delivered(done: Done) -> list[Delivery]:
    return [each.delivery for each in done.decoded]


def kept(done: Done) -> list[tuple[str, str, str]]:
    """(kind, BizId, the BizId that the row's text names) of each row that is to be kept."""
    return [
        (str(delivery.kind), delivery.biz_id, json.loads(frame)["Content"].removeprefix("【签名】内容"))
        for delivery in delivered(done)
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
    done = ask(narrow(sent), Provider([record_of(sent, status=status, code=code)]))
    assert classes(done) == [found]
    assert [(note.biz_id, note.phone, note.at, note.answer) for note in done.asked] == [("1^0", PHONE, NOW, answer)]
    assert kept(done) == [("SmsReport", "1^0", "1^0")]


def test_of_two_rows_about_one_send_the_final_one_counts_and_both_are_kept() -> None:
    sent = send()
    rows = [record_of(sent, status=1), record_of(sent, status=2, code="MOBILE_IN_BLACK")]
    done = ask(narrow(sent), Provider(rows))
    assert [(learnt.found, learnt.code) for learnt in done.learnt] == [(Class.FAILED, "MOBILE_IN_BLACK")]
    assert len(kept(done)) == 2


def test_no_row_is_no_record_and_the_last_word_once_the_day_is_long_over() -> None:
    sent = send()
    done = ask(narrow(sent), Provider())
    assert classes(done) == [Class.NO_RECORD]
    assert done.asked[0].answer is Answer.NO_RECORD
    assert done.learnt[0].last_word
    fresh = ask(narrow(sent), Provider(), at("2026-11-20 13:00:00"))
    assert not fresh.learnt[0].last_word


def test_near_midnight_the_other_day_is_asked_only_when_the_first_comes_back_empty() -> None:
    sent = send(when="2026-11-19 23:58:00")
    there = Provider([record_of(sent)])
    assert classes(ask(narrow(sent), there)) == [Class.DELIVERED]
    assert len(there.questions) == 1
    beside = Provider([record_of(sent, filed=date(2026, 11, 20))])
    assert classes(ask(narrow(sent), beside)) == [Class.DELIVERED]
    assert beside.questions == [
        Question(PHONE, date(2026, 11, 19), "1^0"),
        Question(PHONE, date(2026, 11, 20), "1^0"),
    ]


def test_one_call_by_number_settles_all_that_times_tell_apart() -> None:
    done = ask(wide(*SENDS), provider := Provider([record_of(each) for each in SENDS]))
    assert provider.questions == [Question(PHONE, date(2026, 11, 19))]
    assert classes(done) == [Class.DELIVERED] * 3
    assert kept(done) == [("SmsReport", each.biz_id, each.biz_id) for each in SENDS]


def test_rows_of_sends_that_have_their_receipt_are_statements_too() -> None:
    known = send("15^0", "2026-11-19 15:00:00")
    done = ask(wide(*SENDS, others=(known,)), Provider([record_of(each) for each in [*SENDS, known]]))
    assert ("SmsReport", "15^0", "15^0") in kept(done)
    assert [note.biz_id for note in done.asked] == [each.biz_id for each in SENDS]


def test_rows_that_the_ledger_does_not_know_make_sure_of_the_rest_by_biz_id_and_are_kept() -> None:
    stranger = Record("99^0", at("2026-11-19 10:00:20"))
    provider = Provider([*(record_of(each) for each in SENDS), stranger])
    done = ask(wide(*SENDS), provider)
    assert [question.biz_id for question in provider.questions] == ["", "10^0"]
    assert sorted(classes(done)) == [Class.DELIVERED] * 3
    assert sorted(kept(done)) == [
        ("SendDetail", "", "99^0"),
        *(("SmsReport", each.biz_id, each.biz_id) for each in SENDS),
    ]


def test_that_there_is_no_record_is_said_only_once_the_biz_id_was_asked_about() -> None:
    done = ask(wide(*SENDS), provider := Provider([record_of(SENDS[0])]))
    assert [question.biz_id for question in provider.questions] == ["", "11^0", "12^0"]
    assert {learnt.send.biz_id: learnt.found for learnt in done.learnt} == {
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
    done = ask(wide(*sends), Provider(records))
    assert {learnt.send.biz_id: learnt.code for learnt in done.learnt} == {
        each.biz_id: f"CODE{serial}" if serial != absent else "" for serial, each in enumerate(sends)
    }
    assert Counter(classes(done)) == {Class.FAILED: 3, Class.NO_RECORD: 1}
    assert sorted(kept(done)) == [("SmsReport", record.biz_id, record.biz_id) for record in records]


def test_near_midnight_no_day_is_asked_about_twice() -> None:
    late = send("23^0", "2026-11-19 23:57:00")
    done = ask(wide(*SENDS, late), provider := Provider([record_of(each) for each in SENDS]))
    assert provider.questions[1:] == [
        Question(PHONE, date(2026, 11, 20), "23^0"),
        Question(PHONE, date(2026, 11, 19), "23^0"),
    ]
    assert Counter(classes(done)) == {Class.DELIVERED: 3, Class.NO_RECORD: 1}


def test_what_a_broken_off_job_heard_is_kept_and_what_it_did_not_make_sure_of_stays_open() -> None:
    def halt(question: Question, rows: Rows) -> Rows:
        if question.biz_id:
            raise Halted
        return rows

    done = ask(wide(*SENDS), Provider([record_of(each) for each in SENDS[:2]], trouble=halt))
    assert classes(done) == [Class.UNASKED] * 3
    assert not done.asked
    assert kept(done) == [("SendDetail", "", each.biz_id) for each in SENDS[:2]]


def test_a_ledger_whose_clock_is_wrong_costs_calls_and_no_answers() -> None:
    late = [replace(record_of(each), moment=record_of(each).moment + 600_000) for each in SENDS]
    done = ask(wide(*SENDS), provider := Provider(late))
    assert [question.biz_id for question in provider.questions] == ["", *(each.biz_id for each in SENDS)]
    assert classes(done) == [Class.DELIVERED] * 3
    assert {kind for kind, _, _ in kept(done)} == {"SmsReport"}


def test_by_number_too_the_other_day_is_asked_for_what_went_out_near_midnight() -> None:
    late = send("23^0", "2026-11-19 23:57:00")
    records = [*(record_of(each) for each in SENDS), record_of(late, filed=date(2026, 11, 20))]
    done = ask(wide(*SENDS, late), provider := Provider(records))
    assert provider.questions[1:] == [Question(PHONE, date(2026, 11, 20), "23^0")]
    assert classes(done) == [Class.DELIVERED] * 4


def test_an_answer_that_contradicts_itself_never_means_no_record() -> None:
    shaky = Provider(trouble=lambda _question, rows: rows._replace(stable=False))
    done = ask(wide(*SENDS), shaky)
    assert classes(done) == [Class.UNASKED] * 3
    assert not done.asked
    assert done.unstable == 4
    assert len(shaky.questions) == 4


def test_a_row_that_cannot_be_read_is_kept_and_settles_nothing() -> None:
    broken = Provider(trouble=lambda _question, rows: rows._replace(rows=(b'{"PhoneNum":"13800008000"}',)))
    done = ask(narrow(send()), broken)
    assert classes(done) == [Class.UNASKED]
    assert [delivery.frames for delivery in delivered(done)] == [(b'{"PhoneNum":"13800008000"}',)]


def test_where_a_row_cannot_be_read_none_of_those_without_one_has_no_record() -> None:
    def spoil(question: Question, rows: Rows) -> Rows:
        spoilt = rows.rows[0].replace(b'"SendStatus":3,', b"") if rows.rows else b""
        return rows if question.biz_id not in {"", "10^0"} else rows._replace(rows=(spoilt, *rows.rows[1:]))

    provider = Provider([record_of(each) for each in SENDS], spoil)
    done = ask(wide(*SENDS), provider)
    assert [question.biz_id for question in provider.questions] == ["", "10^0"]
    assert Counter(classes(done)) == {Class.DELIVERED: 2, Class.UNASKED: 1}


def test_rows_about_another_number_settle_nothing_and_are_kept() -> None:
    other = replace(record_of(SENDS[0]), phone="13900001111")
    provider = Provider(trouble=lambda _question, rows: rows._replace(rows=(other.row(),)))
    assert classes(ask(narrow(SENDS[0]), provider)) == [Class.UNASKED]
    done = ask(wide(*SENDS), provider)
    assert classes(done) == [Class.UNASKED] * 3


def test_a_day_that_passed_out_of_reach_meanwhile_is_not_taken_for_no_record() -> None:
    sent = send(when="2026-10-22 10:00:00")
    midnight = at("2026-11-22 00:00:00")
    times = iter([Instant(midnight - 1), Instant(midnight - 1), midnight])
    done = inquire(narrow(sent), provider := Provider(), lambda: next(times))
    assert len(provider.questions) == 1
    assert classes(done) == [Class.UNASKED]
    assert not done.asked
    gone = inquire(narrow(sent), provider := Provider(), lambda: midnight)
    assert not provider.questions
    assert classes(gone) == [Class.UNASKED]


@pytest.mark.parametrize("raised", [AuthError("no"), ProviderError("no"), ApiError(200, "isv.X", "", "")])
def test_what_was_answered_before_a_failure_is_kept(raised: Exception) -> None:
    def third(question: Question, rows: Rows) -> Rows:
        if question.biz_id == "11^0":
            raise raised
        return rows

    provider = Provider([record_of(each) for each in SENDS], trouble=third)
    done = ask(Job(PHONE, SENDS[0].day, tuple(SENDS), 3), provider)
    assert classes(done) == [Class.DELIVERED, Class.UNASKED, Class.UNASKED]
    assert done.failure is raised
    assert len(done.asked) == len(done.decoded) == 1


def test_a_halt_is_no_failure() -> None:
    def halt(_question: Question, _rows: Rows) -> Rows:
        raise Halted

    done = ask(narrow(send()), Provider(trouble=halt))
    assert (done.failure, done.halted, classes(done)) == (None, True, [Class.UNASKED])


@settings(deadline=None)
@given(st.sets(st.integers(0, 700), min_size=2, max_size=12), st.data())
def test_no_row_is_lost_and_no_send_has_two_classes(minutes: set[int], data: st.DataObject) -> None:
    sends = [send(f"{m}^0", Instant(at("2026-11-19 00:05:01") + m * 120_000), out_id=f"{m % 3}" if m % 2 else "")
             for m in sorted(minutes)]  # fmt: skip
    known = data.draw(st.lists(st.sampled_from(sends), unique=True))
    # Of a stranger beside a send that the provider does not know, nobody could tell: only the ledger is at fault then.
    moment = record_of(known[0]).moment if known else at("2026-11-19 23:50:00")
    strangers = [Record(f"x{serial}", moment + serial) for serial in range(data.draw(st.integers(0, 3)))]
    records = [*(record_of(each) for each in known), *strangers]
    missing = data.draw(st.lists(st.sampled_from(sends), unique=True, min_size=1))
    others = tuple(each for each in sends if each not in missing)
    done = ask(wide(*missing, others=others), Provider(records))
    assert sorted(named for _, _, named in kept(done)) == sorted(record.biz_id for record in records)
    assert sorted(learnt.send.biz_id for learnt in done.learnt) == sorted(each.biz_id for each in missing)
    truth = {each.biz_id for each in known}
    for learnt in done.learnt:
        assert (learnt.found is Class.DELIVERED) == (learnt.send.biz_id in truth), learnt
