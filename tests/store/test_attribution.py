"""Details, sends and receipts of a few numbers, in any order: the same conclusions. More: STORE_EXAMPLES=10000."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from smsreceipt.decode import decode
from smsreceipt.model import BEIJING, Decoded, Delivery, Instant, Kind, Outcome, Send, Source, beijing_day
from smsreceipt.store import Query, SendQuery, Store
from smsreceipt.store.sqlite.rows import number
from smsreceipt.store.sqlite.store import SqliteStore, open_reader
from tests.store.engines import ENGINES, Engine

pytestmark = pytest.mark.slow

EXAMPLES = int(os.environ.get("STORE_EXAMPLES", "60"))
PHONE, OTHER = "13800008000", "13900009000"
NOW = Instant(1_795_000_000_000)
DAY, NEXT = "2026-11-20", "2026-11-21"

Event = Decoded | Send


def at(text: str) -> Instant:
    return Instant(round(datetime.fromisoformat(text).replace(tzinfo=BEIJING).timestamp() * 1000))


def row(when: str, status: int = 3, *, out_id: str = "", phone: str = PHONE, source: Source = Source.QUERY) -> Decoded:
    """One row of an answer, kept without its BizId."""
    code = {1: "", 2: "MOBILE_IN_BLACK", 3: "DELIVERED"}[status]
    fields: dict[str, Any] = {"PhoneNum": phone, "SendStatus": status, "ErrCode": code, "TemplateCode": "SMS_1"}
    fields |= {"Content": "hi", "SendDate": when, "OutId": out_id}
    if status != 1:
        fields["ReceiveDate"] = when[:-2] + "58"
    return told("SendDetail", fields, source)


def report(biz_id: str, when: str, *, success: bool = True, out_id: str = "", phone: str = PHONE,
           source: Source = Source.MNS) -> Decoded:  # fmt: skip
    fields: dict[str, Any] = {
        "phone_number": phone,
        "send_time": when,
        "report_time": when[:-2] + "58",
        "success": success,
        "err_code": "DELIVERED" if success else "MOBILE_IN_BLACK",
        "biz_id": biz_id,
    }
    return told("SmsReport", fields | ({"out_id": out_id} if out_id else {}), source)


def told(kind: str, fields: dict[str, Any], source: Source) -> Decoded:
    frame = json.dumps(fields, separators=(",", ":")).encode()
    return decode(Delivery((frame,), Kind(kind), source, "somewhere", NOW))


def send(biz_id: str, when: str, *, out_id: str = "", phone: str = PHONE, timed: bool = True) -> Send:
    moment = at(when)
    return Send(phone, biz_id, beijing_day(moment), moment if timed else None, out_id, "", "", None)


#: A few sends of one number within minutes, some alike, and what is said of them.
POOL: list[Event] = [
    row(f"{DAY} 10:00:00", 1), row(f"{DAY} 10:00:00"), row(f"{DAY} 10:00:00", 2),
    row(f"{DAY} 10:00:40"), row(f"{DAY} 10:00:40", source=Source.REPLAY),
    row(f"{DAY} 12:00:00", 2, out_id="a"), row(f"{DAY} 12:00:20", out_id="b"), row(f"{DAY} 15:00:00", out_id="a"),
    row(f"{DAY} 23:59:58"), row(f"{NEXT} 00:00:03", out_id="a"), row(f"{DAY} 10:00:00", phone=OTHER),
    send("1^0", f"{DAY} 09:59:59"), send("2^0", f"{DAY} 10:00:30"), send("3^0", f"{DAY} 12:00:00", out_id="a"),
    send("4^0", f"{DAY} 12:00:10", out_id="b", timed=False), send("5^0", f"{DAY} 15:00:00", out_id="a"),
    send("6^0", f"{DAY} 23:59:57", timed=False), send("7^0", f"{DAY} 10:00:00", phone=OTHER),
    report("1^0", f"{DAY} 10:00:00"), report("1^0", f"{DAY} 10:00:00", success=False, source=Source.PUSH),
    report("1^0", f"{DAY} 10:00:00", source=Source.PUSH), report("2^0", f"{DAY} 10:00:40", source=Source.PUSH),
    report("3^0", f"{DAY} 12:00:00", success=False, out_id="a", source=Source.PUSH),
    report("4^0", f"{DAY} 12:00:20", out_id="b"), report("8^0", f"{DAY} 10:00:05"),
    report("7^0", f"{DAY} 10:00:00", phone=OTHER, source=Source.PUSH),
]  # fmt: skip


def give(store: Store, events: Sequence[Event]) -> None:
    """In one commit for receipts, one for sends."""
    receipts = [event for event in events if isinstance(event, Decoded)]
    if receipts:
        kept = store.keep(receipts)
        assert kept.tally.received == len(receipts)
        assert kept.tally.new == len(kept.new)
        assert kept.tally.balanced
    if sends := [event for event in events if isinstance(event, Send)]:
        store.add_sends(sends)


def shown(store: Store, query: Query) -> list[tuple[Any, ...]]:
    """What a list shows, apart from how it came."""
    return sorted(
        (each.kind, each.identity, str(each.outcome), each.code, str(each.reported_at), str(each.sent_at), each.out_id,
         each.body)
        for each in (stored.receipt for stored in store.list(query))
    )  # fmt: skip


def facts(store: Store) -> dict[str, tuple[int, int]]:
    return {each.kind: (each.count, each.statements) for each in store.facts().kinds if each.statements}


def check_counters(store: Store) -> None:
    counted = Counter(each.receipt.kind for each in store.list(Query()))
    statements = Counter(each.receipt.kind for each in store.list(Query(history=True)))
    assert facts(store) == {kind: (counted[kind], statements[kind]) for kind in statements}
    if not isinstance(store, SqliteStore):
        return
    assert not store._db.execute("PRAGMA foreign_key_check").fetchall()
    dangling = "SELECT count(*) FROM phone LEFT JOIN statement USING (seq) WHERE statement.seq IS NULL"
    assert number(store._db, dangling) == 0


def settled_but_open(engine: Engine, store: Store) -> set[tuple[str, str]]:
    """Sends whose cache says that they have a final receipt, and that have none."""
    final = {"delivered", "failed", "expired"}
    known = (each.receipt for each in store.list(Query(history=True)))
    return engine.settled(store) - {(each.biz_id, each.phone) for each in known if each.outcome in final}


QUERIES = Query(), Query(history=True), Query(conflicts=True)


def shuffled(events: Sequence[Event], dice: random.Random) -> Iterator[list[Event]]:
    rest = list(events)
    dice.shuffle(rest)
    while rest:
        size = dice.choice((1, 2, 4, 30))
        yield rest[:size]
        del rest[:size]


class Order(RuleBasedStateMachine):
    """A store that is told things one after another, and others that are told the same in other orders."""

    engine = ENGINES["sqlite"]

    def __init__(self) -> None:
        super().__init__()
        self.store = self.engine.empty()
        self.given: list[Event] = []

    def teardown(self) -> None:
        self.store.close()

    @rule(numbers=st.lists(st.integers(0, len(POOL) - 1), min_size=1, max_size=6))
    def tell(self, numbers: list[int]) -> None:
        events = [POOL[number] for number in numbers]
        give(self.store, events)
        self.given += events
        check_counters(self.store)
        assert settled_but_open(self.engine, self.store) == set()

    @precondition(lambda self: bool(self.given))
    @rule(dice=st.randoms(use_true_random=False))
    def tell_it_otherwise(self, dice: random.Random) -> None:
        self.compare(dice)

    def compare(self, dice: random.Random) -> None:
        with closing(self.engine.empty()) as other:
            for batch in shuffled(self.given, dice):
                give(other, batch)
            for query in QUERIES:
                assert shown(other, query) == shown(self.store, query)
            assert facts(other) == facts(self.store)


class OrderOnPostgres(Order):
    """The same in PostgreSQL, with fewer examples."""

    engine = ENGINES["postgres"]


Order.TestCase.settings = settings(max_examples=EXAMPLES, stateful_step_count=12)
OrderOnPostgres.TestCase.settings = settings(max_examples=max(EXAMPLES // 6, 1), stateful_step_count=12)
TestOrder = Order.TestCase
TestOrderOnPostgres = pytest.mark.needs("postgres")(OrderOnPostgres.TestCase)


@pytest.fixture
def store(engine: Engine) -> Iterator[Store]:
    with closing(engine.empty()) as opened:
        yield opened


@pytest.fixture
def sqlite() -> Iterator[SqliteStore]:
    with closing(open_reader(Path("there-is-no-such-file.db"))) as opened:
        yield opened


def states(store: Store, **query: Any) -> list[tuple[str, str, str]]:
    found = [each.receipt for each in store.list(Query(**query))]
    return [(each.kind, each.identity[0], str(each.outcome)) for each in found]


DETAIL = ("SendDetail", PHONE, "delivered")
REPORT = ("SmsReport", "1^0", "delivered")


def test_a_detail_that_can_be_one_send_only_becomes_that_sends_receipt(store: Store) -> None:
    give(store, [row(f"{DAY} 10:00:00")])
    assert states(store) == [DETAIL]
    give(store, [send("1^0", f"{DAY} 09:59:59")])
    assert states(store) == [REPORT]
    assert sorted(states(store, history=True)) == sorted([DETAIL, REPORT])
    (told,) = store.list(Query())
    assert (told.receipt.identity, told.receipt.biz_id, told.source, told.times_seen) == (
        ("1^0", PHONE),
        "1^0",
        Source.QUERY,
        1,
    )
    assert [each.receipt.biz_id for each in store.list(Query(phones=[PHONE]))] == ["1^0"]
    assert not list(store.missing(beijing_day(at(DAY)), beijing_day(at(DAY))))


def test_the_real_receipt_is_the_same_message_seen_twice(store: Store) -> None:
    give(store, [row(f"{DAY} 10:00:00"), send("1^0", f"{DAY} 10:00:00")])
    give(store, [report("1^0", f"{DAY} 10:00:00")])
    (told,) = store.list(Query())
    assert (told.source, told.times_seen) == (Source.MNS, 2)
    assert told.receipt.body.startswith(b'{"phone_number"')


def test_a_second_candidate_undoes_the_tie(store: Store) -> None:
    give(store, [row(f"{DAY} 10:00:00"), send("1^0", f"{DAY} 10:00:00")])
    give(store, [send("2^0", f"{DAY} 10:00:30")])
    assert states(store, history=True) == [DETAIL]
    day = beijing_day(at(DAY))
    assert [each.send.biz_id for each in store.missing(day, day)] == ["1^0", "2^0"]
    store.forget_sends(SendQuery(biz_ids=["2^0"]))
    assert states(store) == [REPORT]


def test_what_is_undone_takes_its_signature_along(store: Store) -> None:
    """Two pushes contradict each other; the answer settles it, until it can no longer be told whose it is."""
    pushed = [report("1^0", f"{DAY} 10:00:00", success=success, source=Source.PUSH) for success in (True, False)]
    give(store, pushed)
    unsigned = states(store)
    give(store, [row(f"{DAY} 10:00:00", 2)])
    assert states(store) == [("SmsReport", "1^0", "failed")]
    assert len(states(store, conflicts=True)) == 2
    give(store, [report("2^0", f"{DAY} 10:00:10")])
    assert ("SendDetail", PHONE, "failed") in states(store)
    assert unsigned[0] in states(store)
    assert [each.times_seen for each in store.list(Query(biz_ids=["1^0"], history=True))] == [1, 1]


def test_a_statement_that_is_made_again_keeps_its_seq(store: Store) -> None:
    give(store, [row(f"{DAY} 10:00:00"), send("1^0", f"{DAY} 10:00:00")])
    (before,) = store.list(Query())
    give(store, [report("9^0", f"{NEXT} 10:00:00"), send("8^0", f"{NEXT} 12:00:00")])
    assert before.seq == next(each.seq for each in store.list(Query(biz_ids=["1^0"])))


def test_seqs_go_on_above_what_was_made(store: Store) -> None:
    give(store, [row(f"{DAY} 10:00:00"), send("1^0", f"{DAY} 10:00:00")])
    give(store, [report("9^0", f"{NEXT} 10:00:00")])
    seqs = [each.seq for each in store.list(Query(history=True))]
    assert len(set(seqs)) == 3
    assert store.facts().last_seq == max(filter(None, seqs))


def test_what_was_made_can_go_again_without_all_phones_being_read(sqlite: SqliteStore) -> None:
    store = sqlite
    assert not store._db.execute("PRAGMA foreign_key_list(phone)").fetchall()
    assert store._db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_phones_that_are_filed_are_found_and_follow_what_is_undone(sqlite: SqliteStore) -> None:
    store = sqlite
    give(store, [row(f"{DAY} 10:00:00"), report("9^0", f"{DAY} 20:00:00"), send("1^0", f"{DAY} 10:00:00")])
    store._db.execute("INSERT INTO phone SELECT phone, seq FROM statement")
    store._db.execute("UPDATE counter SET phones_to = last_seq")
    give(store, [row(f"{DAY} 20:00:00", 2)])
    assert sorted(states(store, phones=[PHONE])) == [
        ("SmsReport", "1^0", "delivered"),
        ("SmsReport", "9^0", "delivered"),
    ]
    assert ("SmsReport", "9^0", "failed") in states(store, conflicts=True, phones=[PHONE])
    give(store, [send("2^0", f"{DAY} 10:00:00")])
    assert ("SmsReport", "1^0", "delivered") not in states(store, phones=[PHONE])
    check_counters(store)
    store.forget_sends(SendQuery(biz_ids=["2^0"]))
    assert ("SmsReport", "1^0", "delivered") in states(store, phones=[PHONE])
    check_counters(store)


def test_without_details_nothing_is_looked_for(sqlite: SqliteStore) -> None:
    store = sqlite
    asked: list[str] = []

    def trace(_cursor: object, statement: str, _values: object) -> bool:
        asked.append(statement)
        return True

    give(store, [send("1^0", f"{DAY} 10:00:00")])
    store._db.set_exec_trace(trace)
    give(store, [report("1^0", f"{DAY} 10:00:00")])
    assert [statement for statement in asked if " tie " in statement or "json_each" in statement] == []
    assert len([statement for statement in asked if "name = ? AND statements > 0" in statement]) == 2


@pytest.mark.parametrize("machine", [Order, pytest.param(OrderOnPostgres, marks=pytest.mark.needs("postgres"))])
def test_the_harness_would_notice_a_conclusion_that_stays(
    machine: type[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A planted bug: what was concluded is not taken back."""
    for engine in ("sqlite", "postgres"):
        retract = "_retract" if engine == "sqlite" else "retract"
        monkeypatch.setattr(f"smsreceipt.store.{engine}.attribution.Attribution.{retract}", lambda *_: {})
    order = machine()
    order.given = [row(f"{DAY} 10:00:00"), send("1^0", f"{DAY} 10:00:00"), send("2^0", f"{DAY} 10:00:30")]
    for event in order.given:
        give(order.store, [event])
    with pytest.raises(AssertionError):
        order.compare(random.Random(1))
    order.store.close()


def test_outcomes_that_details_make_are_those_of_the_model() -> None:
    assert {decoded.receipts[0].outcome for decoded in POOL if isinstance(decoded, Decoded)} == {
        Outcome.PENDING,
        Outcome.DELIVERED,
        Outcome.FAILED,
    }
