"""Receives the messages of queues and hands their receipts to a function, after they are stored."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial

import uvloop

from smsreceipt.api.app import app_of
from smsreceipt.api.values import Receipt, receipt_of
from smsreceipt.app import App
from smsreceipt.decode import decode
from smsreceipt.errors import SmsReceiptError, StoreUnavailable
from smsreceipt.exits import gravest
from smsreceipt.forward import forwarder
from smsreceipt.forward.batch import Batch, NotTaken
from smsreceipt.forward.cursor import Cursor, CursorInUse
from smsreceipt.forward.forwarder import Forwarder, Stop, newest_seq
from smsreceipt.ingest import Committer, LockRetry
from smsreceipt.language import _
from smsreceipt.model import Delivery, Instant
from smsreceipt.runs.pull import Provider, named_queues
from smsreceipt.sources.queue.client import Queue
from smsreceipt.sources.queue.puller import Puller
from smsreceipt.sources.queue.state import Options
from smsreceipt.store import NO_TIME, Query, Store
from smsreceipt.waiting import wait_for

Handler = Callable[[Sequence[Receipt]], object]
_STORE_PAUSE = 1.0  # seconds before a store is tried again that could not be read or written


def receive(
    queues: Sequence[str] | Mapping[str, str],
    handler: Handler,
    *,
    store: str | os.PathLike[str] | None = None,
    name: str = "receive",
    batch: int = 100,
    workers: int = 32,
    stop: threading.Event | None = None,
) -> None:
    """Receive from the queues until *stop* is set, and call *handler* with new receipts, in ascending seq.

    *queues*: names, or a mapping of names to message types. The messages are stored, then deleted from the queue;
    the handler is called after that, with at most *batch* statements, in the thread that called. When it returns, a
    cursor in the store, of this *name*, moves past them. One that raises is called again with the same receipts, after
    a pause that grows from 1 second to 5 minutes; its exception is logged without its text, which may quote data. After
    a crash, the last batch may come again. A new cursor begins after what is stored.

    Sets no signal handlers: KeyboardInterrupt stops it and is raised again. Keys and endpoints are those of the
    environment and of ~/.aliyun/config.json. Raises UsageError, AuthError, ProviderError, QueueNotFound and
    StoreUnavailable.
    """
    app, halt = app_of(store), stop or threading.Event()
    texts = [f"{each}={kind}" for each, kind in queues.items()] if isinstance(queues, Mapping) else [*queues]
    named = named_queues(app, texts, None, ())
    with app.open_store(readonly=False, backfill=False) as opened:
        cursor = Cursor.take(opened, name, begin=partial(newest_seq, opened), retry=LockRetry(app.say), now=app.now)
        ended = threading.Event()
        pulling = _Pulling(app, named, workers, ended)
        pulling.start()
        try:
            _hand_on(app, opened, cursor, handler, batch, lambda seconds: wait_for(halt, seconds) or ended.is_set())
        finally:
            pulling.end()
            with suppress(SmsReceiptError):
                cursor.release()
    pulling.raise_failure()


def _hand_on(
    app: App, store: Store, cursor: Cursor, handler: Handler, batch: int, wait: Callable[[float], bool]
) -> None:
    """Call the handler with what is stored and what comes, until it is time to stop."""
    options = forwarder.Options(query=Query(history=True), batch=batch)
    forwarding = Forwarder(store, cursor, _Function(app, handler), options, wait=wait, tell=app.say)
    while True:
        try:
            forwarding.follow()
        except Stop:
            return
        except CursorInUse:
            raise
        except StoreUnavailable as exc:
            app.say(str(exc))
            if wait(_STORE_PAUSE):
                return


class _Function:
    """The handler as a receiver of batches."""

    one_kind = False

    def __init__(self, app: App, handler: Handler) -> None:
        self.name = _("the handler")
        self._app, self._handler = app, handler

    def hand_on(self, batch: Batch) -> None:
        """Call it. What it raises may not come another time."""
        try:
            self._handler([receipt_of(each) for each in batch.receipts])
        except Exception as exc:  # noqa: BLE001 - whatever a handler raises, it is called again
            raise NotTaken(_("it raised {error}", error=type(exc).__name__)) from None

    def close(self) -> None:
        """Nothing is kept open."""


class _Pulling(threading.Thread):
    """Receives, stores and deletes, in a thread with a store and an event loop of its own."""

    def __init__(self, app: App, queues: Sequence[Queue], workers: int, ended: threading.Event) -> None:
        super().__init__(name="pulling", daemon=True)
        self._app, self._queues, self._ended = app, queues, ended
        self._options = Options(workers=workers, follow=True)
        self._puller: Puller | None = None
        self._stopping = False
        self._failures: list[BaseException] = []

    def end(self) -> None:
        """Stop receiving; what was received is stored and deleted before this returns."""
        self._stopping = True
        if self._puller is not None:
            self._puller.stop()
        self.join()

    def raise_failure(self) -> None:
        """Raise the worst of what went wrong, if anything did."""
        failure = gravest(self._failures)
        if failure is not None:
            raise failure

    def run(self) -> None:
        try:
            with self._app.open_store(readonly=False) as store:
                self._receive(store)
        except BaseException as exc:  # noqa: BLE001 - raised in the thread that called receive()
            self._failures.append(exc)
        finally:
            self._ended.set()

    def _receive(self, store: Store) -> None:
        retry = LockRetry(self._app.say)
        leases = [retry.call(partial(store.acquire_lease, queue.name)) for queue in self._queues]
        committer = Committer[Delivery](store, decode, lock_retry=retry, on_failure=self._abandon)
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._pull(committer))
        finally:
            committer.close()
        if committer.failure is not None:
            self._failures.append(committer.failure)
            return
        hidden = self._puller.hidden() if self._puller is not None else {}
        for queue, lease in zip(self._queues, leases, strict=True):
            seconds = hidden.get(queue.name)
            until = NO_TIME if seconds is None else Instant(self._app.now() + round(seconds * 1000))
            retry.call(partial(store.release_lease, lease, settled=False, hidden_until=until))

    async def _pull(self, committer: Committer[Delivery]) -> None:
        provider = Provider(self._app)
        clients = provider.lines(self._queues, self._app.say)
        self._puller = puller = Puller(clients, committer, provider.clock, self._options, say=self._app.say)
        if self._stopping:
            puller.stop()
        try:
            await puller.run()
        finally:
            self._failures += puller.failures
            provider.close()

    def _abandon(self) -> None:
        if self._puller is not None:
            self._puller.abandon()
