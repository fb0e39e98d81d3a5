"""`smsreceipt listen`: receive the provider's HTTP pushes."""

from __future__ import annotations

import asyncio
import gc
import math
import os
import socket
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from smsreceipt.app import App
from smsreceipt.cli.options import command as make
from smsreceipt.cli.types import Address, Size
from smsreceipt.errors import SmsReceiptError, StoreLocked, UsageError
from smsreceipt.exits import worst
from smsreceipt.model import Delivery, Kind, Tally
from smsreceipt.runs.kinds import doubtful_kind
from smsreceipt.runs.reporter import Reporter, point_to_rejects, refuse_full_disk, tell_failures
from smsreceipt.runs.sockets import Where, adopt, begin_listening, listener, raise_descriptor_limit
from smsreceipt.runs.stop import Stop
from smsreceipt.store import Kept, Run

if TYPE_CHECKING:
    from smsreceipt.ingest import Committer
    from smsreceipt.sources.push.app import Receiver
    from smsreceipt.sources.push.intake import Intake
    from smsreceipt.sources.push.secrets import PushSecrets
    from smsreceipt.sources.push.server import Server
    from smsreceipt.store import Store

_METRICS = "127.0.0.1:9464"
_BUSY_MS = 300  # a commit waits this long for another process and tries again; clients hear 503 meanwhile
_SLOW = 0.35  # seconds: half of what the provider allows
_LAP = 60.0  # seconds whose answers are looked at together
_CLOSE = 3.0  # seconds for the last commit after a stop
_LEAST_FREE = 1 << 20  # bytes on a disk that was full, below which it still is
_GOOD = 0.99
_DOUBTS = 20  # message types that a word is said about


@make("listen")
@click.option("--bind", type=Address(), default="127.0.0.1:8080", show_default=True, help="Where to listen: HOST:PORT.")
@click.option(
    "--secret-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Secrets of the callback URLs, one a line; made on first use. Default: beside the store.",
)
@click.option(
    "--max-connections", type=click.IntRange(1, 100_000), default=256, show_default=True, help="Connections at once."
)
@click.option(
    "--metrics-bind",
    type=Address(off=True),
    metavar="HOST:PORT|off",
    help=f"Where Prometheus finds /metrics: {_METRICS} unless told.",
)
@click.option("--fd", type=click.IntRange(3), metavar="N", help="Listen on this inherited socket instead of --bind.")
@click.option(
    "--min-free", type=Size(), default="64MiB", show_default=True, help="Refuse to start with less disk free."
)
def command(app: App, **chosen: Any) -> None:
    """Receive HTTP pushes: store, answer, show.

    A push is answered 200 only after it is on disk, and 503 within 600 ms when that cannot be: the provider sends it
    again. Every statement that is new to the store is printed once. Runs until it is stopped.

    \b
      smsreceipt listen
      smsreceipt listen --bind 0.0.0.0:8080 --secret-file /etc/smsreceipt/push.secret
    """  # noqa: D301 - click takes the backspace for "leave these lines as they are"
    from smsreceipt.sources.push.secrets import PushSecrets

    refuse_full_disk(app.store_path, chosen["min_free"])
    raise_descriptor_limit(chosen["max_connections"])
    with ExitStack() as stack:
        door = stack.enter_context(adopt(chosen["fd"], app.environ) or listener(chosen["bind"], "--bind"))
        store = stack.enter_context(app.open_store(readonly=False))
        secrets = PushSecrets(chosen["secret_file"] or app.store_path.with_suffix(".secret"))
        _Listening(app, chosen, door, store, secrets).run()


class _Listening:
    """One run, from its first word to its summary."""

    def __init__(
        self, app: App, chosen: dict[str, Any], door: socket.socket, store: Store, secrets: PushSecrets
    ) -> None:
        from smsreceipt.ingest import LockRetry

        self._app, self._chosen, self._door, self._store, self._secrets = app, chosen, door, store, secrets
        self._reporter = Reporter(app)
        self._lock_retry = LockRetry(self._reporter.say, budget=math.inf)
        # Made inside the loop.
        self._committer: Committer[Delivery]
        self.intake: Intake
        self.receiver: Receiver
        self._server: Server | None = None
        self._run: Run | None = None
        self._next_look = self._next_warning = self._next_complaint = 0.0
        self._doubted: set[Kind] = set()

    @property
    def tally(self) -> Tally:
        """The books so far."""
        return self._committer.tally

    @property
    def connections(self) -> int:
        """How many are open."""
        return self._server.connections if self._server else 0

    def run(self) -> None:
        """Listen until stopped; the exit code tells the worst of it."""
        import uvloop

        gc.set_threshold(50_000)  # pushes are no cycles: looking at each of them again and again only costs
        with Stop(self._app, self._stop) as stopping:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._serve(stopping))
            self._lock_retry.stop()
            committed = self._committer.close(_CLOSE)
            failure = self._committer.failure
            if isinstance(failure, StoreLocked):  # all that waited for it was answered 503
                failure = None
            elif committed and failure is None:
                self._say_goodbye()
            printed = self._reporter.close(lambda: True)
            tell_failures(self._app, [failure] if failure else [])
            self._summarise()
            if not (committed and printed):  # a thread hangs in the store or in standard output, and holds up the exit
                os._exit(worst(self._app.codes))

    async def _serve(self, stopping: Stop) -> None:
        from smsreceipt.decode import decode
        from smsreceipt.ingest import Committer
        from smsreceipt.sources.push.app import Receiver
        from smsreceipt.sources.push.intake import Intake
        from smsreceipt.sources.push.server import Server

        loop = asyncio.get_running_loop()

        def kept(kept: Kept) -> None:
            self.intake.wake()
            self._reporter.kept(kept)

        def failed() -> None:
            self.intake.fail()
            with suppress(RuntimeError):  # the loop may be over already
                loop.call_soon_threadsafe(self._stop)

        def put(delivery: Delivery) -> None:
            self._committer.put(delivery)

        self.intake = Intake(put, room=self._reporter.room, space=self._space)
        self.receiver = Receiver(self.intake, self._secrets, now=self._app.now, kind=self._kind)
        self._committer = Committer(
            self._store,
            decode,
            lock_retry=self._lock_retry,
            on_kept=kept,
            on_failure=failed,
            on_full=self.intake.full,
        )
        self._server = Server(
            self.receiver,
            connections=self._chosen["max_connections"],
            tick=self._look,
            tell=lambda text: self._reporter.say(text, verbosity=-1),
        )
        with ExitStack() as stack:
            self._serve_metrics(stack)
            begin_listening(self._door)
            self._run = self._lock_retry.call(lambda: self._store.begin_run("push"))
            self._store.wait_for_locks(_BUSY_MS)
            self._introduce()
            stack.enter_context(stopping.inside_loop())
            if stopping.requested:
                self._server.stop()
            self._next_warning = time.monotonic() + _LAP
            await self._server.run_on(self._door)

    def _stop(self) -> None:
        if self._run is None:  # it may be waiting for the store
            self._lock_retry.stop()
        if self._server is not None:
            self._server.stop()

    # -- what it says

    def _introduce(self) -> None:
        host, port = self._door.getsockname()[:2] if self._door.family != socket.AF_UNIX else ("", 0)
        here = f"{f'[{host}]' if ':' in host else host}:{port}" if port else "a local socket"
        say = self._reporter.say
        if self._secrets.created:
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
            self._next_warning = now + _LAP
            if (seconds := self.receiver.times.lap(_GOOD)) > _SLOW:
                self._warn(
                    f"1 % of the last minute's answers took {seconds * 1000:.0f} ms or more; the provider waits 700 ms"
                )

        if now >= self._next_complaint and not self._reporter.room():
            self._next_complaint = now + _LAP
            self._warn("nobody reads standard output: pushes are answered 503 until somebody does")

    def _kind(self, name: str) -> Kind:
        """The message type that a path names, with a word on one that may be a slip: once each."""
        from smsreceipt.decode import known_kind

        kind = known_kind(name)
        if kind not in self._doubted and len(self._doubted) < _DOUBTS and (doubt := doubtful_kind(kind)):
            self._doubted.add(kind)
            self._warn(doubt)
        return kind

    def _warn(self, text: str) -> None:
        self._reporter.say(f"warning: {text}", verbosity=-1)

    def _summarise(self) -> None:
        tally, receiver, seconds = self.tally, self.receiver, self._reporter.seconds
        pushes, good = receiver.pushes.total(), receiver.pushes[200]
        point_to_rejects(self._app, tally)
        self._app.summary(
            {
                **tally.books(),
                "pushes": pushes,
                "refused": pushes - good,
                "seconds": f"{seconds:.1f}",
                "rate": round(tally.received / max(seconds, 0.001)),
                "p99_ms": round(receiver.times.percentile(_GOOD) * 1000),
                "max_ms": math.ceil(receiver.times.longest * 1000),
            }.items()
        )

    # -- what it asks

    def _space(self) -> bool:
        from smsreceipt.store.sqlite.store import free_bytes

        return free_bytes(self._app.store_path) >= _LEAST_FREE

    def _say_goodbye(self) -> None:
        """Take our note away. A store that is locked or full now will only be looked at more closely next time."""
        try:
            if self._run is not None:
                self._store.end_run(self._run, settled=True)
        except SmsReceiptError as exc:
            self._reporter.say(str(exc), verbosity=1)

    def _serve_metrics(self, stack: ExitStack) -> None:
        from smsreceipt.runs.metrics import serve

        asked = self._chosen["metrics_bind"]
        if asked == "off":
            return
        try:
            stack.enter_context(serve(asked or Where.of(_METRICS), self))
        except UsageError as exc:
            if asked:
                raise
            self._warn(f"no metrics: {exc}")
