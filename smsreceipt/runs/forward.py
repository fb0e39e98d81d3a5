"""Hands on receipts: opens the store, takes the cursor, and says how it went."""

from __future__ import annotations

import dataclasses
import select
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from smsreceipt.aliyun.proxies import Proxies
from smsreceipt.app import App
from smsreceipt.errors import SmsReceiptError, StoreUnavailable, UsageError
from smsreceipt.exits import ReaderGone
from smsreceipt.forward import cursor as cursors
from smsreceipt.forward import forwarder
from smsreceipt.forward.address import Address
from smsreceipt.forward.batch import Receiver
from smsreceipt.forward.bodies import bodies
from smsreceipt.forward.command import Command
from smsreceipt.forward.cursor import Cursor, CursorInUse
from smsreceipt.forward.forwarder import Forwarder, Stop, newest_seq
from smsreceipt.forward.lines import Lines
from smsreceipt.forward.signature import secrets_of
from smsreceipt.forward.web import Web
from smsreceipt.ingest import LockRetry
from smsreceipt.language import N_, _
from smsreceipt.output import reasons
from smsreceipt.runs.kinds import say_unknown_kinds
from smsreceipt.runs.receiving import report_failures
from smsreceipt.runs.signals import GracefulStop, counters_on_request
from smsreceipt.runs.sockets import HostPort
from smsreceipt.runs.supervisor import Supervisor, counted
from smsreceipt.store import Store
from smsreceipt.waiting import wait_for

EXEC = "exec:"
_SLACK = 60.0  # seconds that reading a batch and moving the cursor may take, as the watchdog sees it
_STORE_PAUSE = 5.0  # seconds before a store is tried again that could not be read or written


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Where to, under which name, and how."""

    to: str = field(repr=False)  #: a URL, whose path may be a secret; exec:COMMAND; - for standard output
    name: str
    begin: int | None  #: the seq after which a new cursor begins; None: after what the store holds now
    begin_given: bool  #: *begin* was asked for
    work: forwarder.Options
    follow: bool
    as_provider: bool = False
    secret_file: Path | None = None
    timeout: float = 10.0  #: seconds for one exchange, or one run of a command
    metrics: HostPort | None = None


def run(app: App, options: Options) -> None:
    """Hand on what the store holds; with *follow*, go on until a signal comes. Print the summary.

    Exit code 3: a statement was refused or parked; 5: the receiver did not confirm in time; 6: another process has the
    cursor. The cursor stands after what was confirmed, whatever happens.
    """
    cursors.checked_name(options.name)
    receiver = receiver_of(app, options)
    halt = threading.Event()
    retry = LockRetry(app.say)

    def stop() -> None:
        """End also what waits for a locked store: the batch comes again."""
        halt.set()
        retry.stop()

    try:
        with app.open_store(readonly=False, backfill=False) as store, GracefulStop(app, stop), ExitStack() as stack:
            if options.metrics is not None:
                from smsreceipt.runs.forward_metrics import serve

                stack.enter_context(serve(app, options.metrics))
            say_unknown_kinds(app, options.work.query.kinds, store)
            begin = options.begin
            if begin is not None and options.name not in store.notes(cursors.TOPIC):
                _refuse_future(store, begin)
            cursor = Cursor.take(
                store,
                options.name,
                begin=lambda: newest_seq(store) if begin is None else begin,
                retry=retry,
                now=app.now,
            )
            _refuse_ahead(store, cursor)
            _Run(app, options, store, cursor, receiver, halt).run()
    finally:
        receiver.close()


def _refuse_future(store: Store, begin: int) -> None:
    """Raise UsageError for a seq that nothing has yet: what comes up to it would be left out. It may be a date."""
    last = store.facts().last_seq
    if begin > last:
        raise UsageError(
            _("--from: there is no seq {seq} yet, the last is {last}", seq=begin, last=last),
            hint=_("A day is --from 0 --since DAY."),
        )


def _refuse_ahead(store: Store, cursor: Cursor) -> None:
    """Raise UsageError for a cursor after the end of the store: what comes up to it would never be handed on."""
    if cursor.seq <= newest_seq(store) or cursor.seq <= (last := store.facts().last_seq):  # newest ones may be pruned
        return
    cursor.release()
    raise UsageError(
        _(
            "the cursor {name} stands at seq {seq}, but the store ends with {last}: it is another, or an older copy",
            name=cursor.name,
            seq=cursor.seq,
            last=last,
        ),
        hint=_(
            "smsreceipt forward drop {name}, then the same command with --from SEQ: the last that was handed on, or 0",
            name=cursor.name,
        ),
    )


def receiver_of(app: App, options: Options) -> Receiver:
    """What --to names. Raises UsageError."""
    lines = bodies(as_provider=options.as_provider, mask=app.mask_data)
    one_kind = options.as_provider
    if options.to == "-":
        app.require_stdout()
        return Lines(lines, write=app.write, flush=app.flush, one_kind=one_kind)
    if options.to.startswith(EXEC):
        return Command(options.to.removeprefix(EXEC), lines, timeout=options.timeout, one_kind=one_kind)
    if not options.to.startswith(("http://", "https://")):
        raise UsageError(
            _("--to needs a URL, exec:COMMAND, or - for standard output"),
            hint=_("Such as {example}", example="--to https://HOST/PATH"),
        )
    return Web(
        Address.of(options.to, insecure_http=app.insecure_http),
        lines,
        proxies=Proxies(app.environ, app.config.proxy, f"{app.config.path}: proxy"),
        secrets=secrets_of(app.environ, options.secret_file),
        timeout=options.timeout,
        one_kind=one_kind,
        clock=lambda: app.now() / 1000,
    )


class _Run:
    """One run with a cursor that is taken."""

    def __init__(
        self, app: App, options: Options, store: Store, cursor: Cursor, receiver: Receiver, halt: threading.Event
    ) -> None:
        self._app, self._options, self._store, self._cursor, self._halt = app, options, store, cursor, halt
        self._supervisor = Supervisor(app.environ)
        self._forwarder = Forwarder(store, cursor, receiver, options.work, wait=self._waiter(), tell=app.say)

    def _waiter(self) -> Callable[[float], bool]:
        """Waits until it is time to stop; on standard output also until nobody reads any more.

        It is called when a batch has ended, one way or another, and when there is nothing to hand on.
        """
        watched = self._options.to == "-" and self._options.follow

        def wait(seconds: float) -> bool:
            if watched and _reader_gone(self._app):
                raise ReaderGone
            self._tell_supervisor(seconds)
            return wait_for(self._halt, seconds)

        return wait

    def _tell_supervisor(self, pause: float) -> None:
        told = self._supervisor
        told.allow(pause + self._options.timeout + _SLACK)
        told.ready()
        told.beat()
        told.status(lambda: counted(self._counters()))

    def _counters(self) -> Mapping[str, object]:
        return dataclasses.asdict(self._forwarder.counts)

    def run(self) -> None:
        began = time.monotonic()
        self._say_where()
        failures: list[BaseException] = []
        try:
            with counters_on_request(self._app, self._counters):
                self._work()
        except Stop:
            pass
        except (SmsReceiptError, ReaderGone) as exc:
            failures.append(exc)
        finally:
            self._supervisor.stopping()
            self._release()
        report_failures(self._app, [each for each in failures if isinstance(each, SmsReceiptError)])
        self._summarise(time.monotonic() - began)
        if failures and isinstance(failures[0], ReaderGone):
            raise failures[0]

    def _say_where(self) -> None:
        name, seq = self._cursor.name, self._cursor.seq
        if self._cursor.new:
            if self._options.begin_given:
                said = N_("the cursor {name} is new and begins after seq {seq}")
            else:
                said = N_(
                    "the cursor {name} is new and begins after seq {seq}; to hand on what is stored before:"
                    " smsreceipt forward drop {name}, then the same command with --from 0"
                )
            self._app.say(_(said, name=name, seq=seq))
        elif self._options.begin_given and self._options.begin != seq:
            self._app.say(
                _(
                    "the cursor {name} stands at seq {seq}: --from counts only for a new one; to begin anew:"
                    " smsreceipt forward drop {name}",
                    name=name,
                    seq=seq,
                )
            )

    def _work(self) -> None:
        if not self._options.follow:
            self._forwarder.drain()
            return
        while True:
            try:
                self._forwarder.follow()
            except CursorInUse:
                raise
            except StoreUnavailable as exc:
                self._app.say(_("{reason}; trying again in {seconds:g} s", reason=exc, seconds=_STORE_PAUSE))
                self._tell_supervisor(_STORE_PAUSE)  # it has tried; what failed would fail after a restart too
                if wait_for(self._halt, _STORE_PAUSE):
                    return

    def _release(self) -> None:
        try:
            self._cursor.release()
        except SmsReceiptError as exc:  # its process ends: others see that
            self._app.say(str(exc), verbosity=1)

    def _summarise(self, seconds: float) -> None:
        counts, refusal = self._forwarder.counts, self._forwarder.refusal
        if refusal is not None:
            seq, why = refusal
            self._app.needs_a_look(
                _(
                    "seq {seq} is refused ({reason}), and what follows waits: {command} shows it; --on-refusal park"
                    " goes on without it",
                    seq=seq,
                    reason=reasons.in_words(why),
                    command=f"smsreceipt list --history --after {seq - 1} --limit 1",
                )
            )
        if counts.parked:
            self._app.needs_a_look(_("parked: {n}; smsreceipt forward parked list", n=counts.parked))
        self._app.summary(
            {
                "sent": counts.sent,
                "refused": counts.refused,
                "parked": counts.parked,
                "behind": self._behind(),
                "seconds": f"{seconds:.1f}",
            }
        )

    def _behind(self) -> object:
        try:
            return max(newest_seq(self._store) - self._cursor.seq, 0)
        except SmsReceiptError:
            return "unknown"


def _reader_gone(app: App) -> bool:
    """Whether standard output is a pipe whose reader has closed it."""
    if app.stdout is None:
        return True
    try:
        poll = select.poll()
        poll.register(app.stdout.fileno(), 0)
    except (OSError, ValueError):
        return False
    return any(event & select.POLLERR for _, event in poll.poll(0))
