"""`smsreceipt outages` on stores of both engines: lost until they are compensated; what listen notes for it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext
from itertools import product
from pathlib import Path

import pytest

from smsreceipt.decode import decode
from smsreceipt.model import DAY_MS, Delivery, Instant, Kind, Send, Source, beijing_day, iso_beijing, start_of_day
from smsreceipt.runs.listen_notes import ListenNotes, read_events
from smsreceipt.store import Store
from smsreceipt.store.sqlite.store import open_store
from tests.cli.program import REPLY, Program, report
from tests.store.engines import Engine

DAY = 20_800
SINCE = start_of_day(DAY)
NOW = Instant(SINCE + DAY_MS + 12 * 3_600_000)
MINUTE = 60_000
NOTHING: Mapping[str, range] = {}


def pushed(
    store: Store, first: int, last: int, *, back: int = 0, kinds: Sequence[str] = ("SmsReport",),
    without: Mapping[str, range] = NOTHING, a_minute: int = 1,
) -> None:  # fmt: skip
    """So many pushes a minute, so many weeks before the day; none of a kind in the minutes *without*."""
    decoded = []
    for minute, kind, second in product(range(first, last), kinds, range(a_minute)):
        if minute in without.get(kind, ()):
            continue
        at = Instant(SINCE - back * 7 * DAY_MS + minute * MINUTE + second * 1000)
        sent = iso_beijing(at)[:19].replace("T", " ")
        name = f"{back}-{minute}" + (f"-{second}" if second else "")
        fields = report(biz_id=f"{name}^0", send_time=sent, report_time=sent)
        if kind == "SmsUp":
            fields = {**REPLY, "sequence_id": name, "send_time": sent}
        decoded.append(decode(Delivery((json.dumps(fields).encode(),), Kind(kind), Source.PUSH, f"/{kind}", at)))
    store.keep(decoded)


def filled(store: Store) -> None:
    for back in (3, 2, 1):
        pushed(store, 0, 1440, back=back)
    pushed(store, 0, 600)
    pushed(store, 690, 1440)


def sends(first: int, last: int) -> list[Send]:
    return [
        Send("13800008000", f"0-{minute}^0", DAY, Instant(SINCE + minute * MINUTE), "", "", "", None)
        for minute in range(first, last)
    ]


def test_two_listeners_that_note_in_the_same_moment_hide_nothing(tmp_path: Path) -> None:
    now = Instant(SINCE)
    with closing(open_store(tmp_path / "receipts.db")) as store:
        first, second = (ListenNotes(name, lambda: now, lambda: nullcontext(store)) for name in "ab")
        first.started(store)
        second.started(store)
        first.stopped(store)
        assert [(at, each.event, each.listener) for at, each in read_events(store)] == [
            (now, "stopped", "a"), (now, "started", "a"), (now, "started", "b"),
        ]  # fmt: skip


def test_arrivals_are_told_by_kind_way_and_minute(engine: Engine) -> None:
    store = engine.empty()
    filled(store)
    came = store.came(Instant(SINCE + 590 * MINUTE), Instant(SINCE + 700 * MINUTE))
    assert [(each.minute - SINCE // MINUTE, each.kind, each.source, each.count) for each in came] == [
        (minute, "SmsReport", Source.PUSH, 1) for minute in (*range(590, 600), *range(690, 700))
    ]
    store.close()


def test_receipts_are_lost_until_they_are_compensated(program: Program, tmp_path: Path) -> None:
    store = open_store(tmp_path / "receipts.db")
    filled(store)
    store.add_sends(sends(0, 1440))
    words = ("outages", "--date", "2026-12-13")
    assert beijing_day(NOW) == DAY + 1
    ended = program(*words, now=lambda: NOW)
    assert ended.code == 3, ended.err
    assert "90 sends have none: smsreceipt reconcile --from 2026-12-13 --to 2026-12-13" in ended.err
    (row,) = map(json.loads, ended.out.splitlines())
    assert (row["from"], row["to"]) == ("2026-12-13T10:00:00+08:00", "2026-12-13T11:30:00+08:00")
    assert (row["expected"], row["arrived"], row["sends"], row["without_receipt"]) == (90, 0, 90, 90)
    assert (row["verdict"], row["days_left"], row["reason"]) == ("lost", 29, None)
    assert program("-q", *words, now=lambda: NOW).err
    assert checked(program) == ("warn", "smsreceipt outages --from yesterday --to today")
    decoded = []
    for minute in range(600, 690):
        sent = iso_beijing(Instant(SINCE + minute * MINUTE))[:19].replace("T", " ")
        body = json.dumps(report(biz_id=f"0-{minute}^0", send_time=sent, report_time=sent)).encode()
        decoded.append(decode(Delivery((body,), Kind("SmsReport"), Source.REPLAY, "file", NOW)))
    store.keep(decoded)
    store.close()
    ended = program(*words, now=lambda: NOW)
    assert (ended.code, json.loads(ended.out)["verdict"]) == (0, "late")
    assert "windows=1 lost=0 late=1" in ended.err
    assert checked(program) == ("ok", None)


def checked(program: Program) -> tuple[str, str | None]:
    """What `doctor` says about it."""
    [row] = [each for each in program("doctor", "--offline", now=lambda: NOW).objects if each["check"] == "outages"]
    return row["state"], row["fix"]


@pytest.mark.each_engine
def test_kinds_and_the_shortest_gap_are_chosen(program: Program) -> None:
    store, gaps = program.opened(), {"SmsReport": range(600, 640), "SmsUp": range(700, 725)}
    for back in (2, 1, 0):
        pushed(store, 0, 1440, back=back, kinds=[*gaps], without={} if back else gaps)
    store.close()

    def found(*words: str) -> list[tuple[str, str]]:
        ended = program("outages", "--date", "2026-12-13", *words, now=lambda: NOW)
        assert ended.code == 0, ended.err
        return [(row["kind"], row["from"][11:16]) for row in ended.objects]

    both = [("SmsReport", "10:00"), ("SmsUp", "11:40")]
    assert found() == found("--min-gap", "15m") == found("--min-gap", "25m") == both
    assert found("--min-gap", "25m1s") == found("--kind", "SmsReport") == both[:1]
    assert found("--kind", "SmsUp") == both[1:]
    assert found("--kind", "SmsUp", "--kind", "SmsReport") == both
    assert found("--min-gap", "1h") == []
    absent = program("outages", "--date", "2026-12-13", "--kind", "SecretReport", now=lambda: NOW)
    assert "the store holds no receipt of SecretReport" in absent.err
    for words in (["--min-gap", "59s"], ["--min-gap", "x"], ["--kind", ""]):
        assert program("outages", *words, now=lambda: NOW).code == 2, words


@pytest.mark.each_engine
def test_a_short_gap_of_a_busy_kind_is_found_when_it_is_asked_for(program: Program) -> None:
    store = program.opened()
    for back in (1, 0):
        pushed(store, 540, 660, back=back, without={} if back else {"SmsReport": range(600, 606)}, a_minute=5)
    store.close()
    words = ("outages", "--date", "2026-12-13")
    assert program(*words, now=lambda: NOW).objects == []
    (row,) = program(*words, "--min-gap", "5m", now=lambda: NOW).objects
    assert (row["from"][11:16], row["to"][11:16], row["expected"]) == ("10:00", "10:06", 30)


def test_the_screen_names_the_command(program: Program, tmp_path: Path) -> None:
    store = open_store(tmp_path / "receipts.db")
    filled(store)
    store.add_sends(sends(600, 690))
    store.close()
    ended = program("outages", "--date", "2026-12-13", "-o", "table", now=lambda: NOW)
    assert "smsreceipt reconcile --from 2026-12-13 --to 2026-12-13  29 days left" in ended.out


def test_a_store_without_anything_has_no_outage(program: Program) -> None:
    assert program("outages").code == 0


def test_listen_notes_its_starts_stops_and_refusals_once_a_minute(engine: Engine) -> None:
    store, clock, opened = engine.empty(), [0.0], []

    @contextmanager
    def again() -> Iterator[Store]:
        opened.append(clock[0])
        yield store

    notes = ListenNotes("host a", lambda: Instant(SINCE + round(clock[0] * 1000)), again, lambda: clock[0] + 100)
    notes.started(store)
    for second in range(1, 601):
        clock[0] = float(second)
        notes.refusals(second)
        if notes._writing:
            notes._writing.join()
    clock[0] = 700.0
    notes.stopped(store)
    events = read_events(store)
    assert [(at - SINCE, each.event, each.until and each.until - SINCE, each.count) for at, each in events] == [
        (0, "started", 0, 0), (1000, "refused", 600_000, 600), (700_000, "stopped", 0, 0),
    ]  # fmt: skip
    assert len(opened) == 10
    store.close()
