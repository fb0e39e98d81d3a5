"""A comparison against a real store: what was answered is kept, whatever happens, and never asked for again."""

import json
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from smsreceipt.aliyun.rpc import ApiError
from smsreceipt.decode import decode
from smsreceipt.errors import AuthError, ProviderError, StoreFull, StoreLocked
from smsreceipt.ingest import LockRetry, take
from smsreceipt.model import Asked, Decoded, Delivery, Instant, Kind, Outcome, Send, Share, Source
from smsreceipt.reconcile import Calendar, Class, ClassCounts, Finding, Run, do_job, survey_days
from smsreceipt.reconcile import run as module
from smsreceipt.sources.query.client import Question, Rate, Rows
from smsreceipt.store import Query, Store
from smsreceipt.store.sqlite.store import open_store
from tests.reconcile.provider import NOW, PHONE, Provider, record_of, send

DAY = send().day


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(tmp_path / "receipts.db")) as opened:
        yield opened


@dataclass
class Compared:
    counts: ClassCounts
    run: Run
    findings: list[Finding] = field(default_factory=list)

    @property
    def classes(self) -> dict[str, int]:
        return {each.value: count for each, count in self.counts.classes.items() if count}


def compare(
    store: Store,
    provider: Provider,
    *,
    now: Instant = NOW,
    begun: Instant | None = None,
    workers: int = 4,
    **seams: Any,
) -> Compared:
    days = survey_days(store, DAY - 40, DAY + 2, Calendar(now), now if begun is None else begun)
    counts = days.counts()
    findings: list[Finding] = [*days.settled]

    def on_findings(some: Sequence[Finding]) -> None:
        counts.add_all(some)
        findings.extend(some)

    run = Run(
        store,
        lambda job: do_job(job, provider, lambda: now),
        Rate(5000),
        workers=workers,
        on_findings=on_findings,
        **seams,
    )
    others = {*threading.enumerate()}
    run.go(days.plan)
    assert {*threading.enumerate()} <= others, "the workers have ended"
    counts.check(days.sent, days.missing)
    return Compared(counts, run, findings)


def receipt(sent: Send, *, delivered: bool = True, source: Source = Source.MNS, second: int = 4) -> Delivery:
    body = {
        "phone_number": sent.phone, "send_time": "2026-11-19 10:00:01", "report_time": f"2026-11-19 10:00:0{second}",
        "success": delivered, "err_code": "DELIVERED" if delivered else "MOBILE_IN_BLACK", "sms_size": "1",
        "biz_id": sent.biz_id,
    }  # fmt: skip
    return Delivery((json.dumps(body).encode(),), Kind("SmsReport"), source, "there", NOW)


def people(count: int) -> list[Send]:
    return [send(f"{n:04}^0", phone=f"1380000{n:04}") for n in range(count)]


def test_every_missing_send_is_found_and_the_second_comparison_asks_only_what_may_change(store: Store) -> None:
    sends = people(40)
    store.add_sends(sends)
    take([decode(receipt(each)) for each in sends[:10]], store)
    records = [record_of(each, status=1 if n < 15 else 2 if n < 20 else 3, code="X" if n < 20 else "DELIVERED")
               for n, each in enumerate(sends[:35])]  # fmt: skip
    found = compare(store, Provider(records))
    classes = {
        "with_receipt": 10,
        "still_waiting": 5,
        "compensated_failed": 5,
        "compensated_delivered": 15,
        "no_record": 5,
    }
    assert found.classes == classes
    assert (found.counts.failures, found.counts.days_left) == ({"X": 5}, DAY - Calendar(NOW).oldest)
    again = Provider(records)
    later = compare(store, again, now=Instant(NOW + 60_000))
    assert later.classes == {"with_receipt": 30, "still_waiting": 5, "no_record": 5}
    assert {question.biz_id for question in again.questions} == {each.biz_id for each in sends[10:15]}


def test_the_states_are_those_of_the_provider(store: Store) -> None:
    store.add_sends(sends := people(3))
    compare(store, Provider([record_of(each, status=2 + n % 2, code="X") for n, each in enumerate(sends)]))
    stored = [(one.receipt.biz_id, one.receipt.outcome, one.source, one.origin) for one in store.list(Query())]
    assert sorted(stored) == [  # several workers ask: their answers come in any order
        ("0000^0", Outcome.FAILED, Source.QUERY, "QuerySendDetails"),
        ("0001^0", Outcome.DELIVERED, Source.QUERY, "QuerySendDetails"),
        ("0002^0", Outcome.FAILED, Source.QUERY, "QuerySendDetails"),
    ]


def test_a_comparison_that_was_broken_off_goes_on_where_it_was(store: Store) -> None:
    store.add_sends(sends := people(30))
    records = [record_of(each, status=1) for each in sends]
    first = Provider(records)
    runs: list[Run] = []

    def stop_after_some(question: Question, rows: Rows) -> Rows:
        if len(first.questions) == 12:
            runs[0].stop()
        return rows

    first.trouble = stop_after_some
    begun = store.begin_comparison(DAY, DAY, NOW)
    days = survey_days(store, DAY, DAY, Calendar(NOW), begun)
    findings: list[Finding] = []
    runs.append(
        Run(store, lambda job: do_job(job, first, lambda: NOW), Rate(5000), workers=1, on_findings=findings.extend)
    )
    others = {*threading.enumerate()}
    runs[0].go(days.plan)
    assert {*threading.enumerate()} <= others, "the workers have ended"
    asked = {question.biz_id for question in first.questions}
    assert len(asked) == 12
    assert Counter(each.found for each in findings) == {Class.STILL_WAITING: 12, Class.UNASKED: 18}
    later = Instant(NOW + 3_600_000)
    second = Provider(records)
    rest = compare(store, second, now=later, begun=store.begin_comparison(DAY, DAY, later))
    assert {question.biz_id for question in second.questions} == {each.biz_id for each in sends} - asked
    assert rest.classes == {"still_waiting": 30}
    store.end_comparison(DAY, DAY)
    third = Provider(records)
    compare(store, third, now=later, begun=store.begin_comparison(DAY, DAY, Instant(later + 1)))
    assert len(third.questions) == 30


def test_young_and_too_late_sends_are_counted_and_not_asked_about(store: Store) -> None:
    store.add_sends([
        send("1^0", Instant(NOW - 3_600_000)),
        send("2^0", "2026-10-21 10:00:00"),
        send("3^0", "2026-10-22 10:00:00"),
    ])  # fmt: skip
    found = compare(store, provider := Provider())
    assert found.classes == {"young": 1, "too_late": 1, "no_record": 1}
    assert [question.biz_id for question in provider.questions] == ["3^0"]
    assert found.counts.days_left == 30  # of the young one: the others are settled
    assert found.counts.pressing == 0


def test_an_old_open_send_is_pressing(store: Store) -> None:
    store.add_sends([old := send("1^0", "2026-10-27 10:00:00")])
    found = compare(store, Provider([record_of(old, status=1)]))
    assert (found.classes, found.counts.pressing, found.counts.days_left) == ({"still_waiting": 1}, 1, 5)


def test_a_refused_key_stops_everything_at_once(store: Store) -> None:
    def refuse(_question: Question, _rows: Rows) -> Rows:
        raise AuthError("the provider answered NoPermission")

    store.add_sends(people(600))
    found = compare(store, provider := Provider(trouble=refuse), workers=4)
    assert found.classes == {"unasked": 600}
    assert [type(failure) for failure in found.run.failures] == [AuthError]
    assert len(provider.questions) <= 8


def test_one_number_that_is_refused_leaves_the_others_alone(store: Store) -> None:
    def refuse(question: Question, rows: Rows) -> Rows:
        if question.biz_id == "0003^0":
            raise ApiError(200, "isv.MOBILE_NUMBER_ILLEGAL", "13800000003 invalid", "R")
        return rows

    store.add_sends(sends := people(9))
    found = compare(store, Provider([record_of(each) for each in sends], refuse))
    assert found.classes == {"compensated_delivered": 8, "unasked": 1}
    assert (found.run.refused, found.run.failures) == (1, [])
    assert found.counts.notes == {"isv.MOBILE_NUMBER_ILLEGAL": 1}


def test_when_every_number_is_refused_it_is_not_the_numbers(store: Store) -> None:
    def refuse(_question: Question, _rows: Rows) -> Rows:
        raise ApiError(200, "isv.INVALID_PARAMETERS", "", "R")

    store.add_sends(people(900))
    found = compare(store, provider := Provider(trouble=refuse))
    assert [type(failure) for failure in found.run.failures] == [ApiError]
    assert len(provider.questions) < 600
    assert found.classes == {"unasked": 900}


@pytest.mark.parametrize("code", ["isv.OUT_OF_SERVICE", "Throttling", "Whatever"])
def test_a_refusal_that_is_about_us_stops_everything(store: Store, code: str) -> None:
    def refuse(_question: Question, _rows: Rows) -> Rows:
        raise ApiError(200, code, "", "R")

    store.add_sends(people(5))
    found = compare(store, Provider(trouble=refuse), workers=1)
    assert found.classes == {"unasked": 5}
    assert len(found.run.failures) == 1


def test_a_provider_that_goes_away_costs_nothing_that_was_answered(store: Store) -> None:
    def go_away(question: Question, rows: Rows) -> Rows:
        if question.biz_id >= "0010^0":
            raise ProviderError("no answer")
        return rows

    store.add_sends(sends := people(20))
    found = compare(store, Provider([record_of(each) for each in sends], go_away), workers=1)
    assert found.classes == {"compensated_delivered": 10, "unasked": 10}
    assert len([*store.list(Query())]) == 10
    assert [type(failure) for failure in found.run.failures] == [ProviderError]


@pytest.mark.parametrize("failure", [StoreLocked("locked"), StoreFull("full")])
def test_what_could_not_be_stored_counts_as_unasked(
    store: Store, failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_more: object) -> None:
        raise failure

    store.add_sends(sends := people(5))
    provider = Provider([record_of(each) for each in sends])
    with monkeypatch.context() as patch:
        patch.setattr(module, "take", fail)
        found = compare(store, provider, workers=1, lock_retry=LockRetry(budget=0))
    assert found.classes == {"unasked": 5}
    assert found.run.failures == [failure]
    assert compare(store, provider).classes == {"compensated_delivered": 5}


def test_the_note_that_it_was_asked_is_committed_with_the_rows_or_not_at_all(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The power goes between any two steps: nothing is marked whose rows are not there."""

    class PowerCut(BaseException):
        pass

    store.add_sends(sends := people(3))
    provider = Provider([record_of(each) for each in sends])

    class Cut(list[Asked]):
        def __iter__(self) -> Iterator[Asked]:
            raise PowerCut

    def cut(answers: Sequence[Decoded], into: Store, *, asked: Sequence[Asked]) -> None:
        into.keep(answers, asked=Cut(asked))

    monkeypatch.setattr(module, "take", cut)
    with pytest.raises(PowerCut):
        compare(store, provider, workers=1)
    monkeypatch.undo()
    assert not [*store.list(Query())]
    assert all(row.answer is None for row in store.missing(DAY, DAY))
    assert compare(store, provider).classes == {"compensated_delivered": 3}


def test_a_bug_in_a_worker_is_raised_and_not_waited_for(store: Store) -> None:
    store.add_sends(people(3))
    days = survey_days(store, DAY, DAY, Calendar(NOW), NOW)

    def broken(_job: object) -> Any:
        raise ZeroDivisionError

    others = {*threading.enumerate()}
    with pytest.raises(ZeroDivisionError):
        Run(store, broken, Rate(50), workers=2).go(days.plan)
    assert {*threading.enumerate()} <= others, "the workers have ended"


def test_a_push_that_contradicts_the_provider_is_a_conflict_and_the_provider_is_believed(store: Store) -> None:
    store.add_sends(sends := [send()])
    compare(store, Provider([record_of(sends[0])]))
    take([decode(receipt(sends[0], delivered=False, source=Source.PUSH, second=9))], store)
    (state,) = store.list(Query())
    assert (state.receipt.outcome, state.source) == (Outcome.DELIVERED, Source.QUERY)
    assert len([*store.list(Query(conflicts=True))]) == 2


def test_a_row_beside_those_asked_for_brings_a_forged_push_to_light(store: Store) -> None:
    sends = [send(f"{hour}^0", f"2026-11-19 {hour}:00:00") for hour in (10, 11, 12)]
    store.add_sends(sends)
    take([decode(receipt(sends[0], delivered=False, source=Source.PUSH))], store)
    found = compare(store, Provider([record_of(each) for each in sends]))
    assert found.classes == {"with_receipt": 1, "compensated_delivered": 2}
    assert {one.receipt.biz_id for one in store.list(Query(conflicts=True))} == {"10^0"}
    assert next(one.receipt.outcome for one in store.list(Query(biz_ids=["10^0"]))) is Outcome.DELIVERED


def test_the_real_receipt_that_comes_late_is_the_same_message_seen_twice(store: Store) -> None:
    store.add_sends(sends := [send()])
    compare(store, Provider([record_of(sends[0])]))
    take([decode(receipt(sends[0]))], store)
    (only,) = store.list(Query(history=True))
    assert (only.times_seen, only.source, only.receipt.phone) == (2, Source.QUERY, PHONE)


def test_many_workers_share_few_commits(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    commits: list[int] = []

    def counted(decoded: Sequence[Decoded], into: Store, **more: Any) -> Any:
        commits.append(len(decoded))
        return take(decoded, into, **more)

    monkeypatch.setattr(module, "take", counted)
    store.add_sends(sends := people(300))
    found = compare(store, Provider([record_of(each) for each in sends]), workers=8)
    assert found.classes == {"compensated_delivered": 300}
    assert sum(commits) == 300
    assert len(commits) < 100


def test_a_call_that_hangs_holds_up_a_stop_only_for_a_while(store: Store) -> None:
    over, runs = threading.Event(), list[Run]()

    def hang(job: Any) -> Any:
        runs[0].stop()
        over.wait(20)
        return do_job(job, Provider(), lambda: NOW)

    store.add_sends(people(2))
    days = survey_days(store, DAY, DAY, Calendar(NOW), NOW)
    findings: list[Finding] = []
    runs.append(Run(store, hang, Rate(50), workers=1, on_findings=findings.extend, last_calls=0.1))
    runs[0].go(days.plan)
    over.set()
    assert [each.found for each in findings] == [Class.UNASKED] * 2


def test_answers_that_waited_for_a_slow_commit_are_kept_though_the_run_was_stopped_long_ago(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store was locked for longer than a stop waits for calls."""
    store.add_sends(sends := people(10))
    provider = Provider([record_of(each) for each in sends])
    committing, answered, runs, findings = threading.Event(), threading.Event(), list[Run](), list[Finding]()

    def ask(job: Any) -> Any:
        assert not provider.questions or committing.wait(20)
        done = do_job(job, provider, lambda: NOW)
        if len(provider.questions) == len(sends):
            answered.set()
        return done

    def slow(*args: Any, **more: Any) -> Any:
        committing.set()
        assert answered.wait(20)
        runs[0].stop()
        return take(*args, **more)

    monkeypatch.setattr(module, "take", slow)
    days = survey_days(store, DAY, DAY, Calendar(NOW), NOW)
    runs.append(Run(store, ask, Rate(50), workers=1, on_findings=findings.extend, last_calls=0.0))
    runs[0].go(days.plan)
    kept = sum(each.found is Class.DELIVERED for each in findings)
    assert (kept >= 9, len(findings)) == (True, 10)  # the last may have been on its way from one thread to the other
    assert len([*store.list(Query())]) == kept


def test_what_others_write_meanwhile_does_not_upset_the_counts(store: Store, tmp_path: Path) -> None:
    store.add_sends(people(6))
    count = store.count_sends

    def counting(first: int, last: int, share: Share) -> int:
        """Somebody enters a send, and a receipt comes."""
        found = count(first, last, share)
        with closing(open_store(tmp_path / "receipts.db")) as other:
            other.add_sends(people(7)[6:])
            take([decode(receipt(people(1)[0]))], other)
        return found

    with pytest.MonkeyPatch.context() as patch, store.snapshot():
        patch.setattr(store, "count_sends", counting)
        days = survey_days(store, DAY, DAY, Calendar(NOW), NOW)
    assert (days.sent, days.without, days.with_receipt) == (6, 6, 0)
    days = survey_days(store, DAY, DAY, Calendar(NOW), NOW)
    assert (days.sent, days.without, days.with_receipt) == (7, 6, 1)
