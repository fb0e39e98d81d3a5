"""Receives the messages of queues, stores their receipts, and deletes the messages."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING

import uvloop

from smsreceipt.aliyun.clock import Clock
from smsreceipt.aliyun.http import Pool
from smsreceipt.aliyun.mns import check_queue
from smsreceipt.aliyun.retry import Budget
from smsreceipt.aliyun.rpc import Caller
from smsreceipt.aliyun.tokens import Tokens
from smsreceipt.app import App
from smsreceipt.decode import QUEUED_KINDS, decode, kind_of_queue, known_kind
from smsreceipt.errors import QueueNotFound, SmsReceiptError, UsageError
from smsreceipt.ingest import Committer
from smsreceipt.language import N_, _
from smsreceipt.model import Delivery, Instant, Tally, narrow, visible
from smsreceipt.output.objects.receipts import RECEIPTS, RECEIPTS_OF_KINDS
from smsreceipt.output.printer import tabular
from smsreceipt.runs.access import access, connection_reporter, proxies
from smsreceipt.runs.kinds import warn_of_unknown_kinds
from smsreceipt.runs.receiving import Receiving, refuse_full_disk
from smsreceipt.runs.signals import GracefulStop
from smsreceipt.runs.sockets import HostPort
from smsreceipt.sources.queue.absent import passed_over
from smsreceipt.sources.queue.client import Queue, QueueClient
from smsreceipt.sources.queue.puller import Puller
from smsreceipt.sources.queue.state import Options
from smsreceipt.store import NO_TIME, ConsumerLease, Store

if TYPE_CHECKING:
    from smsreceipt.runs.forward_metrics import Forwards
    from smsreceipt.runs.today import Today

__all__ = ["Options", "Provider", "queues_of", "run"]


_AWAITED = ("waiting for late messages", "等待迟到的消息")


class NoQueueError(UsageError):
    """Neither options nor configuration name a queue."""

    hint = N_("Say --uid UID --type SmsReport, or --queue NAME, or write [queues] into the configuration.")


def queues_of(app: App, named: Sequence[str], uid: str | None, kinds: Sequence[str]) -> list[Queue]:
    """As named_queues(); warns about a message type that is not known."""
    found = named_queues(app, named, uid, kinds)
    warn_of_unknown_kinds(app, (queue.kind for queue in found))
    return found


def named_queues(app: App, named: Sequence[str], uid: str | None, kinds: Sequence[str]) -> list[Queue]:
    """The queues of *named* (NAME or NAME=TYPE) and of *uid* with *kinds*, else those of the configuration; each once.

    The type "all" names the queues of every known type, as optional ones. Blanks and invisible characters around names,
    which a copy from a web page brings, are dropped. Raises UsageError if the message type of one is not known or given
    in two ways, or if *uid* is no number; NoQueueError if there is none.
    """
    if bool(uid) != bool(kinds):
        raise UsageError(
            _("--uid and --type belong together"),
            hint=_("For example --uid 1234567890123456 --type SmsReport."),
        )
    asked = [_queue(visible(name), kind) for name, _equals, kind in (text.partition("=") for text in named)]
    if uid:
        number, types = _uid(uid), [known_kind(kind) for kind in kinds if not _means_all(kind)]
        asked += [_queue(f"Alicom-Queue-{number}-{kind}", kind) for kind in types]
        if len(types) < len(kinds):
            asked += [Queue(f"Alicom-Queue-{number}-{kind}", kind, optional=True) for kind in QUEUED_KINDS]
    found: dict[str, Queue] = {}
    for queue in asked or [_queue(name, kind) for name, kind in app.config.queues.items()]:
        if found.setdefault(queue.name, queue) != queue:
            raise UsageError(
                _(
                    "queue {name!r} is given twice, as {first} and as {second}",
                    name=queue.name,
                    first=found[queue.name].kind,
                    second=queue.kind,
                ),
                hint=_("A queue has one message type: the console names it."),
            )
    if not found:
        raise NoQueueError(_("no queue to pull from"))
    return list(found.values())


def _means_all(kind: str) -> bool:
    """Whether the word stands for every message type that has queues."""
    return visible(kind).casefold() == "all"


def _queue(name: str, kind: str) -> Queue:
    """The queue *name* with the message type *kind*; "": the one that its name tells. Raises UsageError."""
    known = known_kind(kind) or kind_of_queue(name)
    if not name or known is None:
        hint = _("Say it: --queue {queue}", queue=shlex.quote((name or "NAME") + "=SmsReport"))
        raise UsageError(_("queue {name!r} does not tell its message type", name=name), hint=hint)
    check_queue(name)
    return Queue(name, known)


def _uid(uid: str) -> str:
    """The account's uid. Raises UsageError if it is no number, as the name of a queue is none."""
    uid = narrow(visible(uid))
    if uid.isascii() and uid.isdigit():
        return uid
    hint = _("It is the number in the names of the account's queues: Alicom-Queue-UID-SmsReport.")
    if kind_of_queue(uid):
        hint = _("That is the name of a queue: --queue {queue}", queue=shlex.quote(uid))
    raise UsageError(_("--uid {uid!r} is no number", uid=uid), hint=hint)


class Provider:
    """The connections of a pull: one clock, one connection pool, one client for each queue."""

    def __init__(self, app: App, budget: Callable[[], Budget] = Budget) -> None:
        """*budget*: how often and for how long a request is tried again."""
        endpoints, provider = access(app)
        choose, reporter = proxies(app).choose, connection_reporter(app)
        self.clock = Clock()
        self.pool = Pool(endpoints.mns, proxy=choose(endpoints.mns), reporter=reporter)
        self._caller = Caller(
            endpoints.dybaseapi,
            provider,
            self.clock,
            proxy=choose(endpoints.dybaseapi),
            reporter=reporter,
            tell=app.say,
            budget=budget,
        )
        self._budget = budget
        self._tokens = Tokens(self._caller, self.clock)

    def lines(self, queues: Sequence[Queue], say: Callable[[str, int], None]) -> list[QueueClient]:
        """A client for each queue; *say* prints its messages from the given verbosity on."""
        return [
            QueueClient(queue, self.pool, self._tokens, self.clock, tell=say, budget=self._budget) for queue in queues
        ]

    def close(self) -> None:
        """Close all connections; called inside the event loop."""
        self.pool.close()
        self._caller.close()


def run(
    app: App,
    queues: Sequence[Queue],
    options: Options,
    *,
    settle: bool,
    min_free: int,
    metrics: HostPort | None = None,
) -> None:
    """Receive until the queues are empty or the options end the run; print new statements and the summary.

    A terminal shows counters instead of statements, unless with -v or where the run goes on when the queues are empty.
    *settle*: wait for messages that an earlier, interrupted run may have left invisible. *min_free*: refuse to start
    with fewer bytes free for the store. *metrics*: serve /metrics there. Sets the exit code of the worst failure. A
    message is deleted after its receipts are committed, so a crash loses nothing: the next run receives again what was
    not deleted.
    """
    refuse_full_disk(app.store_location, min_free)
    with app.open_store(readonly=False) as store:
        pull = _Pull(app, store, queues, options, settle=settle)
        with _metrics(metrics, pull):
            pull.run()


def _metrics(address: HostPort | None, pull: _Pull) -> contextlib.AbstractContextManager[None]:
    if address is None:
        return contextlib.nullcontext()
    from smsreceipt.runs.metrics import of_puller, serve  # takes as long to load as a short run

    return serve(address, pull, lambda: of_puller(pull.puller))


class _Pull:
    """One run over the queues."""

    def __init__(self, app: App, store: Store, queues: Sequence[Queue], options: Options, *, settle: bool) -> None:
        self._failures: list[BaseException] = []
        self._app, self._store, self._queues, self._options, self._settle = app, store, queues, options, settle
        self._provider = Provider(app)
        self._rows = options.follow or app.verbosity > 0 or not (tabular(app) and app.stdout_is_tty)
        several = len({queue.kind for queue in queues}) > 1
        view = RECEIPTS_OF_KINDS if several else RECEIPTS
        self._receiving = Receiving[Delivery](app, decode, rows=self._rows, view=view, awaited=_AWAITED)
        self._receiving.figures = self._figures
        self._puller: Puller | None = None  # made inside its event loop
        self._leases: dict[str, ConsumerLease] = {}  # of a run that has begun

    @property
    def tally(self) -> Tally:
        """The counters of what is committed so far."""
        return self._receiving.tally

    @cached_property
    def today(self) -> Today:
        """The messages of the present day, and the state of the store: for metrics only."""
        from smsreceipt.runs.today import Today

        return Today(self._app)

    @cached_property
    def forwards(self) -> Forwards:
        """How far receipts are handed on: for metrics only."""
        from smsreceipt.runs.forward_metrics import Forwards

        return Forwards(self._app)

    @property
    def puller(self) -> Puller | None:
        """The puller, once it is made."""
        return self._puller

    def run(self) -> None:
        """Pull until the queues are empty, the options end the run, or a signal comes."""
        receiving = self._receiving
        begin, names = receiving.lock_retry.call, [queue.name for queue in self._queues]
        self._leases = {name: begin(partial(self._store.acquire_lease, name)) for name in names}
        with receiving.signals(self._stop) as stopping:
            committer = receiving.start(self._store, on_failure=self._end_at_once)
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                drained = runner.run(self._drain(stopping, committer))
            puller = self._puller
            assert puller is not None  # noqa: S101 - made by _drain
            settled = drained and self._settle and not self._failures
            failures = receiving.close(partial(self._release, puller.hidden(), settled=settled))
            if warning := self._provider.clock.warning():
                self._app.warn(warning)
            counts = puller.counts
            receiving.end([*self._failures, *puller.failures, *failures], deletes=(counts.deleted, counts.undeleted))
            if receiving.tally.new and not self._rows:
                self._app.say(_("look at them: smsreceipt list"))

    async def _drain(self, stopping: GracefulStop, committer: Committer[Delivery]) -> bool:
        """Pull; return whether all queues were drained, invisible messages of earlier runs included."""
        app, receiving = self._app, self._receiving
        clients = await self._existing(self._provider.lines(self._queues, app.say))
        puller = self._puller = Puller(
            clients,
            committer,
            self._provider.clock,
            self._options,
            say=app.say,
            room=receiving.reporter.room,
            on_answer=receiving.progress.answered,
        )
        if committer.failure is not None or stopping.requested:  # before the puller was there to be stopped
            puller.abandon()
        # asyncio would log the messages of exceptions in tasks that are not awaited, and messages may quote data.
        asyncio.get_running_loop().set_exception_handler(
            lambda _loop, context: app.say(
                "error: " + _("internal: {name}", name=type(context.get("exception")).__name__)
            )
        )
        with stopping.inside_loop():
            try:
                return await puller.run(self._unsettled() if self._settle else {})
            finally:
                self._provider.close()

    async def _existing(self, clients: Sequence[QueueClient]) -> list[QueueClient]:
        """The clients without those of optional queues that do not exist, or that failed: a failure of the run.

        Where no optional queue was answered, the first failure tells it.
        """
        asked = [client for client in clients if client.queue.optional]
        answers = await asyncio.gather(*(client.attributes() for client in asked), return_exceptions=True)
        failed = {
            client.queue.name: answer
            for client, answer in zip(asked, answers, strict=True)
            if isinstance(answer, BaseException)
        }
        absent = {name: exc for name, exc in failed.items() if isinstance(exc, QueueNotFound)}
        over = passed_over(self._queues, absent)
        for name in sorted(over):
            self._app.say(str(absent[name]), verbosity=1)
        self._failures = [exc for name, exc in failed.items() if name not in over]
        if len(failed) == len(asked):
            self._failures = self._failures[:1]
        return [client for client in clients if client.queue.name not in failed]

    def _figures(self) -> dict[str, object]:
        if self._puller is None:
            return {}
        counts = self._puller.counts
        return {"deleted": counts.deleted, "undeleted": counts.undeleted, "in_flight": self._puller.in_flight}

    def _stop(self) -> None:
        if self._puller is not None:
            self._puller.stop()

    def _end_at_once(self) -> None:
        if self._puller is not None:
            self._puller.abandon()

    def _unsettled(self) -> dict[str, float]:
        """Queues whose last run may have left messages invisible, and for how many seconds; 0: visibility time-out."""
        now = self._app.now()
        leases = self._leases.items()
        stopped = {name: (lease.hidden_until - now) / 1000 for name, lease in leases if lease.hidden_until > now}
        return stopped | {name: 0.0 for name, lease in leases if lease.after_unclean}

    def _release(self, hidden: dict[str, float], *, settled: bool) -> list[BaseException]:
        """Release the leases; record until when messages may be invisible whose receive request was not answered."""
        now = self._app.now()
        try:
            for name, lease in self._leases.items():
                until = Instant(now + round(hidden[name] * 1000)) if name in hidden else NO_TIME
                self._release_one(lease, until, settled)
        except SmsReceiptError as exc:
            return [exc]
        return []

    def _release_one(self, lease: ConsumerLease, hidden_until: Instant, settled: bool) -> None:
        settled = settled or not (lease.after_unclean or lease.hidden_until)
        end = partial(self._store.release_lease, lease, settled=settled, hidden_until=hidden_until)
        self._receiving.lock_retry.call(end)
