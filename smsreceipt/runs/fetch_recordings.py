"""Fetches recordings of calls into a folder, many at once, and notes each in the store."""

from __future__ import annotations

import errno
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from smsreceipt.app import App
from smsreceipt.errors import OutputError, SmsReceiptError
from smsreceipt.exits import gravest
from smsreceipt.ingest import LockRetry
from smsreceipt.language import N_, _, of_system
from smsreceipt.model import DAY_MS, Instant, RecordingState
from smsreceipt.output.formatting import size as size_in_words
from smsreceipt.output.objects.recordings import RECORDINGS, ShownRecording
from smsreceipt.output.printer import Printer
from smsreceipt.permissions import unusable
from smsreceipt.runs.access import access, connection_reporter, proxies
from smsreceipt.runs.recordings import Day, RecordingNote, Urgent, Which, days_of
from smsreceipt.runs.signals import GracefulStop
from smsreceipt.sources.query.rate import Halted, Rate
from smsreceipt.sources.query.workers import LAST_CALLS, QueryWorkers
from smsreceipt.sources.recordings.client import QPS, LinkClient, NoLink
from smsreceipt.sources.recordings.fetcher import Expired, Fetched, Fetcher
from smsreceipt.sources.recordings.links import LinkRefused, Policy
from smsreceipt.sources.recordings.places import FULL, Busy, stem
from smsreceipt.store import Store

if TYPE_CHECKING:
    from smsreceipt.aliyun.endpoints import Endpoint

_YOUNG = DAY_MS  # milliseconds after a call in which its recording may not be there yet
_GIVE_UP = 10  # failures in a row after which the run ends
_AT_ONCE, _SECONDS = 100, 1.0  # results that are noted in one commit, and after how long fewer are
_LOOK = 0.2  # seconds between two checks for a stop
_NOTED = (RecordingState.FETCHED, RecordingState.ABSENT, RecordingState.EXPIRED)
_DISK = N_(
    "What is fetched is kept, and nothing is there by half: free space on that disk and run the same command again."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to fetch."""

    folder: Path
    workers: int
    any_host: bool  #: follow links to any host
    again: bool  #: also what was fetched before and whose file is gone
    max_size: int  #: bytes of one recording
    expiring: float | None  #: seconds; exit code 3 if one that is not fetched expires within them


def plan(app: App, which: Which, options: Options) -> None:
    """Print what would be fetched, and the summary. Nothing is asked and nothing is written."""
    printer, counts, urgent = Printer(app, RECORDINGS), Counter[str](), Urgent(options.expiring)
    with app.open_store(readonly=True) as store:
        for day in days_of(store, which, app.now()):
            due, rest = _due(day, again=options.again)
            urgent.count(due)
            counts.update(recordings=len(due) + len(rest), planned=len(due))
            counts.update(str(row.state) for row in rest)
            printer.print(due)
    printer.end()
    urgent.report(app)
    known, expired = counts[RecordingState.FETCHED], counts[RecordingState.EXPIRED]
    figures = {"recordings": counts["recordings"], "planned": counts["planned"], "known": known, "expired": expired}
    app.summary({**figures, "dry_run": "yes"})


def _due(day: Day, *, again: bool) -> tuple[list[ShownRecording], list[ShownRecording]]:
    """What is to be fetched, and the rest."""

    def is_due(row: ShownRecording) -> bool:
        if row.state is RecordingState.FETCHED:
            return again and not Path(row.file).is_file()
        return row.state is not RecordingState.EXPIRED

    shown = [day.shown(recording) for recording in day.recordings]
    return [row for row in shown if is_due(row)], [row for row in shown if not is_due(row)]


def run(app: App, which: Which, options: Options) -> None:
    """Fetch what is not fetched yet; print one object for each that was tried, and the summary.

    Each file is on disk under its name before it is noted in the store. A run that was killed is gone on with by the
    same command. Raises OutputError at once where the disk is full, UsageError where the folder cannot be used; at the
    end the gravest failure, such as ProviderError (run again) or AuthError. Exit code 3 for recordings that turned out
    to be expired or absent, whose links are not followed, or whose name another file has.
    """
    _Fetch(app, which, options).run()


@dataclass(frozen=True, slots=True)
class _Result:
    """What became of one recording."""

    number: int  #: its place among those of its day that were due
    row: ShownRecording
    fetched: Fetched | None = None
    failure: SmsReceiptError | None = None


_Pool = QueryWorkers[tuple[int, ShownRecording], _Result | None]


class _Fetch:
    """One run: its threads, its results, and its counters."""

    def __init__(self, app: App, which: Which, options: Options) -> None:
        self._app, self._which, self._options = app, which, options
        self._printer = Printer(app, RECORDINGS, write=app.report, live=True)
        self._progress = app.progress()
        self._urgent = Urgent(options.expiring)
        self._rate = Rate(QPS)
        self._retry = LockRetry(app.say)
        self._counts, self._fresh = Counter[str](), Counter[str]()  # fresh: what was not noted as such before
        self._why = Counter[str]()  # the reasons for which links are not followed
        self._bytes = self._resumed = self._beside = 0
        self._failures: list[SmsReceiptError] = []
        self._in_a_row = 0
        self._began = time.monotonic()

    def run(self) -> None:
        """Fetch, print, note; print the summary, also after a failure."""
        with ExitStack() as stack:
            store = stack.enter_context(self._app.open_store(readonly=False))
            fetcher = self._fetcher(stack)
            _prepare(self._options.folder)
            stack.enter_context(GracefulStop(self._app, self._rate.halt))
            stack.callback(self._sum_up)
            stack.enter_context(self._progress)
            pool = _Pool(partial(_try, fetcher), self._options.workers)
            stack.callback(self._close, pool)
            for day in days_of(store, self._which, self._app.now()):
                self._day(day, store, pool)
            self._printer.end()
        if failure := gravest(self._failures):
            raise failure

    def _close(self, pool: _Pool) -> None:
        self._rate.halt()
        pool.close(LAST_CALLS)

    def _fetcher(self, stack: ExitStack) -> Fetcher:
        from smsreceipt.aliyun.download import Downloads

        app, options = self._app, self._options
        downloads = Downloads(proxies(app).choose, reporter=connection_reporter(app), connections=options.workers)
        stack.callback(downloads.close)
        return Fetcher(
            root=options.folder,
            downloads=downloads,
            policy=Policy({_own_endpoint(app)}, any_host=options.any_host, insecure_http=app.insecure_http),
            client=_Client(app, self._rate, options.workers, stack).get,
            run=self._rate,
            max_size=options.max_size,
            now=app.now,
        )

    @property
    def _ended(self) -> bool:
        """Whether nothing more is begun."""
        return self._rate.halted or self._in_a_row >= _GIVE_UP

    def _day(self, day: Day, store: Store, pool: _Pool) -> None:
        due, rest = _due(day, again=self._options.again)
        self._counts.update(recordings=len(due) + len(rest), left=len(due))
        if self._ended:
            self._urgent.count(due)
            return
        self._count_rest(rest, day, store)
        final, waiting, flushed = [*due], list[ShownRecording](), time.monotonic()
        try:
            for result in self._results(due, pool):
                final[result.number] = result.row
                waiting.append(result.row)
                self._take(result, day)
                self._progress.show(self._line)
                if len(waiting) >= _AT_ONCE or time.monotonic() - flushed > _SECONDS:
                    self._flush(waiting, day, store)
                    flushed = time.monotonic()
        finally:
            self._flush(waiting, day, store)
            self._urgent.count(final)

    def _count_rest(self, rest: Sequence[ShownRecording], day: Day, store: Store) -> None:
        """Count what was fetched before, and what is expired; of that, print and note what is new."""
        expired = [row for row in rest if row.state is RecordingState.EXPIRED]
        self._counts.update(known=len(rest) - len(expired), expired=len(expired))
        fresh = [row for row in expired if self._is_fresh(row, day)]
        self._fresh.update(expired=len(fresh))
        self._flush(fresh, day, store)

    @staticmethod
    def _is_fresh(row: ShownRecording, day: Day) -> bool:
        """Whether the store does not know yet that the recording is in this state."""
        note = day.note(row.recording)
        return note is None or note.state is not row.state

    def _results(self, due: Sequence[ShownRecording], pool: _Pool) -> Iterator[_Result]:
        """Yield the results as they come. After a stop, those under way get some seconds more."""
        begun = under_way = 0
        last = LAST_CALLS
        while last > 0:
            while begun < len(due) and under_way < 2 * self._options.workers and not self._ended:
                pool.put((begun, due[begun]))
                begun, under_way = begun + 1, under_way + 1
            if not under_way:
                return
            try:
                result = pool.get(_LOOK)
            except queue.Empty:
                last -= _LOOK if self._rate.halted else 0
                continue
            under_way -= 1
            if result is not None:
                yield result

    def _take(self, result: _Result, day: Day) -> None:
        """Count a result. Raises its failure where all others would fail alike."""
        state = result.row.state
        self._counts.update({str(state): 1, "left": -1})
        if state in {RecordingState.ABSENT, RecordingState.EXPIRED} and self._is_fresh(result.row, day):
            self._fresh[state] += 1
        if state is RecordingState.REFUSED:
            self._why[result.row.reason] += 1
        if fetched := result.fetched:
            self._bytes += fetched.received
            self._resumed += 0 < fetched.received < fetched.size
            self._beside += fetched.beside_other
        if result.failure is None:
            self._in_a_row = 0
            return
        if result.failure.exit_code in {2, 6}:
            raise result.failure
        self._in_a_row += 1
        self._failures.append(result.failure)

    def _flush(self, waiting: list[ShownRecording], day: Day, store: Store) -> None:
        """Note the results, then print them."""
        rows, waiting[:] = [*waiting], []
        notes = {stem(row.recording): _note_of(row, self._app.now()) for row in rows if row.state in _NOTED}
        if notes:
            self._retry.call(partial(store.write_notes, day.topic, notes))
        self._printer.print(row for row in rows if row.state not in _NOTED or self._is_fresh(row, day))

    def _line(self, seconds: float) -> str:
        names = ("fetched", "failed", "left")
        words = ("已下载", "失败", "剩余") if self._app.chinese else names
        counts = "  ".join(f"{word} {self._counts[name]:,}" for word, name in zip(words, names, strict=True))
        return f"{counts}  {size_in_words(self._bytes)}  {size_in_words(round(self._bytes / max(seconds, 0.1)))}/s"

    def _sum_up(self) -> None:
        refused = self._counts[RecordingState.REFUSED]
        reasons = ("；" if self._app.chinese else "; ").join(_(reason) for reason, _times in self._why.most_common(3))
        for count, what in (
            (self._fresh[RecordingState.EXPIRED], N_("recordings that expired before they were fetched: {n:,}")),
            (self._fresh[RecordingState.ABSENT], N_("recordings that the provider does not have: {n:,}")),
            (refused, N_("recordings whose links are not followed: {n:,} ({reasons})")),
            (self._beside, N_("recordings beside whose file there was another one of that name: {n:,}")),
        ):
            if count:
                self._app.needs_a_look(_(what, n=count, reasons=reasons))
        self._urgent.report(self._app)
        self._app.summary({
            **{name: self._counts[name] for name in (
                "recordings", "known", "fetched", "waiting", "absent", "expired", "refused", "busy", "failed", "left",
            )},
            "resumed": self._resumed,
            "bytes": self._bytes,
            "seconds": f"{time.monotonic() - self._began:.1f}",
        })  # fmt: skip


class _Client:
    """Makes the client that asks for links when the first one is asked for: most reports bring their link."""

    def __init__(self, app: App, rate: Rate, workers: int, stack: ExitStack) -> None:
        self._app, self._rate, self._workers, self._stack = app, rate, workers, stack
        self._lock = threading.Lock()
        self._made: LinkClient | None = None

    def get(self) -> LinkClient:
        """The client. Raises AuthError where there is no AccessKey, and UsageError."""
        with self._lock:
            self._made = self._made or self._new()
            return self._made

    def _new(self) -> LinkClient:
        from smsreceipt.aliyun.clock import Clock
        from smsreceipt.aliyun.rpc import Caller

        endpoints, provider = access(self._app)
        clock = Clock()
        caller = Caller(
            endpoints.dyplsapi,
            provider,
            clock,
            proxy=proxies(self._app).choose(endpoints.dyplsapi),
            reporter=connection_reporter(self._app),
            connections=self._workers,
            sleep=self._rate.pause,
            tell=self._app.say,
        )
        self._stack.callback(lambda: self._app.warn(drift) if (drift := clock.warning()) else None)
        self._stack.callback(caller.close)
        return LinkClient(caller, self._rate)


def _own_endpoint(app: App) -> Endpoint:
    """Where the provider's service is by the settings; links to that host are followed too."""
    from smsreceipt.aliyun.endpoints import DEFAULTS, Endpoint

    return Endpoint.parse(app.endpoint("dyplsapi") or DEFAULTS["dyplsapi"], insecure_http=app.insecure_http)


def _prepare(folder: Path) -> None:
    """Make the folder, for its owner alone. Raises UsageError or OutputError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise _of_file(exc, folder) from exc


def _of_file(exc: OSError, folder: Path) -> SmsReceiptError:
    """The error for a file that cannot be written."""
    if exc.errno in FULL or exc.errno == errno.EIO:
        return OutputError(_("{what}: {reason}", what=folder, reason=of_system(exc)), hint=_DISK)
    return unusable(_("{name} cannot be written", name=folder), exc, folder, write=True)


def _try(fetcher: Fetcher, task: tuple[int, ShownRecording]) -> _Result | None:
    """Fetch one recording, in a thread; None where the run was stopped."""
    number, row = task

    def became(state: RecordingState, reason: str = "") -> ShownRecording:
        left = 0 if state is RecordingState.EXPIRED else row.left
        return msgspec.structs.replace(row, state=state, left=left, reason=reason)

    try:
        found = fetcher.fetch(row.recording)
    except Halted:
        return None
    except (Busy, Expired, NoLink, LinkRefused, FileExistsError) as exc:
        return _Result(number, became(*_why(exc, fetcher.now() - row.recording.called_at)))
    except SmsReceiptError as exc:
        return _Result(number, became(RecordingState.FAILED, str(exc)), failure=exc)
    except OSError as exc:
        failure = _of_file(exc, fetcher.root)
        return _Result(number, became(RecordingState.FAILED, str(failure)), failure=failure)
    known = became(RecordingState.FETCHED)
    return _Result(number, _with_file(known, found, fetcher.now), found)


def _why(exc: Exception, age: int) -> tuple[RecordingState, str]:
    """The state in which a recording stays that cannot be fetched now, and the reason. *age*: milliseconds."""
    if isinstance(exc, Busy):
        return RecordingState.BUSY, N_("another process is fetching it")
    if isinstance(exc, Expired):
        return RecordingState.EXPIRED, ""
    if isinstance(exc, NoLink):
        return (RecordingState.WAITING if age < _YOUNG else RecordingState.ABSENT), exc.code
    if isinstance(exc, FileExistsError):
        return RecordingState.REFUSED, N_("other files have its name")
    return RecordingState.REFUSED, str(exc)


def _with_file(row: ShownRecording, found: Fetched, now: Callable[[], Instant]) -> ShownRecording:
    path = str(found.path.resolve())
    return msgspec.structs.replace(row, file=path, size=found.size, sha256=found.sha256, fetched_at=now())


def _note_of(row: ShownRecording, now: Instant) -> str:
    note = RecordingNote(row.state, row.fetched_at or now, row.file, row.size or 0, row.sha256, row.reason)
    return msgspec.json.encode(note).decode()
