"""Receives HTTP pushes: stores the receipts of each, then answers it."""

from __future__ import annotations

import math
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from smsreceipt.app import App
from smsreceipt.decode import QUEUED_KINDS, decode, known_kind
from smsreceipt.errors import SmsReceiptError, StoreLocked, UsageError
from smsreceipt.ingest import TurnCommitter
from smsreceipt.language import _, listed, n_
from smsreceipt.model import Delivery, Kind, Reason, Tally
from smsreceipt.runs.forward_metrics import Forwards
from smsreceipt.runs.kinds import unknown_kind_warning
from smsreceipt.runs.listen_notes import ListenNotes
from smsreceipt.runs.metrics import of_listener, serve
from smsreceipt.runs.receiving import Receiving, refuse_full_disk, rejects_kept
from smsreceipt.runs.sockets import HostPort, adopt, begin_listening, listener, raise_descriptor_limit
from smsreceipt.runs.supervisor import asking
from smsreceipt.runs.today import Today
from smsreceipt.sources.push.app import Receiver
from smsreceipt.sources.push.intake import Intake
from smsreceipt.sources.push.secrets import PushSecrets
from smsreceipt.sources.push.server import Server
from smsreceipt.store import ConsumerLease, Store, opening
from smsreceipt.waiting import join

_LOCK_WAIT = 0.3  # seconds that a commit waits for another process before it tries again; pushes get 503 meanwhile
_SLOW = 0.35  # seconds for an answer, half of what the provider allows, from which on there is a warning
_PERIOD = 60.0  # seconds between two warnings
_LEAST_FREE = 1 << 20  # free bytes below which a disk that was full is still taken for full
_PERCENTILE = 0.99
_BETWEEN_REFUSALS = 10.0  # seconds between two lines about refused pushes and new rejects
_OPENS_WITHIN = 0.3  # seconds that the store may take to open before the listener serves without it
_AWAITED = ("waiting for pushes", "等待推送")
_KIND_WARNINGS = 20  # unknown message types that are warned about


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to listen."""

    bind: HostPort
    secret_file: Path | None  #: None: beside the store
    max_connections: int
    metrics: HostPort | None  #: None: no metrics
    metrics_required: bool  #: False: listen without metrics if their address is taken
    fd: int | None  #: descriptor of an inherited listening socket, used instead of bind
    min_free: int  #: bytes that must be free for the store
    path_prefix: str = ""  #: the path below which the routes stand as well


def run(app: App, options: Options) -> None:
    """Answer pushes until a signal comes; print new statements and the summary.

    A push is answered with 200 after its receipts are committed, and with 503 within 600 ms if they cannot be: the
    provider then sends it again. A crash loses nothing that was answered with 200.
    """
    refuse_full_disk(app.store_location, options.min_free)
    raise_descriptor_limit(options.max_connections)
    with ExitStack() as stack:
        bound = stack.enter_context(adopt(options.fd, app.environ) or listener(options.bind, "--bind"))
        secrets = PushSecrets(options.secret_file or opening.secret_file(app.store_location))

        def open_store() -> Store:
            return stack.enter_context(app.open_store(readonly=False, lock_wait=_LOCK_WAIT, backfill=False))

        _Listening(app, options, bound, open_store, secrets).run()


class _Listening:
    """One run of the listener."""

    def __init__(
        self,
        app: App,
        options: Options,
        bound: socket.socket,
        open_store: Callable[[], Store],
        secrets: PushSecrets,
    ) -> None:
        self._app, self._options, self._bound, self._secrets = app, options, bound, secrets
        self._open_store = open_store
        self._store: Store | None = None
        self._opening_failure: BaseException | None = None
        self._receiving = Receiving[Delivery](app, decode, lock_budget=math.inf, awaited=_AWAITED)
        self._receiving.figures = self._figures_now
        self._reporter = self._receiving.reporter
        self.intake = Intake(self._put, room=self._reporter.room, space=self._space, ready=False)
        self.receiver = Receiver(self.intake, secrets, now=app.now, kind=self._kind, prefix=options.path_prefix)
        self._server = Server(
            self.receiver,
            connections=options.max_connections,
            next_commit=self._next_commit,
            tick=self._tick,
            tell=lambda text: app.say(text, verbosity=-1),
        )
        self._committer: TurnCommitter[Delivery] | None = None
        self._lease: ConsumerLease | None = None
        self._next_refresh = self._next_slow_warning = self._next_reader_warning = self._next_refusal_warning = 0.0
        self._told_large = self._told_paths = 0
        self._told_rejects: Counter[Reason] = Counter()
        self.today = Today(app)
        self._notes = ListenNotes(
            f"{socket.gethostname()} {options.bind}",
            app.now,
            lambda: app.open_store(readonly=False, lock_wait=_LOCK_WAIT, backfill=False),
        )
        self.forwards = Forwards(app)
        self._unknown_kinds: set[Kind] = set()

    @property
    def tally(self) -> Tally:
        """The counters of what is committed so far."""
        return self._receiving.tally

    @property
    def connections(self) -> int:
        """The number of open connections."""
        return self._server.connections

    def run(self) -> None:
        """Listen until a signal comes; set the exit code of the worst failure."""
        receiving = self._receiving
        with receiving.signals(self._stop) as stopping:
            with ExitStack() as stack:
                self._serve_metrics(stack)
                opening = threading.Thread(target=self._begin, name="opening", daemon=True)
                opening.start()
                opening.join(_OPENS_WITHIN)
                begin_listening(self._bound)
                if watchdog := receiving.supervisor.watchdog:
                    stack.enter_context(asking(self._bound, receiving.progress.answered, watchdog / 4))
                if self._opening_failure is None:
                    self._say_where()
                if stopping.requested:
                    self._server.stop()
                self._next_slow_warning = time.monotonic() + _PERIOD
                self._server.run_on(self._bound)
                join(opening)
            receiving.lock_retry.stop()
            failures = receiving.close(self._release, stopped=True)
            failures += filter(None, [self._opening_failure])
            self._tell_refusals(time.monotonic())
            # Pushes that waited for a locked store were answered with 503.
            told = [each for each in failures if not isinstance(each, StoreLocked)]
            receiving.end(told, *self._figures(), told=self._pushes_told())

    def _begin(self) -> None:
        """Open the store, while the server answers 503; then begin to receive. Runs in a thread of its own."""
        retry = self._receiving.lock_retry
        try:
            self._store = store = retry.call(self._open_store)
            self._lease = retry.call(lambda: store.acquire_lease("push"))
            self._notes.started(store)
        except BaseException as exc:  # noqa: BLE001 - run() reports it, and raises it if it is a bug
            self._opening_failure = exc
            self._stop()
            return

        def failed() -> None:
            self.intake.fail()
            self._stop()

        self._committer = self._receiving.start_in_turns(store, on_failure=failed, on_full=self.intake.full)
        self.intake.begin()

    def _put(self, delivery: Delivery) -> None:
        assert self._committer is not None  # noqa: S101 - the intake is open
        self._committer.put(delivery)

    def _next_commit(self) -> Callable[[], None] | None:
        return self._committer.next_commit() if self._committer else None

    def _stop(self) -> None:
        if self._lease is None:  # the run may still wait for the store
            self._receiving.lock_retry.stop()
        self._server.stop()

    def _say_where(self) -> None:
        host, port = self._bound.getsockname()[:2] if self._bound.family != socket.AF_UNIX else ("", 0)
        here = f"{f'[{host}]' if ':' in host else host}:{port}" if port else _("a local socket")
        say = self._app.say
        if self._secrets.created:
            path = "/".join(["", *filter(None, self._options.path_prefix.split("/")), self._secrets.current])
            own, public = f"http://{here}{path}", f"https://YOUR.HOST{path}/SmsReport"
            say(_("base URL, shown this once, since its path is the password:"))
            say(f"  {own}")
            self._app.paragraph(
                _("in the console, behind your own name and TLS, with the type at the end, for each type:")
            )
            say(f"  {public}")
            self._app.paragraph(_("types: {types}", types=listed(QUEUED_KINDS)))
        say(_("listening on {address}; secrets from {file}", address=here, file=self._secrets.path))

    def _tick(self) -> None:
        """Refresh the secrets once a second and print warnings that are due. The server calls it ten times a second."""
        now = time.monotonic()
        if now >= self._next_refresh:
            self._next_refresh = now + 1
            self._receiving.progress.serving()
            try:
                if self._secrets.refresh():
                    self._app.say(_("the secret file has changed: its secrets count from now on"))
            except UsageError as exc:
                self._app.warn(_("{reason}; the secrets before count on", reason=exc))
        self._notes.refusals(self.receiver.pushes[503])
        if now >= self._next_slow_warning:
            self._next_slow_warning = now + _PERIOD
            if (seconds := self.receiver.times.lap(_PERCENTILE)) > _SLOW:
                self._app.warn(
                    _(
                        "1 % of the last minute's answers took {ms:.0f} ms or more; the provider waits 700 ms",
                        ms=seconds * 1000,
                    )
                )
        if now >= self._next_refusal_warning:
            self._tell_refusals(now)
        if now >= self._next_reader_warning and not self._reporter.room():
            self._next_reader_warning = now + _PERIOD
            self._app.warn(_("nobody reads standard output: pushes are answered 503 until somebody does"))

    def _tell_refusals(self, now: float) -> None:
        """Tell about refused pushes and new rejects; then say nothing more of them for a while."""
        paths = self.receiver.wrong_paths - self._told_paths
        large, rejects = self.receiver.pushes[413] - self._told_large, self._receiving.reasons - self._told_rejects
        if large:
            self._app.warn(
                n_(
                    "{n} push was too large and answered 413: over 1 MiB, or over 2,000 elements",
                    "{n} pushes were too large and answered 413: over 1 MiB, or over 2,000 elements",
                    large,
                )
            )
        if rejects:
            self._app.say(rejects_kept(rejects))
        if paths:
            self._app.warn(
                n_(
                    "{n} request had the secret, but not one message type behind it, and was answered 404",
                    "{n} requests had the secret, but not one message type behind it, and were answered 404",
                    paths,
                )
            )
        if large or rejects or paths:
            self._told_large, self._told_rejects = self.receiver.pushes[413], self._told_rejects + rejects
            self._told_paths += paths
            self._next_refusal_warning = now + _BETWEEN_REFUSALS

    def _kind(self, name: str) -> Kind:
        """The message type that a path names. Warns once about each unknown one."""
        kind, warned = known_kind(name), self._unknown_kinds
        if kind not in warned and len(warned) < _KIND_WARNINGS and (warning := unknown_kind_warning(kind)):
            warned.add(kind)
            self._app.warn(warning)
        return kind

    def _figures_now(self) -> dict[str, object]:
        figures, times = self._figures()
        return {**figures, "waiting": self.intake.pushes, "connections": self.connections, **times}

    def _figures(self) -> tuple[dict[str, object], dict[str, object]]:
        """The figures of the summary before seconds and rate, and those after them."""
        receiver = self.receiver
        pushes, accepted = receiver.pushes.total(), receiver.pushes[200]
        times = receiver.times
        return {"pushes": pushes, "refused": pushes - accepted}, {
            "p99_ms": round(times.percentile(_PERCENTILE) * 1000),
            "max_ms": math.ceil(times.longest * 1000),
        }

    def _pushes_told(self) -> str:
        """What the summary's sentence says about the pushes, for a terminal; "" if there was none."""
        pushes, refused = self.receiver.pushes.total(), self.receiver.pushes.total() - self.receiver.pushes[200]
        if not pushes:
            return ""
        slowest = math.ceil(self.receiver.times.longest * 1000)
        if self._app.chinese:
            some = f"其中拒绝 {refused:,} 次，" if refused else ""
            return f"；推送 {pushes:,} 次，{some}最慢的应答 {slowest:,} 毫秒"
        some = f"{refused:,} of them refused, " if refused else ""
        return f"; {pushes:,} {'push' if pushes == 1 else 'pushes'}, {some}the slowest answered in {slowest:,} ms"

    def _space(self) -> bool:
        free = opening.free_bytes(self._app.store_location)
        return free is None or free >= _LEAST_FREE

    def _release(self) -> list[BaseException]:
        """Release the lease. If the store is locked or full now, the next run checks it for damage; that is all."""
        try:
            if self._store is not None and self._lease is not None:
                self._notes.stopped(self._store)
                self._store.release_lease(self._lease, settled=True)
        except SmsReceiptError as exc:
            self._app.say(str(exc), verbosity=1)
        return []

    def _serve_metrics(self, stack: ExitStack) -> None:
        if self._options.metrics is None:
            return
        try:
            stack.enter_context(serve(self._options.metrics, self, lambda: of_listener(self)))
        except UsageError as exc:
            if self._options.metrics_required:
                raise
            self._app.warn(_("no metrics: {reason}", reason=exc))
