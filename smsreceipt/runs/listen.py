"""Receiving HTTP pushes: store, then answer."""

from __future__ import annotations

import asyncio
import math
import socket
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import uvloop

from smsreceipt.app import App
from smsreceipt.decode import known_kind
from smsreceipt.errors import SmsReceiptError, StoreLocked, UsageError
from smsreceipt.model import Delivery, Kind, Tally
from smsreceipt.runs.kinds import doubtful_kind
from smsreceipt.runs.metrics import serve
from smsreceipt.runs.receiving import Receiving, refuse_full_disk
from smsreceipt.runs.signals import Stop
from smsreceipt.runs.sockets import Where, adopt, begin_listening, listener, raise_descriptor_limit
from smsreceipt.sources.push.app import Receiver
from smsreceipt.sources.push.intake import Intake
from smsreceipt.sources.push.secrets import PushSecrets
from smsreceipt.sources.push.server import Server
from smsreceipt.store import ConsumerLease, Kept, Store, opening

_LOCK_WAIT = 0.3  # seconds that a commit waits for another process before it tries again; pushes get 503 meanwhile
_SLOW = 0.35  # seconds: half of what the provider allows
_PERIOD = 60.0  # seconds whose answers are looked at together
_LEAST_FREE = 1 << 20  # bytes on a disk that was full, below which it still is
_GOOD = 0.99
_DOUBTS = 20  # unknown message types that are warned about


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to listen."""

    bind: Where
    secret_file: Path | None  #: None: beside the store
    max_connections: int
    metrics: Where | None  #: None: no metrics
    metrics_required: bool  #: False: go on without metrics where that address is taken
    fd: int | None  #: an inherited listening socket instead of bind
    min_free: int  #: bytes that must be free for the store


def run(app: App, options: Options) -> None:
    """Answer pushes until stopped, then print the summary.

    A push is answered 200 only after its receipts are committed, and 503 within 600 ms when that cannot be.
    """
    refuse_full_disk(app.store_location, options.min_free)
    raise_descriptor_limit(options.max_connections)
    with ExitStack() as stack:
        bound = stack.enter_context(adopt(options.fd, app.environ) or listener(options.bind, "--bind"))
        store = stack.enter_context(app.open_store(readonly=False, lock_wait=_LOCK_WAIT, backfill=False))
        secrets = PushSecrets(options.secret_file or opening.secret_file(app.store_location))
        _Listening(app, options, bound, store, secrets).run()


class _Listening:
    """One run, from its first line to its summary."""

    def __init__(self, app: App, options: Options, bound: socket.socket, store: Store, secrets: PushSecrets) -> None:
        self._app, self._options, self._bound, self._store, self._secrets = app, options, bound, store, secrets
        self._receiving = Receiving(app, store, lock_budget=math.inf)
        self._reporter = self._receiving.reporter
        # Made inside the loop.
        self.intake: Intake
        self.receiver: Receiver
        self._server: Server | None = None
        self._lease: ConsumerLease | None = None
        self._next_look = self._next_warning = self._next_complaint = 0.0
        self._doubted: set[Kind] = set()

    @property
    def tally(self) -> Tally:
        """The counters so far."""
        return self._receiving.tally

    @property
    def connections(self) -> int:
        """How many are open."""
        return self._server.connections if self._server else 0

    def run(self) -> None:
        """Listen until stopped; the exit code tells the worst of it."""
        receiving = self._receiving
        with receiving.signals(self._stop) as stopping:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._serve(stopping))
            receiving.patience.end()
            failures = receiving.close(self._release, stopped=True)
            # All that waited for a locked store was answered 503.
            receiving.end([each for each in failures if not isinstance(each, StoreLocked)], *self._figures())

    async def _serve(self, stopping: Stop) -> None:
        loop = asyncio.get_running_loop()

        def kept(_kept: Kept) -> None:
            self.intake.wake()

        def failed() -> None:
            self.intake.fail()
            with suppress(RuntimeError):  # the loop may be over already
                loop.call_soon_threadsafe(self._stop)

        receiving = self._receiving
        self.intake = Intake(self._put, room=self._reporter.room, space=self._space)
        self.receiver = Receiver(self.intake, self._secrets, now=self._app.now, kind=self._kind)
        receiving.start(on_failure=failed, on_kept=kept, on_full=self.intake.full)
        self._server = Server(
            self.receiver,
            connections=self._options.max_connections,
            tick=self._look,
            tell=lambda text: self._reporter.say(text, verbosity=-1),
        )
        with ExitStack() as stack:
            self._serve_metrics(stack)
            begin_listening(self._bound)
            self._lease = receiving.patience.until_unlocked(lambda: self._store.acquire_lease("push"))
            self._introduce()
            stack.enter_context(stopping.inside_loop())
            if stopping.requested:
                self._server.stop()
            self._next_warning = time.monotonic() + _PERIOD
            await self._server.run_on(self._bound)

    def _put(self, delivery: Delivery) -> None:
        self._receiving.committer.put(delivery)

    def _stop(self) -> None:
        if self._lease is None:  # it may be waiting for the store
            self._receiving.patience.end()
        if self._server is not None:
            self._server.stop()

    def _introduce(self) -> None:
        host, port = self._bound.getsockname()[:2] if self._bound.family != socket.AF_UNIX else ("", 0)
        here = f"{f'[{host}]' if ':' in host else host}:{port}" if port else "a local socket"
        say = self._reporter.say
        if self._secrets.made:
            path = f"/{self._secrets.current}/SmsReport"
            say(f"callback URL: http://{here}{path}")
            say(f"in the console, behind your own name and TLS: https://YOUR.HOST{path}, and so on for each type")
            say(f"shown this once: its path is the password. It is kept in {self._secrets.path}")
        say(f"listening on {here}; secrets from {self._secrets.path}")

    def _look(self) -> None:
        """What is due now and then. Called ten times a second, inside the loop."""
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + 1
            try:
                if self._secrets.refresh():
                    self._reporter.say("the secret file has changed: its secrets count from now on")
            except UsageError as exc:
                self._warn(f"{exc}; the secrets before count on")
        if now >= self._next_warning:
            self._next_warning = now + _PERIOD
            if (seconds := self.receiver.times.lap(_GOOD)) > _SLOW:
                self._warn(
                    f"1 % of the last minute's answers took {seconds * 1000:.0f} ms or more; the provider waits 700 ms"
                )

        if now >= self._next_complaint and not self._reporter.room():
            self._next_complaint = now + _PERIOD
            self._warn("nobody reads standard output: pushes are answered 503 until somebody does")

    def _kind(self, name: str) -> Kind:
        """The message type that a path names, with a word on one that may be a slip: once each."""
        kind = known_kind(name)
        if kind not in self._doubted and len(self._doubted) < _DOUBTS and (doubt := doubtful_kind(kind)):
            self._doubted.add(kind)
            self._warn(doubt)
        return kind

    def _warn(self, text: str) -> None:
        self._reporter.say(f"warning: {text}", verbosity=-1)

    def _figures(self) -> tuple[dict[str, object], dict[str, object]]:
        """What the summary tells beside the counters: before and after seconds and rate."""
        receiver = self.receiver
        pushes, good = receiver.pushes.total(), receiver.pushes[200]
        times = receiver.times
        return {"pushes": pushes, "refused": pushes - good}, {
            "p99_ms": round(times.percentile(_GOOD) * 1000),
            "max_ms": math.ceil(times.longest * 1000),
        }

    def _space(self) -> bool:
        free = opening.free_bytes(self._app.store_location)
        return free is None or free >= _LEAST_FREE

    def _release(self) -> list[BaseException]:
        """Release our lease. A store that is locked or full now is only looked at more closely the next time."""
        try:
            if self._lease is not None:
                self._store.release_lease(self._lease, settled=True)
        except SmsReceiptError as exc:
            self._reporter.say(str(exc), verbosity=1)
        return []

    def _serve_metrics(self, stack: ExitStack) -> None:
        if self._options.metrics is None:
            return
        try:
            stack.enter_context(serve(self._options.metrics, self))
        except UsageError as exc:
            if self._options.metrics_required:
                raise
            self._warn(f"no metrics: {exc}")
