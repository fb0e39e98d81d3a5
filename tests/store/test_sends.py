"""The ledger in the store: entered once, completed, never contradicted; missing is what has no final receipt."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smsreceipt.model import DAY_MS, Answer, Asked, Instant, Outcome, Send, beijing_day, is_mainland
from smsreceipt.store import DaySends, Imported, ListedParts, Query, SendQuery, SendState, Store
from smsreceipt.store.sqlite.rows import number
from smsreceipt.store.sqlite.store import SqliteStore, open_reader, open_store
from tests.store.engines import ENGINES, Engine
from tests.store.statements import FAILED, NOW, PHONE, WAITING, Said, call, decoded, report

DAY = beijing_day(NOW)
MIDNIGHT = Instant(DAY * DAY_MS - 8 * 3_600_000)


def send(biz_id: str = "1", phone: str = PHONE, day: int = DAY, **more: Any) -> Send:
    known: dict[str, Any] = {"sent_at": None, "out_id": "", "template_code": "", "sign_name": "", "parts": None}
    return Send(phone=phone, biz_id=biz_id, day=day, **known | more)


@pytest.fixture
def store(engine: Engine) -> Iterator[Store]:
    with closing(engine.empty()) as opened:
        yield opened


@pytest.fixture
def sqlite() -> Iterator[SqliteStore]:
    with closing(open_reader(Path("there-is-no-such-file.db"))) as opened:
        yield opened


def ids(store: Store, **query: Any) -> list[str]:
    return [stored.send.biz_id for stored in store.sends(SendQuery(**query))]


def missing(store: Store, first: int = DAY, last: int = DAY) -> list[str]:
    return [stored.send.biz_id for stored in store.missing(first, last)]


def test_an_empty_ledger_is_empty(store: Store) -> None:
    assert list(store.sends(SendQuery())) == []
    assert missing(store, 0, 10**6) == []
    assert (store.count_sends(0, 10**6), store.facts().sends, store.facts().open_sends) == (0, 0, 0)
    assert store.add_sends([]) == Imported()
    assert store.forget_sends(SendQuery()) == 0
    assert store.sends_of(PHONE, DAY, DAY) == []


def test_what_is_entered_comes_back_as_it_was(store: Store) -> None:
    whole = send("2", sent_at=NOW, out_id="o", template_code="SMS_1", sign_name="阿里云", parts=2)
    assert store.add_sends([whole, send("1")]) == Imported(new=2)
    first, second = store.sends(SendQuery())
    assert (first.send, second.send) == (send("1"), whole)
    assert (first.outcome, first.settled, first.asked_at, first.answer) == (None, False, None, None)
    assert store.facts().sends == store.facts().open_sends == 2


def test_entering_again_changes_nothing(store: Store) -> None:
    sends = [send(str(n), sent_at=Instant(NOW + n), out_id="o") for n in range(5)]
    assert store.add_sends(sends) == Imported(new=5)
    before = list(store.sends(SendQuery()))
    assert store.add_sends([*sends, *sends]) == Imported(known=10)
    assert list(store.sends(SendQuery())) == before
    assert store.facts().sends == 5


def test_a_send_is_its_bizid_and_its_number(store: Store) -> None:
    assert store.add_sends([send("1", "13"), send("1", "14"), send("2", "13"), send("1", "13")]).new == 3
    assert store.add_sends([send("11", "3"), send("1", "13")]).new == 1


@pytest.mark.parametrize(
    "more", [{"sent_at": NOW}, {"out_id": "o"}, {"template_code": "SMS_1"}, {"sign_name": "阿"}, {"parts": 3}]
)
@pytest.mark.parametrize("batches", [1, 2])
def test_what_was_not_known_is_completed(store: Store, more: dict[str, Any], batches: int) -> None:
    offered = [send("1"), send("1", **more), send("1")]
    pieces = [offered] if batches == 1 else [[each] for each in offered]
    done = Imported()
    for piece in pieces:
        done += store.add_sends(piece)
    assert done == Imported(new=1, completed=1, known=1)
    assert [stored.send for stored in store.sends(SendQuery())] == [send("1", **more)]


@pytest.mark.parametrize(
    "other",
    [
        {"sent_at": Instant(NOW + 60_001)},
        {"day": DAY + 1},
        {"day": DAY + 1, "sent_at": Instant(NOW + DAY_MS)},
        {"out_id": "x"},
        {"template_code": "x"},
        {"sign_name": "x"},
        {"parts": 9},
    ],
)
def test_what_was_known_first_stays_and_the_contradiction_is_counted(store: Store, other: dict[str, Any]) -> None:
    known: dict[str, Any] = {"sent_at": NOW, "out_id": "o", "template_code": "t", "sign_name": "s", "parts": 1}
    store.add_sends([send("1", **known)])
    assert store.add_sends([send("1", **known | other)]) == Imported(known=1, contradicting=1)
    assert [stored.send for stored in store.sends(SendQuery())] == [send("1", **known)]


def test_clocks_that_differ_by_a_minute_do_not_contradict(store: Store) -> None:
    store.add_sends([send("1", sent_at=NOW)])
    assert store.add_sends([send("1", sent_at=Instant(NOW + 60_000))]) == Imported(known=1)


def test_a_time_on_another_day_does_not_complete_a_day(store: Store) -> None:
    store.add_sends([send("1")])
    offered = send("1", day=DAY - 1, sent_at=Instant(NOW - DAY_MS), out_id="o")
    assert store.add_sends([offered]) == Imported(completed=1, contradicting=1)
    assert [stored.send for stored in store.sends(SendQuery())] == [send("1", out_id="o")]


def test_a_batch_that_fails_leaves_nothing(store: Store) -> None:
    broken = send("2", sent_at="no time")
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever the engine calls it
        store.add_sends([send("1"), broken])
    assert ids(store) == []
    assert store.facts().sends == 0


@pytest.mark.parametrize("first", ["ledger", "receipt"])
@pytest.mark.parametrize(
    ("said", "outcome", "settled"),
    [
        ([report("1")], Outcome.DELIVERED, True),
        ([report("1", **FAILED)], Outcome.FAILED, True),
        ([report("1", **WAITING)], Outcome.UNKNOWN, False),
        ([report("1", **WAITING), report("1")], Outcome.DELIVERED, True),
        ([("DypnsSmsVerifyReport", report("1")[1])], Outcome.DELIVERED, True),
        ([report("1", "13800008001")], None, False),
        ([report("11")], None, False),
        ([("SmsReport", {"To": PHONE, "Status": "6", "MessageId": "1", "SendDate": "", "ErrorCode": "X"})],
         Outcome.EXPIRED, True),
    ],
)  # fmt: skip
def test_a_send_has_a_receipt_when_that_is_final(
    store: Store, first: str, said: list[Said], outcome: Outcome | None, settled: bool
) -> None:
    if first == "ledger":
        store.add_sends([send("1")])
    for each in said:
        store.keep([decoded(each)])
    if first == "receipt":
        store.add_sends([send("1")])
    (stored,) = store.sends(SendQuery())
    assert (stored.outcome, stored.settled) == (outcome, settled)
    assert stored.state == (SendState.WITH_RECEIPT if settled else SendState.OPEN)
    assert missing(store) == ([] if settled else ["1"])
    assert store.facts().open_sends == (0 if settled else 1)
    assert store.count_sends(DAY, DAY) == 1


NUMBERS = [
    PHONE, "13000000000", "19900000000", "12125550100", "85251230001", "1380000800", "138000080001", "1064800000001",
]  # fmt: skip


def test_sends_are_counted_by_day_and_by_mainland(store: Store) -> None:
    store.add_sends([send("1", phone) for phone in NUMBERS] + [send("1", day=DAY + 2, phone="8521")])
    store.keep([decoded(report("1"))])
    mainland = sum(map(is_mainland, NUMBERS))
    assert mainland == 3
    here, later = DaySends(DAY, mainland, len(NUMBERS) - mainland), DaySends(DAY + 2, 0, 1)
    assert store.sends_by_day(DAY - 1, DAY + 2) == [here, later]
    assert store.sends_by_day(DAY, DAY + 1) == [here]


def test_parts_are_those_of_a_receipt_else_of_the_ledger_else_unknown(store: Store) -> None:
    assert store.listed_parts(DAY, DAY) == []
    store.add_sends([send("1", parts=9), send("2", parts=4), send("3"), send("4"), send("5", "85251230001"), send("6")])
    store.keep([decoded(report("1", sms_size="2"), report("6"), report("9", sms_size="50"))])
    store.keep([], asked=[Asked("3", PHONE, NOW, Answer.NO_RECORD), Asked("4", PHONE, NOW, Answer.WAITING)])
    assert [*store.listed_parts(DAY, DAY)] == [
        ListedParts(False, known=0, unknown=1, no_record=0),
        ListedParts(True, known=6, unknown=3, no_record=1),
    ]
    assert store.listed_parts(DAY + 1, DAY + 9) == []


def test_two_kinds_about_one_send_and_the_final_one_counts(store: Store) -> None:
    store.add_sends([send("1")])
    store.keep([decoded(("DypnsSmsVerifyReport", report("1")[1]))])
    store.keep([decoded(report("1", **WAITING))])
    (stored,) = store.sends(SendQuery())
    assert (stored.outcome, missing(store)) == (Outcome.DELIVERED, [])


def test_what_was_asked_is_committed_with_what_it_answered(store: Store) -> None:
    store.add_sends([send("1"), send("2"), send("3"), send("4")])
    asked = [Asked("1", PHONE, NOW, Answer.ANSWERED), Asked("2", PHONE, NOW, Answer.WAITING)]
    store.keep([decoded(report("1"))], asked=[*asked, Asked("9", PHONE, NOW, Answer.WAITING)])
    store.keep([], asked=[Asked("3", PHONE, Instant(NOW + 1), Answer.NO_RECORD)])
    found = {stored.send.biz_id: stored for stored in store.sends(SendQuery())}
    assert [found[n].state for n in "1234"] == ["with_receipt", "waiting", "no_record", "open"]
    assert [found[n].asked_at for n in "1234"] == [NOW, NOW, NOW + 1, None]
    assert missing(store) == ["2", "3", "4"]
    store.keep([decoded(report("3"))])
    assert [stored.state for stored in store.sends(SendQuery(biz_ids=["3"]))] == ["with_receipt"]
    store.add_sends([send("2", out_id="o")])
    (still,) = store.sends(SendQuery(biz_ids=["2"]))
    assert (still.answer, still.send.out_id) == (Answer.WAITING, "o")


def test_the_oldest_day_that_has_to_be_asked_about(store: Store) -> None:
    assert store.oldest_open_day(DAY - 30) is None
    store.add_sends([send(str(ago), day=DAY - ago) for ago in (31, 30, 7, 3, 1)])
    assert store.oldest_open_day(DAY - 30) == DAY - 30
    store.keep([decoded(report("30")), decoded(report("7", **WAITING))])
    assert store.oldest_open_day(DAY - 30) == DAY - 7
    store.keep([], asked=[Asked("7", PHONE, NOW, Answer.NO_RECORD)])
    assert store.oldest_open_day(DAY - 30) == DAY - 3
    store.keep([decoded(report("3"), report("1"))])
    assert store.oldest_open_day(DAY - 30) is None


def test_a_commit_that_fails_leaves_no_mark(store: Store) -> None:
    store.add_sends([send("1")])
    broken: Any = [Asked("1", PHONE, "no time", Answer.WAITING)]  # type: ignore[arg-type]
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever the engine calls it
        store.keep([decoded(report("7"))], asked=broken)
    assert list(store.list(Query())) == []
    assert [stored.answer for stored in store.sends(SendQuery())] == [None]


_sends = st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 3))
_said = st.tuples(
    st.integers(0, 5), st.integers(0, 3), st.sampled_from(["delivered", "failed", "unknown"]), st.booleans()
)
_SAID: dict[str, dict[str, Any]] = {"delivered": {}, "failed": FAILED, "unknown": WAITING}


_HISTORIES = (st.lists(st.one_of(_sends, _said, st.just("file")), max_size=30), st.integers(0, 3), st.integers(0, 3))


@given(*_HISTORIES)
def test_missing_is_the_set_difference(steps: list[Any], first: int, last: int) -> None:
    """Whatever came first, and whether statements were filed in between."""
    check_missing(ENGINES["sqlite"], steps, first, last)


@pytest.mark.needs("postgres")
@settings(max_examples=25)
@given(*_HISTORIES)
def test_missing_is_the_set_difference_on_postgres(steps: list[Any], first: int, last: int) -> None:
    check_missing(ENGINES["postgres"], steps, first, last)


def check_missing(engine: Engine, steps: list[Any], first: int, last: int) -> None:
    sent: dict[tuple[str, str], int] = {}
    final: set[tuple[str, str]] = set()
    with closing(engine.empty()) as store:
        for step in steps:
            if step == "file":  # what keep does once enough has come
                if isinstance(store, SqliteStore):
                    store._sends.settle(0)
                continue
            biz_id, phone = str(step[0]), f"1380000800{step[1]}"
            if len(step) == 3:
                store.add_sends([send(biz_id, phone, DAY + step[2])])
                sent.setdefault((biz_id, phone), DAY + step[2])
            else:
                kind = "SmsReport" if step[3] else "DypnsSmsVerifyReport"
                store.keep([decoded((kind, report(biz_id, phone, **_SAID[step[2]])[1]))])
                final |= {(biz_id, phone)} if step[2] != "unknown" else set()
        open_ = set(sent) - final
        found = [
            (stored.send.phone, stored.send.day, stored.send.biz_id)
            for stored in store.missing(DAY + first, DAY + last)
        ]
        assert found == sorted(
            (phone, sent[biz_id, phone], biz_id)
            for biz_id, phone in open_
            if first <= sent[biz_id, phone] - DAY <= last
        )
        assert store.count_sends(DAY + first, DAY + last) == sum(first <= day - DAY <= last for day in sent.values())
        assert store.facts().open_sends == len(open_)
        assert store.facts().sends == len(sent)
        for state in SendState:
            listed = {(stored.send.biz_id, stored.send.phone) for stored in store.sends(SendQuery(states=[state]))}
            assert listed == {SendState.WITH_RECEIPT: set(sent) & final, SendState.OPEN: open_}.get(state, set())
        assert engine.settled(store) <= final


def test_statements_settle_their_sends_when_their_phones_are_filed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smsreceipt.store.sqlite.keep._PHONES", 3)
    with closing(open_reader(Path("there-is-no-such-file.db"))) as store:
        store.add_sends([send(str(n)) for n in range(9)])
        unsettled = "SELECT count(*) FROM send WHERE settled = 0"
        store.keep([decoded(report("0"), report("1", **WAITING))])
        assert number(store._db, unsettled) == 9
        store.keep([decoded(report("2"), report("3"))])
        assert number(store._db, unsettled) == 6
        store.keep([decoded(report("1"), report("4"), report("5"))])
        assert number(store._db, unsettled) == 3
        assert missing(store) == ["6", "7", "8"]
        assert store.add_sends([send("10"), send("2"), send("3", out_id="o")]) == Imported(1, 1, 1)


def test_each_filter_alone_and_together(store: Store) -> None:
    store.add_sends([
        send("1", "13", DAY, out_id="a", sent_at=Instant(MIDNIGHT + 1000)),
        send("2", "13", DAY, out_id="b"),
        send("3", "14", DAY + 1, out_id="a", sent_at=Instant(MIDNIGHT + DAY_MS)),
        send("4", "15", DAY - 1, sent_at=Instant(MIDNIGHT - 1)),
    ])  # fmt: skip
    assert ids(store) == ["4", "1", "2", "3"]
    assert ids(store, phones=["13", "15"]) == ["4", "1", "2"]
    assert ids(store, biz_ids=["3", "1", "9"]) == ["1", "3"]
    assert ids(store, out_ids=["a"]) == ["1", "3"]
    assert ids(store, out_ids=[""]) == []
    assert ids(store, out_ids=["a"], phones=["13"]) == ["1"]
    assert ids(store, since=MIDNIGHT) == ["1", "2", "3"]
    assert ids(store, since=Instant(MIDNIGHT + 1001)) == ["2", "3"]
    assert ids(store, until=MIDNIGHT) == ["4"]
    assert ids(store, since=MIDNIGHT, until=Instant(MIDNIGHT + DAY_MS)) == ["1", "2"]
    assert ids(store, since=MIDNIGHT, until=Instant(MIDNIGHT + 1)) == ["2"]
    assert ids(store, limit=2) == ["4", "1"]
    assert ids(store, limit=2, newest=True) == ["2", "3"]
    assert ids(store, limit=1, newest=True, phones=["13"]) == ["2"]
    assert [each.biz_id for each in store.sends_of("13", DAY, DAY)] == ["2", "1"]
    assert [each.biz_id for each in store.sends_of("15", DAY - 1, DAY)] == ["4"]
    assert store.sends_of("13", DAY + 1, DAY + 1) == []


def test_the_newest_are_found_without_reading_the_ledger_through(sqlite: SqliteStore) -> None:
    store = sqlite
    store.add_sends([send(f"{n:05}", day=DAY - n % 40) for n in range(4_000)])
    store.keep([decoded(*[report(f"{n:05}") for n in range(0, 4_000, 2)])])
    store._sends.settle(0)
    seen: list[str] = []

    def trace(_cursor: object, text: str, _values: object) -> bool:
        seen.append(text)
        return True

    store._db.exec_trace = trace
    found = list(store.sends(SendQuery(limit=5, newest=True)))
    list(store.missing(DAY, DAY))
    list(store.sends(SendQuery(phones=[PHONE])))
    list(store.sends(SendQuery(biz_ids=["1"])))
    list(store.sends(SendQuery(out_ids=["1"])))
    store._db.exec_trace = None
    assert [stored.send.day for stored in found] == [DAY] * 5
    plans = [
        str(row[3])
        for text in seen
        for row in store._db.execute("EXPLAIN QUERY PLAN " + text, [0] * text.count("?"))
        if " FROM send" in text
    ]
    for index in ("send_day", "send_phone", "send_out_id", "PRIMARY KEY"):
        assert any(f"SEARCH send USING {'' if index == 'PRIMARY KEY' else 'INDEX '}{index}" in plan for plan in plans)
    assert any("COVERING INDEX statement_key (id1=? AND id2=? AND id3=? AND id4=?)" in plan for plan in plans)
    assert [plan for plan in plans if plan.startswith("SCAN send") or "SCAN statement" in plan] == []


def test_reading_goes_on_while_others_write(tmp_path: Path) -> None:
    path = tmp_path / "receipts.db"
    with closing(open_store(path)) as writer:
        writer.add_sends([send(str(n)) for n in range(100)])
        with closing(open_reader(path)) as reader:
            found = reader.missing(DAY, DAY)
            next(found)
            writer.keep([decoded(*[report(str(n)) for n in range(100)])])
            assert len(list(found)) == 99
            assert missing(reader) == []


def test_forgetting_leaves_the_receipts(store: Store) -> None:
    store.add_sends([send("1"), send("2", day=DAY - 1), send("3", "14", day=DAY - 2)])
    store.keep([decoded(report("1"))])
    assert store.forget_sends(SendQuery(until=MIDNIGHT)) == 2
    assert ids(store) == ["1"]
    assert store.forget_sends(SendQuery(phones=["14"])) == 0
    assert store.forget_sends(SendQuery(phones=[PHONE], biz_ids=["1"])) == 1
    assert (store.facts().sends, store.facts().open_sends) == (0, 0)
    assert store.count(Query(), 10) == 1


def test_a_comparison_that_was_cut_off_is_taken_up(store: Store) -> None:
    hour = 3_600_000
    assert store.begin_comparison(DAY, DAY, NOW) == NOW
    assert store.begin_comparison(DAY, DAY, Instant(NOW + 5 * hour)) == NOW
    assert store.begin_comparison(DAY - 1, DAY, Instant(NOW + hour)) == NOW + hour
    late = Instant(NOW + 6 * hour)
    assert store.begin_comparison(DAY, DAY, late) == late
    assert store.begin_comparison(DAY, DAY, Instant(late - 1)) == late - 1  # a clock that was set back
    store.end_comparison(DAY, DAY)
    store.end_comparison(DAY, DAY)
    assert store.begin_comparison(DAY, DAY, Instant(late + 5)) == late + 5


def test_a_days_parts_are_those_of_the_states(store: Store) -> None:
    store.add_sends([send("4", parts=3)])
    said: list[Said] = [
        report("1", sms_size="2"),
        report("2", sms_size="1", **FAILED),
        report("3", sms_size="1", **WAITING),
        report("3", sms_size="1", send_time="2026-11-20 00:09:59"),
        report("4"),
        report("5"),
        report("6", sms_size="9", send_time="2026-11-21 00:00:00"),
        ("DypnsSmsVerifyReport", report("7", sms_size="9")[1]),
        report("932702304080415357^0", "18612345678", sms_size="9"),
    ]
    for each in said:
        store.keep([decoded(each)])
    day = beijing_day(Instant(1_795_160_995_000))
    (found,) = store.day_parts(day, day)
    assert found.day == day
    assert found.messages == {Outcome.DELIVERED: 4, Outcome.FAILED: 1}
    assert found.parts == {Outcome.DELIVERED: 2 + 1 + 3 + 1, Outcome.FAILED: 1}
    assert (len(found.slots), found.slots[0], found.slots[94], sum(found.slots)) == (144, 1, 4, 5)
    assert [each.day for each in store.day_parts(day, day + 1)] == [day, day + 1]
    assert store.day_parts(0, 10) == []


def test_calls_whose_end_was_never_heard(store: Store) -> None:
    begun = {
        key: value for key, value in call("c1")[1].items() if not key.startswith("release") and key != "start_time"
    }
    ringing = {**begun, "ring_time": "2026-11-20 10:00:04"}
    store.keep([decoded(("SecretRingReport", ringing))])
    store.keep([decoded(("SecretStartReport", begun), ("SecretStartReport", {**begun, "call_id": "c2"}))])
    store.keep([decoded(call("c2"), call("c3", "FC2"))])
    store.keep([decoded(("SecretStartReport", {**begun, "call_id": "c1", "pool_key": "FC2"}))])
    day = 20_777
    first, other = store.call_gaps(day, day)
    assert (first.pool_key, first.call_id, first.kinds) == ("FC1", "c1", ("SecretStartReport", "SecretRingReport"))
    assert first.first_at == Instant(1_795_140_000_000)
    assert (other.pool_key, other.call_id) == ("FC2", "c1")
    assert list(store.call_gaps(day + 1, day + 9)) == []
    store.keep([decoded(call("c1"), call("c1", "FC2"))])
    assert list(store.call_gaps(day, day)) == []


def test_very_many_open_sends_are_counted_without_a_look_at_each(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from smsreceipt.store.postgres import sends

    monkeypatch.setattr(sends, "_EXACT", 3)
    with closing(engine.empty()) as store:
        store.add_sends([Send(PHONE, f"{n}^0", 20_777, None, "", "", "", None) for n in range(5)])
        assert (store.facts().sends, store.facts().open_sends) == (5, 5)
        store.keep([decoded(*(report(f"{n}^0") for n in range(4)))])
        assert (store.facts().sends, store.facts().open_sends) == (5, 1)
        assert store.forget_sends(SendQuery(biz_ids=["4^0"])) == 1
        assert (store.facts().sends, store.facts().open_sends) == (4, 0)
