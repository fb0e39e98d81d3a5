"""`smsreceipt pull`: drain the queues into the store."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from smsreceipt.app import App
from smsreceipt.cli.filters import complete_kind
from smsreceipt.cli.options import command as make
from smsreceipt.cli.types import Duration, Size
from smsreceipt.errors import SmsReceiptError, UsageError
from smsreceipt.exits import worst
from smsreceipt.model import Delivery, Instant, StoredReceipt, Tally
from smsreceipt.output.printer import ReceiptPrinter
from smsreceipt.runs.access import access
from smsreceipt.runs.kinds import doubtful_kind
from smsreceipt.runs.reporter import Reporter, point_to_rejects, refuse_full_disk, tell_failures
from smsreceipt.runs.stop import Stop
from smsreceipt.store import NEVER, Run

if TYPE_CHECKING:
    from smsreceipt.ingest import Committer, LockRetry
    from smsreceipt.sources.queue.client import Queue, QueueClient
    from smsreceipt.sources.queue.puller import Puller
    from smsreceipt.store import Store

_CLOSE = 3.0  # seconds for the last commit after a stop


@make("pull")
@click.option(
    "--queue", multiple=True, metavar="NAME[=TYPE]", help="A queue, and its message type where the name hides it."
)
@click.option("--uid", metavar="UID", help="Account uid: with --type, queue Alicom-Queue-UID-TYPE.")
@click.option(
    "--type",
    multiple=True,
    metavar="TYPE",
    shell_complete=complete_kind,
    help="Message type of a queue named by --uid, e.g. SmsReport.",
)
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
        _peek(app, queues, chosen["max"])
        return
    refuse_full_disk(app.store_path, chosen["min_free"])
    with app.open_store(readonly=False) as store:
        _pull(app, queues, chosen, store)


def _queues(app: App, chosen: dict[str, Any]) -> list[Queue]:
    """The queues that the options name, else those of the configuration."""
    from smsreceipt.decode import kind_of_queue, known_kind
    from smsreceipt.sources.queue.client import Queue

    if bool(chosen["uid"]) != bool(chosen["type"]):
        raise UsageError(
            "--uid and --type belong together", hint="For example --uid 1234567890123456 --type SmsReport."
        )
    named = [(name, kind) for name, _, kind in (text.partition("=") for text in chosen["queue"])]
    named += [(f"Alicom-Queue-{chosen['uid']}-{kind}", str(kind)) for kind in map(known_kind, chosen["type"])]
    found = {}
    for name, kind in named or app.config.queues.items():
        known = known_kind(kind) if kind else kind_of_queue(name)
        if not name or known is None:
            raise UsageError(
                f"queue {name!r} does not tell its message type", hint=f"Say it: --queue {name or 'NAME'}=SmsReport."
            )
        if doubt := doubtful_kind(known):
            app.warn(doubt)
        found[name] = Queue(name, known)
    if not found:
        raise UsageError(
            "no queue to pull from",
            hint="Say --uid UID --type SmsReport, or --queue NAME, or write [queues] into the configuration.",
        )
    return list(found.values())


class _Provider:
    """The provider's side as this command needs it: one clock, one pool, a line for each queue."""

    def __init__(self, app: App) -> None:
        from smsreceipt.aliyun.clock import Clock
        from smsreceipt.aliyun.http import Pool
        from smsreceipt.aliyun.rpc import Caller
        from smsreceipt.aliyun.tokens import Tokens

        endpoints, provider = access(app)
        self.clock = Clock()
        self.pool = Pool(endpoints.mns)
        self._caller = Caller(endpoints.dybaseapi, provider, self.clock)
        self._tokens = Tokens(self._caller, self.clock)

    def lines(self, queues: Sequence[Queue], tell: Callable[[str, int], None]) -> list[QueueClient]:
        from smsreceipt.sources.queue.client import QueueClient

        return [QueueClient(queue, self.pool, self._tokens, self.clock, tell=tell) for queue in queues]

    def close(self) -> None:
        """Close every connection; to be called inside the loop."""
        self.pool.close()
        self._caller.close()


def _peek(app: App, queues: Sequence[Queue], most: int | None) -> None:
    """Show the front of each queue as it is: nothing is received, stored or deleted."""
    from smsreceipt.decode import decode
    from smsreceipt.sources.queue.state import delivery as delivered

    provider = _Provider(app)
    printer = ReceiptPrinter(app)
    failures: list[BaseException] = []

    async def show() -> None:
        left, rejected = most, 0
        for line in provider.lines(queues, lambda text, verbosity: app.say(text, verbosity=verbosity)):
            try:
                messages = (await line.peek())[:left]
            except SmsReceiptError as exc:
                failures.append(exc)
                continue
            left = None if left is None else left - len(messages)
            delivery = delivered(line.queue, messages, provider.clock.now())
            decoded = decode(delivery)
            rejected += len(decoded.rejects)
            printer.print(StoredReceipt.of(receipt, delivery, seq=None) for receipt in decoded.receipts)
        if rejected:
            app.say(f"{rejected} of the messages could not be decoded: pull keeps them as rejects")
        provider.close()

    asyncio.run(show())
    tell_failures(app, failures)


def _pull(app: App, queues: Sequence[Queue], chosen: dict[str, Any], store: Store) -> None:
    """Drain the queues, then say how it went; the exit code tells the worst of it."""
    import uvloop

    from smsreceipt.decode import decode
    from smsreceipt.ingest import Committer, LockRetry

    gc.set_threshold(50_000)  # messages are no cycles: looking at each of them again and again only costs
    provider = _Provider(app)
    reporter = Reporter(app)
    lock_retry = LockRetry(reporter.say)
    runs = {queue.name: lock_retry.call(partial(store.begin_run, queue.name)) for queue in queues}
    pullers: list[Puller] = []  # made inside its loop

    def stop() -> None:
        lock_retry.stop()
        for puller in pullers:
            puller.stop()

    def dead_end() -> None:
        for puller in pullers:
            puller.abandon()

    with Stop(app, stop) as stopping:
        committer = Committer(store, decode, lock_retry=lock_retry, on_kept=reporter.kept, on_failure=dead_end)

        async def drain() -> bool:
            puller = _puller(provider, queues, chosen, committer, reporter)
            pullers.append(puller)
            if committer.failure is not None or stopping.requested:  # before there was anybody to be told
                puller.abandon()
            # Of a bug in a task that nobody waits for, asyncio would log the message, and messages quote data.
            asyncio.get_running_loop().set_exception_handler(
                lambda _loop, context: reporter.say(f"error: internal: {type(context.get('exception')).__name__}")
            )
            with stopping.inside_loop():
                try:
                    return await puller.run({} if chosen["no_settle"] else _unsettled(app, runs))
                finally:
                    provider.close()

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            drained = runner.run(drain())
        (puller,) = pullers
        committed = committer.close(_CLOSE if stopping.requested else None)
        failures: list[BaseException] = [*puller.failures, *filter(None, [committer.failure])]
        if committed and committer.failure is None:
            settled = drained and not chosen["no_settle"]
            failures += _say_goodbye(app, store, lock_retry, runs, puller.hidden(), settled=settled)
        printed = reporter.close(lambda: stopping.requested)
        if warning := provider.clock.warning():
            app.warn(warning)
        tell_failures(app, failures)
        _summarise(app, committer.tally, puller, reporter.seconds)
        if not (committed and printed):  # a thread hangs in the store or in standard output, and would hold up the exit
            os._exit(worst(app.codes))


def _puller(
    provider: _Provider,
    queues: Sequence[Queue],
    chosen: dict[str, Any],
    committer: Committer[Delivery],
    reporter: Reporter,
) -> Puller:
    from smsreceipt.sources.queue.puller import Puller
    from smsreceipt.sources.queue.state import Options

    options = Options(
        workers=chosen["workers"],
        wait=chosen["wait"],
        follow=chosen["follow"],
        most=chosen["max"],
        seconds=chosen["for"],
    )
    lines = provider.lines(queues, reporter.say)
    return Puller(lines, committer, provider.clock, options, say=reporter.say, room=reporter.room)


def _unsettled(app: App, runs: dict[str, Run]) -> dict[str, float]:
    """Queues whose last run may have left something hidden, with the seconds; 0: for a whole visibility."""
    now = app.now()
    stopped = {name: (run.hidden_until - now) / 1000 for name, run in runs.items() if run.hidden_until > now}
    return stopped | {name: 0.0 for name, run in runs.items() if run.after_unclean}


def _say_goodbye(
    app: App, store: Store, lock_retry: LockRetry, runs: dict[str, Run], hidden: dict[str, float], *, settled: bool
) -> list[SmsReceiptError]:
    """Take the notes of this run away; of what it may have left hidden, note until when."""
    now = app.now()
    try:
        for name, run in runs.items():
            until = Instant(now + round(hidden[name] * 1000)) if name in hidden else NEVER
            settle = settled or not (run.after_unclean or run.hidden_until)
            lock_retry.call(partial(store.end_run, run, settled=settle, hidden_until=until))
    except SmsReceiptError as exc:
        return [exc]
    return []


def _summarise(app: App, tally: Tally, puller: Puller, seconds: float) -> None:
    point_to_rejects(app, tally)
    app.summary(
        {
            **tally.books(),
            "deleted": puller.counts.deleted,
            "undeleted": puller.counts.undeleted,
            "seconds": f"{seconds:.1f}",
            "rate": round(tally.received / max(seconds, 0.001)),
        }.items()
    )
