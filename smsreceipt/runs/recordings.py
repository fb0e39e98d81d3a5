"""Which calls have a recording, and what the store knows of its file; lists them."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from smsreceipt.app import App
from smsreceipt.decode.recordings import links_in
from smsreceipt.language import _
from smsreceipt.model import (
    DAY_MS,
    Instant,
    Kind,
    Receipt,
    Recording,
    RecordingState,
    StoredReceipt,
    beijing_day,
    start_of_day,
)
from smsreceipt.model.recordings import KEPT
from smsreceipt.output.objects.recordings import RECORDINGS, ShownRecording
from smsreceipt.output.printer import Printer, tabular
from smsreceipt.runs.listing import NEWEST, say_hidden_rows
from smsreceipt.sources.recordings.links import good_until
from smsreceipt.sources.recordings.places import day_of, stem
from smsreceipt.store import NO_TIME, Query, Store

_ANNOUNCED, _REPORT = Kind("SecretRecording"), Kind("SecretReport")
TOPIC = "recordings "  #: how the topics of the notes about recordings begin; the date of the calls follows
_LINK_FIELD = b"record_url"  # also within ring_record_url


@dataclass(frozen=True, slots=True)
class Which:
    """The calls to look at: those of some instants, or those with these ids, whenever they were."""

    since: Instant
    until: Instant
    call_ids: Collection[str] = ()

    @classmethod
    def of(cls, now: Instant, since: Instant | None, until: Instant | None, call_ids: Collection[str]) -> Which:
        """Without *since*, from the first day on whose recordings the provider may still have."""
        first = start_of_day(beijing_day(now) - KEPT // DAY_MS)
        if call_ids and since is None:
            first = Instant(0)
        return cls(first if since is None else since, Instant(now + DAY_MS) if until is None else until, call_ids)


class RecordingNote(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the store remembers of a recording, as JSON in its notes."""

    state: RecordingState  #: fetched, absent or expired
    at: Instant
    file: str = ""  #: the whole path
    size: int = 0
    sha256: str = ""
    reason: str = ""


_read = msgspec.json.Decoder(RecordingNote).decode


def names_of(receipt: Receipt) -> tuple[str, str]:
    """The names of the notes about the recording of a call, and about that of the tone before its answer."""
    pool_key, call_id = _call_of(receipt)
    call = Recording(pool_key, call_id, False, Instant(0), False)
    return stem(call), stem(msgspec.structs.replace(call, ring=True))


def _call_of(receipt: Receipt) -> tuple[str, str]:
    """The key of the number pool, and the id of the call."""
    return receipt.identity[0], receipt.call_id or receipt.identity[-1]


class Day:
    """The recordings of the calls of one Beijing day, in the order of the calls, with what the store remembers."""

    def __init__(self, recordings: Sequence[Recording], notes: Mapping[str, str], topic: str, now: Instant) -> None:
        self.recordings, self.topic = recordings, topic
        self._notes, self._now = notes, now

    def note(self, recording: Recording) -> RecordingNote | None:
        """What the store remembers of a recording; None where it has no note that can be read."""
        text = self._notes.get(stem(recording))
        try:
            return None if text is None else _read(text)
        except msgspec.DecodeError:
            return None

    def shown(self, recording: Recording) -> ShownRecording:
        """The recording as it is shown before anything is done about it."""
        note, expires = self.note(recording), recording.expires_at(good_until(recording.link))
        left = max(0, expires - self._now)
        if note is not None and note.state is RecordingState.FETCHED:
            known = (note.file, note.size, note.sha256, note.at)
            return ShownRecording(recording, note.state, expires, left, *known)
        if not left:
            return ShownRecording(recording, RecordingState.EXPIRED, expires, 0)
        if note is not None and note.state is RecordingState.ABSENT:
            return ShownRecording(recording, note.state, expires, left, reason=note.reason)
        return ShownRecording(recording, RecordingState.OPEN, expires, left)


def days_of(store: Store, which: Which, now: Instant) -> Iterator[Day]:
    """Yield the days that have recordings, ascending. One day is held in memory at a time."""
    for found in _found(store, which):
        topic = f"{TOPIC}{day_of(found[0])}"
        # A topic for each day: one for all would have every note of a year read to fetch those of today.
        yield Day(found, store.notes(topic), topic, now)


def _found(store: Store, which: Which) -> Iterator[list[Recording]]:
    query = Query(
        kinds=(_ANNOUNCED, _REPORT), call_ids=which.call_ids, since=which.since, until=which.until, history=True
    )
    if which.call_ids:
        by_day: dict[str, list[Recording]] = {}
        for recording in _timed(store, _joined(store.list(query))):
            by_day.setdefault(day_of(recording), []).append(recording)
        yield from (by_day[day] for day in sorted(by_day))
        return
    for day in range(beijing_day(which.since), beijing_day(Instant(which.until - 1)) + 1):
        since, until = max(which.since, start_of_day(day)), min(which.until, start_of_day(day + 1))
        if recordings := _timed(store, _joined(store.list(replace(query, since=since, until=until)))):
            yield recordings


def _timed(store: Store, recordings: list[Recording]) -> list[Recording]:
    """The recordings of a day, by the time of the call; a notice that tells none has that of its call's other receipts.

    A time of another day is left alone: what is known of a recording is noted by its day.
    """
    without = {each.call_id for each in recordings if not each.timed}
    if not without:
        return recordings
    times: dict[tuple[str, str], Instant] = {}
    for stored in store.list(Query(call_ids=without, history=True)):
        if stored.receipt.sent_at is not None and not stored.receipt.test:
            times.setdefault(_call_of(stored.receipt), stored.receipt.sent_at)
    return sorted((_told(each, times.get((each.pool_key, each.call_id))) for each in recordings), key=_order)


def _told(recording: Recording, at: Instant | None) -> Recording:
    if recording.timed or at is None or beijing_day(at) != beijing_day(recording.called_at):
        return recording
    return msgspec.structs.replace(recording, called_at=at, timed=True)


def _order(recording: Recording) -> tuple[Instant, str, str, bool]:
    return recording.called_at, recording.pool_key, recording.call_id, recording.ring


@dataclass(slots=True)
class _Call:
    """What the receipts of one call say about its recordings."""

    called_at: Instant
    timed: bool
    announced: bool = False
    link: str = ""
    ring: str = ""
    linked_at: Instant = NO_TIME
    ring_at: Instant = NO_TIME


def _joined(receipts: Iterator[StoredReceipt]) -> list[Recording]:
    """The recordings that these receipts announce, by the time of the call. A later link replaces an earlier one."""
    calls: dict[tuple[str, str], _Call] = {}
    for stored in receipts:
        receipt = stored.receipt
        announced = receipt.kind == _ANNOUNCED
        if receipt.test or not (announced or _LINK_FIELD in receipt.body):
            continue
        call = calls.setdefault(_call_of(receipt), _Call(stored.happened_at, receipt.sent_at is not None))
        call.announced = call.announced or announced
        if not announced:
            found = links_in(receipt.body)
            if found.call and stored.received_at >= call.linked_at:
                call.link, call.linked_at = found.call, stored.received_at
            if found.ring and stored.received_at >= call.ring_at:
                call.ring, call.ring_at = found.ring, stored.received_at
    recordings = [each for (pool, call_id), call in calls.items() for each in _of_call(pool, call_id, call)]
    return sorted(recordings, key=_order)


def _of_call(pool_key: str, call_id: str, call: _Call) -> Iterator[Recording]:
    if call.announced or call.link:
        yield Recording(pool_key, call_id, False, call.called_at, call.timed, call.link, call.linked_at)
    if call.ring:
        yield Recording(pool_key, call_id, True, call.called_at, call.timed, call.ring, call.ring_at)


def list_recordings(
    app: App, which: Which, states: Collection[RecordingState], limit: int | None, expiring: float | None
) -> None:
    """Print the recordings, by the time of the call; only those in *states* if it is not empty.

    *limit*: their number at most; a table has the newest ones, JSON and CSV the first. *expiring*: exit code 3 if one
    is not fetched that the provider deletes within so many seconds.
    """
    printer, now, urgent = Printer(app, RECORDINGS), app.now(), Urgent(expiring)
    newest = deque[ShownRecording](maxlen=limit or NEWEST) if tabular(app) else None
    found = 0
    with app.open_store(readonly=True) as store:
        for day in days_of(store, which, now):
            shown = [day.shown(recording) for recording in day.recordings]
            urgent.count(shown)
            rows = [row for row in shown if not states or row.state in states]
            found += len(rows)
            if newest is not None:
                newest.extend(rows)
            else:
                printer.print(rows if limit is None else rows[: limit - printer.printed])
    printer.print(newest or ())
    if not found:
        printer.end()
        app.say(
            _(
                "no recordings found; they are told by receipts of these types:"
                " smsreceipt status --kind SecretReport --kind SecretRecording"
            )
        )
    if newest is not None:
        say_hidden_rows(app, found - len(newest))
    urgent.report(app)


class Urgent:
    """Counts the recordings that are not fetched and will soon be gone."""

    def __init__(self, seconds: float | None) -> None:
        """*seconds*: what soon means; None: nothing is counted."""
        self._seconds = seconds
        self._found = 0

    def count(self, rows: Sequence[ShownRecording]) -> None:
        """Count what of these is urgent."""
        if self._seconds is not None:
            done = {RecordingState.FETCHED, RecordingState.EXPIRED, RecordingState.ABSENT}
            self._found += sum(row.state not in done and row.left < self._seconds * 1000 for row in rows)

    def report(self, app: App) -> None:
        """Say how many, and set exit code 3, if there are any."""
        if self._found:
            app.needs_a_look(
                _(
                    "recordings that are not fetched and expire within {days:g} days: {n:,}",
                    days=(self._seconds or 0) / 86_400,
                    n=self._found,
                )
            )
