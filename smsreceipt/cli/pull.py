"""`smsreceipt pull`: drain the queues into the store."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from smsreceipt.cli.app import App
from smsreceipt.cli.options import command as make
from smsreceipt.cli.printing import ReceiptPrinter
from smsreceipt.cli.times import Duration, Size
from smsreceipt.errors import SmsReceiptError, StoreUnavailable, UsageError
from smsreceipt.model import Delivery, Kind, Source, StoredReceipt, Tally

if TYPE_CHECKING:
    from collections.abc import Iterator

    from smsreceipt.ingest import Committer
    from smsreceipt.sources.line import Line, Queue
    from smsreceipt.sources.mns import Puller
    from smsreceipt.store import Kept, Store

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@make("pull")
@click.option(
    "--queue", multiple=True, metavar="NAME[=TYPE]", help="A queue, and its message type where the name hides it."
)
@click.option("--uid", metavar="UID", help="Account uid: with --type, queue Alicom-Queue-UID-TYPE.")
@click.option("--type", multiple=True, metavar="TYPE", help="Message type of a queue named by --uid, e.g. SmsReport.")
@click.option("-f", "--follow", is_flag=True, help="Go on when the queues are empty, until stopped.")
@click.option("--max", type=click.IntRange(1), metavar="N", help="Stop after N received messages.")
@click.option("--for", type=Duration(), metavar="TIME", help="Stop after this long: 45s, 10m, 2h.")
@click.option(
    "--workers", type=click.IntRange(1, 64), default=4, show_default=True, help="Receivers at once under load."
)
@click.option("--wait", type=click.IntRange(0, 30), default=5, show_default=True, help="Seconds of a long poll.")
@click.option("--peek", is_flag=True, help="Show what waits; store nothing, delete nothing.")
@click.option("--no-settle", is_flag=True, help="Do not wait for what a crashed run may have hidden.")
@click.option(
    "--min-free", type=Size(), default="64MiB", show_default=True, help="Refuse to start with less disk free."
)
def command(app: App, **chosen: Any) -> None:
    """Drain the queues: store, delete, show.

    Each message is deleted only after it is on disk. Every statement that is new to the store is printed once. Ends
    when the queues are empty; run it again at any time, also after a crash.

    \b
      smsreceipt pull --uid 1234567890123456 --type SmsReport --type SmsUp
      smsreceipt pull --queue my-pool-queue=SecretReport --json | jq .outcome
    """  # noqa: D301 - click takes the backspace for "leave these lines as they are"
    queues = _queues(app, chosen)
    if chosen["peek"]:
        _peek(app, queues)
        return
    _refuse_full_disk(app.store_path, chosen["min_free"])
    with app.open_store(readonly=False) as store:
        _pull(app, queues, chosen, store)


def _queues(app: App, chosen: dict[str, Any]) -> list[Queue]:
    """The queues that the options name, else those of the configuration."""
    from smsreceipt.decode import kind_of_queue
    from smsreceipt.sources.line import Queue

    if bool(chosen["uid"]) != bool(chosen["type"]):
        raise UsageError(
            "--uid and --type belong together", hint="For example --uid 1234567890123456 --type SmsReport."
        )
    named = [(name, kind) for name, _, kind in (text.partition("=") for text in chosen["queue"])]
    named += [(f"Alicom-Queue-{chosen['uid']}-{kind}", kind) for kind in chosen["type"]]
    found = {}
    for name, kind in named or app.config.queues.items():
        known = Kind(kind) if kind else kind_of_queue(name)
        if not name or known is None:
            raise UsageError(
                f"queue {name!r} does not tell its message type", hint=f"Say it: --queue {name or 'NAME'}=SmsReport."
            )
        found[name] = Queue(name, known)
    if not found:
        raise UsageError(
            "no queue to pull from",
            hint="Say --uid UID --type SmsReport, or --queue NAME, or write [queues] into the configuration.",
        )
    return list(found.values())


def _refuse_full_disk(path: Path, least: int) -> None:
    from smsreceipt.store.sqlite import free_bytes

    free = free_bytes(path)
    if free < least:
        raise StoreUnavailable(
            f"only {free // 1024} KiB are free for the store {path}, less than --min-free",
            hint="Nothing was received. Free space on that disk and run the same command again.",
        )


class _Provider:
    """The provider's side as this command needs it: one clock, one pool, a line for each queue."""

    def __init__(self, app: App) -> None:
        from smsreceipt.aliyun import credentials
        from smsreceipt.aliyun.clock import Clock
        from smsreceipt.aliyun.endpoints import DEFAULTS, Endpoints
        from smsreceipt.aliyun.http import Pool
        from smsreceipt.aliyun.rpc import Caller
        from smsreceipt.aliyun.tokens import Tokens

        named = {f"SMSRECEIPT_{name.upper()}_ENDPOINT": app.endpoint(name) or "" for name in DEFAULTS}
        endpoints = Endpoints.of(named, insecure_http=app.insecure_http)
        loaded = credentials.load(app.environ, app.explicit_profile, app.home)
        for warning in loaded.warnings:
            app.warn(warning)
        self.clock = Clock()
        self.pool = Pool(endpoints.mns)
        self._tokens = Tokens(Caller(endpoints.dybaseapi, loaded.provider, self.clock), self.clock)

    def lines(self, queues: Sequence[Queue]) -> list[Line]:
        from smsreceipt.sources.line import Line

        return [Line(queue, self.pool, self._tokens, self.clock) for queue in queues]


def _peek(app: App, queues: Sequence[Queue]) -> None:
    """Show the front of each queue as it is: nothing is received, stored or deleted."""
    from smsreceipt.decode import decode

    provider = _Provider(app)

    async def fronts() -> list[Delivery]:
        found = []
        for line in provider.lines(queues):
            bodies = tuple(message.body for message in await line.peek())
            found.append(Delivery(bodies, line.queue.kind, Source.MNS, line.queue.name, provider.clock.now()))
        provider.pool.close()
        return found

    printer = ReceiptPrinter(app)
    rejected = 0
    for delivery in asyncio.run(fronts()):
        decoded = decode(delivery)
        rejected += len(decoded.rejects)
        printer.print(StoredReceipt.of(receipt, delivery, seq=None) for receipt in decoded.receipts)
    if rejected:
        app.say(f"{rejected} of the messages could not be decoded: pull keeps them as rejects")


class _Reporter:
    """Prints what is new and keeps the live line, from the committer's thread."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._print = ReceiptPrinter(app, app.report).print
        self._progress = app.progress()
        self._began = time.monotonic()
        self._tally = Tally()

    @property
    def seconds(self) -> float:
        """Since it all began."""
        return time.monotonic() - self._began

    def kept(self, kept: Kept) -> None:
        """After a commit and its acks."""
        self._tally += kept.tally
        if kept.new:
            self.clear()
            self._print(kept.new)
        tally = self._tally
        self._progress.update(
            received=tally.received,
            new=tally.new,
            duplicate=tally.duplicate,
            rejected=tally.rejected,
            rate=tally.received / max(self.seconds, 0.001),
        )

    def clear(self) -> None:
        """Take the live line away, before anything else goes to the terminal."""
        self._progress.clear()

    def say(self, text: str) -> None:
        """One line on standard error, whatever is live there."""
        self.clear()
        self._app.say(text)


def _pull(app: App, queues: Sequence[Queue], chosen: dict[str, Any], store: Store) -> None:
    import uvloop

    from smsreceipt.ingest import Committer, worst

    gc.set_threshold(50_000)  # messages are no cycles: looking at each of them again and again only costs
    provider = _Provider(app)
    runs = {queue.name: store.begin_run(queue.name) for queue in queues}
    unsettled = [name for name, run in runs.items() if run.after_unclean and not chosen["no_settle"]]
    reporter = _Reporter(app)
    pullers: list[Puller] = []  # made inside its loop

    def stop() -> None:
        for puller in pullers:
            puller.stop()

    committer = Committer(store, on_kept=reporter.kept, on_failure=stop, on_wait=reporter.say)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        drained = runner.run(_drain(app, provider, queues, chosen, committer, reporter, pullers, unsettled))
    committer.close()
    reporter.clear()
    (puller,) = pullers
    hiding = puller.hiding
    if committer.failure is None:
        for name, run in runs.items():
            if name not in hiding:
                store.end_run(run, settled=drained)
    failures: list[BaseException] = [*puller.failures, *filter(None, [committer.failure])]
    last = worst(failures)
    for exc in failures:
        if isinstance(exc, SmsReceiptError):
            app.error(exc)
            app.attention(exc.exit_code)
    if isinstance(last, SmsReceiptError) and last.hint:
        app.say(f"hint: {last.hint}")
    _summarise(app, committer.tally, puller, reporter.seconds)
    if last is not None and not isinstance(last, SmsReceiptError):
        raise last


async def _drain(
    app: App,
    provider: _Provider,
    queues: Sequence[Queue],
    chosen: dict[str, Any],
    committer: Committer,
    reporter: _Reporter,
    pullers: list[Puller],
    unsettled: Sequence[str],
) -> bool:
    from smsreceipt.sources.mns import Options, Puller

    options = Options(
        workers=chosen["workers"],
        wait=chosen["wait"],
        follow=chosen["follow"],
        most=chosen["max"],
        seconds=chosen["for"],
    )
    puller = Puller(provider.lines(queues), committer, provider.clock, options, say=reporter.say)
    pullers.append(puller)
    with _stopped_by_signals(app, puller.stop):
        try:
            return await puller.run(unsettled)
        finally:
            warning = provider.clock.warning()
            if warning:
                app.warn(warning)
            provider.pool.close()


@contextmanager
def _stopped_by_signals(app: App, stop: Callable[[], None]) -> Iterator[None]:
    """The first signal stops gracefully, the second at once: nothing is lost either way."""
    loop = asyncio.get_running_loop()
    seen: list[int] = []

    def on_signal(signum: int) -> None:
        if seen:
            os._exit(128 + signum)
        seen.append(signum)
        app.attention(128 + signum)
        stop()

    wanted = [signum for signum in _SIGNALS if signal.getsignal(signum) is not signal.SIG_IGN]
    for signum in wanted:
        loop.add_signal_handler(signum, on_signal, signum)
    try:
        yield
    finally:
        for signum in wanted:
            loop.remove_signal_handler(signum)


def _summarise(app: App, tally: Tally, puller: Puller, seconds: float) -> None:
    app.summary(
        {
            "received": tally.received,
            "new": tally.new,
            "duplicate": tally.duplicate,
            "rejected": tally.rejected,
            "deleted": puller.counts.deleted,
            "undeleted": puller.counts.undeleted,
            "seconds": f"{seconds:.1f}",
            "rate": round(tally.received / max(seconds, 0.001)),
        }.items()
    )
    if tally.fresh_rejects:
        app.attention()
