"""Finds windows in which receipts did not come, and tells what compensates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

from smsreceipt.app import App
from smsreceipt.decode import KINDS
from smsreceipt.insight.outages import (
    SHORTEST,
    Usual,
    Verdict,
    Way,
    Window,
    by_way,
    interruptions,
    known_windows,
    silences,
    together,
    verdict,
)
from smsreceipt.insight.question import Thresholds
from smsreceipt.language import N_, _
from smsreceipt.matching import GLOBE_REPORT, SMS_REPORT
from smsreceipt.model import DAY_MS, Instant, Kind, Source, beijing_day, date_of, start_of_day
from smsreceipt.output import terminal
from smsreceipt.output.objects.outages import OUTAGES, Outage
from smsreceipt.output.printer import print_rows
from smsreceipt.reconcile import Calendar
from smsreceipt.runs.existing import say_absent
from smsreceipt.runs.figure_settings import thresholds
from smsreceipt.runs.kinds import say_unknown_kinds
from smsreceipt.runs.listen_notes import read_events
from smsreceipt.store import Query, SendQuery, Store
from smsreceipt.store.arrivals import MINUTE

_DELAY = 5 * MINUTE  # what came in the last minutes may not be committed yet
_HOUR = 60 * MINUTE
_LOOK = 10 * MINUTE
_OF_SENDS = {SMS_REPORT, GLOBE_REPORT}
_CALLS = N_("the provider offers no query for calls")
_NO_QUERY = N_("the provider offers no query for this message type")
_TOO_LATE = N_("the provider answers for 30 days back only")
_MOST = 100_000  # receipts of a window that are counted


def run(app: App, first: int, last: int, kinds: Collection[Kind] = (), shortest: int = SHORTEST) -> None:
    """Print a row for each window of these Beijing days. Exit code 3 if receipts are lost and not compensated.

    *kinds*: the message types to look at; empty: all. *shortest*: milliseconds that a window must last.
    """
    limits = thresholds(app.config.table(("stats",)))
    say_absent(app)
    with app.open_store(readonly=True) as store:
        rows = found(store, first, last, app.now(), limits, kinds, shortest)
        say_unknown_kinds(app, kinds, store)
        absent = {*kinds} & {*KINDS} - {each.kind for each in store.facts().kinds}
    for kind in sorted(absent):
        app.say(_("the store holds no receipt of {kind}", kind=kind))
    print_rows(app, OUTAGES, rows, lambda display: terminal.outages.outages(rows, display))
    counts = Counter(row.verdict for row in rows)
    if counts[Verdict.LOST]:
        app.needs_a_look(_summary([row for row in rows if row.verdict is Verdict.LOST]))
    app.summary({"windows": len(rows), **{each.value: counts[each] for each in Verdict}})


def found(
    store: Store, first: int, last: int, now: Instant, limits: Thresholds, kinds: Collection[Kind] = (),
    shortest: int = SHORTEST,
) -> list[Outage]:  # fmt: skip
    """The outages of these Beijing days, in the order of time."""
    since, until = start_of_day(first), Instant(min(start_of_day(last + 1), now - _DELAY))
    return [_outage(store, window, now) for window in windows(store, since, until, limits, kinds, shortest)]


def windows(
    store: Store, since: Instant, until: Instant, limits: Thresholds, kinds: Collection[Kind] = (),
    shortest: int = SHORTEST,
) -> list[Window]:  # fmt: skip
    """The windows of a period, in the order of time."""
    if until <= since:
        return []
    facts = store.facts()
    usual = Usual(store.came, {kind.kind: kind.first_received_at for kind in facts.kinds})
    arrived = by_way(store.came(since, until))
    ways = {way for way in _ways(store, arrived, since) if not kinds or way[0] in kinds}
    pushes = sorted(minute for (_, source), found in arrived.items() if source is Source.PUSH for minute in found)
    spans = interruptions(read_events(store), pushes, since, until)
    known = known_windows([each for each in spans if each[1] - each[0] >= shortest], arrived, ways, usual)
    return together(known, silences(arrived, ways, since, until, usual, limits, shortest))


def _ways(store: Store, arrived: Iterable[Way], since: Instant) -> set[Way]:
    """By which ways which kinds come: those of the days, and those of some minutes of the day a week before them."""
    found = set(arrived)
    for hour in range(0, 24, 3):
        begin = Instant(since - 7 * DAY_MS + hour * _HOUR)
        found |= by_way(store.came(begin, Instant(begin + _LOOK))).keys()
    return found


def _outage(store: Store, window: Window, now: Instant) -> Outage:
    sends, without = _sends(store, window)
    sent_then = Query(kinds=(Kind(window.kind),), since=window.begin, until=window.end)
    said = verdict(window, sends, without, store.count(sent_then, _MOST))
    first, last = beijing_day(window.begin), beijing_day(Instant(window.end - 1))
    left = Calendar(now).days_left(first) if window.kind in _OF_SENDS else None
    reason = _reason(window.kind, left)
    return Outage(
        begin=window.begin, end=window.end, kind=window.kind, source=window.source,
        expected=None if window.expected is None else round(window.expected), arrived=window.arrived, sends=sends,
        without_receipt=None if sends is None else without, verdict=said, days_left=left, reason=reason,
        command="" if reason else f"smsreceipt reconcile --from {date_of(first)} --to {date_of(last)}",
    )  # fmt: skip


def _reason(kind: str, left: int | None) -> str:
    """Why nothing can be asked; "" where it can."""
    if kind in _OF_SENDS:
        return _TOO_LATE if left is None else ""
    return _CALLS if kind.startswith("Secret") else _NO_QUERY


def _sends(store: Store, window: Window) -> tuple[int | None, int]:
    """The sends of a window, and how many of them have no final receipt; None where no list has its days."""
    days = beijing_day(window.begin), beijing_day(Instant(window.end - 1))
    if window.kind not in _OF_SENDS or not store.count_sends(*days):
        return None, 0
    timed = [each for each in store.sends(SendQuery(since=window.begin, until=window.end)) if each.send.sent_at]
    return len(timed), sum(not each.settled for each in timed)


def _summary(lost: list[Outage]) -> str:
    open_sends = sum(row.without_receipt or 0 for row in lost)
    commands = sorted({row.command for row in lost if row.command})
    told = _("receipts are lost in {windows} windows", windows=len(lost))
    if open_sends:
        told = _("receipts are lost in {windows} windows, {n:,} sends have none", windows=len(lost), n=open_sends)
    return _("{what}: {reason}", what=told, reason="; ".join(commands)) if commands else told
