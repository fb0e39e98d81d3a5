"""The queues that are configured, and what waits in them, without receiving anything."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from smsreceipt.aliyun.retry import Budget
from smsreceipt.app import App
from smsreceipt.errors import QueueNotFound, SmsReceiptError
from smsreceipt.language import _
from smsreceipt.output.objects.status import Waiting
from smsreceipt.runs.pull import Provider, named_queues
from smsreceipt.runs.pull_settings import queue_words
from smsreceipt.sources.queue.absent import passed_over
from smsreceipt.sources.queue.client import Queue, QueueClient

_SECONDS = 10.0  # that a queue has for its answer


def configured_queues(app: App) -> list[Queue]:
    """The queues that `pull` drains without options: those of the environment, else of the configuration.

    Raises UsageError as named_queues() does.
    """
    return named_queues(app, *queue_words(app))


def backlog(app: App, queues: Sequence[Queue]) -> list[Waiting]:
    """What the provider shows at the front of each queue. A queue that does not answer has an error instead.

    Optional queues that do not exist are left out, unless none does.
    """
    return asyncio.run(_backlog(app, queues))


async def _backlog(app: App, queues: Sequence[Queue]) -> list[Waiting]:
    provider = Provider(app, budget=partial(Budget, tries=1))
    try:
        waits = await asyncio.gather(*(waiting(client) for client in provider.lines(queues, app.say)))
    finally:
        provider.close()
    over = passed_over(queues, {each.queue for each in waits if each.absent})
    return [each for each in waits if each.queue not in over]


async def waiting(client: QueueClient) -> Waiting:
    """What the provider shows at the front of a queue; nothing is received. An error is told, not raised."""
    queue = client.queue
    try:
        messages = await asyncio.wait_for(client.peek(), _SECONDS)
    except TimeoutError:
        return Waiting(queue.name, queue.kind, None, None, _("no answer within {seconds:.0f} s", seconds=_SECONDS))
    except SmsReceiptError as exc:
        return Waiting(queue.name, queue.kind, None, None, str(exc), absent=isinstance(exc, QueueNotFound))
    oldest = min((message.enqueued_at for message in messages), default=None)
    return Waiting(queue.name, queue.kind, len(messages), oldest)
